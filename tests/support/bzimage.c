/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Layouts: Documentation/arch/x86/boot.rst for the bzImage, Microsoft's "PE Format" for
 * the UKI. Failing allocations and libraries abort: a test can do nothing about them. */
#include "bzimage.h"

#include "common/fd.h"

#include <archive.h>
#include <archive_entry.h>

enum {
        SETUP_SIZE = 2 * 512, /* setup_sects 1 */
        BANNER = 0x280,
        STUB_SIZE = 64, /* protected-mode code before the payload */
        PE_AT = 0x80,
        PE_TABLE = PE_AT + 24,
        PE_ALIGNMENT = 512,
};

static void *must(void *p) {
        if (!p)
                abort();
        return p;
}

static void put(Bytes *b, size_t at, uint64_t value, size_t n) {
        for (size_t i = 0; i < n; i++)
                b->data[at + i] = (char)(value >> (8 * i));
}

static void append(Bytes *b, const void *data, size_t size) {
        b->data = must(realloc(b->data, b->size + size + 1));
        if (size > 0)
                memcpy(b->data + b->size, data, size);
        b->size += size;
}

static void append_zeroes(Bytes *b, size_t size) {
        b->data = must(realloc(b->data, b->size + size + 1));
        memset(b->data + b->size, 0, size);
        b->size += size;
}

static void append_u32(Bytes *b, uint32_t value) {
        append_zeroes(b, 4);
        put(b, b->size - 4, value, 4);
}

Bytes bytes_of(const void *data, size_t size) {
        Bytes b = {};

        append(&b, data, size);
        return b;
}

void bytes_done(Bytes *b) {
        free(b->data);
        *b = (Bytes){};
}

int bytes_to_fd(const Bytes *b, size_t size) {
        int fd;

        if (memfd_new("image", 0, &fd) < 0 || fd_write_all(fd, b->data, size) < 0)
                abort();
        return fd;
}

KernelSpec kernel_spec(void) {
        return (KernelSpec){
                .release = "7.3.4",
                .version = "#1 SMP PREEMPT_DYNAMIC Mon Jan  5 10:00:00 UTC 2026",
                .abi = { .kho = "kho-v4", .luo = "luo-v5", .memfd = "memfd-v2" },
                .compression = COMPRESSION_GZIP,
                .memory_size = 16 << 20,
                .alignment = 2 << 20,
                .preferred = 16 << 20,
                .cmdline_size = 2047,
                .protocol = 0x020f,
                .xloadflags = 0x3,
                .relocatable = true,
                .filler = 700,
        };
}

/* Noise that does not compress well and has no '-' by chance next to a string. */
static void append_noise(Bytes *b, size_t size, uint32_t seed) {
        append_zeroes(b, size);
        for (size_t i = 0; i < size; i++) {
                seed = seed * 1664525 + 1013904223;
                b->data[b->size - size + i] = (char)(seed >> 24);
        }
}

static Bytes vmlinux_build(const KernelSpec *spec) {
        const char *strings[] = { spec->abi.kho, spec->abi.luo, spec->abi.memfd };
        Bytes b = {};

        append(&b, "\177ELF", 4);
        for (size_t i = 0; i < ELEMENTSOF(strings); i++) {
                append_noise(&b, spec->filler, (uint32_t)i + 1);
                append(&b, "", 1);
                if (*strings[i])
                        append(&b, strings[i], strlen(strings[i]) + 1);
        }
        append_noise(&b, spec->filler, 9);
        return b;
}

static int add_filter(struct archive *a, Compression c) {
        switch (c) {
        case COMPRESSION_GZIP:
                return archive_write_add_filter_gzip(a);
        case COMPRESSION_BZIP2:
                return archive_write_add_filter_bzip2(a);
        case COMPRESSION_LZMA:
                return archive_write_add_filter_lzma(a);
        case COMPRESSION_XZ:
                return archive_write_add_filter_xz(a);
        case COMPRESSION_ZSTD:
                return archive_write_add_filter_zstd(a);
        case COMPRESSION_LZO:
        case COMPRESSION_LZ4:
        case COMPRESSION_NONE:
        case _COMPRESSION_MAX:
                break;
        }
        abort();
}

static Bytes compress_with_library(const Bytes *plain, Compression c) {
        size_t room = plain->size * 2 + 65536, used = 0;
        Bytes b = { .data = must(malloc(room)) };
        struct archive *a = must(archive_write_new());
        struct archive_entry *e = must(archive_entry_new());

        if (add_filter(a, c) != ARCHIVE_OK || archive_write_set_format_raw(a) != ARCHIVE_OK ||
            archive_write_set_bytes_in_last_block(a, 1) != ARCHIVE_OK ||
            archive_write_open_memory(a, b.data, room, &used) != ARCHIVE_OK)
                abort();
        archive_entry_set_filetype(e, AE_IFREG);
        archive_entry_set_pathname(e, "vmlinux");
        if (archive_write_header(a, e) != ARCHIVE_OK ||
            archive_write_data(a, plain->data, plain->size) != (la_ssize_t)plain->size ||
            archive_write_close(a) != ARCHIVE_OK)
                abort();
        archive_entry_free(e);
        archive_write_free(a);
        b.size = used;
        return b;
}

