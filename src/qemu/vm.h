/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is done to a running QEMU over its monitor. The machine is in one of three
 * conditions: running, stopped (paused, or its state saved: both go on with vm_cont()),
 * or fresh (started with -incoming defer, waiting for its state).
 */
#pragma once

#include "qmp.h"
#include "spec.h"

/* The capability without which all memory would go into the state, and the events by
 * which the end of a save or load is seen. */
int vm_enable(Qmp *q, Problem *p);
/* What keeps this machine from being saved, found while it still runs: QEMU's own
 * blockers; memory that is not the shared backend of the spec's size; devices that were
 * plugged in or out since the start. */
int vm_check(Qmp *q, const Spec *s, Problem *p);
/* The names of plugged-in devices, sorted. */
int vm_devices(Qmp *q, Strv *ret, Problem *p);
/* Refuses a machine that has devices which were plugged in after its start. */
int vm_started_with(Qmp *q, Problem *p);
int vm_stop(Qmp *q, Problem *p);
/* Whether the guest runs: 1 or 0. */
int vm_running(Qmp *q, Problem *p);
/* Writes the device state of a stopped machine to a memfd, which must be empty. After a
 * failure nothing is being saved any more, and vm_cont() is for good. */
int vm_save(Qmp *q, const char *version, int fd, uint64_t timeout_usec, Problem *p);
/* Reads it into a fresh one. After a failure QEMU is of no use; the memory is unharmed. */
int vm_load(Qmp *q, const char *version, int fd, uint64_t timeout_usec, Problem *p);
int vm_cont(Qmp *q, Problem *p);
/* The power button, and pulling the plug. */
int vm_powerdown(Qmp *q, Problem *p);
int vm_quit(Qmp *q, Problem *p);
