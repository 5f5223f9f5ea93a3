/* SPDX-License-Identifier: GPL-2.0-or-later */
/* org.liveupdate1.Manager */
#include "bus-device.h"

#include <sys/stat.h>

#include "common/names.h"
#include "daemon/planner.h"

/* Methods that start a job. */

typedef int (*job_request_t)(Manager *m, uint32_t uid, Job **ret, Refusal *refusal);

static int request_job(sd_bus_message *message, Bus *b, sd_bus_error *error, job_request_t request) {
        Refusal refusal;
        uint32_t uid;
        Job *j;

        int r = bus_read_options(message, NULL, 0, error);
        if (r >= 0)
                r = bus_caller_uid(b, message, &uid, error);
        if (r < 0)
                return r;
        r = request(b->manager, uid, &j, &refusal);
        if (r < 0)
                return bus_refuse(error, &refusal);
        return bus_reply_job(message, j);
}

/* The same for those that name devices and exceptions. */

typedef int (*update_request_t)(Manager *m, uint32_t uid, UpdateRequest *request, Job **ret, Refusal *refusal);

/* jumps: it goes as far as that, so the way can be chosen. */
static int request_update(sd_bus_message *message, Bus *b, sd_bus_error *error, bool jumps, update_request_t start) {
        char **devices = NULL, **exceptions = NULL;
        const char *jump = NULL;
        const BusOption options[] = {
                { "devices", 'A', &devices },
                { "exceptions", 'A', &exceptions },
                { "jump", 's', &jump },
        };
        UpdateRequest request = {};
        Refusal refusal;
        uint32_t uid;
        Job *j;

        int r = bus_read_options(message, options, ELEMENTSOF(options) - !jumps, error);
        if (r >= 0)
                r = bus_read_jump(jump, &request.jump, error);
        if (r >= 0)
                r = bus_caller_uid(b, message, &uid, error);
        if (r >= 0) {
                r = planner_parse(devices, &request.devices, &request.n_devices, &refusal);
                request.exceptions = TAKE_PTR(exceptions);
                while (request.exceptions && request.exceptions[request.n_exceptions])
                        request.n_exceptions++;
                if (r >= 0)
                        r = start(b->manager, uid, &request, &j, &refusal);
                if (r < 0)
                        r = bus_refuse(error, &refusal);
        }
        bus_free_words(devices);
        bus_free_words(exceptions);
        update_request_done(&request);
        return r < 0 ? r : bus_reply_job(message, j);
}

static int method_unload(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return request_job(message, userdata, error, manager_unload);
}

static int method_prepare(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return request_update(message, userdata, error, false, manager_prepare);
}

static int method_freeze(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return request_job(message, userdata, error, manager_freeze);
}

static int method_execute(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *jump = NULL;
        const BusOption options[] = { { "jump", 's', &jump } };
        Bus *b = userdata;
        UpdateRequest request = {};
        Refusal refusal;
        uint32_t uid;
        Job *j;

        int r = bus_read_options(message, options, ELEMENTSOF(options), error);
        if (r >= 0)
                r = bus_read_jump(jump, &request.jump, error);
        if (r >= 0)
                r = bus_caller_uid(b, message, &uid, error);
        if (r < 0)
                return r;
        r = manager_execute(b->manager, uid, &request, &j, &refusal);
        return r < 0 ? bus_refuse(error, &refusal) : bus_reply_job(message, j);
}

static int method_update(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return request_update(message, userdata, error, true, manager_update);
}

static int method_cancel(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return request_job(message, userdata, error, manager_cancel);
}

static int method_finish(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Bus *b = userdata;
        int unclaimed = false, force = false;
        const BusOption options[] = { { "unclaimed", 'b', &unclaimed }, { "force", 'b', &force } };
        Refusal refusal;
        uint32_t uid;
        Job *j;

        int r = bus_read_options(message, options, ELEMENTSOF(options), error);
        if (r >= 0)
                r = bus_caller_uid(b, message, &uid, error);
        if (r < 0)
                return r;
        r = manager_finish(b->manager, uid, unclaimed, force, &j, &refusal);
        if (r < 0)
                return bus_refuse(error, &refusal);
        return bus_reply_job(message, j);
}

