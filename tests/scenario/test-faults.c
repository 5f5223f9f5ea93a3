/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every scenario of an update, again and again: with the first, second, third … call of a
 * port failing, and with SIGKILL of the daemon after the first, second, third … step, and
 * before the first, second, third … call of a port, wherever in a step that is, until a run
 * ends before the fault. Whatever happened, an operator who sets right what is
 * missing and tries again brings all clients into the next kernel, with their memory
 * intact; whenever nothing moves, nobody is left paused, and no session is left anywhere
 * that nobody has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/fd.h"
#include "scenario/world.h"

typedef enum Fault { FAULT_LUO, FAULT_KEXEC, FAULT_STORE, FAULT_KILL, FAULT_DIE, _FAULT_MAX } Fault;

static const char *const faults[_FAULT_MAX] = { "LUO calls", "kexec calls", "store calls", "SIGKILLs between steps",
                                                "SIGKILLs between calls" };

typedef struct Scenario {
        const char *name;
        size_t n_clients;
        unsigned kernels; /* to go through */
        /* What is special about it, once: up to where the update fails, or jumps. */
        void (*disturb)(World *w, int argument);
        int argument;
        bool absent; /* the last client does not come back, and its session may be freed */
        bool finish; /* an operator finishes while the clients are at it */
} Scenario;

/* What survives the longjmp of a SIGKILL. */
typedef struct Run {
        const Scenario *scenario;
        World *world;
        Fault fault;
        uint64_t n;
        bool disturbed;
        unsigned tries;
} Run;

static unsigned n_injected[_FAULT_MAX], n_gaps;

/* Clients. */

/* Registers and hands its memory over. A call that got no answer is made good first. */
static int join(Client *c) {
        World *w = c->world;
        Session *s = session_table_find(&w->manager->sessions, c->name);
        Refusal ignored;

        c->dead = false;
        if (c->preserved && s && c->participant)
                return 0;
        client_leave(c);
        if (s && s->state == SESSION_OPEN && manager_close_session(w->manager, s, 0, NULL, NULL, &ignored) >= 0)
                world_run(w);
        return client_join(c);
}

static bool ready(World *w) {
        if ((!w->kexec.loaded || !w->manager->next.loaded) && world_load(w) < 0)
                return false;
        for (size_t i = 0; i < w->n_clients; i++)
                if (join(&w->clients[i]) < 0)
                        return false;
        return true;
}

static void plain(World *w, _unused_ int argument) {
        if (ready(w))
                (void)world_job(w, world_update);
}

/* The disturbances. */

static void with_delay(World *w, _unused_ int argument) {
        w->clients[0].manner[0] = w->clients[1].manner[1] = MANNER_DELAY;
        plain(w, 0);
}

static void with_veto(World *w, int phase) {
        w->clients[0].manner[phase] = MANNER_VETO;
        plain(w, 0);
        w->clients[0].manner[phase] = MANNER_READY;
}

static void behave(World *w) {
        for (size_t i = 0; i < w->n_clients; i++)
                for (size_t k = 0; k < 3; k++)
                        w->clients[i].manner[k] = MANNER_READY;
}

/* Brings the world into this phase, if nothing comes in between. */
static bool bring_to(World *w, Phase phase) {
        if (!ready(w))
                return false;
        if (phase == PHASE_PREPARING || phase == PHASE_FREEZING)
                w->clients[0].manner[phase == PHASE_FREEZING] = MANNER_SILENT;
        if (phase != PHASE_NORMAL)
                (void)world_job(w, world_prepare);
        if (phase == PHASE_FREEZING || phase == PHASE_FROZEN)
                (void)world_job(w, manager_freeze);
        return w->manager->phase == phase;
}

static void with_cancel(World *w, int phase) {
        if (bring_to(w, (Phase)phase) && manager_cancelable(w->manager))
                (void)world_job(w, manager_cancel);
        behave(w);
}

/* argument: 3 * phase + policy */
static void with_death(World *w, int argument) {
        if (bring_to(w, (Phase)(argument / 3))) {
                w->clients[0].participant->on_death = (OnDeath)(argument % 3);
                client_die(&w->clients[0]);
                world_run(w);
        }
        behave(w);
        w->clients[0].asked[0] = w->clients[0].asked[1] = false;
}

static void with_restart(World *w, int phase) {
        bool whole = bring_to(w, (Phase)phase) && phase == PHASE_PREPARED && manager_crash_safe(w->manager);

        behave(w);
        world_crash(w);
        assert_int_equal(world_boot(w), 0);
        world_run(w);
        if (whole)
                assert_int_equal(w->manager->phase, PHASE_PREPARED);
}

