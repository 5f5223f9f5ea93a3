/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plan: one small machine per reason, built so that everything goes, and then one
 * thing spoilt. What comes out is compared as a whole, so a finding too many fails too.
 */
#include "support/topology-builder.h"

#include "core/plan.h"

#define _cleanup_topology_ _cleanup_(topology_done)
#define _cleanup_plan_ _cleanup_(plan_done)
#define _cleanup_rules_ _cleanup_(rules_done)

/* DMA is stopped on demand, so that machines begin without any finding. */
#define QUIET "[Rule]\nDma=stop\n"

static const PlanFacts all_good = {
        .can = PLAN_CAN_MEMFD | PLAN_CAN_VFIO | PLAN_CAN_VF | PLAN_CAN_DMA,
};

typedef struct Request {
        const char *const *addresses; /* NULL at the end */
        const char *rules;
        PlanFacts facts;
        const PlanFile *files;
        size_t n_files;
        const PlanExpected *expected;
        size_t n_expected;
} Request;

static void plan(const Topology *t, const Request *request, Plan *ret) {
        _cleanup_rules_ Rules rules = {};
        const char *text = request->rules ?: QUIET;
        Address requested[32];
        size_t n = 0;

        for (; request->addresses && request->addresses[n]; n++)
                requested[n] = addr(request->addresses[n]);
        assert_int_equal(rules_parse(&rules, "r", text, strlen(text), NULL, NULL), 0);
        PlanInput in = {
                .topology = t,
                .requested = requested,
                .n_requested = n,
                .rules = &rules,
                .facts = &request->facts,
                .files = request->files,
                .n_files = request->n_files,
                .expected = request->expected,
                .n_expected = request->n_expected,
        };
        assert_int_equal(plan_make(&in, ret), 0);
}

/* Each subject but those that simply go as "SUBJECT VERDICT CODE (DETAIL)…", a line each. */
static char *plan_text(const Plan *p) {
        char *text;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        assert_non_null(f);
        for (size_t i = 0; i < p->n_subjects; i++) {
                const PlanSubject *s = &p->subjects[i];
                char name[PLAN_SUBJECT_TEXT_SIZE];

                Verdict worst = VERDICT_GOES;
                for (size_t j = s->first_item; j < s->first_item + s->n_items; j++) {
                        assert_int_equal(p->items[j].subject, i);
                        worst = MAX_OF(worst, p->items[j].verdict);
                }
                assert_int_equal(s->verdict, worst);
                if (s->verdict == VERDICT_GOES)
                        continue;
                plan_subject_text(s, name);
                fprintf(f, "%s %s", strncmp(name, "0000:", 5) == 0 ? name + 5 : name, verdict_to_string(s->verdict));
                for (size_t j = s->first_item; j < s->first_item + s->n_items; j++)
                        fprintf(f, p->items[j].detail ? " %s (%s)" : " %s", reason_code(p->items[j].reason),
                                p->items[j].detail);
                fprintf(f, "\n");
        }
        assert_int_equal(fclose(f), 0);
        return text;
}

static void assert_plan(const Topology *t, const Request *request, const char *want) {
        _cleanup_plan_ Plan p = {};

        plan(t, request, &p);
        _cleanup_free_ char *text = plan_text(&p);
        assert_string_equal(text, want);
        assert_int_equal(plan_verdict(&p) == VERDICT_GOES, *want == '\0');
}

#define ADDRESSES(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* A switch with a card of two functions and one with VFs, one group for each. */
static void machine(Topology *t) {
        root_port(t, "00:01.0", 1, 6);
        bridge(t, "01:00.0", PORT_UPSTREAM, 2, 6);
        bridge(t, "02:00.0", PORT_DOWNSTREAM, 3, 3);
        bridge(t, "02:01.0", PORT_DOWNSTREAM, 4, 5);
        endpoint(t, "03:00.0");
        endpoint(t, "03:00.1");
        pf(t, "04:00.0", 3, 256, 1);
        endpoint(t, "00:02.0");
        built(t);
}

static void all_goes(void **state) {
        _cleanup_topology_ Topology t = {};
        _cleanup_plan_ Plan p = {};

        machine(&t);
        plan(&t, &(Request){ .addresses = ADDRESSES("05:00.1", "03:00.0", "03:00.0"), .facts = all_good }, &p);
        static const struct {
                const char *name;
                PlanKind kind;
        } want[] = {
                { "host", PLAN_HOST },
                { "next kernel", PLAN_KERNEL },
                { "0000:00:01.0", PLAN_DEPENDED },
                { "0000:01:00.0", PLAN_DEPENDED },
                { "0000:02:00.0", PLAN_DEPENDED },
                { "0000:02:01.0", PLAN_DEPENDED },
                { "0000:03:00.0", PLAN_REQUESTED },
                { "0000:04:00.0", PLAN_DEPENDED },
                { "0000:05:00.1", PLAN_REQUESTED },
        };
        assert_int_equal(p.n_subjects, ELEMENTSOF(want));
        for (size_t i = 0; i < p.n_subjects; i++) {
                char name[PLAN_SUBJECT_TEXT_SIZE];

                plan_subject_text(&p.subjects[i], name);
                assert_string_equal(name, want[i].name);
                assert_int_equal(p.subjects[i].kind, want[i].kind);
                assert_int_equal(p.subjects[i].verdict, VERDICT_GOES);
        }
        assert_int_equal(p.n_items, 0);
        assert_int_equal(plan_verdict(&p), VERDICT_GOES);
        assert_int_equal(plan_allows(&p, NULL, 0, NULL), 0);
}

