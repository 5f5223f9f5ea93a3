/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one device that cannot go means for others: those that depend on it cannot, and
 * neither can those that share its IOMMU group, since half a group cannot be handed over
 * while the other half is driven by the host. Bridges are in groups without doing DMA of
 * their own: they neither hold a group up nor are they held up by it.
 *
 * First the facts are spread until nothing changes: a queue, in which each device stands
 * at most once; each group is walked twice, once to find its members and once when it
 * fails. Then each device is told why, root-first, so that who depends on a chain of
 * devices is told of the first of them that is at fault.
 */
#include "plan-internal.h"

typedef struct Group {
        uint32_t member;       /* any function of it */
        uint32_t outsiders[2]; /* the first two that do not go for a reason other than the group */
        size_t n_outsiders;
        bool failed;
} Group;

typedef struct Spread {
        PlanWork *w;
        const Topology *t;
        uint32_t *group_of; /* by function: index in groups plus one */
        Group *groups;
        size_t n_groups;
        uint32_t *queue;
        size_t head, tail;
} Spread;

static void fail_device(Spread *s, uint32_t function, Reason cause) {
        PlanDevice *d = plan_device(s->w, function);

        if (d->cause != REASON_NONE)
                return;
        d->cause = cause;
        d->blocks = true;
        s->queue[s->tail++] = function;
}

static void add_outsider(Group *g, uint32_t function) {
        if (g->n_outsiders < ELEMENTSOF(g->outsiders))
                g->outsiders[g->n_outsiders] = function;
        g->n_outsiders++;
}

/* The group of a function in the plan, made with the members that are not in it as
 * outsiders. */
static void find_group(Spread *s, uint32_t function) {
        Group *g = &s->groups[s->n_groups];
        uint32_t i = function;

        if (s->group_of[function] > 0 || s->t->items[function].group < 0)
                return;
        *g = (Group){ .member = function };
        s->n_groups++;
        do {
                s->group_of[i] = (uint32_t)s->n_groups;
                if (!plan_device(s->w, i) && !is_bridge(&s->t->items[i]))
                        add_outsider(g, i);
                i = s->t->items[i].next_in_group;
        } while (i != function);
}

static void fail_group(Spread *s, Group *g) {
        uint32_t i = g->member;

        if (g->failed)
                return;
        g->failed = true;
        do {
                if (plan_device(s->w, i) && !is_bridge(&s->t->items[i]))
                        fail_device(s, i, REASON_GROUP_SHARED);
                i = s->t->items[i].next_in_group;
        } while (i != g->member);
}

/* Takes one from the queue and fails what hangs on it. */
static void spread_one(Spread *s) {
        uint32_t function = s->queue[s->head++];
        const Function *f = &s->t->items[function];
        const PlanDevice *d = plan_device(s->w, function);
        Group *g = s->group_of[function] > 0 ? &s->groups[s->group_of[function] - 1] : NULL;

        for (uint32_t i = d->first_child; i != TOPOLOGY_NONE; i = plan_device(s->w, i)->next_child)
                fail_device(s, i, REASON_NEEDED_DEVICE);
        for (uint32_t i = f->first_vf; i != TOPOLOGY_NONE; i = s->t->items[i].next_vf)
                if (plan_device(s->w, i))
                        fail_device(s, i, REASON_NEEDED_DEVICE);
        if (g && !is_bridge(f)) {
                if (d->cause != REASON_GROUP_SHARED)
                        add_outsider(g, function);
                fail_group(s, g);
        }
}

static void spread_all(Spread *s) {
        const Order *order = &s->w->order;

        for (size_t i = order->n; i > 0; i--) {
                uint32_t function = order->items[i - 1].function;
                PlanDevice *d = plan_device(s->w, function), *p = plan_device(s->w, s->t->items[function].parent);

                if (p) {
                        d->next_child = p->first_child;
                        p->first_child = function;
                }
        }
        for (size_t i = 0; i < order->n; i++) {
                find_group(s, order->items[i].function);
                if (s->w->devices[i].cause != REASON_NONE)
                        s->queue[s->tail++] = order->items[i].function;
        }
        for (size_t i = 0; i < s->n_groups; i++)
                if (s->groups[i].n_outsiders > 0)
                        fail_group(s, &s->groups[i]);
        while (s->head < s->tail)
                spread_one(s);
}

/* ---- telling ---- */

static int tell_need(Spread *s, PlanDevice *d, uint32_t need) {
        const PlanDevice *n = plan_device(s->w, need);
        char text[ADDRESS_TEXT_SIZE];

        /* A VF says by itself that its PF has the wrong driver. */
        if (!n || n->cause == REASON_NONE || !n->blocks)
                return 0;
        uint32_t culprit = n->cause == REASON_NEEDED_DEVICE ? n->culprit : need;
        /* What is above the PF is above the VF too. */
        if (culprit == d->culprit)
                return 0;
        d->culprit = culprit;
        address_format(s->t->items[culprit].address, text);
        return plan_find(s->w, d->subject, REASON_NEEDED_DEVICE, VERDICT_CANNOT, "%s: %s", text,
                         reason_code(plan_device(s->w, culprit)->cause));
}

static int tell_group(Spread *s, PlanDevice *d, uint32_t function) {
        const Group *g = s->group_of[function] > 0 ? &s->groups[s->group_of[function] - 1] : NULL;
        size_t others, i = 0;
        char text[ADDRESS_TEXT_SIZE], more[32] = "";

        if (!g || is_bridge(&s->t->items[function]))
                return 0;
        bool outsider = d->cause != REASON_GROUP_SHARED; /* so it is one of them, if the group failed */
        others = g->n_outsiders - (outsider && g->n_outsiders > 0);
        if (others == 0)
                return 0;
        if (g->outsiders[0] == function)
                i = 1;
        address_format(s->t->items[g->outsiders[i]].address, text);
        if (others > 1)
                (void)snprintf(more, sizeof(more), ", and %zu more", others - 1);
        return plan_find(s->w, d->subject, REASON_GROUP_SHARED, VERDICT_CANNOT, "group %d: %s %s%s",
                         s->t->items[function].group, text,
                         plan_device(s->w, g->outsiders[i]) ? "cannot go" : "is not requested", more);
}

static int tell(Spread *s) {
        for (size_t i = 0; i < s->w->order.n; i++) {
                PlanDevice *d = &s->w->devices[i];
                uint32_t function = s->w->order.items[i].function;
                const Function *f = &s->t->items[function];

                d->culprit = function;
                if (d->cause == REASON_NONE)
                        continue;
                int r = tell_need(s, d, f->parent);
                if (r >= 0)
                        r = tell_need(s, d, f->pf);
                if (r >= 0)
                        r = tell_group(s, d, function);
                if (r < 0)
                        return r;
        }
        return 0;
}

int plan_spread(PlanWork *w) {
        const Topology *t = w->in->topology;
        size_t n = MAX_OF(w->order.n, (size_t)1);
        _cleanup_free_ uint32_t *group_of = calloc(MAX_OF(t->n, (size_t)1), sizeof(*group_of));
        _cleanup_free_ uint32_t *queue = calloc(n, sizeof(*queue));
        _cleanup_free_ Group *groups = calloc(n, sizeof(*groups));
        Spread s = { .w = w, .t = t, .group_of = group_of, .groups = groups, .queue = queue };

        if (!group_of || !queue || !groups)
                return -ENOMEM;
        spread_all(&s);
        return tell(&s);
}
