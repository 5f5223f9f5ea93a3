/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the bus-*.c files; nobody else sees sd-bus. */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "bus.h"

struct Bus {
        sd_bus *bus;
        char *where; /* the host, for messages; NULL: this one */
};

/* The cleanup functions themselves come with the library's headers. */
#define _cleanup_bus_error_ _cleanup_(sd_bus_error_free)
#define _cleanup_message_ _cleanup_(sd_bus_message_unrefp)
#define _cleanup_event_ _cleanup_(sd_event_unrefp)

/* Fills *failure from what a failed call left; returns r. */
int bus_failure(const Bus *bus, Failure *failure, int r, const sd_bus_error *error);
/* The same for an answer that does not have the agreed form. */
int bus_failure_form(const Bus *bus, Failure *failure, int r);
/* The manager's State and the unique name it came from; starts the daemon if the bus
 * knows how. Signals are matched against the unique name, so nobody else can send them. */
int bus_get_state(Bus *bus, char **ret_state, char **ret_owner, Failure *failure);
/* The matches are acknowledged by the bus on return; each lives as long as its slot. */
/* The connection's end, whoever caused it. */
int bus_match_disconnected(Bus *bus, sd_bus_slot **slot, sd_bus_message_handler_t handler, void *userdata);
/* Comings and goings of the daemon's name. */
int bus_match_owner(Bus *bus, sd_bus_slot **slot, sd_bus_message_handler_t handler, void *userdata);
/* Signals of the manager; owner is the well-known or a unique name. */
int bus_match_manager(Bus *bus, sd_bus_slot **slot, const char *owner, const char *member,
                      sd_bus_message_handler_t handler, void *userdata);

/* bus-read.c, also used for signals */
int read_waiting(sd_bus_message *m, void *field);
