/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * liveupdated: reads the settings, opens the ports, recovers, serves the bus.
 *
 * The bus name is taken, and READY=1 sent, only when recovery is over: whoever sees the
 * name sees a true state. On SIGTERM an update that can be cancelled is cancelled first,
 * so that no client is left paused.
 */
#include <getopt.h>
#include <signal.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "common/log.h"
#include "daemon/bus.h"
#include "daemon/early.h"
#include "daemon/handover.h"
#include "daemon/hold.h"
#include "daemon/real-ports.h"
#include "daemon/real-shutdown.h"
#include "daemon/verify.h"
#include "sys/uevent-port.h"

typedef struct App {
        RealPorts real;
        Bus bus;
        Manager *manager;
        UeventPort *uevents;
        sd_event *event;
        sd_bus *connection;
        RealShutdown shutdown;
        StoredFd *stored;
        char **stored_names;
        size_t n_stored;
        const char *run_dir, *state_dir;
} App;

static int take_stored_fds(App *a) {
        int n = sd_listen_fds_with_names(true, &a->stored_names);

        if (n <= 0)
                return n;
        a->stored = calloc((size_t)n, sizeof(*a->stored));
        if (!a->stored)
                return -ENOMEM;
        for (int i = 0; i < n; i++)
                a->stored[i] = (StoredFd){ .name = a->stored_names[i], .fd = SD_LISTEN_FDS_START + i };
        a->n_stored = (size_t)n;
        a->real.n_stored = (unsigned)n;
        return 0;
}

static int on_worker(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        App *a = userdata;

        manager_dispatch(a->manager);
        return 0;
}

/* The ABI strings that only the running kernel's image tells take long to read, so that
 * is done once the clients are served; the image worker does it before any verdict. */
static int run_complete(void *work) {
        App *a = work;

        return host_complete_facts("", &a->real.judged);
}

static void completed(void *work, int r, _unused_ void *userdata) {
        App *a = work;

        if (r < 0) {
                log_errno(r, "Reading the running kernel's image");
                return;
        }
        a->real.host.abi = a->real.judged.abi;
        bus_abi_changed(&a->bus);
}

static bool in_midst(Phase phase) {
        return phase != PHASE_NORMAL && phase != PHASE_UPDATED && phase != PHASE_FINISHING;
}

/* After each event: leaves once a stop was asked for and nothing is pending. */
static int on_after(sd_event_source *source, void *userdata) {
        App *a = userdata;

        /* A shutdown that we began ourselves: what is under way goes on without us. */
        if (a->bus.stopping && (!in_midst(a->manager->phase) || a->manager->update.shutdown_look))
                return sd_event_exit(a->event, 0);
        return 0;
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        App *a = userdata;
        Job *j;

        log_info("Stopping on signal %u.", si->ssi_signo);
        (void)sd_notify(false, "STOPPING=1");
        a->bus.stopping = true;
        if (in_midst(a->manager->phase) && manager_cancelable(a->manager))
                (void)manager_cancel(a->manager, 0, &j, NULL);
        return on_after(source, a);
}

static int add_sources(App *a) {
        sd_event_source *after;
        int r;

        r = sd_event_add_io(a->event, NULL, worker_fd(a->real.ports.luo_lane), EPOLLIN, on_worker, a);
        if (r >= 0)
                r = sd_event_add_io(a->event, NULL, worker_fd(a->real.ports.image_lane), EPOLLIN, on_worker, a);
        if (r >= 0)
                r = sd_event_add_signal(a->event, NULL, SIGTERM, on_stop, a);
        if (r >= 0)
                r = sd_event_add_signal(a->event, NULL, SIGINT, on_stop, a);
        if (r >= 0)
                r = sd_event_add_post(a->event, &after, on_after, a);
        if (r >= 0)
                r = sd_event_source_set_floating(after, true);
        if (r >= 0)
                sd_event_source_unref(after);
        return r;
}

/* PCI events. A kernel without them, or a container, only means that plans are made
 * from what was read at the start. */

static void on_uevent(const Uevent *e, void *userdata) {
        App *a = userdata;

        if (e->has_address && !e->synthetic)
                (void)devices_touch(a->manager->devices, e->address);
}

static void on_lost(void *userdata) {
        App *a = userdata;

        (void)devices_lost_events(a->manager->devices);
}

