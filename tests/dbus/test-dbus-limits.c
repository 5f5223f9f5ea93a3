/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one user may have at a time, with small settings: the one too many is refused
 * with the limit and its setting, other users and root are not touched by it, and what
 * is given back may be had again.
 */
#include "polkit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>

enum { GREEDY = 65534 /* nobody */, OTHER = 1 /* daemon */ };

#define SESSION(path) path, "org.liveupdate1.Session"

static Rig rig;
static Polkit polkit;
static sd_bus *greedy, *other;

static int set_up(void **state) {
        rig_start_with(&rig, "FAKE_LIVEUPDATED", RIG_SHIPPED,
                       "[Limits]\nSessions=6\nFilesPerSession=2\nParticipants=5\nSessionsPerUser=2\nFilesPerUser=3\n"
                       "ParticipantsPerUser=2\nRequestsPerUser=3\n");
        polkit_start(&polkit, &rig, MOOD_YES);
        greedy = rig_connect_as(&rig, GREEDY);
        other = rig_connect_as(&rig, OTHER);
        return 0;
}

static int tear_down(void **state) {
        greedy = sd_bus_close_unref(greedy);
        other = sd_bus_close_unref(other);
        polkit_stop(&polkit);
        return rig_stop(&rig);
}

static void open_session(sd_bus *bus, const char *name, char path[static 256]) {
        (void)close(take_object_and_fd(expect_reply(bus, MANAGER, "OpenSession", "sa{sv}", name, 0), path));
}

static int join(sd_bus *bus, const char *name, char path[static 256]) {
        return take_object_and_fd(expect_reply(bus, MANAGER, "Register", "ssa{sv}", name, "prepare", 0), path);
}

static void refused(sd_bus *bus, const char *setting, const char *name) {
        const char *text = expect_error(bus, ERROR("Limit"), MANAGER, "OpenSession", "sa{sv}", name, 0);

        assert_non_null(strstr(text, setting));
        assert_non_null(strstr(text, "liveupdated.conf"));
}

static void sessions(void **state) {
        char paths[6][256];

        open_session(greedy, "g-1", paths[0]);
        open_session(greedy, "g-2", paths[1]);
        refused(greedy, "SessionsPerUser=2", "g-3");
        /* One user, however many connections. */
        sd_bus *again = rig_connect_as(&rig, GREEDY);
        refused(again, "SessionsPerUser=2", "g-3");
        sd_bus_close_unref(again);
        open_session(other, "o-1", paths[2]);
        for (size_t i = 3; i < 6; i++) {
                char name[8];
                snprintf(name, sizeof(name), "r-%zu", i);
                open_session(rig.bus, name, paths[i]);
        }
        refused(rig.bus, "Sessions=6", "r-9"); /* of the whole daemon, also for root */
        expect_ok(greedy, SESSION(paths[0]), "Close", "a{sv}", 0);
        open_session(greedy, "g-3", paths[0]);
        refused(greedy, "Sessions=6", "g-4");
        for (size_t i = 0; i < 6; i++)
                expect_ok(rig.bus, SESSION(paths[i]), "Close", "a{sv}", 0);
        /* A session that could not be opened counts for nothing. */
        for (unsigned i = 0; i < 4; i++)
                expect_error(greedy, ERROR("NameInvalid"), MANAGER, "OpenSession", "sa{sv}", "a/b", 0);
        open_session(greedy, "g-1", paths[0]);
        open_session(greedy, "g-2", paths[1]);
        expect_ok(greedy, SESSION(paths[0]), "Close", "a{sv}", 0);
        expect_ok(greedy, SESSION(paths[1]), "Close", "a{sv}", 0);
}

static void preserve(sd_bus *bus, const char *path, uint64_t token) {
        _cleanup_close_ int file = text_file("memory");

        expect_ok(bus, SESSION(path), "PreserveFd", "hta{sv}", file, token, 0);
}

static const char *not_preserved(sd_bus *bus, const char *error, const char *path, uint64_t token) {
        _cleanup_close_ int file = text_file("memory");

        return expect_error(bus, error, SESSION(path), "PreserveFd", "hta{sv}", file, token, 0);
}

