/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may call what, with the shipped bus policy and other users: no method is open by
 * accident, polkit's answers mean what they should, and sessions are their owners'. The
 * daemon is the real bus code on fakes; two uids are needed, so root.
 */
#include "methods.h"
#include "polkit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>

#include "common/fd.h"

/* Users that every Debian has: the bus wants to find them in its database. */
enum { STRANGER = 65534 /* nobody */, OWNER = 1 /* daemon */, FRIEND = 2 /* bin */ };

#define SESSION(path) path, "org.liveupdate1.Session"
#define PROPERTIES "org.freedesktop.DBus.Properties"
#define VM_1 "/org/liveupdate1/session/vm_2d1"

static Rig rig;
static Polkit polkit;
static sd_bus *stranger;

static int set_up(void **state) {
        rig_start(&rig, "FAKE_LIVEUPDATED", RIG_SHIPPED);
        stranger = rig_connect_as(&rig, STRANGER);
        return 0;
}

static int set_up_impatient(void **state) {
        rig_start_with(&rig, "FAKE_LIVEUPDATED", RIG_SHIPPED, "[Bus]\nAuthorizationTimeoutSec=300ms\n");
        stranger = rig_connect_as(&rig, STRANGER);
        return 0;
}

static int tear_down(void **state) {
        stranger = sd_bus_close_unref(stranger);
        polkit_stop(&polkit);
        return rig_stop(&rig);
}

static int open_session(sd_bus *bus, const char *name, char path[static 256]) {
        return take_object_and_fd(expect_reply(bus, MANAGER, "OpenSession", "sa{sv}", name, 0), path);
}

/* All methods. */

/* Arguments that are right, so that nothing but the caller can be what is wrong. */
static void append_argument(sd_bus_message *m, const Method *method, const char *name, const char *type) {
        _cleanup_close_ int fd = -1;
        const char *word = streq(name, "what") || streq(name, "phase") ? "prepare"
                           : streq(name, "code")                       ? "veto"
                           : streq(method->member, "OpenSession")      ? "vm-2"
                                                                       : "vm-1";

        if (streq(type, "s"))
                assert_true(sd_bus_message_append(m, "s", word) >= 0);
        else if (streq(type, "t"))
                assert_true(sd_bus_message_append(m, "t", UINT64_C(1)) >= 0);
        else if (streq(type, "h")) {
                fd = text_file("a kernel");
                assert_true(sd_bus_message_append(m, "h", fd) >= 0);
        } else {
                /* Only empty lists are made here. */
                assert_int_equal(*type, 'a');
                assert_true(sd_bus_message_open_container(m, 'a', type + 1) >= 0);
                assert_true(sd_bus_message_close_container(m) >= 0);
        }
}

static const char *call_as(sd_bus *bus, const char *path, const Method *method) {
        static char name[128];
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *m;
        size_t arg = 0;

        assert_true(sd_bus_message_new_method_call(bus, &m, "org.liveupdate1", path, method->interface,
                                                   method->member) >= 0);
        for (const char *t = method->types; *t; t += type_length(t)) {
                char type[32];
                snprintf(type, sizeof(type), "%.*s", (int)type_length(t), t);
                append_argument(m, method, method->names[arg++], type);
        }
        int r = sd_bus_call(bus, m, 0, &error, NULL);
        snprintf(name, sizeof(name), "%s", r >= 0 ? "" : error.name ?: strerror(-r));
        sd_bus_error_free(&error);
        sd_bus_message_unref(m);
        return name;
}

/* Those that tell what is nobody's secret, or the caller's own. All else is refused. */
static bool is_open(const char *member) {
        static const char *const open[] = { "ListSessions", "ListBits", "ListJobs", "Explain" };

        for (size_t i = 0; i < ELEMENTSOF(open); i++)
                if (streq(open[i], member))
                        return true;
        return false;
}

/* The objects of root, one of each kind. */
typedef struct Objects {
        char session[256], participant[256], job[256];
        int session_fd, lease;
} Objects;

