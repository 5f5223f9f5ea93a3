/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VF settings in an update, on a fake card with a network driver, an NVMe controller and
 * a PF that VFIO has, each with VFs: what is recorded at FREEZE, what the next kernel
 * finds changed, and what of it can be put back. Nothing of it fails an update.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "daemon/verify.h"
#include "scenario/world.h"

static const Address nic = { 0, 3, 0, 0 }, nic2 = { 0, 3, 0, 1 }, nvme = { 0, 4, 0, 0 }, passed = { 0, 5, 0, 0 },
                     idle = { 0, 6, 0, 0 };

enum { VFS = 3 };

/* The machine's interfaces. Of the first card all is kept, of the second it says nothing
 * but that it is asked. */
typedef struct FakeLinks {
        VfSettings vfs[VFS];
        size_t n;       /* how many of them there are */
        bool gone;      /* the first card has no interface */
        int read_error; /* of the first card */
        int second;     /* what asking the second one returns */
        unsigned n_reads[5];
        uint32_t unsupported; /* settings that cannot be put back: -EOPNOTSUPP */
        uint32_t deaf;        /* settings that are taken and not kept */
        int apply_error;
        unsigned n_applied;
        World *world;          /* whose update is looked at when the first card is read */
        bool complete_at_read; /* whether one of them took its reading for done by then */
} FakeLinks;

static int place(Address a) {
        static const Address *const all[] = { &nic, &nic2, &nvme, &passed, &idle };

        for (int i = 0; i < (int)ELEMENTSOF(all); i++)
                if (address_compare(*all[i], a) == 0)
                        return i;
        return -1;
}

static int fake_read(void *self, Address pf, VfList *ret) {
        FakeLinks *f = self;

        f->n_reads[place(pf)]++;
        if (address_compare(pf, nic2) == 0)
                return f->second;
        if (address_compare(pf, nic) != 0 || f->gone)
                return -ENODEV;
        if (f->read_error < 0)
                return f->read_error;
        if (f->world && f->world->manager->update.links_read)
                f->complete_at_read = true;
        return vf_list_copy(&(VfList){ .items = f->vfs, .n = f->n, .total = (uint32_t)f->n }, ret);
}

static void set(VfSettings *to, const VfSettings *from, VfSetting s) {
        if (s == VF_SETTING_MAC)
                memcpy(to->mac, from->mac, sizeof(to->mac));
        else if (s == VF_SETTING_VLAN)
                to->vlan = from->vlan;
        else if (s == VF_SETTING_TRUST)
                to->trust = from->trust;
        else
                fail_msg("nobody changed this setting");
}

static int fake_apply(void *self, Address pf, const VfSettings *want, uint32_t settings, VfOutcome *ret) {
        FakeLinks *f = self;

        assert_int_equal(address_compare(pf, nic), 0);
        assert_true(want->vf < f->n);
        f->n_applied++;
        *ret = (VfOutcome){};
        for (VfSetting s = 0; s < _VF_SETTING_MAX; s++) {
                if (!(settings & VF_SETTING_BIT(s)))
                        continue;
                if (f->apply_error < 0) {
                        ret->errors[s] = f->apply_error;
                        return f->apply_error;
                }
                if (f->unsupported & VF_SETTING_BIT(s))
                        ret->errors[s] = -EOPNOTSUPP;
                else if (!(f->deaf & VF_SETTING_BIT(s)))
                        set(&f->vfs[want->vf], want, s);
        }
        return 0;
}

static const LinkOps link_ops = { .read = fake_read, .apply = fake_apply };

static int add_pf(Topology *t, Address a, const char *driver, uint16_t num_vfs) {
        Function *f = topology_add(t, a);

        if (!f || !(f->driver = strdup(driver)))
                return -ENOMEM;
        f->is_pf = true;
        f->total_vfs = 8;
        f->num_vfs = num_vfs;
        return 0;
}

static int fake_scan(_unused_ void *self, Topology *ret) {
        if (add_pf(ret, nic, "ixgbe", VFS) < 0 || add_pf(ret, nic2, "ixgbe", 2) < 0 ||
            add_pf(ret, nvme, "nvme", 4) < 0 || add_pf(ret, passed, "vfio-pci", 4) < 0 ||
            add_pf(ret, idle, "ixgbe", 0) < 0)
                return -ENOMEM;
        return topology_link(ret);
}

