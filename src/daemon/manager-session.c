/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Outgoing sessions and their files: open, preserve, close. The other direction is in
 * manager-receive.c.
 */
#include "manager-internal.h"

#include <fcntl.h>

#include "common/log.h"
#include "daemon/handover.h"
#include "sys/fd-kind.h"

int session_check_owner(const Session *s, uint32_t uid, Refusal *refusal) {
        if (session_may(s, uid))
                return 0;
        return refuse(refusal, REASON_NOT_OWNER, s->name, "it belongs to uid %u", s->uid);
}

/* Takes a session out of the table; callers have dealt with its descriptor. */
static void remove_session(Manager *m, Session *s) {
        if (s->dropped)
                return;
        EMIT(m, session_removed, s);
        session_table_remove(&m->sessions, s);
}

static void closed(Call *c, int r) {
        Manager *m = c->manager;

        m->n_closing--;
        if (r < 0 && r != -ECANCELED)
                log_errno(r, "The service manager may not have closed its copy of session %s yet",
                          c->session ? c->session->name : "liveupdated");
        if (c->session && session_has_devices(c->session))
                (void)handover_read(m, NULL, NULL);
        if (c->session)
                remove_session(m, c->session);
        call_reply(c, -1, NULL);
}

/* Queues the close behind whatever the worker still has for this session. */
static void queue_close(Manager *m, Session *s, int fd, const char *stored, bool flush, session_reply_t reply,
                        void *userdata) {
        Call call = {
                .session = s,
                .done = closed,
                .reply = reply,
                .userdata = userdata,
                .session_fd = -1,
                .fd = fd,
                .flush = flush,
        };

        if (stored)
                (void)snprintf(call.stored, sizeof(call.stored), "%s", stored);
        m->n_closing++;
        if (manager_call(m, call_close, &call) >= 0)
                return;
        /* Out of memory: manager_call() has closed it here, in the loop. */
        if (stored)
                store_drop_name(m, stored);
        m->n_closing--;
        if (s)
                remove_session(m, s);
        if (reply)
                reply(userdata, s, -1, NULL);
}

void manager_close_fd(Manager *m, int fd, const char *stored, bool flush) {
        if (fd >= 0 || (m->ports->store && (stored || flush)))
                queue_close(m, NULL, fd, stored, flush, NULL, NULL);
}

static void drop_session(Manager *m, Session *s, bool flush, session_reply_t reply, void *userdata) {
        char stored[STORE_NAME_SIZE];

        if (s->state == SESSION_OPENING) { /* its creation is under way: opened() goes on */
                s->doomed = true;
                return;
        }
        s->state = SESSION_CLOSING;
        EMIT(m, session_changed, s);
        /* First, so that a restart in between finds a stranger, not half a session. */
        registry_remove_session(m, s);
        store_name(STORE_OUT, s->name, stored);
        bool is_stored = s->stored;
        s->stored = false;
        /* Last: without memory it closes at once, and the session is gone. */
        queue_close(m, s, TAKE_FD(s->fd), is_stored ? stored : NULL, flush, reply, userdata);
}

void manager_drop_session(Manager *m, Session *s, bool flush) {
        if (s->state == SESSION_CLOSING)
                return;
        drop_session(m, s, flush, NULL, NULL);
}

/* Open. */

static void opened(Call *c, int r) {
        Manager *m = c->manager;
        Session *s = c->session;
        Refusal why;

        if (r < 0) {
                luo_refuse(&why, r, s->name, c->detail);
                remove_session(m, s);
                call_reply(c, -1, &why);
                return;
        }
        s->fd = TAKE_FD(c->fd);
        s->state = SESSION_OPEN;
        if (!s->doomed) {
                s->direct = true;
                s->stored = store_put(m, STORE_OUT, s->name, s->fd);
                registry_add_session(m, s);
        }
        if (s->doomed) { /* rolled back, or the client went, while the kernel was busy */
                refuse(&why, REASON_CANCELLED, s->name, "");
                call_reply(c, -1, &why);
                manager_drop_session(m, s, true);
                return;
        }
        EMIT(m, session_changed, s);
        call_reply(c, s->fd, NULL);
}