/* ---- host and next kernel ---- */

static void the_host(void **state) {
        static const struct {
                PlanLuo luo;
                const char *want;
        } cases[] = {
                { PLAN_LUO_ABSENT, "host cannot luo-absent\n" },
                { PLAN_LUO_BUSY, "host cannot luo-busy\n" },
                { PLAN_LUO_BROKEN, "host cannot luo-broken\n" },
        };
        _cleanup_topology_ Topology t = {};

        built(&t);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Request r = { .facts = all_good };

                r.facts.luo = cases[i].luo;
                assert_plan(&t, &r, cases[i].want);
        }
        assert_plan(&t, &(Request){ .facts = all_good, .rules = "[Rule]\nDmo=stop\n[Rule]\nDma=x\n" },
                    "host limited rules-invalid (2 of them)\n");
}

static void the_next_kernel(void **state) {
        _cleanup_topology_ Topology t = {};
        Request r = { .facts = all_good };

        built(&t);
        refuse(&r.facts.next_kernel, REASON_IMAGE_LUO_ABI, "vmlinuz-8", "luo-v6, not luo-v5");
        assert_plan(&t, &r, "next kernel cannot image-luo-abi (luo-v6, not luo-v5)\n");
        refuse(&r.facts.next_kernel, REASON_NO_IMAGE, NULL, NULL);
        assert_plan(&t, &r, "next kernel cannot no-image\n");
}

/* ---- one device ---- */

typedef struct Case {
        const char *want;
        void (*spoil)(Topology *t, Request *r);
        const char *request; /* 03:00.0 if it is NULL */
} Case;

static void no_vfio_driver(Topology *t, Request *r) {
        set_text(&fn(t, "03:00.0")->driver, "e1000e");
}

static void no_driver(Topology *t, Request *r) {
        set_text(&fn(t, "03:00.0")->driver, NULL);
}

static void other_vfio_driver(Topology *t, Request *r) {
        set_text(&fn(t, "03:00.0")->driver, "mlx5_vfio_pci");
}

static void not_quite_vfio(Topology *t, Request *r) {
        set_text(&fn(t, "03:00.0")->driver, "vfio-pci-not");
}

static void no_cdev(Topology *t, Request *r) {
        set_text(&fn(t, "03:00.0")->vfio_cdev, NULL);
}

static void native_builtin(Topology *t, Request *r) {
        fn(t, "03:00.0")->native = NATIVE_BUILTIN;
}

static void native_unknown(Topology *t, Request *r) {
        fn(t, "03:00.0")->native = NATIVE_UNKNOWN;
}

static void native_none(Topology *t, Request *r) {
        fn(t, "03:00.0")->native = NATIVE_NONE;
}

static void asleep(Topology *t, Request *r) {
        fn(t, "03:00.0")->power = POWER_D3HOT;
}

static void power_unknown(Topology *t, Request *r) {
        fn(t, "03:00.0")->power = POWER_UNKNOWN;
}

static void port_asleep(Topology *t, Request *r) {
        fn(t, "00:01.0")->power = POWER_D3COLD;
}

static void vanished(Topology *t, Request *r) {
        fn(t, "03:00.0")->removed = true;
        fn(t, "03:00.0")->power = POWER_D3COLD;
}

static void hotplugged(Topology *t, Request *r) {
        r->facts.generation = 4;
        fn(t, "03:00.0")->generation = 5;
        fn(t, "03:00.1")->generation = 5;
        fn(t, "02:00.0")->generation = 4;
}

static void denied(Topology *t, Request *r) {
        r->rules = QUIET "[Rule]\nId=8086:*\nAction=deny\n";
}

static void port_denied(Topology *t, Request *r) {
        r->rules = QUIET "[Rule]\nAddress=02:00.0\nAction=deny\n";
}

static void no_support(Topology *t, Request *r) {
        r->facts.can = 0;
        set_text(&fn(t, "03:00.0")->driver, NULL);
        fn(t, "03:00.0")->native = NATIVE_BUILTIN;
}

static void acs_added(Topology *t, Request *r) {
        Function *f = fn(t, "02:00.0");

        in_group(t, "02:00.0", 9, "DMA");
        f->has_acs = true;
        f->acs_capability = 0x5f;
        f->acs_control = 0x11;
        built(t);
}

static void acs_as_it_would_be(Topology *t, Request *r) {
        acs_added(t, r);
        fn(t, "02:00.0")->acs_control = 0x1d;
}

static void acs_set_by_hand_on_both(Topology *t, Request *r) {
        acs_added(t, r);
        plan_facts_cmdlines(&r->facts, "pci=config_acs=000000@02:00.0 quiet", "quiet pci=config_acs=000000@02:00.0");
}

static void acs_differs(Topology *t, Request *r) {
        acs_as_it_would_be(t, r);
        plan_facts_cmdlines(&r->facts, "pci=noaer quiet", "pci=noaer,disable_acs_redir=02:00.0 quiet");
}

