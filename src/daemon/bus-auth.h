/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may call what. A filter sees every method call before it reaches an object, and a
 * table says for each method what it takes: nothing; to own the session; or an action
 * that polkit grants. What is not in the table is root's, so that a method that somebody
 * forgets is closed, not open.
 *
 * What always holds:
 * - Nothing blocks: neither the question who a name is (bus-caller.c) nor the one to
 *   polkit. The call is kept, and comes in again when the answer is there.
 * - An answer of polkit is for one message. It is not kept for the user, the connection
 *   or the next call.
 * - root is never asked about. For everybody else, whatever is not a clear yes is a no:
 *   no polkit, an error, silence, an answer that makes no sense.
 * - A caller that leaves takes its kept calls with it.
 * - Handlers learn the caller's uid from bus_caller_uid() alone.
 */
#pragma once

#include "daemon/bus.h"

int bus_auth_new(Bus *b);
void bus_auth_free(Bus *b);
/* A connection has left the bus. */
void bus_auth_owner_gone(Bus *b, const char *name);

/* bus-caller.c: unique names to uids. A name is asked about once, as long as it is on
 * the bus; such names are never used twice. */

typedef struct Callers Callers;

int callers_new(Bus *b, Callers **ret);
void callers_free(Callers *c);
void callers_gone(Callers *c, const char *name);
/* 1 and the sender's uid; 0 if the message was kept and will come in again, in the order
 * in which the messages of this sender came; or a negative errno and an error. */
int callers_resolve(Callers *c, sd_bus_message *message, uint32_t *ret, sd_bus_error *error);
