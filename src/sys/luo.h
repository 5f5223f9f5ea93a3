/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The port to the Live Update Orchestrator. Two implementations: the device
 * (luo-device.c) and the stateful fake (tests/fakes/luo-fake.c); one contract suite
 * (tests/contract) runs on both.
 *
 * The device has one opener at a time, system-wide, and systemd needs it too: every
 * call that needs it opens it late, closes it at once, and waits out EBUSY until a
 * deadline. Calls may therefore block; the daemon makes them from a worker.
 *
 * All functions return 0 or a negative errno. Beyond EFAULT, E2BIG and ENOMEM:
 *   create_session    -EINVAL empty or over-long name, -EEXIST name in use (outgoing)
 *   retrieve_session  -ENOENT no such session (or finished and closed), -EINVAL held by
 *                     a retriever of this boot (also after FINISH, until the close), or
 *                     leaked; an over-long name is -EINVAL too
 *   preserve_fd       -EINVAL not an outgoing session, -EEXIST token used, -EBADF,
 *                     -ENOENT no handler takes this file, -EBUSY preserved already (in
 *                     any session) or retrieved and not finished; a handler's error.
 *                     When several apply, the first in this order is returned.
 *   retrieve_fd       -ENOENT no such token, a handler's error (sticky: never retried),
 *                     -EINVAL not a retrieved session. Success can be repeated: another
 *                     descriptor of the same open file. After FINISH: -ENOENT.
 *   finish            -EBUSY a handler cannot finish yet (nothing was finished),
 *                     -EINVAL not a retrieved session. Success can be repeated.
 *   create/retrieve_session also: -ENODEV no device or no driver behind it,
 *                     -EBUSY still held after the deadline, -EIO the kernel could not
 *                     deserialise what came in: every later open of this boot fails too.
 *   the functions on a session also: -EBADF not a descriptor, -ENOTTY not a session.
 * Since -ENOENT from retrieve_session is ambiguous with a missing device, the device
 * port returns -ENODEV for the latter, whatever open(2) said.
 *
 * What a preserved memfd (handler memfd-v2, mm/memfd_luo.c) brings along: the contents
 * as they are at the jump, size and seals as they were at PRESERVE_FD (a seal added later
 * is lost), the file position as it is at the jump. Not its name, and not its mode bits:
 * it comes back executable, and then F_SEAL_EXEC implies F_SEAL_SHRINK, _GROW, _WRITE and
 * _FUTURE_WRITE (memfd_add_seals()), so a memfd made with MFD_NOEXEC_SEAL comes back
 * READ-ONLY. Unlinked tmpfs files are taken as memfds are.
 *
 * Closing an outgoing session unpreserves all in it. Closing a retrieved session runs
 * FINISH, and leaks it when that fails: never close one before finish() returned 0.
 */
#pragma once

#include <pthread.h>

#include "common/macro.h"
#include "sys/liveupdate-abi.h"

typedef struct LuoOps {
        /* 0 if the device is there, -ENODEV if not. Does not open it. */
        int (*available)(void *self);
        int (*create_session)(void *self, const char *name, int *ret_fd);
        int (*retrieve_session)(void *self, const char *name, int *ret_fd);
        int (*preserve_fd)(void *self, int session_fd, int fd, uint64_t token);
        int (*retrieve_fd)(void *self, int session_fd, uint64_t token, int *ret_fd);
        int (*finish)(void *self, int session_fd);
        int (*get_name)(void *self, int session_fd, char ret[static LUO_NAME_LENGTH]);
} LuoOps;

typedef struct Luo {
        const LuoOps *ops;
        void *self;
} Luo;

/* The real device. path NULL means /dev/liveupdate; busy_usec is how long EBUSY is
 * waited out. self is embedded: nothing to free. All returned descriptors are
 * close-on-exec: the kernel makes them so, sessions and retrieved files alike. Several
 * threads may use one device; its opens are made one after the other. */
typedef struct LuoDevice {
        const char *path;
        uint64_t busy_usec;
        pthread_mutex_t lock; /* held while the device is open */
} LuoDevice;

Luo luo_device(LuoDevice *device, const char *path, uint64_t busy_usec);

static inline int luo_available(const Luo *l) {
        return l->ops->available(l->self);
}
static inline int luo_create_session(const Luo *l, const char *name, int *ret_fd) {
        return l->ops->create_session(l->self, name, ret_fd);
}
static inline int luo_retrieve_session(const Luo *l, const char *name, int *ret_fd) {
        return l->ops->retrieve_session(l->self, name, ret_fd);
}
static inline int luo_preserve_fd(const Luo *l, int session_fd, int fd, uint64_t token) {
        return l->ops->preserve_fd(l->self, session_fd, fd, token);
}
static inline int luo_retrieve_fd(const Luo *l, int session_fd, uint64_t token, int *ret_fd) {
        return l->ops->retrieve_fd(l->self, session_fd, token, ret_fd);
}
static inline int luo_finish(const Luo *l, int session_fd) {
        return l->ops->finish(l->self, session_fd);
}
static inline int luo_get_name(const Luo *l, int session_fd, char ret[static LUO_NAME_LENGTH]) {
        return l->ops->get_name(l->self, session_fd, ret);
}
