/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config-bits.h"

static const char *const bits_place_table[_BITS_PLACE_MAX] = {
        [BITS_HEADER] = "header",         [BITS_HEADER_0] = "device-header", [BITS_HEADER_1] = "bridge-header",
        [BITS_CAPABILITY] = "capability", [BITS_EXTENDED] = "extended",
};

DEFINE_STRING_TABLE(bits_place, BitsPlace, bits_place_table);

static const char *const bits_class_table[_BITS_CLASS_MAX] = {
        [BITS_SAME] = "same",
        [BITS_EQUAL] = "equal",
        [BITS_HANDED] = "handed-over",
        [BITS_REWRITTEN] = "rewritten",
};

DEFINE_STRING_TABLE(bits_class, BitsClass, bits_class_table);

/* Reasons that hold for several registers. */
#define R_IDENTITY "Read-only: another value is another device"
#define R_SCRATCH "Software's own note; hardware does nothing with it"
#define R_BAR "Guests and peers hold these addresses; a BAR that moves is not found by DMA in flight"
#define R_WINDOW "The BARs below are reached through it; a window that moves cuts them off"
#define R_BUS "Requester ids in IOMMU tables and of DMA in flight have the bus number in them"
#define R_MSI "Starts disabled and cleared in the new kernel; the VFIO user sets it up again"
#define R_STATUS "Events, cleared by writing ones; the new kernel begins with a clean record"
#define R_ERROR "Error reporting is set up anew by the new kernel; it says nothing about the device's work"
#define R_POLICY "A policy of the kernel, applied when it finds the device; nothing is lost by it"
#define R_LINK "Link power management; the new kernel applies its own policy to a running link"
#define R_HOTPLUG "Set up anew by the hot-plug driver of the new kernel"
#define R_IOMMU "Set by the new kernel's IOMMU driver at attach, after translation was off"
#define R_VF "VFs are found by it; changing it moves or removes them with their state"
#define R_LATENCY "Conventional PCI only; rewritten with Bus Master"

#define HEADER(o, w, m, c, n, r) \
        { BITS_HEADER, 0, o, w, 0, 0, m, c, n, r }
#define DEVICE(o, w, m, c, n, r) \
        { BITS_HEADER_0, 0, o, w, 0, 0, m, c, n, r }
#define DEVICES(o, w, k, m, c, n, r) \
        { BITS_HEADER_0, 0, o, w, k, 0, m, c, n, r }
#define BRIDGE(o, w, m, c, n, r) \
        { BITS_HEADER_1, 0, o, w, 0, 0, m, c, n, r }
#define BRIDGES(o, w, k, m, c, n, r) \
        { BITS_HEADER_1, 0, o, w, k, 0, m, c, n, r }
#define CAP(i, o, w, m, c, n, r) \
        { BITS_CAPABILITY, i, o, w, 0, 0, m, c, n, r }
#define CAPS(i, o, w, k, m, c, n, r) \
        { BITS_CAPABILITY, i, o, w, k, 0, m, c, n, r }
#define EXT(i, o, w, m, c, n, r) \
        { BITS_EXTENDED, i, o, w, 0, 0, m, c, n, r }
#define EXTS(i, o, w, k, m, c, n, r) \
        { BITS_EXTENDED, i, o, w, k, 0, m, c, n, r }
#define EXT_BARS(i, o, m, c, n, r) \
        { BITS_EXTENDED, i, o, 4, BITS_COUNT_RESIZABLE, 8, m, c, n, r }

