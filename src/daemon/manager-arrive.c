/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Start-up, which is always recovery. Four cases: a cold boot; a boot after a live
 * update (our own session waits in the kernel); a restart in the old kernel, in the
 * middle of an update or not (manager-restart.c); a restart in the new kernel before all
 * is finished (manifest and notes are in the runtime directory, claimed sessions in the
 * descriptor store).
 *
 * These calls are made in the start-up itself, not in the worker: there is nobody to
 * serve yet, and every millisecond counts in the blackout.
 */
#include "manager-internal.h"

#include "common/fd.h"
#include "common/log.h"
#include "common/names.h"
#include "daemon/vf-links.h"

/* Reads a preserved memfd from its start, wherever its position was. */
static int read_token(const Manager *m, int session, uint64_t token, size_t max, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = -1;

        int r = luo_retrieve_fd(&m->ports->luo, session, token, &fd);
        if (r < 0)
                return r;
        return fd_read_all(fd, max, ret, ret_size);
}

static void take_timeline(Manager *m, const void *page, size_t size) {
        const Ports *p = m->ports;
        Incoming *in = &m->incoming;

        if (timeline_parse(page, size, &in->timeline) < 0)
                return;
        in->has_timeline = true;
        in->timeline_live = p->clock->kind(p->clock_self) == (ClockKind)in->timeline.clock;
        if (!in->timeline_live)
                return;
        timeline_mark(&in->timeline, STEP_KERNEL_START, p->clock->kernel_start(p->clock_self), false);
        timeline_mark(&in->timeline, STEP_DAEMON_START, p->started_ticks, false);
        receive_mark(m, STEP_RECEIVED, false);
}

static int take_manifest(Manager *m, const void *data, size_t size) {
        int r = manifest_decode(data, size, &m->incoming.manifest, &m->incoming.broken);

        if (r < 0) {
                char text[640];
                refusal_format(&m->incoming.broken, text, sizeof(text));
                manager_notice(m, "The manifest of the previous kernel cannot be read: %s", text);
        }
        return r;
}

/* Our own session came in: read it, keep copies for a restart, let the kernel's go. */
static void receive_own(Manager *m, int session, bool stored) {
        _cleanup_free_ char *manifest = NULL, *page = NULL;
        size_t manifest_size = 0, page_size = 0;

        m->incoming.any = true;
        int r = read_token(m, session, OWN_TOKEN_MANIFEST, MANIFEST_SIZE_MAX, &manifest, &manifest_size);
        if (r < 0) {
                refuse(&m->incoming.broken, REASON_MANIFEST_MISSING, OWN_SESSION_NAME, "%s", strerror(-r));
                manager_notice(m, "A live update came in without its manifest: %s", strerror(-r));
        }
        if (read_token(m, session, OWN_TOKEN_TIMELINE, TIMELINE_SIZE, &page, &page_size) >= 0)
                take_timeline(m, page, page_size);
        if (manifest)
                (void)take_manifest(m, manifest, manifest_size);
        r = recovery_save_incoming(m, manifest, manifest_size,
                                   m->incoming.has_timeline ? &m->incoming.timeline : NULL);
        if (r < 0)
                log_errno(r, "A restart will not find the manifest");
        /* Before the kernel lets go of it: a restart from here on finds what came in. */
        recovery_save(m);
        r = luo_finish(&m->ports->luo, session);
        if (r < 0)
                log_errno(r, "FINISH of our own session");
        /* Nothing of value is left in it, so a failing FINISH is no reason to keep it. */
        if (stored)
                store_drop(m, STORE_IN, OWN_SESSION_NAME);
        fd_close(session);
}

/* Somebody took our session, or a daemon of this boot did and was killed before it had read
 * it. What it says is gone, but not what it is about: the clients' sessions wait in the kernel. */
static void receive_without(Manager *m) {
        m->incoming.any = true;
        refuse(&m->incoming.broken, REASON_MANIFEST_MISSING, OWN_SESSION_NAME,
               "its session was taken before the daemon had read it");
        manager_notice(m, "A live update came in, but its manifest was taken by another process, or lost with a "
                          "daemon that was killed: what came in is not known. root can claim sessions by name; "
                          "'liveupdatectl finish' ends the update.");
}

/* A daemon before us had retrieved it, and was killed before it had read it. */
static bool find_own(StoredFd *stored, size_t n_stored, int *ret) {
        char name[SESSION_NAME_MAX + 1];

        for (size_t i = 0; i < n_stored; i++)
                if (stored[i].fd >= 0 && store_is(stored[i].name, STORE_IN, name) && streq(name, OWN_SESSION_NAME)) {
                        *ret = TAKE_FD(stored[i].fd);
                        return true;
                }
        return false;
}

/* What the service manager has of sessions that came in is not nothing because nobody can say
 * any more that it did. */
static bool came_in(const StoredFd *stored, size_t n_stored) {
        char name[SESSION_NAME_MAX + 1];

        for (size_t i = 0; i < n_stored; i++)
                if (stored[i].fd >= 0 && !stored[i].early && store_is(stored[i].name, STORE_IN, name))
                        return true;
        return false;
}

