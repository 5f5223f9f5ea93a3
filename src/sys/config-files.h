/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where settings come from, in systemd's way: ROOT/etc/liveupdated/liveupdated.conf
 * first, then the drop-ins *.conf of liveupdated/liveupdated.conf.d below /usr/lib,
 * /run and /etc, in the order of their file names; a name in /etc hides the same name
 * in /run, and that one the same in /usr/lib.
 */
#pragma once

#include "core/config.h"
#include "core/early.h"
#include "core/rules.h"

/* root: "" for the real one. Missing files are no error; unreadable ones are warned of. */
int config_files_load(const char *root, Config *c, config_warn_t warn, void *userdata);
/* Device rules, in the same way, from rules.d. */
int rules_files_load(const char *root, Rules *rules, config_warn_t warn, void *userdata);
/* As rules_files_load(), of early.d: clients that are started in the initrd. */
int early_files_load(const char *root, EarlyClients *clients, config_warn_t warn, void *userdata);
