/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host's initrd (sys/initrd-read.h), on its way into a restore-only one. It is read from its
 * first to its last byte, so that one that is torn is found before a kernel is booted with it.
 *
 * Plain archives at the start that only have files below "kernel/" are for the kernel itself,
 * before it has a root (microcode, ACPI tables: Documentation/arch/x86/microcode.rst); they
 * have to stay first.
 */
#pragma once

#include "common/buffer.h"
#include "tree.h"

/* The sink gets plain cpio archives, all but those for the kernel, which go to *early; it
 * stays empty if there are none. */
int host_initrd_read(int fd, uint64_t size, bytes_sink_t sink, void *userdata, Buffer *early,
                     char ret_problem[static PROBLEM_SIZE]);
