/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the daemon told us, as plain structs: filled by the bus layer, read by format.c
 * and json.c. Strings are never NULL once a struct came out of the bus layer. Every
 * struct owns what it points to; *_done() frees that and leaves zeros.
 */
#pragma once

#include "common/macro.h"

typedef struct Pair {
        char *key, *value;
} Pair;

typedef struct PairList {
        Pair *items;
        size_t n;
} PairList;

typedef struct WaitingItem {
        char *path, *name, *phase, *answer, *reason;
        uint64_t deadline_usec; /* CLOCK_MONOTONIC of the daemon's host; 0 and UINT64_MAX: none */
} WaitingItem;

typedef struct WaitingList {
        WaitingItem *items;
        size_t n;
} WaitingList;

typedef struct StringList {
        char **items;
        size_t n;
} StringList;

typedef struct ManagerInfo {
        char *state;
        bool cancelable;
        char *job; /* object path, "/" when none runs */
        WaitingList waiting;
        PairList abi;
        char *kernel_release, *kernel_version;
        uint64_t update_number;
        PairList next_kernel;
        StringList capabilities;
        char *notice, *version;
} ManagerInfo;

typedef struct JobSummary {
        char *path;
        uint64_t number;
        char *kind, *state, *code, *sentence;
} JobSummary;

typedef struct JobSummaryList {
        JobSummary *items; /* by number, ascending */
        size_t n;
} JobSummaryList;

typedef struct TimelineStep {
        char *name;
        uint64_t at_usec, error_usec;
} TimelineStep;

typedef struct TimelineSteps {
        TimelineStep *items;
        size_t n;
} TimelineSteps;

typedef struct SessionCounts {
        uint32_t expected, claimed, finished, missing;
} SessionCounts;

typedef struct JobInfo {
        char *path;
        uint64_t number;
        char *kind, *state, *step, *update_id;
        uint64_t start_usec;
        uint32_t uid;
        bool cancelable;
        char *code, *subject, *sentence;
        char *from_release, *from_version, *to_release, *to_version;
        TimelineSteps timeline;
        uint64_t blackout_usec, blackout_error_usec; /* 0: not known */
        char *clock;
        SessionCounts sessions;
} JobInfo;

typedef struct SessionInfo {
        char *path, *name, *direction, *state;
        uint32_t uid;
        uint64_t n_files;
} SessionInfo;

typedef struct SessionList {
        SessionInfo *items;
        size_t n;
} SessionList;

void waiting_list_done(WaitingList *l);
void timeline_steps_done(TimelineSteps *l);
void manager_info_done(ManagerInfo *m);
void job_summary_list_done(JobSummaryList *l);
void job_info_done(JobInfo *j);
void session_list_done(SessionList *l);

#define _cleanup_manager_info_ _cleanup_(manager_info_done)
#define _cleanup_job_summary_list_ _cleanup_(job_summary_list_done)
#define _cleanup_job_info_ _cleanup_(job_info_done)
#define _cleanup_session_list_ _cleanup_(session_list_done)

/* The value under a key, NULL if it is not there. */
const char *pair_list_get(const PairList *l, const char *key);
/* The newest job that has ended; NULL if none has. */
const JobSummary *job_summary_last_ended(const JobSummaryList *l);
/* Makes room for one more item in an array of n items, doubling it; zeroes the new one.
 * Returns it, or NULL when out of memory. Does not count it: the caller does n++. */
void *array_append(void *items, size_t n, size_t size);
