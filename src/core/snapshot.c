/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Both images are copied into buffers of full size, so that every offset below 4096 can
 * be read, and their capabilities are listed first. A capability ends where the next one
 * begins: rows of the table that would reach beyond are not taken to be there. Which bits
 * rows have looked at is kept as a mask for each byte; the rest is compared at the end.
 */
#include "snapshot.h"

#define HEADER_END 0x40u
#define EXTENDED_START 0x100u

enum {
        CAPABILITIES_MAX = (0x100 - 0x40) / 4,
        EXTENDED_MAX = (SNAPSHOT_SIZE_MAX - 0x100) / 4,
};

static const char *const snapshot_verdict_table[_SNAPSHOT_VERDICT_MAX] = {
        [SNAPSHOT_EQUAL] = "equal",
        [SNAPSHOT_EXPECTED] = "expected",
        [SNAPSHOT_AGAINST] = "against",
};

DEFINE_STRING_TABLE(snapshot_verdict, SnapshotVerdict, snapshot_verdict_table);

typedef struct Capability {
        uint16_t id, offset, end; /* end: where the next one begins */
        uint16_t nth;             /* of those with the same id */
        bool extended;
} Capability;

typedef struct Image {
        uint8_t bytes[SNAPSHOT_SIZE_MAX];
        size_t n;
        Capability capabilities[CAPABILITIES_MAX + EXTENDED_MAX];
        size_t n_capabilities;
} Image;

typedef struct Comparison {
        Image before, after;
        uint8_t seen[SNAPSHOT_SIZE_MAX]; /* bits of each byte that rows have looked at */
        SnapshotPolicy policy;
        snapshot_diff_t on_diff;
        void *userdata;
        SnapshotCount count;
} Comparison;

static uint32_t read_at(const Image *image, size_t offset, unsigned width) {
        uint32_t v = 0;

        for (unsigned i = 0; i < width; i++)
                v |= (uint32_t)image->bytes[offset + i] << 8 * i;
        return v;
}

/* ---- capabilities ---- */

static bool already_there(const Image *image, size_t offset) {
        for (size_t i = 0; i < image->n_capabilities; i++)
                if (image->capabilities[i].offset == offset)
                        return true;
        return false;
}

static void add_capability(Image *image, uint16_t id, size_t offset, bool extended) {
        Capability c = { .id = id, .offset = (uint16_t)offset, .extended = extended };

        for (size_t i = 0; i < image->n_capabilities; i++)
                c.nth += image->capabilities[i].id == id && image->capabilities[i].extended == extended;
        image->capabilities[image->n_capabilities++] = c;
}

/* The list of the first 256 bytes (PCI local bus 6.7). */
static void list_capabilities(Image *image) {
        size_t end = MIN_OF(image->n, (size_t)EXTENDED_START);
        size_t offset = image->bytes[0x34] & 0xfcu;

        if (!(image->bytes[0x06] & 0x10))
                return;
        while (offset >= HEADER_END && offset + 2 <= end && !already_there(image, offset)) {
                uint8_t id = image->bytes[offset];

                if (id == 0xff)
                        break;
                add_capability(image, id, offset, false);
                offset = image->bytes[offset + 1] & 0xfcu;
        }
}

/* The list beyond (PCIe base 7.6.3). */
static void list_extended(Image *image) {
        size_t offset = EXTENDED_START;

        while (offset >= EXTENDED_START && offset + 4 <= image->n && !already_there(image, offset)) {
                uint32_t header = read_at(image, offset, 4);

                if (header == 0 || header == UINT32_MAX)
                        break;
                add_capability(image, header & 0xffff, offset, true);
                offset = header >> 20 & 0xffc;
        }
}

static void find_ends(Image *image) {
        for (size_t i = 0; i < image->n_capabilities; i++) {
                Capability *c = &image->capabilities[i];

                c->end = (uint16_t)MIN_OF(image->n, c->extended ? (size_t)SNAPSHOT_SIZE_MAX : (size_t)EXTENDED_START);
                for (size_t j = 0; j < image->n_capabilities; j++)
                        if (image->capabilities[j].offset > c->offset)
                                c->end = MIN_OF(c->end, image->capabilities[j].offset);
        }
}

static void image_make(Image *image, const uint8_t *data, size_t n) {
        image->n = MIN_OF(n, (size_t)SNAPSHOT_SIZE_MAX);
        if (image->n > 0)
                memcpy(image->bytes, data, image->n);
        if (image->n >= HEADER_END) {
                list_capabilities(image);
                list_extended(image);
        }
        find_ends(image);
}

static const Capability *find_capability(const Image *image, const Capability *like) {
        for (size_t i = 0; i < image->n_capabilities; i++) {
                const Capability *c = &image->capabilities[i];

                if (c->id == like->id && c->nth == like->nth && c->extended == like->extended)
                        return c;
        }
        return NULL;
}

