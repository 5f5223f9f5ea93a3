/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gathers what a plan needs from the manager and the devices, and makes it. Read-only:
 * nothing is asked of /dev/liveupdate or of a device that was not known before.
 */
#pragma once

#include "core/plan.h"
#include "daemon/manager.h"

typedef struct PlannerHints {
        uint64_t since; /* devices that came after this devices_generation() were hot-plugged; 0: none */
        bool luo_busy;  /* another process was seen with /dev/liveupdate open */
        JumpChoice jump;
} PlannerHints;

/* What the running kernel and its module can do, as PlanCan. Two short files are read. */
unsigned planner_can(const Manager *m);
/* A plan for these devices. Without a topology (not read yet, or no port) every device
 * is unknown. -ENOMEM. */
int planner_make(const Manager *m, const Address *devices, size_t n, PlannerHints hints, Plan *ret);
/* What the request asks for, what the daemon holds itself, and what is in sessions; one
 * may be there twice. The caller frees. -ENOMEM. */
int planner_devices(const Manager *m, const UpdateRequest *request, Address **ret, size_t *ret_n);
/* Strict mode: what must not be lost goes, or the refusal says what does not. */
int planner_check(const Manager *m, const UpdateRequest *request, Refusal *refusal);
/* Addresses from words; the first bad one is the refusal. The caller frees. */
int planner_parse(char *const *words, Address **ret, size_t *ret_n, Refusal *refusal);
