/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frame of the plan: the subjects in their order, and the findings about host, next
 * kernel and files. Findings are collected as they come and put together
 * by subject at the end.
 */
#include "plan-internal.h"

#include "common/utf8.h"

#include <stdarg.h>

static const char *const verdict_table[_VERDICT_MAX] = {
        [VERDICT_GOES] = "goes",
        [VERDICT_LIMITED] = "limited",
        [VERDICT_CANNOT] = "cannot",
};

DEFINE_STRING_TABLE(verdict, Verdict, verdict_table);

static const char *const plan_kind_table[_PLAN_KIND_MAX] = {
        [PLAN_HOST] = "host",         [PLAN_KERNEL] = "kernel", [PLAN_REQUESTED] = "requested",
        [PLAN_DEPENDED] = "depended", [PLAN_FILE] = "file",
};

DEFINE_STRING_TABLE(plan_kind, PlanKind, plan_kind_table);

void plan_done(Plan *p) {
        for (size_t i = 0; i < p->n_subjects; i++)
                free(p->subjects[i].name);
        for (size_t i = 0; i < p->n_items; i++)
                free(p->items[i].detail);
        free(p->subjects);
        free(p->items);
        *p = (Plan){};
}

/* ---- findings ---- */

static int reserve_item(PlanWork *w) {
        if (w->n_items < w->n_allocated)
                return 0;
        size_t n = MAX_OF(w->n_allocated * 2, (size_t)64);
        PlanItem *items = reallocarray(w->items, n, sizeof(*items));
        if (!items)
                return -ENOMEM;
        w->items = items;
        w->n_allocated = n;
        return 0;
}

/* Remembers why a device cannot go. That a bridge was requested for itself is nothing
 * against what is below it. */
static void blame(PlanWork *w, const PlanSubject *s, Reason reason) {
        PlanDevice *d = s->kind == PLAN_REQUESTED || s->kind == PLAN_DEPENDED ? plan_device(w, s->function) : NULL;

        if (!d || reason == REASON_DEVICE_IS_BRIDGE)
                return;
        bool blocks = reason != REASON_PF_NOT_VFIO && reason != REASON_NOT_VFIO_DRIVER;
        if (d->cause == REASON_NONE || (blocks && !d->blocks))
                d->cause = reason;
        d->blocks = d->blocks || blocks;
}

int plan_find(PlanWork *w, uint32_t subject, Reason reason, Verdict verdict, const char *detail_format, ...) {
        char text[sizeof(((Refusal *)0)->detail)] = "", printable[sizeof(text)];
        _cleanup_free_ char *detail = NULL;
        PlanSubject *s = &w->subjects[subject];

        if (detail_format) {
                va_list ap;

                va_start(ap, detail_format);
                (void)vsnprintf(text, sizeof(text), detail_format, ap);
                va_end(ap);
        }
        utf8_copy(printable, sizeof(printable), text);
        if (*printable && !(detail = strdup(printable)))
                return -ENOMEM;
        int r = reserve_item(w);
        if (r < 0)
                return r;
        w->items[w->n_items++] = (PlanItem){
                .reason = reason,
                .verdict = verdict,
                .subject = subject,
                .detail = TAKE_PTR(detail),
        };
        s->verdict = MAX_OF(s->verdict, verdict);
        if (verdict == VERDICT_CANNOT)
                blame(w, s, reason);
        return 0;
}

int plan_find_handler(PlanWork *w, uint32_t subject, const Refusal *why) {
        if (why->reason == REASON_NONE)
                return 0;
        return plan_find(w, subject, why->reason,
                         why->reason == REASON_INITRD_HANDLER_UNSURE ? VERDICT_LIMITED : VERDICT_CANNOT, "%s",
                         why->detail);
}

