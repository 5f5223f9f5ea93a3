/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Structs into JSON for programs. Keys are snake_case and stable; docs/liveupdatectl.md
 * lists them. A key is always there: what is not known or not there is null. Every
 * function returns a new value, or NULL when out of memory.
 */
#pragma once

#include "bus.h"
#include "failure.h"
#include "format.h"

typedef enum JsonMode { JSON_OFF, JSON_SHORT, JSON_PRETTY } JsonMode;

/* "off", "short", "pretty"; negative errno for anything else. */
int json_mode_from_string(const char *s);

struct json_object;

struct json_object *json_status(const StatusView *v);
struct json_object *json_jobs(const JobSummaryList *jobs);
struct json_object *json_job(const JobInfo *job);
struct json_object *json_timeline(const JobInfo *job);
struct json_object *json_sessions(const SessionList *sessions);
struct json_object *json_event(const Event *event);
/* json-device.c */
struct json_object *json_devices(const DeviceList *devices);
struct json_object *json_device(const DeviceInfo *device);
struct json_object *json_plan(const PlanRows *rows);
struct json_object *json_bits(const BitRows *bits);
struct json_object *json_verification(const Verification *v);
struct json_object *json_explanation(const char *code, const Explanation *e);
struct json_object *json_explained_device(const DeviceView *view);
/* {"error":{…},"job":…}; job may be NULL. */
struct json_object *json_failure(const Failure *failure, const JobInfo *job);
/* A job that goes on: number and path. state: queued or jumping. */
struct json_object *json_outcome(const JobOutcome *outcome, const char *state);
struct json_object *json_version(void);

/* For lists that others put together. Each returns the container it was given, or NULL
 * (and frees it) when out of memory; value is taken over, NULL counts as out of memory. */
struct json_object *json_list_append(struct json_object *list, struct json_object *value);
struct json_object *json_put(struct json_object *object, const char *key, struct json_object *value);
struct json_object *json_object_empty(void);
struct json_object *json_list_empty(void);
struct json_object *json_text(const char *s);

void json_free(struct json_object *value);

/* With a newline at its end; frees the value. */
int json_to_text(struct json_object *value, JsonMode mode, char **ret);
