/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linking. The parent of a function is the bridge whose secondary bus is the function's
 * bus; a VF has that of its PF, since VFs may lie on buses that no bridge of their own
 * leads to (the kernel's virtfn_add_bus()). A bridge counts only if its secondary bus
 * is behind its own (PCI enumeration numbers buses downwards), so the bus number falls
 * with every step towards the root: whatever was read, there is no cycle.
 */
#include "topology.h"

#include "common/utf8.h"

#include <stdarg.h>

static const char *const port_table[_PORT_MAX] = {
        [PORT_NONE] = "none",
        [PORT_ROOT] = "root-port",
        [PORT_UPSTREAM] = "upstream",
        [PORT_DOWNSTREAM] = "downstream",
        [PORT_PCIE_TO_PCI] = "pcie-to-pci",
        [PORT_PCI_TO_PCIE] = "pci-to-pcie",
        [PORT_CONVENTIONAL] = "conventional",
};

DEFINE_STRING_TABLE(port, Port, port_table);

static const char *const native_table[_NATIVE_MAX] = {
        [NATIVE_UNKNOWN] = "unknown",
        [NATIVE_NONE] = "none",
        [NATIVE_MODULE] = "module",
        [NATIVE_BUILTIN] = "builtin",
};

DEFINE_STRING_TABLE(native, Native, native_table);

static const char *const power_state_table[_POWER_MAX] = {
        [POWER_UNKNOWN] = "unknown", [POWER_D0] = "D0",       [POWER_D1] = "D1",
        [POWER_D2] = "D2",           [POWER_D3HOT] = "D3hot", [POWER_D3COLD] = "D3cold",
};

DEFINE_STRING_TABLE(power_state, PowerState, power_state_table);

/* ---- addresses ---- */

/* Exactly n hexadecimal digits; *s then points behind them. */
static bool take_hex(const char **s, size_t n, uint32_t *ret) {
        uint32_t v = 0;

        for (size_t i = 0; i < n; i++) {
                char c = (*s)[i];

                if (c >= '0' && c <= '9')
                        v = v << 4 | (uint32_t)(c - '0');
                else if (c >= 'a' && c <= 'f')
                        v = v << 4 | (uint32_t)(c - 'a' + 10);
                else if (c >= 'A' && c <= 'F')
                        v = v << 4 | (uint32_t)(c - 'A' + 10);
                else
                        return false;
        }
        *s += n;
        *ret = v;
        return true;
}

int address_parse(const char *s, Address *ret) {
        uint32_t domain = 0, bus, slot, function;
        size_t n = strcspn(s, ":");

        /* Four digits as everyone writes it; more only where they are needed. */
        if (n != 2) {
                if (n < 4 || n > 8 || (n > 4 && *s == '0') || !take_hex(&s, n, &domain) || *s++ != ':')
                        return -EINVAL;
        }
        if (!take_hex(&s, 2, &bus) || *s++ != ':' || !take_hex(&s, 2, &slot) || slot > 31 || *s++ != '.' ||
            !take_hex(&s, 1, &function) || function > 7 || *s)
                return -EINVAL;
        *ret = (Address){
                .domain = domain,
                .bus = (uint8_t)bus,
                .slot = (uint8_t)slot,
                .function = (uint8_t)function,
        };
        return 0;
}

void address_format(Address a, char buf[static ADDRESS_TEXT_SIZE]) {
        (void)snprintf(buf, ADDRESS_TEXT_SIZE, "%04x:%02x:%02x.%u", a.domain, a.bus, a.slot & 31u, a.function & 7u);
}

int address_compare(Address a, Address b) {
        uint64_t x = (uint64_t)a.domain << 24 | (uint64_t)a.bus << 16 | (uint64_t)a.slot << 8 | a.function;
        uint64_t y = (uint64_t)b.domain << 24 | (uint64_t)b.bus << 16 | (uint64_t)b.slot << 8 | b.function;

        return x < y ? -1 : x > y;
}

/* ---- the value ---- */

static void function_done(Function *f) {
        free(f->driver);
        free(f->driver_override);
        free(f->reset_methods);
        free(f->group_type);
        free(f->vfio_cdev);
        free(f->native_driver);
}

void topology_done(Topology *t) {
        for (size_t i = 0; i < t->n; i++)
                function_done(&t->items[i]);
        free(t->items);
        for (size_t i = 0; i < t->n_notes; i++)
                free(t->notes[i]);
        free(t->notes);
        *t = (Topology){};
}

static void unlink_function(Function *f) {
        f->parent = f->pf = f->first_vf = f->next_vf = f->next_in_group = TOPOLOGY_NONE;
}

Function *topology_add(Topology *t, Address address) {
        if (t->n >= TOPOLOGY_NONE)
                return NULL;
        if (t->n == t->n_allocated) {
                size_t n = MAX_OF(t->n_allocated * 2, (size_t)64);
                Function *items = reallocarray(t->items, n, sizeof(*items));
                if (!items)
                        return NULL;
                t->items = items;
                t->n_allocated = n;
        }
        Function *f = &t->items[t->n++];
        *f = (Function){ .address = address, .group = -1, .numa_node = -1 };
        unlink_function(f);
        return f;
}

void topology_remove(Topology *t, uint32_t index) {
        if (index >= t->n)
                return;
        function_done(&t->items[index]);
        memmove(&t->items[index], &t->items[index + 1], (t->n - index - 1) * sizeof(*t->items));
        t->n--;
}

int topology_note(Topology *t, const char *format, ...) {
        _cleanup_free_ char *copy = NULL;
        char text[512], printable[512];
        va_list ap;

        if (t->n_notes > TOPOLOGY_NOTES_MAX)
                return 0;
        if (!t->notes) {
                t->notes = calloc(TOPOLOGY_NOTES_MAX + 1, sizeof(*t->notes));
                if (!t->notes)
                        return -ENOMEM;
        }
        va_start(ap, format);
        int r = vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        if (r < 0)
                return -EINVAL;
        utf8_copy(printable, sizeof(printable), t->n_notes < TOPOLOGY_NOTES_MAX ? text : "More notes were left out.");
        copy = strdup(printable);
        if (!copy)
                return -ENOMEM;
        t->notes[t->n_notes++] = TAKE_PTR(copy);
        return 0;
}

uint32_t topology_find(const Topology *t, Address address) {
        size_t low = 0, high = t->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int c = address_compare(t->items[middle].address, address);

                if (c == 0)
                        return (uint32_t)middle;
                if (c < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return TOPOLOGY_NONE;
}

/* ---- sorting ---- */

#define COMPARE(a, b)                              \
        do {                                       \
                if ((a) != (b))                    \
                        return (a) < (b) ? -1 : 1; \
        } while (0)

/* By address; of two with the same, first the one that was there, then by what they say
 * of themselves, so that the input's order does not matter. */
static int compare_functions(const void *a, const void *b) {
        const Function *x = a, *y = b;

        int c = address_compare(x->address, y->address);
        if (c != 0)
                return c;
        COMPARE(x->removed, y->removed);
        COMPARE(x->vendor, y->vendor);
        COMPARE(x->device, y->device);
        COMPARE(x->class_code, y->class_code);
        COMPARE(x->header_type, y->header_type);
        COMPARE(x->serial, y->serial);
        COMPARE(x->secondary, y->secondary);
        COMPARE(x->is_vf, y->is_vf);
        COMPARE(x->group, y->group);
        return 0;
}

static int drop_duplicates(Topology *t) {
        char text[ADDRESS_TEXT_SIZE];
        size_t kept = 0;
        int r = 0;

        for (size_t i = 0; i < t->n; i++) {
                if (kept > 0 && address_compare(t->items[kept - 1].address, t->items[i].address) == 0) {
                        address_format(t->items[i].address, text);
                        if (r >= 0)
                                r = topology_note(t, "%s is there twice; the second is left out.", text);
                        function_done(&t->items[i]);
                        continue;
                }
                if (kept != i)
                        t->items[kept] = t->items[i];
                kept++;
        }
        t->n = kept;
        return r;
}

/* ---- bridges ---- */

typedef struct BridgeRef {
        uint32_t domain;
        uint8_t secondary;
        uint32_t index;
} BridgeRef;

static int compare_bridges(const void *a, const void *b) {
        const BridgeRef *x = a, *y = b;

        COMPARE(x->domain, y->domain);
        COMPARE(x->secondary, y->secondary);
        COMPARE(x->index, y->index);
        return 0;
}

/* Whether the bridge leads somewhere: 1, 0, or a note's error. */
static int bridge_usable(Topology *t, uint32_t index) {
        const Function *f = &t->items[index];
        char text[ADDRESS_TEXT_SIZE];

        if (f->header_type != 1 || f->removed || (f->secondary == 0 && f->subordinate == 0))
                return 0;
        address_format(f->address, text);
        if (f->is_vf)
                return topology_note(t, "%s is a VF and says that it is a bridge.", text);
        if (f->secondary <= f->address.bus)
                return topology_note(
                        t, "%s leads to bus %02x, which is not below its own; nothing is taken to be under it.", text,
                        f->secondary);
        if (f->subordinate < f->secondary) {
                int r = topology_note(t, "%s has buses %02x to %02x, which is no range.", text, f->secondary,
                                      f->subordinate);
                if (r < 0)
                        return r;
        }
        return 1;
}

/* Collects the bridges into refs, one for each bus at most; returns how many. */
static ssize_t collect_bridges(Topology *t, BridgeRef *refs) {
        char one[ADDRESS_TEXT_SIZE], two[ADDRESS_TEXT_SIZE];
        size_t n = 0, kept = 0;

        for (uint32_t i = 0; i < t->n; i++) {
                int r = bridge_usable(t, i);
                if (r < 0)
                        return r;
                if (r > 0)
                        refs[n++] = (BridgeRef){ t->items[i].address.domain, t->items[i].secondary, i };
        }
        qsort(refs, n, sizeof(*refs), compare_bridges);
        for (size_t i = 0; i < n; i++) {
                const BridgeRef *last = kept > 0 ? &refs[kept - 1] : NULL;

                if (last && last->domain == refs[i].domain && last->secondary == refs[i].secondary) {
                        address_format(t->items[last->index].address, one);
                        address_format(t->items[refs[i].index].address, two);
                        int r = topology_note(t, "%s and %s both lead to bus %02x; the first is believed.", one, two,
                                              last->secondary);
                        if (r < 0)
                                return r;
                        continue;
                }
                refs[kept++] = refs[i];
        }
        return (ssize_t)kept;
}

static uint32_t bridge_to(const BridgeRef *refs, size_t n, Address a) {
        BridgeRef key = { a.domain, a.bus, 0 };
        size_t low = 0, high = n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (refs[middle].domain == key.domain && refs[middle].secondary == key.secondary)
                        return refs[middle].index;
                if (compare_bridges(&refs[middle], &key) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return TOPOLOGY_NONE;
}

/* Buses of children must be among those of their parent. */
static int check_inside(Topology *t, const Function *f) {
        char one[ADDRESS_TEXT_SIZE], two[ADDRESS_TEXT_SIZE];
        const Function *p = f->parent == TOPOLOGY_NONE ? NULL : &t->items[f->parent];

        if (!p || f->subordinate <= p->subordinate)
                return 0;
        address_format(f->address, one);
        address_format(p->address, two);
        return topology_note(t, "%s has buses up to %02x, but %s above it only up to %02x.", one, f->subordinate, two,
                             p->subordinate);
}

/* Those of siblings must be apart. refs come in the order of their first bus, so it is
 * enough to know, for each parent, the child that reaches furthest until now. */
static int check_ranges(Topology *t, const BridgeRef *refs, size_t n) {
        _cleanup_free_ uint32_t *furthest = reallocarray(NULL, t->n + 1, sizeof(*furthest));
        char one[ADDRESS_TEXT_SIZE], two[ADDRESS_TEXT_SIZE];

        if (!furthest)
                return -ENOMEM;
        for (size_t i = 0; i <= t->n; i++)
                furthest[i] = TOPOLOGY_NONE;
        for (size_t i = 0; i < n; i++) {
                const Function *f = &t->items[refs[i].index];
                uint32_t *last = &furthest[f->parent == TOPOLOGY_NONE ? t->n : f->parent];
                const Function *s = *last == TOPOLOGY_NONE ? NULL : &t->items[*last];

                int r = check_inside(t, f);
                if (r >= 0 && s && s->address.domain == f->address.domain && s->subordinate >= f->secondary) {
                        address_format(s->address, one);
                        address_format(f->address, two);
                        r = topology_note(t, "The buses of %s and %s overlap.", one, two);
                }
                if (r < 0)
                        return r;
                if (!s || s->address.domain != f->address.domain || s->subordinate < f->subordinate)
                        *last = refs[i].index;
        }
        return 0;
}

static int link_parents(Topology *t) {
        _cleanup_free_ BridgeRef *refs = reallocarray(NULL, MAX_OF(t->n, (size_t)1), sizeof(*refs));

        if (!refs)
                return -ENOMEM;
        ssize_t n = collect_bridges(t, refs);
        if (n < 0)
                return (int)n;
        for (size_t i = 0; i < t->n; i++)
                t->items[i].parent = bridge_to(refs, (size_t)n, t->items[i].address);
        return check_ranges(t, refs, (size_t)n);
}

/* ---- virtual functions and groups ---- */

static int link_vf(Topology *t, uint32_t index) {
        Function *f = &t->items[index];
        char one[ADDRESS_TEXT_SIZE], two[ADDRESS_TEXT_SIZE];

        address_format(f->address, one);
        address_format(f->physfn, two);
        uint32_t pf = topology_find(t, f->physfn);
        if (pf == TOPOLOGY_NONE)
                return topology_note(t, "%s is a VF, but its PF %s is not there.", one, two);
        Function *p = &t->items[pf];
        if (p->is_vf || p->removed || p->address.domain != f->address.domain || p->address.bus > f->address.bus)
                return topology_note(t, "%s is a VF, but %s cannot be its PF.", one, two);
        f->pf = pf;
        f->parent = p->parent;
        f->next_vf = p->first_vf;
        p->first_vf = index;
        return 0;
}

static int link_vfs(Topology *t) {
        int r = 0;

        /* From the last one on, so that each list comes out in address order. */
        for (size_t i = t->n; i > 0 && r >= 0; i--)
                if (t->items[i - 1].is_vf && !t->items[i - 1].removed)
                        r = link_vf(t, (uint32_t)(i - 1));
        return r;
}

typedef struct GroupRef {
        int group;
        uint32_t index;
} GroupRef;

static int compare_groups(const void *a, const void *b) {
        const GroupRef *x = a, *y = b;

        COMPARE(x->group, y->group);
        COMPARE(x->index, y->index);
        return 0;
}

static int link_groups(Topology *t) {
        _cleanup_free_ GroupRef *refs = reallocarray(NULL, MAX_OF(t->n, (size_t)1), sizeof(*refs));
        size_t first = 0;

        if (!refs)
                return -ENOMEM;
        for (uint32_t i = 0; i < t->n; i++)
                refs[i] = (GroupRef){ t->items[i].group, i };
        qsort(refs, t->n, sizeof(*refs), compare_groups);
        for (size_t i = 0; i < t->n; i++) {
                Function *f = &t->items[refs[i].index];

                if (i == 0 || refs[i].group != refs[i - 1].group)
                        first = i;
                bool last = i + 1 == t->n || refs[i + 1].group != refs[i].group;
                if (refs[i].group < 0)
                        f->next_in_group = refs[i].index;
                else
                        f->next_in_group = refs[last ? first : i + 1].index;
        }
        return 0;
}

/* What the last linking had to say is said anew by the next. */
static void drop_link_notes(Topology *t) {
        size_t end = t->link_notes + t->n_link_notes;

        for (size_t i = t->link_notes; i < end; i++)
                free(t->notes[i]);
        if (t->n_link_notes > 0)
                memmove(&t->notes[t->link_notes], &t->notes[end], (t->n_notes - end) * sizeof(*t->notes));
        t->n_notes -= t->n_link_notes;
        t->link_notes = t->n_notes;
        t->n_link_notes = 0;
}

int topology_link(Topology *t) {
        drop_link_notes(t);
        if (t->n > 0)
                qsort(t->items, t->n, sizeof(*t->items), compare_functions);
        for (size_t i = 0; i < t->n; i++)
                unlink_function(&t->items[i]);
        int r = drop_duplicates(t);
        if (r >= 0)
                r = link_parents(t);
        if (r >= 0)
                r = link_vfs(t);
        if (r >= 0)
                r = link_groups(t);
        t->n_link_notes = t->n_notes - t->link_notes;
        return r;
}
