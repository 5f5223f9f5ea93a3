/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The adapter as a client of liveupdated: registration, its one session, answers. Calls
 * block, with a time-out that allows for preserving large memory; phases come as calls of
 * on_phase from the event loop.
 */
#pragma once

#include <systemd/sd-bus.h>

#include "problem.h"
#include "spans.h"

enum { TOKEN_RAM = 1, TOKEN_STATE = 2, TOKEN_RECORD = 3, CLIENT_STATE_SIZE = 32 };

typedef struct ClientEvents {
        /* phase: prepare, freeze, resume; deadline on CLOCK_MONOTONIC, 0 for none. */
        void (*on_phase)(void *userdata, const char *phase, uint64_t deadline_usec);
        void (*on_daemon)(void *userdata, bool there);
} ClientEvents;

typedef struct Client {
        const char *name;
        const ClientEvents *events;
        void *userdata;
        sd_bus *bus;
        sd_bus_slot *phase_slot;
        char *participant;
        char *session; /* object path; NULL: none */
        int lease;
        bool jumping; /* the daemon's state, as it last said */
} Client;

int client_open(Client *c, sd_event *event, const char *name, const ClientEvents *events, void *userdata, Problem *p);
void client_close(Client *c);

int client_register(Client *c, Problem *p);
/* Whether the daemon, which was restarted, still knows us. */
bool client_is_registered(Client *c);
int client_ready(Client *c, const char *phase, Problem *p);
int client_veto(Client *c, const char *phase, const Problem *why);
/* What the pause took, for the timeline. Not waited for: a reply would be part of it. */
int client_report(Client *c, const Spans *spans, Problem *p);
/* The daemon's state ("normal", "frozen", …) into buf; -ENOTCONN when there is no daemon. */
int client_state(Client *c, char *buf, size_t size, Problem *p);

/* Whether the daemon may still jump with what it has of a guest that stands still, which must
 * not go on then: it would write to disks that its saved state knows nothing of. A daemon that
 * is gone jumps no more, unless it was jumping: through the shutdown (Jump=systemd) the jump
 * comes after it. state: of the last time, "" at first. */
bool client_may_jump(Client *c, char state[static CLIENT_STATE_SIZE]);
/* Takes part no more; an update that has not begun to jump is put back. */
void client_leave(Client *c);

int client_open_session(Client *c, Problem *p);
/* -ENOENT: no session of this name came over. */
int client_claim_session(Client *c, Problem *p);
int client_preserve(Client *c, int fd, uint64_t token, Problem *p);
int client_retrieve(Client *c, uint64_t token, int *ret_fd, Problem *p);
int client_finish(Client *c, Problem *p);
void client_forget_session(Client *c);
/* For one that no update will take along: what the daemon still has of it is let go. */
void client_close_session(Client *c);