/* ---- saying it ---- */

static int say(Comparison *c, const SnapshotDiff *diff) {
        switch (diff->verdict) {
        case SNAPSHOT_EQUAL:
                c->count.equal++;
                break;
        case SNAPSHOT_EXPECTED:
                c->count.expected++;
                break;
        case SNAPSHOT_AGAINST:
        case _SNAPSHOT_VERDICT_MAX:
                c->count.against++;
                break;
        }
        return c->on_diff ? c->on_diff(c->userdata, diff) : 0;
}

static int say_capability(Comparison *c, const Capability *cap, uint32_t before, uint32_t after, const char *reason) {
        const char *name = config_capability_name(cap->id, cap->extended);
        SnapshotDiff diff = {
                .offset = cap->offset,
                .width = cap->extended ? 4 : 2,
                .before = before,
                .after = after,
                .verdict = SNAPSHOT_AGAINST,
                .reason = reason,
        };

        if (name)
                (void)snprintf(diff.name, sizeof(diff.name), "Capability %s", name);
        else
                (void)snprintf(diff.name, sizeof(diff.name), "Capability 0x%02x%s", cap->id,
                               cap->extended ? ", extended" : "");
        return say(c, &diff);
}

static void mark(Comparison *c, size_t offset, unsigned width, uint32_t mask) {
        for (unsigned i = 0; i < width; i++)
                c->seen[offset + i] |= (uint8_t)(mask >> 8 * i);
}

/* ---- rows ---- */

static SnapshotVerdict judge(const Comparison *c, const ConfigBits *row, uint32_t before, uint32_t after) {
        switch (row->class) {
        case BITS_HANDED:
                if (c->policy.bus_master == BUS_MASTER_CLEARED && after != 0)
                        return SNAPSHOT_AGAINST;
                if (before == after)
                        return SNAPSHOT_EQUAL;
                return c->policy.bus_master == BUS_MASTER_KEPT ? SNAPSHOT_AGAINST : SNAPSHOT_EXPECTED;
        case BITS_REWRITTEN:
                return before == after ? SNAPSHOT_EQUAL : SNAPSHOT_EXPECTED;
        case BITS_SAME:
        case BITS_EQUAL:
        case _BITS_CLASS_MAX:
                break;
        }
        return before == after ? SNAPSHOT_EQUAL : SNAPSHOT_AGAINST;
}

/* One register of a row: from there in `before`, to there in `after`. */
static int compare_register(Comparison *c, const ConfigBits *row, unsigned nth, size_t from, size_t to) {
        SnapshotDiff diff = {
                .offset = (uint16_t)to,
                .width = row->width,
                .before = read_at(&c->before, from, row->width) & row->mask,
                .after = read_at(&c->after, to, row->width) & row->mask,
                .reason = row->reason,
        };

        if (row->count > 1)
                (void)snprintf(diff.name, sizeof(diff.name), "%s %u", row->name, nth);
        else
                (void)snprintf(diff.name, sizeof(diff.name), "%s", row->name);
        diff.verdict = judge(c, row, diff.before, diff.after);
        mark(c, from, row->width, row->mask);
        mark(c, to, row->width, row->mask);
        return say(c, &diff);
}

