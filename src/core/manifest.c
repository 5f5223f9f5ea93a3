/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The record between two kernels' daemons, as a value: what may be added to it. Its form,
 * in manifest.h, is written by manifest-encode.c and read by manifest-decode.c.
 */
#include "manifest-internal.h"

#include "session.h"
#include "snapshot.h"

#include "common/utf8.h"

Manifest *manifest_new(void) {
        return calloc(1, sizeof(Manifest));
}

Manifest *manifest_free(Manifest *m) {
        if (!m)
                return NULL;
        for (size_t i = 0; i < m->n_sessions; i++) {
                ManifestSession *s = &m->sessions[i];

                for (size_t j = 0; j < s->n_files; j++)
                        free(s->files[j].kind);
                free(s->files);
                free(s->name);
                free(s->client);
        }
        free(m->sessions);
        for (size_t i = 0; i < m->n_devices; i++)
                free(m->devices[i].snapshot);
        free(m->devices);
        for (size_t i = 0; i < m->n_links; i++)
                vf_list_done(&m->links[i].vfs);
        free(m->links);
        report_done(&m->report);
        free(m->job_kind);
        free(m->update_id);
        free(m->old_release);
        free(m->old_version);
        free(m->old_boot_id);
        free(m->daemon_version);
        free(m);
        return NULL;
}

/* Makes room for one more of `size` bytes each. */
static int grow(void **items, size_t n, size_t *n_allocated, size_t size) {
        if (n < *n_allocated)
                return 0;
        size_t more = MAX_OF(*n_allocated * 2, (size_t)4);
        void *p = reallocarray(*items, more, size);
        if (!p)
                return -ENOMEM;
        *items = p;
        *n_allocated = more;
        return 0;
}

int manifest_check_string(const char *s) {
        size_t n = strnlen(s, MANIFEST_STRING_MAX + 1);

        if (n > MANIFEST_STRING_MAX)
                return -E2BIG;
        return utf8_valid(s, n) ? 0 : -EINVAL;
}

int manifest_add_session(Manifest *m, const char *name, uint32_t uid, const char *client, bool direct) {
        _cleanup_free_ char *n = NULL, *c = NULL;
        void *items = m->sessions;

        if (!session_name_valid(name))
                return -EINVAL;
        int r = manifest_check_string(client ?: "");
        if (r < 0)
                return r;
        if (m->n_sessions >= MANIFEST_SESSIONS_MAX)
                return -E2BIG;
        n = strdup(name);
        c = strdup(client ?: "");
        if (!n || !c)
                return -ENOMEM;
        r = grow(&items, m->n_sessions, &m->n_allocated, sizeof(*m->sessions));
        m->sessions = items;
        if (r < 0)
                return r;
        m->sessions[m->n_sessions++] = (ManifestSession){
                .name = TAKE_PTR(n),
                .uid = uid,
                .client = TAKE_PTR(c),
                .direct = direct,
                .hold_usec = SESSION_HOLD_FOREVER,
        };
        return 0;
}

int manifest_set_hold(Manifest *m, uint64_t hold_usec) {
        if (m->n_sessions == 0)
                return -EINVAL;
        m->sessions[m->n_sessions - 1].hold_usec = hold_usec;
        return 0;
}

int manifest_add_file(Manifest *m, uint64_t token, const char *kind) {
        ManifestSession *s = m->n_sessions > 0 ? &m->sessions[m->n_sessions - 1] : NULL;
        _cleanup_free_ char *k = NULL;

        if (!s)
                return -EINVAL;
        int r = manifest_check_string(kind ?: "");
        if (r < 0)
                return r;
        if (m->n_files >= MANIFEST_FILES_MAX)
                return -E2BIG;
        k = strdup(kind ?: "");
        if (!k)
                return -ENOMEM;
        void *items = s->files;
        r = grow(&items, s->n_files, &s->n_allocated, sizeof(*s->files));
        s->files = items;
        if (r < 0)
                return r;
        s->files[s->n_files++] = (ManifestFile){ .token = token, .kind = TAKE_PTR(k) };
        m->n_files++;
        return 0;
}

static bool address_valid(Address a) {
        return a.slot < 32 && a.function < 8;
}

int manifest_add_grant(Manifest *m, uint32_t uid) {
        ManifestSession *s = m->n_sessions > 0 ? &m->sessions[m->n_sessions - 1] : NULL;

        if (!s)
                return -EINVAL;
        if (s->n_grants >= SESSION_GRANTS_MAX)
                return -E2BIG;
        s->grants[s->n_grants++] = uid;
        return 0;
}

int manifest_set_file_address(Manifest *m, Address address) {
        ManifestSession *s = m->n_sessions > 0 ? &m->sessions[m->n_sessions - 1] : NULL;

        if (!s || s->n_files == 0 || !address_valid(address))
                return -EINVAL;
        s->files[s->n_files - 1].has_address = true;
        s->files[s->n_files - 1].address = address;
        return 0;
}

