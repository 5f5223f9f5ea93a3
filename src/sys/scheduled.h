/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A shutdown that is scheduled with logind (shutdown(8), systemctl --when=): logind's file
 * about it, which has been the same in all versions and can be read without waiting for
 * anybody. What it says is at hand on the bus, too, as ScheduledShutdown.
 */
#pragma once

#include "common/macro.h"

enum { SCHEDULED_MODE_SIZE = 24 };

/* 1: there is one; its kind ("reboot"), and when (CLOCK_REALTIME). 0: none, or a rehearsal
 * of one. A negative errno: not known. */
int scheduled_read(const char *root, char mode[static SCHEDULED_MODE_SIZE], uint64_t *ret_usec);
