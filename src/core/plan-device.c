/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stands against one device: a list of checks, each of which knows one thing and
 * reports it whatever the others say. Devices come root-first, so what is above one has
 * been looked at.
 *
 * Bridges go along in the kernel; an endpoint (a requested function, or the PF of a VF)
 * goes along as a VFIO descriptor, and needs what that needs.
 */
#include "plan-internal.h"

typedef struct Check {
        PlanWork *w;
        PlanDevice *d;
        const Function *f;
        PlanSubject *subject;
        bool requested;
} Check;

static const Function *function_at(const Check *c, uint32_t index) {
        return index == TOPOLOGY_NONE ? NULL : &c->w->in->topology->items[index];
}

#define FIND(c, reason, verdict, ...) plan_find((c)->w, (c)->d->subject, reason, verdict, __VA_ARGS__)

/* Variant drivers are named after it: mlx5_vfio_pci, xe-vfio-pci. */
static bool vfio_driver(const char *driver) {
        size_t n = driver ? strlen(driver) : 0;

        return n >= 8 && (streq(driver + n - 8, "vfio-pci") || streq(driver + n - 8, "vfio_pci"));
}

static int check_request(const Check *c) {
        if (c->requested && is_bridge(c->f))
                return FIND(c, REASON_DEVICE_IS_BRIDGE, VERDICT_CANNOT, "%s", port_to_string(c->f->port) ?: "bridge");
        return 0;
}

static int check_rule(const Check *c) {
        if (!c->d->policy.deny)
                return 0;
        return FIND(c, REASON_RULE_DENIES, VERDICT_CANNOT, "%s", c->d->policy.action_origin);
}

static int check_generation(const Check *c) {
        uint64_t then = c->w->in->facts->generation;

        if (then == 0 || c->f->generation <= then)
                return 0;
        return FIND(c, REASON_DEVICE_HOTPLUGGED, VERDICT_CANNOT, NULL);
}

