/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PCI port: reads the functions of this machine, or of a tree that looks like
 * sysfs, into a topology. libpci gives the identity (with the kernel's corrections of
 * broken devices) and the configuration space; what it does not know comes from the
 * attributes themselves.
 *
 * Devices come and go while we look. One that is gone before all of it was read is
 * marked `removed` and noted; nothing that a device says makes a scan fail. What does
 * is memory, and a sysfs without PCI (-ENOENT).
 *
 * The configuration space is whole only for root; the kernel gives others the header.
 */
#pragma once

#include "core/topology.h"
#include "modules.h"

/* sysfs_root: "/sys". modules may be NULL: native drivers stay unknown then. The result
 * is linked. */
int topology_scan(const char *sysfs_root, ModulesIndex *modules, Topology *ret);
/* Reads one function again, or for the first time, into a linked topology. -ENODEV if
 * it is not there: then it is no longer in the topology either. Whatever comes back,
 * topology_link() comes next. */
int topology_scan_one(const char *sysfs_root, ModulesIndex *modules, Address address, Topology *t);
/* The configuration space as far as it can be read: 4096, 256 or 64 bytes, no more than
 * size. Returns how many; -ENODEV if the function is not there. */
int config_read(const char *sysfs_root, Address address, uint8_t *buf, size_t size);
