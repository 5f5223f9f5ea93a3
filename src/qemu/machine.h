/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One virtual machine through its life: started anew, taken over from an adapter that
 * died, saved and brought back. Knows QEMU and files, not the daemon.
 *
 * Always: from machine_go_live() on the process is the only truth; before that the
 * memory and state that came over are, and a process that failed can be thrown away.
 */
#pragma once

#include "runtime.h"
#include "spans.h"
#include "vm.h"

typedef struct Machine {
        Runtime *runtime;
        Running running;
        Qmp qmp;
        char *version; /* of the QEMU that runs */
        Spans spans;   /* of the pause, not reported yet */
        bool stopped;  /* by us, and so ours to let run; noted in the runtime directory */
} Machine;

#define MACHINE_NONE ((Machine){ .running = { .process = PROCESS_NONE, .ram_fd = -1 }, .qmp = { .fd = -1 } })

/* Lets go of the machine; a process that runs goes on running. */
void machine_done(Machine *m);
/* Ends it. */
void machine_kill(Machine *m);

/* From the user's command line (without the program's name), as it is in directory (NULL:
 * here); it runs afterwards. */
int machine_spec(const char *name, const char *program, char *const *args, const char *directory, const char *hook,
                 Spec *ret, Problem *p);
int machine_start(Machine *m, Spec *spec, Problem *p);
/* -ENOENT: none is running. One that was still loading is killed, and that is -ENOENT, too. */
int machine_adopt(Machine *m, Problem *p);
/* Whether spec's program, as it is installed now, could go on with the machine: the same
 * version or a later one, which has the machine type. */
int machine_check_program(const Spec *spec, Problem *p);
/* Whether these disks are fit to go on with; ram_fd has the right size. */
int machine_check_arrival(const Spec *spec, int ram_fd, Problem *p);
/* Takes spec and ram_fd over, also on failure. Not live yet. A state that is not the one
 * that was saved, and devices other than those it was saved with, are refused. */
int machine_restore(Machine *m, Spec *spec, int ram_fd, int state_fd, Problem *p);
int machine_go_live(Machine *m, Problem *p);
/* The QEMU that runs is the version that the next one must not be older than. */
int machine_remember_version(Machine *m);

/* Stops the guest and saves its state and record; timed. The guest stays stopped. */
int machine_freeze(Machine *m, uint64_t timeout_usec, int *ret_state_fd, int *ret_record_fd, Problem *p);
/* The guest stands still and is ours to let run. */
int machine_note_stopped(Machine *m, Problem *p);
/* Lets it run on, unless it was paused by its owner; timed. */
int machine_resume(Machine *m, Problem *p);
