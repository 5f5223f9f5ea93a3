/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/cmdline.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_finalize(void **state) {
        static const struct {
                const char *requested, *final;
        } rows[] = {
                { "", "kho=on liveupdate=on" },
                { "  ", "kho=on liveupdate=on  " },
                { "quiet", "quiet kho=on liveupdate=on" },
                { "kho=on liveupdate=on", "kho=on liveupdate=on" },
                { "kho=1 liveupdate=yes quiet", "kho=1 liveupdate=yes quiet" },
                { "kho=off liveupdate=on", "kho=off liveupdate=on kho=on" },
                { "kho=off kho=on liveupdate=on", "kho=off kho=on liveupdate=on" },
                { "kho=on kho=off liveupdate=0", "kho=on kho=off liveupdate=0 kho=on liveupdate=on" },
                /* What kstrtobool() does not understand changes nothing. */
                { "kho=on kho= kho kho=x kho=ox liveupdate=on", "kho=on kho= kho kho=x kho=ox liveupdate=on" },
                { "kho=\"on\" \"liveupdate=on\"", "kho=\"on\" \"liveupdate=on\"" },
                { "kho=\"off\" \"liveupdate=off\"", "kho=\"off\" \"liveupdate=off\" kho=on liveupdate=on" },
                { "xkho=on kho.x=on liveupdate=on", "xkho=on kho.x=on liveupdate=on kho=on" },
                /* What follows "--" is for init. */
                { "quiet -- kho=on liveupdate=on", "quiet kho=on liveupdate=on -- kho=on liveupdate=on" },
                { "-- x", "kho=on liveupdate=on -- x" },
                { "a \"--\" x", "a kho=on liveupdate=on \"--\" x" },
                { "a=\"b -- c\" d", "a=\"b -- c\" d kho=on liveupdate=on" },
                { "--a -- b", "--a kho=on liveupdate=on -- b" },
                { "--=1 x", "--=1 x kho=on liveupdate=on" },
                { "a --  \"b", "a kho=on liveupdate=on --  \"b" },
                { "a=\"kho=on liveupdate=on\"", "a=\"kho=on liveupdate=on\" kho=on liveupdate=on" },
                /* Order, gaps and tabs are kept. */
                { "b=2\t a=1   b=2 ", "b=2\t a=1   b=2 kho=on liveupdate=on " },
                { "dyndbg=\"file drivers/usb/* +p\" q", "dyndbg=\"file drivers/usb/* +p\" q kho=on liveupdate=on" },
                { "name=\303\251t\303\251", "name=\303\251t\303\251 kho=on liveupdate=on" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_free_ char *final = NULL, *again = NULL;

                assert_int_equal(cmdline_finalize(rows[i].requested, 0, &final, NULL), 0);
                assert_string_equal(final, rows[i].final);
                /* Chained updates do not grow the line. */
                assert_int_equal(cmdline_finalize(final, 0, &again, NULL), 0);
                assert_string_equal(again, final);
        }
}

static void test_invalid(void **state) {
        static const char *const rows[] = { "a\nb", "a\n", "a\x01", "\x7f", "a=\"b", "\"", "a -- b\nc", "x\"y z" };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                char *final = NULL;
                Refusal why = {};

                assert_int_equal(cmdline_finalize(rows[i], 0, &final, &why), reason_errno(REASON_CMDLINE_INVALID));
                assert_int_equal(why.reason, REASON_CMDLINE_INVALID);
                assert_true(*why.detail);
                assert_null(final);
        }
}

/* "x…x kho=on liveupdate=on" of exactly size bytes. */
static void requested_for(size_t size, char *buf) {
        size_t n = size - strlen(" kho=on liveupdate=on");

        memset(buf, 'x', n);
        buf[n] = '\0';
}

static void test_length(void **state) {
        static const struct {
                uint32_t cmdline_size;
                size_t limit;
        } rows[] = { { 0, 2016 }, { 2047, 2016 }, { 4095, 2016 }, { 255, 224 } };
        char buf[4096];

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_free_ char *final = NULL;
                char *none = NULL;
                Refusal why = {};

                requested_for(rows[i].limit, buf);
                assert_int_equal(cmdline_finalize(buf, rows[i].cmdline_size, &final, NULL), 0);
                assert_int_equal(strlen(final), rows[i].limit);
                requested_for(rows[i].limit + 1, buf);
                assert_int_equal(cmdline_finalize(buf, rows[i].cmdline_size, &none, &why),
                                 reason_errno(REASON_CMDLINE_TOO_LONG));
                assert_int_equal(why.reason, REASON_CMDLINE_TOO_LONG);
                assert_null(none);
        }
        char *none = NULL;
        assert_int_equal(cmdline_finalize("", 31, &none, NULL), reason_errno(REASON_CMDLINE_TOO_LONG));
}

