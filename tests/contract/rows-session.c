/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The contract of sessions: names, kinds, the device, what closing does. */
#include <fcntl.h>
#include <sys/socket.h>

#include "contract/luo-contract.h"

#define NAME_63 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"
#define NAME_64 NAME_63 "f"
_Static_assert(sizeof(NAME_63) == LUO_NAME_LENGTH, "63 bytes and the NUL");

static bool device_there(ContractEnv *e) {
        EXPECT_EQ(luo_available(&e->luo), 0);
        return true;
}

static bool name_refused(ContractEnv *e) {
        int fd = -77;

        EXPECT_EQ(luo_create_session(&e->luo, "", &fd), -EINVAL);
        EXPECT_EQ(luo_create_session(&e->luo, NAME_64, &fd), -EINVAL);
        EXPECT_EQ(luo_retrieve_session(&e->luo, NAME_64, &fd), -EINVAL);
        EXPECT_EQ(luo_retrieve_session(&e->luo, "", &fd), -ENOENT);
        EXPECT_EQ(fd, -77); /* ret_fd is untouched by failure */
        return true;
}

static bool name_long_prepare(ContractEnv *e) {
        char name[LUO_NAME_LENGTH];
        int s;

        EXPECT_FD(s, contract_create(e, NAME_63));
        contract_keep(e, s);
        EXPECT_EQ(luo_get_name(&e->luo, s, name), 0);
        EXPECT(streq(name, NAME_63));
        return true;
}

static bool name_long_check(ContractEnv *e) {
        _cleanup_close_ int s = -1;
        char name[LUO_NAME_LENGTH];

        EXPECT_FD(s, contract_retrieve(e, NAME_63));
        EXPECT_EQ(luo_get_name(&e->luo, s, name), 0);
        EXPECT(streq(name, NAME_63));
        EXPECT_EQ(luo_finish(&e->luo, s), 0);
        return true;
}

#define NAME_ODD "a/b \n\xff\x01%s\xc3\xa4.."

static bool name_odd_prepare(ContractEnv *e) {
        int s;

        EXPECT_FD(s, contract_create(e, NAME_ODD));
        contract_keep(e, s);
        return true;
}

static bool name_odd_check(ContractEnv *e) {
        _cleanup_close_ int s = -1;
        char name[LUO_NAME_LENGTH];

        EXPECT_FD(s, contract_retrieve(e, NAME_ODD));
        EXPECT_EQ(luo_get_name(&e->luo, s, name), 0);
        EXPECT(streq(name, NAME_ODD));
        EXPECT_EQ(luo_finish(&e->luo, s), 0);
        return true;
}

static bool name_in_use(ContractEnv *e) {
        _cleanup_close_ int s = -1, again = -1;

        EXPECT_FD(s, contract_create(e, "c-in-use"));
        EXPECT_EQ(contract_create(e, "c-in-use"), -EEXIST);
        s = fd_close(s);
        EXPECT_FD(again, contract_create(e, "c-in-use"));
        return true;
}

static bool session_cloexec(ContractEnv *e) {
        _cleanup_close_ int s = -1;

        EXPECT_FD(s, contract_create(e, "c-cloexec"));
        EXPECT(contract_cloexec(s));
        return true;
}

static bool wrong_kind_outgoing(ContractEnv *e) {
        _cleanup_close_ int s = -1, m = -1;
        char name[LUO_NAME_LENGTH];
        int fd = -77;

        EXPECT_FD(s, contract_create(e, "c-kind"));
        EXPECT_FD(m, contract_memfd(0, 100, 1));
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, m, 1), 0);
        EXPECT_EQ(luo_retrieve_fd(&e->luo, s, 1, &fd), -EINVAL);
        EXPECT_EQ(luo_finish(&e->luo, s), -EINVAL);
        EXPECT_EQ(fd, -77);
        EXPECT_EQ(luo_get_name(&e->luo, s, name), 0);
        EXPECT(streq(name, "c-kind"));
        EXPECT(e->size_frozen(e->self, m));
        EXPECT_EQ(contract_retrieve(e, "c-kind"), -ENOENT);
        return true;
}

