/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the record of the previous kernel's daemon, once manifest-parse.c has made a tree
 * of it. What was decoded obeys every rule that encoding enforces.
 */
#include "manifest-internal.h"

#include "session.h"

/* What a body may demand and this version knows: nothing yet. The terminating NULL
 * keeps the array from being empty. */
static const char *const known_features[] = { NULL };

typedef struct Decoder {
        Refusal *refusal;
        char where[64]; /* what is being read: "", "job.", "sessions[3]." */
} Decoder;

#define bad(d, ...) manifest_bad((d)->refusal, (d)->where, __VA_ARGS__)

static int no_memory(const Decoder *d) {
        return refuse_errno(d->refusal, -ENOMEM, NULL, "reading the manifest");
}

static int check_type(const Decoder *d, const char *key, json_object *o, json_type type) {
        /* A null is a NULL object to json-c, whose type is json_type_null. */
        if (json_object_get_type(o) != type)
                return bad(d, key, "is %s, not %s", json_type_to_name(json_object_get_type(o)),
                           json_type_to_name(type));
        return 0;
}

static int get(const Decoder *d, json_object *o, const char *key, json_type type, json_object **ret) {
        json_object *value;

        if (!json_object_object_get_ex(o, key, &value))
                return bad(d, key, "is missing");
        int r = check_type(d, key, value, type);
        if (r < 0)
                return r;
        *ret = value;
        return 0;
}

static int to_u64(const Decoder *d, const char *key, json_object *value, uint64_t max, uint64_t *ret) {
        int r = check_type(d, key, value, json_type_int);
        if (r < 0)
                return r;
        /* json-c keeps what exceeds int64 as uint64 and saturates when it is read as the
         * other, so the sign must be asked for first. */
        if (json_object_get_int64(value) < 0)
                return bad(d, key, "is negative");
        uint64_t v = json_object_get_uint64(value);
        if (v > max)
                return bad(d, key, "is out of range");
        *ret = v;
        return 0;
}

/* A string without a check of its length. */
static int to_text(const Decoder *d, const char *key, json_object *value, const char **ret) {
        int r = check_type(d, key, value, json_type_string);
        if (r < 0)
                return r;
        const char *s = json_object_get_string(value);
        if (strlen(s) != (size_t)json_object_get_string_len(value))
                return bad(d, key, "contains a NUL");
        *ret = s;
        return 0;
}

static int to_string(const Decoder *d, const char *key, json_object *value, const char **ret) {
        const char *s = NULL;

        int r = to_text(d, key, value, &s);
        if (r < 0)
                return r;
        r = manifest_check_string(s);
        if (r < 0)
                return bad(d, key, r == -E2BIG ? "is longer than %u bytes" : "is not UTF-8", MANIFEST_STRING_MAX);
        *ret = s;
        return 0;
}

static int get_u64(const Decoder *d, json_object *o, const char *key, uint64_t max, uint64_t *ret) {
        json_object *value = NULL;

        int r = get(d, o, key, json_type_int, &value);
        return r < 0 ? r : to_u64(d, key, value, max, ret);
}

static int get_u32(const Decoder *d, json_object *o, const char *key, uint32_t *ret) {
        uint64_t v;

        int r = get_u64(d, o, key, UINT32_MAX, &v);
        if (r >= 0)
                *ret = (uint32_t)v;
        return r;
}

static int get_string(const Decoder *d, json_object *o, const char *key, const char **ret) {
        json_object *value = NULL;

        int r = get(d, o, key, json_type_string, &value);
        return r < 0 ? r : to_string(d, key, value, ret);
}

static int dup_string(const Decoder *d, json_object *o, const char *key, char **ret) {
        const char *s;

        int r = get_string(d, o, key, &s);
        if (r < 0)
                return r;
        *ret = strdup(s);
        return *ret ? 0 : no_memory(d);
}

static int decode_requires(const Decoder *d, json_object *root) {
        json_object *list;

        int r = get(d, root, "requires", json_type_array, &list);
        if (r < 0)
                return r;
        for (size_t i = 0; i < json_object_array_length(list); i++) {
                const char *feature;
                bool known = false;

                r = to_string(d, "requires", json_object_array_get_idx(list, i), &feature);
                if (r < 0)
                        return r;
                for (size_t j = 0; known_features[j]; j++)
                        known = known || streq(known_features[j], feature);
                if (!known)
                        return bad(d, "requires", "it needs a newer liveupdated: unknown feature \"%.64s\"", feature);
        }
        return 0;
}

