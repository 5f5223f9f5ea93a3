/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When each step of an update happened, on a clock that survives the kexec.
 *
 * One page in a memfd that is preserved early and written until the last instruction
 * before reboot(2) (a preserved memfd may be overwritten, not resized). Fixed layout,
 * little-endian, aligned 64-bit words, so a torn write is at worst a missing stamp.
 * The time base is the TSC where the CPU declares it invariant; each kernel records
 * its own frequency, so that the error of a duration can be stated.
 */
#pragma once

#include "common/table.h"

typedef enum Step {
        STEP_PREPARE_BEGIN,
        STEP_PREPARED,
        STEP_FREEZE_BEGIN,
        STEP_CLIENTS_FROZEN, /* the last client said READY */
        STEP_FROZEN,         /* the manifest is preserved */
        STEP_REBOOT,         /* just before reboot(2) */
        STEP_KERNEL_START,   /* the new kernel's clock started */
        STEP_DAEMON_START,   /* the new daemon's main() */
        STEP_RECEIVED,       /* the manifest was read */
        STEP_FIRST_RETRIEVE, /* the first client got its first descriptor or session */
        STEP_LAST_RETRIEVE,
        STEP_FINISHED, /* FINISH of the last session returned 0 */
        _STEP_MAX,
} Step;

DECLARE_STRING_TABLE(step, Step);

typedef enum ClockKind {
        CLOCK_KIND_NONE,
        CLOCK_KIND_TSC_INVARIANT, /* CPUID 0x80000007 EDX bit 8 */
        CLOCK_KIND_TSC,           /* a TSC that is not declared invariant */
        CLOCK_KIND_REALTIME,      /* CLOCK_REALTIME: the new kernel reads the RTC, one second coarse */
        _CLOCK_KIND_MAX,
} ClockKind;

DECLARE_STRING_TABLE(clock_kind, ClockKind);

enum { TIMELINE_SIZE = 4096 };
#define TIMELINE_MAGIC UINT64_C(0x454e494c454d4954) /* "TIMELINE", little-endian */
#define TIMELINE_VERSION UINT64_C(1)

/* What is in the page. Zero in a step means: not reached. */
typedef struct Timeline {
        uint64_t magic;
        uint64_t version;
        uint64_t clock;        /* ClockKind */
        uint64_t frequency_hz; /* ticks per second of the clock, as the writing kernel measured it */
        uint64_t frequency_error_ppb;
        uint64_t job;       /* the job that this belongs to */
        uint64_t steps[32]; /* ticks; index: Step. Room for later steps. */
} Timeline;

_Static_assert(sizeof(Timeline) <= TIMELINE_SIZE, "the timeline must fit its page");
_Static_assert(_STEP_MAX <= 32, "the page has room for 32 steps");

void timeline_init(Timeline *t, ClockKind clock, uint64_t frequency_hz, uint64_t error_ppb, uint64_t job);
/* First write of a step wins unless overwrite; STEP_LAST_RETRIEVE wants overwrite. */
void timeline_mark(Timeline *t, Step step, uint64_t ticks, bool overwrite);
/* Checks a page that came from another kernel: magic, version, a sane frequency and
 * clock. 0, -EBADMSG or -EPROTONOSUPPORT. size may be larger than the struct. */
int timeline_parse(const void *page, size_t size, Timeline *ret);
/* Microseconds from a to b and how far off they may be: the frequency's error over the
 * span plus what one reading resolves. -ENODATA if one is missing, -ERANGE if b is
 * before a, -EOVERFLOW. */
int timeline_span(const Timeline *t, Step a, Step b, uint64_t *ret_usec, uint64_t *ret_error_usec);
/* The same from the first step that was reached to an instant on the page's clock, without
 * the error. -ENODATA without a step, -ERANGE if the instant is before it, -EOVERFLOW. */
int timeline_since_start(const Timeline *t, uint64_t ticks, uint64_t *ret_usec);
/* A number of the page's ticks in microseconds; UINT64_MAX if it does not fit. */
uint64_t timeline_usec(const Timeline *t, uint64_t ticks);
/* The blackout: from STEP_CLIENTS_FROZEN to STEP_FIRST_RETRIEVE. */
int timeline_blackout(const Timeline *t, uint64_t *ret_usec, uint64_t *ret_error_usec);
