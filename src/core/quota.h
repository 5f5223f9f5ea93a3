/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each user has of the things that the settings limit per user. A user is a uid:
 * processes come and go, and one user's many connections are still one user.
 *
 * What is counted is what exists or is under way; it is taken before the work begins and
 * released exactly once. A user with nothing costs nothing. root is counted, but has no
 * limit here: only the limits of the whole daemon hold for it.
 */
#pragma once

#include "reason.h"

typedef enum QuotaKind {
        QUOTA_SESSIONS,
        QUOTA_FILES,
        QUOTA_PARTICIPANTS,
        QUOTA_REQUESTS, /* methods that wait for their answer */
        _QUOTA_KIND_MAX,
} QuotaKind;

typedef struct QuotaUser {
        uint32_t uid;
        uint64_t used[_QUOTA_KIND_MAX];
} QuotaUser;

typedef struct Quotas {
        QuotaUser *items; /* by uid, ascending; none has nothing */
        size_t n, room;
} Quotas;

void quotas_done(Quotas *q);
uint64_t quota_used(const Quotas *q, uint32_t uid, QuotaKind kind);
/* Whether the user may have one more; else REASON_LIMIT, with the limit and the name of
 * its setting. */
int quota_check(const Quotas *q, uint32_t uid, QuotaKind kind, uint64_t limit, const char *subject, Refusal *refusal);
/* One more, whatever the limit. -ENOMEM. */
int quota_add(Quotas *q, uint32_t uid, QuotaKind kind);
/* Both: checked, then taken. */
int quota_take(Quotas *q, uint32_t uid, QuotaKind kind, uint64_t limit, const char *subject, Refusal *refusal);
void quota_release(Quotas *q, uint32_t uid, QuotaKind kind, uint64_t count);