static int look_for_own(Manager *m, StoredFd *stored, size_t n_stored) {
        int session;

        if (find_own(stored, n_stored, &session)) {
                receive_own(m, session, true);
                return 0;
        }
        int r = luo_available(&m->ports->luo);
        if (r >= 0)
                r = luo_retrieve_session(&m->ports->luo, OWN_SESSION_NAME, &session);
        switch (r) {
        case 0:
                receive_own(m, session, store_put(m, STORE_IN, OWN_SESSION_NAME, session));
                return 0;
        case -ENOENT: /* a cold boot, or a restart that knows nothing any more */
                if (came_in(stored, n_stored))
                        receive_without(m);
                return 0;
        case -ENODEV:
                manager_notice(m, "This kernel has no /dev/liveupdate: boot one with CONFIG_LIVEUPDATE=y and "
                                  "kho=on liveupdate=on to update it live.");
                return 0;
        case -EIO:
                m->luo_broken = true;
                manager_notice(m, "The kernel could not restore what came through the last live update: a handler "
                                  "for a preserved file was missing when /dev/liveupdate was first opened.");
                return 0;
        case -EINVAL:
                receive_without(m);
                return 0;
        default: /* EBUSY and the like: nothing true can be said yet; the service manager tries again */
                return log_errno(r, "Looking for what came through a live update");
        }
}

static void note_from_before(Manager *m, const char *what, const char *name, const char *owner) {
        Session *s = session_table_find(&m->sessions, name);
        Incoming *in = &m->incoming;

        if (streq(what, "late"))
                receive_end_late(m);
        if (!s)
                return;
        if (streq(what, "claimed") && (s->state == SESSION_WAITING || s->state == SESSION_CLAIMED)) {
                in->claimed += s->state == SESSION_WAITING;
                s->state = SESSION_CLAIMED;
                s->claimed = manager_now(m);
                (void)snprintf(s->owner, sizeof(s->owner), "%s", owner);
        } else if (streq(what, "finished") && s->state != SESSION_FINISHED) {
                s->state = SESSION_FINISHED;
                in->finished++;
        } else if (streq(what, "lost") && s->state != SESSION_LOST) {
                s->state = SESSION_LOST;
                if (in->job)
                        in->job->missing++;
        }
}

/* What can still be told of them, in a file that is whole. */
static void rewrite_notes(Manager *m) {
        recovery_clear_notes(m);
        for (size_t i = 0; i < m->sessions.n; i++) {
                const Session *s = m->sessions.items[i];
                if (s->state == SESSION_CLAIMED || s->state == SESSION_FINISHED || s->state == SESSION_LOST)
                        recovery_note_session(m, session_state_to_string(s->state), s->name, s->owner);
        }
        if (m->incoming.job && m->incoming.job->state != JOB_RUNNING)
                recovery_note_session(m, "late", OWN_SESSION_NAME, "");
        manager_notice(m, "What was noted of claimed sessions cannot be read; what is shown as waiting may have been "
                          "claimed or finished: claim and finish it again.");
}

static int add_incoming_file(Session *s, const ManifestFile *from) {
        int r = session_add_file(s, from->token, session_file_kind(from->kind), FILE_WAITING);

        if (r >= 0 && from->has_address)
                session_set_device(s, from->token, from->address);
        return r;
}

static void add_incoming(Manager *m, const ManifestSession *from) {
        Session *s = NULL;

        int r = session_table_add(&m->sessions, from->name, from->uid, SESSION_WAITING, &s);
        for (size_t i = 0; i < from->n_files && r >= 0; i++)
                r = add_incoming_file(s, &from->files[i]);
        if (r < 0)
                log_errno(r, "Session %s of the manifest", from->name);
        if (!s)
                return;
        s->direct = from->direct;
        memcpy(s->grants, from->grants, sizeof(s->grants));
        s->n_grants = from->n_grants;
        s->hold_usec = from->hold_usec;
        /* Counted anew by a daemon that was restarted: clients may have waited for it. */
        if (s->hold_usec == SESSION_HOLD_UPDATE)
                s->give_up = m->incoming.deadline;
        else if (s->hold_usec < CONFIG_FOREVER)
                s->give_up = config_deadline(manager_now(m), s->hold_usec);
        m->incoming.give_up = MIN_OF(m->incoming.give_up, s->give_up);
}

