/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The strict parsers, UTF-8 and CRC-32 of src/common. */
#include "common/crc32.h"
#include "common/parse.h"
#include "common/utf8.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void numbers(void **state) {
        static const struct {
                const char *text;
                int r;
                uint64_t value;
        } cases[] = {
                { "0", 0, 0 },
                { "7", 0, 7 },
                { "4096", 0, 4096 },
                { "18446744073709551615", 0, UINT64_MAX },
                { "18446744073709551616", -ERANGE },
                { "18446744073709551620", -ERANGE },
                { "99999999999999999999999", -ERANGE },
                { "", -EINVAL },
                { " 1", -EINVAL },
                { "1 ", -EINVAL },
                { "+1", -EINVAL },
                { "-1", -EINVAL },
                { "007", -EINVAL },
                { "00", -EINVAL },
                { "0x10", -EINVAL },
                { "1.0", -EINVAL },
                { "1e3", -EINVAL },
                { "1k", -EINVAL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t v = 4711;

                assert_int_equal(parse_u64(cases[i].text, &v), cases[i].r);
                assert_int_equal(v, cases[i].r < 0 ? 4711 : cases[i].value);
        }
}

static void numbers_of_32_bits(void **state) {
        uint32_t v = 1;

        assert_int_equal(parse_u32("4294967295", &v), 0);
        assert_int_equal(v, UINT32_MAX);
        assert_int_equal(parse_u32("4294967296", &v), -ERANGE);
        assert_int_equal(parse_u32("x", &v), -EINVAL);
        assert_int_equal(v, UINT32_MAX);
}