static void make_objects(Objects *o) {
        o->session_fd = open_session(rig.bus, "vm-1", o->session);
        o->lease = take_object_and_fd(
                expect_reply(rig.bus, MANAGER, "Register", "ssa{sv}", "vm-1", "prepare:freeze:resume", 0),
                o->participant);
        snprintf(o->job, sizeof(o->job), "%s", expect_job(rig.bus, MANAGER, "UnloadKernel", "a{sv}", 0));
        (void)rig_job_end(&rig, o->job);
}

static const char *path_for(const Objects *o, const Method *m) {
        const char *name = strrchr(m->interface, '.') + 1;

        return streq(name, "Session")       ? o->session
               : streq(name, "Job")         ? o->job
               : streq(name, "Participant") ? o->participant
                                            : "/org/liveupdate1";
}

static size_t count_jobs(void) {
        sd_bus_message *reply = expect_reply(rig.bus, MANAGER, "ListJobs", "");
        size_t n = 0;

        assert_true(sd_bus_message_enter_container(reply, 'a', "(otssss)") > 0);
        while (sd_bus_message_skip(reply, "(otssss)") > 0)
                n++;
        sd_bus_message_unref(reply);
        return n;
}

/* "name name": those this client sees. */
static const char *sessions_of(sd_bus *bus) {
        const char *path, *name, *direction, *session_state;
        sd_bus_message *reply = expect_reply(bus, MANAGER, "ListSessions", "");
        static char text[512];
        uint64_t n_files;
        uint32_t uid;

        *text = '\0';
        assert_true(sd_bus_message_enter_container(reply, 'a', "(osssut)") > 0);
        while (sd_bus_message_read(reply, "(osssut)", &path, &name, &direction, &session_state, &uid, &n_files) > 0) {
                size_t n = strlen(text);
                snprintf(text + n, sizeof(text) - n, "%s%s", n ? " " : "", name);
        }
        sd_bus_message_unref(reply);
        return text;
}

/* Each method as the stranger; ClaimSession is refused by the state first, and has its
 * own test below. */
static void try_all(const Objects *o, bool granted) {
        static Method methods[METHODS_MAX];
        size_t n = methods_read(methods), n_denied = 0, n_own = 0, n_jobs = count_jobs();

        for (size_t i = 0; i < n; i++) {
                const Method *m = &methods[i];
                if (is_open(m->member)) {
                        assert_string_equal(call_as(stranger, path_for(o, m), m), "");
                        continue;
                }
                bool own = streq(m->interface, "org.liveupdate1.Session") ||
                           streq(m->interface, "org.liveupdate1.Participant");
                const char *wanted = streq(m->member, "ClaimSession") ? ERROR("WrongState")
                                     : own                            ? ERROR("NotOwner")
                                                                      : BUS_ERROR("AccessDenied");
                if (granted && !own)
                        continue;
                const char *error = call_as(stranger, path_for(o, m), m);
                if (!streq(error, wanted))
                        fail_msg("%s.%s: '%s', not '%s'", m->interface, m->member, error, wanted);
                n_denied++;
                n_own += own;
        }
        assert_int_equal(n_own, 8); /* so many has Session and Participant: whoever adds one looks here */
        assert_true(granted || n_denied >= 22);
        assert_state(rig.bus, "normal");
        assert_int_equal(count_jobs(), n_jobs);
        assert_string_equal(sessions_of(rig.bus), "vm-1");
        assert_string_equal(property(rig.bus, SESSION(o->session), "State"), "open");
}

static void every_method_is_closed_to_a_stranger(void **state) {
        Objects o;

        make_objects(&o);
        try_all(&o, false); /* without polkit */
        polkit_start(&polkit, &rig, MOOD_NO);
        try_all(&o, false);
        assert_true(polkit.shared->n_asked > 10);
        /* No grant of polkit's lets anybody into another user's session. */
        polkit.shared->mood = MOOD_YES;
        try_all(&o, true);
        (void)close(o.session_fd);
        (void)close(o.lease);
}

