/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Initrds made here, and what is found in them; and the judgement. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/fd.h"
#include "support/bzimage.h"
#include "sys/initrd.h"

#define RELEASE "7.3.4-b"
#define MODULES "usr/lib/modules/" RELEASE "/"
static const Compression compressions[] = { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_BZIP2, COMPRESSION_LZMA,
                                            COMPRESSION_XZ,   COMPRESSION_LZ4,  COMPRESSION_ZSTD };

/* ---- archives ---- */

static void append(Bytes *b, const void *data, size_t size) {
        b->data = realloc(b->data, b->size + size + 1);
        assert_non_null(b->data);
        if (size > 0)
                memcpy(b->data + b->size, data, size);
        b->size += size;
}

static void append_bytes(Bytes *to, const Bytes *from) {
        append(to, from->data, from->size);
}

static void pad(Bytes *b, size_t to) {
        while (b->size % to != 0)
                append(b, "", 1);
}

static void add_file(Bytes *b, unsigned mode, const char *name, const void *data, size_t size) {
        char header[NEWC_HEAD_SIZE + 1];
        int n = snprintf(header, sizeof(header), "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x", 1u,
                         mode, 0u, 0u, 1u, 0u, size, 0u, 0u, 0u, 0u, strlen(name) + 1, 0u);

        assert_int_equal(n, NEWC_HEAD_SIZE);
        append(b, header, (size_t)n);
        append(b, name, strlen(name) + 1);
        pad(b, 4);
        append(b, data, size);
        pad(b, 4);
}

static void add(Bytes *b, const char *name) {
        add_file(b, 0100644, name, "contents", 8);
}

static void end(Bytes *b) {
        add_file(b, 0, "TRAILER!!!", "", 0);
}

/* An archive of these files, padded as cpio(1) does. */
#define archive(...) archive_of((const char *const[]){ __VA_ARGS__, NULL })
static Bytes archive_of(const char *const *names) {
        Bytes b = {};

        add_file(&b, 040755, "usr", "", 0);
        for (size_t i = 0; names[i]; i++)
                add(&b, names[i]);
        end(&b);
        pad(&b, 512);
        return b;
}

static Bytes compressed(const Bytes *b, Compression c) {
        if (c != COMPRESSION_NONE)
                return bytes_compress(b, c);
        Bytes copy = {};
        append_bytes(&copy, b);
        return copy;
}

/* ---- looking ---- */

static NextBoot wanted(void) {
        NextBoot b = {};

        assert_int_equal(next_boot_add(&b, SHIM_MODULE), 0);
        assert_int_equal(next_boot_add(&b, "other-handler"), 0);
        return b;
}

static int look_at(const Bytes *initrd, size_t size, const char *release, NextBoot *ret, Refusal *why) {
        _cleanup_close_ int fd = bytes_to_fd(initrd, size);

        *ret = wanted();
        return initrd_look(fd, size, release, ret, why);
}

static NextBoot look(const Bytes *initrd) {
        Refusal why = {};
        NextBoot b;

        if (look_at(initrd, initrd->size, RELEASE, &b, &why) < 0)
                fail_msg("refused: %s", why.detail);
        return b;
}

