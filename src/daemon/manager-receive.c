/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other side of the jump: the manifest, claims, retrieves and FINISH.
 *
 * Sessions wait in the kernel until they are claimed; the daemon retrieves a session
 * only then, because closing a retrieved one runs FINISH, and a daemon that dies closes
 * all it has. A claimed session's descriptor goes into the service manager's store at
 * once. An update is over when every session of the manifest is finished or proved
 * lost.
 *
 * FINISH is the client's to ask for: only it knows that its devices are bound and its
 * memory is mapped. An operator's FINISH waits for those that have claimed, and takes away
 * what nobody uses, or what he says.
 */
#include "manager-internal.h"

#include "common/log.h"
#include "common/names.h"
#include "daemon/handover.h"
#include "sys/fd-kind.h"

void receive_mark(Manager *m, Step step, bool overwrite) {
        if (m->incoming.timeline_live)
                timeline_mark(&m->incoming.timeline, step, manager_ticks(m), overwrite);
}

/* Claims. */

void receive_set_claimed(Manager *m, Session *s) {
        s->state = SESSION_CLAIMED;
        s->claimed = manager_now(m);
        m->incoming.claimed++;
        if (m->incoming.job)
                m->incoming.job->claimed = m->incoming.claimed;
        EMIT(m, session_changed, s);
        if (m->incoming.job)
                EMIT(m, job_changed, m->incoming.job);
}

void receive_set_lost(Manager *m, Session *s) {
        s->state = SESSION_LOST;
        if (m->incoming.job)
                m->incoming.job->missing++;
        recovery_note_session(m, "lost", s->name, "");
        EMIT(m, session_changed, s);
}

/* Common to a client's claim and to FINISH of what nobody claimed. */
static int take_claimed(Call *c, int r, Refusal *why) {
        Manager *m = c->manager;
        Session *s = c->session;

        if (r >= 0) {
                s->fd = TAKE_FD(c->fd);
                s->stored = c->in_store;
                recovery_note_session(m, "claimed", s->name, s->owner);
                receive_set_claimed(m, s);
                return 0;
        }
        if (r == -ENOENT) {
                refuse(why, REASON_SESSION_LOST, s->name, "");
                receive_set_lost(m, s);
                return r;
        }
        s->state = SESSION_WAITING;
        EMIT(m, session_changed, s);
        if (r == -EINVAL)
                refuse(why, REASON_SESSION_CLAIMED, s->name, "not through this daemon");
        else
                luo_refuse(why, r, s->name, c->detail);
        return r;
}

static void claimed(Call *c, int r) {
        Manager *m = c->manager;
        Refusal why;

        r = take_claimed(c, r, &why);
        if (r < 0) {
                call_reply(c, -1, &why);
                return;
        }
        receive_mark(m, STEP_FIRST_RETRIEVE, false);
        receive_mark(m, STEP_LAST_RETRIEVE, true);
        call_reply(c, c->session->fd, NULL);
}

int manager_claim_session(Manager *m, const char *name, uint32_t uid, const char *owner, session_reply_t reply,
                          void *userdata, Refusal *refusal) {
        int r = session_name_check(name, refusal);
        if (r < 0)
                return r;
        Session *s = session_table_find(&m->sessions, name);
        /* A client that was restarted is let in as long as somebody waits for it. */
        if (!phase_accepts_claims(m->phase) &&
            !(m->phase == PHASE_FINISHING && s && s->state == SESSION_CLAIMED && s->fd >= 0))
                return refuse(refusal, REASON_WRONG_STATE, name, "the state is %s", phase_to_string(m->phase));
        if (!s && uid == 0 && !m->incoming.manifest) { /* who owned what is not known: root may ask the kernel */
                r = session_table_add(&m->sessions, name, uid, SESSION_WAITING, &s);
                if (r < 0)
                        return refuse_errno(refusal, r, name, "claiming the session");
                EMIT(m, session_added, s);
        }
        if (!s || !session_is_incoming(s))
                return refuse(refusal, REASON_NO_SUCH_SESSION, name, "");
        r = session_check_owner(s, uid, refusal);
        if (r < 0)
                return r;
        if (s->state == SESSION_CLAIMED && s->fd >= 0) { /* a client that was restarted */
                snprintf(s->owner, sizeof(s->owner), "%s", owner);
                recovery_note_session(m, "claimed", s->name, s->owner);
                EMIT(m, session_changed, s);
                reply(userdata, s, s->fd, NULL);
                return 0;
        }
        if (s->state == SESSION_LOST)
                return refuse(refusal, REASON_SESSION_LOST, name, "");
        if (s->state != SESSION_WAITING)
                return refuse(refusal, REASON_SESSION_CLAIMED, name, "the session is %s",
                              session_state_to_string(s->state));
        Call call = {
                .session = s, .done = claimed, .reply = reply, .userdata = userdata, .session_fd = -1, .fd = -1
        };
        snprintf(call.name, sizeof(call.name), "%s", name);
        r = manager_call(m, call_retrieve_session, &call);
        if (r < 0)
                return refuse_errno(refusal, r, name, "claiming the session");
        snprintf(s->owner, sizeof(s->owner), "%s", owner);
        s->state = SESSION_CLAIMING;
        return 0;
}

