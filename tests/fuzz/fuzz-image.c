/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything that reads a kernel image, and the small parsers beside it: the input is
 * taken for an image file, for what debugfs shows of the handover, and for a command
 * line. What holds for all inputs is asserted.
 */
#include "common/fd.h"
#include "core/cmdline.h"
#include "sys/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void claim(bool holds) {
        if (!holds)
                abort();
}

static void try_image(const uint8_t *data, size_t size) {
        _cleanup_close_ int fd = -1;
        KernelFile file = KERNEL_FILE_INIT;
        Refusal refusal = {};
        KernelAbi abi = {};

        claim(memfd_new("image", 0, &fd) >= 0 && fd_write_all(fd, data, size) >= 0);
        if (kernel_file_open(fd, &file, &refusal) < 0) {
                claim(refusal.reason != REASON_NONE);
                return;
        }
        claim(file.header.payload_offset + file.header.payload_size <= file.size && file.size <= size);
        if (kernel_file_abi(&file, &abi, &refusal) < 0)
                claim(refusal.reason != REASON_NONE);
        claim(strnlen(abi.luo, sizeof(abi.luo)) < sizeof(abi.luo));
        kernel_file_done(&file);
}

static void try_debugfs(const uint8_t *data, size_t size) {
        char text[ABI_STRING_MAX];
        uint64_t number;

        if (abi_from_fdt(data, size, text) >= 0)
                claim(strncmp(text, "kho-v", 5) == 0);
        if (abi_from_luo_state(data, size, text, &number) >= 0)
                claim(strncmp(text, "luo-v", 5) == 0);
}

/* Whole and in pieces, a scan finds the same. */
static void try_scanner(const uint8_t *data, size_t size) {
        AbiScanner whole = {}, pieces = {};
        size_t step = size > 0 ? 1 + data[0] % 61 : 1;

        abi_scanner_feed(&whole, data, size);
        for (size_t at = 0; at < size; at += step)
                abi_scanner_feed(&pieces, data + at, MIN_OF(step, size - at));
        claim(memcmp(&whole.found, &pieces.found, sizeof(whole.found)) == 0);
}

static void try_cmdline(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = malloc(size + 1), *final = NULL, *again = NULL, *stripped = NULL, *longer = NULL;

        claim(text);
        if (size > 0)
                memcpy(text, data, size);
        text[size] = '\0';
        claim(cmdline_strip_boot(text, &stripped) >= 0 && strlen(stripped) <= strlen(text));
        if (cmdline_append(text, "a.b=1 quiet", &longer) >= 0)
                claim(strlen(longer) <= strlen(text) + strlen(" a.b=1 quiet "));
        if (cmdline_finalize(text, 0, &final, NULL) < 0)
                return;
        claim(cmdline_switch(final, "kho") == 1 && cmdline_switch(final, "liveupdate") == 1);
        claim(cmdline_finalize(final, 0, &again, NULL) >= 0 && streq(final, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        try_image(data, size);
        try_debugfs(data, size);
        try_scanner(data, size);
        try_cmdline(data, size);
        return 0;
}
