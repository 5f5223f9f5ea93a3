/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A liveupdated that does nothing but answer: canned properties and jobs, and for what
 * is asked of it one behaviour per scenario. It serves the Manager, Job and Device
 * interfaces of dbus/ (a test compares its introspection data with them) on the bus of
 * --address, says "ready" on stdout once it has its name, and writes every request it
 * gets to stdout too. It ends when its stdin does.
 *
 *   plain    a new job tells two steps and is done
 *   early    the job ends before the reply to the request is sent
 *   fail, cancelled   it ends like this
 *   hang     it goes on until Cancel
 *   jump     the state becomes jumping; at the client's next ping (so it has heard of
 *            it) the whole bus is killed, as a kexec would
 *   refuse, denied, cancel-error   requests are answered with an error
 *   password   requests that may not ask for a password are answered with an error
 *   busy     a job runs and waits for participants; otherwise like plain
 *   fresh    nothing has happened yet; otherwise like plain
 *   wrong    it speaks another version of the interface: UpdateNumber is a string, and
 *            verdicts have words that are not known
 *   many     hundreds of jobs
 * and those of mock-device.c, where devices are.
 */
#include <getopt.h>
#include <signal.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

#include "mock.h"

typedef struct MockJob {
        uint64_t number;
        const char *kind, *state, *step, *update_id, *code, *subject, *sentence;
        bool cancelable, jumped;
} MockJob;

typedef struct Mock {
        sd_bus *bus;
        sd_event *event;
        const char *scenario;
        pid_t bus_pid;
        const char *state;
        MockJob jobs[8];
        size_t n_jobs;
        MockJob *current; /* the one that was asked for */
        unsigned progress;
        MockDevices devices;
} Mock;

#define SENTENCE_VETO "A participant refused (a disk is being resized). Remove its reason and start again."

static const MockJob canned[] = {
        { 3, "load", "done", "", "", "", "", "", false, false },
        { 5, "update", "done", "", "0123456789abcdef0123456789abcdef", "", "", "", false, true },
        { 6, "prepare", "failed", "", "fedcba9876543210fedcba9876543210", "veto", "vmm-1", "vmm-1: " SENTENCE_VETO,
          false, false },
        { 7, "cancel", "done", "", "", "", "", "", false, false },
};

static bool is(const Mock *m, const char *scenario) {
        return streq(m->scenario, scenario);
}

static void job_path_of(const MockJob *j, char buf[static 64]) {
        (void)snprintf(buf, 64, LIVEUPDATE_PATH "/job/%llu", (unsigned long long)j->number);
}

static void set_state(Mock *m, const char *to) {
        const char *from = m->state;

        m->state = to;
        (void)sd_bus_emit_signal(m->bus, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE, "StateChanged", "ss", from,
                                 to);
}

static void set_step(Mock *m, const char *step) {
        char path[64];

        job_path_of(m->current, path);
        m->current->step = step;
        (void)sd_bus_emit_properties_changed(m->bus, path, LIVEUPDATE_JOB_INTERFACE, "Step", NULL);
}

static void end_job(Mock *m, MockJob *j, const char *result) {
        char path[64];

        j->state = result;
        j->step = "";
        j->cancelable = false;
        if (streq(result, "failed")) {
                j->code = "veto";
                j->subject = "vmm-1";
                j->sentence = SENTENCE_VETO;
        } else if (streq(result, "cancelled")) {
                j->code = "cancelled";
                j->sentence = "The job was cancelled. Start it again when it is wanted.";
        }
        job_path_of(j, path);
        (void)sd_bus_emit_signal(m->bus, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE, "JobRemoved", "tosss",
                                 j->number, path, result, j->code, j->sentence);
}

/* One step of the current job for each turn of the loop. */
static int on_defer(sd_event_source *s, void *userdata) {
        Mock *m = userdata;

        switch (m->progress++) {
        case 0:
                set_step(m, "asking clients");
                return 0;
        case 1:
                if (is(m, "hang"))
                        break;
                set_step(m, is(m, "jump") ? "jumping" : "preserving");
                if (is(m, "jump")) {
                        set_state(m, "jumping");
                        break;
                }
                return 0;
        default:
                if (streq(m->current->kind, "prepare") && is(m, "plain"))
                        set_state(m, "prepared");
                end_job(m, m->current, is(m, "fail") ? "failed" : is(m, "cancelled") ? "cancelled" : "done");
        }
        return sd_event_source_set_enabled(s, SD_EVENT_OFF);
}

