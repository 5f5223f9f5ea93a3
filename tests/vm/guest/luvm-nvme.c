/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The admin queue of an NVMe controller, by polling, and reads. Entries are
 * little-endian, as is every machine the test kernel runs on.
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "luvm-nvme.h"

enum { /* pages of the memory; the first is ours alone */
       PAGE_STATE,
       PAGE_SUBMISSION,
       PAGE_COMPLETION,
       PAGE_DATA, /* of the one admin command that is under way */
       PAGE_READ_SUBMISSION,
       PAGE_READ_COMPLETION,
       PAGE_READ_DATA, /* and up to the last */
};

enum {
        ENTRIES = 16,
        BLOCK = 512,
        TIMEOUT_SECONDS = 30,
        MAGIC = 0x4c554e56,
        PATTERN = 0xa5,
};

/* Registers. */
enum {
        CC = 0x14,
        CSTS = 0x1c,
        AQA = 0x24,
        ASQ = 0x28,
        ACQ = 0x30,
        SQ0_TAIL = 0x1000,
        SQ1_TAIL = 0x1008,
        CQ0_HEAD = 0x1004, /* CAP.DSTRD is 0 in QEMU's controller; nvme_start() checks */
};

#define CC_ENABLE (1U | 4U << 20 | 6U << 16) /* entries of 2^4 and 2^6 bytes, 4 KiB pages */
#define CSTS_READY 1U
#define CSTS_FATAL 2U
#define AQA_VALUE ((ENTRIES - 1U) << 16 | (ENTRIES - 1U))

enum {
        CREATE_SUBMISSION = 0x01,
        CREATE_COMPLETION = 0x05,
        IDENTIFY = 0x06,
        VIRTUALIZATION_MANAGEMENT = 0x1c,
        CNS_CONTROLLER = 1,
        READ = 0x02, /* of the NVM command set, like the 512-byte blocks */
};

typedef struct State {
        uint32_t magic;
        uint16_t tail, head, phase;
        uint32_t mark;
        uint64_t issued, completed;
} State;

typedef struct Command {
        uint32_t cdw0, nsid, cdw2, cdw3;
        uint64_t mptr, prp1, prp2;
        uint32_t cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
} Command;

typedef struct Completion {
        uint32_t dw0, dw1;
        uint16_t sq_head, sq_id, cid, status;
} Completion;

_Static_assert(sizeof(Command) == 64 && sizeof(Completion) == 16, "entries as in CC");
_Static_assert((NVME_READS + 1) * sizeof(Command) <= NVME_PAGE, "a queue is one page");
_Static_assert(NVME_READS *BLOCK <= (NVME_PAGES - PAGE_READ_DATA) * NVME_PAGE, "a block for each read");

static void *page_of(const Nvme *n, unsigned page) {
        return n->memory + page * NVME_PAGE;
}

static State *state_of(const Nvme *n) {
        return page_of(n, PAGE_STATE);
}

static uint32_t read32(const Nvme *n, unsigned offset) {
        return *(volatile uint32_t *)(n->registers + offset);
}

static void write32(Nvme *n, unsigned offset, uint32_t value) {
        *(volatile uint32_t *)(n->registers + offset) = value;
}

/* By halves: not every controller takes 64 bits at once. */
static uint64_t read64(const Nvme *n, unsigned offset) {
        return read32(n, offset) | (uint64_t)read32(n, offset + 4) << 32;
}

static void write64(Nvme *n, unsigned offset, uint64_t value) {
        write32(n, offset, (uint32_t)value);
        write32(n, offset + 4, (uint32_t)(value >> 32));
}

static uint64_t seconds(void) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec;
}

static int wait_ready(Nvme *n, bool ready) {
        uint64_t end = seconds() + TIMEOUT_SECONDS;

        for (;;) {
                uint32_t status = read32(n, CSTS);

                if (ready && (status & CSTS_FATAL))
                        return -EIO;
                if (!!(status & CSTS_READY) == ready)
                        return 0;
                if (seconds() >= end)
                        return -ETIMEDOUT;
        }
}

int nvme_start(Nvme *n) {
        State *s = state_of(n);
        int r;

        /* Doorbell stride, bits 35:32 of CAP. */
        if (read32(n, 4) & 0xf)
                return -EOPNOTSUPP;
        write32(n, CC, 0);
        r = wait_ready(n, false);
        if (r < 0)
                return r;

        memset(n->memory, 0, NVME_MEMORY_SIZE);
        *s = (State){ .magic = MAGIC, .phase = 1 };
        write32(n, AQA, AQA_VALUE);
        write64(n, ASQ, n->pages[PAGE_SUBMISSION]);
        write64(n, ACQ, n->pages[PAGE_COMPLETION]);
        write32(n, CC, CC_ENABLE);
        return wait_ready(n, true);
}

int nvme_attach(Nvme *n) {
        const State *s = state_of(n);

        if (s->magic != MAGIC || s->tail >= ENTRIES || s->head >= ENTRIES || s->phase > 1)
                return -EBADMSG;
        if ((read32(n, CSTS) & (CSTS_READY | CSTS_FATAL)) != CSTS_READY || read32(n, CC) != CC_ENABLE)
                return -ENOTRECOVERABLE;
        if (read32(n, AQA) != AQA_VALUE || read64(n, ASQ) != n->pages[PAGE_SUBMISSION] ||
            read64(n, ACQ) != n->pages[PAGE_COMPLETION])
                return -ENOTRECOVERABLE;
        return 0;
}

