/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the plan share: a plan in the making. */
#pragma once

#include "plan.h"

/* By function, of those that are in the plan. */
typedef struct PlanDevice {
        uint32_t subject;
        uint32_t conventional; /* nearest bridge of conventional PCI above, or TOPOLOGY_NONE */
        uint32_t culprit;      /* whose fault it is if only a device above cannot go, or itself */
        uint32_t first_child;  /* what has this as parent, as a list through next_child */
        uint32_t next_child;
        Reason cause; /* why it cannot go, the first reason that blocks before others; REASON_NONE: it goes */
        bool blocks;  /* its VFs cannot go for it: they state themselves that its driver is not VFIO */
        DevicePolicy policy;
} PlanDevice;

typedef struct PlanWork {
        const PlanInput *in;
        Order order;
        uint32_t *place;     /* by function: index in devices plus one; 0: not in the plan */
        PlanDevice *devices; /* in the order of `order` */
        PlanSubject *subjects;
        size_t n_subjects;
        PlanItem *items;
        size_t n_items, n_allocated;
} PlanWork;

/* NULL if it is not in the plan. */
static inline PlanDevice *plan_device(const PlanWork *w, uint32_t function) {
        return function != TOPOLOGY_NONE && w->place[function] > 0 ? &w->devices[w->place[function] - 1] : NULL;
}

static inline bool is_bridge(const Function *f) {
        return f->header_type == 1 || f->header_type == 2;
}

/* Adds a finding. Sets the verdict of the subject. -ENOMEM. */
int plan_find(PlanWork *w, uint32_t subject, Reason reason, Verdict verdict, const char *detail_format, ...)
        _printf_(5, 6);
/* What next_boot_judge() said about a handler, of what needs it. */
int plan_find_handler(PlanWork *w, uint32_t subject, const Refusal *why);
/* What stands against a device by itself (plan-device.c). */
int plan_check_device(PlanWork *w, PlanDevice *d);
/* What follows from one device for others (plan-spread.c). */
int plan_spread(PlanWork *w);
