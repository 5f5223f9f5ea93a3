/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy that is shipped, dbus/org.liveupdate1.conf, on a bus whose other rules are
 * those of the system bus: everybody may talk to the service, which decides itself
 * (test-dbus-auth.c), by its interfaces alone; and only root is it. It is tested with two
 * uids, so as root alone.
 */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/wait.h>

enum { STRANGER = 65534 };

static Rig rig;

static int set_up(void **state) {
        rig_start(&rig, "FAKE_LIVEUPDATED", RIG_SHIPPED);
        return 0;
}

static int tear_down(void **state) {
        return rig_stop(&rig);
}

/* In a child: becomes the stranger and connects; leaves if it cannot. */
static sd_bus *connect_as_stranger(void) {
        sd_bus *bus = NULL;

        if (setresgid(STRANGER, STRANGER, STRANGER) < 0 || setresuid(STRANGER, STRANGER, STRANGER) < 0)
                _exit(1);
        if (sd_bus_new(&bus) < 0 || sd_bus_set_address(bus, rig.address) < 0 || sd_bus_set_bus_client(bus, true) < 0 ||
            sd_bus_start(bus) < 0)
                _exit(2);
        return bus;
}

/* In a child with another uid: the call's error name, "" if there was none. The bus looks
 * at no arguments. */
static const char *as_stranger(const char *path, const char *interface, const char *member, const char *a,
                               const char *b) {
        static char name[128];
        int out[2], status;

        assert_int_equal(pipe2(out, O_CLOEXEC), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                sd_bus_error error = SD_BUS_ERROR_NULL;
                sd_bus *bus = connect_as_stranger();
                int r = ask(bus, path, interface, member, &error, NULL, b ? "ss" : a ? "s" : "", a, b);
                snprintf(name, sizeof(name), "%s", r >= 0 ? "" : error.name ?: strerror(-r));
                _exit(write(out[1], name, strlen(name) + 1) > 0 ? 0 : 3);
        }
        (void)close(out[1]);
        ssize_t n = read(out[0], name, sizeof(name) - 1);
        (void)close(out[0]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_true(n > 0);
        name[n] = '\0';
        return name;
}

static void root_may(void **state) {
        const char *path;
        char session[256];

        sd_bus_message *reply = expect_reply(rig.bus, MANAGER, "OpenSession", "sa{sv}", "vm-1", 0);
        assert_true(sd_bus_message_read(reply, "o", &path) > 0);
        snprintf(session, sizeof(session), "%s", path);
        sd_bus_message_unref(reply);
        expect_ok(rig.bus, MANAGER, "ListSessions", "");
        expect_ok(rig.bus, session, "org.liveupdate1.Session", "Close", "a{sv}", 0);
        assert_string_equal(rig_job_end(&rig, expect_job(rig.bus, MANAGER, "UnloadKernel", "a{sv}", 0))->result,
                            "done");
        expect_ok(rig.bus, "/org/liveupdate1", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "");
}

static void others_may_look(void **state) {
        static const char *const interfaces[][2] = {
                { "org.freedesktop.DBus.Introspectable", "Introspect" },
                { "org.freedesktop.DBus.Peer", "Ping" },
                { "org.liveupdate1.Manager", "ListJobs" },
        };

        for (size_t i = 0; i < ELEMENTSOF(interfaces); i++)
                assert_string_equal(as_stranger("/org/liveupdate1", interfaces[i][0], interfaces[i][1], NULL, NULL),
                                    "");
        assert_string_equal(as_stranger("/org/liveupdate1", "org.freedesktop.DBus.Properties", "Get",
                                        "org.liveupdate1.Manager", "State"),
                            "");
        assert_string_equal(as_stranger("/org/liveupdate1", "org.freedesktop.DBus.Properties", "GetAll",
                                        "org.liveupdate1.Manager", NULL),
                            "");
}

/* Past the bus: it is the daemon that answers. */
static void others_may_talk(void **state) {
        static const char *const calls[][3] = {
                { "/org/liveupdate1", "org.liveupdate1.Manager", "Explain" },
                { "/org/liveupdate1/session/vm_2d1", "org.liveupdate1.Session", "Close" },
                { "/org/liveupdate1/participant/1", "org.liveupdate1.Participant", "Ready" },
        };

        /* The daemon's own words; the bus would say AccessDenied to all of them. */
        assert_string_equal(as_stranger(calls[0][0], calls[0][1], calls[0][2], "veto", NULL), "");
        assert_string_equal(as_stranger(calls[1][0], calls[1][1], calls[1][2], NULL, NULL),
                            BUS_ERROR("UnknownObject"));
        assert_string_equal(as_stranger(calls[2][0], calls[2][1], calls[2][2], NULL, NULL),
                            BUS_ERROR("UnknownObject"));
}

static void others_may_not_act(void **state) {
        /* By no interface but ours and the standard ones, nor by leaving it out. */
        assert_string_equal(as_stranger("/org/liveupdate1", "org.liveupdate1.Other", "Cancel", NULL, NULL),
                            BUS_ERROR("AccessDenied"));
        assert_string_equal(as_stranger("/org/liveupdate1", NULL, "Cancel", NULL, NULL), BUS_ERROR("AccessDenied"));
        assert_state(rig.bus, "normal");
}

static void others_may_not_write(void **state) {
        /* Properties.Set passes the policy; all properties are read-only. */
        const char *error = as_stranger("/org/liveupdate1", "org.freedesktop.DBus.Properties", "Set",
                                        "org.liveupdate1.Manager", "State");
        assert_string_not_equal(error, "");
        assert_state(rig.bus, "normal");
}

static void others_may_not_take_the_name(void **state) {
        int status;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
                sd_bus *bus = connect_as_stranger();
                _exit(sd_bus_request_name(bus, "org.liveupdate1", 0) == -EACCES ? 0 : 3);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(root_may),
                cmocka_unit_test(others_may_look),
                cmocka_unit_test(others_may_talk),
                cmocka_unit_test(others_may_not_act),
                cmocka_unit_test(others_may_not_write),
                cmocka_unit_test(others_may_not_take_the_name),
        };

        if (geteuid() != 0) {
                puts("1..0 # SKIP two users are needed: run this as root");
                return 0;
        }
        return cmocka_run_group_tests_name("dbus-policy", tests, set_up, tear_down);
}
