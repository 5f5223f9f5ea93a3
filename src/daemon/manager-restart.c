/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A restart in the same kernel. The descriptors come from the service manager, the rest
 * from the runtime directory; what has only one of the two halves is nothing. PREPARED is
 * taken up again when it is whole; whatever was half done is put back, because who had
 * answered is not known any more.
 *
 * Putting back is the ordinary rollback. It begins in manager_watch(): the clients that
 * were told to get ready must be told to resume, and before that nobody would hear it.
 */
#include "manager-internal.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "common/log.h"
#include "common/names.h"
#include "common/parse.h"

typedef struct Found {
        size_t n_sessions, n_participants; /* written down, but their descriptors are gone */
        size_t n_strangers;                /* sessions that are not written down */
        unsigned n_bad;                    /* files that cannot be read */
} Found;

static bool take_incoming(Manager *m, const char *name, StoredFd *from) {
        Session *s = session_table_find(&m->sessions, name);

        /* Taken by an earlier start, which could not say so to the steward. */
        if (s && from->early && (s->fd >= 0 || s->state == SESSION_FINISHED))
                return from->taken = true;
        if (!s || s->fd >= 0 || !session_is_incoming(s) || s->state == SESSION_FINISHED)
                return false;
        if (s->state == SESSION_WAITING) { /* whose client has not heard of it */
                m->incoming.claimed++;
                s->claimed = manager_now(m);
        }
        s->fd = TAKE_FD(from->fd);
        s->stored = from->early ? store_put(m, STORE_IN, s->name, s->fd) : true;
        s->state = SESSION_CLAIMED;
        if (from->early)
                recovery_note_session(m, "claimed", s->name, s->owner);
        return from->taken = true;
}

static bool take_outgoing(Manager *m, const char *name, int *fd) {
        Session *s = session_table_find(&m->sessions, name);

        if (streq(name, OWN_SESSION_NAME) && m->update.own_session < 0) {
                m->update.own_session = TAKE_FD(*fd);
                return m->update.own_stored = true;
        }
        if (!s || s->fd >= 0 || s->state != SESSION_OPEN)
                return false;
        s->fd = TAKE_FD(*fd);
        return s->stored = true;
}

static bool take_lease(Manager *m, const char *number, int *fd) {
        uint64_t id;
        Participant *p = parse_u64(number, &id) >= 0 ? barrier_find(&m->barrier, id) : NULL;

        if (!p || p->lease >= 0)
                return false;
        p->lease = TAKE_FD(*fd);
        return p->stored = true;
}

