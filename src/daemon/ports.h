/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything the manager needs from the outside, in one place: main.c fills it with the
 * real ports, the scenario tests with fakes. The manager makes no system call that is
 * not behind one of these, but for memfds and files below run_fd.
 */
#pragma once

#include "core/rules.h"
#include "core/timeline.h"
#include "core/topology.h"
#include "sys/host.h"
#include "sys/kexec.h"
#include "sys/links.h"
#include "sys/luo.h"
#include "sys/scheduled.h"
#include "sys/shim.h"
#include "sys/vfio-hold.h"
#include "sys/worker.h"

typedef struct ClockOps {
        uint64_t (*monotonic_usec)(void *self);
        uint64_t (*realtime_usec)(void *self);
        ClockKind (*kind)(void *self);
        uint64_t (*ticks)(void *self);
        uint64_t (*kernel_start)(void *self);
        void (*frequency)(void *self, uint64_t *ret_hz, uint64_t *ret_error_ppb);
} ClockOps;

/* The service manager's descriptor store: keeps what must outlive a crash. Called from
 * the loop and from the LUO worker. */
typedef struct StoreOps {
        /* -ENOSPC when it is full. */
        int (*put)(void *self, const char *name, int fd);
        int (*drop)(void *self, const char *name);
        /* Waits until what was dropped is closed there. */
        int (*flush)(void *self);
} StoreOps;

/* The PCI devices of the machine. Called from the image worker. */
typedef struct PciOps {
        int (*scan)(void *self, Topology *ret);
        /* Adds this one function to a topology. -ENODEV: there is none (any more). */
        int (*scan_one)(void *self, Address address, Topology *t);
        /* Bytes read, or a negative errno. */
        int (*read_config)(void *self, Address address, uint8_t *buf, size_t size);
} PciOps;

/* The VF settings of a PF's network interface. Called from the image worker. */
typedef struct LinkOps {
        /* -ENODEV: the PF has no network interface. */
        int (*read)(void *self, Address pf, VfList *ret);
        /* As links_apply_vf(). */
        int (*apply)(void *self, Address pf, const VfSettings *want, uint32_t settings, VfOutcome *ret);
} LinkOps;

/* The way into the next kernel through the service manager, which stops all services
 * first. Called from the loop; each may take seconds. */
typedef struct ShutdownOps {
        /* A process that the service manager does not end gets copies of these descriptors. */
        int (*keep)(void *self, const int *fds, size_t n, Refusal *refusal);
        /* Begins the shutdown that ends in kexec. From then on this daemon is going to be
         * stopped. On failure nothing has begun. */
        int (*begin)(void *self, Refusal *refusal);
        /* 1 it is under way, 0 it is not (any more); a negative errno: not known. */
        int (*running)(void *self);
        /* Returns when the copies are closed, or never were. */
        int (*release)(void *self);
        /* As scheduled_read(): a shutdown that somebody else has asked for. */
        int (*scheduled)(void *self, char mode[static SCHEDULED_MODE_SIZE], uint64_t *ret_usec);
} ShutdownOps;

typedef struct Ports {
        Luo luo;
        Kexec kexec;
        HoldPort hold; /* from a worker */
        Shim shim;     /* the kernel module; lists and policies from a worker */
        const HostFacts *host;
        Worker *luo_lane;       /* calls on /dev/liveupdate and on sessions, in order */
        Worker *image_lane;     /* whole images, and sync(2) */
        uint64_t started_ticks; /* when the daemon began, before it read anything */
        const ClockOps *clock;
        void *clock_self;
        const StoreOps *store; /* NULL: none */
        void *store_self;
        const ShutdownOps *shutdown; /* NULL: reboot(2) is the only way */
        void *shutdown_self;
        const PciOps *pci;
        void *pci_self;
        const LinkOps *links; /* NULL: none */
        void *links_self;
        const Rules *rules; /* for devices; may be NULL */
        void (*sync)(void *self);
        void *sync_self;
        int (*random)(void *buf, size_t size);
        int run_fd;   /* the runtime directory */
        int state_fd; /* the directory that outlives a boot; -1: none */
} Ports;
