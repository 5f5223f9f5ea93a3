/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages into structs. Which property goes into which field is in tables; a
 * property that is not in them is skipped (a newer daemon), one with another type is an
 * error, and a string that did not come is "".
 */
#include "bus-internal.h"

#include "common/names.h"

int read_string(sd_bus_message *m, void *field) {
        char **p = field;
        const char *s;

        int r = sd_bus_message_read_basic(m, 's', &s);
        if (r < 0)
                return r;
        free(*p);
        *p = strdup(s);
        return *p ? 0 : -ENOMEM;
}

int read_path(sd_bus_message *m, void *field) {
        char **p = field;
        const char *s;

        int r = sd_bus_message_read_basic(m, 'o', &s);
        if (r < 0)
                return r;
        free(*p);
        *p = strdup(s);
        return *p ? 0 : -ENOMEM;
}

int read_u64(sd_bus_message *m, void *field) {
        return sd_bus_message_read_basic(m, 't', field);
}

int read_u32(sd_bus_message *m, void *field) {
        return sd_bus_message_read_basic(m, 'u', field);
}

int read_bool(sd_bus_message *m, void *field) {
        int v;

        int r = sd_bus_message_read_basic(m, 'b', &v);
        if (r >= 0)
                *(bool *)field = v;
        return r;
}

