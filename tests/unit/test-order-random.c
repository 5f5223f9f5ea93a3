/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What holds for every order, on 20,000 random topologies: each device is restored after
 * all that it depends on, and saved before; the closure has nothing that no requested
 * device needs; and neither the order in which functions were found nor that of the
 * request changes anything. Dependencies are worked out here a second time, from what
 * was built and not from the links.
 */
#include "support/random.h"
#include "support/topology-builder.h"

#include "core/order.h"

#define _cleanup_topology_ _cleanup_(topology_done)
#define _cleanup_order_ _cleanup_(order_done)

enum { TOPOLOGIES = 20000, FUNCTIONS_MAX = 120 };

/* What was built: each function with the addresses that it needs at once. */
typedef struct Built {
        Address address, needs[2];
        size_t n_needs;
        bool bridge, vf;
        uint8_t secondary, subordinate;
} Built;

typedef struct Machine {
        Built items[FUNCTIONS_MAX];
        size_t n;
} Machine;

static Built *build(Machine *m, Address a, const Built *parent) {
        Built *b = &m->items[m->n++];

        *b = (Built){ .address = a };
        if (parent)
                b->needs[b->n_needs++] = parent->address;
        return b;
}

/* Fills a bus, and the buses below the bridges it puts there, from *next on. */
static void fill_bus(Machine *m, Random *r, uint32_t domain, uint8_t bus, size_t parent, unsigned *next,
                     unsigned level) {
        unsigned slots = 1 + random_below(r, level == 0 ? 5 : 3);

        for (unsigned slot = 0; slot < slots && m->n + 20 < FUNCTIONS_MAX; slot++) {
                /* An index: items move, and so do pointers to them. */
                const Built *above = parent == SIZE_MAX ? NULL : &m->items[parent];
                Address a = { domain, bus, (uint8_t)slot, 0 };

                if (level < 6 && *next < 250 && random_one_in(r, 2)) {
                        size_t self = m->n;
                        Built *b = build(m, a, above);

                        b->bridge = true;
                        b->secondary = (uint8_t)(*next)++;
                        fill_bus(m, r, domain, b->secondary, self, next, level + 1);
                        m->items[self].subordinate = (uint8_t)(*next - 1);
                        continue;
                }
                for (unsigned function = 0, n = 1 + random_below(r, 3); function < n; function++) {
                        a.function = (uint8_t)function;
                        (void)build(m, a, above);
                }
                if (!random_one_in(r, 4) || *next >= 250)
                        continue;
                /* A PF, with VFs on this bus or on one that no bridge leads to. */
                a.function = 0;
                Address vf = { domain, random_one_in(r, 2) ? bus : (uint8_t)(*next)++, (uint8_t)(16 + slot), 0 };
                for (unsigned i = 0, n = 1 + random_below(r, 8); i < n; i++) {
                        vf.function = (uint8_t)i;
                        Built *b = build(m, vf, above);
                        b->vf = true;
                        b->needs[b->n_needs++] = a;
                }
        }
}

static void make_machine(Machine *m, Random *r) {
        uint32_t domains = 1 + random_below(r, 3);

        m->n = 0;
        for (uint32_t domain = 0; domain < domains; domain++) {
                unsigned next = 1;
                fill_bus(m, r, domain, 0, SIZE_MAX, &next, 0);
        }
}

static void shuffle(uint32_t *items, size_t n, Random *r) {
        for (size_t i = n; i > 1; i--) {
                size_t j = random_below(r, (uint32_t)i);
                uint32_t other = items[j];

                items[j] = items[i - 1];
                items[i - 1] = other;
        }
}

/* A topology of it, the functions in random order. */
static void make_topology(const Machine *m, Random *r, Topology *t) {
        uint32_t places[FUNCTIONS_MAX];

        for (size_t i = 0; i < m->n; i++)
                places[i] = (uint32_t)i;
        shuffle(places, m->n, r);
        for (size_t i = 0; i < m->n; i++) {
                const Built *b = &m->items[places[i]];
                Function *f = topology_add(t, b->address);

                assert_non_null(f);
                f->header_type = b->bridge;
                f->secondary = b->secondary;
                f->subordinate = b->subordinate;
                f->is_vf = b->vf;
                if (b->vf)
                        f->physfn = b->needs[b->n_needs - 1];
                f->group = (int)random_below(r, 4) - 1;
        }
        built(t);
        assert_int_equal(t->n_notes, 0);
}

