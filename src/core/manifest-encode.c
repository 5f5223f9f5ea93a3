/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing the record for the next kernel's daemon. Nothing is written that
 * manifest-decode.c would refuse.
 */
#include "manifest-internal.h"

#include "session.h"

#include "common/crc32.h"

#include <endian.h>

/* Puts value (which it takes over, NULL means: no memory) into the object or array o. */
static int put(json_object *o, const char *key, json_object *value) {
        int r = -1;

        if (value)
                r = key ? json_object_object_add_ex(o, key, value,
                                                    JSON_C_OBJECT_ADD_KEY_IS_NEW | JSON_C_OBJECT_ADD_CONSTANT_KEY)
                        : json_object_array_add(o, value);
        if (r < 0) {
                json_object_put(value);
                return -ENOMEM;
        }
        return 0;
}

static int put_string(json_object *o, const char *key, const char *s) {
        int r = manifest_check_string(s ?: "");

        return r < 0 ? r : put(o, key, json_object_new_string(s ?: ""));
}

static int put_u64(json_object *o, const char *key, uint64_t v) {
        return put(o, key, json_object_new_uint64(v));
}

static int encode_job(json_object *root, const Manifest *m) {
        json_object *o = json_object_new_object();

        int r = put(root, "job", o);
        if (r < 0 || (r = put_u64(o, "number", m->job)) < 0 || (r = put_string(o, "kind", m->job_kind)) < 0 ||
            (r = put_u64(o, "next", m->next_job)) < 0 || (r = put_u64(o, "uid", m->started_by_uid)) < 0)
                return r;
        return put_u64(o, "started", m->started_realtime_usec);
}

static int encode_old(json_object *root, const Manifest *m) {
        json_object *o = json_object_new_object();

        int r = put(root, "old", o);
        if (r < 0 || (r = put_string(o, "release", m->old_release)) < 0 ||
            (r = put_string(o, "version", m->old_version)) < 0 || (r = put_string(o, "boot_id", m->old_boot_id)) < 0)
                return r;
        return put_u64(o, "update_number", m->old_update_number);
}

static int encode_file(json_object *files, const ManifestFile *f) {
        json_object *o = json_object_new_array_ext(3);
        char address[ADDRESS_TEXT_SIZE];

        int r = put(files, NULL, o);
        if (r < 0 || (r = put_u64(o, NULL, f->token)) < 0 || (r = put_string(o, NULL, f->kind)) < 0 || !f->has_address)
                return r;
        address_format(f->address, address);
        return put_string(o, NULL, address);
}

static int encode_grants(json_object *session, const ManifestSession *s) {
        json_object *grants;

        if (s->n_grants == 0)
                return 0;
        grants = json_object_new_array();
        int r = put(session, "grants", grants);
        for (size_t i = 0; r >= 0 && i < s->n_grants; i++)
                r = put_u64(grants, NULL, s->grants[i]);
        return r;
}

static int encode_session(json_object *sessions, const ManifestSession *s) {
        json_object *o = json_object_new_object(), *files;
        uint64_t token;

        int r = put(sessions, NULL, o);
        if (r < 0)
                return r;
        if (!s->name || !session_name_valid(s->name))
                return -EINVAL;
        if ((r = manifest_find_duplicate_token(s, &token)) < 0 || (r = put_string(o, "name", s->name)) < 0 ||
            (r = put_u64(o, "uid", s->uid)) < 0 || (r = put_string(o, "client", s->client)) < 0 ||
            (r = put(o, "direct", json_object_new_boolean(s->direct))) < 0 || (r = encode_grants(o, s)) < 0)
                return r;
        if (s->hold_usec != SESSION_HOLD_FOREVER && (r = put_u64(o, "hold", s->hold_usec)) < 0)
                return r;
        files = json_object_new_array();
        r = put(o, "files", files);
        for (size_t i = 0; r >= 0 && i < s->n_files; i++)
                r = encode_file(files, &s->files[i]);
        return r;
}

static int encode_device(json_object *devices, const ManifestDevice *d) {
        json_object *o = json_object_new_array_ext(9);
        char address[ADDRESS_TEXT_SIZE];

        int r = put(devices, NULL, o);
        if (r < 0)
                return r;
        if (!manifest_device_valid(d))
                return -EINVAL;
        address_format(d->address, address);
        if ((r = put_string(o, NULL, address)) < 0 || (r = put(o, NULL, json_object_new_boolean(d->requested))) < 0 ||
            (r = put_u64(o, NULL, d->vendor)) < 0 || (r = put_u64(o, NULL, d->device)) < 0 ||
            (r = put_u64(o, NULL, d->class_code)) < 0 || (r = put_u64(o, NULL, d->serial)) < 0 ||
            (r = put_string(o, NULL, dma_to_string(d->dma_kept ? DMA_KEEP : DMA_STOP))) < 0 ||
            (r = put_string(o, NULL, preservation_to_string(d->preservation))) < 0)
                return r;
        /* Longer than other strings; manifest_device_valid() has seen to it. */
        return put(o, NULL, json_object_new_string(d->snapshot ?: ""));
}

