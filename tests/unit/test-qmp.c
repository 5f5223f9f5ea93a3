/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The monitor's client against scripted answers: the other end of a socketpair is filled
 * before the call, since each call knows which id it will have.
 */
/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <json-c/json.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "qemu/qmp.h"
#include "qemu/vm.h"

#define TIMEOUT (50 * USEC_PER_MSEC)
#define GREETING                                                                                               \
        "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, \"package\": \"\"}, " \
        "\"capabilities\": []}}\r\n"

typedef struct Rig {
        Qmp qmp;
        int peer;
} Rig;

static void say(Rig *rig, const char *text) {
        assert_int_equal(send(rig->peer, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static int set_up(void **state) {
        static Rig rig;
        _cleanup_free_ char *version = NULL;
        int fds[2];
        Problem p;

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        rig.peer = fds[1];
        say(&rig, GREETING "{\"return\": {}, \"id\": 1}\r\n");
        assert_int_equal(qmp_open(&rig.qmp, fds[0], TIMEOUT, &version, &p), 0);
        assert_string_equal(version, "7.2.22");
        char asked[128];
        assert_true(recv(rig.peer, asked, sizeof(asked), 0) > 0);
        *state = &rig;
        return 0;
}

static int tear_down(void **state) {
        Rig *rig = *state;

        qmp_close(&rig->qmp);
        fd_close(rig->peer);
        return 0;
}

static void test_answers(void **state) {
        Rig *rig = *state;
        Problem p;

        /* An event and a late answer come first. */
        say(rig, "{\"event\": \"STOP\", \"timestamp\": {}}\r\n{\"return\": 1, \"id\": 1}\r\n"
                 "{\"return\": {\"running\": true}, \"id\": 2}\r\n");
        assert_int_equal(vm_running(&rig->qmp, &p), 1);
}

static void test_refusal(void **state) {
        Rig *rig = *state;
        Problem p;

        say(rig, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no such thing\"}, \"id\": 2}\r\n");
        assert_int_equal(qmp_call(&rig->qmp, "stop", NULL, -1, TIMEOUT, NULL, &p), -EREMOTEIO);
        assert_non_null(strstr(p.text, "no such thing"));
}

static void test_silence(void **state) {
        Rig *rig = *state;
        Problem p;

        assert_int_equal(qmp_call(&rig->qmp, "stop", NULL, -1, TIMEOUT, NULL, &p), -ETIMEDOUT);
        /* The late answer is no answer to the next call. */
        say(rig, "{\"return\": {}, \"id\": 2}\r\n{\"error\": {\"desc\": \"late\"}, \"id\": 3}\r\n");
        assert_int_equal(qmp_call(&rig->qmp, "cont", NULL, -1, TIMEOUT, NULL, &p), -EREMOTEIO);
}

static void test_end(void **state) {
        Rig *rig = *state;
        Problem p;

        say(rig, "{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": true}}\r\n");
        rig->peer = fd_close(rig->peer);
        assert_int_equal(qmp_drain(&rig->qmp, &p), -EPIPE);
        assert_true(rig->qmp.shutdown);
        assert_int_equal(qmp_call(&rig->qmp, "stop", NULL, -1, TIMEOUT, NULL, &p), -EPIPE);
}

static void test_nonsense(void **state) {
        Rig *rig = *state;
        Problem p;

        say(rig, "[1, 2]\r\n");
        assert_int_equal(qmp_call(&rig->qmp, "stop", NULL, -1, TIMEOUT, NULL, &p), -EBADMSG);
}

static void test_save(void **state) {
        Rig *rig = *state;
        _cleanup_close_ int fd = dup(rig->peer);
        Problem p;

        say(rig, "{\"return\": {}, \"id\": 2}\r\n{\"return\": {}, \"id\": 3}\r\n"
                 "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"setup\"}}\r\n"
                 "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"active\"}}\r\n"
                 "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"completed\"}}\r\n");
        assert_int_equal(vm_save(&rig->qmp, "7.2.22", fd, TIMEOUT, &p), 0);
        say(rig, "{\"return\": {}, \"id\": 4}\r\n{\"return\": {}, \"id\": 5}\r\n"
                 "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"failed\"}}\r\n"
                 "{\"return\": {\"status\": \"failed\", \"error-desc\": \"disk full\"}, \"id\": 6}\r\n");
        assert_int_equal(vm_save(&rig->qmp, "7.2.22", fd, TIMEOUT, &p), -EINVAL);
        assert_string_equal(p.code, "save-failed");
        assert_non_null(strstr(p.text, "disk full"));
}

static int alarm_peer;

static void on_alarm(int number) {
        static const char text[] = "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"completed\"}}\r\n";

        (void)number;
        (void)!write(alarm_peer, text, sizeof(text) - 1);
}

/* FreezeTimeoutSec=0: the deadline is the end of time, and must not come round to now. */
static void test_no_deadline(void **state) {
        const struct itimerval soon = { .it_value = { .tv_usec = 20 * 1000 } };
        Rig *rig = *state;
        Problem p;

        alarm_peer = rig->peer;
        assert_int_not_equal((intptr_t)signal(SIGALRM, on_alarm), (intptr_t)SIG_ERR);
        assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
        assert_int_equal(qmp_wait_migration(&rig->qmp, "", UINT64_MAX - 1, &p), 0);
        assert_string_equal(rig->qmp.migration, "completed");
}

/* A QEMU whose save does not come to its end by itself, as when the device state is large and
 * the deadline near. As QEMU 7.2 does it: a guest may be let run meanwhile, and is stopped when
 * the save ends; at the very end of it QEMU refuses that for a moment. */
typedef struct SlowQemu {
        int fd;
        bool saving, running;
        unsigned refusals; /* to come */
} SlowQemu;

static void answer(const SlowQemu *q, json_object *id, const char *format) {
        char text[512];

        int n = snprintf(text, sizeof(text), format, json_object_to_json_string(id));
        assert_int_equal(send(q->fd, text, (size_t)n, MSG_NOSIGNAL), n);
}

static void obey(SlowQemu *q, const char *command, json_object *id) {
        if (streq(command, "migrate"))
                q->saving = true;
        if (streq(command, "migrate_cancel")) {
                q->saving = false;
                answer(q, id,
                       "{\"return\": {}, \"id\": %s}\r\n"
                       "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"cancelling\"}}\r\n");
        } else if (streq(command, "query-migrate"))
                answer(q, id,
                       "{\"return\": {\"status\": \"cancelling\"}, \"id\": %s}\r\n"
                       "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"cancelled\"}}\r\n");
        else if (streq(command, "cont") && q->refusals > 0) {
                q->refusals--;
                answer(q, id, "{\"error\": {\"desc\": \"Migration is not finalized yet\"}, \"id\": %s}\r\n");
        } else {
                q->running |= streq(command, "cont");
                answer(q, id, "{\"return\": {}, \"id\": %s}\r\n");
        }
}

static void *run_slow(void *userdata) {
        SlowQemu *q = userdata;
        json_object *o, *command, *id;
        char text[512];
        ssize_t n;

        /* One command a message: the next one waits for the answer. */
        while ((n = recv(q->fd, text, sizeof(text) - 1, 0)) > 0) {
                text[n] = '\0';
                o = json_tokener_parse(text);
                if (json_object_object_get_ex(o, "execute", &command) && json_object_object_get_ex(o, "id", &id))
                        obey(q, json_object_get_string(command), id);
                json_object_put(o);
        }
        if (q->saving)
                q->running = false;
        return NULL;
}

static void test_save_too_late(void **state) {
        Rig *rig = *state;
        SlowQemu slow = { .fd = rig->peer, .refusals = 3 };
        pthread_t thread;
        Problem p;

        _cleanup_close_ int fd = memfd_create("state", MFD_CLOEXEC);
        assert_int_equal(pthread_create(&thread, NULL, run_slow, &slow), 0);
        assert_int_equal(vm_save(&rig->qmp, "7.2.22", fd, TIMEOUT, &p), -ETIMEDOUT);
        assert_int_equal(vm_cont(&rig->qmp, &p), 0);
        assert_int_equal(shutdown(rig->qmp.fd, SHUT_WR), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_true(slow.running);
}

/* One that will not, for good, is not asked for ever. */
static void test_cont_refused(void **state) {
        Rig *rig = *state;
        SlowQemu slow = { .fd = rig->peer, .refusals = UINT_MAX };
        pthread_t thread;
        Problem p;

        assert_int_equal(pthread_create(&thread, NULL, run_slow, &slow), 0);
        assert_int_equal(vm_cont(&rig->qmp, &p), -EREMOTEIO);
        assert_non_null(strstr(p.text, "not finalized"));
        assert_int_equal(shutdown(rig->qmp.fd, SHUT_WR), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
}

static void test_check(void **state) {
        Rig *rig = *state;
        Spec spec = { .ram_size = 4096 };
        Problem p;

        say(rig, "{\"return\": {\"blocked-reasons\": [\"9p is mounted\"]}, \"id\": 2}\r\n");
        assert_int_equal(vm_check(&rig->qmp, &spec, &p), -EINVAL);
        assert_string_equal(p.code, "blocked");
        say(rig, "{\"return\": {}, \"id\": 3}\r\n{\"return\": [{\"share\": false, \"size\": 4096}], \"id\": 4}\r\n");
        assert_int_equal(vm_check(&rig->qmp, &spec, &p), -EINVAL);
        assert_string_equal(p.code, "memory-private");
        say(rig, "{\"return\": {}, \"id\": 5}\r\n{\"return\": [{\"share\": true, \"size\": 8192}], \"id\": 6}\r\n");
        assert_int_equal(vm_check(&rig->qmp, &spec, &p), -EINVAL);
        assert_string_equal(p.code, "memory-size");
        say(rig, "{\"return\": {}, \"id\": 7}\r\n{\"return\": [{\"share\": true, \"size\": 4096}], \"id\": 8}\r\n"
                 "{\"return\": [{\"name\": \"d\", \"type\": \"child<edu>\"}], \"id\": 9}\r\n{\"return\": [], \"id\": "
                 "10}\r\n");
        assert_int_equal(vm_check(&rig->qmp, &spec, &p), -EINVAL);
        assert_string_equal(p.code, "hot-plugged");
        say(rig,
            "{\"return\": {}, \"id\": 11}\r\n"
            "{\"return\": [{\"share\": true, \"size\": 4096}, {\"share\": true, \"size\": 4096}], \"id\": 12}\r\n");
        assert_int_equal(vm_check(&rig->qmp, &spec, &p), -EINVAL);
        assert_string_equal(p.code, "memory-several");
}

/* A machine that is adopted has the devices of its command line. */
static void test_plugged(void **state) {
        Rig *rig = *state;
        Problem p;

        say(rig, "{\"return\": [{\"name\": \"type\", \"type\": \"string\"}, {\"name\": \"d\", \"type\": "
                 "\"child<edu>\"}], \"id\": 2}\r\n{\"return\": false, \"id\": 3}\r\n{\"return\": [], \"id\": 4}\r\n");
        assert_int_equal(vm_started_with(&rig->qmp, &p), 0);
        say(rig, "{\"return\": [], \"id\": 5}\r\n{\"return\": [{\"name\": \"device[0]\", \"type\": "
                 "\"child<e1000e>\"}], \"id\": 6}\r\n{\"return\": true, \"id\": 7}\r\n");
        assert_int_equal(vm_started_with(&rig->qmp, &p), -EINVAL);
        assert_string_equal(p.code, "hot-plugged");
        assert_non_null(strstr(p.text, "/machine/peripheral-anon/device[0]"));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_answers),     TEST(test_refusal),       TEST(test_silence),      TEST(test_end),
                TEST(test_nonsense),    TEST(test_save),          TEST(test_check),        TEST(test_plugged),
                TEST(test_no_deadline), TEST(test_save_too_late), TEST(test_cont_refused),
        };
        return cmocka_run_group_tests_name("qmp", tests, NULL, NULL);
}
