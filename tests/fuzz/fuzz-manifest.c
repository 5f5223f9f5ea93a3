/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every input is tried twice: as a whole manifest, and as the body of one whose header
 * is made to fit, since no fuzzer guesses a checksum. What is accepted must be written
 * and read back the same.
 */
#include "common/crc32.h"
#include "core/manifest.h"

#include <endian.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
        if (!ok)
                abort();
}

static void same_links(const Manifest *a, const Manifest *b) {
        must(a->n_links == b->n_links && a->n_vfs == b->n_vfs);
        for (size_t i = 0; i < a->n_links; i++) {
                const ManifestLink *l = &a->links[i], *k = &b->links[i];

                must(address_compare(l->pf, k->pf) == 0 && l->unread == k->unread && l->vfs.n == k->vfs.n &&
                     l->vfs.total == k->vfs.total);
                for (size_t j = 0; j < l->vfs.n; j++) {
                        const VfSettings *v = &l->vfs.items[j], *w = &k->vfs.items[j];
                        must(v->vf == w->vf && v->known == w->known && vf_settings_changed(v, w) == 0);
                }
        }
}

static void same(const Manifest *a, const Manifest *b) {
        must(a->job == b->job && a->next_job == b->next_job && a->started_by_uid == b->started_by_uid &&
             a->started_realtime_usec == b->started_realtime_usec && a->old_update_number == b->old_update_number &&
             a->n_sessions == b->n_sessions && a->n_files == b->n_files && a->n_devices == b->n_devices);
        must(streq(a->job_kind, b->job_kind) && streq(a->update_id, b->update_id) &&
             streq(a->old_release, b->old_release) && streq(a->old_version, b->old_version) &&
             streq(a->old_boot_id, b->old_boot_id) && streq(a->daemon_version, b->daemon_version));
        for (size_t i = 0; i < a->n_sessions; i++) {
                const ManifestSession *s = &a->sessions[i], *t = &b->sessions[i];

                must(streq(s->name, t->name) && s->uid == t->uid && streq(s->client, t->client) &&
                     s->direct == t->direct && s->n_files == t->n_files);
                for (size_t j = 0; j < s->n_files; j++)
                        must(s->files[j].token == t->files[j].token && streq(s->files[j].kind, t->files[j].kind));
        }
        for (size_t i = 0; i < a->n_devices; i++) {
                const ManifestDevice *d = &a->devices[i], *e = &b->devices[i];

                must(address_compare(d->address, e->address) == 0 && d->requested == e->requested &&
                     d->vendor == e->vendor && d->device == e->device && d->class_code == e->class_code &&
                     d->serial == e->serial && d->dma_kept == e->dma_kept && d->preservation == e->preservation &&
                     streq(d->snapshot, e->snapshot));
        }
        same_links(a, b);
}

static void try_one(const void *data, size_t size) {
        _cleanup_(manifest_freep) Manifest *m = NULL, *back = NULL;
        _cleanup_free_ void *again = NULL;
        size_t again_size;
        Refusal why = { .reason = REASON_NONE };

        int r = manifest_decode(data, size, &m, &why);
        if (r < 0) {
                must(!m && why.reason == REASON_MANIFEST_INVALID && why.detail[0]);
                return;
        }
        must(why.reason == REASON_NONE);
        must(manifest_encode(m, &again, &again_size) >= 0);
        must(manifest_decode(again, again_size, &back, NULL) >= 0);
        same(m, back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        uint32_t version = htole32(1), crc = htole32(crc32_ieee(data, size));
        uint64_t length = htole64(size);
        _cleanup_free_ char *whole = calloc(1, MANIFEST_HEADER_SIZE + size);

        try_one(data, size);
        if (!whole)
                return 0;
        memcpy(whole, "LUMANIF\n", 8);
        memcpy(whole + 8, &version, 4);
        memcpy(whole + 12, &crc, 4);
        memcpy(whole + 16, &length, 8);
        if (size > 0)
                memcpy(whole + MANIFEST_HEADER_SIZE, data, size);
        try_one(whole, MANIFEST_HEADER_SIZE + size);
        return 0;
}
