/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an adapter that is killed leaves to the next one, with a monitor of our own instead of
 * QEMU's: a guest that was stopped for the update is let run, one that its owner has paused is
 * not, whatever its record says of the time before.
 */
/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <json-c/json.h>
#include <pthread.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>

#include "qemu/arrive.h"

typedef struct Monitor {
        pthread_t thread;
        int fd;
        bool running;
} Monitor;

typedef struct Rig {
        char base[32];
        Runtime runtime;
        Monitor monitor;
        Machine machine;
} Rig;

static void answer(const Monitor *m, const char *command, unsigned long id) {
        const char *value = !streq(command, "query-status") ? "{}"
                            : m->running                    ? "{\"running\": true}"
                                                            : "{\"running\": false}";
        char text[128];

        int n = snprintf(text, sizeof(text), "{\"return\": %s, \"id\": %lu}\r\n", value, id);
        assert_int_equal(send(m->fd, text, (size_t)n, MSG_NOSIGNAL), n);
}

static void *serve(void *userdata) {
        json_object *o, *command, *id;
        Monitor *m = userdata;
        char text[512];
        ssize_t n;

        /* One command a message: the next one waits for the answer. */
        while ((n = recv(m->fd, text, sizeof(text) - 1, 0)) > 0) {
                text[n] = '\0';
                o = json_tokener_parse(text);
                if (json_object_object_get_ex(o, "execute", &command) && json_object_object_get_ex(o, "id", &id)) {
                        const char *word = json_object_get_string(command);
                        m->running = streq(word, "cont") || (m->running && !streq(word, "stop"));
                        answer(m, word, json_object_get_uint64(id));
                }
                json_object_put(o);
        }
        return NULL;
}

