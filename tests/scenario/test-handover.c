/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VFIO devices through whole updates, on fakes of the kernel module and of VFIO: a root
 * port with two network cards below it, and a PF with a VF. What a client preserves, what
 * the daemon holds itself, and what is said when something of it does not go as it should.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/fd.h"
#include "common/names.h"
#include "core/plan.h"
#include "daemon/handover.h"
#include "daemon/hold.h"
#include "daemon/planner.h"
#include "daemon/verify.h"
#include "fakes/shim-fake.h"
#include "scenario/world.h"

static const Address port = { 0, 0, 1, 0 }, card = { 0, 1, 0, 0 }, other = { 0, 1, 1, 0 }, pf = { 0, 1, 2, 0 },
                     vf = { 0, 1, 2, 1 };

typedef struct Machine {
        World *world;
        ShimFake shim;
        Rules rules;
        uint8_t command; /* what configuration space of all functions says */
        bool vfio;       /* all endpoints are bound to vfio-pci */
        bool identity;   /* an IOMMU passes addresses through */
        /* A client of which the daemon sees nothing preserves the device when it is asked to. */
        bool alone;
        int session; /* its own */
        /* Of the last call on a session. */
        int answer, fd;
        Refusal why;
        unsigned n_answers;
} Machine;

/* ---- PCI ---- */

static int add_function(const Machine *m, Topology *t, Address a) {
        Function *f = topology_add(t, a);

        if (!f)
                return -ENOMEM;
        f->vendor = 0x8086;
        f->device = 0x10d3;
        f->power = POWER_D0;
        f->native = NATIVE_MODULE;
        if (address_compare(a, port) == 0) {
                f->port = PORT_ROOT;
                f->header_type = 1;
                f->class_code = 0x060400;
                f->secondary = f->subordinate = 1;
                return 0;
        }
        f->class_code = 0x020000;
        f->is_pf = address_compare(a, pf) == 0;
        f->is_vf = address_compare(a, vf) == 0;
        f->physfn = pf;
        if (m->identity) {
                f->group = (int)t->n; /* one for each */
                f->group_type = strdup("identity");
        }
        if (m->vfio) {
                f->driver = strdup("vfio-pci");
                f->vfio_cdev = strdup("vfio0");
        }
        return 0;
}

static int fake_scan(void *self, Topology *ret) {
        const Address all[] = { port, card, other, pf, vf };
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(all) && r >= 0; i++)
                r = add_function(self, ret, all[i]);
        return r < 0 ? r : topology_link(ret);
}

static int fake_scan_one(void *self, Address address, Topology *t) {
        return add_function(self, t, address);
}

static int fake_read_config(void *self, _unused_ Address address, uint8_t *buf, size_t size) {
        const Machine *m = self;

        memset(buf, 0, MIN_OF(size, (size_t)256));
        buf[0] = 0x86, buf[1] = 0x80, buf[4] = m->command;
        return (int)MIN_OF(size, (size_t)256);
}

static const PciOps pci_ops = { .scan = fake_scan, .scan_one = fake_scan_one, .read_config = fake_read_config };

/* ---- a machine ---- */

static void boot(Machine *m) {
        assert_int_equal(devices_scan(m->world->manager->devices), 0);
        world_run(m->world);
}

static Machine *start_with(const char *rules) {
        Machine *m = calloc(1, sizeof(*m));

        assert_non_null(m);
        m->world = world_new();
        m->vfio = true;
        m->identity = strstr(rules, "identity") != NULL;
        m->fd = m->session = -1;
        shim_fake_init(&m->shim, m->world->luo);
        assert_int_equal(rules_parse(&m->rules, "r", rules, strlen(rules), NULL, NULL), 0);
        m->world->pci = &pci_ops;
        m->world->pci_self = m;
        m->world->shim = shim_fake_port(&m->shim);
        m->world->hold = shim_fake_hold_port(&m->shim);
        m->world->rules = &m->rules;
        assert_int_equal(world_boot(m->world), 0);
        boot(m);
        assert_int_equal(world_load(m->world), 0);
        return m;
}

static Machine *start(void) {
        return start_with("[Rule]\nDma=stop\n");
}

static void stop(Machine **m) {
        fd_close((*m)->fd);
        fd_close((*m)->session);
        world_free((*m)->world);
        shim_fake_done(&(*m)->shim);
        rules_done(&(*m)->rules);
        free(*m);
}
#define _cleanup_machine_ _cleanup_(stop)

/* The next kernel runs. Before the jump the module's list is what is preserved then. */
static void arrive(Machine *m) {
        assert_true(m->world->kexec.jumped);
        shim_fake_done(&m->shim);
        m->shim.n_policies = 0;
        assert_int_equal(world_arrive(m->world), 0);
        hold_arrived(m->world->manager);
        handover_arrived(m->world->manager);
        world_run(m->world);
        boot(m);
}

/* ---- a client's session ---- */

static void answered(void *userdata, _unused_ Session *s, int fd, const Refusal *refusal) {
        Machine *m = userdata;

        m->n_answers++;
        m->answer = refusal ? reason_errno(refusal->reason) : 0;
        m->why = refusal ? *refusal : (Refusal){};
        fd_close(m->fd);
        m->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
}

static Reason preserve_with(Machine *m, Client *c, int fd, uint64_t token, const PreserveOptions *options) {
        Session *s = session_table_find(&m->world->manager->sessions, c->name);

        assert_non_null(s);
        m->why = (Refusal){};
        int r = manager_preserve_file(m->world->manager, s, 0, fd, token, options, answered, m, &m->why);
        if (r >= 0)
                world_run(m->world);
        return m->why.reason;
}

