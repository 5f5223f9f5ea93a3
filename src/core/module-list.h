/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel modules of a restore-only initrd, as who builds it writes them down: a line
 *
 *   WANTED MODULE OPTIONS...
 *
 * for each module that has to be loaded to have WANTED, in this order; MODULE's file is
 * MODULE.ko beside the list. And what the kernel's command line says about modules, which
 * modprobe(8) reads there (kernel modules are not told of it by the kernel).
 *
 * In names of modules "-" and "_" are the same.
 */
#pragma once

#include "common/macro.h"

enum { MODULE_NAME_SIZE = 64 }; /* MODULE_NAME_LEN, include/linux/moduleparam.h, and more */

typedef struct ModuleLine {
        char *wanted, *module, *options;
} ModuleLine;

bool module_name_equal(const char *a, const char *b);
/* With "_". False if it is no name of a module: a file's name is made of it. */
bool module_name_normalize(const char *name, char ret[static MODULE_NAME_SIZE]);
/* The next line of a list, which is cut into words; false at the end. Lines that are none
 * are passed over. */
bool module_list_next(char **cursor, ModuleLine *ret);
/* The words MODULE.NAME[=VALUE], without "MODULE.", with a space before each; "" if none. */
int module_cmdline_options(const char *cmdline, const char *module, char **ret);
/* Whether modprobe.blacklist= names it. */
bool module_cmdline_forbids(const char *cmdline, const char *module);
