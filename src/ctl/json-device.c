/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices, plans and comparisons as JSON. */
#include "class.h"
#include "device-links.h"
#include "json-internal.h"

/* Hexadecimal numbers stay text, as everything else about PCI writes them. */
static void put_hex(Object *o, const char *key, uint64_t v, int digits) {
        char text[24];

        (void)snprintf(text, sizeof(text), "%0*llx", digits, (unsigned long long)v);
        put_string(o, key, text);
}

/* Negative: there is none. */
static void put_index(Object *o, const char *key, int32_t v) {
        if (v >= 0)
                put_i64(o, key, v);
        else
                put_null(o, key);
}

static struct json_object *device_row(const Device *d, const DeviceLink *link) {
        Object o = object_new();
        uint32_t class_code;

        put_string(&o, "address", d->address);
        put_string(&o, "path", d->path);
        put_known(&o, "class", d->class_code);
        put_known(&o, "class_name", class_parse(d->class_code, &class_code) >= 0 ? class_name(class_code) : NULL);
        put_known(&o, "ids", d->ids);
        put_known(&o, "port", d->port);
        put_known(&o, "driver", d->driver);
        put_known(&o, "parent", d->parent);
        put_known(&o, "physfn", d->physfn);
        put_u64(&o, "vfs", link->n_vfs);
        put_index(&o, "group", d->group);
        put_known(&o, "update", d->way);
        return o.object;
}

struct json_object *json_devices(const DeviceList *devices) {
        _cleanup_free_ DeviceLink *links = NULL;
        struct json_object *list = json_list_empty();

        if (device_links(devices, &links) < 0)
                return json_put(NULL, "devices", list);
        for (size_t i = 0; i < devices->n; i++)
                list = json_list_append(list, device_row(&devices->items[i], &links[i]));
        return json_put(json_object_empty(), "devices", list);
}

static void put_identity(Object *o, const DeviceInfo *d) {
        put_string(o, "address", d->address);
        put_string(o, "path", d->path);
        put_hex(o, "class", d->class_code, 6);
        put_string(o, "class_name", class_name(d->class_code));
        put_hex(o, "vendor", d->ids[0], 4);
        put_hex(o, "device", d->ids[1], 4);
        put_hex(o, "subsystem_vendor", d->ids[2], 4);
        put_hex(o, "subsystem_device", d->ids[3], 4);
        put_hex(o, "revision", d->revision, 2);
        if (d->serial > 0)
                put_hex(o, "serial", d->serial, 16);
        else
                put_null(o, "serial");
}

static void put_place(Object *o, const DeviceInfo *d) {
        Object buses = {};

        put_known(o, "port", d->port);
        if (d->buses[0] || d->buses[1]) {
                buses = object_new();
                put_hex(&buses, "secondary", d->buses[0], 2);
                put_hex(&buses, "subordinate", d->buses[1], 2);
                put(o, "buses", buses.object);
        } else
                put_null(o, "buses");
        put_known(o, "parent", d->parent);
        put_known(o, "physfn", d->physfn);
        put(o, "virtfns", string_list(&d->virtfns));
        put_u64(o, "num_vfs", d->num_vfs);
        put_u64(o, "total_vfs", d->total_vfs);
        put_index(o, "group", d->group);
        put_known(o, "group_type", d->group_type);
        put_index(o, "numa_node", d->numa_node);
}

struct json_object *json_device(const DeviceInfo *d) {
        Object o = object_new(), native = object_new();

        put_identity(&o, d);
        put_place(&o, d);
        put(&o, "features", string_list(&d->features));
        put(&o, "enabled", string_list(&d->enabled));
        put_known(&o, "power_state", d->power_state);
        put_known(&o, "driver", d->driver);
        put_known(&o, "driver_override", d->driver_override);
        put_known(&native, "name", d->native.name);
        put_known(&native, "kind", d->native.kind);
        put(&o, "native_driver", native.object);
        put_known(&o, "reset_methods", d->reset_methods);
        put_known(&o, "vfio_device", d->vfio_device);
        put_known(&o, "outgoing", d->outgoing);
        put_known(&o, "incoming", d->incoming);
        put_bool(&o, "held", d->held);
        put_known(&o, "verdict", d->verdict);
        put(&o, "codes", string_list(&d->codes));
        return o.object;
}

