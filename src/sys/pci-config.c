/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pci-config.h"

#include <endian.h>
#include <linux/pci_regs.h>

/* Terminates the walk through a list. */
#define UNREADABLE "a capability cannot be read"

static bool read_at(const ConfigReader *reader, unsigned offset, void *buf, unsigned size) {
        return offset + size <= CONFIG_SPACE_SIZE && reader->read(reader->userdata, offset, buf, size);
}

static uint16_t get16(const uint8_t *p) {
        uint16_t v;

        memcpy(&v, p, sizeof(v));
        return le16toh(v);
}

static uint32_t get32(const uint8_t *p) {
        uint32_t v;

        memcpy(&v, p, sizeof(v));
        return le32toh(v);
}

static Port port_from_type(unsigned type) {
        switch (type) {
        case PCI_EXP_TYPE_ROOT_PORT:
                return PORT_ROOT;
        case PCI_EXP_TYPE_UPSTREAM:
                return PORT_UPSTREAM;
        case PCI_EXP_TYPE_DOWNSTREAM:
                return PORT_DOWNSTREAM;
        case PCI_EXP_TYPE_PCI_BRIDGE:
                return PORT_PCIE_TO_PCI;
        case PCI_EXP_TYPE_PCIE_BRIDGE:
                return PORT_PCI_TO_PCIE;
        default:
                return PORT_NONE;
        }
}

static const char *parse_express(const ConfigReader *reader, unsigned at, uint16_t flags, Function *f) {
        Port port = port_from_type((flags & PCI_EXP_FLAGS_TYPE) >> 4);
        uint8_t capabilities2[4], control2[2];

        f->has_pcie = true;
        if (f->port == PORT_NONE) /* the header is not a bridge's */
                return port == PORT_NONE ? NULL : "its port type is a bridge's, its header is not";
        if (port == PORT_NONE)
                return "its header is a bridge's, its port type is not";
        f->port = port;
        /* Version 1 of the capability ends before Device Control 2. */
        if ((port != PORT_ROOT && port != PORT_DOWNSTREAM) || (flags & PCI_EXP_FLAGS_VERS) < 2)
                return NULL;
        if (!read_at(reader, at + PCI_EXP_DEVCAP2, capabilities2, sizeof(capabilities2)) ||
            !read_at(reader, at + PCI_EXP_DEVCTL2, control2, sizeof(control2)))
                return UNREADABLE;
        f->ari_capable = capabilities2[0] & PCI_EXP_DEVCAP2_ARI;
        f->ari_forwarding = get16(control2) & PCI_EXP_DEVCTL2_ARI;
        return NULL;
}

static const char *parse_power(const ConfigReader *reader, unsigned at, Function *f) {
        static const PowerState states[] = { POWER_D0, POWER_D1, POWER_D2, POWER_D3HOT };
        uint8_t control[2];

        if (f->power != POWER_UNKNOWN)
                return NULL;
        if (!read_at(reader, at + PCI_PM_CTRL, control, sizeof(control)))
                return UNREADABLE;
        f->power = states[get16(control) & PCI_PM_CTRL_STATE_MASK];
        return NULL;
}

static const char *parse_capability(const ConfigReader *reader, unsigned at, const uint8_t head[4], Function *f) {
        uint16_t flags = get16(head + PCI_CAP_FLAGS);

        switch (head[PCI_CAP_LIST_ID]) {
        case PCI_CAP_ID_PM:
                return parse_power(reader, at, f);
        case PCI_CAP_ID_MSI:
                f->has_msi = true;
                f->msi_enabled = flags & PCI_MSI_FLAGS_ENABLE;
                return NULL;
        case PCI_CAP_ID_MSIX:
                f->has_msix = true;
                f->msix_enabled = flags & PCI_MSIX_FLAGS_ENABLE;
                return NULL;
        case PCI_CAP_ID_EXP:
                return parse_express(reader, at, flags, f);
        default:
                return NULL;
        }
}

static const char *parse_capabilities(const ConfigReader *reader, unsigned at, Function *f) {
        const char *problem = NULL, *p;
        uint64_t seen = 0; /* a bit for each double word */
        uint8_t head[4];

        while (at != 0) {
                if (at < CONFIG_HEADER_SIZE)
                        return "its list of capabilities points into the header";
                if (seen & UINT64_C(1) << at / 4)
                        return "its list of capabilities runs in a circle";
                seen |= UINT64_C(1) << at / 4;
                if (!read_at(reader, at, head, sizeof(head)))
                        return UNREADABLE;
                if (head[PCI_CAP_LIST_ID] == 0xff)
                        return "its list of capabilities points to where nothing answers";
                p = parse_capability(reader, at, head, f);
                problem = problem ? problem : p;
                at = head[PCI_CAP_LIST_NEXT] & ~3U;
        }
        return problem;
}

static const char *parse_sriov(const ConfigReader *reader, unsigned at, Function *f) {
        uint8_t b[PCI_SRIOV_VF_STRIDE + 2 - PCI_SRIOV_CTRL];

        if (!read_at(reader, at + PCI_SRIOV_CTRL, b, sizeof(b)))
                return UNREADABLE;
        f->is_pf = true;
        f->total_vfs = get16(b + PCI_SRIOV_TOTAL_VF - PCI_SRIOV_CTRL);
        f->vf_offset = get16(b + PCI_SRIOV_VF_OFFSET - PCI_SRIOV_CTRL);
        f->vf_stride = get16(b + PCI_SRIOV_VF_STRIDE - PCI_SRIOV_CTRL);
        /* Without VF Enable the register holds what was, or what will be. */
        if (get16(b) & PCI_SRIOV_CTRL_VFE)
                f->num_vfs = get16(b + PCI_SRIOV_NUM_VF - PCI_SRIOV_CTRL);
        return f->num_vfs > f->total_vfs ? "it has more VFs enabled than it can have" : NULL;
}

