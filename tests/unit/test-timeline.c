/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/timeline.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define GHZ UINT64_C(1000000000)

static Timeline make(ClockKind clock, uint64_t hz, uint64_t ppb) {
        Timeline t;

        memset(&t, 0xff, sizeof(t));
        timeline_init(&t, clock, hz, ppb, 42);
        return t;
}

static void a_new_page(void **state) {
        Timeline t = make(CLOCK_KIND_TSC_INVARIANT, 3 * GHZ, 100), back;

        assert_memory_equal(&t.magic, "TIMELINE", 8);
        assert_int_equal(t.version, 1);
        assert_int_equal(t.clock, CLOCK_KIND_TSC_INVARIANT);
        assert_int_equal(t.frequency_hz, 3 * GHZ);
        assert_int_equal(t.frequency_error_ppb, 100);
        assert_int_equal(t.job, 42);
        for (size_t i = 0; i < ELEMENTSOF(t.steps); i++)
                assert_int_equal(t.steps[i], 0);
        assert_int_equal(timeline_parse(&t, sizeof(t), &back), 0);
        assert_memory_equal(&t, &back, sizeof(t));
}

static void first_mark_wins(void **state) {
        Timeline t = make(CLOCK_KIND_TSC, GHZ, 0);

        timeline_mark(&t, STEP_FROZEN, 10, false);
        timeline_mark(&t, STEP_FROZEN, 20, false);
        assert_int_equal(t.steps[STEP_FROZEN], 10);
        timeline_mark(&t, STEP_LAST_RETRIEVE, 10, true);
        timeline_mark(&t, STEP_LAST_RETRIEVE, 20, true);
        assert_int_equal(t.steps[STEP_LAST_RETRIEVE], 20);
        /* Tick 0 is still "reached". */
        timeline_mark(&t, STEP_REBOOT, 0, false);
        assert_int_equal(t.steps[STEP_REBOOT], 1);
        Timeline before = t;
        timeline_mark(&t, _STEP_MAX, 5, true);
        timeline_mark(&t, (Step)31, 5, true);
        timeline_mark(&t, (Step)-1, 5, true);
        assert_memory_equal(&t, &before, sizeof(t));
}

static void spans(void **state) {
        Timeline t = make(CLOCK_KIND_TSC_INVARIANT, 2500000000, 1000);
        uint64_t usec = 7, error = 7;

        timeline_mark(&t, STEP_CLIENTS_FROZEN, 1000, false);
        assert_int_equal(timeline_blackout(&t, &usec, &error), -ENODATA);
        assert_int_equal(usec, 7);
        assert_int_equal(error, 7);
        /* 2 s later: 1000 ppb of it are 2 us, and one of the reading. */
        timeline_mark(&t, STEP_FIRST_RETRIEVE, 1000 + 5000000000, false);
        assert_int_equal(timeline_blackout(&t, &usec, &error), 0);
        assert_int_equal(usec, 2000000);
        assert_int_equal(error, 3);
        assert_int_equal(timeline_span(&t, STEP_CLIENTS_FROZEN, STEP_FIRST_RETRIEVE, &usec, &error), 0);
        assert_int_equal(usec, 2000000);
        usec = 7;
        assert_int_equal(timeline_span(&t, STEP_FIRST_RETRIEVE, STEP_CLIENTS_FROZEN, &usec, &error), -ERANGE);
        assert_int_equal(timeline_span(&t, STEP_FIRST_RETRIEVE, STEP_FINISHED, &usec, &error), -ENODATA);
        assert_int_equal(timeline_span(&t, _STEP_MAX, STEP_FINISHED, &usec, &error), -EINVAL);
        assert_int_equal(timeline_span(&t, STEP_FROZEN, (Step)-1, &usec, &error), -EINVAL);
        assert_int_equal(usec, 7);
        assert_int_equal(timeline_span(&t, STEP_CLIENTS_FROZEN, STEP_CLIENTS_FROZEN, &usec, &error), 0);
        assert_int_equal(usec, 0);
        assert_int_equal(error, 1);
}

static void the_error_is_never_rounded_away(void **state) {
        Timeline t = make(CLOCK_KIND_TSC_INVARIANT, GHZ, 1);
        uint64_t usec, error;

        timeline_mark(&t, STEP_FROZEN, 1, false);
        timeline_mark(&t, STEP_REBOOT, 1 + 1999, false);
        assert_int_equal(timeline_span(&t, STEP_FROZEN, STEP_REBOOT, &usec, &error), 0);
        assert_int_equal(usec, 1); /* truncated; the quantum covers it */
        assert_int_equal(error, 2);
}

static void the_largest_numbers(void **state) {
        Timeline t = make(CLOCK_KIND_TSC, 1000000, 1000000000);
        uint64_t usec, error;

        t.steps[STEP_FROZEN] = 1;
        t.steps[STEP_REBOOT] = UINT64_MAX;
        assert_int_equal(timeline_span(&t, STEP_FROZEN, STEP_REBOOT, &usec, &error), 0);
        assert_int_equal(usec, UINT64_MAX - 1);
        assert_int_equal(error, UINT64_MAX); /* 100 % and one */
        t.frequency_error_ppb = UINT64_MAX;
        assert_int_equal(timeline_span(&t, STEP_FROZEN, STEP_REBOOT, &usec, &error), 0);
        assert_int_equal(error, UINT64_MAX);
        /* A product that overflows 64 bits within an hour at 5 GHz. */
        t = make(CLOCK_KIND_TSC, 5 * GHZ, 0);
        t.steps[STEP_FROZEN] = 1;
        t.steps[STEP_REBOOT] = 1 + 5 * GHZ * 86400;
        assert_int_equal(timeline_span(&t, STEP_FROZEN, STEP_REBOOT, &usec, &error), 0);
        assert_int_equal(usec, 86400 * USEC_PER_SEC);
        /* Not from timeline_parse(), which refuses such frequencies. */
        t.frequency_hz = 1;
        t.steps[STEP_REBOOT] = UINT64_MAX;
        assert_int_equal(timeline_span(&t, STEP_FROZEN, STEP_REBOOT, &usec, &error), -EOVERFLOW);
        t.frequency_hz = 0;
        assert_int_equal(timeline_span(&t, STEP_FROZEN, STEP_REBOOT, &usec, &error), -ENODATA);
}