static int decode_job(Decoder *d, json_object *root, Manifest *m) {
        json_object *o;

        int r = get(d, root, "job", json_type_object, &o);
        if (r < 0)
                return r;
        (void)snprintf(d->where, sizeof(d->where), "job.");
        if ((r = get_u64(d, o, "number", UINT64_MAX, &m->job)) < 0 ||
            (r = dup_string(d, o, "kind", &m->job_kind)) < 0 ||
            (r = get_u64(d, o, "next", UINT64_MAX, &m->next_job)) < 0 ||
            (r = get_u32(d, o, "uid", &m->started_by_uid)) < 0 ||
            (r = get_u64(d, o, "started", UINT64_MAX, &m->started_realtime_usec)) < 0)
                return r;
        d->where[0] = '\0';
        return 0;
}

static int decode_old(Decoder *d, json_object *root, Manifest *m) {
        json_object *o;

        int r = get(d, root, "old", json_type_object, &o);
        if (r < 0)
                return r;
        (void)snprintf(d->where, sizeof(d->where), "old.");
        if ((r = dup_string(d, o, "release", &m->old_release)) < 0 ||
            (r = dup_string(d, o, "version", &m->old_version)) < 0 ||
            (r = dup_string(d, o, "boot_id", &m->old_boot_id)) < 0 ||
            (r = get_u64(d, o, "update_number", UINT64_MAX, &m->old_update_number)) < 0)
                return r;
        d->where[0] = '\0';
        return 0;
}

/* Older versions write none, and only the descriptors of PCI functions have one. */
static int decode_file_address(const Decoder *d, json_object *o, Manifest *m) {
        const char *text = NULL;
        Address address;

        if (json_object_array_length(o) < 3)
                return 0;
        int r = to_string(d, "address", json_object_array_get_idx(o, 2), &text);
        if (r < 0)
                return r;
        if (!*text)
                return 0;
        if (address_parse(text, &address) < 0)
                return bad(d, "address", "is none");
        return manifest_set_file_address(m, address);
}

static int decode_file(Decoder *d, json_object *o, Manifest *m) {
        const char *kind;
        uint64_t token = 0;

        int r = check_type(d, "", o, json_type_array);
        if (r < 0)
                return r;
        if (json_object_array_length(o) < 2)
                return bad(d, "", "has no token and kind");
        if ((r = to_u64(d, "token", json_object_array_get_idx(o, 0), UINT64_MAX, &token)) < 0 ||
            (r = to_string(d, "kind", json_object_array_get_idx(o, 1), &kind)) < 0)
                return r;
        r = manifest_add_file(m, token, kind);
        if (r == -ENOMEM)
                return no_memory(d);
        if (r < 0)
                return bad(d, "", "there are more than %u files", MANIFEST_FILES_MAX);
        return decode_file_address(d, o, m);
}

/* Older versions write none. */
static int decode_grants(const Decoder *d, json_object *session, Manifest *m) {
        json_object *grants;
        uint64_t uid = 0;

        if (!json_object_object_get_ex(session, "grants", NULL))
                return 0;
        int r = get(d, session, "grants", json_type_array, &grants);
        for (size_t i = 0; r >= 0 && i < json_object_array_length(grants); i++) {
                r = to_u64(d, "grants", json_object_array_get_idx(grants, i), UINT32_MAX, &uid);
                if (r >= 0 && manifest_add_grant(m, (uint32_t)uid) < 0)
                        r = bad(d, "grants", "there are more than %d", SESSION_GRANTS_MAX);
        }
        return r;
}

static int decode_session(Decoder *d, json_object *o, size_t index, Manifest *m) {
        json_object *direct, *files;
        const char *name, *client;
        uint64_t token;
        uint32_t uid;

        (void)snprintf(d->where, sizeof(d->where), "sessions[%zu].", index);
        int r = check_type(d, "", o, json_type_object);
        if (r < 0 || (r = get_string(d, o, "name", &name)) < 0 || (r = get_u32(d, o, "uid", &uid)) < 0 ||
            (r = get_string(d, o, "client", &client)) < 0 ||
            (r = get(d, o, "direct", json_type_boolean, &direct)) < 0 ||
            (r = get(d, o, "files", json_type_array, &files)) < 0)
                return r;
        if (!session_name_valid(name))
                return bad(d, "name", "is not a session name");
        r = manifest_add_session(m, name, uid, client, json_object_get_boolean(direct));
        if (r < 0)
                return r == -ENOMEM ? no_memory(d) : bad(d, "", "there are more than %u", MANIFEST_SESSIONS_MAX);
        r = decode_grants(d, o, m);
        if (r < 0)
                return r;
        if (json_object_object_get_ex(o, "hold", NULL)) {
                r = get_u64(d, o, "hold", UINT64_MAX, &m->sessions[m->n_sessions - 1].hold_usec);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < json_object_array_length(files); i++) {
                (void)snprintf(d->where, sizeof(d->where), "sessions[%zu].files[%zu].", index, i);
                r = decode_file(d, json_object_array_get_idx(files, i), m);
                if (r < 0)
                        return r;
        }
        (void)snprintf(d->where, sizeof(d->where), "sessions[%zu].", index);
        r = manifest_find_duplicate_token(&m->sessions[m->n_sessions - 1], &token);
        if (r == -EEXIST)
                return bad(d, "files", "token %llu is there twice", (unsigned long long)token);
        return r < 0 ? no_memory(d) : 0;
}

