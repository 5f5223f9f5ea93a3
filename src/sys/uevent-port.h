/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's uevents, as they happen: a NETLINK_KOBJECT_UEVENT socket in the group of
 * the kernel (not the one udev sends on in, so udev need not run). Only what the kernel
 * itself sent is passed on.
 *
 * Events can be lost: the socket's buffer is finite, and a message may be one that this
 * version does not understand. Then whoever keeps something current by them must look at
 * everything again; the port says so once for each time it happens, at a moment when
 * every event that comes later is about something later.
 */
#pragma once

#include "core/uevent.h"

typedef struct UeventPort UeventPort;

typedef void (*uevent_handler_t)(const Uevent *e, void *userdata);
typedef void (*uevent_lost_t)(void *userdata);

int uevent_open(UeventPort **ret);
UeventPort *uevent_close(UeventPort *p);
DEFINE_CLEANUP(UeventPort, uevent_close);

/* Readable when there is something to dispatch; stays the port's. */
int uevent_fd(const UeventPort *p);
/* Hands on what is there, never waits. Stops after some hundred events, so that a storm
 * does not keep the loop from other work; the descriptor stays readable then. Returns
 * how many events were handed on, or a negative errno when the socket is of no more use. */
int uevent_dispatch(UeventPort *p, uevent_handler_t on_event, uevent_lost_t on_lost, void *userdata);