static void iommu_differs(Topology *t, Request *r) {
        acs_as_it_would_be(t, r);
        plan_facts_cmdlines(&r->facts, "intel_iommu=on", "intel_iommu=off");
}

static void ari_lost(Topology *t, Request *r) {
        fn(t, "02:00.0")->ari_forwarding = true;
}

static void ari_gained(Topology *t, Request *r) {
        fn(t, "02:00.0")->ari_capable = true;
        fn(t, "03:00.0")->has_ari = true;
}

static void ari_as_it_is(Topology *t, Request *r) {
        fn(t, "02:00.0")->ari_capable = fn(t, "02:00.0")->ari_forwarding = true;
        fn(t, "03:00.0")->has_ari = true;
}

static void ari_left_alone(Topology *t, Request *r) {
        ari_lost(t, r);
        plan_facts_cmdlines(&r->facts, "pci=noari", "pci=nomsi,noari");
}

static void ari_differs(Topology *t, Request *r) {
        ari_as_it_is(t, r);
        plan_facts_cmdlines(&r->facts, "quiet", "pci=noari");
}

static void ari_for_init(Topology *t, Request *r) {
        ari_as_it_is(t, r);
        plan_facts_cmdlines(&r->facts, "quiet", "quiet -- pci=noari");
}

static void nothing(Topology *t, Request *r) {
}

static const Case device_cases[] = {
        { "", nothing, NULL },
        { "03:00.0 cannot not-vfio-driver (it is bound to e1000e)\n", no_vfio_driver, NULL },
        { "03:00.0 cannot not-vfio-driver (it is bound to no driver)\n", no_driver, NULL },
        { "", other_vfio_driver, NULL },
        { "03:00.0 cannot not-vfio-driver (it is bound to vfio-pci-not)\n", not_quite_vfio, NULL },
        { "03:00.0 cannot no-vfio-cdev (bound to vfio-pci)\n", no_cdev, NULL },
        { "03:00.0 cannot native-builtin (e1000e)\n", native_builtin, NULL },
        { "03:00.0 limited native-unknown\n", native_unknown, NULL },
        { "", native_none, NULL },
        { "03:00.0 cannot not-d0 (D3hot)\n", asleep, NULL },
        { "", power_unknown, NULL },
        { "00:01.0 cannot not-d0 (D3cold)\n"
          "01:00.0 cannot needed-device (0000:00:01.0: not-d0)\n"
          "02:00.0 cannot needed-device (0000:00:01.0: not-d0)\n"
          "03:00.0 cannot needed-device (0000:00:01.0: not-d0)\n",
          port_asleep, NULL },
        { "03:00.0 cannot device-vanished\n", vanished, NULL },
        { "03:00.0 cannot device-hotplugged\n", hotplugged, NULL },
        { "03:00.0 cannot rule-denies (r:4)\n", denied, NULL },
        { "02:00.0 cannot rule-denies (r:4)\n03:00.0 cannot needed-device (0000:02:00.0: rule-denies)\n", port_denied,
          NULL },
        /* All reasons are told, not the first alone. */
        { "03:00.0 cannot no-vfio-support not-vfio-driver (it is bound to no driver) native-builtin (e1000e)\n",
          no_support, NULL },
        { "02:00.0 cannot device-is-bridge (downstream)\n", nothing, "02:00.0" },
        { "07:00.0 cannot no-such-device\n", nothing, "07:00.0" },
        { "02:00.0 limited acs-changes (its control register has 0x0011, and 0x0c would be added)\n", acs_added,
          NULL },
        { "", acs_as_it_would_be, NULL },
        { "", acs_set_by_hand_on_both, NULL },
        { "02:00.0 cannot acs-changes (the command lines differ in what decides on it)\n"
          "03:00.0 cannot needed-device (0000:02:00.0: acs-changes)\n",
          acs_differs, NULL },
        { "02:00.0 cannot acs-changes (the command lines differ in what decides on it)\n"
          "03:00.0 cannot needed-device (0000:02:00.0: acs-changes)\n",
          iommu_differs, NULL },
        { "02:00.0 cannot ari-changes (forwarding would be switched off)\n"
          "03:00.0 cannot needed-device (0000:02:00.0: ari-changes)\n",
          ari_lost, NULL },
        { "02:00.0 cannot ari-changes (forwarding would be switched on)\n"
          "03:00.0 cannot needed-device (0000:02:00.0: ari-changes)\n",
          ari_gained, NULL },
        { "", ari_as_it_is, NULL },
        { "", ari_left_alone, NULL },
        { "02:00.0 cannot ari-changes (pci=noari is on one command line only)\n"
          "03:00.0 cannot needed-device (0000:02:00.0: ari-changes)\n",
          ari_differs, NULL },
        { "", ari_for_init, NULL },
};

static void check_cases(const Case *cases, size_t n) {
        for (size_t i = 0; i < n; i++) {
                _cleanup_topology_ Topology t = {};
                Request r = { .addresses = ADDRESSES(cases[i].request ?: "03:00.0"), .facts = all_good };

                machine(&t);
                cases[i].spoil(&t, &r);
                assert_plan(&t, &r, cases[i].want);
        }
}

