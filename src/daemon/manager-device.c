/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of sessions that are descriptors of PCI functions. Before one is preserved, its
 * rule is asked and its DMA policy is written into the kernel module; before one is
 * retrieved, the module is asked whether it can be, because a RETRIEVE_FD that fails is
 * final for the boot. When it is there, and before its client can touch it, Bus Master is
 * looked at: it must be as it was handed over.
 *
 * A device whose DMA runs on writes into memory while the kernels change, so all of that
 * memory must be preserved. Nobody but the client knows its mappings: the kernel shows
 * none of an iommufd. The client has to declare them, and what it declares is checked; a
 * client that declares too little is not found out.
 */
#include "manager-internal.h"

#include "common/log.h"
#include "core/snapshot.h"
#include "daemon/handover.h"
#include "daemon/planner.h"
#include "sys/fd-kind.h"

#include <linux/pci_regs.h>

/* ---- preserve ---- */

static int check_declared(const Session *s, const char *device, const PreserveOptions *o, Refusal *refusal) {
        if (!o || (o->n_dma_memory == 0 && !o->dma_complete))
                return refuse(refusal, REASON_DMA_UNDECLARED, device, NULL);
        if (o->dma_complete && s->ranked[RANK_MEMFD] == 0)
                return refuse(refusal, REASON_DMA_MEMORY_MISSING, device, "the session %s has no memfd", s->name);
        for (size_t i = 0; i < o->n_dma_memory; i++) {
                const SessionFile *f = session_find_file(s, o->dma_memory[i]);
                if (!f || !streq(f->kind, "memfd"))
                        return refuse(refusal, REASON_DMA_MEMORY_MISSING, device,
                                      "token %llu of session %s is no preserved memfd",
                                      (unsigned long long)o->dma_memory[i], s->name);
        }
        return 0;
}

/* The plan has looked at what was there when the update began; and until then another
 * kernel can be loaded. */
static bool lacks_handler(const Manager *m, const Session *s, const char *device) {
        return m->next.loaded && m->next.vfio.reason == REASON_INITRD_HANDLER_MISSING && m->phase != PHASE_NORMAL &&
               m->phase != PHASE_UPDATED && !manager_is_excepted(m, device) && !manager_is_excepted(m, s->name);
}

/* What the rules and the topology say. */
static int check_function(const Manager *m, const Session *s, const char *text, const PreserveOptions *options,
                          CallDevice *d, Refusal *refusal) {
        const Topology *t = devices_topology(m->devices);
        uint32_t index = t ? topology_find(t, d->address) : TOPOLOGY_NONE;

        if (index == TOPOLOGY_NONE)
                return refuse(refusal, REASON_NO_SUCH_DEVICE, text, t ? NULL : "the devices are not read yet");
        const Function *f = &t->items[index];
        DevicePolicy policy = rules_apply(m->ports->rules, f);
        if (policy.deny)
                return refuse(refusal, REASON_RULE_DENIES, text, "%s", policy.action_origin);
        /* The plan says so of what it is asked about; a device that comes in a session is none of that. */
        if (f->is_vf && m->next.loaded && m->next.no_vf)
                return refuse(refusal, REASON_NEXT_NO_VF, text, "%s", m->next.release);
        if (lacks_handler(m, s, text))
                return refuse(refusal, m->next.vfio.reason, text, "%s", m->next.vfio.detail);
        Dma dma = plan_dma(f, policy.dma, planner_can(m));
        d->policy = handover_policy(dma);
        d->is_vf = f->is_vf;
        d->pf = f->physfn;
        return dma == DMA_STOP ? 0 : check_declared(s, text, options, refusal);
}

