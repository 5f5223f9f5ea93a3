/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who holds a file open, for error messages: "somebody" helps nobody. Reads the links
 * below /proc/PID/fd, so it sees what this process may see; slow on a busy host, and
 * only called when something has failed already.
 */
#pragma once

#include "common/macro.h"

/* Looks for the first other process with a descriptor whose link is `target`
 * ("/dev/liveupdate", "anon_inode:[luo_session] NAME") and writes "held by process PID
 * (NAME)" into buf. -ENOENT if none is seen. root: "" for the real /proc. */
int holder_find(const char *root, const char *target, char *buf, size_t size);
