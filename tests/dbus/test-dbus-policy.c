/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy that is shipped, dbus/org.liveupdate1.conf, on a bus whose other rules are
 * those of the system bus: root may do all, everybody else may look at the state and at
 * nothing more. It is tested with two uids, so as root alone.
 */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "common/fd.h"

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

/* In a child with another uid: the call's error name, "" if there was none. What is
 * refused by policy is refused before anybody looks at the arguments, so none are needed. */
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

/* Every method in the interface's XML, but for those that change nothing. */
static size_t all_refused(const char *name, const char *path) {
        _cleanup_free_ char *xml = NULL;
        char file[256], interface[64], member[64];
        size_t n = 0;

        snprintf(interface, sizeof(interface), "org.liveupdate1.%s", name);
        snprintf(file, sizeof(file), SOURCE_ROOT "/dbus/%s.xml", interface);
        assert_int_equal(file_read_at(AT_FDCWD, file, 1 << 20, &xml, NULL), 0);
        for (const char *p = xml; (p = strstr(p, "<method name=\"")); n++) {
                assert_int_equal(sscanf(p, "<method name=\"%63[A-Za-z]\"", member), 1);
                p += strlen("<method name=\"");
                if (streq(member, "ListJobs")) /* as the policy says */
                        continue;
                const char *error = as_stranger(path, interface, member, NULL, NULL);
                if (!streq(error, BUS_ERROR("AccessDenied")))
                        fail_msg("%s.%s: '%s'", interface, member, error);
        }
        return n;
}

static void others_may_not_act(void **state) {
        assert_true(all_refused("Manager", "/org/liveupdate1") >= 12);
        assert_true(all_refused("Session", "/org/liveupdate1/session/vm_2d1") >= 4);
        assert_true(all_refused("Job", "/org/liveupdate1/job/1") >= 1);
        assert_true(all_refused("Participant", "/org/liveupdate1/participant/1") >= 3);
        /* Nor by leaving the interface out. */
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
