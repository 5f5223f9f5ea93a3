/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memfd handler of the LUO fake (mm/memfd_luo.c): which files it takes, and the copy
 * that stands for the pages that cross the kexec.
 */
#pragma once

#include <sys/stat.h>

#include "common/macro.h"

/* 0 and the file's status, -EBADF if fd is no open file, -ENOENT if the handler does not
 * take its kind: only tmpfs files without a name are taken. */
int fake_memfd_can_preserve(int fd, struct stat *ret);
/* The seals on fd, as PRESERVE_FD records them. */
int fake_memfd_seals(int fd);
/* A new, nameless memfd with the first size bytes of fd, these seals, fd's position. */
int fake_memfd_copy(int fd, uint64_t size, int seals, int *ret_fd);
