/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parsers of untrusted bytes. They only touch the buffer through byte_at(), u16_at(),
 * u32_at() and u64_at() after its size was checked against the part they are in.
 */
#include "image.h"

#include <endian.h>

/* Offsets in a bzImage: Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header". */
enum {
        SECTOR = 512,
        HDR_SETUP_SECTS = 0x1f1,
        HDR_SYSSIZE = 0x1f4,
        HDR_BOOT_FLAG = 0x1fe,
        HDR_MAGIC = 0x202,
        HDR_PROTOCOL = 0x206,
        HDR_KERNEL_VERSION = 0x20e,
        HDR_LOADFLAGS = 0x211,
        HDR_KERNEL_ALIGNMENT = 0x230,
        HDR_RELOCATABLE = 0x234,
        HDR_XLOADFLAGS = 0x236,
        HDR_CMDLINE_SIZE = 0x238,
        HDR_PAYLOAD_OFFSET = 0x248,
        HDR_PAYLOAD_LENGTH = 0x24c,
        HDR_PREF_ADDRESS = 0x258,
        HDR_INIT_SIZE = 0x260,
        HDR_END = 0x264,
        LOADED_HIGH = 1 << 0,
        XLF_KERNEL_64 = 1 << 0,
        XLF_CAN_BE_LOADED_ABOVE_4G = 1 << 1,
        PROTOCOL_KEXEC = 0x020c, /* the oldest bzImage64_probe() takes */
};

/* Offsets in a PE file: Microsoft's "PE Format", "COFF File Header" and "Section Table". */
enum {
        DOS_LFANEW = 0x3c,
        PE_MACHINE = 4,
        PE_N_SECTIONS = 6,
        PE_OPTIONAL_SIZE = 20,
        PE_HEADER_SIZE = 24,
        SECTION_SIZE = 40,
        SECTION_VIRTUAL_SIZE = 8,
        SECTION_RAW_SIZE = 16,
        SECTION_RAW_OFFSET = 20,
        MACHINE_AMD64 = 0x8664,
};

static const char *const compression_names[_COMPRESSION_MAX] = {
        [COMPRESSION_NONE] = "unknown", [COMPRESSION_GZIP] = "gzip", [COMPRESSION_BZIP2] = "bzip2",
        [COMPRESSION_LZMA] = "lzma",    [COMPRESSION_XZ] = "xz",     [COMPRESSION_LZO] = "lzo",
        [COMPRESSION_LZ4] = "lz4",      [COMPRESSION_ZSTD] = "zstd",
};

/* lib/decompress.c; for lz4 the legacy frame, which lz4 -l writes. */
static const struct {
        unsigned char size, bytes[6];
} compression_magic[_COMPRESSION_MAX] = {
        [COMPRESSION_GZIP] = { 2, { 0x1f, 0x8b } },
        [COMPRESSION_BZIP2] = { 3, { 'B', 'Z', 'h' } },
        [COMPRESSION_LZMA] = { 3, { 0x5d, 0x00, 0x00 } },
        [COMPRESSION_XZ] = { 6, { 0xfd, '7', 'z', 'X', 'Z', 0x00 } },
        [COMPRESSION_LZO] = { 4, { 0x89, 'L', 'Z', 'O' } },
        [COMPRESSION_LZ4] = { 4, { 0x02, 0x21, 0x4c, 0x18 } },
        [COMPRESSION_ZSTD] = { 4, { 0x28, 0xb5, 0x2f, 0xfd } },
};

static uint8_t byte_at(const void *p, size_t offset) {
        return ((const uint8_t *)p)[offset];
}

static uint16_t u16_at(const void *p, size_t offset) {
        uint16_t v;

        memcpy(&v, (const char *)p + offset, sizeof(v));
        return le16toh(v);
}

static uint32_t u32_at(const void *p, size_t offset) {
        uint32_t v;

        memcpy(&v, (const char *)p + offset, sizeof(v));
        return le32toh(v);
}

static uint64_t u64_at(const void *p, size_t offset) {
        uint64_t v;

        memcpy(&v, (const char *)p + offset, sizeof(v));
        return le64toh(v);
}

const char *compression_to_string(Compression c) {
        return (size_t)c < ELEMENTSOF(compression_names) ? compression_names[c] : NULL;
}

Compression compression_detect(const void *data, size_t size) {
        for (int c = COMPRESSION_GZIP; c < _COMPRESSION_MAX; c++)
                if (size >= compression_magic[c].size &&
                    memcmp(data, compression_magic[c].bytes, compression_magic[c].size) == 0)
                        return (Compression)c;
        return COMPRESSION_NONE;
}

