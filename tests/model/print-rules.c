/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prints the phase table (core/phase.h) as Promela, for the model in this directory:
 * phases, events and effects as sets of names, the table as one selection that takes a
 * phase from event to event, and the questions that phase.h answers about a phase as
 * macros. What it prints is checked in as phase-rules.pml, and the test compares the two,
 * so that the model's transitions are the daemon's and a change of one shows in the other.
 */
#include <ctype.h>

#include "core/phase.h"

/* "phase-ready" of PREFIX "EVENT" is EVENT_PHASE_READY. */
static void put_name(const char *prefix, const char *word) {
        (void)printf("%s_", prefix);
        for (const char *c = word; *c; c++)
                (void)putchar(*c == '-' ? '_' : toupper((unsigned char)*c));
}

static void put_names(const char *set, const char *prefix, const char *(*to_string)(unsigned), unsigned n) {
        (void)printf("mtype:%s = {\n", set);
        for (unsigned i = 0; i < n; i++) {
                (void)printf("        ");
                put_name(prefix, to_string(i));
                (void)puts(i + 1 < n ? "," : "");
        }
        (void)puts("}\n");
}

static const char *phase_word(unsigned i) {
        return phase_to_string((Phase)i);
}

static const char *event_word(unsigned i) {
        return phase_event_to_string((PhaseEvent)i);
}

static const char *effect_word(unsigned i) {
        return phase_effect_to_string((PhaseEffect)i);
}

static void put_rules(void) {
        size_t n;
        const PhaseRule *rules = phase_rules(&n);

        (void)puts("/* A pair that is not in the table must not happen. */\n"
                   "inline apply_rule(p, e, f)\n"
                   "{\n"
                   "        if");
        for (size_t i = 0; i < n; i++) {
                (void)printf("        :: p == ");
                put_name("PHASE", phase_to_string(rules[i].from));
                (void)printf(" && e == ");
                put_name("EVENT", phase_event_to_string(rules[i].event));
                (void)printf(" -> p = ");
                put_name("PHASE", phase_to_string(rules[i].to));
                (void)printf("; f = ");
                put_name("EFFECT", phase_effect_to_string(rules[i].effect));
                (void)putchar('\n');
        }
        (void)puts("        :: else -> assert(false)\n"
                   "        fi\n"
                   "}\n");
}

static void put_question(const char *name, bool (*holds)(Phase phase)) {
        (void)printf("#define %s(p) (false", name);
        for (Phase p = 0; p < _PHASE_MAX; p++)
                if (holds(p)) {
                        (void)printf(" || (p) == ");
                        put_name("PHASE", phase_to_string(p));
                }
        (void)puts(")");
}

int main(void) {
        (void)puts("/* SPDX-License-Identifier: GPL-2.0-or-later */\n"
                   "/* The phase table of src/core/phase.c, printed by print-rules.c; not to be edited. After a\n"
                   " * change of the table: TREE/tests/model/print-rules > tests/model/phase-rules.pml */\n");
        put_names("phase", "PHASE", phase_word, _PHASE_MAX);
        put_names("event", "EVENT", event_word, _EVENT_MAX);
        put_names("effect", "EFFECT", effect_word, _EFFECT_MAX);
        put_rules();
        (void)printf("/* Where a daemon begins. */\n#define PHASE_FIRST ");
        put_name("PHASE", phase_to_string((Phase)0));
        (void)putchar('\n');
        put_question("CANCELABLE", phase_cancelable);
        put_question("ACCEPTS_SESSIONS", phase_accepts_sessions);
        put_question("ACCEPTS_PRESERVE", phase_accepts_preserve);
        put_question("ACCEPTS_CLAIMS", phase_accepts_claims);
        return ferror(stdout) || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
