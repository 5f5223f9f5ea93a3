/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What users have: limits, root's exemption, and that a user with nothing is forgotten. */
#include "core/quota.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void a_limit_is_reached(void **state) {
        Quotas q = {};
        Refusal why = {};

        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(quota_take(&q, 1001, QUOTA_SESSIONS, 3, "vm", &why), 0);
        assert_int_equal(why.reason, REASON_NONE);
        assert_int_equal(quota_take(&q, 1001, QUOTA_SESSIONS, 3, "vm", &why), reason_errno(REASON_LIMIT));
        assert_int_equal(why.reason, REASON_LIMIT);
        assert_string_equal(why.subject, "vm");
        assert_string_equal(why.detail, "uid 1001 has 3 sessions, and SessionsPerUser=3 allows no more");
        /* Another kind, another user. */
        assert_int_equal(quota_take(&q, 1001, QUOTA_FILES, 3, "vm", &why), 0);
        assert_int_equal(quota_take(&q, 1002, QUOTA_SESSIONS, 3, "vm", &why), 0);
        /* One goes, one may come. */
        quota_release(&q, 1001, QUOTA_SESSIONS, 1);
        assert_int_equal(quota_take(&q, 1001, QUOTA_SESSIONS, 3, "vm", &why), 0);
        assert_int_equal(quota_check(&q, 1001, QUOTA_SESSIONS, 3, "vm", NULL), reason_errno(REASON_LIMIT));
        /* What is not checked is counted all the same. */
        assert_int_equal(quota_add(&q, 1001, QUOTA_SESSIONS), 0);
        assert_int_equal(quota_used(&q, 1001, QUOTA_SESSIONS), 4);
        quotas_done(&q);
}

static void every_kind_names_its_setting(void **state) {
        static const char *const settings[_QUOTA_KIND_MAX] = {
                "SessionsPerUser=0",
                "FilesPerUser=0",
                "ParticipantsPerUser=0",
                "RequestsPerUser=0",
        };
        Refusal why;
        Quotas q = {};

        for (size_t k = 0; k < _QUOTA_KIND_MAX; k++) {
                assert_true(quota_take(&q, 1, (QuotaKind)k, 0, "", &why) < 0);
                assert_non_null(strstr(why.detail, settings[k]));
        }
        assert_int_equal(q.n, 0);
        quotas_done(&q);
}

static void root_is_counted_but_not_limited(void **state) {
        Quotas q = {};

        for (unsigned i = 0; i < 10; i++)
                assert_int_equal(quota_take(&q, 0, QUOTA_FILES, 1, "", NULL), 0);
        assert_int_equal(quota_used(&q, 0, QUOTA_FILES), 10);
        quotas_done(&q);
}

/* Against a table as plain as can be. */
static void many_users(void **state) {
        enum { USERS = 40, STEPS = 20000 };
        uint64_t model[USERS][_QUOTA_KIND_MAX] = {};
        uint32_t random = 1;
        Quotas q = {};

        for (unsigned i = 0; i < STEPS; i++) {
                random = random * 1664525 + 1013904223;
                unsigned user = (random >> 8) % USERS, kind = (random >> 16) % _QUOTA_KIND_MAX;
                uint32_t uid = user * 100000007u; /* in no order */
                if ((random >> 24) % 5 < 2) {
                        assert_int_equal(quota_add(&q, uid, (QuotaKind)kind), 0);
                        model[user][kind]++;
                } else {
                        uint64_t n = (random >> 28) % 3;
                        quota_release(&q, uid, (QuotaKind)kind, n);
                        model[user][kind] -= MIN_OF(model[user][kind], n);
                }
                assert_int_equal(quota_used(&q, uid, (QuotaKind)kind), model[user][kind]);
        }
        size_t some = 0;
        for (unsigned user = 0; user < USERS; user++) {
                uint64_t sum = 0;
                for (unsigned k = 0; k < _QUOTA_KIND_MAX; k++) {
                        sum += model[user][k];
                        assert_int_equal(quota_used(&q, user * 100000007u, (QuotaKind)k), model[user][k]);
                        quota_release(&q, user * 100000007u, (QuotaKind)k, UINT64_MAX);
                }
                some += sum > 0;
        }
        assert_true(some > 0);
        assert_int_equal(q.n, 0);
        quotas_done(&q);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_limit_is_reached),
                cmocka_unit_test(every_kind_names_its_setting),
                cmocka_unit_test(root_is_counted_but_not_limited),
                cmocka_unit_test(many_users),
        };

        return cmocka_run_group_tests_name("quota", tests, NULL, NULL);
}
