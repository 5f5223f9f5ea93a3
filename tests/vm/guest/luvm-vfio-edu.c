/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's teaching device (docs/specs/edu.rst) for luvm-vfio: its DMA engine moves nearly
 * 4 KiB between memory and a buffer of its own at 0x40000, and needs Bus Master for it.
 * Its registers are 64 bits wide from 0x80 on; a transfer takes 100 ms of the guest's time.
 */
#include <time.h>

#include "luvm-vfio.h"

enum {
        EDU_DMA_SOURCE = 0x80,
        EDU_DMA_TARGET = 0x88,
        EDU_DMA_COUNT = 0x90,
        EDU_DMA_COMMAND = 0x98,
        EDU_BUFFER = 0x40000,
        EDU_LENGTH_MAX = 4095, /* QEMU stops itself when the last byte of the buffer is in a transfer */
        EDU_START = 1,
        EDU_TO_MEMORY = 2,
};

static void write64(Device *d, unsigned at, uint64_t value) {
        *(volatile uint64_t *)(d->bar0 + at) = value;
}

static int transfer(Client *c, Words *w, bool to_memory) {
        const struct timespec pause = { .tv_nsec = 10000000 };
        Device *d = device_named(c, w->word[1], false);
        Memory *m = memory_named(c, w->word[2]);
        uint64_t at, length, address;
        int r;

        if (!d || !m || word_number(w, 3, &at) < 0 || word_number(w, 4, &length) < 0 || length > EDU_LENGTH_MAX ||
            at > m->size - length)
                return -EINVAL;
        r = memory_address(c, m, at, &address);
        if (r < 0)
                return r;
        if (!device_registers(d))
                return -errno;
        write64(d, EDU_DMA_SOURCE, to_memory ? EDU_BUFFER : address);
        write64(d, EDU_DMA_TARGET, to_memory ? address : EDU_BUFFER);
        write64(d, EDU_DMA_COUNT, length);
        write64(d, EDU_DMA_COMMAND, EDU_START | (to_memory ? EDU_TO_MEMORY : 0));
        for (unsigned n = 0; n < 1000; n++, (void)nanosleep(&pause, NULL))
                if (!(device_read(d, EDU_DMA_COMMAND) & EDU_START))
                        return 0;
        return -ETIMEDOUT;
}

static int run_to(Client *c, Words *w) {
        return transfer(c, w, false);
}

static int run_from(Client *c, Words *w) {
        return transfer(c, w, true);
}

const Command edu_commands[] = {
        { "edu-to", 4, run_to },
        { "edu-from", 4, run_from },
        { NULL, 0, NULL },
};