/* What is wrong with it counts only where there is something for it to do. */
static void the_next_module(void **state) {
        static const PlanFile memory = { .session = "vm", .token = 1, .kind = "memfd" },
                              vfio = { .session = "vm", .token = 2, .kind = "vfio" };
        _cleanup_topology_ Topology t = {};
        Request r = { .facts = all_good, .files = &memory, .n_files = 1 };

        machine(&t);
        refuse(&r.facts.next_shim, REASON_NEXT_SHIM_ABI, "kernel", "running a, next b");
        assert_plan(&t, &r, "");
        r.files = &vfio;
        assert_plan(&t, &r, "next kernel cannot next-shim-abi (running a, next b)\n");
        r.n_files = 0;
        r.addresses = ADDRESSES("03:00.0");
        assert_plan(&t, &r, "next kernel cannot next-shim-abi (running a, next b)\n");
        r.facts.next_shim = (Refusal){};
        r.facts.next_no_vf = true;
        assert_plan(&t, &r, "");
        r.addresses = ADDRESSES("05:00.2");
        assert_plan(&t, &r, "05:00.2 cannot next-no-vf\n");
}

/* A handler that will not be there concerns what it handles, which can be excepted. */
static void the_next_handlers(void **state) {
        static const PlanFile files[] = {
                { .session = "vm", .token = 1, .kind = "memfd", .preserved = true },
                { .session = "vm", .token = 2, .kind = "vfio", .preserved = true },
                { .session = "vm", .token = 3, .kind = "other", .preserved = true },
        };
        _cleanup_topology_ Topology t = {};
        Request r = { .facts = all_good, .files = files, .n_files = ELEMENTSOF(files) };

        machine(&t);
        refuse(&r.facts.next_vfio, REASON_INITRD_HANDLER_MISSING, "", "a");
        assert_plan(&t, &r, "vm/2 cannot initrd-handler-missing (a)\n");
        refuse(&r.facts.next_files, REASON_INITRD_HANDLER_UNSURE, "", "b");
        assert_plan(&t, &r,
                    "vm/2 cannot initrd-handler-missing (a)\n"
                    "vm/3 limited initrd-handler-unsure (b)\n");
        r.n_files = 0;
        assert_plan(&t, &r, "");
        r.addresses = ADDRESSES("03:00.0");
        assert_plan(&t, &r, "03:00.0 cannot initrd-handler-missing (a)\n");
        refuse(&r.facts.next_vfio, REASON_INITRD_HANDLER_UNSURE, "", "c");
        assert_plan(&t, &r, "03:00.0 limited initrd-handler-unsure (c)\n");
}

static void one_device(void **state) {
        check_cases(device_cases, ELEMENTSOF(device_cases));
}

/* A bridge that is requested too does not stop what is below it. */
static void a_bridge_requested_too(void **state) {
        _cleanup_topology_ Topology t = {};

        machine(&t);
        assert_plan(&t, &(Request){ .addresses = ADDRESSES("03:00.0", "02:00.0"), .facts = all_good },
                    "02:00.0 cannot device-is-bridge (downstream)\n");
}

static void conventional_bridges(void **state) {
        static const Port ports[] = { PORT_PCIE_TO_PCI, PORT_CONVENTIONAL, PORT_PCI_TO_PCIE };

        for (size_t i = 0; i < ELEMENTSOF(ports); i++) {
                _cleanup_topology_ Topology t = {};
                char want[256];

                root_port(&t, "00:01.0", 1, 3);
                bridge(&t, "01:00.0", ports[i], 2, 3);
                bridge(&t, "02:01.0", PORT_CONVENTIONAL, 3, 3);
                endpoint(&t, "02:00.0");
                endpoint(&t, "03:00.0");
                built(&t);
                (void)snprintf(want, sizeof(want), "02:00.0 cannot behind-pci-bridge (0000:01:00.0 is %s)\n",
                               port_to_string(ports[i]));
                assert_plan(&t, &(Request){ .addresses = ADDRESSES("02:00.0"), .facts = all_good }, want);
                assert_plan(&t, &(Request){ .addresses = ADDRESSES("01:00.0"), .facts = all_good },
                            ports[i] == PORT_CONVENTIONAL  ? "01:00.0 cannot device-is-bridge (conventional)\n"
                            : ports[i] == PORT_PCIE_TO_PCI ? "01:00.0 cannot device-is-bridge (pcie-to-pci)\n"
                                                           : "01:00.0 cannot device-is-bridge (pci-to-pcie)\n");
        }
}

/* ---- identity ---- */