static int on_uevents(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        App *a = userdata;

        int r = uevent_dispatch(a->uevents, on_uevent, on_lost, a);
        if (r < 0) {
                log_errno(r, "Reading device events; plans may be out of date from here on");
                (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
        }
        return 0;
}

/* What is not needed to take a live update in: done once the clients are served. */
static int start_lookout(App *a) {
        int r = uevent_open(&a->uevents);
        if (r >= 0)
                r = sd_event_add_io(a->event, NULL, uevent_fd(a->uevents), EPOLLIN, on_uevents, a);
        if (r < 0)
                log_errno(r, "Listening for device events; plans may be out of date");
        r = worker_submit(a->real.ports.image_lane, run_complete, completed, a, NULL);
        if (r >= 0)
                r = devices_scan(a->manager->devices);
        hold_arrived(a->manager);
        handover_arrived(a->manager);
        verify_arrived(a->manager);
        return r < 0 ? log_errno(r, "Queueing the look at kernel and devices") : 0;
}

/* Since version 254 systemd sets $FDSTORE for a service that has a descriptor store; from an
 * older one nothing can be known, and the unit that is installed has one. */
static void check_store(App *a) {
        _cleanup_free_ char *version = NULL;

        if (!a->real.ports.store || getenv("FDSTORE"))
                return;
        int r = sd_bus_get_property_string(a->connection, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                                           "org.freedesktop.systemd1.Manager", "Version", NULL, &version);
        if (r >= 0 && strtoul(version, NULL, 10) >= 254) {
                log_warning(
                        "There is no descriptor store (FileDescriptorStoreMax=0): a crash would cancel an update.");
                a->real.ports.store = NULL;
        }
}

static int run(App *a) {
        Early early;

        int r = real_ports_open(&a->real, a->run_dir, a->state_dir);
        if (r < 0)
                return r;
        r = take_stored_fds(a);
        if (r < 0)
                return log_errno(r, "Taking the stored descriptors");
        r = sd_event_default(&a->event);
        if (r >= 0)
                r = sd_event_set_watchdog(a->event, true);
        if (r >= 0)
                r = add_sources(a);
        if (r < 0)
                return log_errno(r, "Setting up the event loop");
        r = sd_bus_open_system(&a->connection);
        if (r < 0)
                return log_errno(r, "Connecting to the system bus");
        check_store(a);
        a->shutdown.run_fd = a->real.ports.run_fd;
        a->real.ports.shutdown = &real_shutdown_ops;
        a->real.ports.shutdown_self = &a->shutdown;
        r = bus_setup(&a->bus, a->event, a->connection);
        if (r < 0)
                return log_errno(r, "Exporting the bus objects");
        real_ports_load_handlers(&a->real);
        r = early_collect(&early, &a->real.ports.luo, &a->stored, &a->stored_names, &a->n_stored);
        if (r >= 0)
                r = manager_new(&a->real.ports, &a->real.config, a->stored, a->n_stored, &a->manager);
        if (r < 0)
                return r;
        early_settle(&early, a->manager, a->stored, a->n_stored);
        a->bus.manager = a->manager;
        bus_restore_participants(&a->bus);
        manager_watch(a->manager, &bus_manager_events, &a->bus);
        bus_inhibit_update(&a->bus); /* of a restart that found an update under way nobody was told */
        bus_find_gone(&a->bus);
        r = bus_request_name(&a->bus);
        if (r < 0)
                return log_errno(r, "Taking the bus name");
        (void)sd_notifyf(false, "READY=1\nSTATUS=State: %s", phase_to_string(a->manager->phase));
        log_info("liveupdated " PROJECT_VERSION " runs on %s; the state is %s.", a->real.host.release,
                 phase_to_string(a->manager->phase));
        bus_rearm(&a->bus);
        r = start_lookout(a);
        if (r < 0)
                return r;
        r = sd_event_loop(a->event);
        return r < 0 ? log_errno(r, "The event loop") : r;
}

static void app_done(App *a) {
        /* The workers first: they complete what is queued, and the manager and the bus
         * must still be there for it. */
        real_ports_stop(&a->real);
        bus_release_leases(&a->bus);
        manager_free(a->manager);
        a->bus.manager = NULL;
        bus_done(&a->bus);
        real_shutdown_done(&a->shutdown);
        sd_event_unref(a->event);
        for (size_t i = 0; i < a->n_stored; i++)
                free(a->stored_names[i]);
        free(a->stored_names);
        free(a->stored);
        uevent_close(a->uevents);
        real_ports_done(&a->real);
}

static void help(void) {
        puts("liveupdated [OPTIONS...]\n\n"
             "Drives live updates of the kernel; serves org.liveupdate1 on the system bus.\n\n"
             "  -h --help                     Show this help\n"
             "     --version                  Show the version\n"
             "     --runtime-directory=DIR    Where to keep what a restart must find\n"
             "                                (default: $RUNTIME_DIRECTORY or /run/liveupdated)\n"
             "     --state-directory=DIR      Where to keep what the next boot must find\n"
             "                                (default: $STATE_DIRECTORY or /var/lib/liveupdated)\n"
             "     --debug                    Log more\n");
}

static int parse_arguments(App *a, int argc, char **argv) {
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'v' },
                { "runtime-directory", required_argument, NULL, 'r' },
                { "state-directory", required_argument, NULL, 's' },
                { "debug", no_argument, NULL, 'd' },
                {},
        };
        int c;

        a->run_dir = getenv("RUNTIME_DIRECTORY") ?: "/run/liveupdated";
        a->state_dir = getenv("STATE_DIRECTORY") ?: "/var/lib/liveupdated";
        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (c) {
                case 'h':
                        help();
                        return 0;
                case 'v':
                        puts("liveupdated " PROJECT_VERSION);
                        return 0;
                case 'r':
                        a->run_dir = optarg;
                        break;
                case 's':
                        a->state_dir = optarg;
                        break;
                case 'd':
                        log_set_max_priority(LOG_PRI_DEBUG);
                        break;
                default:
                        return -EINVAL;
                }
        if (optind < argc) {
                fprintf(stderr, "liveupdated takes no arguments, only options; see --help.\n");
                return -EINVAL;
        }
        return 1;
}

int main(int argc, char **argv) {
        static App app = { .real = { .ports = { .run_fd = -1, .state_fd = -1 } }, .shutdown = { .keeper_fd = -1 } };
        sigset_t signals;

        int r = parse_arguments(&app, argc, argv);
        if (r <= 0)
                return r < 0 ? 2 : 0;
        (void)umask(0077);
        (void)sigemptyset(&signals);
        (void)sigaddset(&signals, SIGTERM);
        (void)sigaddset(&signals, SIGINT);
        (void)sigprocmask(SIG_BLOCK, &signals, NULL);
        (void)signal(SIGPIPE, SIG_IGN);
        r = run(&app);
        app_done(&app);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
