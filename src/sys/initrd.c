/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "initrd.h"

#include "common/fd.h"
#include "initrd-read.h"
#include "unpack.h"

#define OUTPUT_MAX (UINT64_C(2) << 30) /* a bomb costs a few seconds */

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

static int on_bytes(void *userdata, _unused_ const void *data, _unused_ size_t size, _unused_ bool last) {
        return initrd_scan_enough(userdata);
}

int initrd_look(int fd, uint64_t size, const char *release, NextBoot *boot, Refusal *refusal) {
        InitrdScan scan = initrd_scan_start(boot, release);
        char why[INITRD_WHY_SIZE] = "";
        InitrdSink sink = {
                .files = initrd_scan_sink(&scan),
                .bytes = on_bytes,
                .userdata = &scan,
                .output_max = OUTPUT_MAX,
        };

        boot->has_initrd = true;
        int r = initrd_read(fd, size, &sink, why);
        if (r == -EBADMSG)
                r = refuse(refusal, REASON_INITRD_DAMAGED, "initrd", "%s", why);
        else if (r == -EOPNOTSUPP)
                r = 0;
        else if (r < 0)
                r = refuse_errno(refusal, r, "initrd", "reading it");
        (void)snprintf(boot->unread, sizeof(boot->unread), "%s", r < 0 ? "" : why);
        if (r >= 0)
                read_module(&scan, boot->compatible);
        initrd_scan_done(&scan);
        return r;
}
