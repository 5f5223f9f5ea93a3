/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices as a table, as a tree, and one of them with all it has. */
#include "address.h"
#include "class.h"
#include "device-links.h"
#include "format-internal.h"

static const char *or_dash(const char *s) {
        return *s ? s : "-";
}

static void relation_text(const Device *d, const DeviceLink *link, char *buf, size_t size) {
        if (*d->physfn)
                (void)snprintf(buf, size, "VF of %s", d->physfn);
        else if (link->n_vfs > 0)
                (void)snprintf(buf, size, "%zu VF%s", link->n_vfs, link->n_vfs == 1 ? "" : "s");
        else
                (void)snprintf(buf, size, "-");
}

static const Column device_columns[] = {
        { "ADDRESS", .tree = true }, { "CLASS" },  { "IDS" },    { "PORT" }, { "DRIVER" },
        { "GROUP", .right = true },  { "PF/VFS" }, { "UPDATE" },
};

/* The last column is there if there is something in it. */
static size_t count_columns(const DeviceList *devices) {
        for (size_t i = 0; i < devices->n; i++)
                if (*devices->items[i].way)
                        return ELEMENTSOF(device_columns);
        return ELEMENTSOF(device_columns) - 1;
}

static int device_row(Table *t, size_t n_columns, const Device *d, const DeviceLink *link, Row **ret) {
        char class[128], group[16] = "-", relation[128];

        class_format_text(d->class_code, class, sizeof(class));
        if (d->group >= 0)
                (void)snprintf(group, sizeof(group), "%d", d->group);
        relation_text(d, link, relation, sizeof(relation));
        const char *cells[] = { d->address,         class,
                                or_dash(d->ids),    streq(d->port, "none") ? "-" : or_dash(d->port),
                                or_dash(d->driver), group,
                                relation,           or_dash(d->way) };
        return table_add(t, cells, n_columns, SIZE_MAX, ret);
}

int format_devices(const DeviceList *devices, const Style *style, char **ret) {
        _cleanup_(table_freep) Table *t = NULL;
        _cleanup_free_ DeviceLink *links = NULL;
        Column columns[ELEMENTSOF(device_columns)];
        size_t n_columns = count_columns(devices);

        memcpy(columns, device_columns, sizeof(columns));
        columns[0].tree = false;
        int r = device_links(devices, &links);
        if (r >= 0)
                r = table_new(columns, n_columns, style, &t);
        for (size_t i = 0; r >= 0 && i < devices->n; i++)
                r = device_row(t, n_columns, &devices->items[i], &links[i], NULL);
        return r < 0 ? r : table_text(t, style, devices->n, "device", ret);
}

/* The line of a root bus, for the devices on it; they come one after the other. */
static int root_row(Table *t, size_t n_columns, const char *address, char name[static ADDRESS_SIZE], Row **root) {
        char new[ADDRESS_SIZE] = "";
        size_t n = address_bus_size(address);

        /* What is no address has no bus. */
        if (n > 0)
                (void)snprintf(new, sizeof(new), "pci%.*s", (int)n, address);
        if (streq(new, name))
                return 0;
        memcpy(name, new, sizeof(new));
        *root = NULL;
        return *new ? table_add(t, (const char *const[]){ new, "root bus", "", "", "", "", "", "" }, n_columns,
                                SIZE_MAX, root)
                    : 0;
}

