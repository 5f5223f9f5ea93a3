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
/* A list as an array of strings at the end of a message. */
int bus_append_strings(sd_bus_message *m, const StringList *l);
/* The matches are acknowledged by the bus on return; each lives as long as its slot. */
/* The connection's end, whoever caused it. */
int bus_match_disconnected(Bus *bus, sd_bus_slot **slot, sd_bus_message_handler_t handler, void *userdata);
/* Comings and goings of the daemon's name. */
int bus_match_owner(Bus *bus, sd_bus_slot **slot, sd_bus_message_handler_t handler, void *userdata);
/* Signals of the manager; owner is the well-known or a unique name. */
int bus_match_manager(Bus *bus, sd_bus_slot **slot, const char *owner, const char *member,
                      sd_bus_message_handler_t handler, void *userdata);

/* bus-read.c: one value each into a field that free() may be called on; read_waiting()
 * and read_strings() append to a list. */
int read_waiting(sd_bus_message *m, void *field);
int read_string(sd_bus_message *m, void *field);
int read_path(sd_bus_message *m, void *field);
int read_strings(sd_bus_message *m, void *field);
int read_bool(sd_bus_message *m, void *field);
int read_u32(sd_bus_message *m, void *field);
int read_u64(sd_bus_message *m, void *field);

/* Which property goes into which field of a struct, and how. */
typedef struct Property {
        const char *name, *type;
        int (*read)(sd_bus_message *m, void *field);
        size_t offset;
} Property;

/* Of a whole a{sv}. Strings that did not come are "". */
int read_properties(sd_bus_message *m, const Property *table, size_t n, void *dst);
/* Calls GetAll. */
int bus_get_all(Bus *bus, const char *path, const char *interface, sd_bus_error *error, sd_bus_message **ret);