static int method_load(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Bus *b = userdata;
        const char *cmdline;
        int kernel, initrd;
        struct stat st;
        Refusal refusal;
        uint32_t uid;
        Job *j;

        int r = sd_bus_message_read(message, "hhs", &kernel, &initrd, &cmdline);
        if (r >= 0)
                r = bus_read_options(message, NULL, 0, error);
        if (r >= 0)
                r = bus_caller_uid(b, message, &uid, error);
        if (r < 0)
                return r;
        /* D-Bus has no "no descriptor": an empty file, or /dev/null, stands for it. */
        bool empty = fstat(initrd, &st) == 0 && (S_ISCHR(st.st_mode) || (S_ISREG(st.st_mode) && st.st_size == 0));
        r = manager_load(b->manager, kernel, empty ? -1 : initrd, cmdline, uid, &j, &refusal);
        if (r < 0)
                return bus_refuse(error, &refusal);
        return bus_reply_job(message, j);
}

/* Sessions. */

static void reply_session(void *userdata, Session *s, int fd, const Refusal *refusal) {
        BusCall *call = userdata;
        char path[BUS_PATH_MAX];

        if (refusal)
                bus_reply_refusal(call->message, refusal);
        else if (bus_session_path(s, path) >= 0)
                (void)sd_bus_reply_method_return(call->message, "oh", path, fd);
        bus_call_free(call);
}

typedef int (*session_request_t)(Manager *m, const char *name, uint32_t uid, const char *owner, session_reply_t reply,
                                 void *userdata, Refusal *refusal);

static int request_session(sd_bus_message *message, Bus *b, const char *name, sd_bus_error *error,
                           session_request_t request) {
        Refusal refusal;
        BusCall *call;
        uint32_t uid;

        int r = bus_caller_uid(b, message, &uid, error);
        if (r >= 0)
                r = bus_call_new(b, message, &call, error);
        if (r < 0)
                return r;
        r = request(b->manager, name, uid, sd_bus_message_get_sender(message), reply_session, call, &refusal);
        if (r < 0) {
                bus_call_free(call);
                return bus_refuse(error, &refusal);
        }
        return 1;
}

static int method_open_session(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *name;
        Bus *b = userdata;
        const char *unclaimed = "hold";
        BusUids grants = {};
        const BusOption options[] = { { "grants", 'U', &grants }, { "unclaimed", 's', &unclaimed } };
        Refusal refusal;
        uint64_t hold;

        int r = sd_bus_message_read(message, "s", &name);
        if (r >= 0)
                r = bus_read_options(message, options, ELEMENTSOF(options), error);
        if (r >= 0 && session_hold_parse(unclaimed, &hold) < 0) {
                refuse(&refusal, REASON_INVALID_ARGUMENT, "unclaimed",
                       "'%.32s' is none of hold, finish and a time span", unclaimed);
                return bus_refuse(error, &refusal);
        }
        if (r >= 0)
                r = request_session(message, b, name, error, manager_open_session);
        if (r < 0)
                return r;
        /* The kernel is being asked; nobody has seen the session yet, nor is it written down. */
        Session *s = session_table_find(&b->manager->sessions, name);
        if (s) {
                s->hold_usec = hold;
                memcpy(s->grants, grants.items, sizeof(s->grants));
                s->n_grants = grants.n;
        }
        return r;
}

static int method_claim_session(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *name;

        int r = sd_bus_message_read(message, "s", &name);
        if (r >= 0)
                r = bus_read_options(message, NULL, 0, error);
        return r < 0 ? r : request_session(message, userdata, name, error, manager_claim_session);
}

