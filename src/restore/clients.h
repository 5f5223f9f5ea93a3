/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients in the initrd (docs/boot.md): each that is configured and whose session came in is
 * started with that session, and a steward stays behind that holds copies for the daemon.
 *
 * Nobody here runs FINISH, and a session that was retrieved is not closed by its last holder
 * as long as one of steward and daemon lives.
 */
#pragma once

#include "core/config.h"
#include "core/early.h"

/* How many clients were started. name: argv[0] of this process, which the steward marks. */
unsigned clients_start(const Config *c, const EarlyClients *clients, char *name);
