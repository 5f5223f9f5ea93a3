/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ready barrier: who takes part, who was asked, who has answered. Pure: time comes
 * in as a number (CLOCK_MONOTONIC microseconds), announcements go out as a list.
 *
 * A participant registers for any of the phases prepare, freeze and resume. When a
 * phase begins, every participant that wants it is asked and becomes WAITING until it
 * says Ready, or Veto, its deadline passes, or it dies. The phase's barrier is open
 * when nobody waits any more. Participants are told to resume in the reverse order in
 * which they were asked.
 */
#pragma once

#include "reason.h"

#include "common/table.h"

enum {
        PARTICIPANT_NAME_MAX = 127,   /* bytes; fits a refusal's subject */
        PARTICIPANT_REASON_MAX = 255, /* bytes; what is longer is cut */
};

typedef enum Want {
        WANT_PREPARE = 1 << 0,
        WANT_FREEZE = 1 << 1,
        WANT_RESUME = 1 << 2,
} Want;

/* What happens to the update when a participant dies while it takes part. */
typedef enum OnDeath {
        ON_DEATH_CANCEL, /* the default: nothing goes on without it */
        ON_DEATH_KEEP,   /* its sessions go along; somebody claims them later */
        ON_DEATH_DROP,   /* its sessions are closed and left behind, the update goes on */
        _ON_DEATH_MAX,
} OnDeath;

DECLARE_STRING_TABLE(on_death, OnDeath);

typedef enum Answer {
        ANSWER_NONE,    /* was not asked */
        ANSWER_WAITING, /* was asked */
        ANSWER_READY,
        ANSWER_VETO,
        ANSWER_LATE, /* its deadline passed */
        _ANSWER_MAX,
} Answer;

DECLARE_STRING_TABLE(answer, Answer);

typedef struct Participant {
        uint64_t id;
        char *name;
        unsigned want; /* Want bits */
        OnDeath on_death;
        Answer answer;
        Want phase;        /* the phase it was last asked for */
        uint64_t asked;    /* when; microseconds */
        uint64_t deadline; /* microseconds; UINT64_MAX: none */
        uint64_t answered;
        char *reason; /* of a veto or a delay */
        bool touched; /* was told to prepare or freeze since the last resume */
        /* Whoever registers it keeps these here; the barrier only frees the string. */
        char *owner; /* unique bus name; NULL without one */
        uint32_t uid;
        int lease;   /* descriptor; -1: none */
        bool stored; /* the lease is in the service manager's store */
        void *userdata;
} Participant;

typedef struct Barrier {
        Participant **items; /* in the order of registration */
        size_t n, n_allocated;
        uint64_t next_id; /* ids are never used twice, and rise along items */
        Want phase;       /* 0: no phase runs */
        size_t n_waiting;
} Barrier;

void barrier_done(Barrier *b);

/* "prepare:freeze:resume", any order, at least one. -EINVAL. */
int want_parse(const char *s, unsigned *ret);
/* One phase; NULL for anything else. */
const char *want_to_string(Want w);

/* Refused: empty, over-long or unprintable name, no known phase, more than max
 * participants. Names need not be unique. Who registers while a phase runs is not asked
 * in it, unless by barrier_ask(). */
int barrier_register(Barrier *b, const char *name, unsigned want, OnDeath on_death, size_t max, Participant **ret,
                     Refusal *refusal);
/* The same for one that registered in an earlier life of the daemon, with its id, which
 * must be above all others. */
int barrier_restore(Barrier *b, uint64_t id, const char *name, unsigned want, OnDeath on_death, Participant **ret,
                    Refusal *refusal);
Participant *barrier_find(const Barrier *b, uint64_t id);

/* Begins a phase: marks everybody who wants it as waiting. Resume needs no answer, so
 * for it everybody who was touched is only collected. Callers then announce to each
 * item for which barrier_is_asked() says true. */
void barrier_begin(Barrier *b, Want phase, uint64_t now, uint64_t deadline);
/* Asks one participant that came after the phase began, or after it was complete: then
 * the phase runs again, for this one. No-op while another phase runs. */
void barrier_ask(Barrier *b, Participant *p, Want phase, uint64_t now, uint64_t deadline);
/* Whether the running phase was announced to p, whatever it has answered since. */
bool barrier_is_asked(const Barrier *b, const Participant *p);
/* Ends the phase without waiting (done, or abandoned). */
void barrier_end(Barrier *b);
static inline bool barrier_open(const Barrier *b) {
        return b->n_waiting == 0;
}

/* Answers. A phase that does not match the running one is refused, and so is who was
 * not asked or has been declared late. Ready may be said twice, and a veto may follow
 * it as long as the phase runs; a veto is final. A delay moves the deadline to `until`,
 * never backwards, and is refused beyond `limit`; the reason may be NULL. */
int barrier_ready(Barrier *b, Participant *p, Want phase, uint64_t now, Refusal *refusal);
int barrier_veto(Barrier *b, Participant *p, Want phase, uint64_t now, const char *reason, Refusal *refusal);
int barrier_delay(Barrier *b, Participant *p, Want phase, uint64_t until, uint64_t limit, const char *reason,
                  Refusal *refusal);

/* The earliest deadline of those still waiting; UINT64_MAX if none. */
uint64_t barrier_next_deadline(const Barrier *b);
/* Who has been waited for the longest; NULL: nobody. */
Participant *barrier_first_waiting(const Barrier *b);
/* Marks all whose deadline is over as LATE; returns the first of them or NULL. */
Participant *barrier_expire(Barrier *b, uint64_t now);

/* Takes a participant out, asked or not, and frees it. */
void barrier_remove(Barrier *b, Participant *p);

/* Those to be told to resume (touched, and registered for it), in reverse order of
 * asking; clears every mark. The caller frees the array (not the participants). */
int barrier_take_touched(Barrier *b, Participant ***ret, size_t *ret_n);
