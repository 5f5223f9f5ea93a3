/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "initrd.h"

#include "common/fd.h"
#include "expand.h"
#include "initrd-read.h"

#define OUTPUT_MAX (UINT64_C(2) << 30) /* a bomb costs a few seconds */

/* The module's file, compressed as depmod(8) knows it or not. */
static void read_module(const InitrdScan *s, char ret[static SHIM_COMPATIBLE_SIZE]) {
        _cleanup_buffer_ Buffer plain = { .max = MODULE_FILE_MAX };
        _cleanup_close_ int fd = -1;

        if (!s->module || s->n_module < s->module_size || module_compatible(s->module, s->n_module, ret))
                return;
        if (memfd_new("module", 0, &fd) >= 0 && fd_write_all(fd, s->module, s->n_module) >= 0)
                (void)expand_file(fd, &plain);
        if (plain.size > 0)
                (void)module_compatible(plain.data, plain.size, ret);
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
