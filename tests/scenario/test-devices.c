/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices in an update, on a fake PCI port with a root port and a network card below it:
 * strict mode, what the manifest carries, and the comparison in the next kernel. What
 * cannot be read is missing in the answer, never a failed update.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "daemon/planner.h"
#include "daemon/verify.h"
#include "scenario/world.h"

static const Address root_port = { 0, 0, 1, 0 }, card = { 0, 1, 0, 0 };

typedef struct FakePci {
        uint8_t space[2][256]; /* the port's, the card's */
        bool gone;             /* the card */
        bool unreadable;       /* all configuration space */
        bool broken;           /* a scan fails */
        unsigned n_scans;
} FakePci;

static int add_function(Topology *t, Address a) {
        Function *f = topology_add(t, a);

        if (!f)
                return -ENOMEM;
        f->vendor = 0x8086;
        f->device = address_compare(a, card) == 0 ? 0x10d3 : 0x3420;
        f->class_code = address_compare(a, card) == 0 ? 0x020000 : 0x060400;
        f->power = POWER_D0;
        if (address_compare(a, root_port) == 0) {
                f->port = PORT_ROOT;
                f->header_type = 1;
                f->secondary = f->subordinate = 1;
        }
        return 0;
}

static int fake_scan(void *self, Topology *ret) {
        FakePci *p = self;

        p->n_scans++;
        if (p->broken)
                return -ENOENT;
        int r = add_function(ret, root_port);
        if (r >= 0 && !p->gone)
                r = add_function(ret, card);
        return r < 0 ? r : topology_link(ret);
}

static int fake_scan_one(void *self, Address address, Topology *t) {
        FakePci *p = self;

        if (p->gone && address_compare(address, card) == 0)
                return -ENODEV;
        return add_function(t, address);
}

static int fake_read_config(void *self, Address address, uint8_t *buf, size_t size) {
        FakePci *p = self;
        size_t which = address_compare(address, card) == 0;

        if (p->unreadable)
                return -EIO;
        if (which && p->gone)
                return -ENODEV;
        memcpy(buf, p->space[which], MIN_OF(size, sizeof(p->space[which])));
        return (int)MIN_OF(size, sizeof(p->space[which]));
}

static const PciOps pci_ops = { .scan = fake_scan, .scan_one = fake_scan_one, .read_config = fake_read_config };

static void fill_space(FakePci *p) {
        *p = (FakePci){};
        p->space[0][0x00] = 0x86, p->space[0][0x01] = 0x80, p->space[0][0x0e] = 1;
        p->space[1][0x00] = 0x86, p->space[1][0x01] = 0x80;
        p->space[1][0x13] = 0xfe; /* BAR 0 */
}

/* A daemon with the devices read, and a loaded kernel. */
static World *start(FakePci *p) {
        World *w = world_new();

        fill_space(p);
        w->pci = &pci_ops;
        w->pci_self = p;
        assert_int_equal(world_boot(w), 0);
        assert_int_equal(devices_scan(w->manager->devices), 0);
        world_run(w);
        assert_int_equal(world_load(w), 0);
        return w;
}

static int update_with(World *w, const char *exception, Refusal *refusal) {
        UpdateRequest request = { .devices = malloc(sizeof(card)), .n_devices = 1 };
        Job *j;

        request.devices[0] = card;
        if (exception) {
                request.exceptions = calloc(2, sizeof(*request.exceptions));
                request.exceptions[0] = strdup(exception);
                request.n_exceptions = 1;
        }
        int r = manager_update(w->manager, 0, &request, &j, refusal);
        update_request_done(&request);
        if (r >= 0)
                world_run(w);
        return r;
}

typedef struct Comparison {
        int r;
        unsigned calls;
        size_t n_devices, against, missing, n_rows;
        uint64_t equal;
} Comparison;

static void answered(void *userdata, int r, const VerifyResult *result) {
        Comparison *a = userdata;

        *a = (Comparison){
                r, a->calls + 1, result->n_devices, result->against, result->missing, result->n_rows, result->equal
        };
}

static Comparison verify(World *w) {
        Comparison a = {};

        assert_int_equal(verify_compare(w->manager, answered, &a), 0);
        world_run(w);
        assert_int_equal(a.calls, 1);
        assert_int_equal(a.r, 0);
        return a;
}

static void test_strict(void **state) {
        FakePci p;
        _cleanup_world_ World *w = start(&p);
        Refusal refusal;

        assert_true(update_with(w, NULL, &refusal) < 0);
        assert_int_equal(refusal.reason, REASON_NO_VFIO_SUPPORT);
        assert_string_equal(refusal.subject, "0000:01:00.0");
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
        assert_null(w->manager->job);
        world_check(w);
}

