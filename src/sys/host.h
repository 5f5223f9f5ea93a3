/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the running kernel says about itself: release, build, boot id, command line,
 * its handover ABI, its KHO scratch areas, the number of the live update it came from.
 * Read once at start, below a root directory that tests replace.
 *
 * Sources, as they are in Linux 7.3 (kernel/liveupdate/kexec_handover_debugfs.c):
 * - release and build: /proc/sys/kernel/{osrelease,version}, else uname(2); boot id:
 *   /proc/sys/kernel/random/boot_id; /proc/cmdline;
 * - the KHO string: debugfs kho/out/fdt after a cold boot; after a kexec handover the
 *   kernel leaves that file out (kho_init() returns before it), and kho/in/fdt, which
 *   this kernel accepted because it bears its own string, tells it;
 * - the LUO string and the update number: kho/out/sub_fdts/LUO, a struct luo_ser whose
 *   number is that of the next update, one more than the one this kernel came from.
 *   kho/in/sub_fdts/LUO must not be read: luo_early_startup() has freed that memory
 *   before debugfs shows it, and it may hold anything by now;
 * - the scratch areas: kho/out/scratch_len and scratch_phys, one hexadecimal number a
 *   line;
 * - the memfd string, and what debugfs did not tell: the running kernel's image,
 *   /usr/lib/modules/RELEASE/vmlinuz, /lib/modules/RELEASE/vmlinuz,
 *   /boot/vmlinuz-RELEASE, or where BOOT_IMAGE= points to, there or below /boot. It
 *   counts only if its header names the same release and the same build.
 */
#pragma once

#include "core/abi.h"

enum { SCRATCH_AREAS_MAX = 64 };

typedef struct HostFacts {
        char release[128];
        char version[256];
        char boot_id[40];
        char *cmdline;           /* without the trailing newline; owned; never NULL */
        KernelAbi abi;           /* empty strings where unknown */
        char image_path[256];    /* the image the ABI was completed from; "" if none was found */
        char image_problem[160]; /* why the last image that was looked at does not count; "" */
        uint64_t update_number;  /* 0: this kernel did not come from a live update */
        bool update_number_known;
        uint64_t scratch[SCRATCH_AREAS_MAX];         /* bytes */
        uint64_t scratch_address[SCRATCH_AREAS_MAX]; /* where the kernel does not tell: aligned, high, apart */
        size_t n_scratch;                            /* 0: unknown */
        bool debugfs;                                /* debugfs/kho could be read */
} HostFacts;

/* root: "" for the real one. Missing sources leave fields empty; only -ENOMEM and a
 * failing uname are errors. Quick: it is part of every blackout. */
int host_read_facts(const char *root, HostFacts *ret);
/* The rest of the ABI strings, from the running kernel's image: reads and decompresses
 * all of it, which may take a second. Does nothing that host_read_facts() did. */
int host_complete_facts(const char *root, HostFacts *facts);
void host_facts_done(HostFacts *facts);
