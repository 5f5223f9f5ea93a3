/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What participants report: names, bounds for each and for all, and its way through JSON. */
#include "core/report.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <json-c/json.h>

static ReportSpan span(const char *participant, uint32_t uid, const char *name) {
        ReportSpan s = { .uid = uid, .begin = 1000, .length = 7 };

        (void)snprintf(s.participant, sizeof(s.participant), "%s", participant);
        (void)snprintf(s.name, sizeof(s.name), "%s", name);
        return s;
}

static void names(void **state) {
        static const char *const good[] = { "a", "stop", "preserve-memory", "-" };
        static const char *const wrong[] = { "", "Stop", "stop ", "stop1", "preserve-memory-", "a\n", "\xc3\xa9" };

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                assert_true(report_name_valid(good[i]));
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                assert_false(report_name_valid(wrong[i]));
}

static void all_or_none(void **state) {
        ReportSpan two[] = { span("vm-a", 0, "stop"), span("vm-a", 0, "STOP") };
        Report r = {};
        Refusal why;

        assert_true(report_add(&r, two, 2, &why) < 0);
        assert_int_equal(why.reason, REASON_INVALID_ARGUMENT);
        assert_int_equal(r.n, 0);
        two[1] = span("vm-a", 0, "save");
        two[1].length = UINT64_MAX;
        assert_true(report_add(&r, two, 2, &why) < 0);
        assert_int_equal(r.n, 0);
        two[1].length = 1;
        assert_int_equal(report_add(&r, two, 2, &why), 0);
        assert_int_equal(report_add(&r, two, 0, &why), 0);
        assert_int_equal(r.n, 2);
        assert_string_equal(r.items[1].name, "save");
        report_done(&r);
}

static void bounds(void **state) {
        ReportSpan s = span("vm-a", 1, "stop"), other = span("vm-b", 1, "stop");
        Report r = {};
        Refusal why;

        for (int i = 0; i < REPORT_SPANS_MAX; i++)
                assert_int_equal(report_add(&r, &s, 1, &why), 0);
        assert_true(report_add(&r, &s, 1, &why) < 0);
        assert_int_equal(why.reason, REASON_LIMIT);
        assert_int_equal(report_add(&r, &other, 1, &why), 0);
        /* Another user's participant of the same name has its own. */
        s.uid = 2;
        assert_int_equal(report_add(&r, &s, 1, &why), 0);

        int e = 0;
        for (int i = 0; e >= 0; i++) {
                char name[32];
                (void)snprintf(name, sizeof(name), "vm-%d", i);
                other = span(name, 3, "stop");
                e = report_add(&r, &other, 1, &why);
                assert_true(i <= REPORT_USER_MAX);
        }
        assert_int_equal(why.reason, REASON_LIMIT);
        assert_int_equal(r.n, REPORT_SPANS_MAX + 2 + REPORT_USER_MAX);
        report_done(&r);
}

static int decode(const char *text, Report *ret, Refusal *why) {
        json_object *o = json_tokener_parse(text);

        int r = report_decode(o, ret, why);
        json_object_put(o);
        return r;
}

static void through_json(void **state) {
        ReportSpan s[] = { span("größer", UINT32_MAX, "stop"), span("vm-a", 0, "save") };
        Report r = {}, back = {}, copy = {};
        json_object *o;
        Refusal why;

        s[0].begin = UINT64_MAX - 7;
        assert_int_equal(report_add(&r, s, 1, &why), 0);
        assert_int_equal(report_add(&r, s + 1, 1, &why), 0);
        assert_int_equal(report_encode(&r, &o), 0);
        assert_int_equal(report_decode(o, &back, &why), 0);
        assert_int_equal(back.n, 2);
        assert_memory_equal(&back.items[0], &s[0], sizeof(s[0]));
        assert_memory_equal(&back.items[1], &s[1], sizeof(s[1]));
        assert_int_equal(report_copy(&back, &copy), 0);
        assert_int_equal(copy.n, 2);
        assert_int_equal(report_add(&copy, s, 1, &why), 0);
        json_object_put(o);
        report_done(&r);
        report_done(&back);
        report_done(&copy);
}

static void strange_json(void **state) {
        static const char *const wrong[] = {
                "{}",
                "[1]",
                "[[]]",
                "[[\"a\",0,\"stop\",1]]",
                "[[\"\",0,\"stop\",1,1]]",
                "[[\"a\",-1,\"stop\",1,1]]",
                "[[\"a\",4294967296,\"stop\",1,1]]",
                "[[\"a\",0,\"Stop\",1,1]]",
                "[[\"a\",0,\"a-name-too-long-\",1,1]]",
                "[[\"a\",0,\"stop\",-1,1]]",
                "[[\"a\",0,\"stop\",18446744073709551615,1]]",
                "[[\"a\",0,\"stop\",1,\"1\"]]",
                "[[\"a\\u0000\",0,\"stop\",1,1]]",
        };
        Report r = {};
        Refusal why;

        for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
                assert_true(decode(wrong[i], &r, &why) < 0);
                assert_int_equal(why.reason, REASON_MANIFEST_INVALID);
                assert_null(r.items);
        }
        assert_int_equal(decode("[[\"a\",0,\"stop\",1,1,\"more\"]]", &r, &why), 0);
        report_done(&r);
        assert_int_equal(decode("[]", &r, &why), 0);
        assert_int_equal(r.n, 0);
        report_done(&r);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names),        cmocka_unit_test(all_or_none),  cmocka_unit_test(bounds),
                cmocka_unit_test(through_json), cmocka_unit_test(strange_json),
        };
        return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
