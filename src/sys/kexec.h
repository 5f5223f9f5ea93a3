/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The port to kexec: judge the next kernel, load it, jump. Only kexec_file_load(2):
 * an image from kexec_load(2) carries no KHO data and loses all state silently.
 *
 * judge() and load() take long (they read, decompress and copy whole images); the
 * daemon runs them in a worker. jump() does not return when it succeeds.
 */
#pragma once

#include "core/abi.h"
#include "core/config.h"
#include "core/next-boot.h"
#include "core/reason.h"
#include "host.h"

/* What judge() found out about an image; strings are "" when unknown. */
typedef struct KernelVerdict {
        char release[128];    /* from the setup header's version string */
        char version[256];    /* its build, as uname -v will show it */
        KernelAbi abi;        /* the ABI strings in the decompressed image */
        uint64_t image_size;  /* bytes of the bzImage */
        uint64_t memory_size; /* bytes it needs when it starts (init_size) */
        uint64_t initrd_size; /* 0: none */
        bool uki;             /* kernel (and initrd, command line) taken out of a UKI */
} KernelVerdict;

/* A kernel that is ready to be loaded: judged, taken out of its UKI if it was in one.
 * Owns its descriptors. */
typedef struct KernelImage {
        int kernel_fd;
        int initrd_fd; /* -1: none */
        char *cmdline; /* final, with kho=on liveupdate=on */
        KernelVerdict verdict;
} KernelImage;

#define KERNEL_IMAGE_INIT \
        { .kernel_fd = -1, .initrd_fd = -1 }

void kernel_image_done(KernelImage *image);

typedef struct KexecOps {
        /* Judges kernel and initrd (initrd_fd -1 or an empty file: none) with the
         * requested command line against the running kernel. What is given wins over
         * what a UKI brings along; an empty or NULL command line means the UKI's, else
         * the running kernel's without the boot loader's words. On success *ret owns
         * its own descriptors; on failure the refusal says which check failed. Nothing
         * is loaded. */
        int (*judge)(void *self, int kernel_fd, int initrd_fd, const char *cmdline, KernelImage *ret,
                     Refusal *refusal);
        /* What will be there of the handlers that are modules and in use here. An initrd
         * that is damaged is refused. */
        int (*next_boot)(void *self, const KernelImage *image, NextBoot *ret, Refusal *refusal);
        int (*load)(void *self, const KernelImage *image, Refusal *refusal);
        int (*unload)(void *self, Refusal *refusal);
        /* 1 an image is loaded, 0 not. */
        int (*loaded)(void *self);
        /* reboot(LINUX_REBOOT_CMD_KEXEC), without a sync(2): that is the caller's. Returns
         * only on failure, with everything as it was: REASON_NO_IMAGE, LOAD_KEXEC_BUSY,
         * REBOOT_FAILED (not permitted), FREEZE_FAILED (what a file's handler returned). */
        int (*jump)(void *self, Refusal *refusal);
} KexecOps;

typedef struct Kexec {
        const KexecOps *ops;
        void *self;
} Kexec;

static inline int kexec_judge(const Kexec *k, int kernel_fd, int initrd_fd, const char *cmdline, KernelImage *ret,
                              Refusal *refusal) {
        return k->ops->judge(k->self, kernel_fd, initrd_fd, cmdline, ret, refusal);
}
static inline int kexec_next_boot(const Kexec *k, const KernelImage *image, NextBoot *ret, Refusal *refusal) {
        return k->ops->next_boot(k->self, image, ret, refusal);
}
static inline int kexec_load_image(const Kexec *k, const KernelImage *image, Refusal *refusal) {
        return k->ops->load(k->self, image, refusal);
}
static inline int kexec_unload_image(const Kexec *k, Refusal *refusal) {
        return k->ops->unload(k->self, refusal);
}
static inline int kexec_loaded(const Kexec *k) {
        return k->ops->loaded(k->self);
}
static inline int kexec_jump(const Kexec *k, Refusal *refusal) {
        return k->ops->jump(k->self, refusal);
}

/* The real port. host must outlive it. */
typedef struct KexecReal {
        const HostFacts *host;
        const char *root;     /* of /proc, /sys and /dev; "" but in tests */
        const Config *config; /* names the modules; NULL: none */
} KexecReal;

Kexec kexec_real(KexecReal *k, const HostFacts *host);

/* What a failure (negative errno) of the system calls means, for the real port and its
 * tests. `disabled`: kernel.kexec_load_disabled is set; lockdown: the active mode ("").
 * loaded: whether an image is loaded; culprit: the file that could not be frozen (""). Return
 * what to return. */
int kexec_load_failed(int error, bool disabled, const char *lockdown, Refusal *refusal);
int kexec_jump_failed(int error, bool loaded, const char *culprit, Refusal *refusal);
/* Whether a record of the kernel log says which file could not be frozen; then what. */
bool kexec_freeze_culprit(const char *record, char *buf, size_t size);
