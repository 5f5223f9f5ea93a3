/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <stdarg.h>

#include "client.h"
#include "common/fd.h"
#include "common/names.h"

#define CALL_TIMEOUT_USEC (300 * USEC_PER_SEC)

/* What the daemon says goes into the Problem with its own code. -ENOENT and -ENOTCONN for
 * what callers tell apart. */
static int call_failed(const sd_bus_error *e, int r, const char *method, Problem *p) {
        const char *prefix = LIVEUPDATE_ERROR_PREFIX;

        if (sd_bus_error_has_name(e, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
            sd_bus_error_has_name(e, SD_BUS_ERROR_NAME_HAS_NO_OWNER)) {
                (void)problem(p, "no-daemon", "liveupdated is not there: systemctl start liveupdate");
                return -ENOTCONN;
        }
        if (e->name && strncmp(e->name, prefix, strlen(prefix)) == 0) {
                (void)problem(p, e->name + strlen(prefix), "%s: %s", method, e->message ?: "");
                return streq(e->name + strlen(prefix), "NoSuchSession") ? -ENOENT : -EREMOTEIO;
        }
        return problem_errno(p, r, "bus", "%s: %s", method, e->message ?: "the call failed");
}

static int call(Client *c, const char *path, const char *interface, const char *method, sd_bus_message **ret,
                Problem *p, const char *types, ...) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *m = NULL;
        va_list ap;

        int r = sd_bus_message_new_method_call(c->bus, &m, LIVEUPDATE_BUS_NAME, path, interface, method);
        va_start(ap, types);
        if (r >= 0)
                r = sd_bus_message_appendv(m, types, ap);
        va_end(ap);
        if (r >= 0)
                r = sd_bus_call(c->bus, m, CALL_TIMEOUT_USEC, &error, ret);
        if (r < 0)
                r = call_failed(&error, r, method, p);
        sd_bus_message_unref(m);
        sd_bus_error_free(&error);
        return r < 0 ? r : 0;
}

static int bad_answer(Problem *p, int r, const char *method) {
        return problem_errno(p, r, "bus", "the answer to %s", method);
}

/* Phases and the daemon's comings and goings. */

static int on_phase(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Client *c = userdata;
        const char *phase;
        uint64_t deadline;

        if (sd_bus_message_read(message, "st", &phase, &deadline) >= 0)
                c->events->on_phase(c->userdata, phase, deadline);
        return 0;
}

/* "sa{sv}as" */
static int on_properties(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Client *c = userdata;
        const char *interface, *key, *state;

        int r = sd_bus_message_read(message, "s", &interface);
        if (r >= 0)
                r = sd_bus_message_enter_container(message, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
                r = sd_bus_message_read(message, "s", &key);
                if (r >= 0 && streq(key, "State")) {
                        r = sd_bus_message_read(message, "v", "s", &state);
                        if (r >= 0)
                                c->jumping = streq(state, "jumping");
                } else if (r >= 0)
                        r = sd_bus_message_skip(message, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(message);
        }
        return 0;
}

static int on_owner(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Client *c = userdata;
        const char *name, *old, *new;

        if (sd_bus_message_read(message, "sss", &name, &old, &new) >= 0)
                c->events->on_daemon(c->userdata, *new);
        return 0;
}

int client_open(Client *c, sd_event *event, const char *name, const ClientEvents *events, void *userdata, Problem *p) {
        *c = (Client){ .name = name, .events = events, .userdata = userdata, .lease = -1 };
        int r = sd_bus_open_system(&c->bus);
        if (r >= 0)
                r = sd_bus_attach_event(c->bus, event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_bus_add_match(c->bus, NULL,
                                     "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',"
                                     "arg0='" LIVEUPDATE_BUS_NAME "'",
                                     on_owner, c);
        if (r >= 0)
                r = sd_bus_match_signal(c->bus, NULL, LIVEUPDATE_BUS_NAME, LIVEUPDATE_PATH,
                                        "org.freedesktop.DBus.Properties", "PropertiesChanged", on_properties, c);
        return r < 0 ? problem_errno(p, r, "bus", "the system bus") : 0;
}

void client_close(Client *c) {
        sd_bus_slot_unref(c->phase_slot);
        sd_bus_flush_close_unref(c->bus);
        fd_close(c->lease);
        free(c->participant);
        free(c->session);
        *c = (Client){ .lease = -1 };
}

int client_register(Client *c, Problem *p) {
        sd_bus_message *reply = NULL;
        const char *path;
        int lease;

        int r = call(c, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE, "Register", &reply, p, "ssa{sv}", c->name,
                     "prepare:freeze:resume", 1, "on-death", "s", "cancel");
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "oh", &path, &lease);
        if (r >= 0) {
                c->lease = fd_close(c->lease);
                c->lease = fcntl(lease, F_DUPFD_CLOEXEC, 3);
                free(c->participant);
                c->participant = strdup(path);
                c->phase_slot = sd_bus_slot_unref(c->phase_slot);
                r = !c->participant || c->lease < 0
                            ? -ENOMEM
                            : sd_bus_match_signal(c->bus, &c->phase_slot, LIVEUPDATE_BUS_NAME, path,
                                                  LIVEUPDATE_PARTICIPANT_INTERFACE, "PhaseRequested", on_phase, c);
        }
        sd_bus_message_unref(reply);
        return r < 0 ? bad_answer(p, r, "Register") : 0;
}

bool client_is_registered(Client *c) {
        char *name = NULL;

        int r = !c->participant ? -ENOENT
                                : sd_bus_get_property_string(c->bus, LIVEUPDATE_BUS_NAME, c->participant,
                                                             LIVEUPDATE_PARTICIPANT_INTERFACE, "Name", NULL, &name);
        free(name);
        return r >= 0;
}

int client_ready(Client *c, const char *phase, Problem *p) {
        return call(c, c->participant, LIVEUPDATE_PARTICIPANT_INTERFACE, "Ready", NULL, p, "s", phase);
}

int client_report(Client *c, const Spans *spans, Problem *p) {
        sd_bus_message *m = NULL;

        if (!c->participant || spans->n == 0)
                return 0;
        int r = sd_bus_message_new_method_call(c->bus, &m, LIVEUPDATE_BUS_NAME, c->participant,
                                               LIVEUPDATE_PARTICIPANT_INTERFACE, "Report");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(stt)");
        for (size_t i = 0; r >= 0 && i < spans->n; i++)
                r = sd_bus_message_append(m, "(stt)", spans->items[i].name, spans->items[i].begin_usec,
                                          spans->items[i].usec);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_set_expect_reply(m, 0);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, 0);
        if (r >= 0)
                r = sd_bus_send(c->bus, m, NULL);
        sd_bus_message_unref(m);
        return r < 0 ? problem_errno(p, r, "bus", "Report") : 0;
}

