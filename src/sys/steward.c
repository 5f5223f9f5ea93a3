/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of a SOCK_SEQPACKET socket, one byte each: 's' with some descriptors, 'e' when
 * there are no more; back comes 'k' when they are kept. Whoever hangs up before that has not
 * kept them.
 */
#include "steward.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

enum { BATCH = 64, COLLECT_SECONDS = 5 };

typedef union Control {
        struct cmsghdr header;
        char space[CMSG_SPACE(BATCH * sizeof(int))];
} Control;

static socklen_t address_of(const char *name, struct sockaddr_un *ret) {
        size_t n = MIN_OF(strlen(name), sizeof(ret->sun_path) - 1);

        *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
        memcpy(ret->sun_path + 1, name, n);
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n);
}

static bool is_trusted(int fd) {
        struct ucred peer;
        socklen_t size = sizeof(peer);

        return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) >= 0 && (peer.uid == 0 || peer.uid == geteuid());
}

int steward_listen(const char *name, int *ret_fd) {
        struct sockaddr_un address;
        socklen_t size = address_of(name, &address);

        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 8) < 0)
                return -errno;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int send_message(int fd, char kind, const int *fds, size_t n) {
        struct iovec part = { .iov_base = &kind, .iov_len = 1 };
        struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
        Control control = {};

        if (n > 0) {
                m.msg_control = &control;
                m.msg_controllen = CMSG_SPACE(n * sizeof(int));
                struct cmsghdr *c = CMSG_FIRSTHDR(&m);
                c->cmsg_level = SOL_SOCKET;
                c->cmsg_type = SCM_RIGHTS;
                c->cmsg_len = CMSG_LEN(n * sizeof(int));
                memcpy(CMSG_DATA(c), fds, n * sizeof(int));
        }
        return sendmsg(fd, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Whether they are safe with who is there. */
static bool serve_one(int fd, const int *fds, size_t n) {
        char answer = 0;
        int r = 0;

        for (size_t i = 0; i < n && r >= 0; i += BATCH)
                r = send_message(fd, 's', fds + i, MIN_OF(n - i, (size_t)BATCH));
        if (r >= 0)
                r = send_message(fd, 'e', NULL, 0);
        return r >= 0 && recv(fd, &answer, 1, 0) == 1 && answer == 'k';
}

int steward_serve(int listen_fd, const int *fds, size_t n) {
        for (;;) {
                _cleanup_close_ int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);

                if (fd < 0 && errno != EINTR && errno != ECONNABORTED)
                        return -errno;
                if (fd >= 0 && is_trusted(fd) && serve_one(fd, fds, n))
                        return 0;
        }
}

/* The descriptors of one message, onto those that are there; the message's byte, 0 at the
 * end of the connection. What there is no room for is closed. */
static int receive_message(int fd, int *fds, size_t *n) {
        char kind = 0;
        struct iovec part = { .iov_base = &kind, .iov_len = 1 };
        Control control;
        struct msghdr m = {
                .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };

        ssize_t size = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
        if (size < 0)
                return errno == EAGAIN ? -ETIMEDOUT : -errno;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
                        int one;
                        memcpy(&one, CMSG_DATA(c) + i * sizeof(int), sizeof(one));
                        if (*n < STEWARD_SESSIONS_MAX)
                                fds[(*n)++] = one;
                        else
                                fd_close(one);
                }
        }
        return m.msg_flags & MSG_CTRUNC ? -EMSGSIZE : kind;
}

static int connect_to(const char *name, int *ret_fd) {
        struct timeval patience = { .tv_sec = COLLECT_SECONDS };
        struct sockaddr_un address;
        socklen_t size = address_of(name, &address);

        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, (struct sockaddr *)&address, size) < 0)
                return errno == ECONNREFUSED ? -ENOENT : -errno;
        if (!is_trusted(fd))
                return -EPERM;
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int steward_collect(const char *name, int *ret_connection, int ret_fds[static STEWARD_SESSIONS_MAX], size_t *ret_n) {
        _cleanup_close_ int fd = -1;
        int fds[STEWARD_SESSIONS_MAX];
        size_t n = 0;

        int r = connect_to(name, &fd);
        if (r < 0)
                return r;
        do
                r = receive_message(fd, fds, &n);
        while (r == 's');
        if (r != 'e') {
                for (size_t i = 0; i < n; i++)
                        fd_close(fds[i]);
                return r < 0 ? r : -ECONNRESET;
        }
        memcpy(ret_fds, fds, n * sizeof(int));
        *ret_n = n;
        *ret_connection = TAKE_FD(fd);
        return 0;
}

int steward_dismiss(int connection) {
        return send(connection, "k", 1, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}