static void test_strip_boot(void **state) {
        static const struct {
                const char *running, *stripped;
        } rows[] = {
                { "", "" },
                { "BOOT_IMAGE=/vmlinuz-7.3.4 root=/dev/vda1 ro", "root=/dev/vda1 ro" },
                { "root=/dev/vda1 initrd=\\initrd.img quiet", "root=/dev/vda1 quiet" },
                { "initrd=a BOOT_IMAGE=b", "" },
                { "quiet initrd=a", "quiet" },
                { "a  b   BOOT_IMAGE=x  c", "a  b   c" },
                { "xBOOT_IMAGE=1 initrd_x=2 BOOT_IMAGE initrd rd.initrd=3",
                  "xBOOT_IMAGE=1 initrd_x=2 BOOT_IMAGE initrd rd.initrd=3" },
                { "a=\"b initrd=c\" d", "a=\"b initrd=c\" d" },
                { "initrd=\"a b\" c", "c" },
                { "a -- initrd=x", "a -- initrd=x" },
                { "BOOT_IMAGE=x -- y", "-- y" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_free_ char *stripped = NULL;

                assert_int_equal(cmdline_strip_boot(rows[i].running, &stripped), 0);
                assert_string_equal(stripped, rows[i].stripped);
        }
}

static void test_append(void **state) {
        static const struct {
                const char *base, *extra, *result;
        } rows[] = {
                { "", "", "" },
                { "a", "", "a" },
                { "", "a", "a" },
                { "a b", "c=1 d", "a b c=1 d" },
                { "a -- init", "c=1", "a c=1 -- init" },
                { "-- init", "c=1", "c=1 -- init" },
                { "a c=1 b", "c=1", "a c=1 b" },
                { "luvm.stage=2", "luvm.stage=3", "luvm.stage=2 luvm.stage=3" },
                { "x=1 x=0", "x=1", "x=1 x=0 x=1" },
                { "x=1 x=0 x=1", "x=1", "x=1 x=0 x=1" },
                { "console=tty0 console=ttyS0 q", "console=tty0 console=ttyS0", "console=tty0 console=ttyS0 q" },
                { "console=ttyS0 console=tty0", "console=tty0 console=ttyS0",
                  "console=ttyS0 console=tty0 console=tty0 console=ttyS0" },
                { "a -- c=1", "c=1", "a c=1 -- c=1" },
                { "a", "b -- c", "a b" },
                { "q", "x=\"1 2\"", "q x=\"1 2\"" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_free_ char *result = NULL, *again = NULL;

                assert_int_equal(cmdline_append(rows[i].base, rows[i].extra, &result), 0);
                assert_string_equal(result, rows[i].result);
                assert_int_equal(cmdline_append(result, rows[i].extra, &again), 0);
                assert_string_equal(again, result);
        }
        char *none = NULL;
        char longest[CMDLINE_SIZE_X86 + 2];
        memset(longest, 'x', sizeof(longest) - 1);
        longest[sizeof(longest) - 1] = '\0';
        assert_int_equal(cmdline_append(longest, "a", &none), -E2BIG);
        assert_int_equal(cmdline_append("a", longest, &none), -E2BIG);
}

static void test_switch(void **state) {
        assert_int_equal(cmdline_switch("", "kho"), -ENOENT);
        assert_int_equal(cmdline_switch("kho", "kho"), -ENOENT);
        assert_int_equal(cmdline_switch("kho=on", "kho"), 1);
        assert_int_equal(cmdline_switch("kho=OFF", "kho"), 0);
        assert_int_equal(cmdline_switch("kho=on kho=n", "kho"), 0);
        assert_int_equal(cmdline_switch("kho=0 -- kho=1", "kho"), 0);
        assert_int_equal(cmdline_switch("=kho kho=true", "kho"), 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_finalize),   cmocka_unit_test(test_invalid), cmocka_unit_test(test_length),
                cmocka_unit_test(test_strip_boot), cmocka_unit_test(test_append),  cmocka_unit_test(test_switch),
        };

        return cmocka_run_group_tests_name("cmdline", tests, NULL, NULL);
}