int manager_open_session(Manager *m, const char *name, uint32_t uid, const char *owner, session_reply_t reply,
                         void *userdata, Refusal *refusal) {
        Session *s;

        int r = session_name_check(name, refusal);
        if (r < 0)
                return r;
        if (!phase_accepts_sessions(m->phase))
                return refuse(refusal, REASON_WRONG_STATE, name, "the state is %s", phase_to_string(m->phase));
        if (m->sessions.n >= m->config->limit_sessions)
                return refuse(refusal, REASON_LIMIT, name, "there are %zu sessions, and Sessions=%llu allows no more",
                              m->sessions.n, (unsigned long long)m->config->limit_sessions);
        r = quota_check(&m->sessions.users, uid, QUOTA_SESSIONS, m->config->limit_user_sessions, name, refusal);
        if (r < 0)
                return r;
        r = luo_available(&m->ports->luo);
        if (r < 0)
                return luo_refuse(refusal, r, name, "");
        r = session_table_add(&m->sessions, name, uid, SESSION_OPENING, &s);
        if (r == -EEXIST)
                return refuse(refusal, REASON_NAME_IN_USE, name, "");
        if (r < 0)
                return refuse_errno(refusal, r, name, "opening the session");
        snprintf(s->owner, sizeof(s->owner), "%s", owner);
        EMIT(m, session_added, s);

        Call call = { .session = s, .done = opened, .reply = reply, .userdata = userdata, .session_fd = -1, .fd = -1 };
        snprintf(call.name, sizeof(call.name), "%s", name);
        r = manager_call(m, call_create, &call);
        if (r < 0) {
                remove_session(m, s);
                return refuse_errno(refusal, r, name, "opening the session");
        }
        return 0;
}

/* Preserve. */

static const char *call_kind(const Call *c) {
        return c->device.any ? "vfio" : fd_kind(c->fd);
}

static void preserved(Call *c, int r) {
        Session *s = c->session;
        Refusal why;

        if (r < 0) {
                char subject[96];
                session_uncount_file(&c->manager->sessions, s);
                session_unrank(s, call_kind(c));
                snprintf(subject, sizeof(subject), "%s token %lu", s->name, (unsigned long)c->token);
                if (device_why(c, r, &why))
                        ;
                else if (r == -EEXIST)
                        refuse(&why, REASON_TOKEN_IN_USE, subject, "");
                else if (r == -ENOENT)
                        refuse(&why, REASON_NO_HANDLER, subject, "the file is of kind %s", fd_kind(c->fd));
                else if (r == -EBUSY)
                        refuse(&why, REASON_ALREADY_PRESERVED, subject, "");
                else
                        refuse_errno(&why, r, subject, "PRESERVE_FD");
                call_reply(c, -1, &why);
                return;
        }
        r = session_add_file(s, c->token, call_kind(c), FILE_PRESERVED);
        device_preserved(c);
        if (r < 0) /* it is preserved all the same; only the books lack it */
                log_errno(r, "Session %s: token %lu is preserved but not listed", s->name, (unsigned long)c->token);
        else if (s->state == SESSION_OPEN)
                registry_add_file(c->manager, s, session_find_file(s, c->token));
        EMIT(c->manager, session_changed, s);
        call_reply(c, -1, NULL);
}

/* Room for one more, those under way included: of the session, and of its owner. */
static int check_files(const Manager *m, const Session *s, Refusal *refusal) {
        uint64_t n = MAX_OF((uint64_t)s->n_files, s->n_counted);

        if (n >= m->config->limit_files)
                return refuse(refusal, REASON_LIMIT, s->name,
                              "it has %llu files, and FilesPerSession=%llu allows no more", (unsigned long long)n,
                              (unsigned long long)m->config->limit_files);
        return quota_check(&m->sessions.users, s->uid, QUOTA_FILES, m->config->limit_user_files, s->name, refusal);
}

