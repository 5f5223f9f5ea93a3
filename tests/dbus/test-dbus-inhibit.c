/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * logind's lock, with a mock of logind on the bus: there from PREPARE on, gone with the
 * cancel, and nothing is missing without logind.
 *
 * Nothing is waited for: the bus keeps the order of messages, so a question to the mock
 * that is sent after a job's end comes after what the daemon has sent before that.
 */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define LOGIND "org.freedesktop.login1"
#define LOGIND_PATH "/org/freedesktop/login1"
#define LOGIND_INTERFACE "org.freedesktop.login1.Manager"
#define MOCK_INTERFACE "org.liveupdate1.test"

static Rig rig;
static pid_t logind;

typedef struct Mock {
        int reader;                 /* the other end of the lock */
        unsigned n_asked, refusals; /* the next so many are refused */
        unsigned awaited;
        sd_bus_message *waiting; /* is answered when `awaited` were asked for */
        char text[512];
} Mock;

static void answer_waiting(Mock *m) {
        if (!m->waiting || m->n_asked < m->awaited)
                return;
        (void)sd_bus_reply_method_return(m->waiting, "");
        m->waiting = sd_bus_message_unref(m->waiting);
}

static int inhibit(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const char *what, *who, *why, *mode;
        Mock *m = userdata;
        int ends[2];

        if (sd_bus_message_read(call, "ssss", &what, &who, &why, &mode) < 0 || pipe2(ends, O_CLOEXEC) < 0)
                _exit(3);
        snprintf(m->text, sizeof(m->text), "%s:%s:%s: %s", what, who, mode, why);
        m->n_asked++;
        m->reader = fd_close(m->reader);
        int r;
        if (m->refusals > 0) {
                m->refusals--;
                r = sd_bus_reply_method_errorf(call, "org.freedesktop.DBus.Error.LimitsExceeded", "no more locks");
                (void)close(ends[0]);
        } else {
                r = sd_bus_reply_method_return(call, "h", ends[1]);
                m->reader = ends[0];
        }
        (void)close(ends[1]);
        answer_waiting(m);
        return r;
}

static int wait_asked(sd_bus_message *call, void *userdata) {
        Mock *m = userdata;

        int r = sd_bus_message_read(call, "u", &m->awaited);
        if (r >= 0)
                m->waiting = sd_bus_message_ref(call);
        answer_waiting(m);
        return r;
}

static int held(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Mock *m = userdata;
        struct pollfd p = { .fd = m->reader, .events = POLLIN };
        bool is = m->reader >= 0 && poll(&p, 1, 0) == 0;

        return sd_bus_reply_method_return(call, "bus", is, m->n_asked, m->text);
}

static int on_call(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        if (sd_bus_message_is_method_call(call, LOGIND_INTERFACE, "Inhibit") > 0)
                return inhibit(call, userdata, error);
        if (sd_bus_message_is_method_call(call, MOCK_INTERFACE, "Held") > 0)
                return held(call, userdata, error);
        if (sd_bus_message_is_method_call(call, MOCK_INTERFACE, "WaitAsked") > 0)
                return wait_asked(call, userdata);
        return 0;
}

static void start_logind_that_refuses(unsigned refusals) {
        int ready[2];
        char byte;

        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        logind = fork();
        assert_true(logind >= 0);
        if (logind == 0) {
                Mock m = { .reader = -1, .refusals = refusals };
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                sd_bus *bus = rig_connect(&rig);
                if (sd_bus_add_object(bus, NULL, LOGIND_PATH, on_call, &m) < 0 ||
                    sd_bus_request_name(bus, LOGIND, 0) < 0 || write(ready[1], "", 1) != 1)
                        _exit(2);
                for (;;) {
                        int n = sd_bus_process(bus, NULL);
                        if (n < 0 || (n == 0 && sd_bus_wait(bus, UINT64_MAX) < 0))
                                _exit(0);
                }
        }
        (void)close(ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        (void)close(ready[0]);
}

static void start_logind(void) {
        start_logind_that_refuses(0);
}

static int set_up(void **state) {
        rig_start(&rig, "FAKE_LIVEUPDATED", RIG_ALLOW_ALL);
        return 0;
}

static int tear_down(void **state) {
        if (logind > 0) {
                (void)kill(logind, SIGKILL);
                (void)waitpid(logind, NULL, 0);
        }
        logind = 0;
        return rig_stop(&rig);
}

static void assert_held(bool wanted, unsigned n_asked) {
        sd_bus_message *reply = NULL;
        const char *text;
        uint32_t n;
        int is;

        assert_true(sd_bus_call_method(rig.bus, LOGIND, LOGIND_PATH, MOCK_INTERFACE, "Held", NULL, &reply, "") >= 0);
        assert_true(sd_bus_message_read(reply, "bus", &is, &n, &text) > 0);
        assert_int_equal(is, wanted);
        assert_int_equal(n, n_asked);
        if (n > 0)
                assert_non_null(strstr(text, "shutdown:liveupdated:block: A live update is prepared: "
                                             "'liveupdatectl cancel'"));
        sd_bus_message_unref(reply);
}

static void run_job(const char *member) {
        const JobEnd *end = rig_job_end(&rig, expect_job(rig.bus, MANAGER, member, "a{sv}", 0));

        assert_string_equal(end->result, "done");
}

static void load_kernel(void) {
        _cleanup_close_ int kernel = text_file("a kernel"), initrd = text_file("");

        const char *job = expect_job(rig.bus, MANAGER, "LoadKernel", "hhsa{sv}", kernel, initrd, "quiet", 0);
        assert_string_equal(rig_job_end(&rig, job)->result, "done");
}

static void test_held_while_under_way(void **state) {
        start_logind();
        load_kernel();
        assert_held(false, 0);
        run_job("Prepare");
        assert_held(true, 1);
        run_job("Freeze");
        assert_held(true, 1);
        run_job("Cancel");
        assert_held(false, 1);
        run_job("Prepare");
        assert_held(true, 2);
        run_job("Cancel");
        assert_held(false, 2);
}

static void test_without_logind(void **state) {
        load_kernel();
        run_job("Prepare");
        run_job("Cancel");
}

/* Returns when logind was asked for the n-th time. */
static void wait_asked_for(unsigned n) {
        assert_true(sd_bus_call_method(rig.bus, LOGIND, LOGIND_PATH, MOCK_INTERFACE, "WaitAsked", NULL, NULL, "u",
                                       n) >= 0);
}

static void test_refused_at_first(void **state) {
        start_logind_that_refuses(2);
        load_kernel();
        run_job("Prepare");
        wait_asked_for(3);
        assert_held(true, 3);
        run_job("Cancel");
        assert_held(false, 3);
}

static void test_absent_at_first(void **state) {
        load_kernel();
        run_job("Prepare");
        start_logind();
        wait_asked_for(1);
        assert_held(true, 1);
        run_job("Cancel");
        assert_held(false, 1);
}

static int set_up_without(void **state) {
        rig_start_with(&rig, "FAKE_LIVEUPDATED", RIG_ALLOW_ALL, "[Update]\nInhibit=no\n");
        return 0;
}

static void test_switched_off(void **state) {
        start_logind();
        load_kernel();
        run_job("Prepare");
        assert_held(false, 0);
        run_job("Cancel");
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_held_while_under_way, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_without_logind, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_refused_at_first, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_absent_at_first, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_switched_off, set_up_without, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
