/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PCI addresses and classes, what hangs on what, the arrangement of plans, and their text. */
#include "ctl/device-links.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "ctl/address.h"
#include "ctl/class.h"
#include "ctl/json.h"

static const Style plain = { .legend = true, .utf8 = true };

static void test_addresses(void **state) {
        static const struct {
                const char *text, *clean;
        } good[] = {
                { "0000:01:02.3", "0000:01:02.3" },
                { "01:02.3", "0000:01:02.3" },
                { "1:2.3", "0000:01:02.3" },
                { "0:0:0.0", "0000:00:00.0" },
                { "FFFF:fF:1F.7", "ffff:ff:1f.7" },
                { "10000:e1:00.0", "10000:e1:00.0" },
                { "ffffffff:ff:1f.7", "ffffffff:ff:1f.7" },
        };
        static const char *const bad[] = {
                "",
                ":",
                "01",
                "01:02",
                "0000:01:02",
                "0000:01:02.",
                "0000:01:02.8",
                "0000:01:20.0",
                "0000:100:00.0",
                "0000:01:000.0",
                "100000000:01:02.3",
                "0000:01:02.3 ",
                " 0000:01:02.3",
                "0000:01:02.3:4",
                "0x00:01:02.3",
                "-1:01:02.3",
                "0000:01:02.10",
                "0000::02.3",
                "g000:01:02.3",
                "0000:01:02,3",
        };
        char buf[ADDRESS_SIZE];

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                assert_int_equal(address_clean(good[i].text, buf), 0);
                assert_string_equal(buf, good[i].clean);
        }
        memcpy(buf, "same", 5);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(address_clean(bad[i], buf), -EINVAL);
        assert_string_equal(buf, "same");
        assert_true(address_compare("ffff:00:00.0", "10000:00:00.0") < 0);
        assert_true(address_compare("0000:09:00.0", "0000:0a:00.0") < 0);
        assert_true(address_compare("0000:00:1f.7", "0000:01:00.0") < 0);
        assert_true(address_compare("none", "0000:00:00.0") > 0);
        assert_true(address_compare("a", "b") < 0);
        assert_int_equal(address_bus_size("0001:02:03.4"), 7);
        assert_int_equal(address_bus_size("0001"), 0);
}

static void test_classes(void **state) {
        static const struct {
                const char *digits, *text;
        } cases[] = {
                { "010802", "NVMe controller [010802]" },
                { "020000", "Ethernet controller [020000]" },
                { "0200FF", "Ethernet controller [0200ff]" },
                { "02ff00", "network controller [02ff00]" },
                { "fe0000", "device [fe0000]" },
                { "ff0000", "unassigned class [ff0000]" },
                { "000000", "unclassified device [000000]" },
                { "20000", "20000" },
                { "0x2000", "0x2000" },
                { "+20000", "+20000" },
                { "", "" },
        };
        char buf[64];

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                class_format_text(cases[i].digits, buf, sizeof(buf));
                assert_string_equal(buf, cases[i].text);
        }
        class_format(0x1020000, buf, sizeof(buf));
        assert_string_equal(buf, "device [1020000]");
}

static Device device(const char *address, const char *parent, const char *physfn, int32_t group) {
        return (Device){
                .path = (char *)"/p",
                .address = (char *)address,
                .class_code = (char *)"020000",
                .ids = (char *)"8086:10ed",
                .port = (char *)"none",
                .driver = (char *)"",
                .parent = (char *)parent,
                .physfn = (char *)physfn,
                .group = group,
        };
}

