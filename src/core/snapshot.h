/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration space as it was and as it is, compared by the table of config-bits.h:
 * register by register, what is equal, what changed as expected and what changed against
 * the table. Both images come from hardware or from a manifest and may hold anything:
 * capability lists with loops, pointers to nowhere, all ones of a device that is gone.
 *
 * Capabilities are looked up in each image by itself. One that moved, went or came is
 * against the table, since software finds its registers by it; its registers are compared
 * all the same, each where it is. What no row of the table covers is compared by place,
 * four bytes at a time: in conservative mode a difference there is against the table, in
 * minimal mode it is expected.
 */
#pragma once

#include "config-bits.h"

enum { SNAPSHOT_SIZE_MAX = 4096 };

typedef enum SnapshotVerdict {
        SNAPSHOT_EQUAL,
        SNAPSHOT_EXPECTED,
        SNAPSHOT_AGAINST,
        _SNAPSHOT_VERDICT_MAX
} SnapshotVerdict;
DECLARE_STRING_TABLE(snapshot_verdict, SnapshotVerdict);

/* What was agreed about the Bus Master bit. */
typedef enum SnapshotBusMaster {
        BUS_MASTER_ANY,     /* a client may have it by now */
        BUS_MASTER_KEPT,    /* as it was */
        BUS_MASTER_CLEARED, /* DMA stopped, and nobody may have started it */
} SnapshotBusMaster;

typedef struct SnapshotPolicy {
        bool conservative;
        SnapshotBusMaster bus_master;
} SnapshotPolicy;

typedef struct SnapshotDiff {
        char name[80];   /* the register's in the table, with a number if there are several */
        uint16_t offset; /* in `after`; where it was if it is gone */
        uint8_t width;
        uint32_t before, after; /* the bits of the row */
        SnapshotVerdict verdict;
        const char *reason; /* static text */
} SnapshotDiff;

/* Called for each register of the table that the device has, and for each difference
 * outside it, by place in the table and then by offset. A negative return ends the
 * comparison and is returned. */
typedef int (*snapshot_diff_t)(void *userdata, const SnapshotDiff *diff);

typedef struct SnapshotCount {
        size_t equal, expected, against;
} SnapshotCount;

/* Sizes above SNAPSHOT_SIZE_MAX are cut. What is beyond the end of `before` is not
 * known and not compared; an `after` that is shorter is against the table. on_diff and
 * ret may be NULL. -ENOMEM, or what on_diff returned. */
int snapshot_compare(const uint8_t *before, size_t n_before, const uint8_t *after, size_t n_after,
                     SnapshotPolicy policy, snapshot_diff_t on_diff, void *userdata, SnapshotCount *ret);

/*
 * As text, for the manifest: base64 of the size (16 bits) and of runs, each its offset,
 * its length (16 bits both, little-endian) and its bytes. What no run has is zero; runs
 * are in order, apart, and not empty. Short gaps of zeros stay inside a run, so that no
 * text is longer than SNAPSHOT_TEXT_SIZE.
 */
enum { SNAPSHOT_TEXT_SIZE = 4 * ((2 + 4 + SNAPSHOT_SIZE_MAX + 2) / 3) + 1 };

/* A new string. -EINVAL for more than SNAPSHOT_SIZE_MAX bytes; -ENOMEM. */
int snapshot_encode(const uint8_t *data, size_t n, char **ret);
/* -EINVAL for whatever snapshot_encode() cannot have written (but for where runs end). */
int snapshot_decode(const char *text, uint8_t ret[static SNAPSHOT_SIZE_MAX], size_t *ret_n);
