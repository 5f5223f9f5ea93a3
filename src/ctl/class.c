/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words for PCI class codes (PCI Code and ID Assignment Specification): the ones hosts
 * have, and for the rest the class alone. The digits are always shown with them, so
 * nothing is lost where a word is missing.
 */
#include "class.h"

typedef struct ClassName {
        uint32_t code, mask;
        const char *name;
} ClassName;

enum { INTERFACE = 0xffffff, SUBCLASS = 0xffff00, CLASS = 0xff0000 };

/* The first that fits counts: interfaces before subclasses before classes. */
static const ClassName class_names[] = {
        { 0x010601, INTERFACE, "AHCI SATA controller" },
        { 0x010802, INTERFACE, "NVMe controller" },
        { 0x010803, INTERFACE, "NVMe administrative controller" },
        { 0x060401, INTERFACE, "subtractive PCI bridge" },
        { 0x0c0300, INTERFACE, "UHCI USB controller" },
        { 0x0c0310, INTERFACE, "OHCI USB controller" },
        { 0x0c0320, INTERFACE, "EHCI USB controller" },
        { 0x0c0330, INTERFACE, "xHCI USB controller" },
        { 0x0c0340, INTERFACE, "USB4 host interface" },
        { 0x0c03fe, INTERFACE, "USB device" },

        { 0x000100, SUBCLASS, "VGA device (old)" },
        { 0x010000, SUBCLASS, "SCSI controller" },
        { 0x010100, SUBCLASS, "IDE controller" },
        { 0x010400, SUBCLASS, "RAID controller" },
        { 0x010600, SUBCLASS, "SATA controller" },
        { 0x010700, SUBCLASS, "SAS controller" },
        { 0x010800, SUBCLASS, "non-volatile memory controller" },
        { 0x020000, SUBCLASS, "Ethernet controller" },
        { 0x020700, SUBCLASS, "InfiniBand controller" },
        { 0x020800, SUBCLASS, "fabric controller" },
        { 0x030000, SUBCLASS, "VGA controller" },
        { 0x030200, SUBCLASS, "3D controller" },
        { 0x040100, SUBCLASS, "audio device" },
        { 0x040300, SUBCLASS, "HD audio device" },
        { 0x050000, SUBCLASS, "RAM" },
        { 0x050200, SUBCLASS, "CXL memory" },
        { 0x060000, SUBCLASS, "host bridge" },
        { 0x060100, SUBCLASS, "ISA bridge" },
        { 0x060400, SUBCLASS, "PCI bridge" },
        { 0x060700, SUBCLASS, "CardBus bridge" },
        { 0x060900, SUBCLASS, "semi-transparent PCI bridge" },
        { 0x070000, SUBCLASS, "serial port" },
        { 0x070200, SUBCLASS, "multiport serial controller" },
        { 0x080000, SUBCLASS, "interrupt controller" },
        { 0x080300, SUBCLASS, "timer" },
        { 0x080500, SUBCLASS, "SD host controller" },
        { 0x080600, SUBCLASS, "IOMMU" },
        { 0x080700, SUBCLASS, "root complex event collector" },
        { 0x0c0000, SUBCLASS, "FireWire controller" },
        { 0x0c0300, SUBCLASS, "USB controller" },
        { 0x0c0400, SUBCLASS, "Fibre Channel controller" },
        { 0x0c0500, SUBCLASS, "SMBus" },
        { 0x0c0600, SUBCLASS, "InfiniBand controller" },
        { 0x0c0700, SUBCLASS, "IPMI interface" },
        { 0x0d1100, SUBCLASS, "Bluetooth controller" },
        { 0x100000, SUBCLASS, "network encryption controller" },

        { 0x000000, CLASS, "unclassified device" },
        { 0x010000, CLASS, "storage controller" },
        { 0x020000, CLASS, "network controller" },
        { 0x030000, CLASS, "display controller" },
        { 0x040000, CLASS, "multimedia device" },
        { 0x050000, CLASS, "memory controller" },
        { 0x060000, CLASS, "bridge" },
        { 0x070000, CLASS, "communication controller" },
        { 0x080000, CLASS, "system peripheral" },
        { 0x090000, CLASS, "input device" },
        { 0x0a0000, CLASS, "docking station" },
        { 0x0b0000, CLASS, "processor" },
        { 0x0c0000, CLASS, "serial bus controller" },
        { 0x0d0000, CLASS, "wireless controller" },
        { 0x0e0000, CLASS, "intelligent controller" },
        { 0x0f0000, CLASS, "satellite controller" },
        { 0x100000, CLASS, "encryption controller" },
        { 0x110000, CLASS, "signal processing controller" },
        { 0x120000, CLASS, "processing accelerator" },
        { 0x130000, CLASS, "instrumentation" },
        { 0x400000, CLASS, "co-processor" },
        { 0xff0000, CLASS, "unassigned class" },
};

const char *class_name(uint32_t class_code) {
        for (size_t i = 0; i < ELEMENTSOF(class_names); i++)
                if ((class_code & class_names[i].mask) == class_names[i].code && class_code <= 0xffffff)
                        return class_names[i].name;
        return "device";
}

void class_format(uint32_t class_code, char *buf, size_t size) {
        (void)snprintf(buf, size, "%s [%06x]", class_name(class_code), class_code);
}

int class_parse(const char *digits, uint32_t *ret) {
        if (strlen(digits) != 6 || strspn(digits, "0123456789abcdefABCDEF") != 6)
                return -EINVAL;
        *ret = (uint32_t)strtoul(digits, NULL, 16);
        return 0;
}

void class_format_text(const char *digits, char *buf, size_t size) {
        uint32_t class_code;

        if (class_parse(digits, &class_code) >= 0)
                class_format(class_code, buf, size);
        else
                (void)snprintf(buf, size, "%s", digits);
}
