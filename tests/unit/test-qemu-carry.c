/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What liveupdate-qemu makes of a command line: what goes along, what is rewritten, what is refused. */
/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "qemu/carry.h"
#include "qemu/keyval.h"
#include "qemu/options.h"

static const char machines[] = "Supported machines are:\n"
                               "microvm              microvm (i386)\n"
                               "pc                   Standard PC (i440FX + PIIX, 1996) (alias of pc-i440fx-7.2)\n"
                               "pc-i440fx-7.2        Standard PC (i440FX + PIIX, 1996) (default)\n"
                               "pc-q35-10.1          Standard PC (Q35 + ICH9, 2009)\n"
                               "q35                  Standard PC (Q35 + ICH9, 2009) (alias of pc-q35-7.2)\n"
                               "none                 empty machine\n";

enum { MIB = 1 << 20 };

static int try(const char *const *args, const char *hook, Spec *ret, Problem *p) {
        CarryInput in = { .name = "vm",
                          .program = "/usr/bin/qemu",
                          .version = "7.2.22",
                          .directory = "/srv",
                          .hook = hook,
                          .machines = machines,
                          .args = (char *const *)args };
        return carry(&in, ret, p);
}

#define ARGS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void assert_refused(const char *const *args, const char *code) {
        Spec spec = { 0 };
        Problem p = { 0 };

        assert_int_equal(try(args, NULL, &spec, &p), -EINVAL);
        assert_string_equal(p.code, code);
        assert_true(strlen(p.text) > 10);
        assert_null(spec.name);
}

static void assert_args(const Spec *s, const char *const *want) {
        size_t n = 0;

        for (; want[n]; n++) {
                assert_true(n < s->args.n);
                assert_string_equal(s->args.v[n], want[n]);
        }
        assert_int_equal(n, s->args.n);
}

static void test_rewritten(void **state) {
        _cleanup_(spec_done) Spec s = { 0 };
        Problem p;

        assert_int_equal(try(ARGS("-M", "q35,accel=tcg", "-m", "2G", "-S", "-nographic", "disk.img", "-drive",
                                  "if=virtio,file=/srv/a,,b.qcow2", "-machine", "usb=off"),
                             NULL, &s, &p),
                         0);
        assert_string_equal(s.machine, "pc-q35-7.2,accel=tcg,usb=off");
        assert_true(s.ram_size == UINT64_C(2) << 30);
        assert_true(s.paused);
        assert_args(&s, ARGS("-nographic", "disk.img", "-drive", "if=virtio,file=/srv/a,,b.qcow2"));
        assert_int_equal(s.n_disks, 2);
        assert_string_equal(s.disks[0].path, "disk.img");
        assert_string_equal(s.disks[1].path, "/srv/a,b.qcow2");
}

static void test_defaults(void **state) {
        _cleanup_(spec_done) Spec s = { 0 };
        Problem p;

        assert_int_equal(try(ARGS("-nodefaults"), NULL, &s, &p), 0);
        assert_string_equal(s.machine, "pc-i440fx-7.2");
        assert_true(s.ram_size == 128 * MIB);
        assert_false(s.paused);
}

static void test_own_backend(void **state) {
        _cleanup_(spec_done) Spec s = { 0 };
        Problem p;

        assert_int_equal(try(ARGS("-object", "memory-backend-memfd,id=pc.ram,size=64M,share=on", "-M",
                                  "pc,memory-backend=pc.ram", "-m", "64"),
                             NULL, &s, &p),
                         0);
        assert_string_equal(s.ram_id, "pc.ram");
        assert_string_equal(s.machine, "pc-i440fx-7.2");
        assert_int_equal(s.args.n, 0);
}

static void test_argv(void **state) {
        _cleanup_(spec_done) Spec s = { 0 };
        _cleanup_strv_ Strv argv = { 0 };
        Problem p;

        assert_int_equal(try(ARGS("-m", "64M"), NULL, &s, &p), 0);
        assert_int_equal(spec_argv(&s, 7, 8, true, &argv), 0);
        assert_string_equal(argv.v[0], "/usr/bin/qemu");
        assert_string_equal(argv.v[2],
                            "memory-backend-file,id=liveupdate-ram,size=67108864,share=on,mem-path=/proc/self/fd/7");
        assert_string_equal(argv.v[4], "67108864B");
        assert_string_equal(argv.v[6], "pc-i440fx-7.2,memory-backend=liveupdate-ram");
        assert_string_equal(argv.v[8], "socket,id=liveupdate-qmp,fd=8,server=on,wait=off");
        assert_true(strv_contains(&argv, "-S"));
        assert_string_equal(argv.v[argv.n - 1], "defer");
        assert_null(argv.v[argv.n]);
}

