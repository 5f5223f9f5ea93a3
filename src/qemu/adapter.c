/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <signal.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "adapter.h"
#include "agent.h"
#include "arrive.h"
#include "client.h"
#include "common/log.h"
#include "memory.h"
#include "takeover.h"

#define AGENT_USEC (2 * USEC_PER_SEC)
#define POWERDOWN_USEC (60 * USEC_PER_SEC)
#define LEAVE_PAUSE_NSEC 20000000L
#define SAVE_USEC (60 * USEC_PER_SEC)
enum { LEAVE_TRIES = 1000 };

typedef struct Adapter {
        const AdapterOptions *options;
        sd_event *event;
        sd_event_source *process_source, *monitor_source, *stop_source;
        Client client;
        Runtime runtime;
        Machine machine;
        bool prepared;
        bool frozen;
        bool came_over;
        bool ending; /* the user wants it to end */
} Adapter;

/* What the pause took, once the guest runs again or the jump is near. */
static void report(Adapter *a) {
        Problem p;

        if (client_report(&a->client, &a->machine.spans, &p) < 0)
                log_info("%s: the timeline lacks what it took: %s", a->options->name, p.text);
        a->machine.spans.n = 0;
}

/* A machine that cannot do what it is asked is a veto, and says so once. */
static void veto(Adapter *a, const char *phase, const Problem *p) {
        log_warning("%s: cannot %s: %s", a->options->name, phase, p->text);
        if (client_veto(&a->client, phase, p) < 0)
                log_warning("%s: the veto did not get through; the daemon's deadline stops the update",
                            a->options->name);
}

static void run_on(Adapter *a, const char *why) {
        Problem p;

        a->prepared = false;
        if (!a->frozen)
                return;
        a->frozen = false;
        if (machine_resume(&a->machine, &p) < 0)
                log_error("%s: does not go on: %s", a->options->name, p.text);
        else
                log_info("%s: goes on (%s)", a->options->name, why);
        report(a);
}

static uint64_t time_left(uint64_t deadline_usec) {
        uint64_t now = spans_now();

        return deadline_usec == 0 ? SAVE_USEC : deadline_usec > now ? deadline_usec - now : 0;
}

/* Half of the time that is left at most: the kernel wants its own for what comes next. */
static void gather_memory(Adapter *a, uint64_t deadline_usec) {
        const Running *m = &a->machine.running;

        int r = memory_gather(m->ram_fd, m->spec.ram_size, spans_now() + time_left(deadline_usec) / 2);
        if (r < 0)
                log_info("%s: not all of its memory is in huge pages, so its pause is longer: %s", a->options->name,
                         strerror(-r));
}

/* The kernel cannot move a page that a request of the guest to a disk or a network holds just
 * now, nor the huge page around it, and one that lies in KHO's scratch area has to be moved.
 * A guest that is stopped has no requests under way. */
static int preserve_stopped(Adapter *a, Problem *p) {
        size_t n_spans = a->machine.spans.n;
        Problem why;

        int r = machine_note_stopped(&a->machine, p);
        if (r >= 0)
                r = vm_stop(&a->machine.qmp, p);
        if (r >= 0)
                r = client_preserve(&a->client, a->machine.running.ram_fd, TOKEN_RAM, p);
        if (machine_resume(&a->machine, &why) < 0) {
                a->frozen = true; /* once more when the update was put back */
                *p = why;
                r = -EIO;
        }
        a->machine.spans.n = n_spans;
        return r;
}

static int preserve_memory(Adapter *a, Problem *p) {
        Problem why;

        int r = client_preserve(&a->client, a->machine.running.ram_fd, TOKEN_RAM, p);
        if (r != -EREMOTEIO || !streq(p->code, "System") || vm_running(&a->machine.qmp, &why) <= 0)
                return r;
        log_info("%s: stands still for a moment to have its memory preserved, because: %s", a->options->name, p->text);
        return preserve_stopped(a, p);
}

static int prepare(Adapter *a, uint64_t deadline_usec, Problem *p) {
        int r = vm_check(&a->machine.qmp, &a->machine.running.spec, p);

        /* It may have been upgraded, or be gone; in the next kernel that is too late to know. */
        if (r >= 0)
                r = machine_check_program(&a->machine.running.spec, p);
        if (r >= 0)
                r = client_open_session(&a->client, p);
        if (r < 0)
                return r;
        a->prepared = true;
        a->machine.spans.n = 0;
        uint64_t begin = spans_now();
        if (!a->options->no_gather)
                gather_memory(a, deadline_usec);
        r = preserve_memory(a, p);
        spans_add(&a->machine.spans, "preserve-memory", begin);
        report(a);
        return r;
}

