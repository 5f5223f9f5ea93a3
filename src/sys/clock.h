/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A clock that survives a kexec, for the timeline. The TSC keeps counting through it
 * where CPUID declares it invariant; its frequency is measured against
 * CLOCK_MONOTONIC_RAW over the process's life, so a span's error is known. Without a
 * TSC: CLOCK_REALTIME in nanoseconds, which the new kernel reads from the RTC, one second
 * coarse (the reader of a timeline adds that second, it is not part of the frequency).
 */
#pragma once

#include "core/timeline.h"

typedef struct Clock {
        ClockKind kind;
        uint64_t start_ticks;
        uint64_t start_raw_nsec;
        uint64_t start_slack_nsec; /* start_raw_nsec may be off by this much from start_ticks */
} Clock;

/* CLOCK_MONOTONIC_RAW is made of the same TSC, by the rate the kernel calibrated at boot
 * (arch/x86/kernel/tsc.c): no measurement against it can be better than that. The kernel
 * aims at 500 ppm (quick_pit_calibrate(), and the deviation it warns about); with a TSC
 * that is not invariant, or emulated, it puts up with 1 % (tsc_refine_calibration_work()).
 * Two kernels on one emulated machine were seen 0.07 % apart, and 0.2 % off. */
enum { CLOCK_CALIBRATION_INVARIANT_PPB = 500 * 1000, CLOCK_CALIBRATION_PPB = 10 * 1000 * 1000 };

void clock_start(Clock *c);
uint64_t clock_ticks(const Clock *c);
/* Ticks per second as measured since clock_start() and how far off that may be, in
 * parts per billion. Better the longer the process has run; within 10 ms of
 * clock_start() it waits until those have passed. The error is that of the two readings
 * against CLOCK_MONOTONIC_RAW plus what that clock itself may be off, see below. */
void clock_frequency(const Clock *c, uint64_t *ret_hz, uint64_t *ret_error_ppb);
/* The tick at which this kernel's CLOCK_BOOTTIME was zero; 0 if that was before the
 * clock's own zero (a TSC that was set back). */
uint64_t clock_kernel_start(const Clock *c);
/* CLOCK_MONOTONIC, microseconds: for deadlines. */
uint64_t clock_monotonic_usec(void);
uint64_t clock_realtime_usec(void);
