/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keeper, as a process of its own: does it have what it was given, and when does it
 * let go? A pipe tells: its reader sees the end only when nobody has the writer any more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "common/fd.h"
#include "sys/keeper.h"

#define PATIENCE (20 * USEC_PER_SEC)

typedef struct Rig {
        char dir[64];
        int dir_fd, listen_fd, fd, reader;
        pid_t keeper;
} Rig;

static void start(Rig *rig, int n) {
        char path[128];
        int ends[2], fds[400];

        snprintf(rig->dir, sizeof(rig->dir), "/tmp/keeper-XXXXXX");
        assert_non_null(mkdtemp(rig->dir));
        rig->dir_fd = open(rig->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(keeper_listen(rig->dir_fd, &rig->listen_fd), 0);
        snprintf(path, sizeof(path), "%s/" KEEPER_SOCKET, rig->dir);
        rig->keeper = fork();
        assert_true(rig->keeper >= 0);
        if (rig->keeper == 0)
                _exit(keeper_serve(path) == 0 ? 0 : 1);
        assert_int_equal(keeper_accept(rig->listen_fd, PATIENCE, &rig->fd), 0);
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        rig->reader = ends[0];
        for (int i = 0; i < n; i++)
                fds[i] = ends[1];
        assert_int_equal(keeper_give(rig->fd, fds, (size_t)n, PATIENCE), 0);
        (void)close(ends[1]);
}

static bool at_end(const Rig *rig, int timeout) {
        struct pollfd p = { .fd = rig->reader, .events = POLLIN };

        return poll(&p, 1, timeout) == 1 && (p.revents & POLLHUP);
}

static void stop(Rig *rig) {
        (void)unlinkat(rig->dir_fd, KEEPER_SOCKET, 0);
        (void)rmdir(rig->dir);
        fd_close(rig->fd);
        fd_close(rig->listen_fd);
        fd_close(rig->dir_fd);
        fd_close(rig->reader);
}

static void test_lets_go(void **state) {
        Rig rig;
        int status;

        start(&rig, 300); /* more than one message takes */
        assert_false(at_end(&rig, 0));
        rig.fd = fd_close(rig.fd);
        assert_int_equal(waitpid(rig.keeper, &status, 0), rig.keeper);
        assert_int_equal(status, 0);
        assert_true(at_end(&rig, 20000));
        stop(&rig);
}

static void test_stays(void **state) {
        Rig rig;

        start(&rig, 1);
        assert_int_equal(keeper_stay(rig.fd, PATIENCE), 0);
        rig.fd = fd_close(rig.fd);
        /* Nothing can be waited for that does not happen; this is to be seen, not proved. */
        assert_false(at_end(&rig, 50));
        assert_int_equal(waitpid(rig.keeper, NULL, WNOHANG), 0);
        assert_int_equal(kill(rig.keeper, SIGKILL), 0);
        assert_int_equal(waitpid(rig.keeper, NULL, 0), rig.keeper);
        assert_true(at_end(&rig, 20000));
        stop(&rig);
}

static void test_dead_keeper(void **state) {
        Rig rig;

        start(&rig, 1);
        assert_int_equal(kill(rig.keeper, SIGKILL), 0);
        assert_int_equal(waitpid(rig.keeper, NULL, 0), rig.keeper);
        assert_true(keeper_stay(rig.fd, PATIENCE) < 0);
        stop(&rig);
}

static void test_nobody_comes(void **state) {
        char dir[] = "/tmp/keeper-XXXXXX";
        int dir_fd, listen_fd, fd = -1;

        assert_non_null(mkdtemp(dir));
        dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(keeper_listen(dir_fd, &listen_fd), 0);
        assert_int_equal(keeper_accept(listen_fd, 10 * USEC_PER_MSEC, &fd), -ETIMEDOUT);
        assert_int_equal(fd, -1);
        fd_close(listen_fd);
        assert_int_equal(keeper_listen(dir_fd, &listen_fd), 0); /* over what was left there */
        (void)unlinkat(dir_fd, KEEPER_SOCKET, 0);
        fd_close(listen_fd);
        fd_close(dir_fd);
        (void)rmdir(dir);
        assert_int_equal(keeper_serve("/nonexistent/keeper"), -ENOENT);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lets_go),
                cmocka_unit_test(test_stays),
                cmocka_unit_test(test_dead_keeper),
                cmocka_unit_test(test_nobody_comes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
