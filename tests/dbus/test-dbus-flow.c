/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client's view of sessions and of whole updates, over a real bus: the daemon's bus
 * side and manager, on fakes of LUO and kexec (fake-daemon.c).
 */
#include "common/names.h"
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>
#include <time.h>

#define SESSION(path) path, "org.liveupdate1.Session"
#define PARTICIPANT(path) path, "org.liveupdate1.Participant"
#define JOB(path) path, "org.liveupdate1.Job"

static Rig rig;

static int set_up(void **state) {
        rig_start(&rig, "FAKE_LIVEUPDATED", RIG_ALLOW_ALL);
        return 0;
}

static int tear_down(void **state) {
        return rig_stop(&rig);
}

/* A call that returns an object and a descriptor. */
static int object_and_fd(sd_bus *bus, const char *member, const char *types, const char *a, const char *b,
                         char path[static 256]) {
        sd_bus_message *reply = b ? expect_reply(bus, MANAGER, member, types, a, b, 0)
                                  : expect_reply(bus, MANAGER, member, types, a, 0);
        return take_object_and_fd(reply, path);
}

static int open_session(sd_bus *bus, const char *name, char path[static 256]) {
        return object_and_fd(bus, "OpenSession", "sa{sv}", name, NULL, path);
}

static int join(sd_bus *bus, const char *name, const char *what, char path[static 256]) {
        return object_and_fd(bus, "Register", "ssa{sv}", name, what, path);
}

static void assert_files(const char *path, const char *wanted) {
        const char *kind, *file_state;
        sd_bus_message *reply = NULL;
        char text[256] = "";
        uint64_t token;

        assert_true(ask(rig.bus, path, "org.freedesktop.DBus.Properties", "Get", NULL, &reply, "ss",
                        "org.liveupdate1.Session", "Files") >= 0);
        assert_true(sd_bus_message_enter_container(reply, 'v', "a(tss)") > 0);
        assert_true(sd_bus_message_enter_container(reply, 'a', "(tss)") > 0);
        while (sd_bus_message_read(reply, "(tss)", &token, &kind, &file_state) > 0) {
                size_t n = strlen(text);
                snprintf(text + n, sizeof(text) - n, "%s%lu %s %s", n ? ", " : "", (unsigned long)token, kind,
                         file_state);
        }
        sd_bus_message_unref(reply);
        assert_string_equal(text, wanted);
}

static const JobEnd *run_job(const char *member) {
        return rig_job_end(&rig, expect_job(rig.bus, MANAGER, member, "a{sv}", 0));
}

static void load_kernel(void) {
        _cleanup_close_ int kernel = text_file("a kernel"), initrd = text_file("");

        const char *job = expect_job(rig.bus, MANAGER, "LoadKernel", "hhsa{sv}", kernel, initrd, "quiet", 0);
        assert_string_equal(rig_job_end(&rig, job)->result, "done");
}

