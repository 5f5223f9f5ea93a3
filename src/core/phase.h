/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life cycle of a live update as a table: (state, event) -> (state, effect).
 * A pair that is not in the table is refused. The table is data, so that the tests can
 * walk all of it and the model in tests/model can be held against it.
 */
#pragma once

#include "common/table.h"

typedef enum Phase {
        PHASE_NORMAL,     /* nothing pending */
        PHASE_PREPARING,  /* clients were asked to get ready, sessions fill up */
        PHASE_PREPARED,   /* all that goes along is preserved; workloads run with limits */
        PHASE_FREEZING,   /* clients were asked to pause their workloads */
        PHASE_FROZEN,     /* all paused, the manifest is written; only jump or cancel follow */
        PHASE_JUMPING,    /* reboot(2) has been called, or is about to be; cannot be cancelled */
        PHASE_UPDATED,    /* the new kernel runs; sessions wait to be claimed */
        PHASE_FINISHING,  /* FINISH runs for the claimed sessions */
        PHASE_CANCELLING, /* everything is put back: clients resume, sessions close */
        _PHASE_MAX,
} Phase;

typedef enum PhaseEvent {
        EVENT_PREPARE,      /* somebody asked for PREPARE */
        EVENT_FREEZE,       /* … for FREEZE */
        EVENT_EXECUTE,      /* … for the jump */
        EVENT_CANCEL,       /* … for CANCEL */
        EVENT_FINISH,       /* … for FINISH, or the last session was finished */
        EVENT_PHASE_READY,  /* all work of a transitional state is done */
        EVENT_PHASE_FAILED, /* some of it failed: a port call, a veto, a deadline, reboot(2) */
        EVENT_ARRIVED,      /* the daemon started and found sessions from another kernel */
        EVENT_RECOVERED,    /* the daemon restarted in this kernel and found itself PREPARED */
        EVENT_INTERRUPTED,  /* … and found itself in the middle of something: put it back */
        _EVENT_MAX,
} PhaseEvent;

typedef enum PhaseEffect {
        EFFECT_NONE,
        EFFECT_PREPARE,  /* check the host, open our session, announce prepare */
        EFFECT_FREEZE,   /* announce freeze, sync, write the manifest */
        EFFECT_JUMP,     /* reboot(2) */
        EFFECT_ROLLBACK, /* resume clients in reverse order, close all outgoing sessions */
        EFFECT_RECEIVE,  /* read the manifest, offer the sessions */
        EFFECT_FINISH,   /* FINISH what is claimed */
        EFFECT_SETTLE,   /* the update is over (done or cancelled): tell, forget */
        _EFFECT_MAX,
} PhaseEffect;

typedef struct PhaseRule {
        Phase from;
        PhaseEvent event;
        Phase to;
        PhaseEffect effect;
} PhaseRule;

DECLARE_STRING_TABLE(phase, Phase);
DECLARE_STRING_TABLE(phase_event, PhaseEvent);
DECLARE_STRING_TABLE(phase_effect, PhaseEffect);

/* The rule for this pair, NULL when it is refused. */
const PhaseRule *phase_rule(Phase from, PhaseEvent event);
/* All rules, for tests and documentation. */
const PhaseRule *phase_rules(size_t *ret_n);
/* Whether CANCEL is possible in this state; the truth behind the bus property. */
bool phase_cancelable(Phase phase);
/* Whether sessions may be opened / descriptors preserved / sessions claimed. Sessions
 * are opened until PREPARED: what goes along is decided then. Descriptors may follow
 * until FROZEN: a VM's last state is written while it is being frozen. Claims wait for
 * UPDATED; a session that is left over when it ends was given up. */
bool phase_accepts_sessions(Phase phase);
bool phase_accepts_preserve(Phase phase);
bool phase_accepts_claims(Phase phase);
