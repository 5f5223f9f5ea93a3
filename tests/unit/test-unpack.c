/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host's initrd on its way through a restore-only one: read from several archives, plain
 * and compressed, written as one frame, unpacked again; and each way in which it can be torn
 * or damaged.
 */
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/fd.h"
#include "core/newc.h"
#include "restore/host-initrd.h"
#include "restore/unpack.h"
#include "support/bzimage.h"
#include "sys/initrd-read.h"
#include "sys/zstd-stream.h"

static const Compression kinds[] = { COMPRESSION_GZIP, COMPRESSION_BZIP2, COMPRESSION_LZMA,
                                     COMPRESSION_XZ,   COMPRESSION_LZ4,   COMPRESSION_ZSTD };
static char root[64];
static int root_fd;

static int append(void *userdata, const void *data, size_t size) {
        Bytes *b = userdata;
        char *bigger = realloc(b->data, b->size + size + 1);

        assert_non_null(bigger);
        if (size > 0)
                memcpy(bigger + b->size, data, size);
        bigger[b->size + size] = '\0';
        *b = (Bytes){ bigger, b->size + size };
        return 0;
}

static void add(Bytes *b, const void *data, size_t size) {
        (void)append(b, data, size);
}

static void pad(Bytes *b, size_t size) {
        static const char zeros[512];

        add(b, zeros, size);
}

static void put(Bytes *b, NewcEntry e, const char *data) {
        char head[NEWC_HEAD_SIZE + 1];
        size_t n = strlen(e.name) + 1;

        e.size = data ? (uint32_t)strlen(data) : 0;
        e.uid = getuid();
        e.gid = getgid();
        e.n_links = e.n_links ?: 1;
        newc_write_head(head, &e);
        add(b, head, NEWC_HEAD_SIZE);
        add(b, e.name, n);
        pad(b, newc_padding(NEWC_HEAD_SIZE + n));
        if (data)
                add(b, data, e.size);
        pad(b, newc_padding(e.size));
}

static void put_file(Bytes *b, const char *name, const char *data) {
        put(b, (NewcEntry){ .name = name, .mode = S_IFREG | 0640, .mtime = 86400 }, data);
}

static void finish(Bytes *b) {
        put(b, (NewcEntry){ .name = NEWC_TRAILER }, NULL);
}

static Bytes early(const char *name) {
        Bytes b = {};

        put(&b, (NewcEntry){ .name = "kernel", .mode = S_IFDIR | 0755 }, NULL);
        put_file(&b, name, "microcode");
        finish(&b);
        pad(&b, 512 - b.size % 512);
        return b;
}

static Bytes archive(const char *init) {
        Bytes b = {};

        put(&b, (NewcEntry){ .name = ".", .mode = S_IFDIR | 0755 }, NULL);
        put(&b, (NewcEntry){ .name = "./etc", .mode = S_IFDIR | 0750 }, NULL);
        put_file(&b, "etc/one", "first\n");
        put_file(&b, "init", init);
        put(&b, (NewcEntry){ .name = "sh", .mode = S_IFLNK | 0777 }, "etc/one");
        finish(&b);
        return b;
}

/* As liveupdate-mkinitrd writes it. */
static Bytes framed(const Bytes *plain) {
        _cleanup_(zstd_writer_freep) ZstdWriter *w = NULL;
        Bytes b = {};

        assert_int_equal(zstd_writer_new(1, append, &b, &w), 0);
        assert_int_equal(zstd_writer_write(w, plain->data, plain->size), 0);
        assert_int_equal(zstd_writer_finish(w), 0);
        return b;
}

