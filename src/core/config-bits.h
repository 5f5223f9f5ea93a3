/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bits of PCI configuration space and what a kexec may do to them: one table, that
 * is printed by `liveupdatectl bits` and by which snapshots are compared.
 *
 * The principle: a bit must stay as it is only if there is a reason why the flow of a
 * cold boot (the new kernel finds, sizes and sets up) cannot be used for it; that reason
 * stands beside it. For bits that may change, the reason says who sets them again. What
 * hardware does not let anyone write is not preserved but compared: another value means
 * that this is not the same device.
 *
 * Registers are those of the PCI and PCIe base specifications; what the kernel does to
 * them is said after the source of Linux 7.3 (drivers/pci).
 */
#pragma once

#include "common/table.h"

typedef enum BitsPlace {
        BITS_HEADER,   /* offset from the start; all header types */
        BITS_HEADER_0, /* devices */
        BITS_HEADER_1, /* bridges */
        BITS_CAPABILITY,
        BITS_EXTENDED, /* extended capability */
        _BITS_PLACE_MAX,
} BitsPlace;
DECLARE_STRING_TABLE(bits_place, BitsPlace);

typedef enum BitsClass {
        BITS_SAME,      /* hardware's own: another value is another device */
        BITS_EQUAL,     /* preserved: must be equal */
        BITS_HANDED,    /* as the old side handed it over, by the device's DMA policy */
        BITS_REWRITTEN, /* may change */
        _BITS_CLASS_MAX,
} BitsClass;
DECLARE_STRING_TABLE(bits_class, BitsClass);

typedef struct ConfigBits {
        BitsPlace place;
        uint16_t capability; /* id */
        uint16_t offset;     /* in the header, or from the start of the capability */
        uint8_t width;       /* bytes: 1, 2 or 4 */
        uint8_t count;       /* registers of this kind one after the other; 0: one */
        uint8_t stride;      /* from one to the next; 0: width */
        uint32_t mask;
        BitsClass class;
        const char *name;
        const char *reason; /* one line, without a full stop */
} ConfigBits;

/* count of a Resizable BAR register: as many as the first control register says. */
enum { BITS_COUNT_RESIZABLE = 255 };

const ConfigBits *config_bits_table(size_t *ret_n);
/* "PCI Express", "Access Control Services"; NULL if it is not known. extended: of
 * extended capabilities. */
const char *config_capability_name(uint16_t id, bool extended);
