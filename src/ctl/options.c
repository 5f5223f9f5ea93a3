/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "options.h"

#include <getopt.h>
#include <stdarg.h>

#include "address.h"
#include "common/utf8.h"

enum {
        ARG_JSON = 0x100,
        ARG_NO_PAGER,
        ARG_NO_LEGEND,
        ARG_NO_BLOCK,
        ARG_NO_ASK_PASSWORD,
        ARG_ADDRESS,
        ARG_VERSION,
        ARG_KERNEL,
        ARG_INITRD,
        ARG_RESTORE_INITRD,
        ARG_KERNEL_RELEASE,
        ARG_CMDLINE,
        ARG_APPEND,
        ARG_REUSE_CMDLINE,
        ARG_UNCLAIMED,
        ARG_FORCE,
        ARG_DEVICE,
        ARG_EXCEPT,
        ARG_JUMP,
        ARG_TREE,
        ARG_DOT,
        ARG_RESTORE,
        ARG_REBIND,
};

typedef struct OptionSpec {
        const char *name;
        int value;           /* its letter, or ARG_* */
        const char *metavar; /* NULL: takes none; "[=…]": may take one */
        const char *help;    /* NULL: not shown */
        unsigned verbs;      /* FOR_*; 0: all verbs */
} OptionSpec;

static const OptionSpec option_table[] = {
        { "json", ARG_JSON, "[=MODE]", "Print JSON: pretty (also without MODE), short or off" },
        { "host", 'H', "[USER@]HOST", "Ask the liveupdated of another host, over ssh" },
        { "no-pager", ARG_NO_PAGER, NULL, "Do not pipe long output into a pager" },
        { "no-legend", ARG_NO_LEGEND, NULL, "Leave out the headings and the count of tables" },
        { "no-ask-password", ARG_NO_ASK_PASSWORD, NULL, "Do not ask for a password; fail if one is needed" },
        { "quiet", 'q', NULL, "Print errors only" },
        { "verbose", 'v', NULL, "Tell the steps of a job also when stderr is not a terminal" },
        { "help", 'h', NULL, "Show this" },
        { "version", ARG_VERSION, NULL, "Show the version" },
        { "no-block", ARG_NO_BLOCK, NULL, "Do not wait for the job; print its number", FOR_JOB },
        { "kernel", ARG_KERNEL, "FILE", "update: load this kernel first", FOR_UPDATE },
        { "initrd", ARG_INITRD, "FILE", "load, update: the initrd; without it there is none", FOR_LOAD },
        { "restore-initrd", ARG_RESTORE_INITRD, "[=WHEN]",
          "load, update: restore before the initrd is unpacked: yes, no or auto", FOR_LOAD },
        { "kernel-release", ARG_KERNEL_RELEASE, "RELEASE", "load, update: whose modules --restore-initrd takes",
          FOR_LOAD },
        { "cmdline", ARG_CMDLINE, "STRING", "load, update: the next kernel's command line", FOR_LOAD },
        { "append", ARG_APPEND, "STRING", "load, update: the running kernel's command line and STRING", FOR_LOAD },
        { "reuse-cmdline", ARG_REUSE_CMDLINE, NULL, "load, update: the running kernel's command line, also for a UKI",
          FOR_LOAD },
        { "unclaimed", ARG_UNCLAIMED, NULL, "finish: drop the sessions that nobody claimed", FOR_FINISH },
        { "force", ARG_FORCE, NULL, "finish: do not wait for clients that have claimed theirs", FOR_FINISH },
        { "device", ARG_DEVICE, "ADDRESS", "plan, prepare, update: this PCI device is to go along (repeatable)",
          FOR_PLAN },
        { "except", ARG_EXCEPT, "SUBJECT", "plan, prepare, update: this device or session may be lost (repeatable)",
          FOR_PLAN },
        { "jump", ARG_JUMP, "WAY", "plan, update, kexec: jump direct or through systemd, whatever Jump= says",
          FOR_JUMP },
        { "tree", ARG_TREE, NULL, "devices: each below its bridge, VFs below their PF", FOR_LIST },
        { "dot", ARG_DOT, NULL, "devices: a graph for Graphviz", FOR_LIST },
        { "restore", ARG_RESTORE, NULL, "verify: put VF settings back that changed", FOR_VERIFY },
        { "rebind", ARG_REBIND, NULL, "device hold: take the device away from the driver that has it", FOR_HOLD },
        { "address", ARG_ADDRESS, "ADDRESS", NULL },
};

