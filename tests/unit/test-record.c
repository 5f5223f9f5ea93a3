/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char *const values[] = { "", "plain", "two words", "100%", "a\nb\tc\x7f", "\xc3\xa4 %0a", " lead" };

static void test_round_trip(void **state) {
        _cleanup_record_ Record r = {};
        char *rest, *key, *value;

        for (size_t i = 0; i < ELEMENTSOF(values); i++)
                record_add(&r, "some-key", values[i]);
        record_add_number(&r, "n", UINT64_MAX);
        assert_int_equal(record_seal(&r), 0);
        assert_int_equal(r.size, strlen(r.text));
        assert_int_equal(record_unseal(r.text, r.size), 0);
        rest = r.text;
        for (size_t i = 0; i < ELEMENTSOF(values); i++) {
                assert_int_equal(record_next(&rest, &key, &value), 1);
                assert_string_equal(key, "some-key");
                assert_string_equal(value, values[i]);
        }
        assert_int_equal(record_next(&rest, &key, &value), 1);
        assert_string_equal(key, "n");
        assert_string_equal(value, "18446744073709551615");
        assert_int_equal(record_next(&rest, &key, &value), 0);
}

static void test_empty(void **state) {
        _cleanup_record_ Record r = {};

        assert_int_equal(record_seal(&r), 0);
        assert_int_equal(record_unseal(r.text, r.size), 0);
        assert_string_equal(r.text, "");
}

/* No part of a record and no record with a bit changed passes for a whole one. */
static void test_damage(void **state) {
        _cleanup_record_ Record r = {};

        record_add(&r, "phase", "prepared");
        record_add(&r, "kernel", "root=/dev/vda ro");
        assert_int_equal(record_seal(&r), 0);
        for (size_t n = 0; n < r.size; n++) {
                _cleanup_free_ char *part = strndup(r.text, n);
                assert_int_equal(record_unseal(part, n), -EBADMSG);
        }
        for (size_t bit = 0; bit < r.size * 8; bit++) {
                _cleanup_free_ char *changed = strdup(r.text);
                changed[bit / 8] ^= (char)(1 << bit % 8);
                assert_int_equal(record_unseal(changed, r.size), -EBADMSG);
        }
}

/* How many there are that are whole, up to the end (0) or to the first that is not. */
static int count_sealed(char *text, size_t *ret_n) {
        char *record, *line, *key, *value;
        int r;

        *ret_n = 0;
        while ((r = record_next_sealed(&text, &record)) > 0) {
                assert_int_equal(record_next(&record, &key, &value), 1);
                assert_string_equal(key, "n");
                assert_int_equal(strtoul(value, &line, 10), *ret_n);
                ++*ret_n;
        }
        return r;
}

/* One after the other in a file that grows: no damage makes one of them something else. */
static void test_sequence(void **state) {
        char text[256] = "";
        size_t ends[4] = {}, n, size;

        for (size_t i = 0; i < ELEMENTSOF(ends); i++) {
                _cleanup_record_ Record r = {};
                record_add_number(&r, "n", i);
                if (i == 2) /* what looks like an end is none */
                        record_add(&r, "text", "\nend 00000000\nend ");
                assert_int_equal(record_seal(&r), 0);
                strcat(text, r.text);
                ends[i] = strlen(text);
        }
        size = strlen(text);
        for (size_t cut = 0; cut <= size; cut++) {
                _cleanup_free_ char *part = strndup(text, cut);
                size_t whole = 0;
                while (whole < ELEMENTSOF(ends) && ends[whole] <= cut)
                        whole++;
                bool between = cut == 0 || (whole > 0 && ends[whole - 1] == cut);
                assert_int_equal(count_sealed(part, &n), between ? 0 : -EBADMSG);
                assert_int_equal(n, whole);
        }
        for (size_t bit = 0; bit < size * 8; bit++) {
                _cleanup_free_ char *changed = strdup(text);
                changed[bit / 8] ^= (char)(1 << bit % 8);
                assert_int_equal(count_sealed(changed, &n), -EBADMSG);
        }
}

static void test_bad_lines(void **state) {
        static const char *const bad[] = { "key\n",     "Key v\n",   " v\n",      "key 100%\n", "key %4\n",
                                           "key %41\n", "key %00\n", "key %0A\n", "key a\tb\n", "\n" };
        char *rest, *key, *value;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_free_ char *text = strdup(bad[i]);
                rest = text;
                assert_int_equal(record_next(&rest, &key, &value), -EBADMSG);
        }
        char torn[] = "token 7\nkind mem";
        rest = torn;
        assert_int_equal(record_next(&rest, &key, &value), 1);
        assert_int_equal(record_next(&rest, &key, &value), 0);
}

static void test_bad_key(void **state) {
        _cleanup_record_ Record r = {};

        record_add(&r, "a", "1");
        record_add(&r, "with space", "1");
        record_add(&r, "b", "1");
        assert_int_equal(record_seal(&r), -EINVAL);
        assert_string_equal(r.text, "a 1\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trip), cmocka_unit_test(test_empty),   cmocka_unit_test(test_damage),
                cmocka_unit_test(test_bad_lines),  cmocka_unit_test(test_bad_key), cmocka_unit_test(test_sequence),
        };

        return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
