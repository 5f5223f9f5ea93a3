/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole updates on fakes: both kernels in one process, and every way back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "common/fd.h"
#include "common/names.h"
#include "scenario/world.h"

static void test_round_trip(void **state) {
        _cleanup_world_ World *w = world_two_clients();
        uint64_t span, error;
        char id[UPDATE_ID_SIZE];

        assert_int_equal(world_job(w, world_update), 0);
        assert_true(w->kexec.jumped);
        uint64_t number = w->manager->job->number;
        memcpy(id, w->manager->job->update_id, sizeof(id));
        assert_int_equal(world_arrive(w), 0);

        Job *j = job_list_find(&w->manager->jobs, number);
        assert_non_null(j);
        assert_int_equal(j->kind, JOB_UPDATE);
        assert_int_equal(j->state, JOB_RUNNING);
        assert_string_equal(j->update_id, id);
        assert_string_equal(j->from_release, "7.3.4-boot0");
        assert_string_equal(j->to_release, "7.3.4-boot1");
        assert_int_equal(j->expected, 2);
        world_come_back(w);

        const Timeline *t = manager_job_timeline(w->manager, j);
        assert_non_null(t);
        for (Step s = 0; s < _STEP_MAX; s++)
                assert_true(t->steps[s] > 0);
        for (Step s = 1; s < _STEP_MAX; s++)
                if (s != STEP_DAEMON_START && s != STEP_KERNEL_START && s != STEP_RECEIVED)
                        assert_int_equal(timeline_span(t, STEP_PREPARE_BEGIN, s, &span, &error), 0);
        assert_int_equal(timeline_blackout(t, &span, &error), 0);
        assert_true(span > 0);
}

static void test_three_kernels(void **state) {
        _cleanup_world_ World *w = world_two_clients();
        uint64_t first = 0;

        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(world_job(w, world_update), 0);
                assert_true(w->kexec.jumped);
                assert_true(w->manager->job->number > first);
                first = w->manager->job->number;
                assert_int_equal(world_arrive(w), 0);
                world_come_back(w);
                assert_int_equal(world_load(w), 0);
                for (size_t c = 0; c < w->n_clients; c++)
                        assert_int_equal(client_join(&w->clients[c]), 0);
        }
        assert_int_equal(w->boots, 3);
}

static void test_by_hand(void **state) {
        _cleanup_world_ World *w = world_two_clients();

        assert_int_equal(world_job(w, world_prepare), 0);
        assert_int_equal(w->manager->phase, PHASE_PREPARED);
        assert_int_equal(world_job(w, manager_freeze), 0);
        assert_int_equal(w->manager->phase, PHASE_FROZEN);
        assert_int_equal(world_job(w, world_execute), 0);
        uint64_t number = w->manager->job->number;
        assert_int_equal(world_arrive(w), 0);
        assert_int_equal(w->manager->incoming.job->number, number);
        assert_int_equal(w->manager->incoming.job->kind, JOB_EXECUTE);
        world_come_back(w);
}

static void test_cancel_prepared(void **state) {
        _cleanup_world_ World *w = world_two_clients();

        assert_int_equal(world_job(w, world_prepare), 0);
        assert_true(manager_cancelable(w->manager));
        assert_int_equal(world_job(w, manager_cancel), 0);
        world_put_back(w);
}

static void test_cancel_frozen(void **state) {
        _cleanup_world_ World *w = world_two_clients();

        assert_int_equal(world_job(w, world_prepare), 0);
        assert_int_equal(world_job(w, manager_freeze), 0);
        assert_int_equal(world_job(w, manager_cancel), 0);
        for (size_t i = 0; i < w->n_clients; i++)
                assert_int_equal(w->clients[i].told[2], 1);
        /* The last one asked is the first to resume. */
        assert_int_equal(w->n_resumed, 2);
        assert_int_equal(w->resumed[0], 1);
        assert_int_equal(w->resumed[1], 0);
        world_put_back(w);
}

static void test_cancel_while_waiting(void **state) {
        for (size_t phase = 0; phase < 2; phase++) {
                _cleanup_world_ World *w = world_two_clients();

                w->clients[1].manner[phase] = MANNER_SILENT;
                assert_int_equal(world_job(w, world_update), -EINPROGRESS);
                uint64_t number = w->manager->job->number;
                assert_int_equal(world_job(w, manager_cancel), 0);
                Job *j = job_list_find(&w->manager->jobs, number);
                assert_int_equal(j->state, JOB_CANCELLED);
                assert_int_equal(j->failure.reason, REASON_CANCELLED);
                w->clients[1].asked[phase] = false;
                world_put_back(w);
        }
}

/* Who begins when the others have paused cannot go along, so the update does not go on without
 * it; with another mode of on-death it has said that it may. */