static Reason preserve(Machine *m, Client *c, Address address, uint64_t token) {
        _cleanup_close_ int fd = shim_fake_device(&m->shim, address);

        assert_true(fd >= 0);
        return preserve_with(m, c, fd, token, NULL);
}

static Reason retrieve(Machine *m, Client *c, uint64_t token) {
        Session *s = session_table_find(&m->world->manager->sessions, c->name);

        m->why = (Refusal){};
        int r = manager_retrieve_fd(m->world->manager, s, 0, token, answered, m, &m->why);
        if (r >= 0)
                world_run(m->world);
        return m->why.reason;
}

static void preserve_alone(Machine *m, Address address) {
        _cleanup_close_ int fd = shim_fake_device(&m->shim, address);
        Luo luo = luo_fake_port(m->world->luo);

        assert_int_equal(luo_create_session(&luo, "alone", &m->session), 0);
        assert_int_equal(luo_preserve_fd(&luo, m->session, fd, 1), 0);
}

static Client *client(Machine *m) {
        Client *c = world_client(m->world, "vm-a", false);

        assert_int_equal(client_join(c), 0);
        return c;
}

static int update_with(Machine *m, Address address, Refusal *why) {
        UpdateRequest request = { .devices = malloc(sizeof(address)), .n_devices = 1 };
        Job *j;

        request.devices[0] = address;
        int r = manager_prepare(m->world->manager, 0, &request, &j, why);
        update_request_done(&request);
        if (r < 0)
                return r;
        world_run(m->world);
        if (m->alone && m->world->manager->phase == PHASE_PREPARED)
                preserve_alone(m, address);
        shim_fake_carry(&m->shim);
        r = m->world->manager->phase == PHASE_PREPARED ? manager_update(m->world->manager, 0, NULL, &j, why) : -EIO;
        if (r >= 0)
                world_run(m->world);
        return r;
}

/* ---- capabilities and the next kernel ---- */

static void test_capabilities(void **state) {
        _cleanup_machine_ Machine *m = start();
        Refusal why;

        assert_int_equal(planner_can(m->world->manager), PLAN_CAN_MEMFD | PLAN_CAN_VFIO | PLAN_CAN_VF | PLAN_CAN_DMA);
        m->shim.features = SHIM_VFIO;
        assert_int_equal(planner_can(m->world->manager), PLAN_CAN_MEMFD | PLAN_CAN_VFIO);
        assert_true(update_with(m, vf, &why) < 0);
        assert_int_equal(why.reason, REASON_NO_VF_SUPPORT);
        m->shim.loaded = false;
        assert_int_equal(planner_can(m->world->manager), PLAN_CAN_MEMFD);
        assert_true(update_with(m, card, &why) < 0);
        assert_int_equal(why.reason, REASON_NO_VFIO_SUPPORT);
}

static void test_next_module(void **state) {
        _cleanup_machine_ Machine *m = start();
        Refusal why = {};

        (void)snprintf(m->shim.next, sizeof(m->shim.next), "fake-v2");
        assert_int_equal(world_load(m->world), 0);
        assert_true(update_with(m, card, &why) < 0);
        assert_int_equal(why.reason, REASON_NEXT_SHIM_ABI);
        assert_string_equal(why.detail, "running fake-v1, next fake-v2");
        m->shim.next_error = -ENODATA;
        assert_int_equal(world_load(m->world), 0);
        assert_true(update_with(m, card, &why) < 0);
        assert_int_equal(why.reason, REASON_NEXT_SHIM_ABI);
        /* What is in the initrd comes before what is among the host's modules. */
        NextBoot *boot = &m->world->kexec.boot;
        assert_int_equal(next_boot_add(boot, SHIM_MODULE), 0);
        boot->modules[0].in_initrd = boot->restore = true;
        assert_int_equal(world_load(m->world), 0);
        assert_true(update_with(m, card, &why) < 0);
        assert_int_equal(why.reason, REASON_NEXT_SHIM_ABI);
        (void)snprintf(boot->compatible, sizeof(boot->compatible), "fake-v1");
        assert_int_equal(world_load(m->world), 0);
        m->alone = true;
        assert_int_equal(update_with(m, card, &why), 0);
        assert_true(m->world->kexec.jumped);
}

/* What the next boot has no handler for stays, unless its loss is accepted by name. */
static void test_next_handler_missing(void **state) {
        _cleanup_machine_ Machine *m = start();
        NextBoot *boot = &m->world->kexec.boot;
        char address[ADDRESS_TEXT_SIZE];
        Refusal why = {};

        m->shim.next_error = -ENOENT;
        assert_int_equal(next_boot_add(boot, SHIM_MODULE), 0);
        boot->has_initrd = true;
        assert_int_equal(world_load(m->world), 0);
        assert_true(update_with(m, card, &why) < 0);
        assert_int_equal(why.reason, REASON_INITRD_HANDLER_MISSING);
        address_format(card, address);
        assert_string_equal(why.subject, address);
        assert_string_equal(why.detail, SHIM_MODULE);
        assert_int_equal(m->world->manager->phase, PHASE_NORMAL);

        /* Not known for certain: it may go. */
        (void)snprintf(boot->unread, sizeof(boot->unread), "lzo");
        assert_int_equal(world_load(m->world), 0);
        assert_int_equal(m->world->manager->next.vfio.reason, REASON_INITRD_HANDLER_UNSURE);
        m->alone = true;
        assert_int_equal(update_with(m, card, &why), 0);
        assert_true(m->world->kexec.jumped);
}