static const PlanExpected *expected_at(const PlanInput *in, Address a) {
        size_t low = 0, high = in->n_expected;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int r = address_compare(in->expected[middle].address, a);

                if (r == 0)
                        return &in->expected[middle];
                if (r < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return NULL;
}

static int check_identity(const Check *c) {
        const PlanExpected *e = expected_at(c->w->in, c->f->address);

        if (!e)
                return 0;
        if (e->vendor != c->f->vendor || e->device != c->f->device)
                return FIND(c, REASON_DEVICE_REPLACED, VERDICT_CANNOT, "%04x:%04x where %04x:%04x was", c->f->vendor,
                            c->f->device, e->vendor, e->device);
        if (e->class_code != c->f->class_code)
                return FIND(c, REASON_DEVICE_REPLACED, VERDICT_CANNOT, "class %06x where %06x was", c->f->class_code,
                            e->class_code);
        if (e->serial != c->f->serial)
                return FIND(c, REASON_DEVICE_REPLACED, VERDICT_CANNOT, "serial number %016llx where %016llx was",
                            (unsigned long long)c->f->serial, (unsigned long long)e->serial);
        return 0;
}

static int check_power(const Check *c) {
        if (c->f->power == POWER_UNKNOWN || c->f->power == POWER_D0)
                return 0;
        return FIND(c, REASON_NOT_D0, VERDICT_CANNOT, "%s", power_state_to_string(c->f->power));
}

static bool conventional(const Function *f) {
        return f->port == PORT_CONVENTIONAL || f->port == PORT_PCIE_TO_PCI || f->port == PORT_PCI_TO_PCIE;
}

static int check_conventional(const Check *c) {
        const Function *above = function_at(c, c->f->parent);
        const PlanDevice *p = plan_device(c->w, c->f->parent);
        char text[ADDRESS_TEXT_SIZE];

        c->d->conventional = TOPOLOGY_NONE;
        if (!above)
                return 0;
        c->d->conventional = conventional(above) ? c->f->parent : p ? p->conventional : TOPOLOGY_NONE;
        if (c->d->conventional == TOPOLOGY_NONE)
                return 0;
        above = function_at(c, c->d->conventional);
        address_format(above->address, text);
        return FIND(c, REASON_BEHIND_PCI_BRIDGE, VERDICT_CANNOT, "%s is %s", text, port_to_string(above->port));
}

/* What the kernel adds to ACS where an IOMMU asked for it: Source Validation, P2P Request
 * and Completion Redirect, Upstream Forwarding (pci_std_enable_acs(), drivers/pci/pci.c).
 * The rest it leaves as it is. */
#define ACS_KERNEL 0x1du

static int check_acs(const Check *c) {
        const PlanFacts *facts = c->w->in->facts;

        if (!c->f->has_acs)
                return 0;
        if (facts->acs_differs)
                return FIND(c, REASON_ACS_CHANGES, VERDICT_CANNOT, "the command lines differ in what decides on it");
        unsigned missing = ACS_KERNEL & c->f->acs_capability & ~(unsigned)c->f->acs_control;
        if (facts->acs_configured || c->f->group < 0 || missing == 0)
                return 0;
        return FIND(c, REASON_ACS_CHANGES, VERDICT_LIMITED,
                    "its control register has 0x%04x, and 0x%02x would be added", c->f->acs_control, missing);
}

/* The kernel sets ARI Forwarding of a port after what function 0 below it can
 * (pci_configure_ari(), drivers/pci/pci.c). */
static int check_ari(const Check *c) {
        const PlanFacts *facts = c->w->in->facts;
        const Topology *t = c->w->in->topology;
        const Function *f = c->f;

        if (f->header_type != 1 || !(f->ari_capable || f->ari_forwarding))
                return 0;
        const Function *first = function_at(c, topology_find(t, (Address){ f->address.domain, f->secondary, 0, 0 }));
        bool would = first && first->has_ari;
        if (facts->ari_differs && (would || f->ari_forwarding))
                return FIND(c, REASON_ARI_CHANGES, VERDICT_CANNOT, "pci=noari is on one command line only");
        if (facts->ari_differs || facts->no_ari || !first || would == f->ari_forwarding)
                return 0;
        return FIND(c, REASON_ARI_CHANGES, VERDICT_CANNOT, "forwarding would be switched %s", would ? "on" : "off");
}

/* ---- endpoints ---- */

static int check_vfio_support(const Check *c) {
        if (c->w->in->facts->can & PLAN_CAN_VFIO)
                return plan_find_handler(c->w, c->d->subject, &c->w->in->facts->next_vfio);
        return FIND(c, REASON_NO_VFIO_SUPPORT, VERDICT_CANNOT, NULL);
}

static int check_vf(const Check *c) {
        const Function *pf = function_at(c, c->f->pf);
        char text[ADDRESS_TEXT_SIZE];
        int r = 0;

        if (!c->f->is_vf)
                return 0;
        if (!(c->w->in->facts->can & PLAN_CAN_VF))
                r = FIND(c, REASON_NO_VF_SUPPORT, VERDICT_CANNOT, NULL);
        if (r >= 0 && c->w->in->facts->next_no_vf)
                r = FIND(c, REASON_NEXT_NO_VF, VERDICT_CANNOT, NULL);
        if (r < 0)
                return r;
        address_format(pf ? pf->address : c->f->physfn, text);
        if (!pf)
                return FIND(c, REASON_PF_MISSING, VERDICT_CANNOT, "%s", text);
        if (!vfio_driver(pf->driver))
                return FIND(c, REASON_PF_NOT_VFIO, VERDICT_CANNOT, "%s is bound to %s", text,
                            pf->driver ?: "no driver");
        return 0;
}

static int check_driver(const Check *c) {
        Reason reason = c->requested ? REASON_NOT_VFIO_DRIVER : REASON_PF_NOT_VFIO;

        if (!vfio_driver(c->f->driver))
                return FIND(c, reason, VERDICT_CANNOT, "it is bound to %s", c->f->driver ?: "no driver");
        if (!c->f->vfio_cdev)
                return FIND(c, REASON_NO_VFIO_CDEV, VERDICT_CANNOT, "bound to %s", c->f->driver);
        return 0;
}

static int check_native(const Check *c) {
        if (c->f->native == NATIVE_BUILTIN)
                return FIND(c, REASON_NATIVE_BUILTIN, VERDICT_CANNOT, "%s", c->f->native_driver ?: "");
        if (c->f->native == NATIVE_UNKNOWN)
                return FIND(c, REASON_NATIVE_UNKNOWN, VERDICT_LIMITED, NULL);
        return 0;
}

static int check_vfs(const Check *c) {
        if (!c->requested || c->f->is_vf || c->f->num_vfs == 0 || c->w->in->facts->can & PLAN_CAN_VF)
                return 0;
        return FIND(c, REASON_VFS_LOST, VERDICT_LIMITED, "%u of them", c->f->num_vfs);
}

typedef enum Translation { TRANSLATION_NONE, TRANSLATION_IDENTITY, TRANSLATION_ON } Translation;

/* No group, no IOMMU; VFIO's no-IOMMU mode makes a group all the same. Only a group of type
 * identity passes addresses through. */
static Translation translation(const Function *f) {
        if (f->group < 0 || (f->vfio_cdev && strncmp(f->vfio_cdev, "noiommu-", strlen("noiommu-")) == 0))
                return TRANSLATION_NONE;
        return f->group_type && streq(f->group_type, "identity") ? TRANSLATION_IDENTITY : TRANSLATION_ON;
}

Dma plan_dma(const Function *f, Dma wanted, unsigned can) {
        Translation t = translation(f);

        if (!(can & PLAN_CAN_DMA) || (wanted != DMA_KEEP && wanted != DMA_KEEP_IDENTITY))
                return DMA_STOP;
        if (t == TRANSLATION_NONE)
                return DMA_KEEP;
        return t == TRANSLATION_IDENTITY && wanted == DMA_KEEP_IDENTITY ? DMA_KEEP_IDENTITY : DMA_STOP;
}

static int check_dma(const Check *c) {
        Dma wanted = c->d->policy.dma;
        Translation t = translation(c->f);
        int r = 0;

        c->subject->dma = plan_dma(c->f, wanted, c->w->in->facts->can);
        if (wanted == DMA_STOP)
                return 0;
        if (t == TRANSLATION_ON)
                r = FIND(c, REASON_DMA_TRANSLATED, VERDICT_LIMITED, "IOMMU group %d, type %s", c->f->group,
                         c->f->group_type ?: "unknown");
        else if (wanted == DMA_AUTO)
                r = FIND(c, REASON_DMA_STOPS, VERDICT_LIMITED, NULL);
        else if (t == TRANSLATION_IDENTITY && wanted == DMA_KEEP)
                r = FIND(c, REASON_DMA_IDENTITY, VERDICT_LIMITED, "IOMMU group %d, type identity", c->f->group);
        else if (c->subject->dma == DMA_KEEP_IDENTITY)
                r = FIND(c, REASON_DMA_UNISOLATED, VERDICT_LIMITED, "IOMMU group %d, type identity", c->f->group);
        if (r >= 0 && wanted != DMA_AUTO && !(c->w->in->facts->can & PLAN_CAN_DMA))
                r = FIND(c, REASON_DMA_NO_SUPPORT, VERDICT_LIMITED, NULL);
        return r;
}

/* ---- all of them ---- */

static int (*const any_checks[])(const Check *c) = {
        check_request, check_rule,         check_generation, check_identity,
        check_power,   check_conventional, check_acs,        check_ari,
};

static int (*const endpoint_checks[])(const Check *c) = {
        check_vfio_support, check_vf, check_driver, check_native, check_vfs, check_dma,
};

int plan_check_device(PlanWork *w, PlanDevice *d) {
        Check c = {
                .w = w,
                .d = d,
                .subject = &w->subjects[d->subject],
        };

        c.f = &w->in->topology->items[c.subject->function];
        c.requested = c.subject->kind == PLAN_REQUESTED;
        d->policy = rules_apply(w->in->rules, c.f);
        c.subject->dma = DMA_STOP;
        c.subject->preservation = d->policy.preservation;
        d->conventional = TOPOLOGY_NONE;
        if (c.f->removed)
                return plan_find(w, d->subject, REASON_DEVICE_VANISHED, VERDICT_CANNOT, NULL);
        for (size_t i = 0; i < ELEMENTSOF(any_checks); i++) {
                int r = any_checks[i](&c);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < ELEMENTSOF(endpoint_checks) && !is_bridge(c.f); i++) {
                int r = endpoint_checks[i](&c);
                if (r < 0)
                        return r;
        }
        return 0;
}
