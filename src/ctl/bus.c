/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connection: opening it, watching it end, and turning what goes wrong on it into
 * a Failure.
 */
#include "bus-internal.h"

#include "common/names.h"

/* Longer than AuthorizationTimeoutSec= is by default, so that it is the daemon that says no. */
#define INTERACTION_USEC (150 * USEC_PER_SEC)

static int open_address(const char *address, sd_bus **ret) {
        sd_bus *bus;

        int r = sd_bus_new(&bus);
        if (r < 0)
                return r;
        r = sd_bus_set_address(bus, address);
        if (r >= 0)
                r = sd_bus_set_bus_client(bus, true);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r < 0) {
                sd_bus_unref(bus);
                return r;
        }
        *ret = bus;
        return 0;
}

int bus_open(const char *address, const char *host, Bus **ret, Failure *failure) {
        _cleanup_(bus_freep) Bus *b = calloc(1, sizeof(Bus));
        int r;

        if (!b)
                return failure_from_errno(failure, -ENOMEM, "The bus cannot be opened", NULL);
        if (host) {
                b->where = strdup(host);
                if (!b->where)
                        return failure_from_errno(failure, -ENOMEM, "The bus cannot be opened", NULL);
                r = sd_bus_open_system_remote(&b->bus, host);
        } else if (address)
                r = open_address(address, &b->bus);
        else
                r = sd_bus_open_system(&b->bus);
        if (r < 0)
                return failure_from_errno(failure, r, "The bus cannot be reached", b->where);
        /* Several jobs may be waited for over one connection, each with its own loop. */
        (void)sd_bus_set_close_on_exit(b->bus, false);
        *ret = TAKE_PTR(b);
        return 0;
}

void bus_allow_interaction(Bus *bus) {
        (void)sd_bus_set_allow_interactive_authorization(bus->bus, true);
        (void)sd_bus_set_method_call_timeout(bus->bus, INTERACTION_USEC);
}

void bus_free(Bus *bus) {
        sd_bus_flush_close_unref(bus->bus);
        free(bus->where);
        free(bus);
}

int bus_failure(const Bus *bus, Failure *failure, int r, const sd_bus_error *error) {
        /* What sd-bus itself found out, without an answer from the other side. */
        bool local = !sd_bus_error_is_set(error) || sd_bus_error_has_name(error, SD_BUS_ERROR_DISCONNECTED) ||
                     strncmp(error->name, "System.Error.", strlen("System.Error.")) == 0;

        if (!local)
                failure_from_error(failure, error->name, error->message, bus->where);
        else if (errno_is_disconnect(r))
                failure_from_errno(failure, r, "The bus cannot be reached", bus->where);
        else
                failure_from_errno(failure, r, "A call over the bus failed", bus->where);
        return r;
}

int bus_failure_form(const Bus *bus, Failure *failure, int r) {
        if (r == -ENOMEM)
                return failure_from_errno(failure, r, "The answer cannot be read", NULL);
        if (errno_is_disconnect(r))
                return failure_from_errno(failure, r, "The bus cannot be reached", bus->where);
        return failure_set(failure, r, EXIT_CTL_FAILED, "protocol",
                           "The daemon's answer has not the form this liveupdatectl knows (%s). Install "
                           "liveupdatectl and liveupdated of the same version.",
                           strerror(-r));
}

int bus_get_state(Bus *bus, char **ret_state, char **ret_owner, Failure *failure) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_free_ char *state = NULL, *owner = NULL;
        const char *s;

        int r = sd_bus_call_method(bus->bus, LIVEUPDATE_BUS_NAME, LIVEUPDATE_PATH, "org.freedesktop.DBus.Properties",
                                   "Get", &error, &reply, "ss", LIVEUPDATE_MANAGER_INTERFACE, "State");
        if (r < 0)
                return bus_failure(bus, failure, r, &error);
        r = sd_bus_message_read(reply, "v", "s", &s);
        if (r < 0)
                return bus_failure_form(bus, failure, r);
        state = strdup(s);
        owner = strdup(sd_bus_message_get_sender(reply) ?: LIVEUPDATE_BUS_NAME);
        if (!state || !owner)
                return bus_failure_form(bus, failure, -ENOMEM);
        *ret_state = TAKE_PTR(state);
        *ret_owner = TAKE_PTR(owner);
        return 0;
}

int bus_match_disconnected(Bus *bus, sd_bus_slot **slot, sd_bus_message_handler_t handler, void *userdata) {
        return sd_bus_match_signal(bus->bus, slot, "org.freedesktop.DBus.Local", NULL, "org.freedesktop.DBus.Local",
                                   "Disconnected", handler, userdata);
}

int bus_match_owner(Bus *bus, sd_bus_slot **slot, sd_bus_message_handler_t handler, void *userdata) {
        return sd_bus_add_match(bus->bus, slot,
                                "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                                "interface='org.freedesktop.DBus',member='NameOwnerChanged',"
                                "arg0='" LIVEUPDATE_BUS_NAME "'",
                                handler, userdata);
}

int bus_match_manager(Bus *bus, sd_bus_slot **slot, const char *owner, const char *member,
                      sd_bus_message_handler_t handler, void *userdata) {
        return sd_bus_match_signal(bus->bus, slot, owner, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE, member,
                                   handler, userdata);
}