/* Neither what was preserved before nor what is preserved while the update is under way. */
static void test_next_handler_forced(void **state) {
        _cleanup_machine_ Machine *m = start();
        Client *c = client(m);
        char address[ADDRESS_TEXT_SIZE];
        Refusal why = {};
        Job *j;

        assert_int_equal(next_boot_add(&m->world->kexec.boot, SHIM_MODULE), 0);
        assert_int_equal(world_load(m->world), 0);
        assert_int_equal(preserve(m, c, card, 8), REASON_NONE);
        assert_true(manager_prepare(m->world->manager, 0, NULL, &j, &why) < 0);
        assert_int_equal(why.reason, REASON_INITRD_HANDLER_MISSING);
        address_format(card, address); /* the function is the first of the two */
        assert_string_equal(why.subject, address);

        UpdateRequest request = { .exceptions = calloc(2, sizeof(char *)), .n_exceptions = 1 };
        request.exceptions[0] = strdup("vm-a/8");
        assert_int_equal(manager_prepare(m->world->manager, 0, &request, &j, &why), 0);
        update_request_done(&request);
        world_run(m->world);
        assert_int_equal(m->world->manager->phase, PHASE_PREPARED);
        assert_int_equal(preserve(m, c, other, 9), REASON_INITRD_HANDLER_MISSING);
        shim_fake_carry(&m->shim);
        assert_int_equal(manager_update(m->world->manager, 0, NULL, &j, &why), 0);
        world_run(m->world);
        assert_true(m->world->kexec.jumped);
}

/* Without devices nobody cares. */
static void test_next_module_unused(void **state) {
        _cleanup_machine_ Machine *m = start();

        m->shim.next_error = -ENODATA;
        assert_int_equal(world_load(m->world), 0);
        assert_int_equal(world_job(m->world, world_update), 0);
        assert_true(m->world->kexec.jumped);
}

/* The fake image says nothing of VFs. */
static void test_next_kernel_without_vfs(void **state) {
        _cleanup_machine_ Machine *m = start();
        Refusal why;

        assert_true(update_with(m, vf, &why) < 0);
        assert_int_equal(why.reason, REASON_NEXT_NO_VF);
}

/* ---- preserving ---- */

static void test_through_an_update(void **state) {
        _cleanup_machine_ Machine *m = start();
        Client *c = client(m);
        _cleanup_free_ SessionDevice *cut = NULL;
        size_t n = 0;
        Refusal why;

        assert_int_equal(preserve(m, c, card, 8), REASON_NONE);
        assert_int_equal(shim_fake_policy(&m->shim, card), SHIM_POLICY_STOP);
        assert_non_null(shim_list_find(&m->world->manager->handover.outgoing, card));
        m->command = 4;
        assert_int_equal(update_with(m, card, &why), 0);
        arrive(m);

        Job *j = m->world->manager->incoming.job;
        assert_int_equal(j->handed_expected, 1);
        assert_int_equal(j->handed_arrived, 1);
        assert_int_equal(j->handed_lost, 0);
        Session *s = session_table_find(&m->world->manager->sessions, c->name);
        assert_int_equal(session_interrupted_devices(s, &cut, &n), 0);
        assert_int_equal(n, 1);
        assert_int_equal(cut[0].token, 8);
        assert_int_equal(address_compare(cut[0].address, card), 0);

        m->command = 0; /* stopped, and held so */
        assert_int_equal(client_return(c), 0);
        assert_int_equal(retrieve(m, c, 8), REASON_NONE);
        assert_true(m->fd >= 0);
        assert_int_equal(j->bus_master_wrong, 0);
        assert_null(m->world->manager->notice);
        assert_int_equal(client_finish(c), 0);
        assert_int_equal(m->world->manager->phase, PHASE_NORMAL);
        world_check(m->world);
}

/* A device that only is in a session, from before the update or from its PREPARE on, is
 * one of the update's all the same: checked in the plan, compared after the jump. */
static void test_only_in_a_session(void **state) {
        for (int late = 0; late < 2; late++) {
                _cleanup_machine_ Machine *m = start();
                Manager *manager = m->world->manager;
                Client *c = client(m);
                Refusal why;
                Job *j;

                if (!late)
                        assert_int_equal(preserve(m, c, card, 8), REASON_NONE);
                assert_int_equal(manager_prepare(manager, 0, NULL, &j, &why), 0);
                if (late) {
                        assert_int_equal(manager->phase, PHASE_PREPARING);
                        assert_int_equal(preserve(m, c, card, 8), REASON_NONE);
                }
                world_run(m->world);
                assert_int_equal(manager->phase, PHASE_PREPARED);
                shim_fake_carry(&m->shim);
                assert_int_equal(manager_update(manager, 0, NULL, &j, &why), 0);
                world_run(m->world);
                arrive(m);
                assert_int_equal(m->world->manager->arrived.n, 2); /* and the port above it */
                assert_int_equal(client_return(c), 0);
        }
}

/* One that the plan refuses is refused wherever it is. */
static void test_session_in_the_plan(void **state) {
        _cleanup_machine_ Machine *m = start();
        Client *c = client(m);
        Refusal why;

        assert_int_equal(preserve(m, c, card, 8), REASON_NONE);
        m->shim.next_error = -ENODATA;
        assert_int_equal(world_load(m->world), 0);
        Job *j;
        assert_true(manager_prepare(m->world->manager, 0, NULL, &j, &why) < 0);
        assert_int_equal(why.reason, REASON_NEXT_SHIM_ABI);
        assert_int_equal(m->world->manager->phase, PHASE_NORMAL);
}