static void test_register_too_late(void **state) {
        for (OnDeath mode = 0; mode < _ON_DEATH_MAX; mode++)
                for (unsigned frozen = 0; frozen < 2; frozen++) {
                        _cleanup_world_ World *w = world_two_clients();
                        Client *late = world_client(w, "vm-late", false);
                        bool cancels = mode == ON_DEATH_CANCEL;

                        late->on_death = mode;
                        assert_int_equal(world_job(w, world_prepare), 0);
                        w->clients[1].manner[1] = frozen ? MANNER_READY : MANNER_SILENT;
                        assert_int_equal(world_job(w, manager_freeze), frozen ? 0 : -EINPROGRESS);
                        assert_int_equal(client_take_part(late), 0);
                        world_run(w);
                        w->clients[1].asked[1] = false;
                        if (!cancels) {
                                assert_int_equal(w->manager->phase, frozen ? PHASE_FROZEN : PHASE_FREEZING);
                                continue;
                        }
                        assert_int_equal(w->manager->phase, PHASE_NORMAL);
                        assert_false(w->clients[0].paused);
                        assert_int_equal(w->clients[0].told[2], 1);
                        if (!frozen)
                                assert_string_equal(w->last_failure.subject, "vm-late");
                        else
                                assert_non_null(strstr(w->manager->notice, "vm-late"));
                        late->on_death = ON_DEATH_CANCEL;
                }
}

static void test_cancel_nothing(void **state) {
        _cleanup_world_ World *w = world_two_clients();

        assert_false(manager_cancelable(w->manager));
        assert_true(world_job(w, manager_cancel) < 0);
        assert_int_equal(w->last_failure.reason, REASON_WRONG_STATE);
}

static void test_veto(void **state) {
        for (size_t phase = 0; phase < 2; phase++) {
                _cleanup_world_ World *w = world_two_clients();

                w->clients[0].manner[phase] = MANNER_VETO;
                assert_int_equal(world_job(w, world_update), -ECANCELED);
                assert_int_equal(w->last_failure.reason, REASON_VETO);
                assert_string_equal(w->last_failure.subject, "vm-a");
                assert_string_equal(w->last_failure.detail, "not now");
                world_put_back(w);
        }
}

static void test_deadline(void **state) {
        for (size_t phase = 0; phase < 2; phase++) {
                _cleanup_world_ World *w = world_two_clients();

                w->clients[0].manner[phase] = MANNER_SILENT;
                assert_int_equal(world_job(w, world_update), -EINPROGRESS);
                assert_true(manager_deadline(w->manager) < UINT64_MAX);
                world_wait(w, w->config.prepare_timeout_usec + w->config.freeze_timeout_usec);
                assert_int_equal(w->last_state, JOB_FAILED);
                assert_int_equal(w->last_failure.reason, REASON_DEADLINE);
                assert_string_equal(w->last_failure.subject, "vm-a");
                w->clients[0].asked[phase] = false;
                world_put_back(w);
        }
}

static void test_client_dies(void **state) {
        for (size_t phase = 0; phase < 2; phase++) {
                _cleanup_world_ World *w = world_two_clients();

                w->clients[0].manner[phase] = MANNER_DIE;
                assert_int_equal(world_job(w, world_update), -ECANCELED);
                assert_int_equal(w->last_failure.reason, REASON_PARTICIPANT_DIED);
                world_put_back(w);
        }
}

static void test_client_dies_but_keeps(void **state) {
        _cleanup_world_ World *w = world_two_clients();

        w->clients[0].participant->on_death = ON_DEATH_KEEP;
        w->clients[0].manner[1] = MANNER_DIE;
        assert_int_equal(world_job(w, world_update), 0);
        assert_true(w->kexec.jumped);
        assert_int_equal(world_arrive(w), 0);
        world_come_back(w); /* its memory came through, somebody else claims it */
}

/* It declared that its session is left behind: it is, and the others go. */
static void test_client_dies_and_drops(void **state) {
        for (size_t phase = 0; phase < 3; phase++) {
                _cleanup_world_ World *w = world_two_clients();
                LuoFakeStats stats;

                for (size_t i = 0; i < 2; i++)
                        w->clients[i].participant->on_death = ON_DEATH_DROP;
                if (phase < 2) {
                        w->clients[1].manner[phase] = MANNER_DIE;
                } else {
                        assert_int_equal(world_job(w, world_prepare), 0);
                        client_die(&w->clients[1]);
                        world_run(w);
                        luo_fake_stats(w->luo, &stats);
                        assert_int_equal(stats.outgoing, 2); /* vm-a's, and our own */
                        assert_int_equal(w->manager->phase, PHASE_PREPARED);
                }
                assert_int_equal(world_job(w, world_update), 0);
                assert_true(w->kexec.jumped);
                assert_non_null(strstr(w->manager->notice, "vm-b"));
                assert_int_equal(world_arrive(w), 0);
                assert_int_equal(w->manager->incoming.job->expected, 1);
                assert_null(session_table_find(&w->manager->sessions, "vm-b"));
                w->n_clients = 1;
                world_come_back(w);
        }
}

