/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices on their way through a live update, as the kernel module tells it: which go out
 * and which came in. The manager keeps the last lists it read; they are read again, in the
 * worker, after each call that changes them.
 *
 * After the jump they are held against what the manifest says should have come
 * (handover_arrived()). Before it, the DMA policies of the devices that the update was
 * asked for are written into the module (handover_policies()).
 */
#pragma once

#include "daemon/manager.h"

/* r < 0: they could not be read, -ENODEV: there is no module. The lists are m->handover. */
typedef void (*handover_reply_t)(void *userdata, int r);
/* reply may be NULL. -ENOMEM. */
int handover_read(Manager *m, handover_reply_t reply, void *userdata);

/* At the start, if a live update came in: counts into its job, and a notice if a device is
 * missing, is another one or has another driver. */
void handover_arrived(Manager *m);

/* At PREPARE: the policy of each device of the update, read back. What is right already is
 * not written. */
int handover_policies(Manager *m, Refusal *refusal);

/* The module's word for what plan_dma() decided. */
ShimPolicy handover_policy(Dma dma);
