/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The phase table of src/core/phase.c, printed by print-rules.c; not to be edited. After a
 * change of the table: TREE/tests/model/print-rules > tests/model/phase-rules.pml */

mtype:phase = {
        PHASE_NORMAL,
        PHASE_PREPARING,
        PHASE_PREPARED,
        PHASE_FREEZING,
        PHASE_FROZEN,
        PHASE_JUMPING,
        PHASE_UPDATED,
        PHASE_FINISHING,
        PHASE_CANCELLING
}

mtype:event = {
        EVENT_PREPARE,
        EVENT_FREEZE,
        EVENT_EXECUTE,
        EVENT_CANCEL,
        EVENT_FINISH,
        EVENT_PHASE_READY,
        EVENT_PHASE_FAILED,
        EVENT_ARRIVED,
        EVENT_RECOVERED,
        EVENT_INTERRUPTED
}

mtype:effect = {
        EFFECT_NONE,
        EFFECT_PREPARE,
        EFFECT_FREEZE,
        EFFECT_JUMP,
        EFFECT_ROLLBACK,
        EFFECT_RECEIVE,
        EFFECT_FINISH,
        EFFECT_SETTLE
}

/* A pair that is not in the table must not happen. */
inline apply_rule(p, e, f)
{
        if
        :: p == PHASE_NORMAL && e == EVENT_PREPARE -> p = PHASE_PREPARING; f = EFFECT_PREPARE
        :: p == PHASE_NORMAL && e == EVENT_ARRIVED -> p = PHASE_UPDATED; f = EFFECT_RECEIVE
        :: p == PHASE_NORMAL && e == EVENT_RECOVERED -> p = PHASE_PREPARED; f = EFFECT_NONE
        :: p == PHASE_NORMAL && e == EVENT_INTERRUPTED -> p = PHASE_CANCELLING; f = EFFECT_ROLLBACK
        :: p == PHASE_PREPARING && e == EVENT_PHASE_READY -> p = PHASE_PREPARED; f = EFFECT_NONE
        :: p == PHASE_PREPARING && e == EVENT_PHASE_FAILED -> p = PHASE_CANCELLING; f = EFFECT_ROLLBACK
        :: p == PHASE_PREPARING && e == EVENT_CANCEL -> p = PHASE_CANCELLING; f = EFFECT_ROLLBACK
        :: p == PHASE_PREPARED && e == EVENT_FREEZE -> p = PHASE_FREEZING; f = EFFECT_FREEZE
        :: p == PHASE_PREPARED && e == EVENT_PHASE_FAILED -> p = PHASE_CANCELLING; f = EFFECT_ROLLBACK
        :: p == PHASE_PREPARED && e == EVENT_CANCEL -> p = PHASE_CANCELLING; f = EFFECT_ROLLBACK
        :: p == PHASE_FREEZING && e == EVENT_PHASE_READY -> p = PHASE_FROZEN; f = EFFECT_NONE
        :: p == PHASE_FREEZING && e == EVENT_PHASE_FAILED -> p = PHASE_CANCELLING; f = EFFECT_ROLLBACK
        :: p == PHASE_FREEZING && e == EVENT_CANCEL -> p = PHASE_CANCELLING; f = EFFECT_ROLLBACK
        :: p == PHASE_FROZEN && e == EVENT_EXECUTE -> p = PHASE_JUMPING; f = EFFECT_JUMP
        :: p == PHASE_FROZEN && e == EVENT_PHASE_FAILED -> p = PHASE_CANCELLING; f = EFFECT_ROLLBACK
        :: p == PHASE_FROZEN && e == EVENT_CANCEL -> p = PHASE_CANCELLING; f = EFFECT_ROLLBACK
        :: p == PHASE_JUMPING && e == EVENT_PHASE_FAILED -> p = PHASE_CANCELLING; f = EFFECT_ROLLBACK
        :: p == PHASE_UPDATED && e == EVENT_FINISH -> p = PHASE_FINISHING; f = EFFECT_FINISH
        :: p == PHASE_FINISHING && e == EVENT_PHASE_READY -> p = PHASE_NORMAL; f = EFFECT_SETTLE
        :: p == PHASE_FINISHING && e == EVENT_PHASE_FAILED -> p = PHASE_UPDATED; f = EFFECT_NONE
        :: p == PHASE_CANCELLING && e == EVENT_PHASE_READY -> p = PHASE_NORMAL; f = EFFECT_SETTLE
        :: p == PHASE_CANCELLING && e == EVENT_PHASE_FAILED -> p = PHASE_NORMAL; f = EFFECT_SETTLE
        :: else -> assert(false)
        fi
}

/* Where a daemon begins. */
#define PHASE_FIRST PHASE_NORMAL
#define CANCELABLE(p) (false || (p) == PHASE_PREPARING || (p) == PHASE_PREPARED || (p) == PHASE_FREEZING || (p) == PHASE_FROZEN)
#define ACCEPTS_SESSIONS(p) (false || (p) == PHASE_NORMAL || (p) == PHASE_PREPARING)
#define ACCEPTS_PRESERVE(p) (false || (p) == PHASE_NORMAL || (p) == PHASE_PREPARING || (p) == PHASE_PREPARED || (p) == PHASE_FREEZING)
#define ACCEPTS_CLAIMS(p) (false || (p) == PHASE_UPDATED)
