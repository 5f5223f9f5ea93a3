/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The admin queue of an NVMe controller, by polling. The memory has four pages: the
 * state of both queues (ours alone), the submission queue, the completion queue and the
 * buffer of the one command that is under way. Entries are little-endian, as is every
 * machine the test kernel runs on.
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "luvm-nvme.h"

enum {
        PAGE = 4096,
        ENTRIES = 16,
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
        CQ0_HEAD = 0x1004, /* CAP.DSTRD is 0 in QEMU's controller; nvme_start() checks */
};

#define CC_ENABLE (1U | 4U << 20 | 6U << 16) /* entries of 2^4 and 2^6 bytes, 4 KiB pages */
#define CSTS_READY 1U
#define CSTS_FATAL 2U
#define AQA_VALUE ((ENTRIES - 1U) << 16 | (ENTRIES - 1U))

enum {
        IDENTIFY = 0x06,
        VIRTUALIZATION_MANAGEMENT = 0x1c,
        CNS_CONTROLLER = 1,
};

typedef struct State {
        uint32_t magic;
        uint16_t tail, head, phase, pad;
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
_Static_assert(ENTRIES * sizeof(Command) <= PAGE, "a queue is one page");

static State *state_of(const Nvme *n) {
        return (State *)n->memory;
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
        write64(n, ASQ, n->iova + PAGE);
        write64(n, ACQ, n->iova + 2 * PAGE);
        write32(n, CC, CC_ENABLE);
        return wait_ready(n, true);
}

int nvme_attach(Nvme *n) {
        const State *s = state_of(n);

        if (s->magic != MAGIC || s->tail >= ENTRIES || s->head >= ENTRIES || s->phase > 1)
                return -EBADMSG;
        if ((read32(n, CSTS) & (CSTS_READY | CSTS_FATAL)) != CSTS_READY || read32(n, CC) != CC_ENABLE)
                return -ENOTRECOVERABLE;
        if (read32(n, AQA) != AQA_VALUE || read64(n, ASQ) != n->iova + PAGE || read64(n, ACQ) != n->iova + 2 * PAGE)
                return -ENOTRECOVERABLE;
        return 0;
}

static int complete(Nvme *n, uint16_t cid, uint16_t *ret_status) {
        State *s = state_of(n);
        volatile Completion *c = (volatile Completion *)(n->memory + 2 * PAGE) + s->head;
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

int nvme_admin(Nvme *n, uint8_t opcode, bool data, uint32_t cdw10, uint32_t cdw11, uint16_t *ret_status) {
        State *s = state_of(n);
        uint16_t cid = (uint16_t)s->issued++;
        Command *queue = (Command *)(n->memory + PAGE);

        queue[s->tail] = (Command){
                .cdw0 = (uint32_t)cid << 16 | opcode,
                .prp1 = data ? n->iova + 3 * PAGE : 0,
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
        uint8_t *data = n->memory + 3 * PAGE;
        int r;

        memset(data, PATTERN, PAGE);
        r = nvme_admin(n, IDENTIFY, true, CNS_CONTROLLER, 0, NULL);
        if (r < 0)
                return r;
        /* The last bytes of the page are vendor specific and 0 in QEMU. */
        if (data[0] == PATTERN || data[PAGE - 1] == PATTERN)
                return -ENODATA;

        memcpy(&ret->vendor, data, 2);
        text(ret->serial, data + 4, 20);
        text(ret->model, data + 24, 40);
        memcpy(&ret->cntlid, data + 78, 2);
        return 0;
}

int nvme_virtualize(Nvme *n, unsigned action, unsigned resource, uint16_t cntlid, uint32_t number,
                    uint16_t *ret_status) {
        return nvme_admin(n, VIRTUALIZATION_MANAGEMENT, false, (uint32_t)cntlid << 16 | resource << 8 | action, number,
                          ret_status);
}

uint64_t nvme_completed(const Nvme *n) {
        return state_of(n)->completed;
}
