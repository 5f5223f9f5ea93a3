/* SPDX-License-Identifier: GPL-2.0-or-later */
/* org.liveupdate1.Session */
#include "bus-device.h"

#include "common/names.h"

static int find_session(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                        sd_bus_error *error) {
        Bus *b = userdata;
        _cleanup_free_ char *name = NULL;

        if (!b->manager || sd_bus_path_decode(path, BUS_SESSION_PREFIX, &name) <= 0)
                return 0;
        Session *s = session_table_find(&b->manager->sessions, name);
        if (!s)
                return 0;
        s->bus = b;
        *ret = s;
        return 1;
}

static int enumerate_sessions(sd_bus *bus, const char *prefix, void *userdata, char ***ret, sd_bus_error *error) {
        Bus *b = userdata;
        size_t n = b->manager ? b->manager->sessions.n : 0;
        char **paths = calloc(n + 1, sizeof(*paths));

        if (!paths)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                if (sd_bus_path_encode(BUS_SESSION_PREFIX, b->manager->sessions.items[i]->name, &paths[i]) < 0) {
                        while (i-- > 0)
                                free(paths[i]);
                        free(paths);
                        return -ENOMEM;
                }
        *ret = paths;
        return 0;
}

static int get_name(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                    void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(reply, "s", ((Session *)userdata)->name);
}

static int get_owner(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                     void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(reply, "s", ((Session *)userdata)->owner);
}

static int get_grants(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const Session *s = userdata;

        return sd_bus_message_append_array(reply, 'u', s->grants, s->n_grants * sizeof(s->grants[0]));
}

static int get_direction(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(reply, "s", session_is_incoming(userdata) ? "incoming" : "outgoing");
}

static int get_state(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                     void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(reply, "s", session_state_to_string(((Session *)userdata)->state));
}

