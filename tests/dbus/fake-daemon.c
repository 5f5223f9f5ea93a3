/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * liveupdated with its real bus side and manager, on fakes: LUO, kexec, and a host that
 * boots once more for every jump. A jump ends the connection and everything else, as a
 * kexec does, and starts anew with the fakes that were carried across; so a client sees
 * the name leave the bus and come back on the other side. There are two PCI functions, and
 * $FAKE_LIVEUPDATED_SETTINGS has settings as liveupdated.conf has.
 *
 *   fake-daemon --runtime-directory=DIR [--debug]
 */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "common/log.h"
#include "daemon/bus.h"
#include "fakes/kexec-fake.h"
#include "fakes/luo-fake.h"
#include "sys/clock.h"

typedef struct Machine {
        LuoFake *luo;
        KexecFake kexec;
        Config config;
        unsigned boots;
        const char *run_dir;
        /* of one boot */
        HostFacts host;
        Ports ports;
        Bus bus;
        sd_event *event;
        sd_bus *connection;
        bool stopped;
} Machine;

static uint64_t port_monotonic(_unused_ void *self) {
        return clock_monotonic_usec();
}
static uint64_t port_realtime(_unused_ void *self) {
        return clock_realtime_usec();
}
static ClockKind port_kind(_unused_ void *self) {
        return CLOCK_KIND_TSC_INVARIANT;
}
static uint64_t port_ticks(_unused_ void *self) {
        return clock_monotonic_usec() * NSEC_PER_USEC;
}
static void port_frequency(_unused_ void *self, uint64_t *ret_hz, uint64_t *ret_error_ppb) {
        *ret_hz = NSEC_PER_SEC;
        *ret_error_ppb = 1;
}
static const ClockOps clock_ops = {
        .monotonic_usec = port_monotonic,
        .realtime_usec = port_realtime,
        .kind = port_kind,
        .ticks = port_ticks,
        .kernel_start = port_ticks,
        .frequency = port_frequency,
};

/* A root port, and a card below it that no VFIO driver has. */

static int add_function(Topology *t, Address address) {
        Function *f = topology_add(t, address);

        if (!f)
                return -ENOMEM;
        f->vendor = 0x8086;
        f->device = address.bus == 0 ? 0x3420 : 0x10d3;
        f->class_code = address.bus == 0 ? 0x060400 : 0x020000;
        f->power = POWER_D0;
        f->group = -1;
        if (address.bus == 0) {
                f->port = PORT_ROOT;
                f->header_type = 1;
                f->secondary = f->subordinate = 1;
        }
        return 0;
}

static int port_scan(_unused_ void *self, Topology *ret) {
        int r = add_function(ret, (Address){ 0, 0, 1, 0 });

        if (r >= 0)
                r = add_function(ret, (Address){ 0, 1, 0, 0 });
        return r < 0 ? r : topology_link(ret);
}

static int port_scan_one(_unused_ void *self, Address address, Topology *t) {
        return add_function(t, address);
}

static int port_read_config(_unused_ void *self, Address address, uint8_t *buf, size_t size) {
        memset(buf, 0, size);
        buf[0] = 0x86, buf[1] = 0x80, buf[0x0e] = address.bus == 0;
        return (int)MIN_OF(size, (size_t)256);
}

static const PciOps pci_ops = { .scan = port_scan, .scan_one = port_scan_one, .read_config = port_read_config };

static void port_sync(_unused_ void *self) {
}

static int port_random(void *buf, size_t size) {
        return getrandom(buf, size, 0) == (ssize_t)size ? 0 : -EIO;
}

static int on_worker(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Machine *m = userdata;

        manager_dispatch(m->bus.manager);
        return 0;
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        Machine *m = userdata;

        m->stopped = true;
        return sd_event_exit(m->event, 0);
}

static int on_post(sd_event_source *source, void *userdata) {
        Machine *m = userdata;

        return m->kexec.jumped ? sd_event_exit(m->event, 0) : 0;
}

