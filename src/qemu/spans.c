/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <time.h>

#include "spans.h"

uint64_t spans_now(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * USEC_PER_SEC + (uint64_t)t.tv_nsec / NSEC_PER_USEC;
}

void spans_add(Spans *s, const char *name, uint64_t begin_usec) {
        if (s->n < ELEMENTSOF(s->items))
                s->items[s->n++] = (Span){ .name = name, .begin_usec = begin_usec, .usec = spans_now() - begin_usec };
}