static int make_root(void **state) {
        (void)snprintf(root, sizeof(root), "/tmp/test-unpack-XXXXXX");
        if (!mkdtemp(root))
                return -1;
        root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        return root_fd < 0 ? -1 : 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static int remove_root(void **state) {
        root_fd = fd_close(root_fd);
        return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void holds(const char *name, const char *want) {
        _cleanup_free_ char *text = NULL;

        assert_int_equal(file_read_at(root_fd, name, 1 << 20, &text, NULL), 0);
        assert_string_equal(text, want);
}

static mode_t mode_of(const char *name) {
        struct stat st;

        assert_int_equal(fstatat(root_fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
        return st.st_mode;
}

static int read_host(const Bytes *b, Bytes *ret, Buffer *early, char *text) {
        _cleanup_close_ int fd = bytes_to_fd(b, b->size);

        *ret = (Bytes){};
        *early = (Buffer){ .max = 1 << 20 };
        *text = '\0';
        return host_initrd_read(fd, b->size, append, ret, early, text);
}

static int unpack_plain(const Bytes *plain, Unpacked *ret) {
        Bytes frame = framed(plain);
        int r = unpack(root_fd, frame.data, frame.size, ret);

        free(frame.data);
        return r;
}

/* ---- reading a host's initrd ---- */

static void read_and_unpack(const Bytes *b, Buffer *early) {
        char text[PROBLEM_SIZE];
        Unpacked done;
        Bytes seen;

        if (read_host(b, &seen, early, text) < 0)
                fail_msg("%s", text);
        assert_int_equal(unpack_plain(&seen, &done), 0);
        assert_int_equal(done.n_failed, 0);
        free(seen.data);
}

static void test_kinds(void **state) {
        Bytes first = early("kernel/x86.bin"), main_one = archive("host"), last = {};

        put_file(&last, "etc/two", "second\n");
        finish(&last);
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                Bytes packed = bytes_compress(&main_one, kinds[i]), all = {};
                _cleanup_buffer_ Buffer kernels = {};

                add(&all, first.data, first.size);
                add(&all, packed.data, packed.size);
                pad(&all, newc_padding(all.size));
                add(&all, last.data, last.size);
                pad(&all, 7);
                read_and_unpack(&all, &kernels);
                assert_true(kernels.size > 0 && kernels.size <= first.size);
                assert_memory_equal(kernels.data, first.data, kernels.size);
                holds("init", "host");
                holds("etc/two", "second\n");
                assert_int_equal(faccessat(root_fd, "kernel", F_OK, 0), -1);
                free(all.data);
                free(packed.data);
        }
        free(first.data);
        free(main_one.data);
        free(last.data);
}

/* The kernel finds its own in any of the archives before a compressed one; what is behind the
 * host's first files is theirs. */
static void test_several_for_the_kernel(void **state) {
        Bytes amd = early("kernel/amd.bin"), acpi = early("kernel/acpi.aml");
        Bytes host = archive("host");
        const Compression next[] = { COMPRESSION_NONE, COMPRESSION_GZIP };

        for (size_t i = 0; i < ELEMENTSOF(next); i++) {
                Bytes all = {}, packed = next[i] == COMPRESSION_NONE ? host : bytes_compress(&host, next[i]);
                _cleanup_buffer_ Buffer kernels = {};

                add(&all, amd.data, amd.size);
                add(&all, acpi.data, acpi.size);
                add(&all, packed.data, packed.size);
                pad(&all, newc_padding(all.size));
                add(&all, amd.data, amd.size);
                read_and_unpack(&all, &kernels);
                assert_in_range(kernels.size, amd.size + acpi.size - 512, amd.size + acpi.size);
                assert_memory_equal(kernels.data, all.data, kernels.size);
                assert_non_null(memmem(kernels.data, kernels.size, "kernel/acpi.aml", strlen("kernel/acpi.aml")));
                holds("init", "host");
                holds("kernel/amd.bin", "microcode");
                assert_int_equal(faccessat(root_fd, "kernel/acpi.aml", F_OK, 0), -1);
                assert_int_equal(unlinkat(root_fd, "kernel/amd.bin", 0), 0);
                free(all.data);
                if (packed.data != host.data)
                        free(packed.data);
        }
        free(amd.data);
        free(acpi.data);
        free(host.data);
}

static Bytes packed_file(const char *name, const char *text, Compression c) {
        Bytes plain = {};

        put_file(&plain, name, text);
        finish(&plain);
        if (c == COMPRESSION_NONE)
                return plain;
        Bytes b = bytes_compress(&plain, c);
        free(plain.data);
        return b;
}

/* Any three, two of a kind, one right after the other. */
static void test_one_after_the_other(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                for (size_t k = 0; k <= ELEMENTSOF(kinds); k++) {
                        Compression other = k < ELEMENTSOF(kinds) ? kinds[k] : COMPRESSION_NONE;
                        const Compression order[] = { kinds[i], kinds[i], other };
                        static const char *const names[] = { "init", "one", "two" };
                        _cleanup_buffer_ Buffer kernels = {};
                        char text[32];
                        Bytes all = {};

                        (void)snprintf(text, sizeof(text), "%zu, then %zu", i, k);
                        for (size_t n = 0; n < ELEMENTSOF(order); n++) {
                                Bytes b = packed_file(names[n], text, order[n]);
                                add(&all, b.data, b.size);
                                /* What follows could be a block's size. */
                                if (order[n] == COMPRESSION_LZ4 && n > 0)
                                        pad(&all, 4);
                                free(b.data);
                        }
                        read_and_unpack(&all, &kernels);
                        assert_int_equal(kernels.size, 0);
                        for (size_t n = 0; n < ELEMENTSOF(names); n++)
                                holds(names[n], text);
                        free(all.data);
                }
}

/* The kernel takes one that is all plain, too; then nothing of it is for itself. */
static void test_plain(void **state) {
        _cleanup_buffer_ Buffer kernels = {};
        Bytes b = archive("plain"), seen;
        char text[PROBLEM_SIZE];

        assert_int_equal(read_host(&b, &seen, &kernels, text), 0);
        assert_int_equal(kernels.size, 0);
        assert_int_equal(seen.size, b.size);
        assert_memory_equal(seen.data, b.data, b.size);
        free(seen.data);
        free(b.data);
}

static void refused(const Bytes *b, int want, const char *words) {
        _cleanup_buffer_ Buffer kernels = {};
        char text[PROBLEM_SIZE];
        Bytes seen;

        assert_int_equal(read_host(b, &seen, &kernels, text), want);
        if (!strstr(text, words))
                fail_msg("%s", text);
        free(seen.data);
}

static void test_torn_host(void **state) {
        Bytes plain = archive("host");

        for (size_t n = 0; n < ELEMENTSOF(kinds); n++) {
                Bytes b = bytes_compress(&plain, kinds[n]);

                for (size_t cut = b.size - 1; cut > 16; cut -= 7)
                        refused(&(Bytes){ b.data, cut }, -EBADMSG, "torn or damaged: at byte ");
                free(b.data);
        }
        refused(&(Bytes){ plain.data, plain.size - 130 }, -EBADMSG, "ends in the middle of a file");
        free(plain.data);
}

/* A small file that becomes a large one. */
static void test_bomb(void **state) {
        _cleanup_free_ char *zeros = calloc(1, 1 << 20);
        char why[INITRD_WHY_SIZE];
        InitrdSink sink = {};

        assert_non_null(zeros);
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                Bytes b = bytes_compress(&(Bytes){ zeros, 1 << 20 }, kinds[i]);
                _cleanup_close_ int fd = bytes_to_fd(&b, b.size);

                sink.output_max = 1 << 20;
                assert_int_equal(initrd_read(fd, b.size, &sink, why), 0);
                sink.output_max--;
                assert_int_equal(initrd_read(fd, b.size, &sink, why), -EOPNOTSUPP);
                assert_string_equal(why, "it unpacks to more than 1048575 bytes");
                free(b.data);
        }
}

static void test_refused(void **state) {
        Bytes b = {};

        refused(&(Bytes){ (char *)"", 0 }, -ENOENT, "no /init");
        put_file(&b, "etc/one", "x");
        finish(&b);
        refused(&b, -ENOENT, "no /init");
        add(&b, "junk", 4);
        refused(&b, -EOPNOTSUPP, "neither a cpio archive");
        b.size = 0;
        put(&b, (NewcEntry){ .name = "/.liveupdate", .mode = S_IFDIR | 0755 }, NULL);
        put_file(&b, "init", "x");
        finish(&b);
        refused(&b, -EINVAL, "restore-only one already");
        free(b.data);
}

/* ---- unpacking ---- */

static void test_files(void **state) {
        Bytes b = archive("i");
        struct stat st, other;
        Unpacked done;

        put(&b, (NewcEntry){ .name = "a", .mode = S_IFREG | 0600, .ino = 7, .n_links = 2 }, NULL);
        put(&b, (NewcEntry){ .name = "b", .mode = S_IFREG | 0600, .ino = 7, .n_links = 2 }, "shared");
        put(&b, (NewcEntry){ .name = "pipe", .mode = S_IFIFO | 0600 }, NULL);
        finish(&b);
        /* The same number in another archive is another file. */
        put(&b, (NewcEntry){ .name = "c", .mode = S_IFREG | 0600, .ino = 7, .n_links = 2 }, "alone");
        finish(&b);
        assert_int_equal(unpack_plain(&b, &done), 0);
        assert_int_equal(done.n_failed, 0);
        assert_int_equal(done.n_files, 9);
        assert_int_equal(done.n_bytes, b.size);
        holds("etc/one", "first\n");
        holds("a", "shared");
        holds("c", "alone");
        holds("sh", "first\n");
        assert_int_equal(mode_of("etc"), S_IFDIR | 0750);
        assert_int_equal(mode_of("etc/one"), S_IFREG | 0640);
        assert_int_equal(mode_of("pipe"), S_IFIFO | 0600);
        assert_int_equal(fstatat(root_fd, "a", &st, 0), 0);
        assert_int_equal(fstatat(root_fd, "b", &other, 0), 0);
        assert_int_equal(st.st_ino, other.st_ino);
        assert_int_equal(fstatat(root_fd, "etc/one", &st, 0), 0);
        assert_int_equal(st.st_mtime, 86400);
        free(b.data);
}

/* What is there gives way, but a file that somebody has open stays as it is for him. */
static void test_in_the_way(void **state) {
        _cleanup_close_ int fd = -1;
        char buf[4] = {};
        Bytes b = {};
        Unpacked done;

        fd = openat(root_fd, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        assert_int_equal(write(fd, "old", 3), 3);
        assert_int_equal(symlinkat("nowhere", root_fd, "dir"), 0);
        assert_int_equal(mkdirat(root_fd, "link", 0700), 0);
        assert_int_equal(mkdirat(root_fd, "full", 0700), 0);
        assert_int_equal(mkdirat(root_fd, "full/x", 0700), 0);
        put_file(&b, "file", "new");
        put(&b, (NewcEntry){ .name = "dir", .mode = S_IFDIR | 0755 }, NULL);
        put_file(&b, "dir/f", "in it");
        put(&b, (NewcEntry){ .name = "link", .mode = S_IFLNK | 0777 }, "file");
        put_file(&b, "full", "a file");
        finish(&b);
        assert_int_equal(unpack_plain(&b, &done), 0);
        assert_int_equal(done.n_failed, 0);
        holds("file", "new");
        assert_int_equal(pread(fd, buf, 3, 0), 3);
        assert_string_equal(buf, "old");
        holds("dir/f", "in it");
        assert_int_equal(mode_of("link") & S_IFMT, S_IFLNK);
        holds("full", "a file");
        free(b.data);
}

/* What cannot be made is counted, and is no reason to stop. */
static void test_one_fails(void **state) {
        Bytes b = {};
        Unpacked done;

        put_file(&b, "no/such/directory", "x");
        put(&b, (NewcEntry){ .name = "strange", .mode = 0644 }, "x");
        put_file(&b, "good", "y");
        finish(&b);
        assert_int_equal(unpack_plain(&b, &done), 0);
        assert_int_equal(done.n_failed, 2);
        assert_int_equal(done.first_errno, ENOENT);
        assert_string_equal(done.first_failed, "no/such/directory");
        holds("good", "y");
        free(b.data);
}

/* Torn wherever: an error, and what was before it is there. */
static void test_torn(void **state) {
        Bytes plain = archive("i"), frame = framed(&plain);
        Unpacked done;

        for (size_t n = 1; n < frame.size; n++)
                assert_int_equal(unpack(root_fd, frame.data, n, &done), -EBADMSG);
        frame.data[frame.size - 1] ^= 1; /* the checksum: nothing is lost */
        assert_int_equal(unpack(root_fd, frame.data, frame.size, &done), -EBADMSG);
        assert_int_equal(done.n_bytes, plain.size);
        holds("init", "i");
        free(frame.data);
        frame = framed(&(Bytes){ plain.data, plain.size - 200 });
        assert_int_equal(unpack(root_fd, frame.data, frame.size, &done), -EBADMSG);
        free(frame.data);
        free(plain.data);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, make_root, remove_root)
        const struct CMUnitTest tests[] = {
                T(test_kinds),
                T(test_several_for_the_kernel),
                T(test_one_after_the_other),
                T(test_bomb),
                T(test_plain),
                T(test_torn_host),
                T(test_refused),
                T(test_files),
                T(test_in_the_way),
                T(test_one_fails),
                T(test_torn),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