/* Retrieve. */

static void retrieved(Call *c, int r) {
        Manager *m = c->manager;
        Session *s = c->session;
        SessionFile *f = session_find_file(s, c->token);
        char subject[96];
        Refusal why;

        snprintf(subject, sizeof(subject), "%s token %lu", s->name, (unsigned long)c->token);
        if (r == -ENOENT && !f) {
                refuse(&why, REASON_NO_SUCH_TOKEN, subject, "");
                call_reply(c, -1, &why);
                return;
        }
        if (r < 0 && device_why(c, r, &why)) { /* the kernel was not asked yet */
                call_reply(c, -1, &why);
                return;
        }
        if (r < 0) {
                refuse(&why, REASON_RETRIEVE_FAILED, subject, "%s", strerror(-r));
                if (f)
                        f->state = FILE_FAILED;
                EMIT(m, session_changed, s);
                call_reply(c, -1, &why);
                return;
        }
        receive_mark(m, STEP_FIRST_RETRIEVE, false);
        receive_mark(m, STEP_LAST_RETRIEVE, true);
        if (f)
                f->state = FILE_RETRIEVED;
        else
                (void)session_add_file(s, c->token, fd_kind(c->fd), FILE_RETRIEVED);
        device_retrieved(m, &c->device);
        EMIT(m, session_changed, s);
        call_reply(c, c->fd, NULL);
}

/* A claimed session whose descriptor we have; anything else is refused. */
static int check_claimed(const Session *s, uint32_t uid, Refusal *refusal) {
        int r = session_check_owner(s, uid, refusal);

        if (r < 0)
                return r;
        if (s->state != SESSION_CLAIMED)
                return refuse(refusal, REASON_WRONG_STATE, s->name, "the session is %s",
                              session_state_to_string(s->state));
        return 0;
}

int manager_retrieve_fd(Manager *m, Session *s, uint32_t uid, uint64_t token, session_reply_t reply, void *userdata,
                        Refusal *refusal) {
        int r = check_claimed(s, uid, refusal);

        if (r < 0)
                return r;
        Call call = {
                .session = s,
                .done = retrieved,
                .reply = reply,
                .userdata = userdata,
                .session_fd = s->fd,
                .fd = -1,
                .token = token,
        };
        device_check_retrieve(s, token, &call.device);
        r = manager_call(m, call.device.any ? call_retrieve_device : call_retrieve, &call);
        if (r < 0)
                return refuse_errno(refusal, r, s->name, "RETRIEVE_FD");
        return 0;
}

/* Finish. */

void receive_set_finished(Manager *m, Session *s) {
        char stored[STORE_NAME_SIZE];

        if (s->state == SESSION_FINISHED)
                return;
        s->state = SESSION_FINISHED;
        m->incoming.finished++;
        if (m->incoming.job) {
                m->incoming.job->finished = m->incoming.finished;
                m->incoming.job->orphaned += s->orphaned;
        }
        recovery_note_session(m, "finished", s->name, "");
        if (session_has_devices(s))
                (void)handover_read(m, NULL, NULL);
        /* FINISH returned 0: from here closing is harmless. */
        store_name(STORE_IN, s->name, stored);
        manager_close_fd(m, TAKE_FD(s->fd), s->stored ? stored : NULL, false);
        s->stored = false;
        EMIT(m, session_changed, s);
        if (m->incoming.job)
                EMIT(m, job_changed, m->incoming.job);
}

