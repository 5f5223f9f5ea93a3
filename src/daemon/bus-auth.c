/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of methods, the filter, and the question to polkit, which is asked over the
 * bus as its interface org.freedesktop.PolicyKit1.Authority says; libpolkit would bring
 * GLib and a second event loop along.
 */
#include "bus-auth.h"

#include <search.h>

#include "common/log.h"
#include "common/names.h"

#define POLKIT_NAME "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"
#define ACTION(group) "org.liveupdate1." group

enum { POLKIT_ALLOW_INTERACTION = 1 }; /* AllowUserInteraction of CheckAuthorizationFlags */

typedef enum Access {
        ACCESS_ROOT,   /* nobody else */
        ACCESS_ALL,    /* reads what is nobody's secret */
        ACCESS_OWN,    /* the handler checks that it is the caller's own */
        ACCESS_ACTION, /* polkit has to say yes */
        ACCESS_MORE,   /* everybody; who is granted the action gets to see more */
        ACCESS_READ,   /* the object is the caller's own, or polkit says yes */
} Access;

typedef struct AccessRule {
        const char *interface, *member; /* member NULL: all of them */
        Access access;
        const char *action;
} AccessRule;

/* What an action is about is said in dbus/org.liveupdate1.policy. The kernel that is
 * loaded is the one that will run, so loading goes with execute. Who opened a session was
 * authorised then; claiming it again in the next kernel must not wait for polkit, nor fail
 * where there is none yet. */
static const AccessRule rules[] = {
        { LIVEUPDATE_MANAGER_INTERFACE, "LoadKernel", ACCESS_ACTION, ACTION("execute") },
        { LIVEUPDATE_MANAGER_INTERFACE, "UnloadKernel", ACCESS_ACTION, ACTION("execute") },
        { LIVEUPDATE_MANAGER_INTERFACE, "Freeze", ACCESS_ACTION, ACTION("execute") },
        { LIVEUPDATE_MANAGER_INTERFACE, "Execute", ACCESS_ACTION, ACTION("execute") },
        { LIVEUPDATE_MANAGER_INTERFACE, "Update", ACCESS_ACTION, ACTION("execute") },
        { LIVEUPDATE_MANAGER_INTERFACE, "Prepare", ACCESS_ACTION, ACTION("prepare") },
        { LIVEUPDATE_MANAGER_INTERFACE, "Cancel", ACCESS_ACTION, ACTION("cancel") },
        { LIVEUPDATE_JOB_INTERFACE, "Cancel", ACCESS_ACTION, ACTION("cancel") },
        { LIVEUPDATE_MANAGER_INTERFACE, "Finish", ACCESS_ACTION, ACTION("finish") },
        { LIVEUPDATE_MANAGER_INTERFACE, "Restore", ACCESS_ACTION, ACTION("finish") },
        { LIVEUPDATE_MANAGER_INTERFACE, "OpenSession", ACCESS_ACTION, ACTION("session") },
        { LIVEUPDATE_MANAGER_INTERFACE, "Register", ACCESS_ACTION, ACTION("session") },
        { LIVEUPDATE_MANAGER_INTERFACE, "ClaimSession", ACCESS_OWN, NULL },
        { LIVEUPDATE_SESSION_INTERFACE, "PreserveFd", ACCESS_OWN, NULL },
        { LIVEUPDATE_SESSION_INTERFACE, "RetrieveFd", ACCESS_OWN, NULL },
        { LIVEUPDATE_SESSION_INTERFACE, "Finish", ACCESS_OWN, NULL },
        { LIVEUPDATE_SESSION_INTERFACE, "Close", ACCESS_OWN, NULL },
        { LIVEUPDATE_PARTICIPANT_INTERFACE, "Ready", ACCESS_OWN, NULL },
        { LIVEUPDATE_PARTICIPANT_INTERFACE, "Delay", ACCESS_OWN, NULL },
        { LIVEUPDATE_PARTICIPANT_INTERFACE, "Veto", ACCESS_OWN, NULL },
        { LIVEUPDATE_PARTICIPANT_INTERFACE, "Report", ACCESS_OWN, NULL },
        { LIVEUPDATE_MANAGER_INTERFACE, "ListSessions", ACCESS_MORE, ACTION("status") },
        { LIVEUPDATE_MANAGER_INTERFACE, "Plan", ACCESS_ACTION, ACTION("status") },
        { LIVEUPDATE_MANAGER_INTERFACE, "ListDevices", ACCESS_ACTION, ACTION("status") },
        { LIVEUPDATE_MANAGER_INTERFACE, "ListPreserved", ACCESS_ACTION, ACTION("status") },
        { LIVEUPDATE_MANAGER_INTERFACE, "Verify", ACCESS_ACTION, ACTION("status") },
        { LIVEUPDATE_MANAGER_INTERFACE, "ListBits", ACCESS_ALL, NULL },
        { LIVEUPDATE_MANAGER_INTERFACE, "Explain", ACCESS_ALL, NULL },
        { LIVEUPDATE_MANAGER_INTERFACE, "ListJobs", ACCESS_ALL, NULL },
        /* Of all objects at once; so is what is in the sessions. */
        { "org.freedesktop.DBus.ObjectManager", NULL, ACCESS_ACTION, ACTION("status") },
        { "org.freedesktop.DBus.Introspectable", NULL, ACCESS_ALL, NULL },
        { "org.freedesktop.DBus.Peer", NULL, ACCESS_ALL, NULL },
};
static const AccessRule rule_root = { .access = ACCESS_ROOT };
static const AccessRule rule_all = { .access = ACCESS_ALL };
static const AccessRule rule_session_properties = { .access = ACCESS_READ, .action = ACTION("status") };
/* A device's verdict is a plan, made for each reader. */
static const AccessRule rule_device_properties = { .access = ACCESS_ACTION, .action = ACTION("status") };