/* Element i of a device. */
static int device_u64(const Decoder *d, json_object *o, size_t i, const char *key, uint64_t max, uint64_t *ret) {
        return to_u64(d, key, json_object_array_get_idx(o, i), max, ret);
}

static int decode_device_ids(const Decoder *d, json_object *o, ManifestDevice *ret) {
        uint64_t vendor, device, class_code;

        int r = device_u64(d, o, 2, "vendor", UINT16_MAX, &vendor);
        if (r < 0 || (r = device_u64(d, o, 3, "device", UINT16_MAX, &device)) < 0 ||
            (r = device_u64(d, o, 4, "class", 0xffffff, &class_code)) < 0 ||
            (r = device_u64(d, o, 5, "serial", UINT64_MAX, &ret->serial)) < 0)
                return r;
        ret->vendor = (uint16_t)vendor;
        ret->device = (uint16_t)device;
        ret->class_code = (uint32_t)class_code;
        return 0;
}

static int decode_device_policy(const Decoder *d, json_object *o, ManifestDevice *ret) {
        const char *dma, *preservation;
        int v;

        int r = to_string(d, "dma", json_object_array_get_idx(o, 6), &dma);
        if (r < 0 || (r = to_string(d, "preserve", json_object_array_get_idx(o, 7), &preservation)) < 0)
                return r;
        v = dma_from_string(dma);
        if (v != DMA_KEEP && v != DMA_STOP)
                return bad(d, "dma", "is neither keep nor stop");
        ret->dma_kept = v == DMA_KEEP;
        v = preservation_from_string(preservation);
        if (v < 0)
                return bad(d, "preserve", "is neither conservative nor minimal");
        ret->preservation = (Preservation)v;
        return 0;
}

static int decode_device(const Decoder *d, json_object *o, Manifest *m) {
        ManifestDevice device = {};
        const char *address = NULL, *snapshot = NULL;

        int r = check_type(d, "", o, json_type_array);
        if (r < 0)
                return r;
        if (json_object_array_length(o) < 9)
                return bad(d, "", "has less than 9 elements");
        if ((r = to_string(d, "address", json_object_array_get_idx(o, 0), &address)) < 0 ||
            (r = check_type(d, "requested", json_object_array_get_idx(o, 1), json_type_boolean)) < 0 ||
            (r = decode_device_ids(d, o, &device)) < 0 || (r = decode_device_policy(d, o, &device)) < 0 ||
            (r = to_text(d, "snapshot", json_object_array_get_idx(o, 8), &snapshot)) < 0)
                return r;
        if (address_parse(address, &device.address) < 0)
                return bad(d, "address", "is none");
        device.requested = json_object_get_boolean(json_object_array_get_idx(o, 1));
        device.snapshot = (char *)snapshot; /* which is copied */
        r = manifest_add_device(m, &device);
        if (r == -ENOMEM)
                return no_memory(d);
        if (r == -E2BIG)
                return bad(d, "", "there are more than %u", MANIFEST_DEVICES_MAX);
        return r < 0 ? bad(d, "snapshot", "is none") : 0;
}

static int decode_devices(Decoder *d, json_object *root, Manifest *m) {
        char text[ADDRESS_TEXT_SIZE];
        json_object *devices;
        Address address;
        int r = 0;

        /* Older versions write none. */
        if (!json_object_object_get_ex(root, "devices", NULL))
                return 0;
        r = get(d, root, "devices", json_type_array, &devices);
        for (size_t i = 0; r >= 0 && i < json_object_array_length(devices); i++) {
                (void)snprintf(d->where, sizeof(d->where), "devices[%zu].", i);
                r = decode_device(d, json_object_array_get_idx(devices, i), m);
        }
        if (r < 0)
                return r;
        d->where[0] = '\0';
        r = manifest_find_duplicate_device(m, &address);
        if (r == -EEXIST) {
                address_format(address, text);
                return bad(d, "devices", "the address %s is there twice", text);
        }
        return r < 0 ? no_memory(d) : 0;
}

