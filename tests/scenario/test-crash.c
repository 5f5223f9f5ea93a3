/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SIGKILL of a daemon whose service manager keeps descriptors: what was complete is there
 * again, what was half done is put back, and nothing is kept that was cancelled.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>

#include "common/fd.h"
#include "common/names.h"
#include "scenario/world.h"

static World *with_store(void) {
        World *w = world_two_clients();

        /* The two sessions and their leases were there before the store was. */
        assert_false(manager_crash_safe(w->manager));
        world_free(w);
        w = world_new();
        w->with_store = true;
        assert_int_equal(world_boot(w), 0);
        assert_true(manager_crash_safe(w->manager));
        assert_int_equal(world_load(w), 0);
        assert_int_equal(client_join(world_client(w, "vm-a", false)), 0);
        assert_int_equal(client_join(world_client(w, "vm:b", true)), 0);
        assert_true(manager_crash_safe(w->manager));
        assert_int_equal(w->n_stored, 4);
        return w;
}

static void reboot_daemon(World *w) {
        world_crash(w);
        assert_int_equal(world_boot(w), 0);
        world_run(w);
        world_check(w);
}

static size_t count_stored(const World *w, const char *prefix) {
        size_t n = 0;

        for (size_t i = 0; i < w->n_stored; i++)
                n += strncmp(w->stored[i].name, prefix, strlen(prefix)) == 0;
        return n;
}

static void forget_stored(World *w, const char *name) {
        for (size_t i = 0; i < w->n_stored; i++)
                if (streq(w->stored[i].name, name)) {
                        fd_close(w->stored[i].fd);
                        w->stored[i] = w->stored[--w->n_stored];
                        return;
                }
        fail_msg("%s is not in the store", name);
}

static void write_file(const World *w, const char *name, const char *text, size_t size) {
        _cleanup_close_ int dir = open(w->run_path, O_PATH | O_DIRECTORY | O_CLOEXEC);

        assert_int_equal(file_write_atomic_at(dir, name, text, size), 0);
}

