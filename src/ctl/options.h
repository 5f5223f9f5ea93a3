/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line: one table of options and one of verbs. Both the parser and --help
 * read them, and a test holds the manual page against them.
 */
#pragma once

#include "ctl.h"

/* Options that only some verbs take; the others are for all. */
enum {
        FOR_LOAD = 1 << 0,   /* --initrd --restore-initrd --kernel-release --cmdline --append --reuse-cmdline */
        FOR_UPDATE = 1 << 1, /* --kernel */
        FOR_FINISH = 1 << 2, /* --unclaimed, --force */
        FOR_JOB = 1 << 3,    /* --no-block */
        FOR_PLAN = 1 << 4,   /* --device --except */
        FOR_LIST = 1 << 5,   /* --tree --dot */
        FOR_VERIFY = 1 << 6, /* --restore */
        MAY_ASK = 1 << 7,    /* no option: polkit may ask for a password */
        FOR_HOLD = 1 << 8,   /* --rebind */
        FOR_JUMP = 1 << 9,   /* --jump */
};

typedef struct Verb {
        const char *name, *arguments, *help;
        size_t min_args, max_args;
        unsigned options; /* FOR_*: those it takes */
        int (*run)(Ctl *c, char **args, size_t n_args);
} Verb;

extern const Verb verb_table[];
extern const size_t verb_table_size;
const Verb *verb_find(const char *name);

/* 0, or EXIT_CTL_USAGE with a message on stderr. *ret_given: FOR_* bits that were used;
 * *ret_first: where the verb is in argv (argc if there is none). *ret is to be passed to
 * options_done(). */
int options_parse(int argc, char **argv, Options *ret, unsigned *ret_given, int *ret_first);
void options_done(Options *o);
/* Adds an address as the kernel writes it. option: for which ("--device"); NULL: for none.
 * 0 or an exit status, with a message on stderr. */
int options_add_address(StringList *l, const char *option, const char *word);
/* Whether the given options go with each other and with the verb. */
int options_check(const Options *options, unsigned given, const Verb *verb);

int help_text(char **ret);
struct json_object *help_json(void);
