/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel image formats, read from a buffer with the start of a file: the x86 setup header
 * of a bzImage (Documentation/arch/x86/boot.rst) and the section table of a unified
 * kernel image (PE/COFF with a .linux section). Nothing is believed: all offsets that
 * come out lie within the file of the size given, or the image is refused.
 *
 * Also whether an image will find room in the KHO scratch areas, by the rules the kernel
 * places its parts with.
 */
#pragma once

#include "reason.h"

/* Enough for the largest setup (256 sectors of 512 bytes). */
enum { IMAGE_HEAD_SIZE = 257 * 512 };

typedef enum ImageKind { IMAGE_KIND_BZIMAGE, IMAGE_KIND_UKI } ImageKind;

typedef enum Compression {
        COMPRESSION_NONE, /* nothing that is known */
        COMPRESSION_GZIP,
        COMPRESSION_BZIP2,
        COMPRESSION_LZMA,
        COMPRESSION_XZ,
        COMPRESSION_LZO,
        COMPRESSION_LZ4,
        COMPRESSION_ZSTD,
        _COMPRESSION_MAX,
} Compression;

typedef struct BootHeader {
        uint16_t protocol;       /* 0x020f is 2.15 */
        uint64_t payload_offset; /* in the file */
        uint64_t payload_size;
        uint64_t memory_size; /* init_size */
        uint32_t alignment;   /* kernel_alignment */
        uint64_t preferred;   /* pref_address */
        uint32_t cmdline_size;
        char release[128]; /* "7.3.4", "" if the image does not say */
        char version[256]; /* as uname -v: "#1 SMP …" */
} BootHeader;

typedef struct ImageSection {
        uint64_t offset;
        uint64_t size; /* 0: not there */
} ImageSection;

typedef struct UkiSections {
        ImageSection linux_image; /* "linux" is a macro in GNU C */
        ImageSection initrd;
        ImageSection ucode;
        ImageSection cmdline;
} UkiSections;

const char *compression_to_string(Compression c);
Compression compression_detect(const void *data, size_t size);

/* head holds the first head_size bytes of the file: all of it or IMAGE_HEAD_SIZE. */
int image_kind(const void *head, size_t head_size, uint64_t file_size, ImageKind *ret, Refusal *refusal);
int boot_header_parse(const void *head, size_t head_size, uint64_t file_size, BootHeader *ret, Refusal *refusal);
int uki_parse(const void *head, size_t head_size, uint64_t file_size, UkiSections *ret, Refusal *refusal);

typedef struct ScratchArea {
        uint64_t address;
        uint64_t size;
} ScratchArea;

/* Whether kernel and initrd (size 0: none) find room in the areas. What is placed besides
 * them is counted with the least it can take: a refusal is certain, while the kernel may
 * still refuse, at load time, what passes here by a few pages. */
int image_fits_scratch(const BootHeader *header, uint64_t initrd_size, const ScratchArea *areas, size_t n_areas,
                       Refusal *refusal);