static void a_session(void **state) {
        _cleanup_close_ int memory = text_file("guest memory");
        const char *owner;
        char path[256];
        int ends[2];

        _unused_ _cleanup_close_ int fd = open_session(rig.bus, "vm-1", path);
        rig_wait_added(&rig, path);
        assert_string_equal(path, "/org/liveupdate1/session/vm_2d1");
        assert_string_equal(property(rig.bus, SESSION(path), "Name"), "vm-1");
        assert_string_equal(property(rig.bus, SESSION(path), "Direction"), "outgoing");
        assert_string_equal(property(rig.bus, SESSION(path), "State"), "open");
        assert_int_equal(property_number(rig.bus, SESSION(path), "Uid", 'u'), getuid());
        assert_true(sd_bus_get_unique_name(rig.bus, &owner) >= 0);
        assert_string_equal(property(rig.bus, SESSION(path), "Owner"), owner);
        expect_error(rig.bus, ERROR("NameInUse"), MANAGER, "OpenSession", "sa{sv}", "vm-1", 0);

        /* What is said about DMA means nothing to a memfd, but is read. */
        expect_error(rig.bus, ERROR("InvalidArgument"), SESSION(path), "PreserveFd", "hta{sv}", memory, UINT64_C(7), 1,
                     "dma-memory", "as", 1, "7");
        expect_error(rig.bus, ERROR("InvalidArgument"), SESSION(path), "PreserveFd", "hta{sv}", memory, UINT64_C(7), 2,
                     "dma-memory", "at", 1, UINT64_C(7), "dma-memory", "at", 0);
        expect_ok(rig.bus, SESSION(path), "PreserveFd", "hta{sv}", memory, UINT64_C(7), 2, "dma-memory", "at", 2,
                  UINT64_C(1), UINT64_C(2), "dma-memory-complete", "b", true);
        assert_files(path, "7 memfd preserved");
        expect_error(rig.bus, ERROR("TokenInUse"), SESSION(path), "PreserveFd", "hta{sv}", memory, UINT64_C(7), 0);
        expect_error(rig.bus, ERROR("AlreadyPreserved"), SESSION(path), "PreserveFd", "hta{sv}", memory, UINT64_C(8),
                     0);
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        expect_error(rig.bus, ERROR("NoHandler"), SESSION(path), "PreserveFd", "hta{sv}", ends[0], UINT64_C(9), 0);
        (void)close(ends[0]);
        (void)close(ends[1]);
        assert_files(path, "7 memfd preserved");

        expect_error(rig.bus, ERROR("InvalidArgument"), SESSION(path), "PreserveFd", "hta{sv}", memory, UINT64_C(9), 1,
                     "colour", "s", "red");
        expect_error(rig.bus, ERROR("WrongState"), SESSION(path), "RetrieveFd", "ta{sv}", UINT64_C(7), 0);
        expect_error(rig.bus, ERROR("WrongState"), SESSION(path), "Finish", "a{sv}", 0);
        expect_ok(rig.bus, SESSION(path), "Close", "a{sv}", 0);
        rig_wait_removed(&rig, path);
        expect_error(rig.bus, BUS_ERROR("UnknownObject"), SESSION(path), "Close", "a{sv}", 0);
}

/* With nothing pending a session would pin memory for nobody. */
static void a_session_ends_with_its_client(void **state) {
        sd_bus *other = rig_connect(&rig);
        char path[256];

        _unused_ _cleanup_close_ int fd = open_session(other, "vm-2", path);
        sd_bus_close_unref(other);
        rig_wait_removed(&rig, path);
}

static void kernels(void **state) {
        expect_error(rig.bus, ERROR("NoImage"), MANAGER, "Prepare", "a{sv}", 0);
        load_kernel();
        assert_string_equal(run_job("UnloadKernel")->result, "done");
        expect_error(rig.bus, ERROR("NoImage"), MANAGER, "Prepare", "a{sv}", 0);
}

/* Of the one who is waited for: who, since when, until when and why. */
static void assert_waiting(const char *participant, uint64_t from, uint64_t deadline, const char *reason) {
        const char *path, *name, *phase, *answer, *why;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        uint64_t since, until, now = rig_now_usec();
        sd_bus_message *reply;

        int r = sd_bus_get_property(rig.bus, LIVEUPDATE_BUS_NAME, MANAGER, "Waiting", &error, &reply, "a(ossstts)");
        assert_true(r >= 0);
        assert_true(sd_bus_message_enter_container(reply, 'a', "(ossstts)") > 0);
        r = sd_bus_message_read(reply, "(ossstts)", &path, &name, &phase, &answer, &since, &until, &why);
        assert_true(r > 0);
        assert_string_equal(path, participant);
        assert_string_equal(name, "vm-1");
        assert_string_equal(phase, "prepare");
        assert_string_equal(answer, "waiting");
        assert_in_range(since, from, now);
        assert_int_equal(until, deadline);
        assert_string_equal(why, reason);
        assert_true(sd_bus_message_at_end(reply, false) > 0);
        sd_bus_message_unref(reply);
}

