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
        /* CLOCK_MONOTONIC of the daemon's host; since 0: not known, deadline 0 and UINT64_MAX: none */
        uint64_t since_usec, deadline_usec;
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
        bool crash_cancels; /* a crash of the daemon would cancel an update */
        char *job;          /* object path, "/" when none runs */
        WaitingList waiting;
        PairList abi;
        char *kernel_release, *kernel_version;
        uint64_t update_number;
        PairList next_kernel;
        StringList capabilities, held;
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

/* What participants reported of their own part. */
typedef struct ReportedSpan {
        char *participant, *name;
        uint64_t at_usec, took_usec;
} ReportedSpan;

typedef struct ReportedSpans {
        ReportedSpan *items;
        size_t n;
} ReportedSpans;

typedef struct SessionCounts {
        uint32_t expected, claimed, finished, missing;
} SessionCounts;

/* Of the devices' configuration space after a jump. */
typedef struct RegisterCounts {
        uint64_t equal;
        uint32_t expected, against; /* changed as the table of bits has it, or against it */
        uint32_t missing;           /* devices */
} RegisterCounts;

/* VFIO devices after a jump. */
typedef struct HandoverCounts {
        uint32_t expected, arrived, lost, bus_master;
} HandoverCounts;

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
        ReportedSpans reports;
        uint64_t blackout_usec, blackout_error_usec; /* 0: not known */
        char *clock;
        SessionCounts sessions;
        HandoverCounts devices;
        RegisterCounts registers; /* all 0: nothing was compared */
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

/* A row of ListDevices. */
typedef struct Device {
        char *path, *address, *class_code, *ids, *port, *driver, *parent, *physfn;
        int32_t group; /* -1: none */
        char way[64];  /* "held, preserved": of ListPreserved; "" if it is neither */
} Device;

typedef struct DeviceList {
        Device *items; /* by address, ascending */
        size_t n;
} DeviceList;

typedef struct NativeDriver {
        char *name, *kind;
} NativeDriver;

/* All properties of a Device object. */
typedef struct DeviceInfo {
        char *path, *address;
        uint32_t class_code;
        uint16_t ids[4]; /* vendor, device, subsystem vendor, subsystem device */
        uint8_t revision;
        uint64_t serial; /* 0: none */
        char *port;
        uint8_t buses[2]; /* secondary, subordinate; both 0: not a bridge */
        char *parent, *physfn;
        StringList virtfns;
        uint16_t num_vfs, total_vfs;
        StringList features, enabled;
        char *power_state, *driver, *driver_override;
        NativeDriver native;
        char *reset_methods;
        int32_t group; /* -1: none */
        char *group_type;
        int32_t numa_node; /* -1: none */
        char *vfio_device, *verdict, *outgoing, *incoming;
        bool held;
        StringList codes;
} DeviceInfo;

typedef struct PlanRow {
        char *kind, *subject, *verdict, *code, *sentence, *remedy;
        size_t place, first; /* in the daemon's order: its own, and its subject's first row */
        bool excepted;       /* cannot go, but may be lost (see plan.h) */
} PlanRow;

typedef struct PlanRows {
        PlanRow *items;
        size_t n;
} PlanRows;

typedef struct BitRow {
        char *name, *offset, *mask, *class, *reason;
} BitRow;

typedef struct BitRows {
        BitRow *items;
        size_t n;
} BitRows;

typedef struct Difference {
        char *address, *name, *before, *after, *verdict, *reason;
} Difference;

typedef struct Verification {
        uint64_t equal; /* registers that are as they were */
        Difference *items;
        size_t n;
} Verification;

typedef struct Explanation {
        char *sentence, *remedy;
} Explanation;

void waiting_list_done(WaitingList *l);
void string_list_done(StringList *l);
void timeline_steps_done(TimelineSteps *l);
void reported_spans_done(ReportedSpans *l);
void manager_info_done(ManagerInfo *m);
void job_summary_list_done(JobSummaryList *l);
void job_info_done(JobInfo *j);
void session_list_done(SessionList *l);
void device_list_done(DeviceList *l);
void device_info_done(DeviceInfo *d);
void plan_row_done(PlanRow *row);
void plan_rows_done(PlanRows *l);
void bit_rows_done(BitRows *l);
void verification_done(Verification *v);
void explanation_done(Explanation *e);

#define _cleanup_manager_info_ _cleanup_(manager_info_done)
#define _cleanup_job_summary_list_ _cleanup_(job_summary_list_done)
#define _cleanup_job_info_ _cleanup_(job_info_done)
#define _cleanup_session_list_ _cleanup_(session_list_done)
#define _cleanup_string_list_ _cleanup_(string_list_done)
#define _cleanup_device_list_ _cleanup_(device_list_done)
#define _cleanup_device_info_ _cleanup_(device_info_done)
#define _cleanup_plan_rows_ _cleanup_(plan_rows_done)
#define _cleanup_bit_rows_ _cleanup_(bit_rows_done)
#define _cleanup_verification_ _cleanup_(verification_done)
#define _cleanup_explanation_ _cleanup_(explanation_done)

/* Adds a copy. -ENOMEM. */
int string_list_add(StringList *l, const char *s);
/* By bytes; string_list_has() wants the list so. */
void string_list_sort(StringList *l);
bool string_list_has(const StringList *sorted, const char *s);

/* The value under a key, NULL if it is not there. */
const char *pair_list_get(const PairList *l, const char *key);
bool register_counts_any(const RegisterCounts *c);
/* The newest job that has ended; NULL if none has. */
const JobSummary *job_summary_last_ended(const JobSummaryList *l);
/* Makes room for one more item in an array of n items, doubling it; zeroes the new one.
 * Returns it, or NULL when out of memory. Does not count it: the caller does n++. */
void *array_append(void *items, size_t n, size_t size);
