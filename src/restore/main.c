/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * liveupdate-restore: the restore step (step.h) as a program, for initrds and for a unit
 * early in the boot. The step runs in a child, because a module that hangs while it is
 * loaded cannot be killed: when the time is up the boot goes on, and the child with it.
 *
 * No library that an initrd does not have anyway: libkmod, and not libsystemd.
 */
#include "clients.h"
#include "common/log.h"
#include "common/parse.h"
#include "core/shim-text.h"
#include "step.h"
#include "sys/config-files.h"
#include "sys/modules.h"
#include "sys/pci-driver.h"

#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { EXIT_PROBLEM = 1, EXIT_USAGE = 2 };

typedef struct Options {
        bool early, list, programs;
        char *name; /* argv[0] */
        uint64_t timeout_usec;
} Options;

/* ---- first in an initrd ---- */

static const struct {
        const char *path, *type, *probe;
        unsigned long flags;
} mounts[] = {
        { "/proc", "proc", "/proc/self", MS_NOSUID | MS_NOEXEC | MS_NODEV },
        { "/sys", "sysfs", "/sys/bus", MS_NOSUID | MS_NOEXEC | MS_NODEV },
        { "/dev", "devtmpfs", "/dev/kmsg", MS_NOSUID },
};

/* What is not there yet; a bit for each that is mounted. */
static unsigned mount_all(void) {
        unsigned mounted = 0;

        for (size_t i = 0; i < ELEMENTSOF(mounts); i++) {
                if (access(mounts[i].probe, F_OK) >= 0)
                        continue;
                (void)mkdir(mounts[i].path, 0755);
                if (mount(mounts[i].type, mounts[i].path, mounts[i].type, mounts[i].flags, NULL) >= 0)
                        mounted |= 1U << i;
        }
        return mounted;
}

/* The next one finds all as the kernel left it. A child that hangs may still be in there. */
static void unmount_all(unsigned mounted) {
        for (size_t i = ELEMENTSOF(mounts); i-- > 0;)
                if (mounted & 1U << i)
                        (void)umount2(mounts[i].path, MNT_DETACH);
}

/* There is no journal yet; the kernel's log takes the prefix that log.c writes. */
static void log_to_kernel(void) {
        int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY);

        if (fd >= 0)
                (void)dup2(fd, STDERR_FILENO);
        fd_close(fd);
        log_set_name("liveupdate-restore");
}

/* ---- the step ---- */

static void warn(_unused_ void *userdata, const char *message) {
        log_warning("%s", message);
}

/* Shared with the child. */
typedef struct Shared {
        char doing[STEP_DOING_SIZE];
        bool has_clients;
} Shared;

static void start_clients(const Config *config, Shared *shared, char *name) {
        EarlyClients clients = {};

        if (early_files_load("", &clients, warn, NULL) >= 0) {
                (void)snprintf(shared->doing, sizeof(shared->doing), "starting clients");
                shared->has_clients = clients_start(config, &clients, name) > 0;
        }
        early_done(&clients);
}

static int run_step(const Options *o, Shared *shared) {
        Config config;

        int r = config_init(&config);
        if (r >= 0)
                r = config_files_load("", &config, warn, NULL);
        if (r < 0) {
                log_errno(r, "Reading the settings");
                return EXIT_PROBLEM;
        }
        Step s = { .root = "", .config = &config, .load = modules_load, .doing = shared->doing };
        unsigned problems = step_run(&s);
        if (o->early)
                start_clients(&config, shared, o->name);
        config_done(&config);
        return problems > 0 ? EXIT_PROBLEM : 0;
}

/* The child's exit status, or EXIT_PROBLEM. */
static int wait_for_child(pid_t child, const char *doing, uint64_t timeout_usec) {
        _cleanup_close_ int fd = pidfd_open(child, 0);
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int status, n;

        /* Without a pidfd there is no deadline, but still a result. */
        do
                n = fd < 0 ? 1 : poll(&p, 1, (int)MIN_OF(timeout_usec / USEC_PER_MSEC, (uint64_t)INT_MAX));
        while (n < 0 && errno == EINTR);
        if (n == 0) {
                log_error("Still %s after %lu s. The boot goes on; what came in through a live update may be lost.",
                          *doing ? doing : "starting", (unsigned long)(timeout_usec / USEC_PER_SEC));
                return EXIT_PROBLEM;
        }
        while (waitpid(child, &status, 0) < 0)
                if (errno != EINTR)
                        return EXIT_PROBLEM;
        if (WIFEXITED(status))
                return WEXITSTATUS(status);
        log_error("Ended by signal %d while %s; what came in through a live update may be lost.", WTERMSIG(status),
                  *doing ? doing : "starting");
        return EXIT_PROBLEM;
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

static int run(const Options *o, Shared *shared) {
        pid_t child = fork();

        if (child == 0)
                _exit(run_step(o, shared));
        if (child < 0) {
                log_errno(-errno, "Starting a process; the step is done without a deadline");
                return run_step(o, shared);
        }
        return wait_for_child(child, shared->doing, o->timeout_usec);
}

/* What is mounted stays if somebody was started that uses it. */
static int run_mounted(const Options *o) {
        unsigned mounted = o->early ? mount_all() : 0;
        Shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (o->early)
                log_to_kernel();
        if (shared == MAP_FAILED) {
                unmount_all(mounted);
                log_errno(-errno, "Getting a page of memory");
                return EXIT_PROBLEM;
        }
        int r = run(o, shared);
        if (!shared->has_clients)
                unmount_all(mounted);
        return r;
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
                        o->early = true;
                        break;
                case 'l':
                        o->list = true;
                        break;
                case 'p':
                        o->programs = true;
                        break;
                case 't':
                        if (parse_timespan(optarg, &o->timeout_usec) < 0) {
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
        Options o = { .timeout_usec = 30 * USEC_PER_SEC };

        int r = parse_arguments(argc, argv, &o);
        if (r <= 0)
                return r < 0 ? EXIT_USAGE : 0;
        if (o.list)
                return list_modules();
        if (o.programs)
                return list_programs();
        o.name = argv[0];
        return run_mounted(&o);
}
