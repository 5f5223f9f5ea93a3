/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What depends on what, and the order that follows: a VF needs its PF, a function needs
 * every bridge above it up to the root. The requested functions pull in the depended
 * ones; all are restored root-first (each after what it needs) and saved leaf-first
 * (the reverse).
 *
 * The order is deterministic: by depth from the root, then by address. It does not
 * depend on the order of the request. Linear in the closure, but for one sort.
 */
#pragma once

#include "topology.h"

typedef struct OrderItem {
        uint32_t function; /* index in the topology */
        uint32_t depth;    /* 0: a root */
        bool requested;    /* else depended on */
} OrderItem;

typedef struct Order {
        OrderItem *items; /* root-first; walk backwards to save */
        size_t n;
} Order;

void order_done(Order *o);
/* requested: indices, duplicates allowed. -ENOMEM, -EINVAL for an index out of range,
 * -ELOOP for links that topology_link() did not make. */
int order_make(const Topology *t, const uint32_t *requested, size_t n, Order *ret);
