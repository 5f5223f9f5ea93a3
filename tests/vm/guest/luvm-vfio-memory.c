/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory of luvm-vfio: memfds that devices reach through the one IOAS, mapped from the
 * descriptor (IOMMU_IOAS_MAP_FILE) as a VM manager maps a guest. After `physical`, for a
 * machine without an IOMMU, devices are told where the pages really are; that can be
 * asked once a device is attached. `map-identity` is for an IOMMU: it maps each page where it
 * really is, which root can read from /proc, so that the device can do without it. Memory
 * that was retrieved must be mapped at the same addresses again.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "../luvm-packet.h"
#include "luvm-vfio.h"
#include "luvm-vfs-io.h"

enum { PAGE = 4096 };

Memory *memory_named(Client *c, const char *name) {
        for (Memory *m = c->memories; m < c->memories + MEMORIES_MAX; m++)
                if (m->window && strcmp(m->name, name) == 0)
                        return m;
        return NULL;
}

int memory_adopt(Client *c, const char *name, int fd) {
        struct stat st;
        void *window;

        if (strlen(name) >= sizeof(c->memories[0].name) || memory_named(c, name))
                return -EEXIST;
        if (fstat(fd, &st) < 0)
                return -errno;
        for (Memory *m = c->memories; m < c->memories + MEMORIES_MAX; m++) {
                if (m->window)
                        continue;
                window = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
                if (window == MAP_FAILED)
                        return -errno;
                *m = (Memory){ .fd = fd, .size = (size_t)st.st_size, .window = window };
                strcpy(m->name, name);
                return 0;
        }
        return -ENOSPC;
}

int memory_address(Client *c, const Memory *m, uint64_t offset, uint64_t *ret) {
        if (m->places) {
                *ret = m->places[offset / PAGE] + offset % PAGE;
                return 0;
        }
        *ret = m->iova + offset;
        return c->physical ? io_phys(c->iommu, c->ioas, *ret, ret) : 0;
}

static int run_memory(Client *c, Words *w) {
        _cleanup_close_ int fd = memfd_create("luvm-vfio", MFD_CLOEXEC);
        uint64_t mib;
        int r;

        if (word_number(w, 2, &mib) < 0 || mib == 0 || mib > 4096)
                return -EINVAL;
        if (fd < 0 || ftruncate(fd, (off_t)mib << 20) < 0)
                return -errno;
        r = memory_adopt(c, w->word[1], fd);
        if (r >= 0)
                TAKE_FD(fd);
        return r;
}

static int run_map(Client *c, Words *w) {
        Memory *m = memory_named(c, w->word[1]);

        if (!m || word_number(w, 2, &m->iova) < 0)
                return -EINVAL;
        return io_map(c->iommu, c->ioas, m->fd, 0, m->size, m->iova);
}

/* Where the pages of the window are (Documentation/admin-guide/mm/pagemap.rst): present,
 * not swapped, and a number. */
static int read_places(const Memory *m, uint64_t *places) {
        _cleanup_close_ int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
        size_t n = m->size / PAGE;

        if (fd < 0)
                return -errno;
        for (size_t i = 0; i < n; i++)
                (void)*(volatile uint8_t *)(m->window + i * PAGE);
        if (pread(fd, places, n * sizeof(*places), (off_t)((uintptr_t)m->window / PAGE * sizeof(*places))) !=
            (ssize_t)(n * sizeof(*places)))
                return -EIO;
        for (size_t i = 0; i < n; i++) {
                uint64_t number = places[i] & ((UINT64_C(1) << 55) - 1);

                if (places[i] >> 62 != 2 || number == 0)
                        return -ENODATA;
                places[i] = number * PAGE;
        }
        return 0;
}

/* Once they are mapped the pages cannot move; before, they may. */
static int run_map_identity(Client *c, Words *w) {
        Memory *m = memory_named(c, w->word[1]);
        size_t n = m ? m->size / PAGE : 0;
        _cleanup_free_ uint64_t *places = calloc(n + 1, sizeof(*places)), *after = calloc(n + 1, sizeof(*after));
        int r;

        if (!m || !places || !after)
                return m ? -ENOMEM : -EINVAL;
        r = read_places(m, places);
        for (size_t i = 0, run; r >= 0 && i < n; i += run) {
                for (run = 1; i + run < n && places[i + run] == places[i] + run * PAGE;)
                        run++;
                r = io_map(c->iommu, c->ioas, m->fd, i * PAGE, run * PAGE, places[i]);
        }
        if (r >= 0)
                r = read_places(m, after);
        if (r < 0)
                return r;
        if (memcmp(places, after, n * sizeof(*places)) != 0)
                return -ESTALE;
        free(m->places);
        m->places = TAKE_PTR(places);
        return 0;
}

static int run_physical(Client *c, Words *w) {
        c->physical = true;
        return 0;
}

static int run_address(Client *c, Words *w) {
        Memory *m = memory_named(c, w->word[1]);
        uint64_t at;
        int r;

        if (!m || word_number(w, 2, &at) < 0 || at >= m->size)
                return -EINVAL;
        r = memory_address(c, m, at, &at);
        if (r >= 0)
                answer(w, "%" PRIx64, at);
        return r;
}

/* The words of a range that depends on a seed: written, or compared. */
static int pattern(Client *c, Words *w, bool write) {
        Memory *m = memory_named(c, w->word[1]);
        uint64_t at, length, seed, *p;

        if (!m || word_number(w, 2, &at) < 0 || word_number(w, 3, &length) < 0 || word_number(w, 4, &seed) < 0 ||
            at % 8 != 0 || at > m->size || length > m->size - at)
                return -EINVAL;
        p = (uint64_t *)(m->window + at);
        for (uint64_t i = 0; i < length / 8; i++) {
                uint64_t value = packet_mix(seed << 32 | i);

                if (write)
                        p[i] = value;
                else if (p[i] != value)
                        return -EBADMSG;
        }
        return 0;
}

static int run_fill(Client *c, Words *w) {
        return pattern(c, w, true);
}

static int run_same(Client *c, Words *w) {
        return pattern(c, w, false);
}

const Command memory_commands[] = {
        { "memory", 2, run_memory },
        { "map", 2, run_map },
        { "map-identity", 1, run_map_identity },
        { "physical", 0, run_physical },
        { "address", 2, run_address },
        { "fill", 4, run_fill },
        { "same", 4, run_same },
        { NULL, 0, NULL },
};
