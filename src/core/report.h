/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What participants say of their own part of an update's timeline: named spans, such as
 * a virtual machine's stop, save and load. They are kept with the update's jobs and cross
 * the kexec in the manifest.
 *
 * Always: names are 1 to 15 bytes of a-z and '-', spans are in the order in which they
 * were reported, and there are no more than REPORT_TOTAL_MAX. Nobody adds more than
 * REPORT_SPANS_MAX for a participant, or REPORT_USER_MAX for a user, in one update.
 */
#pragma once

struct json_object;

#include "participant.h"

enum {
        REPORT_NAME_MAX = 15,
        REPORT_SPANS_MAX = 32,
        REPORT_USER_MAX = 2048,
        REPORT_TOTAL_MAX = 8192,
};

typedef struct ReportSpan {
        char participant[PARTICIPANT_NAME_MAX + 1];
        uint32_t uid;
        char name[REPORT_NAME_MAX + 1];
        uint64_t begin, length; /* ticks of the timeline's clock */
} ReportSpan;

typedef struct Report {
        ReportSpan *items;
        size_t n, n_allocated;
} Report;

void report_done(Report *r);
bool report_name_valid(const char *name);
/* Adds all of spans or none. REASON_INVALID_ARGUMENT for a name that is none,
 * REASON_LIMIT over a bound, both with -EINVAL or what refuse() makes of them; -ENOMEM. */
int report_add(Report *r, const ReportSpan *spans, size_t n, Refusal *refusal);
/* Into an empty one. -ENOMEM. */
int report_copy(const Report *from, Report *ret);

/* For the manifest. The caller owns *ret. */
int report_encode(const Report *report, struct json_object **ret);
/* REASON_MANIFEST_INVALID with the place in its detail, or REASON_SYSTEM without memory. */
int report_decode(struct json_object *list, Report *ret, Refusal *refusal);
