/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/fd.h"
#include "core/config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void config_donep(Config *c) {
        config_done(c);
}
#define _cleanup_config_ _cleanup_(config_donep)

typedef struct Warnings {
        size_t n;
        char first[1024], last[1024];
} Warnings;

static void on_warning(void *userdata, const char *message) {
        Warnings *w = userdata;

        if (w->n++ == 0)
                (void)snprintf(w->first, sizeof(w->first), "%s", message);
        (void)snprintf(w->last, sizeof(w->last), "%s", message);
}

static Warnings parse(Config *c, const char *text) {
        Warnings w = {};

        assert_int_equal(config_parse(c, "test.conf", text, strlen(text), on_warning, &w), 0);
        return w;
}

static void no_warning(Config *c, const char *text) {
        Warnings w = parse(c, text);

        if (w.n > 0)
                fail_msg("unexpected warning: %s", w.first);
}

static void defaults(void **state) {
        _cleanup_config_ Config c;

        assert_int_equal(config_init(&c), 0);
        assert_int_equal(c.prepare_timeout_usec, 300 * USEC_PER_SEC);
        assert_int_equal(c.freeze_timeout_usec, 30 * USEC_PER_SEC);
        assert_int_equal(c.sync_timeout_usec, 30 * USEC_PER_SEC);
        assert_int_equal(c.finish_timeout_usec, 3600 * USEC_PER_SEC);
        assert_null(c.kexec_kernel);
        assert_null(c.kexec_initrd);
        assert_null(c.kexec_command_line);
        assert_null(c.kexec_append);
        assert_string_equal(c.luo_device, "/dev/liveupdate");
        assert_int_equal(c.luo_busy_usec, 10 * USEC_PER_SEC);
        assert_true(c.luo_shim);
        assert_int_equal(c.limit_sessions, 4096);
        assert_int_equal(c.limit_files, 65536);
        assert_int_equal(c.limit_participants, 1024);
        assert_int_equal(c.limit_jobs, 64);
}

static void a_whole_file(void **state) {
        _cleanup_config_ Config c;

        assert_int_equal(config_init(&c), 0);
        no_warning(&c,
                   "\xEF\xBB\xBF# comment = no\n; neither = this\n\n"
                   "[Update]\r\nPrepareTimeoutSec = 2min\r\nFreezeTimeoutSec=500ms\n  SyncTimeoutSec=7\n"
                   "FinishTimeoutSec=infinity\n"
                   "[Kexec]\nKernel=/boot/vmlinuz\nInitrd=/boot/initrd with space\nCommandLine=root=/dev/vda ro a:b\n"
                   "AppendCommandLine=quiet;x\n"
                   "[Luo]\nDevice=/dev/x\nBusyTimeoutSec=0\nShim=no\n"
                   "[Limits]\nSessions=1\nFilesPerSession=524288\nParticipants=2\nJobs=3");
        assert_int_equal(c.prepare_timeout_usec, 120 * USEC_PER_SEC);
        assert_int_equal(c.freeze_timeout_usec, 500 * USEC_PER_MSEC);
        assert_int_equal(c.sync_timeout_usec, 7 * USEC_PER_SEC);
        assert_int_equal(c.finish_timeout_usec, CONFIG_FOREVER);
        assert_string_equal(c.kexec_kernel, "/boot/vmlinuz");
        assert_string_equal(c.kexec_initrd, "/boot/initrd with space");
        assert_string_equal(c.kexec_command_line, "root=/dev/vda ro a:b");
        assert_string_equal(c.kexec_append, "quiet;x");
        assert_string_equal(c.luo_device, "/dev/x");
        assert_int_equal(c.luo_busy_usec, 0);
        assert_false(c.luo_shim);
        assert_int_equal(c.limit_sessions, 1);
        assert_int_equal(c.limit_files, 524288);
        assert_int_equal(c.limit_participants, 2);
        assert_int_equal(c.limit_jobs, 3);
}

static void later_files_override(void **state) {
        _cleanup_config_ Config c;

        assert_int_equal(config_init(&c), 0);
        no_warning(&c, "[Update]\nPrepareTimeoutSec=1s\nFreezeTimeoutSec=1s\n[Luo]\nDevice=/dev/a\n"
                       "[Kexec]\nCommandLine=one\nCommandLine=two\nKernel=/a\nKernel=/b\n");
        assert_string_equal(c.kexec_command_line, "one two");
        assert_string_equal(c.kexec_kernel, "/b");
        no_warning(&c,
                   "[Update]\nPrepareTimeoutSec=2s\nFreezeTimeoutSec=\n[Luo]\nDevice=\n[Kexec]\nCommandLine=three\n");
        assert_int_equal(c.prepare_timeout_usec, 2 * USEC_PER_SEC);
        assert_int_equal(c.freeze_timeout_usec, 30 * USEC_PER_SEC); /* the default is back */
        assert_string_equal(c.luo_device, "/dev/liveupdate");
        assert_string_equal(c.kexec_command_line, "three");
        no_warning(&c, "[Kexec]\nCommandLine=four\nCommandLine=\nCommandLine=five\nKernel=\n");
        assert_string_equal(c.kexec_command_line, "five");
        assert_null(c.kexec_kernel);
        no_warning(&c, "[Kexec]\nCommandLine=six\nCommandLine=");
        assert_null(c.kexec_command_line);
}

