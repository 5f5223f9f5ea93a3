/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses, and how functions find their parents, PFs and groups, whatever was read. */
#include "support/random.h"
#include "support/topology-builder.h"

#define _cleanup_topology_ _cleanup_(topology_done)

static void addresses_are_read(void **state) {
        static const struct {
                const char *text;
                Address want;
                const char *back;
        } cases[] = {
                { "0000:00:00.0", { 0, 0, 0, 0 }, "0000:00:00.0" },
                { "0000:3b:1f.7", { 0, 0x3b, 31, 7 }, "0000:3b:1f.7" },
                { "fF:1E.3", { 0, 0xff, 0x1e, 3 }, "0000:ff:1e.3" },
                { "ffff:01:02.3", { 0xffff, 1, 2, 3 }, "ffff:01:02.3" },
                { "10000:01:02.3", { 0x10000, 1, 2, 3 }, "10000:01:02.3" },
                { "ffffffff:ff:1f.7", { UINT32_MAX, 0xff, 31, 7 }, "ffffffff:ff:1f.7" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char text[ADDRESS_TEXT_SIZE];
                Address a = addr(cases[i].text);

                assert_int_equal(address_compare(a, cases[i].want), 0);
                address_format(a, text);
                assert_string_equal(text, cases[i].back);
        }
}

static void what_is_no_address(void **state) {
        static const char *const bad[] = {
                "",
                "0",
                ":",
                "::.",
                "00:00",
                "00:00.",
                "00:00.8",
                "00:20.0",
                "00:00.00",
                "0:00.0",
                "000:00.0",
                "000:00:00.0",
                "00000:00:00.0",
                "00001:00:00.0",
                "123456789:00:00.0",
                "0000:00:00.0 ",
                " 0000:00:00.0",
                "0000:00:00:0",
                "0000:00.00.0",
                "g000:00:00.0",
                "0000:0g:00.0",
                "0000:00:-1.0",
                "0000:00:0x.0",
                "0000:00:00.-1",
                "0000",
                "0000:",
                "0000:00",
                "0000:00:",
                "0000:00:0",
                "0000:00:00",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                Address a = { 1, 2, 3, 4 };

                if (address_parse(bad[i], &a) != -EINVAL)
                        fail_msg("\"%s\" is taken", bad[i]);
                assert_int_equal(address_compare(a, (Address){ 1, 2, 3, 4 }), 0);
        }
}

static void tables_are_complete(void **state) {
        for (Port p = 0; p < _PORT_MAX; p++)
                assert_int_equal(port_from_string(port_to_string(p)), p);
        for (Native n = 0; n < _NATIVE_MAX; n++)
                assert_int_equal(native_from_string(native_to_string(n)), n);
        for (PowerState s = 0; s < _POWER_MAX; s++)
                assert_int_equal(power_state_from_string(power_state_to_string(s)), s);
}

static void flat(void **state) {
        _cleanup_topology_ Topology t = {};

        endpoint(&t, "00:02.0");
        endpoint(&t, "00:01.0");
        endpoint(&t, "00:01.1");
        built(&t);
        assert_int_equal(t.n, 3);
        assert_int_equal(t.n_notes, 0);
        assert_int_equal(at(&t, "00:01.0"), 0);
        assert_int_equal(at(&t, "00:02.0"), 2);
        for (size_t i = 0; i < t.n; i++) {
                assert_int_equal(t.items[i].parent, TOPOLOGY_NONE);
                assert_int_equal(t.items[i].pf, TOPOLOGY_NONE);
                assert_int_equal(t.items[i].next_in_group, i);
        }
        assert_int_equal(topology_find(&t, addr("00:03.0")), TOPOLOGY_NONE);
}

static void three_levels_of_switches(void **state) {
        _cleanup_topology_ Topology t = {};

        endpoint(&t, "04:00.0");
        bridge(&t, "02:00.0", PORT_UPSTREAM, 3, 4);
        root_port(&t, "00:1c.0", 2, 5);
        bridge(&t, "03:00.0", PORT_DOWNSTREAM, 4, 4);
        endpoint(&t, "01:00.0");
        root_port(&t, "00:1b.0", 1, 1);
        built(&t);
        assert_int_equal(t.n_notes, 0);
        assert_int_equal(fn(&t, "04:00.0")->parent, at(&t, "03:00.0"));
        assert_int_equal(fn(&t, "03:00.0")->parent, at(&t, "02:00.0"));
        assert_int_equal(fn(&t, "02:00.0")->parent, at(&t, "00:1c.0"));
        assert_int_equal(fn(&t, "00:1c.0")->parent, TOPOLOGY_NONE);
        assert_int_equal(fn(&t, "01:00.0")->parent, at(&t, "00:1b.0"));
}

static void vfs_over_several_buses(void **state) {
        _cleanup_topology_ Topology t = {};
        uint32_t n = 0, last = 0;

        root_port(&t, "00:1c.0", 1, 4);
        pf(&t, "01:00.0", 255, 128, 2);
        built(&t);
        assert_int_equal(t.n, 257);
        assert_int_equal(t.n_notes, 0);
        for (uint32_t i = fn(&t, "01:00.0")->first_vf; i != TOPOLOGY_NONE; i = t.items[i].next_vf, n++) {
                assert_true(i > last);
                last = i;
                assert_int_equal(t.items[i].pf, at(&t, "01:00.0"));
                assert_int_equal(t.items[i].parent, at(&t, "00:1c.0"));
        }
        assert_int_equal(n, 255);
        assert_int_equal(t.items[last].address.bus, 3);
}

static void groups_are_rings(void **state) {
        _cleanup_topology_ Topology t = {};

        endpoint(&t, "01:00.0")->group = 7;
        endpoint(&t, "01:00.1")->group = 7;
        endpoint(&t, "02:00.0")->group = 0;
        endpoint(&t, "03:00.0")->group = 7;
        endpoint(&t, "04:00.0");
        endpoint(&t, "05:00.0");
        built(&t);
        assert_int_equal(fn(&t, "01:00.0")->next_in_group, at(&t, "01:00.1"));
        assert_int_equal(fn(&t, "01:00.1")->next_in_group, at(&t, "03:00.0"));
        assert_int_equal(fn(&t, "03:00.0")->next_in_group, at(&t, "01:00.0"));
        assert_int_equal(fn(&t, "02:00.0")->next_in_group, at(&t, "02:00.0"));
        assert_int_equal(fn(&t, "04:00.0")->next_in_group, at(&t, "04:00.0"));
        assert_int_equal(fn(&t, "05:00.0")->next_in_group, at(&t, "05:00.0"));
}

static void domains_are_apart(void **state) {
        _cleanup_topology_ Topology t = {};

        root_port(&t, "0000:00:01.0", 1, 1);
        root_port(&t, "10000:00:01.0", 1, 1);
        endpoint(&t, "0000:01:00.0");
        endpoint(&t, "10000:01:00.0");
        endpoint(&t, "0001:01:00.0");
        built(&t);
        assert_int_equal(t.n_notes, 0);
        assert_int_equal(fn(&t, "0000:01:00.0")->parent, at(&t, "0000:00:01.0"));
        assert_int_equal(fn(&t, "10000:01:00.0")->parent, at(&t, "10000:00:01.0"));
        assert_int_equal(fn(&t, "0001:01:00.0")->parent, TOPOLOGY_NONE);
}

static void has_note(const Topology *t, const char *part) {
        for (size_t i = 0; i < t->n_notes; i++)
                if (strstr(t->notes[i], part))
                        return;
        fail_msg("no note says \"%s\"", part);
}

static void contradictions_are_noted(void **state) {
        static const struct {
                Address bridges[3]; /* in the place of domain: secondary << 8 | subordinate */
                const char *note;
        } cases[] = {
                { { { 0x0101, 0, 1, 0 }, { 0x0101, 0, 2, 0 } }, "0000:00:01.0 and 0000:00:02.0 both lead to bus 01" },
                { { { 0x0001, 0, 1, 0 } }, "0000:00:01.0 leads to bus 00, which is not below its own" },
                { { { 0x0305, 5, 1, 0 } }, "0000:05:01.0 leads to bus 03, which is not below its own" },
                { { { 0x0505, 5, 1, 0 } }, "0000:05:01.0 leads to bus 05, which is not below its own" },
                { { { 0x0503, 0, 1, 0 } }, "0000:00:01.0 has buses 05 to 03, which is no range" },
                { { { 0x0105, 0, 1, 0 }, { 0x0306, 0, 2, 0 } }, "The buses of 0000:00:01.0 and 0000:00:02.0 overlap" },
                /* With a child of the first in between. */
                { { { 0x0105, 0, 1, 0 }, { 0x0202, 1, 0, 0 }, { 0x0406, 0, 2, 0 } },
                  "The buses of 0000:00:01.0 and 0000:00:02.0 overlap" },
                { { { 0x0102, 0, 1, 0 }, { 0x0203, 1, 0, 0 } },
                  "0000:01:00.0 has buses up to 03, but 0000:00:01.0 above it only up to 02" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_topology_ Topology t = {};

                for (size_t j = 0; j < 3 && cases[i].bridges[j].domain > 0; j++) {
                        Address a = cases[i].bridges[j];
                        uint32_t buses = a.domain;

                        a.domain = 0;
                        Function *f = topology_add(&t, a);
                        assert_non_null(f);
                        f->header_type = 1;
                        f->secondary = (uint8_t)(buses >> 8);
                        f->subordinate = (uint8_t)buses;
                }
                built(&t);
                assert_int_equal(t.n_notes, 1);
                has_note(&t, cases[i].note);
                /* And said once, however often it is linked. */
                built(&t);
                assert_int_equal(t.n_notes, 1);
        }
}

static void vfs_without_a_pf(void **state) {
        _cleanup_topology_ Topology t = {};

        root_port(&t, "00:01.0", 1, 1);
        pf(&t, "01:00.0", 2, 1, 1);
        endpoint(&t, "01:01.0");
        for (size_t i = 0; i < t.n; i++)
                if (t.items[i].is_vf)
                        t.items[i].physfn = addr(t.items[i].address.function == 1 ? "01:07.0" : "01:00.2");
        built(&t);
        assert_int_equal(t.n_notes, 2);
        has_note(&t, "0000:01:00.1 is a VF, but its PF 0000:01:07.0 is not there");
        has_note(&t, "0000:01:00.2 is a VF, but 0000:01:00.2 cannot be its PF");
        assert_int_equal(fn(&t, "01:00.1")->pf, TOPOLOGY_NONE);
        assert_int_equal(fn(&t, "01:00.1")->parent, at(&t, "00:01.0"));
        assert_int_equal(fn(&t, "01:00.0")->first_vf, TOPOLOGY_NONE);
}

static void duplicates_are_dropped(void **state) {
        for (int swap = 0; swap < 2; swap++) {
                _cleanup_topology_ Topology t = {};

                for (int i = 0; i < 2; i++) {
                        Function *f = endpoint(&t, "01:00.0");
                        f->removed = i == swap;
                        f->vendor = f->removed ? 0 : 0x1234;
                }
                endpoint(&t, "01:00.1");
                built(&t);
                assert_int_equal(t.n, 2);
                assert_int_equal(fn(&t, "01:00.0")->vendor, 0x1234);
                has_note(&t, "0000:01:00.0 is there twice");
        }
}

static void functions_come_and_go(void **state) {
        _cleanup_topology_ Topology t = {};

        root_port(&t, "00:01.0", 1, 1);
        pf(&t, "01:00.0", 3, 1, 1);
        built(&t);
        topology_remove(&t, at(&t, "01:00.2"));
        topology_remove(&t, 99);
        built(&t);
        assert_int_equal(t.n, 4);
        assert_int_equal(t.items[fn(&t, "01:00.0")->first_vf].next_vf, at(&t, "01:00.3"));
        topology_remove(&t, at(&t, "01:00.0"));
        built(&t);
        assert_int_equal(t.n_notes, 2);
        assert_int_equal(topology_note(&t, "seen by %s", "the port"), 0);
        endpoint(&t, "01:00.0");
        built(&t);
        assert_int_equal(t.n_notes, 1);
        assert_string_equal(t.notes[0], "seen by the port");
}

static void notes_are_bounded(void **state) {
        _cleanup_topology_ Topology t = {};

        for (int i = 0; i < 3000; i++)
                assert_int_equal(topology_note(&t, "note %d\x1b", i), 0);
        assert_int_equal(t.n_notes, TOPOLOGY_NOTES_MAX + 1);
        assert_string_equal(t.notes[0], "note 0?");
        assert_string_equal(t.notes[TOPOLOGY_NOTES_MAX], "More notes were left out.");
}

/* Every attribute anything: what comes out is a forest, and the links are consistent. */
static void nonsense(void **state) {
        Random r = { random_seed(1) };

        print_message("# seed %llu\n", (unsigned long long)r.state);
        for (int round = 0; round < 3000; round++) {
                _cleanup_topology_ Topology t = {};
                uint32_t n = random_below(&r, 60);
                unsigned buses = 1 + random_below(&r, 255);

                for (uint32_t i = 0; i < n; i++) {
                        Address a = { random_below(&r, 2), (uint8_t)random_below(&r, buses),
                                      (uint8_t)random_below(&r, 3), (uint8_t)random_below(&r, 2) };
                        Function *f = topology_add(&t, a);
                        assert_non_null(f);
                        f->header_type = (uint8_t)random_below(&r, 4);
                        f->secondary = (uint8_t)random_below(&r, buses + 1);
                        f->subordinate = (uint8_t)random_below(&r, buses + 1);
                        f->is_vf = random_one_in(&r, 3);
                        f->is_pf = random_one_in(&r, 3);
                        f->physfn = (Address){ random_below(&r, 2), (uint8_t)random_below(&r, buses),
                                               (uint8_t)random_below(&r, 3), (uint8_t)random_below(&r, 2) };
                        f->group = (int)random_below(&r, 5) - 1;
                        f->removed = random_one_in(&r, 10);
                }
                built(&t);
                for (uint32_t i = 0; i < t.n; i++) {
                        const Function *f = &t.items[i];
                        unsigned steps = 0;

                        assert_true(i == 0 || address_compare(t.items[i - 1].address, f->address) < 0);
                        assert_int_equal(topology_find(&t, f->address), i);
                        for (uint32_t p = f->parent; p != TOPOLOGY_NONE; p = t.items[p].parent) {
                                assert_true(p < t.n && ++steps < 256);
                                assert_int_equal(t.items[p].header_type, 1);
                        }
                        if (f->pf != TOPOLOGY_NONE) {
                                assert_true(f->is_vf && !t.items[f->pf].is_vf);
                                assert_int_equal(t.items[f->pf].parent, f->parent);
                        }
                        steps = 0;
                        for (uint32_t g = f->next_in_group; g != i; g = t.items[g].next_in_group) {
                                assert_true(g < t.n && ++steps < t.n);
                                assert_int_equal(t.items[g].group, f->group);
                        }
                }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(addresses_are_read),       cmocka_unit_test(what_is_no_address),
                cmocka_unit_test(tables_are_complete),      cmocka_unit_test(flat),
                cmocka_unit_test(three_levels_of_switches), cmocka_unit_test(vfs_over_several_buses),
                cmocka_unit_test(groups_are_rings),         cmocka_unit_test(domains_are_apart),
                cmocka_unit_test(contradictions_are_noted), cmocka_unit_test(vfs_without_a_pf),
                cmocka_unit_test(duplicates_are_dropped),   cmocka_unit_test(functions_come_and_go),
                cmocka_unit_test(notes_are_bounded),        cmocka_unit_test(nonsense),
        };

        return cmocka_run_group_tests_name("topology", tests, NULL, NULL);
}
