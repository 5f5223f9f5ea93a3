/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bus-auth.h"
#include "bus-device.h"

#include <ctype.h>

#include "common/log.h"
#include "common/names.h"
#include "sys/clock.h"

void bus_job_path(const Job *j, char path[static BUS_PATH_MAX]) {
        snprintf(path, BUS_PATH_MAX, BUS_JOB_PREFIX "/%lu", (unsigned long)j->number);
}

void bus_participant_path(const Participant *p, char path[static BUS_PATH_MAX]) {
        snprintf(path, BUS_PATH_MAX, BUS_PARTICIPANT_PREFIX "/%lu", (unsigned long)p->id);
}

int bus_session_path(const Session *s, char path[static BUS_PATH_MAX]) {
        _cleanup_free_ char *encoded = NULL;

        int r = sd_bus_path_encode(BUS_SESSION_PREFIX, s->name, &encoded);
        if (r < 0)
                return r;
        snprintf(path, BUS_PATH_MAX, "%s", encoded);
        return 0;
}

int bus_path_number(const char *path, const char *prefix, uint64_t *ret) {
        size_t n = strlen(prefix);
        char *end;

        if (strncmp(path, prefix, n) != 0 || path[n] != '/' || !isdigit((unsigned char)path[n + 1]))
                return -ENOENT;
        errno = 0;
        unsigned long long v = strtoull(path + n + 1, &end, 10);
        if (errno || *end)
                return -ENOENT;
        *ret = v;
        return 0;
}

/* "image-luo-abi" -> "org.liveupdate1.Error.ImageLuoAbi" */
static void error_name(Reason reason, char *buf, size_t size) {
        size_t n = (size_t)snprintf(buf, size, "%s", LIVEUPDATE_ERROR_PREFIX);
        bool upper = true;

        for (const char *c = reason_code(reason); *c && n + 1 < size; c++) {
                if (*c == '-') {
                        upper = true;
                        continue;
                }
                buf[n++] = upper ? (char)toupper((unsigned char)*c) : *c;
                upper = false;
        }
        buf[n] = '\0';
}

int bus_refuse(sd_bus_error *error, const Refusal *refusal) {
        char name[128], text[640];

        error_name(refusal->reason, name, sizeof(name));
        refusal_format(refusal, text, sizeof(text));
        sd_bus_error_set(error, name, text);
        return -sd_bus_error_get_errno(error);
}

void bus_reply_refusal(sd_bus_message *message, const Refusal *refusal) {
        sd_bus_error error = SD_BUS_ERROR_NULL;

        bus_refuse(&error, refusal);
        (void)sd_bus_reply_method_error(message, &error);
        sd_bus_error_free(&error);
}

void bus_free_words(char **words) {
        for (size_t i = 0; words && words[i]; i++)
                free(words[i]);
        free(words);
}

int bus_call_keep(Bus *b, sd_bus_message *message, BusCall *call, sd_bus_error *error) {
        Refusal refusal;
        uint32_t uid;

        int r = bus_caller_uid(b, message, &uid, error);
        if (r < 0)
                return r;
        r = quota_take(&b->users, uid, QUOTA_REQUESTS, b->manager->config->limit_user_requests,
                       sd_bus_message_get_member(message), &refusal);
        if (r < 0)
                return bus_refuse(error, &refusal);
        *call = (BusCall){ .bus = b, .message = sd_bus_message_ref(message), .uid = uid };
        return 0;
}

void bus_call_release(BusCall *call) {
        if (!call->message)
                return;
        quota_release(&call->bus->users, call->uid, QUOTA_REQUESTS, 1);
        call->message = sd_bus_message_unref(call->message);
}

int bus_call_new(Bus *b, sd_bus_message *message, BusCall **ret, sd_bus_error *error) {
        BusCall *call = calloc(1, sizeof(*call));

        int r = call ? bus_call_keep(b, message, call, error) : -ENOMEM;
        if (r < 0) {
                free(call);
                return r;
        }
        *ret = call;
        return 0;
}

