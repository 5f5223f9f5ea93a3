/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Jump=systemd: the way through a shutdown that ends this daemon and its clients before
 * the kernel changes. */
#include "world.h"

#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>

#include "common/fd.h"

/* A service manager, and the process that keeps descriptors. */
typedef struct Systemd {
        int kept[16];
        size_t n_kept;
        bool begun, called_off;
        const char *scheduled; /* a shutdown of this kind, in a minute */
        World *world;
        unsigned fail_keep, fail_begin, n_released;
} Systemd;

static int fake_release(void *self) {
        Systemd *s = self;

        for (size_t i = 0; i < s->n_kept; i++)
                fd_close(s->kept[i]);
        s->n_kept = 0;
        s->n_released++;
        return 0;
}

/* Half of it is there when it fails. */
static int fake_keep(void *self, const int *fds, size_t n, Refusal *refusal) {
        Systemd *s = self;

        assert_int_equal(s->n_kept, 0);
        for (size_t i = 0; i < n; i++) {
                if (s->fail_keep && i == n - 1)
                        return refuse(refusal, REASON_SHUTDOWN_FAILED, "keeper", "a fault");
                s->kept[s->n_kept++] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
        }
        return 0;
}

static int fake_begin(void *self, Refusal *refusal) {
        Systemd *s = self;

        if (s->fail_begin)
                return refuse(refusal, REASON_SHUTDOWN_FAILED, "kexec.target", "a fault");
        s->begun = true;
        return 0;
}

static int fake_running(void *self) {
        Systemd *s = self;

        return s->begun && !s->called_off;
}

static int fake_scheduled(void *self, char mode[static SCHEDULED_MODE_SIZE], uint64_t *ret_usec) {
        const Systemd *s = self;

        if (!s->scheduled)
                return 0;
        const Ports *p = s->world->manager->ports;
        (void)snprintf(mode, SCHEDULED_MODE_SIZE, "%s", s->scheduled);
        *ret_usec = p->clock->realtime_usec(p->clock_self) + 60 * USEC_PER_SEC;
        return 1;
}

static const ShutdownOps ops = { .scheduled = fake_scheduled,
                                 .keep = fake_keep,
                                 .begin = fake_begin,
                                 .running = fake_running,
                                 .release = fake_release };

static World *world_with(Systemd *s) {
        World *w = world_new();

        w->shutdown = &ops;
        w->shutdown_self = s;
        w->with_store = true;
        w->store_max = 64;
        assert_int_equal(world_boot(w), 0);
        w->config.jump = JUMP_SYSTEMD;
        assert_int_equal(world_load(w), 0);
        assert_int_equal(client_join(world_client(w, "vm-a", false)), 0);
        assert_int_equal(client_join(world_client(w, "vm-b", true)), 0);
        return w;
}

static void begin(World *w) {
        Refusal refusal;
        Job *j;

        assert_int_equal(world_update(w->manager, 0, &j, &refusal), 0);
        world_run(w);
        assert_int_equal(w->manager->phase, PHASE_JUMPING);
}

/* Clients and daemon are stopped, the store of a stopped service is emptied, and what is
 * left of user space calls reboot(2). */
static void shut_down(World *w, Systemd *s) {
        Kexec kexec = kexec_fake_port(&w->kexec);

        world_crash(w);
        for (size_t i = 0; i < w->n_stored; i++)
                fd_close(w->stored[i].fd);
        w->n_stored = 0;
        for (size_t i = 0; i < w->n_clients; i++) {
                w->clients[i].session_fd = fd_close(w->clients[i].session_fd);
                w->clients[i].lease = fd_close(w->clients[i].lease);
        }
        assert_int_equal(kexec_jump(&kexec, NULL), 0);
        (void)fake_release(s);
        s->begun = false;
}

static void test_through_shutdown(void **state) {
        Systemd s = {};
        _cleanup_world_ World *w = world_with(&s);

        begin(w);
        assert_true(s.begun);
        assert_int_equal(s.n_kept, 3); /* ours, and both clients' */
        assert_false(w->kexec.jumped);
        assert_false(manager_cancelable(w->manager));
        world_wait(w, 5 * USEC_PER_SEC);
        assert_int_equal(w->manager->phase, PHASE_JUMPING);
        shut_down(w, &s);
        assert_int_equal(world_arrive(w), 0);
        world_come_back(w);
}

/* Whatever the way: logind would end the machine while the update is under way. */
static void test_scheduled(void **state) {
        Systemd s = { .scheduled = "reboot" };
        _cleanup_world_ World *w = world_with(&s);

        s.world = w;
        for (JumpWay way = 0; way < _JUMP_WAY_MAX; way++) {
                w->config.jump = way;
                assert_true(world_job(w, world_prepare) < 0);
                assert_int_equal(w->last_failure.reason, REASON_SHUTDOWN_SCHEDULED);
                assert_string_equal(w->last_failure.detail, "reboot in 60 s");
                assert_int_equal(w->manager->phase, PHASE_NORMAL);
        }
        s.scheduled = NULL;
        assert_int_equal(world_job(w, world_prepare), 0);
}

static int update_by(World *w, JumpChoice jump, Refusal *refusal) {
        UpdateRequest request = { .jump = jump };
        Job *j;

        int r = manager_update(w->manager, 0, &request, &j, refusal);
        update_request_done(&request);
        if (r >= 0)
                world_run(w);
        return r;
}

/* One request may go another way than the settings say. */
static void test_direct_for_once(void **state) {
        static const JumpChoice direct = { .given = true, .way = JUMP_DIRECT };
        Systemd s = {};
        _cleanup_world_ World *w = world_with(&s);
        Refusal refusal;

        assert_int_equal(update_by(w, direct, &refusal), 0);
        assert_true(w->kexec.jumped);
        assert_false(s.begun);
}