/* A call that waits for polkit, or has its answer and is about to come in again. */
typedef struct Question {
        BusAuth *auth;
        sd_bus_message *message;
        const AccessRule *rule;
        uint32_t uid;
        uint64_t number; /* names it when it is to be taken back */
        sd_bus_slot *slot;
        bool answered, yes;
        sd_bus_error error; /* why not */
        struct Question *next, *previous;
} Question;

struct BusAuth {
        Bus *bus;
        Callers *callers;
        Question *first;
        void *by_message; /* tsearch(3) tree of Question */
        uint64_t next_number;
        /* The call that is being handled; NULL for one that anybody may make. */
        const sd_bus_message *current;
        uint32_t uid;
        bool sees_all;
};

static bool below(const char *path, const char *prefix) {
        size_t n = strlen(prefix);

        return strncmp(path, prefix, n) == 0 && path[n] == '/';
}

static const AccessRule *rule_of(sd_bus_message *message) {
        const char *interface = sd_bus_message_get_interface(message), *member = sd_bus_message_get_member(message),
                   *path = sd_bus_message_get_path(message);

        if (!interface || !member || !path)
                return &rule_root;
        if (streq(interface, "org.freedesktop.DBus.Properties"))
                return below(path, BUS_SESSION_PREFIX)  ? &rule_session_properties
                       : below(path, BUS_DEVICE_PREFIX) ? &rule_device_properties
                                                        : &rule_all;
        for (size_t i = 0; i < ELEMENTSOF(rules); i++)
                if (streq(rules[i].interface, interface) && (!rules[i].member || streq(rules[i].member, member)))
                        return &rules[i];
        return &rule_root;
}

/* Questions. */

static int compare_messages(const void *a, const void *b) {
        const sd_bus_message *x = ((const Question *)a)->message, *y = ((const Question *)b)->message;

        return x < y ? -1 : x > y;
}

static Question *question_find(const BusAuth *a, sd_bus_message *message) {
        Question key = { .message = message };
        void *node = tfind(&key, &a->by_message, compare_messages);

        return node ? *(Question **)node : NULL;
}

static Question *question_free(Question *q) {
        BusAuth *a = q->auth;

        (void)tdelete(q, &a->by_message, compare_messages);
        if (q->previous)
                q->previous->next = q->next;
        else
                a->first = q->next;
        if (q->next)
                q->next->previous = q->previous;
        quota_release(&a->bus->users, q->uid, QUOTA_REQUESTS, 1);
        sd_bus_slot_unref(q->slot);
        sd_bus_error_free(&q->error);
        sd_bus_message_unref(q->message);
        free(q);
        return NULL;
}

