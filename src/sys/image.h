/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel images as files: reads the header, takes kernel, initrd and command line out of
 * a unified kernel image into memfds, and decompresses the kernel to find its ABI
 * strings. Works with pread(2) on a descriptor, in pieces, so that neither the position
 * matters nor a file that shrinks meanwhile does harm.
 */
#pragma once

#include "core/abi.h"
#include "core/image.h"

typedef struct KernelFile {
        int kernel_fd; /* the bzImage; owned */
        int initrd_fd; /* from a UKI: microcode and initrd in one file; else -1; owned */
        char *cmdline; /* from a UKI; else NULL; owned */
        bool uki;
        uint64_t size; /* of the bzImage */
        BootHeader header;
} KernelFile;

#define KERNEL_FILE_INIT \
        { .kernel_fd = -1, .initrd_fd = -1 }

/* Duplicates fd or takes the image out of the UKI it holds. */
int kernel_file_open(int fd, KernelFile *ret, Refusal *refusal);
/* The same without the initrd of a UKI, for who wants to look at the kernel only. */
int kernel_file_open_kernel(int fd, KernelFile *ret, Refusal *refusal);
void kernel_file_done(KernelFile *file);

/* Decompresses the kernel and finds the ABI strings in it; those it has not stay empty.
 * Takes about a second for 20 MiB of compressed kernel. */
int kernel_file_abi(const KernelFile *file, KernelAbi *ret, Refusal *refusal);

/* Checks that fd is a readable regular file (a memfd is one). */
int image_fd_check(int fd, const char *subject, uint64_t *ret_size, Refusal *refusal);
