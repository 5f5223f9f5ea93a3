/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sorted array: users are few, and are looked up far more often than they come or go. */
#include "quota.h"

static const struct {
        const char *what, *setting;
} kinds[_QUOTA_KIND_MAX] = {
        [QUOTA_SESSIONS] = { "sessions", "SessionsPerUser" },
        [QUOTA_FILES] = { "preserved files", "FilesPerUser" },
        [QUOTA_PARTICIPANTS] = { "registrations", "ParticipantsPerUser" },
        [QUOTA_REQUESTS] = { "requests waiting for an answer", "RequestsPerUser" },
};

void quotas_done(Quotas *q) {
        free(q->items);
        *q = (Quotas){};
}

/* Where uid is, or where it would have to go. */
static size_t position(const Quotas *q, uint32_t uid, bool *ret_found) {
        size_t low = 0, high = q->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (q->items[middle].uid < uid)
                        low = middle + 1;
                else
                        high = middle;
        }
        *ret_found = low < q->n && q->items[low].uid == uid;
        return low;
}

uint64_t quota_used(const Quotas *q, uint32_t uid, QuotaKind kind) {
        bool found;
        size_t i = position(q, uid, &found);

        return found ? q->items[i].used[kind] : 0;
}

int quota_check(const Quotas *q, uint32_t uid, QuotaKind kind, uint64_t limit, const char *subject, Refusal *refusal) {
        uint64_t used = quota_used(q, uid, kind);

        if (uid == 0 || used < limit)
                return 0;
        return refuse(refusal, REASON_LIMIT, subject, "uid %u has %llu %s, and %s=%llu allows no more", uid,
                      (unsigned long long)used, kinds[kind].what, kinds[kind].setting, (unsigned long long)limit);
}

int quota_add(Quotas *q, uint32_t uid, QuotaKind kind) {
        bool found;
        size_t i = position(q, uid, &found);

        if (!found) {
                if (q->n == q->room) {
                        size_t room = MAX_OF(q->room * 2, (size_t)8);
                        QuotaUser *bigger = reallocarray(q->items, room, sizeof(*bigger));
                        if (!bigger)
                                return -ENOMEM;
                        q->items = bigger;
                        q->room = room;
                }
                memmove(&q->items[i + 1], &q->items[i], (q->n - i) * sizeof(*q->items));
                q->items[i] = (QuotaUser){ .uid = uid };
                q->n++;
        }
        q->items[i].used[kind]++;
        return 0;
}

int quota_take(Quotas *q, uint32_t uid, QuotaKind kind, uint64_t limit, const char *subject, Refusal *refusal) {
        int r = quota_check(q, uid, kind, limit, subject, refusal);

        if (r < 0)
                return r;
        r = quota_add(q, uid, kind);
        return r < 0 ? refuse_errno(refusal, r, subject, "counting what users have") : 0;
}

void quota_release(Quotas *q, uint32_t uid, QuotaKind kind, uint64_t count) {
        bool found;
        size_t i = position(q, uid, &found);

        if (!found)
                return;
        QuotaUser *u = &q->items[i];
        u->used[kind] -= MIN_OF(u->used[kind], count);
        for (size_t k = 0; k < _QUOTA_KIND_MAX; k++)
                if (u->used[k] > 0)
                        return;
        memmove(u, u + 1, (q->n - i - 1) * sizeof(*u));
        q->n--;
}
