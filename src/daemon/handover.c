/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "handover.h"

#include "common/log.h"
#include "daemon/planner.h"
#include "daemon/verify.h"
#include "manager-internal.h"

/* Reading. */

typedef struct Reading {
        Manager *manager;
        bool arrival;
        ShimList outgoing, incoming;
        ShimHeld *held; /* bits of configuration space, at arrival alone */
        size_t n_held;
        handover_reply_t reply;
        void *userdata;
} Reading;

static int run_read(void *work) {
        Reading *w = work;
        const Shim *shim = &w->manager->ports->shim;

        int r = shim_list(shim, SHIM_OUTGOING, &w->outgoing);
        if (r >= 0)
                r = shim_list(shim, SHIM_INCOMING, &w->incoming);
        if (r >= 0 && w->arrival)
                r = shim_held(shim, &w->held, &w->n_held);
        return r;
}

/* What the module's filter has kept until now, and from whom. */
static void log_held(const Reading *w) {
        char text[ADDRESS_TEXT_SIZE];

        for (size_t i = 0; i < w->n_held; i++) {
                const ShimHeld *h = &w->held[i];

                address_format(h->address, text);
                log_info("%s: bits 0x%x of register 0x%03x are held at 0x%x (%s); %llu writes were overridden.", text,
                         h->mask, h->offset, h->value, h->reason, (unsigned long long)h->overridden);
        }
}

static void read_done(void *work, int r, _unused_ void *userdata) {
        Reading *w = work;
        Manager *m = w->manager;

        if (r >= 0) {
                shim_list_done(&m->handover.outgoing);
                shim_list_done(&m->handover.incoming);
                m->handover.outgoing = w->outgoing;
                m->handover.incoming = w->incoming;
                w->outgoing = w->incoming = (ShimList){};
                log_held(w);
                if (m->verify_waits)
                        verify_arrived(m);
        } else if (r != -ENODEV && r != -ECANCELED)
                log_errno(r, "Reading the lists of the kernel module");
        if (w->reply)
                w->reply(w->userdata, r);
        shim_list_done(&w->outgoing);
        shim_list_done(&w->incoming);
        free(w->held);
        free(w);
}

static int submit_read(Manager *m, bool arrival, handover_reply_t reply, void *userdata) {
        Reading *w = calloc(1, sizeof(*w));

        if (!w)
                return -ENOMEM;
        *w = (Reading){ .manager = m, .arrival = arrival, .reply = reply, .userdata = userdata };
        int r = worker_submit(m->ports->luo_lane, run_read, read_done, w, NULL);
        if (r < 0)
                free(w);
        return r;
}

int handover_read(Manager *m, handover_reply_t reply, void *userdata) {
        return submit_read(m, false, reply, userdata);
}

/* Arrival. */

/* Whether the device of a file is as it should be before, or after, it is retrieved. A VF
 * is not there until its PF's user has adopted it. */
static bool is_well(const ShimDevice *d) {
        if (d->state == SHIM_MISSING)
                return d->kind == SHIM_KIND_VF;
        return d->state == SHIM_WAITING || d->state == SHIM_RETRIEVED || d->state == SHIM_BOUND ||
               d->state == SHIM_FINISHED;
}

static void count_file(Manager *m, const SessionFile *f, Job *j, char *first, size_t size) {
        const ShimDevice *d = shim_list_find(&m->handover.incoming, f->address);
        char text[ADDRESS_TEXT_SIZE];

        if (j)
                j->handed_expected++;
        if (d && is_well(d)) {
                if (j)
                        j->handed_arrived++;
                return;
        }
        address_format(f->address, text);
        log_warning("%s did not come through the live update as it should: %s%s%s.", text,
                    d ? shim_state_to_string(d->state) : "the kernel module does not know it",
                    d && *d->driver ? ", driver " : "", d ? d->driver : "");
        if (j)
                j->handed_lost++;
        if (!*first)
                (void)snprintf(first, size, "%s is %s", text, d ? shim_state_to_string(d->state) : "not known");
}

