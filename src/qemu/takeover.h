/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Taking over a QEMU that was started without us: with its memory in a memfd that it
 * shares with itself alone, and a monitor (QMP) that we may have. What it was started
 * with is read from /proc; everything that run refuses is refused here, too, and what
 * cannot be known of a running machine: that its devices are those of its command line.
 */
#pragma once

#include "machine.h"

/* m->runtime is set. The monitor is ours from now on. */
int machine_take_over(Machine *m, const char *name, const char *monitor, const char *hook, Problem *p);
/* Whether this line of /proc/PID/maps maps the file shared, and how many bytes of it. */
bool takeover_maps_line(const char *line, dev_t device, ino_t inode, uint64_t *ret_size);