static bool has_setup_header(const void *head, size_t size) {
        return size >= HDR_PROTOCOL && u16_at(head, HDR_BOOT_FLAG) == 0xaa55 &&
               memcmp((const char *)head + HDR_MAGIC, "HdrS", 4) == 0;
}

static bool has_prefix(const void *head, size_t size, const char *magic, size_t n) {
        return size >= n && memcmp(head, magic, n) == 0;
}

static const char *what_is_it(const void *head, size_t size) {
        if (size == 0)
                return "the file is empty";
        if (has_prefix(head, size, "\177ELF", 4))
                return "it is an ELF file, such as vmlinux; the bzImage made of it is needed";
        if (has_prefix(head, size, "MZ", 2))
                return "it is an EFI program with neither a setup header nor a .linux section for x86-64";
        if (compression_detect(head, size) != COMPRESSION_NONE)
                return "it is a compressed file, not an image with a setup header";
        return "it has no x86 setup header";
}

int image_kind(const void *head, size_t head_size, uint64_t file_size, ImageKind *ret, Refusal *refusal) {
        UkiSections sections;
        Refusal why = {};

        /* First, because the kernel's own loader looks for nothing else; and a bzImage with
         * an EFI stub is a PE file as well. */
        if (has_setup_header(head, head_size)) {
                *ret = IMAGE_KIND_BZIMAGE;
                return 0;
        }
        if (uki_parse(head, head_size, file_size, &sections, &why) >= 0) {
                *ret = IMAGE_KIND_UKI;
                return 0;
        }
        if (why.reason == REASON_IMAGE_TRUNCATED)
                return refuse(refusal, why.reason, why.subject, "%s", why.detail);
        return refuse(refusal, REASON_IMAGE_NOT_A_KERNEL, "kernel", "%s", what_is_it(head, head_size));
}

/* What the kernel's bzImage64_probe() and load ask for (arch/x86/kernel/kexec-bzimage64.c). */
static int check_loadable(const void *head, Refusal *refusal) {
        uint16_t protocol = u16_at(head, HDR_PROTOCOL), xloadflags = u16_at(head, HDR_XLOADFLAGS);

        if (protocol < PROTOCOL_KEXEC)
                return refuse(refusal, REASON_IMAGE_NOT_A_KERNEL, "kernel",
                              "its boot protocol is %u.%02u, kexec needs 2.12", protocol >> 8, protocol & 0xff);
        if (!(byte_at(head, HDR_LOADFLAGS) & LOADED_HIGH))
                return refuse(refusal, REASON_IMAGE_NOT_A_KERNEL, "kernel", "it is a zImage, not a bzImage");
        if (!(xloadflags & XLF_KERNEL_64) || !(xloadflags & XLF_CAN_BE_LOADED_ABOVE_4G))
                return refuse(refusal, REASON_IMAGE_NOT_A_KERNEL, "kernel",
                              "it is not a 64-bit kernel that can be loaded above 4 GiB");
        if (!byte_at(head, HDR_RELOCATABLE))
                return refuse(refusal, REASON_IMAGE_NOT_A_KERNEL, "kernel",
                              "it is not relocatable (CONFIG_RELOCATABLE), so it cannot start in the scratch area");
        return 0;
}

/* "RELEASE (BUILDER@HOST) VERSION", arch/x86/boot/version.c; within the setup. */
static void parse_banner(const char *head, size_t setup_size, BootHeader *ret) {
        size_t at = u16_at(head, HDR_KERNEL_VERSION), n;
        const char *banner, *p;

        if (at == 0 || at + 0x200 >= setup_size)
                return;
        banner = head + at + 0x200;
        n = strnlen(banner, setup_size - at - 0x200);
        p = memchr(banner, ' ', n);
        if (n == setup_size - at - 0x200 || !p || (size_t)(p - banner) >= sizeof(ret->release))
                return;
        for (const char *c = banner; c < banner + n; c++)
                if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
                        return;
        memcpy(ret->release, banner, (size_t)(p - banner));
        p = memmem(p, n - (size_t)(p - banner), ") ", 2);
        if (p)
                (void)snprintf(ret->version, sizeof(ret->version), "%.*s", (int)(banner + n - p - 2), p + 2);
}

