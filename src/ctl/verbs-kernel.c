/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load, unload. The files are opened here, with the caller's rights, and their
 * descriptors passed: the daemon opens no path that a client names.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "cmdline.h"
#include "common/fd.h"
#include "ctl.h"
#include "restore-initrd.h"

/* COMMAND_LINE_SIZE is 2048 or 4096 on the architectures with LUO; far above both. */
enum { CMDLINE_MAX_SIZE = 64 * 1024 };

static int open_file(const char *path, const char *what, int *ret_fd, Failure *failure) {
        /* O_NONBLOCK: a FIFO is to be refused, not waited for. */
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0) {
                int r = -errno;
                return failure_set(failure, r, EXIT_CTL_FAILED, "cannot-open-file",
                                   "The %s '%s' cannot be opened: %s. Give the path of a file that you may read.",
                                   what, path, strerror(-r));
        }
        if (!S_ISREG(st.st_mode))
                return failure_set(failure, -EINVAL, EXIT_CTL_FAILED, "not-a-file",
                                   "The %s '%s' is not a regular file. Give the path of one.", what, path);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int get_cmdline(const Options *o, char **ret, Failure *failure) {
        _cleanup_free_ char *running = NULL;
        char *line;

        if (!o->append && !o->reuse_cmdline)
                line = strdup(o->cmdline ?: ""); /* "": the daemon takes the default */
        else {
                int r = file_read_at(AT_FDCWD, "/proc/cmdline", CMDLINE_MAX_SIZE, &running, NULL);
                if (r < 0)
                        return failure_from_errno(failure, r, "/proc/cmdline cannot be read", NULL);
                line = cmdline_compose(running, o->append);
        }
        if (!line)
                return failure_from_errno(failure, -ENOMEM, "The command line cannot be composed", NULL);
        *ret = line;
        return 0;
}

/* 1 if it was built, 0 if the host's own is to be loaded. */
static int build_initrd(const Options *o, int kernel_fd, int initrd_fd, int *ret_fd, Failure *failure) {
        bool automatic = o->restore_initrd == RESTORE_INITRD_AUTO;
        char why[1536];

        if (o->restore_initrd == RESTORE_INITRD_NO)
                return 0;
        int r = restore_initrd_build(automatic, kernel_fd, initrd_fd, o->kernel_release, ret_fd, failure);
        if (!automatic || r == 0)
                return r;
        if (r > 0 && !o->quiet)
                fprintf(stderr, "What comes in will be restored before '%s' is unpacked.\n", o->initrd);
        if (r < 0 && !o->quiet) {
                failure_format(failure, why, sizeof(why));
                fprintf(stderr, "'%s' is loaded as it is, without a restore-only initrd around it: %s\n", o->initrd,
                        why);
        }
        return MAX_OF(r, 0);
}

static int get_initrd(const Options *o, int kernel_fd, int *ret_fd, Failure *failure) {
        _cleanup_close_ int fd = -1;

        if (!o->initrd) {
                int r = memfd_new("no-initrd", 0, ret_fd);
                return r < 0 ? failure_from_errno(failure, r, "An empty initrd cannot be made", NULL) : 0;
        }
        int r = open_file(o->initrd, "initrd", &fd, failure);
        if (r < 0)
                return r;
        r = build_initrd(o, kernel_fd, fd, ret_fd, failure);
        if (r == 0)
                *ret_fd = TAKE_FD(fd);
        return MIN_OF(r, 0);
}

int load_kernel(Ctl *c, const char *kernel, JobOutcome *ret, Failure *failure) {
        _cleanup_close_ int kernel_fd = -1, initrd_fd = -1;
        _cleanup_free_ char *cmdline = NULL;
        const Options *o = &c->options;

        int r = open_file(kernel, "kernel", &kernel_fd, failure);
        if (r < 0)
                return r;
        r = get_initrd(o, kernel_fd, &initrd_fd, failure);
        if (r < 0 || (r = get_cmdline(o, &cmdline, failure)) < 0 || (r = ctl_connect(c, failure)) < 0)
                return r;
        JobRequest request = {
                .method = "LoadKernel",
                .kind = "load",
                .is_load = true,
                .kernel_fd = kernel_fd,
                .initrd_fd = initrd_fd,
                .cmdline = cmdline,
                /* update waits for the kernel to be loaded in any case. */
                .no_block = o->no_block && !o->kernel,
                .progress = !o->quiet && (o->verbose || isatty(STDERR_FILENO)),
        };
        return bus_run_job(c->bus, &request, ret, failure);
}

int verb_load(Ctl *c, char **args, size_t n_args) {
        _cleanup_job_outcome_ JobOutcome outcome = {};
        Failure failure;

        int r = load_kernel(c, args[0], &outcome, &failure);
        return r < 0 ? ctl_fail(c, &failure, NULL) : print_outcome(c, &outcome);
}

int verb_unload(Ctl *c, char **args, size_t n_args) {
        return run_job(c, &(JobRequest){ .method = "UnloadKernel", .kind = "unload" });
}
