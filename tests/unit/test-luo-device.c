/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device port where there is no LUO: a missing node, nodes that are something else,
 * and names it must refuse by itself. What it does with a real one is the contract
 * (tests/contract, in the VM). One thing the real one does only by chance is done by an
 * ioctl(2) of our own: memory that cannot be moved at once.
 */
#include "sys/luo.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>

#include <cmocka.h>

static unsigned short_of_memory, calls;

int __real_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg);

int __wrap_ioctl(int fd, unsigned long request, void *arg) {
        calls++;
        if (short_of_memory == 0)
                return __real_ioctl(fd, request, arg);
        short_of_memory--;
        errno = ENOMEM;
        return -1;
}

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

static void test_memory_in_the_way(void **state) {
        LuoDevice d;
        Luo l = luo_device(&d, "/dev/null", 0);
        _cleanup_close_ int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

        /* Tried again until something else comes of it... */
        calls = 0;
        short_of_memory = 3;
        assert_int_equal(luo_preserve_fd(&l, fd, fd, 1), -ENOTTY);
        assert_int_equal(calls, 4);
        /* ... but not for ever; and nothing else is. */
        short_of_memory = UINT_MAX;
        assert_int_equal(luo_preserve_fd(&l, fd, fd, 1), -ENOMEM);
        assert_in_range(calls, 6, 100);
        calls = 0;
        assert_int_equal(luo_retrieve_fd(&l, fd, 1, &(int){ -1 }), -ENOMEM);
        assert_int_equal(calls, 1);
        short_of_memory = 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_missing),
                cmocka_unit_test(test_something_else),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_not_a_session),
                cmocka_unit_test(test_memory_in_the_way),
        };

        return cmocka_run_group_tests_name("luo-device", tests, NULL, NULL);
}
