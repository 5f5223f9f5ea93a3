/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices, the plan, the table of bits and the comparison after an update: one call
 * each, and its answer into structs.
 */
#include "bus-internal.h"

#include "address.h"
#include "common/names.h"

#define DEVICE_PATH LIVEUPDATE_PATH "/device"

typedef int (*RowReader)(sd_bus_message *m, void *row);

typedef struct RowKind {
        const char *array, *types; /* "(ss)" and "ss" */
        size_t size;
        RowReader read;
} RowKind;

/* Rows that were read in part are counted too, so that they are freed. */
static int read_rows(sd_bus_message *m, const RowKind *kind, void *items, size_t *n) {
        int r = sd_bus_message_enter_container(m, 'a', kind->array);

        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', kind->types)) > 0) {
                void *row = array_append(items, *n, kind->size);
                if (!row)
                        return -ENOMEM;
                (*n)++;
                r = kind->read(m, row);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_cells(sd_bus_message *m, char **const *cells, size_t n) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < n; i++)
                r = read_string(m, cells[i]);
        return r;
}

static int read_device_row(sd_bus_message *m, void *row) {
        Device *d = row;
        char **cells[] = { &d->address, &d->class_code, &d->ids, &d->port, &d->driver, &d->parent, &d->physfn };

        int r = read_path(m, &d->path);
        if (r >= 0)
                r = read_cells(m, cells, ELEMENTSOF(cells));
        return r < 0 ? r : sd_bus_message_read_basic(m, 'i', &d->group);
}

static int read_plan_row(sd_bus_message *m, void *row) {
        PlanRow *p = row;
        char **cells[] = { &p->kind, &p->subject, &p->verdict, &p->code, &p->sentence, &p->remedy };

        return read_cells(m, cells, ELEMENTSOF(cells));
}

static int read_bit_row(sd_bus_message *m, void *row) {
        BitRow *b = row;
        char **cells[] = { &b->name, &b->offset, &b->mask, &b->class, &b->reason };

        return read_cells(m, cells, ELEMENTSOF(cells));
}

static int read_difference(sd_bus_message *m, void *row) {
        Difference *d = row;
        char **cells[] = { &d->address, &d->name, &d->before, &d->after, &d->verdict, &d->reason };

        return read_cells(m, cells, ELEMENTSOF(cells));
}

static const RowKind device_rows = { "(osssssssi)", "osssssssi", sizeof(Device), read_device_row };
static const RowKind plan_rows = { "(ssssss)", "ssssss", sizeof(PlanRow), read_plan_row };
static const RowKind bit_rows = { "(sssss)", "sssss", sizeof(BitRow), read_bit_row };
static const RowKind difference_rows = { "(ssssss)", "ssssss", sizeof(Difference), read_difference };

int bus_append_strings(sd_bus_message *m, const StringList *l) {
        int r = sd_bus_message_open_container(m, 'a', "s");

        for (size_t i = 0; r >= 0 && i < l->n; i++)
                r = sd_bus_message_append_basic(m, 's', l->items[i]);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* A method of the manager without arguments. */
static int call(Bus *bus, const char *method, sd_bus_message **ret, Failure *failure) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;

        int r = sd_bus_call_method(bus->bus, LIVEUPDATE_BUS_NAME, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE,
                                   method, &error, ret, NULL);
        return r < 0 ? bus_failure(bus, failure, r, &error) : 0;
}

static int by_address(const void *a, const void *b) {
        const Device *x = a, *y = b;

        return address_compare(x->address, y->address);
}

/* A row of ListPreserved into the device that it is about. */
static void note_way(const DeviceList *list, const char *address, const char *state) {
        Device key = { .address = (char *)address };
        Device *d = list->n > 0 ? bsearch(&key, list->items, list->n, sizeof(key), by_address) : NULL;

        if (!d)
                return;
        size_t n = strlen(d->way);
        (void)snprintf(d->way + n, sizeof(d->way) - n, "%s%s", n > 0 ? ", " : "", state);
}

static int read_ways(sd_bus_message *m, const DeviceList *list) {
        const char *address, *state;

        int r = sd_bus_message_enter_container(m, 'a', "(ssssss)");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', "ssssss")) > 0) {
                r = sd_bus_message_read(m, "s", &address);
                if (r >= 0)
                        r = sd_bus_message_skip(m, "sss");
                if (r >= 0)
                        r = sd_bus_message_read(m, "s", &state);
                if (r >= 0)
                        r = sd_bus_message_skip(m, "s");
                if (r >= 0)
                        note_way(list, address, state);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r;
}

