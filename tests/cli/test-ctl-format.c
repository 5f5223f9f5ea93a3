/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Structs into text: numbers, colours, hostile text, and what is left out. */
#include "ctl/format.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "ctl/json.h"

static const Style plain = { .legend = true, .utf8 = true };
static const Style colored = { .legend = true, .utf8 = true, .colors = true };
static const Style ascii = { .legend = true };

static void test_ms(void **state) {
        static const struct {
                uint64_t usec;
                const char *fixed, *brief;
        } cases[] = {
                { 0, "0.000", "0" },
                { 1, "0.001", "0.001" },
                { 100, "0.100", "0.1" },
                { 999999, "999.999", "999.999" },
                { 1000, "1.000", "1" },
                { 1840200, "1840.200", "1840.2" },
                { 10000000, "10000.000", "10000" },
                { UINT64_MAX, "18446744073709551.615", "18446744073709551.615" },
        };
        char buf[32];

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                format_ms(cases[i].usec, buf, sizeof(buf));
                assert_string_equal(buf, cases[i].fixed);
                format_ms_short(cases[i].usec, buf, sizeof(buf));
                assert_string_equal(buf, cases[i].brief);
        }
}

static void test_colors_wanted(void **state) {
        assert_true(colors_wanted(true, NULL, "xterm"));
        assert_true(colors_wanted(true, "", "xterm"));
        assert_false(colors_wanted(true, "1", "xterm"));
        assert_false(colors_wanted(true, "0", "xterm"));
        assert_false(colors_wanted(false, NULL, "xterm"));
        assert_false(colors_wanted(true, NULL, "dumb"));
        assert_false(colors_wanted(true, NULL, NULL));
}

/* An object as the bus layer makes it: no NULL strings. */
static JobInfo job_new(TimelineStep *steps, size_t n) {
        return (JobInfo){
                .path = (char *)"/org/liveupdate1/job/7",
                .number = 7,
                .kind = (char *)"update",
                .state = (char *)"done",
                .step = (char *)"",
                .update_id = (char *)"",
                .code = (char *)"",
                .subject = (char *)"",
                .sentence = (char *)"",
                .from_release = (char *)"",
                .from_version = (char *)"",
                .to_release = (char *)"",
                .to_version = (char *)"",
                .clock = (char *)"",
                .timeline = { steps, n },
        };
}

static void assert_timeline(const JobInfo *job, const Style *style, const char *expected) {
        _cleanup_free_ char *text = NULL;

        assert_int_equal(format_timeline(job, style, &text), 0);
        assert_string_equal(text, expected);
}

static void test_timeline(void **state) {
        TimelineStep steps[] = { { (char *)"prepare-begin", 0, 0 },
                                 { (char *)"frozen", 12500, 0 },
                                 { (char *)"reboot", 12400, 0 }, /* a clock that went back */
                                 { (char *)"finished", 2000000, 0 } };
        JobInfo job = job_new(steps, ELEMENTSOF(steps));

        assert_timeline(&job, &plain,
                        "STEP           AT (ms) TOOK (ms)\n"
                        "prepare-begin    0.000         -\n"
                        "frozen          12.500    12.500\n"
                        "reboot          12.400         -\n"
                        "finished      2000.000  1987.600\n"
                        "Blackout not known\n");
        steps[3].error_usec = 40;
        job.blackout_usec = 1840200;
        job.blackout_error_usec = 100;
        job.clock = (char *)"tsc-invariant";
        assert_timeline(&job, &ascii,
                        "STEP           AT (ms) TOOK (ms) ERROR (ms)\n"
                        "prepare-begin    0.000         -      0.000\n"
                        "frozen          12.500    12.500      0.000\n"
                        "reboot          12.400         -      0.000\n"
                        "finished      2000.000  1987.600      0.040\n"
                        "Blackout 1840.2 ms (from clients-frozen to first-retrieve, +/- 0.1 ms, clock "
                        "tsc-invariant)\n");
        job.timeline.n = 0;
        assert_timeline(&job, &plain, "Job 7 has no timeline.\n");
}

static ManagerInfo manager_new(void) {
        return (ManagerInfo){
                .state = (char *)"freezing",
                .job = (char *)"/",
                .kernel_release = (char *)"7.3.4",
                .kernel_version = (char *)"#1 SMP",
                .notice = (char *)"",
                .version = (char *)"1",
        };
}

static void assert_status(const StatusView *v, const Style *style, const char *expected) {
        _cleanup_free_ char *text = NULL;

        assert_int_equal(format_status(v, style, &text), 0);
        assert_string_equal(text, expected);
}

static void test_status_waiting(void **state) {
        WaitingItem waiting[] = {
                { (char *)"/a", (char *)"vmm-1", (char *)"freeze", (char *)"waiting", (char *)"pausing", 500000,
                  13345678 },
                { (char *)"/b", (char *)"vmm-2", (char *)"freeze", (char *)"waiting", (char *)"", 1000000, 1000000 },
                { (char *)"/c", (char *)"vmm-3", (char *)"freeze", (char *)"waiting", (char *)"", 0, UINT64_MAX },
        };
        ManagerInfo m = manager_new();
        StatusView v = { .manager = &m, .now_usec = 1000000 };

        m.waiting = (WaitingList){ waiting, ELEMENTSOF(waiting) };
        m.cancelable = true;
        m.crash_cancels = true;
        assert_status(&v, &plain,
                      "       State: freezing (cancelable)\n"
                      "      Kernel: 7.3.4 #1 SMP\n"
                      "     Updates: none since the cold boot\n"
                      " Next kernel: none loaded\n"
                      " Waiting for: vmm-1 (freeze: waiting for 0.5 s, 12.3 s left): pausing\n"
                      "              vmm-2 (freeze: waiting, overdue)\n"
                      "              vmm-3 (freeze: waiting)\n"
                      "       Crash: would cancel an update: not all descriptors are in a descriptor store\n");
        m.crash_cancels = false;
        /* Another host's clock is not known: no time left is told. */
        v.now_usec = 0;
        m.waiting.n = 1;
        assert_status(&v, &colored,
                      "       State: \033[33mfreezing\033[0m (cancelable)\n"
                      "      Kernel: 7.3.4 #1 SMP\n"
                      "     Updates: none since the cold boot\n"
                      " Next kernel: none loaded\n"
                      " Waiting for: vmm-1 (freeze: waiting): pausing\n");
}