/* The client's ping in the jump: everything goes at once. */
static int on_message(sd_bus_message *msg, void *userdata, sd_bus_error *error) {
        Mock *m = userdata;

        if (is(m, "jump") && m->bus_pid > 1 && sd_bus_message_is_method_call(msg, "org.freedesktop.DBus.Peer", "Ping"))
                (void)kill(m->bus_pid, SIGKILL);
        return 0;
}

static int start_job(Mock *m, sd_bus_message *msg, const char *kind, sd_bus_error *error) {
        char path[64];

        (void)fflush(stdout);
        if (is(m, "refuse"))
                return sd_bus_error_set(error, LIVEUPDATE_ERROR_PREFIX "WrongState",
                                        "This cannot be done in the present state. See 'liveupdatectl status'.");
        if (is(m, "cancel-error"))
                return sd_bus_error_set(error, LIVEUPDATE_ERROR_PREFIX "Cancelled", "The job was cancelled.");
        if (is(m, "denied"))
                return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, "Rejected by the policy.");
        if (is(m, "password") && sd_bus_message_get_allow_interactive_authorization(msg) <= 0)
                return sd_bus_error_set(error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                                        "A password is needed.");
        if (m->n_jobs == ELEMENTSOF(m->jobs))
                return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "Too many jobs.");
        m->current = &m->jobs[m->n_jobs];
        *m->current = (MockJob){ .number = m->n_jobs ? m->jobs[m->n_jobs - 1].number + 1 : 1,
                                 .kind = kind,
                                 .state = "running",
                                 .step = "",
                                 .update_id = "",
                                 .code = "",
                                 .subject = "",
                                 .sentence = "",
                                 .cancelable = true };
        m->n_jobs++;
        m->progress = 0;
        job_path_of(m->current, path);
        (void)sd_bus_emit_signal(m->bus, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE, "JobNew", "to",
                                 m->current->number, path);
        if (is(m, "early")) {
                set_step(m, "being quick");
                end_job(m, m->current, "done");
        }
        int r = sd_bus_reply_method_return(msg, "o", path);
        if (r < 0 || is(m, "early"))
                return r;
        sd_event_source *s;
        r = sd_event_add_defer(m->event, &s, on_defer, m);
        if (r < 0)
                return r;
        (void)sd_event_source_set_floating(s, true);
        sd_event_source_unref(s);
        return sd_event_source_set_enabled(s, SD_EVENT_ON);
}

/* The size of what a descriptor stands for, and that reading it gives as much. */
static long long fd_bytes(int fd) {
        char buf[4096];
        long long sum = 0;
        ssize_t n;

        while ((n = pread(fd, buf, sizeof(buf), sum)) > 0)
                sum += n;
        return n < 0 ? -1 : sum;
}

static int method_load(sd_bus_message *msg, void *userdata, sd_bus_error *error) {
        const char *cmdline;
        int kernel, initrd;

        int r = sd_bus_message_read(msg, "hhs", &kernel, &initrd, &cmdline);
        if (r >= 0)
                r = sd_bus_message_read(msg, "a{sv}", 0);
        if (r < 0)
                return r;
        (void)printf("LoadKernel kernel=%lld initrd=%lld cmdline='%s'\n", fd_bytes(kernel), fd_bytes(initrd), cmdline);
        return start_job(userdata, msg, "load", error);
}

static int method_finish(sd_bus_message *msg, void *userdata, sd_bus_error *error) {
        const char *key = "", *contents;
        int value = -1;

        int r = sd_bus_message_enter_container(msg, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(msg, 'e', "sv")) > 0) {
                r = sd_bus_message_read(msg, "s", &key);
                if (r >= 0 && (r = sd_bus_message_peek_type(msg, NULL, &contents)) >= 0 && streq(contents, "b"))
                        r = sd_bus_message_read(msg, "v", "b", &value);
                if (r >= 0)
                        r = sd_bus_message_exit_container(msg);
        }
        if (r < 0)
                return r;
        (void)printf("Finish %s=%d\n", key, value);
        return start_job(userdata, msg, "finish", error);
}

static int read_jump(sd_bus_message *msg) {
        const char *way;

        int r = sd_bus_message_read(msg, "v", "s", &way);
        if (r >= 0)
                (void)printf(" jump=%s", way);
        return MIN_OF(r, 0);
}

