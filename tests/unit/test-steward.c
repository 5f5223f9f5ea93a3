/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Steward and daemon, the steward in a thread; what is handed over are memfds. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/fd.h"
#include "sys/steward.h"

enum { MANY = 150 };

static char name[64];
static int listen_fd, kept[MANY];

static void *steward(void *userdata) {
        return (void *)(intptr_t)steward_serve(listen_fd, kept, (size_t)(intptr_t)userdata);
}

static pthread_t start(size_t n) {
        pthread_t thread;

        (void)snprintf(name, sizeof(name), "test-steward-%ld", (long)getpid());
        assert_int_equal(steward_listen(name, &listen_fd), 0);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(memfd_new("session", 4096 + i, &kept[i]), 0);
        assert_int_equal(pthread_create(&thread, NULL, steward, (void *)(intptr_t)n), 0);
        return thread;
}

static void end(pthread_t thread, size_t n) {
        void *result;

        assert_int_equal(pthread_join(thread, &result), 0);
        assert_int_equal((intptr_t)result, 0);
        listen_fd = fd_close(listen_fd);
        for (size_t i = 0; i < n; i++)
                kept[i] = fd_close(kept[i]);
}

static void collect(size_t want, int *ret_connection) {
        int fds[STEWARD_SESSIONS_MAX];
        struct stat a, b;
        size_t n = 0;

        assert_int_equal(steward_collect(name, ret_connection, fds, &n), 0);
        assert_int_equal(n, want);
        for (size_t i = 0; i < n; i++) {
                assert_int_equal(fstat(fds[i], &a), 0);
                assert_int_equal(fstat(kept[i], &b), 0);
                assert_true(a.st_ino == b.st_ino);
                assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
                fd_close(fds[i]);
        }
}

static void test_nobody(void **state) {
        int fds[STEWARD_SESSIONS_MAX], connection = -1;
        size_t n = 7;

        assert_int_equal(steward_collect("test-steward-nobody", &connection, fds, &n), -ENOENT);
        assert_int_equal(connection, -1);
        assert_int_equal(n, 7);
}

static void test_hand_over(void **state) {
        pthread_t thread = start(3);
        int connection;

        collect(3, &connection);
        assert_int_equal(steward_dismiss(connection), 0);
        end(thread, 3);
        fd_close(connection);
}

/* More than fit into one message. */
static void test_many(void **state) {
        pthread_t thread = start(MANY);
        int connection;

        collect(MANY, &connection);
        assert_int_equal(steward_dismiss(connection), 0);
        end(thread, MANY);
        fd_close(connection);
}

/* A daemon that dies before all is safe: the next one gets all of it again. */
static void test_again(void **state) {
        pthread_t thread = start(2);
        int connection;

        for (unsigned i = 0; i < 3; i++) {
                collect(2, &connection);
                fd_close(connection);
        }
        collect(2, &connection);
        assert_int_equal(steward_dismiss(connection), 0);
        end(thread, 2);
        fd_close(connection);
}

static void test_one_steward(void **state) {
        pthread_t thread = start(1);
        int second = -1, connection;

        assert_int_equal(steward_listen(name, &second), -EADDRINUSE);
        collect(1, &connection);
        assert_int_equal(steward_dismiss(connection), 0);
        end(thread, 1);
        fd_close(connection);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nobody), cmocka_unit_test(test_hand_over),   cmocka_unit_test(test_many),
                cmocka_unit_test(test_again),  cmocka_unit_test(test_one_steward),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
