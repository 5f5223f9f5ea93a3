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

/* Loads a module of the running kernel, and what it depends on, as modprobe(8) would. 1 if
 * it was loaded now, 0 if it was there; -ENOENT: there is none, or modprobe.d(5) forbids
 * it. */
int modules_load(const char *name);
/* What a module of the release says under a key of its own (MODULE_INFO()). -ENOENT: there
 * is no such release, or no such module in it; -ENODATA: it has no such key; -EBADMSG: what
 * it says is longer than size. */
int modules_info(const char *root, const char *release, const char *name, const char *key, char *ret, size_t size);

/* Whether the release has the module: 1 as a file, 2 built in. -ENOENT: neither, or there is
 * no such release. */
int modules_where(const char *root, const char *release, const char *name);
/* One call for each module, in the order in which they are loaded, of the files of the
 * release; options: those of modprobe.d(5). A negative result ends it. */
typedef int (*modules_found_t)(void *userdata, const char *module, const char *path, const char *options);
/* What modprobe(8) would load, with that release running, to have a module; nothing if it is
 * built in. -ENOENT: there is no such release, or no such module in it; -EPERM: modprobe.d(5)
 * forbids it; -EOPNOTSUPP: modprobe.d(5) has a command for it. */
int modules_resolve(const char *root, const char *release, const char *name, modules_found_t found, void *userdata);
