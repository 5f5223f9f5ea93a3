/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * liveupdatectl: what an operator types. Options, the verb table, dispatch; the verbs
 * are in verbs-*.c, what they print in format.c and json.c, the bus behind bus.h.
 */
#include <langinfo.h>
#include <locale.h>

#include "options.h"

static int verb_help(Ctl *c, char **args, size_t n_args) {
        _cleanup_free_ char *text = NULL;

        if (c->options.json != JSON_OFF)
                return ctl_print_json(c, help_json());
        int r = help_text(&text);
        return r < 0 ? ctl_fail_errno(c, r) : ctl_print(c, text);
}

static int verb_version(Ctl *c, char **args, size_t n_args) {
        if (c->options.json != JSON_OFF)
                return ctl_print_json(c, json_version());
        return ctl_print(c, "liveupdatectl " PROJECT_VERSION "\n");
}

const Verb verb_table[] = {
        { "status", "", "Show the state, the kernels and what runs (default)", 0, 0, 0, verb_status },
        { "load", "KERNEL", "Check a kernel and load it as the next one", 1, 1, FOR_LOAD | FOR_JOB | MAY_ASK,
          verb_load },
        { "unload", "", "Unload the next kernel", 0, 0, FOR_JOB | MAY_ASK, verb_unload },
        { "devices", "[ADDRESS...]", "List the PCI devices, or show all about some of them", 0, SIZE_MAX,
          FOR_LIST | MAY_ASK, verb_devices },
        { "device", "hold|release ADDRESS...", "Have liveupdated hold a device itself, or let it go", 2, SIZE_MAX,
          FOR_HOLD, verb_device },
        { "plan", "", "Show what would go along, what not, and why", 0, 0, FOR_PLAN | FOR_JUMP | MAY_ASK, verb_plan },
        { "explain", "ADDRESS|CODE", "Explain a device's verdict, or a reason code", 1, 1, MAY_ASK, verb_explain },
        { "update", "", "Prepare, freeze and jump into the next kernel", 0, 0,
          FOR_LOAD | FOR_UPDATE | FOR_JOB | FOR_PLAN | FOR_JUMP | MAY_ASK, verb_update },
        { "prepare", "", "Ask the clients, preserve what goes along", 0, 0, FOR_JOB | FOR_PLAN | MAY_ASK,
          verb_prepare },
        { "freeze", "", "After prepare: pause the workloads", 0, 0, FOR_JOB | MAY_ASK, verb_freeze },
        { "kexec", "", "After freeze: jump into the next kernel", 0, 0, FOR_JOB | FOR_JUMP | MAY_ASK, verb_kexec },
        { "cancel", "", "Stop the update, put everything back", 0, 0, FOR_JOB | MAY_ASK, verb_cancel },
        { "finish", "", "After the jump: end the update", 0, 0, FOR_FINISH | FOR_JOB | MAY_ASK, verb_finish },
        { "verify", "", "After the jump: compare the devices with what they were", 0, 0, FOR_VERIFY | MAY_ASK,
          verb_verify },
        { "bits", "", "Show the table of configuration-space bits", 0, 0, 0, verb_bits },
        { "sessions", "", "List the sessions", 0, 0, 0, verb_sessions },
        { "jobs", "", "List the jobs", 0, 0, 0, verb_jobs },
        { "job", "[NUMBER]", "Show a job and its timeline (default: the last one)", 0, 1, 0, verb_job },
        { "timeline", "[NUMBER]", "Show a job's timeline (default: the last that has one)", 0, 1, 0, verb_timeline },
        { "monitor", "", "Print events as they come", 0, 0, 0, verb_monitor },
        { "help", "", "Show this", 0, 0, 0, verb_help },
        { "version", "", "Show the version", 0, 0, 0, verb_version },
};
const size_t verb_table_size = ELEMENTSOF(verb_table);

const Verb *verb_find(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(verb_table); i++)
                if (streq(verb_table[i].name, name))
                        return &verb_table[i];
        return NULL;
}

static int usage_verb(const Verb *verb, const char *word) {
        if (!verb)
                (void)fprintf(stderr, "liveupdatectl: There is no verb '%s'. Try 'liveupdatectl --help'.\n", word);
        else
                (void)fprintf(stderr, "liveupdatectl: Usage: liveupdatectl %s%s%s. Try 'liveupdatectl --help'.\n",
                              verb->name, *verb->arguments ? " " : "", verb->arguments);
        return EXIT_CTL_USAGE;
}

static Style style_from_environment(const Options *o) {
        return (Style){
                .colors = colors_wanted(isatty(STDOUT_FILENO), getenv("NO_COLOR"), getenv("TERM")),
                .utf8 = streq(nl_langinfo(CODESET), "UTF-8"),
                .legend = !o->no_legend,
        };
}

static int run(Ctl *c, unsigned given, char **words, size_t n_words) {
        if (c->options.help)
                return verb_help(c, NULL, 0);
        if (c->options.version)
                return verb_version(c, NULL, 0);
        const char *word = n_words > 0 ? words[0] : "status";
        const Verb *verb = verb_find(word);
        if (!verb)
                return usage_verb(NULL, word);
        size_t n_args = n_words > 0 ? n_words - 1 : 0;
        if (n_args < verb->min_args || n_args > verb->max_args)
                return usage_verb(verb, word);
        int r = options_check(&c->options, given, verb);
        c->may_ask = verb->options & MAY_ASK;
        return r != 0 ? r : verb->run(c, words + n_words - n_args, n_args);
}

int main(int argc, char **argv) {
        Ctl c = {};
        unsigned given;
        int first;

        (void)setlocale(LC_ALL, "");
        int r = options_parse(argc, argv, &c.options, &given, &first);
        if (r != 0)
                return r;
        c.style = style_from_environment(&c.options);
        r = run(&c, given, argv + first, (size_t)(argc - first));
        bus_freep(&c.bus);
        agent_stop(&c.agent);
        options_done(&c.options);
        return r;
}
