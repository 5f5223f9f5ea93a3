/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration space before and after, on an endpoint and a bridge as they really look:
 * one register changed at a time, and what the comparison says about it. And the text
 * form, there and back.
 */
#include "support/random.h"

#include "core/snapshot.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { PM = 0x40, MSI = 0x50, EXP = 0x60, MSIX = 0xa0, VENDOR = 0xb0, AER = 0x100, SRIOV = 0x160, REBAR = 0x200 };

static void put(uint8_t *space, size_t offset, unsigned width, uint32_t v) {
        for (unsigned i = 0; i < width; i++)
                space[offset + i] = (uint8_t)(v >> 8 * i);
}

static void capability(uint8_t *space, size_t at, uint8_t id, uint8_t next) {
        put(space, at, 2, id | (uint32_t)next << 8);
}

static void extended(uint8_t *space, size_t at, uint16_t id, uint32_t next) {
        put(space, at, 4, id | 1u << 16 | next << 20);
}

static void endpoint(uint8_t space[static SNAPSHOT_SIZE_MAX]) {
        memset(space, 0, SNAPSHOT_SIZE_MAX);
        put(space, 0x00, 4, 0x10d38086);
        put(space, 0x04, 4, 0x00100406);
        put(space, 0x08, 4, 0x02000001);
        put(space, 0x10, 4, 0xfe000000);
        put(space, 0x14, 4, 0xfe100000);
        put(space, 0x2c, 4, 0x00008086);
        put(space, 0x34, 1, PM);
        put(space, 0x3c, 2, 0x010b);
        capability(space, PM, 0x01, MSI);
        put(space, PM + 2, 2, 0xc823);
        put(space, PM + 4, 2, 0x2008);
        capability(space, MSI, 0x05, EXP);
        put(space, MSI + 2, 2, 0x0080);
        capability(space, EXP, 0x10, MSIX);
        put(space, EXP + 2, 2, 0x0002);
        put(space, EXP + 8, 2, 0x2830);
        capability(space, MSIX, 0x11, VENDOR);
        put(space, MSIX + 2, 2, 0x8004);
        put(space, MSIX + 4, 4, 0x00000003);
        capability(space, VENDOR, 0x09, 0);
        put(space, VENDOR + 2, 4, 0x12345610);
        extended(space, AER, 0x0001, SRIOV);
        extended(space, SRIOV, 0x0010, REBAR);
        put(space, SRIOV + 0x08, 2, 0x0009);
        put(space, SRIOV + 0x0c, 4, 0x00080008);
        put(space, SRIOV + 0x10, 2, 4);
        put(space, SRIOV + 0x14, 4, 0x00020080);
        extended(space, REBAR, 0x0015, 0);
        put(space, REBAR + 0x08, 4, 0x00000840); /* two BARs */
        put(space, REBAR + 0x10, 4, 0x00000901);
}

static void bridge(uint8_t space[static SNAPSHOT_SIZE_MAX]) {
        memset(space, 0, SNAPSHOT_SIZE_MAX);
        put(space, 0x00, 4, 0x000c1b36);
        put(space, 0x04, 4, 0x00100407);
        put(space, 0x08, 4, 0x06040000);
        put(space, 0x0c, 4, 0x00010000);
        put(space, 0x18, 4, 0x00030100);
        put(space, 0x20, 4, 0xfe10fe00);
        put(space, 0x34, 1, EXP);
        capability(space, EXP, 0x10, 0);
        put(space, EXP + 0x28, 2, 0x0020);
}

/* ---- comparing ---- */

typedef struct Seen {
        SnapshotDiff items[600];
        size_t n;
} Seen;

static int on_diff(void *userdata, const SnapshotDiff *diff) {
        Seen *s = userdata;

        assert_true(s->n < ELEMENTSOF(s->items));
        assert_true(diff->name[0] && diff->reason && diff->reason[0]);
        s->items[s->n++] = *diff;
        return 0;
}