/* Puts the items of each subject together, in the order in which they came. */
static int group_items(PlanWork *w) {
        PlanItem *sorted = reallocarray(NULL, MAX_OF(w->n_items, (size_t)1), sizeof(*sorted));
        size_t next = 0;

        if (!sorted)
                return -ENOMEM;
        for (size_t i = 0; i < w->n_items; i++)
                w->subjects[w->items[i].subject].n_items++;
        for (size_t i = 0; i < w->n_subjects; i++) {
                w->subjects[i].first_item = next;
                next += w->subjects[i].n_items;
                w->subjects[i].n_items = 0;
        }
        for (size_t i = 0; i < w->n_items; i++) {
                PlanSubject *s = &w->subjects[w->items[i].subject];
                sorted[s->first_item + s->n_items++] = w->items[i];
        }
        free(w->items);
        w->items = sorted;
        return 0;
}

/* ---- subjects ---- */

static int compare_addresses(const void *a, const void *b) {
        return address_compare(*(const Address *)a, *(const Address *)b);
}

/* Requested addresses: the indices of those that exist, and the others, sorted. */
typedef struct Wanted {
        uint32_t *found;
        Address *missing;
        size_t n_found, n_missing;
} Wanted;

static void wanted_done(Wanted *wanted) {
        free(wanted->found);
        free(wanted->missing);
}

static int find_wanted(const PlanInput *in, Wanted *wanted) {
        size_t n = MAX_OF(in->n_requested, (size_t)1), kept = 0;

        wanted->found = reallocarray(NULL, n, sizeof(*wanted->found));
        wanted->missing = reallocarray(NULL, n, sizeof(*wanted->missing));
        if (!wanted->found || !wanted->missing)
                return -ENOMEM;
        for (size_t i = 0; i < in->n_requested; i++) {
                uint32_t index = topology_find(in->topology, in->requested[i]);
                if (index == TOPOLOGY_NONE)
                        wanted->missing[wanted->n_missing++] = in->requested[i];
                else
                        wanted->found[wanted->n_found++] = index;
        }
        qsort(wanted->missing, wanted->n_missing, sizeof(*wanted->missing), compare_addresses);
        for (size_t i = 0; i < wanted->n_missing; i++)
                if (kept == 0 || address_compare(wanted->missing[kept - 1], wanted->missing[i]) != 0)
                        wanted->missing[kept++] = wanted->missing[i];
        wanted->n_missing = kept;
        return 0;
}

static PlanSubject *add_subject(PlanWork *w, PlanKind kind) {
        PlanSubject *s = &w->subjects[w->n_subjects++];

        *s = (PlanSubject){ .kind = kind, .function = TOPOLOGY_NONE, .dma = DMA_STOP };
        return s;
}

static int add_devices(PlanWork *w) {
        const Topology *t = w->in->topology;

        w->place = calloc(MAX_OF(t->n, (size_t)1), sizeof(*w->place));
        w->devices = calloc(MAX_OF(w->order.n, (size_t)1), sizeof(*w->devices));
        if (!w->place || !w->devices)
                return -ENOMEM;
        for (size_t i = 0; i < w->order.n; i++) {
                const OrderItem *o = &w->order.items[i];
                PlanSubject *s = add_subject(w, o->requested ? PLAN_REQUESTED : PLAN_DEPENDED);

                s->function = o->function;
                s->address = t->items[o->function].address;
                w->place[o->function] = (uint32_t)i + 1;
                w->devices[i] = (PlanDevice){
                        .subject = (uint32_t)(w->n_subjects - 1),
                        .first_child = TOPOLOGY_NONE,
                        .next_child = TOPOLOGY_NONE,
                };
        }
        return 0;
}

static int add_files(PlanWork *w) {
        for (size_t i = 0; i < w->in->n_files; i++) {
                const PlanFile *f = &w->in->files[i];
                char *name;

                if (asprintf(&name, "%s/%llu", f->session, (unsigned long long)f->token) < 0)
                        return -ENOMEM;
                add_subject(w, PLAN_FILE)->name = name;
        }
        return 0;
}

/* ---- host, next kernel, files ---- */