static void prepare_and_cancel(void **state) {
        char participant[256], session[256], job[64];
        uint64_t before;

        load_kernel();
        _unused_ _cleanup_close_ int lease = join(rig.bus, "vm-1", "prepare:freeze:resume", participant);
        _unused_ _cleanup_close_ int fd = open_session(rig.bus, "vm-1", session);
        size_t requests = rig.n_requests;
        before = rig_now_usec();
        snprintf(job, sizeof(job), "%s", expect_job(rig.bus, MANAGER, "Prepare", "a{sv}", 0));
        rig_wait_request(&rig, "prepare", 1);
        assert_waiting(participant, before, rig.last_deadline, "");
        assert_true(rig.last_deadline > 0);
        assert_state(rig.bus, "preparing");
        assert_string_equal(property(rig.bus, MANAGER, "Job"), job);
        assert_string_equal(property(rig.bus, PARTICIPANT(participant), "Answer"), "waiting");
        expect_error(rig.bus, ERROR("BusyJob"), MANAGER, "Update", "a{sv}", 0);
        expect_error(rig.bus, ERROR("BusyJob"), MANAGER, "UnloadKernel", "a{sv}", 0);
        expect_error(rig.bus, ERROR("WrongState"), PARTICIPANT(participant), "Ready", "s", "freeze");
        expect_ok(rig.bus, PARTICIPANT(participant), "Delay", "sts", "prepare", rig.last_deadline + 1, "flushing");
        assert_waiting(participant, before, rig.last_deadline + 1, "flushing");
        expect_ok(rig.bus, PARTICIPANT(participant), "Ready", "s", "prepare");
        assert_string_equal(rig_job_end(&rig, job)->result, "done");
        assert_state(rig.bus, "prepared");
        assert_int_equal(property_number(rig.bus, MANAGER, "Cancelable", 'b'), 1);
        expect_error(rig.bus, ERROR("WrongState"), MANAGER, "UnloadKernel", "a{sv}", 0);

        snprintf(job, sizeof(job), "%s", expect_job(rig.bus, MANAGER, "Cancel", "a{sv}", 0));
        rig_wait_request(&rig, "resume", 1);
        assert_string_equal(rig_job_end(&rig, job)->result, "done");
        rig_wait_removed(&rig, session);
        assert_state(rig.bus, "normal");
        assert_int_equal(rig.n_requests, requests + 2);
}

/* The job that was cancelled says whom it was waiting for. */
static void cancelled_while_waiting(void **state) {
        char participant[256], job[64], cancel[64];

        _unused_ _cleanup_close_ int lease = join(rig.bus, "slow", "prepare:resume", participant);
        snprintf(job, sizeof(job), "%s", expect_job(rig.bus, MANAGER, "Prepare", "a{sv}", 0));
        rig_wait_request(&rig, "prepare", 2);
        expect_ok(rig.bus, PARTICIPANT(participant), "Delay", "sts", "prepare", rig.last_deadline + 1, "flushing");
        snprintf(cancel, sizeof(cancel), "%s", expect_job(rig.bus, MANAGER, "Cancel", "a{sv}", 0));
        const JobEnd *end = rig_job_end(&rig, job);
        assert_string_equal(end->code, "cancelled");
        assert_non_null(strstr(end->sentence, "slow had not answered to prepare for 0 s; it said: flushing"));
        assert_string_equal(rig_job_end(&rig, cancel)->result, "done");
        assert_state(rig.bus, "normal");
}

static uint64_t now_usec(void) {
        struct timespec t;

        assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &t), 0);
        return (uint64_t)t.tv_sec * USEC_PER_SEC + (uint64_t)t.tv_nsec / NSEC_PER_USEC;
}

/* Spans of a job, "NAME SPAN" each, in a line; their times are within the job's. */
static const char *reports_of(const char *job) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *participant, *name;
        sd_bus_message *reply = NULL;
        static char text[512];
        uint64_t at, took;
        int r;

        text[0] = '\0';
        assert_true(sd_bus_get_property(rig.bus, "org.liveupdate1", JOB(job), "Reports", &error, &reply, "a(sstt)") >=
                    0);
        assert_true(sd_bus_message_enter_container(reply, 'a', "(sstt)") >= 0);
        while ((r = sd_bus_message_read(reply, "(sstt)", &participant, &name, &at, &took)) > 0) {
                size_t n = strlen(text);
                snprintf(text + n, sizeof(text) - n, "%s%s %s", n ? ", " : "", participant, name);
                assert_true(at < 60 * USEC_PER_SEC);
                assert_true(took < 60 * USEC_PER_SEC);
        }
        assert_int_equal(r, 0);
        sd_bus_message_unref(reply);
        return text;
}

