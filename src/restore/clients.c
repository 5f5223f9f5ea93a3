/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "clients.h"

#include "common/log.h"
#include "sys/luo.h"
#include "sys/steward.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

enum { SESSION_FD = 3 };

/* In the child. systemd spares whose name begins with @ (systemd-shutdown(8), and when it
 * switches from the initrd's root). */
static _Noreturn void become(const EarlyClient *c, int session_fd) {
        char pid[32], marked[4096];
        char *argv[EARLY_ARGUMENTS_MAX + 1];

        int null = open("/dev/null", O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (null >= 0)
                (void)dup2(null, STDIN_FILENO);
        (void)dup2(STDERR_FILENO, STDOUT_FILENO);
        if (session_fd == SESSION_FD)
                (void)fcntl(session_fd, F_SETFD, 0);
        else
                (void)dup2(session_fd, SESSION_FD);
        (void)setsid();
        (void)snprintf(pid, sizeof(pid), "%ld", (long)getpid());
        (void)setenv("LISTEN_PID", pid, 1);
        (void)setenv("LISTEN_FDS", "1", 1);
        (void)setenv("LISTEN_FDNAMES", "session", 1);
        (void)snprintf(marked, sizeof(marked), "@%s", c->argv[0]);
        memcpy(argv, c->argv, sizeof(argv));
        argv[0] = marked;
        execv(c->argv[0], argv);
        log_errno(-errno, "Starting %s, the client of session %s", c->argv[0], c->session);
        _exit(127);
}

/* 1 if it was started. */
static int start(const Luo *luo, const EarlyClient *c, int *ret_session_fd) {
        int r = luo_retrieve_session(luo, c->session, ret_session_fd);

        if (r == -ENOENT || r == -EINVAL) /* it did not come in, or somebody has it */
                return 0;
        if (r < 0)
                return log_errno(r, "Session %s cannot be retrieved for its client", c->session);
        pid_t child = fork();
        if (child == 0)
                become(c, *ret_session_fd);
        if (child < 0) /* the daemon will have it all the same */
                return log_errno(-errno, "Starting the client of session %s", c->session);
        log_info("Session %s came in; %s is started with it.", c->session, c->argv[0]);
        return 1;
}

static void keep(int listen_fd, const int *fds, size_t n, char *name) {
        pid_t child = fork();

        if (child < 0)
                log_errno(-errno, "Starting the steward; the sessions stay with their clients alone");
        if (child != 0)
                return;
        *name = '@';
        (void)setsid();
        (void)chdir("/");
        (void)signal(SIGPIPE, SIG_IGN);
        int r = steward_serve(listen_fd, fds, n);
        if (r < 0)
                log_errno(r, "Keeping sessions for liveupdated");
        _exit(0);
}

unsigned clients_start(const Config *c, const EarlyClients *clients, char *name) {
        _cleanup_close_ int listen_fd = -1;
        int fds[STEWARD_SESSIONS_MAX];
        unsigned started = 0;
        LuoDevice device;
        size_t n = 0;

        if (clients->n == 0)
                return 0;
        Luo luo = luo_device(&device, c->luo_device, c->luo_busy_usec);
        if (luo_available(&luo) < 0)
                return 0;
        int r = steward_listen(STEWARD_NAME, &listen_fd);
        if (r == -EADDRINUSE) { /* a restore-only initrd went before this one */
                log_debug("There is a steward already: clients were started before.");
                return 0;
        }
        if (r < 0) {
                log_errno(r, "Without a steward no client is started early");
                return 0;
        }
        for (size_t i = 0; i < clients->n && n < STEWARD_SESSIONS_MAX; i++) {
                int fd = -1;
                started += start(&luo, &clients->items[i], &fd) > 0;
                if (fd >= 0)
                        fds[n++] = fd;
        }
        if (n > 0)
                keep(listen_fd, fds, n, name);
        /* Ours stay open to the end of this process, which the steward outlives. */
        return started;
}