static int check_host(PlanWork *w, uint32_t subject) {
        static const Reason luo[] = {
                [PLAN_LUO_READY] = REASON_NONE,
                [PLAN_LUO_ABSENT] = REASON_LUO_ABSENT,
                [PLAN_LUO_BUSY] = REASON_LUO_BUSY,
                [PLAN_LUO_BROKEN] = REASON_LUO_BROKEN,
        };
        Reason reason = luo[w->in->facts->luo];
        const Rules *rules = w->in->rules;
        int r = 0;

        if (reason != REASON_NONE)
                r = plan_find(w, subject, reason, VERDICT_CANNOT, NULL);
        if (r >= 0 && w->in->facts->scheduled.reason != REASON_NONE)
                r = plan_find(w, subject, w->in->facts->scheduled.reason, VERDICT_CANNOT, "%s",
                              w->in->facts->scheduled.detail);
        if (r >= 0 && rules && rules->n_dropped > 0)
                r = plan_find(w, subject, REASON_RULES_INVALID, VERDICT_LIMITED, "%zu of them", rules->n_dropped);
        return r;
}

static bool has_vfio(const PlanWork *w) {
        for (size_t i = 0; i < w->in->n_files; i++)
                if (streq(w->in->files[i].kind, "vfio"))
                        return true;
        return w->order.n > 0;
}

static int check_kernel(PlanWork *w, uint32_t subject) {
        const Refusal *next = &w->in->facts->next_kernel, *shim = &w->in->facts->next_shim;
        int r = 0;

        if (next->reason != REASON_NONE)
                r = plan_find(w, subject, next->reason, VERDICT_CANNOT, "%s", next->detail);
        if (r >= 0 && shim->reason != REASON_NONE && has_vfio(w))
                r = plan_find(w, subject, shim->reason, VERDICT_CANNOT, "%s", shim->detail);
        if (r >= 0 && w->in->facts->no_systemd)
                r = plan_find(w, subject, REASON_SHUTDOWN_FAILED, VERDICT_CANNOT, "there is no service manager");
        else if (r >= 0 && w->in->facts->jump_systemd)
                r = plan_find(w, subject, REASON_JUMP_SHUTDOWN, VERDICT_LIMITED, NULL);
        return r;
}

/* include/uapi/linux/fcntl.h */
#define SEAL_WRITE 0x0008u
#define SEAL_FUTURE_WRITE 0x0010u
#define SEAL_EXEC 0x0020u

static int check_memfd(PlanWork *w, uint32_t subject, const PlanFile *f) {
        int r = 0;

        if (f->hugepages)
                r = plan_find(w, subject, REASON_MEMFD_HUGEPAGES, VERDICT_CANNOT, NULL);
        /* What cannot be written any more loses nothing. */
        if (r >= 0 && f->seals & SEAL_EXEC && !(f->seals & (SEAL_WRITE | SEAL_FUTURE_WRITE)))
                r = plan_find(w, subject, REASON_MEMFD_NOEXEC_SEAL, VERDICT_CANNOT, NULL);
        return r;
}

static int check_file(PlanWork *w, uint32_t subject, const PlanFile *f) {
        static const struct {
                const char *kind;
                unsigned can;
                Reason reason;
        } kinds[] = {
                { "memfd", PLAN_CAN_MEMFD, REASON_NO_HANDLER },
                { "iommufd", PLAN_CAN_IOMMUFD, REASON_NO_HANDLER },
                { "vfio", PLAN_CAN_VFIO, REASON_NO_VFIO_SUPPORT },
        };
        Reason reason = REASON_NO_HANDLER;
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (streq(kinds[i].kind, f->kind))
                        reason = w->in->facts->can & kinds[i].can ? REASON_NONE : kinds[i].reason;
        /* A kernel that took it knows better. */
        if (reason != REASON_NONE && !f->preserved)
                r = plan_find(w, subject, reason, VERDICT_CANNOT, "its kind is %s", f->kind);
        if (r >= 0 && streq(f->kind, "memfd"))
                return check_memfd(w, subject, f);
        if (r >= 0)
                r = plan_find_handler(w, subject,
                                      streq(f->kind, "vfio") ? &w->in->facts->next_vfio : &w->in->facts->next_files);
        return r;
}

