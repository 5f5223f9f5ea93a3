/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A service manager for one service, in a VM that has no systemd: Type=notify readiness
 * and a descriptor store, which is what a daemon under test may rely on.
 *
 *   luvm-service start DIR [--timeout SECONDS] [--log FILE] -- PROGRAM [ARGUMENT...]
 *   luvm-service restart|stop|kill|pid|store DIR
 *
 * start leaves a supervisor behind, which listens on DIR/control and DIR/notify. start
 * and restart return when the service has said READY=1, stop (SIGTERM) and kill
 * (SIGKILL) when it is gone; all fail when the time is up, and the first two when it
 * exits. As with systemd the descriptor store outlives a crash and goes with a stop; store
 * says how many descriptors are in it.
 *
 * One request at a time; a second one waits in the socket's queue.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "common/macro.h"

enum { STORE_MAX = 256, NAME_SIZE = 256, PASSED_MAX = 16, FIRST_PASSED = 3 };

typedef struct Stored {
        int fd;
        char name[NAME_SIZE];
} Stored;

typedef enum Waiting { WAITING_NONE, WAITING_READY, WAITING_EXIT } Waiting;

typedef struct Supervisor {
        const char *log;
        char **argv;
        int timeout;
        char notify_path[108];
        int control, notify;
        pid_t pid; /* 0: not running */
        int pidfd;
        bool ready;
        Stored store[STORE_MAX];
        size_t n_store;
        /* The request that is being served. */
        int client;
        Waiting waiting;
        int64_t deadline;
} Supervisor;

_printf_(1, 2) static _Noreturn void die(const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        fputs("luvm-service: ", stderr);
        vfprintf(stderr, format, ap);
        va_end(ap);
        fputc('\n', stderr);
        exit(EXIT_FAILURE);
}

static int64_t now_ms(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct sockaddr_un address(const char *dir, const char *name) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };

        if (snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s", dir, name) >= (int)sizeof(a.sun_path))
                die("%s is too long a path", dir);
        return a;
}

static int listen_on(const char *dir, const char *name, int type) {
        struct sockaddr_un a = address(dir, name);
        int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

        (void)unlink(a.sun_path);
        if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
                die("%s: %s", a.sun_path, strerror(errno));
        if (type != SOCK_DGRAM && listen(fd, 8) < 0)
                die("%s: %s", a.sun_path, strerror(errno));
        return fd;
}

/* --- the descriptor store ----------------------------------------------------------- */

/* As systemd has it: up to 255 printable ASCII characters without a colon. */
static bool name_valid(const char *name) {
        for (const char *c = name; *c; c++)
                if (*c < ' ' || *c > '~' || *c == ':')
                        return false;
        return strlen(name) < NAME_SIZE;
}

static void store_add(Supervisor *s, int fd, const char *name) {
        if (!name_valid(name))
                name = "stored";
        if (s->n_store == STORE_MAX) {
                (void)close(fd);
                return;
        }
        s->store[s->n_store].fd = fd;
        (void)snprintf(s->store[s->n_store].name, NAME_SIZE, "%s", *name ? name : "stored");
        s->n_store++;
}

/* name NULL: all. */
static void store_remove(Supervisor *s, const char *name) {
        size_t kept = 0;

        for (size_t i = 0; i < s->n_store; i++)
                if (name && strcmp(s->store[i].name, name) != 0)
                        s->store[kept++] = s->store[i];
                else
                        (void)close(s->store[i].fd);
        s->n_store = kept;
}

/* --- the service -------------------------------------------------------------------- */

static void answer(Supervisor *s, const char *text) {
        if (s->client >= 0 && send(s->client, text, strlen(text), MSG_NOSIGNAL) < 0)
                errno = 0; /* it went away; nobody to tell */
        s->client = fd_close(s->client);
        s->waiting = WAITING_NONE;
}

/* In the child: stored descriptors become 3, 4, … as sd_listen_fds(3) has it. */
static void pass_store(Supervisor *s) {
        char number[24], names[STORE_MAX * (NAME_SIZE + 1)] = "";
        int moved[STORE_MAX];

        if (s->n_store == 0)
                return;
        for (size_t i = 0; i < s->n_store; i++) {
                moved[i] = fcntl(s->store[i].fd, F_DUPFD_CLOEXEC, FIRST_PASSED + (int)s->n_store);
                if (i > 0)
                        strcat(names, ":");
                strcat(names, s->store[i].name);
        }
        for (size_t i = 0; i < s->n_store; i++)
                if (dup2(moved[i], FIRST_PASSED + (int)i) < 0)
                        _exit(126);
        (void)snprintf(number, sizeof(number), "%zu", s->n_store);
        (void)setenv("LISTEN_FDS", number, 1);
        (void)setenv("LISTEN_FDNAMES", names, 1);
        (void)snprintf(number, sizeof(number), "%d", (int)getpid());
        (void)setenv("LISTEN_PID", number, 1);
}

