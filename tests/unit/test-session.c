/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/session.h"

#include "common/names.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void good_names(void **state) {
        static const char *const names[] = { "a",        "vm1",       "VM-1_2.3:4@5+6", "-x",          "@",
                                             "systemd1", "systemd-x", "Systemd",        "liveupdated2" };
        char longest[64];

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                Refusal why = { .reason = REASON_NONE };

                assert_int_equal(session_name_check(names[i], &why), 0);
                assert_int_equal(why.reason, REASON_NONE);
                assert_true(session_name_valid(names[i]));
                assert_false(session_name_reserved(names[i]));
        }
        memset(longest, 'n', 63);
        longest[63] = '\0';
        assert_int_equal(session_name_check(longest, NULL), 0);
}

static void bad_names(void **state) {
        static const char *const names[] = { "",     ".",    ".hidden",     "a b", "a/b",  "a\n",
                                             "\x01", "\x7f", "n\xc3\xa4me", "a,b", "a\\b", "a%s" };
        char too_long[65];

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                Refusal why = {};

                assert_int_equal(session_name_check(names[i], &why), -EINVAL);
                assert_int_equal(why.reason, REASON_NAME_INVALID);
                assert_true(why.detail[0] != '\0');
                assert_false(session_name_valid(names[i]));
        }
        memset(too_long, 'n', 64);
        too_long[64] = '\0';
        Refusal why = {};
        assert_int_equal(session_name_check(too_long, &why), -EINVAL);
        assert_int_equal(why.reason, REASON_NAME_INVALID);
        assert_string_equal(why.detail, "more than 63 bytes");
        assert_false(session_name_valid(too_long));
        /* Nobody wants the words. */
        assert_int_equal(session_name_check("", NULL), -EINVAL);
}

/* All 255 single bytes against the list of the documentation. */
static void every_byte(void **state) {
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:@+";

        for (int c = 1; c < 256; c++) {
                char name[] = { 'x', (char)c, '\0' };

                assert_int_equal(session_name_valid(name), strchr(allowed, c) != NULL);
                assert_int_equal(session_name_check(name, NULL) == 0, strchr(allowed, c) != NULL);
        }
}

static void reserved_names(void **state) {
        static const char *const names[] = { "systemd", OWN_SESSION_NAME, HOLD_SESSION_NAME };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                Refusal why = {};

                assert_int_equal(session_name_check(names[i], &why), -EPERM);
                assert_int_equal(why.reason, REASON_NAME_RESERVED);
                assert_string_equal(why.subject, names[i]);
                assert_true(session_name_valid(names[i]));
                assert_true(session_name_reserved(names[i]));
        }
}

static void order_of_files(void **state) {
        unsigned counts[_RANK_MAX] = {};
        Refusal why = {};

        assert_int_equal(session_file_rank("memfd"), RANK_MEMFD);
        assert_int_equal(session_file_rank("vfio"), RANK_VFIO);
        assert_int_equal(session_file_rank("other"), RANK_NONE);
        counts[RANK_MEMFD] = 3;
        assert_int_equal(session_order_check(counts, "vm", "memfd", &why), 0);
        assert_int_equal(session_order_check(counts, "vm", "vfio", &why), 0);
        counts[RANK_IOMMUFD] = 1;
        assert_int_equal(session_order_check(counts, "vm", "iommufd", &why), 0);
        assert_int_equal(session_order_check(counts, "vm", "memfd", &why), -EINVAL);
        assert_int_equal(why.reason, REASON_WRONG_ORDER);
        assert_string_equal(why.detail, "memfd after iommufd");
        counts[RANK_IOMMUFD] = 0;
        counts[RANK_VFIO] = 1;
        assert_int_equal(session_order_check(counts, "vm", "iommufd", NULL), -EINVAL);
        assert_int_equal(session_order_check(counts, "vm", "memfd", NULL), -EINVAL);
        assert_int_equal(session_order_check(counts, "vm", "vfio", NULL), 0);
        assert_int_equal(session_order_check(counts, "vm", "other", NULL), 0);
}

static void test_hold(void **state) {
        static const struct {
                const char *text;
                uint64_t hold;
        } good[] = { { "hold", SESSION_HOLD_FOREVER },
                     { "finish", SESSION_HOLD_UPDATE },
                     { "10min", 600 * USEC_PER_SEC } };
        static const char *const bad[] = { "", "0", "drop", "10 parsecs", "-1s" };
        char text[64];
        uint64_t hold = 42;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(session_hold_parse(bad[i], &hold), -EINVAL);
        assert_int_equal(hold, 42);
        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                assert_int_equal(session_hold_parse(good[i].text, &hold), 0);
                assert_true(hold == good[i].hold);
                session_hold_format(hold, text, sizeof(text));
                assert_string_equal(text, good[i].text);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(good_names),     cmocka_unit_test(bad_names),      cmocka_unit_test(every_byte),
                cmocka_unit_test(reserved_names), cmocka_unit_test(order_of_files), cmocka_unit_test(test_hold),
        };

        return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
