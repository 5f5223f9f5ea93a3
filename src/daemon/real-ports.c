/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "real-ports.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "common/log.h"
#include "common/parse.h"
#include "sys/config-files.h"
#include "sys/handlers.h"
#include "sys/pci-scan.h"

#define SYSFS "/sys"
#define STORE_TIMEOUT_USEC (10 * USEC_PER_SEC)
enum { STORE_MAX_UNKNOWN = 8192 }; /* FileDescriptorStoreMax= of the unit */

/* The clock. */

static uint64_t port_monotonic(_unused_ void *self) {
        return clock_monotonic_usec();
}
static uint64_t port_realtime(_unused_ void *self) {
        return clock_realtime_usec();
}
static ClockKind port_kind(void *self) {
        return ((Clock *)self)->kind;
}
static uint64_t port_ticks(void *self) {
        return clock_ticks(self);
}
static uint64_t port_kernel_start(void *self) {
        return clock_kernel_start(self);
}
static void port_frequency(void *self, uint64_t *ret_hz, uint64_t *ret_error_ppb) {
        clock_frequency(self, ret_hz, ret_error_ppb);
}
static const ClockOps clock_ops = {
        .monotonic_usec = port_monotonic,
        .realtime_usec = port_realtime,
        .kind = port_kind,
        .ticks = port_ticks,
        .kernel_start = port_kernel_start,
        .frequency = port_frequency,
};

/* The service manager's descriptor store (sd_notify(3), FDSTORE=1). */

/* FDPOLL=0: systemd must not throw out what it sees hung up. It says nothing when its
 * store is full, so we count. */
