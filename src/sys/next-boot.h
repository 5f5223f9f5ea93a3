/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gathers what core/next-boot.h judges: which modules with handlers are in use here,
 * whether the next kernel's initrd and the host's modules for it have them, and who will
 * open /dev/liveupdate first.
 */
#pragma once

#include "core/config.h"
#include "core/next-boot.h"

/* Below root ("" for the machine's). release: of the next kernel, "" if not known;
 * initrd_fd -1: none. Only an initrd that is damaged is refused, and lack of memory. */
int next_boot_read(const char *root, const Config *config, const char *release, int initrd_fd, uint64_t initrd_size,
                   NextBoot *ret, Refusal *refusal);
