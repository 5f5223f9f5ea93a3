/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "common/fd.h"

#define STATE_MAGIC UINT64_C(0x5453455547554c31)

typedef struct Page {
        uint64_t number;
        uint64_t round;
        uint64_t hash; /* of the whole page with this field zero */
        uint64_t words[GUEST_PAGE / 8 - 3];
} Page;
_Static_assert(sizeof(Page) == GUEST_PAGE, "a page is a page");

/* xorshift*-like mixing: cheap under emulation, and every word counts. */
static uint64_t page_hash(const Page *p) {
        uint64_t h = p->number * UINT64_C(0x9e3779b97f4a7c15) ^ p->round;

        for (size_t i = 0; i < ELEMENTSOF(p->words); i++)
                h = (h ^ p->words[i]) * UINT64_C(0x100000001b3) + (h >> 29);
        return h;
}

static void write_page(Page *p, uint64_t number, uint64_t round) {
        p->number = number;
        p->round = round;
        for (size_t i = 0; i < ELEMENTSOF(p->words); i++)
                p->words[i] = (number << 20) ^ (round << 7) ^ i;
        p->hash = page_hash(p);
}

static Page *page_at(const Guest *g, uint64_t number) {
        return (Page *)(g->memory + number * GUEST_PAGE);
}

static int map(Guest *g) {
        void *p = mmap(NULL, g->state.size, PROT_READ | PROT_WRITE, MAP_SHARED, g->memory_fd, 0);

        if (p == MAP_FAILED)
                return -errno;
        g->memory = p;
        return 0;
}

int guest_create(Guest *g, size_t size) {
        *g = (Guest){ .memory_fd = -1, .state = { .magic = STATE_MAGIC, .size = size } };
        int r = memfd_new("guest-memory", size, &g->memory_fd);
        if (r >= 0)
                r = map(g);
        if (r < 0)
                return r;
        for (uint64_t i = 0; i < size / GUEST_PAGE; i++) {
                write_page(page_at(g, i), i, 0);
                g->state.sum += page_at(g, i)->hash;
        }
        g->state.writes = size / GUEST_PAGE;
        return 0;
}

void guest_run(Guest *g, size_t n) {
        uint64_t pages = g->state.size / GUEST_PAGE;

        for (; n > 0; n--) {
                uint64_t number = g->state.writes % pages, round = g->state.writes / pages;
                Page *p = page_at(g, number);
                g->state.sum -= p->hash;
                write_page(p, number, round);
                g->state.sum += p->hash;
                g->state.writes++;
        }
}

int guest_save(const Guest *g, int *ret_fd) {
        return memfd_new_sealed("guest-state", &g->state, sizeof(g->state), ret_fd);
}

int guest_check(const Guest *g) {
        uint64_t pages = g->state.size / GUEST_PAGE, sum = 0;

        for (uint64_t i = 0; i < pages; i++) {
                const Page *p = page_at(g, i);
                if (p->number != i || p->hash != page_hash(p))
                        return -EBADMSG;
                sum += p->hash;
        }
        return sum == g->state.sum ? 0 : -EBADMSG;
}

int guest_restore(Guest *g, int memory_fd, int state_fd) {
        struct stat st;

        *g = (Guest){ .memory_fd = memory_fd };
        if (pread(state_fd, &g->state, sizeof(g->state), 0) != sizeof(g->state) || g->state.magic != STATE_MAGIC)
                return -EBADMSG;
        if (fstat(memory_fd, &st) < 0)
                return -errno;
        if ((uint64_t)st.st_size != g->state.size)
                return -EBADMSG;
        int r = map(g);
        return r < 0 ? r : guest_check(g);
}

void guest_done(Guest *g) {
        if (g->memory)
                (void)munmap(g->memory, g->state.size);
        fd_close(g->memory_fd);
        *g = (Guest){ .memory_fd = -1 };
}
