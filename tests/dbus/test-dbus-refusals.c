/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real daemon, on a machine that has no /dev/liveupdate: what it says at rest, and
 * what it refuses. It must be alive and in the state "normal" after all of it.
 */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/utsname.h>

static Rig rig;

static int set_up(void **state) {
        rig_start(&rig, "LIVEUPDATED", RIG_ALLOW_ALL);
        return 0;
}

static int tear_down(void **state) {
        return rig_stop(&rig);
}

static void at_rest(void **state) {
        struct utsname u;

        assert_int_equal(uname(&u), 0);
        assert_state(rig.bus, "normal");
        assert_string_equal(property(rig.bus, MANAGER, "Job"), "/");
        assert_string_equal(property(rig.bus, MANAGER, "KernelRelease"), u.release);
        assert_string_equal(property(rig.bus, MANAGER, "Version"), PROJECT_VERSION);
        assert_int_equal(property_number(rig.bus, MANAGER, "Cancelable", 'b'), 0);
        assert_int_equal(property_number(rig.bus, MANAGER, "UpdateNumber", 't'), 0);

        sd_bus_message *reply = expect_reply(rig.bus, MANAGER, "ListSessions", "");
        assert_int_equal(sd_bus_message_enter_container(reply, 'a', "(osssut)"), 1);
        assert_int_equal(sd_bus_message_at_end(reply, false), 1);
        sd_bus_message_unref(reply);
}

/* Every method that ends in options refuses those it does not know, before all else. */
static void unknown_options(void **state) {
        static const struct {
                const char *member, *types;
        } methods[] = {
                { "UnloadKernel", "" }, { "Prepare", "" }, { "Freeze", "" }, { "Execute", "" }, { "Update", "" },
                { "Cancel", "" },       { "Finish", "" },  { "Verify", "" }, { "Restore", "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(methods); i++) {
                const char *why = expect_error(rig.bus, ERROR("InvalidArgument"), MANAGER, methods[i].member, "a{sv}",
                                               1, "colour", "s", "red");
                assert_non_null(strstr(why, "'colour'"));
        }
        static const char *const named[] = { "OpenSession", "ClaimSession" };
        for (size_t i = 0; i < ELEMENTSOF(named); i++)
                expect_error(rig.bus, ERROR("InvalidArgument"), MANAGER, named[i], "sa{sv}", "vm", 1, "colour", "s",
                             "red");
        expect_error(rig.bus, ERROR("InvalidArgument"), MANAGER, "Register", "ssa{sv}", "vm", "prepare", 2, "on-death",
                     "s", "keep", "colour", "b", true);
        expect_error(rig.bus, ERROR("InvalidArgument"), MANAGER, "LoadKernel", "hhsa{sv}", 0, 0, "", 1, "colour", "s",
                     "red");
}

static void wrong_option_types(void **state) {
        const char *why = expect_error(rig.bus, ERROR("InvalidArgument"), MANAGER, "Finish", "a{sv}", 1, "unclaimed",
                                       "s", "yes");
        assert_non_null(strstr(why, "'unclaimed'"));
        expect_error(rig.bus, ERROR("InvalidArgument"), MANAGER, "Register", "ssa{sv}", "vm", "prepare", 1, "on-death",
                     "u", 1);
        why = expect_error(rig.bus, ERROR("InvalidArgument"), MANAGER, "Register", "ssa{sv}", "vm", "prepare", 1,
                           "on-death", "s", "weep");
        assert_non_null(strstr(why, "'weep'"));
}

static unsigned rows_with(const char *code, const char *jump) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        const char *row[6];
        unsigned n = 0;

        int r = *jump ? sd_bus_call_method(rig.bus, "org.liveupdate1", "/org/liveupdate1", "org.liveupdate1.Manager",
                                           "Plan", &error, &reply, "asa{sv}", 0, 1, "jump", "s", jump)
                      : sd_bus_call_method(rig.bus, "org.liveupdate1", "/org/liveupdate1", "org.liveupdate1.Manager",
                                           "Plan", &error, &reply, "asa{sv}", 0, 0);
        if (r < 0)
                fail_msg("Plan: %s", error.message);
        assert_true(sd_bus_message_enter_container(reply, 'a', "(ssssss)") > 0);
        while (sd_bus_message_read(reply, "(ssssss)", &row[0], &row[1], &row[2], &row[3], &row[4], &row[5]) > 0)
                n += streq(row[3], code);
        sd_bus_message_unref(reply);
        return n;
}