/* A participant's own part of the timeline, while the update runs and after it. */
static void reports(void **state) {
        char participant[256], job[64], cancel[64];

        load_kernel();
        uint64_t before = now_usec();
        _unused_ _cleanup_close_ int lease = join(rig.bus, "vm-r", "prepare", participant);
        rig.n_requests = 0;
        snprintf(job, sizeof(job), "%s", expect_job(rig.bus, MANAGER, "Prepare", "a{sv}", 0));
        rig_wait_request(&rig, "prepare", 1);
        uint64_t begin = now_usec();
#define REPORT PARTICIPANT(participant), "Report", "a(stt)"
        expect_error(rig.bus, ERROR("InvalidArgument"), REPORT, 1, "Stop", begin, UINT64_C(0));
        expect_error(rig.bus, ERROR("InvalidArgument"), REPORT, 1, "", begin, UINT64_C(0));
        expect_error(rig.bus, ERROR("InvalidArgument"), REPORT, 1, "far-too-long-a-name", begin, UINT64_C(0));
        expect_error(rig.bus, ERROR("InvalidArgument"), REPORT, 1, "stop", begin, 60 * USEC_PER_SEC);
        expect_error(rig.bus, ERROR("InvalidArgument"), REPORT, 1, "stop", begin, UINT64_MAX);
        expect_error(rig.bus, ERROR("InvalidArgument"), REPORT, 1, "stop", UINT64_MAX, UINT64_C(0));
        expect_error(rig.bus, ERROR("InvalidArgument"), REPORT, 1, "stop", before, UINT64_C(1));
        /* All of a call, or none. */
        expect_error(rig.bus, ERROR("InvalidArgument"), REPORT, 2, "stop", begin, UINT64_C(0), "save", before,
                     UINT64_C(0));
        assert_string_equal(reports_of(job), "");
        expect_ok(rig.bus, REPORT, 0);
        expect_ok(rig.bus, REPORT, 2, "stop", begin, UINT64_C(0), "save", begin, now_usec() - begin);
        assert_string_equal(reports_of(job), "vm-r stop, vm-r save");
        expect_ok(rig.bus, PARTICIPANT(participant), "Ready", "s", "prepare");
        assert_string_equal(rig_job_end(&rig, job)->result, "done");
        snprintf(cancel, sizeof(cancel), "%s", expect_job(rig.bus, MANAGER, "Cancel", "a{sv}", 0));
        assert_string_equal(rig_job_end(&rig, cancel)->result, "done");
        assert_state(rig.bus, "normal");
        expect_ok(rig.bus, REPORT, 1, "cont", now_usec(), UINT64_C(0));
        assert_string_equal(reports_of(job), "vm-r stop, vm-r save, vm-r cont");
        for (int i = 3; i < 32; i++)
                expect_ok(rig.bus, REPORT, 1, "more", begin, UINT64_C(0));
        expect_error(rig.bus, ERROR("Limit"), REPORT, 1, "more", begin, UINT64_C(0));

        /* The next update begins anew, and what belongs to the last one is none of its own. */
        rig.n_requests = 0;
        snprintf(cancel, sizeof(cancel), "%s", expect_job(rig.bus, MANAGER, "Prepare", "a{sv}", 0));
        rig_wait_request(&rig, "prepare", 1);
        expect_error(rig.bus, ERROR("InvalidArgument"), REPORT, 1, "stop", begin, UINT64_C(0));
        expect_ok(rig.bus, REPORT, 1, "again", now_usec(), UINT64_C(0));
        assert_string_equal(reports_of(cancel), "vm-r again");
        assert_non_null(strstr(reports_of(job), "vm-r stop, vm-r save, vm-r cont, vm-r more"));
        expect_ok(rig.bus, PARTICIPANT(participant), "Ready", "s", "prepare");
        assert_string_equal(rig_job_end(&rig, cancel)->result, "done");
        snprintf(cancel, sizeof(cancel), "%s", expect_job(rig.bus, MANAGER, "Cancel", "a{sv}", 0));
        assert_string_equal(rig_job_end(&rig, cancel)->result, "done");
        assert_state(rig.bus, "normal");
}

