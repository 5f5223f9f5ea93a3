/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The only file that knows json-c. */
#include "json.h"

#include <json-c/json.h>

#include "json-internal.h"

json_object *json_put(json_object *object, const char *key, json_object *value) {
        if (object && value && json_object_object_add(object, key, value) == 0)
                return object;
        json_object_put(object);
        json_object_put(value);
        return NULL;
}

json_object *json_list_append(json_object *list, json_object *value) {
        if (list && value && json_object_array_add(list, value) == 0)
                return list;
        json_object_put(list);
        json_object_put(value);
        return NULL;
}

json_object *json_object_empty(void) {
        return json_object_new_object();
}

json_object *json_list_empty(void) {
        return json_object_new_array();
}

json_object *json_text(const char *s) {
        return json_object_new_string(s);
}

Object object_new(void) {
        return (Object){ json_object_new_object() };
}

void put(Object *o, const char *key, json_object *value) {
        o->object = json_put(o->object, key, value);
}

/* json-c writes null for NULL, which elsewhere here means out of memory. */
void put_null(Object *o, const char *key) {
        if (o->object && json_object_object_add(o->object, key, NULL) != 0) {
                json_object_put(o->object);
                o->object = NULL;
        }
}

void put_string(Object *o, const char *key, const char *s) {
        put(o, key, json_object_new_string(s));
}

/* "" on the bus is "not known": null. */
void put_known(Object *o, const char *key, const char *s) {
        if (str_empty(s))
                put_null(o, key);
        else
                put_string(o, key, s);
}

void put_u64(Object *o, const char *key, uint64_t v) {
        put(o, key, json_object_new_uint64(v));
}

void put_bool(Object *o, const char *key, bool v) {
        put(o, key, json_object_new_boolean(v));
}

void put_i64(Object *o, const char *key, int64_t v) {
        put(o, key, json_object_new_int64(v));
}

json_object *string_list(const StringList *l) {
        json_object *list = json_object_new_array();

        for (size_t i = 0; i < l->n; i++)
                list = json_list_append(list, json_object_new_string(l->items[i]));
        return list;
}

static json_object *pairs(const PairList *l) {
        Object o = object_new();

        for (size_t i = 0; i < l->n; i++)
                put_known(&o, l->items[i].key, l->items[i].value);
        return o.object;
}

void json_free(json_object *value) {
        json_object_put(value);
}

static json_object *kernel(const char *release, const char *version) {
        Object o = object_new();

        put_known(&o, "release", release);
        put_known(&o, "version", version);
        return o.object;
}

static json_object *waiting_item(const WaitingItem *w) {
        Object o = object_new();

        put_string(&o, "participant", w->path);
        put_string(&o, "name", w->name);
        put_string(&o, "phase", w->phase);
        put_string(&o, "answer", w->answer);
        if (w->since_usec > 0)
                put_u64(&o, "since_usec", w->since_usec);
        else
                put_null(&o, "since_usec");
        if (w->deadline_usec > 0 && w->deadline_usec < UINT64_MAX)
                put_u64(&o, "deadline_usec", w->deadline_usec);
        else
                put_null(&o, "deadline_usec");
        put_known(&o, "reason", w->reason);
        return o.object;
}

static json_object *session_totals(const SessionList *l) {
        Object o = object_new();
        size_t outgoing = 0;

        for (size_t i = 0; i < l->n; i++)
                outgoing += streq(l->items[i].direction, "outgoing");
        put_u64(&o, "outgoing", outgoing);
        put_u64(&o, "incoming", l->n - outgoing);
        return o.object;
}

static json_object *timeline_steps(const TimelineSteps *l) {
        json_object *list = json_object_new_array();

        for (size_t i = 0; i < l->n; i++) {
                const TimelineStep *s = &l->items[i];
                Object o = object_new();

                put_string(&o, "step", s->name);
                put_u64(&o, "at_usec", s->at_usec);
                if (i > 0 && s->at_usec >= s[-1].at_usec)
                        put_u64(&o, "took_usec", s->at_usec - s[-1].at_usec);
                else
                        put_null(&o, "took_usec");
                put_u64(&o, "error_usec", s->error_usec);
                list = json_list_append(list, o.object);
        }
        return list;
}

