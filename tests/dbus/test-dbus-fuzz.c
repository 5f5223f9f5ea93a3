/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls at random on every method of every interface, for a bounded time: mostly with the
 * right signature and words that mean something, so that they get far, and now and then
 * with anything. The daemon is the real bus code on fakes; it is asked by root, by a
 * user whom polkit grants all, and by one to whom it grants nothing.
 *
 * Afterwards every call has had an answer, the daemon is alive and can be brought to
 * rest, nothing is left of what the callers made, and it has not grown. Under a
 * sanitizer, rig_stop() sees what leaked.
 *
 * $DBUS_FUZZ_SECONDS is how long each round takes (1).
 */
#include "methods.h"
#include "polkit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <time.h>

#include "common/fd.h"
#include "support/random.h"

enum {
        USER = 65534, /* nobody */
        IN_FLIGHT = 32,
        HELD = 16, /* descriptors from answers that are kept for a while */
        /* What a round may add to the daemon once all is put back. */
        FDS_MORE = 8, /* the fake keeps the files of a session whose FINISH failed */
#ifdef __SANITIZE_ADDRESS__
        KIB_MORE = 16384, /* its allocator grows for longer; leaks it finds by itself */
#else
        KIB_MORE = 4096,
#endif
};

static Rig rig;
static Polkit polkit;
static Method methods[METHODS_MAX];
static size_t n_methods;

typedef struct Fuzzer {
        sd_bus *bus;
        Random random;
        unsigned n_sent, n_answered, n_failed, n_flying;
        int held[HELD];
} Fuzzer;

static uint32_t pick(Fuzzer *f, uint32_t n) {
        return random_below(&f->random, n);
}

#define PICK(f, array) (array)[pick(f, ELEMENTSOF(array))]

/* Values. */

static const char *a_word(Fuzzer *f) {
        static char longest[5000], text[64];
        static const char *const words[] = {
                "",
                "prepare",
                "freeze",
                "resume",
                "prepare:freeze:resume",
                "cancel",
                "keep",
                "drop",
                "veto",
                "no-image",
                "0000:01:00.0",
                "0000:00:01.0",
                "liveupdated",
                "systemd",
                "a/b",
                "..",
                "%s%n%s%n",
                "\x7f\x01\x02",
                "vm-1/1",
                "\xc3\xa4\xe2\x82\xac",
                "quiet",
                "kho=off",
                "99999999999999999999",
                "org.liveupdate1.Session",
        };

        switch (pick(f, 8)) {
        case 0:
                memset(longest, 'a', sizeof(longest) - 1);
                longest[pick(f, sizeof(longest))] = '\0';
                return longest;
        case 1 ... 4:
                snprintf(text, sizeof(text), "vm-%u", (unsigned)pick(f, 4));
                return text;
        default:
                return PICK(f, words);
        }
}

static uint64_t a_number(Fuzzer *f) {
        static const uint64_t numbers[] = { 0, 1, 2, 3, INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX };

        return pick(f, 8) ? PICK(f, numbers) : random_next(&f->random);
}

static int a_file(Fuzzer *f) {
        switch (pick(f, 4)) {
        case 0:
                return open("/dev/null", O_RDWR | O_CLOEXEC);
        case 1:
                return open("/", O_RDONLY | O_CLOEXEC);
        default:
                return text_file("memory");
        }
}

static const char *a_signature(Fuzzer *f) {
        static const char *const some[] = { "s",      "as", "a{sv}", "t", "h", "ss", "(bba{ss})", "av",      "aas",
                                            "a(tss)", "v",  "o",     "g", "y", "d",  "au",        "hhsa{sv}" };

        return PICK(f, some);
}

static int append_type(Fuzzer *f, sd_bus_message *m, const char *type, unsigned depth);

static int append_types(Fuzzer *f, sd_bus_message *m, const char *types, unsigned depth) {
        int r = 0;

        for (const char *t = types; *t && r >= 0; t += type_length(t)) {
                char one[64];
                snprintf(one, sizeof(one), "%.*s", (int)type_length(t), t);
                r = append_type(f, m, one, depth);
        }
        return r;
}

