/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "common/names.h"

/* What /usr/share/dbus-1/system.conf says about policy, in short. */
static const char shipped_policy[] = "<policy context='default'>"
                                     "<allow user='*'/><deny own='*'/><deny send_type='method_call'/>"
                                     "<allow send_type='signal'/><allow send_requested_reply='true' "
                                     "send_type='method_return'/>"
                                     "<allow send_requested_reply='true' send_type='error'/>"
                                     "<allow receive_type='method_call'/><allow receive_type='method_return'/>"
                                     "<allow receive_type='error'/><allow receive_type='signal'/>"
                                     "<allow send_destination='org.freedesktop.DBus'/></policy>"
                                     "<policy user='root'><allow own='org.freedesktop.PolicyKit1'/>"
                                     "<allow send_destination='org.freedesktop.PolicyKit1'/></policy>"
                                     "<include>" SOURCE_ROOT "/dbus/org.liveupdate1.conf</include>";
static const char open_policy[] = "<policy context='default'><allow user='*'/><allow own='*'/>"
                                  "<allow send_destination='*'/><allow receive_sender='*'/></policy>";

uint64_t rig_now_usec(void) {
        struct timespec ts;

        (void)clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / NSEC_PER_USEC;
}

static void write_config(const Rig *r, enum RigPolicy policy) {
        char path[96];

        snprintf(path, sizeof(path), "%s/bus.conf", r->dir);
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        fprintf(f, "<busconfig><type>system</type><listen>unix:path=%s/bus</listen>%s</busconfig>\n", r->dir,
                policy == RIG_SHIPPED ? shipped_policy : open_policy);
        assert_int_equal(fclose(f), 0);
}

/* In the child: ends with its parent, and starts with the signals as main() does. */
static void become_child(void) {
        sigset_t none;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int open_log(const Rig *r) {
        char path[96];

        snprintf(path, sizeof(path), "%s/log", r->dir);
        int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        return fd;
}

static void start_bus(Rig *r) {
        char config[128], ready[128] = "";
        _cleanup_close_ int log = open_log(r);
        int out[2];

        snprintf(config, sizeof(config), "--config-file=%s/bus.conf", r->dir);
        assert_int_equal(pipe2(out, O_CLOEXEC), 0);
        r->bus_pid = fork();
        assert_true(r->bus_pid >= 0);
        if (r->bus_pid == 0) {
                become_child();
                (void)dup2(out[1], STDOUT_FILENO);
                (void)dup2(log, STDERR_FILENO);
                execlp("dbus-daemon", "dbus-daemon", config, "--nofork", "--nopidfile", "--print-address=1", NULL);
                _exit(127);
        }
        (void)close(out[1]);
        ssize_t n = read(out[0], ready, sizeof(ready) - 1);
        (void)close(out[0]);
        if (n <= 0)
                fail_msg("dbus-daemon did not start");
        snprintf(r->address, sizeof(r->address), "unix:path=%s/bus", r->dir);
}

static void start_daemon(Rig *r, const char *variable, const char *settings) {
        _cleanup_close_ int log = open_log(r);
        char directory[128];
        const char *program = getenv(variable);

        if (!program)
                fail_msg("$%s is not set; run this through meson test", variable);
        snprintf(directory, sizeof(directory), "--runtime-directory=%s/run", r->dir);
        r->daemon_pid = fork();
        assert_true(r->daemon_pid >= 0);
        if (r->daemon_pid == 0) {
                become_child();
                (void)dup2(log, STDERR_FILENO);
                (void)dup2(log, STDOUT_FILENO);
                (void)setenv("DBUS_SYSTEM_BUS_ADDRESS", r->address, 1);
                (void)setenv("FAKE_LIVEUPDATED_SETTINGS", settings ?: "", 1);
                (void)unsetenv("NOTIFY_SOCKET");
                (void)unsetenv("WATCHDOG_USEC");
                (void)unsetenv("LISTEN_FDS");
                execl(program, program, directory, "--debug", NULL);
                _exit(127);
        }
}

sd_bus *rig_connect(const Rig *r) {
        sd_bus *bus = NULL;

        assert_true(sd_bus_new(&bus) >= 0);
        assert_true(sd_bus_set_address(bus, r->address) >= 0);
        assert_true(sd_bus_set_bus_client(bus, true) >= 0);
        assert_true(sd_bus_set_method_call_timeout(bus, RIG_PATIENCE_USEC) >= 0);
        assert_true(sd_bus_start(bus) >= 0);
        return bus;
}

/* The kernel tells the bus who connects by the credentials at that moment. */
sd_bus *rig_connect_as(const Rig *r, uid_t uid) {
        const char *name;

        assert_int_equal(seteuid(uid), 0);
        sd_bus *bus = rig_connect(r);
        int n = sd_bus_get_unique_name(bus, &name);
        assert_int_equal(seteuid(0), 0);
        assert_true(n >= 0);
        return bus;
}

/* Signals are collected as they come. */

static void *grow(void *array, size_t n, size_t size) {
        void *bigger = reallocarray(array, n + 1, size);

        assert_non_null(bigger);
        return bigger;
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *path, *result, *code, *sentence;
        Rig *r = userdata;
        uint64_t number;

        assert_true(sd_bus_message_read(m, "tosss", &number, &path, &result, &code, &sentence) >= 0);
        r->ends = grow(r->ends, r->n_ends, sizeof(*r->ends));
        JobEnd *e = &r->ends[r->n_ends++];
        snprintf(e->path, sizeof(e->path), "%s", path);
        snprintf(e->result, sizeof(e->result), "%s", result);
        snprintf(e->code, sizeof(e->code), "%s", code);
        snprintf(e->sentence, sizeof(e->sentence), "%s", sentence);
        return 0;
}

static int on_added(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *path;
        Rig *r = userdata;

        assert_true(sd_bus_message_read(m, "o", &path) >= 0);
        r->added = grow(r->added, r->n_added, sizeof(*r->added));
        snprintf(r->added[r->n_added++], sizeof(*r->added), "%s", path);
        return 0;
}

static int on_removed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *path;
        Rig *r = userdata;

        assert_true(sd_bus_message_read(m, "o", &path) >= 0);
        r->removed = grow(r->removed, r->n_removed, sizeof(*r->removed));
        snprintf(r->removed[r->n_removed++], sizeof(*r->removed), "%s", path);
        return 0;
}