static int encode_devices(json_object *root, const Manifest *m) {
        json_object *devices;
        Address address;

        if (m->n_devices == 0)
                return 0;
        devices = json_object_new_array();
        int r = put(root, "devices", devices);
        for (size_t i = 0; r >= 0 && i < m->n_devices; i++)
                r = encode_device(devices, &m->devices[i]);
        return r < 0 ? r : manifest_find_duplicate_device(m, &address);
}

static int encode_link(json_object *links, const ManifestLink *l) {
        json_object *o = json_object_new_array_ext(2), *vfs = NULL;
        char address[ADDRESS_TEXT_SIZE];

        int r = put(links, NULL, o);
        if (r < 0)
                return r;
        address_format(l->pf, address);
        r = put_string(o, NULL, address);
        if (r >= 0 && l->unread) /* a NULL is json-c's null, which put() takes for a failure */
                return json_object_array_add(o, NULL) < 0 ? -ENOMEM : 0;
        if (r >= 0)
                r = vf_list_encode(&l->vfs, &vfs);
        return r < 0 ? r : put(o, NULL, vfs);
}

static int encode_links(json_object *root, const Manifest *m) {
        json_object *links;
        Address address;

        if (m->n_links == 0)
                return 0;
        links = json_object_new_array();
        int r = put(root, "links", links);
        for (size_t i = 0; r >= 0 && i < m->n_links; i++)
                r = encode_link(links, &m->links[i]);
        return r < 0 ? r : manifest_find_duplicate_link(m, &address);
}

static int encode_report(json_object *root, const Manifest *m) {
        json_object *reports;

        if (m->report.n == 0)
                return 0;
        int r = report_encode(&m->report, &reports);
        return r < 0 ? r : put(root, "reports", reports);
}

static int encode_body(const Manifest *m, json_object *root) {
        json_object *sessions;
        const char *name;

        int r = put(root, "requires", json_object_new_array());
        if (r < 0 || (r = encode_job(root, m)) < 0 || (r = put_string(root, "update_id", m->update_id)) < 0 ||
            (r = encode_old(root, m)) < 0 || (r = put_string(root, "daemon", m->daemon_version)) < 0)
                return r;
        sessions = json_object_new_array();
        r = put(root, "sessions", sessions);
        for (size_t i = 0; r >= 0 && i < m->n_sessions; i++)
                r = encode_session(sessions, &m->sessions[i]);
        if (r >= 0)
                r = encode_devices(root, m);
        if (r >= 0)
                r = encode_links(root, m);
        if (r >= 0)
                r = encode_report(root, m);
        return r < 0 ? r : manifest_find_duplicate_name(m, &name);
}

int manifest_encode(const Manifest *m, void **ret, size_t *ret_size) {
        _cleanup_(json_freep) json_object *root = NULL;
        size_t size;

        if (!m->update_id || !manifest_update_id_valid(m->update_id))
                return -EINVAL;
        if (m->n_sessions > MANIFEST_SESSIONS_MAX || m->n_files > MANIFEST_FILES_MAX ||
            m->n_devices > MANIFEST_DEVICES_MAX || m->n_links > MANIFEST_LINKS_MAX || m->n_vfs > MANIFEST_VFS_MAX)
                return -E2BIG;
        root = json_object_new_object();
        if (!root)
                return -ENOMEM;
        int r = encode_body(m, root);
        if (r < 0)
                return r;

        const char *text = json_object_to_json_string_length(
                root, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &size);
        if (!text)
                return -ENOMEM;
        if (size > MANIFEST_SIZE_MAX - sizeof(ManifestHeader))
                return -E2BIG;
        char *buf = malloc(sizeof(ManifestHeader) + size);
        if (!buf)
                return -ENOMEM;
        ManifestHeader h = {
                .version = htole32(HEADER_VERSION),
                .crc = htole32(crc32_ieee(text, size)),
                .length = htole64(size),
        };
        memcpy(h.magic, MANIFEST_MAGIC, sizeof(h.magic));
        memcpy(buf, &h, sizeof(h));
        memcpy(buf + sizeof(h), text, size);
        *ret = buf;
        *ret_size = sizeof(h) + size;
        return 0;
}