static int store_put(void *self, const char *name, int fd) {
        RealPorts *p = self;
        char state[512];

        if (atomic_load(&p->n_stored) >= p->store_max)
                return -ENOSPC;
        (void)snprintf(state, sizeof(state), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
        int r = sd_pid_notify_with_fds(0, false, state, &fd, 1);
        if (r < 0)
                return r;
        atomic_fetch_add(&p->n_stored, 1);
        return 0;
}

static int store_drop(void *self, const char *name) {
        RealPorts *p = self;

        int r = sd_notifyf(false, "FDSTOREREMOVE=1\nFDNAME=%s", name);
        if (r < 0)
                return r;
        atomic_fetch_sub(&p->n_stored, 1);
        return 0;
}

static int store_flush(_unused_ void *self) {
        int r = sd_notify_barrier(false, STORE_TIMEOUT_USEC);

        return MIN_OF(r, 0);
}

static const StoreOps store_ops = { .put = store_put, .drop = store_drop, .flush = store_flush };

/* systemd sets $FDSTORE since version 254, when the store is not switched off. Before, a
 * service could not know; the unit that is installed has one. */
static bool open_store(RealPorts *p) {
        const char *max = getenv("FDSTORE");
        uint64_t n = STORE_MAX_UNKNOWN;

        if (!getenv("NOTIFY_SOCKET"))
                return false;
        if (max && parse_u64(max, &n) < 0)
                n = 0;
        p->store_max = (unsigned)MIN_OF(n, (uint64_t)UINT_MAX);
        return p->store_max > 0;
}

/* PCI. The index of modules is read with the first scan. */

static ModulesIndex *modules_of(RealPorts *r) {
        if (!r->modules)
                (void)modules_open("", r->host.release, &r->modules);
        return r->modules;
}

static int port_scan(void *self, Topology *ret) {
        return topology_scan(SYSFS, modules_of(self), ret);
}

static int port_scan_one(void *self, Address address, Topology *t) {
        return topology_scan_one(SYSFS, modules_of(self), address, t);
}

static int port_read_config(_unused_ void *self, Address address, uint8_t *buf, size_t size) {
        return config_read(SYSFS, address, buf, size);
}

static const PciOps pci_ops = { .scan = port_scan, .scan_one = port_scan_one, .read_config = port_read_config };

/* VF settings. The socket is opened with the first question. */

static int find_link(RealPorts *r, Address pf, int *ret_ifindex) {
        int k = links_pf_ifindex(SYSFS, pf, ret_ifindex);

        if (k >= 0 && !r->links)
                k = links_open(&r->links);
        return k;
}

static int port_read_link(void *self, Address pf, VfList *ret) {
        RealPorts *r = self;
        int ifindex;

        int k = find_link(r, pf, &ifindex);
        return k < 0 ? k : links_read_vfs(r->links, ifindex, ret);
}

static int port_apply_link(void *self, Address pf, const VfSettings *want, uint32_t settings, VfOutcome *ret) {
        RealPorts *r = self;
        int ifindex;

        int k = find_link(r, pf, &ifindex);
        return k < 0 ? k : links_apply_vf(r->links, ifindex, want, settings, ret);
}

static const LinkOps link_ops = { .read = port_read_link, .apply = port_apply_link };

/* The rest. */

static void port_sync(_unused_ void *self) {
        sync();
}

static int port_random(void *buf, size_t size) {
        return getrandom(buf, size, 0) == (ssize_t)size ? 0 : -EIO;
}

static void warn(_unused_ void *userdata, const char *message) {
        log_warning("%s", message);
}

static int open_dir(const char *path) {
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
                return -errno;
        int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int read_settings(RealPorts *p) {
        int r = config_init(&p->config);

        if (r >= 0)
                r = config_files_load("", &p->config, warn, NULL);
        if (r >= 0)
                r = rules_files_load("", &p->rules, warn, NULL);
        if (r < 0)
                return log_errno(r, "Reading the settings");
        r = host_read_facts("", &p->host);
        if (r < 0)
                return log_errno(r, "Reading what the kernel says about itself");
        p->judged = p->host;
        return 0;
}

int real_ports_open(RealPorts *r, const char *run_dir, const char *state_dir) {
        Ports *p = &r->ports;

        clock_start(&r->clock);
        p->run_fd = p->state_fd = -1;
        int k = read_settings(r);
        if (k < 0)
                return k;
        *p = (Ports){
                .luo = luo_device(&r->device, r->config.luo_device, r->config.luo_busy_usec),
                .kexec = kexec_real(&r->kexec, &r->judged),
                .shim = r->config.luo_shim ? shim_real(&r->shim, "") : (Shim){},
                .hold = hold_real(&r->hold, ""),
                .host = &r->host,
                .started_ticks = r->clock.start_ticks,
                .clock = &clock_ops,
                .clock_self = &r->clock,
                .store = open_store(r) ? &store_ops : NULL,
                .store_self = r,
                .pci = &pci_ops,
                .pci_self = r,
                .links = &link_ops,
                .links_self = r,
                .rules = &r->rules,
                .sync = port_sync,
                .random = port_random,
                .run_fd = open_dir(run_dir),
                .state_fd = open_dir(state_dir),
        };
        r->kexec.config = &r->config;
        if (p->run_fd < 0)
                return log_errno(p->run_fd, "Opening %s", run_dir);
        if (p->state_fd < 0) {
                log_errno(p->state_fd, "Opening %s; what is lost in a jump will not be reported", state_dir);
                p->state_fd = -1;
        }
        k = worker_new("luo", &p->luo_lane);
        if (k >= 0)
                k = worker_new("image", &p->image_lane);
        return k < 0 ? log_errno(k, "Starting the workers") : 0;
}

static void say(_unused_ void *userdata, int priority, const char *text) {
        log_full(priority, "%s", text);
}

void real_ports_load_handlers(RealPorts *r) {
        (void)handlers_load(&r->config, modules_load, say, NULL);
}

void real_ports_stop(RealPorts *r) {
        worker_free(r->ports.luo_lane);
        worker_free(r->ports.image_lane);
        r->ports.luo_lane = r->ports.image_lane = NULL;
}

void real_ports_done(RealPorts *r) {
        links_close(r->links);
        modules_free(r->modules);
        host_facts_done(&r->host); /* the copy shares what it owns */
        rules_done(&r->rules);
        config_done(&r->config);
        fd_close(r->ports.run_fd);
        fd_close(r->ports.state_fd);
}
