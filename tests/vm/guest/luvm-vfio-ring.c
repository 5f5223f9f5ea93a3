/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The receive ring of an e1000e, with legacy descriptors, in memory of luvm-vfio. It takes
 * every packet (promiscuous) and holds each against what the sender on the host made.
 *
 * All that is known about the ring is in the memory itself, in its first page: after a
 * kexec it goes on where it stood, and nothing is set up again. A ring needs one run of
 * pages as the device sees them; without an IOMMU, that are pages which happen to lie one
 * after the other, so they are looked for, and the rest is for packets.
 *
 * `lost` are holes in the sender's numbers, `dropped` what the sender says that it could
 * not send, `mark` is how far it had come when it was last looked at. Registers: Intel 82574 datasheet, chapter 10.
 *
 * The tail must not be written while Bus Master is off: QEMU's device then goes through its
 * whole ring, because it finds no address in descriptors that it cannot read.
 */
#include <time.h>

#include "../luvm-packet.h"
#include "luvm-vfio.h"

enum {
        CTRL = 0x0000,
        RCTL = 0x0100,
        IMC = 0x00d8,
        RDBAL = 0x2800,
        RDBAH = 0x2804,
        RDLEN = 0x2808,
        RDH = 0x2810,
        RDT = 0x2818,
        RAL = 0x5400,
        RAH = 0x5404,
        CTRL_SLU = 1 << 6,
        CTRL_RST = 1 << 26,
        /* enabled, unicast and multicast promiscuous, broadcast, 256 bytes, no CRC */
        RCTL_VALUE = 1 << 1 | 1 << 3 | 1 << 4 | 1 << 15 | 3 << 16 | 1 << 26,
        STATUS_DD = 1,
        PAGE = 4096,
        PER_PAGE = PAGE / 16, /* descriptors */
        BUFFER = 256,
        RING_PAGES_MAX = 128,
};

/* Not what a reset leaves: "LUVM" and two bytes more, and Address Valid. */
static const uint32_t STATION_LOW = 0x56554c02, STATION_HIGH = 0x8000024d;

typedef struct Descriptor {
        uint64_t address;
        uint16_t length, checksum;
        uint8_t status, errors;
        uint16_t special;
} Descriptor;

typedef struct Ring {
        uint64_t magic;
        uint32_t entries, next, mark, started;
        uint64_t expected; /* the number that comes next */
        uint64_t received, lost, corrupt, foreign;
        uint64_t dropped, dropped_before; /* by now, and before the first packet that came */
        uint32_t pages[RING_PAGES_MAX];   /* of the memory, in the order of the device's addresses */
} Ring;

static Ring *ring_of(Memory *m) {
        Ring *ring = (Ring *)m->window;

        return ring->magic == PACKET_MAGIC ? ring : NULL;
}

static volatile Descriptor *descriptor(Memory *m, uint32_t i) {
        Ring *ring = ring_of(m);

        return (volatile Descriptor *)(m->window + (size_t)ring->pages[i / PER_PAGE] * PAGE) + i % PER_PAGE;
}

static bool is_ring_page(const Ring *ring, uint32_t page) {
        for (uint32_t i = 0; i < ring->entries / PER_PAGE; i++)
                if (ring->pages[i] == page)
                        return true;
        return page == 0;
}

/* --- setting up ---------------------------------------------------------------------- */

typedef struct Place {
        uint64_t address;
        uint32_t page;
} Place;

static int place_compare(const void *a, const void *b) {
        const Place *x = a, *y = b;

        return (x->address > y->address) - (x->address < y->address);
}

/* Finds a run of pages; *ret_address is where the device sees it. */
static int find_run(Client *c, Memory *m, Ring *ring, uint64_t *ret_address) {
        uint32_t n = (uint32_t)(m->size / PAGE), want = ring->entries / PER_PAGE, run = 0;
        _cleanup_free_ Place *places = calloc(n, sizeof(*places));
        int r;

        if (!places)
                return -ENOMEM;
        for (uint32_t i = 0; i < n; i++) {
                places[i].page = i;
                r = memory_address(c, m, (uint64_t)i * PAGE, &places[i].address);
                if (r < 0)
                        return r;
        }
        qsort(places, n, sizeof(*places), place_compare);
        for (uint32_t i = 0; i < n; i++) {
                bool next = run > 0 && places[i].address == places[i - 1].address + PAGE;

                run = places[i].page == 0 ? 0 : next ? run + 1 : 1;
                if (run < want)
                        continue;
                for (uint32_t k = 0; k < want; k++)
                        ring->pages[k] = places[i + 1 - want + k].page;
                *ret_address = places[i + 1 - want].address;
                return 0;
        }
        return -ENOMEM;
}

/* The pages for packets: all but the first and the ring's own. */
static int find_buffers(Memory *m, const Ring *ring) {
        uint32_t want = ring->entries / (PAGE / BUFFER), n = 0;

        free(m->buffers);
        m->buffers = calloc(want, sizeof(*m->buffers));
        if (!m->buffers)
                return -ENOMEM;
        for (uint32_t page = 0; n < want && page < m->size / PAGE; page++)
                if (!is_ring_page(ring, page))
                        m->buffers[n++] = page;
        return n == want ? 0 : -ENOSPC;
}

static uint64_t buffer_offset(const Memory *m, uint32_t i) {
        return (uint64_t)m->buffers[i / (PAGE / BUFFER)] * PAGE + i % (PAGE / BUFFER) * BUFFER;
}

