/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The closure is walked upwards from each requested function; what has a depth already
 * was seen, so every function is entered once. A VF's depth is one below its PF's, whose
 * parent it shares: in the order of depth, each comes behind all that it needs.
 */
#include "order.h"

/* Buses are numbered with 8 bits and fall on the way up, and only a VF has another step
 * on its bus: no chain is longer than this. */
enum { CHAIN_MAX = 2 * 256 };

typedef struct Closure {
        const Topology *t;
        uint32_t *depth; /* plus one; 0: not seen */
        OrderItem *items;
        size_t n, n_allocated;
} Closure;

void order_done(Order *o) {
        free(o->items);
        *o = (Order){};
}

static int closure_add(Closure *c, uint32_t function, uint32_t depth) {
        if (c->n == c->n_allocated) {
                size_t n = MAX_OF(c->n_allocated * 2, (size_t)64);
                OrderItem *items = reallocarray(c->items, n, sizeof(*items));
                if (!items)
                        return -ENOMEM;
                c->items = items;
                c->n_allocated = n;
        }
        c->items[c->n++] = (OrderItem){ .function = function, .depth = depth };
        c->depth[function] = depth + 1;
        return 0;
}

static int visit(Closure *c, uint32_t function, unsigned level) {
        const Function *f = &c->t->items[function];
        uint32_t needs[] = { f->parent, f->pf }, depth = 0;

        if (c->depth[function] > 0)
                return 0;
        if (level > CHAIN_MAX)
                return -ELOOP;
        for (size_t i = 0; i < ELEMENTSOF(needs); i++) {
                if (needs[i] == TOPOLOGY_NONE)
                        continue;
                if (needs[i] >= c->t->n)
                        return -EINVAL;
                int r = visit(c, needs[i], level + 1);
                if (r < 0)
                        return r;
                depth = MAX_OF(depth, c->depth[needs[i]]); /* which is one more */
        }
        return closure_add(c, function, depth);
}

static int compare_items(const void *a, const void *b) {
        const OrderItem *x = a, *y = b;

        if (x->depth != y->depth)
                return x->depth < y->depth ? -1 : 1;
        /* Indices are in address order. */
        return x->function < y->function ? -1 : x->function > y->function;
}

static int closure_make(Closure *c, const uint32_t *requested, size_t n) {
        c->depth = calloc(MAX_OF(c->t->n, (size_t)1), sizeof(*c->depth));
        if (!c->depth)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                if (requested[i] >= c->t->n)
                        return -EINVAL;
                int r = visit(c, requested[i], 0);
                if (r < 0)
                        return r;
        }
        if (c->n > 0)
                qsort(c->items, c->n, sizeof(*c->items), compare_items);
        /* The depths have done their work: the array now says where each one stands. */
        for (size_t i = 0; i < c->n; i++)
                c->depth[c->items[i].function] = (uint32_t)i;
        for (size_t i = 0; i < n; i++)
                c->items[c->depth[requested[i]]].requested = true;
        return 0;
}

int order_make(const Topology *t, const uint32_t *requested, size_t n, Order *ret) {
        Closure c = { .t = t };

        int r = closure_make(&c, requested, n);
        free(c.depth);
        if (r < 0) {
                free(c.items);
                return r;
        }
        *ret = (Order){ .items = c.items, .n = c.n };
        return 0;
}