static const Scenario scenarios[] = {
        { "a single client", 1, 1, plain, 0, false, false },
        { "three clients, with delays", 3, 1, with_delay, 0, false, false },
        { "a veto of prepare", 3, 1, with_veto, 0, false, false },
        { "a veto of freeze", 3, 1, with_veto, 1, false, false },
        { "cancel while preparing", 2, 1, with_cancel, PHASE_PREPARING, false, false },
        { "cancel while prepared", 2, 1, with_cancel, PHASE_PREPARED, false, false },
        { "cancel while freezing", 2, 1, with_cancel, PHASE_FREEZING, false, false },
        { "cancel while frozen", 2, 1, with_cancel, PHASE_FROZEN, false, false },
        { "death while preparing, cancel", 2, 1, with_death, 3 * PHASE_PREPARING + ON_DEATH_CANCEL, false, false },
        { "death while prepared, cancel", 2, 1, with_death, 3 * PHASE_PREPARED + ON_DEATH_CANCEL, false, false },
        { "death while prepared, drop", 2, 1, with_death, 3 * PHASE_PREPARED + ON_DEATH_DROP, false, false },
        { "death while prepared, keep", 2, 1, with_death, 3 * PHASE_PREPARED + ON_DEATH_KEEP, false, false },
        { "death while freezing, drop", 2, 1, with_death, 3 * PHASE_FREEZING + ON_DEATH_DROP, false, false },
        { "death while freezing, cancel", 2, 1, with_death, 3 * PHASE_FREEZING + ON_DEATH_CANCEL, false, false },
        { "death while frozen, cancel", 2, 1, with_death, 3 * PHASE_FROZEN + ON_DEATH_CANCEL, false, false },
        { "death while frozen, drop", 2, 1, with_death, 3 * PHASE_FROZEN + ON_DEATH_DROP, false, false },
        { "two kernels", 2, 2, plain, 0, false, false },
        { "a session that nobody claims", 2, 1, plain, 0, true, false },
        { "restart while normal", 2, 1, with_restart, PHASE_NORMAL, false, false },
        { "restart while preparing", 2, 1, with_restart, PHASE_PREPARING, false, false },
        { "restart while prepared", 2, 1, with_restart, PHASE_PREPARED, false, false },
        { "restart while freezing", 2, 1, with_restart, PHASE_FREEZING, false, false },
        { "restart while frozen", 2, 1, with_restart, PHASE_FROZEN, false, false },
        { "an operator's finish waits", 2, 1, plain, 0, false, true },
        { "… and frees what nobody claims", 2, 1, plain, 0, true, true },
};

/* The invariants of a world in which nothing moves. */
static void check(World *w) {
        const Manager *m = w->manager;
        size_t open = 0, stored = 0, leases = 0;
        LuoFakeStats stats;

        world_check(w);
        for (size_t i = 0; i < m->sessions.n; i++)
                open += m->sessions.items[i]->state == SESSION_OPEN;
        for (size_t i = 0; i < w->n_stored; i++) {
                stored += strncmp(w->stored[i].name, "out-", 4) == 0;
                leases += strncmp(w->stored[i].name, "lease-", 6) == 0;
        }
        assert_true(leases <= m->barrier.n);
        assert_true(m->phase == PHASE_NORMAL || m->phase == PHASE_PREPARED || m->phase == PHASE_UPDATED);
        open += m->phase == PHASE_PREPARED;
        luo_fake_stats(w->luo, &stats);
        assert_int_equal(stats.outgoing, open);
        assert_true(stored <= open);
}

/* It died, and its session was left behind. */
static bool was_dropped(const World *w, const Client *c) {
        return c->dead && !session_table_find(&w->manager->sessions, c->name);
}

/* The clients have claimed, and have not finished. */
static void finish_by_hand(World *w) {
        Refusal refusal;
        Job *j;

        if (w->manager->phase == PHASE_UPDATED && manager_finish(w->manager, 0, true, false, &j, &refusal) >= 0)
                world_run(w);
}

/* In a new kernel. The absent client's session is freed at the deadline. */
static void come_back(World *w, const Scenario *sc) {
        size_t present = w->n_clients - sc->absent;

        for (unsigned attempt = 0; attempt < 4; attempt++) {
                for (size_t i = 0; i < present && sc->finish; i++)
                        if (!was_dropped(w, &w->clients[i]) && !w->clients[i].intact)
                                (void)client_return(&w->clients[i]);
                if (sc->finish)
                        finish_by_hand(w);
                for (size_t i = 0; i < present; i++) {
                        Client *c = &w->clients[i];
                        if (!was_dropped(w, c) && (c->intact || client_return(c) >= 0) && !c->finished)
                                (void)client_finish(c);
                }
        }
        for (size_t i = 0; i < present; i++) {
                if (was_dropped(w, &w->clients[i]))
                        continue;
                assert_true(w->clients[i].intact);
                /* Finished, but its client did not hear it: then the session is gone. */
                assert_true(w->clients[i].finished || w->manager->phase == PHASE_NORMAL ||
                            session_table_find(&w->manager->sessions, w->clients[i].name)->state == SESSION_FINISHED);
        }
        for (unsigned attempt = 0; attempt < 3 && sc->absent && w->manager->phase == PHASE_UPDATED; attempt++)
                world_wait(w, w->config.finish_timeout_usec + 1);
        for (unsigned attempt = 0; attempt < 3 && w->manager->phase == PHASE_UPDATED; attempt++) {
                Refusal refusal;
                Job *j;
                /* Without a manifest, or if freeing it failed, an operator ends it. */
                if (manager_finish(w->manager, 0, true, true, &j, &refusal) >= 0)
                        world_run(w);
        }
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
}

