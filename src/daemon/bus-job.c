/* SPDX-License-Identifier: GPL-2.0-or-later */
/* org.liveupdate1.Job */
#include "bus.h"

#include "common/names.h"

static int find_job(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                    sd_bus_error *error) {
        Bus *b = userdata;
        uint64_t number;

        if (!b->manager || bus_path_number(path, BUS_JOB_PREFIX, &number) < 0)
                return 0;
        Job *j = job_list_find(&b->manager->jobs, number);
        if (!j)
                return 0;
        j->bus = b;
        *ret = j;
        return 1;
}

static int enumerate_jobs(sd_bus *bus, const char *prefix, void *userdata, char ***ret, sd_bus_error *error) {
        Bus *b = userdata;
        size_t n = b->manager ? b->manager->jobs.n : 0;
        char **paths = calloc(n + 1, sizeof(*paths));
        char path[BUS_PATH_MAX];

        if (!paths)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                bus_job_path(b->manager->jobs.items[i], path);
                paths[i] = strdup(path);
                if (!paths[i]) {
                        while (i-- > 0)
                                free(paths[i]);
                        free(paths);
                        return -ENOMEM;
                }
        }
        *ret = paths;
        return 0;
}

static int get_kind(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                    void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(reply, "s", job_kind_to_string(((Job *)userdata)->kind));
}

static int get_state(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                     void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(reply, "s", job_state_to_string(((Job *)userdata)->state));
}

