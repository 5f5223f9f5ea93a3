/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/uevent.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* With the NUL of the literal. */
#define PARSE(literal, e) uevent_parse(literal, sizeof(literal), e)

static void assert_address(const Uevent *e, const char *want) {
        char text[ADDRESS_TEXT_SIZE];

        assert_true(e->has_address);
        address_format(e->address, text);
        assert_string_equal(text, want);
}

/* As Linux 7.3 sends it. */
static void driver_bound(void **state) {
        static const char message[] = "bind@/devices/pci0000:00/0000:00:03.0\0ACTION=bind\0"
                                      "DEVPATH=/devices/pci0000:00/0000:00:03.0\0SUBSYSTEM=pci\0DRIVER=e1000e\0"
                                      "PCI_CLASS=20000\0PCI_ID=8086:10D3\0PCI_SUBSYS_ID=8086:0000\0"
                                      "PCI_SLOT_NAME=0000:00:03.0\0"
                                      "MODALIAS=pci:v00008086d000010D3sv00008086sd00000000bc02sc00i00\0SEQNUM=1093";
        Uevent e;

        assert_int_equal(PARSE(message, &e), 1);
        assert_int_equal(e.action, UEVENT_BIND);
        assert_string_equal(e.devpath, "/devices/pci0000:00/0000:00:03.0");
        assert_string_equal(e.subsystem, "pci");
        assert_string_equal(e.driver, "e1000e");
        assert_null(e.devpath_old);
        assert_true(e.is_function);
        assert_false(e.synthetic);
        assert_address(&e, "0000:00:03.0");
        assert_int_equal(e.seqnum, 1093);
        /* Nothing was copied. */
        assert_true(e.devpath > message && e.driver < message + sizeof(message));
}

static void every_action(void **state) {
        static const struct {
                const char *word;
                UeventAction action;
        } rows[] = {
                { "add", UEVENT_ADD },   { "remove", UEVENT_REMOVE }, { "change", UEVENT_CHANGE },
                { "move", UEVENT_MOVE }, { "online", UEVENT_ONLINE }, { "offline", UEVENT_OFFLINE },
                { "bind", UEVENT_BIND }, { "unbind", UEVENT_UNBIND }, { "rebind", UEVENT_OTHER },
                { "bin", UEVENT_OTHER }, { "addx", UEVENT_OTHER },    { "other", UEVENT_OTHER },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                char message[64];
                Uevent e;

                int n = snprintf(message, sizeof(message), "%s@/devices/x", rows[i].word);
                assert_int_equal(uevent_parse(message, (size_t)n + 1, &e), 1);
                assert_int_equal(e.action, rows[i].action);
                assert_string_equal(e.devpath, "/devices/x");
                assert_null(e.subsystem);
                assert_null(e.driver);
                assert_false(e.has_address);
                assert_int_equal(e.seqnum, 0);
        }
        for (UeventAction a = 0; a < _UEVENT_ACTION_MAX; a++)
                assert_int_equal(uevent_action_from_string(uevent_action_to_string(a)), a);
}

