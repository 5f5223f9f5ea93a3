/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What kind of file a descriptor is, in the words of the manifest. */
#pragma once

#include <stdbool.h>

/* "memfd", "iommufd", "vfio" or "other"; a static string, never NULL. A memfd
 * is what the kernel takes for one, also after it was retrieved; the others are told by the
 * descriptor's link in /proc/self/fd. */
const char *fd_kind(int fd);
/* A memfd that PRESERVE_FD takes, but that comes back read-only: one that was made with
 * MFD_NOEXEC_SEAL (F_SEAL_EXEC) and is still writable. Linux 7.3 restores that seal by
 * fcntl(F_ADD_SEALS), which adds all the others to it (mm/memfd.c, mm/memfd_luo.c). */
bool fd_comes_back_readonly(int fd);
/* A memfd on huge pages, which the kernel's handler does not take. */
bool fd_on_hugepages(int fd);
