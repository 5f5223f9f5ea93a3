/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "keeper.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/fd.h"

/* No more than SCM_MAX_FD (include/net/scm.h), 253, travel in one message. */
enum { BATCH = 128, GO = 1, GIVEN = 2 };

/* What is sent: one of the words above; what is answered: how many descriptors are there. */
typedef uint32_t Word;

typedef union Control {
        struct cmsghdr header;
        char space[CMSG_SPACE(BATCH * sizeof(int))];
} Control;

static int wait_for(int fd, uint64_t timeout_usec) {
        struct pollfd p = { .fd = fd, .events = POLLIN };

        int n = poll(&p, 1, (int)MIN_OF(timeout_usec / USEC_PER_MSEC, (uint64_t)INT32_MAX));
        return n < 0 ? -errno : n == 0 ? -ETIMEDOUT : 0;
}

/* The socket is found through the directory's descriptor, so that its path may be long. */
static int address_of(int dir_fd, struct sockaddr_un *ret) {
        *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
        int n = snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/" KEEPER_SOCKET, dir_fd);
        return n < 0 || (size_t)n >= sizeof(ret->sun_path) ? -ENAMETOOLONG : 0;
}

int keeper_listen(int dir_fd, int *ret_fd) {
        struct sockaddr_un a;

        int r = address_of(dir_fd, &a);
        if (r < 0)
                return r;
        if (unlinkat(dir_fd, KEEPER_SOCKET, 0) < 0 && errno != ENOENT)
                return -errno;
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1) < 0)
                return -errno;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int keeper_accept(int listen_fd, uint64_t timeout_usec, int *ret_fd) {
        struct ucred peer;
        socklen_t size = sizeof(peer);

        int r = wait_for(listen_fd, timeout_usec);
        if (r < 0)
                return r;
        _cleanup_close_ int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return -errno;
        if (peer.uid != 0 && peer.uid != geteuid())
                return -EPERM;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* One message and its answer. */
static int ask(int fd, Word word, const int *fds, size_t n, uint64_t timeout_usec, Word *ret_count) {
        struct iovec iov = { &word, sizeof(word) };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
        Control control = {};

        if (n > 0) {
                message.msg_control = &control;
                message.msg_controllen = CMSG_SPACE(n * sizeof(int));
                struct cmsghdr *c = CMSG_FIRSTHDR(&message);
                c->cmsg_level = SOL_SOCKET;
                c->cmsg_type = SCM_RIGHTS;
                c->cmsg_len = CMSG_LEN(n * sizeof(int));
                memcpy(CMSG_DATA(c), fds, n * sizeof(int));
        }
        if (sendmsg(fd, &message, MSG_NOSIGNAL) < 0)
                return -errno;
        int r = wait_for(fd, timeout_usec);
        if (r < 0)
                return r;
        return recv(fd, ret_count, sizeof(*ret_count), 0) == sizeof(*ret_count) ? 0 : -EIO;
}

int keeper_give(int fd, const int *fds, size_t n, uint64_t timeout_usec) {
        for (size_t i = 0; i < n; i += BATCH) {
                size_t k = MIN_OF(n - i, (size_t)BATCH);
                Word count;
                int r = ask(fd, GIVEN, fds + i, k, timeout_usec, &count);
                if (r < 0)
                        return r;
                if (count != i + k)
                        return -EIO;
        }
        return 0;
}

int keeper_stay(int fd, uint64_t timeout_usec) {
        Word count;

        return ask(fd, GO, NULL, 0, timeout_usec, &count);
}

/* How many descriptors came with the message; they stay open, that is all they are for. */
static size_t count_fds(struct msghdr *message) {
        size_t n = 0;

        for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
                if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
                        n += (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        return n;
}

int keeper_serve(const char *path) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        Word count = 0;

        if (strlen(path) >= sizeof(a.sun_path))
                return -ENAMETOOLONG;
        memcpy(a.sun_path, path, strlen(path));
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
                return -errno;
        for (;;) {
                Control control;
                Word word;
                struct iovec iov = { &word, sizeof(word) };
                struct msghdr message = {
                        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
                };
                ssize_t n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
                if (n == 0)
                        return 0;
                if (n < 0)
                        return -errno;
                /* A descriptor that did not fit in our table makes the count wrong, and so the daemon sees it. */
                count += (Word)count_fds(&message);
                if (send(fd, &count, sizeof(count), MSG_NOSIGNAL) < 0)
                        return -errno;
                if (n == sizeof(word) && word == GO)
                        break;
        }
        for (;;)
                (void)pause();
}