/* Prints them: lists of devices and the way to jump, each only where it is taken. */
static int read_job_options(sd_bus_message *msg, bool devices, bool jumps) {
        const char *key;

        int r = sd_bus_message_enter_container(msg, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(msg, 'e', "sv")) > 0) {
                if ((r = sd_bus_message_read(msg, "s", &key)) < 0)
                        return r;
                bool is_jump = jumps && streq(key, "jump");
                if (!is_jump && (!devices || !(streq(key, "devices") || streq(key, "exceptions"))))
                        return -EINVAL;
                if (is_jump && (r = read_jump(msg)) < 0)
                        return r;
                if (!is_jump &&
                    ((r = sd_bus_message_enter_container(msg, 'v', "as")) < 0 ||
                     (r = mock_print_strings(msg, key)) < 0 || (r = sd_bus_message_exit_container(msg)) < 0))
                        return r;
                r = sd_bus_message_exit_container(msg);
        }
        return r;
}

static int method_job(sd_bus_message *msg, void *userdata, sd_bus_error *error) {
        static const struct {
                const char *member, *kind;
        } kinds[] = {
                { "UnloadKernel", "unload" }, { "Prepare", "prepare" }, { "Freeze", "freeze" },
                { "Execute", "execute" },     { "Update", "update" },   { "Cancel", "cancel" },
        };
        const char *member = sd_bus_message_get_member(msg);

        (void)printf("%s", member);
        int r = read_job_options(msg, streq(member, "Prepare") || streq(member, "Update"),
                                 streq(member, "Execute") || streq(member, "Update"));
        (void)putchar('\n');
        if (r == -EINVAL)
                return sd_bus_error_set(error, LIVEUPDATE_ERROR_PREFIX "InvalidArgument", "There is no such option.");
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (streq(kinds[i].member, member))
                        return start_job(userdata, msg, kinds[i].kind, error);
        return -EINVAL;
}

static int method_plan(sd_bus_message *msg, void *userdata, sd_bus_error *error) {
        return mock_plan(msg, &((Mock *)userdata)->devices, error);
}

static int method_list_devices(sd_bus_message *msg, void *userdata, sd_bus_error *error) {
        return mock_list_devices(msg, &((Mock *)userdata)->devices);
}

static int method_list_bits(sd_bus_message *msg, void *userdata, sd_bus_error *error) {
        return is(userdata, "fresh") ? sd_bus_reply_method_return(msg, "a(sssss)", 0) : mock_list_bits(msg);
}

static int method_list_preserved(sd_bus_message *msg, void *userdata, sd_bus_error *error) {
        return mock_list_preserved(msg, &((Mock *)userdata)->devices);
}

static int method_hold(sd_bus_message *msg, void *userdata, sd_bus_error *error) {
        return mock_hold(msg, sd_bus_message_get_member(msg), error);
}

static int method_verify(sd_bus_message *msg, void *userdata, sd_bus_error *error) {
        return mock_verify(msg, &((Mock *)userdata)->devices, error);
}

static int method_restore(sd_bus_message *msg, void *userdata, sd_bus_error *error) {
        return mock_restore(msg, &((Mock *)userdata)->devices, error);
}

static int method_explain(sd_bus_message *msg, void *userdata, sd_bus_error *error) {
        return mock_explain(msg, error);
}

static int method_absent(sd_bus_message *msg, void *userdata, sd_bus_error *error) {
        return sd_bus_error_set(error, SD_BUS_ERROR_NOT_SUPPORTED, "The mock has no sessions and participants.");
}

static int method_list_sessions(sd_bus_message *msg, void *userdata, sd_bus_error *error) {
        Mock *m = userdata;

        if (is(m, "denied"))
                return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, "Rejected by the policy.");
        if (is(m, "fresh"))
                return sd_bus_reply_method_return(msg, "a(osssut)", 0);
        return sd_bus_reply_method_return(msg, "a(osssut)", 3, LIVEUPDATE_PATH "/session/vmm_2d1", "vmm-1", "outgoing",
                                          "open", 0, UINT64_C(12), LIVEUPDATE_PATH "/session/vmm_2d2", "vmm-2",
                                          "incoming", "waiting", 1000, UINT64_C(3), LIVEUPDATE_PATH "/session/x",
                                          "G\303\244ste \360\237\246\212", "incoming", "lost", 4294967295u,
                                          UINT64_C(0));
}

