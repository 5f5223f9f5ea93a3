/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Closure and order on small topologies; test-order-random.c has the large numbers. */
#include "support/topology-builder.h"

#include "core/order.h"

#define _cleanup_topology_ _cleanup_(topology_done)
#define _cleanup_order_ _cleanup_(order_done)

static void order_of(const Topology *t, const char *const *requested, Order *ret) {
        uint32_t indices[16];
        size_t n = 0;

        for (; requested[n]; n++)
                indices[n] = at(t, requested[n]);
        assert_int_equal(order_make(t, indices, n, ret), 0);
}

/* want: addresses in the order of restoring, those that are only depended on in
 * brackets. */
static void assert_order(const Topology *t, const char *const *requested, const char *want) {
        _cleanup_order_ Order o = {};
        char text[1024] = "";

        order_of(t, requested, &o);
        for (size_t i = 0; i < o.n; i++) {
                char one[ADDRESS_TEXT_SIZE];
                size_t n = strlen(text);

                address_format(t->items[o.items[i].function].address, one);
                (void)snprintf(text + n, sizeof(text) - n, o.items[i].requested ? "%s%s" : "%s[%s]", i > 0 ? " " : "",
                               one + strlen("0000:"));
        }
        assert_string_equal(text, want);
}

#define ASSERT_ORDER(t, want, ...) assert_order(t, (const char *const[]){ __VA_ARGS__, NULL }, want)

static void machine(Topology *t) {
        root_port(t, "00:1c.0", 1, 1);
        pf(t, "01:00.0", 3, 1, 1);
        root_port(t, "00:1b.0", 2, 5);
        bridge(t, "02:00.0", PORT_UPSTREAM, 3, 5);
        bridge(t, "03:00.0", PORT_DOWNSTREAM, 4, 4);
        bridge(t, "03:01.0", PORT_DOWNSTREAM, 5, 5);
        endpoint(t, "04:00.0");
        endpoint(t, "04:00.1");
        endpoint(t, "05:00.0");
        endpoint(t, "00:02.0");
        built(t);
}

static void closures(void **state) {
        _cleanup_topology_ Topology t = {};

        machine(&t);
        ASSERT_ORDER(&t, "00:02.0", "00:02.0");
        ASSERT_ORDER(&t, "[00:1c.0] 01:00.0", "01:00.0");
        ASSERT_ORDER(&t, "[00:1c.0] [01:00.0] 01:00.2", "01:00.2");
        ASSERT_ORDER(&t, "[00:1c.0] 01:00.0 01:00.2", "01:00.2", "01:00.0");
        ASSERT_ORDER(&t, "[00:1b.0] [02:00.0] [03:00.0] 04:00.1", "04:00.1");
        ASSERT_ORDER(&t, "[00:1b.0] [00:1c.0] [01:00.0] [02:00.0] 01:00.1 [03:01.0] 05:00.0", "05:00.0", "01:00.1");
        ASSERT_ORDER(&t, "[00:1b.0] 02:00.0", "02:00.0");
        ASSERT_ORDER(&t, "[00:1b.0] [02:00.0] [03:00.0] 04:00.0 04:00.1", "04:00.1", "04:00.0", "04:00.1", "04:00.0");
}

static void depths(void **state) {
        static const struct {
                const char *address;
                uint32_t depth;
        } want[] = {
                { "00:1b.0", 0 }, { "00:1c.0", 0 }, { "01:00.0", 1 }, { "02:00.0", 1 },
                { "01:00.1", 2 }, { "03:00.0", 2 }, { "04:00.0", 3 },
        };
        _cleanup_topology_ Topology t = {};
        _cleanup_order_ Order o = {};

        machine(&t);
        order_of(&t, (const char *const[]){ "01:00.1", "04:00.0", NULL }, &o);
        assert_int_equal(o.n, ELEMENTSOF(want));
        for (size_t i = 0; i < o.n; i++) {
                assert_int_equal(o.items[i].function, at(&t, want[i].address));
                assert_int_equal(o.items[i].depth, want[i].depth);
        }
}

static void nothing_requested(void **state) {
        _cleanup_topology_ Topology t = {};
        Order o = { .n = 7 };

        assert_int_equal(order_make(&t, NULL, 0, &o), 0);
        assert_int_equal(o.n, 0);
        machine(&t);
        assert_int_equal(order_make(&t, NULL, 0, &o), 0);
        assert_int_equal(o.n, 0);
        order_done(&o);
}

static void bad_input(void **state) {
        _cleanup_topology_ Topology t = {};
        Order o = { .n = 7 };
        uint32_t i = 0;

        assert_int_equal(order_make(&t, &i, 1, &o), -EINVAL);
        machine(&t);
        i = (uint32_t)t.n;
        assert_int_equal(order_make(&t, &i, 1, &o), -EINVAL);
        i = TOPOLOGY_NONE;
        assert_int_equal(order_make(&t, &i, 1, &o), -EINVAL);
        /* Links that no topology_link() makes. */
        i = at(&t, "04:00.0");
        t.items[i].parent = i;
        assert_int_equal(order_make(&t, &i, 1, &o), -ELOOP);
        t.items[i].parent = (uint32_t)t.n;
        assert_int_equal(order_make(&t, &i, 1, &o), -EINVAL);
        assert_int_equal(o.n, 7);
        assert_null(o.items);
}

/* The longest chain there can be: a bridge on every bus, and a VF at the end. */
static void the_longest_chain(void **state) {
        _cleanup_topology_ Topology t = {};
        _cleanup_order_ Order o = {};

        for (unsigned bus = 0; bus < 255; bus++) {
                char text[ADDRESS_TEXT_SIZE];

                (void)snprintf(text, sizeof(text), "%02x:00.0", bus);
                bridge(&t, text, bus == 0 ? PORT_ROOT : PORT_DOWNSTREAM, (uint8_t)(bus + 1), 255);
        }
        pf(&t, "ff:00.0", 1, 1, 1);
        built(&t);
        order_of(&t, (const char *const[]){ "ff:00.1", NULL }, &o);
        assert_int_equal(o.n, 257);
        for (size_t i = 0; i < o.n; i++)
                assert_int_equal(o.items[i].depth, i);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(closures),          cmocka_unit_test(depths),
                cmocka_unit_test(nothing_requested), cmocka_unit_test(bad_input),
                cmocka_unit_test(the_longest_chain),
        };

        return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
