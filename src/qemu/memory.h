/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's memory as the kernel holds it. In the next kernel it is put back into its
 * file folio by folio (mm/memfd_luo.c) while the guest stands still, and one folio of
 * 2 MiB takes the place of 512. So it is gathered into such folios beforehand, while the
 * guest runs, or the pause would grow with the memory.
 *
 * The next kernel also reserves it folio by folio before it does anything else, and walks
 * over all the pieces that it has for each (kho_preserved_memory_reserve() in
 * kernel/liveupdate/kexec_handover.c).
 */
#pragma once

#include <stdint.h>

/* Gathers the first size bytes of memfd fd, holes included, as far as it can until
 * until_usec (CLOCK_MONOTONIC). The contents stay as they are, whoever writes to them
 * meanwhile. Returns 0 if all of it lies in huge folios; else the last negative errno,
 * after which the memory is as good as before: -EINVAL no such folios here (not in this
 * kernel, or shmem_enabled=deny), -EBUSY or -EAGAIN pages that are held in place, -ENOMEM,
 * -ETIME. */
int memory_gather(int fd, uint64_t size, uint64_t until_usec);
