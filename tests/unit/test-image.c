/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/bzimage.h"
#include "sys/image.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Opens the first size bytes as a kernel and looks for its strings. */
static int inspect(const Bytes *image, size_t size, KernelAbi *ret, Refusal *refusal) {
        _cleanup_close_ int fd = bytes_to_fd(image, size);
        KernelFile file = KERNEL_FILE_INIT;
        int r = kernel_file_open(fd, &file, refusal);

        if (r >= 0)
                r = kernel_file_abi(&file, ret, refusal);
        kernel_file_done(&file);
        return r;
}

static void assert_refused(const Bytes *image, size_t size, Reason reason, const char *detail) {
        Refusal why = {};
        KernelAbi abi;

        assert_int_equal(inspect(image, size, &abi, &why), reason_errno(reason));
        assert_int_equal(why.reason, reason);
        if (!strstr(why.detail, detail))
                fail_msg("'%s' does not contain '%s'", why.detail, detail);
}

static void assert_spec_refused(const KernelSpec *spec, Reason reason, const char *detail) {
        _cleanup_bytes_ Bytes image = bzimage_build(spec);

        assert_refused(&image, image.size, reason, detail);
}

static void test_compressors(void **state) {
        static const Compression good[] = { COMPRESSION_GZIP, COMPRESSION_BZIP2, COMPRESSION_LZMA,
                                            COMPRESSION_XZ,   COMPRESSION_LZ4,   COMPRESSION_ZSTD };
        static const size_t filler[] = { 0, 700, 300000 };

        for (size_t i = 0; i < ELEMENTSOF(good) * ELEMENTSOF(filler); i++) {
                KernelSpec spec = kernel_spec();
                KernelAbi abi;

                spec.compression = good[i / ELEMENTSOF(filler)];
                spec.filler = filler[i % ELEMENTSOF(filler)];
                _cleanup_bytes_ Bytes image = bzimage_build(&spec);
                assert_int_equal(inspect(&image, image.size, &abi, NULL), 0);
                assert_string_equal(abi.kho, "kho-v4");
                assert_string_equal(abi.luo, "luo-v5");
                assert_string_equal(abi.memfd, "memfd-v2");
        }
        KernelSpec lzo = kernel_spec(), none = kernel_spec();
        lzo.compression = COMPRESSION_LZO;
        assert_spec_refused(&lzo, REASON_IMAGE_UNSUPPORTED_COMPRESSION, "lzo");
        none.compression = COMPRESSION_NONE;
        assert_spec_refused(&none, REASON_IMAGE_UNSUPPORTED_COMPRESSION, "unknown");
}

static void test_header(void **state) {
        KernelSpec spec = kernel_spec();
        _cleanup_bytes_ Bytes image = bzimage_build(&spec);
        _cleanup_close_ int fd = bytes_to_fd(&image, image.size);
        KernelFile file = KERNEL_FILE_INIT;

        assert_int_equal(kernel_file_open(fd, &file, NULL), 0);
        assert_string_equal(file.header.release, spec.release);
        assert_string_equal(file.header.version, spec.version);
        assert_int_equal(file.header.memory_size, spec.memory_size);
        assert_int_equal(file.header.payload_offset, bzimage_payload_offset());
        assert_int_equal(file.size, image.size);
        assert_false(file.uki);
        assert_int_equal(file.initrd_fd, -1);
        assert_int_not_equal(file.kernel_fd, fd);
        kernel_file_done(&file);
}