static int decode_link(const Decoder *d, json_object *o, Manifest *m) {
        ManifestLink link = {};
        const char *address = NULL;
        json_object *vfs;
        Refusal why = {};

        int r = check_type(d, "", o, json_type_array);
        if (r < 0)
                return r;
        if (json_object_array_length(o) < 2)
                return bad(d, "", "has less than 2 elements");
        r = to_string(d, "address", json_object_array_get_idx(o, 0), &address);
        if (r < 0)
                return r;
        if (address_parse(address, &link.pf) < 0)
                return bad(d, "address", "is none");
        vfs = json_object_array_get_idx(o, 1);
        link.unread = !vfs;
        if (vfs && vf_list_decode(vfs, &link.vfs, &why) < 0)
                return why.reason == REASON_MANIFEST_INVALID ? bad(d, "vfs", "%.128s", why.detail) : no_memory(d);
        r = manifest_add_link(m, &link);
        vf_list_done(&link.vfs);
        if (r == -E2BIG)
                return bad(d, "", "there are more than %u, or more than %u VFs", MANIFEST_LINKS_MAX, MANIFEST_VFS_MAX);
        return r < 0 ? no_memory(d) : 0;
}

static int decode_links(Decoder *d, json_object *root, Manifest *m) {
        char text[ADDRESS_TEXT_SIZE];
        json_object *links;
        Address address;
        int r = 0;

        /* Older versions write none. */
        if (!json_object_object_get_ex(root, "links", NULL))
                return 0;
        r = get(d, root, "links", json_type_array, &links);
        for (size_t i = 0; r >= 0 && i < json_object_array_length(links); i++) {
                (void)snprintf(d->where, sizeof(d->where), "links[%zu].", i);
                r = decode_link(d, json_object_array_get_idx(links, i), m);
        }
        if (r < 0)
                return r;
        d->where[0] = '\0';
        r = manifest_find_duplicate_link(m, &address);
        if (r == -EEXIST) {
                address_format(address, text);
                return bad(d, "links", "the address %s is there twice", text);
        }
        return r < 0 ? no_memory(d) : 0;
}

static int decode_report(const Decoder *d, json_object *root, Manifest *m) {
        json_object *reports;
        Refusal why = {};

        /* Older versions write none. */
        if (!json_object_object_get_ex(root, "reports", &reports))
                return 0;
        if (report_decode(reports, &m->report, &why) < 0)
                return why.reason == REASON_MANIFEST_INVALID ? bad(d, "reports", "%.128s", why.detail) : no_memory(d);
        return 0;
}

static int decode_body(Decoder *d, json_object *root, Manifest *m) {
        json_object *sessions;
        const char *name;

        /* First of all: what else the body says may mean something unknown. */
        int r = decode_requires(d, root);
        if (r < 0 || (r = decode_job(d, root, m)) < 0 || (r = dup_string(d, root, "update_id", &m->update_id)) < 0 ||
            (r = decode_old(d, root, m)) < 0 || (r = dup_string(d, root, "daemon", &m->daemon_version)) < 0)
                return r;
        if (!manifest_update_id_valid(m->update_id))
                return bad(d, "update_id", "is not %u hex digits", UPDATE_ID_LENGTH);
        r = get(d, root, "sessions", json_type_array, &sessions);
        for (size_t i = 0; r >= 0 && i < json_object_array_length(sessions); i++)
                r = decode_session(d, json_object_array_get_idx(sessions, i), i, m);
        if (r < 0)
                return r;
        d->where[0] = '\0';
        r = manifest_find_duplicate_name(m, &name);
        if (r == -EEXIST)
                return bad(d, "sessions", "the name %s is there twice", name);
        if (r < 0)
                return no_memory(d);
        r = decode_devices(d, root, m);
        if (r >= 0)
                r = decode_links(d, root, m);
        return r < 0 ? r : decode_report(d, root, m);
}

int manifest_decode(const void *data, size_t size, Manifest **ret, Refusal *refusal) {
        _cleanup_(manifest_freep) Manifest *m = NULL;
        _cleanup_(json_freep) json_object *root = NULL;
        Decoder d = { .refusal = refusal };

        int r = manifest_parse(data, size, &root, refusal);
        if (r < 0)
                return r;
        m = manifest_new();
        if (!m)
                return no_memory(&d);
        r = decode_body(&d, root, m);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}
