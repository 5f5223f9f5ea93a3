/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of luvm-vfio share: what the client holds, by name, and its commands.
 * A command gets its words and may write an answer of one line; it returns 0 or a
 * negative errno, which then is the answer.
 */
#pragma once

#include <inttypes.h>

#include "common/macro.h"
#include "sys/luo.h"

enum {
        NAMES_MAX = 80, /* devices; as many as a case has */
        MEMORIES_MAX = 16,
        SESSIONS_MAX = 8,
        WORDS_MAX = 64,
        ANSWER_MAX = 256,
};

typedef struct Device {
        char name[16];
        int fd;
        int event;              /* of interrupt 0 */
        volatile uint8_t *bar0; /* mapped at the first use */
} Device;

typedef struct Memory {
        char name[16];
        int fd;
        size_t size;
        uint8_t *window;
        uint64_t iova;
        uint64_t *places;  /* of its pages, where it is mapped by them */
        Device *ring;      /* whose ring is in it */
        uint32_t *buffers; /* its pages that the ring has for packets, in order */
} Memory;

typedef struct Session {
        char name[LUO_NAME_LENGTH];
        int fd;
        char *path; /* on the bus, if the daemon does the calls */
} Session;

typedef struct Client {
        LuoDevice luo_device;
        Luo luo;
        struct sd_bus *bus;
        char refusal[64]; /* of the last call on the bus; empty if there was none */
        int iommu;
        uint32_t ioas;
        bool physical; /* devices are given physical addresses */
        Device devices[NAMES_MAX];
        Memory memories[MEMORIES_MAX];
        Session sessions[SESSIONS_MAX];
} Client;

typedef struct Words {
        unsigned n;
        char *word[WORDS_MAX];
        char answer[ANSWER_MAX];
} Words;

typedef struct Command {
        const char *name;
        unsigned words; /* at least; the name is not counted */
        int (*run)(Client *c, Words *w);
} Command;

/* Each ends in an entry without a name. */
extern const Command device_commands[], memory_commands[], session_commands[], edu_commands[], ring_commands[];

/* luvm-vfio.c. A word that is no number is -EINVAL. */
int word_number(const Words *w, unsigned i, uint64_t *ret);
void answer(Words *w, const char *format, ...) _printf_(2, 3);

/* luvm-vfio-device.c. The device of that name: NULL when there is none, or with `make` no
 * room. A bound device's registers: NULL with errno set. */
Device *device_named(Client *c, const char *name, bool make);
volatile uint8_t *device_registers(Device *d);

static inline uint32_t device_read(Device *d, unsigned at) {
        return *(volatile uint32_t *)(d->bar0 + at);
}
static inline void device_write(Device *d, unsigned at, uint32_t value) {
        *(volatile uint32_t *)(d->bar0 + at) = value;
}

/* luvm-vfio-memory.c. memory_adopt() takes over the descriptor. memory_address() says
 * where a device finds a byte of it. */
Memory *memory_named(Client *c, const char *name);
int memory_adopt(Client *c, const char *name, int fd);
int memory_address(Client *c, const Memory *m, uint64_t offset, uint64_t *ret);

/* luvm-vfio-bus.c. The same as the port's, but asked of the daemon; memory: the token of
 * what the device's DMA reaches, NULL if that is not declared. */
int bus_session(Client *c, Session *s, bool create);
int bus_preserve(Client *c, const Session *s, int fd, uint64_t token, const uint64_t *memory);
int bus_take(Client *c, const Session *s, uint64_t token, int *ret_fd);
int bus_finish(Client *c, const Session *s);

/* luvm-vfio-ring.c. Notes in each ring's memory how far it came: the kernel goes next. */
void rings_mark(Client *c);