static int no_config(_unused_ void *self, _unused_ Address address, _unused_ uint8_t *buf, _unused_ size_t size) {
        return -EIO;
}

static const PciOps pci_ops = { .scan = fake_scan, .read_config = no_config };

static void fill(FakeLinks *f) {
        *f = (FakeLinks){ .n = VFS, .second = -ENODEV };
        for (uint32_t i = 0; i < VFS; i++)
                f->vfs[i] = (VfSettings){
                        .vf = i,
                        .known = VF_SETTING_BIT(VF_SETTING_MAC) | VF_SETTING_BIT(VF_SETTING_VLAN) |
                                 VF_SETTING_BIT(VF_SETTING_TRUST),
                        .mac = { 0x02, 0, 0, 0, 0, (uint8_t)(i + 1) },
                        .vlan = (uint16_t)(100 + i),
                        .vlan_proto = VLAN_PROTO_8021Q,
                        .trust = i == 1,
                };
}

/* A daemon that knows its devices, and a loaded kernel. */
static World *start(FakeLinks *f) {
        World *w = world_new();

        fill(f);
        w->pci = &pci_ops;
        w->links = &link_ops;
        w->links_self = f;
        assert_int_equal(world_boot(w), 0);
        assert_int_equal(devices_scan(w->manager->devices), 0);
        world_run(w);
        assert_int_equal(world_load(w), 0);
        return w;
}

static void jump(World *w) {
        assert_int_equal(world_job(w, world_update), 0);
        assert_true(w->kexec.jumped);
        assert_int_equal(world_arrive(w), 0);
}

typedef struct Found {
        unsigned calls;
        int r;
        VerifyResult result; /* its rows are a copy */
} Found;

static void answered(void *userdata, int r, const VerifyResult *result) {
        Found *a = userdata;

        a->calls++;
        a->r = r;
        a->result = *result;
        a->result.rows = calloc(result->n_rows + 1, sizeof(*result->rows));
        assert_non_null(a->result.rows);
        if (result->n_rows > 0)
                memcpy(a->result.rows, result->rows, result->n_rows * sizeof(*result->rows));
}

typedef int (*request_t)(Manager *m, verify_reply_t reply, void *userdata);

static Found ask(World *w, request_t request) {
        Refusal refusal;
        Found a = {};

        assert_int_equal(verify_allowed(w->manager, request == verify_restore, &refusal), 0);
        assert_int_equal(request(w->manager, answered, &a), 0);
        world_run(w);
        assert_int_equal(a.calls, 1);
        assert_int_equal(a.r, 0);
        return a;
}

static void found_done(Found *a) {
        verify_result_done(&a->result);
}
#define _cleanup_found_ _cleanup_(found_done)

static void assert_row(const Found *a, size_t i, const char *name, const char *before, const char *after,
                       VerifyVerdict verdict) {
        assert_true(i < a->result.n_rows);
        const VerifyRow *row = &a->result.rows[i];

        assert_int_equal(address_compare(row->address, nic), 0);
        assert_string_equal(row->name, name);
        assert_string_equal(row->before, before);
        assert_string_equal(row->after, after);
        assert_int_equal(row->verdict, verdict);
        assert_non_null(row->reason);
}

/* The new kernel's driver gave VF 0 another address, and VF 1 forgot two things. */
static void lose_settings(FakeLinks *f) {
        f->vfs[0].mac[0] = 0xee;
        f->vfs[1].vlan = 0;
        f->vfs[1].trust = false;
}

static void nothing_changed(void **state) {
        FakeLinks f;
        _cleanup_world_ World *w = start(&f);
        _cleanup_found_ Found a = {};

        jump(w);
        assert_int_equal(f.n_reads[place(nic)], 1);
        assert_int_equal(f.n_reads[place(nvme)], 1);
        assert_int_equal(f.n_reads[place(passed)], 0);
        assert_int_equal(f.n_reads[place(idle)], 0);
        /* The controller has no interface, so there is nothing to be missing. */
        assert_int_equal(w->manager->arrived_links.n, 1);
        assert_int_equal(w->manager->arrived.n, 0);
        a = ask(w, verify_compare);
        assert_int_equal(a.result.n_links, 1);
        assert_int_equal(a.result.settings.equal, 3 * VFS);
        assert_int_equal(a.result.equal, 0);
        assert_int_equal(a.result.n_rows, 0);
        assert_null(w->manager->notice);
        verify_arrived(w->manager);
        world_run(w);
        assert_int_equal(f.n_reads[place(nic)], 3);
        assert_null(w->manager->notice);
        assert_int_equal(f.n_applied, 0);
}

