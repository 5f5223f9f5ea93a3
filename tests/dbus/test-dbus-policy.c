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

typedef struct Try {
        const char *path, *interface, *member, *types;
} Try;

/* In a child with another uid: the call's error name, "" if there was none. */
static void try_as_stranger(const Try *t, char ret[static 128]) {
        int out[2], status;

        assert_int_equal(pipe(out), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                sd_bus_error error = SD_BUS_ERROR_NULL;
                sd_bus *bus = NULL;
                int r = -EPERM;

                if (setresgid(STRANGER, STRANGER, STRANGER) < 0 || setresuid(STRANGER, STRANGER, STRANGER) < 0)
                        _exit(1);
                if (sd_bus_new(&bus) < 0 || sd_bus_set_address(bus, rig.address) < 0 ||
                    sd_bus_set_bus_client(bus, true) < 0 || sd_bus_start(bus) < 0)
                        _exit(2);
                if (streq(t->types, "a{sv}"))
                        r = ask(bus, t->path, t->interface, t->member, &error, NULL, t->types, 0);
                else if (streq(t->types, "sa{sv}"))
                        r = ask(bus, t->path, t->interface, t->member, &error, NULL, t->types, "vm", 0);
                else if (streq(t->types, "ssa{sv}"))
                        r = ask(bus, t->path, t->interface, t->member, &error, NULL, t->types, "vm", "prepare", 0);
                else if (streq(t->types, "hhsa{sv}"))
                        r = ask(bus, t->path, t->interface, t->member, &error, NULL, t->types, 0, 0, "", 0);
                else if (streq(t->types, "hta{sv}"))
                        r = ask(bus, t->path, t->interface, t->member, &error, NULL, t->types, 0, UINT64_C(1), 0);
                else if (streq(t->types, "ta{sv}"))
                        r = ask(bus, t->path, t->interface, t->member, &error, NULL, t->types, UINT64_C(1), 0);
                else if (streq(t->types, "ss"))
                        r = ask(bus, t->path, t->interface, t->member, &error, NULL, t->types,
                                "org.liveupdate1.Manager", "State");
                else if (streq(t->types, "s"))
                        r = ask(bus, t->path, t->interface, t->member, &error, NULL, t->types,
                                "org.liveupdate1.Manager");
                else if (streq(t->types, ""))
                        r = ask(bus, t->path, t->interface, t->member, &error, NULL, t->types);
                const char *name = r >= 0 ? "" : error.name ?: strerror(-r);
                ssize_t n = write(out[1], name, strlen(name) + 1);
                _exit(n == (ssize_t)strlen(name) + 1 ? 0 : 3);
        }
        (void)close(out[1]);
        ssize_t n = read(out[0], ret, 127);
        (void)close(out[0]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_true(n > 0);
        ret[n] = '\0';
}
