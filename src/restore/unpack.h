/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes the files of an initrd, the way the kernel would have made them (init/initramfs.c):
 * owners, modes, times, device nodes and hard links as the archives say, what is there
 * already gives way, and a file that cannot be made does not keep the others from it.
 *
 * What it gets is no longer the host's initrd as it was, but what liveupdate-mkinitrd has made
 * of that with sys/initrd-read.h: one kind of frame, in which archives are plain. So libzstd is
 * enough for it, and the first process of a kernel needs neither the other formats and their
 * libraries nor a look for where an archive ends.
 *
 * One difference: a file that is there is replaced, not written into. A client that runs may
 * have been started from it.
 */
#pragma once

#include "common/macro.h"

typedef struct Unpacked {
        uint64_t n_files, n_failed, n_bytes;
        int first_errno; /* of those that failed */
        char first_failed[128];
} Unpacked;

/* data: Zstandard frames of cpio archives. Names are taken from root_fd on. *ret is filled in
 * any case: what was made stays. -EBADMSG: damaged or torn; -ENOSPC: no room. */
int unpack(int root_fd, const void *data, size_t size, Unpacked *ret);
