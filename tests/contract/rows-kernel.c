/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What only the kernel can be asked: the raw ioctls (numbers, struct sizes, reserved
 * fields, bad pointers), the one opener, names in /proc, and PRESERVE_FD by a process
 * other than the one that made the session.
 */
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "contract/luo-contract.h"

static int open_device(void) {
        int fd = open(LUO_DEVICE_PATH, O_RDWR | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

/* A struct with a tail that this kernel does not know. */
typedef struct LongSession {
        struct luo_abi_session session;
        uint8_t tail[16];
} LongSession;

static bool raw_device(ContractEnv *e) {
        _cleanup_close_ int d = -1, s = -1, t = -1;
        LongSession l = { .session = { .size = sizeof(struct luo_abi_session), .name = "raw" } };
        struct luo_abi_session *a = &l.session;

        EXPECT_FD(d, open_device());
        EXPECT_ERRNO(ioctl(d, _IO(LUO_IOCTL_TYPE, 0x02), a), EINVAL);
        EXPECT_ERRNO(ioctl(d, LUO_IOC_PRESERVE_FD, a), EINVAL);
        /* A known number under another type, or as _IOWR, is no LUO ioctl at all. */
        EXPECT_ERRNO(ioctl(d, _IO(0xBB, 0x00), a), ENOTTY);
        EXPECT_ERRNO(ioctl(d, _IOWR(LUO_IOCTL_TYPE, 0x00, struct luo_abi_session), a), ENOTTY);
        EXPECT_ERRNO(ioctl(d, LUO_IOC_CREATE_SESSION, NULL), EFAULT);
        a->size = sizeof(*a) - 1;
        EXPECT_ERRNO(ioctl(d, LUO_IOC_CREATE_SESSION, a), EINVAL);
        EXPECT_ERRNO(ioctl(d, LUO_IOC_RETRIEVE_SESSION, a), EINVAL);

        /* Longer is fine as long as the rest is zero. */
        a->size = sizeof(l);
        l.tail[15] = 1;
        EXPECT_ERRNO(ioctl(d, LUO_IOC_CREATE_SESSION, a), E2BIG);
        l.tail[15] = 0;
        EXPECT_EQ(ioctl(d, LUO_IOC_CREATE_SESSION, a), 0);
        s = a->fd;
        EXPECT(contract_cloexec(s));

        a->size = sizeof(*a);
        memset(a->name, 'x', sizeof(a->name));
        EXPECT_ERRNO(ioctl(d, LUO_IOC_CREATE_SESSION, a), EINVAL);
        EXPECT_ERRNO(ioctl(d, LUO_IOC_RETRIEVE_SESSION, a), ENOENT);
        memset(a->name, 0, sizeof(a->name));
        EXPECT_ERRNO(ioctl(d, LUO_IOC_CREATE_SESSION, a), EINVAL);
        EXPECT_ERRNO(ioctl(d, LUO_IOC_RETRIEVE_SESSION, a), ENOENT);

        /* The session does not need the device that made it. */
        d = fd_close(d);
        EXPECT_FD(t, contract_memfd(0, 1, 1));
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, t, 1), 0);
        return true;
}

static bool raw_session(ContractEnv *e) {
        _cleanup_close_ int s = -1, m = -1;
        struct {
                struct luo_abi_fd fd;
                uint64_t tail;
        } p = { .fd = { .size = sizeof(struct luo_abi_fd), .token = 1 } };
        struct luo_abi_name n = { .size = sizeof(n) };

        EXPECT_FD(s, contract_create(e, "raw-session"));
        EXPECT_FD(m, contract_memfd(0, 1, 1));
        p.fd.fd = m;
        EXPECT_ERRNO(ioctl(s, _IO(LUO_IOCTL_TYPE, 0x44), &p), EINVAL);
        EXPECT_ERRNO(ioctl(s, _IO(LUO_IOCTL_TYPE, 0x3f), &p), EINVAL);
        EXPECT_ERRNO(ioctl(s, LUO_IOC_CREATE_SESSION, &p), EINVAL);
        EXPECT_ERRNO(ioctl(s, _IO(0xBB, 0x40), &p), ENOTTY);
        EXPECT_ERRNO(ioctl(s, LUO_IOC_PRESERVE_FD, NULL), EFAULT);
        p.fd.size = sizeof(p.fd) - 1;
        EXPECT_ERRNO(ioctl(s, LUO_IOC_PRESERVE_FD, &p), EINVAL);
        p.fd.size = sizeof(p);
        p.tail = 1;
        EXPECT_ERRNO(ioctl(s, LUO_IOC_PRESERVE_FD, &p), E2BIG);
        p.tail = 0;
        EXPECT_EQ(ioctl(s, LUO_IOC_PRESERVE_FD, &p), 0);

        n.reserved = 1;
        EXPECT_ERRNO(ioctl(s, LUO_IOC_GET_NAME, &n), EINVAL);
        n = (struct luo_abi_name){ .size = sizeof(n) - 1 };
        EXPECT_ERRNO(ioctl(s, LUO_IOC_GET_NAME, &n), EINVAL);
        n.size = sizeof(n);
        EXPECT_EQ(ioctl(s, LUO_IOC_GET_NAME, &n), 0);
        EXPECT(streq((const char *)n.name, "raw-session"));
        return true;
}

