/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices of luvm-vfio: from an address to a descriptor that is bound and attached, its
 * configuration space as VFIO shows it, its registers, its first interrupt. All devices
 * are bound to one iommufd and attached to one IOAS.
 */
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include <linux/types.h>
#include <linux/vfio.h>

#include "luvm-vfio.h"
#include "luvm-vfs-io.h"

enum {
        REGISTERS_SIZE = 0x20000, /* e1000e has as much, edu more */
};

Device *device_named(Client *c, const char *name, bool make) {
        Device *room = NULL;

        if (strlen(name) == 0 || strlen(name) >= sizeof(room->name))
                return NULL;
        for (Device *d = c->devices; d < c->devices + NAMES_MAX; d++) {
                if (strcmp(d->name, name) == 0)
                        return d;
                if (!room && d->name[0] == '\0')
                        room = d;
        }
        if (!make || !room)
                return NULL;
        *room = (Device){ .fd = -EBADF, .event = -EBADF };
        strcpy(room->name, name);
        return room;
}

volatile uint8_t *device_registers(Device *d) {
        if (!d->bar0)
                d->bar0 = io_map_bar0(d->fd, REGISTERS_SIZE);
        return d->bar0;
}

static int with_device(Client *c, Words *w, Device **ret) {
        *ret = device_named(c, w->word[1], false);
        return *ret ? 0 : -ENXIO;
}

static int run_open(Client *c, Words *w) {
        Device *d = device_named(c, w->word[1], true);

        if (!d)
                return -ENOSPC;
        d->fd = io_open(w->word[2]);
        if (d->fd < 0) {
                int r = d->fd;

                d->name[0] = '\0';
                return r;
        }
        return 0;
}

static int run_bind(Client *c, Words *w) {
        Device *d;
        int r = with_device(c, w, &d);

        if (r >= 0 && c->iommu < 0) {
                c->iommu = io_iommu_open();
                r = c->iommu < 0 ? c->iommu : io_ioas(c->iommu, &c->ioas);
        }
        return r < 0 ? r : io_bind(d->fd, c->iommu, NULL);
}

static int run_attach(Client *c, Words *w) {
        Device *d;
        int r = with_device(c, w, &d);

        return r < 0 ? r : io_attach(d->fd, c->ioas);
}

static int run_close(Client *c, Words *w) {
        Device *d;
        int r = with_device(c, w, &d);

        if (r < 0)
                return r;
        for (Memory *m = c->memories; m < c->memories + MEMORIES_MAX; m++)
                if (m->ring == d)
                        m->ring = NULL;
        if (d->bar0)
                (void)munmap((void *)(uintptr_t)d->bar0, REGISTERS_SIZE);
        if (d->event >= 0)
                close(d->event);
        close(d->fd);
        d->name[0] = '\0';
        return 0;
}

/* Reads, or writes if there is a value, 1, 2 or 4 bytes of configuration space. */
static int config(int fd, unsigned at, unsigned size, uint32_t *value, bool write) {
        struct vfio_region_info region = { .argsz = sizeof(region), .index = VFIO_PCI_CONFIG_REGION_INDEX };
        ssize_t n;

        if (ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &region) < 0)
                return -errno;
        if (size != 1 && size != 2 && size != 4)
                return -EINVAL;
        n = write ? pwrite(fd, value, size, (off_t)region.offset + at)
                  : pread(fd, value, size, (off_t)region.offset + at);
        return n < 0 ? -errno : (size_t)n == size ? 0 : -EIO;
}

static int run_master(Client *c, Words *w) {
        uint32_t command = 0;
        Device *d;
        int r = with_device(c, w, &d);

        if (r >= 0)
                r = config(d->fd, 4, 2, &command, false);
        if (r < 0)
                return r;
        command = strcmp(w->word[2], "on") == 0 ? command | 6 : (command & ~4U) | 2;
        return config(d->fd, 4, 2, &command, true);
}

