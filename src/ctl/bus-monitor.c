/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events as they come, for as long as one looks. The daemon may restart meanwhile, so
 * signals are matched by its well-known name; its comings and goings are events too.
 */
#include "bus-internal.h"

#include <signal.h>
#include <time.h>

#include "common/names.h"

typedef struct Monitor {
        EventHandler handler;
        void *userdata;
        sd_event *event;
        Bus *bus;
        Failure *failure;
        sd_bus_slot *slots[6];
} Monitor;

static void monitor_done(Monitor *w) {
        for (size_t i = 0; i < ELEMENTSOF(w->slots); i++)
                sd_bus_slot_unref(w->slots[i]);
        sd_event_unref(w->event);
}

static int deliver(Monitor *w, Event *e) {
        struct timespec ts;

        (void)clock_gettime(CLOCK_REALTIME, &ts);
        e->time_usec = (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / NSEC_PER_USEC;
        int r = w->handler(w->userdata, e);
        if (r >= 0)
                return 0;
        failure_from_errno(w->failure, r, "The output cannot be written", NULL);
        (void)sd_event_exit(w->event, r);
        return 0;
}

static int bad_message(Monitor *w, int r) {
        (void)sd_event_exit(w->event, bus_failure_form(w->bus, w->failure, r));
        return 0;
}

static int on_state_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Event e = { .kind = EVENT_STATE_CHANGED };

        int r = sd_bus_message_read(m, "ss", &e.from, &e.to);
        return r < 0 ? bad_message(userdata, r) : deliver(userdata, &e);
}

static int on_job_new(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Event e = { .kind = EVENT_JOB_NEW };

        int r = sd_bus_message_read(m, "to", &e.number, &e.path);
        return r < 0 ? bad_message(userdata, r) : deliver(userdata, &e);
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Event e = { .kind = EVENT_JOB_REMOVED };

        int r = sd_bus_message_read(m, "tosss", &e.number, &e.path, &e.result, &e.code, &e.sentence);
        return r < 0 ? bad_message(userdata, r) : deliver(userdata, &e);
}

static int on_plan_stale(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_string_list_ StringList devices = {};
        Event e = { .kind = EVENT_PLAN_STALE, .devices = &devices };

        int r = read_strings(m, &devices);
        return r < 0 ? bad_message(userdata, r) : deliver(userdata, &e);
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *name, *old, *new;
        Event e = { .kind = EVENT_OWNER };

        int r = sd_bus_message_read(m, "sss", &name, &old, &new);
        if (r < 0)
                return bad_message(userdata, r);
        e.running = *new != '\0';
        return deliver(userdata, &e);
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Monitor *w = userdata;

        failure_set(w->failure, 0, EXIT_CTL_UNREACHABLE, "connection-lost",
                    "The connection to the bus%s%s ended. See 'liveupdatectl status' when the host can be reached "
                    "again.",
                    w->bus->where ? " of " : "", w->bus->where ?: "");
        (void)sd_event_exit(w->event, -ECONNRESET);
        return 0;
}

static int on_signal(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata) {
        return sd_event_exit(sd_event_source_get_event(s), 0);
}

static int install(Monitor *w) {
        sigset_t mask;
        int r;

        (void)sigemptyset(&mask);
        (void)sigaddset(&mask, SIGINT);
        (void)sigaddset(&mask, SIGTERM);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;
        if ((r = sd_event_new(&w->event)) < 0 ||
            (r = sd_event_add_signal(w->event, NULL, SIGINT, on_signal, NULL)) < 0 ||
            (r = sd_event_add_signal(w->event, NULL, SIGTERM, on_signal, NULL)) < 0 ||
            (r = bus_match_manager(w->bus, &w->slots[0], LIVEUPDATE_BUS_NAME, "StateChanged", on_state_changed, w)) <
                    0 ||
            (r = bus_match_manager(w->bus, &w->slots[1], LIVEUPDATE_BUS_NAME, "JobNew", on_job_new, w)) < 0 ||
            (r = bus_match_manager(w->bus, &w->slots[2], LIVEUPDATE_BUS_NAME, "JobRemoved", on_job_removed, w)) < 0 ||
            (r = bus_match_manager(w->bus, &w->slots[3], LIVEUPDATE_BUS_NAME, "PlanStale", on_plan_stale, w)) < 0 ||
            (r = bus_match_owner(w->bus, &w->slots[4], on_owner_changed, w)) < 0 ||
            (r = bus_match_disconnected(w->bus, &w->slots[5], on_disconnected, w)) < 0)
                return r;
        return 0;
}

int bus_monitor(Bus *bus, EventHandler handler, void *userdata, Failure *failure) {
        _cleanup_(monitor_done) Monitor w = { .handler = handler, .userdata = userdata, .bus = bus };
        _cleanup_free_ char *state = NULL, *owner = NULL;

        *failure = (Failure){};
        w.failure = failure;
        int r = bus_get_state(bus, &state, &owner, failure);
        if (r < 0)
                return r;
        r = install(&w);
        if (r < 0)
                return bus_failure(bus, failure, r, NULL);
        /* Read again: it may have changed before the matches were there. What changes
         * from here on is queued behind this answer. */
        free(TAKE_PTR(state));
        free(TAKE_PTR(owner));
        r = bus_get_state(bus, &state, &owner, failure);
        if (r < 0)
                return r;
        r = deliver(&w, &(Event){ .kind = EVENT_STATE, .to = state });
        if (r >= 0 && failure->exit_status == 0)
                r = sd_bus_attach_event(bus->bus, w.event, 0);
        if (r >= 0)
                r = sd_event_loop(w.event);
        (void)sd_bus_detach_event(bus->bus);
        if (r < 0 && failure->exit_status == 0)
                return bus_failure(bus, failure, r, NULL);
        return r;
}