int format_device_tree(const DeviceList *devices, const Style *style, char **ret) {
        _cleanup_(table_freep) Table *t = NULL;
        _cleanup_free_ DeviceLink *links = NULL;
        _cleanup_free_ Row **rows = calloc(devices->n + 1, sizeof(Row *));
        size_t n_columns = count_columns(devices);
        char bus[ADDRESS_SIZE] = "";
        Row *root = NULL;

        int r = rows ? device_links(devices, &links) : -ENOMEM;
        if (r >= 0)
                r = table_new(device_columns, n_columns, style, &t);
        for (size_t i = 0; r >= 0 && i < devices->n; i++)
                r = device_row(t, n_columns, &devices->items[i], &links[i], &rows[i]);
        /* A bridge may have a higher address than what is below it: rows first, then links. */
        for (size_t i = 0; r >= 0 && i < devices->n; i++) {
                if (links[i].above == NO_DEVICE)
                        r = root_row(t, n_columns, devices->items[i].address, bus, &root);
                Row *above = links[i].above == NO_DEVICE ? root : rows[links[i].above];
                if (r >= 0 && above)
                        r = table_nest(above, rows[i]);
        }
        return r < 0 ? r : table_text(t, style, devices->n, "device", ret);
}

/* As drivers and lspci write a Device Serial Number: bytes, the highest first. */
static void put_serial(FILE *f, uint64_t serial) {
        if (serial == 0)
                return;
        put_label(f, "Serial");
        for (int shift = 56; shift >= 0; shift -= 8)
                (void)fprintf(f, "%02x%c", (unsigned)(serial >> shift & 0xff), shift > 0 ? '-' : '\n');
}

static void put_known(FILE *f, const char *label, const char *value) {
        if (*value)
                put_line(f, label, "%s", value);
}

static void put_topology(FILE *f, const DeviceInfo *d) {
        if (d->buses[0] || d->buses[1])
                put_line(f, "Port", "%s, buses %02x to %02x", d->port, d->buses[0], d->buses[1]);
        else if (!streq(d->port, "none"))
                put_known(f, "Port", d->port);
        put_known(f, "Bridge", d->parent);
        put_known(f, "VF of", d->physfn);
        if (d->total_vfs > 0)
                put_line(f, "VFs", "%u of %u", d->num_vfs, d->total_vfs);
        put_list(f, "", &d->virtfns);
        if (d->group >= 0)
                put_line(f, "IOMMU group", "%d%s%s%s", d->group, *d->group_type ? " (" : "", d->group_type,
                         *d->group_type ? ")" : "");
        else
                put_line(f, "IOMMU group", "none");
        if (d->numa_node >= 0)
                put_line(f, "NUMA node", "%d", d->numa_node);
}

static void put_driver(FILE *f, const DeviceInfo *d) {
        put_line(f, "Driver", "%s%s%s%s", *d->driver ? d->driver : "none", *d->driver_override ? " (override " : "",
                 d->driver_override, *d->driver_override ? ")" : "");
        if (*d->native.name)
                put_line(f, "Native", "%s (%s)", d->native.name, d->native.kind);
        else
                put_known(f, "Native", d->native.kind);
        put_known(f, "VFIO device", d->vfio_device);
        put_known(f, "Reset", d->reset_methods);
        put_known(f, "Power", d->power_state);
        put_list(f, "Features", &d->features);
        put_list(f, "Enabled", &d->enabled);
        put_known(f, "Outgoing", d->outgoing);
        put_known(f, "Incoming", d->incoming);
        if (d->held)
                put_line(f, "Held", "by liveupdated");
}

int format_device(const DeviceInfo *d, const Style *style, char **ret) {
        _cleanup_free_ char *text = NULL;
        char class[64];
        size_t size;
        _cleanup_fclose_ FILE *f = open_memstream(&text, &size);

        if (!f)
                return -ENOMEM;
        class_format(d->class_code, class, sizeof(class));
        put_line(f, "Address", "%s", d->address);
        put_line(f, "Class", "%s", class);
        put_line(f, "IDs", "%04x:%04x, subsystem %04x:%04x, revision %02x", d->ids[0], d->ids[1], d->ids[2], d->ids[3],
                 d->revision);
        put_serial(f, d->serial);
        put_topology(f, d);
        put_driver(f, d);
        if (*d->verdict) {
                put_label(f, "Verdict");
                put_word(f, style, d->verdict);
                (void)fputc('\n', f);
        }
        put_list(f, "Codes", &d->codes);
        return text_finish(&f, &text, 0, ret);
}