static void test_names(void **state) {
        static const struct {
                const char *name;
                bool shim, other;
        } cases[] = {
                { MODULES "updates/liveupdate_vfio.ko", true, false },
                { "lib/modules/" RELEASE "/extra/liveupdate-vfio.ko.xz", true, false },
                { "./" MODULES "other_handler.ko.zst", false, true },
                { "/" MODULES "a/b/c/other-handler.ko.gz", false, true },
                { MODULES "liveupdate_vfio.ko.txt", false, false },
                { MODULES "liveupdate_vfio", false, false },
                { MODULES "xliveupdate_vfio.ko", false, false },
                { MODULES "liveupdate_vfio2.ko", false, false },
                { "usr/lib/modules/7.3.4-bb/liveupdate_vfio.ko", false, false },
                { "usr/lib/modules/liveupdate_vfio.ko", false, false },
                { "srv/lib/modules/" RELEASE "/liveupdate_vfio.ko", false, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_bytes_ Bytes a = archive(cases[i].name);
                NextBoot b = look(&a);
                assert_true(b.has_initrd);
                assert_false(b.restore);
                assert_string_equal(b.unread, "");
                if (b.modules[0].in_initrd != cases[i].shim || b.modules[1].in_initrd != cases[i].other)
                        fail_msg("%s", cases[i].name);
        }
}

static void test_other_release(void **state) {
        _cleanup_bytes_ Bytes a = archive("lib/modules/6.1/liveupdate_vfio.ko");
        Refusal why = {};
        NextBoot b;

        assert_int_equal(look_at(&a, a.size, "", &b, &why), 0);
        assert_true(b.modules[0].in_initrd);
        assert_false(look(&a).modules[0].in_initrd);
}

static void test_systemd(void **state) {
        _cleanup_bytes_ Bytes a = archive("usr/lib/systemd/systemd", "usr/lib/systemd/libsystemd-shared-262.so"),
                              d = archive("lib/systemd/systemd",
                                          "usr/lib64/systemd/libsystemd-shared-258.1-1.fc43.so"),
                              n = archive("usr/lib/systemd/systemd-udevd", "usr/libexec/liveupdate-restore");
        NextBoot b = look(&a);

        assert_true(b.initrd.systemd);
        assert_int_equal(b.initrd.version, 262);
        b = look(&d);
        assert_true(b.initrd.systemd);
        assert_int_equal(b.initrd.version, 258);
        b = look(&n);
        assert_false(b.initrd.systemd);
        assert_true(b.restore);
}

/* Any two, one after the other, with and without zeros between: both are found. */
static void test_concatenated(void **state) {
        static const size_t gaps[] = { 4, 512 };
        _cleanup_bytes_ Bytes one = archive(MODULES "liveupdate_vfio.ko"), two = archive(MODULES "other_handler.ko");

        for (size_t i = 0; i < ELEMENTSOF(compressions); i++)
                for (size_t k = 0; k < ELEMENTSOF(compressions); k++)
                        for (size_t g = 0; g < ELEMENTSOF(gaps); g++) {
                                _cleanup_bytes_ Bytes first = compressed(&one, compressions[i]),
                                                      second = compressed(&two, compressions[k]);
                                if (compressions[i] == COMPRESSION_LZ4) /* what follows could be a block's size */
                                        append(&first, "\0\0\0", 4);
                                pad(&first, gaps[g]);
                                append_bytes(&first, &second);
                                pad(&first, 4);
                                NextBoot b = look(&first);
                                if (*b.unread || !b.modules[0].in_initrd || !b.modules[1].in_initrd)
                                        fail_msg("%s, then %s after a multiple of %zu: %s %d %d",
                                                 compression_to_string(compressions[i]),
                                                 compression_to_string(compressions[k]), gaps[g], b.unread,
                                                 b.modules[0].in_initrd, b.modules[1].in_initrd);
                        }
}

static char *noise_new(size_t size, unsigned shift) {
        char *noise = malloc(size);
        uint32_t x = 1;

        assert_non_null(noise);
        for (size_t i = 0; i < size; i++) {
                x = x * 1664525 + 1013904223;
                noise[i] = (char)(x >> shift);
        }
        return noise;
}

/* Early microcode, then all the rest: what is usual. Large enough for many blocks. */
static void test_large(void **state) {
        size_t size = 3000000;
        _cleanup_free_ char *noise = noise_new(size, 28);
        _cleanup_bytes_ Bytes early = archive("kernel/x86/microcode/GenuineIntel.bin"), main = {};

        add_file(&main, 0100755, "bin/busybox", noise, size);
        add(&main, MODULES "liveupdate_vfio.ko");
        end(&main);
        for (size_t i = 0; i < ELEMENTSOF(compressions); i++) {
                _cleanup_bytes_ Bytes rest = compressed(&main, compressions[i]), all = {};
                append_bytes(&all, &early);
                append_bytes(&all, &rest);
                append(&all, "\0\0\0\0\0\0\0", 7);
                NextBoot b = look(&all);
                if (!b.modules[0].in_initrd || *b.unread)
                        fail_msg("%s: %s", compression_to_string(compressions[i]), b.unread);
        }
}

/* Modules are often compressed the same way as the archive that they are in, which then holds
 * them as they are, ends and all: these are not the archive's. */
static void test_nested(void **state) {
        enum { FILES = 24, STEP = 20000 };
        _cleanup_free_ char *noise = noise_new((size_t)(FILES + 1) * STEP, 24);
        _cleanup_bytes_ Bytes two = archive(MODULES "other_handler.ko");

        for (size_t i = 0; i < ELEMENTSOF(compressions); i++) {
                _cleanup_bytes_ Bytes one = {}, second = compressed(&two, compressions[i]);

                for (size_t n = 0; n < FILES; n++) {
                        _cleanup_bytes_ Bytes plain = bytes_of(noise + n * STEP, STEP - 100 * n),
                                              ko = compressed(&plain, compressions[i]);
                        add_file(&one, 0100644, "lib/modules/x.ko", ko.data, ko.size);
                }
                add(&one, MODULES "liveupdate_vfio.ko");
                end(&one);
                _cleanup_bytes_ Bytes all = compressed(&one, compressions[i]);
                append(&all, "\0\0\0\0", 4);
                pad(&all, 4);
                append_bytes(&all, &second);
                NextBoot b = look(&all);
                if (*b.unread || !b.modules[0].in_initrd || !b.modules[1].in_initrd)
                        fail_msg("%s: %s", compression_to_string(compressions[i]), b.unread);
        }
}

/* What xz(1) can be told to write: small blocks, no checksum and a long one, a filter before
 * LZMA2. All is gone along to its end, where the next archive is. */
static void test_xz_streams(void **state) {
        static const char *const names[] = { "xz-blocks", "xz-none", "xz-sha256" };
        _cleanup_bytes_ Bytes two = archive(MODULES "other_handler.ko"), second = compressed(&two, COMPRESSION_XZ);

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_bytes_ Bytes all = {};
                char path[512];

                (void)snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/initrd/%s", SOURCE_ROOT, names[i]);
                assert_int_equal(file_read_at(AT_FDCWD, path, 1 << 20, &all.data, &all.size), 0);
                append_bytes(&all, &second);
                append(&all, "\0\0\0\0", 4);
                append_bytes(&all, &two);
                NextBoot b = look(&all);
                if (*b.unread || !b.modules[0].in_initrd || !b.modules[1].in_initrd)
                        fail_msg("%s: %s", names[i], b.unread);
        }
}