/* Too late for that once the manifest is written. */
static void test_drops_when_frozen(void **state) {
        _cleanup_world_ World *w = world_two_clients();

        w->clients[0].participant->on_death = ON_DEATH_DROP;
        assert_int_equal(world_job(w, world_prepare), 0);
        assert_int_equal(world_job(w, manager_freeze), 0);
        client_die(&w->clients[0]);
        world_run(w);
        world_put_back(w);
}

/* A device that the update was asked for is not given up without being asked. */
static void test_drops_device(void **state) {
        for (unsigned excepted = 0; excepted < 2; excepted++) {
                _cleanup_world_ World *w = world_two_clients();
                UpdateRequest *request = &w->manager->update.request;
                Session *s = session_table_find(&w->manager->sessions, "vm-a");

                w->clients[0].participant->on_death = ON_DEATH_DROP;
                assert_int_equal(world_job(w, world_prepare), 0);
                session_set_device(s, s->files[0]->token, (Address){ 0, 1, 0, 0 });
                request->devices = calloc(1, sizeof(*request->devices));
                request->devices[0] = (Address){ 0, 1, 0, 0 };
                request->n_devices = 1;
                if (excepted) {
                        request->exceptions = calloc(2, sizeof(*request->exceptions));
                        request->exceptions[0] = strdup("0000:01:00.0");
                        request->n_exceptions = 1;
                }
                client_die(&w->clients[0]);
                world_run(w);
                assert_int_equal(w->manager->phase, excepted ? PHASE_PREPARED : PHASE_NORMAL);
                if (!excepted)
                        assert_int_equal(w->clients[1].told[2], 1);
        }
}

/* What is to go along, or may be lost, is said when an update begins. Who says something else
 * later is not left to believe that it counts. */
static void test_other_request(void **state) {
        const Address nic = { 0, 1, 0, 0 }, disk = { 0, 2, 0, 0 };
        char *word = (char *)"vm-a";

        for (unsigned frozen = 0; frozen < 2; frozen++) {
                _cleanup_world_ World *w = world_two_clients();
                UpdateRequest *taken = &w->manager->update.request;
                UpdateRequest device = { .devices = (Address[]){ disk }, .n_devices = 1 },
                              same = { .devices = (Address[]){ nic }, .n_devices = 1 },
                              exception = { .exceptions = &word, .n_exceptions = 1 };
                Refusal refusal;
                Job *j;

                assert_int_equal(world_job(w, world_prepare), 0);
                taken->devices = calloc(1, sizeof(nic));
                taken->devices[0] = nic;
                taken->n_devices = 1;
                taken->exceptions = calloc(2, sizeof(char *));
                taken->exceptions[0] = strdup("0000:01:00.0");
                taken->n_exceptions = 1;
                if (frozen)
                        assert_int_equal(world_job(w, manager_freeze), 0);
                assert_int_equal(manager_update(w->manager, 0, &device, &j, &refusal),
                                 reason_errno(REASON_WRONG_STATE));
                assert_string_equal(refusal.subject, "0000:02:00.0");
                assert_int_equal(manager_update(w->manager, 0, &exception, &j, &refusal),
                                 reason_errno(REASON_WRONG_STATE));
                assert_string_equal(refusal.subject, "vm-a");
                assert_int_equal(w->manager->phase, frozen ? PHASE_FROZEN : PHASE_PREPARED);
                assert_int_equal(manager_update(w->manager, 0, &same, &j, &refusal), 0);
                world_run(w);
                assert_true(w->kexec.jumped);
        }
}

typedef struct Syncs {
        Manager *manager;
        unsigned n;
        bool too_early;
} Syncs;

static void count_sync(void *self) {
        Syncs *s = self;

        if (++s->n == 2)
                s->too_early = s->manager->update.synced;
}

/* Up to the sync of FREEZE, which is queued and has not begun. */
static void freeze_without_sync(Manager *m) {
        UpdateRequest request = {};
        Refusal refusal;
        Job *j;

        assert_int_equal(manager_prepare(m, 0, &request, &j, &refusal), 0);
        while (worker_dispatch(m->ports->luo_lane) > 0)
                ;
        assert_int_equal(m->phase, PHASE_PREPARED);
        assert_int_equal(manager_freeze(m, 0, &j, &refusal), 0);
        assert_int_equal(m->phase, PHASE_FREEZING);
}

