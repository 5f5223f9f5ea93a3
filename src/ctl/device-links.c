/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "device-links.h"

#include "address.h"

size_t device_find(const DeviceList *list, const char *address) {
        size_t low = 0, high = list->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int c = address_compare(address, list->items[middle].address);
                if (c == 0)
                        return middle;
                if (c < 0)
                        high = middle;
                else
                        low = middle + 1;
        }
        return NO_DEVICE;
}

static void link_one(const DeviceList *list, size_t i, DeviceLink *links) {
        const Device *d = &list->items[i];
        size_t pf = *d->physfn ? device_find(list, d->physfn) : NO_DEVICE;

        links[i].is_vf = pf != NO_DEVICE;
        links[i].above = links[i].is_vf ? pf : *d->parent ? device_find(list, d->parent) : NO_DEVICE;
        if (links[i].is_vf)
                links[pf].n_vfs++;
}

/*
 * Makes a forest of it: each device is walked from once, up to where the depth is known
 * already, and back down. A link that closes a circle, or leads too deep, is cut.
 */
static void cut_circles(DeviceLink *links, size_t n, size_t *stack, size_t *depth) {
        const size_t unknown = 0, on_stack = SIZE_MAX;

        for (size_t i = 0; i < n; i++) {
                size_t top = 0, j = i, above = 0;

                for (; j != NO_DEVICE && depth[j] == unknown; j = links[j].above) {
                        depth[j] = on_stack;
                        stack[top++] = j;
                }
                if (j != NO_DEVICE && depth[j] != on_stack)
                        above = depth[j];
                else if (top > 0)
                        links[stack[top - 1]].above = NO_DEVICE;
                for (; top > 0; top--) {
                        if (above == DEVICE_DEPTH) {
                                links[stack[top - 1]].above = NO_DEVICE;
                                above = 0;
                        }
                        depth[stack[top - 1]] = ++above;
                }
        }
}

int device_links(const DeviceList *list, DeviceLink **ret) {
        _cleanup_free_ DeviceLink *links = calloc(list->n + 1, sizeof(DeviceLink));
        _cleanup_free_ size_t *stack = calloc(list->n + 1, sizeof(size_t));
        _cleanup_free_ size_t *depth = calloc(list->n + 1, sizeof(size_t));

        if (!links || !stack || !depth)
                return -ENOMEM;
        for (size_t i = 0; i < list->n; i++)
                link_one(list, i, links);
        cut_circles(links, list->n, stack, depth);
        *ret = TAKE_PTR(links);
        return 0;
}

static int by_group(const void *a, const void *b, void *list) {
        size_t i = *(const size_t *)a, j = *(const size_t *)b;
        int32_t x = ((const DeviceList *)list)->items[i].group, y = ((const DeviceList *)list)->items[j].group;

        return x != y ? (x > y) - (x < y) : (i > j) - (i < j);
}

int device_by_group(const DeviceList *list, size_t **ret) {
        size_t *order = calloc(list->n + 1, sizeof(size_t));

        if (!order)
                return -ENOMEM;
        for (size_t i = 0; i < list->n; i++)
                order[i] = i;
        if (list->n > 1)
                qsort_r(order, list->n, sizeof(size_t), by_group, (void *)list);
        *ret = order;
        return 0;
}

void dependencies_done(Dependencies *d) {
        free(d->items);
        *d = (Dependencies){};
}

static int add(Dependencies *d, size_t device, Relation relation) {
        Dependency *new = array_append(&d->items, d->n, sizeof(Dependency));

        if (!new)
                return -ENOMEM;
        d->n++;
        *new = (Dependency){ device, relation };
        return 0;
}

int device_dependencies(const DeviceList *list, size_t device, Dependencies *ret) {
        _cleanup_dependencies_ Dependencies d = {};
        _cleanup_free_ DeviceLink *links = NULL;
        _cleanup_free_ bool *there = calloc(list->n + 1, sizeof(bool));
        int32_t group = list->items[device].group;

        if (!there)
                return -ENOMEM;
        int r = device_links(list, &links);
        there[device] = true;
        for (size_t i = device; r >= 0 && links[i].above != NO_DEVICE; i = links[i].above) {
                there[links[i].above] = true;
                r = add(&d, links[i].above, links[i].is_vf ? RELATION_PF : RELATION_BRIDGE);
        }
        for (size_t i = 0; r >= 0 && group >= 0 && i < list->n; i++)
                if (!there[i] && list->items[i].group == group)
                        r = add(&d, i, RELATION_GROUP);
        if (r < 0)
                return r;
        *ret = d;
        d = (Dependencies){};
        return 0;
}

const char *relation_word(Relation relation) {
        static const char *const words[] = {
                [RELATION_PF] = "physical-function",
                [RELATION_BRIDGE] = "bridge",
                [RELATION_GROUP] = "group",
        };

        return words[relation];
}

const char *relation_reason(Relation relation) {
        static const char *const reasons[] = {
                [RELATION_PF] = "A virtual function goes along only with its physical function.",
                [RELATION_BRIDGE] = "It is reached through this bridge, which must keep its bus numbers and windows.",
                [RELATION_GROUP] = "It is in the same IOMMU group, and the IOMMU cannot tell the two apart.",
        };

        return reasons[relation];
}
