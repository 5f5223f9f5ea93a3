/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The restore step (step.h) and the clients in the initrd (clients.h), as a program does
 * them: in a child with a deadline, because a module that hangs while it is loaded cannot be
 * killed. When the time is up the boot goes on, and the child with it.
 */
#pragma once

#include "sys/handlers.h"

enum { RUN_PROBLEM = 1 };

typedef struct Run {
        bool early; /* first in an initrd: /proc, /sys and /dev are mounted, clients started */
        char *name; /* argv[0] */
        uint64_t timeout_usec;
        handlers_load_t load;
} Run;

/* 0, or RUN_PROBLEM, which is said on standard error. With `early` that is the kernel's log
 * from here on, and what was mounted stays only if a client was started. */
int restore_run(const Run *o);