/* Somebody set Bus Master before its user had the device. */
static void test_bus_master_wrong(void **state) {
        _cleanup_machine_ Machine *m = start();
        Client *c = client(m);
        Refusal why;

        assert_int_equal(preserve(m, c, card, 8), REASON_NONE);
        assert_int_equal(update_with(m, card, &why), 0);
        arrive(m);
        m->command = 4;
        assert_int_equal(client_return(c), 0);
        assert_int_equal(retrieve(m, c, 8), REASON_NONE);
        assert_int_equal(m->world->manager->incoming.job->bus_master_wrong, 1);
        assert_non_null(strstr(m->world->manager->notice, "0000:01:00.0"));
        /* Only the first time: later it is the client's. */
        shim_fake_incoming(&m->shim, card)->state = SHIM_BOUND;
        assert_int_equal(retrieve(m, c, 8), REASON_NONE);
        assert_int_equal(m->world->manager->incoming.job->bus_master_wrong, 1);
}

static void compared(void *userdata, int r, const VerifyResult *result) {
        size_t *against = userdata;

        assert_int_equal(r, 0);
        *against = result->against;
}

/* Until its user has it, Bus Master of a stopped device has to be off. */
static void test_bus_master_verified(void **state) {
        _cleanup_machine_ Machine *m = start();
        Client *c = client(m);
        size_t against = 0;
        Refusal why;

        assert_int_equal(preserve(m, c, card, 8), REASON_NONE);
        assert_int_equal(update_with(m, card, &why), 0);
        arrive(m);
        m->command = 4;
        assert_int_equal(verify_compare(m->world->manager, compared, &against), 0);
        world_run(m->world);
        assert_int_equal(against, 1); /* not that of the port above */
        shim_fake_incoming(&m->shim, card)->state = SHIM_RETRIEVED;
        assert_int_equal(verify_compare(m->world->manager, compared, &against), 0);
        world_run(m->world);
        assert_int_equal(against, 0);
}

static void test_bus_master_kept(void **state) {
        _cleanup_machine_ Machine *m = start_with("[Rule]\nDma=keep\n");
        Client *c = client(m);
        const PreserveOptions all = { .dma_complete = true };
        Refusal why;

        _cleanup_close_ int fd = shim_fake_device(&m->shim, card);
        assert_int_equal(preserve_with(m, c, fd, 8, &all), REASON_NONE);
        m->command = 4;
        assert_int_equal(update_with(m, card, &why), 0);
        arrive(m);
        m->command = 0; /* it was to stay on */
        assert_int_equal(client_return(c), 0);
        assert_int_equal(retrieve(m, c, 8), REASON_NONE);
        assert_int_equal(m->world->manager->incoming.job->bus_master_wrong, 1);
}

/* Behind an IOMMU that passes addresses through, DMA goes on until RETRIEVE_FD only. */
static void test_bus_master_identity(void **state) {
        _cleanup_machine_ Machine *m = start_with("[Rule]\nDma=keep-identity\n");
        Client *c = client(m);
        const PreserveOptions all = { .dma_complete = true };
        size_t against = 0;
        Refusal why;

        _cleanup_close_ int fd = shim_fake_device(&m->shim, card);
        assert_int_equal(preserve_with(m, c, fd, 8, &all), REASON_NONE);
        assert_int_equal(shim_fake_policy(&m->shim, card), SHIM_POLICY_IDENTITY);
        m->command = 4;
        assert_int_equal(update_with(m, card, &why), 0);
        arrive(m);
        m->command = 0;
        assert_int_equal(verify_compare(m->world->manager, compared, &against), 0);
        world_run(m->world);
        assert_int_equal(against, 1);
        assert_int_equal(client_return(c), 0);
        assert_int_equal(retrieve(m, c, 8), REASON_NONE);
        assert_int_equal(m->world->manager->incoming.job->bus_master_wrong, 0);
        shim_fake_incoming(&m->shim, card)->state = SHIM_BOUND;
        assert_int_equal(verify_compare(m->world->manager, compared, &against), 0);
        world_run(m->world);
        assert_int_equal(against, 0);
}

/* VFs are not there before their PF's user has adopted them: until then nothing is wrong. */
static void test_compared_when_adopted(void **state) {
        _cleanup_machine_ Machine *m = start();
        Client *c = client(m);
        Refusal why;

        m->world->manager->next.no_vf = false; /* the fake image says nothing of them */
        assert_int_equal(preserve(m, c, pf, 8), REASON_NONE);
        assert_int_equal(preserve(m, c, vf, 9), REASON_NONE);
        assert_int_equal(update_with(m, vf, &why), 0);
        arrive(m);
        Job *j = m->world->manager->incoming.job;
        j->registers_equal = 0; /* they were there when this kernel began */
        shim_fake_incoming(&m->shim, vf)->kind = SHIM_KIND_VF;
        shim_fake_incoming(&m->shim, vf)->state = SHIM_MISSING;
        verify_arrived(m->world->manager);
        world_run(m->world);
        assert_int_equal(j->registers_equal, 0);
        assert_true(m->world->manager->verify_waits);
        shim_fake_incoming(&m->shim, vf)->state = SHIM_WAITING;
        assert_int_equal(handover_read(m->world->manager, NULL, NULL), 0);
        world_run(m->world);
        assert_true(j->registers_equal > 0);
        assert_false(m->world->manager->verify_waits);
        assert_null(m->world->manager->notice);
}

static void test_order(void **state) {
        _cleanup_machine_ Machine *m = start();
        Client *c = client(m);
        int memory;

        assert_int_equal(memfd_new("more", 4096, &memory), 0);
        assert_int_equal(preserve(m, c, card, 8), REASON_NONE);
        assert_int_equal(preserve_with(m, c, memory, 9, NULL), REASON_WRONG_ORDER);
        assert_int_equal(preserve(m, c, other, 9), REASON_NONE);
        fd_close(memory);
}

