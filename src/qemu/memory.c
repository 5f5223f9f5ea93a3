/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <sys/mman.h>

#include "common/macro.h"
#include "memory.h"
#include "spans.h"

#ifndef MADV_COLLAPSE /* not in the headers of glibc 2.36 */
#define MADV_COLLAPSE 25
#endif

#define FOLIO (UINT64_C(2) << 20)
/* How much is asked for at a time: so much that calls cost nothing, so little that the
 * clock is looked at often enough. */
#define STEP (UINT64_C(64) << 20)

/* A folio's room without any page in it is left alone (mm/khugepaged.c: collapse_file()),
 * but it is filled with pages when it is preserved; so it is given one. */
static void touch(char *map, uint64_t size) {
        for (uint64_t at = 0; at < size; at += FOLIO)
                (void)madvise(map + at, 1, MADV_POPULATE_READ);
}

static int gather(char *map, uint64_t size, uint64_t until_usec) {
        int failed = 0;

        for (uint64_t at = 0; at < size; at += STEP) {
                uint64_t step = size - at < STEP ? size - at : STEP;

                if (spans_now() >= until_usec)
                        return -ETIME;
                touch(map + at, step);
                if (madvise(map + at, step, MADV_COLLAPSE) < 0)
                        failed = -errno;
        }
        return failed;
}

int memory_gather(int fd, uint64_t size, uint64_t until_usec) {
        /* The mapping only says which file is meant; where it lies has to suit the folios. */
        char *room = mmap(NULL, size + FOLIO, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (room == MAP_FAILED)
                return -errno;
        char *map = room + (FOLIO - (uintptr_t)room % FOLIO) % FOLIO;
        int r = mmap(map, size, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED ? -errno : 0;
        if (r >= 0)
                r = gather(map, size, until_usec);
        (void)munmap(room, size + FOLIO);
        return r;
}