static int append_job(sd_bus_message *reply, const MockJob *j, uint64_t number) {
        char path[64];

        (void)snprintf(path, sizeof(path), LIVEUPDATE_PATH "/job/%llu", (unsigned long long)number);
        return sd_bus_message_append(reply, "(otssss)", path, number, j->kind, j->state, j->code, j->sentence);
}

static int method_list_jobs(sd_bus_message *msg, void *userdata, sd_bus_error *error) {
        sd_bus_message *reply = NULL;
        Mock *m = userdata;

        int r = sd_bus_message_new_method_return(msg, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(otssss)");
        for (uint64_t i = 300; r >= 0 && is(m, "many") && i > 100; i--)
                r = append_job(reply, &canned[0], i);
        /* Newest first: the order is the client's affair. */
        for (size_t i = m->n_jobs; r >= 0 && i > 0; i--)
                r = append_job(reply, &m->jobs[i - 1], m->jobs[i - 1].number);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_send(m->bus, reply, NULL);
        sd_bus_message_unref(reply);
        return r < 0 ? r : 1;
}

static int get_manager(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Mock *m = userdata;

        if (streq(property, "State"))
                return sd_bus_message_append(reply, "s", m->state);
        if (streq(property, "Cancelable"))
                return sd_bus_message_append(reply, "b", is(m, "busy"));
        if (streq(property, "Job"))
                return sd_bus_message_append(reply, "o", is(m, "busy") ? LIVEUPDATE_PATH "/job/8" : "/");
        if (streq(property, "Waiting") && is(m, "busy"))
                return sd_bus_message_append(
                        reply, "a(ossstts)", 3, LIVEUPDATE_PATH "/participant/1", "vmm-1", "prepare", "waiting",
                        UINT64_C(0), UINT64_C(1), "saving 12 GiB\033[2J", LIVEUPDATE_PATH "/participant/2", "vmm-2",
                        "prepare", "ready", UINT64_C(1000000000000000), UINT64_MAX, "",
                        LIVEUPDATE_PATH "/participant/3", "agent", "prepare", "waiting", UINT64_C(0), UINT64_C(0), "");
        if (streq(property, "Waiting"))
                return sd_bus_message_append(reply, "a(ossstts)", 0);
        if (streq(property, "KernelAbi") && is(m, "fresh")) /* a kernel without the handover */
                return sd_bus_message_append(reply, "a{ss}", 3, "kho", "", "luo", "", "memfd", "");
        if (streq(property, "KernelAbi"))
                return sd_bus_message_append(reply, "a{ss}", 3, "kho", "kho-v3", "luo", "luo-v5", "memfd", "memfd-v2");
        if (streq(property, "KernelRelease"))
                return sd_bus_message_append(reply, "s", "7.3.4");
        if (streq(property, "KernelVersion"))
                return sd_bus_message_append(reply, "s", "#1 SMP PREEMPT_DYNAMIC Mon Sep 28 2026");
        if (streq(property, "NextKernel") && !is(m, "fresh"))
                return sd_bus_message_append(reply, "a{ss}", 2, "release", "7.3.5", "cmdline",
                                             "root=/dev/vda1 quiet kho=on liveupdate=on");
        if (streq(property, "NextKernel"))
                return sd_bus_message_append(reply, "a{ss}", 0);
        if (streq(property, "CrashCancels"))
                return sd_bus_message_append(reply, "b", false);
        if (streq(property, "Capabilities"))
                return sd_bus_message_append(reply, "as", 1, "memfd");
        if (streq(property, "Notice"))
                return sd_bus_message_append(reply, "s",
                                             is(m, "busy") ? "liveupdated was restarted while PREPARED." : "");
        return sd_bus_message_append(reply, "s", "0.0-mock");
}

static int get_held(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                    void *userdata, sd_bus_error *error) {
        return is(userdata, "busy") ? sd_bus_message_append(reply, "as", 2, "0000:03:00.0", "0000:04:00.0")
                                    : sd_bus_message_append(reply, "as", 0);
}

static int get_update_number(sd_bus *bus, const char *path, const char *interface, const char *property,
                             sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(reply, "t", is(userdata, "fresh") ? UINT64_C(0) : UINT64_C(2));
}

static int get_job_string(sd_bus *bus, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const MockJob *j = userdata;
        const char *v = streq(property, "Kind")                       ? j->kind
                        : streq(property, "State")                    ? j->state
                        : streq(property, "Step")                     ? j->step
                        : streq(property, "UpdateId")                 ? j->update_id
                        : streq(property, "Code")                     ? j->code
                        : streq(property, "Subject")                  ? j->subject
                        : streq(property, "Sentence")                 ? j->sentence
                        : streq(property, "FromRelease") && j->jumped ? "7.3.3"
                        : streq(property, "FromVersion") && j->jumped ? "#1 SMP Mon Sep 21 2026"
                        : streq(property, "ToRelease") && j->jumped   ? "7.3.4"
                        : streq(property, "ToVersion") && j->jumped   ? "#1 SMP PREEMPT_DYNAMIC Mon Sep 28 2026"
                        : streq(property, "Clock") && j->jumped       ? "tsc-invariant"
                                                                      : "";

        return sd_bus_message_append(reply, "s", v);
}

static int get_job_number(sd_bus *bus, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const MockJob *j = userdata;
        uint64_t v = streq(property, "Id")                           ? j->number
                     : streq(property, "StartTime")                  ? UINT64_C(1790000000000000)
                     : streq(property, "Blackout") && j->jumped      ? UINT64_C(1840200)
                     : streq(property, "BlackoutError") && j->jumped ? UINT64_C(100)
                                                                     : 0;

        return sd_bus_message_append(reply, "t", v);
}

static int get_job_other(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const MockJob *j = userdata;

        if (streq(property, "StartedByUid"))
                return sd_bus_message_append(reply, "u", 1000);
        if (streq(property, "Cancelable"))
                return sd_bus_message_append(reply, "b", j->cancelable);
        if (streq(property, "Sessions"))
                return j->jumped ? sd_bus_message_append(reply, "(uuuu)", 3, 2, 2, 1)
                                 : sd_bus_message_append(reply, "(uuuu)", 0, 0, 0, 0);
        if (streq(property, "Devices"))
                return j->jumped ? sd_bus_message_append(reply, "(uuuu)", 2, 1, 1, 1)
                                 : sd_bus_message_append(reply, "(uuuu)", 0, 0, 0, 0);
        if (streq(property, "Reconciliation"))
                return sd_bus_message_append(reply, "a{su}", 1, "expected", j->jumped ? 3 : 0);
        if (streq(property, "Reports"))
                return j->jumped ? sd_bus_message_append(reply, "a(sstt)", 3, "vm-\xce\xb1", "stop", UINT64_C(2000000),
                                                         UINT64_C(1250), "vm-\xce\xb1", "save", UINT64_C(2001250),
                                                         UINT64_C(80000), "vm-b\033[31m", "cont", UINT64_C(3900000),
                                                         UINT64_C(0))
                                 : sd_bus_message_append(reply, "a(sstt)", 0);
        if (streq(property, "Registers"))
                return j->jumped ? sd_bus_message_append(reply, "(tuuu)", UINT64_C(211), 1, 1, 1)
                                 : sd_bus_message_append(reply, "(tuuu)", UINT64_C(0), 0, 0, 0);
        if (!j->jumped)
                return sd_bus_message_append(reply, "a(stt)", 0);
        return sd_bus_message_append(
                reply, "a(stt)", 12, "prepare-begin", UINT64_C(0), UINT64_C(0), "prepared", UINT64_C(82004),
                UINT64_C(4), "freeze-begin", UINT64_C(90119), UINT64_C(5), "clients-frozen", UINT64_C(101250),
                UINT64_C(6), "frozen", UINT64_C(103001), UINT64_C(6), "reboot", UINT64_C(103977), UINT64_C(6),
                "kernel-start", UINT64_C(402313), UINT64_C(24), "daemon-start", UINT64_C(1890001), UINT64_C(98),
                "received", UINT64_C(1902450), UINT64_C(99), "first-retrieve", UINT64_C(1941450), UINT64_C(100),
                "last-retrieve", UINT64_C(1999999), UINT64_C(103), "finished", UINT64_C(2250000), UINT64_C(116));
}

static int method_job_cancel(sd_bus_message *msg, void *userdata, sd_bus_error *error) {
        return method_absent(msg, userdata, error);
}

static const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("LoadKernel", "hhsa{sv}", "o", method_load, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("UnloadKernel", "a{sv}", "o", method_job, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("OpenSession", "sa{sv}", "oh", method_absent, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("ClaimSession", "sa{sv}", "oh", method_absent, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("ListSessions", NULL, "a(osssut)", method_list_sessions, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Plan", "asa{sv}", "a(ssssss)", method_plan, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("ListDevices", NULL, "a(osssssssi)", method_list_devices, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("ListPreserved", NULL, "a(ssssss)", method_list_preserved, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("HoldDevice", "sa{sv}", NULL, method_hold, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("ReleaseDevice", "sa{sv}", NULL, method_hold, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("ListBits", NULL, "a(sssss)", method_list_bits, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Verify", "a{sv}", "ta(ssssss)", method_verify, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Restore", "a{sv}", "ta(ssssss)", method_restore, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Explain", "s", "ss", method_explain, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Register", "ssa{sv}", "oh", method_absent, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Prepare", "a{sv}", "o", method_job, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Freeze", "a{sv}", "o", method_job, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Execute", "a{sv}", "o", method_job, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Update", "a{sv}", "o", method_job, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Cancel", "a{sv}", "o", method_job, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Finish", "a{sv}", "o", method_finish, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("ListJobs", NULL, "a(otssss)", method_list_jobs, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("State", "s", get_manager, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Cancelable", "b", get_manager, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("CrashCancels", "b", get_manager, 0, 0),
        SD_BUS_PROPERTY("Job", "o", get_manager, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Waiting", "a(ossstts)", get_manager, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("KernelAbi", "a{ss}", get_manager, 0, 0),
        SD_BUS_PROPERTY("KernelRelease", "s", get_manager, 0, 0),
        SD_BUS_PROPERTY("KernelVersion", "s", get_manager, 0, 0),
        SD_BUS_PROPERTY("UpdateNumber", "t", get_update_number, 0, 0),
        SD_BUS_PROPERTY("NextKernel", "a{ss}", get_manager, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Capabilities", "as", get_manager, 0, 0),
        SD_BUS_PROPERTY("HeldDevices", "as", get_held, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Notice", "s", get_manager, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Version", "s", get_manager, 0, 0),
        SD_BUS_SIGNAL("StateChanged", "ss", 0),
        SD_BUS_SIGNAL("PlanStale", "as", 0),
        SD_BUS_SIGNAL("JobNew", "to", 0),
        SD_BUS_SIGNAL("JobRemoved", "tosss", 0),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable job_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Cancel", "a{sv}", NULL, method_job_cancel, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("Id", "t", get_job_number, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Kind", "s", get_job_string, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("State", "s", get_job_string, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Step", "s", get_job_string, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("UpdateId", "s", get_job_string, 0, 0),
        SD_BUS_PROPERTY("StartTime", "t", get_job_number, 0, 0),
        SD_BUS_PROPERTY("StartedByUid", "u", get_job_other, 0, 0),
        SD_BUS_PROPERTY("Cancelable", "b", get_job_other, 0, 0),
        SD_BUS_PROPERTY("Code", "s", get_job_string, 0, 0),
        SD_BUS_PROPERTY("Subject", "s", get_job_string, 0, 0),
        SD_BUS_PROPERTY("Sentence", "s", get_job_string, 0, 0),
        SD_BUS_PROPERTY("FromRelease", "s", get_job_string, 0, 0),
        SD_BUS_PROPERTY("FromVersion", "s", get_job_string, 0, 0),
        SD_BUS_PROPERTY("ToRelease", "s", get_job_string, 0, 0),
        SD_BUS_PROPERTY("ToVersion", "s", get_job_string, 0, 0),
        SD_BUS_PROPERTY("Timeline", "a(stt)", get_job_other, 0, 0),
        SD_BUS_PROPERTY("Reports", "a(sstt)", get_job_other, 0, 0),
        SD_BUS_PROPERTY("Blackout", "t", get_job_number, 0, 0),
        SD_BUS_PROPERTY("BlackoutError", "t", get_job_number, 0, 0),
        SD_BUS_PROPERTY("Clock", "s", get_job_string, 0, 0),
        SD_BUS_PROPERTY("Sessions", "(uuuu)", get_job_other, 0, 0),
        SD_BUS_PROPERTY("Reconciliation", "a{su}", get_job_other, 0, 0),
        SD_BUS_PROPERTY("Registers", "(tuuu)", get_job_other, 0, 0),
        SD_BUS_PROPERTY("Devices", "(uuuu)", get_job_other, 0, 0),
        SD_BUS_VTABLE_END,
};

static int find_job(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                    sd_bus_error *error) {
        Mock *m = userdata;
        char p[64];

        for (size_t i = 0; i < m->n_jobs; i++) {
                job_path_of(&m->jobs[i], p);
                if (streq(p, path)) {
                        *ret = &m->jobs[i];
                        return 1;
                }
        }
        return 0;
}

static void fill(Mock *m) {
        m->state = is(m, "busy") ? "preparing" : is(m, "jump") ? "frozen" : "normal";
        if (is(m, "fresh"))
                return;
        memcpy(m->jobs, canned, sizeof(canned));
        m->n_jobs = ELEMENTSOF(canned);
        if (is(m, "busy"))
                m->jobs[m->n_jobs++] = (MockJob){
                        8,  "update", "running", "asking clients", "00112233445566778899aabbccddeeff", "", "",
                        "", true,     false
                };
}

static int get_string(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(reply, "s", "two");
}

static const sd_bus_vtable *vtable_for(const Mock *m) {
        static sd_bus_vtable wrong[ELEMENTSOF(manager_vtable)];

        if (!is(m, "wrong"))
                return manager_vtable;
        memcpy(wrong, manager_vtable, sizeof(wrong));
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                if (wrong[i].type == _SD_BUS_VTABLE_PROPERTY && streq(wrong[i].x.property.member, "UpdateNumber")) {
                        wrong[i].x.property.signature = "s";
                        wrong[i].x.property.get = get_string;
                }
        return wrong;
}

static int connect_bus(Mock *m, const char *address) {
        int r = sd_bus_new(&m->bus);

        m->devices = (MockDevices){ .scenario = m->scenario, .bus = m->bus };
        if (r < 0 || (r = sd_bus_set_address(m->bus, address)) < 0 || (r = sd_bus_set_bus_client(m->bus, true)) < 0 ||
            (r = sd_bus_negotiate_fds(m->bus, true)) < 0 || (r = sd_bus_start(m->bus)) < 0 ||
            (r = sd_bus_set_exit_on_disconnect(m->bus, true)) < 0 ||
            (r = sd_bus_add_filter(m->bus, NULL, on_message, m)) < 0 ||
            (r = sd_bus_add_object_vtable(m->bus, NULL, LIVEUPDATE_PATH, LIVEUPDATE_MANAGER_INTERFACE, vtable_for(m),
                                          m)) < 0 ||
            (r = sd_bus_add_fallback_vtable(m->bus, NULL, LIVEUPDATE_PATH "/job", LIVEUPDATE_JOB_INTERFACE, job_vtable,
                                            find_job, m)) < 0 ||
            (r = mock_add_devices(&m->devices)) < 0 || (r = sd_bus_request_name(m->bus, LIVEUPDATE_BUS_NAME, 0)) < 0)
                return r;
        return sd_bus_attach_event(m->bus, m->event, 0);
}

static int on_stdin(sd_event_source *s, int fd, uint32_t events, void *userdata) {
        char c;

        return read(fd, &c, 1) == 1 ? 0 : sd_event_exit(sd_event_source_get_event(s), 0);
}

int main(int argc, char **argv) {
        static const struct option options[] = { { "address", required_argument, NULL, 'a' },
                                                 { "scenario", required_argument, NULL, 's' },
                                                 { "bus-pid", required_argument, NULL, 'p' },
                                                 {} };
        Mock m = { .scenario = "plain" };
        const char *address = "";
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
                if (c == 'a')
                        address = optarg;
                else if (c == 's')
                        m.scenario = optarg;
                else if (c == 'p')
                        m.bus_pid = (pid_t)strtol(optarg, NULL, 10);
                else
                        return 2;
        }
        fill(&m);
        int r = sd_event_new(&m.event);
        if (r < 0 || (r = connect_bus(&m, address)) < 0 ||
            (r = sd_event_add_io(m.event, NULL, STDIN_FILENO, EPOLLIN | EPOLLHUP, on_stdin, NULL)) < 0) {
                (void)fprintf(stderr, "mock-service: %s\n", strerror(-r));
                return 1;
        }
        (void)puts("ready");
        (void)fflush(stdout);
        r = sd_event_loop(m.event);
        sd_bus_flush_close_unref(m.bus);
        sd_event_unref(m.event);
        return r < 0;
}
