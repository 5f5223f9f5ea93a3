/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The user-space interface of /dev/liveupdate as Linux 7.3 has it (include/uapi/linux/
 * liveupdate.h). Debian's headers do not carry it yet, so the constants stand here,
 * with the sizes pinned. Extensible structs: a kernel takes a larger struct if the part
 * it does not know is zero, and refuses a smaller one than it needs.
 */
#pragma once

#include <linux/types.h>
#include <stddef.h>
#include <sys/ioctl.h>

#define LUO_DEVICE_PATH "/dev/liveupdate"
#define LUO_IOCTL_TYPE 0xBA
#define LUO_NAME_LENGTH 64 /* with the terminating NUL */

struct luo_abi_session { /* CREATE_SESSION, RETRIEVE_SESSION: on the device */
        __u32 size;
        __s32 fd;
        __u8 name[LUO_NAME_LENGTH];
};

struct luo_abi_fd { /* PRESERVE_FD, RETRIEVE_FD: on a session */
        __u32 size;
        __s32 fd;
        __aligned_u64 token;
};

struct luo_abi_finish { /* FINISH: on a retrieved session */
        __u32 size;
        __u32 reserved;
};

struct luo_abi_name { /* GET_NAME: on a session */
        __u32 size;
        __u32 reserved;
        __u8 name[LUO_NAME_LENGTH];
};

#define LUO_IOC_CREATE_SESSION _IO(LUO_IOCTL_TYPE, 0x00)
#define LUO_IOC_RETRIEVE_SESSION _IO(LUO_IOCTL_TYPE, 0x01)
#define LUO_IOC_PRESERVE_FD _IO(LUO_IOCTL_TYPE, 0x40)
#define LUO_IOC_RETRIEVE_FD _IO(LUO_IOCTL_TYPE, 0x41)
#define LUO_IOC_FINISH _IO(LUO_IOCTL_TYPE, 0x42)
#define LUO_IOC_GET_NAME _IO(LUO_IOCTL_TYPE, 0x43)

_Static_assert(sizeof(struct luo_abi_session) == 72, "kernel ABI");
_Static_assert(offsetof(struct luo_abi_session, name) == 8, "kernel ABI");
_Static_assert(sizeof(struct luo_abi_fd) == 16, "kernel ABI");
_Static_assert(offsetof(struct luo_abi_fd, token) == 8, "kernel ABI");
_Static_assert(sizeof(struct luo_abi_finish) == 8, "kernel ABI");
_Static_assert(sizeof(struct luo_abi_name) == 72, "kernel ABI");
_Static_assert(offsetof(struct luo_abi_name, name) == 8, "kernel ABI");