/* ---- the module's own words ---- */

static void test_compatible(void **state) {
        static const char file[] =
                "\177ELF..\0license=GPL\0liveupdate_compatible=vfio-v1\0depends=vfio-pci-core\0more";
        _cleanup_bytes_ Bytes plain = bytes_of(file, sizeof(file));

        for (size_t i = 0; i < ELEMENTSOF(compressions); i++) {
                _cleanup_bytes_ Bytes ko = compressed(&plain, compressions[i]), a = {};
                add(&a, "usr/lib/liveupdated/liveupdate-restore");
                add_file(&a, 0100644, MODULES "liveupdate_vfio.ko.xz", ko.data, ko.size);
                add(&a, MODULES "other_handler.ko");
                end(&a);
                assert_string_equal(look(&a).compatible, "vfio-v1");
        }
        char text[SHIM_COMPATIBLE_SIZE];
        assert_false(module_compatible("xliveupdate_compatible=a", 25, text));
        assert_false(module_compatible("\0liveupdate_compatible=a", 24, text));
        assert_false(module_compatible("\0liveupdate_compatible=", 24, text));
        assert_true(module_compatible("\0liveupdate_compatible=a", 25, text));
        assert_string_equal(text, "a");
}

/* Nothing, compressed, is good and nothing; but for lz4, of which libarchive wants to see a
 * block. */
static void test_empty(void **state) {
        _cleanup_bytes_ Bytes two = archive(MODULES "other_handler.ko"), none = {};

        for (size_t i = 1; i < ELEMENTSOF(compressions); i++) {
                if (compressions[i] == COMPRESSION_LZ4)
                        continue;
                _cleanup_bytes_ Bytes all = compressed(&none, compressions[i]);
                pad(&all, 4);
                append_bytes(&all, &two);
                NextBoot b = look(&all);
                if (*b.unread || !b.modules[1].in_initrd)
                        fail_msg("%s: %s", compression_to_string(compressions[i]), b.unread);
        }
}

/* What is behind all that is needed is not looked at. */
static void test_enough(void **state) {
        _cleanup_bytes_ Bytes a = {};

        add(&a, "usr/lib/liveupdated/liveupdate-restore");
        add(&a, MODULES "liveupdate_vfio.ko");
        add(&a, MODULES "other_handler.ko");
        append(&a, "0707010000", 10);
        NextBoot b = look(&a);
        assert_true(b.restore && b.modules[0].in_initrd && b.modules[1].in_initrd);
}

