/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "restore-initrd.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include "common/fd.h"

/* Where the program finds its files. */
enum { KERNEL_FD = 3, INITRD_FD, OUTPUT_FD, SAID_MAX = 8 * 1024 };

/* The status with which it says that --if-useful is not the case. */
enum { NOT_USEFUL = 3 };

extern char **environ;

/* From the build directory in tests. */
static const char *program(void) {
        const char *path = getenv("LIVEUPDATE_MKINITRD");

        return str_empty(path) ? PKGLIBEXECDIR "/liveupdate-mkinitrd" : path;
}

/* None of from is one of KERNEL_FD to OUTPUT_FD. */
static int start(bool if_useful, const int *from, int said_fd, const char *release, pid_t *ret) {
        char option[256] = "--kernel-release=";
        char *argv[7] = {
                (char *)"liveupdate-mkinitrd",
                (char *)"--kernel=/proc/self/fd/3",
                (char *)"--initrd=/proc/self/fd/4",
                (char *)"--output=/proc/self/fd/5",
        };
        size_t n = 4;
        posix_spawn_file_actions_t actions;

        if (release && snprintf(option, sizeof(option), "--kernel-release=%s", release) >= (int)sizeof(option))
                return -ENAMETOOLONG;
        if (release)
                argv[n++] = option;
        if (if_useful)
                argv[n++] = (char *)"--if-useful";
        int r = -posix_spawn_file_actions_init(&actions);
        if (r < 0)
                return r;
        for (int i = 0; i < 3 && r >= 0; i++)
                r = -posix_spawn_file_actions_adddup2(&actions, from[i], KERNEL_FD + i);
        if (r >= 0)
                r = -posix_spawn_file_actions_adddup2(&actions, said_fd, STDERR_FILENO);
        if (r >= 0)
                r = -posix_spawn(ret, program(), &actions, NULL, argv, environ);
        (void)posix_spawn_file_actions_destroy(&actions);
        return r;
}

/* What it says, up to the end of it. */
static void listen_to(int fd, char said[static SAID_MAX]) {
        char rest[512];
        size_t n = 0;

        for (;;) {
                bool full = n == SAID_MAX - 1;
                ssize_t k = read(fd, full ? rest : said + n, full ? sizeof(rest) : SAID_MAX - 1 - n);
                if (k == 0 || (k < 0 && errno != EINTR))
                        break;
                n += k > 0 && !full ? (size_t)k : 0;
        }
        while (n > 0 && said[n - 1] == '\n')
                n--;
        said[n] = '\0';
}

static int run(bool if_useful, const int *from, const char *release, Failure *failure) {
        _cleanup_close_ int said_fd = -1;
        char said[SAID_MAX];
        int fds[2], status;
        pid_t pid;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return failure_from_errno(failure, -errno, "A pipe cannot be made", NULL);
        said_fd = fds[0];
        int r = start(if_useful, from, fds[1], release, &pid);
        fd_close(fds[1]);
        if (r == -ENOENT && if_useful)
                return 0;
        if (r < 0)
                return failure_set(failure, r, EXIT_CTL_FAILED, "restore-initrd",
                                   "%s, which builds the initrd, cannot be started: %s.", program(), strerror(-r));
        listen_to(said_fd, said);
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return failure_from_errno(failure, -errno, "The initrd cannot be built", NULL);
        if (if_useful && WIFEXITED(status) && WEXITSTATUS(status) == NOT_USEFUL)
                return 0;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
                if (*said)
                        fprintf(stderr, "%s\n", said);
                return 1;
        }
        if (*said)
                return failure_set(failure, -EINVAL, EXIT_CTL_FAILED, "restore-initrd", "%s", said);
        return failure_set(failure, -EINVAL, EXIT_CTL_FAILED, "restore-initrd",
                           "%s did not build the initrd and did not say why (status %#x).", program(), status);
}

int restore_initrd_build(bool if_useful, int kernel_fd, int initrd_fd, const char *release, int *ret_fd,
                         Failure *failure) {
        _cleanup_close_ int fd = -1, kernel = -1, initrd = -1, out = -1;

        int r = memfd_new("restore-initrd", 0, &fd);
        if (r < 0)
                return failure_from_errno(failure, r, "A memfd for the initrd cannot be made", NULL);
        /* Out of the way of where they go. */
        kernel = fcntl(kernel_fd, F_DUPFD_CLOEXEC, OUTPUT_FD + 1);
        initrd = fcntl(initrd_fd, F_DUPFD_CLOEXEC, OUTPUT_FD + 1);
        out = fcntl(fd, F_DUPFD_CLOEXEC, OUTPUT_FD + 1);
        if (kernel < 0 || initrd < 0 || out < 0)
                return failure_from_errno(failure, -errno, "A descriptor cannot be duplicated", NULL);
        r = run(if_useful, (const int[]){ kernel, initrd, out }, release, failure);
        if (r > 0)
                *ret_fd = TAKE_FD(fd);
        return r;
}
