/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One request, and the end of the job it makes.
 *
 * Every match is installed and acknowledged before the request goes out, so the job's
 * end cannot be missed, however fast it is; an end that comes before the reply is kept
 * until the reply says which job is ours. Only the connection that answered for the
 * daemon's name is listened to.
 *
 * The way out of wait_over() is taken exactly once. In the jump the connection ends
 * without a word: that is an outcome. A connection over ssh would not even notice, as
 * the old kernel never closes it; so while the host jumps the peer is pinged, and the
 * new kernel's network resets the connection.
 */
#include "bus-internal.h"

#include <signal.h>
#include <time.h>

#include "common/names.h"
#include "common/utf8.h"

typedef struct Removed {
        char *path, *result, *code, *sentence;
} Removed;

typedef struct Wait {
        Bus *bus;
        const JobRequest *request;
        JobOutcome *outcome;
        Failure *failure;
        sd_event *event;
        char *owner;
        char *state; /* the manager's */
        Removed *removed;
        size_t n_removed; /* ends that came before the reply */
        char step[128];   /* last one told, or seen before the reply */
        char *step_path;  /* whose, before the reply */
        sd_bus_slot *slots[6];
        sigset_t old_mask;
} Wait;

void job_outcome_done(JobOutcome *o) {
        free(o->path);
        free(o->code);
        free(o->sentence);
        *o = (JobOutcome){};
}

static void wait_done(Wait *w) {
        for (size_t i = 0; i < w->n_removed; i++) {
                free(w->removed[i].path);
                free(w->removed[i].result);
                free(w->removed[i].code);
                free(w->removed[i].sentence);
        }
        free(w->removed);
        free(w->owner);
        free(w->state);
        free(w->step_path);
        /* Nothing may call back into this struct from here on. */
        for (size_t i = 0; i < ELEMENTSOF(w->slots); i++)
                sd_bus_slot_unref(w->slots[i]);
        sd_event_unref(w->event);
}

static int wait_over(Wait *w, JobEnd end) {
        w->outcome->end = end;
        return sd_event_exit(w->event, 0);
}

/* failure is filled already. */
static int wait_fail(Wait *w, int r) {
        (void)sd_event_exit(w->event, r < 0 ? r : -EIO);
        return 0;
}

static bool kind_jumps(const char *kind) {
        return streq(kind, "update") || streq(kind, "execute");
}

static void tell(const Wait *w, const char *what) {
        char clean[256];

        if (!w->request->progress || !*what)
                return;
        utf8_copy(clean, sizeof(clean), what);
        (void)fprintf(stderr, "Job %llu (%s): %s\n", (unsigned long long)w->outcome->number, w->request->kind, clean);
}

static int wait_lost(Wait *w) {
        /* The word that the jump begins may have been lost with the connection: after
         * FROZEN nothing but the jump follows by itself. */
        if (kind_jumps(w->request->kind) && (streq(w->state, "jumping") || streq(w->state, "frozen")))
                return wait_over(w, JOB_END_JUMPED);
        char job[64] = "the request was under way";
        if (w->outcome->number > 0)
                (void)snprintf(job, sizeof(job), "job %llu (%.20s) was running",
                               (unsigned long long)w->outcome->number, w->request->kind);
        failure_set(w->failure, 0, EXIT_CTL_UNREACHABLE, "connection-lost",
                    "The connection to the bus%s%s ended while %s. See 'liveupdatectl status' when the host can be "
                    "reached again.",
                    w->bus->where ? " of " : "", w->bus->where ?: "", job);
        return wait_fail(w, -ECONNRESET);
}

static int end_from_result(const char *result) {
        return streq(result, "done") ? JOB_END_DONE : streq(result, "cancelled") ? JOB_END_CANCELLED : JOB_END_FAILED;
}

static int job_ended(Wait *w, const char *result, const char *code, const char *sentence) {
        w->outcome->code = strdup(code);
        w->outcome->sentence = strdup(sentence);
        if (!w->outcome->code || !w->outcome->sentence)
                return wait_fail(w, bus_failure_form(w->bus, w->failure, -ENOMEM));
        return wait_over(w, end_from_result(result));
}