/* Every descriptor gets a buffer. */
static int give_buffers(Client *c, Memory *m, const Ring *ring) {
        uint64_t address = 0;
        int r = 0;

        for (uint32_t i = 0; i < ring->entries; i++, address += BUFFER) {
                volatile Descriptor *d = descriptor(m, i);

                if (i % (PAGE / BUFFER) == 0)
                        r = memory_address(c, m, buffer_offset(m, i), &address);
                if (r < 0)
                        return r;
                d->address = address;
                d->status = 0;
        }
        return 0;
}

static void start(Device *d, const Ring *ring, uint64_t address) {
        device_write(d, CTRL, CTRL_RST);
        while (device_read(d, CTRL) & CTRL_RST)
                ;
        device_write(d, IMC, UINT32_MAX);
        device_write(d, CTRL, device_read(d, CTRL) | CTRL_SLU);
        device_write(d, RAL, STATION_LOW);
        device_write(d, RAH, STATION_HIGH);
        device_write(d, RDBAL, (uint32_t)address);
        device_write(d, RDBAH, (uint32_t)(address >> 32));
        device_write(d, RDLEN, ring->entries * 16);
        device_write(d, RDH, 0);
        device_write(d, RDT, ring->entries - 1);
        device_write(d, RCTL, RCTL_VALUE);
}

static int run_setup(Client *c, Words *w) {
        Device *d = device_named(c, w->word[1], false);
        Memory *m = memory_named(c, w->word[2]);
        Ring *ring = m ? (Ring *)m->window : NULL;
        uint64_t entries, address;
        int r;

        if (!d || !m || word_number(w, 3, &entries) < 0 || entries == 0 || entries % PER_PAGE != 0 ||
            entries / PER_PAGE > RING_PAGES_MAX)
                return -EINVAL;
        if (!device_registers(d))
                return -errno;
        *ring = (Ring){ .magic = PACKET_MAGIC, .entries = (uint32_t)entries };
        r = find_run(c, m, ring, &address);
        if (r >= 0)
                r = find_buffers(m, ring);
        if (r >= 0)
                r = give_buffers(c, m, ring);
        if (r < 0)
                return r;
        m->ring = d;
        start(d, ring, address);
        return 0;
}

/* --- going on ------------------------------------------------------------------------ */

static void account(Ring *ring, const Packet *p, unsigned length) {
        if (length < PACKET_SIZE || p->ethernet[12] != 0x88 || p->ethernet[13] != 0xb5) {
                ring->foreign++;
                return;
        }
        ring->received++;
        if (length != PACKET_SIZE || !packet_intact(p)) {
                ring->corrupt++;
                return;
        }
        if (!ring->started) {
                ring->started = 1;
                ring->expected = p->sequence;
                ring->dropped_before = p->dropped;
        }
        if (p->sequence < ring->expected)
                ring->corrupt++; /* twice, or an old one */
        else
                ring->lost += p->sequence - ring->expected;
        ring->expected = p->sequence + 1;
        ring->dropped = p->dropped - ring->dropped_before;
}

/* Takes what has come, up to a whole ring, and gives the room back. */
static unsigned poll_once(Memory *m, Ring *ring) {
        unsigned n = 0;

        for (; n < ring->entries; n++) {
                volatile Descriptor *d = descriptor(m, ring->next);
                uint8_t *buffer = m->window + buffer_offset(m, ring->next);

                if (!(d->status & STATUS_DD))
                        break;
                account(ring, (const Packet *)buffer, d->length);
                memset(buffer, 0, BUFFER);
                d->status = 0;
                device_write(m->ring, RDT, ring->next);
                ring->next = (ring->next + 1) % ring->entries;
        }
        return n;
}

static uint64_t now_ms(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int run_open(Client *c, Words *w) {
        Device *d = device_named(c, w->word[1], false);
        Memory *m = memory_named(c, w->word[2]);

        if (!d || !m || !ring_of(m))
                return -EINVAL;
        if (!device_registers(d))
                return -errno;
        m->ring = d;
        return find_buffers(m, ring_of(m));
}

static int run_state(Client *c, Words *w) {
        Memory *m = memory_named(c, w->word[1]);
        Ring *ring = m ? ring_of(m) : NULL;

        if (!ring)
                return -EINVAL;
        answer(w,
               "received=%" PRIu64 " lost=%" PRIu64 " corrupt=%" PRIu64 " dropped=%" PRIu64 " foreign=%" PRIu64
               " mark=%u entries=%u",
               ring->received, ring->lost, ring->corrupt, ring->dropped, ring->foreign, ring->mark, ring->entries);
        return 0;
}

static int run_poll(Client *c, Words *w) {
        const struct timespec pause = { .tv_nsec = 1000000 };
        Memory *m = memory_named(c, w->word[1]);
        Ring *ring = m ? ring_of(m) : NULL;
        uint64_t ms = 0, end;

        if (!ring || !m->ring || (w->n > 2 && word_number(w, 2, &ms) < 0))
                return -EINVAL;
        end = now_ms() + ms;
        do {
                if (poll_once(m, ring) == 0)
                        (void)nanosleep(&pause, NULL);
                ring->mark = ring->next;
        } while (now_ms() < end);
        return run_state(c, w);
}

void rings_mark(Client *c) {
        for (Memory *m = c->memories; m < c->memories + MEMORIES_MAX; m++)
                if (m->window && m->ring && ring_of(m)) {
                        (void)poll_once(m, ring_of(m));
                        ring_of(m)->mark = device_read(m->ring, RDH);
                }
}

const Command ring_commands[] = {
        { "ring-setup", 3, run_setup },
        { "ring-open", 2, run_open },
        { "ring-poll", 1, run_poll },
        { "ring-state", 1, run_state },
        { NULL, 0, NULL },
};