/* A device that could not be preserved stands in nobody's way. */
static void test_order_after_failure(void **state) {
        _cleanup_machine_ Machine *m = start();
        Client *c = client(m);
        int memory;

        assert_int_equal(memfd_new("more", 4096, &memory), 0);
        m->shim.policy_error = -EIO;
        assert_int_equal(preserve(m, c, card, 8), REASON_SHIM_FAILED);
        assert_string_equal(m->why.subject, "vm-a token 8, 0000:01:00.0");
        m->shim.policy_error = 0;
        assert_int_equal(preserve_with(m, c, memory, 9, NULL), REASON_NONE);
        fd_close(memory);
}

static void test_policy_refused(void **state) {
        _cleanup_machine_ Machine *m = start();
        Client *c = client(m);

        m->shim.policy_ignored = true;
        assert_int_equal(preserve(m, c, card, 8), REASON_SHIM_FAILED);
        m->shim.policy_ignored = false;
        _cleanup_close_ int fd = shim_fake_device(&m->shim, card);
        assert_int_equal(preserve_with(m, c, fd, 8, NULL), REASON_NONE);
        assert_int_equal(preserve_with(m, c, fd, 9, NULL), REASON_ALREADY_PRESERVED);
        m->shim.unidentified = true;
        assert_int_equal(preserve(m, c, other, 9), REASON_VFIO_UNKNOWN);
}

/* The kernel's words for what the module refuses. */
static void test_kernel_refuses(void **state) {
        static const struct {
                int error;
                Reason reason;
        } cases[] = { { EPERM, REASON_DMA_REFUSED },      { EBADFD, REASON_VFIO_NOT_BOUND },
                      { EHOSTDOWN, REASON_NOT_D0 },       { ENODEV, REASON_DEVICE_VANISHED },
                      { ENOSPC, REASON_SHIM_FULL },       { ENOENT, REASON_NO_VFIO_SUPPORT },
                      { EBUSY, REASON_ALREADY_PRESERVED } };
        _cleanup_machine_ Machine *m = start();
        Client *c = client(m);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_close_ int fd = shim_fake_device(&m->shim, card);
                Session *s = session_table_find(&m->world->manager->sessions, c->name);

                m->why = (Refusal){};
                assert_int_equal(manager_preserve_file(m->world->manager, s, 0, fd, 8, NULL, answered, m, &m->why), 0);
                luo_fake_fail(m->world->luo, 1, cases[i].error);
                world_run(m->world);
                luo_fake_fail(m->world->luo, 0, 0);
                assert_int_equal(m->why.reason, cases[i].reason);
        }
}

static void test_denied(void **state) {
        _cleanup_machine_ Machine *m = start_with("[Rule]\nAddress=01:00.0\nAction=deny\n");
        Client *c = client(m);

        assert_int_equal(preserve(m, c, card, 8), REASON_RULE_DENIES);
        assert_int_equal(preserve(m, c, (Address){ 0, 9, 0, 0 }, 8), REASON_NO_SUCH_DEVICE);
        assert_int_equal(preserve(m, c, other, 8), REASON_NONE);
}

static void test_declared(void **state) {
        static const uint64_t right[] = { 7 }, wrong[] = { 7, 9 };
        const PreserveOptions complete = { .dma_complete = true }, named = { .dma_memory = right, .n_dma_memory = 1 },
                              missing = { .dma_memory = wrong, .n_dma_memory = 2 };
        _cleanup_machine_ Machine *m = start_with("[Rule]\nDma=keep\n");
        Client *c = client(m);
        _cleanup_close_ int a = shim_fake_device(&m->shim, card), b = shim_fake_device(&m->shim, other);

        assert_int_equal(preserve_with(m, c, a, 8, NULL), REASON_DMA_UNDECLARED);
        assert_int_equal(preserve_with(m, c, a, 8, &(PreserveOptions){}), REASON_DMA_UNDECLARED);
        assert_int_equal(preserve_with(m, c, a, 8, &missing), REASON_DMA_MEMORY_MISSING);
        assert_int_equal(preserve_with(m, c, a, 8, &named), REASON_NONE);
        assert_int_equal(shim_fake_policy(&m->shim, card), SHIM_POLICY_CONTINUE);
        assert_int_equal(preserve_with(m, c, b, 9, &complete), REASON_NONE);
        /* Where the kernel cannot do it, DMA stops and nothing need be declared. */
        m->shim.features = SHIM_VFIO;
        assert_int_equal(preserve(m, c, pf, 10), REASON_NONE);
        assert_int_equal(shim_fake_policy(&m->shim, pf), SHIM_POLICY_STOP);
}

static void test_vf_after_pf(void **state) {
        _cleanup_machine_ Machine *m = start();
        Client *c = client(m);

        m->world->manager->next.no_vf = false;
        assert_int_equal(preserve(m, c, vf, 8), REASON_PF_NOT_PRESERVED);
        assert_string_equal(m->why.detail, "0000:01:02.0");
        assert_int_equal(preserve(m, c, pf, 8), REASON_NONE);
        m->world->manager->next.no_vf = true;
        assert_int_equal(preserve(m, c, vf, 9), REASON_NEXT_NO_VF);
        m->world->manager->next.no_vf = false;
        assert_int_equal(preserve(m, c, vf, 9), REASON_NONE);
}

/* A policy is set for devices that clients preserve on their own, and not if it is right. */
static void test_policies_at_prepare(void **state) {
        _cleanup_machine_ Machine *m = start_with("[Rule]\nDma=keep\n");
        Refusal why;

        m->alone = true;
        assert_int_equal(update_with(m, card, &why), 0);
        assert_true(m->world->kexec.jumped);
        assert_int_equal(shim_fake_policy(&m->shim, card), SHIM_POLICY_CONTINUE);
        assert_int_equal(shim_fake_policy(&m->shim, other), SHIM_POLICY_DEFAULT);
}

