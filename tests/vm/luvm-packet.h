/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A packet of the sender on the host (host/luvm-sender.c), as the client in the guest
 * checks it. Every byte follows from the numbers in it, so damage anywhere is seen.
 * Sender and receiver are x86: numbers are little-endian.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define PACKET_SIZE 128U
#define PACKET_MAGIC 0x4c55564d31323334ULL

typedef struct Packet {
        uint8_t ethernet[14]; /* to all, from a local address, local experimental type */
        uint8_t unused[2];
        uint64_t magic;
        uint64_t sequence; /* counts packets that left the sender */
        uint64_t dropped;  /* counts those that did not, because nobody took them */
        uint64_t fill[10];
        uint64_t sum;
} Packet;

_Static_assert(sizeof(Packet) == PACKET_SIZE, "no padding");

/* The finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable PRNGs). */
static inline uint64_t packet_mix(uint64_t x) {
        x += 0x9e3779b97f4a7c15ULL;
        x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
        x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
        return x ^ x >> 31;
}

static inline void packet_make(Packet *p, uint64_t sequence, uint64_t dropped) {
        static const uint8_t ethernet[14] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02,
                                              0x4c, 0x55, 0x56, 0x4d, 0x01, 0x88, 0xb5 };

        memset(p, 0, sizeof(*p));
        memcpy(p->ethernet, ethernet, sizeof(ethernet));
        p->magic = PACKET_MAGIC;
        p->sequence = sequence;
        p->dropped = dropped;
        for (unsigned i = 0; i < 10; i++)
                p->fill[i] = packet_mix(sequence * 16 + i);
        p->sum = packet_mix(sequence ^ packet_mix(dropped));
}

/* Whether it is exactly what was sent. */
static inline bool packet_intact(const Packet *p) {
        Packet want;

        packet_make(&want, p->sequence, p->dropped);
        return memcmp(p, &want, sizeof(want)) == 0;
}