/* ---- what is not as it should be ---- */

static void test_unread(void **state) {
        _cleanup_bytes_ Bytes text = bytes_of("this is no initrd", 17), a = archive(MODULES "other_handler.ko"),
                              lzo = {};

        NextBoot b = look(&text);
        assert_string_equal(b.unread, "at byte 0 is neither a cpio archive nor a compressed one");
        append_bytes(&lzo, &a);
        append(&lzo, "\x89LZO\0\r\n\x1a\n", 9);
        b = look(&lzo);
        assert_non_null(strstr(b.unread, "lzo"));
        assert_true(b.modules[1].in_initrd);
        _cleanup_bytes_ Bytes empty = archive(MODULES "other_handler.ko"), one = compressed(&empty, COMPRESSION_GZIP),
                              many = {};
        pad(&one, 4);
        append(&one, "\0\0\0", 4); /* else libarchive takes the next for more of the same */
        for (int i = 0; i < 4097; i++)
                append_bytes(&many, &one);
        b = look(&many);
        assert_string_equal(b.unread, "it has more than 4096 compressed archives");
        for (size_t i = 1; i < ELEMENTSOF(compressions); i++) {
                _cleanup_bytes_ Bytes c = compressed(&text, compressions[i]);
                b = look(&c);
                assert_non_null(strstr(b.unread, "is no cpio archive"));
        }
}

/* Cut anywhere, it is refused or nothing that is missing is taken for found; bytes that are
 * changed do no harm. */
static void test_damaged(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(compressions); i++) {
                _cleanup_bytes_ Bytes a = archive("a", "b", MODULES "liveupdate_vfio.ko");
                _cleanup_bytes_ Bytes c = compressed(&a, compressions[i]);
                unsigned n_refused = 0;
                for (size_t size = 1; size < c.size; size += 1 + size / 40) {
                        Refusal why = {};
                        NextBoot b;
                        int r = look_at(&c, size, RELEASE, &b, &why);
                        assert_true(r >= 0 || why.reason == REASON_INITRD_DAMAGED);
                        n_refused += r < 0;
                }
                if (n_refused == 0)
                        fail_msg("%s: never refused", compression_to_string(compressions[i]));
                for (size_t at = 0; at < c.size; at += 1 + c.size / 300) {
                        Refusal why = {};
                        NextBoot b;
                        c.data[at] ^= 0x55;
                        int r = look_at(&c, c.size, RELEASE, &b, &why);
                        assert_true(r >= 0 || why.reason == REASON_INITRD_DAMAGED);
                        c.data[at] ^= 0x55;
                }
        }
}

/* A file that has become longer meanwhile is looked at as far as it went. */
static void test_longer(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(compressions); i++) {
                _cleanup_bytes_ Bytes a = archive("a", "b", MODULES "liveupdate_vfio.ko");
                _cleanup_bytes_ Bytes c = compressed(&a, compressions[i]);
                _cleanup_close_ int fd = bytes_to_fd(&c, c.size);
                for (size_t size = 16; size < c.size; size++) {
                        NextBoot b = wanted();
                        Refusal why = {};
                        int r = initrd_look(fd, size, RELEASE, &b, &why);
                        assert_true(r >= 0 || why.reason == REASON_INITRD_DAMAGED);
                }
        }
}

static void test_headers(void **state) {
        static const char *const bad[] = { "070707", "07070100000", "0x" };
        Refusal why = {};
        NextBoot b;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_bytes_ Bytes a = {};
                append(&a, bad[i], strlen(bad[i]));
                pad(&a, 512);
                assert_int_equal(look_at(&a, a.size, RELEASE, &b, &why), -EBADMSG);
                assert_int_equal(why.reason, REASON_INITRD_DAMAGED);
        }
        /* A name that does not end, and one that is empty. */
        _cleanup_bytes_ Bytes a = archive("some-name");
        memset(a.data + NEWC_HEAD_SIZE, 'x', 4);
        assert_int_equal(look_at(&a, a.size, RELEASE, &b, &why), -EBADMSG);
        memcpy(a.data + 94, "00000000", 8);
        assert_int_equal(look_at(&a, a.size, RELEASE, &b, &why), -EBADMSG);
        memcpy(a.data + 94, "ffffffff", 8);
        assert_int_equal(look_at(&a, a.size, RELEASE, &b, &why), -EBADMSG);
}

