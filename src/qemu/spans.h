/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long each step of the pause took, for the job's timeline: measured on
 * CLOCK_MONOTONIC and reported to the daemon of the same kernel.
 */
#pragma once

#include "common/macro.h"

typedef struct Span {
        const char *name;          /* static string */
        uint64_t begin_usec, usec; /* CLOCK_MONOTONIC */
} Span;

typedef struct Spans {
        Span items[16]; /* one more is dropped */
        size_t n;
} Spans;

uint64_t spans_now(void); /* CLOCK_MONOTONIC, microseconds */
/* It ends now. */
void spans_add(Spans *s, const char *name, uint64_t begin_usec);
