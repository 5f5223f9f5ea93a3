/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which error becomes which exit status and code, and the composition of command lines. */
#include "ctl/failure.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "ctl/cmdline.h"

static void test_codes(void **state) {
        static const struct {
                const char *name, *code;
        } cases[] = {
                { "org.liveupdate1.Error.ImageLuoAbi", "image-luo-abi" },
                { "org.liveupdate1.Error.Veto", "veto" },
                { "org.liveupdate1.Error.NoSuchSession", "no-such-session" },
                { "org.freedesktop.DBus.Error.LimitsExceeded", "limits-exceeded" },
                { "Bare", "bare" },
                { "a.b.", "" },
                { "", "" },
        };
        char buf[64];

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                code_from_error_name(cases[i].name, buf, sizeof(buf));
                assert_string_equal(buf, cases[i].code);
        }
        /* Cut, and never with a dash at the end that stands for nothing. */
        code_from_error_name("x.AbCdEf", buf, 4);
        assert_string_equal(buf, "ab");
        code_from_error_name("x.AbCdEf", buf, 5);
        assert_string_equal(buf, "ab-c");
        code_from_error_name("x.AbCdEf", buf, 1);
        assert_string_equal(buf, "");
}

static void test_statuses(void **state) {
        static const struct {
                const char *name;
                int exit_status;
                const char *code;
        } cases[] = {
                { "org.freedesktop.DBus.Error.AccessDenied", EXIT_CTL_DENIED, "not-authorised" },
                { "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", EXIT_CTL_DENIED, "not-authorised" },
                { "org.freedesktop.DBus.Error.ServiceUnknown", EXIT_CTL_UNREACHABLE, "daemon-unreachable" },
                { "org.freedesktop.DBus.Error.NoReply", EXIT_CTL_UNREACHABLE, "daemon-unreachable" },
                { "org.freedesktop.DBus.Error.Spawn.ChildExited", EXIT_CTL_UNREACHABLE, "daemon-unreachable" },
                { "org.freedesktop.DBus.Error.Spawnage", EXIT_CTL_FAILED, "spawnage" },
                { "org.freedesktop.systemd1.NoSuchUnit", EXIT_CTL_UNREACHABLE, "daemon-unreachable" },
                { "org.liveupdate1.Error.WrongState", EXIT_CTL_FAILED, "wrong-state" },
                { "org.liveupdate1.Error.Cancelled", EXIT_CTL_CANCELLED, "cancelled" },
                { "com.example.Cancelled", EXIT_CTL_FAILED, "cancelled" },
                { "org.freedesktop.DBus.Error.InvalidArgs", EXIT_CTL_FAILED, "invalid-args" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Failure f;
                failure_from_error(&f, cases[i].name, "Because.", NULL);
                assert_int_equal(f.exit_status, cases[i].exit_status);
                assert_string_equal(f.code, cases[i].code);
                assert_non_null(strstr(f.sentence, "Because"));
        }
}

static void test_texts(void **state) {
        char buf[512];
        Failure f;

        failure_from_error(&f, "org.freedesktop.DBus.Error.ServiceUnknown", "Not there.", NULL);
        failure_format(&f, buf, sizeof(buf));
        assert_string_equal(buf, "liveupdated cannot be reached (Not there). Start it with 'systemctl start "
                                 "liveupdate'.");
        failure_from_error(&f, "org.freedesktop.DBus.Error.ServiceUnknown", NULL, "host");
        failure_format(&f, buf, sizeof(buf));
        assert_string_equal(buf, "liveupdated cannot be reached on host (org.freedesktop.DBus.Error.ServiceUnknown). "
                                 "Start it with 'systemctl start liveupdate' there.");
        assert_int_equal(failure_from_errno(&f, -ENOMEM, "This cannot be done", NULL), -ENOMEM);
        assert_int_equal(f.exit_status, EXIT_CTL_FAILED);
        assert_string_equal(f.sentence, "This cannot be done: Cannot allocate memory.");
        failure_from_errno(&f, -EACCES, "The bus cannot be reached", NULL);
        assert_int_equal(f.exit_status, EXIT_CTL_DENIED);
        failure_from_errno(&f, -ECONNREFUSED, "The bus cannot be reached", "host");
        assert_int_equal(f.exit_status, EXIT_CTL_UNREACHABLE);
        assert_non_null(strstr(f.sentence, "on host"));
        /* Control characters from the other side do not reach the terminal. */
        failure_from_error(&f, "org.liveupdate1.Error.Veto", "a\033[2Jb\nc", NULL);
        failure_format(&f, buf, sizeof(buf));
        assert_string_equal(buf, "a?[2Jb?c");
}

static void test_jobs(void **state) {
        char buf[512];
        Failure f;

        failure_from_job(&f, 7, "update", "failed", "veto", "vmm", "No.");
        failure_format(&f, buf, sizeof(buf));
        assert_string_equal(buf, "Job 7 (update) failed: vmm: No.");
        assert_int_equal(f.exit_status, EXIT_CTL_FAILED);
        assert_string_equal(f.subject, "vmm");
        /* The subject is in the sentence already. */
        failure_from_job(&f, 7, "update", "failed", "veto", "vmm", "vmm: No.");
        failure_format(&f, buf, sizeof(buf));
        assert_string_equal(buf, "Job 7 (update) failed: vmm: No.");
        /* Something else that begins alike. */
        failure_from_job(&f, 7, "update", "failed", "veto", "vmm", "vmms: No.");
        failure_format(&f, buf, sizeof(buf));
        assert_string_equal(buf, "Job 7 (update) failed: vmm: vmms: No.");
        failure_from_job(&f, 8, "freeze", "cancelled", "", NULL, "");
        failure_format(&f, buf, sizeof(buf));
        assert_string_equal(buf, "Job 8 (freeze) was cancelled: The daemon gave no reason; see its journal.");
        assert_int_equal(f.exit_status, EXIT_CTL_CANCELLED);
        assert_string_equal(f.code, "cancelled");
        failure_format(&f, buf, 6);
        assert_string_equal(buf, "Job 8");
}

static void test_cmdline(void **state) {
        static const struct {
                const char *running, *append, *result;
        } cases[] = {
                { "a b\n", NULL, "a b" },
                { "a b\n", "", "a b" },
                { "a b\n", "c", "a b c" },
                { "a b \n", "c d", "a b c d" },
                { "a b c\n", "c", "a b c" },
                { "a b c d\n", "c d", "a b c d" },
                /* Only as whole words, only at the end. */
                { "a bc\n", "c", "a bc c" },
                { "c a\n", "c", "c a c" },
                { "c\n", "c", "c" },
                { "\n", "c", "c" },
                { "", NULL, "" },
                { "c", "longer than what is there", "c longer than what is there" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *s = cmdline_compose(cases[i].running, cases[i].append);
                assert_non_null(s);
                assert_string_equal(s, cases[i].result);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_codes), cmocka_unit_test(test_statuses), cmocka_unit_test(test_texts),
                cmocka_unit_test(test_jobs),  cmocka_unit_test(test_cmdline),
        };

        return cmocka_run_group_tests_name("ctl-failure", tests, NULL, NULL);
}