static void leave_kernel(World *w) {
        assert_int_equal(world_arrive(w), 0);
        world_run(w);
        for (size_t i = 0; i < w->n_clients; i++)
                w->clients[i].intact = w->clients[i].finished = false;
}

/* One more try of whoever operates the machine. */
static void proceed(Run *run) {
        World *w = run->world;

        if (w->kexec.jumped) {
                leave_kernel(w);
                return;
        }
        if (w->manager->phase == PHASE_UPDATED) {
                come_back(w, run->scenario);
                return;
        }
        if (!run->disturbed) {
                run->disturbed = true;
                run->scenario->disturb(w, run->scenario->argument);
        } else if (w->manager->phase == PHASE_PREPARED)
                (void)world_job(w, world_update);
        else
                plain(w, 0);
        world_run(w);
        if (!w->kexec.jumped && w->manager->phase != PHASE_NORMAL && w->manager->phase != PHASE_PREPARED &&
            manager_cancelable(w->manager))
                (void)world_job(w, manager_cancel);
        if (!w->kexec.jumped)
                check(w);
}

static void arm(World *w, Fault fault, uint64_t n) {
        if (fault == FAULT_LUO)
                luo_fake_fail(w->luo, n, ENOMEM);
        else if (fault == FAULT_KEXEC)
                w->kexec.fail_at = n;
        else if (fault == FAULT_STORE)
                w->store_fail_at = n;
        else if (fault == FAULT_KILL)
                w->kill_in = (unsigned)n;
        else
                w->die_at = n;
}

static bool reached(const World *w, Fault fault, uint64_t n) {
        return (fault == FAULT_LUO     ? luo_fake_calls(w->luo)
                : fault == FAULT_KEXEC ? w->kexec.n_calls
                : fault == FAULT_STORE ? w->store_calls
                : fault == FAULT_KILL  ? w->n_steps
                                       : w->port_calls) >= n;
}

static void killed(Run *run) {
        World *w = run->world;

        behave(w);
        world_crash(w);
        assert_int_equal(world_boot(w), 0);
        world_run(w);
        check(w);
}

/* All that it needs is in *run, because of the longjmp(). */
static bool run_through(Run *run) {
        if (setjmp(run->world->killed) != 0)
                killed(run);
        while (run->world->boots < run->scenario->kernels || run->world->manager->phase != PHASE_NORMAL) {
                proceed(run);
                assert_true(++run->tries < 20);
        }
        check(run->world);
        return reached(run->world, run->fault, run->n);
}

/* For whoever looks for a failure: FAULTS_SHOW=1 names each run before it. */
static bool run_once(const Scenario *sc, Fault fault, uint64_t n) {
        static const char *const names[] = { "vm-a", "vm:b", "vm-c" };
        if (getenv("FAULTS_SHOW"))
                print_message("# %s: %s %lu\n", sc->name, faults[fault], (unsigned long)n);
        Run run = { .scenario = sc, .world = world_new(), .fault = fault, .n = n };

        run.world->with_store = true;
        for (size_t i = 0; i < sc->n_clients; i++)
                world_client(run.world, names[i], i == 1);
        run.world->may_free = sc->absent;
        if (sc->absent)
                run.world->clients[sc->n_clients - 1].hold = 1;
        arm(run.world, fault, n);
        assert_int_equal(world_boot(run.world), 0);
        bool hit = run_through(&run);
        n_gaps += run.world->n_gaps;
        world_free(run.world);
        return hit;
}

static void sweep(Fault fault) {
        for (size_t i = 0; i < ELEMENTSOF(scenarios); i++) {
                uint64_t n = 1;
                while (run_once(&scenarios[i], fault, n)) {
                        n_injected[fault]++;
                        n++;
                        assert_true(n < 1000);
                }
                assert_true(n > 5);
        }
}

static void test_luo(void **state) {
        sweep(FAULT_LUO);
}
static void test_kexec(void **state) {
        sweep(FAULT_KEXEC);
}
static void test_store(void **state) {
        sweep(FAULT_STORE);
}
static void test_kill(void **state) {
        sweep(FAULT_KILL);
}

static void test_die(void **state) {
        sweep(FAULT_DIE);
}

static int print_faults(void **state) {
        unsigned total = 0;

        for (Fault f = 0; f < _FAULT_MAX; f++) {
                print_message("# %u %s\n", n_injected[f], faults[f]);
                total += n_injected[f];
        }
        print_message("# %u faults were injected into %zu scenarios; of the last, %u were to come between "
                      "RETRIEVE_SESSION and the store, and came after it\n",
                      total, ELEMENTSOF(scenarios), n_gaps);
        return 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_luo),  cmocka_unit_test(test_kexec), cmocka_unit_test(test_store),
                cmocka_unit_test(test_kill), cmocka_unit_test(test_die),
        };

        return cmocka_run_group_tests_name("faults", tests, NULL, print_faults);
}
