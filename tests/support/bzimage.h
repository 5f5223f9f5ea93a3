/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes kernel images for tests: small bzImages and UKIs that have all that inspection
 * looks at and nothing to boot. Start from a good kernel_spec(), change the one thing the
 * test is about, build.
 */
#pragma once

#include "core/abi.h"
#include "core/image.h"

typedef struct Bytes {
        char *data;
        size_t size;
} Bytes;

typedef struct KernelSpec {
        const char *release, *version;
        KernelAbi abi; /* "" leaves the string out */
        Compression compression;
        uint32_t memory_size;
        uint32_t alignment;
        uint64_t preferred;
        uint32_t cmdline_size;
        uint16_t protocol;
        uint16_t xloadflags;
        bool relocatable;
        size_t filler;           /* bytes of noise around the strings */
        int64_t size_difference; /* added to the decompressed size that the image states */
} KernelSpec;

/* A kernel that passes: 7.3.4, kho-v4, luo-v5, memfd-v2, gzip, 16 MiB. */
KernelSpec kernel_spec(void);
Bytes bzimage_build(const KernelSpec *spec);
/* Where the payload starts in an image from bzimage_build(). */
size_t bzimage_payload_offset(void);

/* Parts may be NULL or empty; the sections of those are left out. */
Bytes uki_build(const Bytes *kernel, const Bytes *ucode, const Bytes *initrd, const char *cmdline);

Bytes bytes_of(const void *data, size_t size);
void bytes_done(Bytes *b);
#define _cleanup_bytes_ _cleanup_(bytes_done)

/* As a compressor for the kernel's build would: anything but lzo. At least 16 bytes. */
Bytes bytes_compress(const Bytes *plain, Compression c);

/* A memfd with the first size bytes. */
int bytes_to_fd(const Bytes *b, size_t size);