static void test_links(void **state) {
        /* The bridge of 01:00.0 comes after it, as bus numbers may. */
        Device items[] = {
                device("0000:00:01.0", "", "", 1),
                device("0000:01:00.0", "0000:02:00.0", "", 2),
                device("0000:01:00.1", "0000:02:00.0", "0000:01:00.0", 2),
                device("0000:01:00.2", "0000:02:00.0", "0000:01:00.0", 2),
                device("0000:02:00.0", "0000:00:01.0", "", 3),
                device("0000:03:00.0", "0000:09:00.0", "0000:09:00.1", -1),
        };
        const DeviceList list = { items, ELEMENTSOF(items) };
        _cleanup_free_ DeviceLink *links = NULL;
        _cleanup_dependencies_ Dependencies d = {};

        assert_int_equal(device_links(&list, &links), 0);
        assert_int_equal(links[0].above, NO_DEVICE);
        assert_int_equal(links[1].above, 4);
        assert_int_equal(links[1].n_vfs, 2);
        assert_int_equal(links[2].above, 1);
        assert_true(links[2].is_vf);
        assert_int_equal(links[4].above, 0);
        assert_int_equal(links[5].above, NO_DEVICE);
        for (size_t i = 0; i < list.n; i++)
                assert_int_equal(device_find(&list, items[i].address), i);
        assert_int_equal(device_find(&list, "0000:01:00.3"), NO_DEVICE);
        assert_int_equal(device_find(&(DeviceList){}, "0000:01:00.3"), NO_DEVICE);

        assert_int_equal(device_dependencies(&list, 2, &d), 0);
        assert_int_equal(d.n, 4);
        assert_int_equal(d.items[0].device, 1);
        assert_int_equal(d.items[0].relation, RELATION_PF);
        assert_int_equal(d.items[1].device, 4);
        assert_int_equal(d.items[1].relation, RELATION_BRIDGE);
        assert_int_equal(d.items[2].device, 0);
        assert_int_equal(d.items[3].device, 3);
        assert_int_equal(d.items[3].relation, RELATION_GROUP);
        dependencies_done(&d);
        assert_int_equal(device_dependencies(&list, 5, &d), 0);
        assert_int_equal(d.n, 0);
}

/* However the links are, each way up ends, and no link but those of circles is cut. */
static void test_circles(void **state) {
        Device items[] = {
                device("0000:00:01.0", "0000:00:01.0", "", 1), /* itself */
                device("0000:00:02.0", "0000:00:03.0", "", 1), /* three in a circle */
                device("0000:00:03.0", "0000:00:04.0", "", 1), device("0000:00:04.0", "0000:00:02.0", "", 1),
                device("0000:00:05.0", "0000:00:04.0", "", 1), /* below it */
                device("0000:00:06.0", "", "0000:00:07.0", 1), /* each other's VF */
                device("0000:00:07.0", "", "0000:00:06.0", 1),
        };
        const DeviceList list = { items, ELEMENTSOF(items) };
        _cleanup_free_ DeviceLink *links = NULL;
        _cleanup_free_ char *tree = NULL;
        size_t roots = 0;

        assert_int_equal(device_links(&list, &links), 0);
        for (size_t i = 0; i < list.n; i++) {
                size_t steps = 0;
                for (size_t j = i; j != NO_DEVICE; j = links[j].above)
                        assert_true(++steps <= list.n);
                roots += links[i].above == NO_DEVICE;
        }
        assert_int_equal(roots, 3);
        assert_int_equal(links[4].above, 3);
        assert_int_equal(format_device_tree(&list, &plain, &tree), 0);
        for (size_t i = 0; i < list.n; i++)
                assert_non_null(strstr(tree, items[i].address));
}

/* A chain that no machine can have is cut, and the rest of it still shown. */
static void test_deep_chain(void **state) {
        enum { N = 20000 };
        _cleanup_free_ Device *items = calloc(N, sizeof(Device));
        char(*names)[ADDRESS_SIZE] = calloc(N, sizeof(*names));
        _cleanup_free_ DeviceLink *links = NULL;
        size_t deepest = 0;

        assert_non_null(items);
        assert_non_null(names);
        for (unsigned i = 0; i < N; i++)
                (void)snprintf(names[i], sizeof(names[i]), "%04x:%02x:%02x.%x", i >> 16, i >> 8 & 0xff, i >> 3 & 0x1f,
                               i & 7);
        /* Each below the next, so that the walk up begins at the very bottom. */
        for (size_t i = 0; i < N; i++)
                items[i] = device(names[i], i + 1 < N ? names[i + 1] : "", "", -1);
        assert_int_equal(device_links(&(DeviceList){ items, N }, &links), 0);
        for (size_t i = N, depth = 0; i > 0; i--) {
                depth = links[i - 1].above == NO_DEVICE ? 1 : depth + 1;
                deepest = MAX_OF(deepest, depth);
        }
        assert_int_equal(deepest, DEVICE_DEPTH);
        free(names);
}

static void test_dot(void **state) {
        Device items[] = { device("a\"b\\c\033", "", "", 7) };
        _cleanup_free_ char *text = NULL;

        items[0].driver = (char *)"x\ny";
        items[0].port = (char *)"root";
        assert_int_equal(format_dot(&(DeviceList){ items, 1 }, &text), 0);
        assert_string_equal(text, "digraph pci {\n"
                                  "        rankdir=LR;\n"
                                  "        \"a\\\"b\\\\c?\" [label=\"a\\\"b\\\\c?\\nEthernet controller "
                                  "[020000]\\n8086:10ed\\nx?y\", shape=box];\n"
                                  "        subgraph cluster_7 {\n"
                                  "                label=\"IOMMU group 7\";\n"
                                  "                \"a\\\"b\\\\c?\";\n"
                                  "        }\n"
                                  "}\n");
}