/* Shared with the memfd that is preserved. */
static bool take_page(Manager *m, int *fd) {
        struct stat st;
        Timeline parsed;

        if (m->update.page || fstat(*fd, &st) < 0 || st.st_size != TIMELINE_SIZE)
                return false;
        void *page = mmap(NULL, TIMELINE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
        if (page == MAP_FAILED)
                return false;
        if (timeline_parse(page, TIMELINE_SIZE, &parsed) < 0) {
                (void)munmap(page, TIMELINE_SIZE);
                return false;
        }
        m->update.page = page;
        m->update.page_fd = TAKE_FD(*fd);
        report_begin(m, page, NULL);
        return m->update.page_stored = true;
}

static bool take(Manager *m, StoredFd *from, Found *found) {
        char name[SESSION_NAME_MAX + 1];

        if (store_is(from->name, STORE_IN, name))
                return take_incoming(m, name, from);
        if (store_is(from->name, STORE_OUT, name)) {
                bool taken = take_outgoing(m, name, &from->fd);
                found->n_strangers += !taken;
                return taken;
        }
        if (store_is(from->name, STORE_LEASE, name))
                return take_lease(m, name, &from->fd);
        return streq(from->name, STORE_TIMELINE) && take_page(m, &from->fd);
}

void restart_discard(Manager *m, StoredFd *stored, size_t n_stored) {
        for (size_t i = 0; i < n_stored; i++) {
                if (stored[i].fd < 0)
                        continue;
                if (!stored[i].taken)
                        log_notice("The %s descriptor %s belongs to nobody%s.", stored[i].early ? "kept" : "stored",
                                   stored[i].name, stored[i].early ? " here" : " any more");
                if (!stored[i].early)
                        store_drop_name(m, stored[i].name);
                stored[i].fd = fd_close(stored[i].fd);
        }
}

void restart_adopt(Manager *m, StoredFd *stored, size_t n_stored) {
        char name[SESSION_NAME_MAX + 1];
        Session *s;

        for (size_t i = 0; i < n_stored; i++) {
                if (stored[i].fd < 0 || !store_is(stored[i].name, STORE_IN, name))
                        continue;
                /* Who owned what is not known without a manifest. */
                if (!m->incoming.manifest && !session_table_find(&m->sessions, name))
                        (void)session_table_add(&m->sessions, name, 0, SESSION_WAITING, &s);
                if (take_incoming(m, name, &stored[i]))
                        log_info("Session %s was retrieved %s; it is claimed.", name,
                                 stored[i].early ? "in the initrd" : "before");
        }
        if (m->incoming.job)
                m->incoming.job->claimed = m->incoming.claimed;
}

/* What is written down without a descriptor is gone. */
static void forget_lost(Manager *m, Found *found) {
        for (size_t i = m->sessions.n; i-- > 0;) {
                Session *s = m->sessions.items[i];
                if (session_is_incoming(s) || s->fd >= 0)
                        continue;
                log_notice("The descriptor of session %s is gone.", s->name);
                update_mark_owner(m, s);
                registry_remove_session(m, s);
                session_table_remove(&m->sessions, s);
                found->n_sessions++;
        }
        for (size_t i = m->barrier.n; i-- > 0;) {
                Participant *p = m->barrier.items[i];
                if (p->lease >= 0)
                        continue;
                log_notice("The lease of participant %s is gone.", p->name);
                registry_remove_participant(m, p);
                barrier_remove(&m->barrier, p);
                found->n_participants++;
        }
}

/* Claimed, but the descriptor died with the daemon: if the client kept its copy the
 * session is still there, and a new claim will say so; if not, it is gone. */
static void forget_claims(Manager *m) {
        for (size_t i = 0; i < m->sessions.n; i++) {
                Session *s = m->sessions.items[i];
                if (s->state != SESSION_CLAIMED || s->fd >= 0)
                        continue;
                s->state = SESSION_WAITING;
                s->owner[0] = '\0';
                m->incoming.claimed--;
        }
        if (m->incoming.job) {
                m->incoming.job->claimed = m->incoming.claimed;
                m->incoming.job->finished = m->incoming.finished;
        }
}

static Job *add_job(Manager *m, const JobRecord *from, const char *update_id) {
        if (from->number == 0 || job_list_find(&m->jobs, from->number))
                return NULL;
        m->jobs.next = from->number;
        Job *j = job_list_add(&m->jobs, from->kind, from->uid, from->start_usec);
        if (j)
                memcpy(j->update_id, update_id, sizeof(j->update_id));
        return j;
}

static bool in_midst(Phase phase) {
        return phase != PHASE_NORMAL && phase != PHASE_UPDATED && phase != PHASE_FINISHING;
}

/* What the update was asked to take along; what may be lost is not known any more, so
 * nothing may. */
static int restore_request(Manager *m) {
        const DeviceList *all = &m->update.devices;
        UpdateRequest *request = &m->update.request;

        request->devices = calloc(MAX_OF(all->n, (size_t)1), sizeof(*request->devices));
        if (!request->devices)
                return -ENOMEM;
        for (size_t i = 0; i < all->n; i++)
                if (all->items[i].requested)
                        request->devices[request->n_devices++] = all->items[i].address;
        return 0;
}

/* Why PREPARED is not whole; NULL if it is. */
static const char *check_whole(const Manager *m, const RunState *before, const Found *found) {
        if (!m->ports->store)
                return "there is no descriptor store";
        if (before->job.number != 0)
                return "a job was running";
        if (m->update.own_session < 0 || !m->update.page)
                return "the daemon's own session is gone";
        if (found->n_sessions > 0 || found->n_strangers > 0)
                return "sessions are gone";
        if (found->n_participants > 0)
                return "leases are gone";
        return found->n_bad > 0 ? "the files in the runtime directory cannot be read" : NULL;
}

/* Everybody who may have been asked: told to resume once too often does no harm. */
static void mark_asked(Manager *m, uint64_t up_to) {
        for (size_t i = 0; i < m->barrier.n; i++) {
                Participant *p = m->barrier.items[i];
                p->touched = (p->want & (WANT_PREPARE | WANT_FREEZE)) && p->id <= up_to;
        }
}

static void take_up(Manager *m, const RunState *before) {
        Job *j = add_job(m, &before->prepared_by, before->update_id);

        if (j)
                j->state = JOB_DONE;
        m->update.prepared_by = before->prepared_by;
        m->update.own_ready = true;
        (void)manager_event(m, EVENT_RECOVERED, NULL);
        m->restarted = EVENT_RECOVERED;
        log_notice("liveupdated was restarted; the update is prepared as it was, with %zu sessions and %zu "
                   "participants.",
                   m->sessions.n, m->barrier.n);
}

static void interrupt(Manager *m, const RunState *before, const char *why) {
        Refusal *failure = &m->update.failure;

        m->job = add_job(m, &before->job, before->update_id);
        *failure = before->failure;
        if (failure->reason == REASON_NONE)
                refuse(failure, REASON_DAEMON_DIED, "liveupdated", "while the state was %s%s%s",
                       phase_to_string(before->phase), why ? "; " : "", why ?: "");
        manager_notice(m,
                       "liveupdated stopped while the state was %s%s%s%s; the update was cancelled, and all who were "
                       "asked for it are told to go on. %s",
                       phase_to_string(before->phase), why ? " (" : "", why ?: "", why ? ")" : "",
                       m->ports->store
                               ? "A client that holds a session must close it before the next update."
                               : "Without a descriptor store its sessions are gone, but for those that clients "
                                 "hold: they must close them before the next update.");
        m->restarted = EVENT_INTERRUPTED;
}

/* A job that drove no update: a load, or the FINISH of the other side. */
static void end_lost_job(Manager *m, const RunState *before) {
        Job *j = add_job(m, &before->job, before->update_id);
        Refusal why;

        if (!j)
                return;
        refuse(&why, REASON_DAEMON_DIED, "liveupdated", "while the state was %s", phase_to_string(before->phase));
        manager_job_end(m, j, &why);
}

void restart_take(Manager *m, RunState *before, StoredFd *stored, size_t n_stored) {
        Found found = { .n_bad = registry_load(m) };

        m->barrier.next_id = MAX_OF(m->barrier.next_id, before->next_participant);
        m->next = before->kernel;
        before->kernel = (NextKernel){};
        memcpy(m->update.id, before->update_id, sizeof(m->update.id));
        for (size_t i = 0; i < n_stored; i++)
                (void)take(m, &stored[i], &found);
        restart_discard(m, stored, n_stored);
        forget_lost(m, &found);
        forget_claims(m);
        if (in_midst(before->phase)) {
                m->update.generation = 1;
                m->update.asked = before->asked;
                mark_asked(m, before->asked);
                int r = recovery_load_devices(m, before, &m->update.devices);
                m->update.n_devices = m->update.devices.n;
                if (r >= 0)
                        r = restore_request(m);
                found.n_bad += r < 0;
                const char *why = before->phase == PHASE_PREPARED ? check_whole(m, before, &found) : NULL;
                if (before->phase == PHASE_PREPARED && !why)
                        take_up(m, before);
                else
                        interrupt(m, before, why);
                return;
        }
        end_lost_job(m, before);
        /* No update is under way: what an ended one left behind goes. */
        departure_clear_own(m);
        if (m->update.own_session >= 0 || m->update.page)
                manager_drop_own(m);
        update_end(m);
        if (found.n_bad > 0)
                manager_notice(m,
                               "%u files in the runtime directory could not be read after a restart; the sessions or "
                               "registrations they stood for are gone.",
                               found.n_bad);
}

/* Those who had registered late and had not answered yet. */
static void ask_again(Manager *m) {
        for (size_t i = 0; i < m->barrier.n; i++)
                if (m->barrier.items[i]->answer == ANSWER_LATE)
                        manager_ask_late(m, m->barrier.items[i]);
}

void restart_go(Manager *m) {
        PhaseEvent event = m->restarted;

        m->restarted = _EVENT_MAX;
        /* Who kept the sessions for a shutdown that did not come. */
        m->update.kept = event == EVENT_INTERRUPTED && m->ports->shutdown;
        if (event == EVENT_INTERRUPTED)
                (void)manager_event(m, EVENT_INTERRUPTED, NULL);
        else if (event == EVENT_RECOVERED)
                ask_again(m);
        else
                update_resume(m); /* those who lost a session */
}
