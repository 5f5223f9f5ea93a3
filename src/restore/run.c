/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "run.h"

#include "clients.h"
#include "common/log.h"
#include "step.h"
#include "sys/config-files.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

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

static int run_step(const Run *o, Shared *shared) {
        Config config;

        int r = config_init(&config);
        if (r >= 0)
                r = config_files_load("", &config, warn, NULL);
        if (r < 0) {
                log_errno(r, "Reading the settings");
                return RUN_PROBLEM;
        }
        Step s = { .root = "", .config = &config, .load = o->load, .doing = shared->doing };
        unsigned problems = step_run(&s);
        if (o->early)
                start_clients(&config, shared, o->name);
        config_done(&config);
        return problems > 0 ? RUN_PROBLEM : 0;
}

/* The child's exit status, or RUN_PROBLEM. */
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
                return RUN_PROBLEM;
        }
        while (waitpid(child, &status, 0) < 0)
                if (errno != EINTR)
                        return RUN_PROBLEM;
        if (WIFEXITED(status))
                return WEXITSTATUS(status);
        log_error("Ended by signal %d while %s; what came in through a live update may be lost.", WTERMSIG(status),
                  *doing ? doing : "starting");
        return RUN_PROBLEM;
}

static int run(const Run *o, Shared *shared) {
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
int restore_run(const Run *o) {
        unsigned mounted = o->early ? mount_all() : 0;
        Shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (o->early)
                log_to_kernel();
        if (shared == MAP_FAILED) {
                unmount_all(mounted);
                log_errno(-errno, "Getting a page of memory");
                return RUN_PROBLEM;
        }
        int r = run(o, shared);
        if (!shared->has_clients)
                unmount_all(mounted);
        return r;
}
