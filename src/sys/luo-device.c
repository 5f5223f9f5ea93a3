/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real Live Update Orchestrator behind the Luo port: six ioctls.
 *
 * Three act on the device (open, one ioctl, close), the rest on a session descriptor
 * and need no device. The device takes one opener at a time in the whole system
 * (luo_open(), kernel/liveupdate/luo_core.c), so an open that meets EBUSY is repeated
 * after short, growing pauses until the deadline; the caller is a worker thread and may
 * block. Threads of this process queue on a mutex instead and never see each other's
 * EBUSY; the time in that queue counts against the same deadline.
 *
 * Always true: the device is closed again when a function returns, and ret_* is written
 * only on success.
 */
#include "luo.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>

#define PAUSE_FIRST_USEC (1 * USEC_PER_MSEC)
#define PAUSE_MAX_USEC (20 * USEC_PER_MSEC)

enum { PRESERVE_TRIES = 8 };

static uint64_t now_usec(void) {
        struct timespec ts;

        (void)clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / NSEC_PER_USEC;
}

static struct timespec to_timespec(uint64_t usec) {
        return (struct timespec){
                .tv_sec = (time_t)(usec / USEC_PER_SEC),
                .tv_nsec = (long)(usec % USEC_PER_SEC * NSEC_PER_USEC),
        };
}

static uint64_t deadline_after(uint64_t usec) {
        uint64_t now = now_usec();

        /* A wait of a century is for ever, and still fits a timespec. */
        return now + MIN_OF(usec, UINT64_C(100) * 365 * 86400 * USEC_PER_SEC);
}

static int ioctl_errno(int fd, unsigned long request, void *arg) {
        int r;

        do
                r = ioctl(fd, request, arg);
        while (r < 0 && errno == EINTR);
        return r < 0 ? -errno : 0;
}

/* open(2) with EBUSY waited out. A node that is missing, or has no driver behind it, is
 * one case to callers: this kernel has no LUO. */