static void files(void **state) {
        char a[256], b[256], theirs[256];
        Answer answers[4];
        unsigned n_limit = 0;

        open_session(greedy, "g-1", a);
        open_session(greedy, "g-2", b);
        open_session(other, "o-1", theirs);
        preserve(greedy, a, 1);
        /* What fails does not count. */
        for (unsigned i = 0; i < 5; i++)
                not_preserved(greedy, ERROR("TokenInUse"), a, 1);
        preserve(greedy, a, 2);
        assert_non_null(strstr(not_preserved(greedy, ERROR("Limit"), a, 3), "FilesPerSession=2"));
        /* Nor may those under way, all sent at once, be more than is left: one. */
        for (size_t i = 0; i < 2; i++) {
                _cleanup_close_ int file = text_file("memory");
                ask_method_later(greedy, &answers[i], SESSION(b), "PreserveFd", "hta{sv}", file, (uint64_t)i, 0);
        }
        for (size_t i = 0; i < 2; i++) {
                wait_answer(greedy, &answers[i]);
                n_limit += streq(answers[i].name, ERROR("Limit"));
        }
        assert_int_equal(n_limit, 1);
        assert_non_null(strstr(answers[1].text, "FilesPerUser=3"));
        /* They count for the owner, whoever preserves them. */
        assert_non_null(strstr(not_preserved(rig.bus, ERROR("Limit"), b, 7), "FilesPerUser=3"));
        preserve(other, theirs, 1);
        /* Closing gives all of them back. */
        expect_ok(greedy, SESSION(a), "Close", "a{sv}", 0);
        preserve(greedy, b, 8);
        expect_ok(greedy, SESSION(b), "Close", "a{sv}", 0);
        expect_ok(other, SESSION(theirs), "Close", "a{sv}", 0);
        open_session(greedy, "g-1", a);
        preserve(greedy, a, 1);
        preserve(greedy, a, 2);
        expect_ok(greedy, SESSION(a), "Close", "a{sv}", 0);
}

static void registrations(void **state) {
        char paths[5][256];
        int leases[5];

        leases[0] = join(greedy, "g-1", paths[0]);
        leases[1] = join(greedy, "g-2", paths[1]);
        assert_non_null(
                strstr(expect_error(greedy, ERROR("Limit"), MANAGER, "Register", "ssa{sv}", "g-3", "freeze", 0),
                       "ParticipantsPerUser=2"));
        leases[2] = join(other, "o-1", paths[2]);
        leases[3] = join(rig.bus, "r-1", paths[3]);
        leases[4] = join(rig.bus, "r-2", paths[4]);
        assert_non_null(
                strstr(expect_error(rig.bus, ERROR("Limit"), MANAGER, "Register", "ssa{sv}", "r-3", "freeze", 0),
                       "Participants=5"));
        /* By the end of the lease, and by the end of the connection. */
        (void)close(leases[0]);
        rig_wait_removed(&rig, paths[0]);
        leases[0] = join(greedy, "g-3", paths[0]);
        for (size_t i = 0; i < 5; i++) {
                (void)close(leases[i]);
                rig_wait_removed(&rig, paths[i]);
        }
        sd_bus *leaving = rig_connect_as(&rig, GREEDY);
        leases[0] = join(leaving, "g-4", paths[0]);
        leases[1] = join(leaving, "g-5", paths[1]);
        sd_bus_close_unref(leaving);
        rig_wait_removed(&rig, paths[0]);
        rig_wait_removed(&rig, paths[1]);
        (void)close(leases[0]);
        (void)close(leases[1]);
        leases[0] = join(greedy, "g-6", paths[0]);
        (void)close(leases[0]);
        rig_wait_removed(&rig, paths[0]);
}

static bool was_taken_back(Rig *r, const void *arg) {
        return polkit.shared->n_cancelled >= *(const unsigned *)arg;
}

/* Calls that wait, here for a polkit that does not answer. */
static void waiting_requests(void **state) {
        unsigned wanted = polkit.shared->n_cancelled + 3;
        Answer kept[3];

        polkit.shared->mood = MOOD_SILENT;
        sd_bus *leaving = rig_connect_as(&rig, GREEDY);
        for (size_t i = 0; i < 3; i++)
                ask_method_later(leaving, &kept[i], MANAGER, "Cancel", "a{sv}", 0);
        const char *text = expect_error(leaving, ERROR("Limit"), MANAGER, "Cancel", "a{sv}", 0);
        assert_non_null(strstr(text, "RequestsPerUser=3"));
        /* Everybody else goes on. */
        expect_error(rig.bus, ERROR("WrongState"), MANAGER, "Cancel", "a{sv}", 0);
        Answer others;
        ask_method_later(other, &others, MANAGER, "Cancel", "a{sv}", 0);
        expect_ok(other, MANAGER, "ListJobs", "");
        assert_false(others.there);
        /* Who leaves gives them back. */
        for (size_t i = 0; i < 3; i++)
                sd_bus_slot_unref(kept[i].slot);
        sd_bus_close_unref(leaving);
        rig_process_until(&rig, was_taken_back, &wanted, "CancelCheckAuthorization");
        sd_bus_slot_unref(others.slot);
        polkit.shared->mood = MOOD_YES;
        for (unsigned i = 0; i < 8; i++) /* and they are given back by each answer, too */
                expect_error(greedy, ERROR("WrongState"), MANAGER, "Cancel", "a{sv}", 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(sessions),
                cmocka_unit_test(files),
                cmocka_unit_test(registrations),
                cmocka_unit_test(waiting_requests),
        };

        if (geteuid() != 0) {
                puts("1..0 # SKIP two users are needed: run this as root");
                return 0;
        }
        return cmocka_run_group_tests_name("dbus-limits", tests, set_up, tear_down);
}
