/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What kind of file a descriptor is, as LUO will see it. */
#include "sys/fd-kind.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/macro.h"

static void is(int fd, const char *kind) {
        assert_true(fd >= 0);
        assert_string_equal(fd_kind(fd), kind);
        close(fd);
}

static void memfd_by_name(_unused_ void **state) {
        is(memfd_create("vm", MFD_CLOEXEC), "memfd");
        is(memfd_create("vm", MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd");
        is(memfd_create("", MFD_CLOEXEC), "memfd");
}

/* What LUO gives back is a memfd whose name in /proc does not say so. */
static void memfd_without_its_name(_unused_ void **state) {
        int fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

        is(fd, "memfd");
}

static void named_file_is_none(_unused_ void **state) {
        char path[] = "/dev/shm/test-fd-kind-XXXXXX";
        int fd = mkstemp(path);

        assert_true(fd >= 0);
        assert_string_equal(fd_kind(fd), "other");
        assert_int_equal(unlink(path), 0);
        is(fd, "memfd");
}

static void others(_unused_ void **state) {
        int fds[2];

        is(open("/dev/null", O_RDWR | O_CLOEXEC), "other");
        is(open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "other");
        is(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), "other");
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        is(fds[0], "other");
        is(fds[1], "other");
        assert_string_equal(fd_kind(-1), "other");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(memfd_by_name),
                cmocka_unit_test(memfd_without_its_name),
                cmocka_unit_test(named_file_is_none),
                cmocka_unit_test(others),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