static int get_text(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                    void *userdata, sd_bus_error *error) {
        const Job *j = userdata;
        const char *value = NULL;
        const struct {
                const char *property;
                const char *value;
        } texts[] = {
                { "Step", j->step },
                { "UpdateId", j->update_id },
                { "Subject", j->failure.subject },
                { "FromRelease", j->from_release },
                { "FromVersion", j->from_version },
                { "ToRelease", j->to_release },
                { "ToVersion", j->to_version },
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                if (streq(texts[i].property, property))
                        value = texts[i].value;
        return value ? sd_bus_message_append(reply, "s", value) : -EINVAL;
}

static int get_code(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                    void *userdata, sd_bus_error *error) {
        const Job *j = userdata;

        return sd_bus_message_append(reply, "s",
                                     j->failure.reason == REASON_NONE ? "" : reason_code(j->failure.reason));
}

static int get_sentence(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const Job *j = userdata;
        char text[640] = "";

        if (j->failure.reason != REASON_NONE)
                refusal_format(&j->failure, text, sizeof(text));
        return sd_bus_message_append(reply, "s", text);
}

static int get_cancelable(sd_bus *bus, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const Job *j = userdata;
        const Bus *b = j->bus;

        return sd_bus_message_append(reply, "b", b->manager->job == j && manager_cancelable(b->manager));
}

static const Timeline *timeline_of(const Job *j) {
        const Bus *b = j->bus;

        return manager_job_timeline(b->manager, j);
}

static int get_timeline(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const Timeline *t = timeline_of(userdata);
        Step first = STEP_PREPARE_BEGIN;

        int r = sd_bus_message_open_container(reply, 'a', "(stt)");
        while (t && first < _STEP_MAX && !t->steps[first])
                first++;
        for (Step s = first; t && s < _STEP_MAX && r >= 0; s++) {
                uint64_t at, off;
                if (timeline_span(t, first, s, &at, &off) < 0)
                        continue;
                r = sd_bus_message_append(reply, "(stt)", step_to_string(s), at, off);
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_reports(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const Timeline *t = timeline_of(userdata);
        const Job *j = userdata;
        const Report *all = manager_job_report(((Bus *)j->bus)->manager, j);

        int r = sd_bus_message_open_container(reply, 'a', "(sstt)");
        for (size_t i = 0; t && all && i < all->n && r >= 0; i++) {
                const ReportSpan *s = &all->items[i];
                uint64_t at;
                if (timeline_since_start(t, s->begin, &at) < 0)
                        continue;
                r = sd_bus_message_append(reply, "(sstt)", s->participant, s->name, at, timeline_usec(t, s->length));
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_blackout(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const Timeline *t = timeline_of(userdata);
        uint64_t usec = 0, off = 0;

        if (!t || timeline_blackout(t, &usec, &off) < 0)
                usec = off = 0;
        return sd_bus_message_append(reply, "t", streq(property, "Blackout") ? usec : off);
}

static int get_clock(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                     void *userdata, sd_bus_error *error) {
        const Timeline *t = timeline_of(userdata);
        const char *word = t ? clock_kind_to_string((ClockKind)t->clock) : NULL;

        return sd_bus_message_append(reply, "s", word ?: "");
}

static int get_sessions(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const Job *j = userdata;

        return sd_bus_message_append(reply, "(uuuu)", j->expected, j->claimed, j->finished, j->missing);
}

static int get_reconciliation(sd_bus *bus, const char *path, const char *interface, const char *property,
                              sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const Job *j = userdata;
        const Manager *m = ((Bus *)j->bus)->manager;
        const struct {
                const char *key;
                uint32_t value;
        } counts[] = {
                { "expected", j->expected },
                { "claimed", j->claimed },
                { "finished", j->finished },
                { "missing", j->missing },
                { "orphaned", j->orphaned },
                { "devices", m->arrived_job == j->number ? (uint32_t)m->arrived.n : 0 },
                { "devices-missing", j->devices_missing },
        };

        int r = sd_bus_message_open_container(reply, 'a', "{su}");
        for (size_t i = 0; i < ELEMENTSOF(counts) && r >= 0; i++)
                r = sd_bus_message_append(reply, "{su}", counts[i].key, counts[i].value);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_registers(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const Job *j = userdata;

        return sd_bus_message_append(reply, "(tuuu)", j->registers_equal, j->registers_expected, j->registers_against,
                                     j->devices_missing);
}

static int get_devices(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const Job *j = userdata;

        return sd_bus_message_append(reply, "(uuuu)", j->handed_expected, j->handed_arrived, j->handed_lost,
                                     j->bus_master_wrong);
}

static int method_cancel(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Job *j = userdata, *cancel;
        Bus *b = j->bus;
        Refusal refusal;
        uint32_t uid;

        int r = bus_read_options(message, NULL, 0, error);
        if (r >= 0)
                r = bus_caller_uid(b, message, &uid, error);
        if (r < 0)
                return r;
        if (b->manager->job != j)
                r = refuse(&refusal, REASON_WRONG_STATE, "cancel", "job %lu does not drive an update",
                           (unsigned long)j->number);
        else
                r = manager_cancel(b->manager, uid, &cancel, &refusal);
        if (r < 0)
                return bus_refuse(error, &refusal);
        return sd_bus_reply_method_return(message, "");
}

static const sd_bus_vtable job_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("Cancel", SD_BUS_ARGS("a{sv}", options), SD_BUS_NO_RESULT, method_cancel,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("Id", "t", NULL, offsetof(Job, number), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Kind", "s", get_kind, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("State", "s", get_state, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Step", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("UpdateId", "s", get_text, 0, 0),
        SD_BUS_PROPERTY("StartTime", "t", NULL, offsetof(Job, start_usec), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("StartedByUid", "u", NULL, offsetof(Job, uid), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Cancelable", "b", get_cancelable, 0, 0),
        SD_BUS_PROPERTY("Code", "s", get_code, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Subject", "s", get_text, 0, 0),
        SD_BUS_PROPERTY("Sentence", "s", get_sentence, 0, 0),
        SD_BUS_PROPERTY("FromRelease", "s", get_text, 0, 0),
        SD_BUS_PROPERTY("FromVersion", "s", get_text, 0, 0),
        SD_BUS_PROPERTY("ToRelease", "s", get_text, 0, 0),
        SD_BUS_PROPERTY("ToVersion", "s", get_text, 0, 0),
        SD_BUS_PROPERTY("Timeline", "a(stt)", get_timeline, 0, 0),
        SD_BUS_PROPERTY("Reports", "a(sstt)", get_reports, 0, 0),
        SD_BUS_PROPERTY("Blackout", "t", get_blackout, 0, 0),
        SD_BUS_PROPERTY("BlackoutError", "t", get_blackout, 0, 0),
        SD_BUS_PROPERTY("Clock", "s", get_clock, 0, 0),
        SD_BUS_PROPERTY("Sessions", "(uuuu)", get_sessions, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Reconciliation", "a{su}", get_reconciliation, 0, 0),
        SD_BUS_PROPERTY("Registers", "(tuuu)", get_registers, 0, 0),
        SD_BUS_PROPERTY("Devices", "(uuuu)", get_devices, 0, 0),
        SD_BUS_VTABLE_END,
};

int bus_export_jobs(Bus *b) {
        int r = sd_bus_add_fallback_vtable(b->bus, NULL, BUS_JOB_PREFIX, LIVEUPDATE_JOB_INTERFACE, job_vtable,
                                           find_job, b);
        if (r < 0)
                return r;
        return sd_bus_add_node_enumerator(b->bus, NULL, BUS_JOB_PREFIX, enumerate_jobs, b);
}