static void arrived(void *userdata, int r) {
        Manager *m = userdata;
        Job *j = m->incoming.job;
        char first[64] = "";

        if (r == -ECANCELED || !m->incoming.any)
                return;
        if (j)
                j->handed_expected = j->handed_arrived = j->handed_lost = 0;
        for (size_t i = 0; i < m->sessions.n; i++) {
                const Session *s = m->sessions.items[i];
                for (size_t k = 0; k < s->n_files && session_is_incoming(s); k++)
                        if (s->files[k]->has_address)
                                count_file(m, s->files[k], j, first, sizeof(first));
        }
        if (*first)
                manager_notice(m,
                               "Not every device came through the live update as it should: %s. See "
                               "'liveupdatectl devices'.",
                               first);
        if (j)
                EMIT(m, job_changed, j);
}

void handover_arrived(Manager *m) {
        if (!m->incoming.any)
                return;
        int r = submit_read(m, true, arrived, m);
        if (r < 0)
                log_errno(r, "Queueing the look at the devices that came in");
}

/* Policies. */

ShimPolicy handover_policy(Dma dma) {
        return dma == DMA_KEEP            ? SHIM_POLICY_CONTINUE
               : dma == DMA_KEEP_IDENTITY ? SHIM_POLICY_IDENTITY
                                          : SHIM_POLICY_STOP;
}

static int compare_settings(const void *a, const void *b) {
        return address_compare(((const ShimSetting *)a)->address, ((const ShimSetting *)b)->address);
}

static ShimPolicy policy_set(const ShimSetting *set, size_t n, Address address) {
        ShimSetting key = { .address = address };
        const ShimSetting *found = n > 0 ? bsearch(&key, set, n, sizeof(*set), compare_settings) : NULL;

        return found ? found->policy : SHIM_POLICY_STOP;
}

static int apply(Manager *m, Address address, ShimPolicy policy, Refusal *refusal) {
        char text[ADDRESS_TEXT_SIZE];

        int r = shim_apply_policy(&m->ports->shim, address, policy);
        if (r >= 0)
                return 0;
        address_format(address, text);
        if (r == -EBUSY)
                return refuse(refusal, REASON_SHIM_FAILED, text,
                              "it was preserved before its DMA policy was set to %s", shim_policy_to_string(policy));
        return refuse(refusal, REASON_SHIM_FAILED, text, "DMA policy %s: %s", shim_policy_to_string(policy),
                      strerror(-r));
}

int handover_policies(Manager *m, Refusal *refusal) {
        const Topology *t = m->devices ? devices_topology(m->devices) : NULL;
        _cleanup_free_ ShimSetting *set = NULL;
        unsigned can = planner_can(m);
        size_t n = 0;

        if (!t || !(can & PLAN_CAN_VFIO) || m->update.devices.n == 0)
                return 0;
        int r = shim_get_policies(&m->ports->shim, &set, &n);
        if (r < 0)
                return refuse(refusal, REASON_SHIM_FAILED, "policy", "%s", strerror(-r));
        if (n > 0)
                qsort(set, n, sizeof(*set), compare_settings);
        for (size_t i = 0; i < m->update.devices.n; i++) {
                const ManifestDevice *d = &m->update.devices.items[i];
                uint32_t index = topology_find(t, d->address);
                const Function *f = index == TOPOLOGY_NONE ? NULL : &t->items[index];

                if (!f || f->header_type != 0 || !f->vfio_cdev)
                        continue;
                ShimPolicy policy = handover_policy(plan_dma(f, rules_apply(m->ports->rules, f).dma, can));
                if (policy_set(set, n, d->address) == policy)
                        continue;
                r = apply(m, d->address, policy, refusal);
                if (r < 0)
                        return r;
        }
        return 0;
}
