/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Test Anything Protocol for programs that are no cmocka programs: a plan first, one
 * line per point, diagnostics before the point they belong to. Written out line by line,
 * so that a machine that dies in between leaves what it had.
 */
#pragma once

#include <stdarg.h>

#include "common/macro.h"

typedef struct Tap {
        unsigned planned, done, failed;
} Tap;

static inline void tap_plan(Tap *t, unsigned n) {
        *t = (Tap){ .planned = n };
        printf("1..%u\n", n);
        fflush(stdout);
}

static inline void _printf_(1, 2) tap_diag(const char *format, ...) {
        va_list ap;

        fputs("# ", stdout);
        va_start(ap, format);
        vprintf(format, ap);
        va_end(ap);
        fputc('\n', stdout);
        fflush(stdout);
}

static inline void tap_point(Tap *t, bool ok, const char *name) {
        t->done++;
        if (!ok)
                t->failed++;
        printf("%sok %u - %s\n", ok ? "" : "not ", t->done, name);
        fflush(stdout);
}

/* The exit status: 0 only if every planned point was made and none failed. */
static inline int tap_finish(const Tap *t) {
        if (t->done != t->planned)
                tap_diag("planned %u points, made %u", t->planned, t->done);
        if (t->failed > 0)
                tap_diag("%u of %u points failed", t->failed, t->done);
        return t->failed == 0 && t->done == t->planned ? EXIT_SUCCESS : EXIT_FAILURE;
}