static int on_request(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *phase;
        Rig *r = userdata;

        assert_true(sd_bus_message_read(m, "st", &phase, &r->last_deadline) >= 0);
        r->requests = grow(r->requests, r->n_requests, sizeof(*r->requests));
        snprintf(r->requests[r->n_requests++], sizeof(*r->requests), "%s", phase);
        return 0;
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *name, *old, *new;
        Rig *r = userdata;

        assert_true(sd_bus_message_read(m, "sss", &name, &old, &new) >= 0);
        snprintf(r->owner, sizeof(r->owner), "%s", new);
        r->n_starts += *new != '\0';
        return 0;
}

static void watch(Rig *r) {
        static const struct {
                const char *match;
                sd_bus_message_handler_t handler;
        } signals[] = {
                { "type='signal',interface='org.liveupdate1.Manager',member='JobRemoved'", on_job_removed },
                { "type='signal',interface='org.freedesktop.DBus.ObjectManager',member='InterfacesAdded'", on_added },
                { "type='signal',interface='org.freedesktop.DBus.ObjectManager',member='InterfacesRemoved'",
                  on_removed },
                { "type='signal',interface='org.liveupdate1.Participant',member='PhaseRequested'", on_request },
                { "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='org.liveupdate1'",
                  on_owner },
        };

        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                assert_true(sd_bus_add_match(r->bus, NULL, signals[i].match, signals[i].handler, r) >= 0);
}

static bool has_ended(pid_t pid) {
        siginfo_t si = {};

        return waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT) < 0 || si.si_pid == pid;
}

void rig_process_until(Rig *r, bool (*done)(Rig *r, const void *arg), const void *arg, const char *what) {
        uint64_t deadline = rig_now_usec() + RIG_PATIENCE_USEC;

        while (!done(r, arg)) {
                int n = sd_bus_process(r->bus, NULL);
                if (n < 0)
                        fail_msg("waiting for %s: the bus: %s", what, strerror(-n));
                if (n > 0)
                        continue;
                if (rig_now_usec() > deadline)
                        fail_msg("waited in vain for %s", what);
                if (has_ended(r->daemon_pid))
                        fail_msg("the daemon ended while the test waited for %s", what);
                (void)sd_bus_wait(r->bus, USEC_PER_SEC / 5);
        }
}

