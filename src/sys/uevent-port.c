/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "uevent-port.h"

#include <linux/netlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

/* Of the messages; udev sends what it has processed to group 2. */
#define KERNEL_GROUP 1u
/* 16,384 VFs that come at once are three events each. The kernel doubles it for its own
 * bookkeeping, and takes memory only for what waits. */
#define RECEIVE_BUFFER (32 * 1024 * 1024)
#define EVENTS_PER_DISPATCH 512
/* More messages than the buffer can hold of the smallest ones (some 700 bytes each). */
#define DRAIN_MAX (1u << 17)

struct UeventPort {
        struct nl_sock *sock;
};

static int to_errno(int nl_error) {
        switch (-nl_error) {
        case NLE_NOMEM:
                return -ENOMEM;
        case NLE_PERM:
        case NLE_NOACCESS:
                return -EPERM;
        case NLE_AF_NOSUPPORT:
        case NLE_PROTO_MISMATCH:
                return -EPROTONOSUPPORT;
        default:
                return -EIO;
        }
}

/* Beyond net.core.rmem_max, for who has CAP_NET_ADMIN. */
static int enlarge_buffer(struct nl_sock *sock) {
        int size = RECEIVE_BUFFER;

        if (setsockopt(nl_socket_get_fd(sock), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) >= 0)
                return 0;
        return setsockopt(nl_socket_get_fd(sock), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) >= 0 ? 0 : -errno;
}

int uevent_open(UeventPort **ret) {
        _cleanup_(uevent_closep) UeventPort *p = calloc(1, sizeof(*p));

        if (!p)
                return -ENOMEM;
        p->sock = nl_socket_alloc();
        if (!p->sock)
                return -ENOMEM;
        nl_join_groups(p->sock, KERNEL_GROUP);
        /* A buffer of a known size, so that each message is received in one call. */
        int r = nl_socket_set_msg_buf_size(p->sock, UEVENT_SIZE_MAX);
        if (r < 0 || (r = nl_connect(p->sock, NETLINK_KOBJECT_UEVENT)) < 0 ||
            (r = nl_socket_set_passcred(p->sock, 1)) < 0 || (r = nl_socket_set_nonblocking(p->sock)) < 0)
                return to_errno(r);
        r = enlarge_buffer(p->sock);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(p);
        return 0;
}

UeventPort *uevent_close(UeventPort *p) {
        if (!p)
                return NULL;
        nl_socket_free(p->sock);
        free(p);
        return NULL;
}

int uevent_fd(const UeventPort *p) {
        return nl_socket_get_fd(p->sock);
}

/* Any process that may send on such a socket can write to this one. Its port number is
 * never 0, and the kernel fills in the credentials. */
static bool from_kernel(const struct sockaddr_nl *from, const struct ucred *creds) {
        return from->nl_pid == 0 && (from->nl_groups & KERNEL_GROUP) && creds && creds->uid == 0 && creds->pid == 0;
}

typedef enum Received { RECEIVED_NOTHING, RECEIVED_EVENT, RECEIVED_FOREIGN, RECEIVED_LOST } Received;

/* The event points into *ret_message, which the caller frees. */
static int receive(UeventPort *p, Uevent *ret, unsigned char **ret_message) {
        _cleanup_free_ unsigned char *message = NULL;
        _cleanup_free_ struct ucred *creds = NULL;
        struct sockaddr_nl from = {};

        int n = nl_recv(p->sock, &from, &message, &creds);
        if (n == 0 || n == -NLE_AGAIN)
                return RECEIVED_NOTHING;
        /* libnl makes one of ENOBUFS (an overrun) and ENOMEM. Looking at everything again
         * is right after both. A message that is too long has been taken off the queue. */
        if (n == -NLE_NOMEM || n == -NLE_MSG_TRUNC)
                return RECEIVED_LOST;
        if (n < 0)
                return to_errno(n);
        if (!from_kernel(&from, creds))
                return RECEIVED_FOREIGN;
        int r = uevent_parse(message, (size_t)n, ret);
        if (r <= 0)
                return r < 0 ? RECEIVED_LOST : RECEIVED_FOREIGN;
        *ret_message = TAKE_PTR(message);
        return RECEIVED_EVENT;
}

/* After an overrun the kernel drops all messages until the queue has been empty once
 * (NETLINK_S_CONGESTED in net/netlink/af_netlink.c). What waits is older than the
 * look at everything that follows, so it may go, and only then is it safe to look. */
static int drain(UeventPort *p) {
        int r = RECEIVED_FOREIGN;

        for (unsigned i = 0; i < DRAIN_MAX && r > RECEIVED_NOTHING; i++) {
                _cleanup_free_ unsigned char *message = NULL;
                Uevent e;

                r = receive(p, &e, &message);
        }
        return r < 0 ? r : 0;
}

int uevent_dispatch(UeventPort *p, uevent_handler_t on_event, uevent_lost_t on_lost, void *userdata) {
        int n_events = 0;

        for (unsigned i = 0; i < EVENTS_PER_DISPATCH; i++) {
                _cleanup_free_ unsigned char *message = NULL;
                Uevent e;

                int r = receive(p, &e, &message);
                if (r == RECEIVED_LOST) {
                        r = drain(p);
                        if (r >= 0)
                                on_lost(userdata);
                        return r < 0 ? r : n_events;
                }
                if (r <= RECEIVED_NOTHING)
                        return r < 0 ? r : n_events;
                if (r == RECEIVED_EVENT) {
                        on_event(&e, userdata);
                        n_events++;
                }
        }
        return n_events;
}
