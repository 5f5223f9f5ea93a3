/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A polkit that answers as the test says: a process that has polkit's name on the rig's
 * bus. What it was asked is in memory that it shares with the test.
 */
#pragma once

#include <stdatomic.h>

#include "rig.h"

typedef enum Mood {
        MOOD_NO,
        MOOD_YES,
        MOOD_CHALLENGE,
        MOOD_ERROR,    /* an error, as polkit sends one */
        MOOD_NONSENSE, /* an answer of another form */
        MOOD_SILENT,   /* none */
        MOOD_DIE,      /* leaves the bus instead of answering */
        MOOD_REVERSE,  /* waits for POLKIT_BATCH questions, answers the last one first; yes to `only` */
} Mood;

enum { POLKIT_BATCH = 4 };

typedef struct PolkitShared {
        _Atomic int mood;
        char only[64]; /* MOOD_REVERSE */
        _Atomic unsigned n_asked, n_cancelled;
        /* The last question; to be read when n_asked has risen. */
        char action[64], subject[64];
        _Atomic uint32_t flags;
        char cancelled[64], id[64];
} PolkitShared;

typedef struct Polkit {
        pid_t pid;
        PolkitShared *shared;
} Polkit;

/* Has the name when it returns. */
void polkit_start(Polkit *p, const Rig *r, Mood mood);
void polkit_stop(Polkit *p);