static bool started(Rig *r, const void *arg) {
        return r->n_starts >= *(const unsigned *)arg && *r->owner;
}

void rig_wait_start(Rig *r, unsigned n) {
        rig_process_until(r, started, &n, "the daemon's name on the bus");
}

void rig_start(Rig *r, const char *daemon, enum RigPolicy policy) {
        rig_start_with(r, daemon, policy, NULL);
}

void rig_start_with(Rig *r, const char *daemon, enum RigPolicy policy, const char *settings) {
        *r = (Rig){};
        snprintf(r->dir, sizeof(r->dir), "/tmp/liveupdated-dbus-XXXXXX");
        assert_non_null(mkdtemp(r->dir));
        assert_int_equal(chmod(r->dir, 0755), 0);
        write_config(r, policy);
        start_bus(r);
        r->bus = rig_connect(r);
        watch(r);
        start_daemon(r, daemon, settings);
        rig_wait_start(r, 1);
}

static int end_process(pid_t pid, int sig) {
        int status;

        if (pid <= 0)
                return 0;
        (void)kill(pid, sig);
        if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
                return -1;
        return WEXITSTATUS(status);
}

static void show_log(const Rig *r) {
        char path[96], line[512];

        snprintf(path, sizeof(path), "%s/log", r->dir);
        _cleanup_fclose_ FILE *f = fopen(path, "re");
        while (f && fgets(line, sizeof(line), f))
                printf("# %s", line);
}

static void remove_tree(const char *path) {
        DIR *d = opendir(path);
        struct dirent *e;

        while (d && (e = readdir(d))) {
                if (streq(e->d_name, ".") || streq(e->d_name, ".."))
                        continue;
                if (e->d_type == DT_DIR) {
                        char below[512];
                        snprintf(below, sizeof(below), "%s/%s", path, e->d_name);
                        remove_tree(below);
                } else
                        (void)unlinkat(dirfd(d), e->d_name, 0);
        }
        if (d)
                (void)closedir(d);
        (void)rmdir(path);
}

int rig_stop(Rig *r) {
        int status = end_process(r->daemon_pid, SIGTERM);

        r->bus = sd_bus_close_unref(r->bus);
        (void)end_process(r->bus_pid, SIGTERM);
        if (status != 0)
                show_log(r);
        remove_tree(r->dir);
        free(r->ends);
        free(r->added);
        free(r->removed);
        free(r->requests);
        return status;
}

static bool job_ended(Rig *r, const void *arg) {
        for (size_t i = 0; i < r->n_ends; i++)
                if (streq(r->ends[i].path, arg))
                        return true;
        return false;
}

const JobEnd *rig_job_end(Rig *r, const char *path) {
        rig_process_until(r, job_ended, path, path);
        for (size_t i = r->n_ends; i-- > 0;)
                if (streq(r->ends[i].path, path))
                        return &r->ends[i];
        return NULL;
}

static bool is_added(Rig *r, const void *arg) {
        for (size_t i = 0; i < r->n_added; i++)
                if (streq(r->added[i], arg))
                        return true;
        return false;
}

void rig_wait_added(Rig *r, const char *path) {
        rig_process_until(r, is_added, path, "InterfacesAdded");
}

static bool is_removed(Rig *r, const void *arg) {
        for (size_t i = 0; i < r->n_removed; i++)
                if (streq(r->removed[i], arg))
                        return true;
        return false;
}

void rig_wait_removed(Rig *r, const char *path) {
        rig_process_until(r, is_removed, path, "InterfacesRemoved");
}

typedef struct Wanted {
        const char *phase;
        size_t n;
} Wanted;

static bool is_requested(Rig *r, const void *arg) {
        const Wanted *w = arg;
        size_t n = 0;

        for (size_t i = 0; i < r->n_requests; i++)
                n += streq(r->requests[i], w->phase);
        return n >= w->n;
}

void rig_wait_request(Rig *r, const char *phase, size_t n) {
        rig_process_until(r, is_requested, &(Wanted){ phase, n }, phase);
}
