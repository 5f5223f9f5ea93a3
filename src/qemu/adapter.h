/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One machine and the daemon: the answers to prepare, freeze and resume, and the way back
 * after the kexec.
 *
 *   running --prepare--> prepared --freeze--> frozen --(the jump)--> loading --> running
 *      ^------ resume ------+-------- resume -----+
 *
 * Always: only a frozen guest stands still; whatever goes wrong before the jump, and
 * whoever dies, it runs on. A machine that came over is never started anew: its memory
 * and state stay preserved until it lives again.
 */
#pragma once

#include "problem.h"

typedef struct AdapterOptions {
        const char *name;
        const char *base;    /* runtime directory */
        const char *hook;    /* or NULL */
        const char *monitor; /* of a QEMU that runs already, or NULL */
        const char *program; /* NULL without monitor: only bring back what came over */
        const char *instead; /* the QEMU that brings it back, or NULL: the one it was started with */
        char *const *args;
        bool no_gather; /* leave the memory in the pages it has */
} AdapterOptions;

/* Runs until the machine ends. 0, or a negative errno with a Problem. */
int adapter_run(const AdapterOptions *options, Problem *p);
