/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of a host in an archive: at the same places, through symbolic links, with libraries. */
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/fd.h"
#include "core/newc.h"
#include "restore/libraries.h"

static char root[64], listing[16 * 1024];
static int root_fd;

static int make_root(void **state) {
        (void)snprintf(root, sizeof(root), "/tmp/test-tree-XXXXXX");
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

static void put(const char *path, const char *text) {
        _cleanup_close_ int fd = openat(root_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

        assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static Tree start(const char *below) {
        Tree t = { .root = below };

        assert_int_equal(memfd_new("tree", 0, &t.out_fd), 0);
        return t;
}

static int on_entry(void *userdata, const NewcEntry *e) {
        size_t n = strlen(listing);

        assert_int_equal(e->uid + e->gid + e->mtime, 0);
        (void)snprintf(listing + n, sizeof(listing) - n, "%s %o\n", e->name, e->mode);
        return 0;
}

static int on_data(void *userdata, const void *data, size_t size) {
        size_t n = strlen(listing);

        if (size < 100) /* a text, not a program */
                (void)snprintf(listing + n, sizeof(listing) - n, "= %.*s\n", (int)size, (const char *)data);
        return 0;
}

/* What is in the archive, into `listing`. */
static void finish(Tree *t) {
        NewcSink sink = { .entry = on_entry, .data = on_data };
        NewcReader *r = calloc(1, sizeof(*r));
        _cleanup_free_ char *data = NULL;
        size_t size;

        assert_non_null(r);
        assert_int_equal(tree_finish(t), 0);
        assert_int_equal(fd_read_all(t->out_fd, 1 << 28, &data, &size), 0);
        assert_int_equal(size % 4, 0);
        *listing = '\0';
        r->sink = &sink;
        assert_int_equal(newc_feed(r, data, size), size);
        assert_int_equal(newc_end(r), 0);
        free(r);
        fd_close(t->out_fd);
        tree_done(t);
}

static void make_files(void) {
        assert_int_equal(mkdirat(root_fd, "usr", 0700), 0);
        assert_int_equal(mkdirat(root_fd, "usr/lib", 0700), 0);
        assert_int_equal(symlinkat("usr/lib", root_fd, "lib"), 0);
        put("usr/lib/libx-1.so", "x");
        assert_int_equal(symlinkat("libx-1.so", root_fd, "usr/lib/libx.so"), 0);
        assert_int_equal(symlinkat("/lib/../lib/./libx.so", root_fd, "usr/lib/far"), 0);
        assert_int_equal(symlinkat("round", root_fd, "round"), 0);
}

static void test_links(void **state) {
        Tree t = start(root);

        make_files();
        assert_int_equal(tree_add(&t, "/lib/libx.so"), 0);
        assert_int_equal(tree_add(&t, "/usr/lib/far"), 0);
        assert_int_equal(tree_add(&t, "/usr//lib/libx-1.so"), 0);
        assert_int_equal(tree_put(&t, "/a/b", S_IFREG | 0600, "two", 3), 0);
        finish(&t);
        assert_string_equal(listing, "lib 120777\n= usr/lib\n"
                                     "usr 40755\nusr/lib 40755\n"
                                     "usr/lib/libx.so 120777\n= libx-1.so\n"
                                     "usr/lib/libx-1.so 100640\n= x\n"
                                     "usr/lib/far 120777\n= /lib/../lib/./libx.so\n"
                                     "a 40755\na/b 100600\n= two\n"
                                     "TRAILER!!! 0\n");
}

static void refused(const char *path, int want, const char *words) {
        Tree t = start(root);

        assert_int_equal(tree_add(&t, path), want);
        assert_non_null(strstr(t.problem, words));
        fd_close(t.out_fd);
        tree_done(&t);
}

static void test_refused(void **state) {
        make_files();
        refused("relative", -EINVAL, "is not an absolute path");
        refused("/usr/lib/none", -ENOENT, "/usr/lib/none cannot be read: No such file");
        refused("/round", -ELOOP, "/round leads round and round");
        refused("/usr/lib", -EISDIR, "/usr/lib is a directory");
        refused("/usr/lib/libx.so/more", -ENOTDIR, "/usr/lib/libx-1.so is not a directory");
}

static void test_no_room(void **state) {
        Tree t = start(root);

        fd_close(t.out_fd);
        t.out_fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
        assert_int_equal(tree_put(&t, "/a", S_IFREG | 0600, "x", 1), -ENOSPC);
        assert_non_null(strstr(t.problem, "No space left"));
        fd_close(t.out_fd);
        tree_done(&t);
}

/* This program itself is linked dynamically, with the C library and cmocka. */
static void test_libraries(void **state) {
        char self[4096];
        Tree t = start("");

        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        assert_true(n > 0);
        self[n] = '\0';
        assert_int_equal(libraries_add_program(&t, self), 0);
        finish(&t);
        assert_non_null(strstr(listing, &self[1]));
        assert_non_null(strstr(listing, "libcmocka.so"));
        assert_non_null(strstr(listing, "libc.so"));
        assert_non_null(strstr(listing, "/ld-"));
}

static void test_no_program(void **state) {
        char path[128];
        Tree t = start("");

        put("script", "#!/bin/sh\nexec something that is longer than the head of a program\n");
        (void)snprintf(path, sizeof(path), "%s/script", root);
        assert_int_equal(libraries_add_program(&t, path), -ENOEXEC);
        assert_non_null(strstr(t.problem, "is not a 64-bit ELF program"));
        assert_int_equal(libraries_add_program(&t, "/no/such/program"), -ENOENT);
        assert_non_null(strstr(t.problem, "/no/such/program cannot be read"));
        fd_close(t.out_fd);
        tree_done(&t);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, make_root, remove_root)
        const struct CMUnitTest tests[] = {
                T(test_links), T(test_refused), T(test_no_room), T(test_libraries), T(test_no_program),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