static void other_roads_are_closed(void **state) {
        static const Method unknown = { .interface = "org.liveupdate1.Manager", .member = "Reboot" };
        Objects o;

        make_objects(&o);
        assert_string_equal(call_as(stranger, "/org/liveupdate1", &unknown), BUS_ERROR("AccessDenied"));
        assert_string_equal(call_as(rig.bus, "/org/liveupdate1", &unknown), BUS_ERROR("UnknownMethod"));
        /* Without an interface, or by the unique name. */
        expect_error(stranger, BUS_ERROR("AccessDenied"), "/org/liveupdate1", NULL, "Cancel", "a{sv}", 0);
        sd_bus_error error = SD_BUS_ERROR_NULL;
        assert_true(sd_bus_call_method(stranger, rig.owner, MANAGER, "Prepare", &error, NULL, "a{sv}", 0) < 0);
        assert_string_equal(error.name, BUS_ERROR("AccessDenied"));
        sd_bus_error_free(&error);
        /* Properties are read-only, for all. */
        expect_error(rig.bus, BUS_ERROR("PropertyReadOnly"), "/org/liveupdate1", PROPERTIES, "Set", "ssv",
                     "org.liveupdate1.Manager", "State", "s", "frozen");
        expect_error(stranger, BUS_ERROR("PropertyReadOnly"), "/org/liveupdate1", PROPERTIES, "Set", "ssv",
                     "org.liveupdate1.Manager", "State", "s", "frozen");
        (void)close(o.session_fd);
        (void)close(o.lease);
}

/* polkit. */

static const char *denied_text(const char *member) {
        return expect_error(stranger, BUS_ERROR("AccessDenied"), MANAGER, member, "a{sv}", 0);
}

static void wait_asked(unsigned n) {
        uint64_t deadline = rig_now_usec() + RIG_PATIENCE_USEC;

        while (polkit.shared->n_asked < n) {
                (void)sd_bus_process(stranger, NULL);
                if (rig_now_usec() > deadline)
                        fail_msg("polkit was asked %u times, not %u", polkit.shared->n_asked, n);
                (void)sd_bus_wait(rig.bus, 1000);
        }
}

static void without_polkit_only_root(void **state) {
        assert_non_null(strstr(denied_text("Prepare"), "no polkit"));
        expect_error(rig.bus, ERROR("NoImage"), MANAGER, "Prepare", "a{sv}", 0);
}

static void polkit_is_asked_the_right_thing(void **state) {
        static const struct {
                const char *member, *action;
        } verbs[] = {
                { "UnloadKernel", "execute" }, { "Freeze", "execute" },  { "Execute", "execute" },
                { "Update", "execute" },       { "Prepare", "prepare" }, { "Cancel", "cancel" },
                { "Finish", "finish" },        { "Verify", "status" },   { "Restore", "finish" },
        };
        const char *name;
        char action[64];

        polkit_start(&polkit, &rig, MOOD_NO);
        assert_true(sd_bus_get_unique_name(stranger, &name) >= 0);
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++) {
                snprintf(action, sizeof(action), "org.liveupdate1.%s", verbs[i].action);
                assert_non_null(strstr(denied_text(verbs[i].member), action));
                assert_string_equal(polkit.shared->action, action);
                assert_string_equal(polkit.shared->subject, name);
                assert_int_equal(polkit.shared->flags, 0);
                /* Each call anew. */
                assert_int_equal(polkit.shared->n_asked, i + 1);
        }
        (void)denied_text("Verify");
        assert_int_equal(polkit.shared->n_asked, ELEMENTSOF(verbs) + 1);
        /* root is not asked about. */
        expect_error(rig.bus, ERROR("WrongState"), MANAGER, "Cancel", "a{sv}", 0);
        assert_int_equal(polkit.shared->n_asked, ELEMENTSOF(verbs) + 1);
}