/* A sync that began before this freeze says nothing of what was written since. */
static void test_sync_of_another(void **state) {
        _cleanup_world_ World *w = world_new();
        Syncs syncs = {};
        Refusal refusal;
        Job *j;

        assert_int_equal(world_boot(w), 0);
        assert_int_equal(world_load(w), 0);
        syncs.manager = w->manager;
        w->ports.sync = count_sync;
        w->ports.sync_self = &syncs;
        freeze_without_sync(w->manager);
        assert_int_equal(manager_cancel(w->manager, 0, &j, &refusal), 0);
        while (worker_dispatch(w->ports.luo_lane) > 0)
                ;
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
        freeze_without_sync(w->manager);
        world_run(w);
        assert_int_equal(syncs.n, 2);
        assert_false(syncs.too_early);
        assert_int_equal(w->manager->phase, PHASE_FROZEN);
}

static void test_freeze_fails_in_kernel(void **state) {
        _cleanup_world_ World *w = world_two_clients();

        luo_fake_fail_freeze(w->luo, EIO);
        assert_int_equal(world_job(w, world_update), -ECANCELED);
        assert_int_equal(w->last_failure.reason, REASON_FREEZE_FAILED);
        world_put_back(w);
}

static void test_no_image(void **state) {
        _cleanup_world_ World *w = world_two_clients();

        w->kexec.loaded = false;
        assert_true(world_job(w, world_prepare) < 0);
        assert_int_equal(w->last_failure.reason, REASON_NO_IMAGE);
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
        assert_true(world_job(w, world_update) < 0);
        assert_int_equal(w->last_failure.reason, REASON_NO_IMAGE);
        assert_int_equal(w->clients[0].told[0], 0);
}

/* An image that is not ours may have come through kexec_load(2). */
static void test_foreign_image(void **state) {
        _cleanup_world_ World *w = world_new();

        assert_int_equal(world_boot(w), 0);
        w->kexec.loaded = true;
        assert_true(world_job(w, world_prepare) < 0);
        assert_int_equal(w->last_failure.reason, REASON_IMAGE_FOREIGN);
}

static void test_bad_kernel(void **state) {
        _cleanup_world_ World *w = world_new();

        assert_int_equal(world_boot(w), 0);
        w->kexec.verdict = REASON_IMAGE_LUO_ABI;
        assert_true(world_load(w) < 0);
        assert_int_equal(w->last_failure.reason, REASON_IMAGE_LUO_ABI);
        assert_false(w->kexec.loaded);
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
}

static void test_image_vanishes(void **state) {
        _cleanup_world_ World *w = world_two_clients();

        assert_int_equal(world_job(w, world_prepare), 0);
        w->kexec.loaded = false;
        assert_int_equal(world_job(w, world_update), -ECANCELED);
        assert_int_equal(w->last_failure.reason, REASON_NO_IMAGE);
        world_put_back(w);
}

static void test_device_held(void **state) {
        _cleanup_world_ World *w = world_two_clients();

        luo_fake_hold(w->luo, LUO_FAKE_FOR_EVER);
        assert_int_equal(world_job(w, world_update), -ECANCELED);
        assert_int_equal(w->last_failure.reason, REASON_LUO_BUSY);
        luo_fake_release(w->luo);
        world_put_back(w);

        _cleanup_world_ World *patient = world_two_clients();
        luo_fake_hold(patient->luo, LUO_FAKE_ATTEMPTS / 2);
        assert_int_equal(world_job(patient, world_update), 0);
        assert_true(patient->kexec.jumped);
}

static void test_crash_while_prepared(void **state) {
        _cleanup_world_ World *w = world_two_clients();
        LuoFakeStats stats;

        assert_int_equal(world_job(w, world_prepare), 0);
        uint64_t number = w->last->number;
        world_crash(w);
        assert_int_equal(world_boot(w), 0);
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
        assert_non_null(w->manager->notice);
        assert_non_null(strstr(w->manager->notice, "prepared"));
        assert_true(w->manager->jobs.next > number);
        /* The simple client's session went with the daemon; the other one, which holds its
         * own, has seen that the daemon does not know it any more. */
        luo_fake_stats(w->luo, &stats);
        assert_int_equal(stats.outgoing, 0);
        for (size_t i = 0; i < w->n_clients; i++)
                client_leave(&w->clients[i]);
        world_put_back(w);
}

static void test_crash_in_each_wait(void **state) {
        for (size_t phase = 0; phase < 2; phase++) {
                _cleanup_world_ World *w = world_two_clients();

                w->clients[1].manner[phase] = MANNER_SILENT;
                assert_int_equal(world_job(w, world_update), -EINPROGRESS);
                uint64_t number = w->manager->job->number;
                world_crash(w);
                assert_int_equal(world_boot(w), 0);
                assert_int_equal(w->manager->phase, PHASE_NORMAL);
                Job *j = job_list_find(&w->manager->jobs, number);
                assert_non_null(j);
                assert_int_equal(j->state, JOB_FAILED);
                assert_int_equal(j->failure.reason, REASON_DAEMON_DIED);
                for (size_t i = 0; i < w->n_clients; i++) { /* they see the name go */
                        w->clients[i].told[2]++;
                        w->clients[i].asked[phase] = false;
                        client_leave(&w->clients[i]);
                }
                world_put_back(w);
        }
}

