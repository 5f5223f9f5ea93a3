/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PCI topology as values: what each function is, and what it hangs on. The port
 * (sys/pci-scan) fills an array of functions in any order; topology_link() sorts it and
 * finds parents, physical functions and groups. Nothing here looks at the machine.
 *
 * A function's index in a linked topology is its place in address order (domain, bus,
 * slot, function); TOPOLOGY_NONE means none. Links are indices, so a topology can be
 * copied and freed as one array.
 */
#pragma once

#include "reason.h"

#include "common/table.h"

typedef struct Address {
        uint32_t domain; /* VMD and Hyper-V use more than 16 bits */
        uint8_t bus;
        uint8_t slot;     /* 0-31 */
        uint8_t function; /* 0-7; with ARI slot and function together are 0-255 */
} Address;

enum { ADDRESS_TEXT_SIZE = 20 }; /* "ffffffff:ff:1f.7" and a NUL */

/* "0000:01:02.3", also "01:02.3" with domain 0. Strict; -EINVAL. */
int address_parse(const char *s, Address *ret);
void address_format(Address a, char buf[static ADDRESS_TEXT_SIZE]);
int address_compare(Address a, Address b);

typedef enum Port {
        PORT_NONE, /* not a bridge */
        PORT_ROOT, /* PCIe capability, device/port type (PCIe base 7.5.3.2) */
        PORT_UPSTREAM,
        PORT_DOWNSTREAM,
        PORT_PCIE_TO_PCI,
        PORT_PCI_TO_PCIE,
        PORT_CONVENTIONAL, /* a bridge without a PCIe capability */
        _PORT_MAX,
} Port;
DECLARE_STRING_TABLE(port, Port);

typedef enum Native { /* the driver that would probe the function without driver_override */
                      NATIVE_UNKNOWN,
                      NATIVE_NONE,
                      NATIVE_MODULE,
                      NATIVE_BUILTIN,
                      _NATIVE_MAX,
} Native;
DECLARE_STRING_TABLE(native, Native);

typedef enum PowerState {
        POWER_UNKNOWN,
        POWER_D0,
        POWER_D1,
        POWER_D2,
        POWER_D3HOT,
        POWER_D3COLD,
        _POWER_MAX
} PowerState;
DECLARE_STRING_TABLE(power_state, PowerState);

#define TOPOLOGY_NONE UINT32_MAX

typedef struct Function {
        Address address;
        uint32_t class_code; /* 24 bits: class, subclass, interface */
        uint16_t vendor, device, subsystem_vendor, subsystem_device;
        uint8_t revision;
        uint8_t header_type; /* 0 device, 1 bridge, 2 cardbus; without the multi-function bit */
        bool multifunction;
        uint64_t serial; /* Device Serial Number capability; 0: none */
        Port port;
        uint8_t secondary, subordinate; /* bridges */

        /* SR-IOV */
        bool is_vf, is_pf; /* a PF has the SR-IOV capability, with VFs or without */
        Address physfn;    /* of a VF, as read */
        uint16_t num_vfs, total_vfs, vf_offset, vf_stride;

        /* Capabilities and their state. The words are as read from the register. */
        bool has_pcie, has_acs, has_ari, ari_forwarding, has_ats, has_pri, has_pasid;
        uint16_t acs_control;    /* of a device or port with ACS */
        uint16_t acs_capability; /* what it can do of that; 0: not read */
        bool ari_capable;        /* of a port: Device Capabilities 2 has ARI Forwarding Supported */
        bool ats_enabled, pri_enabled, pasid_enabled;
        bool has_msi, msi_enabled, has_msix, msix_enabled;
        bool bus_master;
        PowerState power;

        /* What the kernel says (sysfs); NULL or negative where it says nothing. Owned by
         * the topology. */
        char *driver, *driver_override, *reset_methods, *group_type, *vfio_cdev, *native_driver;
        Native native;
        int group;           /* IOMMU group; -1: none */
        int numa_node;       /* -1: none */
        bool removed;        /* vanished in mid-scan: only the address is true */
        uint64_t generation; /* rises with each change of the topology; when it was first seen */

        /* Links, by topology_link(). */
        uint32_t parent;   /* the bridge above; for a VF, the bridge above its PF */
        uint32_t pf;       /* of a VF */
        uint32_t first_vf; /* of a PF: its VFs as a list through next_vf */
        uint32_t next_vf;
        uint32_t next_in_group; /* ring through all functions of the IOMMU group; itself if alone */
} Function;

typedef struct Topology {
        Function *items;
        size_t n, n_allocated;
        char **notes; /* what was odd, one sentence each: a vanished device, a VF without its PF */
        size_t n_notes;
        size_t link_notes, n_link_notes; /* which of them topology_link() made */
} Topology;

enum { TOPOLOGY_NOTES_MAX = 1000 }; /* more are counted in the last one */

void topology_done(Topology *t);
/* A new, zeroed function (group and numa -1, links NONE), or NULL. The pointer holds
 * until the next function is added. */
Function *topology_add(Topology *t, Address address);
/* Takes one out. Indices and links are wrong until the next topology_link(). */
void topology_remove(Topology *t, uint32_t index);
int topology_note(Topology *t, const char *format, ...) _printf_(2, 3);
/* Sorts and links. Duplicate addresses, bus ranges that contradict each other, cycles
 * and VFs without a PF become notes (in place of those of the last time); what remains
 * is a forest. n log n. May be called again after changes. */
int topology_link(Topology *t);
/* Index, or TOPOLOGY_NONE. log n. The topology must be linked. */
uint32_t topology_find(const Topology *t, Address address);