/* The way to jump, where it can be chosen. */
static void ways_to_jump(void **state) {
        static const char *const members[] = { "Update", "Execute" };

        for (size_t i = 0; i < ELEMENTSOF(members); i++) {
                const char *why = expect_error(rig.bus, ERROR("InvalidArgument"), MANAGER, members[i], "a{sv}", 1,
                                               "jump", "s", "high");
                assert_non_null(strstr(why, "'high'"));
        }
        expect_error(rig.bus, ERROR("InvalidArgument"), MANAGER, "Plan", "asa{sv}", 0, 1, "jump", "s", "high");
        expect_error(rig.bus, ERROR("InvalidArgument"), MANAGER, "Prepare", "a{sv}", 1, "jump", "s", "direct");
        expect_error(rig.bus, ERROR("WrongState"), MANAGER, "Execute", "a{sv}", 1, "jump", "s", "systemd");
        assert_int_equal(rows_with("jump-shutdown", ""), 0);
        assert_int_equal(rows_with("jump-shutdown", "direct"), 0);
        assert_int_equal(rows_with("jump-shutdown", "systemd"), 1);
}

static void wrong_signatures(void **state) {
        expect_error(rig.bus, BUS_ERROR("InvalidArgs"), MANAGER, "Prepare", "");
        expect_error(rig.bus, BUS_ERROR("InvalidArgs"), MANAGER, "Prepare", "s", "now");
        expect_error(rig.bus, BUS_ERROR("InvalidArgs"), MANAGER, "OpenSession", "s", "vm");
        expect_error(rig.bus, BUS_ERROR("InvalidArgs"), MANAGER, "LoadKernel", "ssa{sv}", "/k", "/i", 0);
        expect_error(rig.bus, BUS_ERROR("InvalidArgs"), MANAGER, "ListJobs", "s", "all");
}

static void unknown_members(void **state) {
        expect_error(rig.bus, BUS_ERROR("UnknownMethod"), MANAGER, "Reboot", "");
        expect_error(rig.bus, BUS_ERROR("UnknownMethod"), "/org/liveupdate1", "org.liveupdate1.Nothing", "Prepare",
                     "a{sv}", 0);
        expect_error(rig.bus, BUS_ERROR("UnknownObject"), "/org/liveupdate2", "org.liveupdate1.Manager", "Prepare",
                     "a{sv}", 0);
        expect_error(rig.bus, BUS_ERROR("UnknownProperty"), "/org/liveupdate1", "org.freedesktop.DBus.Properties",
                     "Get", "ss", "org.liveupdate1.Manager", "Mood");
}

