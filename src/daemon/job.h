/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Jobs: one object per operation that takes time. A job's number goes on across the
 * kexec, so whoever started an update in one kernel finds the same job in the next.
 *
 * A job is running until job_end() is called exactly once; ended jobs stay readable,
 * the oldest are dropped when there are more than the configured number.
 */
#pragma once

#include "core/reason.h"
#include "core/report.h"
#include "core/timeline.h"

typedef enum JobKind {
        JOB_LOAD,
        JOB_UNLOAD,
        JOB_PREPARE,
        JOB_FREEZE,
        JOB_EXECUTE,
        JOB_UPDATE,
        JOB_CANCEL,
        JOB_FINISH,
        _JOB_KIND_MAX,
} JobKind;

typedef enum JobState { JOB_RUNNING, JOB_DONE, JOB_FAILED, JOB_CANCELLED, _JOB_STATE_MAX } JobState;

DECLARE_STRING_TABLE(job_kind, JobKind);
DECLARE_STRING_TABLE(job_state, JobState);

enum { UPDATE_ID_SIZE = 33 }; /* 32 hex digits and a NUL */

/* What participants said of their part of an update's timeline; shared by its jobs. */
typedef struct JobReport {
        unsigned n_refs;
        uint64_t clock, frequency_hz; /* of the timeline that goes with it; CLOCK_KIND_NONE: stopped */
        uint64_t since;               /* ticks; what began before belongs to an earlier update */
        Report report;
} JobReport;

/* NULL without memory. */
JobReport *job_report_new(const Timeline *t, uint64_t since);
JobReport *job_report_ref(JobReport *r);
JobReport *job_report_unref(JobReport *r); /* NULL */

typedef struct Job {
        uint64_t number;
        JobKind kind;
        JobState state;
        const char *step; /* static string */
        char update_id[UPDATE_ID_SIZE];
        uint64_t start_usec; /* CLOCK_REALTIME */
        uint32_t uid;
        Refusal failure;
        char from_release[128], from_version[256];
        char to_release[128], to_version[256];
        bool has_timeline;
        Timeline timeline;
        JobReport *report;                             /* once it has ended; NULL: nothing */
        uint32_t expected, claimed, finished, missing; /* sessions, after a jump */
        uint32_t orphaned;                             /* finished without having been claimed */
        uint64_t registers_equal;                      /* of its devices, against the table of bits */
        uint32_t registers_expected, registers_against, devices_missing;
        uint32_t handed_expected, handed_arrived, handed_lost; /* VFIO devices that were to come in */
        uint32_t bus_master_wrong;                             /* of them, when they were retrieved */
        void *bus;                                             /* the bus layer's, NULL without one */
} Job;

/* What is known of a job of an earlier life of the daemon. */
typedef struct JobRecord {
        uint64_t number; /* 0: none */
        JobKind kind;
        uint32_t uid;
        uint64_t start_usec;
} JobRecord;

typedef struct JobList {
        Job **items; /* by number, ascending */
        size_t n, room;
        uint64_t next;
} JobList;

Job *job_free(Job *j);
void job_list_done(JobList *l);
/* A running job with the next number; NULL when out of memory. */
Job *job_list_add(JobList *l, JobKind kind, uint32_t uid, uint64_t start_usec);
Job *job_list_find(const JobList *l, uint64_t number);
/* The oldest ended job if there are more than max jobs, else NULL; taken off the list,
 * the caller frees it. */
Job *job_list_take_surplus(JobList *l, size_t max);