/* A daemon that is older does not have it. */
static int list_ways(Bus *bus, const DeviceList *list, Failure *failure) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;

        int r = sd_bus_call_method(bus->bus, LIVEUPDATE_BUS_NAME, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE,
                                   "ListPreserved", &error, &reply, NULL);
        if (r < 0 && sd_bus_error_has_name(&error, SD_BUS_ERROR_UNKNOWN_METHOD))
                return 0;
        if (r < 0)
                return bus_failure(bus, failure, r, &error);
        r = read_ways(reply, list);
        return r < 0 ? bus_failure_form(bus, failure, r) : 0;
}

int bus_list_devices(Bus *bus, DeviceList *ret, Failure *failure) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_device_list_ DeviceList list = {};

        int r = call(bus, "ListDevices", &reply, failure);
        if (r < 0)
                return r;
        r = read_rows(reply, &device_rows, &list.items, &list.n);
        if (r < 0)
                return bus_failure_form(bus, failure, r);
        if (list.n > 1)
                qsort(list.items, list.n, sizeof(Device), by_address);
        r = list_ways(bus, &list, failure);
        if (r < 0)
                return r;
        *ret = list;
        list = (DeviceList){};
        return 0;
}

static int read_u16(sd_bus_message *m, void *field) {
        return sd_bus_message_read_basic(m, 'q', field);
}

static int read_u8(sd_bus_message *m, void *field) {
        return sd_bus_message_read_basic(m, 'y', field);
}

static int read_i32(sd_bus_message *m, void *field) {
        return sd_bus_message_read_basic(m, 'i', field);
}

static int read_ids(sd_bus_message *m, void *field) {
        uint16_t *ids = field;

        return sd_bus_message_read(m, "(qqqq)", &ids[0], &ids[1], &ids[2], &ids[3]);
}

static int read_buses(sd_bus_message *m, void *field) {
        uint8_t *buses = field;

        return sd_bus_message_read(m, "(yy)", &buses[0], &buses[1]);
}

static int read_native(sd_bus_message *m, void *field) {
        NativeDriver *d = field;

        int r = sd_bus_message_enter_container(m, 'r', "ss");
        if (r >= 0 && (r = read_string(m, &d->name)) >= 0)
                r = read_string(m, &d->kind);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

#define D(field) offsetof(DeviceInfo, field)
static const Property device_properties[] = {
        { "Address", "s", read_string, D(address) },
        { "Class", "u", read_u32, D(class_code) },
        { "Ids", "(qqqq)", read_ids, D(ids) },
        { "Revision", "y", read_u8, D(revision) },
        { "Serial", "t", read_u64, D(serial) },
        { "Port", "s", read_string, D(port) },
        { "Buses", "(yy)", read_buses, D(buses) },
        { "Parent", "s", read_string, D(parent) },
        { "PhysFn", "s", read_string, D(physfn) },
        { "VirtFns", "as", read_strings, D(virtfns) },
        { "NumVfs", "q", read_u16, D(num_vfs) },
        { "TotalVfs", "q", read_u16, D(total_vfs) },
        { "Features", "as", read_strings, D(features) },
        { "Enabled", "as", read_strings, D(enabled) },
        { "PowerState", "s", read_string, D(power_state) },
        { "Driver", "s", read_string, D(driver) },
        { "DriverOverride", "s", read_string, D(driver_override) },
        { "NativeDriver", "(ss)", read_native, D(native) },
        { "ResetMethods", "s", read_string, D(reset_methods) },
        { "Group", "i", read_i32, D(group) },
        { "GroupType", "s", read_string, D(group_type) },
        { "NumaNode", "i", read_i32, D(numa_node) },
        { "VfioDevice", "s", read_string, D(vfio_device) },
        { "Outgoing", "s", read_string, D(outgoing) },
        { "Incoming", "s", read_string, D(incoming) },
        { "Held", "b", read_bool, D(held) },
        { "Verdict", "s", read_string, D(verdict) },
        { "Codes", "as", read_strings, D(codes) },
};

static int read_device(sd_bus_message *m, const char *path, DeviceInfo *info) {
        int r = read_properties(m, device_properties, ELEMENTSOF(device_properties), info);

        if (r < 0)
                return r;
        info->path = strdup(path);
        if (!info->native.name)
                info->native.name = strdup("");
        if (!info->native.kind)
                info->native.kind = strdup("");
        return info->path && info->native.name && info->native.kind ? 0 : -ENOMEM;
}

int bus_get_device(Bus *bus, const char *address, DeviceInfo *ret, Failure *failure) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_device_info_ DeviceInfo info = { .group = -1, .numa_node = -1 };
        _cleanup_free_ char *path = NULL;

        int r = sd_bus_path_encode(DEVICE_PATH, address, &path);
        if (r < 0)
                return failure_from_errno(failure, r, "The device cannot be asked for", NULL);
        r = bus_get_all(bus, path, LIVEUPDATE_DEVICE_INTERFACE, &error, &reply);
        if (r < 0 && (sd_bus_error_has_name(&error, SD_BUS_ERROR_UNKNOWN_OBJECT) ||
                      sd_bus_error_has_name(&error, SD_BUS_ERROR_UNKNOWN_INTERFACE)))
                return failure_set(failure, -ENOENT, EXIT_CTL_FAILED, "no-such-device",
                                   "There is no PCI device %s on this host. See 'liveupdatectl devices'.", address);
        if (r < 0)
                return bus_failure(bus, failure, r, &error);
        r = read_device(reply, path, &info);
        if (r < 0)
                return bus_failure_form(bus, failure, r);
        *ret = info;
        info = (DeviceInfo){};
        return 0;
}

