/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which driver of a kernel would take a device by itself, and whether it is built in:
 * a module can be kept from loading until user space has chosen another driver, a
 * driver that is built in takes the device before user space is there.
 *
 * The index is of one kernel, which need not be the running one. It remembers what it
 * was asked, and belongs to one thread.
 */
#pragma once

#include "core/topology.h"

typedef struct ModulesIndex ModulesIndex;

/* Below root ("" or "/": the machine's), /lib/modules/RELEASE or, if there is none,
 * /usr/lib/modules/RELEASE. -ENOENT if there is neither. */
int modules_open(const char *root, const char *release, ModulesIndex **ret);
ModulesIndex *modules_free(ModulesIndex *m);
DEFINE_CLEANUP(ModulesIndex, modules_free);

/* *ret_driver is the module's name, or NULL; it lives as long as the index.
 * NATIVE_NONE only if the lists of modules and of built-in drivers are both there, else
 * what is not found is NATIVE_UNKNOWN. */
int modules_native(ModulesIndex *m, const char *modalias, Native *ret, const char **ret_driver);