/* Now its devices are its own: the clients that belong to it may let their workloads run. */
static void resume_owner(Manager *m, const Session *s) {
        for (size_t i = 0; i < m->barrier.n; i++) {
                Participant *p = m->barrier.items[i];
                if ((p->want & WANT_RESUME) && *s->owner && streq(p->owner ?: "", s->owner))
                        EMIT(m, resume, p, s);
        }
}

static void finished(Call *c, int r) {
        Manager *m = c->manager;
        Refusal why;

        /* Asked for twice, by its client and by a FINISH job: the first has done it. */
        if (r >= 0 || c->session->state == SESSION_FINISHED) {
                receive_set_finished(m, c->session);
                call_reply(c, -1, NULL);
                resume_owner(m, c->session);
                return;
        }
        if (r == -EBUSY)
                refuse(&why, REASON_CANNOT_FINISH, c->session->name, "");
        else
                refuse_errno(&why, r, c->session->name, "FINISH");
        call_reply(c, -1, &why);
}

static int submit_finish(Manager *m, Session *s, session_reply_t reply, void *userdata) {
        Call call = {
                .session = s,
                .done = finished,
                .reply = reply,
                .userdata = userdata,
                .session_fd = s->fd,
                .fd = -1,
        };

        return manager_call(m, call_finish, &call);
}

int manager_finish_session(Manager *m, Session *s, uint32_t uid, session_reply_t reply, void *userdata,
                           Refusal *refusal) {
        int r = check_claimed(s, uid, refusal);

        if (r < 0)
                return r;
        r = submit_finish(m, s, reply, userdata);
        if (r < 0)
                return refuse_errno(refusal, r, s->name, "FINISH");
        return 0;
}

/* One session of a FINISH job is done with. */
static void finish_replied(void *userdata, _unused_ Session *s, _unused_ int fd, const Refusal *refusal) {
        Manager *m = userdata;

        m->incoming.n_finishing--;
        if (refusal && m->incoming.finish_failure.reason == REASON_NONE)
                m->incoming.finish_failure = *refusal;
}

static void take_and_finish(Call *c, int r) {
        Manager *m = c->manager;
        Refusal why;

        r = take_claimed(c, r, &why);
        if (r == -ENOENT) { /* lost: known now, and no reason to stop */
                call_reply(c, -1, NULL);
                return;
        }
        if (r >= 0)
                r = submit_finish(m, c->session, c->reply, c->userdata);
        if (r < 0) {
                if (c->session->state == SESSION_CLAIMED)
                        refuse_errno(&why, r, c->session->name, "FINISH");
                call_reply(c, -1, &why);
        }
}

static int begin_finish(Manager *m, Session *s, session_reply_t reply) {
        if (s->state == SESSION_CLAIMED)
                return submit_finish(m, s, reply, m);
        s->orphaned = true;
        Call call = {
                .session = s, .done = take_and_finish, .reply = reply, .userdata = m, .session_fd = -1, .fd = -1
        };
        snprintf(call.name, sizeof(call.name), "%s", s->name);
        int r = manager_call(m, call_retrieve_session, &call);
        if (r >= 0)
                s->state = SESSION_CLAIMING;
        return r;
}

/* Somebody has it and may still take things out of it, or bind what it has taken. */
static bool is_used(const Session *s) {
        return s->state == SESSION_CLAIMED && *s->owner;
}

void receive_finish(Manager *m) {
        for (size_t i = 0; i < m->sessions.n; i++) {
                Session *s = m->sessions.items[i];
                if ((s->state != SESSION_CLAIMED && s->state != SESSION_WAITING) || (is_used(s) && !m->incoming.force))
                        continue;
                m->incoming.n_finishing++;
                int r = begin_finish(m, s, finish_replied);
                if (r < 0) {
                        Refusal why;
                        refuse_errno(&why, r, s->name, "FINISH");
                        finish_replied(m, s, -1, &why);
                }
        }
        receive_check(m);
}