int bus_plan(Bus *bus, const StringList *devices, const char *jump, PlanRows *ret, Failure *failure) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_plan_rows_ PlanRows rows = {};

        int r = sd_bus_message_new_method_call(bus->bus, &m, LIVEUPDATE_BUS_NAME, LIVEUPDATE_PATH,
                                               LIVEUPDATE_MANAGER_INTERFACE, "Plan");
        if (r >= 0)
                r = bus_append_strings(m, devices);
        if (r >= 0)
                r = jump ? sd_bus_message_append(m, "a{sv}", 1, "jump", "s", jump)
                         : sd_bus_message_append(m, "a{sv}", 0);
        if (r >= 0)
                r = sd_bus_call(bus->bus, m, 0, &error, &reply);
        if (r < 0)
                return bus_failure(bus, failure, r, &error);
        r = read_rows(reply, &plan_rows, &rows.items, &rows.n);
        if (r < 0)
                return bus_failure_form(bus, failure, r);
        *ret = rows;
        rows = (PlanRows){};
        return 0;
}

int bus_list_bits(Bus *bus, BitRows *ret, Failure *failure) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_bit_rows_ BitRows rows = {};

        int r = call(bus, "ListBits", &reply, failure);
        if (r < 0)
                return r;
        r = read_rows(reply, &bit_rows, &rows.items, &rows.n);
        if (r < 0)
                return bus_failure_form(bus, failure, r);
        *ret = rows;
        rows = (BitRows){};
        return 0;
}

int bus_verify(Bus *bus, bool restore, Verification *ret, Failure *failure) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_verification_ Verification v = {};

        int r = sd_bus_call_method(bus->bus, LIVEUPDATE_BUS_NAME, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE,
                                   restore ? "Restore" : "Verify", &error, &reply, "a{sv}", 0);
        if (r < 0)
                return bus_failure(bus, failure, r, &error);
        r = read_u64(reply, &v.equal);
        if (r >= 0)
                r = read_rows(reply, &difference_rows, &v.items, &v.n);
        if (r < 0)
                return bus_failure_form(bus, failure, r);
        *ret = v;
        v = (Verification){};
        return 0;
}

int bus_explain(Bus *bus, const char *code, Explanation *ret, Failure *failure) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_explanation_ Explanation e = {};

        int r = sd_bus_call_method(bus->bus, LIVEUPDATE_BUS_NAME, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE,
                                   "Explain", &error, &reply, "s", code);
        if (r < 0)
                return bus_failure(bus, failure, r, &error);
        if ((r = read_string(reply, &e.sentence)) < 0 || (r = read_string(reply, &e.remedy)) < 0)
                return bus_failure_form(bus, failure, r);
        *ret = e;
        e = (Explanation){};
        return 0;
}

static int hold(Bus *bus, const char *method, const char *address, bool rebind, Failure *failure) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;

        int r = sd_bus_message_new_method_call(bus->bus, &m, LIVEUPDATE_BUS_NAME, LIVEUPDATE_PATH,
                                               LIVEUPDATE_MANAGER_INTERFACE, method);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", address);
        if (r >= 0)
                r = rebind ? sd_bus_message_append(m, "a{sv}", 1, "rebind", "b", true)
                           : sd_bus_message_append(m, "a{sv}", 0);
        /* A driver lets go when it likes. */
        if (r >= 0)
                r = sd_bus_call(bus->bus, m, 120 * USEC_PER_SEC, &error, &reply);
        return r < 0 ? bus_failure(bus, failure, r, &error) : 0;
}

int bus_hold_device(Bus *bus, const char *address, bool rebind, Failure *failure) {
        return hold(bus, "HoldDevice", address, rebind, failure);
}

int bus_release_device(Bus *bus, const char *address, Failure *failure) {
        return hold(bus, "ReleaseDevice", address, false, failure);
}