static int keep_removed(Wait *w, const char *path, const char *result, const char *code, const char *sentence) {
        Removed *e = array_append(&w->removed, w->n_removed, sizeof(Removed));

        if (!e)
                return wait_fail(w, bus_failure_form(w->bus, w->failure, -ENOMEM));
        w->n_removed++;
        e->path = strdup(path);
        e->result = strdup(result);
        e->code = strdup(code);
        e->sentence = strdup(sentence);
        if (!e->path || !e->result || !e->code || !e->sentence)
                return wait_fail(w, bus_failure_form(w->bus, w->failure, -ENOMEM));
        return 0;
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *path, *result, *code, *sentence;
        Wait *w = userdata;
        uint64_t number;

        int r = sd_bus_message_read(m, "tosss", &number, &path, &result, &code, &sentence);
        if (r < 0)
                return wait_fail(w, bus_failure_form(w->bus, w->failure, r));
        if (!w->outcome->path)
                return keep_removed(w, path, result, code, sentence);
        if (!streq(path, w->outcome->path))
                return 0;
        return job_ended(w, result, code, sentence);
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        Wait *w = userdata;
        const char *path;

        if (sd_bus_message_is_method_error(m, NULL)) {
                const sd_bus_error *error = sd_bus_message_get_error(m);
                int n = sd_bus_message_get_errno(m);
                /* sd-bus makes up this reply itself when the connection ends. */
                if (!sd_bus_message_get_sender(m) && errno_is_disconnect(n) && n != ETIMEDOUT)
                        return wait_lost(w);
                return wait_fail(w, bus_failure(w->bus, w->failure, -n, error));
        }
        int r = sd_bus_message_read(m, "o", &path);
        if (r < 0)
                return wait_fail(w, bus_failure_form(w->bus, w->failure, r));
        const char *slash = strrchr(path, '/');
        char *end = NULL;
        errno = 0;
        w->outcome->number = strtoull(slash + 1, &end, 10);
        if (errno != 0 || end == slash + 1 || *end)
                return wait_fail(w, bus_failure_form(w->bus, w->failure, -EBADMSG));
        w->outcome->path = strdup(path);
        if (!w->outcome->path)
                return wait_fail(w, bus_failure_form(w->bus, w->failure, -ENOMEM));
        if (w->request->no_block)
                return wait_over(w, JOB_END_QUEUED);
        if (w->step_path && streq(w->step_path, path))
                tell(w, w->step);
        else
                w->step[0] = '\0';
        for (size_t i = 0; i < w->n_removed; i++)
                if (streq(w->removed[i].path, path))
                        return job_ended(w, w->removed[i].result, w->removed[i].code, w->removed[i].sentence);
        return 0;
}

static int on_pong(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return 0;
}

static void ping_in_jump(const Wait *w) {
        if (streq(w->state, "jumping"))
                (void)sd_bus_call_method_async(w->bus->bus, NULL, w->owner, LIVEUPDATE_PATH,
                                               "org.freedesktop.DBus.Peer", "Ping", on_pong, NULL, NULL);
}

static int on_state_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *from, *to;
        Wait *w = userdata;

        int r = sd_bus_message_read(m, "ss", &from, &to);
        if (r < 0)
                return wait_fail(w, bus_failure_form(w->bus, w->failure, r));
        char *copy = strdup(to);
        if (!copy)
                return wait_fail(w, bus_failure_form(w->bus, w->failure, -ENOMEM));
        free(w->state);
        w->state = copy;
        ping_in_jump(w);
        return 0;
}

static void step_changed(Wait *w, const char *path, const char *step) {
        if (w->outcome->path && !streq(path, w->outcome->path))
                return;
        if (w->outcome->path && streq(step, w->step))
                return;
        utf8_copy(w->step, sizeof(w->step), step);
        if (w->outcome->path) {
                tell(w, w->step);
                return;
        }
        free(w->step_path);
        w->step_path = strdup(path);
}

