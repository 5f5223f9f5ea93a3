/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fail the n-th port call, for all n: the same scenarios run again and again with the
 * first, second, third … call failing, until one run sees no fault. After each, nothing
 * may be lost: the update is rolled back and can be done again, or it went forward.
 * The same with SIGKILL of the daemon instead of each failure.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/fd.h"
#include "scenario/world.h"

typedef enum Fault { FAULT_LUO, FAULT_KEXEC } Fault;

static unsigned n_faults;

static World *start(void) {
        World *w = world_new();

        w->with_store = true;
        world_client(w, "vm-a", false);
        world_client(w, "vm-b", true);
        world_client(w, "vm-c", false);
        return w;
}

static bool joined(World *w) {
        for (size_t i = 0; i < w->n_clients; i++)
                if (!w->clients[i].preserved && client_join(&w->clients[i]) < 0)
                        return false;
        return true;
}

/* What an operator would do until the machine has jumped: set right what is missing and
 * try again. Every failure must leave a state from which that works. */
static void jump(World *w) {
        for (unsigned attempt = 0; attempt < 4; attempt++) {
                world_check(w);
                assert_int_equal(w->manager->phase, PHASE_NORMAL);
                if ((!w->kexec.loaded || !w->manager->next.loaded) && world_load(w) < 0)
                        continue;
                if (joined(w) && world_job(w, world_update) == 0)
                        break;
        }
        assert_true(w->kexec.jumped);
}

static void come_back(World *w) {
        for (unsigned attempt = 0; attempt < 4; attempt++) {
                size_t n = 0;
                for (size_t i = 0; i < w->n_clients; i++) {
                        Client *c = &w->clients[i];
                        if (!c->intact && client_return(c) < 0)
                                continue;
                        if (!c->finished && client_finish(c) < 0)
                                continue;
                        n++;
                }
                if (n == w->n_clients)
                        break;
        }
        for (size_t i = 0; i < w->n_clients; i++) {
                assert_true(w->clients[i].intact);
                assert_true(w->clients[i].finished);
        }
        if (w->manager->phase == PHASE_UPDATED) { /* without a manifest an operator ends it */
                Refusal refusal;
                Job *j;
                assert_null(w->manager->incoming.manifest);
                assert_int_equal(manager_finish(w->manager, 0, false, &j, &refusal), 0);
                world_run(w);
        }
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
        world_check(w);
}

/* One run; whether the fault was reached. */
static bool run_with_fault(Fault fault, uint64_t n, bool second_kernel) {
        _cleanup_world_ World *w = start();
        uint64_t before = 0;

        if (!second_kernel && fault == FAULT_LUO)
                luo_fake_fail(w->luo, n, ENOMEM);
        if (fault == FAULT_KEXEC)
                w->kexec.fail_at = n;
        assert_int_equal(world_boot(w), 0);
        jump(w);
        if (second_kernel) {
                before = luo_fake_calls(w->luo);
                luo_fake_fail(w->luo, n, ENOMEM);
        }
        assert_int_equal(world_arrive(w), 0);
        come_back(w);
        return fault == FAULT_KEXEC ? w->kexec.n_calls >= n : luo_fake_calls(w->luo) - before >= n;
}

static void sweep(Fault fault, bool second_kernel) {
        uint64_t n = 1;

        while (run_with_fault(fault, n, second_kernel)) {
                n_faults++;
                n++;
                assert_true(n < 1000);
        }
        assert_true(n > 5);
}

static void test_luo_faults_before(void **state) {
        sweep(FAULT_LUO, false);
}

static void test_luo_faults_after(void **state) {
        sweep(FAULT_LUO, true);
}

static void test_kexec_faults(void **state) {
        sweep(FAULT_KEXEC, false);
}

/* SIGKILL after the n-th step of the event loop. A step is one completed piece of work
 * or one client's answer. */

static bool answer_one(World *w, unsigned *budget) {
        while (*budget > 0 && !w->kexec.jumped) {
                uint64_t calls = luo_fake_calls(w->luo);
                Phase phase = w->manager->phase;
                int n = worker_dispatch(w->ports.luo_lane) + worker_dispatch(w->ports.image_lane);
                if (n == 0 && !manager_due(w->manager)) {
                        for (size_t i = 0; i < w->n_clients; i++)
                                for (size_t k = 0; k < 2; k++)
                                        if (w->clients[i].asked[k]) {
                                                Refusal ignored;
                                                w->clients[i].asked[k] = false;
                                                (void)manager_ready(w->manager, w->clients[i].participant,
                                                                    k ? WANT_FREEZE : WANT_PREPARE, &ignored);
                                                n++;
                                                goto counted;
                                        }
                }
        counted:
                if (manager_due(w->manager)) {
                        manager_dispatch(w->manager);
                        n++;
                }
                if (n == 0 && calls == luo_fake_calls(w->luo) && phase == w->manager->phase)
                        return false;
                (*budget)--;
        }
        return *budget == 0;
}

static bool run_with_kill(unsigned steps) {
        _cleanup_world_ World *w = start();
        unsigned budget = steps;
        Refusal refusal;
        Job *j;

        assert_int_equal(world_boot(w), 0);
        assert_int_equal(world_load(w), 0);
        assert_true(joined(w));
        assert_int_equal(world_update(w->manager, 0, &j, &refusal), 0);
        bool killed = answer_one(w, &budget) && !w->kexec.jumped;
        if (killed) {
                Phase before = w->manager->phase;
                world_crash(w);
                assert_int_equal(world_boot(w), 0);
                world_run(w);
                assert_int_equal(w->manager->phase, PHASE_NORMAL);
                if (before != PHASE_NORMAL)
                        assert_non_null(w->manager->notice);
                jump(w);
        }
        assert_true(w->kexec.jumped);
        assert_int_equal(world_arrive(w), 0);
        come_back(w);
        return killed;
}

static void test_kill_before(void **state) {
        unsigned n = 1;

        while (run_with_kill(n)) {
                n_faults++;
                n++;
                assert_true(n < 1000);
        }
        assert_true(n > 5);
}

/* SIGKILL in the new kernel after n of the clients' calls. */
static void test_kill_after(void **state) {
        for (unsigned n = 0; n < 6; n++) {
                _cleanup_world_ World *w = start();
                unsigned calls = 0;

                assert_int_equal(world_boot(w), 0);
                jump(w);
                assert_int_equal(world_arrive(w), 0);
                for (size_t i = 0; i < w->n_clients && calls < n; i++, calls++)
                        assert_int_equal(client_return(&w->clients[i]), 0);
                for (size_t i = 0; i + 1 < w->n_clients && calls < n; i++, calls++)
                        assert_int_equal(client_finish(&w->clients[i]), 0);
                uint64_t number = w->manager->incoming.job->number;
                world_crash(w);
                assert_int_equal(world_boot(w), 0);
                assert_int_equal(w->manager->phase, PHASE_UPDATED);
                assert_int_equal(w->manager->incoming.job->number, number);
                n_faults++;
                come_back(w);
                assert_int_equal(job_list_find(&w->manager->jobs, number)->state, JOB_DONE);
        }
}

static int print_faults(void **state) {
        print_message("# %u faults were injected\n", n_faults);
        return 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_luo_faults_before), cmocka_unit_test(test_luo_faults_after),
                cmocka_unit_test(test_kexec_faults),      cmocka_unit_test(test_kill_before),
                cmocka_unit_test(test_kill_after),
        };

        return cmocka_run_group_tests_name("faults", tests, NULL, print_faults);
}