/* ---- all of it ---- */

static bool linked(const Topology *t) {
        for (size_t i = 0; i < t->n; i++)
                if (t->items[i].next_in_group >= t->n ||
                    (i > 0 && address_compare(t->items[i - 1].address, t->items[i].address) >= 0))
                        return false;
        return true;
}

static int fill_subjects(PlanWork *w, const Wanted *wanted) {
        w->subjects = calloc(2 + w->order.n + wanted->n_missing + w->in->n_files, sizeof(*w->subjects));
        if (!w->subjects)
                return -ENOMEM;
        add_subject(w, PLAN_HOST);
        add_subject(w, PLAN_KERNEL);
        int r = add_devices(w);
        if (r < 0)
                return r;
        for (size_t i = 0; i < wanted->n_missing; i++)
                add_subject(w, PLAN_REQUESTED)->address = wanted->missing[i];
        return add_files(w);
}

static int check_all(PlanWork *w, const Wanted *wanted) {
        uint32_t subject = 0;

        int r = check_host(w, subject++);
        if (r >= 0)
                r = check_kernel(w, subject++);
        for (size_t i = 0; i < w->order.n && r >= 0; i++, subject++)
                r = plan_check_device(w, &w->devices[i]);
        for (size_t i = 0; i < wanted->n_missing && r >= 0; i++)
                r = plan_find(w, subject++, REASON_NO_SUCH_DEVICE, VERDICT_CANNOT, NULL);
        for (size_t i = 0; i < w->in->n_files && r >= 0; i++)
                r = check_file(w, subject++, &w->in->files[i]);
        if (r >= 0)
                r = plan_spread(w);
        return r < 0 ? r : group_items(w);
}

int plan_make(const PlanInput *in, Plan *ret) {
        PlanWork w = { .in = in };
        Wanted wanted = {};

        if (!linked(in->topology))
                return -EINVAL;
        int r = find_wanted(in, &wanted);
        if (r >= 0)
                r = order_make(in->topology, wanted.found, wanted.n_found, &w.order);
        if (r >= 0)
                r = fill_subjects(&w, &wanted);
        if (r >= 0)
                r = check_all(&w, &wanted);

        Plan p = {
                .subjects = w.subjects,
                .n_subjects = w.n_subjects,
                .items = w.items,
                .n_items = w.n_items,
        };
        wanted_done(&wanted);
        order_done(&w.order);
        free(w.place);
        free(w.devices);
        if (r < 0) {
                plan_done(&p);
                return r;
        }
        *ret = p;
        return 0;
}

/* ---- reading a plan ---- */

void plan_subject_text(const PlanSubject *s, char buf[static PLAN_SUBJECT_TEXT_SIZE]) {
        char address[ADDRESS_TEXT_SIZE];
        const char *text = s->name ?: "";

        if (s->kind == PLAN_HOST)
                text = "host";
        else if (s->kind == PLAN_KERNEL)
                text = "next kernel";
        else if (s->kind != PLAN_FILE) {
                address_format(s->address, address);
                text = address;
        }
        utf8_copy(buf, PLAN_SUBJECT_TEXT_SIZE, text);
}

void plan_item_refusal(const Plan *p, const PlanItem *item, Refusal *ret) {
        char text[PLAN_SUBJECT_TEXT_SIZE];

        plan_subject_text(&p->subjects[item->subject], text);
        refuse(ret, item->reason, text, "%s", item->detail ?: "");
}

Verdict plan_verdict(const Plan *p) {
        Verdict v = VERDICT_GOES;

        for (size_t i = 0; i < p->n_subjects; i++)
                v = MAX_OF(v, p->subjects[i].verdict);
        return v;
}