/* In the new kernel: before anybody claimed, and after one claimed with a store. */
static void test_crash_while_updated(void **state) {
        _cleanup_world_ World *w = world_two_clients();

        w->with_store = true;
        assert_int_equal(world_job(w, world_update), 0);
        assert_int_equal(world_arrive(w), 0);
        uint64_t number = w->manager->incoming.job->number;
        world_crash(w);
        assert_int_equal(world_boot(w), 0);
        assert_int_equal(w->manager->phase, PHASE_UPDATED);
        assert_int_equal(w->manager->incoming.job->number, number);

        assert_int_equal(client_return(&w->clients[0]), 0);
        assert_int_equal(w->n_stored, 1);
        world_crash(w);
        assert_int_equal(world_boot(w), 0);
        assert_int_equal(w->manager->incoming.claimed, 1);
        world_come_back(w);
        assert_int_equal(w->n_stored, 0);
}

static void test_finish_with_unclaimed(void **state) {
        _cleanup_world_ World *w = world_two_clients();
        Refusal refusal;
        Job *j;

        assert_int_equal(world_job(w, world_update), 0);
        assert_int_equal(world_arrive(w), 0);
        assert_int_equal(client_return(&w->clients[0]), 0);
        assert_true(manager_finish(w->manager, 0, false, true, &j, &refusal) < 0);
        assert_int_equal(refusal.reason, REASON_NOT_CLAIMED);
        assert_string_equal(refusal.subject, "vm-b");
        assert_int_equal(manager_finish(w->manager, 0, true, false, &j, &refusal), 0);
        world_run(w);
        assert_int_equal(luo_fake_finishes(w->luo, "vm-b"), 1);
        /* The one that is in use is its client's to finish. */
        assert_int_equal(j->state, JOB_RUNNING);
        assert_int_equal(luo_fake_finishes(w->luo, "vm-a"), 0);
        assert_int_equal(client_finish(&w->clients[0]), 0);
        assert_int_equal(j->state, JOB_DONE);
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
        assert_int_equal(luo_fake_finishes(w->luo, "vm-a"), 1);
        assert_int_equal(luo_fake_finishes(w->luo, "vm-b"), 1);
}

static void set_finish_timeout(World *w) {
        assert_int_equal(config_parse(&w->config, "t", "[Update]\nFinishTimeoutSec=60\n", 29, NULL, NULL), 0);
}

/* Two clients that have claimed, and an operator's finish that waits for both. */
static World *world_waits(Job **ret) {
        World *w = world_two_clients();
        Refusal refusal;

        set_finish_timeout(w);
        assert_int_equal(world_job(w, world_update), 0);
        assert_int_equal(world_arrive(w), 0);
        assert_int_equal(client_return(&w->clients[0]), 0);
        world_wait(w, 7 * USEC_PER_SEC);
        assert_int_equal(client_return(&w->clients[1]), 0);
        assert_int_equal(manager_finish(w->manager, 0, false, false, ret, &refusal), 0);
        world_run(w);
        assert_int_equal((*ret)->state, JOB_RUNNING);
        assert_int_equal(w->manager->phase, PHASE_FINISHING);
        return w;
}

/* Nobody's session is finished under its hands; the wait has an end, and it says whose. */
static void test_finish_waits(void **state) {
        Job *j;
        _cleanup_world_ World *w = world_waits(&j);
        Refusal refusal;

        /* A client that is restarted meanwhile is let in; a second operator is not. */
        assert_true(manager_finish(w->manager, 0, true, false, &j, &refusal) < 0);
        assert_int_equal(refusal.reason, REASON_BUSY_JOB);
        client_leave(&w->clients[1]);
        manager_owner_gone(w->manager, w->clients[1].name);
        world_run(w);
        assert_int_equal(j->state, JOB_RUNNING);
        assert_int_equal(client_return(&w->clients[1]), 0);
        assert_int_equal(client_finish(&w->clients[1]), 0);
        assert_int_equal(j->state, JOB_RUNNING);
        assert_true(manager_deadline(w->manager) < UINT64_MAX);
        manager_owner_gone(w->manager, "vm-a");
        assert_int_equal(j->state, JOB_RUNNING);
        world_wait(w, 61 * USEC_PER_SEC);
        assert_int_equal(j->state, JOB_FAILED);
        assert_int_equal(j->failure.reason, REASON_NOT_FINISHED);
        assert_string_equal(j->failure.subject, "vm-a");
        assert_string_equal(j->failure.detail, "claimed by a client that is gone 68 s ago; it is one of 1");
        assert_int_equal(w->manager->phase, PHASE_UPDATED);
        assert_int_equal(luo_fake_finishes(w->luo, "vm-a"), 0);
        assert_int_equal(client_finish(&w->clients[0]), 0);
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
        world_check(w);
}