/* Every action that the daemon asks for is in the file that is installed, and none else. */
static void the_actions_are_declared(void **state) {
        static const char *const groups[] = { "prepare", "execute", "cancel", "finish", "session", "status" };
        _cleanup_free_ char *xml = NULL;
        char element[96];
        size_t n = 0;

        assert_int_equal(file_read_at(AT_FDCWD, SOURCE_ROOT "/dbus/org.liveupdate1.policy", 1 << 20, &xml, NULL), 0);
        for (size_t i = 0; i < ELEMENTSOF(groups); i++) {
                snprintf(element, sizeof(element), "<action id=\"org.liveupdate1.%s\">", groups[i]);
                const char *at = strstr(xml, element);
                assert_non_null(at);
                /* Only cancel comes without a password, and only at the machine. */
                const char *active = strstr(at, "<allow_active>");
                assert_int_equal(strncmp(active, "<allow_active>yes<", 18) == 0, streq(groups[i], "cancel"));
                assert_int_equal(strncmp(strstr(at, "<allow_any>"), "<allow_any>auth_admin<", 22), 0);
        }
        for (const char *p = xml; (p = strstr(p, "<action ")); p++)
                n++;
        assert_int_equal(n, ELEMENTSOF(groups));
}

static void a_yes_is_a_yes(void **state) {
        char path[256];

        polkit_start(&polkit, &rig, MOOD_YES);
        expect_error(stranger, ERROR("NoImage"), MANAGER, "Prepare", "a{sv}", 0);
        expect_error(stranger, ERROR("WrongState"), MANAGER, "Cancel", "a{sv}", 0);
        /* Arguments and descriptors are still those that were sent. */
        _cleanup_close_ int kernel = text_file("a kernel"), initrd = text_file("");
        const char *job = expect_job(stranger, MANAGER, "LoadKernel", "hhsa{sv}", kernel, initrd, "quiet", 0);
        assert_string_equal(rig_job_end(&rig, job)->result, "done");
        assert_int_equal(property_number(rig.bus, job, "org.liveupdate1.Job", "StartedByUid", 'u'), STRANGER);
        (void)close(open_session(stranger, "mine", path));
        assert_int_equal(property_number(rig.bus, SESSION(path), "Uid", 'u'), STRANGER);
        /* The next call is another question. */
        polkit.shared->mood = MOOD_NO;
        (void)denied_text("Prepare");
}

static void a_challenge(void **state) {
        sd_bus_message *call;
        Answer answer;

        polkit_start(&polkit, &rig, MOOD_CHALLENGE);
        expect_error(stranger, BUS_ERROR("InteractiveAuthorizationRequired"), MANAGER, "Prepare", "a{sv}", 0);
        assert_int_equal(polkit.shared->flags, 0);
        /* With the caller's leave polkit may ask; if the answer is still none, it is a no. */
        assert_true(sd_bus_message_new_method_call(stranger, &call, "org.liveupdate1", MANAGER, "Prepare") >= 0);
        assert_true(sd_bus_message_append(call, "a{sv}", 0) >= 0);
        assert_true(sd_bus_message_set_allow_interactive_authorization(call, true) >= 0);
        ask_later(stranger, &answer, call);
        wait_answer(stranger, &answer);
        assert_string_equal(answer.name, BUS_ERROR("AccessDenied"));
        assert_int_equal(polkit.shared->flags, 1);
        assert_int_equal(polkit.shared->n_asked, 2);
        /* A list is no reason to open a dialogue. */
        sd_bus_set_allow_interactive_authorization(stranger, true);
        assert_string_equal(sessions_of(stranger), "");
        assert_int_equal(polkit.shared->flags, 0);
}

static void a_polkit_that_is_of_no_use(void **state) {
        polkit_start(&polkit, &rig, MOOD_ERROR);
        assert_non_null(strstr(denied_text("Prepare"), "Out of ink"));
        polkit.shared->mood = MOOD_NONSENSE;
        assert_non_null(strstr(denied_text("Prepare"), "makes no sense"));
        /* It leaves the bus with the question. */
        polkit.shared->mood = MOOD_DIE;
        assert_non_null(strstr(denied_text("Prepare"), "no answer"));
        assert_non_null(strstr(denied_text("Prepare"), "no polkit"));
        assert_state(rig.bus, "normal");
}

