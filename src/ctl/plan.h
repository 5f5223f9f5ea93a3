/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the rows of a plan, or of a comparison, come to: grouped by subject, counted, and
 * one verdict. The daemon judges; here is only what `plan`, `explain` and `verify` need
 * for their tables and exit statuses. Pure.
 */
#pragma once

#include "model.h"

typedef struct PlanSummary {
        size_t goes, limited, cannot; /* subjects, by the worst of their rows */
        size_t excepted;              /* those of cannot that may be lost */
        size_t hindrances;            /* those of cannot for which Prepare refuses */
} PlanSummary;

/* Puts the rows of a subject together, subjects in the order of their first rows, and
 * marks what is excepted (exceptions: sorted; may be NULL): devices by their address,
 * files by SESSION/TOKEN or by SESSION alone. n log n. */
void plan_arrange(PlanRows *rows, const StringList *exceptions);
/* Takes the rows about sessions out, as they do not belong to one device. */
void plan_drop_sessions(PlanRows *rows);
/* Of rows that are arranged. */
PlanSummary plan_summary(const PlanRows *rows);
/* "goes", "limited" or "cannot" for the whole, as the daemon's strict mode has it: what is
 * excepted is a limit, and what others depend on counts through those that need it, which
 * cannot go then either. A verdict that is not known here counts as "cannot". */
const char *plan_verdict(const PlanSummary *summary);

typedef struct VerificationSummary {
        size_t expected, against, missing, restored;
} VerificationSummary;

/* A verdict of the daemon's that is not known here counts as "against". */
VerificationSummary verification_summary(const Verification *v);

/* The rows by subject, to look them up. Valid as long as the rows are. */
typedef struct PlanIndex {
        const PlanRow **items;
        size_t n;
} PlanIndex;

void plan_index_done(PlanIndex *index);
#define _cleanup_plan_index_ _cleanup_(plan_index_done)
int plan_index(const PlanRows *rows, PlanIndex *ret);
/* The worst verdict on a subject; NULL: the plan has none. log n. */
const char *plan_index_verdict(const PlanIndex *index, const char *subject);
/* Whether there is anything that this exception could be for. log n. */
bool plan_index_has(const PlanIndex *index, const char *exception);
