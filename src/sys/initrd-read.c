/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a compressed archive ends is told by libarchive for gzip, bzip2 and lzma, which stop
 * there. The other formats expect more of their own kind, so their frames are followed first
 * (initrd-frames.h).
 */
#include "initrd-read.h"

#include "expand.h"
#include "initrd-frames.h"

#include <stdarg.h>

enum { ARCHIVES_MAX = 4096 }; /* that are compressed; each has its price */

typedef struct Reading {
        const InitrdSink *sink;
        Window window;
        NewcReader newc;
        uint64_t at, size, unpacked;
        unsigned n_archives;
        bool enough;
        char *why;
} Reading;

static int _printf_(3, 4) fault(const Reading *r, int error, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(r->why, INITRD_WHY_SIZE, format, ap);
        va_end(ap);
        return error;
}

static int damaged(const Reading *r, uint64_t at, const char *how) {
        return fault(r, -EBADMSG, "at byte %llu of %llu: %s", (unsigned long long)at, (unsigned long long)r->size,
                     how);
}

static int give(Reading *r, const void *data, size_t size, bool last) {
        int k = r->sink->bytes ? r->sink->bytes(r->sink->userdata, data, size, last) : 0;

        r->enough = k > 0;
        return MIN_OF(k, 0);
}

/* Takes archives, up to what does not belong to one. */
static int take(Reading *r, const char *data, size_t size, size_t *ret_used) {
        size_t done = 0;

        while (done < size && !r->enough) {
                ssize_t n = newc_feed(&r->newc, data + done, size - done);
                if (n < 0)
                        return n == -EBADMSG ? damaged(r, r->at, "the header of a file in it is not valid") : (int)n;
                if (n == 0)
                        break;
                bool last = r->newc.ended;
                r->newc.ended = false;
                int k = give(r, data + done, (size_t)n, last);
                if (k < 0)
                        return k;
                done += (size_t)n;
        }
        *ret_used = done;
        return 0;
}

static int on_expanded(void *userdata, const void *data, size_t size) {
        Reading *r = userdata;
        size_t used;

        int k = take(r, data, size, &used);
        if (k < 0 || r->enough)
                return k < 0 ? k : -ECANCELED;
        if (used < size)
                return fault(r, -EOPNOTSUPP, "what is compressed at byte %llu is no cpio archive",
                             (unsigned long long)r->at);
        r->unpacked += size;
        if (r->unpacked > r->sink->output_max)
                return fault(r, -EOPNOTSUPP, "it unpacks to more than %llu bytes",
                             (unsigned long long)r->sink->output_max);
        return 0;
}

/* A whole archive has been read, or k says why not. */
static int after_archive(Reading *r, Compression c, uint64_t end, int k, const Expanded *e) {
        if (r->enough)
                return 0;
        if (k == -EBADMSG && !*r->why)
                return damaged(r, r->at + e->used, e->why);
        if (k == -EOPNOTSUPP && !*r->why)
                return fault(r, k, "the compression at byte %llu is %s%s", (unsigned long long)r->at,
                             c == COMPRESSION_LZO ? "" : "an unusual ", compression_to_string(c));
        if (k < 0)
                return k;
        if (newc_end(&r->newc) < 0)
                return damaged(r, r->at, "the archive that is compressed there ends in the middle of a file");
        /* Never on the spot, whatever a library says. */
        r->at = end < r->size ? end : r->at + MAX_OF(e->used, (uint64_t)1);
        return 0;
}

static int read_compressed(Reading *r) {
        uint64_t end = r->size;
        Expanded expanded;
        char head[16];

        int k = give(r, "", 0, true);
        if (k < 0 || r->enough)
                return k;
        ssize_t n = window_read(&r->window, r->at, head, sizeof(head));
        if (n < 0)
                return (int)n;
        if (r->n_archives++ == ARCHIVES_MAX)
                return fault(r, -EOPNOTSUPP, "it has more than %d compressed archives", ARCHIVES_MAX);
        Compression c = compression_detect(head, (size_t)n);
        if (c == COMPRESSION_NONE)
                return fault(r, -EOPNOTSUPP, "at byte %llu is neither a cpio archive nor a compressed one",
                             (unsigned long long)r->at);
        k = frames_end(&r->window, r->at, r->size, c, &end);
        if (k < 0)
                return k;
        k = expand(r->window.fd, r->at, end - r->at, c, on_expanded, r, &expanded);
        return after_archive(r, c, end, k, &expanded);
}

static int read_all(Reading *r) {
        size_t used, n;
        const char *data;

        while (r->at < r->size && !r->enough) {
                int k = window_at(&r->window, r->at, &data, &n);
                if (k < 0)
                        return k;
                if (n == 0)
                        return damaged(r, r->at, "the file became shorter while it was read");
                n = (size_t)MIN_OF((uint64_t)n, r->size - r->at);
                k = take(r, data, n, &used);
                if (k < 0)
                        return k;
                r->at += used;
                if (used < n && !r->enough)
                        k = read_compressed(r);
                if (k < 0)
                        return k;
        }
        if (!r->enough && newc_end(&r->newc) < 0)
                return damaged(r, r->size, "it ends in the middle of a file");
        return 0;
}

int initrd_read(int fd, uint64_t size, const InitrdSink *sink, char ret_why[static INITRD_WHY_SIZE]) {
        _cleanup_free_ Reading *r = calloc(1, sizeof(*r));

        if (!r)
                return -ENOMEM;
        r->sink = sink;
        r->window.fd = fd;
        r->newc.sink = &sink->files;
        r->newc.one_archive = true;
        r->size = size;
        r->why = ret_why;
        *ret_why = '\0';
        return read_all(r);
}
