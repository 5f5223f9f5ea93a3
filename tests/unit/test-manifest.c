/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The manifest: every field there and back, the golden file of version 1, and whatever
 * a torn or hostile one could hold. tests/fixtures/manifest/v1.bin must stay readable
 * for ever; v1.json is its body. v1-devices.bin and v1-links.bin are of the same version
 * and have devices and VF settings, which v1.bin is older than.
 */
#include "common/crc32.h"
#include "common/fd.h"
#include "core/manifest.h"
#include "core/snapshot.h"

#include <endian.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define _cleanup_manifest_ _cleanup_(manifest_freep)
#define FIXTURES SOURCE_ROOT "/tests/fixtures/manifest/"

static char *copy(const char *s) {
        char *p = strdup(s);

        assert_non_null(p);
        return p;
}

/* What the golden file holds. */
static Manifest *golden(void) {
        Manifest *m = manifest_new();

        assert_non_null(m);
        m->job = 17;
        m->job_kind = copy("update");
        m->update_id = copy("0123456789abcdef0123456789abcdef");
        m->next_job = 18;
        m->started_by_uid = 1000;
        m->started_realtime_usec = 1790000000123456;
        m->old_release = copy("7.3.4-host");
        m->old_version = copy("#1 SMP \"quoted\" / na\xc3\xafve \\ tab\t");
        m->old_boot_id = copy("6b1d3f6e-0000-4000-8000-000000000001");
        m->old_update_number = 2;
        m->daemon_version = copy("0.1.0");
        assert_int_equal(manifest_add_session(m, "vm1", 64055, "qemu-1", false), 0);
        assert_int_equal(manifest_add_file(m, 0, "memfd"), 0);
        assert_int_equal(manifest_add_file(m, 1, "iommufd"), 0);
        assert_int_equal(manifest_add_file(m, UINT64_MAX, "vfio"), 0);
        assert_int_equal(manifest_add_session(m, "VM-2_a.b:c@d+e", UINT32_MAX, "", true), 0);
        assert_int_equal(manifest_add_session(m, "vm3", 0, NULL, false), 0);
        assert_int_equal(manifest_add_file(m, UINT64_C(1) << 63, NULL), 0);
        return m;
}

/* What the golden file with grants holds. */
static Manifest *golden_grants(void) {
        Manifest *m = golden();

        m->sessions[0].grants[0] = 0;
        m->sessions[0].grants[1] = 64056;
        m->sessions[0].grants[2] = UINT32_MAX;
        m->sessions[0].n_grants = 3;
        return m;
}

static void add_device(Manifest *m, ManifestDevice device) {
        assert_int_equal(manifest_add_device(m, &device), 0);
}

/* The start of a device's configuration space. */
static char *snapshot(void) {
        static const uint8_t bytes[256] = { 0x86, 0x80, 0xd3, 0x10, 0x07, 0x04, 0x10, [0x34] = 0x40, [0xff] = 0xaa };
        char *text;

        assert_int_equal(snapshot_encode(bytes, sizeof(bytes), &text), 0);
        return text;
}

/* What the golden file with devices holds. */
static Manifest *golden_devices(void) {
        Manifest *m = golden();
        _cleanup_free_ char *text = snapshot();

        add_device(m, (ManifestDevice){
                              .address = { 0, 0, 0x1c, 0 },
                              .vendor = 0x1b36,
                              .device = 0x000c,
                              .class_code = 0x060400,
                              .snapshot = (char *)"",
                      });
        add_device(m, (ManifestDevice){
                              .address = { 0, 1, 0, 0 },
                              .requested = true,
                              .vendor = 0x8086,
                              .device = 0x10d3,
                              .class_code = 0x020000,
                              .serial = UINT64_C(0x525400ffff123456),
                              .dma_kept = true,
                              .preservation = PRESERVATION_MINIMAL,
                              .snapshot = text,
                      });
        add_device(m, (ManifestDevice){
                              .address = { UINT32_MAX, 0xff, 31, 7 },
                              .requested = true,
                              .vendor = UINT16_MAX,
                              .device = UINT16_MAX,
                              .class_code = 0xffffff,
                              .serial = UINT64_MAX,
                      });
        return m;
}

static void add_link(Manifest *m, Address pf, VfSettings *items, size_t n, uint32_t total) {
        ManifestLink link = { .pf = pf, .vfs = { .items = items, .n = n, .total = total } };

        assert_int_equal(manifest_add_link(m, &link), 0);
}

/* What the golden file with VF settings holds. */
static Manifest *golden_links(void) {
        Manifest *m = golden();
        VfSettings vfs[] = {
                { .vf = 0,
                  .known = VF_SETTINGS_ALL,
                  .mac = { 0x02, 0, 0, 0, 0, 1 },
                  .vlan = 100,
                  .vlan_proto = VLAN_PROTO_8021AD,
                  .vlan_qos = 3,
                  .min_rate = 10,
                  .max_rate = UINT32_MAX,
                  .spoof_check = true,
                  .link_state = VF_LINK_ENABLE,
                  .rss_query = true,
                  .trust = true },
                { .vf = 7, .known = VF_SETTING_BIT(VF_SETTING_MAC), .mac = { 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54 } },
                { .vf = VF_NUMBER_MAX },
        };

        add_link(m, (Address){ 0, 3, 0, 0 }, vfs, ELEMENTSOF(vfs), VF_NUMBER_MAX);
        add_link(m, (Address){ 0, 3, 0, 1 }, NULL, 0, 8);
        assert_int_equal(manifest_add_link(m, &(ManifestLink){ .pf = { UINT32_MAX, 0xff, 31, 7 }, .unread = true }),
                         0);
        return m;
}

