/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The QEMU Machine Protocol (docs/interop/qmp-spec) over a stream socket, one call at a
 * time, each with a deadline: what has to happen to a machine happens in order, and
 * nothing else could be done meanwhile. Events that come in between are noted: whether
 * the guest runs, how a migration stands, that QEMU is shutting down.
 *
 * An error that QEMU reports is -EREMOTEIO with its words in the Problem. When the
 * connection ended or what came is not QMP, it is -EPIPE or -EBADMSG, and the connection
 * is of no use any more.
 */
#pragma once

#include "problem.h"

struct json_object;

typedef struct Qmp {
        int fd;
        char *buffer; /* what was read and is not a whole line yet */
        size_t n, size;
        uint64_t last_id;
        bool shutdown;      /* SHUTDOWN was seen */
        char migration[24]; /* the last MIGRATION status; "" none */
} Qmp;

/* Takes the connected socket over, reads the greeting and negotiates. *ret_version is
 * "7.2.22", to be freed. */
int qmp_open(Qmp *q, int fd, uint64_t timeout_usec, char **ret_version, Problem *p);
void qmp_close(Qmp *q);

/* Executes command; takes arguments over (NULL: none), passes fd along unless it is -1.
 * *ret (may be NULL) is what it returned, to be put. */
int qmp_call(Qmp *q, const char *command, struct json_object *arguments, int fd, uint64_t timeout_usec,
             struct json_object **ret, Problem *p);
/* Waits for a MIGRATION event with another status than *before* (and sees all others). */
int qmp_wait_migration(Qmp *q, const char *before, uint64_t timeout_usec, Problem *p);
/* Reads what is there without waiting. -EPIPE when QEMU is gone. */
int qmp_drain(Qmp *q, Problem *p);