static bool not_a_session(ContractEnv *e) {
        _cleanup_close_ int m = -1;
        char name[LUO_NAME_LENGTH];
        int fd;

        EXPECT_FD(m, contract_memfd(0, 0, 0));
        EXPECT_EQ(luo_preserve_fd(&e->luo, m, m, 1), -ENOTTY);
        EXPECT_EQ(luo_retrieve_fd(&e->luo, m, 1, &fd), -ENOTTY);
        EXPECT_EQ(luo_finish(&e->luo, m), -ENOTTY);
        EXPECT_EQ(luo_get_name(&e->luo, m, name), -ENOTTY);
        EXPECT_EQ(luo_preserve_fd(&e->luo, -1, m, 1), -EBADF);
        EXPECT_EQ(luo_retrieve_fd(&e->luo, -1, 1, &fd), -EBADF);
        EXPECT_EQ(luo_finish(&e->luo, -1), -EBADF);
        EXPECT_EQ(luo_get_name(&e->luo, -1, name), -EBADF);
        return true;
}

static bool held_device(ContractEnv *e) {
        _cleanup_close_ int s = -1, m = -1, t = -1;
        char name[LUO_NAME_LENGTH];

        EXPECT_FD(s, contract_create(e, "c-held"));
        EXPECT_FD(m, contract_memfd(0, 10, 1));
        EXPECT_EQ(e->hold(e->self), 0);
        int created = contract_create(e, "c-held-2");
        int retrieved = contract_retrieve(e, "c-held-3");
        /* Sessions do not need the device. */
        int preserved = luo_preserve_fd(&e->luo, s, m, 1);
        int named = luo_get_name(&e->luo, s, name);
        int there = luo_available(&e->luo);
        e->release(e->self);

        EXPECT_EQ(created, -EBUSY);
        EXPECT_EQ(retrieved, -EBUSY);
        EXPECT_EQ(preserved, 0);
        EXPECT_EQ(named, 0);
        EXPECT_EQ(there, 0);
        EXPECT_FD(t, contract_create(e, "c-held-2"));
        return true;
}

static bool held_device_waits(ContractEnv *e) {
        _cleanup_close_ int s = -1;
        int r;

        EXPECT_EQ(e->hold_briefly(e->self), 0);
        r = luo_create_session(&e->patient, "c-waits", &s);
        bool held = e->held(e->self);
        e->release(e->self);
        EXPECT_EQ(r, 0);
        EXPECT(!held);
        return true;
}

static bool close_unpreserves(ContractEnv *e) {
        _cleanup_close_ int s = -1, t = -1, m = -1, n = -1;

        EXPECT_FD(m, contract_memfd(0, 5000, 3));
        EXPECT_FD(n, contract_memfd(0, 0, 0));
        EXPECT_FD(s, contract_create(e, "c-close"));
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, m, 1), 0);
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, n, 2), 0);
        EXPECT(e->size_frozen(e->self, m));
        EXPECT(e->size_frozen(e->self, n));
        s = fd_close(s);

        EXPECT(!e->size_frozen(e->self, m));
        EXPECT(!e->size_frozen(e->self, n));
        EXPECT(contract_has_pattern(m, 0, 5000, 3));
        EXPECT_FD(t, contract_create(e, "c-close"));
        EXPECT_EQ(luo_preserve_fd(&e->luo, t, m, 1), 0);
        return true;
}

static bool closed_is_gone(ContractEnv *e) {
        EXPECT_EQ(contract_retrieve(e, "c-close"), -ENOENT);
        EXPECT_EQ(contract_retrieve(e, "c-never-was"), -ENOENT);
        return true;
}

static bool dup_keeps_prepare(ContractEnv *e) {
        _cleanup_close_ int s = -1, m = -1;
        int copy;

        EXPECT_FD(s, contract_create(e, "c-dup"));
        EXPECT_FD(m, contract_memfd(0, 300, 4));
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, m, 1), 0);
        copy = fcntl(s, F_DUPFD_CLOEXEC, 0);
        EXPECT(copy >= 0);
        contract_keep(e, copy);
        s = fd_close(s);

        EXPECT(e->size_frozen(e->self, m));
        EXPECT_EQ(contract_create(e, "c-dup"), -EEXIST);
        /* The duplicate is as good as the first. */
        _cleanup_close_ int more = -1;
        EXPECT_FD(more, contract_memfd(0, 300, 5));
        EXPECT_EQ(luo_preserve_fd(&e->luo, copy, more, 2), 0);
        return true;
}

