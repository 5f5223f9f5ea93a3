/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ports of ports.h on the real machine, and the settings they are opened with. */
#pragma once

#include <stdatomic.h>

#include "core/config.h"
#include "daemon/ports.h"
#include "sys/clock.h"
#include "sys/modules.h"

typedef struct RealPorts {
        Config config;
        Rules rules;
        HostFacts host;
        HostFacts judged; /* the image worker's copy, with what takes long to find out */
        Clock clock;
        LuoDevice device;
        KexecReal kexec;
        Links *links; /* the image worker's; NULL until it is needed */
        ShimReal shim;
        HoldReal hold;
        unsigned store_max;
        atomic_uint n_stored;  /* descriptors in the service manager's store */
        ModulesIndex *modules; /* the image worker's; NULL until it is needed, or if there is none */
        Ports ports;
} RealPorts;

/* Logs what goes wrong. The directories are made if they are not there; without the state
 * directory, a loss in the jump is not reported. */
int real_ports_open(RealPorts *r, const char *run_dir, const char *state_dir);
/* Has the kernel modules with handlers loaded before /dev/liveupdate is opened for the first
 * time (sys/handlers.h). Part of every blackout: quick if the initrd did it. Nothing of it
 * is a failure. */
void real_ports_load_handlers(RealPorts *r);
/* Stops the workers: what they have queued is completed, so whoever asked must still be
 * there. */
void real_ports_stop(RealPorts *r);
void real_ports_done(RealPorts *r);
