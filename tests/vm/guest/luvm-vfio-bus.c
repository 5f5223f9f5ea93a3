/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions of luvm-vfio through the daemon: a VM manager that hands its descriptors over on
 * the bus and does no call of LUO's itself. The daemon holds a session for its owner's
 * connection, so that stays open; it is only looked at while a call is made. What the daemon
 * refuses is answered with the last word of the error's name instead of a number's.
 */
#include <fcntl.h>
#include <systemd/sd-bus.h>

#include "common/names.h"
#include "luvm-vfio.h"

#define CALL_TIMEOUT_USEC (300 * USEC_PER_SEC)

static int call(Client *c, const char *path, const char *interface, const char *method, sd_bus_message **ret,
                const char *types, ...) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *m = NULL;
        va_list ap;
        int r = c->bus ? 0 : sd_bus_open_system(&c->bus);

        if (r >= 0)
                r = sd_bus_message_new_method_call(c->bus, &m, LIVEUPDATE_BUS_NAME, path, interface, method);
        va_start(ap, types);
        if (r >= 0)
                r = sd_bus_message_appendv(m, types, ap);
        va_end(ap);
        if (r >= 0)
                r = sd_bus_call(c->bus, m, CALL_TIMEOUT_USEC, &error, ret);
        c->refusal[0] = '\0';
        if (r < 0) {
                const char *word = error.name ? strrchr(error.name, '.') : NULL;

                (void)snprintf(c->refusal, sizeof(c->refusal), "%s", word ? word + 1 : "");
                fprintf(stderr, "luvm-vfio: %s: %s\n", method, error.message ?: strerror(-r));
        }
        sd_bus_message_unref(m);
        sd_bus_error_free(&error);
        return r;
}

int bus_session(Client *c, Session *s, bool create) {
        sd_bus_message *reply = NULL;
        const char *path;
        int fd, r;

        r = call(c, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE, create ? "OpenSession" : "ClaimSession", &reply,
                 "sa{sv}", s->name, 0);
        if (r >= 0)
                r = sd_bus_message_read(reply, "oh", &path, &fd);
        if (r >= 0) {
                s->path = strdup(path);
                s->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        }
        sd_bus_message_unref(reply);
        return r < 0 ? r : s->path && s->fd >= 0 ? 0 : -ENOMEM;
}

/* sd_bus_message_appendv() takes a count and its elements; one memory is enough here. */
int bus_preserve(Client *c, const Session *s, int fd, uint64_t token, const uint64_t *memory) {
        if (memory)
                return call(c, s->path, LIVEUPDATE_SESSION_INTERFACE, "PreserveFd", NULL, "hta{sv}", fd, token, 1,
                            "dma-memory", "at", 1, *memory);
        return call(c, s->path, LIVEUPDATE_SESSION_INTERFACE, "PreserveFd", NULL, "hta{sv}", fd, token, 0);
}

int bus_take(Client *c, const Session *s, uint64_t token, int *ret_fd) {
        sd_bus_message *reply = NULL;
        int fd, r;

        r = call(c, s->path, LIVEUPDATE_SESSION_INTERFACE, "RetrieveFd", &reply, "ta{sv}", token, 0);
        if (r >= 0)
                r = sd_bus_message_read(reply, "h", &fd);
        if (r >= 0) {
                *ret_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
                r = *ret_fd < 0 ? -errno : 0;
        }
        sd_bus_message_unref(reply);
        return r;
}

int bus_finish(Client *c, const Session *s) {
        return call(c, s->path, LIVEUPDATE_SESSION_INTERFACE, "Finish", NULL, "a{sv}", 0);
}