static void test_not_loadable(void **state) {
        KernelSpec s = kernel_spec();
        s.protocol = 0x020b;
        assert_spec_refused(&s, REASON_IMAGE_NOT_A_KERNEL, "2.11");
        s = kernel_spec();
        s.xloadflags = 1;
        assert_spec_refused(&s, REASON_IMAGE_NOT_A_KERNEL, "64-bit");
        s.xloadflags = 2;
        assert_spec_refused(&s, REASON_IMAGE_NOT_A_KERNEL, "64-bit");
        s = kernel_spec();
        s.relocatable = false;
        assert_spec_refused(&s, REASON_IMAGE_NOT_A_KERNEL, "relocatable");
        s = kernel_spec();
        s.alignment = 3 << 20;
        assert_spec_refused(&s, REASON_IMAGE_NOT_A_KERNEL, "alignment");
        s = kernel_spec();
        s.memory_size = 0;
        assert_spec_refused(&s, REASON_IMAGE_NOT_A_KERNEL, "0 bytes");

        s = kernel_spec();
        _cleanup_bytes_ Bytes zimage = bzimage_build(&s);
        zimage.data[0x211] = 0;
        assert_refused(&zimage, zimage.size, REASON_IMAGE_NOT_A_KERNEL, "zImage");
        _cleanup_bytes_ Bytes empty = bzimage_build(&s);
        memset(empty.data + 0x24c, 0, 4);
        assert_refused(&empty, empty.size, REASON_IMAGE_NOT_A_KERNEL, "no payload");
}