/* By place, capability and offset. clang-format would break each entry into four. */
/* clang-format off */
static const ConfigBits table[] = {
        HEADER(0x00, 2, 0xffff, BITS_SAME, "Vendor ID", R_IDENTITY),
        HEADER(0x02, 2, 0xffff, BITS_SAME, "Device ID", R_IDENTITY),
        HEADER(0x04, 2, 0x0001, BITS_EQUAL, "Command: I/O Space", "Who uses the device goes on using its ports; a cold boot opens them only when a driver enables the device"),
        HEADER(0x04, 2, 0x0002, BITS_EQUAL, "Command: Memory Space", "Peers may write into its BARs at any time; a cold boot opens them only when a driver enables the device"),
        HEADER(0x04, 2, 0x0004, BITS_HANDED, "Command: Bus Master", "DMA that runs through the jump ends with it; a cold boot has no DMA to keep"),
        HEADER(0x04, 2, 0x0038, BITS_REWRITTEN, "Command: Special Cycles, MWI, VGA Palette", R_POLICY),
        HEADER(0x04, 2, 0x0340, BITS_REWRITTEN, "Command: Parity, SERR#, Fast Back-to-Back", R_ERROR),
        HEADER(0x04, 2, 0x0400, BITS_REWRITTEN, "Command: INTx Disable", "Cleared when VFIO opens the device, set with MSI"),
        HEADER(0x06, 2, 0x06f1, BITS_SAME, "Status: abilities", R_IDENTITY),
        HEADER(0x06, 2, 0xf908, BITS_REWRITTEN, "Status: events", R_STATUS),
        HEADER(0x08, 1, 0xff, BITS_SAME, "Revision ID", R_IDENTITY),
        HEADER(0x08, 4, 0xffffff00, BITS_SAME, "Class Code", R_IDENTITY),
        HEADER(0x0c, 1, 0xff, BITS_REWRITTEN, "Cache Line Size", "Without effect on PCI Express; set by the kernel before it enables MWI"),
        HEADER(0x0d, 1, 0xff, BITS_REWRITTEN, "Latency Timer", R_LATENCY),
        HEADER(0x0e, 1, 0xff, BITS_SAME, "Header Type", R_IDENTITY),
        HEADER(0x0f, 1, 0xff, BITS_REWRITTEN, "BIST", "The result of a self-test that nobody runs"),
        HEADER(0x34, 1, 0xff, BITS_SAME, "Capabilities Pointer", R_IDENTITY),
        HEADER(0x3c, 1, 0xff, BITS_REWRITTEN, "Interrupt Line", R_SCRATCH),
        HEADER(0x3d, 1, 0xff, BITS_SAME, "Interrupt Pin", R_IDENTITY),

        DEVICES(0x10, 4, 6, 0xffffffff, BITS_EQUAL, "BAR", R_BAR),
        DEVICE(0x28, 4, 0xffffffff, BITS_SAME, "CardBus CIS Pointer", R_IDENTITY),
        DEVICE(0x2c, 4, 0xffffffff, BITS_SAME, "Subsystem IDs", R_IDENTITY),
        DEVICE(0x30, 4, 0xffffffff, BITS_REWRITTEN, "Expansion ROM", "Sized and closed by the new kernel; a running device does not need its ROM"),
        DEVICE(0x3e, 2, 0xffff, BITS_SAME, "Min_Gnt, Max_Lat", R_IDENTITY),

        BRIDGES(0x10, 4, 2, 0xffffffff, BITS_EQUAL, "BAR", R_BAR),
        BRIDGE(0x18, 1, 0xff, BITS_EQUAL, "Primary Bus", R_BUS),
        BRIDGE(0x19, 1, 0xff, BITS_EQUAL, "Secondary Bus", R_BUS),
        BRIDGE(0x1a, 1, 0xff, BITS_EQUAL, "Subordinate Bus", R_BUS),
        BRIDGE(0x1b, 1, 0xff, BITS_REWRITTEN, "Secondary Latency Timer", R_LATENCY),
        BRIDGE(0x1c, 2, 0xffff, BITS_EQUAL, "I/O Window", R_WINDOW),
        BRIDGE(0x1e, 2, 0xf900, BITS_REWRITTEN, "Secondary Status: events", R_STATUS),
        BRIDGE(0x1e, 2, 0x06e0, BITS_SAME, "Secondary Status: abilities", R_IDENTITY),
        BRIDGE(0x20, 4, 0xffffffff, BITS_EQUAL, "Memory Window", R_WINDOW),
        BRIDGES(0x24, 4, 3, 0xffffffff, BITS_EQUAL, "Prefetchable Window", R_WINDOW),
        BRIDGE(0x30, 4, 0xffffffff, BITS_EQUAL, "I/O Window, upper bits", R_WINDOW),
        BRIDGE(0x38, 4, 0xffffffff, BITS_REWRITTEN, "Expansion ROM", "Sized and closed by the new kernel; a running bridge does not need its ROM"),
        BRIDGE(0x3e, 2, 0x0004, BITS_EQUAL, "Bridge Control: ISA Enable", "Decides which ports below answer; a cold boot leaves it to the firmware, which does not run"),
        BRIDGE(0x3e, 2, 0x0040, BITS_EQUAL, "Bridge Control: Secondary Bus Reset", "Resets everything below"),
        BRIDGE(0x3e, 2, 0x0018, BITS_REWRITTEN, "Bridge Control: VGA", "Set by the kernel's VGA arbiter on demand"),
        BRIDGE(0x3e, 2, 0x0fa3, BITS_REWRITTEN, "Bridge Control: errors and timers", R_ERROR),

        CAP(0x01, 0x02, 2, 0xffff, BITS_SAME, "Power Management: abilities", R_IDENTITY),
        CAP(0x01, 0x04, 2, 0x0003, BITS_EQUAL, "Power Management: Power State", "Leaving D0 loses the device's state; a cold boot may, since nothing runs yet"),
        CAP(0x01, 0x04, 2, 0x0008, BITS_SAME, "Power Management: No Soft Reset", R_IDENTITY),
        CAP(0x01, 0x04, 2, 0x1f00, BITS_REWRITTEN, "Power Management: PME Enable, Data Select", "PME is switched off when the kernel finds the device, and on by who wants to be woken"),
        CAP(0x01, 0x04, 2, 0x8000, BITS_REWRITTEN, "Power Management: PME Status", R_STATUS),
        CAP(0x01, 0x07, 1, 0xff, BITS_REWRITTEN, "Power Management: Data", "Follows Data Select"),

        CAP(0x03, 0x02, 2, 0xffff, BITS_REWRITTEN, "VPD: Address", "A window for reading; whoever reads sets it"),
        CAP(0x03, 0x04, 4, 0xffffffff, BITS_REWRITTEN, "VPD: Data", "A window for reading; whoever reads sets it"),

        CAP(0x05, 0x02, 2, 0x038e, BITS_SAME, "MSI: abilities", R_IDENTITY),
        CAP(0x05, 0x02, 2, 0x0471, BITS_REWRITTEN, "MSI: Enable, Vectors", R_MSI),
        CAPS(0x05, 0x04, 4, 5, 0xffffffff, BITS_REWRITTEN, "MSI: Address, Data, Mask, Pending", R_MSI),

        CAP(0x0d, 0x04, 4, 0xffffffff, BITS_SAME, "Subsystem IDs", R_IDENTITY),

        CAP(0x10, 0x02, 2, 0xffff, BITS_SAME, "PCI Express: abilities", R_IDENTITY),
        CAP(0x10, 0x04, 4, 0xf003ffff, BITS_SAME, "Device: abilities", R_IDENTITY),
        CAP(0x10, 0x04, 4, 0x0ffc0000, BITS_REWRITTEN, "Device: Captured Slot Power Limit", "Sent by the port above whenever its link comes up"),
        CAP(0x10, 0x08, 2, 0x000f, BITS_REWRITTEN, "Device Control: error reporting", R_ERROR),
        CAP(0x10, 0x08, 2, 0x0010, BITS_REWRITTEN, "Device Control: Relaxed Ordering", R_POLICY),
        CAP(0x10, 0x08, 2, 0x00e0, BITS_EQUAL, "Device Control: Max Payload Size", "Both ends of a link must agree; changed under DMA, packets are malformed"),
        CAP(0x10, 0x08, 2, 0x0300, BITS_EQUAL, "Device Control: Extended Tag, Phantom Functions", "May not change while requests are outstanding; a cold boot has none"),
        CAP(0x10, 0x08, 2, 0x7c00, BITS_REWRITTEN, "Device Control: Aux Power, No Snoop, Max Read Request Size", R_POLICY),
        CAP(0x10, 0x08, 2, 0x8000, BITS_EQUAL, "Device Control: Function Level Reset, Bridge Retry", "Resets the device"),
        CAP(0x10, 0x0a, 2, 0xffff, BITS_REWRITTEN, "Device Status", R_STATUS),
        CAP(0x10, 0x0c, 4, 0xffffffff, BITS_SAME, "Link: abilities", R_IDENTITY),
        CAP(0x10, 0x10, 2, 0x0010, BITS_EQUAL, "Link Control: Link Disable", "Takes the link down, and with it the state of all below"),
        CAP(0x10, 0x10, 2, 0xffef, BITS_REWRITTEN, "Link Control: ASPM and the like", R_LINK),
        CAP(0x10, 0x12, 2, 0xffff, BITS_REWRITTEN, "Link Status", "What the link is like at present"),
        CAP(0x10, 0x14, 4, 0xffffffff, BITS_SAME, "Slot: abilities", R_IDENTITY),
        CAP(0x10, 0x18, 2, 0x0400, BITS_EQUAL, "Slot Control: Power Controller", "Off takes the power from the device"),
        CAP(0x10, 0x18, 2, 0xfbff, BITS_REWRITTEN, "Slot Control: events and indicators", R_HOTPLUG),
        CAP(0x10, 0x1a, 2, 0xffff, BITS_REWRITTEN, "Slot Status", R_STATUS),
        CAP(0x10, 0x1c, 2, 0xffff, BITS_REWRITTEN, "Root Control", R_ERROR),
        CAP(0x10, 0x1e, 2, 0xffff, BITS_SAME, "Root: abilities", R_IDENTITY),
        CAP(0x10, 0x20, 4, 0xffffffff, BITS_REWRITTEN, "Root Status", R_STATUS),
        CAP(0x10, 0x24, 4, 0xffffffff, BITS_SAME, "Device: more abilities", R_IDENTITY),
        CAP(0x10, 0x28, 2, 0x001f, BITS_REWRITTEN, "Device Control 2: Completion Timeout", R_POLICY),
        CAP(0x10, 0x28, 2, 0x0020, BITS_EQUAL, "Device Control 2: ARI Forwarding", "Without it functions above 7 and VFs are not reached; their requester ids are in use"),
        CAP(0x10, 0x28, 2, 0x00c0, BITS_EQUAL, "Device Control 2: AtomicOp Requester, Egress Blocking", "Set by the device's driver, which does not come again: the client lives on"),
        CAP(0x10, 0x28, 2, 0x0300, BITS_EQUAL, "Device Control 2: ID-Based Ordering", "Set by the device's driver, which does not come again: the client lives on"),
        CAP(0x10, 0x28, 2, 0x6c00, BITS_REWRITTEN, "Device Control 2: LTR, OBFF, emergency power", R_LINK),
        CAP(0x10, 0x28, 2, 0x1000, BITS_EQUAL, "Device Control 2: 10-Bit Tag Requester", "May not change while requests are outstanding; a cold boot has none"),
        CAP(0x10, 0x28, 2, 0x8000, BITS_EQUAL, "Device Control 2: Prefix Blocking", "Requests with a PASID in flight would be dropped"),
        CAP(0x10, 0x2a, 2, 0xffff, BITS_REWRITTEN, "Device Status 2", R_STATUS),
        CAP(0x10, 0x2c, 4, 0xffffffff, BITS_SAME, "Link: more abilities", R_IDENTITY),
        CAP(0x10, 0x30, 2, 0xffff, BITS_REWRITTEN, "Link Control 2", R_LINK),
        CAP(0x10, 0x32, 2, 0xffff, BITS_REWRITTEN, "Link Status 2", "What the link is like at present"),
        CAP(0x10, 0x34, 4, 0xffffffff, BITS_SAME, "Slot: more abilities", R_IDENTITY),
        CAP(0x10, 0x38, 4, 0xffffffff, BITS_REWRITTEN, "Slot Control 2, Status 2", R_HOTPLUG),

        CAP(0x11, 0x02, 2, 0x07ff, BITS_SAME, "MSI-X: Table Size", R_IDENTITY),
        CAP(0x11, 0x02, 2, 0xc000, BITS_REWRITTEN, "MSI-X: Enable, Function Mask", R_MSI),
        CAP(0x11, 0x04, 4, 0xffffffff, BITS_SAME, "MSI-X: Table", R_IDENTITY),
        CAP(0x11, 0x08, 4, 0xffffffff, BITS_SAME, "MSI-X: Pending Bits", R_IDENTITY),

        CAP(0x13, 0x02, 2, 0xffff, BITS_SAME, "Advanced Features: abilities", R_IDENTITY),
        CAP(0x13, 0x04, 1, 0x01, BITS_EQUAL, "Advanced Features: Function Level Reset", "Resets the device"),
        CAP(0x13, 0x05, 1, 0x01, BITS_REWRITTEN, "Advanced Features: Transactions Pending", "Whether requests are under way at present"),

        EXTS(0x0001, 0x04, 4, 10, 0xffffffff, BITS_REWRITTEN, "Advanced Error Reporting", R_ERROR),
        EXTS(0x0001, 0x2c, 4, 7, 0xffffffff, BITS_REWRITTEN, "Advanced Error Reporting: root and prefix log", R_ERROR),

        EXTS(0x0003, 0x04, 4, 2, 0xffffffff, BITS_SAME, "Serial Number", R_IDENTITY),

        EXT(0x000d, 0x04, 2, 0xffff, BITS_SAME, "ACS: abilities", R_IDENTITY),
        EXT(0x000d, 0x06, 2, 0x007f, BITS_EQUAL, "ACS: Control", "Decides on groups, and whether peers' requests in flight pass the IOMMU"),
        EXT(0x000d, 0x06, 2, 0x1f80, BITS_EQUAL, "ACS: Enhanced Control", "Decides which requests in flight pass"),

        EXT(0x000e, 0x04, 2, 0xffff, BITS_SAME, "ARI: abilities", R_IDENTITY),
        EXT(0x000e, 0x06, 2, 0xffff, BITS_EQUAL, "ARI: Control", "Function groups take part in access control"),

        EXT(0x000f, 0x04, 2, 0xffff, BITS_SAME, "ATS: abilities", R_IDENTITY),
        EXT(0x000f, 0x06, 2, 0xffff, BITS_REWRITTEN, "ATS: Control", R_IOMMU),

        EXT(0x0010, 0x04, 4, 0xffffffff, BITS_SAME, "SR-IOV: abilities", R_IDENTITY),
        EXT(0x0010, 0x08, 2, 0x0001, BITS_EQUAL, "SR-IOV: VF Enable", "Clearing it removes the VFs with their state; a cold boot begins without"),
        EXT(0x0010, 0x08, 2, 0x0006, BITS_REWRITTEN, "SR-IOV: VF Migration", "Deprecated; the kernel does not use it"),
        EXT(0x0010, 0x08, 2, 0x0008, BITS_EQUAL, "SR-IOV: VF Memory Space", "The BARs of all VFs answer with it; a cold boot opens them with VF Enable"),
        EXT(0x0010, 0x08, 2, 0x0030, BITS_EQUAL, "SR-IOV: ARI Capable Hierarchy, 10-Bit Tag", R_VF),
        EXT(0x0010, 0x0a, 2, 0xffff, BITS_REWRITTEN, "SR-IOV: Status", R_STATUS),
        EXTS(0x0010, 0x0c, 2, 2, 0xffff, BITS_SAME, "SR-IOV: InitialVFs, TotalVFs", R_IDENTITY),
        EXT(0x0010, 0x10, 2, 0xffff, BITS_EQUAL, "SR-IOV: NumVFs", R_VF),
        EXT(0x0010, 0x12, 1, 0xff, BITS_SAME, "SR-IOV: Function Dependency Link", R_IDENTITY),
        EXTS(0x0010, 0x14, 2, 2, 0xffff, BITS_EQUAL, "SR-IOV: First VF Offset, VF Stride", R_VF),
        EXT(0x0010, 0x1a, 2, 0xffff, BITS_SAME, "SR-IOV: VF Device ID", R_IDENTITY),
        EXT(0x0010, 0x1c, 4, 0xffffffff, BITS_SAME, "SR-IOV: Supported Page Sizes", R_IDENTITY),
        EXT(0x0010, 0x20, 4, 0xffffffff, BITS_EQUAL, "SR-IOV: System Page Size", "Sizes the VFs' BARs; may not change while VFs are enabled"),
        EXTS(0x0010, 0x24, 4, 6, 0xffffffff, BITS_EQUAL, "SR-IOV: VF BAR", R_BAR),
        EXT(0x0010, 0x3c, 4, 0xffffffff, BITS_SAME, "SR-IOV: VF Migration State", R_IDENTITY),

        EXT(0x0013, 0x04, 2, 0xffff, BITS_REWRITTEN, "PRI: Control", R_IOMMU),
        EXT(0x0013, 0x06, 2, 0xffff, BITS_REWRITTEN, "PRI: Status", R_STATUS),
        EXT(0x0013, 0x08, 4, 0xffffffff, BITS_SAME, "PRI: Capacity", R_IDENTITY),
        EXT(0x0013, 0x0c, 4, 0xffffffff, BITS_REWRITTEN, "PRI: Allocation", R_IOMMU),

        EXT_BARS(0x0015, 0x04, 0xffffffff, BITS_SAME, "Resizable BAR: Sizes", R_IDENTITY),
        EXT_BARS(0x0015, 0x08, 0xffffffff, BITS_EQUAL, "Resizable BAR: Size", R_BAR),

        EXTS(0x0018, 0x04, 2, 2, 0xffff, BITS_REWRITTEN, "LTR: Max Latency", R_LINK),

        EXT(0x001b, 0x04, 2, 0xffff, BITS_SAME, "PASID: abilities", R_IDENTITY),
        EXT(0x001b, 0x06, 2, 0xffff, BITS_REWRITTEN, "PASID: Control", R_IOMMU),

        EXT(0x001d, 0x04, 2, 0xffff, BITS_SAME, "DPC: abilities", R_IDENTITY),
        EXT(0x001d, 0x06, 2, 0xffff, BITS_REWRITTEN, "DPC: Control", R_ERROR),
        EXT(0x001d, 0x08, 4, 0xffffffff, BITS_REWRITTEN, "DPC: Status, Source", R_STATUS),

        EXT(0x001e, 0x04, 4, 0xffffffff, BITS_SAME, "L1 PM Substates: abilities", R_IDENTITY),
        EXTS(0x001e, 0x08, 4, 2, 0xffffffff, BITS_REWRITTEN, "L1 PM Substates: Control", R_LINK),

        EXT(0x001f, 0x04, 4, 0xffffffff, BITS_SAME, "PTM: abilities", R_IDENTITY),
        EXT(0x001f, 0x08, 4, 0xffffffff, BITS_REWRITTEN, "PTM: Control", R_POLICY),

        EXT_BARS(0x0024, 0x04, 0xffffffff, BITS_SAME, "VF Resizable BAR: Sizes", R_IDENTITY),
        EXT_BARS(0x0024, 0x08, 0xffffffff, BITS_EQUAL, "VF Resizable BAR: Size", R_BAR),
};
/* clang-format on */

