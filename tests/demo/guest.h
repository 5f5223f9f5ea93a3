/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The demo's "guest memory": pages that are written all the time, each with its number,
 * the round it was written in and a hash, and a running sum of the hashes. The sum is
 * known at any instant without reading the memory; checking it reads all of it.
 */
#pragma once

#include "common/macro.h"

enum { GUEST_PAGE = 4096 };

typedef struct GuestState { /* goes along as a second file */
        uint64_t magic;
        uint64_t size;   /* bytes of memory */
        uint64_t writes; /* pages written since the start of the guest */
        uint64_t sum;
} GuestState;

typedef struct Guest {
        int memory_fd;
        uint8_t *memory;
        GuestState state;
} Guest;

/* New memory, every page written once. */
int guest_create(Guest *g, size_t size);
/* Memory and state from descriptors that came through an update; takes memory_fd over.
 * -EBADMSG when anything differs from what was left. */
int guest_restore(Guest *g, int memory_fd, int state_fd);
/* Reads all of it; -EBADMSG when it is not what was written. */
int guest_check(const Guest *g);
/* Writes the next n pages. */
void guest_run(Guest *g, size_t n);
/* A sealed memfd with the state. */
int guest_save(const Guest *g, int *ret_fd);
void guest_done(Guest *g);
