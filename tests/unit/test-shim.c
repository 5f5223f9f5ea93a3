/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The port to the kernel module, on files in a directory made for each test. */
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/fd.h"
#include "sys/shim.h"

static const Address card = { 0, 1, 0, 0 };
static char root[64], dir[128];

static int make_root(void **state) {
        (void)snprintf(root, sizeof(root), "/tmp/test-shim-XXXXXX");
        if (!mkdtemp(root))
                return -1;
        (void)snprintf(dir, sizeof(dir), "%s/sys", root);
        return mkdir(dir, 0700) < 0 || mkdir(strcat(dir, "/kernel"), 0700) < 0 ? -1 : 0;
}

static int load(void **state) {
        return make_root(state) < 0 ? -1 : mkdir(strcat(dir, "/liveupdate_vfio"), 0700);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static int remove_root(void **state) {
        return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *name, const char *text) {
        _cleanup_close_ int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        assert_true(dir_fd >= 0);
        assert_int_equal(file_write_atomic_at(dir_fd, name, text, strlen(text)), 0);
}

static void test_not_loaded(void **state) {
        ShimReal real;
        Shim s = shim_real(&real, root), none = {};
        ShimSetting *set = NULL;
        ShimFacts facts;
        ShimList list;
        ShimHeld *held;
        Address a;
        size_t n;
        char compatible[SHIM_COMPATIBLE_SIZE];

        assert_int_equal(shim_facts(&s, &facts), -ENODEV);
        assert_int_equal(shim_list(&s, SHIM_INCOMING, &list), -ENODEV);
        assert_int_equal(shim_held(&s, &held, &n), -ENODEV);
        assert_int_equal(shim_get_policies(&s, &set, &n), -ENODEV);
        assert_int_equal(shim_set_policy(&s, card, SHIM_POLICY_STOP), -ENODEV);
        assert_int_equal(shim_apply_policy(&s, card, SHIM_POLICY_STOP), -ENODEV);
        assert_int_equal(shim_other_compatible(&s, "7.3.4", compatible), -ENOENT);
        assert_int_equal(shim_facts(&none, &facts), -ENODEV);
        assert_int_equal(shim_apply_policy(&none, card, SHIM_POLICY_STOP), -ENODEV);
        assert_int_equal(shim_identify(&none, 0, &a), -ENOTTY);
}

static void test_facts(void **state) {
        ShimReal real;
        Shim s = shim_real(&real, root);
        ShimFacts facts = {};

        put("compatible", "liveupdated-vfio-pci-v1\n");
        assert_int_equal(shim_facts(&s, &facts), -ENODEV);
        put("features", "vfio dma-continue vf\n");
        assert_int_equal(shim_facts(&s, &facts), 0);
        assert_string_equal(facts.compatible, "liveupdated-vfio-pci-v1");
        assert_int_equal(facts.features, SHIM_VFIO | SHIM_DMA_CONTINUE | SHIM_VF);
        put("features", "");
        assert_int_equal(shim_facts(&s, &facts), -EBADMSG);
}

static void test_lists(void **state) {
        ShimReal real;
        Shim s = shim_real(&real, root);
        ShimList list = {};
        ShimHeld *held = NULL;
        size_t n = 0;

        put("outgoing", "0000:01:00.0 8086:10d3 020000 function stop preserved   \n");
        put("incoming", "0000:01:00.0 8086:10d3 020000 function stop waiting vfio-pci  \n");
        put("held", "0000:01:00.0 004 2 0004 0000 3 dma-stop   \n");
        assert_int_equal(shim_list(&s, SHIM_OUTGOING, &list), 0);
        assert_int_equal(list.items[0].state, SHIM_PRESERVED);
        shim_list_done(&list);
        assert_int_equal(shim_list(&s, SHIM_INCOMING, &list), 0);
        assert_int_equal(list.items[0].state, SHIM_WAITING);
        shim_list_done(&list);
        assert_int_equal(shim_held(&s, &held, &n), 0);
        assert_int_equal(held[0].overridden, 3);
        free(held);
        put("incoming", "something else\n");
        assert_int_equal(shim_list(&s, SHIM_INCOMING, &list), -EBADMSG);
}

static void test_policy(void **state) {
        _cleanup_free_ char *written = NULL;
        ShimReal real;
        Shim s = shim_real(&real, root);
        ShimSetting *set = NULL;
        size_t n = 0;
        char path[192];

        put("policy", "");
        assert_int_equal(shim_set_policy(&s, card, SHIM_POLICY_IDENTITY), 0);
        (void)snprintf(path, sizeof(path), "%s/policy", dir);
        assert_int_equal(file_read_at(AT_FDCWD, path, 100, &written, NULL), 0);
        assert_string_equal(written, "0000:01:00.0 continue-identity\n");
        /* A file in a directory gives back what was written, as the module would. */
        assert_int_equal(shim_apply_policy(&s, card, SHIM_POLICY_IDENTITY), 0);
        assert_int_equal(shim_get_policies(&s, &set, &n), 0);
        assert_int_equal(n, 1);
        free(set);
        put("policy", "0000:02:00.0 continue-identity\n                               \n");
        assert_int_equal(shim_apply_policy(&s, card, SHIM_POLICY_STOP), -EBADMSG);
}

/* What is read back is another policy. */
static void test_policy_differs(void **state) {
        ShimReal real;
        Shim s = shim_real(&real, root);
        char path[192];

        put("policy", "");
        /* Written over the start of a longer line: a text that still is one. */
        put("policy", "0000:01:00.0 continue\n0000:01:00.0 continue-identity\n");
        assert_int_equal(shim_apply_policy(&s, card, SHIM_POLICY_CONTINUE), -EIO);
        (void)snprintf(path, sizeof(path), "%s/policy", dir);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(shim_apply_policy(&s, card, SHIM_POLICY_CONTINUE), -ENODEV);
}

static void test_fdinfo(void **state) {
        static const char good[] = "pos:\t0\nflags:\t02000002\nmnt_id:\t15\nino:\t1\n"
                                   "vfio-device-syspath: /sys/devices/pci0000:00/0000:00:1c.0/0000:01:00.0\n";
        static const char *const bad[] = {
                "",
                "vfio-device-syspath: \n",
                "vfio-device-syspath: /sys/devices/platform/thing\n",
                "vfio-device-syspath: /sys/devices/pci0000:00/0000:00:1c.0/\n",
                "vfio-device-syspath: /sys/devices/a-name-that-is-longer-than-an-address\n",
                "other: /sys/devices/pci0000:00/0000:01:00.0\n",
        };
        Address a = {};

        assert_int_equal(shim_parse_fdinfo(good, &a), 0);
        assert_int_equal(address_compare(a, card), 0);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(shim_parse_fdinfo(bad[i], &a), -ENODATA);
}

static void test_identify(void **state) {
        _cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        ShimReal real;
        Shim s = shim_real(&real, root);
        Address a;

        assert_int_equal(shim_identify(&s, fd, &a), -ENOTTY);
}

#define test(name) cmocka_unit_test_setup_teardown(name, load, remove_root)

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_not_loaded, make_root, remove_root),
                test(test_facts),
                test(test_lists),
                test(test_policy),
                test(test_policy_differs),
                test(test_fdinfo),
                test(test_identify),
        };

        return cmocka_run_group_tests_name("shim", tests, NULL, NULL);
}