static int method_list_sessions(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Bus *b = userdata;
        const SessionTable *all = &b->manager->sessions;
        bool others = bus_caller_sees_all(b, message);
        sd_bus_message *reply = NULL;
        char path[BUS_PATH_MAX];
        uint32_t uid;

        int r = bus_caller_uid(b, message, &uid, error);
        if (r >= 0)
                r = sd_bus_message_new_method_return(message, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(osssut)");
        for (size_t i = 0; i < all->n && r >= 0; i++) {
                const Session *s = all->items[i];
                if (!others && !session_may(s, uid))
                        continue;
                r = bus_session_path(s, path);
                if (r >= 0)
                        r = sd_bus_message_append(reply, "(osssut)", path, s->name,
                                                  session_is_incoming(s) ? "incoming" : "outgoing",
                                                  session_state_to_string(s->state), s->uid, (uint64_t)s->n_files);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_send(b->bus, reply, NULL);
        sd_bus_message_unref(reply);
        return r;
}

static int method_list_jobs(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Bus *b = userdata;
        const JobList *all = &b->manager->jobs;
        sd_bus_message *reply = NULL;

        int r = sd_bus_message_new_method_return(message, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(otssss)");
        for (size_t i = 0; i < all->n && r >= 0; i++) {
                const Job *j = all->items[i];
                bool failed = j->failure.reason != REASON_NONE;
                char path[BUS_PATH_MAX], text[640] = "";

                if (failed)
                        refusal_format(&j->failure, text, sizeof(text));
                bus_job_path(j, path);
                r = sd_bus_message_append(reply, "(otssss)", path, j->number, job_kind_to_string(j->kind),
                                          job_state_to_string(j->state), failed ? reason_code(j->failure.reason) : "",
                                          text);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_send(b->bus, reply, NULL);
        sd_bus_message_unref(reply);
        return r;
}

/* Properties. */

static int get_state(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                     void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(reply, "s", phase_to_string(((Bus *)userdata)->manager->phase));
}

static int get_cancelable(sd_bus *bus, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(reply, "b", manager_cancelable(((Bus *)userdata)->manager));
}

static int get_crash_cancels(sd_bus *bus, const char *path, const char *interface, const char *property,
                             sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(reply, "b", !manager_crash_safe(((Bus *)userdata)->manager));
}

static int get_job(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                   void *userdata, sd_bus_error *error) {
        const Manager *m = ((Bus *)userdata)->manager;
        const Job *j = m->job ?: m->incoming.job;
        char job[BUS_PATH_MAX] = "/";

        if (j && j->state == JOB_RUNNING)
                bus_job_path(j, job);
        return sd_bus_message_append(reply, "o", job);
}

static int get_waiting(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const Barrier *all = &((Bus *)userdata)->manager->barrier;
        char participant[BUS_PATH_MAX];

        int r = sd_bus_message_open_container(reply, 'a', "(ossstts)");
        for (size_t i = 0; i < all->n && r >= 0; i++) {
                const Participant *p = all->items[i];
                if (p->answer != ANSWER_WAITING)
                        continue;
                bus_participant_path(p, participant);
                r = sd_bus_message_append(reply, "(ossstts)", participant, p->name, want_to_string(p->phase),
                                          answer_to_string(p->answer), p->asked, p->deadline, p->reason ?: "");
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_strings(sd_bus_message *reply, const char *const pairs[][2], size_t n) {
        int r = sd_bus_message_open_container(reply, 'a', "{ss}");

        for (size_t i = 0; i < n && r >= 0; i++)
                r = sd_bus_message_append(reply, "{ss}", pairs[i][0], pairs[i][1]);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_kernel_abi(sd_bus *bus, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const KernelAbi *abi = &((Bus *)userdata)->manager->ports->host->abi;
        const char *const pairs[][2] = { { "kho", abi->kho }, { "luo", abi->luo }, { "memfd", abi->memfd } };

        return append_strings(reply, pairs, ELEMENTSOF(pairs));
}

static int get_next_kernel(sd_bus *bus, const char *path, const char *interface, const char *property,
                           sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const NextKernel *next = &((Bus *)userdata)->manager->next;
        const char *const pairs[][2] = { { "release", next->release }, { "cmdline", next->cmdline ?: "" } };

        return append_strings(reply, pairs, next->loaded ? ELEMENTSOF(pairs) : 0);
}

static int get_host_text(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const Manager *m = ((Bus *)userdata)->manager;
        const char *value = streq(property, "KernelRelease")   ? m->ports->host->release
                            : streq(property, "KernelVersion") ? m->ports->host->version
                            : streq(property, "Notice")        ? (m->notice ?: "")
                                                               : PROJECT_VERSION;

        return sd_bus_message_append(reply, "s", value);
}

static int get_update_number(sd_bus *bus, const char *path, const char *interface, const char *property,
                             sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(reply, "t", ((Bus *)userdata)->manager->ports->host->update_number);
}

static int get_capabilities(sd_bus *bus, const char *path, const char *interface, const char *property,
                            sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const Ports *p = ((Bus *)userdata)->manager->ports;

        int r = sd_bus_message_open_container(reply, 'a', "s");
        if (r >= 0 && luo_available(&p->luo) >= 0)
                r = sd_bus_message_append(reply, "s", "memfd");
        unsigned can = planner_can(((Bus *)userdata)->manager);
        if (r >= 0 && can & PLAN_CAN_VFIO)
                r = sd_bus_message_append(reply, "s", "vfio");
        if (r >= 0 && can & PLAN_CAN_VF)
                r = sd_bus_message_append(reply, "s", "vf");
        if (r >= 0 && can & PLAN_CAN_DMA)
                r = sd_bus_message_append(reply, "s", "dma-continue");
        if (r >= 0 && p->store)
                r = sd_bus_message_append(reply, "s", "fdstore");
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

#define JOB_METHOD(name, method)                                                                      \
        SD_BUS_METHOD_WITH_ARGS(name, SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("o", job), method, \
                                SD_BUS_VTABLE_UNPRIVILEGED)

static const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("LoadKernel", SD_BUS_ARGS("h", kernel, "h", initrd, "s", cmdline, "a{sv}", options),
                                SD_BUS_RESULT("o", job), method_load, SD_BUS_VTABLE_UNPRIVILEGED),
        JOB_METHOD("UnloadKernel", method_unload),
        SD_BUS_METHOD_WITH_ARGS("OpenSession", SD_BUS_ARGS("s", name, "a{sv}", options),
                                SD_BUS_RESULT("o", session, "h", descriptor), method_open_session,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ClaimSession", SD_BUS_ARGS("s", name, "a{sv}", options),
                                SD_BUS_RESULT("o", session, "h", descriptor), method_claim_session,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListSessions", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(osssut)", sessions),
                                method_list_sessions, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Plan", SD_BUS_ARGS("as", devices, "a{sv}", options), SD_BUS_RESULT("a(ssssss)", rows),
                                bus_plan, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListDevices", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(osssssssi)", devices),
                                bus_list_devices, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListPreserved", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(ssssss)", devices),
                                bus_list_preserved, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("HoldDevice", SD_BUS_ARGS("s", device, "a{sv}", options), SD_BUS_NO_RESULT,
                                bus_hold_device, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ReleaseDevice", SD_BUS_ARGS("s", device, "a{sv}", options), SD_BUS_NO_RESULT,
                                bus_release_device, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListBits", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(sssss)", bits), bus_list_bits,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Verify", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("t", equal, "a(ssssss)", differences), bus_verify,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Restore", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("t", equal, "a(ssssss)", differences), bus_restore,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Explain", SD_BUS_ARGS("s", code), SD_BUS_RESULT("s", sentence, "s", remedy),
                                bus_explain, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Register", SD_BUS_ARGS("s", name, "s", what, "a{sv}", options),
                                SD_BUS_RESULT("o", participant, "h", lease), bus_register, SD_BUS_VTABLE_UNPRIVILEGED),
        JOB_METHOD("Prepare", method_prepare),
        JOB_METHOD("Freeze", method_freeze),
        JOB_METHOD("Execute", method_execute),
        JOB_METHOD("Update", method_update),
        JOB_METHOD("Cancel", method_cancel),
        JOB_METHOD("Finish", method_finish),
        SD_BUS_METHOD_WITH_ARGS("ListJobs", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(otssss)", jobs), method_list_jobs,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("State", "s", get_state, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Cancelable", "b", get_cancelable, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("CrashCancels", "b", get_crash_cancels, 0, 0),
        SD_BUS_PROPERTY("Job", "o", get_job, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Waiting", "a(ossstts)", get_waiting, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("KernelAbi", "a{ss}", get_kernel_abi, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("KernelRelease", "s", get_host_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("KernelVersion", "s", get_host_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("UpdateNumber", "t", get_update_number, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("NextKernel", "a{ss}", get_next_kernel, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Capabilities", "as", get_capabilities, 0, 0),
        SD_BUS_PROPERTY("HeldDevices", "as", bus_get_held, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Notice", "s", get_host_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Version", "s", get_host_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_SIGNAL_WITH_ARGS("StateChanged", SD_BUS_ARGS("s", from, "s", to), 0),
        SD_BUS_SIGNAL_WITH_ARGS("PlanStale", SD_BUS_ARGS("as", devices), 0),
        SD_BUS_SIGNAL_WITH_ARGS("JobNew", SD_BUS_ARGS("t", number, "o", job), 0),
        SD_BUS_SIGNAL_WITH_ARGS("JobRemoved",
                                SD_BUS_ARGS("t", number, "o", job, "s", result, "s", code, "s", sentence), 0),
        SD_BUS_VTABLE_END,
};

int bus_export_manager(Bus *b) {
        int r = sd_bus_add_object_manager(b->bus, NULL, LIVEUPDATE_PATH);
        if (r < 0)
                return r;
        return sd_bus_add_object_vtable(b->bus, NULL, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE, manager_vtable,
                                        b);
}