/* The first one that nobody has, or is about to have; NULL: none. */
static const Session *first_unclaimed(const Manager *m, bool force) {
        for (size_t i = 0; i < m->sessions.n; i++) {
                const Session *s = m->sessions.items[i];
                if (s->state == SESSION_WAITING || s->state == SESSION_CLAIMING ||
                    (s->state == SESSION_CLAIMED && !*s->owner && !force))
                        return s;
        }
        return NULL;
}

int manager_finish(Manager *m, uint32_t uid, bool unclaimed, bool force, Job **ret, Refusal *refusal) {
        if (force && m->phase == PHASE_FINISHING && m->job && m->job->kind == JOB_FINISH) {
                log_info("Job %lu is not to wait any more, says uid %u.", (unsigned long)m->job->number, uid);
                m->incoming.force = true;
                *ret = m->job;
                receive_finish(m);
                EMIT(m, rearm);
                return 0;
        }
        int r = manager_job_allowed(m, refusal);
        if (r < 0)
                return r;
        if (!phase_rule(m->phase, EVENT_FINISH))
                return refuse(refusal, REASON_WRONG_STATE, "finish", "the state is %s", phase_to_string(m->phase));
        const Session *open = unclaimed ? NULL : first_unclaimed(m, force);
        if (open)
                return refuse(refusal, REASON_NOT_CLAIMED, open->name, "%s",
                              open->state == SESSION_CLAIMED ? "the client that claimed it is gone" : "");
        Job *j = manager_job_start(m, JOB_FINISH, uid, refusal);
        if (!j)
                return -ENOMEM;
        m->job = j;
        *ret = j;
        m->incoming.force = force;
        m->incoming.finish_deadline = config_deadline(manager_now(m), m->config->finish_timeout_usec);
        manager_job_step(m, j, "waiting for clients");
        (void)manager_event(m, EVENT_FINISH, NULL);
        EMIT(m, rearm);
        return 0;
}

void receive_stop_waiting(Manager *m) {
        const Session *first = NULL;
        unsigned n = 0;

        m->incoming.finish_deadline = UINT64_MAX;
        for (size_t i = 0; i < m->sessions.n; i++) {
                const Session *s = m->sessions.items[i];
                n += s->state == SESSION_CLAIMED;
                if (s->state == SESSION_CLAIMED && (!first || s->claimed < first->claimed))
                        first = s;
        }
        if (first && m->incoming.finish_failure.reason == REASON_NONE)
                refuse(&m->incoming.finish_failure, REASON_NOT_FINISHED, first->name,
                       "claimed by %s %llu s ago; it is one of %u",
                       *first->owner ? first->owner : "a client that is gone",
                       (unsigned long long)((manager_now(m) - first->claimed) / USEC_PER_SEC), n);
        receive_check(m);
}

static void given_up(void *userdata, Session *s, _unused_ int fd, const Refusal *refusal) {
        Manager *m = userdata;
        char text[640];

        if (!refusal)
                return;
        refusal_format(refusal, text, sizeof(text));
        manager_notice(m, "Session %s, which nobody has claimed, cannot be finished: %s", s->name, text);
}

void receive_give_up(Manager *m, uint64_t now) {
        m->incoming.give_up = UINT64_MAX;
        for (size_t i = 0; i < m->sessions.n; i++) {
                Session *s = m->sessions.items[i];
                if (s->state != SESSION_WAITING)
                        continue;
                if (s->give_up > now) {
                        m->incoming.give_up = MIN_OF(m->incoming.give_up, s->give_up);
                        continue;
                }
                s->give_up = UINT64_MAX;
                manager_notice(m,
                               "Nobody has claimed session %s for as long as it was to wait; what it holds is freed.",
                               s->name);
                int r = begin_finish(m, s, given_up);
                if (r < 0)
                        log_errno(r, "Finishing session %s", s->name);
        }
}

/* The sessions that somebody has still to come for; those that are being given up are
 * under way. */
