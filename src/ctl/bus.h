/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon as functions: plain structs out, requests in. sd-bus stays behind this
 * header (the bus-*.c files). All return 0 or a negative
 * errno with *failure filled; ret_* are untouched then.
 */
#pragma once

#include "failure.h"
#include "model.h"

typedef struct Bus Bus;

/* address and host may be NULL: the system bus of this host. */
int bus_open(const char *address, const char *host, Bus **ret, Failure *failure);
void bus_free(Bus *bus);
/* From here on polkit may ask for a password before a call is answered. */
void bus_allow_interaction(Bus *bus);
DEFINE_CLEANUP(Bus, bus_free);

int bus_get_manager(Bus *bus, ManagerInfo *ret, Failure *failure);
/* The exit status is EXIT_CTL_FAILED and the code "no-such-job" if there is none. */
int bus_get_job(Bus *bus, const char *path, JobInfo *ret, Failure *failure);
int bus_list_jobs(Bus *bus, JobSummaryList *ret, Failure *failure);
int bus_list_sessions(Bus *bus, SessionList *ret, Failure *failure);
int bus_list_devices(Bus *bus, DeviceList *ret, Failure *failure);
/* The code is "no-such-device" if there is none with this address. */
int bus_get_device(Bus *bus, const char *address, DeviceInfo *ret, Failure *failure);
/* devices: none means all that are bound to a VFIO driver. Rows in the daemon's order. */
/* jump: the option of this name; NULL: none. */
int bus_plan(Bus *bus, const StringList *devices, const char *jump, PlanRows *ret, Failure *failure);
int bus_list_bits(Bus *bus, BitRows *ret, Failure *failure);
/* restore: puts VF settings back. */
int bus_verify(Bus *bus, bool restore, Verification *ret, Failure *failure);
int bus_hold_device(Bus *bus, const char *address, bool rebind, Failure *failure);
int bus_release_device(Bus *bus, const char *address, Failure *failure);
int bus_explain(Bus *bus, const char *code, Explanation *ret, Failure *failure);
/* /org/liveupdate1/job/NUMBER */
enum { JOB_PATH_SIZE = 64 };
void job_path(uint64_t number, char buf[static JOB_PATH_SIZE]);

typedef struct JobRequest {
        const char *method; /* of the manager */
        const char *kind;   /* of the job it makes */
        bool is_load;       /* the next three count */
        int kernel_fd, initrd_fd;
        const char *cmdline;
        bool unclaimed, force;                  /* Finish: options of these names are true */
        const StringList *devices, *exceptions; /* options of Prepare and Update; NULL or empty: not given */
        const char *jump;                       /* option of Update and Execute; NULL: not given */
        bool no_block;                          /* do not wait for the job's end */
        bool progress;                          /* tell the steps on stderr */
} JobRequest;

typedef enum JobEnd {
        JOB_END_DONE,
        JOB_END_FAILED,
        JOB_END_CANCELLED,
        JOB_END_QUEUED,      /* not waited for */
        JOB_END_JUMPED,      /* the connection ended in the jump, as it must */
        JOB_END_INTERRUPTED, /* SIGINT while waiting; the job goes on */
} JobEnd;

typedef struct JobOutcome {
        JobEnd end;
        const char *kind; /* the request's */
        uint64_t number;  /* 0: interrupted before it was known */
        char *path;
        char *code, *sentence;
} JobOutcome;

void job_outcome_done(JobOutcome *o);
#define _cleanup_job_outcome_ _cleanup_(job_outcome_done)

/* Sends a request and waits for the end of its job. A job that failed is an outcome,
 * not a failure of this function. */
int bus_run_job(Bus *bus, const JobRequest *request, JobOutcome *ret, Failure *failure);

typedef enum EventKind {
        EVENT_STATE,
        EVENT_STATE_CHANGED,
        EVENT_JOB_NEW,
        EVENT_JOB_REMOVED,
        EVENT_PLAN_STALE,
        EVENT_OWNER
} EventKind;

typedef struct Event {
        EventKind kind;
        uint64_t time_usec;    /* CLOCK_REALTIME of this host when it was read */
        const char *from, *to; /* states; only to for EVENT_STATE */
        uint64_t number;
        const char *path, *result, *code, *sentence;
        const StringList *devices; /* EVENT_PLAN_STALE: their addresses */
        bool running;              /* EVENT_OWNER: the daemon came (true) or went */
} Event;

/* Returns a negative errno to stop. */
typedef int (*EventHandler)(void *userdata, const Event *event);
/* Calls the handler with the present state and then with each event until SIGINT or
 * SIGTERM (0), the handler stops, or the connection ends. */
int bus_monitor(Bus *bus, EventHandler handler, void *userdata, Failure *failure);
