/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which driver has a PCI function, which one may have it, and changing both: the files
 * "driver", "driver_override" and "drivers_probe" in sysfs (Documentation/ABI/testing/
 * sysfs-bus-pci). Below a root directory, "" or one of a test.
 *
 * Nothing is remembered, and nothing is put back; a failure leaves the function as far as
 * it came.
 */
#pragma once

#include "core/topology.h"

#include <limits.h>

#define VFIO_DRIVER "vfio-pci"

enum { DRIVER_NAME_SIZE = 64 };

typedef struct PciPlace {
        const char *root;
        char path[PATH_MAX]; /* of the function's directory */
        char address[ADDRESS_TEXT_SIZE];
} PciPlace;

/* -ENODEV: there is no such function. ret->address is set in any case. */
int driver_place(const char *root, Address address, PciPlace *ret);
/* "" if there is none. */
void driver_read(const PciPlace *p, char buf[static DRIVER_NAME_SIZE]);
void driver_read_override(const PciPlace *p, char buf[static DRIVER_NAME_SIZE]);
/* Whether a driver of this name gives a device to VFIO: vfio-pci and its variants. */
bool driver_is_vfio(const char *name);
/* "" forgets it. */
int driver_set_override(const PciPlace *p, const char *driver);
int driver_unbind(const PciPlace *p);
/* Any driver that may take it does; whether one did, the "driver" file says. */
int driver_probe(const PciPlace *p);