static DeviceInfo info_new(void) {
        return (DeviceInfo){
                .path = (char *)"/p",
                .address = (char *)"0000:00:01.0\033",
                .class_code = 0x020000,
                .port = (char *)"none",
                .parent = (char *)"",
                .physfn = (char *)"",
                .power_state = (char *)"",
                .driver = (char *)"",
                .driver_override = (char *)"",
                .native = { (char *)"", (char *)"" },
                .reset_methods = (char *)"",
                .group = -1,
                .group_type = (char *)"",
                .numa_node = -1,
                .vfio_device = (char *)"",
                .verdict = (char *)"",
                .outgoing = (char *)"",
                .incoming = (char *)"",
        };
}

static void test_device(void **state) {
        char *vfs[] = { (char *)"a\nb", (char *)"c" };
        _cleanup_free_ char *least = NULL, *text = NULL;
        DeviceInfo d = info_new();

        assert_int_equal(format_device(&d, &plain, &least), 0);
        assert_string_equal(least, "     Address: 0000:00:01.0?\n"
                                   "       Class: Ethernet controller [020000]\n"
                                   "         IDs: 0000:0000, subsystem 0000:0000, revision 00\n"
                                   " IOMMU group: none\n"
                                   "      Driver: none\n");
        d.physfn = (char *)"x\033y";
        d.virtfns = (StringList){ vfs, 2 };
        d.total_vfs = 4;
        d.verdict = (char *)"go\nes";
        d.serial = UINT64_MAX;
        assert_int_equal(format_device(&d, &plain, &text), 0);
        assert_non_null(strstr(text, "       VF of: x?y\n         VFs: 0 of 4\n              a?b c\n"));
        assert_non_null(strstr(text, "Verdict: go?es\n"));
        assert_non_null(strstr(text, "Serial: ff-ff-ff-ff-ff-ff-ff-ff\n"));
}

static PlanRow row(const char *kind, const char *subject, const char *verdict) {
        return (PlanRow){
                .kind = (char *)kind,
                .subject = (char *)subject,
                .verdict = (char *)verdict,
                .code = (char *)"c",
                .sentence = (char *)"s",
                .remedy = (char *)"",
        };
}

static void test_plan(void **state) {
        PlanRow items[] = {
                row("kernel", "next kernel", "goes"), row("device", "z", "limited"),
                row("device", "a", "cannot"),         row("device", "z", "cannot"),
                row("kernel", "next kernel", "goes"), row("depended", "a", "goes"),
                row("session", "b/1", "limited"),     row("device", "a", "goes"),
        };
        static const char *const order[] = { "next kernel", "next kernel", "z", "z", "a", "a", "a", "b/1" };
        PlanRows rows = { items, ELEMENTSOF(items) };
        _cleanup_plan_index_ PlanIndex index = {};

        plan_arrange(&rows, NULL);
        for (size_t i = 0; i < rows.n; i++)
                assert_string_equal(items[i].subject, order[i]);
        assert_string_equal(items[2].verdict, "limited"); /* as the daemon had them */
        assert_string_equal(items[6].kind, "depended");
        PlanSummary s = plan_summary(&rows);
        assert_int_equal(s.goes, 2);
        assert_int_equal(s.limited, 1);
        assert_int_equal(s.cannot, 2);
        assert_int_equal(s.excepted, 0);
        assert_string_equal(plan_verdict(&s), "cannot");

        assert_int_equal(plan_index(&rows, &index), 0);
        assert_string_equal(plan_index_verdict(&index, "a"), "cannot");
        assert_string_equal(plan_index_verdict(&index, "z"), "cannot");
        assert_null(plan_index_verdict(&index, "b"));
        assert_true(plan_index_has(&index, "b"));
        assert_true(plan_index_has(&index, "b/1"));
        assert_true(plan_index_has(&index, "a"));
        assert_false(plan_index_has(&index, "b/"));
        assert_false(plan_index_has(&index, "c"));
        s = plan_summary(&(PlanRows){});
        assert_string_equal(plan_verdict(&s), "goes");
}

