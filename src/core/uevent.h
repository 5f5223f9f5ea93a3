/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of the kernel's uevent socket (lib/kobject_uevent.c): "ACTION@DEVPATH", then
 * KEY=VALUE pairs, each string with its NUL. What matters of one is taken out; nothing
 * is copied, so the result lives as long as the message.
 *
 * A message that says less than it could is still an event. One that contradicts itself,
 * or whose end is missing, is not understood, and the caller must assume that anything
 * may have changed.
 */
#pragma once

#include "topology.h"

/* The kernel's own bound is 2048 bytes of pairs, and a path. */
#define UEVENT_SIZE_MAX 16384u

typedef enum UeventAction {
        UEVENT_OTHER, /* one this version does not know: something happened to this device */
        UEVENT_ADD,
        UEVENT_REMOVE,
        UEVENT_CHANGE,
        UEVENT_MOVE,
        UEVENT_ONLINE,
        UEVENT_OFFLINE,
        UEVENT_BIND,
        UEVENT_UNBIND,
        _UEVENT_ACTION_MAX,
} UeventAction;
DECLARE_STRING_TABLE(uevent_action, UeventAction);

typedef struct Uevent {
        UeventAction action;
        const char *devpath;     /* below /sys, from its first slash */
        const char *devpath_old; /* of a move; else NULL */
        const char *subsystem;   /* NULL: not said, as are the next */
        const char *driver;
        /* The PCI function this is about: itself, or the one whose child the device is (a
         * network interface, an NVMe controller, a VFIO cdev). */
        bool has_address;
        bool is_function; /* itself */
        Address address;
        bool synthetic;  /* somebody wrote to a "uevent" file; nothing has happened */
        uint64_t seqnum; /* 0: not said */
} Uevent;

/* 1 and the event; 0 for a message of udev to its own listeners, which is none of ours;
 * -EBADMSG. */
int uevent_parse(const void *message, size_t size, Uevent *ret);