static Manifest *golden_reports(void) {
        ReportSpan spans[] = {
                { .participant = "vm-größer", .name = "preserve-memory", .length = UINT64_MAX },
                { .participant = "qemu-1",
                  .uid = UINT32_MAX,
                  .name = "stop",
                  .begin = UINT64_C(1) << 63,
                  .length = 7 },
        };
        Manifest *m = golden();

        for (size_t i = 0; i < ELEMENTSOF(spans); i++)
                assert_int_equal(report_add(&m->report, &spans[i], 1, NULL), 0);
        return m;
}

static void assert_same_links(const Manifest *a, const Manifest *b) {
        assert_int_equal(a->n_links, b->n_links);
        assert_int_equal(a->n_vfs, b->n_vfs);
        for (size_t i = 0; i < a->n_links; i++) {
                const ManifestLink *l = &a->links[i], *k = &b->links[i];
                _cleanup_free_ VfDifference *d = NULL;
                size_t n;

                assert_int_equal(address_compare(l->pf, k->pf), 0);
                assert_int_equal(l->unread, k->unread);
                assert_int_equal(l->vfs.n, k->vfs.n);
                assert_int_equal(l->vfs.total, k->vfs.total);
                assert_int_equal(vf_list_compare(&l->vfs, &k->vfs, &d, &n), 0);
                assert_int_equal(n, 0);
                for (size_t j = 0; j < l->vfs.n; j++)
                        assert_int_equal(l->vfs.items[j].known, k->vfs.items[j].known);
        }
}

static void assert_same(const Manifest *a, const Manifest *b) {
        assert_int_equal(a->job, b->job);
        assert_string_equal(a->job_kind, b->job_kind);
        assert_string_equal(a->update_id, b->update_id);
        assert_int_equal(a->next_job, b->next_job);
        assert_int_equal(a->started_by_uid, b->started_by_uid);
        assert_int_equal(a->started_realtime_usec, b->started_realtime_usec);
        assert_string_equal(a->old_release, b->old_release);
        assert_string_equal(a->old_version, b->old_version);
        assert_string_equal(a->old_boot_id, b->old_boot_id);
        assert_int_equal(a->old_update_number, b->old_update_number);
        assert_string_equal(a->daemon_version, b->daemon_version);
        assert_int_equal(a->n_sessions, b->n_sessions);
        assert_int_equal(a->n_files, b->n_files);
        for (size_t i = 0; i < a->n_sessions; i++) {
                const ManifestSession *s = &a->sessions[i], *t = &b->sessions[i];

                assert_string_equal(s->name, t->name);
                assert_int_equal(s->uid, t->uid);
                assert_string_equal(s->client, t->client);
                assert_int_equal(s->direct, t->direct);
                assert_int_equal(s->n_grants, t->n_grants);
                for (size_t j = 0; j < s->n_grants; j++)
                        assert_int_equal(s->grants[j], t->grants[j]);
                assert_int_equal(s->n_files, t->n_files);
                for (size_t j = 0; j < s->n_files; j++) {
                        assert_int_equal(s->files[j].token, t->files[j].token);
                        assert_string_equal(s->files[j].kind, t->files[j].kind);
                }
        }
        assert_int_equal(a->n_devices, b->n_devices);
        for (size_t i = 0; i < a->n_devices; i++) {
                const ManifestDevice *d = &a->devices[i], *e = &b->devices[i];

                assert_int_equal(address_compare(d->address, e->address), 0);
                assert_int_equal(d->requested, e->requested);
                assert_int_equal(d->vendor, e->vendor);
                assert_int_equal(d->device, e->device);
                assert_int_equal(d->class_code, e->class_code);
                assert_int_equal(d->serial, e->serial);
                assert_int_equal(d->dma_kept, e->dma_kept);
                assert_int_equal(d->preservation, e->preservation);
                assert_string_equal(d->snapshot, e->snapshot);
        }
        assert_same_links(a, b);
        assert_int_equal(a->report.n, b->report.n);
        for (size_t i = 0; i < a->report.n; i++)
                assert_memory_equal(&a->report.items[i], &b->report.items[i], sizeof(a->report.items[i]));
}

static char *read_fixture(const char *path, size_t *ret_size) {
        char *data;

        assert_int_equal(file_read_at(AT_FDCWD, path, 1 << 20, &data, ret_size), 0);
        return data;
}

static void refused(const void *data, size_t size) {
        Manifest *m = (Manifest *)&size;
        Refusal why = {};

        /* A copy of its own size, so that a sanitizer sees a read behind its end. */
        _cleanup_free_ void *exact = malloc(size + !size);
        assert_non_null(exact);
        memcpy(exact, data, size);
        assert_int_equal(manifest_decode(exact, size, &m, &why), reason_errno(REASON_MANIFEST_INVALID));
        assert_ptr_equal(m, &size);
        assert_int_equal(why.reason, REASON_MANIFEST_INVALID);
        assert_true(why.detail[0] != '\0');
}

/* A header that fits the body. */
static char *wrap(const char *body, size_t n, size_t *ret_size) {
        char *buf = calloc(1, 32 + n);
        uint32_t version = htole32(1), crc = htole32(crc32_ieee(body, n));
        uint64_t length = htole64(n);

        assert_non_null(buf);
        memcpy(buf, "LUMANIF\n", 8);
        memcpy(buf + 8, &version, 4);
        memcpy(buf + 12, &crc, 4);
        memcpy(buf + 16, &length, 8);
        memcpy(buf + 32, body, n);
        *ret_size = 32 + n;
        return buf;
}

static int decode_body(const char *body, Manifest **ret, Refusal *why) {
        size_t size;
        _cleanup_free_ char *data = wrap(body, strlen(body), &size);

        return manifest_decode(data, size, ret, why);
}