static void properties_are_read_only(void **state) {
        static const char *const names[] = { "State", "Notice", "KernelRelease", "Version" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                expect_error(rig.bus, BUS_ERROR("PropertyReadOnly"), "/org/liveupdate1",
                             "org.freedesktop.DBus.Properties", "Set", "ssv", "org.liveupdate1.Manager", names[i], "s",
                             "frozen");
        assert_state(rig.bus, "normal");
}

/* Objects that are not there, with names that somebody might try. */
static void objects_that_do_not_exist(void **state) {
        static const struct {
                const char *path, *interface, *member, *types;
        } calls[] = {
                { "/org/liveupdate1/job/0", "Job", "Cancel", "a{sv}" },
                { "/org/liveupdate1/job/4711", "Job", "Cancel", "a{sv}" },
                { "/org/liveupdate1/job/18446744073709551616", "Job", "Cancel", "a{sv}" },
                { "/org/liveupdate1/job/1x", "Job", "Cancel", "a{sv}" },
                { "/org/liveupdate1/session/vm", "Session", "Close", "a{sv}" },
                { "/org/liveupdate1/session/vm", "Session", "Finish", "a{sv}" },
                { "/org/liveupdate1/session/_", "Session", "Close", "a{sv}" },
                { "/org/liveupdate1/session/_zz", "Session", "Close", "a{sv}" },
                { "/org/liveupdate1/session/vm/vm", "Session", "Close", "a{sv}" },
                { "/org/liveupdate1/participant/0", "Participant", "Ready", "s" },
                { "/org/liveupdate1/participant/4711", "Participant", "Ready", "s" },
        };
        char interface[64];

        for (size_t i = 0; i < ELEMENTSOF(calls); i++) {
                snprintf(interface, sizeof(interface), "org.liveupdate1.%s", calls[i].interface);
                if (streq(calls[i].types, "s"))
                        expect_error(rig.bus, BUS_ERROR("UnknownObject"), calls[i].path, interface, calls[i].member,
                                     "s", "prepare");
                else
                        expect_error(rig.bus, BUS_ERROR("UnknownObject"), calls[i].path, interface, calls[i].member,
                                     "a{sv}", 0);
        }
}

static void session_names(void **state) {
        char longest[65], too_long[66];
        const struct {
                const char *name, *error;
        } names[] = {
                { "", ERROR("NameInvalid") },
                { ".vm", ERROR("NameInvalid") },
                { "a/b", ERROR("NameInvalid") },
                { "a b", ERROR("NameInvalid") },
                { "v\xc3\xa4m", ERROR("NameInvalid") },
                { longest, ERROR("NameInvalid") }, /* 64 bytes: LUO wants room for the NUL */
                { too_long, ERROR("NameInvalid") },
                { "systemd", ERROR("NameReserved") },
                { "liveupdated", ERROR("NameReserved") },
                { "vm", ERROR("LuoAbsent") },
        };

        memset(longest, 'n', 64);
        longest[64] = '\0';
        memset(too_long, 'n', 65);
        too_long[65] = '\0';
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                expect_error(rig.bus, names[i].error, MANAGER, "OpenSession", "sa{sv}", names[i].name, 0);
        expect_error(rig.bus, ERROR("WrongState"), MANAGER, "ClaimSession", "sa{sv}", "vm", 0);
        expect_error(rig.bus, ERROR("NameReserved"), MANAGER, "ClaimSession", "sa{sv}", "liveupdated", 0);
}

static void steps_out_of_order(void **state) {
        static const char *const members[] = { "Freeze", "Execute", "Cancel", "Finish" };

        for (size_t i = 0; i < ELEMENTSOF(members); i++) {
                const char *why = expect_error(rig.bus, ERROR("WrongState"), MANAGER, members[i], "a{sv}", 0);
                assert_non_null(strstr(why, "the state is normal"));
                assert_non_null(strstr(why, "liveupdatectl status"));
        }
}

static void nothing_to_compare(void **state) {
        static const char *const members[] = { "Verify", "Restore" };

        for (size_t i = 0; i < ELEMENTSOF(members); i++) {
                const char *why = expect_error(rig.bus, ERROR("NoSuchDevice"), MANAGER, members[i], "a{sv}", 0);
                assert_non_null(strstr(why, "no device came through"));
        }
}

/* What this machine's kernel says of a loaded image decides the reason. */
static void nothing_to_prepare_for(void **state) {
        _cleanup_fclose_ FILE *f = fopen("/sys/kernel/kexec_loaded", "re");
        const char *name = f && fgetc(f) == '1' ? ERROR("ImageForeign") : ERROR("NoImage");

        expect_error(rig.bus, name, MANAGER, "Prepare", "a{sv}", 0);
        expect_error(rig.bus, name, MANAGER, "Update", "a{sv}", 0);
        assert_state(rig.bus, "normal");
}

static void load(int kernel, int initrd, const char *code) {
        char path[64];

        snprintf(path, sizeof(path), "%s",
                 expect_job(rig.bus, MANAGER, "LoadKernel", "hhsa{sv}", kernel, initrd, "", 0));
        const JobEnd *end = rig_job_end(&rig, path);
        assert_string_equal(end->result, "failed");
        assert_string_equal(end->code, code);
        assert_true(*end->sentence);
        /* The object tells the same, and stays. */
        assert_string_equal(property(rig.bus, path, "org.liveupdate1.Job", "Code"), code);
        assert_string_equal(property(rig.bus, path, "org.liveupdate1.Job", "Kind"), "load");
        assert_string_equal(property(rig.bus, path, "org.liveupdate1.Job", "State"), "failed");
        assert_string_equal(property(rig.bus, MANAGER, "Job"), "/");
}

static void files_that_are_no_kernel(void **state) {
        _cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC), dir = open("/", O_RDONLY | O_CLOEXEC),
                            path = open("/", O_PATH | O_CLOEXEC), text = text_file("This is no kernel.\n"),
                            empty = text_file(""), script = text_file("#!/bin/sh\n");
        int ends[2];

        load(text, null, "image-not-a-kernel");
        load(script, empty, "image-not-a-kernel");
        load(empty, empty, "image-not-a-kernel");
        /* What cannot be read at any place. */
        load(null, null, "invalid-argument");
        load(dir, null, "invalid-argument");
        load(path, null, "invalid-argument");
        /* A pipe whose other end is silent must not hold the daemon up. */
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        load(ends[0], null, "invalid-argument");
        load(ends[1], null, "invalid-argument");
        (void)close(ends[0]);
        (void)close(ends[1]);
        assert_state(rig.bus, "normal");
}

