/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's picture of the PCI topology: scanned once beside the loop when the
 * daemon serves its clients already, then kept current by kernel events, one function
 * at a time, without a rescan of all. A plan made from it goes stale when an event
 * touches one of its devices; who asked is told which.
 *
 * The topology is only touched in the loop; the workers fill copies.
 */
#pragma once

#include "core/order.h"
#include "daemon/ports.h"

typedef struct Devices Devices;

typedef struct DevicesEvents {
        /* These functions changed, came or went; also those whose plan depends on them. */
        void (*stale)(void *userdata, const Address *addresses, size_t n);
} DevicesEvents;

int devices_new(const Ports *ports, const DevicesEvents *events, void *userdata, Devices **ret);
Devices *devices_free(Devices *d);

/* Queues a scan of all; scanned is told when it is over. */
int devices_scan(Devices *d);
/* A kernel event named this function: looks at it again, or finds that it is gone. */
int devices_touch(Devices *d, Address address);
/* Events were lost: scans all again. */
int devices_lost_events(Devices *d);

/* NULL until the first scan is over. */
const Topology *devices_topology(const Devices *d);
/* Rises with each function that comes; see Function.generation. */
uint64_t devices_generation(const Devices *d);
/* Runs done(userdata) as soon as the topology is there: at once, or after the scan. */
typedef void (*devices_ready_t)(void *userdata);
int devices_when_ready(Devices *d, devices_ready_t done, void *userdata);