static int freeze(Adapter *a, uint64_t deadline_usec, Problem *p) {
        _cleanup_close_ int state = -1, record = -1;

        if (!a->prepared)
                return problem(p, "not-prepared", "the machine was not there when the update was prepared");
        a->frozen = true;
        a->machine.spans.n = 0;
        int r = machine_freeze(&a->machine, time_left(deadline_usec), &state, &record, p);
        uint64_t begin = spans_now();
        if (r >= 0)
                r = client_preserve(&a->client, state, TOKEN_STATE, p);
        if (r >= 0)
                r = client_preserve(&a->client, record, TOKEN_RECORD, p);
        spans_add(&a->machine.spans, "preserve", begin);
        report(a);
        return r;
}

static void on_phase(void *userdata, const char *phase, uint64_t deadline_usec) {
        Adapter *a = userdata;
        Problem p = { .text = "" };
        int r;

        if (streq(phase, "resume")) {
                run_on(a, "the update was called off");
                /* It was opened after that, if the preparation took longer than the update did. */
                client_close_session(&a->client);
                return;
        }
        if (streq(phase, "prepare"))
                r = prepare(a, deadline_usec, &p);
        else if (streq(phase, "freeze"))
                r = freeze(a, deadline_usec, &p);
        else
                r = problem(&p, "phase", "the phase %s is not known here", phase);
        if (r < 0)
                veto(a, phase, &p);
        else if (client_ready(&a->client, phase, &p) < 0)
                log_warning("%s: %s: %s", a->options->name, phase, p.text);
        else
                log_info("%s: %s", a->options->name, streq(phase, "freeze") ? "frozen" : "prepared");
}

/* Without a daemon there is no jump any more that could take a frozen guest along, unless it
 * has begun: with Jump=systemd the daemon and the bus end before it, and a guest that went on
 * then would write to disks and memory that its saved state knows nothing of. One that is only
 * prepared runs anyway: the daemon may come back, prepared as well. */
static void on_daemon(void *userdata, bool there) {
        Adapter *a = userdata;
        char state[32];
        Problem p;

        if (!there) {
                if (!a->frozen)
                        return;
                if (a->client.jumping) {
                        log_info("%s: the daemon is gone, and the jump has begun", a->options->name);
                        return;
                }
                run_on(a, "the daemon is gone");
                client_forget_session(&a->client);
                return;
        }
        a->client.jumping = false;
        if (client_is_registered(&a->client)) {
                if (client_state(&a->client, state, sizeof(state), &p) >= 0 && streq(state, "normal"))
                        run_on(a, "the update was called off");
                return;
        }
        run_on(a, "the daemon knows nothing of the update");
        client_forget_session(&a->client);
        if (client_register(&a->client, &p) < 0)
                log_warning("%s: does not take part in updates: %s", a->options->name, p.text);
}

static const ClientEvents client_events = { .on_phase = on_phase, .on_daemon = on_daemon };

/* QEMU's end, and ours. */

static int on_process(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        Adapter *a = userdata;

        log_info("%s: QEMU has ended", a->options->name);
        runtime_forget(&a->runtime);
        return sd_event_exit(a->event, a->ending || a->machine.qmp.shutdown ? 0 : -ECHILD);
}

static int on_monitor(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        Adapter *a = userdata;
        Problem p;

        if (qmp_drain(&a->machine.qmp, &p) < 0)
                (void)sd_event_source_set_enabled(source, SD_EVENT_OFF); /* the process' end follows */
        return 0;
}

static int on_powerdown_time(sd_event_source *source, uint64_t usec, void *userdata) {
        Adapter *a = userdata;

        log_notice("%s: did not power down; ending it", a->options->name);
        (void)vm_quit(&a->machine.qmp, NULL);
        return 0;
}

/* The user wants a guest to end that stands still for an update. It goes on, to power down,
 * as soon as that update cannot jump any more; if the jump has begun, it is carried over. */
static void leave_update(Adapter *a) {
        char state[CLIENT_STATE_SIZE] = "";
        unsigned i = 0;

        client_leave(&a->client);
        while (client_may_jump(&a->client, state)) {
                if (streq(state, "jumping") || ++i == LEAVE_TRIES)
                        return;
                (void)nanosleep(&(struct timespec){ .tv_nsec = LEAVE_PAUSE_NSEC }, NULL);
        }
        client_forget_session(&a->client);
        run_on(a, "it is to end");
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        Adapter *a = userdata;

        if (a->frozen && !a->ending && !a->client.jumping)
                leave_update(a);
        if (a->ending || a->frozen || vm_powerdown(&a->machine.qmp, NULL) < 0)
                (void)vm_quit(&a->machine.qmp, NULL);
        a->ending = true;
        if (!a->stop_source)
                (void)sd_event_add_time_relative(a->event, &a->stop_source, CLOCK_MONOTONIC, POWERDOWN_USEC, 0,
                                                 on_powerdown_time, a);
        return 0;
}