/* Whether this user may put something into the session, or close it, now. What the manifest
 * promises must be found on the other side. */
static int check_may_change(const Manager *m, const Session *s, uint32_t uid, Refusal *refusal) {
        int r = session_check_owner(s, uid, refusal);

        if (r < 0)
                return r;
        if (s->state != SESSION_OPEN)
                return refuse(refusal, REASON_WRONG_STATE, s->name, "the session is %s",
                              session_state_to_string(s->state));
        if (!phase_accepts_preserve(m->phase) || m->update.manifest_sent)
                return refuse(refusal, REASON_WRONG_STATE, s->name, "the state is %s", phase_to_string(m->phase));
        return 0;
}

int manager_preserve_file(Manager *m, Session *s, uint32_t uid, int file, uint64_t token,
                          const PreserveOptions *options, session_reply_t reply, void *userdata, Refusal *refusal) {
        CallDevice device = {};

        int r = check_may_change(m, s, uid, refusal);
        if (r >= 0)
                r = check_files(m, s, refusal);
        if (r < 0)
                return r;
        if (fd_comes_back_readonly(file))
                return refuse(refusal, REASON_MEMFD_NOEXEC_SEAL, s->name, "token %lu", (unsigned long)token);
        if (fd_on_hugepages(file))
                return refuse(refusal, REASON_MEMFD_HUGEPAGES, s->name, "token %lu", (unsigned long)token);
        r = device_check_preserve(m, s, file, token, options, &device, refusal);
        if (r < 0)
                return r;
        int copy = fcntl(file, F_DUPFD_CLOEXEC, 3);
        if (copy < 0)
                return refuse_errno(refusal, -errno, s->name, "taking the descriptor");
        r = session_count_file(&m->sessions, s);
        if (r < 0) {
                fd_close(copy);
                return refuse_errno(refusal, r, s->name, "PRESERVE_FD");
        }
        Call call = {
                .session = s,
                .done = preserved,
                .reply = reply,
                .userdata = userdata,
                .session_fd = s->fd,
                .fd = copy,
                .token = token,
                .device = device,
        };
        const char *kind = call_kind(&call);
        r = manager_call(m, device.any ? call_preserve_device : call_preserve, &call);
        if (r < 0) {
                session_uncount_file(&m->sessions, s);
                return refuse_errno(refusal, r, s->name, "PRESERVE_FD");
        }
        session_rank(s, kind);
        return 0;
}

int manager_preserve_fd(Manager *m, Session *s, uint32_t uid, int file, uint64_t token, session_reply_t reply,
                        void *userdata, Refusal *refusal) {
        return manager_preserve_file(m, s, uid, file, token, NULL, reply, userdata, refusal);
}

/* Close. */

int manager_close_session(Manager *m, Session *s, uint32_t uid, session_reply_t reply, void *userdata,
                          Refusal *refusal) {
        int r = check_may_change(m, s, uid, refusal);
        if (r < 0)
                return r;
        drop_session(m, s, true, reply, userdata);
        EMIT(m, rearm);
        return 0;
}

void manager_owner_gone(Manager *m, const char *owner) {
        for (size_t i = m->sessions.n; i-- > 0;) {
                Session *s = m->sessions.items[i];
                if (!streq(s->owner, owner))
                        continue;
                s->owner[0] = '\0';
                EMIT(m, session_changed, s);
                /* With nothing pending the session would pin memory for nobody. Later it
                 * stays: its memory may be all that is left of a guest. */
                if (m->phase == PHASE_NORMAL && !session_is_incoming(s))
                        manager_drop_session(m, s, true);
        }
        EMIT(m, rearm);
}