static void assert_verdict(PlanRows *rows, char **exceptions, size_t n, size_t excepted, const char *verdict) {
        StringList list = { exceptions, n };

        string_list_sort(&list);
        plan_arrange(rows, &list);
        PlanSummary s = plan_summary(rows);
        assert_int_equal(s.excepted, excepted);
        assert_string_equal(plan_verdict(&s), verdict);
}

static void test_plan_exceptions(void **state) {
        PlanRow items[] = {
                row("device", "a", "cannot"),   row("device", "a", "cannot"),    row("device", "z", "cannot"),
                row("depended", "p", "cannot"), row("session", "s/1", "cannot"), row("session", "s/2", "cannot"),
                row("session", "t", "goes"),
        };
        char *all[] = { (char *)"z", (char *)"s", (char *)"a", (char *)"host" };
        char *one[] = { (char *)"s/2", (char *)"a", (char *)"z" };
        char *depended[] = { (char *)"p" };
        PlanRows rows = { items, ELEMENTSOF(items) };

        assert_verdict(&rows, NULL, 0, 0, "cannot");
        assert_verdict(&rows, one, 3, 3, "cannot"); /* s/1 is left */
        assert_verdict(&rows, depended, 1, 0, "cannot");
        /* What only others depend on does not count by itself. */
        assert_verdict(&rows, all, 4, 4, "limited");
        /* The host cannot be excepted. */
        rows.items[rows.n - 1] = row("host", "host", "cannot");
        assert_verdict(&rows, all, 4, 4, "cannot");
        /* A session called like a device's address */
        PlanRow same[] = { row("session", "a/1", "cannot"), row("device", "a", "cannot") };
        PlanRows both = { same, 2 };
        char *a[] = { (char *)"a" };
        assert_verdict(&both, a, 1, 2, "limited");
}

/* Runs of spaces to one. */
static void squeeze(char *s) {
        char *to = s;

        for (const char *from = s; *from; from++)
                if (*from != ' ' || from == s || from[-1] != ' ')
                        *to++ = *from;
        *to = '\0';
}

static void test_plan_text(void **state) {
        PlanRow items[] = { row("host", "", "goes"), row("device", "d\033", "new\nword") };
        const Style bare = { .utf8 = true };
        PlanRows rows = { items, ELEMENTSOF(items) };
        _cleanup_free_ char *text = NULL, *empty = NULL;

        plan_arrange(&rows, NULL);
        assert_int_equal(format_plan(&rows, &bare, &text), 0);
        squeeze(text); /* how wide a column without a heading is differs between versions of libsmartcols */
        assert_string_equal(text, "host - goes c s\ndevice d\\x1b new\\x0aword c s\n");
        assert_int_equal(format_plan(&(PlanRows){}, &bare, &empty), 0);
        assert_string_equal(empty, "");
}

static void test_stale_event(void **state) {
        char *devices[] = { (char *)"0000:00:01.0", (char *)"b\033[2J\n" };
        StringList list = { devices, 2 };
        Event e = { .kind = EVENT_PLAN_STALE, .time_usec = UINT64_C(1790000000123456), .devices = &list };
        _cleanup_free_ char *text = NULL, *json = NULL, *none = NULL;

        assert_int_equal(format_event(&e, &plain, &text), 0);
        assert_string_equal(text, "14:13:20.123 plan stale: 0000:00:01.0 b?[2J?\n");
        assert_int_equal(json_to_text(json_event(&e), JSON_SHORT, &json), 0);
        assert_string_equal(json, "{\"event\":\"plan-stale\",\"time_usec\":1790000000123456,"
                                  "\"devices\":[\"0000:00:01.0\",\"b\\u001b[2J\\n\"]}\n");
        list.n = 0;
        assert_int_equal(format_event(&e, &plain, &none), 0);
        assert_string_equal(none, "14:13:20.123 plan stale\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_addresses),   cmocka_unit_test(test_classes),
                cmocka_unit_test(test_links),       cmocka_unit_test(test_circles),
                cmocka_unit_test(test_deep_chain),  cmocka_unit_test(test_dot),
                cmocka_unit_test(test_device),      cmocka_unit_test(test_plan),
                cmocka_unit_test(test_plan_text),   cmocka_unit_test(test_plan_exceptions),
                cmocka_unit_test(test_stale_event),
        };

        (void)setenv("TZ", "UTC", true);
        (void)setlocale(LC_ALL, "C.UTF-8");
        return cmocka_run_group_tests_name("ctl-device", tests, NULL, NULL);
}