static void what_is_wrong_is_said(void **state) {
        static const struct {
                const char *text, *message;
        } cases[] = {
                { "[Update]\n\nPrepareTimeout=1",
                  "test.conf:3: unknown key PrepareTimeout= in section [Update]; the line is ignored" },
                { "[update]\nPrepareTimeoutSec=1",
                  "test.conf:2: unknown section [update]; PrepareTimeoutSec= is ignored" },
                { "Jobs=1\n", "test.conf:1: Jobs= stands before the first section; the line is ignored" },
                { "[Update]\nPrepareTimeoutSec=1x", "test.conf:2: PrepareTimeoutSec=1x is not a time span such as "
                                                    "500ms, 30s, 2min or infinity; the line is ignored" },
                { "[Update]\nPrepareTimeoutSec=99999999999d",
                  "test.conf:2: PrepareTimeoutSec=99999999999d is too large; the line is ignored" },
                { "[Update]\nPrepareTimeoutSec=-1", "test.conf:2: PrepareTimeoutSec=-1 is not a time span such as "
                                                    "500ms, 30s, 2min or infinity; the line is ignored" },
                { "[Limits]\nSessions=0", "test.conf:2: Sessions=0 is not between 1 and 65536; the line is ignored" },
                { "[Limits]\nSessions=65537",
                  "test.conf:2: Sessions=65537 is not between 1 and 65536; the line is ignored" },
                { "[Limits]\nSessions=1k", "test.conf:2: Sessions=1k is not a decimal number; the line is ignored" },
                { "[Limits]\nSessions=010", "test.conf:2: Sessions=010 is not a decimal number; the line is ignored" },
                { "[Kexec]\nKernel=vmlinuz",
                  "test.conf:2: Kernel=vmlinuz is not an absolute path; the line is ignored" },
                { "[Kexec]\nCommandLine=a\x01"
                  "b",
                  "test.conf:2: CommandLine=a?b is not printable UTF-8 text; the line is ignored" },
                { "[Kexec\nKernel=/x", "test.conf:1: a section is written as [Name]; the line is ignored" },
                { "[Kexec] x\n", "test.conf:1: a section is written as [Name]; the line is ignored" },
                { "[", "test.conf:1: a section is written as [Name]; the line is ignored" },
                { "[Kexec]\nKernel", "test.conf:2: a setting is written as Key=value; the line is ignored" },
                { "[Kexec]\n=x", "test.conf:2: a setting is written as Key=value; the line is ignored" },
                { "[Kexec]\nCommandLine=a ; b", "test.conf:2: a ';' after a space is not possible; write comments in "
                                                "lines of their own; the line is ignored" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_config_ Config c;

                assert_int_equal(config_init(&c), 0);
                Warnings w = parse(&c, cases[i].text);
                assert_true(w.n >= 1);
                assert_string_equal(w.first, cases[i].message);
                /* Nothing was changed. */
                assert_int_equal(c.prepare_timeout_usec, 300 * USEC_PER_SEC);
                assert_int_equal(c.limit_sessions, 4096);
                assert_int_equal(c.limit_jobs, 64);
                assert_null(c.kexec_kernel);
                assert_null(c.kexec_command_line);
        }
}

static void a_bad_line_leaves_the_others(void **state) {
        _cleanup_config_ Config c;

        assert_int_equal(config_init(&c), 0);
        Warnings w = parse(&c, "[Limits]\nJobs=5\nJobs=many\nSessions\nParticipants=6\n");
        assert_int_equal(w.n, 2);
        assert_int_equal(c.limit_jobs, 5);
        assert_int_equal(c.limit_participants, 6);
        /* Nobody listens. */
        assert_int_equal(config_parse(&c, "x", "junk\n", 5, NULL, NULL), 0);
}

/* inih's buffer has 200 bytes (or what its builder chose); what does not fit must not
 * come out cut, nor its rest as a line of its own. */
static void long_lines(void **state) {
        for (size_t n = 150; n < 1000; n++) {
                _cleanup_config_ Config c;
                char text[1100];
                Warnings w;

                assert_int_equal(config_init(&c), 0);
                int at = snprintf(text, sizeof(text), "[Kexec]\nCommandLine=");
                memset(text + at, 'x', n);
                memcpy(text + at + n - 8, "[Limits]", 8);
                (void)snprintf(text + at + n, sizeof(text) - (size_t)at - n, "\nAppendCommandLine=after\n");
                w = parse(&c, text);
                assert_string_equal(c.kexec_append, "after");
                if (w.n == 0) {
                        assert_int_equal(strlen(c.kexec_command_line), n);
                } else {
                        assert_int_equal(w.n, 1);
                        assert_true(strlen("CommandLine=") + n > 198);
                        assert_non_null(strstr(w.first, "test.conf:2: the line is too long ("));
                        assert_null(c.kexec_command_line);
                }
        }
}

static void long_comments_and_values(void **state) {
        _cleanup_config_ Config c;
        char text[2000];

        assert_int_equal(config_init(&c), 0);
        memset(text, 'c', sizeof(text));
        text[0] = '#';
        memcpy(text + sizeof(text) - 17, "\n[Limits]\nJobs=9\n", 17);
        assert_int_equal(config_parse(&c, "x", text, sizeof(text), NULL, NULL), 0);
        assert_int_equal(c.limit_jobs, 9);

        /* Lines add up, but not without end. */
        Warnings w = {};
        for (int files = 0; files < 2; files++) {
                char many[64 * 110 + 16] = "[Kexec]\n";

                for (int i = 0; i < 64; i++) {
                        char line[128];
                        (void)snprintf(line, sizeof(line), "CommandLine=%090d\n", i);
                        strcat(many, line);
                }
                w = parse(&c, many);
        }
        assert_true(w.n > 0);
        assert_non_null(strstr(w.last, "is too large"));
        assert_true(strlen(c.kexec_command_line) <= 4096 && strlen(c.kexec_command_line) > 3900);
}

static void nul_bytes(void **state) {
        static const char text[] = "[Limits]\nJobs=7\0\nParticipants=8\n";
        _cleanup_config_ Config c;
        Warnings w = {};

        assert_int_equal(config_init(&c), 0);
        assert_int_equal(config_parse(&c, "n.conf", text, sizeof(text) - 1, on_warning, &w), 0);
        assert_int_equal(w.n, 1);
        assert_string_equal(w.first, "n.conf:2: the line contains a NUL byte; the line is ignored");
        assert_int_equal(c.limit_jobs, 64);
        assert_int_equal(c.limit_participants, 8);
}

static void forever_can_be_added(void **state) {
        assert_int_equal(config_deadline(1000, 5), 1005);
        assert_int_equal(config_deadline(1000, CONFIG_FOREVER), UINT64_MAX);
        assert_true(UINT64_C(1) << 60 < (UINT64_C(1) << 60) + CONFIG_FOREVER);
}

/* The example file has every key, in its section, with its default, and no other. */
static void the_example_matches_the_table(void **state) {
        _cleanup_free_ char *text = NULL;
        char section[64] = "";
        size_t n_keys, found = 0;
        const ConfigKey *keys = config_keys(&n_keys);

        assert_int_equal(file_read_at(AT_FDCWD, SOURCE_ROOT "/conf/liveupdated.conf", 1 << 20, &text, NULL), 0);
        for (char *save, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                char name[64], value[64] = "";

                if (sscanf(line, "[%63[^]]]", section) == 1)
                        continue;
                assert_int_equal(line[0], '#');
                if (line[1] == ' ' || line[1] == '\0')
                        continue;
                assert_true(sscanf(line, "#%63[A-Za-z]=%63[^\n]", name, value) >= 1);
                assert_true(found < n_keys);
                assert_string_equal(section, keys[found].section);
                assert_string_equal(name, keys[found].name);
                assert_string_equal(value, keys[found].fallback);
                found++;
        }
        assert_int_equal(found, n_keys);
}

/* With the '#' taken away it still says the defaults, without a warning. */
static void the_example_is_the_defaults(void **state) {
        _cleanup_config_ Config c, plain;
        _cleanup_free_ char *text = NULL;

        assert_int_equal(config_init(&c), 0);
        assert_int_equal(config_init(&plain), 0);
        assert_int_equal(file_read_at(AT_FDCWD, SOURCE_ROOT "/conf/liveupdated.conf", 1 << 20, &text, NULL), 0);
        no_warning(&c, text);
        for (char *p = text; (p = strchr(p, '#')); p++)
                if (p[1] >= 'A' && p[1] <= 'Z')
                        *p = ' ';
        no_warning(&c, text);
        assert_string_equal(c.luo_device, plain.luo_device);
        free(c.luo_device);
        c.luo_device = plain.luo_device;
        assert_memory_equal(&c, &plain, sizeof(c));
        c.luo_device = NULL;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(defaults),
                cmocka_unit_test(a_whole_file),
                cmocka_unit_test(later_files_override),
                cmocka_unit_test(what_is_wrong_is_said),
                cmocka_unit_test(a_bad_line_leaves_the_others),
                cmocka_unit_test(long_lines),
                cmocka_unit_test(long_comments_and_values),
                cmocka_unit_test(nul_bytes),
                cmocka_unit_test(forever_can_be_added),
                cmocka_unit_test(the_example_matches_the_table),
                cmocka_unit_test(the_example_is_the_defaults),
        };

        return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