static json_object *reported_spans(const ReportedSpans *l) {
        json_object *list = json_object_new_array();

        for (size_t i = 0; i < l->n; i++) {
                const ReportedSpan *s = &l->items[i];
                Object o = object_new();

                put_string(&o, "participant", s->participant);
                put_string(&o, "span", s->name);
                put_u64(&o, "at_usec", s->at_usec);
                put_u64(&o, "took_usec", s->took_usec);
                list = json_list_append(list, o.object);
        }
        return list;
}

static void put_timeline(Object *o, const JobInfo *job) {
        put(o, "timeline", timeline_steps(&job->timeline));
        put(o, "reports", reported_spans(&job->reports));
        if (job->blackout_usec > 0) {
                put_u64(o, "blackout_usec", job->blackout_usec);
                put_u64(o, "blackout_error_usec", job->blackout_error_usec);
        } else {
                put_null(o, "blackout_usec");
                put_null(o, "blackout_error_usec");
        }
        put_known(o, "clock", job->clock);
}

static void put_registers(Object *o, const RegisterCounts *c) {
        if (!register_counts_any(c)) {
                put_null(o, "registers");
                return;
        }
        Object r = object_new();
        put_u64(&r, "equal", c->equal);
        put_u64(&r, "expected", c->expected);
        put_u64(&r, "against", c->against);
        put_u64(&r, "missing", c->missing);
        put(o, "registers", r.object);
}

static void put_handover(Object *o, const HandoverCounts *c) {
        if (c->expected == 0) {
                put_null(o, "devices");
                return;
        }
        Object d = object_new();
        put_u64(&d, "expected", c->expected);
        put_u64(&d, "arrived", c->arrived);
        put_u64(&d, "lost", c->lost);
        put_u64(&d, "bus_master_wrong", c->bus_master);
        put(o, "devices", d.object);
}

json_object *json_job(const JobInfo *job) {
        Object o = object_new(), s = object_new();

        put_u64(&o, "number", job->number);
        put_string(&o, "path", job->path);
        put_string(&o, "kind", job->kind);
        put_string(&o, "state", job->state);
        put_known(&o, "step", job->step);
        put_known(&o, "update_id", job->update_id);
        put_u64(&o, "start_time_usec", job->start_usec);
        put_u64(&o, "started_by_uid", job->uid);
        put_bool(&o, "cancelable", job->cancelable);
        put_known(&o, "code", job->code);
        put_known(&o, "subject", job->subject);
        put_known(&o, "sentence", job->sentence);
        put(&o, "from", kernel(job->from_release, job->from_version));
        put(&o, "to", kernel(job->to_release, job->to_version));
        put_timeline(&o, job);
        put_u64(&s, "expected", job->sessions.expected);
        put_u64(&s, "claimed", job->sessions.claimed);
        put_u64(&s, "finished", job->sessions.finished);
        put_u64(&s, "missing", job->sessions.missing);
        put(&o, "sessions", s.object);
        put_registers(&o, &job->registers);
        put_handover(&o, &job->devices);
        return o.object;
}

json_object *json_timeline(const JobInfo *job) {
        Object o = object_new();

        put_u64(&o, "number", job->number);
        put_known(&o, "update_id", job->update_id);
        put_timeline(&o, job);
        return o.object;
}

static json_object *manager_lists(Object *o, const ManagerInfo *m) {
        json_object *waiting = json_object_new_array();

        for (size_t i = 0; i < m->waiting.n; i++)
                waiting = json_list_append(waiting, waiting_item(&m->waiting.items[i]));
        put(o, "waiting", waiting);
        put(o, "capabilities", string_list(&m->capabilities));
        put(o, "held", string_list(&m->held));
        return o->object;
}

json_object *json_status(const StatusView *v) {
        const ManagerInfo *m = v->manager;
        Object o = object_new(), k = object_new();

        put_string(&o, "state", m->state);
        put_bool(&o, "cancelable", m->cancelable);
        put_bool(&o, "crash_cancels", m->crash_cancels);
        put_known(&k, "release", m->kernel_release);
        put_known(&k, "version", m->kernel_version);
        put(&k, "abi", pairs(&m->abi));
        put(&o, "kernel", k.object);
        put_u64(&o, "update_number", m->update_number);
        if (m->next_kernel.n > 0)
                put(&o, "next_kernel", pairs(&m->next_kernel));
        else
                put_null(&o, "next_kernel");
        if (v->running)
                put(&o, "job", json_job(v->running));
        else
                put_null(&o, "job");
        manager_lists(&o, m);
        if (v->sessions)
                put(&o, "sessions", session_totals(v->sessions));
        else
                put_null(&o, "sessions");
        if (v->last)
                put(&o, "last_job", json_job(v->last));
        else
                put_null(&o, "last_job");
        put_known(&o, "notice", m->notice);
        put_known(&o, "daemon_version", m->version);
        return o.object;
}