static void test_policy_refused_at_prepare(void **state) {
        _cleanup_machine_ Machine *m = start_with("[Rule]\nDma=keep\n");
        Refusal why;

        m->shim.policy_error = -EBUSY;
        assert_int_equal(update_with(m, card, &why), -EIO);
        assert_int_equal(m->world->manager->phase, PHASE_NORMAL);
        assert_int_equal(m->world->last_failure.reason, REASON_SHIM_FAILED);
        m->shim.policy_error = 0;
        m->alone = true;
        assert_int_equal(update_with(m, card, &why), 0);
        assert_true(m->world->kexec.jumped);
}

/* Who asks for a device is not told that all is well when nobody has preserved it. */
static void test_requested_by_name(void **state) {
        for (unsigned excepted = 0; excepted < 2; excepted++) {
                _cleanup_machine_ Machine *m = start();
                Client *c = client(m);
                UpdateRequest request = { .devices = calloc(2, sizeof(Address)),
                                          .n_devices = 2,
                                          .exceptions = calloc(2, sizeof(char *)),
                                          .n_exceptions = excepted };
                char address[ADDRESS_TEXT_SIZE];
                Refusal why;
                Job *j;

                address_format(other, address);
                request.devices[0] = card;
                request.devices[1] = other;
                if (excepted)
                        request.exceptions[0] = strdup(address);
                assert_int_equal(preserve(m, c, card, 8), REASON_NONE);
                assert_int_equal(manager_update(m->world->manager, 0, &request, &j, &why), 0);
                update_request_done(&request);
                world_run(m->world);
                assert_true(m->world->kexec.jumped == !!excepted);
                if (excepted)
                        continue;
                assert_int_equal(m->world->manager->phase, PHASE_NORMAL);
                assert_int_equal(m->world->last_failure.reason, REASON_DEVICE_NOT_PRESERVED);
                assert_string_equal(m->world->last_failure.subject, address);
                assert_int_equal(c->told[2], 1);
        }
}

/* Nor when it is given up while the module is asked for it. */
static void test_requested_and_closed(void **state) {
        _cleanup_machine_ Machine *m = start();
        Manager *manager = m->world->manager;
        Client *c = client(m);
        UpdateRequest request = { .devices = calloc(1, sizeof(Address)), .n_devices = 1 };
        Refusal why;
        Job *j;

        request.devices[0] = card;
        assert_int_equal(preserve(m, c, card, 8), REASON_NONE);
        assert_int_equal(manager_prepare(manager, 0, &request, &j, &why), 0);
        update_request_done(&request);
        world_run(m->world);
        c->manner[1] = MANNER_SILENT;
        assert_int_equal(manager_update(manager, 0, NULL, &j, &why), 0);
        world_run(m->world);
        assert_int_equal(manager_ready(manager, c->participant, WANT_FREEZE, &why), 0);
        assert_true(manager->update.requested_asked);
        Session *s = session_table_find(&manager->sessions, c->name);
        assert_int_equal(manager_close_session(manager, s, 0, answered, m, &why), 0);
        world_run(m->world);
        assert_false(m->world->kexec.jumped);
        assert_int_equal(manager->phase, PHASE_NORMAL);
        assert_int_equal(m->world->last_failure.reason, REASON_DEVICE_NOT_PRESERVED);
}

/* ---- what does not come in ---- */

static void test_lost(void **state) {
        static const struct {
                ShimState state;
                ShimKind kind;
                bool lost;
        } cases[] = { { SHIM_MISSING, SHIM_FUNCTION, true },
                      { SHIM_MISMATCH, SHIM_FUNCTION, true },
                      { SHIM_FAILED, SHIM_FUNCTION, true },
                      { SHIM_MISSING, SHIM_KIND_VF, false },
                      { SHIM_WAITING, SHIM_FUNCTION, false } };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_machine_ Machine *m = start();
                Client *c = client(m);
                Refusal why;

                assert_int_equal(preserve(m, c, card, 8), REASON_NONE);
                assert_int_equal(update_with(m, card, &why), 0);
                shim_fake_incoming(&m->shim, card)->state = cases[i].state;
                shim_fake_incoming(&m->shim, card)->kind = cases[i].kind;
                arrive(m);
                Job *j = m->world->manager->incoming.job;
                assert_int_equal(j->handed_lost, cases[i].lost);
                assert_int_equal(j->handed_arrived, !cases[i].lost);
                assert_int_equal(m->world->manager->notice != NULL, cases[i].lost);
        }
}

/* The module of the next kernel knows of nothing. */
static void test_unknown(void **state) {
        _cleanup_machine_ Machine *m = start();
        Client *c = client(m);
        Refusal why;

        assert_int_equal(preserve(m, c, card, 8), REASON_NONE);
        assert_int_equal(update_with(m, card, &why), 0);
        m->shim.n_incoming = 0;
        arrive(m);
        assert_int_equal(m->world->manager->incoming.job->handed_lost, 1);
        assert_non_null(strstr(m->world->manager->notice, "0000:01:00.0 is not known"));
}

/* Too early would be final: the kernel is not asked. */
static void test_not_ready(void **state) {
        _cleanup_machine_ Machine *m = start();
        Client *c = client(m);
        Refusal why;

        assert_int_equal(preserve(m, c, card, 8), REASON_NONE);
        assert_int_equal(update_with(m, card, &why), 0);
        ShimDevice *d = shim_fake_incoming(&m->shim, card);
        d->driver[0] = '\0';
        arrive(m);
        assert_int_equal(client_return(c), 0);
        uint64_t calls = luo_fake_calls(m->world->luo);
        assert_int_equal(retrieve(m, c, 8), REASON_DEVICE_NOT_READY);
        assert_int_equal(luo_fake_calls(m->world->luo), calls);
        d->state = SHIM_MISSING;
        d->kind = SHIM_KIND_VF;
        assert_int_equal(retrieve(m, c, 8), REASON_DEVICE_NOT_READY);
        d->state = SHIM_WAITING;
        (void)snprintf(d->driver, sizeof(d->driver), "vfio-pci");
        assert_int_equal(retrieve(m, c, 8), REASON_NONE);
        assert_true(m->fd >= 0);
}

