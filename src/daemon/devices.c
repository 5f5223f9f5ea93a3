/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices.h"

#include "common/log.h"

typedef struct Waiter {
        devices_ready_t done;
        void *userdata;
} Waiter;

struct Devices {
        const Ports *ports;
        const DevicesEvents *events;
        void *userdata;
        Topology topology;
        bool ready;
        bool again; /* events were lost while a scan was under way */
        unsigned n_scans;
        uint64_t generation;
        Waiter *waiters;
        size_t n_waiters;
};

typedef struct Scan {
        Devices *devices;
        Topology topology;
        Address address; /* of a look at one function */
} Scan;

int devices_new(const Ports *ports, const DevicesEvents *events, void *userdata, Devices **ret) {
        Devices *d = calloc(1, sizeof(*d));

        if (!d)
                return -ENOMEM;
        *d = (Devices){ .ports = ports, .events = events, .userdata = userdata };
        *ret = d;
        return 0;
}

Devices *devices_free(Devices *d) {
        if (!d)
                return NULL;
        topology_done(&d->topology);
        free(d->waiters);
        free(d);
        return NULL;
}

const Topology *devices_topology(const Devices *d) {
        return d->ready ? &d->topology : NULL;
}

uint64_t devices_generation(const Devices *d) {
        return d->generation;
}

static void tell_waiters(Devices *d) {
        _cleanup_free_ Waiter *waiters = TAKE_PTR(d->waiters);
        size_t n = d->n_waiters;

        d->n_waiters = 0;
        for (size_t i = 0; i < n; i++)
                waiters[i].done(waiters[i].userdata);
}

int devices_when_ready(Devices *d, devices_ready_t done, void *userdata) {
        if (d->ready) {
                done(userdata);
                return 0;
        }
        Waiter *bigger = reallocarray(d->waiters, d->n_waiters + 1, sizeof(*bigger));
        if (!bigger)
                return -ENOMEM;
        d->waiters = bigger;
        d->waiters[d->n_waiters++] = (Waiter){ done, userdata };
        return 0;
}

/* All of it. */

static int run_scan(void *work) {
        Scan *s = work;
        const Ports *p = s->devices->ports;

        return p->pci->scan(p->pci_self, &s->topology);
}

static void scanned(void *work, int r, _unused_ void *userdata) {
        Scan *s = work;
        Devices *d = s->devices;

        d->n_scans--;
        if (r >= 0) {
                topology_done(&d->topology);
                d->topology = s->topology;
                d->generation++;
                for (size_t i = 0; i < d->topology.n; i++)
                        d->topology.items[i].generation = d->generation;
                log_info("The PCI topology is read: %zu functions.", d->topology.n);
                for (size_t i = 0; i < d->topology.n_notes; i++)
                        log_info("PCI: %s", d->topology.notes[i]);
        } else {
                topology_done(&s->topology);
                if (r != -ECANCELED)
                        log_errno(r, "Reading the PCI topology");
        }
        /* Also without one: who waits is served with an empty topology, not kept. */
        d->ready = true;
        free(s);
        if (r == -ECANCELED)
                return;
        if (d->again) {
                d->again = false;
                (void)devices_scan(d);
        }
        tell_waiters(d);
}

int devices_scan(Devices *d) {
        Scan *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        s->devices = d;
        int r = worker_submit(d->ports->image_lane, run_scan, scanned, s, NULL);
        if (r < 0)
                free(s);
        else
                d->n_scans++;
        return r;
}

int devices_lost_events(Devices *d) {
        if (d->n_scans > 0) {
                d->again = true;
                return 0;
        }
        return devices_scan(d);
}

/* One function. */

/* Those whose verdict an event about this function can change: itself, its PF, its VFs,
 * and who shares its IOMMU group. */
static size_t touched(const Topology *t, uint32_t index, Address *ret, size_t max) {
        const Function *f = &t->items[index];
        size_t n = 0;

        ret[n++] = f->address;
        if (f->pf != TOPOLOGY_NONE && n < max)
                ret[n++] = t->items[f->pf].address;
        for (uint32_t i = f->first_vf; i != TOPOLOGY_NONE && n < max; i = t->items[i].next_vf)
                ret[n++] = t->items[i].address;
        for (uint32_t i = f->next_in_group; i != index && i != TOPOLOGY_NONE && n < max; i = t->items[i].next_in_group)
                ret[n++] = t->items[i].address;
        return n;
}

static void tell_stale(Devices *d, Address address) {
        Address addresses[1024] = { address };
        uint32_t index = topology_find(&d->topology, address);
        size_t n = index == TOPOLOGY_NONE ? 1 : touched(&d->topology, index, addresses, ELEMENTSOF(addresses));

        if (d->events)
                d->events->stale(d->userdata, addresses, n);
}

static int run_one(void *work) {
        Scan *s = work;
        const Ports *p = s->devices->ports;

        return p->pci->scan_one(p->pci_self, s->address, &s->topology);
}

/* Moves the one function that was read into the topology. */
static int replace(Devices *d, Topology *from) {
        Address address = from->items[0].address;
        uint32_t index = topology_find(&d->topology, address);
        /* A device that stays keeps its generation; one that came has a new one. */
        uint64_t generation = index == TOPOLOGY_NONE ? ++d->generation : d->topology.items[index].generation;

        if (index != TOPOLOGY_NONE)
                topology_remove(&d->topology, index);
        Function *f = topology_add(&d->topology, address);
        if (!f)
                return -ENOMEM;
        *f = from->items[0];
        f->generation = generation;
        from->n = 0; /* its strings have moved */
        return topology_link(&d->topology);
}

static void looked(void *work, int r, _unused_ void *userdata) {
        Scan *s = work;
        Devices *d = s->devices;

        if (r == -ENODEV) {
                uint32_t index = topology_find(&d->topology, s->address);
                tell_stale(d, s->address); /* before it is gone, for its relations */
                if (index != TOPOLOGY_NONE)
                        topology_remove(&d->topology, index);
                r = topology_link(&d->topology);
        } else if (r >= 0 && s->topology.n == 1) {
                r = replace(d, &s->topology);
                tell_stale(d, s->address);
        }
        if (r < 0 && r != -ECANCELED)
                log_errno(r, "Looking at a PCI function after an event");
        topology_done(&s->topology);
        free(s);
}

int devices_touch(Devices *d, Address address) {
        Scan *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        s->devices = d;
        s->address = address;
        int r = worker_submit(d->ports->image_lane, run_one, looked, s, NULL);
        if (r < 0)
                free(s);
        return r;
}
