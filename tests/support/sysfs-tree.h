/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Builds trees that look like /sys to who reads PCI devices there, in the words of the
 * domain: what hangs on what is said first, sysfs_write() then numbers the buses depth
 * first, as firmware does, and writes the files: configuration spaces of real layout,
 * attributes, and the links between functions, groups and drivers.
 *
 * Verbs return a node with usual values; its fields may be changed up to sysfs_write(),
 * which fills in address and buses. Bridges are given a slot of their own, in the order
 * of the calls. Nodes belong to the tree. What goes wrong here is a fault of the test,
 * or of the machine, and aborts.
 */
#pragma once

#include "core/topology.h"

typedef struct SysfsTree SysfsTree;
typedef struct SysfsNode SysfsNode;

struct SysfsNode {
        SysfsTree *tree;
        SysfsNode *parent, *children, *last_child, *next; /* next: of the same parent */
        bool host;                                        /* the host bridge: no function itself */

        /* By sysfs_write(). */
        Address address;
        uint8_t secondary, subordinate;

        uint16_t vendor, device, subsystem_vendor, subsystem_device;
        uint32_t class_code;
        uint64_t serial; /* 0: no such capability */
        Port port;
        unsigned slot, function;
        bool multifunction;
        bool conventional; /* no PCIe capability */
        bool acs, ari, ats, pri, pasid, msi, msix;
        bool ari_forwarding, ats_on, msi_on, msix_on, bus_master;
        uint16_t acs_control;

        SysfsNode *pf;       /* of a VF */
        SysfsNode *first_vf; /* of a PF; the others come next */
        unsigned vf_index;
        bool sriov; /* a PF */
        uint16_t total_vfs, n_vfs, vf_offset, vf_stride;

        int group, numa_node;
        const char *driver, *driver_override, *reset_method, *group_type, *power_state, *vfio;
};

/* An empty tree in a new directory below dir (NULL: $TMPDIR, or /tmp). */
SysfsTree *sysfs_new(const char *dir);
/* The same in a directory that stays when the tree is freed. */
SysfsTree *sysfs_new_at(const char *path);
void sysfs_free(SysfsTree *t);
DEFINE_CLEANUP(SysfsTree, sysfs_free);
const char *sysfs_root(const SysfsTree *t);

/* The root complex of a domain, with bus `bus` as its first. */
SysfsNode *sysfs_domain(SysfsTree *t, uint32_t domain, uint8_t bus);
SysfsNode *sysfs_root_port(SysfsNode *host);
SysfsNode *sysfs_upstream(SysfsNode *above);
SysfsNode *sysfs_downstream(SysfsNode *upstream);
SysfsNode *sysfs_pcie_to_pci(SysfsNode *above);
SysfsNode *sysfs_conventional_bridge(SysfsNode *above);
/* An endpoint in the next slot; beside(): the next function of the same device. */
SysfsNode *sysfs_function(SysfsNode *above);
SysfsNode *sysfs_beside(SysfsNode *function);
/* A PF that can have total VFs and has n, which follow at once on the buses of the
 * bridge above, in ARI numbering. */
SysfsNode *sysfs_pf(SysfsNode *above, unsigned total, unsigned n);
SysfsNode *sysfs_vf(SysfsNode *pf, unsigned index);
/* Puts the nodes, up to a NULL, into one new IOMMU group. Each other function gets a
 * group of its own, unless the tree has no IOMMU. */
void sysfs_group(SysfsNode *first, ...) __attribute__((sentinel));
void sysfs_no_iommu(SysfsTree *t);

/* Writes it all, once. */
void sysfs_write(SysfsTree *t);

/* Afterwards: the world changes. Attributes are paths below the function's directory. */
void sysfs_set(SysfsNode *n, const char *attribute, const char *value);
void sysfs_set_bytes(SysfsNode *n, const char *attribute, const void *data, size_t size);
void sysfs_set_link(SysfsNode *n, const char *attribute, const char *target);
/* The type of the node's IOMMU group. */
void sysfs_set_group_type(SysfsNode *n, const void *data, size_t size);
/* So that it can be opened, but not read. */
void sysfs_make_unreadable(SysfsNode *n, const char *attribute);
void sysfs_unset(SysfsNode *n, const char *attribute);
/* Rewrites the configuration space from the node's fields. */
void sysfs_write_config(SysfsNode *n);
/* The function with its directory, in the kernel's order; with leave_link, the moment in
 * between, when the directory is gone and the bus's link to it is not. */
void sysfs_unplug(SysfsNode *n, bool leave_link);
void sysfs_plug(SysfsNode *n);
/* Something that is no device among the devices. */
void sysfs_add_entry(SysfsTree *t, const char *name);
/* The configuration space as the fields say, without a file. Returns its size. */
size_t sysfs_config(const SysfsNode *n, uint8_t config[static 4096]);