static void test_finish_force(void **state) {
        for (unsigned later = 0; later < 2; later++) {
                Job *j, *forced;
                _cleanup_world_ World *w = world_waits(&j);
                Refusal refusal;

                if (!later) { /* at once: a job of its own, when the other is over */
                        world_wait(w, 61 * USEC_PER_SEC);
                        assert_int_equal(j->state, JOB_FAILED);
                }
                assert_int_equal(manager_finish(w->manager, 0, false, true, &forced, &refusal), 0);
                assert_int_equal(forced == j, later);
                world_run(w);
                assert_int_equal(forced->state, JOB_DONE);
                assert_int_equal(w->manager->phase, PHASE_NORMAL);
                assert_int_equal(luo_fake_finishes(w->luo, "vm-a"), 1);
                assert_int_equal(luo_fake_finishes(w->luo, "vm-b"), 1);
                world_check(w);
        }
}

/* Both ask for the same FINISH: it is made once, and both are told that it is done. */
static void test_finish_twice(void **state) {
        Job *j, *forced;
        _cleanup_world_ World *w = world_waits(&j);
        Session *s = session_table_find(&w->manager->sessions, "vm-a");
        Refusal refusal;

        assert_int_equal(manager_finish_session(w->manager, s, 0, NULL, NULL, &refusal), 0);
        assert_int_equal(manager_finish(w->manager, 0, false, true, &forced, &refusal), 0);
        world_run(w);
        assert_int_equal(j->state, JOB_DONE);
        assert_int_equal(luo_fake_finishes(w->luo, "vm-a"), 1);
        world_check(w);
}

/* A client that has claimed and is gone: nobody knows whether it comes back, so that has to
 * be said. */
static void test_finish_forsaken(void **state) {
        _cleanup_world_ World *w = world_two_clients();
        Refusal refusal;
        Job *j;

        assert_int_equal(world_job(w, world_update), 0);
        assert_int_equal(world_arrive(w), 0);
        assert_int_equal(client_return(&w->clients[0]), 0);
        assert_int_equal(client_return(&w->clients[1]), 0);
        assert_int_equal(client_finish(&w->clients[1]), 0);
        client_leave(&w->clients[0]);
        manager_owner_gone(w->manager, "vm-a");
        assert_true(manager_finish(w->manager, 0, false, false, &j, &refusal) < 0);
        assert_int_equal(refusal.reason, REASON_NOT_CLAIMED);
        assert_non_null(strstr(refusal.detail, "gone"));
        assert_int_equal(manager_finish(w->manager, 0, true, false, &j, &refusal), 0);
        world_run(w);
        assert_int_equal(j->state, JOB_DONE);
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
}

/* The job has an end; the session can be claimed all the same, also by a restarted daemon. */
static void test_finish_late(void **state) {
        for (unsigned crash = 0; crash < 2; crash++) {
                _cleanup_world_ World *w = world_two_clients();

                set_finish_timeout(w);
                assert_int_equal(world_job(w, world_update), 0);
                assert_int_equal(world_arrive(w), 0);
                Job *j = w->manager->incoming.job;
                uint64_t number = j->number;
                assert_int_equal(client_return(&w->clients[0]), 0);
                assert_int_equal(client_finish(&w->clients[0]), 0);
                assert_null(w->manager->notice);
                assert_true(manager_deadline(w->manager) < UINT64_MAX);
                world_wait(w, 61 * USEC_PER_SEC);
                assert_non_null(strstr(w->manager->notice, "vm-b"));
                assert_int_equal(manager_deadline(w->manager), UINT64_MAX);
                assert_int_equal(w->manager->phase, PHASE_UPDATED);
                assert_int_equal(j->state, JOB_FAILED);
                assert_int_equal(j->failure.reason, REASON_NOT_CLAIMED);
                assert_string_equal(j->failure.subject, "vm-b");
                if (crash) {
                        world_crash(w);
                        assert_int_equal(world_boot(w), 0);
                        j = job_list_find(&w->manager->jobs, number);
                        assert_int_equal(j->state, JOB_FAILED);
                        assert_int_equal(manager_deadline(w->manager), UINT64_MAX);
                }
                assert_int_equal(client_return(&w->clients[1]), 0);
                assert_int_equal(client_finish(&w->clients[1]), 0);
                assert_int_equal(w->manager->phase, PHASE_NORMAL);
                assert_int_equal(j->finished, 2);
                assert_int_equal(j->state, JOB_FAILED);
                world_check(w);
        }
}

