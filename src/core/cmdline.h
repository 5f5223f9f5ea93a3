/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel command lines, cut into words the way the kernel does it (next_arg(), lib/
 * cmdline.c): white space separates, double quotes keep it, a word "--" ends what the
 * kernel reads, the rest goes to init. Words are never changed, reordered or dropped,
 * except for the two that cmdline_strip_boot() names.
 *
 * What is added goes at the end of the kernel's part. Every early parameter is handled
 * each time it occurs (do_early_param(), init/main.c), so the last one wins and earlier
 * words need not be touched.
 */
#pragma once

#include "reason.h"

enum {
        /* COMMAND_LINE_SIZE (arch/x86/include/asm/setup.h) without the NUL: what an x86
         * kernel says in its setup header as cmdline_size. */
        CMDLINE_SIZE_X86 = 2047,
        /* kexec keeps room for "elfcorehdr=…" also where it adds none: the line with its
         * NUL and this must not exceed cmdline_size (bzImage64_load(), arch/x86/kernel/
         * kexec-bzimage64.c). */
        CMDLINE_KEXEC_RESERVE = 30,
        CMDLINE_MAX = CMDLINE_SIZE_X86 - CMDLINE_KEXEC_RESERVE - 1,
};

/* The final command line: `requested` with kho=on liveupdate=on in effect, added only if
 * the last word about each does not say so already, so that chained updates do not grow
 * the line. cmdline_size is the next kernel's limit (0: CMDLINE_SIZE_X86). Refuses what
 * is too long, control characters other than tabs, and a quote that is left open. */
int cmdline_finalize(const char *requested, uint32_t cmdline_size, char **ret, Refusal *refusal);

/* A command line for use again, from the running kernel's: without BOOT_IMAGE= and
 * initrd=, which the boot loader added and which name what is not booted now. */
int cmdline_strip_boot(const char *running, char **ret);

/* base with the words of extra. If the last words of base about a parameter are those
 * of extra already, they are not added again, so that the same extra does not grow the
 * line with each update. Nothing of base is dropped: with another value of a parameter
 * each time it does grow, until cmdline_finalize() says that it is too long. -E2BIG for
 * arguments that are too long for any command line. */
int cmdline_append(const char *base, const char *extra, char **ret);

/* Whether the kernel's part sets the switch `key` on, as the kernel understands it (the
 * last word that kstrtobool() understands); 1 on, 0 off, -ENOENT not said. */
int cmdline_switch(const char *cmdline, const char *key);