BusCall *bus_call_free(BusCall *call) {
        bus_call_release(call);
        free(call);
        return NULL;
}

/* An "au" of not too many. */
static int read_uids(sd_bus_message *message, BusUids *ret) {
        const void *items;
        size_t size;

        int r = sd_bus_message_enter_container(message, 'v', "au");
        if (r >= 0)
                r = sd_bus_message_read_array(message, 'u', &items, &size);
        if (r < 0)
                return r;
        if (size > sizeof(ret->items))
                return -E2BIG;
        memcpy(ret->items, items, size);
        ret->n = size / sizeof(ret->items[0]);
        return sd_bus_message_exit_container(message);
}

static int read_tokens(sd_bus_message *message, BusTokens *ret) {
        const void *items;
        size_t size;

        if (ret->items) /* twice the same key */
                return -EINVAL;
        int r = sd_bus_message_enter_container(message, 'v', "at");
        if (r >= 0)
                r = sd_bus_message_read_array(message, 't', &items, &size);
        if (r < 0)
                return r;
        ret->items = items; /* inside the message */
        ret->n = size / sizeof(*ret->items);
        return sd_bus_message_exit_container(message);
}

static int read_value(sd_bus_message *message, char type, void *value) {
        char ***words = value;

        if (type == 'U')
                return read_uids(message, value);
        if (type == 'T')
                return read_tokens(message, value);
        if (type != 'A')
                return sd_bus_message_read(message, "v", (const char[]){ type, '\0' }, value);
        if (*words) /* twice the same key */
                return -EINVAL;
        int r = sd_bus_message_enter_container(message, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_read_strv(message, words);
        return r < 0 ? r : sd_bus_message_exit_container(message);
}

static const char *type_words(char type) {
        return type == 'A' ? "as" : type == 'T' ? "at" : type == 'U' ? "au" : type == 'b' ? "b" : "s";
}

static int read_option(sd_bus_message *message, const char *key, const BusOption *options, size_t n,
                       sd_bus_error *error) {
        for (size_t i = 0; i < n; i++) {
                if (!streq(options[i].key, key))
                        continue;
                int r = read_value(message, options[i].type, options[i].value);
                if (r == -E2BIG)
                        return sd_bus_error_setf(error, LIVEUPDATE_ERROR_PREFIX "InvalidArgument",
                                                 "Option '%s' has more than %d entries.", key, SESSION_GRANTS_MAX);
                if (r < 0)
                        return sd_bus_error_setf(error, LIVEUPDATE_ERROR_PREFIX "InvalidArgument",
                                                 "Option '%s' is not of type '%s'.", key, type_words(options[i].type));
                return 0;
        }
        return sd_bus_error_setf(error, LIVEUPDATE_ERROR_PREFIX "InvalidArgument",
                                 "There is no option '%.64s' here; see the interface's documentation.", key);
}

int bus_read_jump(const char *word, JumpChoice *ret, sd_bus_error *error) {
        Refusal refusal;

        if (!word)
                return 0;
        int way = jump_way_from_string(word);
        if (way < 0) {
                refuse(&refusal, REASON_INVALID_ARGUMENT, "jump", "it is direct or systemd, not '%.32s'", word);
                return bus_refuse(error, &refusal);
        }
        *ret = (JumpChoice){ .given = true, .way = (JumpWay)way };
        return 0;
}

int bus_read_options(sd_bus_message *message, const BusOption *options, size_t n, sd_bus_error *error) {
        int r = sd_bus_message_enter_container(message, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
                const char *key;
                r = sd_bus_message_read(message, "s", &key);
                if (r >= 0)
                        r = read_option(message, key, options, n, error);
                if (r >= 0)
                        r = sd_bus_message_exit_container(message);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        return sd_bus_message_exit_container(message);
}

int bus_reply_job(sd_bus_message *message, const Job *j) {
        char path[BUS_PATH_MAX];

        bus_job_path(j, path);
        return sd_bus_reply_method_return(message, "o", path);
}

/* Manager events -> signals. A signal that cannot be sent is logged, never an error of
 * the update. */

static void check_sent(int r, const char *what) {
        if (r < 0)
                log_errno(r, "Sending %s", what);
}

static void changed(Bus *b, const char *path, const char *interface, char **properties) {
        check_sent(sd_bus_emit_properties_changed_strv(b->bus, path, interface, properties), "PropertiesChanged");
}
#define CHANGED(b, path, interface, ...) changed(b, path, interface, (char *[]){ __VA_ARGS__, NULL })

static void on_phase_changed(void *userdata, Phase from, Phase to) {
        Bus *b = userdata;

        check_sent(sd_bus_emit_signal(b->bus, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE, "StateChanged", "ss",
                                      phase_to_string(from), phase_to_string(to)),
                   "StateChanged");
        CHANGED(b, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE, (char *)"State", (char *)"Cancelable");
        bus_inhibit_update(b);
}

static void on_job_new(void *userdata, Job *j) {
        Bus *b = userdata;
        char path[BUS_PATH_MAX];

        bus_job_path(j, path);
        check_sent(sd_bus_emit_signal(b->bus, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE, "JobNew", "to", j->number,
                                      path),
                   "JobNew");
        CHANGED(b, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE, (char *)"Job");
}

static void on_job_changed(void *userdata, Job *j) {
        Bus *b = userdata;
        char path[BUS_PATH_MAX];

        bus_job_path(j, path);
        CHANGED(b, path, LIVEUPDATE_JOB_INTERFACE, (char *)"Step", (char *)"Sessions");
}

static void on_job_ended(void *userdata, Job *j) {
        Bus *b = userdata;
        char path[BUS_PATH_MAX], text[640] = "";

        if (j->failure.reason != REASON_NONE)
                refusal_format(&j->failure, text, sizeof(text));
        bus_job_path(j, path);
        CHANGED(b, path, LIVEUPDATE_JOB_INTERFACE, (char *)"State", (char *)"Step", (char *)"Code");
        check_sent(sd_bus_emit_signal(b->bus, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE, "JobRemoved", "tosss",
                                      j->number, path, job_state_to_string(j->state),
                                      j->failure.reason == REASON_NONE ? "" : reason_code(j->failure.reason), text),
                   "JobRemoved");
        CHANGED(b, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE, (char *)"Job", (char *)"Cancelable");
}

static void on_session_added(void *userdata, Session *s) {
        Bus *b = userdata;
        char path[BUS_PATH_MAX];

        if (bus_session_path(s, path) >= 0)
                check_sent(sd_bus_emit_object_added(b->bus, path), "InterfacesAdded");
}

static void on_session_changed(void *userdata, Session *s) {
        Bus *b = userdata;
        char path[BUS_PATH_MAX];

        if (bus_session_path(s, path) >= 0)
                CHANGED(b, path, LIVEUPDATE_SESSION_INTERFACE, (char *)"State", (char *)"Owner");
}

static void on_session_removed(void *userdata, Session *s) {
        Bus *b = userdata;
        char path[BUS_PATH_MAX];

        if (bus_session_path(s, path) >= 0)
                check_sent(sd_bus_emit_object_removed(b->bus, path), "InterfacesRemoved");
}

static void on_request(void *userdata, Participant *p, Want phase, uint64_t deadline) {
        bus_participant_request(userdata, p, phase, deadline, NULL);
}

static void on_resume(void *userdata, Participant *p, const Session *s) {
        bus_participant_request(userdata, p, WANT_RESUME, 0, s);
}

static void on_waiting_changed(void *userdata) {
        CHANGED((Bus *)userdata, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE, (char *)"Waiting");
}

static void on_kernel_changed(void *userdata) {
        CHANGED((Bus *)userdata, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE, (char *)"NextKernel");
}

static void on_plan_stale(void *userdata, const Address *addresses, size_t n) {
        Bus *b = userdata;
        sd_bus_message *signal = NULL;
        char text[ADDRESS_TEXT_SIZE];

        int r = sd_bus_message_new_signal(b->bus, &signal, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE, "PlanStale");
        if (r >= 0)
                r = sd_bus_message_open_container(signal, 'a', "s");
        for (size_t i = 0; i < n && r >= 0; i++) {
                address_format(addresses[i], text);
                r = sd_bus_message_append(signal, "s", text);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(signal);
        if (r >= 0)
                r = sd_bus_send(b->bus, signal, NULL);
        sd_bus_message_unref(signal);
        check_sent(r, "PlanStale");
}

static void on_notice_changed(void *userdata) {
        CHANGED((Bus *)userdata, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE, (char *)"Notice");
}

void bus_abi_changed(Bus *b) {
        CHANGED(b, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE, (char *)"KernelAbi");
}

static void on_holds_changed(void *userdata) {
        CHANGED((Bus *)userdata, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE, (char *)"HeldDevices");
}

static void on_rearm(void *userdata) {
        bus_rearm(userdata);
}

const ManagerEvents bus_manager_events = {
        .phase_changed = on_phase_changed,
        .job_new = on_job_new,
        .job_changed = on_job_changed,
        .job_ended = on_job_ended,
        .session_added = on_session_added,
        .session_changed = on_session_changed,
        .session_removed = on_session_removed,
        .request = on_request,
        .resume = on_resume,
        .waiting_changed = on_waiting_changed,
        .kernel_changed = on_kernel_changed,
        .notice_changed = on_notice_changed,
        .holds_changed = on_holds_changed,
        .plan_stale = on_plan_stale,
        .rearm = on_rearm,
};

/* The loop. */

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Bus *b = userdata;

        manager_tick(b->manager, clock_monotonic_usec());
        manager_dispatch(b->manager);
        return 0;
}

/* One timer serves both deadlines and work that is due at once: a jump must not happen
 * in the middle of the callback that asked for it. */
void bus_rearm(Bus *b) {
        if (!b->manager || !b->timer)
                return;
        uint64_t deadline = manager_due(b->manager) ? 0 : manager_deadline(b->manager);
        if (deadline == UINT64_MAX) {
                (void)sd_event_source_set_enabled(b->timer, SD_EVENT_OFF);
                return;
        }
        (void)sd_event_source_set_time(b->timer, deadline);
        (void)sd_event_source_set_enabled(b->timer, SD_EVENT_ONESHOT);
}

static int on_owner_gone(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Bus *b = userdata;
        const char *name, *old, *new;

        if (sd_bus_message_read(message, "sss", &name, &old, &new) < 0 || !b->manager)
                return 0;
        if (*name == ':' && !*new) {
                bus_auth_owner_gone(b, name);
                bus_participants_owner_gone(b, name);
                manager_owner_gone(b->manager, name);
        }
        return 0;
}

int bus_setup(Bus *b, sd_event *event, sd_bus *bus) {
        b->event = event;
        b->bus = bus;
        b->inhibit_fd = -1;
        int r = sd_event_add_time(event, &b->timer, CLOCK_MONOTONIC, UINT64_MAX, 1, on_timer, b);
        if (r < 0)
                return r;
        (void)sd_event_source_set_enabled(b->timer, SD_EVENT_OFF);
        r = bus_auth_new(b);
        if (r >= 0)
                r = bus_export_manager(b);
        if (r >= 0)
                r = bus_export_sessions(b);
        if (r >= 0)
                r = bus_export_jobs(b);
        if (r >= 0)
                r = bus_export_participants(b);
        if (r >= 0)
                r = bus_export_devices(b);
        if (r < 0)
                return r;
        r = sd_bus_add_match_async(bus, NULL,
                                   "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                                   "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg2=''",
                                   on_owner_gone, NULL, b);
        if (r < 0)
                return r;
        return sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL);
}

int bus_request_name(Bus *b) {
        return sd_bus_request_name(b->bus, LIVEUPDATE_BUS_NAME, 0);
}

void bus_done(Bus *b) {
        sd_event_source_disable_unref(b->timer);
        b->timer = NULL;
        bus_inhibit_done(b);
        bus_auth_free(b);
        quotas_done(&b->users);
        sd_bus_flush_close_unref(b->bus);
        b->bus = NULL;
}