int client_veto(Client *c, const char *phase, const Problem *why) {
        return call(c, c->participant, LIVEUPDATE_PARTICIPANT_INTERFACE, "Veto", NULL, NULL, "ss", phase, why->text);
}

int client_state(Client *c, char *buf, size_t size, Problem *p) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        char *state = NULL;

        int r = sd_bus_get_property_string(c->bus, LIVEUPDATE_BUS_NAME, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE,
                                           "State", &error, &state);
        if (r < 0)
                r = call_failed(&error, r, "State", p);
        else
                snprintf(buf, size, "%s", state);
        free(state);
        sd_bus_error_free(&error);
        return r < 0 ? r : 0;
}

bool client_may_jump(Client *c, char state[static CLIENT_STATE_SIZE]) {
        Problem p;

        if (client_state(c, state, CLIENT_STATE_SIZE, &p) < 0)
                return streq(state, "jumping");
        return streq(state, "freezing") || streq(state, "frozen") || streq(state, "jumping");
}

void client_leave(Client *c) {
        c->lease = fd_close(c->lease);
}

/* Sessions. The descriptor of the session itself stays with the daemon. */

static int get_session(Client *c, const char *method, Problem *p) {
        sd_bus_message *reply = NULL;
        const char *path;

        int r = call(c, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE, method, &reply, p, "sa{sv}", c->name, 0);
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "o", &path);
        if (r >= 0) {
                free(c->session);
                c->session = strdup(path);
                r = c->session ? 0 : -ENOMEM;
        }
        sd_bus_message_unref(reply);
        return r < 0 ? bad_answer(p, r, method) : 0;
}

int client_open_session(Client *c, Problem *p) {
        return get_session(c, "OpenSession", p);
}

/* Claims are for a kernel that something came over to; in another state of the daemon,
 * which knows that before it is on the bus, nothing did. */
int client_claim_session(Client *c, Problem *p) {
        char state[32];

        int r = get_session(c, "ClaimSession", p);
        if (r != -EREMOTEIO || !streq(p->code, "WrongState"))
                return r;
        r = client_state(c, state, sizeof(state), p);
        if (r < 0)
                return r;
        return streq(state, "updated") || streq(state, "finishing") ? -EREMOTEIO : -ENOENT;
}

int client_preserve(Client *c, int fd, uint64_t token, Problem *p) {
        return call(c, c->session, LIVEUPDATE_SESSION_INTERFACE, "PreserveFd", NULL, p, "hta{sv}", fd, token, 0);
}

int client_retrieve(Client *c, uint64_t token, int *ret_fd, Problem *p) {
        sd_bus_message *reply = NULL;
        int fd, copy = -1;

        int r = call(c, c->session, LIVEUPDATE_SESSION_INTERFACE, "RetrieveFd", &reply, p, "ta{sv}", token, 0);
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "h", &fd);
        if (r >= 0) {
                copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
                r = copy < 0 ? -errno : 0;
        }
        sd_bus_message_unref(reply);
        if (r < 0)
                return bad_answer(p, r, "RetrieveFd");
        *ret_fd = copy;
        return 0;
}

int client_finish(Client *c, Problem *p) {
        return call(c, c->session, LIVEUPDATE_SESSION_INTERFACE, "Finish", NULL, p, "a{sv}", 0);
}

/* The daemon may have done it by itself, and then says that there is none. */
void client_close_session(Client *c) {
        if (c->session)
                (void)call(c, c->session, LIVEUPDATE_SESSION_INTERFACE, "Close", NULL, NULL, "a{sv}", 0);
        client_forget_session(c);
}

void client_forget_session(Client *c) {
        free(TAKE_PTR(c->session));
}
