/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>

#include "manager-internal.h"
#include "planner.h"

unsigned planner_can(const Manager *m) {
        static const struct {
                ShimFeature feature;
                PlanCan can;
        } map[] = { { SHIM_VFIO, PLAN_CAN_VFIO }, { SHIM_VF, PLAN_CAN_VF }, { SHIM_DMA_CONTINUE, PLAN_CAN_DMA } };
        unsigned can = PLAN_CAN_MEMFD;
        ShimFacts shim;

        if (luo_available(&m->ports->luo) < 0)
                return 0;
        if (shim_facts(&m->ports->shim, &shim) < 0)
                return can;
        for (size_t i = 0; i < ELEMENTSOF(map); i++)
                if (shim.features & map[i].feature)
                        can |= map[i].can;
        return can;
}

/* logind does not ask again for locks when the time has come. */
static void find_scheduled(const Manager *m, Refusal *ret) {
        const Ports *p = m->ports;
        char mode[SCHEDULED_MODE_SIZE];
        uint64_t at, now;

        if (!p->shutdown || p->shutdown->scheduled(p->shutdown_self, mode, &at) <= 0)
                return;
        now = p->clock->realtime_usec(p->clock_self);
        refuse(ret, REASON_SHUTDOWN_SCHEDULED, "host", "%s in %llu s", mode,
               (unsigned long long)(at > now ? (at - now) / USEC_PER_SEC : 0));
}

static void gather_facts(const Manager *m, JumpChoice jump, PlanFacts *facts) {
        bool systemd = manager_jump_way(m, jump) == JUMP_SYSTEMD;
        const Ports *p = m->ports;
        int r = luo_available(&p->luo);

        *facts = (PlanFacts){
                .luo = r < 0           ? PLAN_LUO_ABSENT
                       : m->luo_broken ? PLAN_LUO_BROKEN
                                       : PLAN_LUO_READY,
                .can = planner_can(m),
                .next_shim = m->next.shim,
                .next_vfio = m->next.vfio,
                .next_files = m->next.files,
                .jump_systemd = systemd,
                .no_systemd = systemd && !p->shutdown,
                .next_no_vf = m->next.loaded && m->next.no_vf,
        };
        (void)manager_check_image(m, &facts->next_kernel);
        find_scheduled(m, &facts->scheduled);
        plan_facts_cmdlines(facts, p->host->cmdline, m->next.cmdline);
}

static size_t count_files(const Manager *m) {
        size_t n = 0;

        for (size_t i = 0; i < m->sessions.n; i++)
                n += session_is_incoming(m->sessions.items[i]) ? 0 : m->sessions.items[i]->n_files;
        return n;
}

static void gather_files(const Manager *m, PlanFile *files) {
        for (size_t i = 0; i < m->sessions.n; i++) {
                const Session *s = m->sessions.items[i];
                for (size_t k = 0; k < s->n_files && !session_is_incoming(s); k++)
                        *files++ = (PlanFile){
                                .session = s->name,
                                .token = s->files[k]->token,
                                .kind = s->files[k]->kind,
                                .preserved = true,
                        };
        }
}

static int compare_expected(const void *a, const void *b) {
        return address_compare(((const PlanExpected *)a)->address, ((const PlanExpected *)b)->address);
}

/* What the last live update says of its devices: another one at the address is told. */
static PlanExpected *gather_expected(const Manager *m) {
        PlanExpected *expected = calloc(MAX_OF(m->arrived.n, (size_t)1), sizeof(*expected));

        for (size_t i = 0; expected && i < m->arrived.n; i++) {
                const ManifestDevice *d = &m->arrived.items[i];
                expected[i] = (PlanExpected){
                        .address = d->address,
                        .class_code = d->class_code,
                        .vendor = d->vendor,
                        .device = d->device,
                        .serial = d->serial,
                };
        }
        if (expected)
                qsort(expected, m->arrived.n, sizeof(*expected), compare_expected);
        return expected;
}