static void test_status_hostile(void **state) {
        ManagerInfo m = manager_new();
        JobInfo last = job_new(NULL, 0);
        StatusView v = { .manager = &m, .last = &last };

        m.state = (char *)"\033[31mnormal\n";
        m.notice = (char *)"a\rb\033]0;title\007c";
        last.state = (char *)"failed";
        last.code = (char *)"ve\nto";
        last.sentence = (char *)"x\ny";
        assert_status(&v, &plain,
                      "       State: ?[31mnormal?\n"
                      "      Kernel: 7.3.4 #1 SMP\n"
                      "     Updates: none since the cold boot\n"
                      " Next kernel: none loaded\n"
                      "    Last job: 7 update: failed (ve?to) x?y\n"
                      "      Notice: a?b?]0;title?c\n");
}

static void test_tables_hostile(void **state) {
        SessionInfo s = { (char *)"/p", (char *)"a\033[2J\nb", (char *)"incoming", (char *)"lost", 1, 2 };
        SessionList l = { &s, 1 };
        _cleanup_free_ char *text = NULL;

        assert_int_equal(format_sessions(&l, &plain, &text), 0);
        assert_null(strchr(text, '\033'));
        assert_non_null(strstr(text, "1 session.\n"));
        /* One line for headings, one for the session, one empty, one for the count. */
        size_t lines = 0;
        for (const char *p = text; (p = strchr(p, '\n')); p++)
                lines++;
        assert_int_equal(lines, 4);
}

static void test_empty_tables(void **state) {
        const Style bare = { .utf8 = true };
        _cleanup_free_ char *a = NULL, *b = NULL;

        assert_int_equal(format_sessions(&(SessionList){}, &plain, &a), 0);
        assert_string_equal(a, "No sessions.\n");
        assert_int_equal(format_jobs(&(JobSummaryList){}, &bare, &b), 0);
        assert_string_equal(b, "");
}

static void assert_event(const Event *e, const char *expected) {
        _cleanup_free_ char *text = NULL;

        assert_int_equal(format_event(e, &plain, &text), 0);
        assert_string_equal(text, expected);
}

static void test_events(void **state) {
        const uint64_t t = UINT64_C(1790000000123456);

        assert_event(&(Event){ .kind = EVENT_STATE, .time_usec = t, .to = "normal" }, "14:13:20.123 state normal\n");
        assert_event(&(Event){ .kind = EVENT_STATE_CHANGED, .time_usec = t, .from = "frozen", .to = "jumping" },
                     "14:13:20.123 state frozen -> jumping\n");
        assert_event(&(Event){ .kind = EVENT_JOB_NEW, .time_usec = t, .number = 9 }, "14:13:20.123 job 9 new\n");
        assert_event(&(Event){ .kind = EVENT_JOB_REMOVED,
                               .time_usec = t,
                               .number = 9,
                               .result = "failed",
                               .code = "veto",
                               .sentence = "No\nno." },
                     "14:13:20.123 job 9 failed (veto) No?no.\n");
        assert_event(&(Event){ .kind = EVENT_OWNER, .time_usec = t }, "14:13:20.123 liveupdated went\n");
}

static void test_last_ended(void **state) {
        JobSummary items[] = { { .number = 1, .state = (char *)"done" },
                               { .number = 2, .state = (char *)"failed" },
                               { .number = 3, .state = (char *)"running" } };

        assert_null(job_summary_last_ended(&(JobSummaryList){}));
        assert_null(job_summary_last_ended(&(JobSummaryList){ items + 2, 1 }));
        assert_int_equal(job_summary_last_ended(&(JobSummaryList){ items, 3 })->number, 2);
}

static void test_json_numbers(void **state) {
        TimelineStep step = { (char *)"x", UINT64_MAX, UINT64_MAX - 1 };
        JobInfo job = job_new(&step, 1);
        _cleanup_free_ char *text = NULL;

        job.number = UINT64_MAX;
        assert_int_equal(json_to_text(json_timeline(&job), JSON_SHORT, &text), 0);
        assert_string_equal(text, "{\"number\":18446744073709551615,\"update_id\":null,\"timeline\":[{\"step\":\"x\","
                                  "\"at_usec\":18446744073709551615,\"took_usec\":null,"
                                  "\"error_usec\":18446744073709551614}],\"reports\":[],\"blackout_usec\":null,"
                                  "\"blackout_error_usec\":null,\"clock\":null}\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ms),
                cmocka_unit_test(test_colors_wanted),
                cmocka_unit_test(test_timeline),
                cmocka_unit_test(test_status_waiting),
                cmocka_unit_test(test_status_hostile),
                cmocka_unit_test(test_tables_hostile),
                cmocka_unit_test(test_empty_tables),
                cmocka_unit_test(test_events),
                cmocka_unit_test(test_last_ended),
                cmocka_unit_test(test_json_numbers),
        };

        (void)setenv("TZ", "UTC", true);
        (void)setlocale(LC_ALL, "C.UTF-8");
        return cmocka_run_group_tests_name("ctl-format", tests, NULL, NULL);
}