static void timespans(void **state) {
        static const struct {
                const char *text;
                int r;
                uint64_t usec;
        } cases[] = {
                { "0", 0, 0 },
                { "30", 0, 30 * USEC_PER_SEC },
                { "30s", 0, 30 * USEC_PER_SEC },
                { "30 s", 0, 30 * USEC_PER_SEC },
                { "30sec", 0, 30 * USEC_PER_SEC },
                { "2min", 0, 120 * USEC_PER_SEC },
                { "2m", 0, 120 * USEC_PER_SEC },
                { "500ms", 0, 500 * USEC_PER_MSEC },
                { "7us", 0, 7 },
                { "1h", 0, 3600 * USEC_PER_SEC },
                { "1hr", 0, 3600 * USEC_PER_SEC },
                { "2d", 0, 172800 * USEC_PER_SEC },
                { "1min 30s", 0, 90 * USEC_PER_SEC },
                { "1min30s", 0, 90 * USEC_PER_SEC },
                { "1s 500ms", 0, 1500 * USEC_PER_MSEC },
                { "infinity", 0, UINT64_MAX },
                { "18446744073709551614us", 0, UINT64_MAX - 1 },
                /* Would read back as "infinity". */
                { "18446744073709551615us", -ERANGE },
                { "18446744073710s", -ERANGE },
                { "18446744073709551614us 2us", -ERANGE },
                { "99999999999999999999d", -ERANGE },
                { "", -EINVAL },
                { " 30s", -EINVAL },
                { "30s ", -EINVAL },
                { "30 ", -EINVAL },
                { "-1s", -EINVAL },
                { "1.5s", -EINVAL },
                { "s", -EINVAL },
                { "30x", -EINVAL },
                { "30S", -EINVAL },
                { "30secs", -EINVAL },
                { "1min 30", -EINVAL },
                { "1min,30s", -EINVAL },
                { "infinity s", -EINVAL },
                { "Infinity", -EINVAL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t v = 4711;

                assert_int_equal(parse_timespan(cases[i].text, &v), cases[i].r);
                assert_int_equal(v, cases[i].r < 0 ? 4711 : cases[i].usec);
        }
}

static void timespans_come_back(void **state) {
        static const struct {
                uint64_t usec;
                const char *text;
        } cases[] = {
                { 0, "0" },
                { 1, "1us" },
                { 1500, "1500us" },
                { 500000, "500ms" },
                { 30 * USEC_PER_SEC, "30s" },
                { 90 * USEC_PER_SEC, "90s" },
                { 300 * USEC_PER_SEC, "5min" },
                { 7200 * USEC_PER_SEC, "2h" },
                { 86400 * USEC_PER_SEC, "1d" },
                { UINT64_MAX, "infinity" },
                { UINT64_MAX - 1, "18446744073709551614us" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char buf[32];
                uint64_t v;

                format_timespan(cases[i].usec, buf, sizeof(buf));
                assert_string_equal(buf, cases[i].text);
                assert_int_equal(parse_timespan(buf, &v), 0);
                assert_int_equal(v, cases[i].usec);
        }
}

static void utf8_characters(void **state) {
        static const struct {
                const char *text;
                size_t size;
        } cases[] = {
                { "a", 1 },
                { "\x7f", 1 },
                { "\xc2\x80", 2 },
                { "\xdf\xbf", 2 },
                { "\xe0\xa0\x80", 3 },
                { "\xed\x9f\xbf", 3 },
                { "\xee\x80\x80", 3 },
                { "\xf0\x90\x80\x80", 4 },
                { "\xf4\x8f\xbf\xbf", 4 },
                { "\x80", 0 },             /* a continuation alone */
                { "\xc3", 0 },             /* cut short */
                { "\xc3(", 0 },            /* no continuation */
                { "\xc0\xaf", 0 },         /* overlong */
                { "\xe0\x9f\xbf", 0 },     /* overlong */
                { "\xf0\x8f\xbf\xbf", 0 }, /* overlong */
                { "\xed\xa0\x80", 0 },     /* surrogate */
                { "\xf4\x90\x80\x80", 0 }, /* above U+10FFFF */
                { "\xf8\x88\x80\x80", 0 },
                { "\xff", 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                size_t n = strlen(cases[i].text);

                assert_int_equal(utf8_char_size(cases[i].text, n), cases[i].size);
                assert_int_equal(utf8_valid(cases[i].text, n), cases[i].size != 0);
                for (size_t cut = 0; cut < cases[i].size; cut++)
                        assert_int_equal(utf8_char_size(cases[i].text, cut), 0);
        }
        assert_true(utf8_valid("", 0));
        assert_true(utf8_printable("na\xc3\xafve", 6));
        assert_false(utf8_printable("a\nb", 3));
        assert_false(utf8_printable("a\x7f", 2));
        assert_false(utf8_printable("\xc2\x85", 2)); /* NEL */
        assert_true(utf8_printable("\xc2\xa0", 2));
        assert_false(utf8_printable("a\0b", 3));
}

static void utf8_copies(void **state) {
        char buf[6];

        utf8_copy(buf, sizeof(buf), "abcdefgh");
        assert_string_equal(buf, "abcde");
        utf8_copy(buf, sizeof(buf), "abcd\xc3\xa4");
        assert_string_equal(buf, "abcd");
        utf8_copy(buf, sizeof(buf), "abc\xc3\xa4");
        assert_string_equal(buf, "abc\xc3\xa4");
        utf8_copy(buf, sizeof(buf), "\xff\n\xe2\x82");
        assert_string_equal(buf, "????");
        utf8_copy(buf, 1, "abc");
        assert_string_equal(buf, "");
}

static void crc32_vectors(void **state) {
        assert_int_equal(crc32_ieee("", 0), 0);
        assert_int_equal(crc32_ieee("a", 1), 0xE8B7BE43);
        assert_int_equal(crc32_ieee("123456789", 9), 0xCBF43926); /* the check value of the definition */
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(numbers),         cmocka_unit_test(numbers_of_32_bits),
                cmocka_unit_test(timespans),       cmocka_unit_test(timespans_come_back),
                cmocka_unit_test(utf8_characters), cmocka_unit_test(utf8_copies),
                cmocka_unit_test(crc32_vectors),
        };

        return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