static void test_not_a_kernel(void **state) {
        static const struct {
                const char *data;
                size_t size;
                const char *detail;
        } rows[] = {
                { "", 0, "empty" },
                { "#!/bin/sh\nexit 0\n", 17, "no x86 setup header" },
                { "\177ELF\2\1\1", 7, "ELF" },
                { "MZ\220\0", 4, "EFI program" },
                { "\x1f\x8b\x08\0\0\0\0\0", 8, "compressed" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_bytes_ Bytes b = bytes_of(rows[i].data, rows[i].size);

                assert_refused(&b, b.size, REASON_IMAGE_NOT_A_KERNEL, rows[i].detail);
        }
}

/* Each length of a small image, of each format: refused, and never for a wrong reason. */
static void test_truncation_sweep(void **state) {
        KernelSpec spec = kernel_spec();
        KernelAbi abi;

        spec.filler = 100;
        for (int c = COMPRESSION_GZIP; c < _COMPRESSION_MAX; c++) {
                if (c == COMPRESSION_LZO)
                        continue;
                spec.compression = (Compression)c;
                _cleanup_bytes_ Bytes image = bzimage_build(&spec);
                for (size_t n = 0; n < image.size; n++) {
                        Refusal why = {};

                        assert_true(inspect(&image, n, &abi, &why) < 0);
                        assert_int_equal(why.reason, n < 0x206 ? REASON_IMAGE_NOT_A_KERNEL : REASON_IMAGE_TRUNCATED);
                }
                assert_int_equal(inspect(&image, image.size, &abi, NULL), 0);
        }
}

static void test_uki_truncation_sweep(void **state) {
        KernelSpec spec = kernel_spec();
        KernelAbi abi;

        spec.filler = 100;
        _cleanup_bytes_ Bytes kernel = bzimage_build(&spec);
        _cleanup_bytes_ Bytes uki = uki_build(&kernel, NULL, NULL, "quiet");
        for (size_t n = 0; n < uki.size; n++) {
                Refusal why = {};
                int r = inspect(&uki, n, &abi, &why);

                /* Only the padding of the last section may be missing. */
                assert_true(r < 0 || n >= uki.size - 512);
                if (r < 0)
                        assert_true(why.reason == REASON_IMAGE_TRUNCATED || why.reason == REASON_IMAGE_NOT_A_KERNEL);
                if (r < 0 && n >= 0x200)
                        assert_int_equal(why.reason, REASON_IMAGE_TRUNCATED);
        }
        assert_int_equal(inspect(&uki, uki.size, &abi, NULL), 0);
}

/* The compressed data is damaged, or ends early although the file does not. */
static void test_damaged_payload(void **state) {
        for (int c = COMPRESSION_GZIP; c < _COMPRESSION_MAX; c++) {
                KernelSpec spec = kernel_spec();
                KernelAbi abi;

                if (c == COMPRESSION_LZO)
                        continue;
                spec.compression = (Compression)c;
                _cleanup_bytes_ Bytes image = bzimage_build(&spec);
                size_t from = image.size / 2;
                memset(image.data + from, 0, image.size - from - 32);
                Refusal why = {};
                int r = inspect(&image, image.size, &abi, &why);
                /* What is stored without a checksum may decompress to something else. */
                if (r < 0)
                        assert_int_equal(why.reason, REASON_IMAGE_TRUNCATED);
                else
                        assert_string_equal(abi.memfd, "");

                spec.size_difference = 1;
                assert_spec_refused(&spec, REASON_IMAGE_TRUNCATED, "it should have");
                spec.size_difference = -1;
                assert_spec_refused(&spec, REASON_IMAGE_TRUNCATED, "it should have");
                spec.size_difference = INT64_C(0x40000001);
                assert_spec_refused(&spec, REASON_IMAGE_TRUNCATED, "cannot be");
        }
}

static void test_uki(void **state) {
        KernelSpec spec = kernel_spec();
        _cleanup_bytes_ Bytes kernel = bzimage_build(&spec);
        _cleanup_bytes_ Bytes ucode = bytes_of("UCODE", 5), initrd = bytes_of("INITRD", 6);
        _cleanup_bytes_ Bytes uki = uki_build(&kernel, &ucode, &initrd, "root=/dev/vda1\nquiet \n");
        _cleanup_close_ int fd = bytes_to_fd(&uki, uki.size);
        KernelFile file = KERNEL_FILE_INIT;
        char text[32] = "", *copy = malloc(kernel.size);
        KernelAbi abi;

        assert_int_equal(kernel_file_open(fd, &file, NULL), 0);
        assert_true(file.uki);
        assert_int_equal(file.size, kernel.size);
        assert_string_equal(file.header.release, "7.3.4");
        assert_string_equal(file.cmdline, "root=/dev/vda1 quiet");
        assert_int_equal(pread(file.initrd_fd, text, sizeof(text), 0), 14);
        assert_memory_equal(text, "UCODE\0\0\0INITRD", 14);
        assert_int_equal(pread(file.kernel_fd, copy, kernel.size, 0), kernel.size);
        assert_memory_equal(copy, kernel.data, kernel.size);
        assert_int_equal(kernel_file_abi(&file, &abi, NULL), 0);
        assert_string_equal(abi.luo, "luo-v5");
        kernel_file_done(&file);
        free(copy);

        assert_int_equal(kernel_file_open_kernel(fd, &file, NULL), 0);
        assert_int_equal(file.initrd_fd, -1);
        kernel_file_done(&file);
}

static void test_uki_refused(void **state) {
        KernelSpec spec = kernel_spec();
        _cleanup_bytes_ Bytes kernel = bzimage_build(&spec), junk = bytes_of("not a kernel", 12);
        _cleanup_bytes_ Bytes none = uki_build(NULL, NULL, &junk, "quiet");
        _cleanup_bytes_ Bytes bad = uki_build(&junk, NULL, NULL, NULL);
        _cleanup_bytes_ Bytes arm = uki_build(&kernel, NULL, NULL, NULL);

        assert_refused(&none, none.size, REASON_IMAGE_NOT_A_KERNEL, ".linux section");
        assert_refused(&bad, bad.size, REASON_IMAGE_NOT_A_KERNEL, "no x86 setup header");
        arm.data[0x84] = 0x64; /* IMAGE_FILE_MACHINE_ARM64 is 0xaa64 */
        arm.data[0x85] = (char)0xaa;
        assert_refused(&arm, arm.size, REASON_IMAGE_NOT_A_KERNEL, "x86-64");
}

static void test_descriptors(void **state) {
        _cleanup_close_ int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), null = open("/dev/null", O_RDONLY);
        _cleanup_close_ int path = open("/dev/null", O_PATH | O_CLOEXEC);
        KernelSpec spec = kernel_spec();
        _cleanup_bytes_ Bytes image = bzimage_build(&spec);
        _cleanup_close_ int good = bytes_to_fd(&image, image.size);
        char link[64];
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", good);
        _cleanup_close_ int writer = open(link, O_WRONLY | O_CLOEXEC);
        const int fds[] = { dir, null, path, writer, -1 };

        for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
                KernelFile file = KERNEL_FILE_INIT;
                Refusal why = {};

                assert_int_equal(kernel_file_open(fds[i], &file, &why), reason_errno(REASON_INVALID_ARGUMENT));
                assert_int_equal(why.reason, REASON_INVALID_ARGUMENT);
                assert_true(*why.detail);
        }
}

