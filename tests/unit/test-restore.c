/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The restore step, on files in a directory made for each test. What the kernel would do
 * when a module is loaded, the module's list and a driver that binds, is done by the
 * function that stands for loading.
 */
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/fd.h"
#include "core/restore.h"
#include "restore/step.h"

#define SHIM "sys/kernel/liveupdate_vfio"
#define LINE(address, kind, state, driver) address " 8086:10d3 020000 " kind " stop " state " " driver "\n"

static char root[64], loaded[256];
static int root_fd;
static const char *list_now, *list_bound; /* of the module, before and after a driver is loaded */

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

static void add_function(const char *address, const char *override) {
        char path[128];

        (void)snprintf(path, sizeof(path), "sys/bus/pci/devices/%s", address);
        make_dirs(path);
        (void)snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/driver_override", address);
        put(path, override);
}

static int make_root(void **state) {
        (void)snprintf(root, sizeof(root), "/tmp/test-restore-XXXXXX");
        if (!mkdtemp(root))
                return -1;
        root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        make_dirs("sys/class/misc/liveupdate");
        make_dirs("sys/bus/pci");
        put("sys/bus/pci/drivers_probe", "");
        *loaded = '\0';
        list_now = "";
        list_bound = NULL;
        return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static int remove_root(void **state) {
        root_fd = fd_close(root_fd);
        return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int fake_load(const char *name) {
        (void)strncat(loaded, name, sizeof(loaded) - strlen(loaded) - 1);
        (void)strncat(loaded, ",", sizeof(loaded) - strlen(loaded) - 1);
        if (streq(name, SHIM_MODULE)) {
                if (!list_now)
                        return -ENOENT;
                make_dirs(SHIM);
                put(SHIM "/incoming", list_now);
        } else if (list_bound)
                put(SHIM "/incoming", list_bound);
        else
                return -ENOENT;
        return 1;
}

static unsigned run(const char *settings) {
        char doing[STEP_DOING_SIZE] = "";
        Config c;

        assert_int_equal(config_init(&c), 0);
        assert_int_equal(config_parse(&c, "test.conf", settings, strlen(settings), NULL, NULL), 0);
        Step s = { .root = root, .config = &c, .load = fake_load, .doing = doing };
        unsigned n = step_run(&s);
        config_done(&c);
        return n;
}

/* ---- the step ---- */

static void test_off(void **state) {
        assert_int_equal(unlinkat(root_fd, "sys/class/misc/liveupdate", AT_REMOVEDIR), 0);
        assert_int_equal(run(""), 0);
        assert_string_equal(loaded, "");
}

static void test_nothing_came_in(void **state) {
        assert_int_equal(run(""), 0);
        assert_string_equal(loaded, "liveupdate_vfio,");
}

static void test_not_wanted(void **state) {
        list_now = LINE("0000:01:00.0", "function", "waiting", "-");
        assert_int_equal(run("[Luo]\nShim=no\n"), 0);
        assert_string_equal(loaded, "");
}

static void test_no_module(void **state) {
        list_now = NULL;
        assert_int_equal(run(""), 1);
}

/* What is as it should be is left alone: the second run. */
static void test_ready(void **state) {
        list_now = LINE("0000:01:00.0", "function", "waiting", "vfio-pci");
        add_function("0000:01:00.0", "vfio-pci\n");
        assert_int_equal(run(""), 0);
        assert_string_equal(loaded, "liveupdate_vfio,");
        expect("sys/bus/pci/drivers_probe", "");
        expect("sys/bus/pci/devices/0000:01:00.0/driver_override", "vfio-pci\n");
        assert_int_equal(run(""), 0);
}

static void test_bind(void **state) {
        list_now = LINE("0000:01:00.0", "function", "waiting", "-");
        list_bound = LINE("0000:01:00.0", "function", "waiting", "vfio-pci");
        add_function("0000:01:00.0", "vfio-pci\n");
        assert_int_equal(run(""), 0);
        assert_string_equal(loaded, "liveupdate_vfio,vfio-pci,");
        expect("sys/bus/pci/drivers_probe", "0000:01:00.0");
}

/* The driver that had it, whatever VFIO driver that was. */
static void test_bind_variant(void **state) {
        list_now = LINE("0000:01:00.0", "function", "waiting", "-");
        list_bound = LINE("0000:01:00.0", "function", "waiting", "mlx5_vfio_pci");
        add_function("0000:01:00.0", "mlx5_vfio_pci\n");
        assert_int_equal(run(""), 0);
        assert_string_equal(loaded, "liveupdate_vfio,mlx5_vfio_pci,");
}

static void test_set_override(void **state) {
        list_now = LINE("0000:01:00.0", "function", "waiting", "-");
        list_bound = LINE("0000:01:00.0", "function", "waiting", "vfio-pci");
        add_function("0000:01:00.0", "(null)\n");
        assert_int_equal(run(""), 0);
        expect("sys/bus/pci/devices/0000:01:00.0/driver_override", "vfio-pci\n");
        expect("sys/bus/pci/drivers_probe", "0000:01:00.0");
}

/* Never to a driver that is not VFIO's, even if somebody has set that. */
static void test_wrong_override(void **state) {
        list_now = LINE("0000:01:00.0", "function", "waiting", "-");
        list_bound = list_now;
        add_function("0000:01:00.0", "e1000e\n");
        assert_int_equal(run(""), 1);
        assert_string_equal(loaded, "liveupdate_vfio,");
        expect("sys/bus/pci/drivers_probe", "");
}

/* The file takes one address after the other, as the kernel does; the last one stays. */
static void test_pf_before_vf(void **state) {
        list_now = LINE("0000:01:00.1", "vf", "waiting", "-") LINE("0000:02:00.0", "pf", "waiting", "-");
        list_bound =
                LINE("0000:01:00.1", "vf", "waiting", "vfio-pci") LINE("0000:02:00.0", "pf", "waiting", "vfio-pci");
        add_function("0000:01:00.1", "vfio-pci\n");
        add_function("0000:02:00.0", "vfio-pci\n");
        assert_int_equal(run(""), 0);
        expect("sys/bus/pci/drivers_probe", "0000:01:00.1");
}

static void test_driver_missing(void **state) {
        list_now = LINE("0000:01:00.0", "function", "waiting", "-");
        add_function("0000:01:00.0", "vfio-pci\n");
        assert_int_equal(run(""), 1);
        expect("sys/bus/pci/drivers_probe", "");
}

static void test_problems(void **state) {
        list_now =
                LINE("0000:01:00.0", "function", "failed", "e1000e") LINE("0000:02:00.0", "function", "missing", "-")
                        LINE("0000:03:00.0", "vf", "missing", "-") LINE("0000:04:00.0", "function", "mismatch", "-");
        assert_int_equal(run(""), 3);
        assert_string_equal(loaded, "liveupdate_vfio,");
}

static void test_damaged_list(void **state) {
        list_now = "0000:01:00.0 what is this\n";
        assert_int_equal(run(""), 1);
}

/* ---- words ---- */

static ShimDevice device(ShimKind kind, ShimState state, const char *driver) {
        ShimDevice d = { .address = { 0, 1, 0, 0 }, .vendor = 0x8086, .device = 0x10d3, .kind = kind, .state = state };

        (void)snprintf(d.driver, sizeof(d.driver), "%s", driver);
        return d;
}

static void test_judge(void **state) {
        static const struct {
                ShimKind kind;
                ShimState state;
                const char *driver;
                RestoreVerdict want;
        } rows[] = {
                { SHIM_FUNCTION, SHIM_WAITING, "vfio-pci", RESTORE_READY },
                { SHIM_FUNCTION, SHIM_WAITING, "", RESTORE_BIND },
                { SHIM_KIND_VF, SHIM_MISSING, "", RESTORE_LATER },
                { SHIM_KIND_PF, SHIM_MISSING, "", RESTORE_MISSING },
                { SHIM_FUNCTION, SHIM_MISMATCH, "", RESTORE_MISMATCH },
                { SHIM_FUNCTION, SHIM_RETRIEVED, "vfio-pci", RESTORE_IN_USE },
                { SHIM_FUNCTION, SHIM_BOUND, "vfio-pci", RESTORE_IN_USE },
                { SHIM_FUNCTION, SHIM_FINISHED, "", RESTORE_OVER },
                { SHIM_FUNCTION, SHIM_FAILED, "e1000e", RESTORE_TAKEN },
                { SHIM_FUNCTION, SHIM_FAILED, "", RESTORE_LOST },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                ShimDevice d = device(rows[i].kind, rows[i].state, rows[i].driver);
                assert_int_equal(restore_judge(&d), rows[i].want);
        }
}

static void test_explain(void **state) {
        char text[512];
        ShimDevice d = device(SHIM_FUNCTION, SHIM_FAILED, "e1000e");

        restore_explain(&d, text, sizeof(text));
        assert_non_null(strstr(text, "0000:01:00.0 is lost: the driver e1000e had it"));
        d = device(SHIM_FUNCTION, SHIM_MISSING, "");
        restore_explain(&d, text, sizeof(text));
        assert_non_null(strstr(text, "0000:01:00.0 (8086:10d3) came in, but is not there"));
}

static void test_summary(void **state) {
        RestoreCounts c = {};
        char text[256];

        restore_summarize(&c, text, sizeof(text));
        assert_string_equal(text, "No PCI function came in through a live update.");
        c.n[RESTORE_READY] = 1;
        restore_summarize(&c, text, sizeof(text));
        assert_string_equal(text, "1 PCI function came in through a live update: 1 ready.");
        c.n[RESTORE_LATER] = 7;
        c.n[RESTORE_TAKEN] = 2;
        restore_summarize(&c, text, sizeof(text));
        assert_string_equal(text,
                            "10 PCI functions came in through a live update: 1 ready, 7 to be adopted with their "
                            "PF, 2 taken by another driver.");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_off, make_root, remove_root),
                cmocka_unit_test_setup_teardown(test_nothing_came_in, make_root, remove_root),
                cmocka_unit_test_setup_teardown(test_not_wanted, make_root, remove_root),
                cmocka_unit_test_setup_teardown(test_no_module, make_root, remove_root),
                cmocka_unit_test_setup_teardown(test_ready, make_root, remove_root),
                cmocka_unit_test_setup_teardown(test_bind, make_root, remove_root),
                cmocka_unit_test_setup_teardown(test_bind_variant, make_root, remove_root),
                cmocka_unit_test_setup_teardown(test_set_override, make_root, remove_root),
                cmocka_unit_test_setup_teardown(test_wrong_override, make_root, remove_root),
                cmocka_unit_test_setup_teardown(test_pf_before_vf, make_root, remove_root),
                cmocka_unit_test_setup_teardown(test_driver_missing, make_root, remove_root),
                cmocka_unit_test_setup_teardown(test_problems, make_root, remove_root),
                cmocka_unit_test_setup_teardown(test_damaged_list, make_root, remove_root),
                cmocka_unit_test(test_judge),
                cmocka_unit_test(test_explain),
                cmocka_unit_test(test_summary),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