static int waiting_changed(const Wait *w, sd_bus_message *m) {
        WaitingList list = {};

        int r = sd_bus_message_enter_container(m, 'v', "a(ossstts)");
        if (r >= 0)
                r = read_waiting(m, &list);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        for (size_t i = 0; r >= 0 && i < list.n && w->outcome->path; i++) {
                char line[256];
                if (!streq(list.items[i].answer, "waiting"))
                        continue;
                (void)snprintf(line, sizeof(line), "waiting for %.64s (%.20s)%s%.120s", list.items[i].name,
                               list.items[i].phase, *list.items[i].reason ? ": " : "", list.items[i].reason);
                tell(w, line);
        }
        waiting_list_done(&list);
        return r;
}

/* Progress is a courtesy: a message that cannot be read is passed over. */
static int on_properties_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *interface, *name, *value;
        Wait *w = userdata;

        int r = sd_bus_message_read(m, "s", &interface);
        if (r < 0 || sd_bus_message_enter_container(m, 'a', "{sv}") < 0)
                return 0;
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                if (sd_bus_message_read(m, "s", &name) < 0)
                        return 0;
                if (streq(interface, LIVEUPDATE_JOB_INTERFACE) && streq(name, "Step")) {
                        r = sd_bus_message_read(m, "v", "s", &value);
                        if (r >= 0)
                                step_changed(w, sd_bus_message_get_path(m), value);
                } else if (streq(interface, LIVEUPDATE_MANAGER_INTERFACE) && streq(name, "Waiting"))
                        r = waiting_changed(w, m);
                else
                        r = sd_bus_message_skip(m, "v");
                if (r < 0 || sd_bus_message_exit_container(m) < 0)
                        return 0;
        }
        return 0;
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *name, *old, *new;
        Wait *w = userdata;

        if (sd_bus_message_read(m, "sss", &name, &old, &new) < 0 || !streq(old, w->owner))
                return 0;
        failure_set(w->failure, 0, EXIT_CTL_UNREACHABLE, "daemon-unreachable",
                    "liveupdated ended while the job was running. Start it with 'systemctl start liveupdate' if it "
                    "does not come back by itself, and see 'liveupdatectl status' for what it put back.");
        return wait_fail(w, -ECONNRESET);
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return wait_lost(userdata);
}

static int on_interrupt(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata) {
        return wait_over(userdata, JOB_END_INTERRUPTED);
}