static bool was_cancelled(Rig *r, const void *arg) {
        return polkit.shared->n_cancelled > 0;
}

/* The deadline ends it, the daemon serves others meanwhile, and the question is taken back. */
static void a_polkit_that_is_silent(void **state) {
        uint64_t before = rig_now_usec();
        Answer answer;

        polkit_start(&polkit, &rig, MOOD_SILENT);
        ask_method_later(stranger, &answer, MANAGER, "Prepare", "a{sv}", 0);
        wait_asked(1);
        assert_state(rig.bus, "normal");
        wait_answer(stranger, &answer);
        assert_string_equal(answer.name, BUS_ERROR("AccessDenied"));
        assert_non_null(strstr(answer.text, "no answer"));
        assert_true(rig_now_usec() - before >= 300 * USEC_PER_MSEC);
        rig_process_until(&rig, was_cancelled, NULL, "CancelCheckAuthorization");
        assert_string_equal(polkit.shared->cancelled, polkit.shared->id);
}

static void a_caller_that_leaves(void **state) {
        Answer answer;

        polkit_start(&polkit, &rig, MOOD_SILENT);
        sd_bus *other = rig_connect_as(&rig, STRANGER);
        ask_method_later(other, &answer, MANAGER, "OpenSession", "sa{sv}", "vm-9", 0);
        assert_true(sd_bus_flush(other) >= 0);
        wait_asked(1);
        sd_bus_slot_unref(answer.slot);
        sd_bus_close_unref(other);
        rig_process_until(&rig, was_cancelled, NULL, "CancelCheckAuthorization");
        assert_string_equal(polkit.shared->cancelled, polkit.shared->id);
        assert_string_equal(sessions_of(rig.bus), "");
        /* One that leaves before its uid can be known. */
        for (unsigned i = 0; i < 20; i++) {
                other = rig_connect_as(&rig, STRANGER);
                ask_method_later(other, &answer, MANAGER, "OpenSession", "sa{sv}", "vm-9", 0);
                assert_true(sd_bus_flush(other) >= 0);
                sd_bus_slot_unref(answer.slot);
                sd_bus_close_unref(other);
        }
        assert_string_equal(sessions_of(rig.bus), "");
}

/* Answers that come in another order than the questions are for their own calls. */
static void answers_out_of_order(void **state) {
        static const char *const members[POLKIT_BATCH] = { "Prepare", "Cancel", "Finish", "Update" };
        Answer answers[POLKIT_BATCH];

        polkit_start(&polkit, &rig, MOOD_REVERSE);
        for (size_t yes = 0; yes < 3; yes++) {
                static const char *const only[] = { "prepare", "cancel", "finish" };
                static const char *const errors[] = { ERROR("NoImage"), ERROR("WrongState"), ERROR("WrongState") };

                snprintf(polkit.shared->only, sizeof(polkit.shared->only), "org.liveupdate1.%s", only[yes]);
                for (size_t i = 0; i < POLKIT_BATCH; i++)
                        ask_method_later(stranger, &answers[i], MANAGER, members[i], "a{sv}", 0);
                for (size_t i = 0; i < POLKIT_BATCH; i++) {
                        wait_answer(stranger, &answers[i]);
                        assert_string_equal(answers[i].name, i == yes ? errors[yes] : BUS_ERROR("AccessDenied"));
                }
        }
        assert_int_equal(polkit.shared->n_asked, 3 * POLKIT_BATCH);
}

