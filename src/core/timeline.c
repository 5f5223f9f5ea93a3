/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arithmetic on the timeline page. Products are made in 128 bits: a TSC of 5 GHz times
 * a million overflows 64 bits within the first hour. A page from another kernel is
 * copied first and checked in the copy.
 */
#include "timeline.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the page is little-endian and used in place");

#define HZ_MIN UINT64_C(1000000) /* below, a microsecond could not be told */
#define HZ_MAX UINT64_C(1000000000000)
#define ERROR_PPB_MAX UINT64_C(1000000000) /* 100 % */

static const char *const step_table[_STEP_MAX] = {
        [STEP_PREPARE_BEGIN] = "prepare-begin",
        [STEP_PREPARED] = "prepared",
        [STEP_FREEZE_BEGIN] = "freeze-begin",
        [STEP_CLIENTS_FROZEN] = "clients-frozen",
        [STEP_FROZEN] = "frozen",
        [STEP_REBOOT] = "reboot",
        [STEP_KERNEL_START] = "kernel-start",
        [STEP_DAEMON_START] = "daemon-start",
        [STEP_RECEIVED] = "received",
        [STEP_FIRST_RETRIEVE] = "first-retrieve",
        [STEP_LAST_RETRIEVE] = "last-retrieve",
        [STEP_FINISHED] = "finished",
};

DEFINE_STRING_TABLE(step, Step, step_table);

static const char *const clock_kind_table[_CLOCK_KIND_MAX] = {
        [CLOCK_KIND_NONE] = "none",
        [CLOCK_KIND_TSC_INVARIANT] = "tsc-invariant",
        [CLOCK_KIND_TSC] = "tsc",
        [CLOCK_KIND_REALTIME] = "realtime",
};

DEFINE_STRING_TABLE(clock_kind, ClockKind, clock_kind_table);

void timeline_init(Timeline *t, ClockKind clock, uint64_t frequency_hz, uint64_t error_ppb, uint64_t job) {
        *t = (Timeline){
                .version = TIMELINE_VERSION,
                .clock = clock,
                .frequency_hz = frequency_hz,
                .frequency_error_ppb = error_ppb,
                .job = job,
        };
        /* Last, so that a page whose writing was cut short is no page. */
        __atomic_store_n(&t->magic, TIMELINE_MAGIC, __ATOMIC_RELEASE);
}

void timeline_mark(Timeline *t, Step step, uint64_t ticks, bool overwrite) {
        if ((size_t)step >= _STEP_MAX)
                return;
        if (!overwrite && t->steps[step] != 0)
                return;
        /* Zero means "not reached"; one tick is far below what any span resolves. */
        __atomic_store_n(&t->steps[step], MAX_OF(ticks, UINT64_C(1)), __ATOMIC_RELAXED);
}

int timeline_parse(const void *page, size_t size, Timeline *ret) {
        Timeline t;

        if (size < sizeof(t))
                return -EBADMSG;
        memcpy(&t, page, sizeof(t));
        if (t.magic != TIMELINE_MAGIC)
                return -EBADMSG;
        if (t.version != TIMELINE_VERSION)
                return -EPROTONOSUPPORT;
        if (t.clock == CLOCK_KIND_NONE || t.clock >= _CLOCK_KIND_MAX)
                return -EBADMSG;
        if (t.frequency_hz < HZ_MIN || t.frequency_hz > HZ_MAX || t.frequency_error_ppb > ERROR_PPB_MAX)
                return -EBADMSG;
        if (t.clock == CLOCK_KIND_REALTIME && t.frequency_hz != USEC_PER_SEC)
                return -EBADMSG;
        *ret = t;
        return 0;
}

/* a * b / c, rounded up; UINT64_MAX if it does not fit. */
static uint64_t mul_div_up(uint64_t a, uint64_t b, uint64_t c) {
        unsigned __int128 v = ((unsigned __int128)a * b + c - 1) / c;

        return v > UINT64_MAX ? UINT64_MAX : (uint64_t)v;
}

/* What one reading of the clock may be off, on top of the frequency's error. */
static uint64_t quantum_usec(const Timeline *t, Step a, Step b) {
        /* The new kernel sets CLOCK_REALTIME from the RTC, which counts seconds; within
         * one kernel it is as fine as any clock. */
        if (t->clock == CLOCK_KIND_REALTIME && a < STEP_KERNEL_START && b >= STEP_KERNEL_START)
                return USEC_PER_SEC;
        return 1;
}

int timeline_span(const Timeline *t, Step a, Step b, uint64_t *ret_usec, uint64_t *ret_error_usec) {
        uint64_t usec, error;

        if ((size_t)a >= _STEP_MAX || (size_t)b >= _STEP_MAX)
                return -EINVAL;
        if (t->frequency_hz == 0 || t->steps[a] == 0 || t->steps[b] == 0)
                return -ENODATA;
        if (t->steps[b] < t->steps[a])
                return -ERANGE;
        /* Truncated, not rounded up: the quantum covers what is cut off. */
        unsigned __int128 v = (unsigned __int128)(t->steps[b] - t->steps[a]) * USEC_PER_SEC / t->frequency_hz;
        if (v > UINT64_MAX)
                return -EOVERFLOW;
        usec = (uint64_t)v;
        if (__builtin_add_overflow(mul_div_up(usec, t->frequency_error_ppb, NSEC_PER_SEC), quantum_usec(t, a, b),
                                   &error))
                error = UINT64_MAX;
        *ret_usec = usec;
        *ret_error_usec = error;
        return 0;
}

uint64_t timeline_usec(const Timeline *t, uint64_t ticks) {
        unsigned __int128 v = t->frequency_hz ? (unsigned __int128)ticks * USEC_PER_SEC / t->frequency_hz : 0;

        return v > UINT64_MAX ? UINT64_MAX : (uint64_t)v;
}

int timeline_since_start(const Timeline *t, uint64_t ticks, uint64_t *ret_usec) {
        size_t first = 0;

        while (first < _STEP_MAX && t->steps[first] == 0)
                first++;
        if (first == _STEP_MAX || t->frequency_hz == 0)
                return -ENODATA;
        if (ticks < t->steps[first])
                return -ERANGE;
        uint64_t usec = timeline_usec(t, ticks - t->steps[first]);
        if (usec == UINT64_MAX)
                return -EOVERFLOW;
        *ret_usec = usec;
        return 0;
}

int timeline_blackout(const Timeline *t, uint64_t *ret_usec, uint64_t *ret_error_usec) {
        return timeline_span(t, STEP_CLIENTS_FROZEN, STEP_FIRST_RETRIEVE, ret_usec, ret_error_usec);
}