static int watch(Adapter *a) {
        int r = sd_event_add_io(a->event, &a->process_source, a->machine.running.process.pidfd, EPOLLIN, on_process,
                                a);

        if (r >= 0)
                r = sd_event_add_io(a->event, &a->monitor_source, a->machine.qmp.fd, EPOLLIN, on_monitor, a);
        /* After what the monitor has to say about it. */
        if (r >= 0)
                r = sd_event_source_set_priority(a->process_source, SD_EVENT_PRIORITY_IDLE);
        return r;
}

/* Coming up. */

static int begin(Adapter *a, Problem *p) {
        _cleanup_(spec_done) Spec spec = { 0 };

        int r = machine_adopt(&a->machine, p);
        if (r >= 0) {
                r = arrive_adopted(&a->machine, &a->client, p);
                a->came_over = r > 0;
                return r;
        }
        if (r != -ENOENT)
                return r;
        r = arrive(&a->machine, &a->client, a->options->instead, p);
        a->came_over = r >= 0;
        if (r != -ENOENT)
                return r;
        if (a->options->monitor)
                return machine_take_over(&a->machine, a->options->name, a->options->monitor, a->options->hook, p);
        if (!a->options->program)
                return problem(p, "nothing-to-resume", "no machine %s came over from another kernel",
                               a->options->name);
        r = machine_spec(a->options->name, a->options->program, a->options->args, NULL, a->options->hook, &spec, p);
        return r < 0 ? r : machine_start(&a->machine, &spec, p);
}

static void set_guest_time(Adapter *a) {
        const char *agent = a->machine.running.spec.agent;

        int r = agent ? agent_set_time(agent, AGENT_USEC) : 0;
        /* A guest that is slow may still do it. */
        if (r < 0)
                log_info("%s: the guest agent has not said that it set the clock: %s", a->options->name, strerror(-r));
}

static int set_up(Adapter *a, Problem *p) {
        sigset_t stop;

        (void)sigemptyset(&stop);
        (void)sigaddset(&stop, SIGTERM);
        (void)sigaddset(&stop, SIGINT);
        (void)sigprocmask(SIG_BLOCK, &stop, NULL);
        int r = sd_event_default(&a->event);
        if (r >= 0)
                r = sd_event_add_signal(a->event, NULL, SIGTERM, on_stop, a);
        if (r >= 0)
                r = sd_event_add_signal(a->event, NULL, SIGINT, on_stop, a);
        if (r < 0)
                return problem_errno(p, r, "system", "the event loop");
        r = runtime_open(a->options->base, a->options->name, &a->runtime, p);
        if (r < 0)
                return r;
        a->machine.runtime = &a->runtime;
        return client_open(&a->client, a->event, a->options->name, &client_events, a, p);
}

static int run(Adapter *a, Problem *p) {
        int r = set_up(a, p);
        if (r >= 0)
                r = begin(a, p);
        if (r < 0)
                return r;
        r = watch(a);
        if (r < 0)
                return problem_errno(p, r, "system", "watching QEMU");
        r = client_register(&a->client, p);
        if (r < 0)
                log_warning("%s: does not take part in updates: %s", a->options->name, p->text);
        (void)sd_notifyf(false, "READY=1\nSTATUS=QEMU %s runs", a->machine.version);
        log_info("%s: QEMU %s runs as process %d", a->options->name, a->machine.version,
                 (int)a->machine.running.process.pid);
        if (r >= 0)
                report(a);
        if (a->came_over)
                set_guest_time(a);
        r = sd_event_loop(a->event);
        return r < 0 ? problem_errno(p, r, "qemu-ended", "QEMU ended by itself") : 0;
}

int adapter_run(const AdapterOptions *options, Problem *p) {
        Adapter a = {
                .options = options, .machine = MACHINE_NONE, .runtime = { .dir_fd = -1 }, .client = { .lease = -1 }
        };

        int r = run(&a, p);
        sd_event_source_unref(a.process_source);
        sd_event_source_unref(a.monitor_source);
        sd_event_source_unref(a.stop_source);
        client_close(&a.client);
        machine_done(&a.machine);
        runtime_close(&a.runtime);
        sd_event_unref(a.event);
        return r;
}