/* ---- held devices ---- */

static void hold_answered(void *userdata, const Refusal *refusal) {
        answered(userdata, NULL, -1, refusal);
}

static Reason hold(Machine *m, Address address, bool rebind) {
        unsigned before = m->n_answers;

        m->why = (Refusal){};
        int r = hold_device(m->world->manager, address, rebind, hold_answered, m, &m->why);
        if (r >= 0) {
                world_run(m->world);
                assert_int_equal(m->n_answers, before + 1);
        }
        return m->why.reason;
}

static Reason release(Machine *m, Address address) {
        m->why = (Refusal){};
        if (hold_release(m->world->manager, address, hold_answered, m, &m->why) >= 0)
                world_run(m->world);
        return m->why.reason;
}

/* The whole update in two steps, so that the module's list is taken between them. */
static int update(Machine *m) {
        Refusal why;
        Job *j;

        if (world_job(m->world, world_prepare) < 0)
                return -EIO;
        shim_fake_carry(&m->shim);
        int r = manager_update(m->world->manager, 0, NULL, &j, &why);
        if (r >= 0)
                world_run(m->world);
        return r;
}

static void test_hold(void **state) {
        _cleanup_machine_ Machine *m = start();

        assert_int_equal(hold(m, card, false), REASON_NONE);
        assert_int_equal(hold(m, card, false), REASON_DEVICE_HELD);
        assert_int_equal(hold(m, port, false), REASON_DEVICE_IS_BRIDGE);
        assert_int_equal(hold(m, vf, false), REASON_INVALID_ARGUMENT);
        assert_int_equal(hold(m, (Address){ 0, 9, 0, 0 }, false), REASON_NO_SUCH_DEVICE);
        assert_int_equal(m->shim.n_bound, 1);
        assert_int_equal(release(m, other), REASON_DEVICE_NOT_HELD);
        assert_int_equal(release(m, card), REASON_NONE);
        assert_int_equal(m->shim.n_bound, 0);
        assert_int_equal(m->world->manager->holds.n, 0);
        assert_int_equal(release(m, card), REASON_DEVICE_NOT_HELD);
        m->shim.in_use = true;
        assert_int_equal(hold(m, card, false), REASON_DRIVER_IN_USE);
        assert_int_equal(m->world->manager->holds.n, 0);
        assert_int_equal(hold(m, card, true), REASON_NONE);
}

static void test_hold_denied(void **state) {
        _cleanup_machine_ Machine *m = start_with("[Rule]\nAction=deny\n");

        assert_int_equal(hold(m, card, false), REASON_RULE_DENIES);
        assert_int_equal(m->shim.n_bound, 0);
}

/* Each step fails once: nothing is left of it. */
static void test_hold_fails(void **state) {
        static const Reason reasons[] = {
                [HOLD_STEP_BIND] = REASON_NOT_VFIO_DRIVER,
                [HOLD_STEP_OPEN] = REASON_NO_VFIO_CDEV,
                [HOLD_STEP_ATTACH] = REASON_SYSTEM,
        };
        _cleanup_machine_ Machine *m = start();

        for (HoldStep step = HOLD_STEP_BIND; step <= HOLD_STEP_ATTACH; step++) {
                m->shim.fail = step;
                assert_int_equal(hold(m, card, false), reasons[step]);
                assert_int_equal(m->shim.n_bound, 0);
                assert_int_equal(m->world->manager->holds.n, 0);
        }
        m->shim.fail = HOLD_STEP_NONE;
        assert_int_equal(hold(m, card, false), REASON_NONE);
}

static void test_hold_through_updates(void **state) {
        _cleanup_machine_ Machine *m = start();
        Client *c = client(m);

        assert_int_equal(hold(m, card, false), REASON_NONE);
        assert_int_equal(hold(m, other, false), REASON_NONE);
        for (unsigned round = 1; round <= 2; round++) {
                unsigned attached = m->shim.n_attached;
                assert_int_equal(update(m), 0);
                assert_int_equal(m->shim.n_incoming, 2);
                arrive(m);
                Manager *manager = m->world->manager;
                assert_int_equal(m->shim.n_attached, attached + 2);
                assert_int_equal(manager->holds.n, 2);
                assert_int_equal(manager->holds.items[0].state, HOLD_HELD);
                assert_int_equal(manager->incoming.job->handed_arrived, 2);
                /* Nobody else has to do anything for it, or can. */
                assert_int_equal(session_table_find(&manager->sessions, HOLD_SESSION_NAME)->state, SESSION_FINISHED);
                assert_int_equal(luo_fake_finishes(m->world->luo, HOLD_SESSION_NAME), round);
                assert_int_equal(client_return(c), 0);
                assert_int_equal(client_finish(c), 0);
                assert_int_equal(manager->phase, PHASE_NORMAL);
                assert_null(manager->notice);
                assert_int_equal(manager->arrived.n, 3); /* with the port above */
                world_check(m->world);
                /* The descriptors of this kernel. */
                for (size_t i = 0; i < manager->holds.n; i++) {
                        m->shim.known[i].address = manager->holds.items[i].address;
                        m->shim.known[i].fd = fcntl(manager->holds.items[i].device_fd, F_DUPFD_CLOEXEC, 3);
                }
                m->shim.n_known = manager->holds.n;
                assert_int_equal(world_load(m->world), 0);
                c->participant = NULL;
                c->session_fd = fd_close(c->session_fd);
                assert_int_equal(client_join(c), 0);
        }
        assert_int_equal(release(m, card), REASON_NONE);
        assert_int_equal(release(m, other), REASON_NONE);
}