static _Noreturn void run_service(Supervisor *s) {
        char number[16];
        int log = open(s->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

        if (log < 0 || dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
                _exit(126);
        (void)setsid();
        (void)setenv("NOTIFY_SOCKET", s->notify_path, 1);
        (void)snprintf(number, sizeof(number), "%d", STORE_MAX);
        (void)setenv("FDSTORE", number, 1);
        pass_store(s);
        execvp(s->argv[0], s->argv);
        fprintf(stderr, "luvm-service: %s: %s\n", s->argv[0], strerror(errno));
        _exit(127);
}

static void service_start(Supervisor *s) {
        s->ready = false;
        s->pid = fork();
        if (s->pid == 0)
                run_service(s);
        if (s->pid < 0) {
                s->pid = 0;
                answer(s, "fork failed");
                return;
        }
        s->pidfd = pidfd_open(s->pid, 0);
}

static void service_gone(Supervisor *s) {
        char text[64];
        int status = 0;

        (void)waitpid(s->pid, &status, 0);
        s->pidfd = fd_close(s->pidfd);
        s->pid = 0;
        if (s->waiting == WAITING_EXIT)
                answer(s, "ok");
        if (s->waiting != WAITING_READY)
                return;
        (void)snprintf(text, sizeof(text), "the service ended before it was ready (%s %d)",
                       WIFSIGNALED(status) ? "signal" : "status",
                       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        answer(s, text);
}

/* One datagram of sd_notify(3); takes the descriptors that came with it. */
static void notified(Supervisor *s, char *text, int *fds, size_t n_fds) {
        const char *name = "";
        bool add = false, drop = false;

        for (char *save = NULL, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
                if (strcmp(line, "READY=1") == 0)
                        s->ready = true;
                else if (strcmp(line, "FDSTORE=1") == 0)
                        add = true;
                else if (strcmp(line, "FDSTOREREMOVE=1") == 0)
                        drop = true;
                else if (strncmp(line, "FDNAME=", 7) == 0)
                        name = line + 7;

        for (size_t i = 0; i < n_fds; i++)
                if (add)
                        store_add(s, fds[i], name);
                else
                        (void)close(fds[i]); /* BARRIER=1 waits for this */
        if (drop)
                store_remove(s, name);
        if (s->ready && s->waiting == WAITING_READY)
                answer(s, "ok");
}

static void read_notify(Supervisor *s) {
        char text[4096];
        union {
                struct cmsghdr align;
                char space[CMSG_SPACE(sizeof(int) * PASSED_MAX)];
        } control;
        struct iovec iov = { .iov_base = text, .iov_len = sizeof(text) - 1 };
        struct msghdr message = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };
        int fds[PASSED_MAX];
        size_t n_fds = 0;
        ssize_t n = recvmsg(s->notify, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

        if (n < 0)
                return;
        text[n] = '\0';
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
                if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
                        n_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                        memcpy(fds, CMSG_DATA(c), n_fds * sizeof(int));
                }
        notified(s, text, fds, n_fds);
}

/* --- requests ----------------------------------------------------------------------- */

static void request_signal(Supervisor *s, int signal_number) {
        if (signal_number == SIGTERM)
                store_remove(s, NULL);
        if (s->pid == 0) {
                answer(s, "ok");
                return;
        }
        s->waiting = WAITING_EXIT;
        (void)kill(s->pid, signal_number);
}

static void read_request(Supervisor *s) {
        char text[32];
        ssize_t n;

        s->client = accept4(s->control, NULL, NULL, SOCK_CLOEXEC);
        if (s->client < 0)
                return;
        n = recv(s->client, text, sizeof(text) - 1, 0);
        text[n > 0 ? n : 0] = '\0';
        s->deadline = now_ms() + (int64_t)s->timeout * 1000;
        if (strcmp(text, "pid") == 0) {
                (void)snprintf(text, sizeof(text), "ok %d", (int)s->pid);
                answer(s, s->pid > 0 ? text : "the service does not run");
        } else if (strcmp(text, "store") == 0) {
                (void)snprintf(text, sizeof(text), "ok %zu", s->n_store);
                answer(s, text);
        } else if (strcmp(text, "restart") == 0 && s->pid > 0)
                answer(s, "the service runs already");
        else if (strcmp(text, "restart") == 0) {
                s->waiting = WAITING_READY;
                service_start(s);
        } else if (strcmp(text, "stop") == 0)
                request_signal(s, SIGTERM);
        else if (strcmp(text, "kill") == 0)
                request_signal(s, SIGKILL);
        else if (strcmp(text, "quit") == 0 && s->pid == 0) {
                answer(s, "ok");
                exit(EXIT_SUCCESS);
        } else
                answer(s, strcmp(text, "quit") == 0 ? "the service runs" : "no such request");
}

static _Noreturn void supervise(Supervisor *s) {
        for (;;) {
                struct pollfd fds[] = {
                        { .fd = s->notify, .events = POLLIN },
                        { .fd = s->pidfd, .events = POLLIN },
                        { .fd = s->waiting == WAITING_NONE ? s->control : -1, .events = POLLIN },
                };
                int64_t left = s->deadline - now_ms();
                int r = poll(fds, ELEMENTSOF(fds), s->waiting == WAITING_NONE ? -1 : left > 0 ? (int)left : 0);

                if (r < 0 && errno != EINTR)
                        exit(EXIT_FAILURE);
                if (r <= 0) {
                        if (r == 0 && s->waiting != WAITING_NONE)
                                answer(s, s->waiting == WAITING_READY ? "the service was not ready in time"
                                                                      : "the service did not end in time");
                        continue;
                }
                /* What a service said before it died counts. */
                if (fds[0].revents)
                        read_notify(s);
                else if (fds[1].revents)
                        service_gone(s);
                else if (fds[2].revents)
                        read_request(s);
        }
}

/* --- the command line --------------------------------------------------------------- */

/* Prints what the answer says beyond "ok". connected NULL: there must be a supervisor. */
static int request(const char *dir, const char *text, bool *connected) {
        struct sockaddr_un a = address(dir, "control");
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        char reply[128];
        ssize_t n;

        if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
                if (!connected)
                        die("nothing was started in %s: %s", dir, strerror(errno));
                *connected = false;
                return EXIT_FAILURE;
        }
        if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0 || (n = recv(fd, reply, sizeof(reply) - 1, 0)) <= 0)
                die("the supervisor of %s went away", dir);
        reply[n] = '\0';
        if (strncmp(reply, "ok", 2) != 0)
                die("%s", reply);
        if (reply[2] == ' ')
                puts(reply + 3);
        return EXIT_SUCCESS;
}

static int start(const char *dir, int argc, char **argv) {
        Supervisor s = { .log = "/dev/null", .timeout = 30, .pidfd = -1, .client = -1 };
        bool connected = true;
        pid_t pid;
        int null;

        for (; argc > 1 && strcmp(argv[0], "--") != 0; argc -= 2, argv += 2)
                if (strcmp(argv[0], "--timeout") == 0 && atoi(argv[1]) > 0)
                        s.timeout = atoi(argv[1]);
                else if (strcmp(argv[0], "--log") == 0)
                        s.log = argv[1];
                else
                        die("what is %s %s?", argv[0], argv[1]);
        if (argc < 2)
                die("no program to start");
        s.argv = argv + 1;
        if (mkdir(dir, 0755) < 0 && errno != EEXIST)
                die("%s: %s", dir, strerror(errno));
        (void)request(dir, "quit", &connected);

        s.control = listen_on(dir, "control", SOCK_SEQPACKET);
        s.notify = listen_on(dir, "notify", SOCK_DGRAM);
        memcpy(s.notify_path, address(dir, "notify").sun_path, sizeof(s.notify_path));
        pid = fork();
        if (pid < 0)
                die("fork: %s", strerror(errno));
        if (pid == 0) {
                (void)setsid();
                null = open("/dev/null", O_RDWR | O_CLOEXEC);
                for (int i = 0; i < 3; i++)
                        (void)dup2(null, i);
                supervise(&s);
        }
        return request(dir, "restart", NULL);
}

int main(int argc, char **argv) {
        if (argc >= 3 && strcmp(argv[1], "start") == 0)
                return start(argv[2], argc - 3, argv + 3);
        if (argc == 3)
                for (const char *const *v = (const char *const[]){ "restart", "stop", "kill", "pid", "store", NULL };
                     *v; v++)
                        if (strcmp(argv[1], *v) == 0)
                                return request(argv[2], argv[1], NULL);
        fputs("usage: luvm-service start DIR [--timeout SECONDS] [--log FILE] -- PROGRAM [ARGUMENT...]\n"
              "       luvm-service restart|stop|kill|pid|store DIR\n",
              stderr);
        return 2;
}