static SnapshotCount compare(const uint8_t *before, size_t n_before, const uint8_t *after, size_t n_after,
                             SnapshotPolicy policy, Seen *seen) {
        SnapshotCount count = {}, again = {};

        *seen = (Seen){};
        assert_int_equal(snapshot_compare(before, n_before, after, n_after, policy, on_diff, seen, &count), 0);
        assert_int_equal(count.equal + count.expected + count.against, seen->n);
        assert_int_equal(snapshot_compare(before, n_before, after, n_after, policy, NULL, NULL, &again), 0);
        assert_memory_equal(&count, &again, sizeof(count));
        for (size_t i = 0; i < seen->n; i++)
                if (seen->items[i].verdict == SNAPSHOT_EQUAL)
                        assert_int_equal(seen->items[i].before, seen->items[i].after);
        return count;
}

/* The differences as "VERDICT NAME@OFFSET BEFORE>AFTER", separated by "; ". */
static void assert_diffs(const uint8_t *before, size_t n_before, const uint8_t *after, size_t n_after,
                         SnapshotPolicy policy, const char *want) {
        char text[4096] = "";
        Seen seen;

        (void)compare(before, n_before, after, n_after, policy, &seen);
        for (size_t i = 0; i < seen.n; i++) {
                const SnapshotDiff *d = &seen.items[i];
                size_t n = strlen(text);

                if (d->verdict != SNAPSHOT_EQUAL)
                        (void)snprintf(text + n, sizeof(text) - n, "%s%s %s@%x %x>%x", n > 0 ? "; " : "",
                                       snapshot_verdict_to_string(d->verdict), d->name, d->offset, d->before,
                                       d->after);
        }
        assert_string_equal(text, want);
}

#define CONSERVATIVE ((SnapshotPolicy){ .conservative = true })
#define MINIMAL ((SnapshotPolicy){ .conservative = false })

static void the_same(void **state) {
        uint8_t space[SNAPSHOT_SIZE_MAX];
        static const size_t sizes[] = { 0, 1, 63, 64, 65, 256, 4096 };
        Seen seen;

        for (int type = 0; type < 2; type++)
                for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                        (type ? bridge : endpoint)(space);
                        SnapshotCount c = compare(space, sizes[i], space, sizes[i], CONSERVATIVE, &seen);
                        assert_int_equal(c.expected + c.against, 0);
                        assert_true(sizes[i] < 64 || c.equal > 15);
                }
}