static int open_ports(Machine *m) {
        snprintf(m->host.release, sizeof(m->host.release), "7.3.4-boot%u", m->boots);
        snprintf(m->host.version, sizeof(m->host.version), "#%u SMP", m->boots);
        snprintf(m->host.boot_id, sizeof(m->host.boot_id), "00000000-0000-4000-8000-%012u", m->boots);
        m->host.abi = (KernelAbi){ .kho = "kho-v3", .luo = "luo-v5", .memfd = "memfd-v2" };
        m->host.update_number = m->boots;
        m->host.cmdline = strdup("console=ttyS0 kho=on liveupdate=on");
        (void)mkdir(m->run_dir, 0755);
        m->ports = (Ports){
                .luo = luo_fake_port(m->luo),
                .kexec = kexec_fake_port(&m->kexec),
                .host = &m->host,
                .clock = &clock_ops,
                .sync = port_sync,
                .random = port_random,
                .pci = &pci_ops,
                .run_fd = open(m->run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC),
                .state_fd = -1,
        };
        if (m->ports.run_fd < 0)
                return -errno;
        int r = worker_new("luo", &m->ports.luo_lane);
        return r < 0 ? r : worker_new("image", &m->ports.image_lane);
}

static int open_bus(Machine *m) {
        int r = sd_event_new(&m->event);

        if (r >= 0)
                r = sd_event_add_io(m->event, NULL, worker_fd(m->ports.luo_lane), EPOLLIN, on_worker, m);
        if (r >= 0)
                r = sd_event_add_io(m->event, NULL, worker_fd(m->ports.image_lane), EPOLLIN, on_worker, m);
        if (r >= 0)
                r = sd_event_add_signal(m->event, NULL, SIGTERM, on_stop, m);
        if (r >= 0)
                r = sd_event_add_post(m->event, NULL, on_post, m);
        if (r >= 0)
                r = sd_bus_open_system(&m->connection);
        return r < 0 ? r : bus_setup(&m->bus, m->event, m->connection);
}

static int serve(Machine *m) {
        int r = open_ports(m);

        if (r >= 0)
                r = open_bus(m);
        if (r >= 0)
                r = manager_new(&m->ports, &m->config, NULL, 0, &m->bus.manager);
        if (r < 0)
                return r;
        bus_restore_participants(&m->bus);
        manager_watch(m->bus.manager, &bus_manager_events, &m->bus);
        r = bus_request_name(&m->bus);
        if (r < 0)
                return r;
        bus_rearm(&m->bus);
        r = devices_scan(m->bus.manager->devices);
        if (r < 0)
                return r;
        return sd_event_loop(m->event);
}

/* The runtime directory is a tmpfs: a boot empties it. */
static void power_down(Machine *m) {
        static const char *const names[] = { "state", "incoming.manifest", "incoming.timeline", "incoming.notes" };

        worker_free(m->ports.luo_lane);
        worker_free(m->ports.image_lane);
        bus_release_leases(&m->bus);
        m->bus.manager = manager_free(m->bus.manager);
        bus_done(&m->bus);
        m->event = sd_event_unref(m->event);
        host_facts_done(&m->host);
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                (void)unlinkat(m->ports.run_fd, names[i], 0);
        fd_close(m->ports.run_fd);
}

/* A test's settings are right, or the test is wrong. */
static void complain(void *userdata, const char *text) {
        log_error("%s", text);
        exit(2);
}

static int run(Machine *m) {
        const char *settings = getenv("FAKE_LIVEUPDATED_SETTINGS") ?: "";
        int r = luo_fake_new(&m->luo);

        if (r >= 0)
                r = config_init(&m->config);
        if (r >= 0)
                r = config_parse(&m->config, "settings", settings, strlen(settings), complain, NULL);
        m->kexec.luo = m->luo;
        while (r >= 0 && !m->stopped) {
                m->kexec.jumped = false;
                r = serve(m);
                if (r < 0)
                        log_errno(r, "Serving");
                power_down(m);
                m->boots++;
        }
        config_done(&m->config);
        luo_fake_free(m->luo);
        return r;
}

int main(int argc, char **argv) {
        static const struct option options[] = {
                { "runtime-directory", required_argument, NULL, 'r' },
                { "debug", no_argument, NULL, 'd' },
                {},
        };
        Machine m = {};
        sigset_t signals;
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                if (c == 'r')
                        m.run_dir = optarg;
                else if (c != 'd')
                        return 2;
        if (!m.run_dir)
                return 2;
        (void)sigemptyset(&signals);
        (void)sigaddset(&signals, SIGTERM);
        (void)sigprocmask(SIG_BLOCK, &signals, NULL);
        (void)signal(SIGPIPE, SIG_IGN);
        return run(&m) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