static bool raw_finish_prepare(ContractEnv *e) {
        _cleanup_close_ int m = -1;
        int s;

        EXPECT_FD(s, contract_create(e, "raw-finish"));
        contract_keep(e, s);
        EXPECT_FD(m, contract_memfd(0, 100, 3));
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, m, 1), 0);
        return true;
}

/* A refused FINISH finishes nothing. The kernel itself makes retrieved memfds
 * close-on-exec (luo_session_retrieve_fd()). */
static bool raw_finish_check(ContractEnv *e) {
        _cleanup_close_ int s = -1, m = -1;
        struct luo_abi_fd p = { .size = sizeof(p), .token = 1, .fd = -1 };
        struct luo_abi_finish f = { .size = sizeof(f), .reserved = 1 };

        EXPECT_FD(s, contract_retrieve(e, "raw-finish"));
        EXPECT_ERRNO(ioctl(s, LUO_IOC_FINISH, &f), EINVAL);
        f.reserved = 0;
        f.size = sizeof(f) - 1;
        EXPECT_ERRNO(ioctl(s, LUO_IOC_FINISH, &f), EINVAL);
        EXPECT_EQ(ioctl(s, LUO_IOC_RETRIEVE_FD, &p), 0);
        m = p.fd;
        EXPECT(contract_cloexec(m));
        EXPECT(contract_has_pattern(m, 0, 100, 3));
        f.size = sizeof(f);
        EXPECT_EQ(ioctl(s, LUO_IOC_FINISH, &f), 0);
        return true;
}

static bool one_opener(ContractEnv *e) {
        _cleanup_close_ int d = -1, again = -1, readonly = -1;

        EXPECT_FD(d, open_device());
        EXPECT_EQ(open_device(), -EBUSY);
        EXPECT_ERRNO(open(LUO_DEVICE_PATH, O_RDONLY | O_CLOEXEC), EBUSY);
        d = fd_close(d);
        EXPECT_FD(again, open_device());
        again = fd_close(again);
        readonly = open(LUO_DEVICE_PATH, O_RDONLY | O_CLOEXEC);
        EXPECT(readonly >= 0);
        return true;
}

static bool missing_device(ContractEnv *e) {
        LuoDevice device;
        int fd = -77;

        Luo l = luo_device(&device, "/dev/liveupdate-is-not-here", 10 * USEC_PER_SEC);
        EXPECT_EQ(luo_available(&l), -ENODEV);
        EXPECT_EQ(luo_create_session(&l, "x", &fd), -ENODEV);
        EXPECT_EQ(luo_retrieve_session(&l, "x", &fd), -ENODEV);
        EXPECT_EQ(fd, -77);
        return true;
}

enum { THREADS = 4, ROUNDS = 50 };

typedef struct Crowd {
        const Luo *luo;
        int number;
        int error; /* the first one */
} Crowd;

static void *create_and_close(void *p) {
        Crowd *c = p;

        for (int i = 0; i < ROUNDS && c->error == 0; i++) {
                _cleanup_close_ int s = -1;
                char name[LUO_NAME_LENGTH];

                (void)snprintf(name, sizeof(name), "crowd-%d", c->number);
                c->error = luo_create_session(c->luo, name, &s);
        }
        return NULL;
}

/* Threads of one port queue, and two ports of one process wait for each other: nobody
 * sees EBUSY who has patience. */
static bool crowd(ContractEnv *e) {
        LuoDevice device;
        Luo other = luo_device(&device, NULL, 60 * USEC_PER_SEC);
        Crowd c[THREADS];
        pthread_t t[THREADS];

        for (int i = 0; i < THREADS; i++) {
                c[i] = (Crowd){ .luo = i % 2 ? &e->patient : &other, .number = i };
                EXPECT_EQ(pthread_create(&t[i], NULL, create_and_close, &c[i]), 0);
        }
        for (int i = 0; i < THREADS; i++)
                EXPECT_EQ(pthread_join(t[i], NULL), 0);
        for (int i = 0; i < THREADS; i++)
                EXPECT_EQ(c[i].error, 0);
        return true;
}

static bool name_in_proc(ContractEnv *e) {
        _cleanup_close_ int s = -1;
        char path[64], target[256] = "";

        EXPECT_FD(s, contract_create(e, "seen-in-proc"));
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", s);
        EXPECT(readlink(path, target, sizeof(target) - 1) > 0);
        EXPECT(streq(target, "anon_inode:[luo_session] seen-in-proc"));
        return true;
}