static const struct {
        const char *bin, *json;
        Manifest *(*make)(void);
} goldens[] = {
        { FIXTURES "v1.bin", FIXTURES "v1.json", golden },
        { FIXTURES "v1-devices.bin", FIXTURES "v1-devices.json", golden_devices },
        { FIXTURES "v1-links.bin", FIXTURES "v1-links.json", golden_links },
        { FIXTURES "v1-reports.bin", FIXTURES "v1-reports.json", golden_reports },
        { FIXTURES "v1-grants.bin", FIXTURES "v1-grants.json", golden_grants },
};

static void the_golden_files_are_read(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(goldens); i++) {
                _cleanup_manifest_ Manifest *want = goldens[i].make(), *m = NULL;
                size_t size;
                _cleanup_free_ char *data = read_fixture(goldens[i].bin, &size);

                free(want->sessions[2].client);
                want->sessions[2].client = copy("");
                assert_int_equal(manifest_decode(data, size, &m, NULL), 0);
                assert_same(m, want);
        }
}

static void the_golden_files_are_written(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(goldens); i++) {
                _cleanup_manifest_ Manifest *m = goldens[i].make();
                _cleanup_free_ void *data = NULL;
                size_t size, n, n_json;
                _cleanup_free_ char *file = read_fixture(goldens[i].bin, &n);
                _cleanup_free_ char *json = read_fixture(goldens[i].json, &n_json);

                assert_int_equal(manifest_encode(m, &data, &size), 0);
                assert_int_equal(size, n);
                assert_memory_equal(data, file, n);
                /* The readable copy ends in a newline. */
                assert_int_equal(n_json, n - MANIFEST_HEADER_SIZE + 1);
                assert_memory_equal(json, file + MANIFEST_HEADER_SIZE, n_json - 1);
        }
}

static void prefixes_are_refused(const char *path) {
        size_t size;
        _cleanup_free_ char *data = read_fixture(path, &size);

        for (size_t n = 0; n < size; n++)
                refused(data, n);
        /* And so is more than the whole. */
        _cleanup_free_ char *more = calloc(1, size + 1);
        assert_non_null(more);
        memcpy(more, data, size);
        refused(more, size + 1);
}

static void every_prefix_is_refused(void **state) {
        prefixes_are_refused(FIXTURES "v1-devices.bin");
        prefixes_are_refused(FIXTURES "v1-links.bin");
}

static void flipped_bytes_are_refused(const char *path) {
        size_t size;
        _cleanup_free_ char *data = read_fixture(path, &size);

        for (size_t i = 0; i < size; i++)
                for (int bit = 0; bit <= 8; bit++) {
                        char flip = (char)(bit == 8 ? 0xff : 1 << bit);

                        data[i] ^= flip;
                        refused(data, size);
                        data[i] ^= flip;
                }
}

static void every_flipped_byte_is_refused(void **state) {
        flipped_bytes_are_refused(FIXTURES "v1-devices.bin");
        flipped_bytes_are_refused(FIXTURES "v1-links.bin");
        flipped_bytes_are_refused(FIXTURES "v1-reports.bin");
}

/* A torn write that left a valid header: every prefix of the body, checksum mended. */
static void prefixes_of_the_body_are_refused(const char *path) {
        size_t size;
        _cleanup_free_ char *data = read_fixture(path, &size);

        for (size_t n = 0; n < size - MANIFEST_HEADER_SIZE; n++) {
                size_t torn_size;
                _cleanup_free_ char *torn = wrap(data + MANIFEST_HEADER_SIZE, n, &torn_size);

                refused(torn, torn_size);
        }
}

static void every_prefix_of_the_body_is_refused(void **state) {
        prefixes_of_the_body_are_refused(FIXTURES "v1-devices.bin");
        prefixes_of_the_body_are_refused(FIXTURES "v1-links.bin");
        prefixes_of_the_body_are_refused(FIXTURES "v1-reports.bin");
}

static void an_empty_manifest(void **state) {
        _cleanup_manifest_ Manifest *m = manifest_new(), *back = NULL;
        _cleanup_free_ void *data = NULL;
        size_t size;

        assert_int_equal(manifest_encode(m, &data, &size), -EINVAL); /* no update_id */
        assert_null(data);
        m->update_id = copy("00000000000000000000000000000000");
        assert_int_equal(manifest_encode(m, &data, &size), 0);
        assert_int_equal(manifest_decode(data, size, &back, NULL), 0);
        assert_string_equal(back->job_kind, "");
        assert_string_equal(back->daemon_version, "");
        assert_int_equal(back->n_sessions, 0);
}

