/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an adapter leaves for the next one, should it die: RUNTIME/NAME/ with the machine's
 * record, the socket of its monitor, and which process it is. Mode 0700: who may write
 * there could have us talk to another process.
 *
 * One adapter a machine: the directory is locked while one has it open.
 */
#pragma once

#include "process.h"
#include "spec.h"

#define RUNTIME_DIRECTORY "/run/liveupdate-qemu"

typedef struct Runtime {
        int dir_fd; /* locked */
        char socket[108];
} Runtime;

/* Machine names are session names: 1 to 63 bytes of A-Z a-z 0-9 . _ -, not beginning
 * with a dot or dash. */
bool runtime_name_valid(const char *name);
/* base: RUNTIME_DIRECTORY, or $RUNTIME_DIRECTORY of the unit. -EBUSY when another adapter has it. */
int runtime_open(const char *base, const char *name, Runtime *ret, Problem *p);
void runtime_close(Runtime *rt);

/* A listening socket at the monitor's path. */
int runtime_listen(const Runtime *rt, int *ret_fd, Problem *p);
/* The monitor is a socket elsewhere. */
int runtime_link(const Runtime *rt, const char *monitor, Problem *p);
int runtime_connect(const Runtime *rt, int *ret_fd, Problem *p);

/* A machine that is live may have run since its state was taken or given back, so the
 * process is the only truth; one that is loading is worth nothing without its adapter. */
typedef struct Running {
        Spec spec;
        Process process;
        int ram_fd; /* in our table when loaded, in QEMU's when saved: the same number or not */
        bool live;
} Running;

int runtime_save(const Runtime *rt, const Running *running, Problem *p);
/* The machine that is running. -ENOENT when there is none (any more). */
int runtime_load(const Runtime *rt, Running *ret, Problem *p);
void running_done(Running *running);
/* A guest that stands still is for us to let run, should this adapter not live to do it: noted
 * before it is stopped, taken back when it runs. One without the note is its owner's. */
int runtime_note_stopped(const Runtime *rt, Problem *p);
bool runtime_is_stopped(const Runtime *rt);
void runtime_drop_stopped(const Runtime *rt);
void runtime_forget(const Runtime *rt);
