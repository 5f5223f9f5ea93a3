/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptor and file helpers, on real files in a directory of their own. */
#include "common/buffer.h"
#include "common/fd.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cmocka.h>

typedef struct Dir {
        char path[64];
        int fd;
} Dir;

static int setup(void **state) {
        Dir *d = calloc(1, sizeof(*d));

        if (!d)
                return -1;
        strcpy(d->path, "/tmp/test-fd-XXXXXX");
        if (!mkdtemp(d->path))
                return -1;
        d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        *state = d;
        return d->fd < 0 ? -1 : 0;
}

static int teardown(void **state) {
        static const char *const names[] = { "f", "f.new", "link", "target", "dir" };
        Dir *d = *state;

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (unlinkat(d->fd, names[i], 0) < 0)
                        (void)unlinkat(d->fd, names[i], AT_REMOVEDIR);
        fd_close(d->fd);
        int r = rmdir(d->path);
        free(d);
        return r;
}

static bool is_cloexec(int fd) {
        return fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

static void read_all_of_any_size(void **state) {
        static const size_t sizes[] = { 0, 1, 16383, 16384, 16385, 32767, 32768, 32769, 300000 };

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                _cleanup_close_ int fd = -1;
                _cleanup_free_ char *want = malloc(sizes[i] + 1), *got = NULL;
                size_t size = 99;

                assert_non_null(want);
                for (size_t j = 0; j < sizes[i]; j++)
                        want[j] = (char)(j * 7 + j / 251);
                assert_int_equal(memfd_new("t", 0, &fd), 0);
                assert_int_equal(fd_write_all(fd, want, sizes[i]), 0);
                /* The position stays where it is and does not matter. */
                assert_int_equal(lseek(fd, 5, SEEK_SET), 5);
                assert_int_equal(fd_read_all(fd, sizes[i], &got, &size), 0);
                assert_int_equal(lseek(fd, 0, SEEK_CUR), 5);
                assert_int_equal(size, sizes[i]);
                assert_memory_equal(got, want, size);
                assert_int_equal(got[size], '\0');
                if (sizes[i] == 0)
                        continue;
                char *untouched = (char *)&size;
                assert_int_equal(fd_read_all(fd, sizes[i] - 1, &untouched, &size), -EFBIG);
                assert_ptr_equal(untouched, &size);
                assert_int_equal(size, sizes[i]);
        }
}

static void read_all_fails_cleanly(void **state) {
        char *buf = NULL;
        int pipes[2];

        assert_int_equal(fd_read_all(-1, 10, &buf, NULL), -EBADF);
        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        assert_int_equal(fd_read_all(pipes[0], 10, &buf, NULL), -ESPIPE);
        fd_close(pipes[0]);
        fd_close(pipes[1]);
        assert_null(buf);
}

static void files_without_a_size(void **state) {
        _cleanup_free_ char *text = NULL;
        size_t size;

        assert_int_equal(file_read_at(AT_FDCWD, "/proc/self/status", 1 << 20, &text, &size), 0);
        assert_true(size > 100);
        assert_int_equal(strlen(text), size);
        assert_int_equal(file_read_at(AT_FDCWD, "/proc/self/no-such-file", 10, &text, &size), -ENOENT);
}

