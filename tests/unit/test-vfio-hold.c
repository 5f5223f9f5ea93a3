/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Holding a device, on files in a directory made for each test. A directory binds no
 * driver: what is written where is looked at, and what is put back when that is found out.
 */
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/fd.h"
#include "sys/vfio-hold.h"

#define DEVICE "sys/bus/pci/devices/0000:01:00.0"

static const Address card = { 0, 1, 0, 0 };
static char root[64];
static int root_fd;

static void make_dirs(const char *path) {
        char part[256];

        for (const char *slash = strchr(path, '/');; slash = strchr(slash + 1, '/')) {
                (void)snprintf(part, sizeof(part), "%.*s", slash ? (int)(slash - path) : (int)strlen(path), path);
                assert_true(mkdirat(root_fd, part, 0700) == 0 || errno == EEXIST);
                if (!slash)
                        return;
        }
}

static void put(const char *path, const char *text) {
        _cleanup_close_ int fd = openat(root_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static void expect(const char *path, const char *want) {
        _cleanup_free_ char *text = NULL;

        assert_int_equal(file_read_at(root_fd, path, 4096, &text, NULL), 0);
        assert_string_equal(text, want);
}

static void bind_to(const char *driver) {
        char path[256];

        (void)snprintf(path, sizeof(path), "sys/bus/pci/drivers/%s", driver);
        make_dirs(path);
        (void)snprintf(path, sizeof(path), "sys/bus/pci/drivers/%s/unbind", driver);
        put(path, "");
        (void)unlinkat(root_fd, DEVICE "/driver", 0);
        (void)snprintf(path, sizeof(path), "../../drivers/%s", driver);
        assert_int_equal(symlinkat(path, root_fd, DEVICE "/driver"), 0);
}

static int make_root(void **state) {
        (void)snprintf(root, sizeof(root), "/tmp/test-hold-XXXXXX");
        if (!mkdtemp(root))
                return -1;
        root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        make_dirs(DEVICE);
        put(DEVICE "/driver_override", "(null)\n");
        put("sys/bus/pci/drivers_probe", "");
        return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static int remove_root(void **state) {
        root_fd = fd_close(root_fd);
        return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int bind_card(bool rebind, HoldDriver *ret, Refusal *why) {
        HoldReal real;
        HoldPort p = hold_real(&real, root);

        return p.ops->bind(p.self, card, rebind, ret, why);
}

static void test_no_device(void **state) {
        HoldReal real;
        HoldPort p = hold_real(&real, root);
        HoldDriver d;
        Refusal why;
        int fd;

        assert_true(p.ops->bind(p.self, (Address){ 0, 2, 0, 0 }, false, &d, &why) < 0);
        assert_int_equal(why.reason, REASON_NO_SUCH_DEVICE);
        assert_true(p.ops->open(p.self, (Address){ 0, 2, 0, 0 }, &fd, &why) < 0);
        assert_int_equal(why.reason, REASON_NO_SUCH_DEVICE);
}

/* A VFIO driver, vfio-pci or a variant, stays. */
static void test_bound_already(void **state) {
        HoldDriver d = {};
        Refusal why;

        bind_to("mlx5_vfio_pci");
        assert_int_equal(bind_card(false, &d, &why), 0);
        assert_false(d.changed);
        expect(DEVICE "/driver_override", "(null)\n");
        expect("sys/bus/pci/drivers_probe", "");
}

static void test_in_use(void **state) {
        HoldDriver d = {};
        Refusal why;

        bind_to("e1000e");
        assert_true(bind_card(false, &d, &why) < 0);
        assert_int_equal(why.reason, REASON_DRIVER_IN_USE);
        assert_string_equal(why.subject, "0000:01:00.0");
        assert_string_equal(why.detail, "e1000e");
        expect(DEVICE "/driver_override", "(null)\n");
        expect("sys/bus/pci/drivers/e1000e/unbind", "");
}

/* It did not bind: the override is taken back, and the driver that was there asked again. */
static void test_does_not_bind(void **state) {
        HoldDriver d = {};
        Refusal why;

        bind_to("e1000e");
        put(DEVICE "/driver_override", "some-driver\n");
        assert_true(bind_card(true, &d, &why) < 0);
        assert_int_equal(why.reason, REASON_NOT_VFIO_DRIVER);
        assert_false(d.changed);
        expect("sys/bus/pci/drivers/e1000e/unbind", "0000:01:00.0");
        expect("sys/bus/pci/drivers_probe", "0000:01:00.0");
        /* Files are not cut short by sysfs's writers: the shorter text over the longer one. */
        _cleanup_free_ char *text = NULL;
        assert_int_equal(file_read_at(root_fd, DEVICE "/driver_override", 4096, &text, NULL), 0);
        assert_int_equal(strncmp(text, "some-driver\n", 12), 0);
}

static void test_unbind(void **state) {
        HoldReal real;
        HoldPort p = hold_real(&real, root);
        HoldDriver before = { .changed = true, .driver = "e1000e" };

        bind_to("vfio-pci");
        put(DEVICE "/driver_override", "");
        p.ops->unbind(p.self, card, &before);
        expect("sys/bus/pci/drivers/vfio-pci/unbind", "0000:01:00.0");
        expect(DEVICE "/driver_override", "\n");
        expect("sys/bus/pci/drivers_probe", "0000:01:00.0");
        /* What was not changed is not put back. */
        put("sys/bus/pci/drivers/vfio-pci/unbind", "");
        before.changed = false;
        p.ops->unbind(p.self, card, &before);
        expect("sys/bus/pci/drivers/vfio-pci/unbind", "");
}

static void test_open(void **state) {
        HoldReal real;
        HoldPort p = hold_real(&real, root);
        Refusal why;
        int fd = -1;

        assert_true(p.ops->open(p.self, card, &fd, &why) < 0);
        assert_int_equal(why.reason, REASON_NO_VFIO_CDEV);
        make_dirs(DEVICE "/vfio-dev/vfio3"); /* without a node: VFIO's groups alone */
        assert_true(p.ops->open(p.self, card, &fd, &why) < 0);
        assert_int_equal(why.reason, REASON_NO_VFIO_CDEV);
        put(DEVICE "/vfio-dev/vfio3/dev", "511:3\n");
        assert_int_equal(p.ops->open(p.self, card, &fd, &why), -ENOENT);
        make_dirs("dev/vfio/devices");
        put("dev/vfio/devices/vfio3", "the node");
        assert_int_equal(p.ops->open(p.self, card, &fd, &why), 0);
        char text[16] = "";
        assert_int_equal(read(fd, text, sizeof(text) - 1), 8);
        assert_string_equal(text, "the node");
        fd_close(fd);
}

/* A file is no VFIO device: the refusal names the step. */
static void test_attach(void **state) {
        HoldReal real;
        HoldPort p = hold_real(&real, root);
        int iommu = -1;
        Refusal why;

        make_dirs("dev");
        put("dev/iommu", "");
        _cleanup_close_ int fd = openat(root_fd, "dev/iommu", O_RDWR | O_CLOEXEC);
        assert_int_equal(p.ops->attach(p.self, card, fd, &iommu, &why), -ENOTTY);
        assert_non_null(strstr(why.detail, "BIND_IOMMUFD"));
        assert_int_equal(iommu, -1);
        assert_int_equal(unlinkat(root_fd, "dev/iommu", 0), 0);
        assert_int_equal(p.ops->attach(p.self, card, fd, &iommu, &why), -ENOENT);
}

#define test(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)

int main(void) {
        const struct CMUnitTest tests[] = {
                test(test_no_device), test(test_bound_already), test(test_in_use), test(test_does_not_bind),
                test(test_unbind),    test(test_open),          test(test_attach),
        };

        return cmocka_run_group_tests_name("vfio-hold", tests, NULL, NULL);
}