int planner_make(const Manager *m, const Address *devices, size_t n, PlannerHints hints, Plan *ret) {
        static const Topology nothing;
        const Topology *t = m->devices ? devices_topology(m->devices) : NULL;
        size_t n_files = count_files(m);
        _cleanup_free_ PlanFile *files = calloc(MAX_OF(n_files, (size_t)1), sizeof(*files));
        _cleanup_free_ PlanExpected *expected = gather_expected(m);
        PlanFacts facts;

        if (!files || !expected)
                return -ENOMEM;
        gather_facts(m, hints.jump, &facts);
        facts.generation = hints.since;
        if (hints.luo_busy && facts.luo == PLAN_LUO_READY)
                facts.luo = PLAN_LUO_BUSY;
        gather_files(m, files);
        return plan_make(
                &(PlanInput){
                        .topology = t ?: &nothing,
                        .requested = devices,
                        .n_requested = n,
                        .rules = m->ports->rules,
                        .facts = &facts,
                        .files = files,
                        .n_files = n_files,
                        .expected = expected,
                        .n_expected = m->arrived.n,
                },
                ret);
}

static bool is_excepted(const UpdateRequest *request, const Session *s, const SessionFile *f) {
        char text[SESSION_NAME_MAX + 22];

        (void)snprintf(text, sizeof(text), "%s/%" PRIu64, s->name, f->token);
        for (size_t i = 0; request && i < request->n_exceptions; i++)
                if (streq(request->exceptions[i], text) || streq(request->exceptions[i], s->name))
                        return true;
        return false;
}

/* Functions whose descriptors are in sessions that go out, unless they may be lost: into
 * all, if there is one. */
static size_t session_devices(const Manager *m, const UpdateRequest *request, Address *all) {
        size_t n = 0;

        for (size_t i = 0; m->devices && i < m->sessions.n; i++) {
                const Session *s = m->sessions.items[i];
                for (size_t k = 0; k < s->n_files && !session_is_incoming(s); k++) {
                        const SessionFile *f = s->files[k];
                        if (!f->has_address || is_excepted(request, s, f))
                                continue;
                        if (all)
                                all[n] = f->address;
                        n++;
                }
        }
        return n;
}

int planner_devices(const Manager *m, const UpdateRequest *request, Address **ret, size_t *ret_n) {
        size_t n = request ? request->n_devices : 0;
        Address *all = calloc(MAX_OF(n + m->holds.n + session_devices(m, request, NULL), (size_t)1), sizeof(*all));

        if (!all)
                return -ENOMEM;
        if (n > 0)
                memcpy(all, request->devices, n * sizeof(*all));
        for (size_t i = 0; i < m->holds.n; i++)
                if (m->holds.items[i].state == HOLD_HELD)
                        all[n++] = m->holds.items[i].address;
        n += session_devices(m, request, all + n);
        *ret = all;
        *ret_n = n;
        return 0;
}

int planner_check(const Manager *m, const UpdateRequest *request, Refusal *refusal) {
        _cleanup_free_ Address *devices = NULL;
        Plan plan = {};
        size_t n = 0;

        int r = planner_devices(m, request, &devices, &n);
        if (r >= 0)
                r = planner_make(
                        m, devices, n,
                        (PlannerHints){ .since = m->planned, .jump = request ? request->jump : (JumpChoice){} },
                        &plan);
        if (r < 0)
                return refuse_errno(refusal, r, "plan", "making it");
        r = plan_allows(&plan, request ? (const char *const *)request->exceptions : NULL,
                        request ? request->n_exceptions : 0, refusal);
        plan_done(&plan);
        return r;
}

int planner_parse(char *const *words, Address **ret, size_t *ret_n, Refusal *refusal) {
        size_t n = 0;

        while (words && words[n])
                n++;
        _cleanup_free_ Address *addresses = calloc(MAX_OF(n, (size_t)1), sizeof(*addresses));
        if (!addresses)
                return refuse_errno(refusal, -ENOMEM, "devices", "reading the list");
        for (size_t i = 0; i < n; i++)
                if (address_parse(words[i], &addresses[i]) < 0)
                        return refuse(refusal, REASON_INVALID_ARGUMENT, "devices", "'%.32s' is no PCI address",
                                      words[i]);
        *ret = TAKE_PTR(addresses);
        *ret_n = n;
        return 0;
}
