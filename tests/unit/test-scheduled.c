/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/fd.h"
#include "sys/scheduled.h"

static char root[] = "/tmp/test-scheduled-XXXXXX";

/* Below the root, from the top. */
static const char *const directories[] = { "run", "run/systemd", "run/systemd/shutdown" };
#define FILE_NAME "run/systemd/shutdown/scheduled"

static int set_up(void **state) {
        if (!mkdtemp(root))
                return -1;
        _cleanup_close_ int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        for (size_t i = 0; i < ELEMENTSOF(directories); i++)
                if (mkdirat(fd, directories[i], 0755) < 0)
                        return -1;
        return 0;
}

static int tear_down(void **state) {
        _cleanup_close_ int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

        (void)unlinkat(fd, FILE_NAME, 0);
        for (size_t i = ELEMENTSOF(directories); i-- > 0;)
                (void)unlinkat(fd, directories[i], AT_REMOVEDIR);
        return rmdir(root);
}

static void test_texts(void **state) {
        static const struct {
                const char *text, *mode;
                int want;
                uint64_t usec;
        } cases[] = {
                { "USEC=1795264087000000\nWARN_WALL=1\nMODE=reboot\n", "reboot", 1, 1795264087000000 },
                { "USEC=7\nWARN_WALL=1\nMODE=poweroff\nUID=0\nTTY=pts/0\nWALL_MESSAGE=bye\n", "poweroff", 1, 7 },
                { "USEC=7\nMODE=reboot\nDRY_RUN=1\n", NULL, 0, 0 },
                { "USEC=7\nMODE=dry-reboot\n", NULL, 0, 0 },
                { "USEC=x\nMODE=reboot\n", NULL, -EBADMSG, 0 },
                { "MODE=reboot\n", NULL, -EBADMSG, 0 },
                { "USEC=7\n", NULL, -EBADMSG, 0 },
                { "", NULL, -EBADMSG, 0 },
        };
        _cleanup_close_ int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        char mode[SCHEDULED_MODE_SIZE];
        uint64_t usec = 0;

        assert_int_equal(scheduled_read(root, mode, &usec), 0);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                assert_int_equal(file_write_atomic_at(fd, FILE_NAME, cases[i].text, strlen(cases[i].text)), 0);
                assert_int_equal(scheduled_read(root, mode, &usec), cases[i].want);
                if (cases[i].want <= 0)
                        continue;
                assert_string_equal(mode, cases[i].mode);
                assert_int_equal(usec, cases[i].usec);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = { cmocka_unit_test(test_texts) };

        return cmocka_run_group_tests_name("scheduled", tests, set_up, tear_down);
}