/* start and end: of the header or capability, in both images. */
static int compare_row(Comparison *c, const ConfigBits *row, const Capability *from, const Capability *to) {
        unsigned count = MAX_OF(row->count, 1), stride = row->stride > 0 ? row->stride : row->width;

        if (row->count == BITS_COUNT_RESIZABLE)
                count = from->offset + 12u <= from->end ? read_at(&c->before, from->offset + 8u, 4) >> 5 & 7 : 0;
        for (unsigned i = 0; i < count; i++) {
                size_t at = row->offset + (size_t)i * stride;

                if (from->offset + at + row->width > from->end || to->offset + at + row->width > to->end)
                        break;
                int r = compare_register(c, row, i, from->offset + at, to->offset + at);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int compare_headers(Comparison *c) {
        Capability from = { .end = (uint16_t)MIN_OF(c->before.n, (size_t)HEADER_END) };
        Capability to = { .end = (uint16_t)MIN_OF(c->after.n, (size_t)HEADER_END) };
        size_t n;
        const ConfigBits *table = config_bits_table(&n);
        unsigned type = c->before.bytes[0x0e] & 0x7f;

        for (size_t i = 0; i < n; i++) {
                BitsPlace place = table[i].place;

                if (place != BITS_HEADER && !(place == BITS_HEADER_0 && type == 0) &&
                    !(place == BITS_HEADER_1 && type == 1))
                        continue;
                int r = compare_row(c, &table[i], &from, &to);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int compare_capability(Comparison *c, const Capability *from) {
        const Capability *to = find_capability(&c->after, from);
        BitsPlace place = from->extended ? BITS_EXTENDED : BITS_CAPABILITY;
        unsigned header = from->extended ? 4 : 2;
        size_t n;
        const ConfigBits *table = config_bits_table(&n);
        int r = 0;

        mark(c, from->offset, header, UINT32_MAX);
        if (!to)
                /* What is beyond the end of a short image is told once, elsewhere. */
                return from->offset + header <= c->after.n
                               ? say_capability(c, from, from->offset, 0, "The capability is gone")
                               : 0;
        mark(c, to->offset, header, UINT32_MAX);
        if (to->offset != from->offset)
                r = say_capability(c, to, from->offset, to->offset, "The capability has moved");
        for (size_t i = 0; i < n && r >= 0; i++)
                if (table[i].place == place && table[i].capability == from->id)
                        r = compare_row(c, &table[i], from, to);
        return r;
}

static int compare_capabilities(Comparison *c) {
        int r = 0;

        for (size_t i = 0; i < c->before.n_capabilities && r >= 0; i++)
                r = compare_capability(c, &c->before.capabilities[i]);
        for (size_t i = 0; i < c->after.n_capabilities && r >= 0; i++) {
                const Capability *cap = &c->after.capabilities[i];
                unsigned header = cap->extended ? 4 : 2;

                if (find_capability(&c->before, cap) || cap->offset + header > c->before.n)
                        continue;
                mark(c, cap->offset, header, UINT32_MAX);
                r = say_capability(c, cap, 0, cap->offset, "The capability was not there");
        }
        return r;
}

/* ---- the rest ---- */

static int compare_rest(Comparison *c) {
        size_t end = MIN_OF(c->before.n, c->after.n) & ~(size_t)3;

        for (size_t at = 0; at < end; at += 4) {
                uint32_t mask = 0;

                for (unsigned i = 0; i < 4; i++)
                        mask |= (uint32_t)(uint8_t)~c->seen[at + i] << 8 * i;
                SnapshotDiff diff = {
                        .name = "Outside the table",
                        .offset = (uint16_t)at,
                        .width = 4,
                        .before = read_at(&c->before, at, 4) & mask,
                        .after = read_at(&c->after, at, 4) & mask,
                        .verdict = c->policy.conservative ? SNAPSHOT_AGAINST : SNAPSHOT_EXPECTED,
                        .reason = c->policy.conservative
                                          ? "Not known to the table; conservative mode lets nothing else change"
                                          : "Not known to the table; minimal mode lets it change",
                };
                if (diff.before == diff.after)
                        continue;
                int r = say(c, &diff);
                if (r < 0)
                        return r;
        }
        return 0;
}

static bool all_ones(const Image *image) {
        for (size_t i = 0; i < MIN_OF(image->n, (size_t)HEADER_END); i++)
                if (image->bytes[i] != 0xff)
                        return false;
        return true;
}

static int compare_all(Comparison *c) {
        int r;

        if (c->after.n < c->before.n) {
                SnapshotDiff diff = {
                        .name = "Size",
                        .before = (uint32_t)c->before.n,
                        .after = (uint32_t)c->after.n,
                        .verdict = SNAPSHOT_AGAINST,
                        .reason = "Less of the configuration space can be read than before",
                };
                r = say(c, &diff);
                if (r < 0)
                        return r;
        }
        /* Every register would differ; the one thing to know is this. */
        if (c->after.n > 0 && all_ones(&c->after) && !all_ones(&c->before)) {
                SnapshotDiff diff = {
                        .name = "Device",
                        .width = 4,
                        .before = read_at(&c->before, 0, 4),
                        .after = UINT32_MAX,
                        .verdict = SNAPSHOT_AGAINST,
                        .reason = "The device does not answer",
                };
                return say(c, &diff);
        }
        r = compare_headers(c);
        if (r >= 0)
                r = compare_capabilities(c);
        return r < 0 ? r : compare_rest(c);
}

int snapshot_compare(const uint8_t *before, size_t n_before, const uint8_t *after, size_t n_after,
                     SnapshotPolicy policy, snapshot_diff_t on_diff, void *userdata, SnapshotCount *ret) {
        _cleanup_free_ Comparison *c = calloc(1, sizeof(*c));

        if (!c)
                return -ENOMEM;
        image_make(&c->before, before, n_before);
        image_make(&c->after, after, n_after);
        c->policy = policy;
        c->on_diff = on_diff;
        c->userdata = userdata;
        int r = compare_all(c);
        if (r < 0)
                return r;
        if (ret)
                *ret = c->count;
        return 0;
}