static const char *parse_serial(const ConfigReader *reader, unsigned at, Function *f) {
        uint8_t b[8];

        if (!read_at(reader, at + 4, b, sizeof(b)))
                return UNREADABLE;
        f->serial = (uint64_t)get32(b + 4) << 32 | get32(b);
        return NULL;
}

static const char *parse_extended_capability(const ConfigReader *reader, unsigned at, uint16_t id, Function *f) {
        uint8_t b[4]; /* the double word after the head: capability and control, mostly */

        if (id == PCI_EXT_CAP_ID_ARI)
                f->has_ari = true;
        if (id == PCI_EXT_CAP_ID_SRIOV)
                return parse_sriov(reader, at, f);
        if (id == PCI_EXT_CAP_ID_DSN)
                return parse_serial(reader, at, f);
        if (id != PCI_EXT_CAP_ID_ACS && id != PCI_EXT_CAP_ID_ATS && id != PCI_EXT_CAP_ID_PRI &&
            id != PCI_EXT_CAP_ID_PASID)
                return NULL;
        if (!read_at(reader, at + 4, b, sizeof(b)))
                return UNREADABLE;
        switch (id) {
        case PCI_EXT_CAP_ID_ACS:
                f->has_acs = true;
                f->acs_capability = get16(b);
                f->acs_control = get16(b + PCI_ACS_CTRL - 4);
                break;
        case PCI_EXT_CAP_ID_ATS:
                f->has_ats = true;
                f->ats_enabled = get16(b + PCI_ATS_CTRL - 4) & PCI_ATS_CTRL_ENABLE;
                break;
        case PCI_EXT_CAP_ID_PRI:
                f->has_pri = true;
                f->pri_enabled = get16(b + PCI_PRI_CTRL - 4) & PCI_PRI_CTRL_ENABLE;
                break;
        default:
                f->has_pasid = true;
                f->pasid_enabled = get16(b + PCI_PASID_CTRL - 4) & PCI_PASID_CTRL_ENABLE;
                break;
        }
        return NULL;
}

static const char *parse_extended_capabilities(const ConfigReader *reader, Function *f) {
        uint8_t seen[CONFIG_SPACE_SIZE / 4 / 8] = {}, head[4];
        const char *problem = NULL, *p;
        unsigned at = CONFIG_SPACE_CONVENTIONAL;
        uint32_t header;

        /* That there is no extended space is no problem: not all machines can reach it. */
        if (!read_at(reader, at, head, sizeof(head)))
                return NULL;
        for (header = get32(head); header != 0 && header != UINT32_MAX; header = get32(head)) {
                seen[at / 4 / 8] |= (uint8_t)(1U << at / 4 % 8);
                p = parse_extended_capability(reader, at, (uint16_t)(header & 0xffff), f);
                problem = problem ? problem : p;
                at = header >> 20 & 0xffc;
                if (at == 0)
                        return problem;
                if (at < CONFIG_SPACE_CONVENTIONAL)
                        return "its list of extended capabilities points out of the extended space";
                if (seen[at / 4 / 8] & 1U << at / 4 % 8)
                        return "its list of extended capabilities runs in a circle";
                if (!read_at(reader, at, head, sizeof(head)))
                        return UNREADABLE;
        }
        return problem;
}

static bool all_ones(const uint8_t *p, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (p[i] != 0xff)
                        return false;
        return true;
}

const char *config_space_parse(const ConfigReader *reader, Function *f) {
        uint8_t h[CONFIG_HEADER_SIZE];
        const char *problem, *p;
        unsigned list = PCI_CAPABILITY_LIST;

        if (!read_at(reader, 0, h, sizeof(h)))
                return "its configuration space cannot be read";
        if (all_ones(h, sizeof(h)))
                return "it does not answer: its configuration space is all ones";
        f->header_type = h[PCI_HEADER_TYPE] & PCI_HEADER_TYPE_MASK;
        f->multifunction = h[PCI_HEADER_TYPE] & 0x80;
        f->bus_master = get16(h + PCI_COMMAND) & PCI_COMMAND_MASTER;
        switch (f->header_type) {
        case PCI_HEADER_TYPE_NORMAL:
                break;
        case PCI_HEADER_TYPE_CARDBUS:
                list = PCI_CB_CAPABILITY_LIST;
                /* fallthrough */
        case PCI_HEADER_TYPE_BRIDGE:
                f->port = PORT_CONVENTIONAL;
                f->secondary = h[PCI_SECONDARY_BUS];
                f->subordinate = h[PCI_SUBORDINATE_BUS];
                break;
        default:
                return "its header is of an unknown type";
        }
        if (!(get16(h + PCI_STATUS) & PCI_STATUS_CAP_LIST))
                return NULL;
        problem = parse_capabilities(reader, h[list] & ~3U, f);
        if (!f->has_pcie)
                return problem;
        p = parse_extended_capabilities(reader, f);
        return problem ? problem : p;
}