/* While the bus is asked who a new connection is, what it sends must keep its order. */
static void order_of_a_new_connection(void **state) {
        enum { N = 30 };
        sd_bus *fresh = rig_connect(&rig);
        Answer opened[N], again[N];
        char name[16];

        for (size_t i = 0; i < N; i++) {
                snprintf(name, sizeof(name), "vm-%zu", i);
                ask_method_later(fresh, &opened[i], MANAGER, "OpenSession", "sa{sv}", name, 0);
                ask_method_later(fresh, &again[i], MANAGER, "OpenSession", "sa{sv}", name, 0);
        }
        for (size_t i = 0; i < N; i++) {
                wait_answer(fresh, &opened[i]);
                wait_answer(fresh, &again[i]);
                assert_string_equal(opened[i].name, "");
                assert_string_equal(again[i].name, ERROR("NameInUse"));
        }
        sd_bus_close_unref(fresh);
}

/* Sessions. */

static void sessions_are_their_owners(void **state) {
        char path[256];

        polkit_start(&polkit, &rig, MOOD_YES);
        sd_bus *owner = rig_connect_as(&rig, OWNER);
        _cleanup_close_ int file = text_file("secret");
        (void)close(open_session(owner, "vm-1", path));
        assert_string_equal(path, VM_1);
        polkit.shared->mood = MOOD_NO;
        expect_ok(owner, SESSION(path), "PreserveFd", "hta{sv}", file, UINT64_C(1), 0);

        /* Its owner reads it without polkit; a stranger sees nothing. */
        unsigned asked = polkit.shared->n_asked;
        assert_string_equal(property(owner, SESSION(path), "State"), "open");
        expect_ok(owner, path, PROPERTIES, "GetAll", "s", "org.liveupdate1.Session");
        assert_int_equal(polkit.shared->n_asked, asked);
        assert_string_equal(sessions_of(owner), "vm-1");
        assert_string_equal(sessions_of(stranger), "");
        expect_error(stranger, BUS_ERROR("AccessDenied"), path, PROPERTIES, "Get", "ss", "org.liveupdate1.Session",
                     "Files");
        expect_error(stranger, BUS_ERROR("AccessDenied"), path, PROPERTIES, "GetAll", "s", "org.liveupdate1.Session");
        expect_error(stranger, BUS_ERROR("AccessDenied"), path, PROPERTIES, "GetAll", "s", "");
        expect_error(stranger, BUS_ERROR("AccessDenied"), "/org/liveupdate1", "org.freedesktop.DBus.ObjectManager",
                     "GetManagedObjects", "");
        expect_error(stranger, BUS_ERROR("AccessDenied"), "/org/liveupdate1/device/_0000_3a01_3a00_2e0", PROPERTIES,
                     "GetAll", "s", "org.liveupdate1.Device");

        /* Who may see all, sees; and touches nothing. */
        polkit.shared->mood = MOOD_YES;
        assert_string_equal(sessions_of(stranger), "vm-1");
        assert_string_equal(property(stranger, SESSION(path), "State"), "open");
        expect_error(stranger, ERROR("NotOwner"), SESSION(path), "PreserveFd", "hta{sv}", file, UINT64_C(2), 0);
        expect_error(stranger, ERROR("NotOwner"), SESSION(path), "Close", "a{sv}", 0);
        sd_bus_close_unref(owner);
}

static unsigned n_added, n_changed, n_values;

static int on_added(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        n_added++;
        return 0;
}

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *interface;

        assert_true(sd_bus_message_read(m, "s", &interface) > 0);
        if (!streq(interface, "org.liveupdate1.Session"))
                return 0;
        n_changed++;
        assert_true(sd_bus_message_enter_container(m, 'a', "{sv}") > 0);
        n_values += sd_bus_message_at_end(m, false) == 0;
        return 0;
}