static void test_systemd_for_once(void **state) {
        static const JumpChoice systemd = { .given = true, .way = JUMP_SYSTEMD };
        Systemd s = {};
        _cleanup_world_ World *w = world_with(&s);
        Refusal refusal;

        w->config.jump = JUMP_DIRECT;
        assert_int_equal(update_by(w, systemd, &refusal), 0);
        assert_int_equal(w->manager->phase, PHASE_JUMPING);
        assert_true(s.begun);
        /* What is put back is forgotten. */
        s.called_off = true;
        world_wait(w, 5 * USEC_PER_SEC);
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
        for (size_t i = 0; i < w->n_clients; i++)
                assert_int_equal(client_join(&w->clients[i]), 0);
        assert_int_equal(update_by(w, (JumpChoice){}, &refusal), 0);
        assert_true(w->kexec.jumped);
}

/* From PREPARED and from FROZEN it can still be said; and without systemd it is refused
 * there and then, with nothing lost. */
static void test_way_by_hand(void **state) {
        UpdateRequest direct = { .jump = { .given = true, .way = JUMP_DIRECT } },
                      systemd = { .jump = { .given = true, .way = JUMP_SYSTEMD } };
        Systemd s = {};
        _cleanup_world_ World *w = world_with(&s);
        Refusal refusal;
        Job *j;

        assert_int_equal(world_job(w, world_prepare), 0);
        w->config.jump = JUMP_DIRECT;
        w->ports.shutdown = NULL;
        assert_int_equal(manager_update(w->manager, 0, &systemd, &j, &refusal), reason_errno(REASON_SHUTDOWN_FAILED));
        assert_int_equal(w->manager->phase, PHASE_PREPARED);
        assert_int_equal(world_job(w, manager_freeze), 0);
        assert_int_equal(manager_execute(w->manager, 0, &systemd, &j, &refusal), reason_errno(REASON_SHUTDOWN_FAILED));
        assert_int_equal(w->manager->phase, PHASE_FROZEN);
        w->ports.shutdown = &ops;
        w->config.jump = JUMP_SYSTEMD;
        assert_int_equal(manager_execute(w->manager, 0, &direct, &j, &refusal), 0);
        world_run(w);
        assert_true(w->kexec.jumped);
        assert_false(s.begun);
}

/* A client that is stopped by the shutdown is no reason to call the update off. */
static void test_client_is_stopped(void **state) {
        Systemd s = {};
        _cleanup_world_ World *w = world_with(&s);

        begin(w);
        manager_unregister(w->manager, w->clients[0].participant);
        w->clients[0].participant = NULL;
        world_run(w);
        assert_int_equal(w->manager->phase, PHASE_JUMPING);
        assert_int_equal(s.n_released, 0);
        shut_down(w, &s);
        assert_int_equal(world_arrive(w), 0);
        world_come_back(w);
}

static void failed(World *w, Systemd *s) {
        assert_int_equal(w->last_failure.reason, REASON_SHUTDOWN_FAILED);
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
        assert_int_equal(s->n_kept, 0);
        w->config.jump = JUMP_DIRECT;
        world_put_back(w);
}

static void test_keeper_fails(void **state) {
        Systemd s = { .fail_keep = 1 };
        _cleanup_world_ World *w = world_with(&s);

        assert_int_equal(world_job(w, world_update), -ECANCELED);
        assert_false(s.begun);
        failed(w, &s);
}

static void test_shutdown_refused(void **state) {
        Systemd s = { .fail_begin = 1 };
        _cleanup_world_ World *w = world_with(&s);

        assert_int_equal(world_job(w, world_update), -ECANCELED);
        failed(w, &s);
}

static void test_called_off(void **state) {
        Systemd s = {};
        _cleanup_world_ World *w = world_with(&s);

        begin(w);
        s.called_off = true;
        world_wait(w, 2 * USEC_PER_SEC);
        failed(w, &s);
}

static void test_no_service_manager(void **state) {
        Systemd s = {};
        _cleanup_world_ World *w = world_with(&s);

        /* The plan sees it, so nothing is begun. */
        w->ports.shutdown = NULL;
        assert_int_equal(world_job(w, world_update), -EIO);
        assert_int_equal(w->last_failure.reason, REASON_SHUTDOWN_FAILED);
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
        assert_int_equal(w->clients[0].told[0], 0);
        w->config.jump = JUMP_DIRECT;
        assert_int_equal(world_job(w, world_update), 0);
        assert_true(w->kexec.jumped);
}

/* SIGKILL between the keeper's start and the shutdown's: who is restarted ends the keeper. */
static void test_crash_before_shutdown(void **state) {
        Systemd s = {};
        _cleanup_world_ World *w = world_with(&s);

        begin(w);
        s.begun = false;
        world_crash(w);
        assert_int_equal(world_boot(w), 0);
        w->config.jump = JUMP_DIRECT;
        world_run(w);
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
        assert_int_equal(s.n_kept, 0);
        assert_true(w->clients[0].told[2] > 0);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_through_shutdown),
                cmocka_unit_test(test_scheduled),
                cmocka_unit_test(test_direct_for_once),
                cmocka_unit_test(test_systemd_for_once),
                cmocka_unit_test(test_way_by_hand),
                cmocka_unit_test(test_client_is_stopped),
                cmocka_unit_test(test_keeper_fails),
                cmocka_unit_test(test_shutdown_refused),
                cmocka_unit_test(test_called_off),
                cmocka_unit_test(test_no_service_manager),
                cmocka_unit_test(test_crash_before_shutdown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