/* What hangs on a function is about that function. */
static void children(void **state) {
        static const struct {
                const char *devpath, *address; /* NULL: none */
                bool itself;
        } rows[] = {
                { "/devices/pci0000:00/0000:00:1c.0/0000:03:00.0", "0000:03:00.0", true },
                { "/devices/pci0000:00/0000:00:1c.0/0000:03:00.0/net/eth0", "0000:03:00.0", false },
                { "/devices/pci0000:00/0000:00:1c.0/0000:03:00.0/vfio-dev/vfio0", "0000:03:00.0", false },
                { "/devices/pci0000:00/0000:00:1c.0/0000:00:1c.0:pcie001", "0000:00:1c.0", false },
                { "/devices/pci0000:00/0000:00:0e.0/pci10000:e0/10000:e0:06.0/10000:e1:00.0/nvme/nvme0",
                  "10000:e1:00.0", false },
                { "/devices/pci0000:00", NULL, false },
                { "/devices/virtual/net/lo", NULL, false },
                { "/devices/platform/00:03.0/x", NULL, false }, /* the kernel always names the domain */
                { "/devices/0000:00:20.0", NULL, false },
                { "/", NULL, false },
                { "//", NULL, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                char message[256];
                Uevent e;

                int n = snprintf(message, sizeof(message), "add@%s", rows[i].devpath);
                assert_int_equal(uevent_parse(message, (size_t)n + 1, &e), 1);
                assert_int_equal(e.has_address, rows[i].address != NULL);
                assert_int_equal(e.is_function, rows[i].itself);
                if (rows[i].address)
                        assert_address(&e, rows[i].address);
        }
}

static void slot_name(void **state) {
        Uevent e;

        /* It wins over the path; one that is none does not count. */
        assert_int_equal(PARSE("add@/devices/0000:00:01.0\0PCI_SLOT_NAME=0000:00:02.0", &e), 1);
        assert_address(&e, "0000:00:02.0");
        assert_true(e.is_function);
        assert_int_equal(PARSE("add@/devices/0000:00:01.0\0PCI_SLOT_NAME=nonsense", &e), 1);
        assert_address(&e, "0000:00:01.0");
        assert_int_equal(PARSE("add@/devices/x\0PCI_SLOT_NAME=", &e), 1);
        assert_false(e.has_address);
        assert_int_equal(PARSE("add@/devices/x\0PCI_SLOT_NAME=00000000000000000000000:00:02.0", &e), 1);
        assert_false(e.has_address);
}

static void odd_but_understood(void **state) {
        Uevent e;

        /* Of two, the first: the kernel's own pairs come before those of a driver. */
        assert_int_equal(PARSE("add@/x\0SUBSYSTEM=pci\0SUBSYSTEM=net\0DRIVER=\0DRIVER=b\0SEQNUM=5\0SEQNUM=6", &e), 1);
        assert_string_equal(e.subsystem, "pci");
        assert_string_equal(e.driver, "b");
        assert_int_equal(e.seqnum, 5);
        assert_int_equal(PARSE("add@/x\0\0=\0=x\0SUBSYSTEM\0SUBSYSTEMX=y\0SEQNUM=-1\0 \0\xff\xfe=\x01", &e), 1);
        assert_null(e.subsystem);
        assert_int_equal(e.seqnum, 0);
        assert_int_equal(PARSE("add@/x\0SEQNUM=18446744073709551615", &e), 1);
        assert_int_equal(e.seqnum, UINT64_MAX);
        assert_int_equal(PARSE("add@/x\0SEQNUM=18446744073709551616", &e), 1);
        assert_int_equal(e.seqnum, 0);
        assert_int_equal(PARSE("change@/x@y=z\0SYNTH_UUID=0", &e), 1);
        assert_string_equal(e.devpath, "/x@y=z");
        assert_true(e.synthetic);
        assert_int_equal(PARSE("move@/b\0DEVPATH_OLD=/a", &e), 1);
        assert_int_equal(e.action, UEVENT_MOVE);
        assert_string_equal(e.devpath_old, "/a");
}

static void udev_is_ignored(void **state) {
        static const char message[] = "libudev\0\xfe\xed\xca\xfe\0\0\0\x28"
                                      "ACTION=add";
        Uevent e = { .seqnum = 7 };

        assert_int_equal(PARSE(message, &e), 0);
        assert_int_equal(uevent_parse(message, 8, &e), 0);
        assert_int_equal(e.seqnum, 7);
        /* Without the NUL it is not udev's mark. */
        assert_int_equal(uevent_parse(message, 7, &e), -EBADMSG);
        assert_int_equal(PARSE("libudevx@/x", &e), 1);
}

static void not_understood(void **state) {
        static const struct {
                const char *message;
                size_t size;
        } rows[] = {
#define ROW(literal) { literal, sizeof(literal) }
                ROW(""),
                ROW("\0\0\0"),
                ROW("add"),
                ROW("@/x"),
                ROW("add@"),
                ROW("add@x"),
                ROW("Add@/x"),
                ROW("a b@/x"),
                ROW("\xff@/x"),
                ROW("add\0@/x"),
                /* It says two things. */
                ROW("add@/x\0ACTION=remove"),
                ROW("add@/x\0ACTION=ad"),
                ROW("add@/x\0ACTION="),
                ROW("add@/x\0ACTION=add@/x"),
                ROW("add@/x\0DEVPATH=/y"),
                ROW("add@/x\0DEVPATH=/x/"),
                ROW("add@/x\0DEVPATH=/x\0DEVPATH=/y"),
#undef ROW
                /* Its end is missing. */
                { "add@/x", 6 },
                { "add@/x\0SUBSYSTEM=pci", 20 },
                { NULL, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Uevent e = { .seqnum = 7 };

                assert_int_equal(uevent_parse(rows[i].message, rows[i].size, &e), -EBADMSG);
                assert_int_equal(e.seqnum, 7);
        }
}

/* Every beginning of a message, in memory that ends there. */
static void every_length(void **state) {
        static const char whole[] = "remove@/devices/pci0000:00/0000:00:03.0\0ACTION=remove\0"
                                    "DEVPATH=/devices/pci0000:00/0000:00:03.0\0SUBSYSTEM=pci\0"
                                    "PCI_SLOT_NAME=0000:00:03.0\0SEQNUM=4711";
        size_t understood = 0;

        for (size_t n = 0; n <= sizeof(whole); n++) {
                _cleanup_free_ char *part = malloc(MAX_OF(n, (size_t)1));
                Uevent e;

                assert_non_null(part);
                memcpy(part, whole, n);
                int r = uevent_parse(part, n, &e);
                /* Where a string ends, and nowhere else. */
                assert_int_equal(r, n > 0 && part[n - 1] == '\0' ? 1 : -EBADMSG);
                understood += r == 1;
        }
        assert_int_equal(understood, 6);
}

static void bounds(void **state) {
        _cleanup_free_ char *big = malloc(UEVENT_SIZE_MAX + 1);
        Uevent e;

        assert_non_null(big);
        memset(big, 'x', UEVENT_SIZE_MAX + 1);
        memcpy(big, "add@/", 5);
        big[UEVENT_SIZE_MAX - 1] = '\0';
        assert_int_equal(uevent_parse(big, UEVENT_SIZE_MAX, &e), 1);
        assert_int_equal(strlen(e.devpath), UEVENT_SIZE_MAX - 5);
        big[UEVENT_SIZE_MAX] = '\0';
        assert_int_equal(uevent_parse(big, UEVENT_SIZE_MAX + 1, &e), -EBADMSG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(driver_bound),
                cmocka_unit_test(every_action),
                cmocka_unit_test(children),
                cmocka_unit_test(slot_name),
                cmocka_unit_test(odd_but_understood),
                cmocka_unit_test(udev_is_ignored),
                cmocka_unit_test(not_understood),
                cmocka_unit_test(every_length),
                cmocka_unit_test(bounds),
        };

        return cmocka_run_group_tests_name("uevent", tests, NULL, NULL);
}