static int append_inside(Fuzzer *f, sd_bus_message *m, char kind, const char *contents, unsigned n, unsigned depth) {
        int r = sd_bus_message_open_container(m, kind, contents);

        for (unsigned i = 0; i < n && r >= 0; i++)
                r = append_types(f, m, contents, depth + 1);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* Options that exist, with the type that they have or with another. */
static int append_option(Fuzzer *f, sd_bus_message *m, unsigned depth) {
        static const struct {
                const char *key, *type;
        } options[] = { { "grants", "au" }, { "on-death", "s" }, { "unclaimed", "b" },
                        { "force", "b" },   { "devices", "as" }, { "exceptions", "as" } };
        size_t i = pick(f, ELEMENTSOF(options));
        const char *type = pick(f, 6) ? options[i].type : a_signature(f);

        int r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", pick(f, 10) ? options[i].key : a_word(f));
        if (r >= 0)
                r = append_inside(f, m, 'v', type[type_length(type)] ? "s" : type, 1, depth + 1);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_options(Fuzzer *f, sd_bus_message *m, unsigned depth) {
        unsigned n = pick(f, 2) ? 0 : (unsigned)pick(f, 3);

        int r = sd_bus_message_open_container(m, 'a', "{sv}");
        for (unsigned i = 0; i < n && r >= 0; i++)
                r = append_option(f, m, depth);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_basic(Fuzzer *f, sd_bus_message *m, char type) {
        static const char *const paths[] = { "/", "/org/liveupdate1", "/org/liveupdate1/session/vm_2d1" };
        union {
                double d;
                uint64_t v;
        } number = { .v = a_number(f) };

        switch (type) {
        case 's':
                return sd_bus_message_append_basic(m, 's', a_word(f));
        case 'o':
                return sd_bus_message_append_basic(m, 'o', PICK(f, paths));
        case 'g':
                return sd_bus_message_append_basic(m, 'g', a_signature(f));
        case 'b':
                return sd_bus_message_append_basic(m, 'b', &(int){ number.v & 1 });
        case 'h': {
                _cleanup_close_ int fd = a_file(f);
                return sd_bus_message_append_basic(m, 'h', &fd);
        }
        default: /* the rest are plain numbers, of which so many bytes are taken as are needed */
                return sd_bus_message_append_basic(m, type, &number);
        }
}

static int append_type(Fuzzer *f, sd_bus_message *m, const char *type, unsigned depth) {
        char contents[64];

        if (streq(type, "a{sv}"))
                return append_options(f, m, depth);
        if (*type == 'v') {
                const char *inner = depth > 3 ? "s" : a_signature(f);
                return append_inside(f, m, 'v', inner[type_length(inner)] ? "s" : inner, 1, depth + 1);
        }
        if (*type == 'a')
                return append_inside(f, m, 'a', type + 1, (unsigned)pick(f, depth > 3 ? 2 : 5), depth);
        if (*type != '(' && *type != '{')
                return append_basic(f, m, *type);
        snprintf(contents, sizeof(contents), "%.*s", (int)strlen(type) - 2, type + 1);
        return append_inside(f, m, *type == '(' ? 'r' : 'e', contents, 1, depth);
}

/* Calls. */

static void a_path(Fuzzer *f, const char *interface, char buf[static 128]) {
        static const char *const kinds[] = { "Manager", "Session", "Job", "Participant", "Device" };
        const char *name = pick(f, 10) ? strrchr(interface, '.') + 1 : PICK(f, kinds);

        if (!pick(f, 30))
                snprintf(buf, 128, "/org/liveupdate1/session/_zz%u", (unsigned)pick(f, 9));
        else if (streq(name, "Session"))
                snprintf(buf, 128, "/org/liveupdate1/session/vm_2d%u", (unsigned)pick(f, 4));
        else if (streq(name, "Job"))
                snprintf(buf, 128, "/org/liveupdate1/job/%u", (unsigned)pick(f, 200));
        else if (streq(name, "Participant"))
                snprintf(buf, 128, "/org/liveupdate1/participant/%u", (unsigned)pick(f, 300));
        else if (streq(name, "Device"))
                snprintf(buf, 128, "/org/liveupdate1/device/_0000_3a0%u_3a00_2e0", (unsigned)pick(f, 3));
        else
                snprintf(buf, 128, "/org/liveupdate1");
}

static void a_standard_call(Fuzzer *f, char path[static 128], const char **interface, const char **member,
                            const char **types) {
        static const char *const calls[][3] = {
                { "org.freedesktop.DBus.Properties", "GetAll", "s" },
                { "org.freedesktop.DBus.Properties", "Get", "ss" },
                { "org.freedesktop.DBus.Properties", "Set", "ssv" },
                { "org.freedesktop.DBus.Introspectable", "Introspect", "" },
                { "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "" },
                { "org.freedesktop.DBus.Peer", "Ping", "" },
                { "org.liveupdate1.Manager", "Nothing", "s" },
        };
        size_t i = pick(f, ELEMENTSOF(calls));

        a_path(f, methods[pick(f, (uint32_t)n_methods)].interface, path);
        *interface = calls[i][0];
        *member = calls[i][1];
        *types = calls[i][2];
}

/* A descriptor of an answer: most are let go at once, some live for a while. */
static void hold(Fuzzer *f, sd_bus_message *reply) {
        size_t i = pick(f, HELD);
        const char *path;
        int fd;

        if (sd_bus_message_has_signature(reply, "oh") <= 0 || sd_bus_message_read(reply, "oh", &path, &fd) <= 0)
                return;
        fd_close(f->held[i]);
        f->held[i] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Fuzzer *f = userdata;

        f->n_answered++;
        f->n_flying--;
        if (sd_bus_message_get_error(reply))
                f->n_failed++;
        else
                hold(f, reply);
        return 0;
}

/* Seldom what ends an update, or none would come to its end. */
static const Method *a_method(Fuzzer *f) {
        static const char *const ends[] = { "Cancel", "Veto", "UnloadKernel", "Close" };

        for (;;) {
                const Method *m = &methods[pick(f, (uint32_t)n_methods)];
                bool rare = false;
                for (size_t i = 0; i < ELEMENTSOF(ends); i++)
                        rare |= streq(m->member, ends[i]);
                if (!rare || !pick(f, 50))
                        return m;
        }
}

static void send_one(Fuzzer *f) {
        const Method *method = a_method(f);
        const char *interface = method->interface, *member = method->member, *types = method->types;
        sd_bus_message *m = NULL;
        char path[128];

        a_path(f, interface, path);
        if (!pick(f, 8))
                a_standard_call(f, path, &interface, &member, &types);
        if (!pick(f, 12))
                types = a_signature(f);
        assert_true(sd_bus_message_new_method_call(f->bus, &m, "org.liveupdate1", path, interface, member) >= 0);
        if (append_types(f, m, types, 0) >= 0) { /* else the words were none that D-Bus takes */
                if (!pick(f, 4))
                        (void)sd_bus_message_set_allow_interactive_authorization(m, true);
                assert_true(sd_bus_call_async(f->bus, NULL, m, on_reply, f, RIG_PATIENCE_USEC) >= 0);
                f->n_sent++;
                f->n_flying++;
        }
        sd_bus_message_unref(m);
}

/* As a client does that takes part, or an update would never get far. */
static int on_phase(sd_bus_message *signal, void *userdata, sd_bus_error *error) {
        Fuzzer *f = userdata;
        const char *phase;

        if (!pick(f, 10) || sd_bus_message_read(signal, "s", &phase) <= 0)
                return 0;
        if (sd_bus_call_method_async(f->bus, NULL, "org.liveupdate1", sd_bus_message_get_path(signal),
                                     "org.liveupdate1.Participant", "Ready", on_reply, f, "s", phase) >= 0) {
                f->n_sent++;
                f->n_flying++;
        }
        return 0;
}

static void process(Fuzzer *f) {
        int n = sd_bus_process(f->bus, NULL);

        if (n < 0)
                fail_msg("the bus ended the connection: %s", strerror(-n));
        if (n == 0)
                (void)sd_bus_wait(f->bus, USEC_PER_SEC / 10);
}

static void fuzz(uid_t uid, uint64_t seed, uint64_t usec) {
        Fuzzer f = { .bus = uid == 0 ? rig_connect(&rig) : rig_connect_as(&rig, uid) };
        uint64_t end = rig_now_usec() + usec, patience = end + RIG_PATIENCE_USEC;

        f.random.state = seed;
        for (size_t i = 0; i < HELD; i++)
                f.held[i] = -1;
        assert_true(sd_bus_add_match(f.bus, NULL,
                                     "type='signal',interface='org.liveupdate1.Participant',member='PhaseRequested'",
                                     on_phase, &f) >= 0);
        while (rig_now_usec() < end) {
                while (f.n_flying < IN_FLIGHT)
                        send_one(&f);
                process(&f);
        }
        while (f.n_flying > 0) {
                if (rig_now_usec() > patience)
                        fail_msg("%u of %u calls have no answer", f.n_flying, f.n_sent);
                process(&f);
        }
        print_message("# uid %u: %u calls answered, %u of them with an error\n", uid, f.n_answered, f.n_failed);
        assert_true(f.n_sent > 100);
        assert_true(f.n_failed < f.n_sent); /* some got through */
        for (size_t i = 0; i < HELD; i++)
                fd_close(f.held[i]);
        sd_bus_close_unref(f.bus);
}

/* At rest. */

/* A jump may still be under way: then there is nobody to be asked, which is no rest. */
static bool has_sessions(void) {
        sd_bus_message *reply = NULL;

        if (ask(rig.bus, MANAGER, "ListSessions", NULL, &reply, "") < 0)
                return true;
        int r = sd_bus_message_enter_container(reply, 'a', "(osssut)");
        bool some = r < 0 || sd_bus_message_at_end(reply, false) == 0;
        sd_bus_message_unref(reply);
        return some;
}

static void read_text(const char *name, char *buf, size_t size) {
        sd_bus_message *reply = NULL;
        const char *type, *value = "";

        if (ask(rig.bus, "/org/liveupdate1", "org.freedesktop.DBus.Properties", "Get", NULL, &reply, "ss",
                "org.liveupdate1.Manager", name) >= 0 &&
            sd_bus_message_peek_type(reply, NULL, &type) > 0)
                (void)sd_bus_message_read(reply, "v", type, &value);
        snprintf(buf, size, "%s", value);
        sd_bus_message_unref(reply);
}

static size_t n_descriptors(void) {
        char path[64];
        size_t n = 0;

        snprintf(path, sizeof(path), "/proc/%d/fd", (int)rig.daemon_pid);
        DIR *d = opendir(path);
        assert_non_null(d);
        while (readdir(d))
                n++;
        (void)closedir(d);
        return n;
}

/* For the log of a failure. */
static void show_descriptors(void) {
        char path[64], entry[400], target[256];
        struct dirent *e;

        snprintf(path, sizeof(path), "/proc/%d/fd", (int)rig.daemon_pid);
        DIR *d = opendir(path);
        while (d && (e = readdir(d))) {
                snprintf(entry, sizeof(entry), "%s/%s", path, e->d_name);
                ssize_t n = readlink(entry, target, sizeof(target) - 1);
                if (n > 0)
                        print_message("# %s: %.*s\n", e->d_name, (int)n, target);
        }
        if (d)
                (void)closedir(d);
}

/* The fake of LUO sees what others have closed when it is called next. */
static void nudge(sd_bus *bus) {
        if (ask(bus, MANAGER, "OpenSession", NULL, NULL, "sa{sv}", "nudge", 0) >= 0)
                (void)ask(bus, "/org/liveupdate1/session/nudge", "org.liveupdate1.Session", "Close", NULL, NULL,
                          "a{sv}", 0);
}

/* As an operator would. A job may be running still, so each is tried until it works. */
static bool at_rest(Rig *r, const void *arg) {
        char now[32], job[64];
        static unsigned n_tries;

        if (++n_tries % 200 == 0) {
                read_text("State", now, sizeof(now));
                print_message("# still %s, sessions: %d\n", now, has_sessions());
                show_descriptors();
        }
        while (sd_bus_process(r->bus, NULL) > 0)
                ; /* jumps are counted by the signals that come */
        read_text("State", now, sizeof(now));
        read_text("Job", job, sizeof(job));
        if (streq(now, "updated") || streq(now, "finishing"))
                (void)ask(r->bus, MANAGER, "Finish", NULL, NULL, "a{sv}", 2, "unclaimed", "b", true, "force", "b",
                          true);
        else if (!streq(now, "normal"))
                (void)ask(r->bus, MANAGER, "Cancel", NULL, NULL, "a{sv}", 0);
        else if (streq(job, "/") && !has_sessions()) {
                nudge(r->bus);
                return n_descriptors() <= *(const size_t *)arg;
        }
        return false;
}

static uint64_t resident_kib(void) {
        _cleanup_free_ char *text = NULL;
        unsigned long kib;
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/status", (int)rig.daemon_pid);
        assert_int_equal(file_read_at(AT_FDCWD, path, 1 << 16, &text, NULL), 0);
        const char *line = strstr(text, "VmRSS:");
        assert_non_null(line);
        assert_int_equal(sscanf(line, "VmRSS: %lu", &kib), 1);
        return kib;
}

/* The first round is warm-up: caches fill, the list of ended jobs gets as long as it may. */
static void two_rounds(uid_t uid) {
        const char *seconds = getenv("DBUS_FUZZ_SECONDS");
        uint64_t usec = (seconds ? strtoull(seconds, NULL, 10) : 1) * USEC_PER_SEC;
        uint64_t seed = random_seed((uint64_t)time(NULL) * 1000 + uid);
        size_t any = SIZE_MAX;

        print_message("# LIVEUPDATE_TEST_SEED=%llu\n", (unsigned long long)seed);
        fuzz(uid, seed, usec);
        rig_process_until(&rig, at_rest, &any, "the state of rest");
        size_t fds = n_descriptors() + FDS_MORE;
        uint64_t kib = resident_kib();
        fuzz(uid, seed + 1, usec);
        rig_process_until(&rig, at_rest, &fds, "the state of rest, with no more descriptors than before");
        print_message("# %zu descriptors (%zu before), %lu KiB (%lu before), %u jumps\n", n_descriptors(),
                      fds - FDS_MORE, (unsigned long)resident_kib(), (unsigned long)kib, rig.n_starts - 1);
        assert_true(resident_kib() <= kib + KIB_MORE);
}

static void as_root(void **state) {
        uint64_t patience = rig_now_usec() + RIG_PATIENCE_USEC;
        size_t any = SIZE_MAX;

        two_rounds(0);
        /* Chance takes it as far as a jump, and into the next kernel; some rounds more at the worst. */
        for (uint64_t seed = 1; rig.n_starts < 2; seed++) {
                if (rig_now_usec() > patience)
                        fail_msg("never came as far as a jump");
                fuzz(0, seed, USEC_PER_SEC);
                rig_process_until(&rig, at_rest, &any, "the state of rest");
        }
}

static void as_a_user_who_may_all(void **state) {
        polkit.shared->mood = MOOD_YES;
        two_rounds(USER);
}

static void as_a_user_who_may_nothing(void **state) {
        polkit.shared->mood = MOOD_NO;
        two_rounds(USER);
        assert_int_equal(rig.n_starts, 1);
}

static int set_up(void **state) {
        /* Steps on which nobody answers are soon over. */
        rig_start_with(&rig, "FAKE_LIVEUPDATED", RIG_SHIPPED,
                       "[Update]\nPrepareTimeoutSec=50ms\nFreezeTimeoutSec=50ms\n[Limits]\nJobs=16\n");
        polkit_start(&polkit, &rig, MOOD_NO);
        return 0;
}

static int tear_down(void **state) {
        polkit_stop(&polkit);
        return rig_stop(&rig);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(as_root),
                TEST(as_a_user_who_may_all),
                TEST(as_a_user_who_may_nothing),
        };
        char options[512];

        if (geteuid() != 0) {
                puts("1..0 # SKIP two users are needed: run this as root");
                return 0;
        }
        /* What is freed must be reused, or the daemon would grow under AddressSanitizer. */
        snprintf(options, sizeof(options), "%s:quarantine_size_mb=1:thread_local_quarantine_size_kb=64",
                 getenv("ASAN_OPTIONS") ?: "");
        (void)setenv("ASAN_OPTIONS", *options == ':' ? options + 1 : options, 1);
        n_methods = methods_read(methods);
        return cmocka_run_group_tests_name("dbus-fuzz", tests, NULL, NULL);
}
