/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "luvm-vfs-session.h"
#include "luvm-vfs-io.h"

int session_open(VfsSession *s, const char *name, bool create) {
        if (s->daemon) {
                (void)snprintf(s->session.name, sizeof(s->session.name), "%s", name);
                return bus_session(&s->client, &s->session, create);
        }
        s->session.fd = io_session(name, create);
        return s->session.fd < 0 ? s->session.fd : 0;
}

int session_preserve(VfsSession *s, uint64_t token, int fd) {
        return s->daemon ? bus_preserve(&s->client, &s->session, fd, token, NULL)
                         : io_preserve(s->session.fd, token, fd);
}

int session_retrieve(VfsSession *s, uint64_t token) {
        int fd, r;

        if (!s->daemon)
                return io_retrieve(s->session.fd, token);
        r = bus_take(&s->client, &s->session, token, &fd);
        return r < 0 ? r : fd;
}

int session_finish(VfsSession *s) {
        return s->daemon ? bus_finish(&s->client, &s->session) : io_finish(s->session.fd);
}