static void another_device(void **state) {
        static const struct {
                PlanExpected expected;
                const char *want;
        } cases[] = {
                { { { 0, 3, 0, 0 }, 0x020000, 0x8086, 0x10d3, 0x1234 }, "" },
                { { { 0, 3, 0, 1 }, 0x010000, 0x1111, 0x1111, 0 }, "" },
                { { { 0, 3, 0, 0 }, 0x020000, 0x8086, 0x1521, 0x1234 },
                  "03:00.0 cannot device-replaced (8086:10d3 where 8086:1521 was)\n" },
                { { { 0, 3, 0, 0 }, 0x020000, 0x15b3, 0x10d3, 0x1234 },
                  "03:00.0 cannot device-replaced (8086:10d3 where 15b3:10d3 was)\n" },
                { { { 0, 3, 0, 0 }, 0x010802, 0x8086, 0x10d3, 0x1234 },
                  "03:00.0 cannot device-replaced (class 020000 where 010802 was)\n" },
                { { { 0, 3, 0, 0 }, 0x020000, 0x8086, 0x10d3, 0x1235 },
                  "03:00.0 cannot device-replaced (serial number 0000000000001234 where 0000000000001235 was)\n" },
                { { { 0, 3, 0, 0 }, 0x020000, 0x8086, 0x10d3, 0 },
                  "03:00.0 cannot device-replaced (serial number 0000000000001234 where 0000000000000000 was)\n" },
                { { { 0, 2, 0, 0 }, 0x060400, 0x1b36, 0x0001, 0 },
                  "02:00.0 cannot device-replaced (1b36:000c where 1b36:0001 was)\n"
                  "03:00.0 cannot needed-device (0000:02:00.0: device-replaced)\n" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_topology_ Topology t = {};
                Request r = {
                        .addresses = ADDRESSES("03:00.0"),
                        .facts = all_good,
                        .expected = &cases[i].expected,
                        .n_expected = 1,
                };

                machine(&t);
                fn(&t, "03:00.0")->serial = 0x1234;
                assert_plan(&t, &r, cases[i].want);
        }
}

/* ---- virtual functions ---- */

static void no_vf_support(Topology *t, Request *r) {
        r->facts.can &= ~(unsigned)PLAN_CAN_VF;
}

static void pf_on_its_driver(Topology *t, Request *r) {
        set_text(&fn(t, "04:00.0")->driver, "igb");
}

static void pf_missing(Topology *t, Request *r) {
        topology_remove(t, at(t, "04:00.0"));
        built(t);
}

static void pf_asleep_on_its_driver(Topology *t, Request *r) {
        pf_on_its_driver(t, r);
        fn(t, "04:00.0")->power = POWER_D1;
}

static void pf_and_port(Topology *t, Request *r) {
        pf_on_its_driver(t, r);
        fn(t, "02:01.0")->power = POWER_D1;
}

static const Case vf_cases[] = {
        { "", nothing, "05:00.1" },
        { "05:00.1 cannot no-vf-support\n", no_vf_support, "05:00.1" },
        { "04:00.0 cannot pf-not-vfio (it is bound to igb)\n"
          "05:00.1 cannot pf-not-vfio (0000:04:00.0 is bound to igb)\n",
          pf_on_its_driver, "05:00.1" },
        { "04:00.0 cannot not-vfio-driver (it is bound to igb)\n", pf_on_its_driver, "04:00.0" },
        { "05:00.1 cannot pf-missing (0000:04:00.0)\n", pf_missing, "05:00.1" },
        { "04:00.0 cannot not-d0 (D1) pf-not-vfio (it is bound to igb)\n"
          "05:00.1 cannot pf-not-vfio (0000:04:00.0 is bound to igb) needed-device (0000:04:00.0: not-d0)\n",
          pf_asleep_on_its_driver, "05:00.1" },
        { "02:01.0 cannot not-d0 (D1)\n"
          "04:00.0 cannot pf-not-vfio (it is bound to igb) needed-device (0000:02:01.0: not-d0)\n"
          "05:00.1 cannot pf-not-vfio (0000:04:00.0 is bound to igb) needed-device (0000:02:01.0: not-d0)\n",
          pf_and_port, "05:00.1" },
        { "04:00.0 limited vfs-lost (3 of them)\n", no_vf_support, "04:00.0" },
};

static void virtual_functions(void **state) {
        check_cases(vf_cases, ELEMENTSOF(vf_cases));
}

/* ---- groups ---- */

static void shared_groups(void **state) {
        _cleanup_topology_ Topology t = {};
        Request one = { .addresses = ADDRESSES("03:00.0"), .facts = all_good };
        Request both = { .addresses = ADDRESSES("03:00.1", "03:00.0"), .facts = all_good };

        machine(&t);
        in_group(&t, "03:00.0", 5, "DMA");
        in_group(&t, "03:00.1", 5, "DMA");
        in_group(&t, "02:00.0", 5, "DMA"); /* bridges do not count, above or beside */
        in_group(&t, "02:01.0", 5, "DMA");
        built(&t);
        assert_plan(&t, &one, "03:00.0 cannot group-shared (group 5: 0000:03:00.1 is not requested)\n");
        assert_plan(&t, &both, "");
        /* One of them cannot go: neither can the other. */
        fn(&t, "03:00.1")->power = POWER_D3HOT;
        assert_plan(&t, &both,
                    "03:00.0 cannot group-shared (group 5: 0000:03:00.1 cannot go)\n"
                    "03:00.1 cannot not-d0 (D3hot)\n");
        /* Both for themselves: each is told of the other. */
        fn(&t, "03:00.0")->power = POWER_D3HOT;
        assert_plan(&t, &both,
                    "03:00.0 cannot not-d0 (D3hot) group-shared (group 5: 0000:03:00.1 cannot go)\n"
                    "03:00.1 cannot not-d0 (D3hot) group-shared (group 5: 0000:03:00.0 cannot go)\n");
        in_group(&t, "00:02.0", 5, "DMA");
        built(&t);
        fn(&t, "03:00.0")->power = POWER_D0;
        assert_plan(&t, &both,
                    "03:00.0 cannot group-shared (group 5: 0000:00:02.0 is not requested, and 1 more)\n"
                    "03:00.1 cannot not-d0 (D3hot) group-shared (group 5: 0000:00:02.0 is not requested)\n");
}

/* From group to PF to VF to the VF's group: nothing is left that cannot go. */
static void failure_spreads(void **state) {
        _cleanup_topology_ Topology t = {};

        machine(&t);
        in_group(&t, "00:02.0", 1, "DMA");
        in_group(&t, "04:00.0", 1, "DMA");
        in_group(&t, "05:00.0", 2, "DMA");
        in_group(&t, "03:00.0", 2, "DMA");
        in_group(&t, "03:00.1", 3, "DMA");
        built(&t);
        fn(&t, "00:02.0")->native = NATIVE_BUILTIN;
        assert_plan(
                &t,
                &(Request){ .addresses = ADDRESSES("05:00.0", "03:00.0", "03:00.1", "00:02.0"), .facts = all_good },
                "00:02.0 cannot native-builtin (e1000e)\n"
                "03:00.0 cannot group-shared (group 2: 0000:05:00.0 cannot go)\n"
                "04:00.0 cannot group-shared (group 1: 0000:00:02.0 cannot go)\n"
                "05:00.0 cannot needed-device (0000:04:00.0: group-shared)\n");
}

/* ---- DMA ---- */

/* VFIO's no-IOMMU mode makes a group of a type that says nothing. */
static void dma_without_iommu(void **state) {
        _cleanup_topology_ Topology t = {};
        Request r = { .addresses = ADDRESSES("03:00.0"), .facts = all_good, .rules = "[Rule]\nDma=keep\n" };

        machine(&t);
        in_group(&t, "03:00.0", 3, "unknown");
        set_text(&fn(&t, "03:00.0")->vfio_cdev, "noiommu-vfio0");
        built(&t);
        assert_plan(&t, &r, "");
}

static void dma(void **state) {
        static const struct {
                const char *rules, *type; /* of the group; NULL: none */
                unsigned can;
                Dma dma;
                const char *want;
        } cases[] = {
                { "", NULL, PLAN_CAN_DMA, DMA_STOP, "03:00.0 limited dma-stops\n" },
                { "", "identity", PLAN_CAN_DMA, DMA_STOP, "03:00.0 limited dma-stops\n" },
                { "", "DMA", PLAN_CAN_DMA, DMA_STOP, "03:00.0 limited dma-translated (IOMMU group 3, type DMA)\n" },
                { "", "DMA-FQ", 0, DMA_STOP, "03:00.0 limited dma-translated (IOMMU group 3, type DMA-FQ)\n" },
                { "", "", 0, DMA_STOP, "03:00.0 limited dma-translated (IOMMU group 3, type )\n" },
                { "[Rule]\nDma=stop\n", "DMA", PLAN_CAN_DMA, DMA_STOP, "" },
                { "[Rule]\nDma=keep\n", NULL, PLAN_CAN_DMA, DMA_KEEP, "" },
                { "[Rule]\nDma=keep\n", NULL, 0, DMA_STOP, "03:00.0 limited dma-no-support\n" },
                { "[Rule]\nDma=keep\n", "identity", PLAN_CAN_DMA, DMA_STOP,
                  "03:00.0 limited dma-identity (IOMMU group 3, type identity)\n" },
                { "[Rule]\nDma=keep-identity\n", "identity", PLAN_CAN_DMA, DMA_KEEP_IDENTITY,
                  "03:00.0 limited dma-unisolated (IOMMU group 3, type identity)\n" },
                { "[Rule]\nDma=keep-identity\n", NULL, PLAN_CAN_DMA, DMA_KEEP, "" },
                { "[Rule]\nDma=keep-identity\n", "DMA", PLAN_CAN_DMA, DMA_STOP,
                  "03:00.0 limited dma-translated (IOMMU group 3, type DMA)\n" },
                { "[Rule]\nDma=keep-identity\n", "identity", 0, DMA_STOP, "03:00.0 limited dma-no-support\n" },
                { "[Rule]\nDma=keep\n", "DMA", PLAN_CAN_DMA, DMA_STOP,
                  "03:00.0 limited dma-translated (IOMMU group 3, type DMA)\n" },
                { "[Rule]\nDma=keep\n", "DMA-FQ", 0, DMA_STOP,
                  "03:00.0 limited dma-translated (IOMMU group 3, type DMA-FQ) dma-no-support\n" },
                { "[Rule]\nDma=keep\nPreserve=minimal\n[Rule]\nClass=02\nDma=auto\n", NULL, PLAN_CAN_DMA, DMA_STOP,
                  "03:00.0 limited dma-stops\n" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_topology_ Topology t = {};
                _cleanup_plan_ Plan p = {};
                Request r = { .addresses = ADDRESSES("03:00.0"), .facts = all_good, .rules = cases[i].rules };

                r.facts.can = (r.facts.can & ~(unsigned)PLAN_CAN_DMA) | cases[i].can;
                machine(&t);
                if (cases[i].type)
                        in_group(&t, "03:00.0", 3, cases[i].type);
                built(&t);
                assert_plan(&t, &r, cases[i].want);
                plan(&t, &r, &p);
                const PlanSubject *last = &p.subjects[p.n_subjects - 1];
                assert_int_equal(last->dma, cases[i].dma);
                assert_int_equal(last->preservation,
                                 strstr(cases[i].rules, "minimal") ? PRESERVATION_MINIMAL : PRESERVATION_CONSERVATIVE);
        }
}

/* ---- files ---- */

static void files(void **state) {
        static const struct {
                PlanFile file;
                unsigned can;
                const char *want;
        } cases[] = {
                { { "vm", 1, "memfd" }, PLAN_CAN_MEMFD, "" },
                { { "vm", 1, "memfd" }, 0, "vm/1 cannot no-handler (its kind is memfd)\n" },
                { { "vm", 1, "memfd", .hugepages = true }, PLAN_CAN_MEMFD, "vm/1 cannot memfd-hugepages\n" },
                /* F_SEAL_EXEC alone, with F_SEAL_WRITE, with F_SEAL_FUTURE_WRITE, and others. */
                { { "vm", 1, "memfd", .seals = 0x20 }, PLAN_CAN_MEMFD, "vm/1 cannot memfd-noexec-seal\n" },
                { { "vm", 1, "memfd", .seals = 0x28 }, PLAN_CAN_MEMFD, "" },
                { { "vm", 1, "memfd", .seals = 0x30 }, PLAN_CAN_MEMFD, "" },
                { { "vm", 1, "memfd", .seals = 0x07 }, PLAN_CAN_MEMFD, "" },
                { { "vm", 1, "memfd", .seals = 0x20, .hugepages = true },
                  PLAN_CAN_MEMFD,
                  "vm/1 cannot memfd-hugepages memfd-noexec-seal\n" },
                { { "vm", 1, "memfd", .seals = 0x20, .preserved = true }, 0, "vm/1 cannot memfd-noexec-seal\n" },
                { { "vm", 18446744073709551615u, "iommufd" },
                  PLAN_CAN_VFIO,
                  "vm/18446744073709551615 cannot no-handler (its kind is iommufd)\n" },
                { { "vm", 0, "iommufd" }, PLAN_CAN_IOMMUFD, "" },
                { { "vm", 2, "vfio" }, PLAN_CAN_VFIO, "" },
                { { "vm", 2, "vfio" }, PLAN_CAN_MEMFD, "vm/2 cannot no-vfio-support (its kind is vfio)\n" },
                { { "vm", 2, "vfio", .preserved = true }, PLAN_CAN_MEMFD, "" },
                { { "vm", 3, "other" }, PLAN_CAN_MEMFD, "vm/3 cannot no-handler (its kind is other)\n" },
                { { "vm", 3, "other", .preserved = true }, PLAN_CAN_MEMFD, "" },
        };
        _cleanup_topology_ Topology t = {};

        built(&t);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_plan(&t, &(Request){ .facts = { .can = cases[i].can }, .files = &cases[i].file, .n_files = 1 },
                            cases[i].want);
}

/* ---- strict mode ---- */

static int allows(const Plan *p, const char *const *exceptions, Refusal *refusal) {
        size_t n = 0;

        while (exceptions[n])
                n++;
        *refusal = (Refusal){};
        return plan_allows(p, exceptions, n, refusal);
}

static void strict_mode(void **state) {
        static const PlanFile files[] = { { "vm1", 1, "memfd" }, { "vm1", 2, "other" }, { "vm2", 2, "other" } };
        _cleanup_topology_ Topology t = {};
        _cleanup_plan_ Plan p = {};
        Refusal r;

        machine(&t);
        fn(&t, "02:00.0")->power = POWER_D1;
        plan(&t,
             &(Request){ .addresses = ADDRESSES("03:00.0", "09:00.0", "00:02.0"),
                         .facts = all_good,
                         .files = files,
                         .n_files = ELEMENTSOF(files) },
             &p);
        assert_int_equal(allows(&p, ADDRESSES("x"), &r), reason_errno(REASON_NEEDED_DEVICE));
        assert_int_equal(r.reason, REASON_NEEDED_DEVICE);
        assert_string_equal(r.subject, "0000:03:00.0");
        assert_string_equal(r.detail, "0000:02:00.0: not-d0; 3 more cannot go");
        assert_int_equal(allows(&p, ADDRESSES("vm1/2", "03:00.0", "vm2"), &r), reason_errno(REASON_NO_SUCH_DEVICE));
        assert_string_equal(r.subject, "0000:09:00.0");
        assert_string_equal(r.detail, "");
        assert_int_equal(allows(&p, ADDRESSES("vm1/1", "0000:03:00.0", "9:00.0", "0000:09:00.0", "vm2"), &r),
                         reason_errno(REASON_NO_HANDLER));
        assert_string_equal(r.subject, "vm1/2");
        assert_string_equal(r.detail, "its kind is other");
        assert_int_equal(allows(&p, ADDRESSES("vm1", "03:00.0", "09:00.0", "vm2/2", "vm3", ""), &r), 0);
        assert_int_equal(r.reason, REASON_NONE);
}

static void host_and_kernel_cannot_be_excepted(void **state) {
        _cleanup_topology_ Topology t = {};
        _cleanup_plan_ Plan p = {};
        Request q = { .facts = all_good };
        Refusal r;

        built(&t);
        q.facts.luo = PLAN_LUO_ABSENT;
        refuse(&q.facts.next_kernel, REASON_NO_IMAGE, NULL, NULL);
        plan(&t, &q, &p);
        assert_int_equal(allows(&p, ADDRESSES("host", "next kernel", "", "kernel"), &r),
                         reason_errno(REASON_LUO_ABSENT));
        assert_string_equal(r.subject, "host");
        assert_string_equal(r.detail, "1 more cannot go");
        plan_item_refusal(&p, &p.items[1], &r);
        assert_int_equal(r.reason, REASON_NO_IMAGE);
        assert_string_equal(r.subject, "next kernel");
}

/* What is limited only, goes. */
static void limits_are_allowed(void **state) {
        _cleanup_topology_ Topology t = {};
        _cleanup_plan_ Plan p = {};

        machine(&t);
        plan(&t, &(Request){ .addresses = ADDRESSES("03:00.0"), .facts = all_good, .rules = "" }, &p);
        assert_int_equal(plan_verdict(&p), VERDICT_LIMITED);
        assert_int_equal(plan_allows(&p, NULL, 0, NULL), 0);
}

/* ---- the whole ---- */

static void it_does_not_depend_on_the_order(void **state) {
        _cleanup_topology_ Topology t = {};
        _cleanup_plan_ Plan a = {}, b = {};

        machine(&t);
        fn(&t, "02:01.0")->power = POWER_D2;
        plan(&t,
             &(Request){ .addresses = ADDRESSES("05:00.2", "0a:00.0", "03:00.0", "09:00.0", "05:00.0"),
                         .facts = { .can = 0 } },
             &a);
        plan(&t,
             &(Request){ .addresses = ADDRESSES("09:00.0", "05:00.0", "03:00.0", "05:00.2", "05:00.0", "0a:00.0"),
                         .facts = { .can = 0 } },
             &b);
        _cleanup_free_ char *x = plan_text(&a), *y = plan_text(&b);
        assert_string_equal(x, y);
        assert_non_null(strstr(x, "09:00.0 cannot no-such-device\n0a:00.0 cannot no-such-device\n"));
}

static void not_linked(void **state) {
        _cleanup_topology_ Topology t = {};
        PlanInput in = { .topology = &t, .facts = &all_good };
        Plan p = { .n_items = 7 };

        endpoint(&t, "00:02.0");
        assert_int_equal(plan_make(&in, &p), -EINVAL);
        built(&t);
        endpoint(&t, "00:01.0");
        assert_int_equal(plan_make(&in, &p), -EINVAL);
        assert_int_equal(p.n_items, 7);
}

/* One group of 131,072 functions: work that grew with its square would not end today. */
static void one_huge_group(void **state) {
        enum { N = 131072 };
        _cleanup_topology_ Topology t = {};
        _cleanup_plan_ Plan p = {};
        _cleanup_free_ Address *requested = calloc(N, sizeof(*requested));
        PlanInput in = { .topology = &t, .requested = requested, .n_requested = N, .facts = &all_good };

        assert_non_null(requested);
        for (uint32_t i = 0; i < N; i++) {
                requested[i] = (Address){ i >> 16, (uint8_t)(i >> 8), (i >> 3) & 31, i & 7 };
                Function *f = topology_add(&t, requested[i]);
                assert_non_null(f);
                f->group = 1;
        }
        built(&t);
        assert_int_equal(plan_make(&in, &p), 0);
        assert_int_equal(p.n_subjects, N + 2);
        for (size_t i = 2; i < p.n_subjects; i++) {
                const PlanSubject *s = &p.subjects[i];
                const PlanItem *last = &p.items[s->first_item + s->n_items - 1];

                assert_int_equal(s->verdict, VERDICT_CANNOT);
                assert_int_equal(last->reason, REASON_GROUP_SHARED);
                assert_non_null(strstr(last->detail, i == 2 ? "0000:00:00.1 cannot go, and 131070 more"
                                                            : "0000:00:00.0 cannot go, and 131070 more"));
        }
}

static void words(void **state) {
        for (Verdict v = 0; v < _VERDICT_MAX; v++)
                assert_int_equal(verdict_from_string(verdict_to_string(v)), v);
        for (PlanKind k = 0; k < _PLAN_KIND_MAX; k++)
                assert_int_equal(plan_kind_from_string(plan_kind_to_string(k)), k);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(all_goes),
                cmocka_unit_test(the_host),
                cmocka_unit_test(the_next_kernel),
                cmocka_unit_test(the_next_module),
                cmocka_unit_test(the_next_handlers),
                cmocka_unit_test(one_device),
                cmocka_unit_test(a_bridge_requested_too),
                cmocka_unit_test(conventional_bridges),
                cmocka_unit_test(another_device),
                cmocka_unit_test(virtual_functions),
                cmocka_unit_test(shared_groups),
                cmocka_unit_test(failure_spreads),
                cmocka_unit_test(dma),
                cmocka_unit_test(dma_without_iommu),
                cmocka_unit_test(files),
                cmocka_unit_test(strict_mode),
                cmocka_unit_test(host_and_kernel_cannot_be_excepted),
                cmocka_unit_test(limits_are_allowed),
                cmocka_unit_test(it_does_not_depend_on_the_order),
                cmocka_unit_test(not_linked),
                cmocka_unit_test(one_huge_group),
                cmocka_unit_test(words),
        };

        return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