static bool dup_keeps_check(ContractEnv *e) {
        _cleanup_close_ int s = -1, copy = -1, m = -1, n = -1;

        EXPECT_FD(s, contract_retrieve(e, "c-dup"));
        copy = fcntl(s, F_DUPFD_CLOEXEC, 0);
        EXPECT(copy >= 0);
        s = fd_close(s);
        EXPECT_EQ(contract_retrieve(e, "c-dup"), -EINVAL);
        EXPECT_FD(m, contract_get(e, copy, 1));
        EXPECT_FD(n, contract_get(e, copy, 2));
        EXPECT(contract_has_pattern(m, 0, 300, 4));
        EXPECT(contract_has_pattern(n, 0, 300, 5));
        EXPECT_EQ(luo_finish(&e->luo, copy), 0);
        return true;
}

/* A descriptor in flight in a socket is a duplicate like any other. */
static bool in_flight_keeps(ContractEnv *e) {
        _cleanup_close_ int s = -1, m = -1, a = -1, b = -1, t = -1;
        union {
                struct cmsghdr header;
                char room[CMSG_SPACE(sizeof(int))];
        } control = {};
        char byte = 'x';
        struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
        struct msghdr message = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };
        int pair[2];

        EXPECT_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
        a = pair[0];
        b = pair[1];
        EXPECT_FD(s, contract_create(e, "c-flight"));
        EXPECT_FD(m, contract_memfd(0, 1, 0));
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, m, 1), 0);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &s, sizeof(int));
        EXPECT_EQ(sendmsg(a, &message, 0), 1);
        s = fd_close(s);

        EXPECT(e->size_frozen(e->self, m));
        EXPECT_EQ(contract_create(e, "c-flight"), -EEXIST);
        b = fd_close(b);
        a = fd_close(a);
        EXPECT(!e->size_frozen(e->self, m));
        EXPECT_FD(t, contract_create(e, "c-flight"));
        return true;
}

static bool empty_session_prepare(ContractEnv *e) {
        int s;

        EXPECT_FD(s, contract_create(e, "c-empty"));
        contract_keep(e, s);
        return true;
}

static bool empty_session_check(ContractEnv *e) {
        _cleanup_close_ int s = -1;

        EXPECT_FD(s, contract_retrieve(e, "c-empty"));
        EXPECT(contract_cloexec(s));
        EXPECT_EQ(contract_get(e, s, 0), -ENOENT);
        EXPECT_EQ(luo_finish(&e->luo, s), 0);
        return true;
}

static bool one_file(ContractEnv *e, const char *name) {
        _cleanup_close_ int m = -1;
        int s;

        EXPECT_FD(s, contract_create(e, name));
        contract_keep(e, s);
        EXPECT_FD(m, contract_memfd(0, 4096, 9));
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, m, 1), 0);
        return true;
}

static bool retrieve_once_prepare(ContractEnv *e) {
        return one_file(e, "c-once");
}

/* -EINVAL from the first retrieve to the close, FINISH or not; then the name is gone. */
static bool retrieve_once_check(ContractEnv *e) {
        _cleanup_close_ int s = -1, m = -1;
        char name[LUO_NAME_LENGTH];

        EXPECT_FD(s, contract_retrieve(e, "c-once"));
        EXPECT_EQ(contract_retrieve(e, "c-once"), -EINVAL);
        EXPECT_EQ(luo_get_name(&e->luo, s, name), 0);
        EXPECT(streq(name, "c-once"));
        EXPECT_FD(m, contract_get(e, s, 1));
        EXPECT_EQ(luo_finish(&e->luo, s), 0);
        EXPECT_EQ(contract_retrieve(e, "c-once"), -EINVAL);
        EXPECT_EQ(luo_get_name(&e->luo, s, name), 0);
        s = fd_close(s);
        EXPECT_EQ(contract_retrieve(e, "c-once"), -ENOENT);
        EXPECT(contract_has_pattern(m, 0, 4096, 9));
        return true;
}

static bool wrong_kind_incoming_prepare(ContractEnv *e) {
        return one_file(e, "c-kind-in");
}

static bool wrong_kind_incoming_check(ContractEnv *e) {
        _cleanup_close_ int s = -1, m = -1;

        EXPECT_FD(s, contract_retrieve(e, "c-kind-in"));
        EXPECT_FD(m, contract_memfd(0, 10, 1));
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, m, 2), -EINVAL);
        EXPECT_EQ(luo_finish(&e->luo, s), 0);
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, m, 2), -EINVAL);
        EXPECT(!e->size_frozen(e->self, m));
        return true;
}