const ConfigBits *config_bits_table(size_t *ret_n) {
        *ret_n = ELEMENTSOF(table);
        return table;
}

static const char *const capabilities[] = {
        [0x01] = "Power Management",    [0x03] = "VPD",         [0x05] = "MSI",   [0x09] = "Vendor-Specific",
        [0x0d] = "Subsystem IDs",       [0x10] = "PCI Express", [0x11] = "MSI-X", [0x13] = "Advanced Features",
        [0x14] = "Enhanced Allocation",
};

static const char *const extended[] = {
        [0x01] = "Advanced Error Reporting",
        [0x02] = "Virtual Channel",
        [0x03] = "Serial Number",
        [0x0b] = "Vendor-Specific",
        [0x0d] = "ACS",
        [0x0e] = "ARI",
        [0x0f] = "ATS",
        [0x10] = "SR-IOV",
        [0x13] = "PRI",
        [0x15] = "Resizable BAR",
        [0x17] = "TPH",
        [0x18] = "LTR",
        [0x19] = "Secondary PCI Express",
        [0x1b] = "PASID",
        [0x1d] = "DPC",
        [0x1e] = "L1 PM Substates",
        [0x1f] = "PTM",
        [0x23] = "Designated Vendor-Specific",
        [0x24] = "VF Resizable BAR",
        [0x25] = "Data Link Feature",
};

const char *config_capability_name(uint16_t id, bool is_extended) {
        if (is_extended)
                return id < ELEMENTSOF(extended) ? extended[id] : NULL;
        return id < ELEMENTSOF(capabilities) ? capabilities[id] : NULL;
}