static void test_refused(void **state) {
        assert_refused(ARGS("-daemonize"), "process");
        assert_refused(ARGS("-incoming", "defer"), "process");
        assert_refused(ARGS("-help"), "process");
        assert_refused(ARGS("-snapshot"), "snapshot");
        assert_refused(ARGS("-drive", "file=a,snapshot=on"), "snapshot");
        assert_refused(ARGS("-m", "1G,slots=2,maxmem=4G"), "memory-hotplug");
        assert_refused(ARGS("-m", "0"), "memory-size");
        assert_refused(ARGS("-m", "lots"), "memory-size");
        assert_refused(ARGS("-m", "99999999999999999999G"), "memory-size");
        assert_refused(ARGS("-mem-path", "/dev/hugepages"), "memory-hugepages");
        assert_refused(ARGS("-object", "memory-backend-file,id=m,size=1G,mem-path=/x", "-M", "pc,memory-backend=m"),
                       "memory-backend");
        assert_refused(ARGS("-object", "memory-backend-memfd,id=m,size=1G,hugetlb=on", "-M", "pc,memory-backend=m"),
                       "memory-hugepages");
        assert_refused(ARGS("-object", "memory-backend-ram,id=m,size=1G", "-M", "pc,memory-backend=m", "-m", "2G"),
                       "memory-size");
        assert_refused(ARGS("-object", "memory-backend-ram,id=m,size=1G"), "memory-several");
        assert_refused(ARGS("-M", "pc,memory-backend=m"), "memory-backend");
        assert_refused(ARGS("-numa", "node,memdev=m"), "memory-several");
        assert_refused(ARGS("-netdev", "tap,id=n"), "network");
        assert_refused(ARGS("-nic", "bridge,br=br0"), "network");
        assert_refused(ARGS("-device", "vfio-pci,host=01:00.0"), "vfio");
        assert_refused(ARGS("-device", "vhost-vsock-pci,guest-cid=3"), "vhost");
        assert_refused(ARGS("-M", "microvm"), "machine-type");
        assert_refused(ARGS("-M", "q36"), "machine-type");
        assert_refused(ARGS("-object", "sev-guest,id=sev0"), "confidential");
        assert_refused(ARGS("-xen-domid", "1"), "xen");
        assert_refused(ARGS("-m"), "command-line");
}

static void test_hook_allows_tap(void **state) {
        _cleanup_(spec_done) Spec s = { 0 };
        Problem p;

        assert_int_equal(try(ARGS("-netdev", "tap,id=n,ifname=vm0,script=no"), "/usr/bin/make-tap", &s, &p), 0);
        assert_string_equal(s.hook, "/usr/bin/make-tap");
}

static void test_agent(void **state) {
        _cleanup_(spec_done) Spec s = { 0 };
        Problem p;

        assert_int_equal(
                try(ARGS("-chardev", "socket,id=qga,path=/run/qga,server=on,wait=off", "-device", "virtio-serial",
                         "-device", "virtserialport,chardev=qga,name=org.qemu.guest_agent.0"),
                    NULL, &s, &p),
                0);
        assert_string_equal(s.agent, "/run/qga");
}

static void test_versions(void **state) {
        assert_int_equal(carry_version_may_follow("7.2.22", "7.2.22"), 1);
        assert_int_equal(carry_version_may_follow("7.2.22", "11.1.2"), 1);
        assert_int_equal(carry_version_may_follow("7.2", "7.2.1"), 1);
        assert_int_equal(carry_version_may_follow("11.1.2", "7.2.22"), 0);
        assert_int_equal(carry_version_may_follow("7.2.22", "7.2.3"), 0);
        assert_int_equal(carry_version_may_follow("7.2", "seven"), -EINVAL);
        assert_int_equal(carry_version_may_follow("7.2.1.1", "7.2"), -EINVAL);
}

static void test_pinned(void **state) {
        char *found;

        assert_int_equal(carry_pin_machine(machines, "pc-q35-10.1", &found), 0);
        assert_string_equal(found, "pc-q35-10.1");
        free(found);
        assert_int_equal(carry_pin_machine(machines, "none", &found), 0);
        assert_null(found);
        assert_int_equal(carry_pin_machine("", NULL, &found), 0);
        assert_null(found);
}

static void assert_value(const char *text, const char *key, const char *want) {
        _cleanup_free_ char *got = NULL;

        assert_int_equal(keyval_get(text, "first", key, &got), 0);
        if (want)
                assert_string_equal(got, want);
        else
                assert_null(got);
}

static void test_keyval(void **state) {
        _cleanup_free_ char *without = NULL;
        uint64_t size;

        assert_value("a,,b,x=1,y=2,x=3", "first", "a,b");
        assert_value("a,,b,x=1,y=2,x=3", "x", "3");
        assert_value("a,share,noreadonly", "share", "on");
        assert_value("a,share,noreadonly", "readonly", "off");
        assert_value("first=a,x=", "x", "");
        assert_value("a", "x", NULL);
        assert_value("", "first", NULL);
        assert_value("a,x=1,,,,2", "x", "1,,2");
        assert_int_equal(keyval_without("a,x=1,y=b,,c,x=2", "first", "x", &without), 0);
        assert_string_equal(without, "a,y=b,,c");
        assert_int_equal(keyval_size("3", MIB, &size), 0);
        assert_true(size == 3 * MIB);
        assert_int_equal(keyval_size("512k", MIB, &size), 0);
        assert_true(size == 512 * 1024);
        assert_int_equal(keyval_size("7B", MIB, &size), 0);
        assert_true(size == 7);
        assert_int_equal(keyval_size("b", 1, &size), -EINVAL);
        assert_int_equal(keyval_size("18014398509481984k", 1, &size), -ERANGE);
}

static void test_options(void **state) {
        char *const args[] = { (char *)"--nographic", (char *)"-", (char *)"-append", (char *)"-x", NULL };
        QemuOption o;
        size_t at = 0;

        assert_int_equal(qemu_option_next(args, &at, &o), 1);
        assert_string_equal(o.name, "nographic");
        assert_int_equal(qemu_option_next(args, &at, &o), 1);
        assert_null(o.name);
        assert_int_equal(qemu_option_next(args, &at, &o), 1);
        assert_string_equal(o.value, "-x");
        assert_int_equal(qemu_option_next(args, &at, &o), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rewritten),   cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_own_backend), cmocka_unit_test(test_argv),
                cmocka_unit_test(test_refused),     cmocka_unit_test(test_hook_allows_tap),
                cmocka_unit_test(test_agent),       cmocka_unit_test(test_versions),
                cmocka_unit_test(test_pinned),      cmocka_unit_test(test_keyval),
                cmocka_unit_test(test_options),
        };
        return cmocka_run_group_tests_name("qemu-carry", tests, NULL, NULL);
}