static bool finish_prepare(ContractEnv *e) {
        return one_file(e, "c-finish");
}

static bool finish_check(ContractEnv *e) {
        _cleanup_close_ int s = -1, m = -1;

        EXPECT_FD(s, contract_retrieve(e, "c-finish"));
        EXPECT_FD(m, contract_get(e, s, 1));
        EXPECT_EQ(luo_finish(&e->luo, s), 0);
        EXPECT_EQ(contract_get(e, s, 1), -ENOENT);
        EXPECT_EQ(luo_finish(&e->luo, s), 0);
        EXPECT(contract_has_pattern(m, 0, 4096, 9));
        EXPECT(!e->size_frozen(e->self, m));
        return true;
}

static bool close_finishes_prepare(ContractEnv *e) {
        return one_file(e, "c-close-finish") && one_file(e, "c-close-unread");
}

/* Closing without FINISH finishes: what was retrieved stays, the rest is freed. */
static bool close_finishes_check(ContractEnv *e) {
        _cleanup_close_ int s = -1, m = -1, again = -1;

        EXPECT_FD(s, contract_retrieve(e, "c-close-finish"));
        EXPECT_FD(m, contract_get(e, s, 1));
        s = fd_close(s);
        EXPECT_EQ(contract_retrieve(e, "c-close-finish"), -ENOENT);
        EXPECT(contract_has_pattern(m, 0, 4096, 9));
        /* LUO's hold on it has ended: it may be preserved anew. */
        EXPECT_FD(again, contract_create(e, "c-close-finish-2"));
        EXPECT_EQ(luo_preserve_fd(&e->luo, again, m, 1), 0);

        EXPECT_FD(s, contract_retrieve(e, "c-close-unread"));
        s = fd_close(s);
        EXPECT_EQ(contract_retrieve(e, "c-close-unread"), -ENOENT);
        return true;
}

static bool same_name_prepare(ContractEnv *e) {
        return one_file(e, "c-same-name");
}

/* Outgoing and incoming names do not meet. */
static bool same_name_check(ContractEnv *e) {
        _cleanup_close_ int in = -1, out = -1;

        EXPECT_FD(out, contract_create(e, "c-same-name"));
        EXPECT_EQ(contract_create(e, "c-same-name"), -EEXIST);
        EXPECT_FD(in, contract_retrieve(e, "c-same-name"));
        EXPECT_EQ(luo_finish(&e->luo, out), -EINVAL);
        EXPECT_EQ(luo_finish(&e->luo, in), 0);
        return true;
}

static const ContractRow rows[] = {
        { "the device is there", false, device_there, device_there },
        { "empty and over-long names are refused", false, name_refused, name_refused },
        { "a name of 63 bytes", false, name_long_prepare, name_long_check },
        { "a name of any bytes", false, name_odd_prepare, name_odd_check },
        { "a name in use is EEXIST until its session is closed", false, name_in_use, name_in_use },
        { "session descriptors are close-on-exec", false, session_cloexec, session_cloexec },
        { "an outgoing session takes no RETRIEVE_FD and no FINISH", false, wrong_kind_outgoing, NULL },
        { "a descriptor that is no session", false, not_a_session, not_a_session },
        { "a held device is EBUSY, sessions work on", false, held_device, held_device },
        { "a held device is waited for", false, held_device_waits, held_device_waits },
        { "closing an outgoing session unpreserves all in it", false, close_unpreserves, NULL },
        { "a session closed before the kexec, or never made, is ENOENT", false, NULL, closed_is_gone },
        { "a duplicate keeps a session alive", false, dup_keeps_prepare, dup_keeps_check },
        { "a descriptor in flight keeps a session alive", false, in_flight_keeps, in_flight_keeps },
        { "an empty session goes along", false, empty_session_prepare, empty_session_check },
        { "a session is retrieved once", false, retrieve_once_prepare, retrieve_once_check },
        { "a retrieved session takes no PRESERVE_FD", false, wrong_kind_incoming_prepare, wrong_kind_incoming_check },
        { "FINISH ends the tokens, not the files, and can be repeated", false, finish_prepare, finish_check },
        { "closing a retrieved session finishes it", false, close_finishes_prepare, close_finishes_check },
        { "an incoming name may be created", false, same_name_prepare, same_name_check },
};

const ContractGroup contract_sessions = { rows, ELEMENTSOF(rows) };
