/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * org.liveupdate1.Device, one object a PCI function, and Manager.ListDevices. Objects are
 * found by address at each call: nothing is kept a device, so 16,384 of them cost what
 * the topology costs.
 */
#include "bus-device.h"

#include "common/names.h"

void bus_device_path(Address a, char path[static BUS_PATH_MAX]) {
        _cleanup_free_ char *encoded = NULL;
        char text[ADDRESS_TEXT_SIZE];

        address_format(a, text);
        if (sd_bus_path_encode(BUS_DEVICE_PREFIX, text, &encoded) >= 0)
                (void)snprintf(path, BUS_PATH_MAX, "%s", encoded);
        else
                (void)snprintf(path, BUS_PATH_MAX, "%s", BUS_DEVICE_PREFIX);
}

/* A device object's user data is the bus itself; the function is looked up by path, since
 * the topology may move between two calls. */
static const Function *function_at(const Bus *b, const char *path) {
        _cleanup_free_ char *text = NULL;
        const Topology *t = b->manager && b->manager->devices ? devices_topology(b->manager->devices) : NULL;
        Address address;

        if (!t || sd_bus_path_decode(path, BUS_DEVICE_PREFIX, &text) <= 0 || address_parse(text, &address) < 0)
                return NULL;
        uint32_t index = topology_find(t, address);
        return index == TOPOLOGY_NONE ? NULL : &t->items[index];
}

static int find_device(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                       sd_bus_error *error) {
        if (!function_at(userdata, path))
                return 0;
        *ret = userdata;
        return 1;
}

static void format_at(const Topology *t, uint32_t index, char buf[static ADDRESS_TEXT_SIZE]) {
        buf[0] = '\0';
        if (index != TOPOLOGY_NONE)
                address_format(t->items[index].address, buf);
}

static int get_text(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                    void *userdata, sd_bus_error *error) {
        const Bus *b = userdata;
        const Topology *t = devices_topology(b->manager->devices);
        const Function *f = function_at(b, path);
        char address[ADDRESS_TEXT_SIZE], parent[ADDRESS_TEXT_SIZE], pf[ADDRESS_TEXT_SIZE];
        const char *value = NULL;

        if (!f)
                return -ENOENT;
        address_format(f->address, address);
        format_at(t, f->parent, parent);
        format_at(t, f->pf, pf);
        const struct {
                const char *property;
                const char *value;
        } texts[] = {
                { "Address", address },
                { "Port", port_to_string(f->port) },
                { "Parent", parent },
                { "PhysFn", pf },
                { "PowerState", power_state_to_string(f->power) },
                { "Driver", f->driver ?: "" },
                { "DriverOverride", f->driver_override ?: "" },
                { "ResetMethods", f->reset_methods ?: "" },
                { "GroupType", f->group_type ?: "" },
                { "VfioDevice", f->vfio_cdev ?: "" },
                { "Outgoing", bus_device_way(b->manager, f->address, false) },
                { "Incoming", bus_device_way(b->manager, f->address, true) },
        };
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                if (streq(texts[i].property, property))
                        value = texts[i].value;
        return value ? sd_bus_message_append(reply, "s", value) : -EINVAL;
}

static int get_number(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const Function *f = function_at(userdata, path);

        if (!f)
                return -ENOENT;
        if (streq(property, "Held"))
                return sd_bus_message_append(reply, "b", bus_device_held(((Bus *)userdata)->manager, f->address));
        if (streq(property, "Class"))
                return sd_bus_message_append(reply, "u", f->class_code);
        if (streq(property, "Serial"))
                return sd_bus_message_append(reply, "t", f->serial);
        if (streq(property, "Revision"))
                return sd_bus_message_append(reply, "y", f->revision);
        if (streq(property, "Group"))
                return sd_bus_message_append(reply, "i", f->group);
        if (streq(property, "NumaNode"))
                return sd_bus_message_append(reply, "i", f->numa_node);
        return sd_bus_message_append(reply, "q", streq(property, "NumVfs") ? f->num_vfs : f->total_vfs);
}