/* Every byte of the header and of the section table in turn is made the largest. */
static void test_hostile_headers(void **state) {
        KernelSpec spec = kernel_spec();
        KernelAbi abi;

        spec.filler = 10;
        _cleanup_bytes_ Bytes kernel = bzimage_build(&spec);
        _cleanup_bytes_ Bytes uki = uki_build(&kernel, NULL, &kernel, "quiet");
        const Bytes *images[] = { &kernel, &uki };
        for (size_t i = 0; i < ELEMENTSOF(images); i++)
                for (size_t at = 0; at < 0x300; at++) {
                        char was = images[i]->data[at];
                        Refusal why = {};

                        images[i]->data[at] = (char)0xff;
                        if (inspect(images[i], images[i]->size, &abi, &why) < 0)
                                assert_int_not_equal(why.reason, REASON_NONE);
                        images[i]->data[at] = was;
                }
        assert_int_equal(inspect(&uki, uki.size, &abi, NULL), 0);
}

static void test_scratch(void **state) {
        const uint64_t M = 1 << 20, G = 1 << 30;
        const BootHeader h = { .memory_size = 32 * M, .alignment = 2 * M, .preferred = 16 * M };
        const struct {
                uint64_t initrd;
                ScratchArea areas[3];
                size_t n;
                bool fits;
        } rows[] = {
                { 0, { { 4 * G, 64 * M } }, 1, true },
                { 0, { { 4 * G, 32 * M } }, 1, false }, /* the small parts are in the way at the top */
                { 0, { { 4 * G, 36 * M } }, 1, true },
                { 0, { { 4 * G + M, 34 * M } }, 1, true },  /* aligned: 2..34 of 1..35 */
                { 0, { { 4 * G + M, 33 * M } }, 1, false }, /* 2..34 is in use at the top, 0 is outside */
                { 30 * M, { { 4 * G, 64 * M } }, 1, true },
                { 31 * M, { { 4 * G, 64 * M } }, 1, false },
                { 31 * M, { { 4 * G, 64 * M }, { 8 * G, 32 * M } }, 2, true },
                { 1, { { 4 * G, 20 * M }, { 8 * G, 20 * M } }, 2, false }, /* enough, but in two pieces */
                { 0, { { 0, 48 * M } }, 1, false },                        /* 16..48 would do, but for the top */
                { 0, { { 0, 50 * M } }, 1, true },                         /* not below pref_address */
                { M, { { 0, 50 * M } }, 1, true },
                { 3 * M, { { 0, 50 * M }, { 4 * G, M } }, 2, false },
                { 64 * M, { { UINT64_MAX - 4096, 8192 }, { 4 * G, 128 * M } }, 2, true },
                { 0, { { 4 * G, 0 } }, 1, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Refusal why = {};
                int r = image_fits_scratch(&h, rows[i].initrd, rows[i].areas, rows[i].n, &why);

                if ((r >= 0) != rows[i].fits)
                        fail_msg("row %zu: %d %s", i, r, why.detail);
                if (r < 0) {
                        assert_int_equal(why.reason, REASON_SCRATCH_TOO_SMALL);
                        assert_non_null(strstr(why.detail, "32 MiB"));
                }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_compressors),      cmocka_unit_test(test_header),
                cmocka_unit_test(test_not_loadable),     cmocka_unit_test(test_not_a_kernel),
                cmocka_unit_test(test_truncation_sweep), cmocka_unit_test(test_uki_truncation_sweep),
                cmocka_unit_test(test_damaged_payload),  cmocka_unit_test(test_uki),
                cmocka_unit_test(test_uki_refused),      cmocka_unit_test(test_descriptors),
                cmocka_unit_test(test_hostile_headers),  cmocka_unit_test(test_scratch),
        };

        return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