/* The veto's words reach whoever asked for the update. */
static void a_veto(void **state) {
        char participant[256], job[64];

        load_kernel();
        _unused_ _cleanup_close_ int lease = join(rig.bus, "backup", "prepare", participant);
        snprintf(job, sizeof(job), "%s", expect_job(rig.bus, MANAGER, "Update", "a{sv}", 0));
        rig_wait_request(&rig, "prepare", 3);
        expect_ok(rig.bus, PARTICIPANT(participant), "Veto", "ss", "prepare", "a backup runs");
        const JobEnd *end = rig_job_end(&rig, job);
        assert_string_equal(end->result, "failed");
        assert_string_equal(end->code, "veto");
        assert_non_null(strstr(end->sentence, "backup"));
        assert_non_null(strstr(end->sentence, "a backup runs"));
        assert_state(rig.bus, "normal");
}

/* A lease that is closed in the middle: the participant died. */
static void a_death(void **state) {
        char participant[256], job[64];
        int lease;

        lease = join(rig.bus, "vm-3", "prepare", participant);
        snprintf(job, sizeof(job), "%s", expect_job(rig.bus, MANAGER, "Prepare", "a{sv}", 0));
        rig_wait_request(&rig, "prepare", 4);
        assert_int_equal(close(lease), 0);
        rig_wait_removed(&rig, participant);
        assert_string_equal(rig_job_end(&rig, job)->code, "participant-died");
        assert_state(rig.bus, "normal");
}

/* Only who registered is asked. */
static void requests_are_private(void **state) {
        sd_bus *other = rig_connect(&rig);
        size_t before = rig.n_requests;
        char participant[256], job[64];

        _unused_ _cleanup_close_ int lease = join(other, "vm-4", "prepare", participant);
        snprintf(job, sizeof(job), "%s", expect_job(rig.bus, MANAGER, "Prepare", "a{sv}", 0));
        expect_error(rig.bus, ERROR("NotOwner"), PARTICIPANT(participant), "Ready", "s", "prepare");
        expect_ok(other, PARTICIPANT(participant), "Ready", "s", "prepare");
        assert_string_equal(rig_job_end(&rig, job)->result, "done");
        assert_int_equal(rig.n_requests, before);
        assert_string_equal(run_job("Cancel")->result, "done");
        sd_bus_close_unref(other);
}

static void claim_and_check(const char *name, uint64_t token, const char *contents) {
        char path[256], text[64] = "";
        sd_bus_message *reply;
        int fd;

        _cleanup_close_ int session = object_and_fd(rig.bus, "ClaimSession", "sa{sv}", name, NULL, path);
        assert_string_equal(property(rig.bus, SESSION(path), "Direction"), "incoming");
        assert_string_equal(property(rig.bus, SESSION(path), "State"), "claimed");
        expect_error(rig.bus, ERROR("NoSuchToken"), SESSION(path), "RetrieveFd", "ta{sv}", token + 1, 0);
        reply = expect_reply(rig.bus, SESSION(path), "RetrieveFd", "ta{sv}", token, 0);
        assert_true(sd_bus_message_read(reply, "h", &fd) > 0);
        assert_int_equal(pread(fd, text, sizeof(text) - 1, 0), strlen(contents));
        assert_string_equal(text, contents);
        sd_bus_message_unref(reply);
        expect_error(rig.bus, ERROR("WrongState"), SESSION(path), "PreserveFd", "hta{sv}", session, token, 0);
        expect_ok(rig.bus, SESSION(path), "Finish", "a{sv}", 0);
}

/* A claim that is refused changes nothing. */
static void finished_is_finished(const char *name, const char *path) {
        sd_bus *other = rig_connect(&rig);
        const char *owner;

        expect_error(other, ERROR("SessionClaimed"), MANAGER, "ClaimSession", "sa{sv}", name, 0);
        assert_true(sd_bus_get_unique_name(rig.bus, &owner) >= 0);
        assert_string_equal(property(rig.bus, SESSION(path), "Owner"), owner);
        assert_string_equal(property(rig.bus, SESSION(path), "State"), "finished");
        sd_bus_close_unref(other);
}