static void signals_tell_strangers_nothing(void **state) {
        static const char *const added = "type='signal',sender='org.liveupdate1',"
                                         "interface='org.freedesktop.DBus.ObjectManager'";
        static const char *const changed = "type='signal',sender='org.liveupdate1',"
                                           "interface='org.freedesktop.DBus.Properties'";
        char path[256];

        n_added = n_changed = n_values = 0;
        assert_true(sd_bus_add_match(stranger, NULL, added, on_added, NULL) >= 0);
        assert_true(sd_bus_add_match(stranger, NULL, changed, on_changed, NULL) >= 0);
        (void)close(open_session(rig.bus, "vm-1", path));
        expect_ok(rig.bus, SESSION(path), "Close", "a{sv}", 0);
        rig_wait_removed(&rig, path); /* root does get them */
        /* What was sent before the answer to this has come before it. */
        expect_ok(stranger, "/org/liveupdate1", "org.freedesktop.DBus.Peer", "Ping", "");
        while (sd_bus_process(stranger, NULL) > 0)
                ;
        assert_int_equal(n_added, 0);
        assert_true(n_changed > 0);
        assert_int_equal(n_values, 0);
}

static const char *grants_of(sd_bus *bus, const char *path) {
        sd_bus_message *reply = expect_reply(bus, path, PROPERTIES, "Get", "ss", "org.liveupdate1.Session", "Grants");
        static char text[128];
        uint32_t uid;

        *text = '\0';
        assert_true(sd_bus_message_enter_container(reply, 'v', "au") > 0);
        assert_true(sd_bus_message_enter_container(reply, 'a', "u") > 0);
        while (sd_bus_message_read(reply, "u", &uid) > 0) {
                size_t n = strlen(text);
                snprintf(text + n, sizeof(text) - n, "%s%u", n ? " " : "", uid);
        }
        sd_bus_message_unref(reply);
        return text;
}

static void run_job(const char *member) {
        assert_string_equal(rig_job_end(&rig, expect_job(rig.bus, MANAGER, member, "a{sv}", 0))->result, "done");
}

/* root takes the machine into its next kernel. */
static void jump(void) {
        _cleanup_close_ int kernel = text_file("a kernel"), initrd = text_file("");

        const char *job = expect_job(rig.bus, MANAGER, "LoadKernel", "hhsa{sv}", kernel, initrd, "quiet", 0);
        assert_string_equal(rig_job_end(&rig, job)->result, "done");
        run_job("Prepare");
        run_job("Freeze");
        expect_ok(rig.bus, MANAGER, "Execute", "a{sv}", 0);
        rig_wait_start(&rig, 2);
        assert_state(rig.bus, "updated");
}

static void owners_and_grants_cross_the_kexec(void **state) {
        char path[256], mine[256];
        const char *text;
        int fd;

        polkit_start(&polkit, &rig, MOOD_YES);
        sd_bus *owner = rig_connect_as(&rig, OWNER), *friend = rig_connect_as(&rig, FRIEND);
        _cleanup_close_ int file = text_file("memory");
        (void)close(take_object_and_fd(
                expect_reply(owner, MANAGER, "OpenSession", "sa{sv}", "vm-1", 1, "grants", "au", 2, FRIEND, 12345),
                path));
        (void)close(open_session(owner, "vm-2", mine));
        polkit_stop(&polkit); /* nothing of this needs it */
        expect_ok(friend, SESSION(path), "PreserveFd", "hta{sv}", file, UINT64_C(1), 0);
        assert_string_equal(grants_of(friend, path), "2 12345");
        assert_string_equal(sessions_of(friend), "vm-1");
        expect_error(friend, ERROR("NotOwner"), SESSION(mine), "PreserveFd", "hta{sv}", file, UINT64_C(1), 0);
        jump();

        assert_string_equal(sessions_of(owner), "vm-1 vm-2");
        assert_string_equal(sessions_of(friend), "vm-1");
        assert_string_equal(sessions_of(stranger), "");
        assert_string_equal(grants_of(owner, path), "2 12345");
        text = expect_error(stranger, ERROR("NotOwner"), MANAGER, "ClaimSession", "sa{sv}", "vm-1", 0);
        assert_non_null(strstr(text, "uid 1"));
        expect_error(friend, ERROR("NotOwner"), MANAGER, "ClaimSession", "sa{sv}", "vm-2", 0);
        (void)close(take_object_and_fd(expect_reply(friend, MANAGER, "ClaimSession", "sa{sv}", "vm-1", 0), path));
        expect_error(stranger, ERROR("NotOwner"), MANAGER, "ClaimSession", "sa{sv}", "vm-1", 0);
        expect_error(stranger, ERROR("NotOwner"), SESSION(path), "RetrieveFd", "ta{sv}", UINT64_C(1), 0);
        expect_error(stranger, ERROR("NotOwner"), SESSION(path), "Finish", "a{sv}", 0);
        expect_error(stranger, BUS_ERROR("AccessDenied"), MANAGER, "Finish", "a{sv}", 1, "unclaimed", "b", true);

        sd_bus_message *reply = expect_reply(friend, SESSION(path), "RetrieveFd", "ta{sv}", UINT64_C(1), 0);
        assert_true(sd_bus_message_read(reply, "h", &fd) > 0);
        char memory[16] = "";
        assert_int_equal(pread(fd, memory, sizeof(memory) - 1, 0), 6);
        assert_string_equal(memory, "memory");
        sd_bus_message_unref(reply);
        expect_ok(friend, SESSION(path), "Finish", "a{sv}", 0);
        /* root can do all of it for others. */
        (void)close(take_object_and_fd(expect_reply(rig.bus, MANAGER, "ClaimSession", "sa{sv}", "vm-2", 0), mine));
        expect_ok(rig.bus, SESSION(mine), "Finish", "a{sv}", 0);
        rig_wait_removed(&rig, mine);
        assert_state(rig.bus, "normal");
        sd_bus_close_unref(owner);
        sd_bus_close_unref(friend);
}