static void test_compare(void **state) {
        FakePci p;
        _cleanup_world_ World *w = start(&p);
        Refusal refusal;

        assert_int_equal(update_with(w, "0000:01:00.0", &refusal), 0);
        assert_true(w->kexec.jumped);
        assert_int_equal(world_arrive(w), 0);
        /* The card and the port above it, root first. */
        assert_int_equal(w->manager->arrived.n, 2);
        assert_int_equal(address_compare(w->manager->arrived.items[0].address, root_port), 0);
        assert_false(w->manager->arrived.items[0].requested);
        assert_true(w->manager->arrived.items[1].requested);

        Comparison a = verify(w);
        assert_int_equal(a.n_devices, 2);
        assert_true(a.equal > 10);
        assert_int_equal(a.n_rows, 0);
        p.space[1][0x13] = 0xfd;
        a = verify(w);
        assert_int_equal(a.against, 1);
        assert_int_equal(a.n_rows, 1);
        p.gone = true;
        a = verify(w);
        assert_int_equal(a.missing, 1);

        verify_arrived(w->manager);
        world_run(w);
        Job *j = job_list_find(&w->manager->jobs, w->manager->arrived_job);
        assert_int_equal(j->devices_missing, 1);
        assert_non_null(strstr(w->manager->notice, "verify"));
}

static void test_unreadable_before(void **state) {
        FakePci p;
        _cleanup_world_ World *w = start(&p);
        Refusal refusal;

        p.unreadable = true;
        assert_int_equal(update_with(w, "0000:01:00.0", &refusal), 0);
        assert_true(w->kexec.jumped);
        assert_int_equal(world_arrive(w), 0);
        p.unreadable = false;
        Comparison a = verify(w);
        assert_int_equal(a.missing, 2);
        assert_int_equal(a.equal, 0);
}

/* Cancelled while frozen: what was read is dropped, and a new update reads again. */
static void test_cancel(void **state) {
        FakePci p;
        _cleanup_world_ World *w = start(&p);
        Client *c = world_client(w, "vm-a", false);
        Refusal refusal;

        assert_int_equal(client_join(c), 0);
        c->manner[1] = MANNER_SILENT;
        assert_int_equal(update_with(w, "0000:01:00.0", &refusal), 0);
        assert_int_equal(w->manager->phase, PHASE_FREEZING);
        assert_int_equal(world_job(w, manager_cancel), 0);
        assert_int_equal(w->manager->update.devices.n, 0);
        assert_int_equal(w->manager->update.request.n_devices, 0);
        c->manner[1] = MANNER_READY;
        c->asked[1] = false;
        assert_int_equal(client_join(c), 0);
        assert_int_equal(update_with(w, "0000:01:00.0", &refusal), 0);
        assert_true(w->kexec.jumped);
}

static void test_scan_fails(void **state) {
        FakePci p;
        _cleanup_world_ World *w = start(&p);
        Refusal refusal;

        p.broken = true;
        assert_int_equal(devices_lost_events(w->manager->devices), 0);
        world_run(w);
        assert_int_equal(p.n_scans, 2);
        /* What was known stays known. */
        assert_true(update_with(w, NULL, &refusal) < 0);
        assert_int_equal(refusal.reason, REASON_NO_VFIO_SUPPORT);
        assert_int_equal(world_job(w, world_update), 0);
        assert_true(w->kexec.jumped);
}

static void test_events(void **state) {
        FakePci p;
        _cleanup_world_ World *w = start(&p);
        const Topology *t = devices_topology(w->manager->devices);

        assert_int_equal(t->n, 2);
        p.gone = true;
        assert_int_equal(devices_touch(w->manager->devices, card), 0);
        world_run(w);
        assert_int_equal(topology_find(t, card), TOPOLOGY_NONE);
        p.gone = false;
        assert_int_equal(devices_touch(w->manager->devices, card), 0);
        assert_int_equal(devices_touch(w->manager->devices, card), 0);
        world_run(w);
        uint32_t index = topology_find(t, card);
        assert_int_not_equal(index, TOPOLOGY_NONE);
        assert_int_equal(t->items[index].generation, devices_generation(w->manager->devices));
        assert_int_equal(t->items[t->items[index].parent].device, 0x3420);
        assert_int_equal(p.n_scans, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_strict),
                cmocka_unit_test(test_compare),
                cmocka_unit_test(test_unreadable_before),
                cmocka_unit_test(test_cancel),
                cmocka_unit_test(test_scan_fails),
                cmocka_unit_test(test_events),
        };

        return cmocka_run_group_tests_name("devices", tests, NULL, NULL);
}
