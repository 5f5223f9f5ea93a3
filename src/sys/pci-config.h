/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration space of a function (PCI 3.0 chapter 6, PCIe 4.0 chapter 7) as far
 * as the topology asks for it. Pure: the bytes come from a reader.
 *
 * Only the header, the heads of the capabilities and the registers of the few that
 * matter are asked for: about 50 double words of 1,024. Each is a slow access to the
 * device, and some devices hang when registers that are not there are read (see
 * pci_read_config() in the kernel's drivers/pci/pci-sysfs.c).
 *
 * What is there is not trusted: lists that point nowhere or run in circles end the
 * parse, with what was found so far kept.
 */
#pragma once

#include "core/topology.h"

typedef struct ConfigReader {
        /* All of size bytes, or false. Never asked for anything beyond CONFIG_SPACE_SIZE. */
        bool (*read)(void *userdata, unsigned offset, void *buf, unsigned size);
        void *userdata;
} ConfigReader;

enum {
        CONFIG_HEADER_SIZE = 64,
        CONFIG_SPACE_CONVENTIONAL = 256,
        CONFIG_SPACE_SIZE = 4096,
};

/* Fills in the fields of f that come from here; f->power only if it is still unknown.
 * NULL, or what is odd in one clause (a constant string). */
const char *config_space_parse(const ConfigReader *reader, Function *f);