int boot_header_parse(const void *head, size_t head_size, uint64_t file_size, BootHeader *ret, Refusal *refusal) {
        uint64_t setup_size, image_size;
        BootHeader h = {};
        int r;

        if (!has_setup_header(head, head_size))
                return refuse(refusal, REASON_IMAGE_NOT_A_KERNEL, "kernel", "%s", what_is_it(head, head_size));
        if (head_size < HDR_END)
                return refuse(refusal, REASON_IMAGE_TRUNCATED, "kernel", "%zu bytes are not even a setup header",
                              head_size);
        r = check_loadable(head, refusal);
        if (r < 0)
                return r;
        setup_size = ((uint64_t)(byte_at(head, HDR_SETUP_SECTS) ?: 4) + 1) * SECTOR;
        image_size = setup_size + (uint64_t)u32_at(head, HDR_SYSSIZE) * 16;
        if (file_size < image_size || head_size < setup_size)
                return refuse(refusal, REASON_IMAGE_TRUNCATED, "kernel",
                              "the file has %llu bytes, by its header the image has %llu",
                              (unsigned long long)file_size, (unsigned long long)image_size);
        h.protocol = u16_at(head, HDR_PROTOCOL);
        h.payload_offset = setup_size + u32_at(head, HDR_PAYLOAD_OFFSET);
        h.payload_size = u32_at(head, HDR_PAYLOAD_LENGTH);
        h.memory_size = u32_at(head, HDR_INIT_SIZE);
        h.alignment = u32_at(head, HDR_KERNEL_ALIGNMENT);
        h.preferred = u64_at(head, HDR_PREF_ADDRESS);
        h.cmdline_size = u32_at(head, HDR_CMDLINE_SIZE);
        if (h.payload_size < 16)
                return refuse(refusal, REASON_IMAGE_NOT_A_KERNEL, "kernel", "its setup header names no payload");
        if (h.payload_offset + h.payload_size > file_size)
                return refuse(refusal, REASON_IMAGE_TRUNCATED, "kernel",
                              "the payload ends at byte %llu, the file at %llu",
                              (unsigned long long)(h.payload_offset + h.payload_size), (unsigned long long)file_size);
        if (h.alignment == 0 || (h.alignment & (h.alignment - 1)) || h.memory_size == 0)
                return refuse(refusal, REASON_IMAGE_NOT_A_KERNEL, "kernel",
                              "its setup header asks for %llu bytes at an alignment of %u",
                              (unsigned long long)h.memory_size, h.alignment);
        parse_banner(head, (size_t)setup_size, &h);
        *ret = h;
        return 0;
}

static ImageSection *section_slot(UkiSections *s, const char name[8]) {
        if (memcmp(name, ".linux\0\0", 8) == 0)
                return &s->linux_image;
        if (memcmp(name, ".initrd\0", 8) == 0)
                return &s->initrd;
        if (memcmp(name, ".ucode\0\0", 8) == 0)
                return &s->ucode;
        if (memcmp(name, ".cmdline", 8) == 0)
                return &s->cmdline;
        return NULL;
}

/* The raw size is padded to the file alignment, the virtual size is the content's own,
 * and may be larger only for zeroes that are not in the file. The first section of a
 * name counts: with several profiles, the base's or the first profile's. */
static int take_section(const char *s, uint64_t file_size, UkiSections *sections, Refusal *refusal) {
        ImageSection *slot = section_slot(sections, s);
        uint64_t offset, size;

        if (!slot || slot->size > 0)
                return 0;
        offset = u32_at(s, SECTION_RAW_OFFSET);
        size = MIN_OF(u32_at(s, SECTION_VIRTUAL_SIZE), u32_at(s, SECTION_RAW_SIZE));
        if (offset + size > file_size)
                return refuse(refusal, REASON_IMAGE_TRUNCATED, "kernel",
                              "section %.8s ends at byte %llu, the file at %llu", s,
                              (unsigned long long)(offset + size), (unsigned long long)file_size);
        *slot = (ImageSection){ .offset = offset, .size = size };
        return 0;
}

int uki_parse(const void *head, size_t head_size, uint64_t file_size, UkiSections *ret, Refusal *refusal) {
        UkiSections sections = {};
        size_t pe, table;
        uint16_t n;

        if (head_size < DOS_LFANEW + 4 || memcmp(head, "MZ", 2) != 0)
                return refuse(refusal, REASON_IMAGE_NOT_A_KERNEL, "kernel", "%s", what_is_it(head, head_size));
        pe = u32_at(head, DOS_LFANEW);
        if (pe > head_size || head_size - pe < PE_HEADER_SIZE || memcmp((const char *)head + pe, "PE\0", 4) != 0 ||
            u16_at(head, pe + PE_MACHINE) != MACHINE_AMD64)
                return refuse(refusal, REASON_IMAGE_NOT_A_KERNEL, "kernel", "%s", what_is_it(head, head_size));
        n = u16_at(head, pe + PE_N_SECTIONS);
        table = pe + PE_HEADER_SIZE + u16_at(head, pe + PE_OPTIONAL_SIZE);
        if (table > head_size || head_size - table < (size_t)n * SECTION_SIZE)
                return refuse(refusal, head_size == file_size ? REASON_IMAGE_TRUNCATED : REASON_IMAGE_NOT_A_KERNEL,
                              "kernel", "its table of %u sections is not where it should be", n);
        for (size_t i = 0; i < n; i++) {
                int r = take_section((const char *)head + table + i * SECTION_SIZE, file_size, &sections, refusal);

                if (r < 0)
                        return r;
        }
        if (sections.linux_image.size == 0)
                return refuse(refusal, REASON_IMAGE_NOT_A_KERNEL, "kernel", "%s", what_is_it(head, head_size));
        *ret = sections;
        return 0;
}

