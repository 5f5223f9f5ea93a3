/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which modules with handlers are loaded, in what order, and what is said of each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/log.h"
#include "sys/handlers.h"

static char asked[256], said[1024];
static int last_priority;

/* "no…" is not there, "bad…" fails, "old…" was there. */
static int fake_load(const char *name) {
        (void)strncat(asked, name, sizeof(asked) - strlen(asked) - 1);
        (void)strncat(asked, ",", sizeof(asked) - strlen(asked) - 1);
        return strncmp(name, "no", 2) == 0    ? -ENOENT
               : strncmp(name, "bad", 3) == 0 ? -ENOEXEC
               : strncmp(name, "old", 3) == 0 ? 0
                                              : 1;
}

static void fake_say(void *userdata, int priority, const char *text) {
        last_priority = priority;
        (void)strncat(said, text, sizeof(said) - strlen(said) - 1);
}

static unsigned load(const char *settings) {
        Config c;

        *asked = *said = '\0';
        assert_int_equal(config_init(&c), 0);
        assert_int_equal(config_parse(&c, "test.conf", settings, strlen(settings), NULL, NULL), 0);
        unsigned n = handlers_load(&c, fake_load, fake_say, NULL);
        config_done(&c);
        return n;
}

static void test_default(void **state) {
        assert_int_equal(load(""), 0);
        assert_string_equal(asked, "liveupdate_vfio,");
        assert_int_equal(last_priority, LOG_PRI_INFO);
        assert_non_null(strstr(said, "The kernel module liveupdate_vfio is loaded ("));
}

static void test_none(void **state) {
        assert_int_equal(load("[Luo]\nShim=no\n"), 0);
        assert_string_equal(asked, "");
        assert_string_equal(said, "");
}

static void test_others(void **state) {
        assert_int_equal(load("[Luo]\nShim=no\nModules=old_one  new_one\nModules=third\n"), 0);
        assert_string_equal(asked, "old_one,new_one,third,");
        assert_null(strstr(said, "old_one"));
        assert_non_null(strstr(said, "new_one is loaded"));
}

/* One that fails does not keep the next from being loaded. */
static void test_failures(void **state) {
        assert_int_equal(load("[Luo]\nModules=nothing good\n"), 1);
        assert_string_equal(asked, "liveupdate_vfio,nothing,good,");
        assert_non_null(strstr(said, "There is no kernel module nothing "));
        assert_int_equal(load("[Luo]\nShim=no\nModules=bad nothing\n"), 2);
        assert_non_null(strstr(said, "The kernel module bad does not load (Exec format error): the files"));
        assert_int_equal(last_priority, LOG_PRI_NOTICE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_default),
                cmocka_unit_test(test_none),
                cmocka_unit_test(test_others),
                cmocka_unit_test(test_failures),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
