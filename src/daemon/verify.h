/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration space before and after the jump. With FREEZE the space of every device
 * of the update, and of every bridge above it, is read into the manifest; in the new
 * kernel it is read again and held against that, register by register, by the table of
 * core/config-bits.h. All reading is done by the image worker.
 */
#pragma once

#include "core/snapshot.h"
#include "daemon/manager.h"

typedef struct VerifyRow {
        Address address;
        char name[80];
        bool missing; /* the device is not there, or there was nothing to compare with */
        uint32_t before, after;
        uint8_t width; /* bytes */
        SnapshotVerdict verdict;
        const char *reason; /* static text */
} VerifyRow;

typedef struct VerifyResult {
        size_t n_devices;
        uint64_t equal;
        size_t expected, against, missing;
        VerifyRow *rows; /* what is not equal */
        size_t n_rows, n_allocated;
} VerifyResult;

void verify_result_done(VerifyResult *r);

/* The devices of the request and what they depend on, as they are now, into the update:
 * at PREPARE. */
int verify_collect(Manager *m);
/* Queues the reading of their configuration space; update_check() is called when it is
 * over. At FREEZE. */
int verify_snapshot(Manager *m);

/* After the jump: compares. r < 0: it could not be done. The result is borrowed. */
typedef void (*verify_reply_t)(void *userdata, int r, const VerifyResult *result);
int verify_compare(Manager *m, verify_reply_t reply, void *userdata);
/* The same for the job that crossed: counts into it, a notice if anything is against the
 * table. Called once the clients are served. */
void verify_arrived(Manager *m);
