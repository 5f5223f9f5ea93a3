/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bus side of the daemon: one -bus file per interface, each with its vtable at the
 * bottom, turning messages into manager calls and manager events into signals. No
 * decisions are made here.
 *
 * Who may call what is decided before a handler sees the message, in bus-auth.c. Every
 * method either answers at once or keeps the message (BusCall) until the manager's reply;
 * nothing waits. The vtables are held against the XML in dbus/ by the style tests.
 */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "daemon/devices.h"
#include "daemon/manager.h"

typedef struct BusAuth BusAuth;

typedef struct Bus {
        sd_bus *bus;
        sd_event *event;
        Manager *manager;
        sd_event_source *timer;
        BusAuth *auth;
        Quotas users;                   /* registrations and kept calls of each user */
        sd_bus_slot *inhibit_asked;     /* logind's answer is awaited */
        int inhibit_fd;                 /* its lock; -1 */
        sd_event_source *inhibit_again; /* when it is asked the next time; NULL until it has refused */
        unsigned inhibit_refused;       /* how often in a row */
        bool stopping;                  /* leave the loop as soon as nothing is pending */
} Bus;

/* Exports the objects and asks for the name. The manager is set later, before the loop
 * runs; its events need the bus, and its start-up must be over before anybody calls. */
int bus_setup(Bus *b, sd_event *event, sd_bus *bus);
int bus_request_name(Bus *b);
void bus_abi_changed(Bus *b);
/* Takes or drops logind's lock, as the phase wants it; see bus-inhibit.c. */
void bus_inhibit_update(Bus *b);
void bus_inhibit_done(Bus *b);
/* Listens to the leases that a restart found; before manager_watch(). */
void bus_restore_participants(Bus *b);
/* Lets go of those who left the bus while the daemon was away; after manager_watch(). */
void bus_find_gone(Bus *b);
/* Forgets all participants' leases; before the manager goes. */
void bus_release_leases(Bus *b);
void bus_done(Bus *b);
extern const ManagerEvents bus_manager_events;
/* Timers and deferred work after anything happened. */
void bus_rearm(Bus *b);

/* For the interface files. */
int bus_export_manager(Bus *b);
int bus_export_sessions(Bus *b);
int bus_export_jobs(Bus *b);
int bus_export_participants(Bus *b);

#define BUS_JOB_PREFIX "/org/liveupdate1/job"
#define BUS_SESSION_PREFIX "/org/liveupdate1/session"
#define BUS_PARTICIPANT_PREFIX "/org/liveupdate1/participant"
#define BUS_DEVICE_PREFIX "/org/liveupdate1/device"

enum { BUS_PATH_MAX = 512 };
void bus_job_path(const Job *j, char path[static BUS_PATH_MAX]);
void bus_participant_path(const Participant *p, char path[static BUS_PATH_MAX]);
int bus_session_path(const Session *s, char path[static BUS_PATH_MAX]);
/* The number at the end of path, which must begin with prefix; -ENOENT. */
int bus_path_number(const char *path, const char *prefix, uint64_t *ret);

/* Fills the error of a method from a refusal: org.liveupdate1.Error.CODE. */
int bus_refuse(sd_bus_error *error, const Refusal *refusal);
/* Answers a message that was kept with that error. */
void bus_reply_refusal(sd_bus_message *message, const Refusal *refusal);
/* Frees a NULL-terminated array of strings as sd_bus_message_read_strv() makes it. */
void bus_free_words(char **words);
/* The uid of the call that is being handled. */
int bus_caller_uid(const Bus *b, sd_bus_message *message, uint32_t *ret, sd_bus_error *error);
/* Whether its caller may see what is other users'. */
bool bus_caller_sees_all(const Bus *b, const sd_bus_message *message);

/* A call that is answered later. It counts against its user's RequestsPerUser= until
 * bus_call_free(). */
typedef struct BusCall {
        Bus *bus;
        sd_bus_message *message;
        uint32_t uid;
} BusCall;
/* Keeps the message of the call that is being handled; call is the caller's memory. */
int bus_call_keep(Bus *b, sd_bus_message *message, BusCall *call, sd_bus_error *error);
void bus_call_release(BusCall *call);
/* The same in memory of its own. */
int bus_call_new(Bus *b, sd_bus_message *message, BusCall **ret, sd_bus_error *error);
BusCall *bus_call_free(BusCall *call);

/* Of an option of type at; they live as long as the message. */
typedef struct BusTokens {
        const uint64_t *items;
        size_t n;
} BusTokens;
/* One allowed key of an a{sv}: type 's' (const char**), 'b' (int*), 'A' (char***, a new
 * array of strings), 'U' (BusUids*) or 'T' (BusTokens*). */
typedef struct BusOption {
        const char *key;
        char type;
        void *value;
} BusOption;
typedef struct BusUids {
        uint32_t items[SESSION_GRANTS_MAX];
        size_t n;
} BusUids;
/* Reads the a{sv} at the message's end; unknown keys and wrong types are refused. */
/* The option "jump" of those that take it; NULL: it was not given. */
int bus_read_jump(const char *word, JumpChoice *ret, sd_bus_error *error);
int bus_read_options(sd_bus_message *message, const BusOption *options, size_t n, sd_bus_error *error);

int bus_reply_job(sd_bus_message *message, const Job *j);
/* finished: the session whose FINISH the request to resume follows, or NULL. */
void bus_participant_request(Bus *b, Participant *p, Want phase, uint64_t deadline, const Session *finished);
int bus_register(sd_bus_message *message, void *userdata, sd_bus_error *error);
void bus_participants_owner_gone(Bus *b, const char *owner);
