/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bus of one's own with a daemon on it: a dbus-daemon as the system bus is, on a socket
 * in a new directory, and below it the real liveupdated ($LIVEUPDATED) or the same bus
 * code on fakes ($FAKE_LIVEUPDATED, see fake-daemon.c). Both end with the rig; a daemon
 * that does not end well, or leaks under a sanitizer, fails rig_stop().
 *
 * Nothing sleeps: the rig waits for messages and gives up after RIG_PATIENCE_USEC.
 */
#pragma once

#include <systemd/sd-bus.h>

#include "common/macro.h"

#define RIG_PATIENCE_USEC (60 * USEC_PER_SEC)

#define MANAGER "/org/liveupdate1", "org.liveupdate1.Manager"
#define ERROR(code) "org.liveupdate1.Error." code
#define BUS_ERROR(code) "org.freedesktop.DBus.Error." code

enum RigPolicy { RIG_ALLOW_ALL, RIG_SHIPPED };

typedef struct JobEnd {
        char path[64], result[16], code[64], sentence[640];
} JobEnd;

typedef struct Rig {
        char dir[64];
        char address[128];
        pid_t bus_pid, daemon_pid;
        sd_bus *bus;
        char owner[64]; /* the daemon's unique name; "" when it has none */
        unsigned n_starts;
        /* JobRemoved signals so far. */
        JobEnd *ends;
        size_t n_ends;
        /* Paths of InterfacesAdded and -Removed. */
        char (*added)[256], (*removed)[256];
        size_t n_added, n_removed;
        /* PhaseRequested signals that came to this client. */
        char (*requests)[16];
        uint64_t last_deadline;
        size_t n_requests;
} Rig;

/* Fails the test if it cannot be had. daemon: the name of an environment variable. */
void rig_start(Rig *r, const char *daemon, enum RigPolicy policy);
/* The same with settings, as in liveupdated.conf; for the daemon on fakes alone. */
void rig_start_with(Rig *r, const char *daemon, enum RigPolicy policy, const char *settings);
/* The daemon's exit status, -1 if a signal ended it. Shows its log if it is not 0. */
int rig_stop(Rig *r);
/* One more client, as this process is. */
sd_bus *rig_connect(const Rig *r);
/* One more client that has another uid; this process must be root. */
sd_bus *rig_connect_as(const Rig *r, uid_t uid);
uint64_t rig_now_usec(void);
void rig_process_until(Rig *r, bool (*done)(Rig *r, const void *arg), const void *arg, const char *what);
/* Waits for the end of the job. Valid until the next job ends. */
const JobEnd *rig_job_end(Rig *r, const char *path);
void rig_wait_added(Rig *r, const char *path);
void rig_wait_removed(Rig *r, const char *path);
void rig_wait_request(Rig *r, const char *phase, size_t n);
/* Waits until the daemon has come n times. */
void rig_wait_start(Rig *r, unsigned n);

/* A method call; 0 and the reply, or a negative errno and the error. */
int ask(sd_bus *bus, const char *path, const char *interface, const char *member, sd_bus_error *error,
        sd_bus_message **reply, const char *types, ...);

/* A call whose answer is waited for later. name "": it succeeded. */
typedef struct Answer {
        bool there;
        char name[128], text[640];
        sd_bus_slot *slot;
} Answer;
void ask_later(sd_bus *bus, Answer *answer, sd_bus_message *call);
void ask_method_later(sd_bus *bus, Answer *answer, const char *path, const char *interface, const char *member,
                      const char *types, ...);
/* Until the answer is there; fails after RIG_PATIENCE_USEC. */
void wait_answer(sd_bus *bus, Answer *answer);

/* Assertions. */
sd_bus_message *expect_reply(sd_bus *bus, const char *path, const char *interface, const char *member,
                             const char *types, ...);
/* The call is refused with this error and a sentence; returns the sentence, which lives
 * until the next call. */
const char *expect_error(sd_bus *bus, const char *name, const char *path, const char *interface, const char *member,
                         const char *types, ...);
/* The call gives a job path. */
const char *expect_job(sd_bus *bus, const char *path, const char *interface, const char *member, const char *types,
                       ...);
void expect_ok(sd_bus *bus, const char *path, const char *interface, const char *member, const char *types, ...);
/* A property of type s or o, as text; lives until the next call. */
const char *property(sd_bus *bus, const char *path, const char *interface, const char *name);
uint64_t property_number(sd_bus *bus, const char *path, const char *interface, const char *name, char type);
#define assert_state(bus, state) assert_string_equal(property(bus, MANAGER, "State"), state)

/* What the answer "oh" gives: the object's path, and a copy of the descriptor. Takes the reply. */
int take_object_and_fd(sd_bus_message *reply, char path[static 256]);

/* A memfd with this text. */
int text_file(const char *text);