static void the_rtc_is_coarse_across_the_kexec(void **state) {
        Timeline t = make(CLOCK_KIND_REALTIME, USEC_PER_SEC, 0);
        uint64_t usec, error;

        t.steps[STEP_FREEZE_BEGIN] = 1000;
        t.steps[STEP_REBOOT] = 5000;
        t.steps[STEP_KERNEL_START] = 900000;
        t.steps[STEP_FINISHED] = 950000;
        assert_int_equal(timeline_span(&t, STEP_FREEZE_BEGIN, STEP_REBOOT, &usec, &error), 0);
        assert_int_equal(usec, 4000);
        assert_int_equal(error, 1);
        assert_int_equal(timeline_span(&t, STEP_REBOOT, STEP_KERNEL_START, &usec, &error), 0);
        assert_int_equal(usec, 895000);
        assert_int_equal(error, 1000000);
        assert_int_equal(timeline_span(&t, STEP_KERNEL_START, STEP_FINISHED, &usec, &error), 0);
        assert_int_equal(error, 1);
        t.clock = CLOCK_KIND_TSC_INVARIANT;
        assert_int_equal(timeline_span(&t, STEP_REBOOT, STEP_KERNEL_START, &usec, &error), 0);
        assert_int_equal(error, 1);
}

static void hostile_pages(void **state) {
        static const struct {
                size_t offset;
                uint64_t value;
                int r;
        } cases[] = {
                { offsetof(Timeline, magic), 0, -EBADMSG },
                { offsetof(Timeline, magic), TIMELINE_MAGIC ^ 1, -EBADMSG },
                { offsetof(Timeline, version), 0, -EPROTONOSUPPORT },
                { offsetof(Timeline, version), 2, -EPROTONOSUPPORT },
                { offsetof(Timeline, clock), CLOCK_KIND_NONE, -EBADMSG },
                { offsetof(Timeline, clock), _CLOCK_KIND_MAX, -EBADMSG },
                { offsetof(Timeline, clock), UINT64_C(1) << 32 | 1, -EBADMSG },
                { offsetof(Timeline, clock), UINT64_MAX, -EBADMSG },
                { offsetof(Timeline, clock), CLOCK_KIND_REALTIME, -EBADMSG }, /* has another frequency */
                { offsetof(Timeline, frequency_hz), 0, -EBADMSG },
                { offsetof(Timeline, frequency_hz), 999999, -EBADMSG },
                { offsetof(Timeline, frequency_hz), 1000000, 0 },
                { offsetof(Timeline, frequency_hz), UINT64_C(1000000000000), 0 },
                { offsetof(Timeline, frequency_hz), UINT64_C(1000000000001), -EBADMSG },
                { offsetof(Timeline, frequency_hz), UINT64_MAX, -EBADMSG },
                { offsetof(Timeline, frequency_error_ppb), 1000000000, 0 },
                { offsetof(Timeline, frequency_error_ppb), 1000000001, -EBADMSG },
                { offsetof(Timeline, job), UINT64_MAX, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Timeline t = make(CLOCK_KIND_TSC_INVARIANT, 3 * GHZ, 100), back = { .job = 9 };

                memcpy((char *)&t + cases[i].offset, &cases[i].value, sizeof(uint64_t));
                assert_int_equal(timeline_parse(&t, sizeof(t), &back), cases[i].r);
                if (cases[i].r < 0)
                        assert_int_equal(back.job, 9);
        }
}

static void short_pages(void **state) {
        unsigned char page[TIMELINE_SIZE + 1] = {};
        Timeline t = make(CLOCK_KIND_REALTIME, USEC_PER_SEC, 0), back;

        /* Also at an odd address. */
        memcpy(page + 1, &t, sizeof(t));
        assert_int_equal(timeline_parse(page + 1, TIMELINE_SIZE, &back), 0);
        for (size_t size = 0; size < sizeof(t); size++)
                assert_int_equal(timeline_parse(page + 1, size, &back), -EBADMSG);
        memset(page, 0, sizeof(page));
        assert_int_equal(timeline_parse(page, TIMELINE_SIZE, &back), -EBADMSG);
        memset(page, 0xff, sizeof(page));
        assert_int_equal(timeline_parse(page, TIMELINE_SIZE, &back), -EBADMSG);
}

static void words(void **state) {
        for (Step s = 0; s < _STEP_MAX; s++)
                assert_int_equal(step_from_string(step_to_string(s)), s);
        for (ClockKind c = 0; c < _CLOCK_KIND_MAX; c++)
                assert_int_equal(clock_kind_from_string(clock_kind_to_string(c)), c);
        assert_null(step_to_string(_STEP_MAX));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_new_page),
                cmocka_unit_test(first_mark_wins),
                cmocka_unit_test(spans),
                cmocka_unit_test(the_error_is_never_rounded_away),
                cmocka_unit_test(the_largest_numbers),
                cmocka_unit_test(the_rtc_is_coarse_across_the_kexec),
                cmocka_unit_test(hostile_pages),
                cmocka_unit_test(short_pages),
                cmocka_unit_test(words),
        };

        return cmocka_run_group_tests_name("timeline", tests, NULL, NULL);
}