/* A rollback takes them out of the update, and leaves them held. */
static void test_hold_cancelled(void **state) {
        _cleanup_machine_ Machine *m = start();

        assert_int_equal(hold(m, card, false), REASON_NONE);
        assert_int_equal(world_job(m->world, world_prepare), 0);
        assert_non_null(shim_list_find(&m->world->manager->handover.outgoing, card));
        assert_int_equal(release(m, card), REASON_WRONG_STATE);
        assert_int_equal(hold(m, other, false), REASON_WRONG_STATE);
        assert_int_equal(world_job(m->world, manager_cancel), 0);
        assert_int_equal(m->world->manager->phase, PHASE_NORMAL);
        assert_null(session_table_find(&m->world->manager->sessions, HOLD_SESSION_NAME));
        assert_null(shim_list_find(&m->world->manager->handover.outgoing, card));
        assert_int_equal(m->world->manager->holds.n, 1);
        assert_int_equal(update(m), 0);
        assert_true(m->world->kexec.jumped);
}

static void test_hold_cannot_be_preserved(void **state) {
        _cleanup_machine_ Machine *m = start();

        assert_int_equal(hold(m, card, false), REASON_NONE);
        m->shim.policy_ignored = true;
        assert_int_equal(world_job(m->world, world_prepare), -ECANCELED);
        assert_int_equal(m->world->manager->phase, PHASE_NORMAL);
        assert_int_equal(m->world->last_failure.reason, REASON_SHIM_FAILED);
        assert_int_equal(m->world->manager->sessions.n, 0);
        /* The plan is strict about held devices. */
        m->shim.policy_ignored = false;
        m->shim.loaded = false;
        assert_true(world_job(m->world, world_prepare) < 0);
        assert_int_equal(m->world->last_failure.reason, REASON_NO_VFIO_SUPPORT);
}

/* Every call of the LUO port at PREPARE fails once. */
static void test_hold_faults(void **state) {
        for (uint64_t n = 1; n <= 12; n++) {
                _cleanup_machine_ Machine *m = start();

                assert_int_equal(hold(m, card, false), REASON_NONE);
                luo_fake_fail(m->world->luo, n, EIO);
                int r = world_job(m->world, world_prepare);
                luo_fake_fail(m->world->luo, 0, 0);
                assert_int_equal(m->world->manager->phase, r == 0 ? PHASE_PREPARED : PHASE_NORMAL);
                if (r < 0)
                        assert_int_equal(m->world->manager->sessions.n, 0);
                else
                        assert_int_equal(world_job(m->world, manager_cancel), 0);
                assert_int_equal(m->world->manager->holds.n, 1);
                world_check(m->world);
        }
}

static void test_hold_does_not_come_back(void **state) {
        _cleanup_machine_ Machine *m = start();

        assert_int_equal(hold(m, card, false), REASON_NONE);
        assert_int_equal(hold(m, other, false), REASON_NONE);
        assert_int_equal(update(m), 0);
        shim_fake_incoming(&m->shim, card)->state = SHIM_MISSING;
        arrive(m);
        assert_int_equal(m->world->manager->holds.n, 1);
        assert_int_equal(address_compare(m->world->manager->holds.items[0].address, other), 0);
        assert_int_equal(m->world->manager->phase, PHASE_NORMAL);
        assert_non_null(m->world->manager->notice);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_capabilities),
                cmocka_unit_test(test_next_module),
                cmocka_unit_test(test_next_module_unused),
                cmocka_unit_test(test_next_handler_missing),
                cmocka_unit_test(test_next_handler_forced),
                cmocka_unit_test(test_next_kernel_without_vfs),
                cmocka_unit_test(test_through_an_update),
                cmocka_unit_test(test_only_in_a_session),
                cmocka_unit_test(test_session_in_the_plan),
                cmocka_unit_test(test_bus_master_wrong),
                cmocka_unit_test(test_bus_master_verified),
                cmocka_unit_test(test_bus_master_kept),
                cmocka_unit_test(test_bus_master_identity),
                cmocka_unit_test(test_compared_when_adopted),
                cmocka_unit_test(test_order),
                cmocka_unit_test(test_order_after_failure),
                cmocka_unit_test(test_policy_refused),
                cmocka_unit_test(test_kernel_refuses),
                cmocka_unit_test(test_denied),
                cmocka_unit_test(test_declared),
                cmocka_unit_test(test_vf_after_pf),
                cmocka_unit_test(test_policies_at_prepare),
                cmocka_unit_test(test_policy_refused_at_prepare),
                cmocka_unit_test(test_requested_by_name),
                cmocka_unit_test(test_requested_and_closed),
                cmocka_unit_test(test_lost),
                cmocka_unit_test(test_unknown),
                cmocka_unit_test(test_not_ready),
                cmocka_unit_test(test_hold),
                cmocka_unit_test(test_hold_denied),
                cmocka_unit_test(test_hold_fails),
                cmocka_unit_test(test_hold_through_updates),
                cmocka_unit_test(test_hold_cancelled),
                cmocka_unit_test(test_hold_cannot_be_preserved),
                cmocka_unit_test(test_hold_faults),
                cmocka_unit_test(test_hold_does_not_come_back),
        };

        return cmocka_run_group_tests_name("handover", tests, NULL, NULL);
}
