/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life cycle, as data. What always holds, and what the test walks the table for:
 * every state can be reached and left; a state in which work goes on is left both when
 * the work succeeds and when it fails (but JUMPING, whose success is another kernel);
 * and CANCEL works in exactly those states from which all can still be put back here.
 */
#include "phase.h"

static const char *const phase_table[_PHASE_MAX] = {
        [PHASE_NORMAL] = "normal",     [PHASE_PREPARING] = "preparing", [PHASE_PREPARED] = "prepared",
        [PHASE_FREEZING] = "freezing", [PHASE_FROZEN] = "frozen",       [PHASE_JUMPING] = "jumping",
        [PHASE_UPDATED] = "updated",   [PHASE_FINISHING] = "finishing", [PHASE_CANCELLING] = "cancelling",
};

DEFINE_STRING_TABLE(phase, Phase, phase_table);

static const char *const event_table[_EVENT_MAX] = {
        [EVENT_PREPARE] = "prepare",
        [EVENT_FREEZE] = "freeze",
        [EVENT_EXECUTE] = "execute",
        [EVENT_CANCEL] = "cancel",
        [EVENT_FINISH] = "finish",
        [EVENT_PHASE_READY] = "phase-ready",
        [EVENT_PHASE_FAILED] = "phase-failed",
        [EVENT_ARRIVED] = "arrived",
        [EVENT_RECOVERED] = "recovered",
        [EVENT_INTERRUPTED] = "interrupted",
};

DEFINE_STRING_TABLE(phase_event, PhaseEvent, event_table);

static const char *const effect_table[_EFFECT_MAX] = {
        [EFFECT_NONE] = "none",     [EFFECT_PREPARE] = "prepare",   [EFFECT_FREEZE] = "freeze",
        [EFFECT_JUMP] = "jump",     [EFFECT_ROLLBACK] = "rollback", [EFFECT_RECEIVE] = "receive",
        [EFFECT_FINISH] = "finish", [EFFECT_SETTLE] = "settle",
};

DEFINE_STRING_TABLE(phase_effect, PhaseEffect, effect_table);

static const PhaseRule rules[] = {
        { PHASE_NORMAL, EVENT_PREPARE, PHASE_PREPARING, EFFECT_PREPARE },
        { PHASE_NORMAL, EVENT_ARRIVED, PHASE_UPDATED, EFFECT_RECEIVE },
        /* A restarted daemon begins in NORMAL and goes where the world is. What was
         * complete stays; what was half done (PREPARING, FREEZING, FROZEN, JUMPING) is
         * put back, because who had answered is not known any more. */
        { PHASE_NORMAL, EVENT_RECOVERED, PHASE_PREPARED, EFFECT_NONE },
        { PHASE_NORMAL, EVENT_INTERRUPTED, PHASE_CANCELLING, EFFECT_ROLLBACK },

        { PHASE_PREPARING, EVENT_PHASE_READY, PHASE_PREPARED, EFFECT_NONE },
        { PHASE_PREPARING, EVENT_PHASE_FAILED, PHASE_CANCELLING, EFFECT_ROLLBACK },
        { PHASE_PREPARING, EVENT_CANCEL, PHASE_CANCELLING, EFFECT_ROLLBACK },

        { PHASE_PREPARED, EVENT_FREEZE, PHASE_FREEZING, EFFECT_FREEZE },
        /* Nothing runs in PREPARED and FROZEN that could fail, but what they stand for
         * can break: a participant dies, a session is closed. */
        { PHASE_PREPARED, EVENT_PHASE_FAILED, PHASE_CANCELLING, EFFECT_ROLLBACK },
        { PHASE_PREPARED, EVENT_CANCEL, PHASE_CANCELLING, EFFECT_ROLLBACK },

        { PHASE_FREEZING, EVENT_PHASE_READY, PHASE_FROZEN, EFFECT_NONE },
        { PHASE_FREEZING, EVENT_PHASE_FAILED, PHASE_CANCELLING, EFFECT_ROLLBACK },
        { PHASE_FREEZING, EVENT_CANCEL, PHASE_CANCELLING, EFFECT_ROLLBACK },

        { PHASE_FROZEN, EVENT_EXECUTE, PHASE_JUMPING, EFFECT_JUMP },
        { PHASE_FROZEN, EVENT_PHASE_FAILED, PHASE_CANCELLING, EFFECT_ROLLBACK },
        { PHASE_FROZEN, EVENT_CANCEL, PHASE_CANCELLING, EFFECT_ROLLBACK },

        /* reboot(2) does not return from a jump, so there is no success here; the
         * success is ARRIVED in the next kernel. */
        { PHASE_JUMPING, EVENT_PHASE_FAILED, PHASE_CANCELLING, EFFECT_ROLLBACK },

        { PHASE_UPDATED, EVENT_FINISH, PHASE_FINISHING, EFFECT_FINISH },
        { PHASE_FINISHING, EVENT_PHASE_READY, PHASE_NORMAL, EFFECT_SETTLE },
        /* The kernel finishes nothing of a session that it refuses (EBUSY), so it can
         * be tried again. */
        { PHASE_FINISHING, EVENT_PHASE_FAILED, PHASE_UPDATED, EFFECT_NONE },

        { PHASE_CANCELLING, EVENT_PHASE_READY, PHASE_NORMAL, EFFECT_SETTLE },
        /* The rollback must end even if a step of it fails: close(2) lets go of a
         * session whatever it returns, so there is nothing to repeat. The job says
         * what failed; a state that cannot be left would help nobody. */
        { PHASE_CANCELLING, EVENT_PHASE_FAILED, PHASE_NORMAL, EFFECT_SETTLE },
};

const PhaseRule *phase_rules(size_t *ret_n) {
        *ret_n = ELEMENTSOF(rules);
        return rules;
}

const PhaseRule *phase_rule(Phase from, PhaseEvent event) {
        for (size_t i = 0; i < ELEMENTSOF(rules); i++)
                if (rules[i].from == from && rules[i].event == event)
                        return &rules[i];
        return NULL;
}

bool phase_cancelable(Phase phase) {
        return phase_rule(phase, EVENT_CANCEL);
}

bool phase_accepts_sessions(Phase phase) {
        return phase == PHASE_NORMAL || phase == PHASE_PREPARING;
}

bool phase_accepts_preserve(Phase phase) {
        return phase_accepts_sessions(phase) || phase == PHASE_PREPARED || phase == PHASE_FREEZING;
}

bool phase_accepts_claims(Phase phase) {
        return phase == PHASE_UPDATED;
}
