/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration space of a node: header, the list of capabilities from 0x40, the
 * list of extended ones from 0x100. Offsets and registers as in linux/pci_regs.h.
 */
#include "sysfs-tree.h"

#include <linux/pci_regs.h>

enum { AT_PM = 0x40, AT_MSI = 0x50, AT_MSIX = 0x70, AT_EXPRESS = 0x80 };

static void put16(uint8_t *c, unsigned at, uint16_t v) {
        c[at] = (uint8_t)v;
        c[at + 1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *c, unsigned at, uint32_t v) {
        put16(c, at, (uint16_t)v);
        put16(c, at + 2, (uint16_t)(v >> 16));
}

static void put_header(const SysfsNode *n, uint8_t *c) {
        bool bridge = n->port != PORT_NONE;

        put16(c, PCI_VENDOR_ID, n->pf ? 0xffff : n->vendor); /* VFs do not say who they are */
        put16(c, PCI_DEVICE_ID, n->pf ? 0xffff : n->device);
        put16(c, PCI_COMMAND, (uint16_t)(PCI_COMMAND_MEMORY | (n->bus_master ? PCI_COMMAND_MASTER : 0)));
        put16(c, PCI_STATUS, PCI_STATUS_CAP_LIST);
        put32(c, PCI_CLASS_REVISION, n->class_code << 8 | 1);
        c[PCI_HEADER_TYPE] = (uint8_t)((bridge ? 1 : 0) | (n->multifunction ? 0x80 : 0));
        if (bridge) {
                c[PCI_PRIMARY_BUS] = n->address.bus;
                c[PCI_SECONDARY_BUS] = n->secondary;
                c[PCI_SUBORDINATE_BUS] = n->subordinate;
        } else {
                put32(c, PCI_BASE_ADDRESS_0, n->pf ? 0 : 0xfe000000);
                put16(c, PCI_SUBSYSTEM_VENDOR_ID, n->subsystem_vendor);
                put16(c, PCI_SUBSYSTEM_ID, n->subsystem_device);
        }
}

/* A capability behind the last one; *link is where the pointer to it belongs. */
static void chain(uint8_t *c, unsigned *link, unsigned at, uint8_t id) {
        c[*link] = (uint8_t)at;
        c[at] = id;
        *link = at + PCI_CAP_LIST_NEXT;
}

static uint16_t express_type(const SysfsNode *n) {
        static const uint8_t types[_PORT_MAX] = {
                [PORT_NONE] = PCI_EXP_TYPE_ENDPOINT,          [PORT_ROOT] = PCI_EXP_TYPE_ROOT_PORT,
                [PORT_UPSTREAM] = PCI_EXP_TYPE_UPSTREAM,      [PORT_DOWNSTREAM] = PCI_EXP_TYPE_DOWNSTREAM,
                [PORT_PCIE_TO_PCI] = PCI_EXP_TYPE_PCI_BRIDGE, [PORT_PCI_TO_PCIE] = PCI_EXP_TYPE_PCIE_BRIDGE,
        };

        return types[n->port];
}

static uint16_t pm_state(const SysfsNode *n) {
        PowerState state = POWER_D0;

        if (n->power_state && power_state_from_string(n->power_state) > POWER_D0)
                state = (PowerState)power_state_from_string(n->power_state);
        return (uint16_t)MIN_OF(state - POWER_D0, 3);
}

static void put_capabilities(const SysfsNode *n, uint8_t *c) {
        unsigned link = PCI_CAPABILITY_LIST;

        if (!n->pf) {
                chain(c, &link, AT_PM, PCI_CAP_ID_PM);
                put16(c, AT_PM + PCI_PM_PMC, 3);
                put16(c, AT_PM + PCI_PM_CTRL, pm_state(n));
        }
        if (n->msi) {
                chain(c, &link, AT_MSI, PCI_CAP_ID_MSI);
                put16(c, AT_MSI + PCI_MSI_FLAGS,
                      (uint16_t)(PCI_MSI_FLAGS_64BIT | (n->msi_on ? PCI_MSI_FLAGS_ENABLE : 0)));
        }
        if (n->msix) {
                chain(c, &link, AT_MSIX, PCI_CAP_ID_MSIX);
                put16(c, AT_MSIX + PCI_MSIX_FLAGS, (uint16_t)(0x1f | (n->msix_on ? PCI_MSIX_FLAGS_ENABLE : 0)));
        }
        if (!n->conventional) {
                chain(c, &link, AT_EXPRESS, PCI_CAP_ID_EXP);
                put16(c, AT_EXPRESS + PCI_EXP_FLAGS, (uint16_t)(2 | express_type(n) << 4));
                put16(c, AT_EXPRESS + PCI_EXP_DEVCTL2, n->ari_forwarding ? PCI_EXP_DEVCTL2_ARI : 0);
        }
}

typedef struct Extended {
        uint8_t *c;
        unsigned last, end; /* the last capability, and where the next one goes */
} Extended;

static unsigned extend(Extended *e, uint16_t id, unsigned size) {
        unsigned at = e->end;

        if (e->last > 0)
                e->c[e->last + 2] |= (uint8_t)(at << 4), e->c[e->last + 3] = (uint8_t)(at >> 4);
        put32(e->c, at, id | 1U << 16);
        e->last = at;
        e->end = (at + size + 7) & ~7U;
        return at;
}

static void put_sriov(const SysfsNode *n, Extended *e) {
        unsigned at = extend(e, PCI_EXT_CAP_ID_SRIOV, 0x40);

        put16(e->c, at + PCI_SRIOV_CTRL,
              (uint16_t)(n->n_vfs > 0 ? PCI_SRIOV_CTRL_VFE | PCI_SRIOV_CTRL_MSE | PCI_SRIOV_CTRL_ARI : 0));
        put16(e->c, at + PCI_SRIOV_INITIAL_VF, n->total_vfs);
        put16(e->c, at + PCI_SRIOV_TOTAL_VF, n->total_vfs);
        put16(e->c, at + PCI_SRIOV_NUM_VF, n->n_vfs);
        put16(e->c, at + PCI_SRIOV_VF_OFFSET, n->vf_offset);
        put16(e->c, at + PCI_SRIOV_VF_STRIDE, n->vf_stride);
}

static void put_extended(const SysfsNode *n, uint8_t *c) {
        Extended e = { .c = c, .end = 0x100 };
        unsigned at;

        (void)extend(&e, PCI_EXT_CAP_ID_ERR, 0x48);
        if (n->serial) {
                at = extend(&e, PCI_EXT_CAP_ID_DSN, 12);
                put32(c, at + 4, (uint32_t)n->serial);
                put32(c, at + 8, (uint32_t)(n->serial >> 32));
        }
        if (n->acs) {
                at = extend(&e, PCI_EXT_CAP_ID_ACS, 8);
                put16(c, at + PCI_ACS_CAP, 0x5f);
                put16(c, at + PCI_ACS_CTRL, n->acs_control);
        }
        if (n->ari)
                (void)extend(&e, PCI_EXT_CAP_ID_ARI, 8);
        if (n->ats)
                put16(c, extend(&e, PCI_EXT_CAP_ID_ATS, 8) + PCI_ATS_CTRL, n->ats_on ? PCI_ATS_CTRL_ENABLE : 0);
        if (n->sriov)
                put_sriov(n, &e);
        if (n->pri)
                put16(c, extend(&e, PCI_EXT_CAP_ID_PRI, 16) + PCI_PRI_CTRL, n->ats_on ? PCI_PRI_CTRL_ENABLE : 0);
        if (n->pasid)
                put16(c, extend(&e, PCI_EXT_CAP_ID_PASID, 8) + PCI_PASID_CTRL, n->ats_on ? PCI_PASID_CTRL_ENABLE : 0);
}

size_t sysfs_config(const SysfsNode *n, uint8_t config[static 4096]) {
        memset(config, 0, 4096);
        put_header(n, config);
        put_capabilities(n, config);
        if (n->conventional)
                return 256;
        put_extended(n, config);
        return 4096;
}