static void changed_and_restored(void **state) {
        FakeLinks f;
        _cleanup_world_ World *w = start(&f);
        _cleanup_found_ Found a = {}, b = {}, c = {};

        jump(w);
        lose_settings(&f);
        a = ask(w, verify_compare);
        assert_int_equal(a.result.n_rows, 3);
        assert_row(&a, 0, "vf 0 mac", "02:00:00:00:00:01", "ee:00:00:00:00:01", VERIFY_AGAINST);
        assert_row(&a, 1, "vf 1 vlan", "101 qos 0", "none", VERIFY_AGAINST);
        assert_row(&a, 2, "vf 1 trust", "on", "off", VERIFY_AGAINST);
        assert_int_equal(a.result.settings.against, 3);
        assert_int_equal(a.result.settings.equal, 3 * VFS - 3);
        assert_int_equal(f.n_applied, 0);

        verify_arrived(w->manager);
        world_run(w);
        assert_non_null(strstr(w->manager->notice, "VF settings 3,"));
        assert_non_null(strstr(w->manager->notice, "registers 0,"));
        assert_non_null(strstr(w->manager->notice, "--restore"));

        b = ask(w, verify_restore);
        assert_int_equal(b.result.n_rows, 3);
        assert_row(&b, 0, "vf 0 mac", "02:00:00:00:00:01", "ee:00:00:00:00:01", VERIFY_RESTORED);
        assert_row(&b, 2, "vf 1 trust", "on", "off", VERIFY_RESTORED);
        assert_int_equal(b.result.settings.restored, 3);
        assert_int_equal(b.result.settings.against, 0);
        assert_int_equal(f.n_applied, 2);
        c = ask(w, verify_compare);
        assert_int_equal(c.result.n_rows, 0);
        assert_int_equal(c.result.settings.equal, 3 * VFS);
}

/* Each way in which putting back fails keeps to its own setting. */
static void not_restored(void **state) {
        FakeLinks f;
        _cleanup_world_ World *w = start(&f);
        _cleanup_found_ Found a = {}, b = {};

        jump(w);
        lose_settings(&f);
        f.unsupported = VF_SETTING_BIT(VF_SETTING_TRUST);
        f.deaf = VF_SETTING_BIT(VF_SETTING_MAC);
        a = ask(w, verify_restore);
        assert_row(&a, 0, "vf 0 mac", "02:00:00:00:00:01", "ee:00:00:00:00:01", VERIFY_AGAINST);
        assert_int_equal(a.result.rows[0].error, 0);
        assert_row(&a, 1, "vf 1 vlan", "101 qos 0", "none", VERIFY_RESTORED);
        assert_row(&a, 2, "vf 1 trust", "on", "off", VERIFY_AGAINST);
        assert_int_equal(a.result.rows[2].error, -EOPNOTSUPP);
        assert_int_equal(a.result.settings.restored, 1);
        assert_int_equal(a.result.settings.against, 2);

        f.apply_error = -EPERM;
        f.n_applied = 0;
        b = ask(w, verify_restore);
        assert_int_equal(b.result.n_rows, 2);
        assert_int_equal(b.result.rows[0].error, -EPERM);
        assert_int_equal(b.result.rows[1].error, -EPERM);
        assert_int_equal(b.result.settings.against, 2);
        assert_int_equal(f.n_applied, 1); /* the second VF would be refused as well */
}

static void vfs_gone_and_new(void **state) {
        FakeLinks f;
        _cleanup_world_ World *w = start(&f);
        _cleanup_found_ Found a = {}, b = {};

        f.n = 2;
        jump(w);
        f.n = VFS;
        a = ask(w, verify_compare);
        assert_int_equal(a.result.n_rows, 1);
        assert_row(&a, 0, "vf 2", "absent", "present", VERIFY_AGAINST);
        /* As a driver starts: no VFs at all. There is nothing to put back on. */
        f.n = 0;
        b = ask(w, verify_restore);
        assert_int_equal(b.result.n_rows, 2);
        assert_row(&b, 0, "vf 0", "present", "absent", VERIFY_AGAINST);
        assert_row(&b, 1, "vf 1", "present", "absent", VERIFY_AGAINST);
        assert_int_equal(b.result.settings.equal, 0);
        assert_int_equal(f.n_applied, 0);
}