json_object *json_jobs(const JobSummaryList *jobs) {
        json_object *list = json_object_new_array();

        for (size_t i = 0; i < jobs->n; i++) {
                const JobSummary *j = &jobs->items[i];
                Object o = object_new();

                put_u64(&o, "number", j->number);
                put_string(&o, "path", j->path);
                put_string(&o, "kind", j->kind);
                put_string(&o, "state", j->state);
                put_known(&o, "code", j->code);
                put_known(&o, "sentence", j->sentence);
                list = json_list_append(list, o.object);
        }
        return json_put(json_object_new_object(), "jobs", list);
}

json_object *json_sessions(const SessionList *sessions) {
        json_object *list = json_object_new_array();

        for (size_t i = 0; i < sessions->n; i++) {
                const SessionInfo *s = &sessions->items[i];
                Object o = object_new();

                put_string(&o, "name", s->name);
                put_string(&o, "path", s->path);
                put_string(&o, "direction", s->direction);
                put_string(&o, "state", s->state);
                put_u64(&o, "uid", s->uid);
                put_u64(&o, "files", s->n_files);
                list = json_list_append(list, o.object);
        }
        return json_put(json_object_new_object(), "sessions", list);
}

json_object *json_event(const Event *e) {
        static const char *const names[] = {
                [EVENT_STATE] = "state",           [EVENT_STATE_CHANGED] = "state-changed",
                [EVENT_JOB_NEW] = "job-new",       [EVENT_JOB_REMOVED] = "job-removed",
                [EVENT_PLAN_STALE] = "plan-stale", [EVENT_OWNER] = "daemon",
        };
        Object o = object_new();

        put_string(&o, "event", names[e->kind]);
        put_u64(&o, "time_usec", e->time_usec);
        switch (e->kind) {
        case EVENT_STATE:
                put_string(&o, "state", e->to);
                break;
        case EVENT_STATE_CHANGED:
                put_string(&o, "from", e->from);
                put_string(&o, "to", e->to);
                break;
        case EVENT_JOB_NEW:
        case EVENT_JOB_REMOVED:
                put_u64(&o, "number", e->number);
                put_string(&o, "path", e->path);
                if (e->kind == EVENT_JOB_NEW)
                        break;
                put_string(&o, "result", e->result);
                put_known(&o, "code", e->code);
                put_known(&o, "sentence", e->sentence);
                break;
        case EVENT_PLAN_STALE:
                put(&o, "devices", string_list(e->devices));
                break;
        case EVENT_OWNER:
                put_bool(&o, "running", e->running);
                break;
        }
        return o.object;
}

json_object *json_failure(const Failure *failure, const JobInfo *job) {
        Object o = object_new(), e = object_new();

        put_string(&e, "code", failure->code);
        put_known(&e, "subject", failure->subject);
        put_string(&e, "sentence", failure->sentence);
        put(&o, "error", e.object);
        if (job)
                put(&o, "job", json_job(job));
        else
                put_null(&o, "job");
        return o.object;
}

json_object *json_outcome(const JobOutcome *outcome, const char *state) {
        Object o = object_new();

        put_u64(&o, "number", outcome->number);
        put_known(&o, "path", outcome->path);
        put_string(&o, "kind", outcome->kind);
        put_string(&o, "state", state);
        return o.object;
}

json_object *json_version(void) {
        return json_put(json_object_new_object(), "version", json_object_new_string(PROJECT_VERSION));
}

int json_mode_from_string(const char *s) {
        return streq(s, "off")      ? JSON_OFF
               : streq(s, "short")  ? JSON_SHORT
               : streq(s, "pretty") ? JSON_PRETTY
                                    : -EINVAL;
}

int json_to_text(json_object *value, JsonMode mode, char **ret) {
        int flags = JSON_C_TO_STRING_NOSLASHESCAPE;

        if (!value)
                return -ENOMEM;
        flags |= mode == JSON_PRETTY ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : JSON_C_TO_STRING_PLAIN;
        const char *s = json_object_to_json_string_ext(value, flags);
        int r = s ? asprintf(ret, "%s\n", s) : -1;
        json_object_put(value);
        return r < 0 ? -ENOMEM : 0;
}