static void what_cannot_be_written(void **state) {
        _cleanup_manifest_ Manifest *m = golden();
        _cleanup_free_ char *long_text = calloc(1, MANIFEST_STRING_MAX + 2);
        void *data = NULL;
        size_t size = 0;

        assert_non_null(long_text);
        memset(long_text, 'l', MANIFEST_STRING_MAX + 1);
        assert_int_equal(manifest_add_session(m, "vm4", 0, long_text, false), -E2BIG);
        assert_int_equal(manifest_add_file(m, 7, long_text), -E2BIG);
        assert_int_equal(manifest_add_file(m, 7, "\xff"), -EINVAL);
        assert_int_equal(manifest_add_session(m, "", 0, "", false), -EINVAL);
        assert_int_equal(manifest_add_session(m, ".x", 0, "", false), -EINVAL);
        assert_int_equal(manifest_add_session(m, "a/b", 0, "", false), -EINVAL);
        assert_int_equal(manifest_add_session(m, "vm4", 0, "\xc3", false), -EINVAL);
        assert_int_equal(m->n_sessions, 3);
        assert_int_equal(m->n_files, 4);

        static const char *const ids[] = { "", "0123", "0123456789abcdef0123456789abcdeg",
                                           "0123456789abcdef0123456789abcdef0" };
        for (size_t i = 0; i < ELEMENTSOF(ids); i++) {
                free(m->update_id);
                m->update_id = copy(ids[i]);
                assert_int_equal(manifest_encode(m, &data, &size), -EINVAL);
        }
        free(m->update_id);
        m->update_id = copy("0123456789ABCDEFabcdef0000000000");
        free(m->old_release);
        m->old_release = copy(long_text);
        assert_int_equal(manifest_encode(m, &data, &size), -E2BIG);
        m->old_release[MANIFEST_STRING_MAX] = '\0';
        m->old_release[7] = '\xff';
        assert_int_equal(manifest_encode(m, &data, &size), -EINVAL);
        assert_null(data);
        m->old_release[7] = 'l';
        assert_int_equal(manifest_encode(m, &data, &size), 0);
        free(data);
}

#define BODY_BEFORE_GRANTS                                                                                \
        "{\"requires\":[],\"job\":{\"number\":1,\"kind\":\"update\",\"next\":2,\"uid\":0,\"started\":1}," \
        "\"update_id\":\"00000000000000000000000000000000\",\"old\":{\"release\":\"\",\"version\":\"\","  \
        "\"boot_id\":\"\",\"update_number\":0},\"daemon\":\"\",\"sessions\":[{\"name\":\"vm\",\"uid\":1," \
        "\"client\":\"\",\"direct\":false,\"grants\":"
#define BODY_AFTER_GRANTS ",\"files\":[]}]}"

static void grants(void **state) {
        static const char *const bad[] = {
                "7",       "null",  "{}",
                "[\"7\"]", "[-1]",  "[4294967296]",
                "[1.5]",   "[[7]]", "[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]",
        };
        _cleanup_manifest_ Manifest *m = manifest_new(), *back = NULL;
        Manifest *none = NULL;
        Refusal why;

        assert_int_equal(manifest_add_grant(m, 7), -EINVAL);
        assert_int_equal(manifest_add_session(m, "vm", 0, "", false), 0);
        for (uint32_t i = 0; i < SESSION_GRANTS_MAX; i++)
                assert_int_equal(manifest_add_grant(m, i), 0);
        assert_int_equal(manifest_add_grant(m, 99), -E2BIG);

        assert_int_equal(decode_body(BODY_BEFORE_GRANTS "[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]" BODY_AFTER_GRANTS,
                                     &back, &why),
                         0);
        assert_int_equal(back->sessions[0].n_grants, 16);
        assert_int_equal(back->sessions[0].grants[15], 15);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                char body[1024];
                snprintf(body, sizeof(body), "%s%s%s", BODY_BEFORE_GRANTS, bad[i], BODY_AFTER_GRANTS);
                assert_int_equal(decode_body(body, &none, &why), reason_errno(REASON_MANIFEST_INVALID));
                assert_non_null(strstr(why.detail, "sessions[0].grants"));
                assert_null(none);
        }
}

static void duplicates_are_not_written(void **state) {
        _cleanup_manifest_ Manifest *m = golden(), *n = golden();
        void *data = NULL;
        size_t size;

        assert_int_equal(manifest_add_session(m, "vm1", 0, "", false), 0);
        assert_int_equal(manifest_encode(m, &data, &size), -EEXIST);
        assert_int_equal(manifest_add_file(n, 5, "memfd"), 0);
        assert_int_equal(manifest_add_file(n, UINT64_C(1) << 63, "memfd"), 0);
        assert_int_equal(manifest_encode(n, &data, &size), -EEXIST);
        assert_null(data);
        _cleanup_manifest_ Manifest *empty = manifest_new();
        assert_int_equal(manifest_add_file(empty, 1, "memfd"), -EINVAL); /* no session yet */
}

static void devices_that_are_none(void **state) {
        _cleanup_manifest_ Manifest *m = golden(), *twice = golden_devices();
        static const ManifestDevice bad[] = {
                { .address = { .slot = 32 } }, { .address = { .function = 8 } },
                { .class_code = 0x1000000 },   { .preservation = _PRESERVATION_MAX },
                { .snapshot = (char *)"ABA" }, { .snapshot = (char *)"not base64" },
        };
        void *data = NULL;
        size_t size = 0;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(manifest_add_device(m, &bad[i]), -EINVAL);
        assert_int_equal(m->n_devices, 0);
        add_device(twice, (ManifestDevice){ .address = { 0, 0, 0x1c, 0 } });
        assert_int_equal(manifest_encode(twice, &data, &size), -EEXIST);
        assert_null(data);
        for (size_t i = 0; i < MANIFEST_DEVICES_MAX; i++)
                add_device(m, (ManifestDevice){
                                      .address = { 0, (uint8_t)(i >> 8), (uint8_t)(i >> 3 & 31), (uint8_t)(i & 7) } });
        assert_int_equal(manifest_add_device(m, &(ManifestDevice){ .address = { 1, 0, 0, 0 } }), -E2BIG);
        /* As many as there may be are written and read. */
        _cleanup_manifest_ Manifest *back = NULL;
        assert_int_equal(manifest_encode(m, &data, &size), 0);
        assert_int_equal(manifest_decode(data, size, &back, NULL), 0);
        assert_int_equal(back->n_devices, MANIFEST_DEVICES_MAX);
        free(data);
}

