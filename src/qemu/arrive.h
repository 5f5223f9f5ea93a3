/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way back after the kexec: claim, retrieve, check, load, go on, FINISH. Until the
 * machine is live, a failure changes nothing: memory and state stay with the daemon, and
 * it can be tried again.
 */
#pragma once

#include "client.h"
#include "machine.h"

/* With the QEMU that it was started with, or with program (not NULL) from now on. -ENOENT:
 * nothing of this name came over. */
int arrive(Machine *m, Client *c, const char *program, Problem *p);
/* A machine that was running when its adapter died: lets it go on once no jump can come
 * any more, and finishes what the dead one did not. */
int arrive_adopted(Machine *m, Client *c, Problem *p);