/* What its owner said happens to a session that nobody claims. */
static void test_unclaimed(void **state) {
        for (unsigned policy = 0; policy < 3; policy++) {
                static const uint64_t holds[] = { 1, 20 * USEC_PER_SEC, 0 };
                _cleanup_world_ World *w = world_new();

                set_finish_timeout(w);
                assert_int_equal(world_boot(w), 0);
                assert_int_equal(world_load(w), 0);
                world_client(w, "vm-a", false)->hold = holds[policy];
                assert_int_equal(client_join(&w->clients[0]), 0);
                assert_int_equal(client_join(world_client(w, "vm-b", true)), 0);
                assert_int_equal(world_job(w, world_update), 0);
                assert_int_equal(world_arrive(w), 0);
                Job *j = w->manager->incoming.job;
                assert_int_equal(client_return(&w->clients[1]), 0);
                assert_int_equal(client_finish(&w->clients[1]), 0);
                world_wait(w, 19 * USEC_PER_SEC);
                assert_int_equal(luo_fake_finishes(w->luo, "vm-a"), 0);
                world_wait(w, 2 * USEC_PER_SEC);
                assert_int_equal(luo_fake_finishes(w->luo, "vm-a"), policy == 1);
                world_wait(w, 60 * USEC_PER_SEC);
                assert_int_equal(luo_fake_finishes(w->luo, "vm-a"), policy < 2);
                assert_int_equal(w->manager->phase, policy < 2 ? PHASE_NORMAL : PHASE_UPDATED);
                assert_int_equal(j->state, policy < 2 ? JOB_DONE : JOB_FAILED);
                assert_int_equal(j->orphaned, policy < 2);
                assert_int_equal(j->expected, 2);
        }
}

/* Claimed in time, it is its client's, however long that takes to finish. */
static void test_claimed_in_time(void **state) {
        _cleanup_world_ World *w = world_new();

        assert_int_equal(world_boot(w), 0);
        assert_int_equal(world_load(w), 0);
        world_client(w, "vm-a", false)->hold = 20 * USEC_PER_SEC;
        assert_int_equal(client_join(&w->clients[0]), 0);
        assert_int_equal(world_job(w, world_update), 0);
        assert_int_equal(world_arrive(w), 0);
        assert_int_equal(client_return(&w->clients[0]), 0);
        world_wait(w, 21 * USEC_PER_SEC);
        assert_int_equal(luo_fake_finishes(w->luo, "vm-a"), 0);
        assert_int_equal(client_finish(&w->clients[0]), 0);
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
        world_check(w);
}

/* After FINISH the client hears which of its devices lost interrupts. */
static void test_resume_after_finish(void **state) {
        _cleanup_world_ World *w = world_two_clients();
        Session *s = session_table_find(&w->manager->sessions, "vm-a");

        session_set_device(s, s->files[0]->token, (Address){ 0, 1, 0, 0 });
        assert_int_equal(world_job(w, world_update), 0);
        assert_int_equal(world_arrive(w), 0);
        for (size_t i = 0; i < 2; i++) {
                assert_int_equal(client_take_part(&w->clients[i]), 0);
                assert_int_equal(client_return(&w->clients[i]), 0);
        }
        assert_int_equal(client_finish(&w->clients[0]), 0);
        assert_int_equal(w->clients[0].resumed, 1);
        assert_string_equal(w->clients[0].cut[0], "0000:01:00.0");
        assert_int_equal(w->clients[1].resumed, 0);
        assert_int_equal(client_finish(&w->clients[1]), 0);
        assert_int_equal(w->clients[1].resumed, 1);
        assert_string_equal(w->clients[1].cut[0], "");
}

static void test_finish_blocked(void **state) {
        _cleanup_world_ World *w = world_two_clients();
        Refusal refusal;
        Job *j;

        assert_int_equal(world_job(w, world_update), 0);
        assert_int_equal(world_arrive(w), 0);
        assert_int_equal(client_return(&w->clients[0]), 0);
        assert_int_equal(client_return(&w->clients[1]), 0);
        assert_int_equal(luo_fake_block_finish(w->luo, "vm-a", true), 0);
        assert_true(client_finish(&w->clients[0]) < 0);
        assert_int_equal(w->clients[0].refusal.reason, REASON_CANNOT_FINISH);
        assert_int_equal(manager_finish(w->manager, 0, false, true, &j, &refusal), 0);
        world_run(w);
        assert_int_equal(j->state, JOB_FAILED);
        assert_int_equal(j->failure.reason, REASON_CANNOT_FINISH);
        assert_int_equal(w->manager->phase, PHASE_UPDATED);
        assert_int_equal(luo_fake_block_finish(w->luo, "vm-a", false), 0);
        assert_int_equal(client_finish(&w->clients[0]), 0);
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
        world_check(w);
}

static void test_owners(void **state) {
        _cleanup_world_ World *w = world_two_clients();
        Refusal refusal;

        w->manager->sessions.items[0]->uid = 1000;
        assert_true(manager_close_session(w->manager, w->manager->sessions.items[0], 1001, NULL, NULL, &refusal) < 0);
        assert_int_equal(refusal.reason, REASON_NOT_OWNER);
        assert_int_equal(world_job(w, world_update), 0);
        assert_int_equal(world_arrive(w), 0);
        assert_true(manager_claim_session(w->manager, "vm-a", 1001, ":1.1", NULL, NULL, &refusal) < 0);
        assert_int_equal(refusal.reason, REASON_NOT_OWNER);
        world_come_back(w);
}