static int complete(Nvme *n, uint16_t cid, uint16_t *ret_status) {
        State *s = state_of(n);
        volatile Completion *c = (volatile Completion *)page_of(n, PAGE_COMPLETION) + s->head;
        uint64_t end = seconds() + TIMEOUT_SECONDS;
        uint16_t status;

        while ((c->status & 1) != s->phase)
                if (seconds() >= end)
                        return -ETIMEDOUT;
        atomic_thread_fence(memory_order_acquire);

        status = c->status >> 1;
        if (c->cid != cid)
                return -EBADMSG;
        s->head = (s->head + 1) % ENTRIES;
        if (s->head == 0)
                s->phase ^= 1;
        s->completed++;
        write32(n, CQ0_HEAD, s->head);
        if (ret_status)
                *ret_status = status;
        return status ? -EREMOTEIO : 0;
}

static int admin(Nvme *n, uint8_t opcode, uint64_t data, uint32_t cdw10, uint32_t cdw11, uint16_t *ret_status) {
        State *s = state_of(n);
        uint16_t cid = (uint16_t)s->issued++;
        Command *queue = page_of(n, PAGE_SUBMISSION);

        queue[s->tail] = (Command){
                .cdw0 = (uint32_t)cid << 16 | opcode,
                .prp1 = data,
                .cdw10 = cdw10,
                .cdw11 = cdw11,
        };
        s->tail = (s->tail + 1) % ENTRIES;
        atomic_thread_fence(memory_order_seq_cst);
        write32(n, SQ0_TAIL, s->tail);
        return complete(n, cid, ret_status);
}

/* Text of an identify page: padded with spaces. */
static void text(char *to, const uint8_t *from, size_t length) {
        memcpy(to, from, length);
        while (length > 0 && to[length - 1] == ' ')
                length--;
        to[length] = '\0';
}

int nvme_identify(Nvme *n, NvmeIdentity *ret) {
        uint8_t *data = page_of(n, PAGE_DATA);
        int r;

        memset(data, PATTERN, NVME_PAGE);
        r = admin(n, IDENTIFY, n->pages[PAGE_DATA], CNS_CONTROLLER, 0, NULL);
        if (r < 0)
                return r;
        /* The last bytes of the page are vendor specific and 0 in QEMU. */
        if (data[0] == PATTERN || data[NVME_PAGE - 1] == PATTERN)
                return -ENODATA;

        memcpy(&ret->vendor, data, 2);
        text(ret->serial, data + 4, 20);
        text(ret->model, data + 24, 40);
        memcpy(&ret->cntlid, data + 78, 2);
        return 0;
}

int nvme_virtualize(Nvme *n, unsigned action, unsigned resource, uint16_t cntlid, uint32_t number,
                    uint16_t *ret_status) {
        return admin(n, VIRTUALIZATION_MANAGEMENT, 0, (uint32_t)cntlid << 16 | resource << 8 | action, number,
                     ret_status);
}

int nvme_read(Nvme *n, uint32_t nsid) {
        Command *queue = page_of(n, PAGE_READ_SUBMISSION);
        int r;

        memset(page_of(n, PAGE_READ_DATA), PATTERN, NVME_READS * BLOCK);
        memset(page_of(n, PAGE_READ_COMPLETION), 0, NVME_PAGE);
        /* Physically contiguous, no interrupts. */
        r = admin(n, CREATE_COMPLETION, n->pages[PAGE_READ_COMPLETION], NVME_READS << 16 | 1, 1, NULL);
        if (r < 0)
                return r;
        r = admin(n, CREATE_SUBMISSION, n->pages[PAGE_READ_SUBMISSION], NVME_READS << 16 | 1, 1 << 16 | 1, NULL);
        if (r < 0)
                return r;
        for (unsigned i = 0; i < NVME_READS; i++)
                queue[i] = (Command){
                        .cdw0 = i << 16 | READ,
                        .nsid = nsid,
                        .prp1 = n->pages[PAGE_READ_DATA + i * BLOCK / NVME_PAGE] + i * BLOCK % NVME_PAGE,
                        .cdw10 = i,
                };
        atomic_thread_fence(memory_order_seq_cst);
        write32(n, SQ1_TAIL, NVME_READS);
        return 0;
}

/* The completion queue has one entry more than there are reads, so its phase is 1. */
unsigned nvme_read_done(const Nvme *n) {
        const volatile Completion *c = page_of(n, PAGE_READ_COMPLETION);
        unsigned done = 0;

        while (done < NVME_READS && (c[done].status & 1))
                done++;
        return done;
}

int nvme_read_check(const Nvme *n) {
        const Completion *c = page_of(n, PAGE_READ_COMPLETION);
        const uint8_t *data = page_of(n, PAGE_READ_DATA);
        bool seen[NVME_READS] = { false };

        if (nvme_read_done(n) != NVME_READS)
                return -ETIMEDOUT;
        for (unsigned i = 0; i < NVME_READS; i++) {
                if (c[i].status >> 1)
                        return -EREMOTEIO;
                if (c[i].cid >= NVME_READS || seen[c[i].cid])
                        return -EBADMSG;
                seen[c[i].cid] = true;
        }
        for (unsigned i = 0; i < NVME_READS * BLOCK; i++)
                if (data[i] != 0)
                        return -ENODATA;
        return 0;
}

void nvme_set_mark(Nvme *n, unsigned mark) {
        state_of(n)->mark = mark;
}

unsigned nvme_mark(const Nvme *n) {
        return state_of(n)->mark;
}

uint64_t nvme_completed(const Nvme *n) {
        return state_of(n)->completed;
}
