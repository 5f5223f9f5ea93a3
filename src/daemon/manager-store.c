/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The names under which descriptors lie in the service manager's store:
 *
 *   in-SESSION, out-SESSION   a claimed session, an outgoing one (our own, too)
 *   timeline                  the timeline page of the update under way
 *   lease-NUMBER              our end of a participant's lease
 *
 * systemd takes up to 255 printable ASCII characters without a colon (fdname_is_valid()),
 * session names have up to 63 and no slash: a colon is written as a slash.
 */
#include "manager-internal.h"

#include "common/log.h"

void store_name(const char *prefix, const char *name, char ret[static STORE_NAME_SIZE]) {
        (void)snprintf(ret, STORE_NAME_SIZE, "%s%s", prefix, name);
        for (char *c = ret; *c; c++)
                if (*c == ':')
                        *c = '/';
}

bool store_is(const char *stored, const char *prefix, char ret_name[static SESSION_NAME_MAX + 1]) {
        size_t n = strlen(prefix);

        if (strncmp(stored, prefix, n) != 0 || strlen(stored + n) > SESSION_NAME_MAX)
                return false;
        (void)snprintf(ret_name, SESSION_NAME_MAX + 1, "%s", stored + n);
        for (char *c = ret_name; *c; c++)
                if (*c == '/')
                        *c = ':';
        return true;
}

bool store_put(const Manager *m, const char *prefix, const char *name, int fd) {
        char stored[STORE_NAME_SIZE];

        if (!m->ports->store)
                return false;
        store_name(prefix, name, stored);
        int r = m->ports->store->put(m->ports->store_self, stored, fd);
        if (r < 0)
                log_errno(r, "%s is not in the descriptor store; a crash of the daemon would lose it", stored);
        return r >= 0;
}

void store_drop_name(const Manager *m, const char *stored) {
        if (!m->ports->store)
                return;
        int r = m->ports->store->drop(m->ports->store_self, stored);
        if (r < 0)
                r = m->ports->store->drop(m->ports->store_self, stored);
        if (r < 0)
                log_errno(r, "Taking %s out of the descriptor store", stored);
}

void store_drop(const Manager *m, const char *prefix, const char *name) {
        char stored[STORE_NAME_SIZE];

        store_name(prefix, name, stored);
        store_drop_name(m, stored);
}

static void lease_name(uint64_t id, char ret[static STORE_NAME_SIZE]) {
        (void)snprintf(ret, STORE_NAME_SIZE, "%llu", (unsigned long long)id);
}

bool store_put_lease(const Manager *m, uint64_t id, int fd) {
        char name[STORE_NAME_SIZE];

        lease_name(id, name);
        return fd >= 0 && store_put(m, STORE_LEASE, name, fd);
}

void store_drop_lease(const Manager *m, uint64_t id) {
        char name[STORE_NAME_SIZE];

        lease_name(id, name);
        store_drop(m, STORE_LEASE, name);
}

bool manager_crash_safe(const Manager *m) {
        if (!m->ports->store)
                return false;
        for (size_t i = 0; i < m->sessions.n; i++)
                if (m->sessions.items[i]->fd >= 0 && !m->sessions.items[i]->stored)
                        return false;
        for (size_t i = 0; i < m->barrier.n; i++)
                if (m->barrier.items[i]->lease >= 0 && !m->barrier.items[i]->stored)
                        return false;
        return m->update.own_session < 0 || (m->update.own_stored && m->update.page_stored);
}
