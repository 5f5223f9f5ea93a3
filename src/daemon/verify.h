/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices before and after the jump. With FREEZE the configuration space of every device
 * of the update, and of every bridge above it, is read into the manifest; in the new
 * kernel it is read again and held against that, register by register, by the table of
 * core/config-bits.h. So are the VF settings of PFs that stay with their network driver
 * (vf-links.h), which can also be put back. All reading is done by the image worker.
 */
#pragma once

#include "core/snapshot.h"
#include "daemon/manager.h"

typedef enum VerifyVerdict {
        VERIFY_EXPECTED, /* it may change */
        VERIFY_AGAINST,  /* it must not */
        VERIFY_MISSING,  /* it is not there, or there was nothing to compare with */
        VERIFY_RESTORED, /* it was as it must not be, and was put back */
        _VERIFY_VERDICT_MAX,
} VerifyVerdict;
DECLARE_STRING_TABLE(verify_verdict, VerifyVerdict);

typedef struct VerifyRow {
        Address address;
        char name[80]; /* a register, "vf 3 mac" or "vf 3" */
        char before[VF_SETTING_TEXT_SIZE], after[VF_SETTING_TEXT_SIZE];
        VerifyVerdict verdict;
        const char *reason; /* static text */
        int error;          /* negative errno that belongs to the reason; 0: none */
} VerifyRow;

typedef struct VerifyResult {
        size_t n_devices, n_links;
        uint64_t equal;                    /* registers */
        size_t expected, against, missing; /* registers; devices */
        struct {
                uint64_t equal;
                size_t against, restored;
                size_t missing; /* PFs */
        } settings;             /* of VFs */
        VerifyRow *rows;        /* what is not equal */
        size_t n_rows, n_allocated;
} VerifyResult;

void verify_result_done(VerifyResult *r);
/* Adds a copy. -ENOMEM. */
int verify_add_row(VerifyResult *result, const VerifyRow *row);

/* The devices of the request and what they depend on, as they are now, into the update:
 * at PREPARE. */
int verify_collect(Manager *m);
/* Queues the reading of their configuration space; update_check() is called when it is
 * over. At FREEZE. */
int verify_snapshot(Manager *m);

/* After the jump: compares. r < 0: it could not be done. The result is borrowed. */
typedef void (*verify_reply_t)(void *userdata, int r, const VerifyResult *result);
int verify_compare(Manager *m, verify_reply_t reply, void *userdata);
/* The same, but VF settings that changed are put back. */
int verify_restore(Manager *m, verify_reply_t reply, void *userdata);
/* Whether there is something to compare. Settings are put back only while no update is
 * under way: it reads them, too. */
int verify_allowed(const Manager *m, bool restore, Refusal *refusal);
/* The same for the job that crossed: counts into it, a notice if anything is against the
 * table or a VF setting changed. Called once the clients are served; while VFs are
 * not adopted it waits for the module's next list. */
void verify_arrived(Manager *m);