int device_check_preserve(Manager *m, Session *s, int file, uint64_t token, const PreserveOptions *options,
                          CallDevice *ret, Refusal *refusal) {
        CallDevice d = { .policy = SHIM_POLICY_STOP };
        char text[ADDRESS_TEXT_SIZE], subject[96];

        int r = shim_identify(&m->ports->shim, file, &d.address);
        d.any = r >= 0;
        int order = session_order_check(s->ranked, s->name, r == -ENOTTY ? fd_kind(file) : "vfio", refusal);
        if (order < 0)
                return order;
        if (r < 0 && r != -ENOTTY) {
                (void)snprintf(subject, sizeof(subject), "%s token %lu", s->name, (unsigned long)token);
                return refuse(refusal, REASON_VFIO_UNKNOWN, subject, NULL);
        }
        if (d.any && m->devices) {
                address_format(d.address, text);
                r = check_function(m, s, text, options, &d, refusal);
                if (r < 0)
                        return r;
        }
        *ret = d;
        return 0;
}

/* The PF goes first, in whatever session: the module wants it so. */
static int check_pf(CallDevice *d, const Shim *shim) {
        ShimList outgoing = {};
        char text[ADDRESS_TEXT_SIZE];

        int r = shim_list(shim, SHIM_OUTGOING, &outgoing);
        if (r < 0)
                return r;
        bool pf = shim_list_find(&outgoing, d->pf) != NULL;
        shim_list_done(&outgoing);
        if (pf)
                return 0;
        address_format(d->pf, text);
        return refuse(&d->why, REASON_PF_NOT_PRESERVED, "", "%s", text);
}

/* A kernel that has a handler of its own needs no module, which then is not there. */
static int set_policy(CallDevice *d, const Shim *shim) {
        ShimFacts facts;

        if (shim_facts(shim, &facts) == -ENODEV)
                return 0;
        int r = shim_apply_policy(shim, d->address, d->policy);
        if (r == -EBUSY)
                return refuse(&d->why, REASON_ALREADY_PRESERVED, "", NULL);
        if (r < 0)
                return refuse(&d->why, REASON_SHIM_FAILED, "", "DMA policy %s: %s", shim_policy_to_string(d->policy),
                              strerror(-r));
        return d->is_vf ? check_pf(d, shim) : 0;
}

/* The module's errors (kernel-shim/README.md). */
static void explain_preserve(CallDevice *d, int r) {
        static const struct {
                int error;
                Reason reason;
        } map[] = {
                { EPERM, REASON_DMA_REFUSED },      { EBADFD, REASON_VFIO_NOT_BOUND },
                { EHOSTDOWN, REASON_NOT_D0 },       { ENODEV, REASON_DEVICE_VANISHED },
                { ENOSPC, REASON_SHIM_FULL },       { EOPNOTSUPP, REASON_NO_VF_SUPPORT },
                { ENOENT, REASON_NO_VFIO_SUPPORT },
        };

        for (size_t i = 0; i < ELEMENTSOF(map); i++)
                if (r == -map[i].error)
                        refuse(&d->why, map[i].reason, "", NULL);
}

int device_preserve(const Ports *p, int session_fd, int fd, uint64_t token, CallDevice *d) {
        int r = set_policy(d, &p->shim);

        if (r < 0)
                return r;
        r = luo_preserve_fd(&p->luo, session_fd, fd, token);
        if (r < 0)
                explain_preserve(d, r);
        return r;
}

int call_preserve_device(void *work) {
        Call *c = work;

        return device_preserve(c->manager->ports, c->session_fd, c->fd, c->token, &c->device);
}

void device_preserved(Call *c) {
        if (!c->device.any)
                return;
        session_set_device(c->session, c->token, c->device.address);
        (void)handover_read(c->manager, NULL, NULL);
}

bool device_why(const Call *c, int r, Refusal *ret) {
        char subject[128], text[ADDRESS_TEXT_SIZE];

        if (!c->device.any || r >= 0 || c->device.why.reason == REASON_NONE)
                return false;
        address_format(c->device.address, text);
        (void)snprintf(subject, sizeof(subject), "%s token %lu, %s", c->session->name, (unsigned long)c->token, text);
        refuse(ret, c->device.why.reason, subject, "%s", c->device.why.detail);
        return true;
}

