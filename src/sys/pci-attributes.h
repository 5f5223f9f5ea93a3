/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What sysfs says about a function beyond libpci: links and one-line files below the
 * function's directory. An attribute that is missing leaves its field as it is; one
 * that says nonsense does so too, with a note.
 */
#pragma once

#include "core/topology.h"

/* Where odd things are noted; topology may be NULL (nowhere). */
typedef struct ScanNotes {
        Topology *topology;
        char address[ADDRESS_TEXT_SIZE];
} ScanNotes;

int scan_note(const ScanNotes *notes, const char *format, ...) _printf_(2, 3);

/* physfn, driver, driver_override, reset_method, numa_node, power_state, the IOMMU
 * group and the VFIO device. -ENOMEM. */
int attributes_read(int dir_fd, const ScanNotes *notes, Function *f);
/* What the SR-IOV capability would have said, where it cannot be read. */
int attributes_read_sriov(int dir_fd, const ScanNotes *notes, Function *f);
/* *ret is NULL where there is none. */
int attributes_read_modalias(int dir_fd, const ScanNotes *notes, char **ret);