static int get_tuple(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                     void *userdata, sd_bus_error *error) {
        const Function *f = function_at(userdata, path);

        if (!f)
                return -ENOENT;
        if (streq(property, "Ids"))
                return sd_bus_message_append(reply, "(qqqq)", f->vendor, f->device, f->subsystem_vendor,
                                             f->subsystem_device);
        if (streq(property, "Buses"))
                return sd_bus_message_append(reply, "(yy)", f->secondary, f->subordinate);
        return sd_bus_message_append(reply, "(ss)", f->native_driver ?: "", native_to_string(f->native));
}

static int get_virtfns(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const Bus *b = userdata;
        const Topology *t = devices_topology(b->manager->devices);
        const Function *f = function_at(b, path);
        char vf[ADDRESS_TEXT_SIZE];

        if (!f)
                return -ENOENT;
        int r = sd_bus_message_open_container(reply, 'a', "s");
        for (uint32_t i = f->first_vf; i != TOPOLOGY_NONE && r >= 0; i = t->items[i].next_vf) {
                address_format(t->items[i].address, vf);
                r = sd_bus_message_append(reply, "s", vf);
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

typedef struct Flag {
        const char *word;
        bool on;
} Flag;

static int append_flags(sd_bus_message *reply, const Flag *flags, size_t n) {
        int r = sd_bus_message_open_container(reply, 'a', "s");

        for (size_t i = 0; i < n && r >= 0; i++)
                if (flags[i].on)
                        r = sd_bus_message_append(reply, "s", flags[i].word);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_features(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const Function *f = function_at(userdata, path);

        if (!f)
                return -ENOENT;
        const Flag flags[] = {
                { "pcie", f->has_pcie }, { "acs", f->has_acs },   { "ari", f->has_ari },
                { "ats", f->has_ats },   { "pri", f->has_pri },   { "pasid", f->has_pasid },
                { "msi", f->has_msi },   { "msix", f->has_msix }, { "sriov", f->is_pf },
        };
        return append_flags(reply, flags, ELEMENTSOF(flags));
}

static int get_enabled(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const Function *f = function_at(userdata, path);

        if (!f)
                return -ENOENT;
        const Flag flags[] = {
                { "ari-forwarding", f->ari_forwarding }, { "ats", f->ats_enabled }, { "pri", f->pri_enabled },
                { "pasid", f->pasid_enabled },           { "msi", f->msi_enabled }, { "msix", f->msix_enabled },
                { "bus-master", f->bus_master },
        };
        return append_flags(reply, flags, ELEMENTSOF(flags));
}

static int get_verdict(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const Bus *b = userdata;
        const Function *f = function_at(b, path);

        if (!f)
                return -ENOENT;
        return bus_plan_verdict(b, f->address, streq(property, "Codes"), reply);
}

static const sd_bus_vtable device_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Address", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Class", "u", get_number, 0, 0),
        SD_BUS_PROPERTY("Ids", "(qqqq)", get_tuple, 0, 0),
        SD_BUS_PROPERTY("Revision", "y", get_number, 0, 0),
        SD_BUS_PROPERTY("Serial", "t", get_number, 0, 0),
        SD_BUS_PROPERTY("Port", "s", get_text, 0, 0),
        SD_BUS_PROPERTY("Buses", "(yy)", get_tuple, 0, 0),
        SD_BUS_PROPERTY("Parent", "s", get_text, 0, 0),
        SD_BUS_PROPERTY("PhysFn", "s", get_text, 0, 0),
        SD_BUS_PROPERTY("VirtFns", "as", get_virtfns, 0, 0),
        SD_BUS_PROPERTY("NumVfs", "q", get_number, 0, 0),
        SD_BUS_PROPERTY("TotalVfs", "q", get_number, 0, 0),
        SD_BUS_PROPERTY("Features", "as", get_features, 0, 0),
        SD_BUS_PROPERTY("Enabled", "as", get_enabled, 0, 0),
        SD_BUS_PROPERTY("PowerState", "s", get_text, 0, 0),
        SD_BUS_PROPERTY("Driver", "s", get_text, 0, 0),
        SD_BUS_PROPERTY("DriverOverride", "s", get_text, 0, 0),
        SD_BUS_PROPERTY("NativeDriver", "(ss)", get_tuple, 0, 0),
        SD_BUS_PROPERTY("ResetMethods", "s", get_text, 0, 0),
        SD_BUS_PROPERTY("Group", "i", get_number, 0, 0),
        SD_BUS_PROPERTY("GroupType", "s", get_text, 0, 0),
        SD_BUS_PROPERTY("NumaNode", "i", get_number, 0, 0),
        SD_BUS_PROPERTY("VfioDevice", "s", get_text, 0, 0),
        SD_BUS_PROPERTY("Outgoing", "s", get_text, 0, 0),
        SD_BUS_PROPERTY("Incoming", "s", get_text, 0, 0),
        SD_BUS_PROPERTY("Held", "b", get_number, 0, 0),
        SD_BUS_PROPERTY("Verdict", "s", get_verdict, 0, 0),
        SD_BUS_PROPERTY("Codes", "as", get_verdict, 0, 0),
        SD_BUS_VTABLE_END,
};

static int append_device(sd_bus_message *reply, const Topology *t, const Function *f) {
        char path[BUS_PATH_MAX], address[ADDRESS_TEXT_SIZE], parent[ADDRESS_TEXT_SIZE], pf[ADDRESS_TEXT_SIZE];
        char class[8], ids[12];

        bus_device_path(f->address, path);
        address_format(f->address, address);
        format_at(t, f->parent, parent);
        format_at(t, f->pf, pf);
        (void)snprintf(class, sizeof(class), "%06x", f->class_code & 0xffffff);
        (void)snprintf(ids, sizeof(ids), "%04x:%04x", f->vendor, f->device);
        return sd_bus_message_append(reply, "(osssssssi)", path, address, class, ids, port_to_string(f->port),
                                     f->driver ?: "", parent, pf, f->group);
}

static void list_devices(void *userdata) {
        BusWaiter *w = userdata;
        const Topology *t = devices_topology(w->bus->manager->devices);
        sd_bus_message *reply = NULL;

        int r = sd_bus_message_new_method_return(w->call.message, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(osssssssi)");
        for (size_t i = 0; i < t->n && r >= 0; i++)
                r = append_device(reply, t, &t->items[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_send(w->bus->bus, reply, NULL);
        if (r < 0)
                (void)sd_bus_reply_method_errno(w->call.message, r, NULL);
        sd_bus_message_unref(reply);
        bus_waiter_free(w);
}

BusWaiter *bus_waiter_free(BusWaiter *w) {
        bus_call_release(&w->call);
        if (w->data)
                w->free_data(w->data);
        free(w);
        return NULL;
}

int bus_when_devices(Bus *b, sd_bus_message *message, void *data, void (*free_data)(void *data), devices_ready_t done,
                     sd_bus_error *error) {
        BusWaiter *w = calloc(1, sizeof(*w));

        if (!w) {
                if (data)
                        free_data(data);
                return -ENOMEM;
        }
        *w = (BusWaiter){ .bus = b, .data = data, .free_data = free_data };
        int r = bus_call_keep(b, message, &w->call, error);
        if (r >= 0)
                r = devices_when_ready(b->manager->devices, done, w);
        if (r < 0) {
                bus_waiter_free(w);
                return r;
        }
        return 1;
}

int bus_list_devices(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return bus_when_devices(userdata, message, NULL, NULL, list_devices, error);
}

int bus_export_devices(Bus *b) {
        return sd_bus_add_fallback_vtable(b->bus, NULL, BUS_DEVICE_PREFIX, LIVEUPDATE_DEVICE_INTERFACE, device_vtable,
                                          find_device, b);
}