/* ---- retrieve ---- */

void device_check_retrieve(const Session *s, uint64_t token, CallDevice *ret) {
        const SessionFile *f = session_find_file(s, token);

        if (f && f->has_address)
                *ret = (CallDevice){ .any = true, .address = f->address };
}

/* Whether RETRIEVE_FD would work. Whatever is wrong for good is for the kernel to say. */
static int check_ready(const Shim *shim, CallDevice *c) {
        ShimList incoming = {};

        if (shim_list(shim, SHIM_INCOMING, &incoming) < 0)
                return 0;
        const ShimDevice *d = shim_list_find(&incoming, c->address);
        int r = 0;
        if (d) {
                c->came_in = d->state == SHIM_WAITING;
                c->handed = d->dma;
        }
        if (d && d->state == SHIM_MISSING)
                r = refuse(&c->why, REASON_DEVICE_NOT_READY, "", "%s, and it is not there",
                           shim_kind_to_string(d->kind));
        else if (d && d->state == SHIM_WAITING && !*d->driver)
                r = refuse(&c->why, REASON_DEVICE_NOT_READY, "", "no driver has it");
        shim_list_done(&incoming);
        return r;
}

int device_retrieve(const Ports *p, int session_fd, uint64_t token, CallDevice *d, int *ret_fd) {
        uint8_t space[PCI_STD_HEADER_SIZEOF];

        int r = check_ready(&p->shim, d);
        if (r < 0)
                return r;
        r = luo_retrieve_fd(&p->luo, session_fd, token, ret_fd);
        /* Only the first time: then the client can have changed nothing yet. */
        if (r < 0 || !d->came_in || !p->pci)
                return r;
        int n = p->pci->read_config(p->pci_self, d->address, space, sizeof(space));
        d->bus_master_known = n >= PCI_COMMAND + 2;
        d->bus_master = d->bus_master_known && (space[PCI_COMMAND] & PCI_COMMAND_MASTER);
        return r;
}

int call_retrieve_device(void *work) {
        Call *c = work;

        return device_retrieve(c->manager->ports, c->session_fd, c->token, &c->device, &c->fd);
}

/* Bus Master before the jump, as FREEZE saw it; true if that is not known. */
static bool was_on(const Manager *m, Address address) {
        uint8_t space[SNAPSHOT_SIZE_MAX];
        size_t n;

        for (size_t i = 0; i < m->arrived.n; i++) {
                const ManifestDevice *d = &m->arrived.items[i];
                if (address_compare(d->address, address) == 0 && !str_empty(d->snapshot) &&
                    snapshot_decode(d->snapshot, space, &n) >= 0 && n > PCI_COMMAND)
                        return space[PCI_COMMAND] & PCI_COMMAND_MASTER;
        }
        return true;
}

void device_retrieved(Manager *m, const CallDevice *d) {
        Job *j = m->incoming.job;
        char text[ADDRESS_TEXT_SIZE];

        if (!d->any)
                return;
        (void)handover_read(m, NULL, NULL);
        if (!d->bus_master_known)
                return;
        /* Behind an IOMMU the module ends at RETRIEVE_FD what went on until then. */
        bool wanted = d->handed == SHIM_DMA_RUNS && was_on(m, d->address);
        address_format(d->address, text);
        if (d->bus_master == wanted && d->handed == SHIM_DMA_IDENTITY) {
                log_info("%s is retrieved; Bus Master is off until its client has attached it.", text);
                return;
        }
        if (d->bus_master == wanted) {
                log_info("%s is retrieved; Bus Master is %s, as it was handed over.", text, wanted ? "on" : "off");
                return;
        }
        if (j)
                j->bus_master_wrong++;
        manager_notice(m, "Bus Master of %s was %s when it was retrieved, and should be %s.", text,
                       d->bus_master ? "on" : "off", wanted ? "on" : "off");
}
