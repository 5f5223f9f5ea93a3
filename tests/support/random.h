/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random numbers that come again: splitmix64 from a seed that is printed, and that the
 * environment ($LIVEUPDATE_TEST_SEED) can set to repeat a failure.
 */
#pragma once

#include "common/parse.h"

typedef struct Random {
        uint64_t state;
} Random;

static inline uint64_t random_next(Random *r) {
        uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));

        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        return z ^ z >> 31;
}

/* 0 to n - 1; n > 0. */
static inline uint32_t random_below(Random *r, uint32_t n) {
        return (uint32_t)((random_next(r) >> 32) * n >> 32);
}

/* True once in n times. */
static inline bool random_one_in(Random *r, uint32_t n) {
        return random_below(r, n) == 0;
}

static inline uint64_t random_seed(uint64_t fallback) {
        const char *s = getenv("LIVEUPDATE_TEST_SEED");
        uint64_t seed = fallback;

        if (s && parse_u64(s, &seed) < 0)
                fprintf(stderr, "LIVEUPDATE_TEST_SEED=%s is not a decimal number\n", s);
        return seed;
}
