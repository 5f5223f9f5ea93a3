/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI topologies in domain verbs, for tests: what is built can be saved, whole and with
 * all its drivers, and a test then spoils one thing. Call built() before anything else
 * looks at it, and fn() for a function afterwards.
 */
#pragma once

#include "core/topology.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static inline Address addr(const char *text) {
        Address a = {};

        assert_int_equal(address_parse(text, &a), 0);
        return a;
}

static inline char *dup_text(const char *s) {
        char *copy = strdup(s);

        assert_non_null(copy);
        return copy;
}

/* An endpoint that a client has open through vfio-pci; alone in no group. */
static inline Function *endpoint(Topology *t, const char *text) {
        Function *f = topology_add(t, addr(text));

        assert_non_null(f);
        f->vendor = 0x8086;
        f->device = 0x10d3;
        f->class_code = 0x020000;
        f->has_pcie = true;
        f->power = POWER_D0;
        f->driver = dup_text("vfio-pci");
        f->vfio_cdev = dup_text("vfio0");
        f->native_driver = dup_text("e1000e");
        f->native = NATIVE_MODULE;
        f->generation = 1;
        return f;
}

static inline Function *bridge(Topology *t, const char *text, Port port, uint8_t secondary, uint8_t subordinate) {
        Function *f = topology_add(t, addr(text));

        assert_non_null(f);
        f->vendor = 0x1b36;
        f->device = 0x000c;
        f->class_code = 0x060400;
        f->header_type = 1;
        f->has_pcie = port != PORT_CONVENTIONAL;
        f->port = port;
        f->secondary = secondary;
        f->subordinate = subordinate;
        f->power = POWER_D0;
        f->driver = dup_text("pcieport");
        f->native_driver = dup_text("pcieport");
        f->native = NATIVE_BUILTIN;
        f->generation = 1;
        return f;
}

static inline Function *root_port(Topology *t, const char *text, uint8_t secondary, uint8_t subordinate) {
        return bridge(t, text, PORT_ROOT, secondary, subordinate);
}

/* An endpoint with SR-IOV and n VFs, which lie at offset and stride from it as the
 * capability says, over as many buses as that takes. */
static inline void pf(Topology *t, const char *text, unsigned n, unsigned offset, unsigned stride) {
        Function *f = endpoint(t, text);
        Address a = f->address;
        unsigned rid = (unsigned)a.bus << 8 | (unsigned)a.slot << 3 | a.function;

        f->is_pf = true;
        f->num_vfs = f->total_vfs = (uint16_t)n;
        f->vf_offset = (uint16_t)offset;
        f->vf_stride = (uint16_t)stride;
        for (unsigned i = 0; i < n; i++) {
                unsigned r = rid + offset + i * stride;
                char vf[ADDRESS_TEXT_SIZE];

                address_format((Address){ a.domain, (uint8_t)(r >> 8), (r >> 3) & 31, r & 7 }, vf);
                f = endpoint(t, vf);
                f->is_vf = true;
                f->physfn = a;
        }
}

static inline void built(Topology *t) {
        assert_int_equal(topology_link(t), 0);
}

static inline uint32_t at(const Topology *t, const char *text) {
        uint32_t i = topology_find(t, addr(text));

        assert_int_not_equal(i, TOPOLOGY_NONE);
        return i;
}

static inline Function *fn(const Topology *t, const char *text) {
        return &t->items[at(t, text)];
}

static inline void set_text(char **to, const char *s) {
        free(*to);
        *to = s ? dup_text(s) : NULL;
}

static inline void in_group(const Topology *t, const char *text, int group, const char *type) {
        Function *f = fn(t, text);

        f->group = group;
        set_text(&f->group_type, type);
}
