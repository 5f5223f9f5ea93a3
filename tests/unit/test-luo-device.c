/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device port where there is no LUO: a missing node, nodes that are something else,
 * and names it must refuse by itself. What it does with a real one is the contract
 * (tests/contract, in the VM).
 */
#include "sys/luo.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>

#include <cmocka.h>

/* Not even a long patience is spent on a device that is not there. */
static void test_missing(void **state) {
        LuoDevice d;
        Luo l = luo_device(&d, "/dev/no-such-liveupdate", UINT64_MAX);
        int fd = -77;

        assert_int_equal(luo_available(&l), -ENODEV);
        assert_int_equal(luo_create_session(&l, "a", &fd), -ENODEV);
        assert_int_equal(luo_retrieve_session(&l, "a", &fd), -ENODEV);
        assert_int_equal(fd, -77);

        l = luo_device(&d, "/dev/null/liveupdate", 0);
        assert_int_equal(luo_available(&l), -ENODEV);
}

static void test_something_else(void **state) {
        LuoDevice d;
        Luo l = luo_device(&d, "/dev/null", 0);
        int fd = -77;

        assert_int_equal(luo_available(&l), 0);
        assert_int_equal(luo_create_session(&l, "a", &fd), -ENOTTY);
        assert_int_equal(luo_retrieve_session(&l, "a", &fd), -ENOTTY);
        assert_int_equal(fd, -77);

        l = luo_device(&d, "/proc/self/exe", 0);
        assert_int_equal(luo_available(&l), -ENODEV);
}

static void test_names(void **state) {
        LuoDevice d;
        Luo l = luo_device(&d, "/dev/null", 0);
        char name[LUO_NAME_LENGTH + 1] = "";
        int fd;

        /* 63 bytes reach the kernel, 64 do not. */
        memset(name, 'n', LUO_NAME_LENGTH - 1);
        assert_int_equal(luo_create_session(&l, name, &fd), -ENOTTY);
        name[LUO_NAME_LENGTH - 1] = 'n';
        assert_int_equal(luo_create_session(&l, name, &fd), -EINVAL);
        assert_int_equal(luo_retrieve_session(&l, name, &fd), -EINVAL);
}

static void test_not_a_session(void **state) {
        LuoDevice d;
        Luo l = luo_device(&d, NULL, 0);
        _cleanup_close_ int m = memfd_create("test", MFD_CLOEXEC);
        char name[LUO_NAME_LENGTH] = "untouched";
        int fd = -77;

        assert_string_equal(d.path, LUO_DEVICE_PATH);
        assert_true(m >= 0);
        assert_int_equal(luo_preserve_fd(&l, m, m, 1), -ENOTTY);
        assert_int_equal(luo_retrieve_fd(&l, m, 1, &fd), -ENOTTY);
        assert_int_equal(luo_finish(&l, m), -ENOTTY);
        assert_int_equal(luo_get_name(&l, m, name), -ENOTTY);
        assert_int_equal(luo_finish(&l, -1), -EBADF);
        assert_int_equal(fd, -77);
        assert_string_equal(name, "untouched");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_missing),
                cmocka_unit_test(test_something_else),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_not_a_session),
        };

        return cmocka_run_group_tests_name("luo-device", tests, NULL, NULL);
}
