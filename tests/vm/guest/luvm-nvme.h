/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * As much of an NVMe controller's driver as a test of DMA needs: the admin queue, used
 * by polling. Identify is the proof of DMA: the controller reads the command from memory
 * and writes 4 KiB of answer and a completion there. And a queue of reads, all given at
 * once, for a disk so slow that it works on them while kernels change.
 *
 * All that the driver knows is in the memory it shares with the controller, which is
 * part of a memfd: where the queues stand, and a number of each command. So after a
 * kexec, or in another process, nvme_attach() goes on where it stopped, without setting
 * up anything; that works only on a controller that was not reset.
 *
 * NVM Express Base Specification 2.0: registers in 3.1.3, queues in 3.3, Identify in
 * 5.17, Virtualization Management in 5.31 (secondary controllers in 8.26).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NVME_PAGE 4096U
#define NVME_PAGES 14U /* state, three pages for the admin queue, ten for reads */
#define NVME_MEMORY_SIZE (NVME_PAGES * NVME_PAGE)
#define NVME_READS 63U
#define NVME_REGISTERS_SIZE 0x2000U

/* Virtualization Management: actions and resources. */
enum {
        NVME_PRIMARY_FLEXIBLE = 1,
        NVME_SECONDARY_OFFLINE = 7,
        NVME_SECONDARY_ASSIGN = 8,
        NVME_SECONDARY_ONLINE = 9,
};

enum {
        NVME_RESOURCE_QUEUES = 0,
        NVME_RESOURCE_INTERRUPTS = 1,
};

typedef struct Nvme {
        volatile uint8_t *registers; /* BAR 0 */
        uint8_t *memory;             /* NVME_MEMORY_SIZE, page aligned */
        uint64_t pages[NVME_PAGES];  /* where the device finds each page of it */
} Nvme;

typedef struct NvmeIdentity {
        uint16_t vendor;
        char serial[21], model[41];
        uint16_t cntlid;
} NvmeIdentity;

/* Calls that make the controller do something return -ETIMEDOUT if no completion comes,
 * -EREMOTEIO if it is an error (its status is in *ret_status, where there is one) and
 * -EBADMSG if it is of another command. */

/* Disables the controller, gives it empty queues, and enables it. */
int nvme_start(Nvme *n);

/* Goes on with the queues of an earlier nvme_start(). -ENOTRECOVERABLE if the controller
 * does not have them any more: it was reset. */
int nvme_attach(Nvme *n);

/* Identify Controller. The buffer is filled with a pattern first, so that what is read
 * was written by the controller now. */
int nvme_identify(Nvme *n, NvmeIdentity *ret);

int nvme_virtualize(Nvme *n, unsigned action, unsigned resource, uint16_t cntlid, uint32_t number,
                    uint16_t *ret_status);

/* Makes a queue pair and reads as many blocks of a namespace into a buffer each, which is
 * filled with a pattern first. */
int nvme_read(Nvme *n, uint32_t nsid);

/* How many of the reads are completed, as memory has it: needs no controller. */
unsigned nvme_read_done(const Nvme *n);

/* Whether all reads are completed, each once, without an error, with zeros in its
 * buffer: what QEMU's null-co returns. */
int nvme_read_check(const Nvme *n);

/* A number that is kept in the memory, for whoever looks at it later. */
void nvme_set_mark(Nvme *n, unsigned mark);
unsigned nvme_mark(const Nvme *n);

/* How many commands were completed since nvme_start(). */
uint64_t nvme_completed(const Nvme *n);
