/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "early.h"

#include "common/log.h"
#include "common/names.h"
#include "manager-internal.h"
#include "sys/steward.h"

/* The kernel says whose descriptor it is. */
static int add(const Luo *luo, int fd, StoredFd **stored, char ***names, size_t *n) {
        char session[LUO_NAME_LENGTH], text[STORE_NAME_SIZE];

        int r = luo_get_name(luo, fd, session);
        if (r < 0)
                return log_errno(r, "The initrd's steward has a descriptor that is no session");
        store_name(STORE_IN, session, text);
        StoredFd *items = reallocarray(*stored, *n + 1, sizeof(*items));
        if (items)
                *stored = items;
        char **all = items ? reallocarray(*names, *n + 1, sizeof(*all)) : NULL;
        if (!all)
                return -ENOMEM;
        *names = all;
        all[*n] = strdup(text);
        if (!all[*n])
                return -ENOMEM;
        items[*n] = (StoredFd){ .name = all[*n], .fd = fd, .early = true };
        (*n)++;
        return 0;
}

int early_collect(Early *e, const Luo *luo, StoredFd **stored, char ***names, size_t *n) {
        int fds[STEWARD_SESSIONS_MAX], connection;
        size_t n_fds = 0;

        *e = (Early){ .connection = -1, .first = *n };
        int r = steward_collect(STEWARD_NAME, &connection, fds, &n_fds);
        if (r == -ENOENT)
                return 0;
        if (r < 0) {
                log_errno(r, "Asking the initrd's steward for its sessions; they stay with it and their clients");
                return 0;
        }
        e->connection = connection;
        for (size_t i = 0; i < n_fds; i++) {
                r = add(luo, fds[i], stored, names, n);
                if (r < 0)
                        fd_close(fds[i]); /* a copy: the steward has it, and stays */
                if (r == -ENOMEM)
                        return r;
        }
        return 0;
}

void early_settle(Early *e, const Manager *m, const StoredFd *stored, size_t n) {
        bool safe = m->ports->store && manager_crash_safe(m) && m->ports->store->flush(m->ports->store_self) >= 0;

        if (e->connection < 0)
                return;
        for (size_t i = e->first; i < n && safe; i++)
                safe = stored[i].taken;
        if (!safe)
                log_notice("The initrd's steward stays: not all of its sessions are safe with the service manager.");
        else if (steward_dismiss(e->connection) < 0)
                log_notice("The initrd's steward is gone already.");
        else
                log_info("%zu sessions of the initrd are adopted.", n - e->first);
        e->connection = fd_close(e->connection);
}