/* How options_check() calls what belongs together. */
static const struct {
        unsigned verbs;
        const char *words;
} option_groups[] = {
        { FOR_LOAD, "options for loading a kernel" },
        { FOR_UPDATE, "--kernel" },
        { FOR_FINISH, "--unclaimed and --force" },
        { FOR_JOB, "--no-block" },
        { FOR_PLAN, "--device and --except" },
        { FOR_JUMP, "--jump" },
        { FOR_LIST, "--tree and --dot" },
        { FOR_VERIFY, "--restore" },
        { FOR_HOLD, "--rebind" },
};

static const struct {
        int status;
        const char *help;
} exit_table[] = {
        { EXIT_CTL_OK, "Done" },
        { EXIT_CTL_FAILED, "The operation failed or was refused" },
        { EXIT_CTL_USAGE, "The command line is wrong" },
        { EXIT_CTL_UNREACHABLE, "liveupdated cannot be reached" },
        { EXIT_CTL_DENIED, "Not authorised" },
        { EXIT_CTL_CANCELLED, "The job was cancelled" },
        { EXIT_CTL_INTERRUPTED, "Interrupted while waiting; the job goes on" },
};

static int usage(const char *format, ...) _printf_(1, 2);

static int usage(const char *format, ...) {
        va_list ap;

        (void)fputs("liveupdatectl: ", stderr);
        va_start(ap, format);
        (void)vfprintf(stderr, format, ap);
        va_end(ap);
        (void)fputs(" Try 'liveupdatectl --help'.\n", stderr);
        return EXIT_CTL_USAGE;
}

static void getopt_tables(struct option *longs, char *letters) {
        size_t n = 0;

        letters[n++] = ':'; /* a missing argument is told apart; no message of getopt's own */
        for (size_t i = 0; i < ELEMENTSOF(option_table); i++) {
                const OptionSpec *o = &option_table[i];
                int arg = !o->metavar                                    ? no_argument
                          : o->metavar[0] == '[' && o->metavar[1] == '=' ? optional_argument
                                                                         : required_argument;

                longs[i] = (struct option){ o->name, arg, NULL, o->value };
                if (o->value < ARG_JSON) {
                        letters[n++] = (char)o->value;
                        if (arg == required_argument)
                                letters[n++] = ':';
                }
        }
        letters[n] = '\0';
}

static int out_of_memory(void) {
        (void)fputs("liveupdatectl: Out of memory.\n", stderr);
        return EXIT_CTL_FAILED;
}

int options_add_address(StringList *l, const char *option, const char *word) {
        char address[ADDRESS_SIZE];

        if (address_clean(word, address) < 0)
                return option ? usage("%s takes a PCI address, such as 0000:01:02.3, not '%s'.", option, word)
                              : usage("'%s' is not a PCI address, such as 0000:01:02.3.", word);
        return string_list_add(l, address) < 0 ? out_of_memory() : 0;
}

/* What is no address is a session's name, or SESSION/TOKEN. */
static int add_exception(Options *o, const char *word) {
        char address[ADDRESS_SIZE];

        if (address_clean(word, address) >= 0)
                word = address;
        else if (!*word || strlen(word) > 128 || !utf8_printable(word, strlen(word)))
                return usage("--except takes a PCI address or a session's name.");
        return string_list_add(&o->exceptions, word) < 0 ? out_of_memory() : 0;
}

static int set_restore_initrd(Options *o, const char *when) {
        static const char *const words[] = {
                [RESTORE_INITRD_AUTO] = "auto",
                [RESTORE_INITRD_YES] = "yes",
                [RESTORE_INITRD_NO] = "no",
        };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (streq(when ?: "yes", words[i])) {
                        o->restore_initrd = (RestoreInitrd)i;
                        return 0;
                }
        return usage("--restore-initrd takes yes, no or auto, not '%s'.", when);
}

