/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The clock: what holds on any machine, loaded or not. Nothing here depends on how long
 * something takes; measurements are compared within the errors they state themselves.
 */
#include "sys/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

static uint64_t distance(uint64_t a, uint64_t b) {
        return a > b ? a - b : b - a;
}

static bool is_tsc(const Clock *c) {
        return c->kind == CLOCK_KIND_TSC_INVARIANT || c->kind == CLOCK_KIND_TSC;
}

/* The flags line of /proc/cpuinfo is the kernel's own reading of the same CPUID bits. */
static bool cpu_has_flag(const char *flag) {
        _cleanup_fclose_ FILE *f = fopen("/proc/cpuinfo", "re");
        _cleanup_free_ char *line = NULL;
        size_t size = 0;

        while (f && getline(&line, &size, f) > 0) {
                if (strncmp(line, "flags", 5) != 0)
                        continue;
                for (char *save, *w = strtok_r(line, " \t\n:", &save); w; w = strtok_r(NULL, " \t\n:", &save))
                        if (streq(w, flag))
                                return true;
                return false;
        }
        return false;
}

static void test_kind(void **state) {
        Clock c;

        clock_start(&c);
#if defined(__x86_64__)
        assert_int_equal(is_tsc(&c), cpu_has_flag("tsc"));
        /* The kernel takes the flag away when it finds the TSC not to keep its word, so
         * the flag implies the kind, not the other way round. */
        if (cpu_has_flag("nonstop_tsc"))
                assert_int_equal(c.kind, CLOCK_KIND_TSC_INVARIANT);
#else
        assert_int_equal(c.kind, CLOCK_KIND_REALTIME);
#endif
        assert_non_null(clock_kind_to_string(c.kind));
        assert_true(c.start_ticks > 0);
        assert_true(c.start_raw_nsec > 0);
        assert_true(c.start_slack_nsec > 0);
}

static void test_monotonic(void **state) {
        Clock c;

        clock_start(&c);
        uint64_t last = c.start_ticks;
        uint64_t last_usec = clock_monotonic_usec();
        for (int i = 0; i < 100000; i++) {
                uint64_t t = clock_ticks(&c);
                /* CLOCK_REALTIME may be set back while we look; a TSC may not. */
                if (is_tsc(&c))
                        assert_true(t >= last);
                last = t;
                uint64_t u = clock_monotonic_usec();
                assert_true(u >= last_usec);
                last_usec = u;
        }
        assert_true(last != c.start_ticks);
}

static void test_realtime(void **state) {
        time_t before = time(NULL);
        uint64_t usec = clock_realtime_usec();
        time_t after = time(NULL);

        /* time(2) is read from the last timer tick and may lag a little. */
        assert_true(usec / USEC_PER_SEC >= (uint64_t)before);
        assert_true(usec / USEC_PER_SEC <= (uint64_t)after + 1);
}

/* The part of a stated error that comes from the readings. */
static uint64_t reading_error(const Clock *c, uint64_t ppb) {
        uint64_t calibration = 0;

        if (c->kind == CLOCK_KIND_TSC_INVARIANT)
                calibration = CLOCK_CALIBRATION_INVARIANT_PPB;
        else if (c->kind == CLOCK_KIND_TSC)
                calibration = CLOCK_CALIBRATION_PPB;
        assert_true(ppb > calibration);
        return ppb - calibration;
}

/* Two measurements with no common reading must agree within the sum of their reading
 * errors: what RAW is off, it is off in both. */
static void test_frequency_within_its_error(void **state) {
        Clock a, b;
        uint64_t hz_a, ppb_a, hz_b, ppb_b;

        clock_start(&a);
        clock_frequency(&a, &hz_a, &ppb_a);
        clock_start(&b);
        clock_frequency(&b, &hz_b, &ppb_b);

        assert_true(hz_a > 1000 * 1000);
        assert_true(hz_b > 1000 * 1000);
        assert_true(ppb_a <= NSEC_PER_SEC && ppb_b <= NSEC_PER_SEC);

        /* Twice: room for RAW itself, which a hypervisor may step when it moves us. */
        __uint128_t allowed = (__uint128_t)MAX_OF(hz_a, hz_b) * (reading_error(&a, ppb_a) + reading_error(&b, ppb_b)) *
                              2 / NSEC_PER_SEC;
        assert_true(distance(hz_a, hz_b) <= allowed);
}

/* The longer the measurement, the smaller the error: a reading's slack only matters in
 * relation to the time between the readings. */
static void test_error_shrinks(void **state) {
        Clock recent, old;
        uint64_t hz, ppb_recent, ppb_old;

        clock_start(&recent);
        if (!is_tsc(&recent)) {
                clock_frequency(&recent, &hz, &ppb_recent);
                assert_int_equal(hz, NSEC_PER_SEC);
                assert_int_equal(ppb_recent, 500000);
                return;
        }
        recent.start_slack_nsec = 1000 * 1000; /* pretend: 1 ms, far above any real one */
        old = recent;
        old.start_raw_nsec -= 100 * NSEC_PER_SEC < old.start_raw_nsec ? 100 * NSEC_PER_SEC : old.start_raw_nsec / 2;
        clock_frequency(&recent, &hz, &ppb_recent);
        clock_frequency(&old, &hz, &ppb_old);
        assert_true(ppb_old < ppb_recent);
        /* 1 ms of slack over what was measured: never stated as less than it is. */
        struct timespec ts;
        assert_int_equal(clock_gettime(CLOCK_MONOTONIC_RAW, &ts), 0);
        uint64_t now = (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
        __uint128_t least = (__uint128_t)1000 * 1000 * NSEC_PER_SEC / (now - recent.start_raw_nsec);
        assert_true(ppb_recent >= MIN_OF(least, (__uint128_t)NSEC_PER_SEC));
}

/* The kernel started before this test, and by as much as CLOCK_BOOTTIME says. */
static void test_kernel_start(void **state) {
        Clock c;
        struct timespec before, after;
        uint64_t hz, ppb;

        clock_start(&c);
        clock_frequency(&c, &hz, &ppb);
        uint64_t ticks_before = clock_ticks(&c);
        assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &before), 0);
        uint64_t start = clock_kernel_start(&c);
        assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &after), 0);
        uint64_t ticks_after = clock_ticks(&c);

        if (start == 0) {
                /* The counter is younger than the kernel: it says so instead of guessing. */
                assert_true((double)ticks_before / (double)hz <= (double)after.tv_sec + 1);
                return;
        }
        assert_true(start < ticks_after);
        double slack = ((double)before.tv_sec + 1) * (double)reading_error(&c, ppb) / 1e9 * 8 + 1e-3;
        double least = (double)(ticks_before - start) / (double)hz - slack;
        double most = (double)(ticks_after - start) / (double)hz + slack;
        assert_true((double)after.tv_sec + (double)after.tv_nsec / 1e9 >= least);
        assert_true((double)before.tv_sec + (double)before.tv_nsec / 1e9 <= most);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_kind),          cmocka_unit_test(test_monotonic),
                cmocka_unit_test(test_realtime),      cmocka_unit_test(test_frequency_within_its_error),
                cmocka_unit_test(test_error_shrinks), cmocka_unit_test(test_kernel_start),
        };

        return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
