/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One pass over the file. Where a compressed archive ends and what is after it begins is
 * told by libarchive for gzip, bzip2 and lzma, which stop there. The other formats expect
 * more of their own kind, so their frames are followed first (initrd-frames.h).
 *
 * Bounds: what is read is the file's size at most, what comes out of decompression is
 * OUTPUT_MAX at most, of ARCHIVES_MAX archives, so that a decompression bomb costs a few
 * seconds.
 */
#include "initrd.h"

#include "common/fd.h"
#include "initrd-frames.h"
#include "unpack.h"

#include <stdarg.h>

#define OUTPUT_MAX (UINT64_C(2) << 30)
enum { ARCHIVES_MAX = 4096 }; /* that are compressed; each has its price */

typedef struct Look {
        InitrdScan scan;
        Window window;
        NextBoot *boot;
        uint64_t size, unpacked;
        unsigned n_archives;
        Refusal *refusal;
        bool stop; /* enough, or no more to be had */
} Look;

static int damaged(const Look *l, uint64_t at, const char *how) {
        return refuse(l->refusal, REASON_INITRD_DAMAGED, "initrd", "at byte %llu of %llu: %s", (unsigned long long)at,
                      (unsigned long long)l->size, how);
}

static void _printf_(2, 3) unread(Look *l, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(l->boot->unread, sizeof(l->boot->unread), format, ap);
        va_end(ap);
        l->stop = true;
}

static int feed(Look *l, uint64_t at, const void *data, size_t size, size_t *ret_used) {
        int r = initrd_scan_feed(&l->scan, data, size, ret_used);

        if (r == -EBADMSG)
                return damaged(l, at, "the header of a file in it is not valid");
        if (r < 0)
                return refuse_errno(l->refusal, r, "initrd", "looking into it");
        l->stop = initrd_scan_enough(&l->scan);
        return 0;
}

static int read_archive(Look *l, Unpack *u, uint64_t at) {
        const void *block = NULL;
        ssize_t n = 0;
        size_t used;
        int r;

        while (!l->stop && (n = unpack_read(u, &block)) > 0) {
                l->unpacked += (uint64_t)n;
                r = feed(l, at, block, (size_t)n, &used);
                if (r < 0)
                        return r;
                if (l->stop)
                        return 0;
                if (used < (size_t)n)
                        unread(l, "what is compressed at byte %llu is no cpio archive", (unsigned long long)at);
                else if (l->unpacked > OUTPUT_MAX)
                        unread(l, "it unpacks to more than %llu bytes", (unsigned long long)OUTPUT_MAX);
        }
        if (n == -EBADMSG)
                return damaged(l, at + unpack_consumed(u), unpack_error(u));
        if (n < 0)
                return refuse_errno(l->refusal, (int)n, "initrd", "reading it");
        if (!l->stop && !initrd_scan_complete(&l->scan))
                return damaged(l, at, "the archive that is compressed there ends in the middle of a file");
        return 0;
}

/* A compressed archive at *at; sets *at to what is behind it. */
static int look_compressed(Look *l, uint64_t *at) {
        _cleanup_(unpack_closep) Unpack *u = NULL;
        uint64_t end = l->size;
        char head[16];

        ssize_t n = window_read(&l->window, *at, head, sizeof(head));
        if (n < 0)
                return refuse_errno(l->refusal, (int)n, "initrd", "reading it");
        if (l->n_archives++ == ARCHIVES_MAX) {
                unread(l, "it has more than %d compressed archives", ARCHIVES_MAX);
                return 0;
        }
        Compression c = compression_detect(head, (size_t)n);
        int r = frames_end(&l->window, *at, l->size, c, &end);
        if (r >= 0)
                r = unpack_open(l->window.fd, *at, end - *at, c, &u);
        if (r == -EOPNOTSUPP) {
                if (c == COMPRESSION_NONE)
                        unread(l, "at byte %llu is neither a cpio archive nor a compressed one",
                               (unsigned long long)*at);
                else
                        unread(l, "the compression at byte %llu is lzo", (unsigned long long)*at);
                return 0;
        }
        if (r < 0)
                return refuse_errno(l->refusal, r, "initrd", "reading it");
        r = read_archive(l, u, *at);
        if (r < 0)
                return r;
        /* Never on the spot, whatever a library says. */
        *at = end < l->size ? end : *at + MAX_OF(unpack_consumed(u), (uint64_t)1);
        return 0;
}

static int look(Look *l) {
        size_t used, n;
        const char *data;

        for (uint64_t at = 0; at < l->size && !l->stop;) {
                int r = window_at(&l->window, at, &data, &n);
                if (r < 0)
                        return refuse_errno(l->refusal, r, "initrd", "reading it");
                if (n == 0)
                        return damaged(l, at, "the file became shorter while it was read");
                n = (size_t)MIN_OF((uint64_t)n, l->size - at);
                r = feed(l, at, data, n, &used);
                if (r < 0)
                        return r;
                at += used;
                if (used < n && !l->stop)
                        r = look_compressed(l, &at);
                if (r < 0)
                        return r;
        }
        if (!l->stop && !initrd_scan_complete(&l->scan))
                return damaged(l, l->size, "it ends in the middle of a file");
        return 0;
}

/* The module's file, compressed as depmod(8) knows it or not. */
static void read_module(const InitrdScan *s, char ret[static SHIM_COMPATIBLE_SIZE]) {
        _cleanup_(unpack_closep) Unpack *u = NULL;
        _cleanup_free_ char *plain = NULL;
        _cleanup_close_ int fd = -1;
        const void *block;
        size_t size = 0;
        ssize_t n;

        if (!s->module || s->n_module < s->module_size || module_compatible(s->module, s->n_module, ret))
                return;
        Compression c = compression_detect(s->module, s->n_module);
        if (c == COMPRESSION_NONE || memfd_new("module", 0, &fd) < 0 || fd_write_all(fd, s->module, s->n_module) < 0 ||
            unpack_open(fd, 0, s->n_module, c, &u) < 0)
                return;
        plain = malloc(MODULE_FILE_MAX);
        while (plain && (n = unpack_read(u, &block)) > 0 && (size_t)n <= MODULE_FILE_MAX - size) {
                memcpy(plain + size, block, (size_t)n);
                size += (size_t)n;
        }
        if (plain)
                (void)module_compatible(plain, size, ret);
}

int initrd_look(int fd, uint64_t size, const char *release, NextBoot *boot, Refusal *refusal) {
        Look *l = calloc(1, sizeof(*l));

        if (!l)
                return refuse_errno(refusal, -ENOMEM, "initrd", NULL);
        *l = (Look){ .boot = boot, .size = size, .refusal = refusal, .window = { .fd = fd } };
        initrd_scan_start(&l->scan, boot, release);
        boot->has_initrd = true;
        int r = look(l);
        if (r >= 0)
                read_module(&l->scan, boot->compatible);
        initrd_scan_done(&l->scan);
        free(l);
        return r;
}
