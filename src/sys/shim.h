/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The port to the kernel module liveupdate_vfio (kernel-shim/README.md): what it can do,
 * which DMA policies are set, which functions go out and came in. Two implementations:
 * files in sysfs (shim.c) and a struct (tests/fakes/shim-fake.c).
 *
 * Calls are short but for the module's own lock, which a RETRIEVE_FD holds while it
 * opens a device; the daemon makes those on lists and policies from a worker.
 *
 * All functions return 0 or a negative errno, and leave ret_* untouched on failure:
 *   -ENODEV   the module is not loaded; for set_policy() also: there is no such function
 *   -EBADMSG  it says something that is not understood
 */
#pragma once

#include "core/shim-text.h"

typedef struct ShimFacts {
        char compatible[SHIM_COMPATIBLE_SIZE];
        unsigned features; /* ShimFeature */
} ShimFacts;

typedef struct ShimOps {
        int (*facts)(void *self, ShimFacts *ret);
        /* -EBUSY while the function is preserved, -ENOSPC. */
        int (*set_policy)(void *self, Address address, ShimPolicy policy);
        int (*get_policies)(void *self, ShimSetting **ret, size_t *ret_n);
        int (*list)(void *self, ShimDirection direction, ShimList *ret);
        int (*held)(void *self, ShimHeld **ret, size_t *ret_n);
        /* What the module of another kernel's release is compatible with: -ENOENT if it is
         * not among that kernel's modules, -ENODATA if it does not say. */
        int (*other_compatible)(void *self, const char *release, char ret[static SHIM_COMPATIBLE_SIZE]);
        /* Which function a descriptor of a VFIO device is for: one of the device node or one
         * that RETRIEVE_FD gave. -ENOTTY: it is none, -ENODATA: the kernel does not tell. */
        int (*identify)(void *self, int fd, Address *ret);
} ShimOps;

typedef struct Shim {
        const ShimOps *ops; /* NULL: there is no such port */
        void *self;
} Shim;

/* The real one, below a root directory ("" or one of a test). */
typedef struct ShimReal {
        const char *root;
} ShimReal;

Shim shim_real(ShimReal *s, const char *root);

/* Without the port: what one of the module's files says (caller frees), and a list. */
int shim_read_text(const char *root, const char *name, char **ret, size_t *ret_size);
int shim_read_list(const char *root, ShimDirection direction, ShimList *ret);

static inline int shim_facts(const Shim *s, ShimFacts *ret) {
        return s->ops ? s->ops->facts(s->self, ret) : -ENODEV;
}
static inline int shim_set_policy(const Shim *s, Address address, ShimPolicy policy) {
        return s->ops ? s->ops->set_policy(s->self, address, policy) : -ENODEV;
}
static inline int shim_get_policies(const Shim *s, ShimSetting **ret, size_t *ret_n) {
        return s->ops ? s->ops->get_policies(s->self, ret, ret_n) : -ENODEV;
}
static inline int shim_list(const Shim *s, ShimDirection direction, ShimList *ret) {
        return s->ops ? s->ops->list(s->self, direction, ret) : -ENODEV;
}
static inline int shim_held(const Shim *s, ShimHeld **ret, size_t *ret_n) {
        return s->ops ? s->ops->held(s->self, ret, ret_n) : -ENODEV;
}
static inline int shim_other_compatible(const Shim *s, const char *release, char ret[static SHIM_COMPATIBLE_SIZE]) {
        return s->ops ? s->ops->other_compatible(s->self, release, ret) : -ENOENT;
}
static inline int shim_identify(const Shim *s, int fd, Address *ret) {
        return s->ops ? s->ops->identify(s->self, fd, ret) : -ENOTTY;
}

/* Sets the policy and reads it back: what it says must be what counts. -EIO: it is not. */
int shim_apply_policy(const Shim *s, Address address, ShimPolicy policy);
/* The address at the end of what the kernel says of a VFIO descriptor in fdinfo:
 * "vfio-device-syspath: /sys/devices/…/0000:01:00.0". -ENODATA: there is no such line, or
 * the device is no PCI function. */
int shim_parse_fdinfo(const char *text, Address *ret);
