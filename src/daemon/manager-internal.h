/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the manager's own files share; see manager.h for the whole. */
#pragma once

#include "daemon/manager.h"

#define EMIT(m, event, ...)                                               \
        do {                                                              \
                if ((m)->events && (m)->events->event)                    \
                        (m)->events->event((m)->userdata, ##__VA_ARGS__); \
        } while (false)

typedef struct RunState RunState;

/* manager.c */
/* Makes the transition and runs its effect. Refused with REASON_WRONG_STATE. */
int manager_event(Manager *m, PhaseEvent event, Refusal *refusal);
/* The update has failed: keeps the first reason, rolls back. No-op outside of one. */
void manager_fail(Manager *m, const Refusal *why);
Job *manager_job_start(Manager *m, JobKind kind, uint32_t uid, Refusal *refusal);
/* Refused while another job drives. */
int manager_job_allowed(const Manager *m, Refusal *refusal);
void manager_job_step(Manager *m, Job *j, const char *step);
/* why NULL: done. A REASON_CANCELLED makes it cancelled, all else failed. */
void manager_job_end(Manager *m, Job *j, const Refusal *why);
/* Asks one that came when the others were asked already. */
void manager_ask_late(Manager *m, Participant *p);
void manager_notice(Manager *m, const char *format, ...) _printf_(2, 3);
static inline uint64_t manager_now(const Manager *m) {
        return m->ports->clock->monotonic_usec(m->ports->clock_self);
}
static inline uint64_t manager_ticks(const Manager *m) {
        return m->ports->clock->ticks(m->ports->clock_self);
}

/* manager-report.c */
/* A new update with this timeline; what its participants said in another kernel, or NULL,
 * is taken over. Without memory reports are refused. */
void report_begin(Manager *m, const Timeline *t, Report *before);

/* manager-session.c */
/* Queues the close of an outgoing session and takes it out of the table when done. flush:
 * done only when the service manager has closed its copy as well; of several closes that
 * are queued together the last one's flush is enough. */
void manager_drop_session(Manager *m, Session *s, bool flush);
/* Queues fd for closing in the worker; counts as closing. stored: the name under which
 * the service manager has it, or NULL. */
void manager_close_fd(Manager *m, int fd, const char *stored, bool flush);
/* Maps a port errno to a reason. detail may be "". */
int luo_refuse(Refusal *refusal, int r, const char *subject, const char *detail);
/* The owner, whom it lets in, or root. */
int session_check_owner(const Session *s, uint32_t uid, Refusal *refusal);

/* manager-store.c. All do nothing without a store. */
enum { STORE_NAME_SIZE = 96 };
#define STORE_IN "in-"
#define STORE_OUT "out-"
#define STORE_LEASE "lease-"
#define STORE_TIMELINE "timeline"
void store_name(const char *prefix, const char *name, char ret[static STORE_NAME_SIZE]);
/* Whether it was stored under this prefix, and as what. */
bool store_is(const char *stored, const char *prefix, char ret_name[static SESSION_NAME_MAX + 1]);
/* Whether it is there now; failing is logged. */
bool store_put(const Manager *m, const char *prefix, const char *name, int fd);
void store_drop(const Manager *m, const char *prefix, const char *name);
void store_drop_name(const Manager *m, const char *stored);
bool store_put_lease(const Manager *m, uint64_t id, int fd);
void store_drop_lease(const Manager *m, uint64_t id);

/* A call in the LUO worker. run() fills result fields; done() gets it back in the loop
 * and must not free it. */
typedef struct Call Call;

/* Of a call on the descriptor of a PCI function (manager-device.c). */
typedef struct CallDevice {
        bool any;
        Address address;
        ShimPolicy policy; /* PRESERVE_FD */
        bool is_vf;
        Address pf;
        bool came_in, bus_master_known, bus_master; /* out, RETRIEVE_FD */
        ShimDma handed;
        Refusal why; /* out; REASON_NONE: what the errno says */
} CallDevice;

struct Call {
        Manager *manager;
        Session *session; /* referenced; NULL for our own */
        void (*done)(Call *call, int r);
        session_reply_t reply;
        void *userdata;
        int session_fd; /* borrowed */
        int fd;         /* in or out; owned */
        uint64_t token;
        uint64_t generation;
        char name[SESSION_NAME_MAX + 1];
        char stored[STORE_NAME_SIZE]; /* close: take this out of the store first; "": nothing */
        bool flush;                   /* close: and wait for it */
        bool in_store;                /* out, RETRIEVE_SESSION: the service manager has a copy */
        char detail[128];             /* out: what is known about a failure */
        CallDevice device;
};
int manager_call(Manager *m, worker_run_t run, const Call *template);
void call_reply(Call *call, int fd, const Refusal *refusal);
int call_create(void *work);
int call_retrieve_session(void *work);
int call_preserve(void *work);
int call_retrieve(void *work);
int call_finish(void *work);
int call_close(void *work);

/* manager-device.c */
/* Whether this file may be preserved in the session now: the order of its files, and what
 * there is to say about a device. Fills ret for the call. */
int device_check_preserve(Manager *m, Session *s, int file, uint64_t token, const PreserveOptions *options,
                          CallDevice *ret, Refusal *refusal);
int call_preserve_device(void *work);
/* In the worker: its policy, then PRESERVE_FD. */
int device_preserve(const Ports *p, int session_fd, int fd, uint64_t token, CallDevice *d);
/* In the loop, after it. */
void device_preserved(Call *c);
/* What there is to say about a failure; false: nothing more than its errno. */
bool device_why(const Call *c, int r, Refusal *ret);
void device_check_retrieve(const Session *s, uint64_t token, CallDevice *ret);
int call_retrieve_device(void *work);
/* In the worker: RETRIEVE_FD if it will work, and a look at Bus Master. */
int device_retrieve(const Ports *p, int session_fd, uint64_t token, CallDevice *d, int *ret_fd);
/* In the loop, after it. */
void device_retrieved(Manager *m, const CallDevice *d);

/* manager-update.c */
void update_begin(Manager *m);    /* EFFECT_PREPARE */
void update_freeze(Manager *m);   /* EFFECT_FREEZE */
void update_jump(Manager *m);     /* EFFECT_JUMP */
void update_rollback(Manager *m); /* EFFECT_ROLLBACK */
void update_resume(Manager *m);   /* tells all who were asked, in reverse order */
/* Its owner is told, too: it may have its own copy of a session that is closed or lost, and
 * must let go of it, or it would go along unknown to the manifest. */
void update_mark_owner(Manager *m, const Session *s);
void update_check(Manager *m); /* something moved: is the phase complete? */
void update_run_jump(Manager *m);
/* manager-shutdown.c: the same through the service manager's shutdown. 0: it has begun. */
int shutdown_begin(Manager *m, Refusal *refusal);
/* Whether it still goes on, when it is time to look. */
void shutdown_look(Manager *m, uint64_t now);
/* The sessions are with nobody but us. */
void shutdown_release(Manager *m);
void update_end(Manager *m); /* frees what an update holds */
/* Our own session and the timeline page: closed, and taken out of the store. */
void manager_drop_own(Manager *m);
void update_mark(Manager *m, Step step);

/* manager-kernel.c */
/* Loads the configured kernel for an update job, then goes on with it. */
int manager_load_configured(Manager *m, Job *job, Refusal *refusal);
/* Whether a kernel is loaded that this daemon has judged. */
int manager_check_image(const Manager *m, Refusal *refusal);
/* How the update jumps: as the request says, or the settings. */
JumpWay manager_jump_way(const Manager *m, JumpChoice choice);
/* Whether the request of the update under way lets this be lost: an address, a session. */
bool manager_is_excepted(const Manager *m, const char *name);

/* manager-receive.c */
void receive_set_claimed(Manager *m, Session *s);
void receive_set_lost(Manager *m, Session *s);
/* FINISH returned 0: s->fd is closed. */
void receive_set_finished(Manager *m, Session *s);
/* At start: what came in, what a crash left behind. Takes the stored descriptors over. */
int receive_start(Manager *m, StoredFd *stored, size_t n_stored);
void receive_effect(Manager *m); /* EFFECT_RECEIVE */
void receive_finish(Manager *m); /* EFFECT_FINISH */
void receive_check(Manager *m);  /* something was claimed or finished: is the update over? */
void receive_settle(Manager *m);
/* The time that clients have to come back is over: ends the job and says who did not come. */
void receive_report_late(Manager *m);
void receive_end_late(Manager *m);
/* A FINISH job has waited for its clients for long enough. */
void receive_stop_waiting(Manager *m);
/* Finishes the sessions that have waited for as long as their owners said. */
void receive_give_up(Manager *m, uint64_t now);
void receive_mark(Manager *m, Step step, bool overwrite);

/* manager-restart.c */
/* The same kernel, another daemon: takes over what the one before had. stored descriptors
 * are taken over or closed. */
void restart_take(Manager *m, RunState *before, StoredFd *stored, size_t n_stored);
/* The first start in this kernel, or one that knows nothing of those before it: sessions that
 * were retrieved in the initrd, or are in the store, are claimed. */
void restart_adopt(Manager *m, StoredFd *stored, size_t n_stored);
/* Another kernel, or nothing known: what is stored belongs to nobody. */
void restart_discard(Manager *m, StoredFd *stored, size_t n_stored);
/* What had to wait until somebody listens: puts back what was interrupted. */
void restart_go(Manager *m);

/* registry.c */
void registry_add_session(Manager *m, Session *s);
void registry_add_file(Manager *m, Session *s, const SessionFile *f);
void registry_remove_session(const Manager *m, const Session *s);
/* Also to write it anew. */
void registry_add_participant(Manager *m, Participant *p);
/* With its lease in the store. */
void registry_remove_participant(const Manager *m, const Participant *p);
/* Adds what is written down to the tables, without descriptors; returns how many files
 * were not usable. */
unsigned registry_load(Manager *m);
void registry_clear(Manager *m);

/* departure.c */
/* What the next boot should know if nothing arrives there; written by a worker. */
int departure_encode(const Manager *m, char **ret, size_t *ret_size);
int departure_write(const Ports *p, const char *text, size_t size);
/* The update was cancelled, or has arrived. */
void departure_clear(const Manager *m);
/* Only the record of this boot, in which no update is under way. */
void departure_clear_own(const Manager *m);
/* The job on record, which has crossed; NULL when there is none. For a manifest that is lost. */
Job *departure_add_job(Manager *m);
/* At start, when nothing came in: was there anything to come? */
void departure_check(Manager *m);

/* recovery.c */
struct RunState {
        bool valid; /* of this boot */
        Phase phase;
        uint64_t next_job, next_participant;
        JobRecord job, prepared_by; /* number 0: none */
        Refusal failure;
        char update_id[UPDATE_ID_SIZE];
        uint64_t asked, n_devices;
        uint64_t incoming; /* not 0: the incoming.* files are of this boot */
        NextKernel kernel;
};

void run_state_done(RunState *s);
JobRecord job_record(const Job *j);
/* Writes phase, job and numbers; called at each change of phase. Errors are logged:
 * the update does not depend on it. */
void recovery_save(const Manager *m);
/* 0 also when there is a state of another boot: ret->valid tells. -EBADMSG: not usable. */
int recovery_load(const Manager *m, RunState *ret);
int recovery_save_devices(const Manager *m);
int recovery_load_devices(const Manager *m, const RunState *before, DeviceList *ret);
void recovery_clear_devices(const Manager *m);
/* The manifest and the timeline that came in, so that a restart finds them. */
int recovery_save_incoming(const Manager *m, const void *manifest, size_t manifest_size, const Timeline *timeline);
int recovery_load_incoming(const Manager *m, char **ret_manifest, size_t *ret_size, Timeline *ret_timeline);
/* One sealed record per event: claimed (and by whom), finished or lost, and the session. */
void recovery_note_session(const Manager *m, const char *what, const char *name, const char *owner);
/* -EBADMSG: what comes after the last note that was told is not to be read. */
int recovery_read_notes(Manager *m, void (*note)(Manager *m, const char *what, const char *name, const char *owner));
/* Before they are written anew. */
void recovery_clear_notes(const Manager *m);
void recovery_clear_incoming(const Manager *m);