/* ---- the judgement ---- */

static void test_judge(void **state) {
        enum { NONE, OLD, NEW, STRANGE };
        static const NextInit inits[] = { {}, { true, 252 }, { true, 261 }, { true, 0 } };
        static const struct {
                int host, initrd;
                bool builtin, in_host, in_initrd, restore, unread, root_is_initrd;
                Reason want;
        } cases[] = {
#define MISSING REASON_INITRD_HANDLER_MISSING
#define UNSURE REASON_INITRD_HANDLER_UNSURE
                { .want = MISSING },
                { .builtin = true },
                { .host = NEW, .initrd = NEW, .builtin = true },
                { .in_host = true },
                { .in_host = true, .unread = true },
                { .in_host = true, .root_is_initrd = true, .want = MISSING },
                { .host = OLD, .initrd = OLD, .in_host = true },
                { .host = NEW, .in_host = true, .want = MISSING },
                { .host = STRANGE, .in_host = true, .want = UNSURE },
                { .host = OLD, .initrd = NEW, .in_host = true, .want = MISSING },
                { .host = NEW, .in_host = true, .unread = true, .want = UNSURE },
                { .unread = true, .want = UNSURE },
                { .in_initrd = true, .restore = true },
                { .host = NEW, .initrd = NEW, .in_initrd = true, .restore = true },
                { .host = NEW, .initrd = NEW, .in_host = true, .in_initrd = true, .want = MISSING },
                { .initrd = STRANGE, .in_host = true, .in_initrd = true, .want = UNSURE },
                { .host = NEW, .in_host = true, .in_initrd = true, .want = UNSURE },
                { .host = OLD, .in_host = true, .in_initrd = true },
                { .in_initrd = true, .want = UNSURE },
                { .initrd = NEW, .in_initrd = true, .unread = true, .want = UNSURE },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                NextModule m = { .name = "a",
                                 .builtin = cases[i].builtin,
                                 .in_host = cases[i].in_host,
                                 .in_initrd = cases[i].in_initrd };
                NextBoot b = { .host = inits[cases[i].host],
                               .initrd = inits[cases[i].initrd],
                               .restore = cases[i].restore,
                               .root_is_initrd = cases[i].root_is_initrd };
                Refusal why;

                (void)snprintf(b.unread, sizeof(b.unread), "%s", cases[i].unread ? "for a reason" : "");
                next_boot_judge(&b, &m, &why);
                if (why.reason != cases[i].want)
                        fail_msg("case %zu: %s (%s)", i, reason_code(why.reason), why.detail);
        }
}

static void test_list(void **state) {
        char name[NEXT_MODULE_NAME_SIZE + 1];
        NextBoot b = {};

        assert_int_equal(next_boot_add(&b, "a-b"), 0);
        assert_int_equal(next_boot_add(&b, "a_b"), 0);
        assert_int_equal(b.n_modules, 1);
        assert_ptr_equal(next_boot_find(&b, "a-b"), &b.modules[0]);
        assert_null(next_boot_find(&b, "a-"));
        memset(name, 'x', sizeof(name));
        name[NEXT_MODULE_NAME_SIZE] = '\0';
        assert_int_equal(next_boot_add(&b, name), -ENAMETOOLONG);
        assert_int_equal(next_boot_add(&b, ""), -ENAMETOOLONG);
        for (int i = 1; i < NEXT_MODULES_MAX; i++) {
                (void)snprintf(name, sizeof(name), "m%d", i);
                assert_int_equal(next_boot_add(&b, name), 0);
        }
        assert_int_equal(next_boot_add(&b, "one-more"), -ENOSPC);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),  cmocka_unit_test(test_other_release), cmocka_unit_test(test_systemd),
                cmocka_unit_test(test_large),  cmocka_unit_test(test_concatenated),  cmocka_unit_test(test_compatible),
                cmocka_unit_test(test_nested), cmocka_unit_test(test_empty),         cmocka_unit_test(test_xz_streams),
                cmocka_unit_test(test_enough), cmocka_unit_test(test_unread),        cmocka_unit_test(test_damaged),
                cmocka_unit_test(test_longer), cmocka_unit_test(test_headers),       cmocka_unit_test(test_judge),
                cmocka_unit_test(test_list),
        };

        return cmocka_run_group_tests_name("next-boot", tests, NULL, NULL);
}
