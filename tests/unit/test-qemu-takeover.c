/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding a running QEMU's memory in /proc/PID/maps. */
/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "common/fd.h"
#include "qemu/takeover.h"

enum { SIZE = 1 << 20 };

static void lines(void **state) {
        static const struct {
                const char *line;
                uint64_t size; /* 0: not it */
        } cases[] = {
                { "7f0000000000-7f0000100000 rw-s 00000000 00:01 77 /memfd:memory-backend-memfd (deleted)", SIZE },
                { "7f0000000000-7f0000100000 r--s 00100000 00:01 77 /memfd:x", SIZE },
                { "7f0000000000-7f0000100000 rw-p 00000000 00:01 77 /memfd:x", 0 },
                { "7f0000000000-7f0000100000 rw-s 00000000 00:01 78 /memfd:x", 0 },
                { "7f0000000000-7f0000100000 rw-s 00000000 00:02 77 /memfd:x", 0 },
                { "7f0000100000-7f0000100000 rw-s 00000000 00:01 77 /memfd:x", 0 },
                { "7f0000000000-7f0000100000 rw-s 00000000", 0 },
                { "", 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t size = 0;
                bool found = takeover_maps_line(cases[i].line, makedev(0, 1), 77, &size);
                assert_int_equal(found, cases[i].size > 0);
                assert_true(size == cases[i].size);
        }
}

/* The kernel's own lines, of this process. */
static uint64_t found_in_maps(const struct stat *st) {
        _cleanup_free_ char *maps = NULL;
        uint64_t sum = 0, size;
        size_t n;

        assert_int_equal(file_read_at(AT_FDCWD, "/proc/self/maps", 1 << 22, &maps, &n), 0);
        for (char *line = strtok(maps, "\n"); line; line = strtok(NULL, "\n"))
                if (takeover_maps_line(line, st->st_dev, st->st_ino, &size))
                        sum += size;
        return sum;
}

static void own_maps(void **state) {
        _cleanup_close_ int fd = -1;
        struct stat st;

        assert_int_equal(memfd_new("memory", SIZE, &fd), 0);
        assert_int_equal(fstat(fd, &st), 0);
        assert_true(found_in_maps(&st) == 0);
        void *private = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
        assert_true(private != MAP_FAILED);
        assert_true(found_in_maps(&st) == 0);
        void *shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_true(shared != MAP_FAILED);
        assert_true(found_in_maps(&st) == SIZE);
        /* QEMU splits it where it protects a page. */
        assert_int_equal(mprotect((char *)shared + 8192, 4096, PROT_READ), 0);
        assert_true(found_in_maps(&st) == SIZE);
        (void)munmap(shared, SIZE);
        (void)munmap(private, SIZE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(lines),
                cmocka_unit_test(own_maps),
        };
        return cmocka_run_group_tests_name("qemu-takeover", tests, NULL, NULL);
}