static const Built *find_built(const Machine *m, Address a) {
        for (size_t i = 0; i < m->n; i++)
                if (address_compare(m->items[i].address, a) == 0)
                        return &m->items[i];
        return NULL;
}

/* needed[]: by index in the topology. */
static void mark_needed(const Machine *m, const Topology *t, Address a, bool *needed) {
        const Built *b = find_built(m, a);
        uint32_t index = topology_find(t, a);

        assert_non_null(b);
        assert_int_not_equal(index, TOPOLOGY_NONE);
        if (needed[index])
                return;
        needed[index] = true;
        for (size_t i = 0; i < b->n_needs; i++)
                mark_needed(m, t, b->needs[i], needed);
}

static void check_order(const Machine *m, const Topology *t, const Order *o, const bool *needed,
                        const bool *requested) {
        size_t place[FUNCTIONS_MAX], n = 0;

        for (size_t i = 0; i < t->n; i++) {
                place[i] = SIZE_MAX;
                n += needed[i];
        }
        assert_int_equal(o->n, n);
        for (size_t i = 0; i < o->n; i++) {
                uint32_t f = o->items[i].function;

                assert_int_equal(place[f], SIZE_MAX);
                place[f] = i;
                assert_true(needed[f]);
                assert_int_equal(o->items[i].requested, requested[f]);
                if (i > 0)
                        assert_true(o->items[i - 1].depth < o->items[i].depth ||
                                    (o->items[i - 1].depth == o->items[i].depth && o->items[i - 1].function < f));
        }
        /* Root-first; walked backwards, as it is for saving, that is leaf-first. */
        for (size_t i = 0; i < o->n; i++) {
                const Built *b = find_built(m, t->items[o->items[i].function].address);

                for (size_t j = 0; j < b->n_needs; j++)
                        assert_true(place[topology_find(t, b->needs[j])] < i);
        }
}

static void check_one(Random *r) {
        _cleanup_topology_ Topology t = {}, again = {};
        _cleanup_order_ Order o = {}, other = {};
        bool needed[FUNCTIONS_MAX] = {}, requested[FUNCTIONS_MAX] = {};
        uint32_t request[FUNCTIONS_MAX];
        Machine m;

        make_machine(&m, r);
        make_topology(&m, r, &t);
        size_t n = random_below(r, (uint32_t)m.n + 1);
        for (size_t i = 0; i < n; i++) {
                request[i] = random_below(r, (uint32_t)m.n);
                requested[request[i]] = true;
                mark_needed(&m, &t, t.items[request[i]].address, needed);
        }
        assert_int_equal(order_make(&t, request, n, &o), 0);
        check_order(&m, &t, &o, needed, requested);

        /* Found and asked for in another order, the same comes out. */
        make_topology(&m, r, &again);
        shuffle(request, n, r);
        assert_int_equal(order_make(&again, request, n, &other), 0);
        assert_int_equal(o.n, other.n);
        for (size_t i = 0; i < o.n; i++) {
                assert_int_equal(o.items[i].function, other.items[i].function);
                assert_int_equal(o.items[i].depth, other.items[i].depth);
                assert_int_equal(o.items[i].requested, other.items[i].requested);
                assert_int_equal(address_compare(t.items[o.items[i].function].address,
                                                 again.items[other.items[i].function].address),
                                 0);
        }
}

static void random_topologies(void **state) {
        uint64_t seed = random_seed(20261121);

        print_message("# seed %llu (set LIVEUPDATE_TEST_SEED to repeat it)\n", (unsigned long long)seed);
        for (uint64_t i = 0; i < TOPOLOGIES; i++) {
                Random r = { seed + i };
                check_one(&r);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(random_topologies),
        };

        return cmocka_run_group_tests_name("order-random", tests, NULL, NULL);
}
