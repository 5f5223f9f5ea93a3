/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What hangs on what among the devices that the daemon listed: for the tree, the graph
 * and `explain`. Pure; n log n. The daemon's answer is believed only so far: whatever
 * it says, the links lead up to a root in at most DEVICE_DEPTH steps.
 */
#pragma once

#include "model.h"

#define NO_DEVICE SIZE_MAX
/* A domain has 256 buses, so no device is below more bridges; and a VF is below its PF. */
enum { DEVICE_DEPTH = 300 };

typedef struct DeviceLink {
        size_t above; /* what it needs first: of a VF its PF, else the bridge; or NO_DEVICE */
        bool is_vf;   /* above is its PF */
        size_t n_vfs;
} DeviceLink;

/* One for each device of a list that is sorted, as bus_list_devices() gives it. */
int device_links(const DeviceList *list, DeviceLink **ret);
/* Index of this address; NO_DEVICE. */
size_t device_find(const DeviceList *list, const char *address);
/* Indices by IOMMU group, then address; those without a group first. */
int device_by_group(const DeviceList *list, size_t **ret);

/* What a device depends on, and why. */
typedef enum Relation { RELATION_PF, RELATION_BRIDGE, RELATION_GROUP } Relation;

typedef struct Dependency {
        size_t device;
        Relation relation;
} Dependency;

typedef struct Dependencies {
        Dependency *items; /* upwards, then the rest of its group */
        size_t n;
} Dependencies;

void dependencies_done(Dependencies *d);
#define _cleanup_dependencies_ _cleanup_(dependencies_done)
int device_dependencies(const DeviceList *list, size_t device, Dependencies *ret);
const char *relation_word(Relation relation);
const char *relation_reason(Relation relation);
