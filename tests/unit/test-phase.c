/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life cycle against a grid that was written independently of the table: one row a
 * state, one column an event. A cell is the state that follows, with a capital letter
 * for its effect; "." is a refusal.
 */
#include "core/phase.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char *const state_letters[_PHASE_MAX] = {
        [PHASE_NORMAL] = "norm",   [PHASE_PREPARING] = "prep", [PHASE_PREPARED] = "PREP",
        [PHASE_FREEZING] = "free", [PHASE_FROZEN] = "FROZ",    [PHASE_JUMPING] = "jump",
        [PHASE_UPDATED] = "upda",  [PHASE_FINISHING] = "fini", [PHASE_CANCELLING] = "canc",
};

static const char effect_letters[_EFFECT_MAX] = {
        [EFFECT_NONE] = '-',     [EFFECT_PREPARE] = 'P', [EFFECT_FREEZE] = 'F', [EFFECT_JUMP] = 'J',
        [EFFECT_ROLLBACK] = 'R', [EFFECT_RECEIVE] = 'I', [EFFECT_FINISH] = 'E', [EFFECT_SETTLE] = 'S',
};

/* clang-format off */
static const char *const grid[_PHASE_MAX][_EVENT_MAX] = {
        /*                     prepare   freeze    execute   cancel    finish    ready     failed    arrived   recovered interrupted */
        [PHASE_NORMAL] =     { "prep P", ".",      ".",      ".",      ".",      ".",      ".",      "upda I", "PREP -", "canc R" },
        [PHASE_PREPARING] =  { ".",      ".",      ".",      "canc R", ".",      "PREP -", "canc R", ".",      ".",      "."      },
        [PHASE_PREPARED] =   { ".",      "free F", ".",      "canc R", ".",      ".",      "canc R", ".",      ".",      "."      },
        [PHASE_FREEZING] =   { ".",      ".",      ".",      "canc R", ".",      "FROZ -", "canc R", ".",      ".",      "."      },
        [PHASE_FROZEN] =     { ".",      ".",      "jump J", "canc R", ".",      ".",      "canc R", ".",      ".",      "."      },
        [PHASE_JUMPING] =    { ".",      ".",      ".",      ".",      ".",      ".",      "canc R", ".",      ".",      "."      },
        [PHASE_UPDATED] =    { ".",      ".",      ".",      ".",      "fini E", ".",      ".",      ".",      ".",      "."      },
        [PHASE_FINISHING] =  { ".",      ".",      ".",      ".",      ".",      "norm S", "upda -", ".",      ".",      "."      },
        [PHASE_CANCELLING] = { ".",      ".",      ".",      ".",      ".",      "norm S", "norm S", ".",      ".",      "."      },
};
/* clang-format on */

static void full_matrix(void **state) {
        size_t n_rules, n_found = 0;
        const PhaseRule *rules = phase_rules(&n_rules);

        for (Phase from = 0; from < _PHASE_MAX; from++)
                for (PhaseEvent event = 0; event < _EVENT_MAX; event++) {
                        const PhaseRule *rule = phase_rule(from, event);
                        char cell[16] = ".";

                        if (rule) {
                                assert_true(rule >= rules && rule < rules + n_rules);
                                assert_int_equal(rule->from, from);
                                assert_int_equal(rule->event, event);
                                (void)snprintf(cell, sizeof(cell), "%s %c", state_letters[rule->to],
                                               effect_letters[rule->effect]);
                                n_found++;
                        }
                        assert_string_equal(cell, grid[from][event]);
                }
        /* None is shadowed by another of the same pair. */
        assert_int_equal(n_found, n_rules);
}

static void pairs_out_of_range(void **state) {
        assert_null(phase_rule(_PHASE_MAX, EVENT_PREPARE));
        assert_null(phase_rule((Phase)-1, EVENT_PREPARE));
        assert_null(phase_rule(PHASE_NORMAL, _EVENT_MAX));
        assert_null(phase_rule(PHASE_NORMAL, (PhaseEvent)-1));
}

/* All states that can follow `from`, in any number of steps. */
static unsigned reachable(Phase from) {
        size_t n;
        const PhaseRule *rules = phase_rules(&n);
        unsigned set = 1U << from, before;

        do {
                before = set;
                for (size_t i = 0; i < n; i++)
                        if (set & 1U << rules[i].from)
                                set |= 1U << rules[i].to;
        } while (set != before);
        return set;
}

