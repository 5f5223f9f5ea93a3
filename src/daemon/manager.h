/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The manager drives an update: it owns the phase, the sessions, the participants and
 * the jobs, and turns the phase table's effects into port calls. It knows neither the
 * bus nor sd-event: requests come in as function calls, what changed goes out through
 * ManagerEvents, slow calls run in workers, time comes in through manager_tick().
 *
 * What always holds:
 * - manager_event() is the only writer of the phase.
 * - At most one job drives; a cancel may run beside it. A failure at any point stores
 *   its refusal once, and everything is put back by the one rollback path.
 * - A retrieved session is never closed before FINISH returned 0.
 * - Whatever a worker is asked is completed exactly once, and its reply is called
 *   exactly once, also when the update it belonged to is over.
 *
 * Files: manager.c (phase, jobs, settling), manager-session.c (sessions and their
 * files), manager-device.c (files that are devices), manager-update.c (prepare, freeze,
 * jump, rollback), manager-kernel.c (load, unload), manager-arrive.c (start-up),
 * manager-restart.c (start-up after a crash), manager-receive.c (the other side: claims,
 * finish), manager-report.c (what participants say of their part), planner.c (what can go along), verify.c, vf-links.c
 * (configuration space and VF settings before and after), handover.c (devices on their way), hold.c (devices that the
 * daemon holds itself), manager-store.c (the service manager's descriptor store),
 * recovery.c, registry.c (the runtime directory).
 */
#pragma once

#include "core/config.h"
#include "core/manifest.h"
#include "core/participant.h"
#include "core/phase.h"
#include "daemon/devices.h"
#include "daemon/job.h"
#include "daemon/ports.h"
#include "daemon/session-table.h"

typedef struct Manager Manager;

typedef struct ManagerEvents {
        void (*phase_changed)(void *userdata, Phase from, Phase to);
        void (*job_new)(void *userdata, Job *job);
        void (*job_changed)(void *userdata, Job *job);
        void (*job_ended)(void *userdata, Job *job);
        void (*job_forgotten)(void *userdata, Job *job);
        void (*session_added)(void *userdata, Session *session);
        void (*session_changed)(void *userdata, Session *session);
        void (*session_removed)(void *userdata, Session *session);
        /* Ask one participant: for WANT_RESUME no answer is expected, deadline is 0. */
        void (*request)(void *userdata, Participant *participant, Want phase, uint64_t deadline);
        /* Its client's session is finished: it may go on, in the new kernel. */
        void (*resume)(void *userdata, Participant *participant, const Session *session);
        void (*waiting_changed)(void *userdata);
        void (*kernel_changed)(void *userdata);
        void (*notice_changed)(void *userdata);
        void (*holds_changed)(void *userdata);
        void (*plan_stale)(void *userdata, const Address *addresses, size_t n);
        /* Deadlines or work that is due changed: look at manager_deadline() again. */
        void (*rearm)(void *userdata);
} ManagerEvents;

/* fd is borrowed for the call; -1 where there is none. refusal NULL means success. */
typedef void (*session_reply_t)(void *userdata, Session *session, int fd, const Refusal *refusal);

/* What an update is asked to take along, beyond the clients' sessions. */
typedef struct UpdateRequest {
        Address *devices;
        size_t n_devices;
        char **exceptions; /* NULL-terminated: what may be lost, see plan_allows() */
        size_t n_exceptions;
        JumpChoice jump; /* not of a request to prepare alone: a restart forgets it */
} UpdateRequest;

void update_request_done(UpdateRequest *r);

/* Devices with what is kept of them for the other side; owned. */
typedef struct DeviceList {
        ManifestDevice *items;
        size_t n;
} DeviceList;

void device_list_done(DeviceList *l);

/* The same of PFs with a network driver. */
typedef struct LinkList {
        ManifestLink *items;
        size_t n;
} LinkList;

void link_list_done(LinkList *l);
int link_list_copy(const LinkList *from, LinkList *ret);
/* What the kernel module said last of the devices on their way. */
typedef struct Handover {
        ShimList outgoing, incoming;
} Handover;

/* See hold.h. */
typedef enum HoldState { HOLD_TAKING, HOLD_HELD, HOLD_LEAVING } HoldState;

typedef struct Hold {
        Address address;
        HoldState state;
        int device_fd, iommu_fd;
        HoldDriver driver; /* what it had before; after a jump that is not known */
} Hold;

typedef struct HoldList {
        Hold *items;
        size_t n;
} HoldList;

typedef struct NextKernel {
        bool loaded;
        char release[128];
        char *cmdline;
        Refusal shim;        /* what is wrong with its kernel module; REASON_NONE: nothing */
        Refusal vfio, files; /* what its boot lacks of handlers: of devices, of other files (core/next-boot.h) */
        bool no_vf;          /* it does not keep VFs */
} NextKernel;

/* The update under way in this kernel, from PREPARE to the jump or the rollback. */
typedef struct Update {
        char id[UPDATE_ID_SIZE];
        uint64_t generation;   /* counts attempts: late completions of an older one are told apart */
        JobRecord prepared_by; /* the job that came to PREPARED, once it has ended */
        uint64_t asked;        /* participants up to this number were asked for a phase */
        uint64_t n_devices;    /* in the file that a restart finds; devices may be in the worker */
        int own_session;
        bool own_stored, page_stored; /* the service manager has copies */
        Timeline *page;               /* mapped, shared with the preserved memfd; NULL outside of an update */
        int page_fd;
        bool held;          /* the devices that the daemon holds are preserved, or there are none */
        bool own_ready;     /* own session and timeline are preserved */
        bool clients_ready; /* the freeze barrier opened */
        bool synced;
        bool manifest_sent;
        uint64_t sync_deadline;
        unsigned n_works; /* own session calls under way */
        Refusal failure;  /* the first one; REASON_NONE if none */
        UpdateRequest request;
        DeviceList devices; /* requested ones and what they depend on, from PREPARE on */
        bool snapped;       /* their configuration space is read */
        LinkList links;     /* PFs with VF settings, from FREEZE on */
        bool links_read;
        bool requested_asked, requested_there; /* requested.h */
        bool kept;                             /* a process that outlives the shutdown may have the sessions, too */
        uint64_t shutdown_look;                /* when to see whether the shutdown goes on; 0: none has begun */
        bool links_waiting;                    /* … once the devices are read */
} Update;

/* What came from the kernel before this one. */
typedef struct Incoming {
        bool any;
        Manifest *manifest; /* NULL when it could not be read */
        Timeline timeline;
        bool has_timeline;
        bool timeline_live; /* the clock runs on: this kernel may add steps */
        uint32_t claimed, finished;
        uint64_t deadline;        /* when the job ends, whoever has not come; UINT64_MAX: never, or it has */
        uint64_t give_up;         /* the earliest one of its sessions */
        unsigned n_finishing;     /* sessions whose FINISH a job has under way */
        bool force;               /* that job does not wait for clients */
        uint64_t finish_deadline; /* and until when it does; UINT64_MAX: for ever, or it is over */
        Refusal finish_failure;   /* the first one of that job */
        Refusal broken;           /* why there is no manifest */
        Job *job;                 /* the one that crossed */
} Incoming;

struct Manager {
        const Ports *ports;
        const Config *config;
        const ManagerEvents *events;
        void *userdata;

        Phase phase;
        SessionTable sessions;
        Barrier barrier;
        JobList jobs;
        Job *job;        /* the one that drives, or NULL */
        Job *cancel_job; /* runs beside it */
        NextKernel next;
        Devices *devices; /* NULL without a PCI port */
        uint64_t planned; /* devices_generation() at the last plan somebody saw; 0: none */
        bool luo_broken;  /* -EIO at the first open: for the whole boot */
        Update update;
        Incoming incoming;
        JobReport *report;      /* of the last update, also when it is over; NULL: none has begun */
        DeviceList arrived;     /* what the last live update says of its devices; stays when it is over */
        LinkList arrived_links; /* the same of VF settings */
        uint64_t arrived_job;
        bool verify_waits; /* the comparison is still to come: VFs are not adopted yet */
        Handover handover; /* see handover.h */
        HoldList holds;

        bool loading;         /* the image worker loads or unloads: which one is there is not known */
        PhaseEvent restarted; /* what a restart has still to do; _EVENT_MAX: nothing */

        unsigned n_calls;   /* session calls in the worker */
        unsigned n_closing; /* sessions whose close is under way or still to come */
        bool jump_pending;
        char *notice;
};

/* Recovers (see recovery.c), which may block for as long as /dev/liveupdate is busy.
 * stored: descriptors that the service manager kept, by name; taken over. */
typedef struct StoredFd {
        const char *name;
        int fd;
        bool early; /* from the initrd's steward: the service manager has it not yet */
        bool taken; /* set by manager_new(): it is in use */
} StoredFd;

int manager_new(const Ports *ports, const Config *config, StoredFd *stored, size_t n_stored, Manager **ret);
/* Who is told from now on; nothing of the start-up is told. What a restart has to put back
 * begins here, so that the participants (those of barrier, with their leases) hear it. */
void manager_watch(Manager *m, const ManagerEvents *events, void *userdata);
/* Closes what it holds. What the service manager's store has lives on. */
Manager *manager_free(Manager *m);

/* Work that is due now: completions, the jump. Call when a worker's fd is readable and
 * after each request. */
void manager_dispatch(Manager *m);
/* Whether manager_dispatch() has something to do that no worker will announce. */
static inline bool manager_due(const Manager *m) {
        return m->jump_pending;
}
/* The next deadline, CLOCK_MONOTONIC microseconds; UINT64_MAX: none. */
uint64_t manager_deadline(const Manager *m);
void manager_tick(Manager *m, uint64_t now);

/* Requests. Each returns 0 and a job, or a negative errno and a refusal, having changed
 * nothing. */
int manager_load(Manager *m, int kernel_fd, int initrd_fd, const char *cmdline, uint32_t uid, Job **ret,
                 Refusal *refusal);
int manager_unload(Manager *m, uint32_t uid, Job **ret, Refusal *refusal);
/* request may be NULL; its contents are taken over on success. */
int manager_prepare(Manager *m, uint32_t uid, UpdateRequest *request, Job **ret, Refusal *refusal);
int manager_freeze(Manager *m, uint32_t uid, Job **ret, Refusal *refusal);
/* Of request, which may be NULL, only the way to jump counts. */
int manager_execute(Manager *m, uint32_t uid, UpdateRequest *request, Job **ret, Refusal *refusal);
int manager_update(Manager *m, uint32_t uid, UpdateRequest *request, Job **ret, Refusal *refusal);
int manager_cancel(Manager *m, uint32_t uid, Job **ret, Refusal *refusal);
/* Waits until the clients have finished what they have claimed, for FinishTimeoutSec= again.
 * unclaimed: finishes what nobody has claimed, or whose client is gone. force: waits for
 * nobody; also for a FINISH job that waits already, which is then *ret. */
int manager_finish(Manager *m, uint32_t uid, bool unclaimed, bool force, Job **ret, Refusal *refusal);

/* Sessions. The reply is called exactly once, later or at once, unless the function
 * itself fails. owner: unique bus name of the caller. */
int manager_open_session(Manager *m, const char *name, uint32_t uid, const char *owner, session_reply_t reply,
                         void *userdata, Refusal *refusal);
int manager_claim_session(Manager *m, const char *name, uint32_t uid, const char *owner, session_reply_t reply,
                          void *userdata, Refusal *refusal);
/* What the client says about the file; all may be left out. */
typedef struct PreserveOptions {
        /* Of a device whose DMA runs on: the tokens of all memfds that are mapped for it. */
        const uint64_t *dma_memory;
        size_t n_dma_memory;
        bool dma_complete; /* or: all that is mapped for it is in the session by now */
} PreserveOptions;
/* file stays the caller's; the manager works on a duplicate. */
int manager_preserve_file(Manager *m, Session *s, uint32_t uid, int file, uint64_t token,
                          const PreserveOptions *options, session_reply_t reply, void *userdata, Refusal *refusal);
/* The same without options. */
int manager_preserve_fd(Manager *m, Session *s, uint32_t uid, int file, uint64_t token, session_reply_t reply,
                        void *userdata, Refusal *refusal);
int manager_retrieve_fd(Manager *m, Session *s, uint32_t uid, uint64_t token, session_reply_t reply, void *userdata,
                        Refusal *refusal);
int manager_finish_session(Manager *m, Session *s, uint32_t uid, session_reply_t reply, void *userdata,
                           Refusal *refusal);
int manager_close_session(Manager *m, Session *s, uint32_t uid, session_reply_t reply, void *userdata,
                          Refusal *refusal);
/* A bus client is gone: its sessions lose their owner, or end if nothing is pending. */
void manager_owner_gone(Manager *m, const char *owner);

/* Participants. */
typedef struct Registration {
        const char *name, *what;
        OnDeath on_death;
        const char *owner; /* unique bus name */
        uint32_t uid;
        int lease; /* our end, taken over on success; -1: none */
} Registration;

int manager_register(Manager *m, const Registration *registration, Participant **ret, Refusal *refusal);
/* Once the client can be told (its userdata is set): asks it for the running phase. One that
 * comes too late to go along ends the update. */
void manager_registered(Manager *m, Participant *p);
/* It has left, or died. */
void manager_unregister(Manager *m, Participant *p);
int manager_ready(Manager *m, Participant *p, Want phase, Refusal *refusal);
int manager_veto(Manager *m, Participant *p, Want phase, const char *reason, Refusal *refusal);
int manager_delay(Manager *m, Participant *p, Want phase, uint64_t until, const char *reason, Refusal *refusal);
/* Spans of its own that began and ended on CLOCK_MONOTONIC, in microseconds: kept with the
 * last update, under way or over. All or none. */
typedef struct ReportedSpan {
        const char *name;
        uint64_t begin_usec, length_usec;
} ReportedSpan;

int manager_report(Manager *m, const Participant *p, const ReportedSpan *spans, size_t n, Refusal *refusal);

/* Whether all that is open now would survive a crash of the daemon. */
bool manager_crash_safe(const Manager *m);
/* Whether CANCEL would work now. */
bool manager_cancelable(const Manager *m);
/* The timeline of a job: the live page while it runs. NULL when it has none. */
const Timeline *manager_job_timeline(const Manager *m, const Job *j);
/* What participants reported for it; NULL when there is nothing. */
const Report *manager_job_report(const Manager *m, const Job *j);
