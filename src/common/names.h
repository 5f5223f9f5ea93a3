/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names that more than one program must agree on: the bus, paths, reserved sessions. */
#pragma once

#define LIVEUPDATE_BUS_NAME "org.liveupdate1"
#define LIVEUPDATE_PATH "/org/liveupdate1"
#define LIVEUPDATE_MANAGER_INTERFACE "org.liveupdate1.Manager"
#define LIVEUPDATE_SESSION_INTERFACE "org.liveupdate1.Session"
#define LIVEUPDATE_JOB_INTERFACE "org.liveupdate1.Job"
#define LIVEUPDATE_PARTICIPANT_INTERFACE "org.liveupdate1.Participant"
#define LIVEUPDATE_DEVICE_INTERFACE "org.liveupdate1.Device"
#define LIVEUPDATE_ERROR_PREFIX "org.liveupdate1.Error."

/* The daemon's own LUO session: the manifest and the timeline travel in it. */
#define OWN_SESSION_NAME "liveupdated"
/* The devices that the daemon holds itself ('liveupdatectl device hold') travel in this. */
#define HOLD_SESSION_NAME "liveupdated-hold"
#define OWN_TOKEN_MANIFEST UINT64_C(1)
#define OWN_TOKEN_TIMELINE UINT64_C(2)