static void one_register_at_a_time(void **state) {
        static const struct {
                bool bridge;
                size_t offset;
                unsigned width;
                uint32_t value;
                const char *conservative, *minimal; /* NULL: the same */
        } cases[] = {
                { false, 0x00, 2, 0x15b3, "against Vendor ID@0 8086>15b3", NULL },
                { false, 0x08, 1, 2, "against Revision ID@8 1>2", NULL },
                { false, 0x0a, 2, 0x0108, "against Class Code@8 2000000>1080000", NULL },
                { false, 0x04, 2, 0x0404, "against Command: Memory Space@4 2>0", NULL },
                { false, 0x04, 2, 0x0402, "expected Command: Bus Master@4 4>0", NULL },
                { false, 0x04, 2, 0x0006, "expected Command: INTx Disable@4 400>0", NULL },
                { false, 0x06, 2, 0x2010, "expected Status: events@6 0>2000", NULL },
                { false, 0x06, 2, 0x0030, "against Status: abilities@6 10>30", NULL },
                { false, 0x14, 4, 0xfe200000, "against BAR 1@14 fe100000>fe200000", NULL },
                { false, 0x3c, 1, 5, "expected Interrupt Line@3c b>5", NULL },
                { false, PM + 4, 2, 0x200b, "against Power Management: Power State@44 0>3", NULL },
                { false, PM + 4, 2, 0xa108,
                  "expected Power Management: PME Enable, Data Select@44 0>100; "
                  "expected Power Management: PME Status@44 0>8000",
                  NULL },
                { false, MSI + 2, 2, 0x0081, "expected MSI: Enable, Vectors@52 0>1", NULL },
                { false, MSI + 4, 4, 0xfee00000, "expected MSI: Address, Data, Mask, Pending 0@54 0>fee00000", NULL },
                { false, MSIX + 2, 2, 0x4004, "expected MSI-X: Enable, Function Mask@a2 8000>4000", NULL },
                { false, MSIX + 2, 2, 0x8005, "against MSI-X: Table Size@a2 4>5", NULL },
                { false, MSIX + 4, 4, 4, "against MSI-X: Table@a4 3>4", NULL },
                { false, EXP + 8, 2, 0x2850, "against Device Control: Max Payload Size@68 20>40", NULL },
                { false, VENDOR + 4, 4, 0x99, "against Outside the table@b4 1234>99",
                  "expected Outside the table@b4 1234>99" },
                { false, AER + 4, 4, 0x10, "expected Advanced Error Reporting 0@104 0>10", NULL },
                { false, SRIOV + 8, 2, 0x0008, "against SR-IOV: VF Enable@168 1>0", NULL },
                { false, SRIOV + 0x10, 2, 0, "against SR-IOV: NumVFs@170 4>0", NULL },
                { false, SRIOV + 0x28, 4, 0xf0000000, "against SR-IOV: VF BAR 1@188 0>f0000000", NULL },
                { false, REBAR + 0x10, 4, 0xa01, "against Resizable BAR: Size 1@210 901>a01", NULL },
                /* The third is none: only two are announced. */
                { false, REBAR + 0x18, 4, 0xa01, "against Outside the table@218 0>a01",
                  "expected Outside the table@218 0>a01" },
                { false, 0xe0, 4, 7, "against Outside the table@e0 0>7", "expected Outside the table@e0 0>7" },
                { false, 0xffc, 4, 7, "against Outside the table@ffc 0>7", "expected Outside the table@ffc 0>7" },
                /* Reserved bits of a register that the table knows. */
                { false, 0x04, 2, 0x8406, "against Outside the table@4 0>8000",
                  "expected Outside the table@4 0>8000" },
                { true, 0x19, 1, 2, "against Secondary Bus@19 1>2", NULL },
                { true, 0x1a, 1, 2, "against Subordinate Bus@1a 3>2", NULL },
                { true, 0x20, 4, 0xfe20fe00, "against Memory Window@20 fe10fe00>fe20fe00", NULL },
                { true, 0x1e, 2, 0x2000, "expected Secondary Status: events@1e 0>2000", NULL },
                { true, 0x3e, 2, 0x0040, "against Bridge Control: Secondary Bus Reset@3e 0>40", NULL },
                { true, 0x3e, 2, 0x0002, "expected Bridge Control: errors and timers@3e 0>2", NULL },
                { true, EXP + 0x28, 2, 0, "against Device Control 2: ARI Forwarding@88 20>0", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint8_t before[SNAPSHOT_SIZE_MAX], after[SNAPSHOT_SIZE_MAX];

                (cases[i].bridge ? bridge : endpoint)(before);
                memcpy(after, before, sizeof(after));
                put(after, cases[i].offset, cases[i].width, cases[i].value);
                assert_diffs(before, sizeof(before), after, sizeof(after), CONSERVATIVE, cases[i].conservative);
                assert_diffs(before, sizeof(before), after, sizeof(after), MINIMAL,
                             cases[i].minimal ?: cases[i].conservative);
        }
}

static void bus_master_goes_by_the_policy(void **state) {
        static const struct {
                SnapshotBusMaster policy;
                bool before, after;
                SnapshotVerdict want;
        } cases[] = {
                { BUS_MASTER_ANY, false, false, SNAPSHOT_EQUAL },
                { BUS_MASTER_ANY, true, true, SNAPSHOT_EQUAL },
                { BUS_MASTER_ANY, true, false, SNAPSHOT_EXPECTED },
                { BUS_MASTER_ANY, false, true, SNAPSHOT_EXPECTED },
                { BUS_MASTER_KEPT, true, true, SNAPSHOT_EQUAL },
                { BUS_MASTER_KEPT, false, false, SNAPSHOT_EQUAL },
                { BUS_MASTER_KEPT, true, false, SNAPSHOT_AGAINST },
                { BUS_MASTER_KEPT, false, true, SNAPSHOT_AGAINST },
                { BUS_MASTER_CLEARED, true, false, SNAPSHOT_EXPECTED },
                { BUS_MASTER_CLEARED, false, false, SNAPSHOT_EQUAL },
                { BUS_MASTER_CLEARED, true, true, SNAPSHOT_AGAINST },
                { BUS_MASTER_CLEARED, false, true, SNAPSHOT_AGAINST },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint8_t before[SNAPSHOT_SIZE_MAX], after[SNAPSHOT_SIZE_MAX];
                SnapshotPolicy policy = { .conservative = true, .bus_master = cases[i].policy };
                bool found = false;
                Seen seen;

                endpoint(before);
                endpoint(after);
                put(before, 4, 2, cases[i].before ? 6 : 2);
                put(after, 4, 2, cases[i].after ? 6 : 2);
                (void)compare(before, sizeof(before), after, sizeof(after), policy, &seen);
                for (size_t j = 0; j < seen.n; j++) {
                        bool it = streq(seen.items[j].name, "Command: Bus Master");

                        found = found || it;
                        assert_int_equal(seen.items[j].verdict, it ? cases[i].want : SNAPSHOT_EQUAL);
                }
                assert_true(found);
        }
}

/* ---- capabilities that move, go and come ---- */

static void a_capability_moves(void **state) {
        uint8_t before[SNAPSHOT_SIZE_MAX], after[SNAPSHOT_SIZE_MAX];

        endpoint(before);
        endpoint(after);
        /* MSI-X from 0xa0 to 0xe0, enabled no longer; the vendor's stays where it is. */
        put(after, EXP + 1, 1, 0xe0);
        memset(after + MSIX, 0, 12);
        capability(after, 0xe0, 0x11, VENDOR);
        put(after, 0xe2, 2, 0x0004);
        put(after, 0xe4, 4, 0x00000003);
        assert_diffs(before, sizeof(before), after, sizeof(after), CONSERVATIVE,
                     "against Capability MSI-X@e0 a0>e0; expected MSI-X: Enable, Function Mask@e2 8000>0");
}

static void a_capability_goes_and_one_comes(void **state) {
        uint8_t before[SNAPSHOT_SIZE_MAX], after[SNAPSHOT_SIZE_MAX];

        endpoint(before);
        endpoint(after);
        put(after, PM + 1, 1, EXP); /* MSI is skipped */
        assert_diffs(before, sizeof(before), after, sizeof(after), MINIMAL, "against Capability MSI@50 50>0");
        assert_diffs(after, sizeof(after), before, sizeof(before), MINIMAL, "against Capability MSI@50 0>50");
        endpoint(after);
        extended(after, SRIOV, 0x00ff, REBAR);
        Seen seen;
        (void)compare(before, sizeof(before), after, sizeof(after), MINIMAL, &seen);
        size_t gone = 0, come = 0;
        for (size_t i = 0; i < seen.n; i++) {
                gone += streq(seen.items[i].name, "Capability SR-IOV") && seen.items[i].verdict == SNAPSHOT_AGAINST;
                come += streq(seen.items[i].name, "Capability 0xff, extended") &&
                        seen.items[i].verdict == SNAPSHOT_AGAINST;
        }
        assert_int_equal(gone, 1);
        assert_int_equal(come, 1);
}

static void several_of_one_kind(void **state) {
        uint8_t before[SNAPSHOT_SIZE_MAX], after[SNAPSHOT_SIZE_MAX];

        endpoint(before);
        put(before, VENDOR + 1, 1, 0xc0);
        capability(before, 0xc0, 0x09, 0xd0);
        capability(before, 0xd0, 0x09, 0);
        memcpy(after, before, sizeof(after));
        assert_diffs(before, sizeof(before), after, sizeof(after), CONSERVATIVE, "");
        put(after, 0xc1, 1, 0);
        assert_diffs(before, sizeof(before), after, sizeof(after), CONSERVATIVE,
                     "against Capability Vendor-Specific@d0 d0>0");
}

static void a_capability_ends_where_the_next_begins(void **state) {
        uint8_t before[SNAPSHOT_SIZE_MAX], after[SNAPSHOT_SIZE_MAX];

        /* A 32-bit MSI of 10 bytes, and right behind it one that nobody knows. */
        endpoint(before);
        capability(before, MSI, 0x05, 0x5c);
        capability(before, 0x5c, 0x77, EXP);
        memcpy(after, before, sizeof(after));
        put(after, 0x5e, 2, 1);
        assert_diffs(before, sizeof(before), after, sizeof(after), CONSERVATIVE,
                     "against Outside the table@5c 0>10000");
}

/* ---- sizes and nonsense ---- */

static void sizes(void **state) {
        uint8_t before[SNAPSHOT_SIZE_MAX], after[SNAPSHOT_SIZE_MAX];

        endpoint(before);
        endpoint(after);
        assert_diffs(before, 4096, after, 256, CONSERVATIVE, "against Size@0 1000>100");
        assert_diffs(before, 4096, after, 64, CONSERVATIVE, "against Size@0 1000>40");
        assert_diffs(before, 4096, after, 0, CONSERVATIVE, "against Size@0 1000>0");
        assert_diffs(before, 256, after, 4096, CONSERVATIVE, "");
        assert_diffs(before, 64, after, 4096, CONSERVATIVE, "");
        put(after, 0x14, 4, 0);
        assert_diffs(before, 64, after, 4096, CONSERVATIVE, "against BAR 1@14 fe100000>0");
        assert_diffs(before, 0x14, after, 4096, CONSERVATIVE, "");
}

static void a_device_that_is_gone(void **state) {
        uint8_t before[SNAPSHOT_SIZE_MAX], after[SNAPSHOT_SIZE_MAX];

        endpoint(before);
        memset(after, 0xff, sizeof(after));
        assert_diffs(before, sizeof(before), after, sizeof(after), MINIMAL, "against Device@0 10d38086>ffffffff");
        /* A VF shows no ids of its own; that is no sign of it. */
        put(before, 0, 4, UINT32_MAX);
        memcpy(after, before, sizeof(after));
        assert_diffs(before, sizeof(before), after, sizeof(after), CONSERVATIVE, "");
}

static void loops_and_wild_pointers(void **state) {
        uint8_t before[SNAPSHOT_SIZE_MAX], after[SNAPSHOT_SIZE_MAX];

        endpoint(before);
        put(before, VENDOR + 1, 1, PM);
        extended(before, REBAR, 0x0015, AER);
        memcpy(after, before, sizeof(after));
        assert_diffs(before, sizeof(before), after, sizeof(after), CONSERVATIVE, "");
        capability(before, PM, 0x01, PM);
        extended(before, AER, 0x0001, AER);
        memcpy(after, before, sizeof(after));
        assert_diffs(before, sizeof(before), after, sizeof(after), CONSERVATIVE, "");
        capability(before, PM, 0x01, 0x3f);
        extended(before, AER, 0x0001, 0x0ff);
        memcpy(after, before, sizeof(after));
        assert_diffs(before, sizeof(before), after, sizeof(after), CONSERVATIVE, "");
        capability(before, PM, 0x01, 0xfc);
        capability(before, 0xfc, 0x10, 0xff);
        extended(before, AER, 0x0001, 0xffc);
        extended(before, 0xffc, 0x0010, 0xfff);
        memcpy(after, before, sizeof(after));
        assert_diffs(before, sizeof(before), after, sizeof(after), CONSERVATIVE, "");
}

static int stop(void *userdata, const SnapshotDiff *diff) {
        return --*(int *)userdata == 0 ? -ECANCELED : 0;
}

static void whoever_listens_can_stop(void **state) {
        uint8_t space[SNAPSHOT_SIZE_MAX];
        SnapshotCount count = { .equal = 7 };
        int left = 30;

        endpoint(space);
        assert_int_equal(snapshot_compare(space, 4096, space, 4096, MINIMAL, stop, &left, &count), -ECANCELED);
        assert_int_equal(left, 0);
        assert_int_equal(count.equal, 7);
}

/* A longest list: every four bytes a capability. */
static void the_longest_lists(void **state) {
        uint8_t before[SNAPSHOT_SIZE_MAX], after[SNAPSHOT_SIZE_MAX];

        endpoint(before);
        for (unsigned at = 0x40; at < 0x100; at += 4)
                put(before, at, 4, 0x05 | (at + 4 < 0x100 ? at + 4 : 0) << 8);
        for (unsigned at = 0x100; at < 0x1000; at += 4)
                extended(before, at, 0x000d, at + 4 < 0x1000 ? at + 4 : 0);
        memcpy(after, before, sizeof(after));
        assert_int_equal(snapshot_compare(before, 4096, after, 4096, CONSERVATIVE, NULL, NULL, NULL), 0);
}

/* ---- text ---- */

static void round_trip(const uint8_t *data, size_t n) {
        uint8_t back[SNAPSHOT_SIZE_MAX];
        char *text;
        size_t n_back;

        assert_int_equal(snapshot_encode(data, n, &text), 0);
        assert_true(strlen(text) < SNAPSHOT_TEXT_SIZE);
        assert_int_equal(snapshot_decode(text, back, &n_back), 0);
        assert_int_equal(n_back, n);
        if (n > 0)
                assert_memory_equal(back, data, n);
        for (size_t i = n; i < sizeof(back); i++)
                assert_int_equal(back[i], 0);
        free(text);
}

static void texts(void **state) {
        uint8_t space[SNAPSHOT_SIZE_MAX] = {};
        char *text;

        round_trip(space, 0);
        round_trip(space, 4096);
        assert_int_equal(snapshot_encode(space, 4096, &text), 0);
        assert_string_equal(text, "ABA=");
        free(text);
        space[3] = 0xff;
        assert_int_equal(snapshot_encode(space, 64, &text), 0);
        assert_string_equal(text, "QAADAAEA/w==");
        free(text);
        assert_int_equal(snapshot_encode(space, 4097, &text), -EINVAL);
        memset(space, 0xff, sizeof(space));
        round_trip(space, 4096);
        assert_int_equal(snapshot_encode(space, 4096, &text), 0);
        assert_int_equal(strlen(text), SNAPSHOT_TEXT_SIZE - 1);
        free(text);
        endpoint(space);
        round_trip(space, 4096);
        round_trip(space, 256);
        assert_int_equal(snapshot_encode(space, 4096, &text), 0);
        assert_true(strlen(text) < 600);
        free(text);
        /* Gaps of each length, at each distance. */
        for (size_t gap = 1; gap < 12; gap++) {
                memset(space, 0, sizeof(space));
                for (size_t i = 0; i < sizeof(space); i += gap)
                        space[i] = (uint8_t)(i / gap | 1);
                for (size_t n = 4080; n <= 4096; n++)
                        round_trip(space, n);
        }
}

static void random_texts(void **state) {
        Random r = { random_seed(3) };
        uint8_t space[SNAPSHOT_SIZE_MAX];

        print_message("# seed %llu\n", (unsigned long long)r.state);
        for (int round = 0; round < 500; round++) {
                uint32_t zeros = 1 + random_below(&r, 20);

                for (size_t i = 0; i < sizeof(space); i++)
                        space[i] = random_below(&r, zeros) ? 0 : (uint8_t)random_next(&r);
                round_trip(space, random_below(&r, SNAPSHOT_SIZE_MAX + 1));
        }
}

static void what_is_no_text(void **state) {
        static const char *const bad[] = {
                "",
                "A",
                "AB",
                "ABA",
                "AB==", /* one byte, and not a zero one */
                "AA==", /* one byte: no size */
                "ABB=", /* bits that no byte takes */
                "AREA", /* a size of 4097 and half a header */
                "ABEA", /* 4352 */
                "====",
                "A===",
                "ABA=ABA=",
                "AB A",
                "ABA=\n",
                "ABA-",
                "QAADAAEA",         /* a run of one byte that is not there */
                "QAADAAAA",         /* a run of none */
                "QABAAAEA/w==",     /* a run behind the end */
                "QAADAAEA/wMAAQD/", /* the same place twice */
        };
        _cleanup_free_ char *long_text = calloc(1, SNAPSHOT_TEXT_SIZE + 8);
        uint8_t data[SNAPSHOT_SIZE_MAX] = { 7 };
        size_t n = 99;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                if (snapshot_decode(bad[i], data, &n) != -EINVAL)
                        fail_msg("\"%s\" is taken", bad[i]);
        assert_non_null(long_text);
        memset(long_text, 'A', SNAPSHOT_TEXT_SIZE + 3);
        assert_int_equal(snapshot_decode(long_text, data, &n), -EINVAL);
        assert_int_equal(n, 99);
        assert_int_equal(data[0], 7);
}

/* Whatever comes in, comparing ends, counts and stays inside its buffers. */
static void nonsense(void **state) {
        Random r = { random_seed(5) };

        print_message("# seed %llu\n", (unsigned long long)r.state);
        for (int round = 0; round < 400; round++) {
                uint32_t n = random_below(&r, SNAPSHOT_SIZE_MAX + 1), m = random_below(&r, SNAPSHOT_SIZE_MAX + 1);
                /* Of their own sizes, so that a sanitizer sees a read behind their ends. */
                _cleanup_free_ uint8_t *before = malloc(n + !n), *after = malloc(m + !m);
                SnapshotCount count = {};

                assert_true(before && after);
                for (uint32_t i = 0; i < n; i++)
                        before[i] = (uint8_t)random_next(&r);
                for (uint32_t i = 0; i < m; i++)
                        after[i] = i < n && !random_one_in(&r, 50) ? before[i] : (uint8_t)random_next(&r);
                if (n > 0x34)
                        before[6] |= 0x10;
                assert_int_equal(snapshot_compare(before, n, after, m, CONSERVATIVE, NULL, NULL, &count), 0);
                if (m < n)
                        assert_true(count.against > 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_same),
                cmocka_unit_test(one_register_at_a_time),
                cmocka_unit_test(bus_master_goes_by_the_policy),
                cmocka_unit_test(a_capability_moves),
                cmocka_unit_test(a_capability_goes_and_one_comes),
                cmocka_unit_test(several_of_one_kind),
                cmocka_unit_test(a_capability_ends_where_the_next_begins),
                cmocka_unit_test(sizes),
                cmocka_unit_test(a_device_that_is_gone),
                cmocka_unit_test(loops_and_wild_pointers),
                cmocka_unit_test(whoever_listens_can_stop),
                cmocka_unit_test(the_longest_lists),
                cmocka_unit_test(texts),
                cmocka_unit_test(random_texts),
                cmocka_unit_test(what_is_no_text),
                cmocka_unit_test(nonsense),
        };

        return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
