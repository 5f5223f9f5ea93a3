/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The TSC as a clock, and what it is worth.
 *
 * A reading pairs the counter with CLOCK_MONOTONIC_RAW: raw time is taken before and
 * after the counter, so the counter was read within that window, and half the window is
 * the most that their pairing can be off. Of several tries the narrowest window counts,
 * which sorts out interrupts and a hypervisor's pauses. The frequency is ticks over raw
 * time between two such readings, so its relative error is bounded by both half-windows
 * over the time between them, plus what RAW itself is off: for a process that has run for
 * a second, that is nearly all of it.
 *
 * RAW, not MONOTONIC: time synchronisation slews the latter by up to 500 ppm.
 */
#include "clock.h"

#include <time.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

enum {
        PAIR_TRIES = 16,
        MEASURE_MIN_MSEC = 10,
        /* What adjtimex(2) may slew CLOCK_REALTIME by. */
        REALTIME_SLEW_PPB = 500 * 1000,
};

static uint64_t clock_nsec(clockid_t id) {
        struct timespec ts = {};

        (void)clock_gettime(id, &ts);
        return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static ClockKind detect_kind(void) {
#if defined(__x86_64__)
        unsigned a, b, c, d;

        /* Leaf 1, EDX bit 4: there is a TSC. Leaf 0x80000007, EDX bit 8: it runs at one
         * rate in all P-, C- and T-states (Intel SDM vol. 3, "Invariant TSC"). */
        if (!__get_cpuid(1, &a, &b, &c, &d) || !(d & (1U << 4)))
                return CLOCK_KIND_REALTIME;
        if (__get_cpuid(0x80000007, &a, &b, &c, &d) && (d & (1U << 8)))
                return CLOCK_KIND_TSC_INVARIANT;
        return CLOCK_KIND_TSC;
#else
        return CLOCK_KIND_REALTIME;
#endif
}

uint64_t clock_ticks(const Clock *c) {
#if defined(__x86_64__)
        if (c->kind == CLOCK_KIND_TSC_INVARIANT || c->kind == CLOCK_KIND_TSC) {
                /* The fences keep the counter from being read ahead of earlier code, or
                 * later code from running ahead of it. */
                _mm_lfence();
                uint64_t t = __rdtsc();
                _mm_lfence();
                return t;
        }
#endif
        return clock_nsec(CLOCK_REALTIME);
}

/* Ticks and the raw time that belongs to them, within +- slack. */
static void read_pair(const Clock *c, uint64_t *ret_ticks, uint64_t *ret_raw, uint64_t *ret_slack) {
        uint64_t best = UINT64_MAX;

        for (int i = 0; i < PAIR_TRIES; i++) {
                uint64_t before = clock_nsec(CLOCK_MONOTONIC_RAW);
                uint64_t ticks = clock_ticks(c);
                uint64_t after = clock_nsec(CLOCK_MONOTONIC_RAW);

                if (after - before >= best)
                        continue;
                best = after - before;
                *ret_ticks = ticks;
                *ret_raw = before + best / 2;
                /* Both clocks are read in whole units: one more on each side. */
                *ret_slack = best / 2 + 2;
        }
}

void clock_start(Clock *c) {
        *c = (Clock){ .kind = detect_kind() };
        read_pair(c, &c->start_ticks, &c->start_raw_nsec, &c->start_slack_nsec);
}

static void wait_until_raw(uint64_t nsec) {
        for (;;) {
                uint64_t now = clock_nsec(CLOCK_MONOTONIC_RAW);
                if (now >= nsec)
                        return;
                struct timespec ts = { .tv_nsec = (long)MIN_OF(nsec - now, NSEC_PER_SEC - 1) };
                (void)nanosleep(&ts, NULL);
        }
}

void clock_frequency(const Clock *c, uint64_t *ret_hz, uint64_t *ret_error_ppb) {
        uint64_t ticks = 0, raw = 0, slack = 0;

        if (c->kind != CLOCK_KIND_TSC_INVARIANT && c->kind != CLOCK_KIND_TSC) {
                *ret_hz = NSEC_PER_SEC;
                *ret_error_ppb = REALTIME_SLEW_PPB;
                return;
        }

        wait_until_raw(c->start_raw_nsec + MEASURE_MIN_MSEC * USEC_PER_MSEC * NSEC_PER_USEC);
        read_pair(c, &ticks, &raw, &slack);

        __uint128_t elapsed = raw - c->start_raw_nsec;
        __uint128_t counted = ticks > c->start_ticks ? ticks - c->start_ticks : 0;
        uint64_t hz = (uint64_t)((counted * NSEC_PER_SEC + elapsed / 2) / elapsed);

        /* Rounded up, plus what the rounding of hz itself costs. */
        __uint128_t error = ((__uint128_t)(slack + c->start_slack_nsec) * NSEC_PER_SEC + elapsed - 1) / elapsed;
        error += NSEC_PER_SEC / MAX_OF(hz, UINT64_C(1)) + 1;
        error += c->kind == CLOCK_KIND_TSC_INVARIANT ? CLOCK_CALIBRATION_INVARIANT_PPB : CLOCK_CALIBRATION_PPB;

        *ret_hz = MAX_OF(hz, UINT64_C(1));
        *ret_error_ppb = (uint64_t)MIN_OF(error, (__uint128_t)NSEC_PER_SEC);
}

uint64_t clock_kernel_start(const Clock *c) {
        uint64_t hz, error, now, since_boot;

        clock_frequency(c, &hz, &error);
        now = clock_ticks(c);
        since_boot = (uint64_t)((__uint128_t)clock_nsec(CLOCK_BOOTTIME) * hz / NSEC_PER_SEC);
        return now > since_boot ? now - since_boot : 0;
}

uint64_t clock_monotonic_usec(void) {
        return clock_nsec(CLOCK_MONOTONIC) / NSEC_PER_USEC;
}

uint64_t clock_realtime_usec(void) {
        return clock_nsec(CLOCK_REALTIME) / NSEC_PER_USEC;
}