static void atomic_write(void **state) {
        Dir *d = *state;
        struct stat st;

        for (int round = 0; round < 2; round++) {
                const char *want = round ? "second" : "the first one";
                _cleanup_free_ char *got = NULL;
                size_t size;

                assert_int_equal(file_write_atomic_at(d->fd, "f", want, strlen(want)), 0);
                assert_int_equal(file_read_at(d->fd, "f", 100, &got, &size), 0);
                assert_string_equal(got, want);
                assert_int_equal(size, strlen(want));
        }
        assert_int_equal(fstatat(d->fd, "f", &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(faccessat(d->fd, "f.new", F_OK, 0), -1);
}

static void atomic_write_replaces_links(void **state) {
        Dir *d = *state;
        _cleanup_free_ char *got = NULL;
        struct stat st;

        assert_int_equal(file_write_atomic_at(d->fd, "target", "safe", 4), 0);
        /* As the destination: replaced. As the temporary file: refused. */
        assert_int_equal(symlinkat("target", d->fd, "f"), 0);
        assert_int_equal(file_write_atomic_at(d->fd, "f", "x", 1), 0);
        assert_int_equal(fstatat(d->fd, "f", &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_true(S_ISREG(st.st_mode));
        assert_int_equal(symlinkat("target", d->fd, "f.new"), 0);
        assert_int_equal(file_write_atomic_at(d->fd, "f", "y", 1), -ELOOP);
        assert_int_equal(file_read_at(d->fd, "target", 100, &got, NULL), 0);
        assert_string_equal(got, "safe");
}

static void atomic_write_fails_cleanly(void **state) {
        Dir *d = *state;
        char name[600];

        memset(name, 'n', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        assert_int_equal(file_write_atomic_at(d->fd, name, "x", 1), -ENAMETOOLONG);
        assert_int_equal(file_write_atomic_at(d->fd, "none/f", "x", 1), -ENOENT);
        /* The rename fails: nothing is left behind. */
        assert_int_equal(mkdirat(d->fd, "dir", 0700), 0);
        assert_int_equal(file_write_atomic_at(d->fd, "dir", "x", 1), -EISDIR);
        assert_int_equal(faccessat(d->fd, "dir.new", F_OK, 0), -1);
}

static void sealed_memfds(void **state) {
        _cleanup_close_ int fd = -1;
        char buf[8] = "";

        assert_int_equal(memfd_new_sealed("sealed", "content", 7, &fd), 0);
        assert_true(is_cloexec(fd));
        assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
        assert_int_equal(read(fd, buf, sizeof(buf)), 7);
        assert_memory_equal(buf, "content", 7);
        assert_int_equal(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
        assert_int_equal(pwrite(fd, "x", 1, 0), -1);
        assert_int_equal(errno, EPERM);
        assert_int_equal(ftruncate(fd, 3), -1);
        assert_int_equal(ftruncate(fd, 30), -1);
}

static void plain_memfds(void **state) {
        _cleanup_close_ int fd = -1;
        struct stat st;
        char buf[16];

        assert_int_equal(memfd_new("page", 4096, &fd), 0);
        assert_true(is_cloexec(fd));
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_size, 4096);
        assert_int_equal(pread(fd, buf, sizeof(buf), 4080), 16);
        for (size_t i = 0; i < sizeof(buf); i++)
                assert_int_equal(buf[i], 0);
        assert_int_equal(fcntl(fd, F_GET_SEALS), 0);
        assert_int_equal(pwrite(fd, "x", 1, 0), 1);
        assert_int_equal(ftruncate(fd, 8192), 0);
}

static void write_all_reports_errors(void **state) {
        _cleanup_close_ int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

        assert_true(full >= 0);
        assert_int_equal(fd_write_all(full, "x", 1), -ENOSPC);
        assert_int_equal(fd_write_all(-1, "x", 1), -EBADF);
        assert_int_equal(fd_write_all(-1, "", 0), 0);
}

static void closing_keeps_errno(void **state) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        assert_true(fd >= 0);
        int other = fd;
        int taken = TAKE_FD(other);
        assert_int_equal(other, -1);
        assert_int_equal(taken, fd);
        errno = E2BIG;
        assert_int_equal(fd_close(fd), -1);
        assert_int_equal(fd_close(fd), -1); /* EBADF inside */
        assert_int_equal(fd_close(-1), -1);
        assert_int_equal(errno, E2BIG);
}

static void read_at_any_place(void **state) {
        _cleanup_close_ int fd = -1, dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        char buf[8] = {};

        assert_int_equal(memfd_new("x", 0, &fd), 0);
        assert_int_equal(fd_write_all(fd, "0123456789", 10), 0);
        assert_int_equal(fd_read_at(fd, buf, 4, 3), 4);
        assert_string_equal(buf, "3456");
        assert_int_equal(fd_read_at(fd, buf, 4, 8), 2);
        assert_int_equal(fd_read_at(fd, buf, 4, 11), 0);
        assert_int_equal(lseek(fd, 0, SEEK_CUR), 10);
        assert_int_equal(fd_read_at(dir, buf, 4, 0), -EISDIR);
}

static void buffers_have_a_bound(void **state) {
        _cleanup_buffer_ Buffer b = { .max = 10 };

        assert_int_equal(buffer_append(&b, NULL, 0), 0);
        assert_int_equal(buffer_append(&b, "0123", 4), 0);
        assert_int_equal(buffer_append(&b, "4567", 4), 0);
        assert_int_equal(buffer_append(&b, "89a", 3), -EFBIG);
        assert_int_equal(buffer_append(&b, "x", SIZE_MAX), -EFBIG);
        assert_int_equal(buffer_append(&b, "89", 2), 0);
        assert_int_equal(b.size, 10);
        assert_memory_equal(b.data, "0123456789", 10);
        buffer_done(&b);
        assert_int_equal(b.size, 0);
        assert_int_equal(buffer_append(&b, "again", 5), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(read_all_of_any_size),
                cmocka_unit_test(read_all_fails_cleanly),
                cmocka_unit_test(files_without_a_size),
                cmocka_unit_test_setup_teardown(atomic_write, setup, teardown),
                cmocka_unit_test_setup_teardown(atomic_write_replaces_links, setup, teardown),
                cmocka_unit_test_setup_teardown(atomic_write_fails_cleanly, setup, teardown),
                cmocka_unit_test(sealed_memfds),
                cmocka_unit_test(plain_memfds),
                cmocka_unit_test(write_all_reports_errors),
                cmocka_unit_test(closing_keeps_errno),
                cmocka_unit_test(read_at_any_place),
                cmocka_unit_test(buffers_have_a_bound),
        };

        return cmocka_run_group_tests_name("fd", tests, NULL, NULL);
}
