/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * liveupdate-restore: the restore step (run.h) as a program, for initrds and for a unit
 * early in the boot.
 *
 * No library that an initrd does not have anyway: libkmod, and not libsystemd.
 */
#include "common/log.h"
#include "common/parse.h"
#include "core/shim-text.h"
#include "run.h"
#include "sys/config-files.h"
#include "sys/modules.h"
#include "sys/pci-driver.h"

#include <getopt.h>

enum { EXIT_PROBLEM = RUN_PROBLEM, EXIT_USAGE = 2 };

typedef struct Options {
        bool list, programs;
        Run run;
} Options;

static void warn(_unused_ void *userdata, const char *message) {
        log_warning("%s", message);
}

/* For whoever builds an initrd. */
static int list_modules(void) {
        _cleanup_free_ char *words = NULL;
        char *save = NULL;
        Config config;

        int r = config_init(&config);
        if (r >= 0)
                r = config_files_load("", &config, warn, NULL);
        if (r < 0) {
                log_errno(r, "Reading the settings");
                return EXIT_PROBLEM;
        }
        if (config.luo_shim)
                puts(VFIO_DRIVER "\n" SHIM_MODULE);
        words = config.luo_modules ? strdup(config.luo_modules) : NULL;
        for (char *word = words ? strtok_r(words, " \t", &save) : NULL; word; word = strtok_r(NULL, " \t", &save))
                puts(word);
        config_done(&config);
        return 0;
}

static int list_programs(void) {
        EarlyClients clients = {};

        int r = early_files_load("", &clients, warn, NULL);
        for (size_t i = 0; i < clients.n && r >= 0; i++)
                puts(clients.items[i].argv[0]);
        early_done(&clients);
        return r < 0 ? EXIT_PROBLEM : 0;
}

/* ---- options ---- */

static void help(void) {
        puts("liveupdate-restore [OPTIONS...]\n\n"
             "After a live update of the kernel, before drivers probe: loads the modules that take back\n"
             "what came in, gives devices that came in to their VFIO driver, and says what is wrong.\n"
             "May run any number of times. Exits with 0 if all is well, with 1 if not.\n\n"
             "  -h --help           Show this help\n"
             "     --version        Show the version\n"
             "     --early          First in an initrd: mount /proc, /sys and /dev meanwhile, and\n"
             "                      write to the kernel's log\n"
             "     --list-modules   Only print the names of the kernel modules that it needs\n"
             "     --list-programs  Only print the paths of the clients that are started in the initrd\n"
             "     --timeout=SPAN   How long it may take, such as 500ms or 1min (default: 30s)\n"
             "     --debug          Log more");
}

static int parse_arguments(int argc, char **argv, Options *o) {
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },          { "version", no_argument, NULL, 'v' },
                { "early", no_argument, NULL, 'e' },         { "list-modules", no_argument, NULL, 'l' },
                { "list-programs", no_argument, NULL, 'p' }, { "timeout", required_argument, NULL, 't' },
                { "debug", no_argument, NULL, 'd' },         {},
        };
        int c;

        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (c) {
                case 'h':
                        help();
                        return 0;
                case 'v':
                        puts("liveupdate-restore " PROJECT_VERSION);
                        return 0;
                case 'e':
                        o->run.early = true;
                        break;
                case 'l':
                        o->list = true;
                        break;
                case 'p':
                        o->programs = true;
                        break;
                case 't':
                        if (parse_timespan(optarg, &o->run.timeout_usec) < 0) {
                                fprintf(stderr, "--timeout=%s is not a time span such as 500ms, 30s or 1min.\n",
                                        optarg);
                                return -EINVAL;
                        }
                        break;
                case 'd':
                        log_set_max_priority(LOG_PRI_DEBUG);
                        break;
                default:
                        return -EINVAL;
                }
        if (optind < argc) {
                fprintf(stderr, "liveupdate-restore takes no arguments, only options; see --help.\n");
                return -EINVAL;
        }
        return 1;
}

int main(int argc, char **argv) {
        Options o = { .run = { .name = argv[0], .timeout_usec = 30 * USEC_PER_SEC, .load = modules_load } };

        int r = parse_arguments(argc, argv, &o);
        if (r <= 0)
                return r < 0 ? EXIT_USAGE : 0;
        if (o.list)
                return list_modules();
        if (o.programs)
                return list_programs();
        return restore_run(&o.run);
}