static int on_tick(sd_event_source *s, uint64_t usec, void *userdata) {
        ping_in_jump(userdata);
        int r = sd_event_source_set_time_relative(s, USEC_PER_SEC);
        return r < 0 ? r : sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

static int append_strings(sd_bus_message *m, const char *key, const StringList *l) {
        int r;

        if (!l || l->n == 0)
                return 0;
        if ((r = sd_bus_message_open_container(m, 'e', "sv")) < 0 || (r = sd_bus_message_append(m, "s", key)) < 0 ||
            (r = sd_bus_message_open_container(m, 'v', "as")) < 0 || (r = bus_append_strings(m, l)) < 0 ||
            (r = sd_bus_message_close_container(m)) < 0)
                return r;
        return sd_bus_message_close_container(m);
}

static int append_options(sd_bus_message *m, const JobRequest *q) {
        int r = sd_bus_message_open_container(m, 'a', "{sv}");

        if (r >= 0 && q->unclaimed)
                r = sd_bus_message_append(m, "{sv}", "unclaimed", "b", true);
        if (r >= 0 && q->force)
                r = sd_bus_message_append(m, "{sv}", "force", "b", true);
        if (r >= 0)
                r = append_strings(m, "devices", q->devices);
        if (r >= 0)
                r = append_strings(m, "exceptions", q->exceptions);
        if (r >= 0 && q->jump)
                r = sd_bus_message_append(m, "{sv}", "jump", "s", q->jump);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int request_message(const Wait *w, sd_bus_message **ret) {
        _cleanup_message_ sd_bus_message *m = NULL;
        const JobRequest *q = w->request;

        int r = sd_bus_message_new_method_call(w->bus->bus, &m, LIVEUPDATE_BUS_NAME, LIVEUPDATE_PATH,
                                               LIVEUPDATE_MANAGER_INTERFACE, q->method);
        if (r >= 0 && q->is_load)
                r = sd_bus_message_append(m, "hhs", q->kernel_fd, q->initrd_fd, q->cmdline);
        if (r >= 0)
                r = append_options(m, q);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

static int install_matches(Wait *w) {
        char rule[256];
        int r;

        (void)snprintf(rule, sizeof(rule),
                       "type='signal',sender='%s',path_namespace='" LIVEUPDATE_PATH "',"
                       "interface='org.freedesktop.DBus.Properties',member='PropertiesChanged'",
                       w->owner);
        if ((r = bus_match_manager(w->bus, &w->slots[0], w->owner, "JobRemoved", on_job_removed, w)) < 0 ||
            (r = bus_match_manager(w->bus, &w->slots[1], w->owner, "StateChanged", on_state_changed, w)) < 0 ||
            (r = sd_bus_add_match(w->bus->bus, &w->slots[2], rule, on_properties_changed, w)) < 0 ||
            (r = bus_match_owner(w->bus, &w->slots[3], on_owner_changed, w)) < 0)
                return r;
        return bus_match_disconnected(w->bus, &w->slots[4], on_disconnected, w);
}

static int install_sources(Wait *w) {
        sigset_t mask;

        /* An event source for a signal wants the signal blocked; bus_run_job() undoes it. */
        (void)sigemptyset(&mask);
        (void)sigaddset(&mask, SIGINT);
        if (sigprocmask(SIG_BLOCK, &mask, &w->old_mask) < 0)
                return -errno;
        int r = sd_event_new(&w->event);
        if (r < 0 || (r = sd_event_add_signal(w->event, NULL, SIGINT, on_interrupt, w)) < 0 ||
            (r = sd_event_add_time_relative(w->event, NULL, CLOCK_MONOTONIC, USEC_PER_SEC, 0, on_tick, w)) < 0)
                return r;
        return 0;
}

static int send_and_wait(Wait *w) {
        _cleanup_message_ sd_bus_message *m = NULL;

        int r = request_message(w, &m);
        if (r >= 0)
                r = sd_bus_attach_event(w->bus->bus, w->event, 0);
        if (r >= 0)
                r = sd_bus_call_async(w->bus->bus, &w->slots[5], m, on_reply, w, 0);
        if (r >= 0)
                r = sd_event_loop(w->event);
        (void)sd_bus_detach_event(w->bus->bus);
        /* Whoever ended the loop with an error has said why. */
        if (r < 0 && w->failure->exit_status == 0)
                return bus_failure(w->bus, w->failure, r, NULL);
        return r;
}

static int check_descriptors(const Wait *w) {
        /* ssh passes none, even where both its ends would. */
        if (!w->request->is_load || (!w->bus->where && sd_bus_can_send(w->bus->bus, SD_BUS_TYPE_UNIX_FD) > 0))
                return 0;
        return failure_set(
                w->failure, -EOPNOTSUPP, EXIT_CTL_FAILED, "no-descriptors",
                "Files cannot be passed over this connection. Run 'liveupdatectl load' on the host itself.");
}

int bus_run_job(Bus *bus, const JobRequest *request, JobOutcome *ret, Failure *failure) {
        _cleanup_job_outcome_ JobOutcome outcome = { .kind = request->kind };
        _cleanup_(wait_done) Wait w = { .bus = bus, .request = request, .outcome = &outcome, .failure = failure };

        *failure = (Failure){};
        (void)sigprocmask(SIG_SETMASK, NULL, &w.old_mask);
        int r = bus_get_state(bus, &w.state, &w.owner, failure);
        if (r < 0)
                return r;
        r = check_descriptors(&w);
        if (r < 0)
                return r;
        r = install_matches(&w);
        if (r < 0)
                return bus_failure(bus, failure, r, NULL);
        r = install_sources(&w);
        if (r < 0)
                failure_from_errno(failure, r, "Events cannot be waited for", NULL);
        else
                r = send_and_wait(&w);
        (void)sigprocmask(SIG_SETMASK, &w.old_mask, NULL);
        if (r < 0)
                return r;
        *ret = outcome;
        outcome = (JobOutcome){};
        return 0;
}