/* The legacy frame that `lz4 -l` writes and the kernel reads; libarchive writes only the
 * newer one. One block of one sequence, all literals: token, length, bytes. */
static Bytes compress_lz4_legacy(const Bytes *plain) {
        Bytes b = {}, block = {};
        size_t rest = plain->size - 15;

        append(&block, "\xf0", 1);
        for (; rest >= 255; rest -= 255)
                append(&block, "\xff", 1);
        append_zeroes(&block, 1);
        put(&block, block.size - 1, rest, 1);
        append(&block, plain->data, plain->size);
        append_u32(&b, 0x184c2102);
        append_u32(&b, (uint32_t)block.size);
        append(&b, block.data, block.size);
        bytes_done(&block);
        return b;
}

Bytes bytes_compress(const Bytes *plain, Compression c) {
        return c == COMPRESSION_LZ4 ? compress_lz4_legacy(plain) : compress_with_library(plain, c);
}

static Bytes payload_build(const KernelSpec *spec) {
        _cleanup_bytes_ Bytes plain = vmlinux_build(spec);
        uint32_t size = (uint32_t)((int64_t)plain.size + spec->size_difference);
        Bytes b = {};

        if (spec->compression == COMPRESSION_NONE)
                append(&b, plain.data, plain.size);
        else if (spec->compression == COMPRESSION_LZO) {
                append(&b, "\x89LZO\0\r\n\x1a\n", 9);
                append(&b, plain.data, plain.size);
        } else
                b = bytes_compress(&plain, spec->compression);
        if (spec->compression == COMPRESSION_GZIP) /* its last four bytes are the size already */
                put(&b, b.size - 4, size, 4);
        else
                append_u32(&b, size);
        return b;
}

size_t bzimage_payload_offset(void) {
        return SETUP_SIZE + STUB_SIZE;
}

Bytes bzimage_build(const KernelSpec *spec) {
        _cleanup_bytes_ Bytes payload = payload_build(spec);
        char banner[256];
        Bytes b = {};

        append_zeroes(&b, SETUP_SIZE + STUB_SIZE);
        append(&b, payload.data, payload.size);
        append_zeroes(&b, (16 - b.size % 16) % 16);
        put(&b, 0x1f1, SETUP_SIZE / 512 - 1, 1);
        put(&b, 0x1f4, (b.size - SETUP_SIZE) / 16, 4);
        put(&b, 0x1fe, 0xaa55, 2);
        memcpy(b.data + 0x202, "HdrS", 4);
        put(&b, 0x206, spec->protocol, 2);
        put(&b, 0x20e, BANNER - 0x200, 2);
        put(&b, 0x211, 1, 1);
        put(&b, 0x230, spec->alignment, 4);
        put(&b, 0x234, spec->relocatable, 1);
        put(&b, 0x236, spec->xloadflags, 2);
        put(&b, 0x238, spec->cmdline_size, 4);
        put(&b, 0x248, STUB_SIZE, 4);
        put(&b, 0x24c, payload.size, 4);
        put(&b, 0x258, spec->preferred, 8);
        put(&b, 0x260, spec->memory_size, 4);
        (void)snprintf(banner, sizeof(banner), "%s (builder@host) %s", spec->release, spec->version);
        memcpy(b.data + BANNER, banner, strlen(banner) + 1);
        return b;
}

static void append_section(Bytes *b, size_t *n, const char *name, const void *data, size_t size) {
        size_t header = PE_TABLE + 40 * (*n)++, at;

        append_zeroes(b, (PE_ALIGNMENT - b->size % PE_ALIGNMENT) % PE_ALIGNMENT);
        at = b->size;
        append(b, data, size);
        append_zeroes(b, (PE_ALIGNMENT - b->size % PE_ALIGNMENT) % PE_ALIGNMENT);
        memcpy(b->data + header, name, strnlen(name, 8));
        put(b, header + 8, size, 4);
        put(b, header + 16, b->size - at, 4);
        put(b, header + 20, at, 4);
        put(b, PE_AT + 6, *n, 2);
}

Bytes uki_build(const Bytes *kernel, const Bytes *ucode, const Bytes *initrd, const char *cmdline) {
        Bytes b = {};
        size_t n = 0;

        append_zeroes(&b, 1024);
        memcpy(b.data, "MZ", 2);
        put(&b, 0x3c, PE_AT, 4);
        memcpy(b.data + PE_AT, "PE\0", 4);
        put(&b, PE_AT + 4, 0x8664, 2);
        append_section(&b, &n, ".text", "stub", 4);
        if (cmdline)
                append_section(&b, &n, ".cmdline", cmdline, strlen(cmdline));
        if (ucode)
                append_section(&b, &n, ".ucode", ucode->data, ucode->size);
        if (kernel)
                append_section(&b, &n, ".linux", kernel->data, kernel->size);
        if (initrd)
                append_section(&b, &n, ".initrd", initrd->data, initrd->size);
        return b;
}
