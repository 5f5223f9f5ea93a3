/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What needs no VFs and no rights; the rest is the VM case "netlink". */
#include "sys/links.h"

#include "common/fd.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

static const Address pf = { .domain = 0, .bus = 3, .slot = 0, .function = 1 };

static int remove_root(void **state) {
        char command[64];

        (void)snprintf(command, sizeof(command), "rm -rf '%s'", (char *)*state);
        int r = system(command);
        free(*state);
        return r;
}

static int make_root(void **state) {
        char *root = strdup("/tmp/test-links-XXXXXX");

        if (!root || !mkdtemp(root))
                return -1;
        *state = root;
        return 0;
}

static void make_path(const char *root, const char *path) {
        char whole[256];

        (void)snprintf(whole, sizeof(whole), "%s/%s", root, path);
        for (char *p = whole + strlen(root) + 1; (p = strchr(p, '/')); p++) {
                *p = '\0';
                (void)mkdir(whole, 0700);
                *p = '/';
        }
}

/* An attribute of an interface of the PF, with its directories. */
static void add(const char *root, const char *interface, const char *name, const char *value) {
        char path[200];

        (void)snprintf(path, sizeof(path), "bus/pci/devices/0000:03:00.1/net/%s/%s", interface, name);
        make_path(root, path);
        _cleanup_close_ int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(dir >= 0);
        assert_int_equal(file_write_atomic_at(dir, path, value, strlen(value)), 0);
}

static void no_interface(void **state) {
        int index = 77;

        assert_int_equal(links_pf_ifindex(*state, pf, &index), -ENODEV);
        assert_int_equal(links_pf_ifindex("/nowhere", pf, &index), -ENODEV);
        make_path(*state, "bus/pci/devices/0000:03:00.1/net/");
        assert_int_equal(links_pf_ifindex(*state, pf, &index), -ENODEV);
        assert_int_equal(index, 77);
}

static void nonsense(void **state) {
        int index = 77;

        add(*state, "a", "ifindex", "");
        add(*state, "b", "ifindex", "0\n");
        add(*state, "c", "ifindex", "-3\n");
        add(*state, "d", "ifindex", "4294967295\n");
        add(*state, "e", "ifindex", "99999999999999999999999999\n");
        add(*state, "f", "mtu", "1500\n");
        add(*state, "g", "ifindex", "12x\n");
        assert_int_equal(links_pf_ifindex(*state, pf, &index), -ENODEV);
        assert_int_equal(index, 77);
        add(*state, "h", "ifindex", "12\n");
        add(*state, "h", "dev_port", "many\n");
        assert_int_equal(links_pf_ifindex(*state, pf, &index), 0);
        assert_int_equal(index, 12);
}

static void first_port(void **state) {
        int index = 0;

        add(*state, "port2", "ifindex", "4\n");
        add(*state, "port2", "dev_port", "1\n");
        add(*state, "port1", "ifindex", "9\n");
        add(*state, "port1", "dev_port", "0\n");
        assert_int_equal(links_pf_ifindex(*state, pf, &index), 0);
        assert_int_equal(index, 9);
        add(*state, "other", "ifindex", "8\n");
        assert_int_equal(links_pf_ifindex(*state, pf, &index), 0);
        assert_int_equal(index, 8);
}

static void representors(void **state) {
        int index = 0;

        add(*state, "eth0", "ifindex", "5\n");
        add(*state, "eth0", "phys_port_name", "pf0vf0\n");
        add(*state, "eth1", "ifindex", "6\n");
        add(*state, "eth1", "phys_port_name", "pf0\n");
        add(*state, "eth2", "ifindex", "7\n");
        add(*state, "eth2", "phys_port_name", "p0\n");
        add(*state, "eth3", "ifindex", "4\n");
        add(*state, "eth3", "phys_port_name", "p0s1\n");
        assert_int_equal(links_pf_ifindex(*state, pf, &index), 0);
        assert_int_equal(index, 7);
}

/* The loopback interface is 1 in every network namespace. */
static void loopback(void **state) {
        _cleanup_(links_closep) Links *l = NULL;
        _cleanup_(vf_list_done) VfList vfs = {};

        assert_int_equal(links_open(&l), 0);
        assert_int_equal(links_read_vfs(l, 1, &vfs), 0);
        assert_null(vfs.items);
        assert_int_equal(vfs.n, 0);
        assert_int_equal(vfs.total, 0);
}

static void no_such_link(void **state) {
        _cleanup_(links_closep) Links *l = NULL;
        VfList vfs = { .total = 7 };

        assert_int_equal(links_open(&l), 0);
        /* The same socket goes on after an error. */
        assert_int_equal(links_read_vfs(l, INT32_MAX, &vfs), -ENODEV);
        assert_int_equal(links_read_vfs(l, INT32_MAX, &vfs), -ENODEV);
        assert_int_equal(links_read_vfs(l, 0, &vfs), -EINVAL);
        assert_int_equal(links_read_vfs(l, -1, &vfs), -EINVAL);
        assert_int_equal(vfs.total, 7);
        assert_int_equal(links_read_vfs(l, 1, &vfs), 0);
        assert_int_equal(vfs.total, 0);
}

/* Without the right to it, or the interface, nothing further is tried. */
static void cannot_set(void **state) {
        const VfSettings want = { .known = VF_SETTINGS_ALL };
        _cleanup_(links_closep) Links *l = NULL;
        VfOutcome outcome = { .errors = { 1 } };

        assert_int_equal(links_open(&l), 0);
        int r = links_apply_vf(l, INT32_MAX, &want, VF_SETTINGS_ALL, &outcome);
        assert_true(r == -ENODEV || r == -EPERM);
        assert_int_equal(outcome.errors[VF_SETTING_MAC], r);
        for (VfSetting s = VF_SETTING_MAC + 1; s < _VF_SETTING_MAX; s++)
                assert_int_equal(outcome.errors[s], 0);
        /* Nothing is asked for, or nothing of it known. */
        assert_int_equal(links_apply_vf(l, INT32_MAX, &want, 0, &outcome), 0);
        assert_int_equal(links_apply_vf(l, INT32_MAX, &(VfSettings){}, VF_SETTINGS_ALL, &outcome), 0);
        assert_int_equal(outcome.errors[VF_SETTING_MAC], 0);
        assert_int_equal(links_apply_vf(l, 0, &want, VF_SETTINGS_ALL, &outcome), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(no_interface, make_root, remove_root),
                cmocka_unit_test_setup_teardown(nonsense, make_root, remove_root),
                cmocka_unit_test_setup_teardown(first_port, make_root, remove_root),
                cmocka_unit_test_setup_teardown(representors, make_root, remove_root),
                cmocka_unit_test(loopback),
                cmocka_unit_test(no_such_link),
                cmocka_unit_test(cannot_set),
        };

        return cmocka_run_group_tests_name("links", tests, NULL, NULL);
}
