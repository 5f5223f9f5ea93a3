/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting QEMU, asking it what it is, and finding it again. */
#pragma once

#include "problem.h"
#include "strv.h"

typedef struct Process {
        pid_t pid;
        int pidfd;
        uint64_t start_time; /* field 22 of /proc/PID/stat: tells a pid that was used again */
} Process;

#define PROCESS_NONE ((Process){ .pidfd = -1 })

/* Runs argv with its output into a string, bounded in size and time. */
int process_output(char *const *argv, uint64_t timeout_usec, char **ret, Problem *p);
/* The program as an absolute path, looked up in $PATH. */
int process_find_program(const char *name, char **ret, Problem *p);
/* Starts argv in directory, with these descriptors inherited under the same numbers. In a
 * process group of its own: a Ctrl-C is for us, who pass on what it means. */
int process_start(char *const *argv, const char *directory, const int *fds, size_t n_fds, Process *ret, Problem *p);
/* Finds a process by what was written down. -ESRCH when it is not there (any more). */
int process_find(pid_t pid, uint64_t start_time, Process *ret);
/* One that runs, whoever started it. */
int process_open(pid_t pid, Process *ret);
bool process_alive(const Process *process);
/* SIGKILL, and waits until it is gone. */
void process_kill(Process *process);
void process_close(Process *process);
