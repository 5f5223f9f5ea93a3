/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first two bytes of an input say where it is cut in two: configuration space before
 * and after. Comparing must end and count what it says; both must survive the text form.
 * The input is tried as such a text too.
 */
#include "core/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
        if (!ok)
                abort();
}

static int on_diff(void *userdata, const SnapshotDiff *diff) {
        SnapshotCount *count = userdata;

        must(diff->name[0] && diff->reason && diff->offset < SNAPSHOT_SIZE_MAX);
        must((diff->verdict == SNAPSHOT_EQUAL) <= (diff->before == diff->after));
        count->equal += diff->verdict == SNAPSHOT_EQUAL;
        count->expected += diff->verdict == SNAPSHOT_EXPECTED;
        count->against += diff->verdict == SNAPSHOT_AGAINST;
        return 0;
}

static void try_text(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = NULL;
        uint8_t back[SNAPSHOT_SIZE_MAX];
        size_t n;

        if (size > SNAPSHOT_SIZE_MAX) {
                must(snapshot_encode(data, size, &text) == -EINVAL);
                return;
        }
        must(snapshot_encode(data, size, &text) == 0 && strlen(text) < SNAPSHOT_TEXT_SIZE);
        must(snapshot_decode(text, back, &n) == 0 && n == size && (n == 0 || memcmp(back, data, n) == 0));
}

static void try_compare(const uint8_t *before, size_t n_before, const uint8_t *after, size_t n_after,
                        SnapshotPolicy policy) {
        SnapshotCount said = {}, count = {};

        must(snapshot_compare(before, n_before, after, n_after, policy, on_diff, &said, &count) == 0);
        must(memcmp(&said, &count, sizeof(count)) == 0);
        if (n_before == n_after && (n_before == 0 || memcmp(before, after, n_before) == 0) &&
            policy.bus_master != BUS_MASTER_CLEARED)
                must(count.expected == 0 && count.against == 0);
}

static void try_decode(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = strndup((const char *)data, size);
        uint8_t space[SNAPSHOT_SIZE_MAX];
        size_t n;

        if (text && snapshot_decode(text, space, &n) == 0) {
                must(n <= SNAPSHOT_SIZE_MAX);
                try_text(space, n);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        try_decode(data, size);
        if (size < 2)
                return 0;
        size_t cut = MIN_OF((size_t)data[0] | (size_t)data[1] << 8, size - 2);
        /* Buffers of their own sizes, so that a sanitizer sees a read behind their ends. */
        _cleanup_free_ uint8_t *before = malloc(cut + !cut), *after = malloc(size - 2 - cut + (size - 2 == cut));

        if (!before || !after)
                return 0;
        memcpy(before, data + 2, cut);
        memcpy(after, data + 2 + cut, size - 2 - cut);
        try_text(before, cut);
        for (unsigned i = 0; i < 6; i++) {
                SnapshotPolicy policy = { .conservative = i & 1, .bus_master = (SnapshotBusMaster)(i / 2) };

                try_compare(before, cut, after, size - 2 - cut, policy);
                try_compare(before, cut, before, cut, policy);
        }
        return 0;
}
