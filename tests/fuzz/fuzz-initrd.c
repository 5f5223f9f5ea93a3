/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looking into an initrd: archives, what compresses them and the module in them are all
 * somebody else's. The input is a whole file. That it was cut into pieces elsewhere must
 * not matter to what is found.
 */
#include "common/fd.h"
#include "sys/initrd-read.h"
#include "sys/initrd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void claim(bool holds) {
        if (!holds)
                abort();
}

static NextBoot wanted(void) {
        NextBoot b = {};

        claim(next_boot_add(&b, SHIM_MODULE) >= 0 && next_boot_add(&b, "other") >= 0);
        return b;
}

/* What goes into a restore-only initrd can be read as one archive after the other. */
static int again(void *userdata, const void *data, size_t size, bool last) {
        NewcReader *r = userdata;

        claim(newc_feed(r, data, size) == (ssize_t)size);
        claim(!last || newc_end(r) == 0);
        return 0;
}

static void try_reading(int fd, size_t size) {
        _cleanup_free_ NewcReader *r = calloc(1, sizeof(*r));
        InitrdSink sink = { .bytes = again, .userdata = r, .output_max = 64 << 20 };
        char why[INITRD_WHY_SIZE] = "";

        claim(r);
        int k = initrd_read(fd, size, &sink, why);
        claim((k == -EBADMSG || k == -EOPNOTSUPP) == (*why != '\0'));
        claim(k < 0 || newc_end(r) == 0);
}

static void try_file(const uint8_t *data, size_t size) {
        _cleanup_close_ int fd = -1;
        NextBoot b = wanted();
        Refusal why = {};

        claim(memfd_new("initrd", 0, &fd) >= 0 && fd_write_all(fd, data, size) >= 0);
        try_reading(fd, size);
        int r = initrd_look(fd, size, "7.3", &b, &why);
        claim((r < 0) == (why.reason != REASON_NONE));
        claim(strnlen(b.compatible, sizeof(b.compatible)) < sizeof(b.compatible));
}

static void try_pieces(const uint8_t *data, size_t size, size_t step) {
        NextBoot one = wanted(), two = wanted();
        InitrdScan whole = initrd_scan_start(&one, ""), pieces = initrd_scan_start(&two, "");
        NewcSink to_whole = initrd_scan_sink(&whole), to_pieces = initrd_scan_sink(&pieces);
        NewcReader r = { .sink = &to_whole }, p = { .sink = &to_pieces };
        ssize_t used = newc_feed(&r, data, size), n = 0;
        size_t at = 0;

        for (; n >= 0 && at < size; at += (size_t)n) {
                size_t want = MIN_OF(step, size - at);
                n = newc_feed(&p, data + at, want);
                if (n >= 0 && (size_t)n < want) {
                        at += (size_t)n;
                        break;
                }
        }
        claim(MIN_OF(used, 0) == MIN_OF(n, 0) && (used < 0 || (size_t)used == at));
        claim(memcmp(&one, &two, sizeof(one)) == 0);
        claim(whole.n_module == pieces.n_module && newc_end(&r) == newc_end(&p));
        initrd_scan_done(&whole);
        initrd_scan_done(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char text[SHIM_COMPATIBLE_SIZE];

        try_file(data, size);
        if (size > 0)
                try_pieces(data, size, 1 + data[size / 2] % 61);
        if (module_compatible(data, size, text))
                claim(strlen(text) > 0 && strlen(text) < sizeof(text));
        return 0;
}
