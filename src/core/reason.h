/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why something cannot be done, as a value: a stable code for programs, the subject
 * it is about, a sentence, and what to do about it. The table in reason.c is the only
 * place with the words. Codes are never renamed: control planes match on them.
 *
 * Functions that can refuse take a Refusal* and return a negative errno together with
 * a filled-in Refusal; on success the Refusal is untouched.
 */
#pragma once

#include "common/macro.h"

typedef enum Reason {
        REASON_NONE,

        /* The request or the state it meets. */
        REASON_INVALID_ARGUMENT,
        REASON_WRONG_STATE,
        REASON_BUSY_JOB,
        REASON_NAME_RESERVED,
        REASON_NAME_INVALID,
        REASON_NAME_IN_USE,
        REASON_NO_SUCH_SESSION,
        REASON_SESSION_CLAIMED,
        REASON_TOKEN_IN_USE,
        REASON_NO_SUCH_TOKEN,
        REASON_NOT_OWNER,
        REASON_LIMIT,

        /* /dev/liveupdate. */
        REASON_LUO_ABSENT,
        REASON_LUO_BUSY,
        REASON_LUO_BROKEN,
        REASON_NO_HANDLER,
        REASON_ALREADY_PRESERVED,
        REASON_CANNOT_FINISH,
        REASON_RETRIEVE_FAILED,

        /* Files of sessions, before they are preserved. */
        REASON_MEMFD_HUGEPAGES,
        REASON_MEMFD_NOEXEC_SEAL,
        REASON_WRONG_ORDER,
        REASON_VFIO_UNKNOWN,
        REASON_VFIO_NOT_BOUND,
        REASON_PF_NOT_PRESERVED,
        REASON_DMA_UNDECLARED,
        REASON_DMA_MEMORY_MISSING,
        REASON_DMA_REFUSED,
        REASON_SHIM_FULL,
        REASON_SHIM_FAILED,

        /* Devices: the request and the rules. */
        REASON_NO_SUCH_DEVICE,
        REASON_DEVICE_VANISHED,
        REASON_DEVICE_REPLACED,
        REASON_DEVICE_HOTPLUGGED,
        REASON_DEVICE_IS_BRIDGE,
        REASON_DEVICE_NOT_PRESERVED,
        REASON_RULE_DENIES,
        REASON_RULES_INVALID,

        /* Devices: the kernel and the drivers. */
        REASON_NO_VFIO_SUPPORT,
        REASON_NO_VF_SUPPORT,
        REASON_NOT_VFIO_DRIVER,
        REASON_NO_VFIO_CDEV,
        REASON_NATIVE_BUILTIN,
        REASON_NATIVE_UNKNOWN,

        /* Devices: where they are and what they depend on. */
        REASON_PF_MISSING,
        REASON_PF_NOT_VFIO,
        REASON_VFS_LOST,
        REASON_NEEDED_DEVICE,
        REASON_GROUP_SHARED,
        REASON_BEHIND_PCI_BRIDGE,
        REASON_NOT_D0,
        REASON_JUMP_SHUTDOWN,
        REASON_ACS_CHANGES,
        REASON_ARI_CHANGES,

        /* Devices: DMA during the jump. */
        REASON_DMA_STOPS,
        REASON_DMA_TRANSLATED,
        REASON_DMA_IDENTITY,
        REASON_DMA_UNISOLATED,
        REASON_DMA_NO_SUPPORT,

        /* Devices: after the jump, and those that the daemon holds itself. */
        REASON_DEVICE_NOT_READY,
        REASON_DEVICE_HELD,
        REASON_DEVICE_NOT_HELD,
        REASON_DRIVER_IN_USE,

        /* The next kernel. */
        REASON_NEXT_SHIM_ABI,
        REASON_NEXT_NO_VF,
        REASON_INITRD_HANDLER_MISSING,
        REASON_INITRD_HANDLER_UNSURE,
        REASON_INITRD_DAMAGED,
        REASON_NO_IMAGE,
        REASON_IMAGE_NOT_A_KERNEL,
        REASON_IMAGE_TRUNCATED,
        REASON_IMAGE_UNSUPPORTED_COMPRESSION,
        REASON_IMAGE_NO_KHO,
        REASON_IMAGE_NO_LUO,
        REASON_IMAGE_NO_MEMFD,
        REASON_IMAGE_KHO_ABI,
        REASON_IMAGE_LUO_ABI,
        REASON_IMAGE_MEMFD_ABI,
        REASON_RUNNING_ABI_UNKNOWN,
        REASON_CMDLINE_TOO_LONG,
        REASON_CMDLINE_INVALID,
        REASON_SCRATCH_TOO_SMALL,
        REASON_LOAD_REFUSED,
        REASON_LOAD_KEXEC_BUSY,
        REASON_KEXEC_DISABLED,
        REASON_IMAGE_FOREIGN,

        /* The update itself. */
        REASON_VETO,
        REASON_DEADLINE,
        REASON_PARTICIPANT_DIED,
        REASON_SESSION_LOST,
        REASON_REBOOT_FAILED,
        REASON_FREEZE_FAILED,
        REASON_SHUTDOWN_FAILED,
        REASON_SHUTDOWN_SCHEDULED,
        REASON_CANCELLED,
        REASON_NOT_CLAIMED,
        REASON_NOT_FINISHED,
        REASON_DAEMON_DIED,
        REASON_HANDOVER_LOST,
        REASON_MANIFEST_INVALID,
        REASON_MANIFEST_MISSING,
        REASON_SYSTEM,

        _REASON_MAX,
} Reason;

typedef struct Refusal {
        Reason reason;
        char subject[128]; /* session, participant, file or call; "" when it is the host */
        char detail[256];  /* what was seen, without a full stop; may be "" */
} Refusal;

/* The stable code ("image-luo-abi"); NULL if reason is out of range. */
const char *reason_code(Reason reason);
/* Negative errno if the code is unknown. */
int reason_from_code(const char *code);
/* One sentence that says what is wrong, and one that says what to do about it. */
const char *reason_sentence(Reason reason);
const char *reason_remedy(Reason reason);
/* The errno that goes with a reason on the way up (negative). */
int reason_errno(Reason reason);

/* Fills *ret (if not NULL) and returns reason_errno(reason): `return refuse(…)`. */
int refuse(Refusal *ret, Reason reason, const char *subject, const char *detail_format, ...) _printf_(4, 5);
/* The same for a failed system or library call: REASON_SYSTEM, the errno r comes back
 * unchanged and its text goes into the detail. */
int refuse_errno(Refusal *ret, int r, const char *subject, const char *what);
/* "SUBJECT: sentence (detail). remedy" into buf; always terminated. */
void refusal_format(const Refusal *refusal, char *buf, size_t size);
