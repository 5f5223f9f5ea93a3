/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "sys/holder.h"

/* A real process holds a real file: the message names it. */
static void test_other_process(void **state) {
        char path[] = "/tmp/liveupdated-holder-XXXXXX", text[128], expected[64];
        int ends[2];
        char byte;

        int fd = mkostemp(path, O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(holder_find("", path, text, sizeof(text)), -ENOENT); /* we do not count */
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
                (void)write(ends[1], "x", 1);
                for (;;)
                        (void)pause();
        }
        assert_int_equal(read(ends[0], &byte, 1), 1);
        assert_int_equal(holder_find("", path, text, sizeof(text)), 0);
        snprintf(expected, sizeof(expected), "held by process %d (test-holder)", child);
        assert_string_equal(text, expected);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_int_equal(holder_find("", path, text, sizeof(text)), -ENOENT);
        fd_close(ends[0]);
        fd_close(ends[1]);
        fd_close(fd);
        (void)unlink(path);
}

/* A session's descriptor, as the kernel names it, in a tree made by hand. */
static void test_session_name(void **state) {
        char root[] = "/tmp/liveupdated-holder-XXXXXX", path[128], text[128];

        assert_non_null(mkdtemp(root));
        const char *const dirs[] = { "proc", "proc/self-is-no-number", "proc/4242", "proc/4242/fd" };
        for (size_t i = 0; i < ELEMENTSOF(dirs); i++) {
                snprintf(path, sizeof(path), "%s/%s", root, dirs[i]);
                assert_int_equal(mkdir(path, 0700), 0);
        }
        snprintf(path, sizeof(path), "%s/proc/4242/fd/7", root);
        assert_int_equal(symlink("anon_inode:[luo_session] vm-a", path), 0);
        assert_int_equal(holder_find(root, "anon_inode:[luo_session] vm", text, sizeof(text)), -ENOENT);
        assert_int_equal(holder_find(root, "anon_inode:[luo_session] vm-a", text, sizeof(text)), 0);
        assert_string_equal(text, "held by process 4242 (?)");
        assert_int_equal(unlink(path), 0);
        for (size_t i = ELEMENTSOF(dirs); i-- > 0;) {
                snprintf(path, sizeof(path), "%s/%s", root, dirs[i]);
                assert_int_equal(rmdir(path), 0);
        }
        assert_int_equal(rmdir(root), 0);
        assert_true(holder_find(root, "x", text, sizeof(text)) < 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_other_process),
                cmocka_unit_test(test_session_name),
        };

        return cmocka_run_group_tests_name("holder", tests, NULL, NULL);
}
