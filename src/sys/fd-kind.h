/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What kind of file a descriptor is, in the words of the manifest. */
#pragma once

/* "memfd", "iommufd", "vfio" or "other"; a static string, never NULL. Goes by the
 * descriptor's link in /proc/self/fd: only a label, nothing depends on it. */
const char *fd_kind(int fd);
