/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls on the LUO port, made in the worker: one small struct a call, which owns a
 * reference on its session and the descriptors it moves. run() is in the thread and
 * touches nothing but its own fields and the port; done() is back in the loop.
 */
#include "manager-internal.h"

#include "sys/holder.h"

static Call *call_free(Call *c) {
        fd_close(c->fd);
        session_unref(c->session);
        free(c);
        return NULL;
}

static void completed(void *work, int r, void *userdata) {
        Call *c = work;
        Manager *m = userdata;

        m->n_calls--;
        c->done(c, r);
        call_free(c);
        update_check(m);
        EMIT(m, rearm);
}

/* Takes template->fd over, also on failure. */
int manager_call(Manager *m, worker_run_t run, const Call *template) {
        Call *c = malloc(sizeof(*c));

        if (!c) {
                fd_close(template->fd);
                return -ENOMEM;
        }
        *c = *template;
        c->manager = m;
        c->generation = m->update.generation;
        if (c->session)
                session_ref(c->session);
        int r = worker_submit(m->ports->luo_lane, run, completed, c, m);
        if (r < 0) {
                call_free(c);
                return r;
        }
        m->n_calls++;
        return 0;
}

void call_reply(Call *c, int fd, const Refusal *refusal) {
        session_reply_t reply = c->reply;

        c->reply = NULL;
        if (reply)
                reply(c->userdata, c->session, fd, refusal);
}

/* Names the process that is in the way; here, because looking through /proc is slow. */
static void find_holder(Call *c, int r) {
        char target[128];

        if (r == -EBUSY)
                snprintf(target, sizeof(target), "%s", c->manager->config->luo_device);
        else if (r == -EEXIST)
                snprintf(target, sizeof(target), "anon_inode:[luo_session] %s", c->name);
        else
                return;
        (void)holder_find("", target, c->detail, sizeof(c->detail));
}

int call_create(void *work) {
        Call *c = work;
        int r = luo_create_session(&c->manager->ports->luo, c->name, &c->fd);

        find_holder(c, r);
        return r;
}

/* Into the descriptor store at once: the kernel hands a session out once in a boot, and
 * closing it is FINISH, so a daemon that is killed between these two calls loses what is in
 * it. From the moment the message is sent its queue holds the descriptor. */
int call_retrieve_session(void *work) {
        Call *c = work;
        int r = luo_retrieve_session(&c->manager->ports->luo, c->name, &c->fd);

        if (r >= 0)
                c->in_store = store_put(c->manager, STORE_IN, c->name, c->fd);
        return r;
}

int call_preserve(void *work) {
        Call *c = work;
        return luo_preserve_fd(&c->manager->ports->luo, c->session_fd, c->fd, c->token);
}

int call_retrieve(void *work) {
        Call *c = work;
        return luo_retrieve_fd(&c->manager->ports->luo, c->session_fd, c->token, &c->fd);
}

int call_finish(void *work) {
        Call *c = work;
        return luo_finish(&c->manager->ports->luo, c->session_fd);
}

/* The kernel lets go when the last copy is closed, so the store's goes first. */
int call_close(void *work) {
        Call *c = work;
        const Ports *p = c->manager->ports;
        int r = 0;

        if (p->store && *c->stored)
                r = p->store->drop(p->store_self, c->stored);
        if (r < 0) /* what stays there keeps the session alive */
                r = p->store->drop(p->store_self, c->stored);
        c->fd = fd_close(c->fd);
        if (p->store && c->flush && r >= 0)
                r = p->store->flush(p->store_self);
        return r;
}

int luo_refuse(Refusal *refusal, int r, const char *subject, const char *detail) {
        static const struct {
                int error;
                Reason reason;
        } map[] = {
                { ENODEV, REASON_LUO_ABSENT },  { EBUSY, REASON_LUO_BUSY },         { EIO, REASON_LUO_BROKEN },
                { EEXIST, REASON_NAME_IN_USE }, { ENOENT, REASON_NO_SUCH_SESSION },
        };

        for (size_t i = 0; i < ELEMENTSOF(map); i++)
                if (r == -map[i].error)
                        return refuse(refusal, map[i].reason, subject, "%s", detail);
        return refuse_errno(refusal, r, subject, "the kernel");
}