static size_t read_file(const World *w, const char *name, char **ret) {
        _cleanup_close_ int dir = open(w->run_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        size_t size;

        assert_int_equal(file_read_at(dir, name, 1 << 20, ret, &size), 0);
        return size;
}

/* Cancelled by a restart: the clients were told, and no session is left anywhere. */
static void check_put_back(World *w, uint64_t job) {
        LuoFakeStats stats;

        assert_int_equal(w->manager->phase, PHASE_NORMAL);
        assert_non_null(w->manager->notice);
        luo_fake_stats(w->luo, &stats);
        assert_int_equal(stats.outgoing, 0);
        assert_int_equal(count_stored(w, "out-"), 0);
        assert_int_equal(count_stored(w, "timeline"), 0);
        if (job) {
                const Job *j = job_list_find(&w->manager->jobs, job);
                assert_non_null(j);
                assert_int_equal(j->state, JOB_FAILED);
                assert_int_equal(j->failure.reason, REASON_DAEMON_DIED);
        }
        world_put_back(w);
}

static void test_normal(void **state) {
        _cleanup_world_ World *w = with_store();
        Participant *a = w->clients[0].participant;
        uint64_t id = a->id;

        reboot_daemon(w);
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
        assert_null(w->manager->notice);
        assert_int_equal(w->manager->sessions.n, 2);
        assert_int_equal(w->manager->barrier.n, 2);
        assert_int_equal(w->clients[0].participant->id, id);
        assert_true(w->manager->next.loaded);
        const Session *s = session_table_find(&w->manager->sessions, "vm-a");
        assert_int_equal(s->n_files, 1);
        assert_int_equal(s->files[0]->token, 7);
        assert_string_equal(s->files[0]->kind, "memfd");
        assert_string_equal(s->owner, "vm-a");
        /* The client goes on with it as if nothing had been. */
        assert_int_equal(world_job(w, world_update), 0);
        assert_int_equal(world_arrive(w), 0);
        world_come_back(w);
}

static void test_prepared(void **state) {
        _cleanup_world_ World *w = with_store();
        char id[UPDATE_ID_SIZE];

        assert_int_equal(world_job(w, world_prepare), 0);
        uint64_t number = w->last->number;
        memcpy(id, w->manager->update.id, sizeof(id));
        assert_true(manager_crash_safe(w->manager));
        for (unsigned i = 0; i < 3; i++) {
                reboot_daemon(w);
                assert_int_equal(w->manager->phase, PHASE_PREPARED);
                assert_true(manager_cancelable(w->manager));
                assert_true(manager_crash_safe(w->manager));
                assert_string_equal(w->manager->update.id, id);
                const Job *j = job_list_find(&w->manager->jobs, number);
                assert_non_null(j);
                assert_int_equal(j->kind, JOB_PREPARE);
                assert_int_equal(j->state, JOB_DONE);
                assert_string_equal(j->update_id, id);
                assert_true(w->manager->jobs.next > number);
        }
        for (size_t i = 0; i < 2; i++) {
                assert_int_equal(w->clients[i].told[0], 1);
                assert_int_equal(w->clients[i].told[2], 0);
        }
        assert_int_equal(world_job(w, world_update), 0);
        assert_true(w->kexec.jumped);
        assert_int_equal(world_arrive(w), 0);
        assert_string_equal(w->manager->incoming.job->update_id, id);
        /* The timeline goes back to before the crash. */
        assert_true(w->manager->incoming.timeline.steps[STEP_PREPARE_BEGIN] > 0);
        world_come_back(w);
}

static void test_cancel_after_restart(void **state) {
        _cleanup_world_ World *w = with_store();

        assert_int_equal(world_job(w, world_prepare), 0);
        reboot_daemon(w);
        assert_int_equal(world_job(w, manager_cancel), 0);
        assert_int_equal(w->n_resumed, 2);
        assert_int_equal(w->resumed[0], 1);
        assert_int_equal(w->resumed[1], 0);
        assert_int_equal(w->n_stored, 2);
        world_put_back(w);
}

static void test_half_done(void **state) {
        for (size_t phase = 0; phase < 2; phase++) {
                _cleanup_world_ World *w = with_store();

                w->clients[1].manner[phase] = MANNER_SILENT;
                assert_int_equal(world_job(w, world_update), -EINPROGRESS);
                uint64_t number = w->manager->job->number;
                reboot_daemon(w);
                for (size_t i = 0; i < 2; i++)
                        assert_int_equal(w->clients[i].told[2], 1);
                assert_int_equal(w->manager->barrier.n, 2);
                w->clients[1].asked[phase] = false;
                check_put_back(w, number);
        }
}

static void test_frozen(void **state) {
        _cleanup_world_ World *w = with_store();

        assert_int_equal(world_job(w, world_prepare), 0);
        assert_int_equal(world_job(w, manager_freeze), 0);
        reboot_daemon(w);
        assert_non_null(strstr(w->manager->notice, "frozen"));
        assert_int_equal(w->clients[0].told[2], 1);
        check_put_back(w, 0);
}

/* A veto was being put back when it died: its reason is the job's, not the crash. */
static void test_cancelling(void **state) {
        _cleanup_world_ World *w = with_store();
        Refusal refusal;
        Job *j;

        assert_int_equal(world_update(w->manager, 0, &j, &refusal), 0);
        uint64_t number = j->number;
        assert_int_equal(manager_veto(w->manager, w->clients[0].participant, WANT_PREPARE, "no", &refusal), 0);
        assert_int_equal(w->manager->phase, PHASE_CANCELLING);
        reboot_daemon(w);
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
        assert_int_equal(job_list_find(&w->manager->jobs, number)->failure.reason, REASON_VETO);
        assert_int_equal(count_stored(w, "out-"), 0);
        world_put_back(w);
}

/* Clients that die while nobody listens. */
static void test_death_meanwhile(void **state) {
        _cleanup_world_ World *w = with_store();

        assert_int_equal(world_job(w, world_prepare), 0);
        world_crash(w);
        w->clients[0].dead = true;
        client_leave(&w->clients[0]);
        assert_int_equal(world_boot(w), 0);
        world_run(w);
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
        assert_int_equal(w->clients[1].told[2], 1);
        assert_int_equal(w->manager->barrier.n, 1);
        world_put_back(w);
}

static void test_lost_descriptor(void **state) {
        static const char *const names[] = { "out-vm-a", "out-vm/b", "out-liveupdated", "timeline", "lease-1" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_world_ World *w = with_store();
                assert_int_equal(world_job(w, world_prepare), 0);
                world_crash(w);
                forget_stored(w, names[i]);
                assert_int_equal(world_boot(w), 0);
                world_run(w);
                /* Who has no lease any more cannot be told: it sees that it is not registered. */
                client_leave(&w->clients[0]);
                client_leave(&w->clients[1]);
                check_put_back(w, 0);
        }
}

static void test_stranger(void **state) {
        _cleanup_world_ World *w = with_store();

        w->stored[w->n_stored++] = (typeof(w->stored[0])){ "out-nobody", fcntl(w->stored[0].fd, F_DUPFD_CLOEXEC, 3) };
        w->stored[w->n_stored++] = (typeof(w->stored[0])){ "what", fcntl(w->stored[0].fd, F_DUPFD_CLOEXEC, 3) };
        reboot_daemon(w);
        assert_int_equal(w->n_stored, 4);
        assert_int_equal(w->manager->sessions.n, 2);
        assert_int_equal(world_job(w, world_update), 0);
        assert_int_equal(world_arrive(w), 0);
        world_come_back(w);
}

/* A store with too little room: said, and a crash cancels. */
static void test_full_store(void **state) {
        for (size_t room = 0; room < 6; room++) {
                _cleanup_world_ World *w = world_new();

                w->with_store = true;
                w->store_max = room;
                assert_int_equal(world_boot(w), 0);
                assert_int_equal(world_load(w), 0);
                assert_int_equal(client_join(world_client(w, "vm-a", false)), 0);
                assert_int_equal(client_join(world_client(w, "vm-b", true)), 0);
                assert_int_equal(world_job(w, world_prepare), 0);
                assert_false(manager_crash_safe(w->manager));
                reboot_daemon(w);
                client_leave(&w->clients[0]);
                client_leave(&w->clients[1]);
                check_put_back(w, 0);
        }
}

static const char *file_name(const World *w, const char *kind, char buf[static 64]) {
        if (streq(kind, "participant"))
                snprintf(buf, 64, "%lu.participant", (unsigned long)w->clients[0].participant->id);
        else
                snprintf(buf, 64, "%s", kind);
        return buf;
}

/* Torn at many lengths, and wrong in many bytes; the last ones are all tried. */
static void damage(const char *kind, bool must_cancel) {
        _cleanup_world_ World *w = with_store();
        size_t size = 1, step;
        char name[64];

        for (size_t n = 0; n < 2 * size; n += step) {
                _cleanup_free_ char *text = NULL;
                assert_int_equal(world_job(w, world_prepare), 0);
                size = read_file(w, file_name(w, kind, name), &text);
                step = n % size + 10 > size ? 1 : 11;
                world_crash(w);
                if (n < size)
                        write_file(w, name, text, n);
                else {
                        text[n - size] ^= 0x20;
                        write_file(w, name, text, size);
                }
                assert_int_equal(world_boot(w), 0);
                world_run(w);
                if (must_cancel)
                        assert_non_null(w->manager->notice);
                if (w->manager->phase == PHASE_PREPARED) {
                        assert_false(must_cancel);
                        assert_int_equal(world_job(w, manager_cancel), 0);
                }
                assert_int_equal(w->manager->phase, PHASE_NORMAL);
                assert_int_equal(count_stored(w, "out-"), 0);
                for (size_t i = 0; i < w->n_clients; i++) {
                        client_leave(&w->clients[i]);
                        assert_int_equal(client_join(&w->clients[i]), 0);
                }
                if (!w->manager->next.loaded)
                        assert_int_equal(world_load(w), 0);
        }
}

static void test_torn_state(void **state) {
        damage("state", true);
}

static void test_torn_participant(void **state) {
        damage("participant", true);
}

static void test_torn_session(void **state) {
        damage("vm-a.session", true);
}

/* Without its last file's record it looks whole, but for that it says how many there are;
 * with one of them twice, or without the one in the middle, it does not. */
static void test_missing_records(void **state) {
        for (unsigned kind = 0; kind < 3; kind++) {
                _cleanup_world_ World *w = with_store();
                _cleanup_free_ char *text = NULL, *changed = NULL;
                char *second, *third;

                size_t size = read_file(w, "vm-a.session", &text);
                second = strstr(text, "\nend ") + 14;
                third = text + size;
                assert_ptr_equal(strstr(second, "\nend ") + 14, third);
                if (kind == 0) /* none for the session itself */
                        assert_true(asprintf(&changed, "%s", second) > 0);
                else if (kind == 1) /* that of the file twice */
                        assert_true(asprintf(&changed, "%s%s", text, second) > 0);
                else /* that of the session twice */
                        assert_true(asprintf(&changed, "%.*s%s", (int)(second - text), text, text) > 0);
                world_crash(w);
                write_file(w, "vm-a.session", changed, strlen(changed));
                assert_int_equal(world_boot(w), 0);
                world_run(w);
                assert_null(session_table_find(&w->manager->sessions, "vm-a"));
                assert_non_null(strstr(w->manager->notice, "could not be read"));
        }
}

/* What the daemon has noted of the sessions that came in: whatever part of it is lost, no
 * session is finished that is not, and none is forgotten. */
static void test_torn_notes(void **state) {
        size_t size = 1;

        for (size_t n = 0; n < 2 * size; n++) {
                _cleanup_world_ World *w = with_store();
                _cleanup_free_ char *text = NULL;

                assert_int_equal(world_load(w), 0);
                assert_int_equal(world_job(w, world_update), 0);
                assert_int_equal(world_arrive(w), 0);
                assert_int_equal(client_return(&w->clients[0]), 0);
                assert_int_equal(client_return(&w->clients[1]), 0);
                assert_int_equal(client_finish(&w->clients[1]), 0);
                size = read_file(w, "incoming.notes", &text);
                assert_true(size > 60);
                world_crash(w);
                if (n >= size)
                        text[n - size] ^= 0x11;
                write_file(w, "incoming.notes", text, n < size ? n : size);
                assert_int_equal(world_boot(w), 0);
                const Session *a = session_table_find(&w->manager->sessions, "vm-a");
                const Session *b = session_table_find(&w->manager->sessions, w->clients[1].name);
                assert_int_equal(a->state, SESSION_CLAIMED); /* its descriptor is in the store */
                assert_int_not_equal(b->state, SESSION_LOST);
                /* Only where a record ends the rest may be missing without a word. */
                bool whole = n < size && (n == 0 || (n >= 14 && strncmp(text + n - 13, "end ", 4) == 0));
                if (!whole)
                        assert_non_null(strstr(w->manager->notice, "cannot be read"));
                /* Written anew, it is whole. */
                world_crash(w);
                assert_int_equal(world_boot(w), 0);
                assert_null(w->manager->notice);
                w->may_free = true;
        }
}

/* Figures that may be wrong are not shown; the update itself goes on. */
static void test_torn_timeline(void **state) {
        for (size_t n = 0; n < sizeof(Timeline) + 8; n += 7) {
                _cleanup_world_ World *w = with_store();
                _cleanup_free_ char *text = NULL;

                assert_int_equal(world_load(w), 0);
                assert_int_equal(world_job(w, world_update), 0);
                assert_int_equal(world_arrive(w), 0);
                assert_true(w->manager->incoming.has_timeline);
                size_t size = read_file(w, "incoming.timeline", &text);
                assert_int_equal(size, sizeof(Timeline) + 8);
                world_crash(w);
                text[n] ^= 4;
                write_file(w, "incoming.timeline", text, size);
                assert_int_equal(world_boot(w), 0);
                assert_false(w->manager->incoming.has_timeline);
                world_come_back(w);
        }
}

/* The same of the state after the jump: nothing says what came in, but what the service manager
 * has of it is not finished for that. */
static void test_torn_state_after_jump(void **state) {
        _cleanup_world_ World *w = with_store();
        _cleanup_free_ char *text = NULL;

        assert_int_equal(world_load(w), 0);
        assert_int_equal(world_job(w, world_update), 0);
        assert_int_equal(world_arrive(w), 0);
        assert_int_equal(client_return(&w->clients[0]), 0);
        size_t size = read_file(w, "state", &text);
        world_crash(w);
        write_file(w, "state", text, size / 2);
        assert_int_equal(world_boot(w), 0);
        assert_int_equal(w->manager->phase, PHASE_UPDATED);
        assert_non_null(strstr(w->manager->notice, "cannot be read"));
        assert_int_equal(client_return(&w->clients[0]), 0);
        assert_true(w->clients[0].intact);
        assert_int_equal(client_finish(&w->clients[0]), 0);
}

static void test_other_boot(void **state) {
        _cleanup_world_ World *w = with_store();

        assert_int_equal(world_job(w, world_prepare), 0);
        world_crash(w);
        for (size_t i = 0; i < w->n_clients; i++)
                client_leave(&w->clients[i]);
        w->boots++; /* a power cut, and a runtime directory that did not go with it */
        assert_int_equal(world_boot(w), 0);
        world_run(w);
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
        assert_int_equal(w->manager->sessions.n, 0);
        assert_int_equal(w->manager->barrier.n, 0);
        assert_int_equal(w->n_stored, 0);
        assert_false(w->manager->next.loaded);
}

/* An image that was being loaded when the daemon died may be any. */
static void test_image(void **state) {
        _cleanup_world_ World *w = with_store();
        _cleanup_close_ int kernel = open("/dev/null", O_RDONLY | O_CLOEXEC);
        Refusal refusal;
        Job *j;

        assert_int_equal(manager_load(w->manager, kernel, -1, "", 0, &j, &refusal), 0);
        uint64_t number = j->number;
        reboot_daemon(w);
        assert_false(w->manager->next.loaded);
        assert_int_equal(job_list_find(&w->manager->jobs, number)->failure.reason, REASON_DAEMON_DIED);
        assert_true(world_job(w, world_prepare) < 0);
        assert_int_equal(w->last_failure.reason, REASON_IMAGE_FOREIGN);
        assert_int_equal(world_load(w), 0);
        w->kexec.loaded = false; /* somebody unloads it meanwhile */
        reboot_daemon(w);
        assert_true(world_job(w, world_prepare) < 0);
        assert_int_equal(w->last_failure.reason, REASON_NO_IMAGE);
}

/* Who registers when the others are ready is asked, too, and waited for. */
static void test_late(void **state) {
        for (unsigned crash = 0; crash < 2; crash++) {
                _cleanup_world_ World *w = with_store();
                Client *late = world_client(w, "vm-late", false);

                late->manner[0] = MANNER_SILENT;
                assert_int_equal(world_job(w, world_prepare), 0);
                assert_true(client_join(late) < 0); /* no session any more */
                assert_int_equal(late->refusal.reason, REASON_WRONG_STATE);
                assert_int_equal(late->told[0], 1);
                assert_int_equal(late->participant->answer, ANSWER_WAITING);
                if (crash) {
                        late->asked[0] = false;
                        reboot_daemon(w);
                        assert_int_equal(w->manager->phase, PHASE_PREPARED);
                        assert_int_equal(late->told[0], 2);
                        assert_int_equal(late->participant->answer, ANSWER_WAITING);
                }
                assert_true(world_job(w, manager_freeze) < 0);
                assert_string_equal(w->last_failure.subject, "vm-late");
                late->manner[0] = MANNER_READY;
                world_run(w);
                if (crash)
                        reboot_daemon(w);
                assert_int_equal(w->clients[0].told[0], 1);
                assert_int_equal(world_job(w, manager_freeze), 0);
                assert_int_equal(late->told[1], 1);
                assert_int_equal(world_job(w, manager_cancel), 0);
                assert_int_equal(w->n_resumed, 3);
        }
}

static void test_late_deadline(void **state) {
        _cleanup_world_ World *w = with_store();
        Client *late = world_client(w, "vm-late", false);

        late->manner[0] = MANNER_SILENT;
        assert_int_equal(world_job(w, world_prepare), 0);
        (void)client_join(late);
        world_wait(w, w->config.prepare_timeout_usec + 1);
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
        late->asked[0] = false;
        world_put_back(w);
}

/* What the next boots say of an update that was frozen as job number. */
static void check_lost(World *w, uint64_t number, const char *why) {
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
        assert_non_null(w->manager->notice);
        assert_non_null(strstr(w->manager->notice, why));
        const Job *j = job_list_find(&w->manager->jobs, number);
        assert_non_null(j);
        assert_int_equal(j->state, JOB_FAILED);
        assert_int_equal(j->failure.reason, REASON_HANDOVER_LOST);
        assert_int_equal(j->missing, 2);
        assert_string_equal(j->from_release, "7.3.4-boot0");
        assert_true(w->manager->jobs.next > number);
}

static uint64_t freeze(World *w) {
        assert_int_equal(world_job(w, world_prepare), 0);
        assert_int_equal(world_job(w, manager_freeze), 0);
        return w->last->number;
}

static void test_lost_in_jump(void **state) {
        for (unsigned way = 0; way < 2; way++) {
                _cleanup_world_ World *w = with_store();
                const char *why = way ? "without /dev/liveupdate" : "without a handover";

                uint64_t number = freeze(w);
                luo_fake_set_absent(w->luo, way);
                assert_int_equal(world_cold_boot(w), 0);
                check_lost(w, number, why);
                world_crash(w); /* said again in this boot, and not in the next one */
                assert_int_equal(world_boot(w), 0);
                check_lost(w, number, why);
                luo_fake_set_absent(w->luo, false);
                assert_int_equal(world_cold_boot(w), 0);
                assert_null(w->manager->notice);
                assert_int_equal(world_cold_boot(w), 0);
                assert_null(w->manager->notice);
        }
}

static void test_not_lost(void **state) {
        _cleanup_world_ World *w = with_store();

        (void)freeze(w);
        assert_int_equal(world_job(w, manager_cancel), 0);
        assert_int_equal(world_cold_boot(w), 0);
        assert_null(w->manager->notice);

        _cleanup_world_ World *arrived = with_store();
        assert_int_equal(world_job(arrived, world_update), 0);
        assert_int_equal(world_arrive(arrived), 0);
        world_come_back(arrived);
        assert_int_equal(world_cold_boot(arrived), 0);
        assert_null(arrived->manager->notice);
}

/* Killed between RETRIEVE_SESSION and the store: the session is lost, and the job says so. */
static void test_gap(void **state) {
        World *volatile w = with_store();

        assert_int_equal(world_job(w, world_update), 0);
        assert_int_equal(world_arrive(w), 0);
        w->die_at = w->port_calls + 2;
        w->in_gap = true;
        if (setjmp(w->killed) == 0) {
                (void)client_return(&w->clients[0]);
                fail_msg("it lives");
        }
        world_crash(w);
        assert_int_equal(world_boot(w), 0);
        assert_int_equal(w->manager->phase, PHASE_UPDATED);
        Job *j = w->manager->incoming.job;
        assert_true(client_return(&w->clients[0]) < 0);
        assert_int_equal(w->clients[0].refusal.reason, REASON_SESSION_LOST);
        assert_int_equal(client_return(&w->clients[1]), 0);
        assert_int_equal(client_finish(&w->clients[1]), 0);
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
        assert_int_equal(j->state, JOB_FAILED);
        assert_int_equal(j->failure.reason, REASON_SESSION_LOST);
        assert_int_equal(j->missing, 1);
        world_free(w);
}

/* Somebody takes the daemon's own session: an update has come in, and that is said, with the
 * job it belongs to; what waits in the kernel can be had by name. */
static void test_taken(void **state) {
        _cleanup_world_ World *w = with_store();
        _cleanup_close_ int other = -1;
        Refusal refusal;
        Job *j;

        assert_int_equal(world_job(w, world_update), 0);
        uint64_t number = w->manager->job->number;
        assert_int_equal(luo_retrieve_session(&w->ports.luo, OWN_SESSION_NAME, &other), 0);
        assert_int_equal(world_arrive(w), 0);
        for (unsigned crash = 0; crash < 2; crash++) {
                assert_int_equal(w->manager->phase, PHASE_UPDATED);
                if (!crash)
                        assert_non_null(strstr(w->manager->notice, "by name"));
                assert_int_equal(w->manager->sessions.n, 0);
                assert_non_null(w->manager->incoming.job);
                if (!crash) {
                        assert_int_equal(w->manager->incoming.job->number, number);
                        assert_int_equal(w->manager->incoming.job->expected, 2);
                        world_crash(w);
                        assert_int_equal(world_boot(w), 0);
                }
        }
        j = w->manager->incoming.job;
        for (size_t i = 0; i < 2; i++) {
                assert_int_equal(client_return(&w->clients[i]), 0);
                assert_int_equal(client_finish(&w->clients[i]), 0);
        }
        assert_int_equal(w->manager->phase, PHASE_UPDATED);
        Job *finish;
        assert_int_equal(manager_finish(w->manager, 0, false, false, &finish, &refusal), 0);
        world_run(w);
        assert_int_equal(finish->state, JOB_DONE);
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
        assert_int_equal(j->state, JOB_FAILED);
        assert_int_equal(j->failure.reason, REASON_MANIFEST_MISSING);
}

static void test_torn_departure(void **state) {
        _cleanup_world_ World *w = with_store();
        char path[128];

        (void)freeze(w);
        snprintf(path, sizeof(path), "%s/departure", w->state_path);
        assert_int_equal(truncate(path, 40), 0);
        assert_int_equal(world_cold_boot(w), 0);
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
        assert_int_equal(access(path, F_OK), -1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_normal),
                cmocka_unit_test(test_prepared),
                cmocka_unit_test(test_cancel_after_restart),
                cmocka_unit_test(test_half_done),
                cmocka_unit_test(test_frozen),
                cmocka_unit_test(test_cancelling),
                cmocka_unit_test(test_death_meanwhile),
                cmocka_unit_test(test_lost_descriptor),
                cmocka_unit_test(test_stranger),
                cmocka_unit_test(test_full_store),
                cmocka_unit_test(test_torn_state),
                cmocka_unit_test(test_torn_participant),
                cmocka_unit_test(test_torn_session),
                cmocka_unit_test(test_missing_records),
                cmocka_unit_test(test_torn_notes),
                cmocka_unit_test(test_torn_timeline),
                cmocka_unit_test(test_torn_state_after_jump),
                cmocka_unit_test(test_other_boot),
                cmocka_unit_test(test_image),
                cmocka_unit_test(test_late),
                cmocka_unit_test(test_late_deadline),
                cmocka_unit_test(test_lost_in_jump),
                cmocka_unit_test(test_not_lost),
                cmocka_unit_test(test_torn_departure),
                cmocka_unit_test(test_taken),
                cmocka_unit_test(test_gap),
        };

        return cmocka_run_group_tests_name("crash", tests, NULL, NULL);
}