static int open_device(const char *path, uint64_t deadline, int *ret_fd) {
        uint64_t pause = PAUSE_FIRST_USEC;

        for (;;) {
                int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
                if (fd >= 0) {
                        *ret_fd = fd;
                        return 0;
                }
                if (errno == EINTR)
                        continue;
                if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
                        return -ENODEV;
                if (errno != EBUSY)
                        return -errno;

                uint64_t now = now_usec();
                if (now >= deadline)
                        return -EBUSY;
                struct timespec ts = to_timespec(MIN_OF(pause, deadline - now));
                (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
                pause = MIN_OF(pause * 2, PAUSE_MAX_USEC);
        }
}

static int with_device(LuoDevice *d, unsigned long request, struct luo_abi_session *arg) {
        _cleanup_close_ int fd = -1;
        uint64_t deadline = deadline_after(d->busy_usec);
        struct timespec until = to_timespec(deadline);
        int r;

        r = pthread_mutex_clocklock(&d->lock, CLOCK_MONOTONIC, &until);
        if (r != 0)
                return r == ETIMEDOUT ? -EBUSY : -r;

        r = open_device(d->path, deadline, &fd);
        if (r >= 0)
                r = ioctl_errno(fd, request, arg);
        /* Closed before the lock goes, so that the next thread finds the device free. */
        fd = fd_close(fd);
        (void)pthread_mutex_unlock(&d->lock);
        return r;
}

static int session_ioctl(LuoDevice *d, unsigned long request, const char *name, int *ret_fd) {
        struct luo_abi_session arg = { .size = sizeof(arg), .fd = -1 };
        size_t length = strlen(name);
        int r;

        if (length >= sizeof(arg.name))
                return -EINVAL;
        memcpy(arg.name, name, length + 1);

        r = with_device(d, request, &arg);
        if (r < 0)
                return r;
        *ret_fd = arg.fd;
        return 0;
}

static int device_available(void *self) {
        LuoDevice *d = self;
        struct stat st;

        if (stat(d->path, &st) < 0)
                return errno == ENOENT || errno == ENOTDIR ? -ENODEV : -errno;
        return S_ISCHR(st.st_mode) ? 0 : -ENODEV;
}

/* CREATE_SESSION: a new, empty outgoing session. The name is 1 to 63 bytes and unique
 * among the outgoing sessions (-EEXIST); an incoming one may have the same name. The
 * session lives as long as the descriptor or a duplicate of it is open; the last close
 * unpreserves everything in it. */
static int device_create_session(void *self, const char *name, int *ret_fd) {
        return session_ioctl(self, LUO_IOC_CREATE_SESSION, name, ret_fd);
}

/* RETRIEVE_SESSION: takes over an incoming session, once: -EINVAL while another holder
 * has it, -ENOENT when there is none or it was finished and closed. The last close runs
 * FINISH; if that fails, the session stays where it is, out of reach, for the boot. */
static int device_retrieve_session(void *self, const char *name, int *ret_fd) {
        return session_ioctl(self, LUO_IOC_RETRIEVE_SESSION, name, ret_fd);
}

/* PRESERVE_FD: fd, looked up in this process's table, goes into an outgoing session
 * under token. LUO then holds a reference of its own: fd may be closed. Checked in this
 * order: outgoing (-EINVAL), token free (-EEXIST), fd (-EBADF), a handler that takes it
 * (-ENOENT), not preserved anywhere yet (-EBUSY), the handler's own errors.
 *
 * A memfd's folios in memory that nothing may stay in, as KHO's scratch area, are moved
 * first, and -ENOMEM also means that not all could be (mm/gup.c:
 * migrate_longterm_unpinnable_folios()): a huge one for which there is no room in one
 * piece is split, and its parts are tried only once (mm/migrate.c: migrate_pages()). The
 * next call goes on from there, so it is made. */
static int device_preserve_fd(void *self, int session_fd, int fd, uint64_t token) {
        struct luo_abi_fd arg = { .size = sizeof(arg), .fd = fd, .token = token };
        int r = -ENOMEM;

        for (unsigned i = 0; i < PRESERVE_TRIES && r == -ENOMEM; i++)
                r = ioctl_errno(session_fd, LUO_IOC_PRESERVE_FD, &arg);
        return r;
}

/* RETRIEVE_FD: the file behind token, in any order. The first call restores it, later
 * ones give further descriptors of the same open file. If restoring fails, the error is
 * kept and returned for ever. After FINISH the tokens are gone: -ENOENT. */
static int device_retrieve_fd(void *self, int session_fd, uint64_t token, int *ret_fd) {
        struct luo_abi_fd arg = { .size = sizeof(arg), .fd = -1, .token = token };
        int r;

        r = ioctl_errno(session_fd, LUO_IOC_RETRIEVE_FD, &arg);
        if (r < 0)
                return r;
        *ret_fd = arg.fd;
        return 0;
}

/* FINISH: LUO drops its references; files that were not retrieved are freed. All or
 * nothing: -EBUSY when one handler cannot finish yet. The session stays open (and its
 * name taken, -EINVAL to others) until its descriptor is closed. */
static int device_finish(void *self, int session_fd) {
        struct luo_abi_finish arg = { .size = sizeof(arg) };

        return ioctl_errno(session_fd, LUO_IOC_FINISH, &arg);
}

/* GET_NAME: of an outgoing or a retrieved session, always terminated. */
static int device_get_name(void *self, int session_fd, char ret[static LUO_NAME_LENGTH]) {
        struct luo_abi_name arg = { .size = sizeof(arg) };
        int r;

        r = ioctl_errno(session_fd, LUO_IOC_GET_NAME, &arg);
        if (r < 0)
                return r;
        memcpy(ret, arg.name, sizeof(arg.name));
        ret[LUO_NAME_LENGTH - 1] = '\0';
        return 0;
}

static const LuoOps device_ops = {
        .available = device_available,
        .create_session = device_create_session,
        .retrieve_session = device_retrieve_session,
        .preserve_fd = device_preserve_fd,
        .retrieve_fd = device_retrieve_fd,
        .finish = device_finish,
        .get_name = device_get_name,
};

Luo luo_device(LuoDevice *device, const char *path, uint64_t busy_usec) {
        *device = (LuoDevice){
                .path = path ? path : LUO_DEVICE_PATH,
                .busy_usec = busy_usec,
                .lock = PTHREAD_MUTEX_INITIALIZER,
        };
        return (Luo){ .ops = &device_ops, .self = device };
}