static int read_pairs(sd_bus_message *m, void *field) {
        PairList *l = field;

        int r = sd_bus_message_enter_container(m, 'a', "{ss}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "ss")) > 0) {
                Pair *p = array_append(&l->items, l->n, sizeof(Pair));
                if (!p)
                        return -ENOMEM;
                l->n++;
                r = read_string(m, &p->key);
                if (r >= 0)
                        r = read_string(m, &p->value);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

int read_strings(sd_bus_message *m, void *field) {
        StringList *l = field;

        int r = sd_bus_message_enter_container(m, 'a', "s");
        while (r >= 0 && (r = sd_bus_message_at_end(m, false)) == 0) {
                char **s = array_append(&l->items, l->n, sizeof(char *));
                if (!s)
                        return -ENOMEM;
                l->n++;
                r = read_string(m, s);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

int read_waiting(sd_bus_message *m, void *field) {
        WaitingList *l = field;

        int r = sd_bus_message_enter_container(m, 'a', "(ossstts)");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', "ossstts")) > 0) {
                WaitingItem *w = array_append(&l->items, l->n, sizeof(WaitingItem));
                if (!w)
                        return -ENOMEM;
                l->n++;
                if ((r = read_path(m, &w->path)) < 0 || (r = read_string(m, &w->name)) < 0 ||
                    (r = read_string(m, &w->phase)) < 0 || (r = read_string(m, &w->answer)) < 0 ||
                    (r = read_u64(m, &w->since_usec)) < 0 || (r = read_u64(m, &w->deadline_usec)) < 0 ||
                    (r = read_string(m, &w->reason)) < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_timeline(sd_bus_message *m, void *field) {
        TimelineSteps *l = field;

        int r = sd_bus_message_enter_container(m, 'a', "(stt)");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', "stt")) > 0) {
                TimelineStep *s = array_append(&l->items, l->n, sizeof(TimelineStep));
                if (!s)
                        return -ENOMEM;
                l->n++;
                if ((r = read_string(m, &s->name)) < 0 || (r = read_u64(m, &s->at_usec)) < 0 ||
                    (r = read_u64(m, &s->error_usec)) < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_reports(sd_bus_message *m, void *field) {
        ReportedSpans *l = field;

        int r = sd_bus_message_enter_container(m, 'a', "(sstt)");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', "sstt")) > 0) {
                ReportedSpan *s = array_append(&l->items, l->n, sizeof(ReportedSpan));
                if (!s)
                        return -ENOMEM;
                l->n++;
                if ((r = read_string(m, &s->participant)) < 0 || (r = read_string(m, &s->name)) < 0 ||
                    (r = read_u64(m, &s->at_usec)) < 0 || (r = read_u64(m, &s->took_usec)) < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_counts(sd_bus_message *m, void *field) {
        SessionCounts *c = field;

        return sd_bus_message_read(m, "(uuuu)", &c->expected, &c->claimed, &c->finished, &c->missing);
}

static int read_registers(sd_bus_message *m, void *field) {
        RegisterCounts *c = field;

        return sd_bus_message_read(m, "(tuuu)", &c->equal, &c->expected, &c->against, &c->missing);
}

static int read_handover(sd_bus_message *m, void *field) {
        HandoverCounts *c = field;

        return sd_bus_message_read(m, "(uuuu)", &c->expected, &c->arrived, &c->lost, &c->bus_master);
}

#define M(field) offsetof(ManagerInfo, field)
static const Property manager_properties[] = {
        { "State", "s", read_string, M(state) },
        { "Cancelable", "b", read_bool, M(cancelable) },
        { "CrashCancels", "b", read_bool, M(crash_cancels) },
        { "Job", "o", read_path, M(job) },
        { "Waiting", "a(ossstts)", read_waiting, M(waiting) },
        { "KernelAbi", "a{ss}", read_pairs, M(abi) },
        { "KernelRelease", "s", read_string, M(kernel_release) },
        { "KernelVersion", "s", read_string, M(kernel_version) },
        { "UpdateNumber", "t", read_u64, M(update_number) },
        { "NextKernel", "a{ss}", read_pairs, M(next_kernel) },
        { "Capabilities", "as", read_strings, M(capabilities) },
        { "HeldDevices", "as", read_strings, M(held) },
        { "Notice", "s", read_string, M(notice) },
        { "Version", "s", read_string, M(version) },
};

#define J(field) offsetof(JobInfo, field)
static const Property job_properties[] = {
        { "Id", "t", read_u64, J(number) },
        { "Kind", "s", read_string, J(kind) },
        { "State", "s", read_string, J(state) },
        { "Step", "s", read_string, J(step) },
        { "UpdateId", "s", read_string, J(update_id) },
        { "StartTime", "t", read_u64, J(start_usec) },
        { "StartedByUid", "u", read_u32, J(uid) },
        { "Cancelable", "b", read_bool, J(cancelable) },
        { "Code", "s", read_string, J(code) },
        { "Subject", "s", read_string, J(subject) },
        { "Sentence", "s", read_string, J(sentence) },
        { "FromRelease", "s", read_string, J(from_release) },
        { "FromVersion", "s", read_string, J(from_version) },
        { "ToRelease", "s", read_string, J(to_release) },
        { "ToVersion", "s", read_string, J(to_version) },
        { "Timeline", "a(stt)", read_timeline, J(timeline) },
        { "Reports", "a(sstt)", read_reports, J(reports) },
        { "Blackout", "t", read_u64, J(blackout_usec) },
        { "BlackoutError", "t", read_u64, J(blackout_error_usec) },
        { "Clock", "s", read_string, J(clock) },
        { "Sessions", "(uuuu)", read_counts, J(sessions) },
        { "Registers", "(tuuu)", read_registers, J(registers) },
        { "Devices", "(uuuu)", read_handover, J(devices) },
};

static int read_property(sd_bus_message *m, const Property *table, size_t n, void *dst) {
        const char *name, *type;
        char container;

        int r = sd_bus_message_read_basic(m, 's', &name);
        if (r < 0)
                return r;
        r = sd_bus_message_peek_type(m, &container, &type);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                if (!streq(table[i].name, name))
                        continue;
                if (!streq(table[i].type, type))
                        return -EBADMSG;
                r = sd_bus_message_enter_container(m, 'v', type);
                if (r >= 0)
                        r = table[i].read(m, (char *)dst + table[i].offset);
                return r < 0 ? r : sd_bus_message_exit_container(m);
        }
        return sd_bus_message_skip(m, "v");
}

int read_properties(sd_bus_message *m, const Property *table, size_t n, void *dst) {
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = read_property(m, table, n, dst);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                char **s = (char **)((char *)dst + table[i].offset);
                if ((table[i].read == read_string || table[i].read == read_path) && !*s && !(*s = strdup("")))
                        return -ENOMEM;
        }
        return 0;
}

int bus_get_all(Bus *bus, const char *path, const char *interface, sd_bus_error *error, sd_bus_message **ret) {
        return sd_bus_call_method(bus->bus, LIVEUPDATE_BUS_NAME, path, "org.freedesktop.DBus.Properties", "GetAll",
                                  error, ret, "s", interface);
}

int bus_get_manager(Bus *bus, ManagerInfo *ret, Failure *failure) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_manager_info_ ManagerInfo info = {};

        int r = bus_get_all(bus, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE, &error, &reply);
        if (r < 0)
                return bus_failure(bus, failure, r, &error);
        r = read_properties(reply, manager_properties, ELEMENTSOF(manager_properties), &info);
        if (r < 0)
                return bus_failure_form(bus, failure, r);
        *ret = info;
        info = (ManagerInfo){};
        return 0;
}

void job_path(uint64_t number, char buf[static JOB_PATH_SIZE]) {
        (void)snprintf(buf, JOB_PATH_SIZE, LIVEUPDATE_PATH "/job/%llu", (unsigned long long)number);
}

int bus_get_job(Bus *bus, const char *path, JobInfo *ret, Failure *failure) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_job_info_ JobInfo info = {};

        int r = bus_get_all(bus, path, LIVEUPDATE_JOB_INTERFACE, &error, &reply);
        /* sd-bus answers UnknownObject, or UnknownInterface where the path has others. */
        if (r < 0 && (sd_bus_error_has_name(&error, SD_BUS_ERROR_UNKNOWN_OBJECT) ||
                      sd_bus_error_has_name(&error, SD_BUS_ERROR_UNKNOWN_INTERFACE))) {
                const char *slash = strrchr(path, '/');
                return failure_set(failure, -ENOENT, EXIT_CTL_FAILED, "no-such-job",
                                   "There is no job %s; the oldest ones are forgotten. See 'liveupdatectl jobs'.",
                                   slash ? slash + 1 : path);
        }
        if (r < 0)
                return bus_failure(bus, failure, r, &error);
        r = read_properties(reply, job_properties, ELEMENTSOF(job_properties), &info);
        if (r >= 0 && !(info.path = strdup(path)))
                r = -ENOMEM;
        if (r < 0)
                return bus_failure_form(bus, failure, r);
        *ret = info;
        info = (JobInfo){};
        return 0;
}

static int read_jobs(sd_bus_message *m, JobSummaryList *l) {
        int r = sd_bus_message_enter_container(m, 'a', "(otssss)");

        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', "otssss")) > 0) {
                JobSummary *j = array_append(&l->items, l->n, sizeof(JobSummary));
                if (!j)
                        return -ENOMEM;
                l->n++;
                if ((r = read_path(m, &j->path)) < 0 || (r = read_u64(m, &j->number)) < 0 ||
                    (r = read_string(m, &j->kind)) < 0 || (r = read_string(m, &j->state)) < 0 ||
                    (r = read_string(m, &j->code)) < 0 || (r = read_string(m, &j->sentence)) < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
        }
        return r;
}

static int job_compare(const void *a, const void *b) {
        const JobSummary *x = a, *y = b;

        return (x->number > y->number) - (x->number < y->number);
}

int bus_list_jobs(Bus *bus, JobSummaryList *ret, Failure *failure) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_job_summary_list_ JobSummaryList list = {};

        int r = sd_bus_call_method(bus->bus, LIVEUPDATE_BUS_NAME, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE,
                                   "ListJobs", &error, &reply, NULL);
        if (r < 0)
                return bus_failure(bus, failure, r, &error);
        r = read_jobs(reply, &list);
        if (r < 0)
                return bus_failure_form(bus, failure, r);
        if (list.n > 1)
                qsort(list.items, list.n, sizeof(JobSummary), job_compare);
        *ret = list;
        list = (JobSummaryList){};
        return 0;
}

static int read_sessions(sd_bus_message *m, SessionList *l) {
        int r = sd_bus_message_enter_container(m, 'a', "(osssut)");

        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', "osssut")) > 0) {
                SessionInfo *s = array_append(&l->items, l->n, sizeof(SessionInfo));
                if (!s)
                        return -ENOMEM;
                l->n++;
                if ((r = read_path(m, &s->path)) < 0 || (r = read_string(m, &s->name)) < 0 ||
                    (r = read_string(m, &s->direction)) < 0 || (r = read_string(m, &s->state)) < 0 ||
                    (r = read_u32(m, &s->uid)) < 0 || (r = read_u64(m, &s->n_files)) < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
        }
        return r;
}

int bus_list_sessions(Bus *bus, SessionList *ret, Failure *failure) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_session_list_ SessionList list = {};

        int r = sd_bus_call_method(bus->bus, LIVEUPDATE_BUS_NAME, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE,
                                   "ListSessions", &error, &reply, NULL);
        if (r < 0)
                return bus_failure(bus, failure, r, &error);
        r = read_sessions(reply, &list);
        if (r < 0)
                return bus_failure_form(bus, failure, r);
        *ret = list;
        list = (SessionList){};
        return 0;
}
