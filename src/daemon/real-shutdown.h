/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The port to systemd's shutdown: liveupdate-keeper.service and kexec.target. */
#pragma once

#include <systemd/sd-bus.h>

#include "daemon/ports.h"

typedef struct RealShutdown {
        sd_bus *bus; /* a connection of its own, from the first use on: calls on it block */
        int run_fd;  /* borrowed; where the keeper finds us */
        int keeper_fd;
} RealShutdown;

extern const ShutdownOps real_shutdown_ops;

void real_shutdown_done(RealShutdown *s);
