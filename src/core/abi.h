/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ABI strings that two kernels must share for a handover ("kho-v4", "luo-v5",
 * "memfd-v2"), as they stand in a decompressed kernel image: plain NUL-terminated
 * strings. A kernel that has another one ignores the handed-over memory (KHO: all is
 * lost), panics (LUO), or cannot restore a file (memfd).
 *
 * The running kernel also shows two of them in debugfs: KHO's in the flattened device
 * tree it hands over, LUO's at the start of its state.
 */
#pragma once

#include "reason.h"

enum { ABI_STRING_MAX = 48 }; /* LIVEUPDATE_HNDL_COMPAT_LENGTH */

typedef struct KernelAbi {
        char kho[ABI_STRING_MAX]; /* "" when the image has none */
        char luo[ABI_STRING_MAX];
        char memfd[ABI_STRING_MAX];
        /* "pci-iov-keep-v1": a kernel with the project's patch for SR-IOV, which keeps VFs that
         * the one before asks it to (kernel-shim/patches). No kernel must have it. */
        char iov[ABI_STRING_MAX];
} KernelAbi;

/* Finds the strings in an image that arrives in pieces of any size; keep one scanner,
 * zeroed at first, over all of them. Only whole strings count: text on neither side,
 * NUL at the end ("kho-v3" in an error message is not one). If an image holds several
 * versions of one string, the highest wins. */
typedef struct AbiScanner {
        KernelAbi found;
        char tail[ABI_STRING_MAX + 1];
        size_t n_tail;
} AbiScanner;

void abi_scanner_feed(AbiScanner *s, const void *data, size_t size);

/* The KHO string of a handover tree as debugfs shows it: the "compatible" property of
 * the root node (include/linux/kho/abi/kexec_handover.h). The copy in debugfs may end
 * before the tree does: the kernel fixed its size before the last nodes came in. */
int abi_from_fdt(const void *data, size_t size, char ret[ABI_STRING_MAX]);
/* The LUO string and the live update number of struct luo_ser (include/linux/kho/abi/
 * luo.h): the string padded to 8 bytes, then the number. */
int abi_from_luo_state(const void *data, size_t size, char ret[ABI_STRING_MAX], uint64_t *ret_number);

/* Whether a kernel with abi `next` takes over from one with `running`. */
int abi_compatible(const KernelAbi *running, const KernelAbi *next, Refusal *refusal);