static int run_config(Client *c, Words *w) {
        uint64_t at, size, value = 0;
        uint32_t word = 0;
        Device *d;
        int r = with_device(c, w, &d);

        if (r < 0 || word_number(w, 2, &at) < 0 || word_number(w, 3, &size) < 0 ||
            (w->n > 4 && word_number(w, 4, &value) < 0))
                return r < 0 ? r : -EINVAL;
        word = (uint32_t)value;
        r = config(d->fd, (unsigned)at, (unsigned)size, &word, w->n > 4);
        if (r >= 0 && w->n <= 4)
                answer(w, "%0*x", (int)size * 2, word);
        return r;
}

static int run_read(Client *c, Words *w) {
        uint64_t at;
        Device *d;

        if (with_device(c, w, &d) < 0 || word_number(w, 2, &at) < 0 || at > REGISTERS_SIZE - 4)
                return -EINVAL;
        if (!device_registers(d))
                return -errno;
        answer(w, "%08x", device_read(d, (unsigned)at));
        return 0;
}

static int run_write(Client *c, Words *w) {
        uint64_t at, value;
        Device *d;

        if (with_device(c, w, &d) < 0 || word_number(w, 2, &at) < 0 || word_number(w, 3, &value) < 0 ||
            at > REGISTERS_SIZE - 4)
                return -EINVAL;
        if (!device_registers(d))
                return -errno;
        device_write(d, (unsigned)at, (uint32_t)value);
        return 0;
}

static int run_resettable(Client *c, Words *w) {
        struct vfio_device_info info = { .argsz = sizeof(info) };
        Device *d;
        int r = with_device(c, w, &d);

        if (r < 0)
                return r;
        if (ioctl(d->fd, VFIO_DEVICE_GET_INFO, &info) < 0)
                return -errno;
        answer(w, info.flags & VFIO_DEVICE_FLAGS_RESET ? "yes" : "no");
        return 0;
}

static int run_reset(Client *c, Words *w) {
        Device *d;
        int r = with_device(c, w, &d);

        return r < 0 ? r : io_reset(d->fd);
}

static int run_interrupts(Client *c, Words *w) {
        char buffer[sizeof(struct vfio_irq_set) + sizeof(int)] = { 0 };
        struct vfio_irq_set *set = (struct vfio_irq_set *)buffer;
        Device *d;
        int r = with_device(c, w, &d);

        if (r < 0)
                return r;
        if (d->event < 0)
                d->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        set->argsz = sizeof(buffer);
        set->flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
        set->index = strcmp(w->word[2], "msix") == 0 ? VFIO_PCI_MSIX_IRQ_INDEX : VFIO_PCI_MSI_IRQ_INDEX;
        set->count = 1;
        memcpy(set->data, &d->event, sizeof(d->event));
        return ioctl(d->fd, VFIO_DEVICE_SET_IRQS, set) < 0 ? -errno : 0;
}

static int run_interrupted(Client *c, Words *w) {
        struct pollfd p = { .events = POLLIN };
        uint64_t n;
        Device *d;
        int r = with_device(c, w, &d);

        if (r < 0)
                return r;
        p.fd = d->event;
        if (poll(&p, 1, 10000) != 1)
                return -ETIMEDOUT;
        return read(d->event, &n, sizeof(n)) < 0 ? -errno : 0;
}

const Command device_commands[] = {
        { "open", 2, run_open },
        { "bind", 1, run_bind },
        { "attach", 1, run_attach },
        { "close", 1, run_close },
        { "master", 2, run_master },
        { "config", 3, run_config },
        { "read", 2, run_read },
        { "write", 3, run_write },
        { "resettable", 1, run_resettable },
        { "reset", 1, run_reset },
        { "interrupts", 2, run_interrupts },
        { "interrupted", 1, run_interrupted },
        { NULL, 0, NULL },
};
