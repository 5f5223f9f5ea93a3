/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Device rules: what matches, who wins, and what becomes of mistakes. */
#include "common/fd.h"
#include "support/topology-builder.h"

#include "core/rules.h"

#include <fcntl.h>

#define _cleanup_rules_ _cleanup_(rules_done)

typedef struct Warnings {
        size_t n;
        char first[1024];
} Warnings;

static void on_warning(void *userdata, const char *message) {
        Warnings *w = userdata;

        if (w->n++ == 0)
                (void)snprintf(w->first, sizeof(w->first), "%s", message);
}

static Warnings parse(Rules *rules, const char *filename, const char *text) {
        Warnings w = {};

        assert_int_equal(rules_parse(rules, filename, text, strlen(text), on_warning, &w), 0);
        return w;
}

static Function device(const char *address) {
        return (Function){
                .address = addr(address),
                .vendor = 0x8086,
                .device = 0x10d3,
                .class_code = 0x010802,
                .driver = (char *)"vfio-pci",
                .native_driver = (char *)"nvme",
        };
}

static void what_matches(void **state) {
        static const struct {
                const char *match;
                bool fits;
        } cases[] = {
                { "", true },
                { "Address=0000:3b:01.2", true },
                { "Address=3b:01.2", true },
                { "Address=0000:3b:01.3", false },
                { "Address=0001:3b:01.2", false },
                { "Address=*:3b:01.2", true },
                { "Address=0000:*:01.2", true },
                { "Address=0000:3b:*.2", true },
                { "Address=0000:3b:01.*", true },
                { "Address=*:*:*.*", true },
                { "Address=*:*:*.1", false },
                { "Address=3B:01.2", true },
                { "Id=8086:10d3", true },
                { "Id=8086:10D3", true },
                { "Id=8086:*", true },
                { "Id=*:10d3", true },
                { "Id=*:*", true },
                { "Id=8087:*", false },
                { "Id=*:10d4", false },
                { "Class=01", true },
                { "Class=0x0108", true },
                { "Class=010802", true },
                { "Class=02", false },
                { "Class=0107", false },
                { "Class=010803", false },
                { "Driver=vfio-pci", true },
                { "Driver=nvme", true },
                { "Driver=nvm", false },
                { "Driver=nvme2", false },
                { "Id=1111:1111 8086:10d3", true },
                { "Id=1111:1111\nId=8086:10d3", true },
                { "Id=1111:1111\t2222:2222", false },
                { "Id=8086:10d3\nClass=01\nDriver=nvme\nAddress=3b:01.2", true },
                { "Id=8086:10d3\nClass=02", false },
                { "Id=8086:10d4\nClass=01", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_rules_ Rules rules = {};
                Function f = device("3b:01.2");
                char text[512];

                (void)snprintf(text, sizeof(text), "[Rule]\nAction=deny\n%s\n", cases[i].match);
                Warnings w = parse(&rules, "x", text);
                if (w.n > 0 || rules_apply(&rules, &f).deny != cases[i].fits)
                        fail_msg("%s: %s", cases[i].match, w.first);
        }
}

static void a_function_of_a_far_domain(void **state) {
        _cleanup_rules_ Rules rules = {};
        Function far = device("10000:3b:01.2"), near = device("3b:01.2");

        assert_int_equal(parse(&rules, "x", "[Rule]\nAddress=10000:*:*.*\nAction=deny").n, 0);
        assert_true(rules_apply(&rules, &far).deny);
        assert_false(rules_apply(&rules, &near).deny);
}

static void defaults(void **state) {
        _cleanup_rules_ Rules rules = {};
        Function f = device("3b:01.2");

        for (int i = 0; i < 2; i++) {
                DevicePolicy p = rules_apply(i ? &rules : NULL, &f);

                assert_false(p.deny);
                assert_int_equal(p.dma, DMA_AUTO);
                assert_int_equal(p.preservation, PRESERVATION_CONSERVATIVE);
                assert_null(p.action_origin);
                assert_null(p.dma_origin);
                assert_null(p.preservation_origin);
        }
}

static void later_wins_by_attribute(void **state) {
        _cleanup_rules_ Rules rules = {};
        Function f = device("3b:01.2");

        assert_int_equal(parse(&rules, "10-a.conf", "# all\n[Rule]\nAction=deny\nDma=stop\nPreserve=minimal\n").n, 0);
        assert_int_equal(parse(&rules, "20-b.conf",
                               "[Rule]\nId=8086:*\nAction=allow\n\n[Rule]\nClass=02\nDma=auto\n"
                               "[Rule]\nClass=01\nDma=keep\n")
                                 .n,
                         0);
        DevicePolicy p = rules_apply(&rules, &f);
        assert_false(p.deny);
        assert_int_equal(p.dma, DMA_KEEP);
        assert_int_equal(p.preservation, PRESERVATION_MINIMAL);
        assert_string_equal(p.action_origin, "20-b.conf:2");
        assert_string_equal(p.dma_origin, "20-b.conf:9");
        assert_string_equal(p.preservation_origin, "10-a.conf:3");
        assert_int_equal(parse(&rules, "25-d.conf", "[Rule]\nDma=keep-identity").n, 0);
        assert_int_equal(rules_apply(&rules, &f).dma, DMA_KEEP_IDENTITY);
        assert_int_equal(parse(&rules, "30-c.conf", "[Rule]\nAction=deny\nAction=allow\nAction=deny").n, 0);
        assert_true(rules_apply(&rules, &f).deny);
}

/* A mistake drops its own rule, whole, and no other. */
static void mistakes(void **state) {
        static const struct {
                const char *line, *message;
        } cases[] = {
                { "Address=3b:01", "Address=3b:01 is not an address such as 0000:3b:00.0 or 0000:3b:*.*" },
                { "Address=3b:01.8", "Address=3b:01.8 is not an address" },
                { "Address=3b:20.0", "Address=3b:20.0 is not an address" },
                { "Address=3b:1.0", "Address=3b:1.0 is not an address" },
                { "Address=3b:**.0", "Address=3b:**.0 is not an address" },
                { "Address=0:3b:01.0", "Address=0:3b:01.0 is not an address" },
                { "Address=0:0:3b:01.0", "Address=0:0:3b:01.0 is not an address" },
                { "Address=0000:3b:01.0.", "Address=0000:3b:01.0. is not an address" },
                { "Address=3b:01.0 x", "Address=x is not an address" },
                { "Address=", "Address= is not an address" },
                { "Id=8086", "Id=8086 is not vendor:device" },
                { "Id=8086:", "Id=8086: is not vendor:device" },
                { "Id=86:10d3", "Id=86:10d3 is not vendor:device" },
                { "Id=8086:10d3:1", "Id=8086:10d3:1 is not vendor:device" },
                { "Id=8086:10dg", "Id=8086:10dg is not vendor:device" },
                { "Class=1", "Class=1 is not 2, 4 or 6 hexadecimal digits" },
                { "Class=*", "Class=* is not 2, 4 or 6 hexadecimal digits" },
                { "Class=**", "Class=** is not 2, 4 or 6 hexadecimal digits" },
                { "Class=01080200", "Class=01080200 is not 2, 4 or 6 hexadecimal digits" },
                { "Driver=a/b", "Driver=a/b is not the name of a driver" },
                { "Driver=", "Driver= is not the name of a driver" },
                { "Action=maybe", "Action=maybe is not allow or deny" },
                { "Action=", "Action= is not allow or deny" },
                { "Dma=no", "Dma=no is not auto, keep, keep-identity or stop" },
                { "Preserve=all", "Preserve=all is not conservative or minimal" },
                { "Adress=3b:01.2", "unknown key Adress= in a rule; the rule is ignored" },
                { "address=3b:01.2", "unknown key address= in a rule; the rule is ignored" },
                { "just text", "a setting is written as Key=value; the line is ignored" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_rules_ Rules rules = {};
                Function f = device("3b:01.2");
                char text[512], want[256];

                (void)snprintf(text, sizeof(text),
                               "[Rule]\nDma=keep\n[Rule]\nAction=deny\n%s\n[Rule]\nPreserve=minimal\n", cases[i].line);
                (void)snprintf(want, sizeof(want), "dir/x.conf:5: %s", cases[i].message);
                Warnings w = parse(&rules, "dir/x.conf", text);
                assert_int_equal(w.n, 1);
                if (strncmp(w.first, want, strlen(want)) != 0)
                        fail_msg("%s: %s", cases[i].line, w.first);
                assert_int_equal(rules.n, 2);
                assert_int_equal(rules.n_dropped, 1);
                DevicePolicy p = rules_apply(&rules, &f);
                assert_false(p.deny);
                assert_int_equal(p.dma, DMA_KEEP);
                assert_int_equal(p.preservation, PRESERVATION_MINIMAL);
        }
}

static void sections(void **state) {
        static const struct {
                const char *text, *message;
                size_t dropped;
        } cases[] = {
                { "Action=deny\n[Rule]\n", "x:1: Action= stands before the first [Rule]; it is ignored", 1 },
                { "[rule]\nAction=deny\nDma=x\n", "x:2: unknown section [rule], not [Rule]; it is ignored", 1 },
                { "[Rule\nAction=deny\n", "x:1: a section is written as [Name]; the line is ignored", 1 },
                { "[Rule]\nDma=stop\n[Rule\nAction=deny\n", "x:3: a section is written as [Name]; the line is ignored",
                  1 },
                { "[Rule]\n[Rule]\n[Rule]\n", "", 0 },
                { "", "", 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_rules_ Rules rules = {};
                Function f = device("3b:01.2");

                Warnings w = parse(&rules, "x", cases[i].text);
                assert_string_equal(w.first, cases[i].message);
                assert_int_equal(rules.n_dropped, cases[i].dropped);
                assert_false(rules_apply(&rules, &f).deny);
        }
}

static void bounds(void **state) {
        _cleanup_rules_ Rules rules = {};
        _cleanup_free_ char *text = calloc(RULES_MAX + 100, 32);
        char *p = text;

        assert_non_null(text);
        for (int i = 0; i < RULES_MAX + 10; i++)
                p = stpcpy(p, "[Rule]\nAction=deny\n");
        Warnings w = parse(&rules, "x", text);
        assert_int_equal(rules.n, RULES_MAX);
        assert_int_equal(rules.n_dropped, 10);
        assert_int_equal(w.n, 10);
        assert_non_null(strstr(w.first, "more than 4096 rules; that of x:8194 is ignored"));

        _cleanup_rules_ Rules one = {};
        p = stpcpy(text, "[Rule]\n");
        for (int i = 0; i < RULE_MATCHES_MAX + 1; i++)
                p = stpcpy(p, "Id=8086:*\n");
        w = parse(&one, "x", text);
        assert_int_equal(w.n, 1);
        assert_int_equal(one.n, 0);
}

/* The example, with its rules switched on, has no mistake and says what its comments do. */
static void the_example(void **state) {
        _cleanup_rules_ Rules rules = {}, none = {};
        _cleanup_free_ char *text = NULL;
        Function watchdog = device("00:1f.4"), card = device("3b:00.0");

        assert_int_equal(file_read_at(AT_FDCWD, SOURCE_ROOT "/conf/device-rules.conf", 1 << 20, &text, NULL), 0);
        assert_int_equal(parse(&none, "example", text).n, 0);
        assert_int_equal(none.n + none.n_dropped, 0);
        for (char *p = text; (p = strchr(p, '#')); p++)
                if (p[1] == '[' || (p[1] >= 'A' && p[1] <= 'Z'))
                        *p = ' ';
        Warnings w = parse(&rules, "example", text);
        assert_string_equal(w.first, "");
        assert_int_equal(rules.n, 3);
        watchdog.class_code = 0x088000;
        watchdog.driver = (char *)"iTCO_wdt";
        assert_true(rules_apply(&rules, &watchdog).deny);
        DevicePolicy p = rules_apply(&rules, &card);
        assert_false(p.deny);
        assert_int_equal(p.dma, DMA_KEEP);
        assert_int_equal(p.preservation, PRESERVATION_MINIMAL);
}

static void words(void **state) {
        for (Dma d = 0; d < _DMA_MAX; d++)
                assert_int_equal(dma_from_string(dma_to_string(d)), d);
        for (Preservation p = 0; p < _PRESERVATION_MAX; p++)
                assert_int_equal(preservation_from_string(preservation_to_string(p)), p);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_matches), cmocka_unit_test(a_function_of_a_far_domain),
                cmocka_unit_test(defaults),     cmocka_unit_test(later_wins_by_attribute),
                cmocka_unit_test(mistakes),     cmocka_unit_test(sections),
                cmocka_unit_test(bounds),       cmocka_unit_test(the_example),
                cmocka_unit_test(words),
        };

        return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
