/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Holding a device without a VM manager: giving it to vfio-pci, opening it, binding it to
 * an iommufd of its own. Nothing is mapped, so it can do no DMA. The steps are apart, so
 * that the daemon takes back what it did when a later one fails. All may take long: a
 * driver lets go when it likes. The daemon calls them from a worker.
 *
 * Two implementations: sysfs and the device nodes (vfio-hold.c), and a struct in
 * tests/fakes.
 */
#pragma once

#include "core/topology.h"
#include "pci-driver.h"

/* What a device had before it was given to vfio-pci. */
typedef struct HoldDriver {
        bool changed;
        char driver[DRIVER_NAME_SIZE], override[DRIVER_NAME_SIZE]; /* "": none */
} HoldDriver;

typedef struct HoldOps {
        /* Has vfio-pci bound to it. A VFIO driver that has it already is left; another one
         * only goes if rebind is set, else REASON_DRIVER_IN_USE. */
        int (*bind)(void *self, Address address, bool rebind, HoldDriver *ret, Refusal *refusal);
        /* Puts back what bind() changed, as far as it goes. */
        void (*unbind)(void *self, Address address, const HoldDriver *before);
        /* The VFIO device node. */
        int (*open)(void *self, Address address, int *ret_fd, Refusal *refusal);
        /* A new iommufd to which the device is bound, and attached where there is an IOMMU. */
        int (*attach)(void *self, Address address, int device_fd, int *ret_iommu_fd, Refusal *refusal);
} HoldOps;

typedef struct HoldPort {
        const HoldOps *ops; /* NULL: there is none */
        void *self;
} HoldPort;

typedef struct HoldReal {
        const char *root; /* "" but in tests */
} HoldReal;

HoldPort hold_real(HoldReal *h, const char *root);