static int get_files(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                     void *userdata, sd_bus_error *error) {
        const Session *s = userdata;

        int r = sd_bus_message_open_container(reply, 'a', "(tss)");
        for (size_t i = 0; i < s->n_files && r >= 0; i++)
                r = sd_bus_message_append(reply, "(tss)", s->files[i]->token, s->files[i]->kind,
                                          file_state_to_string(s->files[i]->state));
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_unclaimed(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        char text[64];

        session_hold_format(((Session *)userdata)->hold_usec, text, sizeof(text));
        return sd_bus_message_append(reply, "s", text);
}

/* Replies of the manager; userdata is the kept call. */

static void reply(BusCall *call, int fd, const char *types, const Refusal *refusal) {
        if (refusal)
                bus_reply_refusal(call->message, refusal);
        else if (*types)
                (void)sd_bus_reply_method_return(call->message, types, fd);
        else
                (void)sd_bus_reply_method_return(call->message, "");
        bus_call_free(call);
}

static void reply_nothing(void *userdata, Session *s, int fd, const Refusal *refusal) {
        reply(userdata, -1, "", refusal);
}

static void reply_file(void *userdata, Session *s, int fd, const Refusal *refusal) {
        reply(userdata, fd, "h", refusal);
}

/* Ends every method: on success the manager has, or had, the call. */
static int finish_method(int r, BusCall *call, const Refusal *refusal, sd_bus_error *error) {
        if (r >= 0)
                return 1;
        bus_call_free(call);
        return bus_refuse(error, refusal);
}

static int preserve(Session *s, sd_bus_message *message, BusCall *call, sd_bus_error *error) {
        Bus *b = call->bus;
        BusTokens memory = {};
        int complete = 0;
        const BusOption options[] = { { "dma-memory", 'T', &memory }, { "dma-memory-complete", 'b', &complete } };
        Refusal refusal;
        uint64_t token;
        int fd;

        int r = sd_bus_message_read(message, "ht", &fd, &token);
        if (r >= 0)
                r = bus_read_options(message, options, ELEMENTSOF(options), error);
        if (r < 0) {
                bus_call_free(call);
                return r;
        }
        const PreserveOptions said = {
                .dma_memory = memory.items,
                .n_dma_memory = memory.n,
                .dma_complete = complete,
        };
        r = manager_preserve_file(b->manager, s, call->uid, fd, token, &said, reply_nothing, call, &refusal);
        return finish_method(r, call, &refusal, error);
}

/* The devices are read: now for the same message. */
static void preserve_ready(void *userdata) {
        BusWaiter *w = userdata;
        sd_bus_message *message = sd_bus_message_ref(w->call.message);
        _cleanup_free_ char *name = NULL;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        BusCall *call = malloc(sizeof(*call));
        Session *s = NULL;

        if (sd_bus_path_decode(sd_bus_message_get_path(message), BUS_SESSION_PREFIX, &name) > 0)
                s = session_table_find(&w->bus->manager->sessions, name);
        int r = call && s ? 0 : s ? -ENOMEM : -ENOENT;
        if (r < 0)
                free(call);
        else {
                /* The kept call moves into memory of its own. */
                *call = w->call;
                w->call.message = NULL;
                r = preserve(s, message, call, &error);
        }
        if (r < 0 && sd_bus_error_is_set(&error))
                (void)sd_bus_reply_method_error(message, &error);
        else if (r < 0)
                (void)sd_bus_reply_method_errno(message, r, NULL);
        sd_bus_message_unref(message);
        sd_bus_error_free(&error);
        bus_waiter_free(w);
}

static int method_preserve(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Session *s = userdata;
        Bus *b = s->bus;
        BusCall *call;

        /* What may go along is known after the first look at the devices; all files wait for
         * it, so that they are preserved in the order in which they came. */
        if (b->manager->devices && !devices_topology(b->manager->devices))
                return bus_when_devices(b, message, NULL, NULL, preserve_ready, error);
        int r = bus_call_new(b, message, &call, error);
        return r < 0 ? r : preserve(s, message, call, error);
}

static int method_retrieve(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Session *s = userdata;
        Bus *b = s->bus;
        Refusal refusal;
        BusCall *call;
        uint64_t token;
        uint32_t uid;

        int r = sd_bus_message_read(message, "t", &token);
        if (r >= 0)
                r = bus_read_options(message, NULL, 0, error);
        if (r >= 0)
                r = bus_caller_uid(b, message, &uid, error);
        if (r >= 0)
                r = bus_call_new(b, message, &call, error);
        if (r < 0)
                return r;
        r = manager_retrieve_fd(b->manager, s, uid, token, reply_file, call, &refusal);
        return finish_method(r, call, &refusal, error);
}

static int method_simple(sd_bus_message *message, Session *s, sd_bus_error *error,
                         int (*act)(Manager *m, Session *s, uint32_t uid, session_reply_t reply, void *userdata,
                                    Refusal *refusal)) {
        Bus *b = s->bus;
        Refusal refusal;
        BusCall *call;
        uint32_t uid;

        int r = bus_read_options(message, NULL, 0, error);
        if (r >= 0)
                r = bus_caller_uid(b, message, &uid, error);
        if (r >= 0)
                r = bus_call_new(b, message, &call, error);
        if (r < 0)
                return r;
        r = act(b->manager, s, uid, reply_nothing, call, &refusal);
        return finish_method(r, call, &refusal, error);
}

static int method_finish(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return method_simple(message, userdata, error, manager_finish_session);
}

static int method_close(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return method_simple(message, userdata, error, manager_close_session);
}

static const sd_bus_vtable session_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("PreserveFd", SD_BUS_ARGS("h", file, "t", token, "a{sv}", options), SD_BUS_NO_RESULT,
                                method_preserve, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RetrieveFd", SD_BUS_ARGS("t", token, "a{sv}", options), SD_BUS_RESULT("h", file),
                                method_retrieve, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Finish", SD_BUS_ARGS("a{sv}", options), SD_BUS_NO_RESULT, method_finish,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Close", SD_BUS_ARGS("a{sv}", options), SD_BUS_NO_RESULT, method_close,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("Name", "s", get_name, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Uid", "u", NULL, offsetof(Session, uid), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Grants", "au", get_grants, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        /* Signals go to everybody: they say that something changed, not what it is now. */
        SD_BUS_PROPERTY("Owner", "s", get_owner, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_PROPERTY("Direction", "s", get_direction, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("State", "s", get_state, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_PROPERTY("Unclaimed", "s", get_unclaimed, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Files", "a(tss)", get_files, 0, 0),
        SD_BUS_VTABLE_END,
};

int bus_export_sessions(Bus *b) {
        int r = sd_bus_add_fallback_vtable(b->bus, NULL, BUS_SESSION_PREFIX, LIVEUPDATE_SESSION_INTERFACE,
                                           session_vtable, find_session, b);
        if (r < 0)
                return r;
        return sd_bus_add_node_enumerator(b->bus, NULL, BUS_SESSION_PREFIX, enumerate_sessions, b);
}
