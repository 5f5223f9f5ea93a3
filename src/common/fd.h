/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptor and file helpers. All return 0 or a negative errno, never log, and leave
 * ret_* untouched on failure.
 */
#pragma once

#include "macro.h"

/* Reads all of fd from its start (position unchanged, via pread) into a new
 * NUL-terminated buffer. -EFBIG if there is more than max bytes. Caller frees. */
int fd_read_all(int fd, size_t max, char **ret, size_t *ret_size);
/* As fd_read_all for a path below dirfd (AT_FDCWD allowed); also reads files whose
 * size is not known beforehand (proc, sysfs, debugfs). */
int file_read_at(int dirfd, const char *path, size_t max, char **ret, size_t *ret_size);
/* Reads up to size bytes from offset on; fewer only at the end of the file. */
ssize_t fd_read_at(int fd, void *buf, size_t size, uint64_t offset);
int fd_write_all(int fd, const void *data, size_t size);
/* Writes path below dirfd through a temporary file and rename(2), mode 0600. */
int file_write_atomic_at(int dirfd, const char *path, const void *data, size_t size);
/* A sealed (shrink, grow, write, seal) close-on-exec memfd with these contents. */
int memfd_new_sealed(const char *name, const void *data, size_t size, int *ret_fd);
/* A close-on-exec memfd of this size, zeroed, not sealed. */
int memfd_new(const char *name, size_t size, int *ret_fd);