static void too_many_grants(void **state) {
        sd_bus_message *call;
        uint32_t uids[17] = {};
        Answer answer;

        for (size_t n = 16; n <= 17; n++) {
                assert_true(sd_bus_message_new_method_call(rig.bus, &call, "org.liveupdate1", MANAGER,
                                                           "OpenSession") >= 0);
                assert_true(sd_bus_message_append(call, "s", "vm-1") >= 0);
                assert_true(sd_bus_message_open_container(call, 'a', "{sv}") >= 0);
                assert_true(sd_bus_message_open_container(call, 'e', "sv") >= 0);
                assert_true(sd_bus_message_append(call, "s", "grants") >= 0);
                assert_true(sd_bus_message_open_container(call, 'v', "au") >= 0);
                assert_true(sd_bus_message_append_array(call, 'u', uids, n * sizeof(uids[0])) >= 0);
                for (int i = 0; i < 3; i++)
                        assert_true(sd_bus_message_close_container(call) >= 0);
                ask_later(rig.bus, &answer, call);
                wait_answer(rig.bus, &answer);
                assert_string_equal(answer.name, n == 17 ? ERROR("InvalidArgument") : "");
        }
        expect_error(rig.bus, ERROR("InvalidArgument"), MANAGER, "OpenSession", "sa{sv}", "vm-2", 1, "grants", "s",
                     "everybody");
        assert_string_equal(sessions_of(rig.bus), "vm-1");
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(every_method_is_closed_to_a_stranger),
                TEST(other_roads_are_closed),
                TEST(without_polkit_only_root),
                TEST(polkit_is_asked_the_right_thing),
                cmocka_unit_test(the_actions_are_declared),
                TEST(a_yes_is_a_yes),
                TEST(a_challenge),
                TEST(a_polkit_that_is_of_no_use),
                cmocka_unit_test_setup_teardown(a_polkit_that_is_silent, set_up_impatient, tear_down),
                TEST(a_caller_that_leaves),
                TEST(answers_out_of_order),
                TEST(order_of_a_new_connection),
                TEST(sessions_are_their_owners),
                TEST(signals_tell_strangers_nothing),
                TEST(owners_and_grants_cross_the_kexec),
                TEST(too_many_grants),
        };

        if (geteuid() != 0) {
                puts("1..0 # SKIP two users are needed: run this as root");
                return 0;
        }
        return cmocka_run_group_tests_name("dbus-auth", tests, NULL, NULL);
}
