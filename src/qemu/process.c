/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>

#include "common/fd.h"
#include "common/parse.h"
#include "process.h"

enum { OUTPUT_MAX = 1 << 20, STAT_MAX = 4096, STAT_START_TIME = 22 };

/* The field of /proc/PID/stat; those before it may hold spaces, in parentheses. */
static int read_start_time(pid_t pid, uint64_t *ret) {
        _cleanup_free_ char *text = NULL;
        char path[32], *save = NULL;
        size_t size;

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        int r = file_read_at(AT_FDCWD, path, STAT_MAX, &text, &size);
        if (r < 0)
                return r == -ENOENT ? -ESRCH : r;
        char *word = strrchr(text, ')');
        if (!word)
                return -EBADMSG;
        word = strtok_r(word + 1, " ", &save);
        for (int field = 3; word && field < STAT_START_TIME; field++)
                word = strtok_r(NULL, " ", &save);
        return word ? parse_u64(word, ret) : -EBADMSG;
}

int process_find(pid_t pid, uint64_t start_time, Process *ret) {
        uint64_t found;
        int fd = pidfd_open(pid, 0);

        if (fd < 0)
                return errno == EINVAL ? -ESRCH : -errno;
        int r = read_start_time(pid, &found);
        if (r >= 0 && found != start_time)
                r = -ESRCH;
        if (r < 0) {
                fd_close(fd);
                return r;
        }
        *ret = (Process){ .pid = pid, .pidfd = fd, .start_time = start_time };
        return 0;
}

int process_open(pid_t pid, Process *ret) {
        uint64_t start_time;
        int fd = pid > 0 ? pidfd_open(pid, 0) : -1;

        if (fd < 0)
                return pid > 0 ? -errno : -ESRCH;
        int r = read_start_time(pid, &start_time);
        if (r < 0) {
                fd_close(fd);
                return r;
        }
        *ret = (Process){ .pid = pid, .pidfd = fd, .start_time = start_time };
        return 0;
}

bool process_alive(const Process *process) {
        struct pollfd p = { .fd = process->pidfd, .events = POLLIN };

        return process->pidfd >= 0 && poll(&p, 1, 0) == 0;
}

void process_close(Process *process) {
        fd_close(process->pidfd);
        *process = PROCESS_NONE;
}

void process_kill(Process *process) {
        struct pollfd p = { .fd = process->pidfd, .events = POLLIN };

        if (process->pidfd >= 0) {
                (void)pidfd_send_signal(process->pidfd, SIGKILL, NULL, 0);
                while (poll(&p, 1, -1) < 0 && errno == EINTR)
                        ;
                (void)waitpid(process->pid, NULL, WNOHANG); /* if it is a child of ours */
        }
        process_close(process);
}

int process_find_program(const char *name, char **ret, Problem *p) {
        _cleanup_free_ char *path = strdup(getenv("PATH") ?: "/usr/bin:/bin");
        char *save = NULL, *found;

        if (!path)
                return -ENOMEM;
        if (strchr(name, '/')) {
                found = realpath(name, NULL);
                if (!found || access(found, X_OK) < 0) {
                        free(found);
                        return problem_errno(p, -errno, "program", "%s", name);
                }
                *ret = found;
                return 0;
        }
        for (char *dir = strtok_r(path, ":", &save); dir; dir = strtok_r(NULL, ":", &save)) {
                if (*dir != '/' || asprintf(&found, "%s/%s", dir, name) < 0)
                        continue;
                if (access(found, X_OK) == 0) {
                        *ret = found;
                        return 0;
                }
                free(found);
        }
        return problem(p, "program", "%s is not installed, or not in $PATH", name);
}

/* In the child: it says on status_fd which errno kept it from running, which exec closes. */
static _Noreturn void run_child(char *const *argv, const char *directory, const int *fds, size_t n_fds, int output_fd,
                                int status_fd) {
        sigset_t none;

        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        (void)signal(SIGPIPE, SIG_DFL);
        (void)setpgid(0, 0);
        int r = !directory || chdir(directory) == 0 ? 0 : errno;
        for (size_t i = 0; r == 0 && i < n_fds; i++)
                if (fcntl(fds[i], F_SETFD, 0) < 0)
                        r = errno;
        if (r == 0 && output_fd >= 0 && dup2(output_fd, STDOUT_FILENO) < 0)
                r = errno;
        if (r == 0) {
                (void)execv(argv[0], argv);
                r = errno;
        }
        (void)!write(status_fd, &r, sizeof(r));
        _exit(127);
}

static int start(char *const *argv, const char *directory, const int *fds, size_t n_fds, int output_fd, Process *ret) {
        int status[2], error = 0;

        if (pipe2(status, O_CLOEXEC) < 0)
                return -errno;
        pid_t pid = fork();
        if (pid == 0)
                run_child(argv, directory, fds, n_fds, output_fd, status[1]);
        int r = pid < 0 ? -errno : 0;
        fd_close(status[1]);
        ssize_t n = 0;
        while (r == 0 && (n = read(status[0], &error, sizeof(error))) < 0 && errno == EINTR)
                ;
        fd_close(status[0]);
        if (r < 0)
                return r;
        if (n == (ssize_t)sizeof(error)) {
                (void)waitpid(pid, NULL, 0);
                return -error;
        }
        *ret = (Process){ .pid = pid, .pidfd = pidfd_open(pid, 0) };
        r = ret->pidfd < 0 ? -errno : read_start_time(pid, &ret->start_time);
        if (r < 0)
                process_kill(ret);
        return r;
}

int process_start(char *const *argv, const char *directory, const int *fds, size_t n_fds, Process *ret, Problem *p) {
        int r = start(argv, directory, fds, n_fds, -1, ret);
        return r < 0 ? problem_errno(p, r, "start", "%s cannot be started in %s", argv[0], directory) : 0;
}

static int read_output(int fd, uint64_t timeout_usec, char **ret) {
        _cleanup_free_ char *text = calloc(1, OUTPUT_MAX + 1);
        struct pollfd pfd = { .fd = fd, .events = POLLIN };
        size_t n = 0;

        while (text && n < OUTPUT_MAX) {
                int ready = poll(&pfd, 1, (int)(timeout_usec / USEC_PER_MSEC));
                if (ready < 0 && errno == EINTR)
                        continue;
                if (ready <= 0)
                        return ready < 0 ? -errno : -ETIMEDOUT;
                ssize_t got = read(fd, text + n, OUTPUT_MAX - n);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return -errno;
                if (got == 0) {
                        *ret = TAKE_PTR(text);
                        return 0;
                }
                n += (size_t)got;
        }
        return text ? -EFBIG : -ENOMEM;
}

int process_output(char *const *argv, uint64_t timeout_usec, char **ret, Problem *p) {
        Process process = PROCESS_NONE;
        int out[2];

        if (pipe2(out, O_CLOEXEC) < 0)
                return problem_errno(p, -errno, "system", "making a pipe");
        int r = start(argv, NULL, NULL, 0, out[1], &process);
        fd_close(out[1]);
        if (r >= 0) {
                r = read_output(out[0], timeout_usec, ret);
                process_kill(&process);
        }
        fd_close(out[0]);
        return r < 0 ? problem_errno(p, r, "program", "%s does not answer", argv[0]) : 0;
}
