/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of modules of a restore-only initrd, and what the command line says of modules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/module-list.h"

static void test_names(void **state) {
        char name[MODULE_NAME_SIZE], longest[MODULE_NAME_SIZE + 1];

        assert_true(module_name_equal("vfio-pci", "vfio_pci"));
        assert_false(module_name_equal("vfio-pci", "vfio_pci_core"));
        assert_true(module_name_normalize("vfio-pci-core", name));
        assert_string_equal(name, "vfio_pci_core");
        assert_false(module_name_normalize("", name));
        assert_false(module_name_normalize("../x", name));
        assert_false(module_name_normalize("a b", name));
        assert_false(module_name_normalize(".x", name));
        memset(longest, 'a', MODULE_NAME_SIZE);
        longest[MODULE_NAME_SIZE] = '\0';
        assert_false(module_name_normalize(longest, name));
        longest[MODULE_NAME_SIZE - 1] = '\0';
        assert_true(module_name_normalize(longest, name));
}

static void test_list(void **state) {
        char text[] = "vfio-pci vfio enable=1 x=\"a b\"\n\nalone\nvfio-pci vfio_pci \n w m\nlast one", *cursor = text;
        ModuleLine l;

        assert_true(module_list_next(&cursor, &l));
        assert_string_equal(l.wanted, "vfio-pci");
        assert_string_equal(l.module, "vfio");
        assert_string_equal(l.options, "enable=1 x=\"a b\"");
        assert_true(module_list_next(&cursor, &l));
        assert_string_equal(l.module, "vfio_pci");
        assert_string_equal(l.options, "");
        assert_true(module_list_next(&cursor, &l));
        assert_string_equal(l.wanted, "last");
        assert_string_equal(l.module, "one");
        assert_string_equal(l.options, "");
        assert_false(module_list_next(&cursor, &l));
        assert_false(module_list_next(&cursor, &l));
}

static void options_are(const char *cmdline, const char *want) {
        _cleanup_free_ char *options = NULL;

        assert_int_equal(module_cmdline_options(cmdline, "vfio_pci", &options), 0);
        assert_string_equal(options, want);
}

static void test_options(void **state) {
        options_are("", "");
        options_are("root=/dev/vda quiet", "");
        options_are("vfio-pci.ids=8086:10d3 vfio_pci.disable_vga quiet", " ids=8086:10d3 disable_vga");
        options_are("  vfio.x=1\tvfio_pci.s=\"a b\" vfio_pci_core.y=2\n", " s=\"a b\"");
        options_are("x=vfio_pci.a=1 \"q vfio_pci.b=1\" -- vfio_pci.c=1", "");
        options_are("vfio_pci", "");
        options_are("vfio_pci.", " ");
}

static void test_forbids(void **state) {
        assert_true(module_cmdline_forbids("modprobe.blacklist=vfio_pci", "vfio-pci"));
        assert_true(module_cmdline_forbids("a modprobe.blacklist=x,vfio-pci,y b", "vfio_pci"));
        assert_true(module_cmdline_forbids("modprobe.blacklist=x modprobe.blacklist=,m", "m"));
        assert_false(module_cmdline_forbids("modprobe.blacklist=vfio_pci_core", "vfio_pci"));
        assert_false(module_cmdline_forbids("modprobe.blacklist= vfio_pci", "vfio_pci"));
        assert_false(module_cmdline_forbids("-- modprobe.blacklist=m", "m"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_list),
                cmocka_unit_test(test_options),
                cmocka_unit_test(test_forbids),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