static int set_up(void **state) {
        static Rig rig;
        int fds[2];
        Problem p;

        rig = (Rig){ .base = "/tmp/test-machine-XXXXXX", .machine = MACHINE_NONE };
        assert_non_null(mkdtemp(rig.base));
        assert_int_equal(runtime_open(rig.base, "vm", &rig.runtime, &p), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        rig.monitor = (Monitor){ .fd = fds[1], .running = true };
        assert_int_equal(pthread_create(&rig.monitor.thread, NULL, serve, &rig.monitor), 0);
        rig.machine.runtime = &rig.runtime;
        rig.machine.qmp = (Qmp){ .fd = fds[0] };
        *state = &rig;
        return 0;
}

static int tear_down(void **state) {
        Rig *rig = *state;
        char path[64];

        qmp_close(&rig->machine.qmp);
        assert_int_equal(pthread_join(rig->monitor.thread, NULL), 0);
        fd_close(rig->monitor.fd);
        runtime_forget(&rig->runtime);
        runtime_close(&rig->runtime);
        (void)snprintf(path, sizeof(path), "%s/vm", rig->base);
        assert_int_equal(rmdir(path), 0);
        assert_int_equal(rmdir(rig->base), 0);
        return 0;
}

/* The guest is stopped, and then something is amiss: a disk is gone. */
static void freeze(Rig *rig) {
        static char directory[] = "/", path[] = "no/such/disk";
        static Disk disk = { .path = path };
        int state = -1, record = -1;
        Spec *s = &rig->machine.running.spec;
        Problem p;

        s->directory = directory;
        s->disks = &disk;
        s->n_disks = 1;
        assert_int_equal(machine_freeze(&rig->machine, USEC_PER_SEC, &state, &record, &p), -ENOENT);
        assert_string_equal(p.code, "disk-missing");
}

/* The next adapter, which has the spec as it was when QEMU was started, and no bus to ask. */
static void adopt(Rig *rig, bool paused) {
        Client client = { .name = "vm", .lease = -1 };
        Problem p;

        rig->machine.stopped = false;
        rig->machine.running.spec = (Spec){ .paused = paused };
        assert_int_equal(arrive_adopted(&rig->machine, &client, &p), 0);
}

/* Started with -S, and let run by its owner since. */
static void test_killed_while_frozen(void **state) {
        Rig *rig = *state;

        rig->machine.running.spec.paused = true;
        freeze(rig);
        assert_false(rig->monitor.running);
        adopt(rig, true);
        assert_true(rig->monitor.running);
        assert_false(runtime_is_stopped(&rig->runtime));
}

static void test_paused_by_owner(void **state) {
        Rig *rig = *state;

        rig->monitor.running = false;
        adopt(rig, false);
        assert_false(rig->monitor.running);
        /* Nor does an update let it run that was called off. */
        freeze(rig);
        Problem p;
        assert_int_equal(machine_resume(&rig->machine, &p), 0);
        assert_false(rig->monitor.running);
        adopt(rig, false);
        assert_false(rig->monitor.running);
}

static void test_called_off(void **state) {
        Rig *rig = *state;
        Problem p;

        freeze(rig);
        assert_int_equal(machine_resume(&rig->machine, &p), 0);
        assert_true(rig->monitor.running);
        /* From here on it is its owner's again. */
        rig->monitor.running = false;
        adopt(rig, false);
        assert_false(rig->monitor.running);
}

/* A daemon that says in which state it is, and is gone after "jumping". */
typedef struct Daemon {
        sd_bus *bus;
        const char *const *states; /* "": it is gone */
        Rig *rig;
        bool ran_early;
} Daemon;

static int on_call(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Daemon *d = userdata;

        (void)error;
        if (!sd_bus_message_is_method_call(message, "org.freedesktop.DBus.Properties", "Get"))
                return sd_bus_reply_method_errnof(message, ENOSYS, "not here");
        d->ran_early = d->ran_early || d->rig->monitor.running;
        const char *state = *d->states++;
        return *state ? sd_bus_reply_method_return(message, "v", "s", state)
                      : sd_bus_reply_method_errorf(message, SD_BUS_ERROR_NAME_HAS_NO_OWNER, "gone");
}

static void *be_daemon(void *userdata) {
        Daemon *d = userdata;
        int r = 0;

        while (r >= 0) {
                r = sd_bus_process(d->bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(d->bus, UINT64_MAX);
        }
        return NULL;
}

static sd_bus *peer(int fd, bool server) {
        sd_bus *bus;

        assert_true(sd_bus_new(&bus) >= 0);
        assert_true(sd_bus_set_fd(bus, fd, fd) >= 0);
        if (server)
                assert_true(sd_bus_set_server(bus, true,
                                              SD_ID128_MAKE(1, 2, 3, 4, 5, 6, 7, 8, 9, a, b, c, d, e, f, 1)) >= 0);
        assert_true(sd_bus_start(bus) >= 0);
        return bus;
}

/* With Jump=systemd the daemon ends before the jump: that it is gone then does not say that
 * the guest may go on. */
static void test_daemon_gone_in_jump(void **state) {
        static const char *const states[] = { "frozen", "jumping", "", "", "normal" };
        Rig *rig = *state;
        Daemon daemon = { .states = states, .rig = rig };
        pthread_t thread;
        int fds[2];
        Problem p;

        freeze(rig);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        daemon.bus = peer(fds[1], true);
        assert_true(sd_bus_add_filter(daemon.bus, NULL, on_call, &daemon) >= 0);
        assert_int_equal(pthread_create(&thread, NULL, be_daemon, &daemon), 0);
        Client client = { .name = "vm", .lease = -1, .bus = peer(fds[0], false) };
        rig->machine.stopped = false;
        rig->machine.running.spec = (Spec){ 0 };
        assert_int_equal(arrive_adopted(&rig->machine, &client, &p), 0);
        sd_bus_close_unref(client.bus);
        assert_int_equal(pthread_join(thread, NULL), 0);
        sd_bus_close_unref(daemon.bus);
        assert_true(rig->monitor.running);
        assert_false(daemon.ran_early);
        assert_ptr_equal(daemon.states, states + ELEMENTSOF(states));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_killed_while_frozen),
                TEST(test_paused_by_owner),
                TEST(test_called_off),
                TEST(test_daemon_gone_in_jump),
        };
        return cmocka_run_group_tests_name("qemu-machine", tests, NULL, NULL);
}