static struct json_object *plan_rows(const PlanRows *rows) {
        struct json_object *list = json_list_empty();

        for (size_t i = 0; i < rows->n; i++) {
                const PlanRow *row = &rows->items[i];
                Object o = object_new();

                put_string(&o, "kind", row->kind);
                put_known(&o, "subject", row->subject);
                put_string(&o, "verdict", row->verdict);
                put_bool(&o, "excepted", row->excepted);
                put_known(&o, "code", row->code);
                put_known(&o, "sentence", row->sentence);
                put_known(&o, "remedy", row->remedy);
                list = json_list_append(list, o.object);
        }
        return list;
}

struct json_object *json_plan(const PlanRows *rows) {
        Object o = object_new(), subjects = object_new();
        PlanSummary s = plan_summary(rows);

        put_string(&o, "verdict", plan_verdict(&s));
        put_u64(&subjects, "goes", s.goes);
        put_u64(&subjects, "limited", s.limited);
        put_u64(&subjects, "cannot", s.cannot);
        put_u64(&subjects, "excepted", s.excepted);
        put(&o, "subjects", subjects.object);
        put(&o, "rows", plan_rows(rows));
        return o.object;
}

struct json_object *json_bits(const BitRows *bits) {
        struct json_object *list = json_list_empty();

        for (size_t i = 0; i < bits->n; i++) {
                const BitRow *b = &bits->items[i];
                Object o = object_new();

                put_string(&o, "register", b->name);
                put_string(&o, "offset", b->offset);
                put_string(&o, "mask", b->mask);
                put_string(&o, "class", b->class);
                put_string(&o, "reason", b->reason);
                list = json_list_append(list, o.object);
        }
        return json_put(json_object_empty(), "bits", list);
}

struct json_object *json_verification(const Verification *v) {
        VerificationSummary s = verification_summary(v);
        struct json_object *list = json_list_empty();
        Object o = object_new();

        put_u64(&o, "equal", v->equal);
        put_u64(&o, "expected", s.expected);
        put_u64(&o, "against", s.against);
        put_u64(&o, "missing", s.missing);
        put_u64(&o, "restored", s.restored);
        for (size_t i = 0; i < v->n; i++) {
                const Difference *d = &v->items[i];
                Object row = object_new();

                put_string(&row, "address", d->address);
                put_string(&row, "register", d->name);
                put_known(&row, "before", d->before);
                put_known(&row, "after", d->after);
                put_string(&row, "verdict", d->verdict);
                put_known(&row, "reason", d->reason);
                list = json_list_append(list, row.object);
        }
        put(&o, "differences", list);
        return o.object;
}

struct json_object *json_explanation(const char *code, const Explanation *e) {
        Object o = object_new();

        put_string(&o, "code", code);
        put_known(&o, "sentence", e->sentence);
        put_known(&o, "remedy", e->remedy);
        return o.object;
}

static struct json_object *dependencies(const DeviceView *v) {
        _cleanup_dependencies_ Dependencies d = {};
        _cleanup_plan_index_ PlanIndex index = {};
        struct json_object *list = json_list_empty();

        if (v->device == NO_DEVICE)
                return list;
        if (device_dependencies(v->devices, v->device, &d) < 0 || plan_index(v->rows, &index) < 0)
                return json_list_append(list, NULL);
        for (size_t i = 0; i < d.n; i++) {
                const char *address = v->devices->items[d.items[i].device].address;
                Object o = object_new();

                put_string(&o, "address", address);
                put_string(&o, "relation", relation_word(d.items[i].relation));
                put_string(&o, "reason", relation_reason(d.items[i].relation));
                put_known(&o, "verdict", plan_index_verdict(&index, address));
                list = json_list_append(list, o.object);
        }
        return list;
}

struct json_object *json_explained_device(const DeviceView *v) {
        PlanSummary s = plan_summary(v->rows);
        Object o = object_new();

        put_string(&o, "address", v->address);
        put_string(&o, "verdict", plan_verdict(&s));
        put(&o, "rows", plan_rows(v->rows));
        put(&o, "depends", dependencies(v));
        return o.object;
}
