/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The devices as a graph in Graphviz's language: an edge from each bridge to what is
 * below it, a dashed one from a PF to each of its VFs, and a box around an IOMMU group.
 */
#include "address.h"
#include "class.h"
#include "common/utf8.h"
#include "device-links.h"
#include "format-internal.h"

/* In double quotes; a backslash would begin an escape sequence of the language's. */
static void put_quoted(FILE *f, const char *s) {
        char clean[256];

        utf8_copy(clean, sizeof(clean), s);
        for (const char *p = clean; *p; p++)
                (void)fprintf(f, "%s%c", *p == '"' || *p == '\\' ? "\\" : "", *p);
}

static void put_node(FILE *f, const Device *d) {
        bool bridge = !streq(d->port, "none") && *d->port;
        char class[128];

        class_format_text(d->class_code, class, sizeof(class));
        (void)fputs("        \"", f);
        put_quoted(f, d->address);
        (void)fputs("\" [label=\"", f);
        put_quoted(f, d->address);
        (void)fputs("\\n", f);
        put_quoted(f, class);
        if (*d->ids) {
                (void)fputs("\\n", f);
                put_quoted(f, d->ids);
        }
        if (*d->driver) {
                (void)fputs("\\n", f);
                put_quoted(f, d->driver);
        }
        (void)fprintf(f, "\"%s];\n", bridge ? ", shape=box" : "");
}

static void put_edge(FILE *f, const char *from, const char *to, const char *attributes) {
        (void)fputs("        \"", f);
        put_quoted(f, from);
        (void)fputs("\" -> \"", f);
        put_quoted(f, to);
        (void)fprintf(f, "\"%s;\n", attributes);
}

static void put_edges(FILE *f, const DeviceList *devices, const DeviceLink *links) {
        for (size_t i = 0; i < devices->n; i++) {
                const Device *d = &devices->items[i];
                size_t n = address_bus_size(d->address);
                char bus[ADDRESS_SIZE];

                if (links[i].above != NO_DEVICE)
                        put_edge(f, devices->items[links[i].above].address, d->address,
                                 links[i].is_vf ? " [style=dashed, label=\"VF\"]" : "");
                else if (n > 0) {
                        (void)snprintf(bus, sizeof(bus), "pci%.*s", (int)n, d->address);
                        put_edge(f, bus, d->address, "");
                }
        }
}

static void put_clusters(FILE *f, const DeviceList *devices, const size_t *order) {
        int32_t group = -1;

        for (size_t i = 0; i < devices->n; i++) {
                const Device *d = &devices->items[order[i]];
                if (d->group < 0)
                        continue;
                if (d->group != group)
                        (void)fprintf(f,
                                      "%s        subgraph cluster_%d {\n                label=\"IOMMU group %d\";\n",
                                      group >= 0 ? "        }\n" : "", d->group, d->group);
                group = d->group;
                (void)fputs("                \"", f);
                put_quoted(f, d->address);
                (void)fputs("\";\n", f);
        }
        if (group >= 0)
                (void)fputs("        }\n", f);
}

int format_dot(const DeviceList *devices, char **ret) {
        _cleanup_free_ char *text = NULL;
        _cleanup_free_ DeviceLink *links = NULL;
        _cleanup_free_ size_t *order = NULL;
        size_t size;
        _cleanup_fclose_ FILE *f = open_memstream(&text, &size);

        if (!f)
                return -ENOMEM;
        int r = device_links(devices, &links);
        if (r >= 0)
                r = device_by_group(devices, &order);
        if (r < 0)
                return r;
        (void)fputs("digraph pci {\n        rankdir=LR;\n", f);
        for (size_t i = 0; i < devices->n; i++)
                put_node(f, &devices->items[i]);
        put_clusters(f, devices, order);
        put_edges(f, devices, links);
        (void)fputs("}\n", f);
        return text_finish(&f, &text, 0, ret);
}