static void set_flag(Options *o, int value) {
        const struct {
                int value;
                bool *flag;
        } flags[] = {
                { ARG_NO_PAGER, &o->no_pager },
                { ARG_NO_LEGEND, &o->no_legend },
                { ARG_NO_ASK_PASSWORD, &o->no_ask_password },
                { 'q', &o->quiet },
                { 'v', &o->verbose },
                { 'h', &o->help },
                { ARG_VERSION, &o->version },
                { ARG_NO_BLOCK, &o->no_block },
                { ARG_REUSE_CMDLINE, &o->reuse_cmdline },
                { ARG_UNCLAIMED, &o->unclaimed },
                { ARG_FORCE, &o->force },
                { ARG_TREE, &o->tree },
                { ARG_DOT, &o->dot },
                { ARG_RESTORE, &o->restore },
                { ARG_REBIND, &o->rebind },
        };

        for (size_t i = 0; i < ELEMENTSOF(flags); i++)
                if (flags[i].value == value)
                        *flags[i].flag = true;
}

static int set_option(Options *o, int value) {
        int r;

        switch (value) {
        case ARG_JSON:
                r = optarg ? json_mode_from_string(optarg) : JSON_PRETTY;
                if (r < 0)
                        return usage("--json takes pretty, short or off, not '%s'.", optarg);
                o->json = (JsonMode)r;
                return 0;
        case 'H':
                if (!*optarg || *optarg == '-')
                        return usage("--host takes the name of a host, not '%s'.", optarg);
                o->host = optarg;
                return 0;
        case ARG_ADDRESS:
                o->address = optarg;
                return 0;
        case ARG_KERNEL:
                o->kernel = optarg;
                return 0;
        case ARG_INITRD:
                o->initrd = optarg;
                return 0;
        case ARG_RESTORE_INITRD:
                return set_restore_initrd(o, optarg);
        case ARG_KERNEL_RELEASE:
                if (!*optarg || *optarg == '.' || strchr(optarg, '/'))
                        return usage("--kernel-release takes the name of a directory below /lib/modules, not '%s'.",
                                     optarg);
                o->kernel_release = optarg;
                return 0;
        case ARG_CMDLINE:
                if (!*optarg)
                        return usage("--cmdline takes a command line that is not empty; leave it out for the "
                                     "running kernel's.");
                o->cmdline = optarg;
                return 0;
        case ARG_APPEND:
                if (!*optarg)
                        return usage("--append takes something to append; use --reuse-cmdline to append nothing.");
                o->append = optarg;
                return 0;
        case ARG_DEVICE:
                return options_add_address(&o->devices, "--device", optarg);
        case ARG_JUMP:
                if (!streq(optarg, "direct") && !streq(optarg, "systemd"))
                        return usage("--jump takes direct or systemd, not '%s'.", optarg);
                o->jump = optarg;
                return 0;
        case ARG_EXCEPT:
                return add_exception(o, optarg);
        default:
                set_flag(o, value);
                return 0;
        }
}

static unsigned option_verbs(int value) {
        for (size_t i = 0; i < ELEMENTSOF(option_table); i++)
                if (option_table[i].value == value)
                        return option_table[i].verbs;
        return 0;
}

void options_done(Options *o) {
        string_list_done(&o->devices);
        string_list_done(&o->exceptions);
        *o = (Options){};
}

