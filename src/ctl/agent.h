/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Somebody who can be asked for a password on this terminal, where no desktop does it:
 * pkttyagent, polkit's own, runs beside liveupdatectl for as long as it waits. Without it
 * polkit could only say no. That it is not installed is no error here: it is polkit that
 * decides, and the daemon that says why not.
 */
#pragma once

#include "common/macro.h"

typedef struct Agent {
        pid_t pid; /* 0: there is none */
} Agent;

/* Returns when polkit knows it. Does nothing for root, or where nobody can type. */
void agent_start(Agent *a);
void agent_stop(Agent *a);