static void links_that_are_none(void **state) {
        _cleanup_manifest_ Manifest *m = golden(), *twice = golden_links();
        VfSettings one = { .vf = 1 }, descending[] = { { .vf = 2 }, { .vf = 1 } }, wild = { .vlan = 4096 };
        const ManifestLink bad[] = {
                { .pf = { .slot = 32 } },
                { .pf = { .function = 8 } },
                { .unread = true, .vfs = { .items = &one, .n = 1, .total = 2 } },
                { .vfs = { .items = descending, .n = 2, .total = 3 } },
                { .vfs = { .items = &wild, .n = 1, .total = 1 } },
                { .vfs = { .total = VF_NUMBER_MAX + 1 } },
        };
        void *data = NULL;
        size_t size = 0;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(manifest_add_link(m, &bad[i]), -EINVAL);
        assert_int_equal(m->n_links, 0);
        assert_int_equal(m->n_vfs, 0);
        add_link(twice, (Address){ 0, 3, 0, 0 }, NULL, 0, 0);
        assert_int_equal(manifest_encode(twice, &data, &size), -EEXIST);
        assert_null(data);
        for (size_t i = 0; i < MANIFEST_LINKS_MAX; i++)
                add_link(m, (Address){ 0, (uint8_t)(i >> 8), (uint8_t)(i >> 3 & 31), (uint8_t)(i & 7) }, NULL, 0, 0);
        assert_int_equal(manifest_add_link(m, &(ManifestLink){ .pf = { .domain = 1 } }), -E2BIG);
}

/* 1,024 PFs of 256 VFs, of which everything is known, at its longest. */
static void many_vfs(void **state) {
        enum { PFS = 1024, VFS = 256 };
        _cleanup_manifest_ Manifest *m = golden(), *back = NULL;
        _cleanup_free_ void *data = NULL;
        VfSettings vfs[VFS];
        size_t size;

        for (uint32_t i = 0; i < VFS; i++)
                vfs[i] = (VfSettings){
                        .vf = VF_NUMBER_MAX - VFS + i,
                        .known = VF_SETTINGS_ALL,
                        .vlan = 4095,
                        .vlan_proto = VLAN_PROTO_8021AD,
                        .min_rate = UINT32_MAX,
                        .max_rate = UINT32_MAX,
                        .link_state = VF_LINK_DISABLE,
                };
        for (uint32_t i = 0; i < PFS; i++)
                add_link(m, (Address){ 0, (uint8_t)(i >> 2), 0, (uint8_t)(i & 3) }, vfs, VFS, VF_NUMBER_MAX);
        ManifestLink more = { .pf = { .domain = 1 }, .vfs = { .items = vfs, .n = 1, .total = 1 } };
        assert_int_equal(manifest_add_link(m, &more), -E2BIG);
        assert_int_equal(manifest_encode(m, &data, &size), 0);
        assert_int_equal(manifest_decode(data, size, &back, NULL), 0);
        assert_int_equal(back->n_vfs, PFS * VFS);
        assert_same_links(m, back);
}

#define JOB "\"job\":{\"number\":1,\"kind\":\"update\",\"next\":2,\"uid\":0,\"started\":3}"
#define ID "\"update_id\":\"0123456789abcdef0123456789abcdef\""
#define OLD "\"old\":{\"release\":\"r\",\"version\":\"v\",\"boot_id\":\"b\",\"update_number\":4}"
#define HEAD "\"requires\":[]," JOB "," ID "," OLD ",\"daemon\":\"d\""
#define SESSION(name, files) "{\"name\":\"" name "\",\"uid\":0,\"client\":\"\",\"direct\":false,\"files\":[" files "]}"
#define BODY(sessions) "{" HEAD ",\"sessions\":[" sessions "]}"
#define WITH_DEVICES(devices) "{" HEAD ",\"sessions\":[],\"devices\":" devices "}"
#define WITH_LINKS(links) "{" HEAD ",\"sessions\":[],\"links\":" links "}"
#define VFS(vfs) "{\"total\":2,\"vfs\":[" vfs "]}"
#define DEVICE(address, rest) "[\"" address "\",true,1,2,3," rest "]"
#define REST "4,\"stop\",\"minimal\",\"\""

static void what_later_versions_may_add(void **state) {
        static const char *const bodies[] = {
                BODY(""),
                " \n" BODY(SESSION("a", "[1,\"x\"]")) "\n ",
                "{\"zzz\":{\"deep\":[[[[1]]]]}," HEAD ",\"sessions\":[]}",
                BODY("{\"new\":null,\"name\":\"a\",\"uid\":0,\"client\":\"\",\"direct\":true,\"files\":[[1,\"x\",\"\","
                     "{},2."
                     "5]]}"),
                BODY(SESSION("a", "[1,\"vfio\",\"0000:01:02.3\"],[2,\"vfio\",\"10000:01:02.3\",7]")),
                BODY(SESSION("a", "[18446744073709551615,\"x\"],[0,\"x\"]")),
                BODY(SESSION("a", "[1,\"x\"]") "," SESSION("b", "[1,\"x\"]")),
                BODY(SESSION("systemd", "")),
                BODY(SESSION("a", "[1,\"{[,\\\"{[,\"]")),
                WITH_DEVICES("[]"),
                WITH_DEVICES("[" DEVICE("0000:01:02.3", REST) "," DEVICE("10000:01:02.3", REST ",{},[1]") "]"),
                WITH_DEVICES("[" DEVICE("01:02.3", "4,\"keep\",\"conservative\",\"ABA=\"") "]"),
                WITH_LINKS("[]"),
                WITH_LINKS("[[\"01:02.3\"," VFS("{\"vf\":0,\"new\":[{}]}") ",{},[1]],[\"01:02.4\",null,7]]"),
        };

        for (size_t i = 0; i < ELEMENTSOF(bodies); i++) {
                _cleanup_manifest_ Manifest *m = NULL;
                Refusal why = {};

                if (decode_body(bodies[i], &m, &why) < 0)
                        fail_msg("%s: %s", bodies[i], why.detail);
        }
}

