/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose connection is it? The bus driver knows; it is asked with an ordinary call, and
 * the messages that came meanwhile wait. They are put back into sd-bus's queue when the
 * answer is there, behind what is in it by then. So a message that was behind them and
 * comes first goes to the end as well: one sender's messages are never reordered.
 */
#include "bus-auth.h"

#include <search.h>

#include "common/log.h"

/* Messages of one connection that may wait; an honest client has few on the way. */
enum { WAITING_MAX = 1024 };

typedef struct Caller {
        Callers *callers;
        char *name;
        bool known;
        uint32_t uid;
        sd_bus_slot *slot; /* the question, until it is answered */
        /* In the order of arrival, first what comes in next. Once the caller is known all of
         * them are in sd-bus's queue, in this order. */
        sd_bus_message **waiting;
        size_t first, n, room;
} Caller;

struct Callers {
        Bus *bus;
        void *by_name; /* tsearch(3) tree of Caller */
};

static int compare_names(const void *a, const void *b) {
        return strcmp(((const Caller *)a)->name, ((const Caller *)b)->name);
}

static void caller_free(void *node) {
        Caller *c = node;

        sd_bus_slot_unref(c->slot);
        for (size_t i = c->first; i < c->n; i++)
                sd_bus_message_unref(c->waiting[i]);
        free(c->waiting);
        free(c->name);
        free(c);
}

static void caller_forget(Caller *c) {
        (void)tdelete(c, &c->callers->by_name, compare_names);
        caller_free(c);
}

static Caller *caller_find(const Callers *all, const char *name) {
        Caller key = { .name = (char *)name };
        void *node = tfind(&key, &all->by_name, compare_names);

        return node ? *(Caller **)node : NULL;
}

static Caller *caller_add(Callers *all, const char *name) {
        Caller *c = calloc(1, sizeof(*c));

        if (c)
                c->name = strdup(name);
        if (!c || !c->name || !tsearch(c, &all->by_name, compare_names)) {
                if (c)
                        free(c->name);
                free(c);
                return NULL;
        }
        c->callers = all;
        return c;
}

static int keep(Caller *c, sd_bus_message *message) {
        if (c->first == c->n)
                c->first = c->n = 0;
        if (c->n - c->first >= WAITING_MAX)
                return -ENOBUFS;
        if (c->n == c->room) {
                size_t room = MAX_OF(c->room * 2, (size_t)4);
                sd_bus_message **bigger = reallocarray(c->waiting, room, sizeof(sd_bus_message *));
                if (!bigger)
                        return -ENOMEM;
                c->waiting = bigger;
                c->room = room;
        }
        c->waiting[c->n++] = sd_bus_message_ref(message);
        return 0;
}

static void deny(sd_bus_message *message, const char *why) {
        (void)sd_bus_reply_method_errorf(message, SD_BUS_ERROR_ACCESS_DENIED, "Who calls cannot be found out: %s.",
                                         why);
}

/* Puts all that wait into sd-bus's queue; what does not fit is answered with an error. */
static void replay(Caller *c) {
        size_t kept = c->first;

        for (size_t i = c->first; i < c->n; i++) {
                int r = sd_bus_enqueue_for_read(c->callers->bus->bus, c->waiting[i]);
                if (r >= 0) {
                        c->waiting[kept++] = c->waiting[i];
                        continue;
                }
                deny(c->waiting[i], strerror(-r));
                sd_bus_message_unref(c->waiting[i]);
        }
        c->n = kept;
}

static int on_uid(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const sd_bus_error *failure = sd_bus_message_get_error(reply);
        Caller *c = userdata;

        c->slot = sd_bus_slot_unref(c->slot);
        int r = failure ? -sd_bus_error_get_errno(failure) : sd_bus_message_read(reply, "u", &c->uid);
        if (r >= 0) {
                c->known = true;
                replay(c);
                return 0;
        }
        for (size_t i = c->first; i < c->n; i++)
                deny(c->waiting[i], failure && failure->message ? failure->message : strerror(-r));
        log_debug("The uid of %s cannot be found out: %s", c->name, strerror(-r));
        caller_forget(c);
        return 0;
}

static int ask(Caller *c) {
        return sd_bus_call_method_async(c->callers->bus->bus, &c->slot, "org.freedesktop.DBus",
                                        "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetConnectionUnixUser",
                                        on_uid, c, "s", c->name);
}

/* The one whose turn it is among the replayed. */
static bool take_turn(Caller *c, sd_bus_message *message) {
        if (c->first == c->n || c->waiting[c->first] != message)
                return false;
        sd_bus_message_unref(c->waiting[c->first++]);
        return true;
}

int callers_resolve(Callers *all, sd_bus_message *message, uint32_t *ret, sd_bus_error *error) {
        const char *name = sd_bus_message_get_sender(message);

        if (!name)
                return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, "The message has no sender.");
        Caller *c = caller_find(all, name);
        if (c && c->known && (c->first == c->n || take_turn(c, message))) {
                *ret = c->uid;
                return 1;
        }
        if (!c)
                c = caller_add(all, name);
        if (!c)
                return -ENOMEM;
        int r = keep(c, message);
        if (r >= 0 && c->known) {
                r = sd_bus_enqueue_for_read(all->bus->bus, message);
                if (r < 0)
                        sd_bus_message_unref(c->waiting[--c->n]);
        } else if (r >= 0 && !c->slot) {
                r = ask(c);
                if (r < 0)
                        caller_forget(c);
        }
        if (r == -ENOBUFS)
                return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED,
                                        "Too many calls of this connection wait; send them one after the other.");
        return r < 0 ? r : 0;
}

void callers_gone(Callers *all, const char *name) {
        Caller *c = caller_find(all, name);

        if (c)
                caller_forget(c);
}

int callers_new(Bus *b, Callers **ret) {
        Callers *all = calloc(1, sizeof(*all));

        if (!all)
                return -ENOMEM;
        all->bus = b;
        *ret = all;
        return 0;
}

void callers_free(Callers *all) {
        if (!all)
                return;
        tdestroy(all->by_name, caller_free);
        free(all);
}