/* An operator's Finish waits for the client that has claimed; a second one, with force, ends
 * the wait, and is the same job. */
static void forced(const char *name) {
        char path[256], job[64];

        _unused_ _cleanup_close_ int session = object_and_fd(rig.bus, "ClaimSession", "sa{sv}", name, NULL, path);
        snprintf(job, sizeof(job), "%s", expect_job(rig.bus, MANAGER, "Finish", "a{sv}", 0));
        assert_state(rig.bus, "finishing");
        assert_string_equal(property(rig.bus, JOB(job), "State"), "running");
        assert_string_equal(property(rig.bus, JOB(job), "Step"), "waiting for clients");
        expect_error(rig.bus, ERROR("BusyJob"), MANAGER, "Finish", "a{sv}", 0);
        assert_string_equal(property(rig.bus, SESSION(path), "State"), "claimed");
        assert_string_equal(expect_job(rig.bus, MANAGER, "Finish", "a{sv}", 1, "force", "b", true), job);
        assert_string_equal(rig_job_end(&rig, job)->result, "done");
}

/* Into the next kernel and, with what is there, once more: the job that was started here
 * is found, and ends, over there. */
static void update(unsigned n) {
        _cleanup_close_ int memory = text_file("guest memory"), more = text_file("more memory");
        char participant[256], session[256], second[256], job[64], release[64];

        load_kernel();
        int lease = join(rig.bus, "vm-1", "freeze", participant);
        int fds[] = { open_session(rig.bus, "vm-1", session), open_session(rig.bus, "vm-2", second) };
        expect_ok(rig.bus, SESSION(session), "PreserveFd", "hta{sv}", memory, UINT64_C(7), 0);
        expect_ok(rig.bus, SESSION(second), "PreserveFd", "hta{sv}", more, UINT64_C(7), 0);
        snprintf(job, sizeof(job), "%s", expect_job(rig.bus, MANAGER, "Update", "a{sv}", 0));
        rig_wait_request(&rig, "freeze", n);
        expect_ok(rig.bus, PARTICIPANT(participant), "Ready", "s", "freeze");
        rig_wait_start(&rig, n + 1);
        (void)close(lease);
        (void)close(fds[0]);
        (void)close(fds[1]);

        snprintf(release, sizeof(release), "7.3.4-boot%u", n);
        assert_state(rig.bus, "updated");
        assert_string_equal(property(rig.bus, MANAGER, "KernelRelease"), release);
        assert_int_equal(property_number(rig.bus, MANAGER, "UpdateNumber", 't'), n);
        assert_string_equal(property(rig.bus, JOB(job), "State"), "running");
        assert_string_equal(property(rig.bus, JOB(job), "ToRelease"), release);
        expect_error(rig.bus, ERROR("NoSuchSession"), MANAGER, "ClaimSession", "sa{sv}", "vm-9", 0);
        expect_error(rig.bus, ERROR("NotClaimed"), MANAGER, "Finish", "a{sv}", 0);
        claim_and_check("vm-1", 7, "guest memory");
        finished_is_finished("vm-1", session);
        assert_state(rig.bus, "updated");
        if (n == 1)
                claim_and_check("vm-2", 7, "more memory");
        else
                forced("vm-2");
        const JobEnd *end = rig_job_end(&rig, job);
        assert_string_equal(end->result, "done");
        assert_string_equal(property(rig.bus, JOB(job), "Kind"), "update");
        assert_state(rig.bus, "normal");
}

static void two_updates(void **state) {
        update(1);
        rig.n_ends = 0; /* job numbers go on across the jump, but let none be mistaken */
        update(2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_session),
                cmocka_unit_test(a_session_ends_with_its_client),
                cmocka_unit_test(kernels),
                cmocka_unit_test(prepare_and_cancel),
                cmocka_unit_test(cancelled_while_waiting),
                cmocka_unit_test(a_veto),
                cmocka_unit_test(a_death),
                cmocka_unit_test(requests_are_private),
                cmocka_unit_test(two_updates),
                cmocka_unit_test(reports),
        };

        return cmocka_run_group_tests_name("dbus-flow", tests, set_up, tear_down);
}
