/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices that the daemon holds itself, so that a host or a test can rehearse an update
 * with a device and no VM manager: opened, bound to an iommufd, without a mapping.
 *
 * A held device goes along with each update: it is part of every request, and at PREPARE
 * it is preserved in a session of the daemon's own, in the order in which devices depend
 * on one another. In the next kernel the daemon retrieves, binds and finishes them by
 * itself and goes on holding them. A rollback leaves them held. They are let go with the
 * daemon's life, or by release.
 *
 * Calls on drivers and devices are made in a worker; holds are in the manager's table from
 * the moment the request is accepted, so that none is asked for twice.
 */
#pragma once

#include "daemon/manager.h"

/* refusal NULL: done. */
typedef void (*hold_reply_t)(void *userdata, const Refusal *refusal);

/* In state NORMAL, with no job running. The reply is called exactly once unless the
 * function itself fails. rebind: take it away from another driver. */
int hold_device(Manager *m, Address address, bool rebind, hold_reply_t reply, void *userdata, Refusal *refusal);
int hold_release(Manager *m, Address address, hold_reply_t reply, void *userdata, Refusal *refusal);

/* At PREPARE: preserves them. m->update.held becomes true when that is done. */
int hold_preserve(Manager *m, Refusal *refusal);
/* Once the clients are served: takes those that came in. */
void hold_arrived(Manager *m);
void hold_list_done(HoldList *l);
