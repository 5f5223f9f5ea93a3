/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions that were retrieved in the initrd: a steward has them before there is a daemon, and
 * goes when the daemon has them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "scenario/world.h"

/* In the next kernel, whose initrd retrieved vm-a, or both sessions. */
static World *arrive_busy(bool with_store, size_t n_early, bool busy) {
        World *w = world_new();

        w->with_store = with_store;
        w->busy = busy;
        assert_int_equal(world_boot(w), 0);
        assert_int_equal(world_load(w), 0);
        assert_int_equal(client_join(world_client(w, "vm-a", false)), 0);
        assert_int_equal(client_join(world_client(w, "vm:b", true)), 0);
        assert_int_equal(world_job(w, world_update), 0);
        w->early[0] = "vm-a";
        w->early[1] = "vm:b";
        w->n_early = n_early;
        assert_int_equal(world_arrive(w), 0);
        return w;
}

static World *arrive(bool with_store, size_t n_early) {
        return arrive_busy(with_store, n_early, false);
}

static size_t count_stored(const World *w) {
        size_t n = 0;

        for (size_t i = 0; i < w->n_stored; i++)
                n += strncmp(w->stored[i].name, "in-", 3) == 0;
        return n;
}

static void is_claimed(World *w, const char *name) {
        const Session *s = session_table_find(&w->manager->sessions, name);

        assert_non_null(s);
        assert_int_equal(s->state, SESSION_CLAIMED);
        assert_true(s->fd >= 0);
}

static void test_adopt(void **state) {
        _cleanup_world_ World *w = arrive(true, 1);

        assert_true(w->adopted);
        assert_int_equal(w->manager->phase, PHASE_UPDATED);
        is_claimed(w, "vm-a");
        assert_int_equal(session_table_find(&w->manager->sessions, "vm:b")->state, SESSION_WAITING);
        assert_int_equal(w->manager->incoming.job->claimed, 1);
        assert_int_equal(count_stored(w), 1);
        assert_true(manager_crash_safe(w->manager));
        world_dismiss(w);
        world_come_back(w);
        assert_int_equal(count_stored(w), 0);
        world_put_back(w);
}

static void test_all(void **state) {
        _cleanup_world_ World *w = arrive(true, 2);

        assert_true(w->adopted);
        is_claimed(w, "vm-a");
        is_claimed(w, "vm:b");
        world_dismiss(w);
        world_come_back(w);
}

/* The daemon dies before it could tell the steward to go: it is handed everything again. */
static void test_crash(void **state) {
        _cleanup_world_ World *w = arrive(true, 2);

        for (unsigned i = 0; i < 3; i++) {
                world_crash(w);
                assert_int_equal(world_boot(w), 0);
                world_run(w);
                assert_true(w->adopted);
                is_claimed(w, "vm-a");
                is_claimed(w, "vm:b");
                assert_int_equal(count_stored(w), 2);
                assert_int_equal(w->manager->incoming.claimed, 2);
        }
        world_dismiss(w);
        world_crash(w);
        assert_int_equal(world_boot(w), 0);
        is_claimed(w, "vm-a");
        world_come_back(w);
}

/* … before the service manager had any copy. */
static void test_crash_before_store(void **state) {
        _cleanup_world_ World *w = arrive(true, 1);

        world_crash(w);
        for (size_t i = w->n_stored; i-- > 0;)
                if (strncmp(w->stored[i].name, "in-", 3) == 0) {
                        (void)close(w->stored[i].fd);
                        w->stored[i] = w->stored[--w->n_stored];
                }
        assert_int_equal(world_boot(w), 0);
        assert_true(w->adopted);
        is_claimed(w, "vm-a");
        assert_int_equal(count_stored(w), 1);
        world_dismiss(w);
        world_come_back(w);
}

/* It crashes when one is finished already: there is nothing to take, and nothing is lost. */
static void test_crash_after_finish(void **state) {
        _cleanup_world_ World *w = arrive(true, 1);

        assert_int_equal(client_return(&w->clients[0]), 0);
        assert_int_equal(client_finish(&w->clients[0]), 0);
        world_run(w);
        world_crash(w);
        assert_int_equal(world_boot(w), 0);
        assert_true(w->adopted);
        assert_int_equal(session_table_find(&w->manager->sessions, "vm-a")->state, SESSION_FINISHED);
        world_dismiss(w);
        assert_int_equal(client_return(&w->clients[1]), 0);
        assert_int_equal(client_finish(&w->clients[1]), 0);
        world_run(w);
        assert_int_equal(w->manager->phase, PHASE_NORMAL);
}

/* A start that fails leaves all as it was: the next one's copies are not taken for those of
 * nobody, and the service manager has them when the steward goes. */
static void test_start_fails(void **state) {
        _cleanup_world_ World *w = arrive_busy(true, 2, true);

        assert_true(w->adopted);
        assert_true(manager_crash_safe(w->manager));
        assert_int_equal(count_stored(w), 2);
        world_dismiss(w);
        world_crash(w);
        assert_int_equal(world_boot(w), 0);
        is_claimed(w, "vm-a");
        world_come_back(w);
}

/* Without a descriptor store the steward is the second holder, and stays. */
static void test_no_store(void **state) {
        _cleanup_world_ World *w = arrive(false, 1);

        is_claimed(w, "vm-a");
        assert_false(manager_crash_safe(w->manager));
        world_crash(w);
        assert_int_equal(world_boot(w), 0);
        is_claimed(w, "vm-a");
        world_come_back(w);
}

/* The store takes nothing: the session is adopted all the same, and known not to be safe. */
static void test_store_fails(void **state) {
        World *w = world_new();

        w->with_store = true;
        assert_int_equal(world_boot(w), 0);
        assert_int_equal(world_load(w), 0);
        assert_int_equal(client_join(world_client(w, "vm-a", false)), 0);
        assert_int_equal(client_join(world_client(w, "vm:b", true)), 0);
        assert_int_equal(world_job(w, world_update), 0);
        w->early[0] = "vm-a";
        w->n_early = 1;
        w->store_max = 0;
        assert_int_equal(world_arrive(w), 0);
        is_claimed(w, "vm-a");
        assert_false(manager_crash_safe(w->manager));
        w->store_max = ELEMENTSOF(w->stored);
        world_come_back(w);
        world_free(w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_adopt),
                cmocka_unit_test(test_all),
                cmocka_unit_test(test_crash),
                cmocka_unit_test(test_crash_before_store),
                cmocka_unit_test(test_crash_after_finish),
                cmocka_unit_test(test_start_fails),
                cmocka_unit_test(test_no_store),
                cmocka_unit_test(test_store_fails),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