static size_t count_open(const Manager *m, const Session **ret_first) {
        size_t n = 0;

        *ret_first = NULL;
        for (size_t i = 0; i < m->sessions.n; i++) {
                const Session *s = m->sessions.items[i];
                if (s->state == SESSION_FINISHED || s->state == SESSION_LOST || s->orphaned)
                        continue;
                *ret_first = *ret_first ?: s;
                n++;
        }
        return n;
}

void receive_end_late(Manager *m) {
        const Session *first;
        Refusal why;

        m->incoming.deadline = UINT64_MAX;
        size_t n = count_open(m, &first);
        if (n == 0 || !m->incoming.job || m->incoming.job->state != JOB_RUNNING)
                return;
        refuse(&why, REASON_NOT_CLAIMED, first->name, "%zu of %u sessions are not finished in time, the first is %s",
               n, m->incoming.job->expected, session_state_to_string(first->state));
        manager_job_end(m, m->incoming.job, &why);
}

void receive_report_late(Manager *m) {
        const Session *first;
        size_t n = count_open(m, &first);

        receive_end_late(m);
        if (n == 0)
                return;
        recovery_note_session(m, "late", OWN_SESSION_NAME, "");
        manager_notice(m,
                       "%zu sessions are not finished in time after the live update; the first is %s (%s). They can "
                       "still be claimed: start their clients, or let the kernel free what they hold with "
                       "'liveupdatectl finish --unclaimed'.",
                       n, first->name, session_state_to_string(first->state));
}

static bool all_over(const Manager *m) {
        for (size_t i = 0; i < m->sessions.n; i++)
                if (session_is_incoming(m->sessions.items[i]) && m->sessions.items[i]->state != SESSION_FINISHED &&
                    m->sessions.items[i]->state != SESSION_LOST)
                        return false;
        return true;
}

/* Also for one that is gone meanwhile: it may be started again. */
static bool waits_for_client(const Manager *m) {
        for (size_t i = 0; i < m->sessions.n; i++)
                if (m->sessions.items[i]->state == SESSION_CLAIMED)
                        return true;
        return false;
}

void receive_check(Manager *m) {
        if (m->incoming.n_finishing > 0 || m->n_closing > 0)
                return;
        if (m->phase == PHASE_FINISHING) {
                bool over = all_over(m);
                Refusal why = m->incoming.finish_failure;

                if (!over && why.reason == REASON_NONE && waits_for_client(m))
                        return;
                m->incoming.finish_failure = (Refusal){};
                m->incoming.finish_deadline = UINT64_MAX;
                if (over) {
                        (void)manager_event(m, EVENT_PHASE_READY, NULL);
                        return;
                }
                if (why.reason == REASON_NONE)
                        refuse(&why, REASON_CANNOT_FINISH, "", "");
                (void)manager_event(m, EVENT_PHASE_FAILED, NULL);
                if (m->job && m->job->kind == JOB_FINISH)
                        manager_job_end(m, m->job, &why);
        } else if (m->phase == PHASE_UPDATED && m->n_calls == 0 && m->incoming.manifest && all_over(m))
                /* Without a manifest nobody but an operator can say that all is over. */
                (void)manager_event(m, EVENT_FINISH, NULL);
}

void receive_settle(Manager *m) {
        Job *crossed = m->incoming.job, *finish = m->job && m->job->kind == JOB_FINISH ? m->job : NULL;
        Refusal why;

        receive_mark(m, STEP_FINISHED, true);
        if (crossed && crossed->state != JOB_RUNNING)
                crossed = NULL; /* its deadline has ended it */
        if (crossed && crossed->missing > 0) {
                refuse(&why, REASON_SESSION_LOST, "", "%u of %u sessions did not come through", crossed->missing,
                       crossed->expected);
                manager_job_end(m, crossed, &why);
        } else if (crossed)
                manager_job_end(m, crossed, m->incoming.manifest ? NULL : &m->incoming.broken);
        if (finish)
                manager_job_end(m, finish, NULL);
        while (m->sessions.n > 0) {
                EMIT(m, session_removed, m->sessions.items[m->sessions.n - 1]);
                session_table_remove(&m->sessions, m->sessions.items[m->sessions.n - 1]);
        }
        manifest_free(m->incoming.manifest);
        m->incoming = (Incoming){};
        recovery_clear_incoming(m);
        recovery_save(m);
}