/* What kexec places, in its order: KHO's own descriptor (kho_fill_kimage(), kernel/
 * liveupdate/kexec_handover.c), then purgatory, boot parameters, kernel and initrd
 * (bzImage64_load()). The first three are small; the least they take is counted. */
enum { PART_SCRATCH_TABLE, PART_PURGATORY, PART_BOOT_PARAMS, PART_KERNEL, PART_INITRD, _PART_MAX };

#define PAGE UINT64_C(4096)
#define PAGE_UP(x) (((x) + PAGE - 1) & ~(PAGE - 1))

typedef struct Part {
        uint64_t size, alignment, minimum;
        uint64_t address; /* where it was placed */
} Part;

static const Part *part_in_the_way(const Part *parts, size_t n_placed, uint64_t start, uint64_t size) {
        for (size_t i = 0; i < n_placed; i++)
                if (start < parts[i].address + parts[i].size && parts[i].address < start + size)
                        return &parts[i];
        return NULL;
}

/* locate_mem_hole_top_down(), kernel/kexec_file.c: the highest aligned place in the area. */
static bool place_in_area(Part *parts, size_t i, const ScratchArea *area) {
        Part *p = &parts[i];
        uint64_t start = area->address + area->size;

        for (;;) {
                const Part *other;

                if (start < p->size)
                        return false;
                start = (start - p->size) & ~(p->alignment - 1);
                if (start < area->address || start < p->minimum)
                        return false;
                other = part_in_the_way(parts, i, start, p->size);
                if (!other) {
                        p->address = start;
                        return true;
                }
                start = other->address;
        }
}

static bool place(Part *parts, size_t i, const ScratchArea *areas, size_t n_areas) {
        for (size_t a = 0; a < n_areas; a++)
                if (areas[a].size >= parts[i].size && areas[a].address <= UINT64_MAX - areas[a].size &&
                    place_in_area(parts, i, &areas[a]))
                        return true;
        return false;
}

static void format_areas(const ScratchArea *areas, size_t n_areas, char *buf, size_t size) {
        size_t at = 0;

        buf[0] = '\0';
        for (size_t i = 0; i < n_areas && at < size; i++)
                at += (size_t)snprintf(buf + at, size - at, "%s%llu", i > 0 ? ", " : "",
                                       (unsigned long long)(areas[i].size >> 20));
}

int image_fits_scratch(const BootHeader *header, uint64_t initrd_size, const ScratchArea *areas, size_t n_areas,
                       Refusal *refusal) {
        Part parts[_PART_MAX] = {
                [PART_SCRATCH_TABLE] = { .size = PAGE, .alignment = 64 * 1024 },
                [PART_PURGATORY] = { .size = 3 * PAGE, .alignment = PAGE, .minimum = 0x3000 },
                [PART_BOOT_PARAMS] = { .size = 2 * PAGE, .alignment = PAGE, .minimum = 0x3000 },
                [PART_KERNEL] = { .size = PAGE_UP(header->memory_size),
                                  .alignment = MAX_OF(header->alignment, PAGE),
                                  .minimum = MAX_OF(header->preferred, UINT64_C(0x100000)) },
                [PART_INITRD] = { .size = PAGE_UP(initrd_size), .alignment = PAGE, .minimum = 0x1000000 },
        };
        char sizes[96];

        for (size_t i = 0; i < (initrd_size > 0 ? _PART_MAX : PART_INITRD); i++) {
                if (place(parts, i, areas, n_areas))
                        continue;
                format_areas(areas, n_areas, sizes, sizeof(sizes));
                return refuse(refusal, REASON_SCRATCH_TOO_SMALL, i == PART_INITRD ? "initrd" : "kernel",
                              "the kernel needs %llu MiB in one piece, the initrd %llu MiB; the areas have %s MiB",
                              (unsigned long long)((parts[PART_KERNEL].size + 0xfffff) >> 20),
                              (unsigned long long)((parts[PART_INITRD].size + 0xfffff) >> 20), sizes);
        }
        return 0;
}
