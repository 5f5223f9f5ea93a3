/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a restore-only initrd has been given (docs/boot.md): below /.liveupdate the kernel
 * modules with a list of them (core/module-list.h), and the host's own initrd, one Zstandard
 * frame of cpio archives. All of it is gone before the host's own /init begins.
 */
#pragma once

#include "core/newc.h"

#define GIVEN_DIR "/.liveupdate"
#define GIVEN_MODULES "modules"
#define GIVEN_INITRD "initrd.zst"

/* Loads a module and what it needs, as handlers.h wants it: by the list, without modules.dep
 * and without libkmod. */
int given_load(const char *name);
/* Removes the directory; what else is in there is left alone. */
void given_remove(void);
