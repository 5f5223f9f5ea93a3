/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sender on the host that does not notice what happens to the guest.
 *
 *   luvm-sender RATE FD:BACKLOG... -- COMMAND...
 *
 * becomes COMMAND (QEMU), which finds one end of a socket pair at each FD, and leaves a
 * child that sends RATE numbered packets a second into each other end until the command
 * is gone. A packet that the socket does not take waits, up to BACKLOG of them; what is
 * more is dropped and counted, and the count is in every later packet. So nothing is lost
 * on this side without being known: a hole in the numbers was made by the device.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#include "../luvm-packet.h"
#include "common/macro.h"

enum { SENDERS_MAX = 8 };

typedef struct Sender {
        int socket;
        uint64_t backlog, sequence, dropped;
} Sender;

static void usage(void) {
        fputs("usage: luvm-sender RATE FD:BACKLOG... -- COMMAND...\n", stderr);
        exit(2);
}

static void die(const char *what) {
        perror(what);
        exit(EXIT_FAILURE);
}

static uint64_t number(const char *text, char end, const char **ret_rest) {
        char *rest;
        unsigned long n = strtoul(text, &rest, 10);

        if (rest == text || *rest != end || n > 1000000)
                usage();
        *ret_rest = rest;
        return n;
}

/* What would have been sent by now but was not is in the backlog, or is dropped. False
 * when there is nobody to send to any more. */
static bool send_due(Sender *s, uint64_t due) {
        Packet p;

        while (s->sequence + s->dropped < due) {
                packet_make(&p, s->sequence, s->dropped);
                if (send(s->socket, &p, sizeof(p), MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(p)) {
                        s->sequence++;
                        continue;
                }
                if (errno != EAGAIN && errno != ENOBUFS)
                        return false;
                if (due - s->sequence - s->dropped > s->backlog)
                        s->dropped = due - s->sequence - s->backlog;
                break;
        }
        while (recv(s->socket, &p, sizeof(p), MSG_DONTWAIT) > 0)
                ; /* what the guest sends */
        return true;
}

static uint64_t now_usec(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void send_all(Sender *senders, unsigned n, uint64_t rate) {
        const struct timespec pause = { .tv_nsec = 500000 };
        uint64_t start = now_usec();

        for (;; (void)nanosleep(&pause, NULL)) {
                uint64_t due = (now_usec() - start) * rate / 1000000;

                for (unsigned i = 0; i < n; i++)
                        if (!send_due(&senders[i], due))
                                return;
        }
}

/* One end of a pair becomes `fd`, for the command; the other is ours. */
static int make_pair(int fd) {
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0 || dup2(pair[0], fd) < 0)
                die("luvm-sender: socketpair");
        close(pair[0]);
        return pair[1];
}

static _Noreturn void child(Sender *senders, unsigned n, uint64_t rate, const int *theirs) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (unsigned i = 0; i < n; i++)
                close(theirs[i]);
        send_all(senders, n, rate);
        _exit(EXIT_SUCCESS);
}

int main(int argc, char **argv) {
        Sender senders[SENDERS_MAX] = { 0 };
        int theirs[SENDERS_MAX], at = 2;
        unsigned n = 0;
        const char *rest;
        uint64_t rate;
        pid_t pid;

        if (argc < 5)
                usage();
        rate = number(argv[1], '\0', &rest);
        for (; at < argc && strcmp(argv[at], "--") != 0; at++, n++) {
                if (n == SENDERS_MAX)
                        usage();
                theirs[n] = (int)number(argv[at], ':', &rest);
                senders[n].backlog = number(rest + 1, '\0', &rest);
                senders[n].socket = make_pair(theirs[n]);
        }
        if (n == 0 || at + 1 >= argc)
                usage();
        pid = fork();
        if (pid < 0)
                die("luvm-sender: fork");
        if (pid == 0)
                child(senders, n, rate, theirs);
        execvp(argv[at + 1], argv + at + 1);
        die(argv[at + 1]);
}
