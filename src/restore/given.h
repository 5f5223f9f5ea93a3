/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a restore-only initrd has been given (docs/boot.md): below /.liveupdate a list of
 * kernel modules (core/module-list.h), the host's own initrd, one Zstandard frame of cpio
 * archives, and the program that /init leads to. The modules themselves have a directory
 * among those of the kernel's release, and the program is called liveupdate-restore: this is
 * how who looks into an initrd knows what is in it.
 */
#pragma once

#include "common/macro.h"

#define GIVEN_DIR "/.liveupdate"
#define GIVEN_MODULES "modules"
#define GIVEN_INITRD "initrd.zst"
#define GIVEN_PROGRAM "liveupdate-restore"
/* Of a release, which is in between. */
#define GIVEN_KO_DIR_BEFORE "/usr/lib/modules/"
#define GIVEN_KO_DIR_BEHIND "/liveupdate-given"

/* Loads a module and what it needs, as handlers.h wants it: by the list, without modules.dep
 * and without libkmod. */
int given_load(const char *name);
/* Before and after the host's initrd is unpacked: nothing of ours is left to its /init. */
void given_remove_modules(void);
void given_remove(void);