/* The job that crossed, as this kernel goes on with it. */
static void add_crossed_job(Manager *m) {
        const Manifest *from = m->incoming.manifest;
        const Timeline *t = m->incoming.has_timeline ? &m->incoming.timeline : NULL;
        const HostFacts *host = m->ports->host;
        /* After a FREEZE by hand the job that jumped is younger than the manifest. */
        bool younger = t && t->job != 0 && from && t->job != from->job;
        int kind = from && !younger ? job_kind_from_string(from->job_kind) : JOB_EXECUTE;

        if (!from && !t) {
                m->incoming.job = departure_add_job(m);
                if (m->incoming.job) {
                        m->incoming.job->step = "waiting for clients";
                        return;
                }
        }
        m->jobs.next = younger || !from ? (t && t->job ? t->job : 1) : MAX_OF(from->job, UINT64_C(1));
        Job *j = job_list_add(&m->jobs, kind < 0 ? JOB_EXECUTE : (JobKind)kind, from ? from->started_by_uid : 0,
                              from ? from->started_realtime_usec : 0);
        if (!j)
                return;
        if (from) {
                m->jobs.next = MAX_OF(m->jobs.next, from->next_job);
                snprintf(j->update_id, sizeof(j->update_id), "%s", from->update_id);
                snprintf(j->from_release, sizeof(j->from_release), "%s", from->old_release);
                snprintf(j->from_version, sizeof(j->from_version), "%s", from->old_version);
                j->expected = (uint32_t)from->n_sessions;
        }
        snprintf(j->to_release, sizeof(j->to_release), "%s", host->release);
        snprintf(j->to_version, sizeof(j->to_version), "%s", host->version);
        j->step = "waiting for clients";
        m->incoming.job = j;
}

/* What the manifest says of devices outlives the update: it can be verified any time. */
static void take_devices(Manager *m) {
        Manifest *from = m->incoming.manifest;

        if (!from)
                return;
        device_list_done(&m->arrived);
        m->arrived = (DeviceList){ .items = TAKE_PTR(from->devices), .n = from->n_devices };
        from->n_devices = 0;
        vf_links_arrive(m, from);
        m->arrived_job = m->incoming.job ? m->incoming.job->number : 0;
}

void receive_effect(Manager *m) {
        const Manifest *from = m->incoming.manifest;

        m->incoming.deadline = config_deadline(manager_now(m), m->config->finish_timeout_usec);
        m->incoming.give_up = UINT64_MAX;
        m->incoming.finish_deadline = UINT64_MAX;
        add_crossed_job(m);
        take_devices(m);
        if (m->incoming.has_timeline)
                report_begin(m, &m->incoming.timeline, m->incoming.manifest ? &m->incoming.manifest->report : NULL);
        for (size_t i = 0; from && i < from->n_sessions; i++)
                add_incoming(m, &from->sessions[i]);
        if (m->incoming.job)
                log_info("Job %lu came through the live update from %s; %u sessions are expected.",
                         (unsigned long)m->incoming.job->number, from ? from->old_release : "an unknown kernel",
                         m->incoming.job->expected);
}

static int restart(Manager *m, const RunState *before) {
        _cleanup_free_ char *manifest = NULL;
        size_t size = 0;
        Timeline page = {};

        if (before->incoming) {
                m->incoming.any = true;
                if (recovery_load_incoming(m, &manifest, &size, &page) < 0)
                        refuse(&m->incoming.broken, REASON_MANIFEST_MISSING, "", "the daemon was restarted");
                else
                        (void)take_manifest(m, manifest, size);
                take_timeline(m, &page, sizeof(page));
        }
        return 0;
}

/* The service manager and the steward keep theirs for the next start. */
static void leave_stored(StoredFd *stored, size_t n_stored) {
        for (size_t i = 0; i < n_stored; i++)
                stored[i].fd = fd_close(stored[i].fd);
}

int receive_start(Manager *m, StoredFd *stored, size_t n_stored) {
        _cleanup_(run_state_done) RunState before = {};
        bool bad_notes = false;

        int r = recovery_load(m, &before);
        bool unreadable = r < 0 && r != -ENOENT;
        if (r >= 0 && before.valid) {
                r = restart(m, &before);
        } else {
                recovery_clear_incoming(m);
                recovery_clear_devices(m);
                registry_clear(m);
                r = look_for_own(m, stored, n_stored);
        }
        if (r < 0) {
                leave_stored(stored, n_stored);
                return r;
        }
        if (!m->incoming.any)
                departure_check(m);
        else {
                (void)manager_event(m, EVENT_ARRIVED, NULL);
                departure_clear(m);
                bad_notes = before.valid && recovery_read_notes(m, note_from_before) == -EBADMSG;
        }
        m->jobs.next = MAX_OF(m->jobs.next, before.next_job);
        if (before.valid)
                restart_take(m, &before, stored, n_stored);
        else {
                restart_adopt(m, stored, n_stored);
                restart_discard(m, stored, n_stored);
        }
        if (bad_notes)
                rewrite_notes(m);
        m->jobs.next = MAX_OF(m->jobs.next, before.next_job);
        if (unreadable && m->incoming.any)
                manager_notice(m,
                               "The state in the runtime directory cannot be read, so what came in through the live "
                               "update is not known. root can claim sessions by name; 'liveupdatectl finish' ends "
                               "the update.");
        else if (unreadable)
                manager_notice(m,
                               "The state in the runtime directory cannot be read. If an update was under way it is "
                               "cancelled: its sessions are closed, and clients must let go of theirs and register "
                               "again.");
        recovery_save(m);
        receive_check(m);
        return 0;
}