static void setting_unreadable(void **state) {
        FakeLinks f;
        _cleanup_world_ World *w = start(&f);
        _cleanup_found_ Found a = {};

        jump(w);
        f.vfs[2].known &= ~VF_SETTING_BIT(VF_SETTING_TRUST);
        a = ask(w, verify_restore);
        assert_int_equal(a.result.n_rows, 1);
        assert_row(&a, 0, "vf 2 trust", "off", "unknown", VERIFY_AGAINST);
        assert_int_equal(f.n_applied, 0);
}

static void interface_gone(void **state) {
        FakeLinks f;
        _cleanup_world_ World *w = start(&f);
        _cleanup_found_ Found a = {}, b = {};

        jump(w);
        f.gone = true;
        a = ask(w, verify_restore);
        assert_int_equal(a.result.n_rows, 1);
        assert_row(&a, 0, "vf settings", "", "", VERIFY_MISSING);
        assert_int_equal(a.result.settings.missing, 1);
        assert_int_equal(a.result.missing, 0); /* of devices */
        f.gone = false;
        f.read_error = -EIO;
        b = ask(w, verify_compare);
        assert_row(&b, 0, "vf settings", "", "", VERIFY_MISSING);
        assert_int_equal(b.result.rows[0].error, -EIO);
        verify_arrived(w->manager);
        world_run(w);
        assert_non_null(strstr(w->manager->notice, "network interfaces without them 1"));
        assert_null(strstr(w->manager->notice, "--restore"));
}

/* One that cannot be read is told, here and there; the other one is recorded. */
static void unreadable_before(void **state) {
        FakeLinks f;
        _cleanup_world_ World *w = start(&f);
        _cleanup_found_ Found a = {};

        f.second = -EIO;
        assert_int_equal(world_job(w, world_prepare), 0);
        assert_int_equal(world_job(w, manager_freeze), 0);
        assert_int_equal(w->manager->phase, PHASE_FROZEN);
        assert_non_null(strstr(w->manager->notice, "0000:03:00.1"));
        assert_int_equal(w->manager->update.links.n, 2);
        assert_int_equal(world_job(w, world_execute), 0);
        assert_int_equal(world_arrive(w), 0);
        assert_int_equal(w->manager->arrived_links.n, 2);
        a = ask(w, verify_compare);
        assert_int_equal(a.result.n_rows, 1);
        assert_int_equal(address_compare(a.result.rows[0].address, nic2), 0);
        assert_int_equal(a.result.rows[0].verdict, VERIFY_MISSING);
        assert_non_null(strstr(a.result.rows[0].reason, "before the jump"));
        assert_int_equal(a.result.settings.equal, 3 * VFS);
}

/* What no manifest could carry is as good as unreadable, and does not fail the update. */
static void nonsense_before(void **state) {
        FakeLinks f;
        _cleanup_world_ World *w = start(&f);

        f.vfs[1].vf = 0;
        jump(w);
        assert_int_equal(w->manager->arrived_links.n, 1);
        assert_true(w->manager->arrived_links.items[0].unread);
}

static void nothing_known(void **state) {
        FakeLinks f;
        _cleanup_world_ World *w = start(&f);
        Refusal refusal;

        f.n = 0; /* a driver that says nothing of its VFs */
        jump(w);
        assert_int_equal(w->manager->arrived_links.n, 0);
        assert_true(verify_allowed(w->manager, false, &refusal) < 0);
        assert_int_equal(refusal.reason, REASON_NO_SUCH_DEVICE);
        verify_arrived(w->manager);
        assert_int_equal(f.n_reads[place(nic)], 1);
}

static void restart_in_the_new_kernel(void **state) {
        FakeLinks f;
        _cleanup_world_ World *w = start(&f);
        Client *c = world_client(w, "vm-a", false);
        _cleanup_found_ Found a = {};

        assert_int_equal(client_join(c), 0);
        jump(w);
        assert_int_equal(w->manager->phase, PHASE_UPDATED);
        world_crash(w);
        assert_int_equal(world_boot(w), 0);
        assert_int_equal(w->manager->phase, PHASE_UPDATED);
        assert_int_equal(w->manager->arrived_links.n, 1);
        lose_settings(&f);
        a = ask(w, verify_restore);
        assert_int_equal(a.result.settings.restored, 3);
        assert_int_equal(client_return(c), 0);
        assert_int_equal(client_finish(c), 0);
        world_check(w);
}

