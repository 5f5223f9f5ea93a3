/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * liveupdate-qemu: carries an unmodified QEMU virtual machine across the host's kernel
 * change. run starts it, or brings it back when it came over; adopt takes over one that
 * runs; resume only brings back;
 * check says what would be carried and why not.
 */
#include <getopt.h>

#include "adapter.h"
#include "common/log.h"
#include "machine.h"

static void usage(FILE *f) {
        fputs("liveupdate-qemu [OPTION...] run NAME -- QEMU ARGUMENT...\n"
              "liveupdate-qemu [OPTION...] adopt NAME --qmp=SOCKET\n"
              "liveupdate-qemu [OPTION...] resume NAME [--program=QEMU]\n"
              "liveupdate-qemu [OPTION...] check NAME -- QEMU ARGUMENT...\n\n"
              "Keeps a QEMU virtual machine alive while the host changes its kernel.\n\n"
              "  run     start the machine, or bring it back if it came over from another kernel\n"
              "  adopt   take over a QEMU that runs, with its memory in a shared memfd\n"
              "  resume  only bring it back\n"
              "  check   print the command line that would be run, or why it cannot be carried\n\n"
              "     --hook=PROGRAM       PROGRAM start NAME makes the network before QEMU starts\n"
              "     --qmp=SOCKET         the monitor of the QEMU to adopt, a UNIX socket\n"
              "     --program=QEMU       the QEMU to bring the machine back with, instead of the one it had\n"
              "     --no-gather-memory   leave its memory in the pages it has: less work before, a longer pause\n"
              "     --runtime-dir=PATH   where the monitor's socket goes (" RUNTIME_DIRECTORY ")\n"
              "  -h --help               this text\n"
              "     --version            the version\n",
              f);
}

static int fail(const Problem *p) {
        log_error("%s (%s)", p->text, p->code);
        return EXIT_FAILURE;
}

static int check(const AdapterOptions *o) {
        _cleanup_(spec_done) Spec spec = { 0 };
        _cleanup_strv_ Strv argv = { 0 };
        Problem p = { 0 };

        int r = machine_spec(o->name, o->program, o->args, NULL, o->hook, &spec, &p);
        if (r >= 0)
                r = spec_argv(&spec, 3, 4, false, &argv);
        if (r < 0)
                return fail(&p);
        for (size_t i = 0; i < argv.n; i++)
                puts(argv.v[i]);
        return EXIT_SUCCESS;
}

static int run(const AdapterOptions *o) {
        Problem p = { 0 };

        return adapter_run(o, &p) < 0 ? fail(&p) : EXIT_SUCCESS;
}

static int usage_error(const char *what) {
        fprintf(stderr, "liveupdate-qemu: %s\n", what);
        usage(stderr);
        return 2;
}

static int dispatch(const char *verb, char **rest, AdapterOptions *o) {
        if (streq(verb, "adopt"))
                return o->monitor && !*rest ? run(o) : usage_error("adopt takes a name and --qmp=SOCKET");
        if (o->monitor)
                return usage_error("--qmp goes with adopt");
        if (o->instead && !streq(verb, "resume"))
                return usage_error("--program goes with resume");
        if (streq(verb, "resume"))
                return !*rest ? run(o) : usage_error("resume takes a name alone");
        if (!streq(verb, "run") && !streq(verb, "check"))
                return usage_error("the verb is not known");
        if (!*rest)
                return usage_error("QEMU's command line is missing");
        o->program = *rest;
        o->args = rest + 1;
        return streq(verb, "run") ? run(o) : check(o);
}

/* Up to the first word that is no option. 0, or 1 when the options were all there is to do
 * (*ret_status says how it went). */
static int take_options(int argc, char **argv, AdapterOptions *o, int *ret_status) {
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'V' },
                { "no-gather-memory", no_argument, NULL, 'g' },
                { "hook", required_argument, NULL, 'H' },
                { "program", required_argument, NULL, 'p' },
                { "qmp", required_argument, NULL, 'q' },
                { "runtime-dir", required_argument, NULL, 'r' },
                {},
        };
        int option;

        while ((option = getopt_long(argc, argv, "+h", options, NULL)) >= 0)
                switch (option) {
                case 'h':
                        usage(stdout);
                        *ret_status = EXIT_SUCCESS;
                        return 1;
                case 'V':
                        puts("liveupdate-qemu " PROJECT_VERSION);
                        *ret_status = EXIT_SUCCESS;
                        return 1;
                case 'g':
                        o->no_gather = true;
                        break;
                case 'H':
                        o->hook = optarg;
                        break;
                case 'p':
                        o->instead = optarg;
                        break;
                case 'q':
                        o->monitor = optarg;
                        break;
                case 'r':
                        o->base = optarg;
                        break;
                default:
                        *ret_status = 2;
                        return 1;
                }
        return 0;
}

int main(int argc, char **argv) {
        AdapterOptions o = { .base = getenv("RUNTIME_DIRECTORY") ?: RUNTIME_DIRECTORY };
        int status;

        if (take_options(argc, argv, &o, &status))
                return status;
        if (argc - optind < 2)
                return usage_error("a verb and a name are needed");
        const char *verb = argv[optind];
        o.name = argv[optind + 1];
        optind += 2;
        /* Options may also come after the name; QEMU's own are behind its program or "--". */
        if (take_options(argc, argv, &o, &status))
                return status;
        return dispatch(verb, argv + optind, &o);
}
