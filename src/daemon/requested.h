/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices that an update was asked for by name: when all clients are frozen each of them has
 * been preserved by somebody, or the update is put back. Nobody else would find out before the
 * next kernel has reset it.
 */
#pragma once

#include "daemon/manager.h"

/* In FREEZING, once the clients are ready: m->update.requested_there becomes true, at once if no
 * device was asked for, or the update fails. */
int requested_check(Manager *m);
