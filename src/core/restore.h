/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What to do, early in a boot, about each PCI function that came in through a live update,
 * and what to say about it: from the list of the kernel module (shim-text.h) alone. A
 * function that is lost stays where it is: another driver may be using it.
 */
#pragma once

#include "shim-text.h"

typedef enum RestoreVerdict {
        RESTORE_READY,    /* waits, and a VFIO driver has it */
        RESTORE_BIND,     /* waits, and no driver has it */
        RESTORE_LATER,    /* a VF, which is there once the user of its PF has adopted it */
        RESTORE_IN_USE,   /* somebody has its descriptor */
        RESTORE_OVER,     /* a device like any other again */
        RESTORE_MISSING,  /* from here on something is wrong */
        RESTORE_MISMATCH, /* another device is in its place */
        RESTORE_TAKEN,    /* another driver had it before the module was loaded */
        RESTORE_LOST,
        _RESTORE_VERDICT_MAX,
} RestoreVerdict;

typedef struct RestoreCounts {
        unsigned n[_RESTORE_VERDICT_MAX];
} RestoreCounts;

RestoreVerdict restore_judge(const ShimDevice *d);
static inline bool restore_is_problem(RestoreVerdict v) {
        return v >= RESTORE_MISSING;
}
/* One sentence: what is wrong with d, and what to do. Only for a problem. */
void restore_explain(const ShimDevice *d, char *buf, size_t size);
/* One sentence about all of them. */
void restore_summarize(const RestoreCounts *c, char *buf, size_t size);
