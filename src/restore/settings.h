/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of a host's settings the restore step needs in an initrd: the files themselves, the
 * kernel modules that they ask for, with all that these need, of the next kernel, and the
 * programs that are started early.
 */
#pragma once

#include "core/config.h"
#include "tree.h"

int settings_add_files(Tree *t);
int settings_add_modules(Tree *t, const Config *config, const char *release);
int settings_add_clients(Tree *t);
/* 1, 0, or a negative errno. */
int settings_any_client(Tree *t);