bool manifest_device_valid(const ManifestDevice *d) {
        uint8_t bytes[SNAPSHOT_SIZE_MAX];
        size_t n;

        return address_valid(d->address) && d->class_code <= 0xffffff && preservation_to_string(d->preservation) &&
               (str_empty(d->snapshot) || snapshot_decode(d->snapshot, bytes, &n) >= 0);
}

int manifest_add_device(Manifest *m, const ManifestDevice *device) {
        void *items = m->devices;
        _cleanup_free_ char *snapshot = NULL;

        if (!manifest_device_valid(device))
                return -EINVAL;
        if (m->n_devices >= MANIFEST_DEVICES_MAX)
                return -E2BIG;
        snapshot = strdup(device->snapshot ?: "");
        if (!snapshot)
                return -ENOMEM;
        int r = grow(&items, m->n_devices, &m->n_devices_allocated, sizeof(*m->devices));
        m->devices = items;
        if (r < 0)
                return r;
        m->devices[m->n_devices] = *device;
        m->devices[m->n_devices++].snapshot = TAKE_PTR(snapshot);
        return 0;
}

int manifest_add_link(Manifest *m, const ManifestLink *link) {
        _cleanup_(vf_list_done) VfList vfs = {};
        void *items = m->links;

        if (!address_valid(link->pf) || !vf_list_valid(&link->vfs) || (link->unread && link->vfs.n > 0))
                return -EINVAL;
        if (m->n_links >= MANIFEST_LINKS_MAX || link->vfs.n > MANIFEST_VFS_MAX - m->n_vfs)
                return -E2BIG;
        int r = vf_list_copy(&link->vfs, &vfs);
        if (r < 0)
                return r;
        r = grow(&items, m->n_links, &m->n_links_allocated, sizeof(*m->links));
        m->links = items;
        if (r < 0)
                return r;
        m->links[m->n_links++] = (ManifestLink){ .pf = link->pf, .unread = link->unread, .vfs = vfs };
        m->n_vfs += vfs.n;
        vfs = (VfList){};
        return 0;
}

/* ---- duplicates ---- */

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static int compare_tokens(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return x < y ? -1 : x > y;
}

int manifest_find_duplicate_name(const Manifest *m, const char **ret_name) {
        _cleanup_free_ const char **names = reallocarray(NULL, MAX_OF(m->n_sessions, (size_t)1), sizeof(*names));

        if (!names)
                return -ENOMEM;
        for (size_t i = 0; i < m->n_sessions; i++)
                names[i] = m->sessions[i].name;
        qsort(names, m->n_sessions, sizeof(*names), compare_names);
        for (size_t i = 1; i < m->n_sessions; i++)
                if (streq(names[i - 1], names[i])) {
                        *ret_name = names[i];
                        return -EEXIST;
                }
        return 0;
}

static int compare_addresses(const void *a, const void *b) {
        return address_compare(*(const Address *)a, *(const Address *)b);
}

/* Sorts them. */
static int find_duplicate_address(Address *addresses, size_t n, Address *ret) {
        qsort(addresses, n, sizeof(*addresses), compare_addresses);
        for (size_t i = 1; i < n; i++)
                if (address_compare(addresses[i - 1], addresses[i]) == 0) {
                        *ret = addresses[i];
                        return -EEXIST;
                }
        return 0;
}

int manifest_find_duplicate_device(const Manifest *m, Address *ret_address) {
        _cleanup_free_ Address *addresses = reallocarray(NULL, MAX_OF(m->n_devices, (size_t)1), sizeof(*addresses));

        if (!addresses)
                return -ENOMEM;
        for (size_t i = 0; i < m->n_devices; i++)
                addresses[i] = m->devices[i].address;
        return find_duplicate_address(addresses, m->n_devices, ret_address);
}

int manifest_find_duplicate_link(const Manifest *m, Address *ret_address) {
        _cleanup_free_ Address *addresses = reallocarray(NULL, MAX_OF(m->n_links, (size_t)1), sizeof(*addresses));

        if (!addresses)
                return -ENOMEM;
        for (size_t i = 0; i < m->n_links; i++)
                addresses[i] = m->links[i].pf;
        return find_duplicate_address(addresses, m->n_links, ret_address);
}

int manifest_find_duplicate_token(const ManifestSession *s, uint64_t *ret_token) {
        _cleanup_free_ uint64_t *tokens = reallocarray(NULL, MAX_OF(s->n_files, (size_t)1), sizeof(*tokens));

        if (!tokens)
                return -ENOMEM;
        for (size_t i = 0; i < s->n_files; i++)
                tokens[i] = s->files[i].token;
        qsort(tokens, s->n_files, sizeof(*tokens), compare_tokens);
        for (size_t i = 1; i < s->n_files; i++)
                if (tokens[i - 1] == tokens[i]) {
                        *ret_token = tokens[i];
                        return -EEXIST;
                }
        return 0;
}

bool manifest_update_id_valid(const char *s) {
        size_t n = strnlen(s, UPDATE_ID_LENGTH + 1);

        return n == UPDATE_ID_LENGTH && strspn(s, "0123456789abcdefABCDEF") == n;
}