int options_parse(int argc, char **argv, Options *ret, unsigned *ret_given, int *ret_first) {
        struct option longs[ELEMENTSOF(option_table) + 1] = {};
        char letters[2 * ELEMENTSOF(option_table) + 2];
        _cleanup_(options_done) Options o = {};
        unsigned given = 0;
        int value;

        getopt_tables(longs, letters);
        opterr = 0;
        while ((value = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
                const char *word = optind > 0 && optind <= argc ? argv[optind - 1] : "";
                if (value == ':')
                        return usage("Option '%s' takes an argument.", word);
                if (value == '?' && strncmp(word, "--", 2) != 0)
                        return usage("There is no option '-%c'.", optopt);
                if (value == '?')
                        return usage("Option '%s' is not known, not unique, or takes no argument.", word);
                int r = set_option(&o, value);
                if (r != 0)
                        return r;
                given |= option_verbs(value);
        }
        *ret = o;
        o = (Options){};
        *ret_given = given;
        *ret_first = optind;
        return 0;
}

int options_check(const Options *o, unsigned given, const Verb *verb) {
        unsigned wrong = given & ~verb->options;

        if (wrong & FOR_UPDATE && streq(verb->name, "load"))
                return usage("'%s' does not take --kernel; give the file alone.", verb->name);
        for (size_t i = 0; i < ELEMENTSOF(option_groups); i++)
                if (option_groups[i].verbs & wrong)
                        return usage("'%s' does not take %s.", verb->name, option_groups[i].words);
        if (!!o->cmdline + !!o->append + o->reuse_cmdline > 1)
                return usage("--cmdline, --append and --reuse-cmdline exclude one another.");
        if (o->restore_initrd == RESTORE_INITRD_YES && !o->initrd)
                return usage("--restore-initrd goes together with --initrd: the host's own initrd has its turn "
                             "afterwards.");
        if (o->kernel_release && (o->restore_initrd == RESTORE_INITRD_NO || !o->initrd))
                return usage("--kernel-release goes together with --initrd, but not with --restore-initrd=no.");
        if (given & FOR_LOAD && verb->options & FOR_UPDATE && !o->kernel)
                return usage("'%s' takes options for loading a kernel together with --kernel alone.", verb->name);
        if (o->host && o->address)
                return usage("--host and --address exclude one another.");
        return 0;
}

static void option_words(const OptionSpec *o, char *buf, size_t size) {
        const char *metavar = o->metavar ?: "";

        (void)snprintf(buf, size, "%c%c%s--%s%s%s", o->value < ARG_JSON ? '-' : ' ',
                       o->value < ARG_JSON ? o->value : ' ', o->value < ARG_JSON ? ", " : "  ", o->name,
                       *metavar && strncmp(metavar, "[=", 2) != 0 ? "=" : "", metavar);
}

int help_text(char **ret) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        char words[64];

        FILE *f = open_memstream(&text, &size);
        if (!f)
                return -ENOMEM;
        (void)fputs("liveupdatectl [OPTION...] [VERB] [ARGUMENT...]\n\n"
                    "Change the kernel of this host while its workloads keep their memory.\n\nVerbs:\n",
                    f);
        for (size_t i = 0; i < verb_table_size; i++) {
                (void)snprintf(words, sizeof(words), "%s%s%s", verb_table[i].name, *verb_table[i].arguments ? " " : "",
                               verb_table[i].arguments);
                (void)fprintf(f, "  %-28s %s\n", words, verb_table[i].help);
        }
        (void)fputs("\nOptions:\n", f);
        for (size_t i = 0; i < ELEMENTSOF(option_table); i++)
                if (option_table[i].help) {
                        option_words(&option_table[i], words, sizeof(words));
                        (void)fprintf(f, "  %-28s %s\n", words, option_table[i].help);
                }
        (void)fputs("\nExit status:\n", f);
        for (size_t i = 0; i < ELEMENTSOF(exit_table); i++)
                (void)fprintf(f, "  %-28d %s\n", exit_table[i].status, exit_table[i].help);
        if (fclose(f) == EOF)
                return -ENOMEM;
        *ret = TAKE_PTR(text);
        return 0;
}

static struct json_object *entry(const char *name, const char *arguments, const char *help) {
        struct json_object *o = json_put(json_object_empty(), "name", json_text(name));

        o = json_put(o, "arguments", json_text(arguments));
        return json_put(o, "help", json_text(help));
}

struct json_object *help_json(void) {
        struct json_object *verbs = json_list_empty(), *options = json_list_empty();

        for (size_t i = 0; i < verb_table_size; i++)
                verbs = json_list_append(verbs,
                                         entry(verb_table[i].name, verb_table[i].arguments, verb_table[i].help));
        for (size_t i = 0; i < ELEMENTSOF(option_table); i++)
                if (option_table[i].help)
                        options = json_list_append(options, entry(option_table[i].name, option_table[i].metavar ?: "",
                                                                  option_table[i].help));
        return json_put(json_put(json_object_empty(), "verbs", verbs), "options", options);
}
