/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Structs into text for people. Pure: no bus, no terminal, no clock; what the terminal
 * can do and what time it is come in. Every function returns 0 and a new string, or a
 * negative errno. Text from outside loses its control characters on the way.
 */
#pragma once

#include "bus.h"
#include "model.h"
#include "plan.h"

typedef struct Style {
        bool colors, utf8, legend;
} Style;

typedef struct StatusView {
        const ManagerInfo *manager;
        const JobInfo *running;      /* NULL: none */
        const JobInfo *last;         /* last one that ended; NULL: none */
        const SessionList *sessions; /* NULL: not known, as for users who may not list them */
        uint64_t now_usec;           /* CLOCK_MONOTONIC of the daemon's host; 0: not known */
} StatusView;

/* NO_COLOR: see no-color.org; both may be NULL. */
bool colors_wanted(bool is_tty, const char *no_color, const char *term);

/* Microseconds as milliseconds: always three decimals, for columns. */
void format_ms(uint64_t usec, char *buf, size_t size);
/* The same with as few decimals as it takes, for sentences. */
void format_ms_short(uint64_t usec, char *buf, size_t size);

int format_status(const StatusView *v, const Style *style, char **ret);
int format_jobs(const JobSummaryList *jobs, const Style *style, char **ret);
int format_sessions(const SessionList *sessions, const Style *style, char **ret);
int format_job(const JobInfo *job, const Style *style, char **ret);
/* The steps and the blackout; with no steps, a line that says so. */
int format_timeline(const JobInfo *job, const Style *style, char **ret);
/* One line with its end. */
int format_event(const Event *event, const Style *style, char **ret);

/* format-device.c */
int format_devices(const DeviceList *devices, const Style *style, char **ret);
/* Each below its bridge, VFs below their PF, all below their root bus. */
int format_device_tree(const DeviceList *devices, const Style *style, char **ret);
/* All about one device. */
int format_device(const DeviceInfo *device, const Style *style, char **ret);
/* format-dot.c: for Graphviz; IOMMU groups are clusters, edges to VFs dashed. */
int format_dot(const DeviceList *devices, char **ret);

/* format-plan.c; the rows of a plan are arranged (plan.h). */
int format_plan(const PlanRows *rows, const Style *style, char **ret);
int format_bits(const BitRows *bits, const Style *style, char **ret);
int format_verification(const Verification *v, const Style *style, char **ret);
int format_explanation(const char *code, const Explanation *e, char **ret);
/* What the plan for a device alone says, and what it depends on. */
typedef struct DeviceView {
        const char *address;
        const DeviceList *devices;
        size_t device; /* index in devices; NO_DEVICE: the daemon does not list it */
        const PlanRows *rows;
} DeviceView;
int format_explained_device(const DeviceView *view, const Style *style, char **ret);