static void bad_registrations(void **state) {
        static const char *const whats[] = { "",        ":",      "prepare:",      "prepare,freeze",
                                             "Prepare", "cancel", "prepare freeze" };
        char name[512];

        for (size_t i = 0; i < ELEMENTSOF(whats); i++)
                expect_error(rig.bus, ERROR("InvalidArgument"), MANAGER, "Register", "ssa{sv}", "vm", whats[i], 0);
        memset(name, 'n', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        expect_error(rig.bus, ERROR("InvalidArgument"), MANAGER, "Register", "ssa{sv}", name, "prepare", 0);
        expect_error(rig.bus, ERROR("InvalidArgument"), MANAGER, "Register", "ssa{sv}", "", "prepare", 0);
        expect_error(rig.bus, ERROR("InvalidArgument"), MANAGER, "Register", "ssa{sv}", "a\nb", "prepare", 0);
}

static void register_vm(sd_bus *bus, char path[static 256], int *ret_lease) {
        const char *p;
        int fd;

        sd_bus_message *reply =
                expect_reply(bus, MANAGER, "Register", "ssa{sv}", "vm", "freeze:prepare", 1, "on-death", "s", "keep");
        assert_true(sd_bus_message_read(reply, "oh", &p, &fd) > 0);
        snprintf(path, 256, "%s", p);
        *ret_lease = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        sd_bus_message_unref(reply);
}

static void registration_ends_with_its_lease(void **state) {
        char path[256];
        int lease;

        register_vm(rig.bus, path, &lease);
        assert_string_equal(property(rig.bus, path, "org.liveupdate1.Participant", "Name"), "vm");
        assert_string_equal(property(rig.bus, path, "org.liveupdate1.Participant", "What"), "prepare:freeze");
        assert_string_equal(property(rig.bus, path, "org.liveupdate1.Participant", "Answer"), "none");
        rig_wait_added(&rig, path);
        assert_int_equal(close(lease), 0);
        rig_wait_removed(&rig, path);
        expect_error(rig.bus, BUS_ERROR("UnknownObject"), path, "org.liveupdate1.Participant", "Ready", "s",
                     "prepare");
}

static void registration_ends_with_its_client(void **state) {
        sd_bus *other = rig_connect(&rig);
        char path[256];
        int lease;

        register_vm(other, path, &lease);
        sd_bus_close_unref(other);
        rig_wait_removed(&rig, path);
        (void)close(lease);
}

static void answers(void **state) {
        sd_bus *stranger = rig_connect(&rig);
        char path[256];
        int lease;

        register_vm(rig.bus, path, &lease);
#define PARTICIPANT path, "org.liveupdate1.Participant"
        /* Root or not: only who registered speaks for it. */
        expect_error(stranger, ERROR("NotOwner"), PARTICIPANT, "Ready", "s", "prepare");
        expect_error(stranger, ERROR("NotOwner"), PARTICIPANT, "Veto", "ss", "prepare", "no");
        expect_error(stranger, ERROR("NotOwner"), PARTICIPANT, "Delay", "sts", "prepare", UINT64_C(1), "slow");
        expect_error(rig.bus, ERROR("InvalidArgument"), PARTICIPANT, "Ready", "s", "");
        expect_error(rig.bus, ERROR("InvalidArgument"), PARTICIPANT, "Ready", "s", "prepare:freeze");
        expect_error(rig.bus, ERROR("WrongState"), PARTICIPANT, "Ready", "s", "prepare");
        expect_error(rig.bus, ERROR("WrongState"), PARTICIPANT, "Veto", "ss", "prepare", "no");
        expect_error(rig.bus, ERROR("WrongState"), PARTICIPANT, "Delay", "sts", "prepare", UINT64_C(1), "slow");
        /* Reports: of its own, and of an update that there is. */
        expect_error(stranger, ERROR("NotOwner"), PARTICIPANT, "Report", "a(stt)", 0);
        expect_error(rig.bus, ERROR("WrongState"), PARTICIPANT, "Report", "a(stt)", 1, "stop", UINT64_C(1),
                     UINT64_C(1));
        sd_bus_close_unref(stranger);
        assert_int_equal(close(lease), 0);
        rig_wait_removed(&rig, path);
}

/* A daemon without the kernel module. */
static void held_devices(void **state) {
        expect_error(rig.bus, ERROR("InvalidArgument"), MANAGER, "HoldDevice", "sa{sv}", "", 0);
        expect_error(rig.bus, ERROR("InvalidArgument"), MANAGER, "HoldDevice", "sa{sv}", "0000:00:00.8", 0);
        expect_error(rig.bus, ERROR("InvalidArgument"), MANAGER, "HoldDevice", "sa{sv}", "ffff:ff:1f.7", 1, "rebind",
                     "s", "yes");
        expect_error(rig.bus, ERROR("InvalidArgument"), MANAGER, "HoldDevice", "sa{sv}", "ffff:ff:1f.7", 1, "bind",
                     "b", true);
        expect_error(rig.bus, ERROR("NoSuchDevice"), MANAGER, "HoldDevice", "sa{sv}", "ffff:ff:1f.7", 1, "rebind", "b",
                     true);
        expect_error(rig.bus, ERROR("InvalidArgument"), MANAGER, "ReleaseDevice", "sa{sv}", "x", 0);
        expect_error(rig.bus, ERROR("DeviceNotHeld"), MANAGER, "ReleaseDevice", "sa{sv}", "ffff:ff:1f.7", 0);
        sd_bus_message *reply = expect_reply(rig.bus, MANAGER, "ListPreserved", "");
        assert_true(sd_bus_message_enter_container(reply, 'a', "(ssssss)") > 0);
        assert_true(sd_bus_message_at_end(reply, false) > 0);
        sd_bus_message_unref(reply);
}

static void alive_after_all(void **state) {
        assert_int_equal(rig.n_starts, 1);
        assert_state(rig.bus, "normal");
        assert_string_equal(property(rig.bus, MANAGER, "Job"), "/");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(at_rest),
                cmocka_unit_test(unknown_options),
                cmocka_unit_test(wrong_option_types),
                cmocka_unit_test(ways_to_jump),
                cmocka_unit_test(wrong_signatures),
                cmocka_unit_test(unknown_members),
                cmocka_unit_test(properties_are_read_only),
                cmocka_unit_test(objects_that_do_not_exist),
                cmocka_unit_test(session_names),
                cmocka_unit_test(steps_out_of_order),
                cmocka_unit_test(nothing_to_compare),
                cmocka_unit_test(nothing_to_prepare_for),
                cmocka_unit_test(files_that_are_no_kernel),
                cmocka_unit_test(bad_registrations),
                cmocka_unit_test(registration_ends_with_its_lease),
                cmocka_unit_test(registration_ends_with_its_client),
                cmocka_unit_test(answers),
                cmocka_unit_test(held_devices),
                cmocka_unit_test(alive_after_all),
        };

        if (access("/dev/liveupdate", F_OK) == 0) {
                puts("1..0 # SKIP this machine has /dev/liveupdate, and the test would use it");
                return 0;
        }
        return cmocka_run_group_tests_name("dbus-refusals", tests, set_up, tear_down);
}