static void test_names(void **state) {
        static const char *const bad[] = { "systemd", OWN_SESSION_NAME, "", "a/b",
                                           "0123456789012345678901234567890123456789012345678901234567890123" };
        _cleanup_world_ World *w = world_two_clients();
        Refusal refusal;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_true(manager_open_session(w->manager, bad[i], 0, "", NULL, NULL, &refusal) < 0);
        assert_true(manager_open_session(w->manager, "vm-a", 0, "", NULL, NULL, &refusal) < 0);
        assert_int_equal(refusal.reason, REASON_NAME_IN_USE);
}

/* A memfd that would come back read-only is refused before it is too late. */
static void test_noexec_memfd(void **state) {
        _cleanup_world_ World *w = world_two_clients();
        Session *s = session_table_find(&w->manager->sessions, "vm-a");
        Refusal refusal;

        _cleanup_close_ int fd = memfd_create("guest", MFD_CLOEXEC | 0x0008U /* MFD_NOEXEC_SEAL */);
        if (fd < 0) { /* before Linux 6.3 there is no such memfd */
                assert_int_equal(errno, EINVAL);
                return;
        }
        assert_true(manager_preserve_fd(w->manager, s, 0, fd, 9, NULL, NULL, &refusal) < 0);
        assert_int_equal(refusal.reason, REASON_MEMFD_NOEXEC_SEAL);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0); /* read-only anyway: nothing is lost */
        assert_int_equal(manager_preserve_fd(w->manager, s, 0, fd, 9, NULL, NULL, &refusal), 0);
        world_run(w);
        assert_non_null(session_find_file(s, 9));
}

static void test_broken_boot(void **state) {
        _cleanup_world_ World *w = world_two_clients();

        assert_int_equal(world_job(w, world_update), 0);
        luo_fake_break_next_boot(w->luo);
        /* The jump has happened: break this boot by one more kexec of an idle machine. */
        assert_int_equal(luo_fake_kexec(w->luo), 0);
        assert_int_equal(world_arrive(w), 0);
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
        assert_non_null(strstr(w->manager->notice, "could not restore"));
}

static void test_no_device(void **state) {
        _cleanup_world_ World *w = world_new();
        Refusal refusal;

        luo_fake_set_absent(w->luo, true);
        assert_int_equal(world_boot(w), 0);
        assert_non_null(strstr(w->manager->notice, "/dev/liveupdate"));
        assert_true(manager_open_session(w->manager, "vm-a", 0, "", NULL, NULL, &refusal) < 0);
        assert_int_equal(refusal.reason, REASON_LUO_ABSENT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trip),
                cmocka_unit_test(test_three_kernels),
                cmocka_unit_test(test_by_hand),
                cmocka_unit_test(test_cancel_prepared),
                cmocka_unit_test(test_cancel_frozen),
                cmocka_unit_test(test_cancel_while_waiting),
                cmocka_unit_test(test_register_too_late),
                cmocka_unit_test(test_cancel_nothing),
                cmocka_unit_test(test_veto),
                cmocka_unit_test(test_deadline),
                cmocka_unit_test(test_client_dies),
                cmocka_unit_test(test_client_dies_but_keeps),
                cmocka_unit_test(test_client_dies_and_drops),
                cmocka_unit_test(test_drops_when_frozen),
                cmocka_unit_test(test_drops_device),
                cmocka_unit_test(test_other_request),
                cmocka_unit_test(test_sync_of_another),
                cmocka_unit_test(test_freeze_fails_in_kernel),
                cmocka_unit_test(test_no_image),
                cmocka_unit_test(test_foreign_image),
                cmocka_unit_test(test_bad_kernel),
                cmocka_unit_test(test_image_vanishes),
                cmocka_unit_test(test_device_held),
                cmocka_unit_test(test_crash_while_prepared),
                cmocka_unit_test(test_crash_in_each_wait),
                cmocka_unit_test(test_crash_while_updated),
                cmocka_unit_test(test_finish_with_unclaimed),
                cmocka_unit_test(test_finish_waits),
                cmocka_unit_test(test_finish_force),
                cmocka_unit_test(test_finish_twice),
                cmocka_unit_test(test_finish_forsaken),
                cmocka_unit_test(test_finish_late),
                cmocka_unit_test(test_unclaimed),
                cmocka_unit_test(test_claimed_in_time),
                cmocka_unit_test(test_resume_after_finish),
                cmocka_unit_test(test_finish_blocked),
                cmocka_unit_test(test_owners),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_noexec_memfd),
                cmocka_unit_test(test_broken_boot),
                cmocka_unit_test(test_no_device),
        };

        return cmocka_run_group_tests_name("update", tests, NULL, NULL);
}
