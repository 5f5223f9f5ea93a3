/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel modules with handlers for preserved files: liveupdate_vfio, if Shim= says so,
 * and those of Modules=. LUO takes everything in with the first open of /dev/liveupdate in
 * a boot; a file whose handler is not registered by then is lost, and all others with it
 * (kernel/liveupdate/luo_session.c). So they are loaded before anybody opens it: by
 * liveupdate-restore, and by the daemon in case that was not there.
 *
 * A module that does not load is said and passed over: what needs it is lost, a boot or a
 * daemon that stops would lose the rest as well.
 */
#pragma once

#include "core/config.h"

/* How a module is loaded: modules_load(), or what a test has in its place. */
typedef int (*handlers_load_t)(const char *name);
/* What came of it, one sentence for each module that was not there already; priority is
 * one of LOG_PRI_*. */
typedef void (*handlers_say_t)(void *userdata, int priority, const char *text);

/* How many did not load. */
unsigned handlers_load(const Config *c, handlers_load_t load, handlers_say_t say, void *userdata);
