/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that name the clients of the initrd. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/early.h"

static char last[512];
static unsigned n_warnings;

static void on_warning(void *userdata, const char *message) {
        n_warnings++;
        (void)snprintf(last, sizeof(last), "%s", message);
}

static size_t parse(EarlyClients *e, const char *text) {
        n_warnings = 0;
        assert_int_equal(early_parse(e, "test.conf", text, strlen(text), on_warning, NULL), 0);
        return e->n;
}

static void test_clients(void **state) {
        EarlyClients e = {};

        assert_int_equal(
                parse(&e, "[Client]\nSession=vm1\nExec=/bin/vmm  --resume vm1\n[Client]\nExec=/x\nSession=b\n"), 2);
        assert_int_equal(n_warnings, 0);
        assert_string_equal(e.items[0].session, "vm1");
        assert_string_equal(e.items[0].argv[0], "/bin/vmm");
        assert_string_equal(e.items[0].argv[1], "--resume");
        assert_string_equal(e.items[0].argv[2], "vm1");
        assert_null(e.items[0].argv[3]);
        assert_string_equal(e.items[1].session, "b");
        /* Another file adds. */
        assert_int_equal(parse(&e, "[Client]\nSession=c\nExec=/x\n"), 3);
        early_done(&e);
}

static void refuses(const char *text, const char *why) {
        EarlyClients e = {};

        assert_int_equal(parse(&e, text), 0);
        assert_true(n_warnings >= 1);
        if (!strstr(last, why))
                fail_msg("%s, not %s", last, why);
        early_done(&e);
}

static void test_mistakes(void **state) {
        refuses("[Client]\nSession=a\n", "needs both");
        refuses("[Client]\nExec=/a\n", "needs both");
        refuses("[Client]\nSession=a/b\nExec=/a\n", "not the name of a session");
        refuses("[Client]\nSession=a\nExec=a b\n", "not an absolute path");
        refuses("[Client]\nSession=a\nExec=/a\nWhat=1\n", "unknown key");
        refuses("[Service]\nSession=a\n", "[Client]");
        refuses("Session=a\n", "[Client]");
}

static void test_double(void **state) {
        EarlyClients e = {};

        assert_int_equal(parse(&e, "[Client]\nSession=a\nExec=/a\n[Client]\nSession=a\nExec=/b\n"), 1);
        assert_int_equal(n_warnings, 1);
        assert_string_equal(e.items[0].argv[0], "/a");
        early_done(&e);
}

static void test_too_many_arguments(void **state) {
        char text[1024] = "[Client]\nSession=a\nExec=/a";

        for (unsigned i = 0; i < EARLY_ARGUMENTS_MAX; i++)
                strcat(text, " x");
        refuses(text, "too many arguments");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_clients),
                cmocka_unit_test(test_mistakes),
                cmocka_unit_test(test_double),
                cmocka_unit_test(test_too_many_arguments),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
