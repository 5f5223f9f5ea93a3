/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host's initrd, as a boot loader hands it to the kernel: cpio archives one after the other,
 * each plain or compressed, with zeros in between (unpack_to_rootfs(), init/initramfs.c). It
 * is read from its first to its last byte, so that one that is torn is found before a kernel
 * is booted with it.
 *
 * A plain archive at the start that only has files below "kernel/" is for the kernel itself,
 * before it has a root (microcode, ACPI tables: Documentation/arch/x86/microcode.rst); it
 * has to stay first.
 */
#pragma once

#include "sys/zstd-stream.h"
#include "tree.h"

typedef struct HostInitrd {
        size_t early_size; /* of the archive for the kernel; 0: there is none */
        uint64_t n_files;
        uint64_t n_bytes; /* of the other archives, decompressed: what went to the sink */
        bool has_init;
} HostInitrd;

/* The sink gets plain cpio archives, all but the early one. */
int host_initrd_read(const void *data, size_t size, bytes_sink_t sink, void *userdata, HostInitrd *ret,
                     char ret_problem[static PROBLEM_SIZE]);
