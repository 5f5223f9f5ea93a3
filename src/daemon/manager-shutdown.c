/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The jump through the service manager's shutdown (Jump=systemd). All services are stopped,
 * this daemon too, before reboot(2) is called by somebody else, so the sessions are with a
 * keeper before it begins. From then on only one thing can bring the update back: that the
 * shutdown is called off while we still run. What fails after that is a cold reboot
 * (systemd-shutdown's way when kexec fails), so what can be proved is proved before: the
 * image is judged, loaded and ours, the manifest is preserved, the record of the departure
 * is on disk, the keeper has every session.
 *
 * The timeline's step "reboot" is when the shutdown begins.
 */
#include "manager-internal.h"

#include "common/log.h"

#define LOOK_USEC USEC_PER_SEC

static int list_sessions(const Manager *m, int **ret, size_t *ret_n) {
        int *fds = calloc(m->sessions.n + 1, sizeof(*fds));
        size_t n = 0;

        if (!fds)
                return -ENOMEM;
        fds[n++] = m->update.own_session;
        for (size_t i = 0; i < m->sessions.n; i++)
                if (m->sessions.items[i]->state == SESSION_OPEN)
                        fds[n++] = m->sessions.items[i]->fd;
        *ret = fds;
        *ret_n = n;
        return 0;
}

int shutdown_begin(Manager *m, Refusal *refusal) {
        const ShutdownOps *ops = m->ports->shutdown;
        _cleanup_free_ int *fds = NULL;
        size_t n;

        if (!ops)
                return refuse(refusal, REASON_SHUTDOWN_FAILED, "systemd", "there is no service manager");
        int r = list_sessions(m, &fds, &n);
        if (r < 0)
                return refuse_errno(refusal, r, "systemd", "listing the sessions");
        m->update.kept = true;
        r = ops->keep(m->ports->shutdown_self, fds, n, refusal);
        if (r < 0)
                return r;
        update_mark(m, STEP_REBOOT);
        r = ops->begin(m->ports->shutdown_self, refusal);
        if (r < 0)
                return r;
        log_notice("The services are being stopped; systemd goes on into the next kernel.");
        m->update.shutdown_look = manager_now(m) + LOOK_USEC;
        EMIT(m, rearm);
        return 0;
}

void shutdown_look(Manager *m, uint64_t now) {
        Refusal why;

        if (!m->update.shutdown_look || now < m->update.shutdown_look)
                return;
        m->update.shutdown_look = now + LOOK_USEC;
        if (m->ports->shutdown->running(m->ports->shutdown_self) != 0)
                return;
        refuse(&why, REASON_SHUTDOWN_FAILED, "kexec.target", "it was called off");
        manager_fail(m, &why);
}

void shutdown_release(Manager *m) {
        m->update.shutdown_look = 0;
        if (!m->update.kept)
                return;
        m->update.kept = false;
        int r = m->ports->shutdown->release(m->ports->shutdown_self);
        if (r < 0)
                log_errno(r, "Ending liveupdate-keeper.service, which has sessions of the update that was put back; "
                             "stop it before the next one");
}