/* Takes the quota over, also on failure. */
static Question *question_new(BusAuth *a, sd_bus_message *message, const AccessRule *rule, uint32_t uid) {
        Question *q = calloc(1, sizeof(*q));

        if (q)
                *q = (Question){ .auth = a, .message = message, .rule = rule, .uid = uid, .number = ++a->next_number };
        if (!q || !tsearch(q, &a->by_message, compare_messages)) {
                quota_release(&a->bus->users, uid, QUOTA_REQUESTS, 1);
                free(q);
                return NULL;
        }
        sd_bus_message_ref(message);
        q->next = a->first;
        if (q->next)
                q->next->previous = q;
        a->first = q;
        return q;
}

static void cancellation_id(const Question *q, char buf[static 64]) {
        (void)snprintf(buf, 64, "liveupdated-%llu", (unsigned long long)q->number);
}

/* Nobody waits for the answer any more: a dialogue that is on somebody's screen can go. */
static void take_back(const Question *q) {
        char id[64];

        cancellation_id(q, id);
        (void)sd_bus_call_method_async(q->auth->bus->bus, NULL, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
                                       "CancelCheckAuthorization", NULL, NULL, "s", id);
}

static bool polkit_is_absent(const sd_bus_error *e) {
        return sd_bus_error_has_names(e, SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER,
                                      "org.freedesktop.systemd1.NoSuchUnit", "org.freedesktop.systemd1.UnitMasked",
                                      "org.freedesktop.DBus.Error.Spawn.ServiceNotFound") > 0;
}

static void explain_failure(Question *q, const sd_bus_error *e) {
        const char *action = q->rule->action, *what = e->message ?: e->name;

        if (polkit_is_absent(e))
                (void)sd_bus_error_setf(&q->error, SD_BUS_ERROR_ACCESS_DENIED,
                                        "%s is for root alone, since this system has no polkit that could grant it.",
                                        action);
        else if (sd_bus_error_has_names(e, SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_TIMEOUT, SD_BUS_ERROR_DISCONNECTED))
                (void)sd_bus_error_setf(&q->error, SD_BUS_ERROR_ACCESS_DENIED, "polkit gave no answer about %s (%s).",
                                        action, what);
        else
                (void)sd_bus_error_setf(&q->error, SD_BUS_ERROR_ACCESS_DENIED,
                                        "polkit could not decide about %s (%s).", action, what);
        if (!polkit_is_absent(e))
                log_warning("polkit on %s for uid %u: %s", action, q->uid, what);
}

static bool interactive(const Question *q) {
        return q->rule->access == ACCESS_ACTION && sd_bus_message_get_allow_interactive_authorization(q->message) > 0;
}

static void read_answer(Question *q, sd_bus_message *reply) {
        int yes, challenge;

        /* After the two come details, which say nothing that is needed here. */
        int r = sd_bus_message_enter_container(reply, 'r', "bba{ss}");
        if (r >= 0)
                r = sd_bus_message_read(reply, "bb", &yes, &challenge);
        if (r < 0)
                (void)sd_bus_error_setf(&q->error, SD_BUS_ERROR_ACCESS_DENIED,
                                        "polkit's answer about %s makes no sense.", q->rule->action);
        else if (yes)
                q->yes = true;
        else if (challenge && !interactive(q))
                (void)sd_bus_error_setf(&q->error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                                        "%s takes authentication, and the call does not allow to ask for it.",
                                        q->rule->action);
        else
                (void)sd_bus_error_setf(&q->error, SD_BUS_ERROR_ACCESS_DENIED, "polkit does not grant %s to uid %u.",
                                        q->rule->action, q->uid);
}

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const sd_bus_error *failure = sd_bus_message_get_error(reply);
        Question *q = userdata;

        q->slot = sd_bus_slot_unref(q->slot);
        q->answered = true;
        if (failure) {
                explain_failure(q, failure);
                if (!polkit_is_absent(failure))
                        take_back(q);
        } else
                read_answer(q, reply);
        int r = sd_bus_message_rewind(q->message, true);
        if (r >= 0)
                r = sd_bus_enqueue_for_read(q->auth->bus->bus, q->message);
        if (r < 0) {
                (void)sd_bus_reply_method_errno(q->message, r, NULL);
                question_free(q);
        }
        return 0;
}

static int send_question(Question *q) {
        const Bus *b = q->auth->bus;
        uint64_t timeout = b->manager->config->authorization_timeout_usec;
        sd_bus_message *call = NULL;
        char id[64];

        cancellation_id(q, id);
        int r = sd_bus_message_new_method_call(b->bus, &call, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
                                               "CheckAuthorization");
        if (r >= 0)
                r = sd_bus_message_append(call, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s",
                                          sd_bus_message_get_sender(q->message), q->rule->action, 0,
                                          interactive(q) ? (uint32_t)POLKIT_ALLOW_INTERACTION : 0u, id);
        if (r >= 0)
                r = sd_bus_call_async(b->bus, &q->slot, call, on_answer, q,
                                      timeout >= CONFIG_FOREVER ? UINT64_MAX : MAX_OF(timeout, UINT64_C(1)));
        sd_bus_message_unref(call);
        return r;
}