/* Runs step in a child that dies without closing anything, and is killed if it hangs. */
static bool in_child(int (*step)(ContractEnv *e, int session), ContractEnv *e, int session) {
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                alarm(30);
                _exit(step(e, session) == 0 ? 0 : 1);
        }
        EXPECT(pid > 0);
        EXPECT_EQ(waitpid(pid, &status, 0), pid);
        EXPECT_EQ(status, 0);
        return true;
}

static int child_preserves(ContractEnv *e, int session) {
        int m = contract_memfd(MFD_CLOEXEC, 70000, 21);

        return m < 0 ? m : luo_preserve_fd(&e->luo, session, m, 1);
}

/* As a VMM does with a session descriptor it was given: its own memory, and then it is
 * gone. */
static bool dead_preserver_prepare(ContractEnv *e) {
        int s;

        EXPECT_FD(s, contract_create(e, "child"));
        contract_keep(e, s);
        EXPECT(in_child(child_preserves, e, s));
        return true;
}

static bool dead_preserver_check(ContractEnv *e) {
        _cleanup_close_ int s = -1, m = -1;

        EXPECT_FD(s, contract_retrieve(e, "child"));
        EXPECT_FD(m, contract_get(e, s, 1));
        EXPECT(contract_has_pattern(m, 0, 70000, 21));
        EXPECT_EQ(luo_finish(&e->luo, s), 0);
        return true;
}

/* Retrieves, and dies with the session open: the exit is a close, a close is a FINISH. */
static int child_retrieves(ContractEnv *e, int unused) {
        int s = contract_retrieve(e, "child-retrieves");

        return s < 0 ? s : 0;
}

static bool dead_retriever_prepare(ContractEnv *e) {
        _cleanup_close_ int m = -1;
        int s;

        EXPECT_FD(s, contract_create(e, "child-retrieves"));
        contract_keep(e, s);
        EXPECT_FD(m, contract_memfd(0, 10, 1));
        EXPECT_EQ(luo_preserve_fd(&e->luo, s, m, 1), 0);
        return true;
}

static bool dead_retriever_check(ContractEnv *e) {
        EXPECT(in_child(child_retrieves, e, -1));
        EXPECT_EQ(contract_retrieve(e, "child-retrieves"), -ENOENT);
        return true;
}

/* A tmpfs file is taken like a memfd once it has no name, and not before. */
static int child_preserves_tmpfs(ContractEnv *e, int session) {
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return -errno;
        if (mount("contract", "/mnt", "tmpfs", 0, NULL) < 0)
                return -errno;
        int fd = open("/mnt/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || pwrite(fd, "tmpfs", 5, 0) != 5)
                return -EIO;
        if (luo_preserve_fd(&e->luo, session, fd, 1) != -ENOENT)
                return -EINVAL;
        if (unlink("/mnt/file") < 0)
                return -errno;
        return luo_preserve_fd(&e->luo, session, fd, 1);
}

static bool tmpfs_prepare(ContractEnv *e) {
        int s;

        EXPECT_FD(s, contract_create(e, "tmpfs"));
        contract_keep(e, s);
        EXPECT(in_child(child_preserves_tmpfs, e, s));
        return true;
}

static bool tmpfs_check(ContractEnv *e) {
        _cleanup_close_ int s = -1, m = -1;
        char text[6] = "";

        EXPECT_FD(s, contract_retrieve(e, "tmpfs"));
        EXPECT_FD(m, contract_get(e, s, 1));
        EXPECT_EQ(pread(m, text, sizeof(text), 0), 5);
        EXPECT(streq(text, "tmpfs"));
        EXPECT_EQ(fcntl(m, F_GET_SEALS), F_SEAL_SEAL);
        EXPECT_EQ(luo_finish(&e->luo, s), 0);
        return true;
}

static const ContractRow rows[] = {
        { "raw ioctls on the device", true, raw_device, raw_device },
        { "raw ioctls on a session", true, raw_session, raw_session },
        { "raw FINISH; the kernel sets close-on-exec", true, raw_finish_prepare, raw_finish_check },
        { "the device has one opener", true, one_opener, one_opener },
        { "several threads share the device", true, crowd, crowd },
        { "a missing device is ENODEV at once", true, missing_device, missing_device },
        { "a session's name in /proc", true, name_in_proc, name_in_proc },
        { "a process preserves its own file and dies", true, dead_preserver_prepare, dead_preserver_check },
        { "a process retrieves a session and dies", true, dead_retriever_prepare, dead_retriever_check },
        { "an unlinked tmpfs file goes along", true, tmpfs_prepare, tmpfs_check },
};

const ContractGroup contract_kernel = { rows, ELEMENTSOF(rows) };
