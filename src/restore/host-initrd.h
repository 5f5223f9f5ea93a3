/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host's initrd (sys/initrd-read.h), on its way into a restore-only one. It is read from its
 * first to its last byte, so that one that is torn is found before a kernel is booted with it.
 *
 * A plain archive at the start that only has files below "kernel/" is for the kernel itself,
 * before it has a root (microcode, ACPI tables: Documentation/arch/x86/microcode.rst); it
 * has to stay first.
 */
#pragma once

#include "common/buffer.h"
#include "tree.h"

/* The sink gets plain cpio archives, all but that for the kernel, which goes to *early; it
 * stays empty if there is none. */
int host_initrd_read(int fd, uint64_t size, bytes_sink_t sink, void *userdata, Buffer *early,
                     char ret_problem[static PROBLEM_SIZE]);
