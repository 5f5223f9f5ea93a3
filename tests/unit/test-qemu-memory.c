/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gathering a guest's memory. Whether the kernel of this machine has huge pages for it is
 * not known here, so what is looked at is what must hold in any case: the contents, also
 * those that are written meanwhile, the size, and the deadline. That it makes the pause
 * short is shown by tests/bench/qemu.
 */
/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/macro.h"
#include "qemu/memory.h"
#include "qemu/spans.h"

#define PAGE ((size_t)4096)
#define LONG_USEC (60 * USEC_PER_SEC)

typedef struct Guest {
        uint64_t size;
        int fd;
        uint8_t *memory;
        atomic_bool end;
        uint64_t written; /* rounds */
} Guest;

static void guest_open(Guest *g, uint64_t size) {
        *g = (Guest){ .size = size, .fd = memfd_create("guest", MFD_CLOEXEC) };
        assert_true(g->fd >= 0);
        assert_int_equal(ftruncate(g->fd, (off_t)size), 0);
        g->memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, g->fd, 0);
        assert_ptr_not_equal(g->memory, MAP_FAILED);
}

static void guest_close(Guest *g) {
        assert_int_equal(munmap(g->memory, g->size), 0);
        assert_int_equal(close(g->fd), 0);
}

/* Every third page is a hole, and stays one for the reader: zeros. */
static uint8_t byte_of(size_t page) {
        return page % 3 == 0 ? 0 : (uint8_t)(page * 7 + 1);
}

static void fill(Guest *g) {
        for (size_t i = 0; i < g->size / PAGE; i++)
                if (byte_of(i) != 0)
                        memset(g->memory + i * PAGE, byte_of(i), PAGE);
}

static void is_filled(const Guest *g) {
        for (size_t i = 0; i < g->size / PAGE; i++)
                for (size_t k = 0; k < PAGE; k += 509)
                        assert_int_equal(g->memory[i * PAGE + k], byte_of(i));
}

static void gathered_as_it_was(void **state) {
        static const uint64_t sizes[] = { PAGE, UINT64_C(1) << 20, UINT64_C(2) << 20, (UINT64_C(6) << 20) + PAGE,
                                          (UINT64_C(130) << 20) - PAGE };
        Guest g;

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                struct stat st;

                guest_open(&g, sizes[i]);
                fill(&g);
                int r = memory_gather(g.fd, g.size, spans_now() + LONG_USEC);
                assert_true(r <= 0 && r != -ETIME);
                is_filled(&g);
                assert_int_equal(fstat(g.fd, &st), 0);
                assert_int_equal(st.st_size, sizes[i]);
                guest_close(&g);
        }
}

/* The guest: in each round it raises a number in each page, first to last. */
static void *write_on(void *userdata) {
        Guest *g = userdata;

        while (!atomic_load(&g->end)) {
                for (size_t i = 0; i < g->size / PAGE; i++)
                        (*(volatile uint64_t *)(g->memory + i * PAGE))++;
                g->written++;
        }
        return NULL;
}

static void nothing_written_meanwhile_is_lost(void **state) {
        pthread_t thread;
        Guest g;

        guest_open(&g, UINT64_C(16) << 20);
        assert_int_equal(pthread_create(&thread, NULL, write_on, &g), 0);
        for (int i = 0; i < 5; i++)
                assert_int_not_equal(memory_gather(g.fd, g.size, spans_now() + LONG_USEC), -ETIME);
        atomic_store(&g.end, true);
        assert_int_equal(pthread_join(thread, NULL), 0);
        for (size_t i = 0; i < g.size / PAGE; i++)
                assert_int_equal(*(uint64_t *)(g.memory + i * PAGE), g.written);
        guest_close(&g);
}

static void ends_at_its_deadline(void **state) {
        Guest g;

        guest_open(&g, UINT64_C(256) << 20);
        assert_int_equal(memory_gather(g.fd, g.size, spans_now()), -ETIME);
        is_filled(&(Guest){ .size = PAGE, .memory = g.memory });
        guest_close(&g);
}

static void what_is_no_memory_is_refused(void **state) {
        assert_int_equal(memory_gather(-1, PAGE, spans_now() + LONG_USEC), -EBADF);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(gathered_as_it_was),
                cmocka_unit_test(nothing_written_meanwhile_is_lost),
                cmocka_unit_test(ends_at_its_deadline),
                cmocka_unit_test(what_is_no_memory_is_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