static int ask(BusAuth *a, sd_bus_message *message, const AccessRule *rule, uint32_t uid, sd_bus_error *error) {
        Refusal refusal;

        int r = quota_take(&a->bus->users, uid, QUOTA_REQUESTS, a->bus->manager->config->limit_user_requests,
                           sd_bus_message_get_member(message), &refusal);
        if (r < 0)
                return bus_refuse(error, &refusal);
        Question *q = question_new(a, message, rule, uid);
        if (!q)
                return -ENOMEM;
        r = send_question(q);
        if (r < 0) {
                question_free(q);
                return sd_bus_error_set_errnof(error, r, "polkit cannot be asked");
        }
        return 1; /* kept */
}

/* The filter. */

static int pass(BusAuth *a, const sd_bus_message *message, uint32_t uid, bool sees_all) {
        a->current = message;
        a->uid = uid;
        a->sees_all = sees_all;
        return 0; /* on to the object */
}

/* The message comes in for the second time. */
static int settle(BusAuth *a, Question *q, sd_bus_error *error) {
        int r;

        if (q->yes || q->rule->access == ACCESS_MORE)
                r = pass(a, q->message, q->uid, q->yes);
        else
                r = sd_bus_error_move(error, &q->error);
        question_free(q);
        return r;
}

static bool is_own_session(const Bus *b, const char *path, uint32_t uid) {
        _cleanup_free_ char *name = NULL;

        if (sd_bus_path_decode(path, BUS_SESSION_PREFIX, &name) <= 0)
                return false;
        const Session *s = session_table_find(&b->manager->sessions, name);
        return s && session_may(s, uid);
}

static int on_message(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        BusAuth *a = userdata;
        uint32_t uid;

        a->current = NULL;
        if (sd_bus_message_is_method_call(message, NULL, NULL) <= 0)
                return 0;
        Question *q = question_find(a, message);
        if (q && q->answered)
                return settle(a, q, error);
        const AccessRule *rule = rule_of(message);
        if (rule->access == ACCESS_ALL)
                return 0;
        int r = callers_resolve(a->callers, message, &uid, error);
        if (r <= 0)
                return r < 0 ? r : 1;
        if (uid == 0)
                return pass(a, message, 0, true);
        if (rule->access == ACCESS_ROOT)
                return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED,
                                        "There is no such method that anybody but root may call.");
        if (rule->access == ACCESS_OWN)
                return pass(a, message, uid, false);
        if (rule->access == ACCESS_READ && is_own_session(a->bus, sd_bus_message_get_path(message), uid))
                return pass(a, message, uid, false);
        return ask(a, message, rule, uid, error);
}

int bus_caller_uid(const Bus *b, sd_bus_message *message, uint32_t *ret, sd_bus_error *error) {
        if (b->auth->current != message)
                return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, "Who calls was not found out.");
        *ret = b->auth->uid;
        return 0;
}

bool bus_caller_sees_all(const Bus *b, const sd_bus_message *message) {
        return b->auth->current == message && b->auth->sees_all;
}

void bus_auth_owner_gone(Bus *b, const char *name) {
        Question *next;

        callers_gone(b->auth->callers, name);
        for (Question *q = b->auth->first; q; q = next) {
                next = q->next;
                if (!streq(sd_bus_message_get_sender(q->message), name))
                        continue;
                if (!q->answered)
                        take_back(q);
                question_free(q);
        }
}

int bus_auth_new(Bus *b) {
        b->auth = calloc(1, sizeof(*b->auth));
        if (!b->auth)
                return -ENOMEM;
        b->auth->bus = b;
        int r = callers_new(b, &b->auth->callers);
        return r < 0 ? r : sd_bus_add_filter(b->bus, NULL, on_message, b->auth);
}

void bus_auth_free(Bus *b) {
        if (!b->auth)
                return;
        while (b->auth->first)
                question_free(b->auth->first);
        callers_free(b->auth->callers);
        free(b->auth);
        b->auth = NULL;
}
