/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Telling a guest agent to set the clock: one that does, one that cannot, and none. */
/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "qemu/agent.h"

#define LONG_USEC (10 * USEC_PER_SEC)
#define SHORT_USEC (20 * USEC_PER_MSEC)

typedef struct Agent {
        char dir[32], path[64];
        int fd;
        const char *answer; /* NULL: hangs up; "": says nothing until the other end does */
        char asked[128];
        pthread_t thread;
} Agent;

static void *serve(void *userdata) {
        Agent *a = userdata;
        _cleanup_close_ int fd = accept(a->fd, NULL, NULL);
        ssize_t n = fd < 0 ? -1 : recv(fd, a->asked, sizeof(a->asked) - 1, 0);

        if (n > 0 && a->answer && *a->answer)
                (void)send(fd, a->answer, strlen(a->answer), MSG_NOSIGNAL);
        else if (n > 0 && a->answer)
                (void)recv(fd, &n, sizeof(n), 0);
        return NULL;
}

static int set_up(void **state) {
        static Agent a;
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        a = (Agent){ .dir = "/tmp/agent-XXXXXX" };
        assert_non_null(mkdtemp(a.dir));
        snprintf(a.path, sizeof(a.path), "%s/socket", a.dir);
        strcpy(address.sun_path, a.path);
        a.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(a.fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(a.fd, 1), 0);
        *state = &a;
        return 0;
}

static int tear_down(void **state) {
        Agent *a = *state;

        fd_close(a->fd);
        (void)unlink(a->path);
        return rmdir(a->dir);
}

static int ask(Agent *a, const char *answer, uint64_t timeout_usec) {
        a->answer = answer;
        assert_int_equal(pthread_create(&a->thread, NULL, serve, a), 0);
        int r = agent_set_time(a->path, timeout_usec);
        assert_int_equal(pthread_join(a->thread, NULL), 0);
        return r;
}

static void sets(void **state) {
        Agent *a = *state;

        assert_int_equal(ask(a, "{\"return\": {}}\n", LONG_USEC), 0);
        /* Without a time: the guest reads its real-time clock, which did not stand still. */
        assert_string_equal(a->asked, "{\"execute\":\"guest-set-time\"}\n");
}

static void cannot(void **state) {
        assert_int_equal(ask(*state, "{\"error\": {\"class\": \"CommandNotFound\"}}\n", LONG_USEC), -EREMOTEIO);
}

static void hangs_up(void **state) {
        assert_int_equal(ask(*state, NULL, LONG_USEC), -EPIPE);
}

static void is_silent(void **state) {
        assert_int_equal(ask(*state, "", SHORT_USEC), -ETIMEDOUT);
}

static void is_not_there(void **state) {
        char path[200];

        assert_int_equal(agent_set_time("/nonexistent/agent", LONG_USEC), -ENOENT);
        memset(path, 'a', sizeof(path) - 1);
        path[sizeof(path) - 1] = '\0';
        assert_int_equal(agent_set_time(path, LONG_USEC), -ENAMETOOLONG);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(sets), TEST(cannot), TEST(hangs_up), TEST(is_silent), TEST(is_not_there),
        };
        return cmocka_run_group_tests_name("qemu-agent", tests, NULL, NULL);
}
