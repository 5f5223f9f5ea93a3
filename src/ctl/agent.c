/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "common/fd.h"

enum { READY_MSEC = 5000 };

static _Noreturn void run(int ready) {
        char option[32];

        /* It is to end with us, however we end; and the descriptor has to get through. */
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        (void)snprintf(option, sizeof(option), "--notify-fd=%d", fcntl(ready, F_DUPFD, 3));
        (void)execlp("pkttyagent", "pkttyagent", option, "--fallback", NULL);
        _exit(127);
}

void agent_start(Agent *a) {
        int ends[2];

        if (a->pid > 0 || geteuid() == 0 || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO) ||
            pipe2(ends, O_CLOEXEC) < 0)
                return;
        a->pid = fork();
        if (a->pid == 0)
                run(ends[1]);
        (void)close(ends[1]);
        /* It closes its end when polkit has taken it, and so does its failure. */
        if (a->pid > 0)
                (void)poll(&(struct pollfd){ .fd = ends[0], .events = POLLIN }, 1, READY_MSEC);
        else
                a->pid = 0;
        (void)close(ends[0]);
}

void agent_stop(Agent *a) {
        if (a->pid <= 0)
                return;
        (void)kill(a->pid, SIGTERM);
        (void)kill(a->pid, SIGCONT);
        while (waitpid(a->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        a->pid = 0;
}