static void hostile_bodies(void **state) {
        static const struct {
                const char *body, *detail; /* how the detail begins */
        } cases[] = {
                { "", "body: it ends too early" },
                { "null", "body: " },
                { "[]", "body: is array, not object" },
                { "7", "body: " },
                { "{}", "requires: is missing" },
                { "{\"requires\":{}}", "requires: is object, not array" },
                { "{\"requires\":[\"time-travel\"]}",
                  "requires: it needs a newer liveupdated: unknown feature \"time-travel\"" },
                { "{\"requires\":[7]}", "requires: is int, not string" },
                { "{\"requires\":[]}", "job: is missing" },
                { "{\"requires\":[],\"job\":7}", "job: is int, not object" },
                { "{\"requires\":[],\"job\":{}}", "job.number: is missing" },
                { "{\"requires\":[],\"job\":{\"number\":\"1\"}}", "job.number: is string, not int" },
                { "{\"requires\":[],\"job\":{\"number\":-1}}", "job.number: is negative" },
                { "{\"requires\":[],\"job\":{\"number\":-9223372036854775809}}", "" },
                { "{\"requires\":[],\"job\":{\"number\":18446744073709551616}}",
                  "body: the number at byte 31 is too large" },
                { "{\"requires\":[],\"job\":{\"number\":99999999999999999999}}", "body: the number at byte 31" },
                { "{\"requires\":[],\"job\":{\"number\":000000000000000000001}}", "body: the number at byte 31" },
                { "{\"requires\":[],\"job\":{\"number\":01}}", "" },
                { "{\"requires\":[],\"job\":{\"number\":1.0}}", "job.number: is double, not int" },
                { "{\"requires\":[],\"job\":{\"number\":1e3}}", "job.number: is double, not int" },
                { "{\"requires\":[],\"job\":{\"number\":NaN}}", "" },
                { "{\"requires\":[],\"job\":{\"number\":Infinity}}", "" },
                { "{\"requires\":[],\"job\":{\"number\":true}}", "job.number: is boolean, not int" },
                { "{\"requires\":[],\"job\":{\"number\":null}}", "job.number: is null, not int" },
                { "{\"requires\":[],\"job\":{\"number\":1,\"kind\":\"a\\u0000b\"}}", "job.kind: contains a NUL" },
                { "{\"requires\":[],\"job\":{\"number\":1,\"kind\":\"k\",\"next\":2,\"uid\":4294967296}}",
                  "job.uid: is out of range" },
                { "{\"requires\":[]," JOB ",\"update_id\":\"0123456789abcdef0123456789abcdeg\"," OLD
                  ",\"daemon\":\"d\",\"sessions\":[]}",
                  "update_id: is not 32 hex digits" },
                { "{\"requires\":[]," JOB ",\"update_id\":\"\"," OLD ",\"daemon\":\"d\",\"sessions\":[]}",
                  "update_id: is not 32 hex digits" },
                { "{" HEAD "}", "sessions: is missing" },
                { BODY("7"), "sessions[0].: is int, not object" },
                { BODY("null"), "sessions[0].: is null, not object" },
                { BODY("{}"), "sessions[0].name: is missing" },
                { BODY(SESSION("", "")), "sessions[0].name: is not a session name" },
                { BODY(SESSION(".a", "")), "sessions[0].name: is not a session name" },
                { BODY(SESSION("../a", "")), "sessions[0].name: is not a session name" },
                { BODY(SESSION("a b", "")), "sessions[0].name: is not a session name" },
                { BODY(SESSION("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "")),
                  "sessions[0].name: is not a session name" },
                { BODY(SESSION("a", "") "," SESSION("b", "") "," SESSION("a", "")),
                  "sessions: the name a is there twice" },
                { BODY("{\"name\":\"a\",\"uid\":0,\"client\":\"\",\"direct\":0,\"files\":[]}"),
                  "sessions[0].direct: is int, not boolean" },
                { BODY("{\"name\":\"a\",\"uid\":-1,\"client\":\"\",\"direct\":true,\"files\":[]}"),
                  "sessions[0].uid: is negative" },
                { BODY(SESSION("a", "7")), "sessions[0].files[0].: is int, not array" },
                { BODY(SESSION("a", "[]")), "sessions[0].files[0].: has no token and kind" },
                { BODY(SESSION("a", "[1]")), "sessions[0].files[0].: has no token and kind" },
                { BODY(SESSION("a", "[1,2]")), "sessions[0].files[0].kind: is int, not string" },
                { BODY(SESSION("a", "[1,\"x\",2]")), "sessions[0].files[0].address: is int, not string" },
                { BODY(SESSION("a", "[1,\"x\",\"00:1\"]")), "sessions[0].files[0].address: is none" },
                { BODY(SESSION("a", "[\"1\",\"x\"]")), "sessions[0].files[0].token: is string, not int" },
                { BODY(SESSION("a", "[1,\"x\"],[-1,\"x\"]")), "sessions[0].files[1].token: is negative" },
                { BODY(SESSION("a", "[1,\"x\"],[2,\"x\"],[1,\"y\"]")), "sessions[0].files: token 1 is there twice" },
                { WITH_DEVICES("7"), "devices: is int, not array" },
                { WITH_DEVICES("null"), "devices: is null, not array" },
                { WITH_DEVICES("[7]"), "devices[0].: is int, not array" },
                { WITH_DEVICES("[[]]"), "devices[0].: has less than 9 elements" },
                { WITH_DEVICES("[" DEVICE("01:02.3", "4,\"stop\",\"minimal\"") "]"),
                  "devices[0].: has less than 9 elements" },
                { WITH_DEVICES("[" DEVICE("01:02.8", REST) "]"), "devices[0].address: is none" },
                { WITH_DEVICES("[" DEVICE("", REST) "]"), "devices[0].address: is none" },
                { WITH_DEVICES("[[7,true,1,2,3," REST "]]"), "devices[0].address: is int, not string" },
                { WITH_DEVICES("[[\"01:02.3\",1,1,2,3," REST "]]"), "devices[0].requested: is int, not boolean" },
                { WITH_DEVICES("[[\"01:02.3\",true,65536,2,3," REST "]]"), "devices[0].vendor: is out of range" },
                { WITH_DEVICES("[[\"01:02.3\",true,1,-2,3," REST "]]"), "devices[0].device: is negative" },
                { WITH_DEVICES("[[\"01:02.3\",true,1,2,16777216," REST "]]"), "devices[0].class: is out of range" },
                { WITH_DEVICES("[" DEVICE("01:02.3", "\"4\",\"stop\",\"minimal\",\"\"") "]"),
                  "devices[0].serial: is string, not int" },
                { WITH_DEVICES("[" DEVICE("01:02.3", "4,\"auto\",\"minimal\",\"\"") "]"),
                  "devices[0].dma: is neither keep nor stop" },
                { WITH_DEVICES("[" DEVICE("01:02.3", "4,\"stop\",\"none\",\"\"") "]"),
                  "devices[0].preserve: is neither conservative nor minimal" },
                { WITH_DEVICES("[" DEVICE("01:02.3", "4,\"stop\",\"minimal\",\"x\"") "]"),
                  "devices[0].snapshot: is none" },
                { WITH_DEVICES("[" DEVICE("01:02.3", "4,\"stop\",\"minimal\",\"A\\u0000\"") "]"),
                  "devices[0].snapshot: contains a NUL" },
                { WITH_DEVICES("[" DEVICE("01:02.3", "4,\"stop\",\"minimal\",null") "]"),
                  "devices[0].snapshot: is null, not string" },
                { WITH_DEVICES("[" DEVICE("01:02.3", REST) "," DEVICE("02:02.3", REST) "," DEVICE("0000:01:02.3",
                                                                                                  REST) "]"),
                  "devices: the address 0000:01:02.3 is there twice" },
                { WITH_LINKS("7"), "links: is int, not array" },
                { WITH_LINKS("null"), "links: is null, not array" },
                { WITH_LINKS("[{}]"), "links[0].: is object, not array" },
                { WITH_LINKS("[[\"01:02.3\"]]"), "links[0].: has less than 2 elements" },
                { WITH_LINKS("[[7,null]]"), "links[0].address: is int, not string" },
                { WITH_LINKS("[[\"01:02.8\",null]]"), "links[0].address: is none" },
                { WITH_LINKS("[[\"01:02.3\",[]]]"), "links[0].vfs: VF settings, " },
                { WITH_LINKS("[[\"01:02.3\",{}]]"), "links[0].vfs: VF settings, " },
                { WITH_LINKS("[[\"01:02.3\"," VFS("{\"vf\":0},{\"vf\":1,\"mac\":\"x\"}") "]]"),
                  "links[0].vfs: VF settings, entry 1, mac: is not a MAC address" },
                { WITH_LINKS("[[\"01:02.3\",null],[\"02:02.3\",null],[\"0000:01:02.3\"," VFS("") "]]"),
                  "links: the address 0000:01:02.3 is there twice" },
                { BODY("") "x", "body: " },
                { BODY("") BODY(""), "body: " },
                { BODY(SESSION("a", "") ","), "body: " },
                { "{'requires':[]}", "body: unexpected character at byte 1" },
                { "{\"requires\":[],'\"':[{},{}],\"x\":'\"'}", "body: unexpected character at byte 15" },
                { "/* */" BODY(""), "body: " },
                { "{\"requires\":[],\"x\":[[[[[[[[[[[]]]]]]]]]]]}", "body: " },
                { "{\"requires\":[],\"x\":\"\xff\"}", "body: " },
                { "{\"requires\":[],\"x\":\"\xc0\xaf\"}", "" },
                { "{\"requires\":[\"\xed\xa0\x80\"]}", "" },
                { "{\"requires\":[\"a\nb\"]}", "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Manifest *m = NULL;
                Refusal why = {};

                if (decode_body(cases[i].body, &m, &why) >= 0)
                        fail_msg("accepted: %s", cases[i].body);
                assert_null(m);
                assert_int_equal(why.reason, REASON_MANIFEST_INVALID);
                if (strncmp(why.detail, cases[i].detail, strlen(cases[i].detail)) != 0)
                        fail_msg("%s: \"%s\", not \"%s\"", cases[i].body, why.detail, cases[i].detail);
        }
}

static void hostile_headers(void **state) {
        static const struct {
                size_t offset, n;
                unsigned char bytes[8];
                const char *detail;
        } cases[] = {
                { 0, 1, { 'l' }, "header: this is not a manifest" },
                { 8, 4, { 2 }, "header: version 2 is unknown, only 1 is known" },
                { 12, 4, { 1, 2, 3, 4 }, "header: the checksum does not match" },
                { 16, 8, { 1 }, "header: the body has " },
                { 16, 8, { 255, 255, 255, 255, 255, 255, 255, 255 }, "header: the body has " },
                { 24, 8, { 0, 0, 0, 0, 0, 0, 0, 1 }, "header: the reserved field is not zero" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                size_t size;
                _cleanup_free_ char *data = wrap(BODY(""), strlen(BODY("")), &size);
                Manifest *m = NULL;
                Refusal why = {};

                memcpy(data + cases[i].offset, cases[i].bytes, cases[i].n);
                assert_true(manifest_decode(data, size, &m, &why) < 0);
                assert_non_null(strstr(why.detail, cases[i].detail));
        }
        _cleanup_free_ char *huge = calloc(1, MANIFEST_SIZE_MAX + 1);
        assert_non_null(huge);
        refused(huge, MANIFEST_SIZE_MAX + 1);
}

/* Bodies that cost little to write and would cost much as a tree. */
static void amplification(void **state) {
        static const char *const units[] = { "[],", "{},", "1,", "[[[" };
        enum { SIZE = 24 * 1024 * 1024 };
        _cleanup_free_ char *body = malloc(SIZE);

        assert_non_null(body);
        for (size_t i = 0; i < ELEMENTSOF(units); i++) {
                size_t n = strlen(units[i]), at = 0, size;

                body[at++] = '[';
                for (; at + n <= SIZE; at += n)
                        memcpy(body + at, units[i], n);
                _cleanup_free_ char *data = wrap(body, at, &size);
                Manifest *m = NULL;
                Refusal why = {};
                assert_true(manifest_decode(data, size, &m, &why) < 0);
                assert_string_equal(why.detail, "body: too many elements");
        }
}

static void a_large_one(void **state) {
        enum { SESSIONS = 1000, FILES = 100 };
        _cleanup_manifest_ Manifest *m = golden(), *back = NULL;
        _cleanup_free_ void *data = NULL;
        size_t size;

        for (int i = 0; i < SESSIONS; i++) {
                char name[32];

                (void)snprintf(name, sizeof(name), "session-%d", SESSIONS - i);
                assert_int_equal(manifest_add_session(m, name, 0, "client", false), 0);
                for (uint64_t j = 0; j < FILES; j++)
                        assert_int_equal(manifest_add_file(m, j * UINT64_C(0x9E3779B97F4A7C15), "memfd"), 0);
        }
        assert_int_equal(manifest_encode(m, &data, &size), 0);
        assert_int_equal(manifest_decode(data, size, &back, NULL), 0);
        assert_int_equal(back->n_files, SESSIONS * FILES + 4);
        free(m->sessions[2].client);
        m->sessions[2].client = copy("");
        assert_same(m, back);
        /* What was decoded can be added to. */
        assert_int_equal(manifest_add_file(back, 1, "memfd"), 0);
        assert_int_equal(manifest_add_session(back, "more", 0, "", false), 0);
}

/* What a session and a file may have more of: kept when written, absent in older ones. */
static void test_hold_and_device(void **state) {
        _cleanup_(manifest_freep) Manifest *m = manifest_new(), *back = NULL;
        _cleanup_free_ void *data = NULL;
        size_t size;

        assert_int_equal(manifest_set_hold(m, 1), -EINVAL);
        assert_int_equal(manifest_set_file_address(m, (Address){ 0, 1, 0, 0 }), -EINVAL);
        m->update_id = strdup("00112233445566778899aabbccddeeff");
        assert_int_equal(manifest_add_session(m, "vm", 7, "", false), 0);
        assert_int_equal(manifest_set_file_address(m, (Address){ 0, 1, 0, 0 }), -EINVAL); /* no file yet */
        assert_int_equal(manifest_add_file(m, 1, "vfio"), 0);
        assert_int_equal(manifest_set_file_address(m, (Address){ 0, 1, 32, 0 }), -EINVAL);
        assert_int_equal(manifest_set_file_address(m, (Address){ 0, 1, 0, 0 }), 0);
        assert_int_equal(manifest_add_file(m, 2, "memfd"), 0);
        assert_int_equal(manifest_set_hold(m, 600 * USEC_PER_SEC), 0);
        assert_int_equal(manifest_add_session(m, "other", 7, "", false), 0);
        assert_int_equal(manifest_add_session(m, "short", 7, "", false), 0);
        assert_int_equal(manifest_set_hold(m, SESSION_HOLD_UPDATE), 0);
        assert_int_equal(manifest_encode(m, &data, &size), 0);
        assert_int_equal(manifest_decode(data, size, &back, NULL), 0);
        assert_true(back->sessions[0].hold_usec == 600 * USEC_PER_SEC);
        assert_true(back->sessions[0].files[0].has_address);
        assert_int_equal(back->sessions[0].files[0].address.bus, 1);
        assert_false(back->sessions[0].files[1].has_address);
        assert_true(back->sessions[1].hold_usec == SESSION_HOLD_FOREVER);
        assert_true(back->sessions[2].hold_usec == SESSION_HOLD_UPDATE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_hold_and_device),
                cmocka_unit_test(the_golden_files_are_read),
                cmocka_unit_test(the_golden_files_are_written),
                cmocka_unit_test(every_prefix_is_refused),
                cmocka_unit_test(every_flipped_byte_is_refused),
                cmocka_unit_test(every_prefix_of_the_body_is_refused),
                cmocka_unit_test(an_empty_manifest),
                cmocka_unit_test(what_cannot_be_written),
                cmocka_unit_test(grants),
                cmocka_unit_test(duplicates_are_not_written),
                cmocka_unit_test(devices_that_are_none),
                cmocka_unit_test(links_that_are_none),
                cmocka_unit_test(many_vfs),
                cmocka_unit_test(what_later_versions_may_add),
                cmocka_unit_test(hostile_bodies),
                cmocka_unit_test(hostile_headers),
                cmocka_unit_test(amplification),
                cmocka_unit_test(a_large_one),
        };

        return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