static void every_state_is_reached_and_left(void **state) {
        assert_int_equal(reachable(PHASE_NORMAL), (1U << _PHASE_MAX) - 1);
        for (Phase p = 0; p < _PHASE_MAX; p++)
                assert_true(reachable(p) & 1U << PHASE_NORMAL);
}

static void work_ends_in_both_ways(void **state) {
        static const Phase busy[] = { PHASE_PREPARING, PHASE_FREEZING, PHASE_FINISHING, PHASE_CANCELLING };

        for (size_t i = 0; i < ELEMENTSOF(busy); i++) {
                assert_non_null(phase_rule(busy[i], EVENT_PHASE_READY));
                assert_non_null(phase_rule(busy[i], EVENT_PHASE_FAILED));
        }
        assert_non_null(phase_rule(PHASE_JUMPING, EVENT_PHASE_FAILED));
}

static void cancel_is_what_the_table_says(void **state) {
        for (Phase p = 0; p < _PHASE_MAX; p++) {
                const PhaseRule *rule = phase_rule(p, EVENT_CANCEL);
                bool before_jump =
                        p == PHASE_PREPARING || p == PHASE_PREPARED || p == PHASE_FREEZING || p == PHASE_FROZEN;

                assert_int_equal(phase_cancelable(p), rule != NULL);
                assert_int_equal(phase_cancelable(p), before_jump);
                if (rule)
                        assert_int_equal(rule->effect, EFFECT_ROLLBACK);
        }
        assert_false(phase_cancelable(_PHASE_MAX));
}

/* Whatever enters CANCELLING runs the rollback, whatever enters NORMAL settles: a
 * transition without its effect would leave clients frozen or a job open. */
static void effects_belong_to_their_states(void **state) {
        static const PhaseEffect entering[_PHASE_MAX] = {
                [PHASE_NORMAL] = EFFECT_SETTLE,    [PHASE_PREPARING] = EFFECT_PREPARE,
                [PHASE_FREEZING] = EFFECT_FREEZE,  [PHASE_JUMPING] = EFFECT_JUMP,
                [PHASE_FINISHING] = EFFECT_FINISH, [PHASE_CANCELLING] = EFFECT_ROLLBACK,
        };
        size_t n;
        const PhaseRule *rules = phase_rules(&n);

        for (size_t i = 0; i < n; i++)
                if (entering[rules[i].to] != EFFECT_NONE)
                        assert_int_equal(rules[i].effect, entering[rules[i].to]);
                else
                        assert_true(rules[i].effect == EFFECT_NONE || rules[i].event == EVENT_ARRIVED);
}

static void what_a_state_accepts(void **state) {
        for (Phase p = 0; p < _PHASE_MAX; p++) {
                bool late = p == PHASE_PREPARED || p == PHASE_FREEZING;
                bool early = p == PHASE_NORMAL || p == PHASE_PREPARING;

                assert_int_equal(phase_accepts_sessions(p), early);
                assert_int_equal(phase_accepts_preserve(p), early || late);
                assert_int_equal(phase_accepts_claims(p), p == PHASE_UPDATED);
        }
}

static void words(void **state) {
        for (Phase p = 0; p < _PHASE_MAX; p++)
                assert_int_equal(phase_from_string(phase_to_string(p)), p);
        for (PhaseEvent e = 0; e < _EVENT_MAX; e++)
                assert_int_equal(phase_event_from_string(phase_event_to_string(e)), e);
        for (PhaseEffect e = 0; e < _EFFECT_MAX; e++)
                assert_int_equal(phase_effect_from_string(phase_effect_to_string(e)), e);
        assert_string_equal(phase_to_string(PHASE_PREPARED), "prepared");
        assert_null(phase_to_string(_PHASE_MAX));
        assert_null(phase_to_string((Phase)-1));
        assert_int_equal(phase_from_string("PREPARED"), -EINVAL);
        assert_int_equal(phase_from_string(NULL), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(full_matrix),
                cmocka_unit_test(pairs_out_of_range),
                cmocka_unit_test(every_state_is_reached_and_left),
                cmocka_unit_test(work_ends_in_both_ways),
                cmocka_unit_test(cancel_is_what_the_table_says),
                cmocka_unit_test(effects_belong_to_their_states),
                cmocka_unit_test(what_a_state_accepts),
                cmocka_unit_test(words),
        };

        return cmocka_run_group_tests_name("phase", tests, NULL, NULL);
}