/* Cancelled while frozen: what was read is dropped, and the next update reads again. */
static void cancelled(void **state) {
        FakeLinks f;
        _cleanup_world_ World *w = start(&f);
        Client *c = world_client(w, "vm-a", false);

        assert_int_equal(client_join(c), 0);
        c->manner[1] = MANNER_SILENT;
        assert_int_equal(world_job(w, world_update), -EINPROGRESS);
        assert_int_equal(w->manager->phase, PHASE_FREEZING);
        assert_true(w->manager->update.links_read);
        assert_int_equal(w->manager->update.links.n, 1);
        assert_int_equal(world_job(w, manager_cancel), 0);
        assert_int_equal(w->manager->update.links.n, 0);
        assert_false(w->manager->update.links_read);
        world_check(w);
        c->manner[1] = MANNER_READY;
        c->asked[1] = false;
        assert_int_equal(client_join(c), 0);
        f.vfs[0].vlan = 7;
        jump(w);
        assert_int_equal(w->manager->arrived_links.items[0].vfs.items[0].vlan, 7);
}

/* Lets everything happen but what the image worker does. */
static void run_luo(World *w) {
        while (worker_dispatch(w->ports.luo_lane) > 0)
                ;
}

/* The reading of an update that was cancelled ends in the middle of the next one, which
 * has to wait for its own. */
static void late_reading(void **state) {
        FakeLinks f;
        _cleanup_world_ World *w = start(&f);
        Refusal refusal;
        Job *j;

        f.world = w;
        assert_int_equal(world_job(w, world_prepare), 0);
        assert_int_equal(manager_freeze(w->manager, 0, &j, &refusal), 0);
        run_luo(w);
        assert_int_equal(manager_cancel(w->manager, 0, &j, &refusal), 0);
        run_luo(w);
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
        assert_int_equal(world_prepare(w->manager, 0, &j, &refusal), 0);
        run_luo(w);
        assert_int_equal(w->manager->phase, PHASE_PREPARED);
        assert_int_equal(manager_freeze(w->manager, 0, &j, &refusal), 0);
        run_luo(w);
        assert_int_equal(f.n_reads[place(nic)], 0);
        world_run(w);
        assert_int_equal(f.n_reads[place(nic)], 2);
        assert_false(f.complete_at_read);
        assert_int_equal(w->manager->phase, PHASE_FROZEN);
        assert_true(w->manager->update.links_read);
        assert_int_equal(w->manager->update.links.n, 1);
        f.world = NULL;
}

/* Not while the next update reads the same settings. */
static void refused_in_an_update(void **state) {
        FakeLinks f;
        _cleanup_world_ World *w = start(&f);
        Refusal refusal;

        assert_true(verify_allowed(w->manager, true, &refusal) < 0);
        assert_int_equal(refusal.reason, REASON_NO_SUCH_DEVICE);
        jump(w);
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
        assert_int_equal(world_load(w), 0);
        assert_int_equal(world_job(w, world_prepare), 0);
        assert_true(verify_allowed(w->manager, true, &refusal) < 0);
        assert_int_equal(refusal.reason, REASON_WRONG_STATE);
        assert_int_equal(verify_allowed(w->manager, false, &refusal), 0);
}

static void no_port(void **state) {
        World *w = world_new();

        w->pci = &pci_ops;
        assert_int_equal(world_boot(w), 0);
        assert_int_equal(devices_scan(w->manager->devices), 0);
        world_run(w);
        assert_int_equal(world_load(w), 0);
        jump(w);
        assert_int_equal(w->manager->arrived_links.n, 0);
        world_free(w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nothing_changed),
                cmocka_unit_test(changed_and_restored),
                cmocka_unit_test(not_restored),
                cmocka_unit_test(vfs_gone_and_new),
                cmocka_unit_test(setting_unreadable),
                cmocka_unit_test(interface_gone),
                cmocka_unit_test(unreadable_before),
                cmocka_unit_test(nonsense_before),
                cmocka_unit_test(nothing_known),
                cmocka_unit_test(restart_in_the_new_kernel),
                cmocka_unit_test(cancelled),
                cmocka_unit_test(late_reading),
                cmocka_unit_test(refused_in_an_update),
                cmocka_unit_test(no_port),
        };

        return cmocka_run_group_tests_name("links", tests, NULL, NULL);
}
