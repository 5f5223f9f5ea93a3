/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as an initrd: reading ends, an entry's data is as long as its head says, and it
 * makes no difference whether they are fed at once or byte by byte.
 */
#include "core/newc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Seen {
        uint64_t entries, ends, bytes, sum;
        uint32_t left;
} Seen;

static void must(bool ok) {
        if (!ok)
                abort();
}

static int on_entry(void *userdata, const NewcEntry *e) {
        Seen *s = userdata;

        must(s->entries == s->ends && strlen(e->name) < NEWC_NAME_MAX);
        s->entries++;
        s->left = e->size;
        s->sum = s->sum * 31 + strlen(e->name) + e->mode;
        return 0;
}

static int on_data(void *userdata, const void *data, size_t size) {
        Seen *s = userdata;

        must(size > 0 && size <= s->left);
        s->left -= (uint32_t)size;
        for (size_t i = 0; i < size; i++)
                s->sum = s->sum * 31 + ((const uint8_t *)data)[i];
        s->bytes += size;
        return 0;
}

static int on_end(void *userdata) {
        Seen *s = userdata;

        must(s->left == 0);
        s->ends++;
        return 0;
}

static int run(const uint8_t *data, size_t size, size_t step, bool one_archive, Seen *ret) {
        NewcSink sink = { .entry = on_entry, .data = on_data, .end = on_end, .userdata = ret };
        NewcReader *r = calloc(1, sizeof(*r));
        ssize_t n = 0;

        must(r);
        r->sink = &sink;
        r->one_archive = one_archive;
        for (size_t at = 0, part = 0; at < size && n >= 0 && (size_t)n == part; at += part) {
                part = MIN_OF(step, size - at);
                n = newc_feed(r, data + at, part);
                must(n < 0 || (size_t)n <= part);
        }
        int k = n < 0 ? (int)n : newc_end(r);
        free(r);
        return k;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        for (int one = 0; one < 2; one++) {
                Seen a = {}, b = {};

                must(run(data, size, size, one, &a) == run(data, size, 1, one, &b));
                must(memcmp(&a, &b, sizeof(a)) == 0);
        }
        return 0;
}
