/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions of luvm-vfio, by the project's port to LUO or, if they were made by bus-create or
 * bus-recover, by the daemon on the bus; and the jump by hand. A session is open until `drop` or the end of the
 * process, which is what unpreserves or finishes it. `reboot` comes back only with the error of a freeze.
 */
#include <fcntl.h>
#include <linux/reboot.h>
#include <sys/syscall.h>

#include "luvm-vfio.h"

static Session *session_named(Client *c, const char *name) {
        for (Session *s = c->sessions; s < c->sessions + SESSIONS_MAX; s++)
                if (s->fd >= 0 && strcmp(s->name, name) == 0)
                        return s;
        return NULL;
}

static Session *session_room(Client *c, const char *name) {
        for (Session *s = c->sessions; s < c->sessions + SESSIONS_MAX; s++)
                if (s->fd < 0) {
                        (void)snprintf(s->name, sizeof(s->name), "%s", name);
                        return s;
                }
        return NULL;
}

static int session_open(Client *c, const char *name, int (*open)(const Luo *, const char *, int *)) {
        Session *s = session_room(c, name);

        return s ? open(&c->luo, name, &s->fd) : -ENOSPC;
}

static int run_bus_create(Client *c, Words *w) {
        Session *s = session_room(c, w->word[1]);

        return s ? bus_session(c, s, true) : -ENOSPC;
}

static int run_bus_recover(Client *c, Words *w) {
        Session *s = session_room(c, w->word[1]);

        return s ? bus_session(c, s, false) : -ENOSPC;
}

static int preserve(Client *c, const Session *s, int fd, uint64_t token, const uint64_t *memory) {
        return s->path ? bus_preserve(c, s, fd, token, memory) : luo_preserve_fd(&c->luo, s->fd, fd, token);
}

static int take(Client *c, const Session *s, uint64_t token, int *ret_fd) {
        return s->path ? bus_take(c, s, token, ret_fd) : luo_retrieve_fd(&c->luo, s->fd, token, ret_fd);
}

static int run_create(Client *c, Words *w) {
        return session_open(c, w->word[1], luo_create_session);
}

static int run_recover(Client *c, Words *w) {
        return session_open(c, w->word[1], luo_retrieve_session);
}

static int run_preserve(Client *c, Words *w) {
        Session *s = session_named(c, w->word[1]);
        const char *kind = w->word[2], *what = w->word[3];
        uint64_t token, memory;
        int fd = -EBADF;

        if (!s || word_number(w, 4, &token) < 0 || (w->n > 5 && word_number(w, 5, &memory) < 0))
                return -EINVAL;
        if (strcmp(kind, "device") == 0) {
                Device *d = device_named(c, what, false);

                fd = d ? d->fd : -ENXIO;
        } else if (strcmp(kind, "memory") == 0) {
                Memory *m = memory_named(c, what);

                fd = m ? m->fd : -ENXIO;
        } else if (strcmp(kind, "file") == 0) {
                _cleanup_close_ int file = open(what, O_RDWR | O_CLOEXEC);

                /* LUO keeps it. */
                return file < 0 ? -errno : preserve(c, s, file, token, NULL);
        }
        return fd < 0 ? fd : preserve(c, s, fd, token, w->n > 5 ? &memory : NULL);
}

static int run_take(Client *c, Words *w) {
        Session *s = session_named(c, w->word[1]);
        bool device = strcmp(w->word[3], "device") == 0;
        _cleanup_close_ int fd = -EBADF;
        uint64_t token;
        Device *d;
        int r;

        if (!s || word_number(w, 2, &token) < 0)
                return -EINVAL;
        r = take(c, s, token, &fd);
        if (r < 0)
                return r;
        if (!device) {
                r = memory_adopt(c, w->word[4], fd);
                if (r >= 0)
                        TAKE_FD(fd);
                return r;
        }
        d = device_named(c, w->word[4], true);
        if (!d)
                return -ENOSPC;
        d->fd = TAKE_FD(fd);
        return 0;
}

static int run_finish(Client *c, Words *w) {
        Session *s = session_named(c, w->word[1]);

        if (!s)
                return -EINVAL;
        return s->path ? bus_finish(c, s) : luo_finish(&c->luo, s->fd);
}

static int run_drop(Client *c, Words *w) {
        Session *s = session_named(c, w->word[1]);

        if (!s)
                return -EINVAL;
        close(s->fd);
        free(s->path);
        *s = (Session){ .fd = -EBADF };
        return 0;
}

static int run_load(Client *c, Words *w) {
        _cleanup_close_ int kernel = open(w->word[1], O_RDONLY | O_CLOEXEC),
                            initrd = open(w->word[2], O_RDONLY | O_CLOEXEC);
        char cmdline[2048] = "";

        if (kernel < 0 || initrd < 0)
                return -errno;
        for (unsigned i = 3; i < w->n; i++) {
                size_t have = strlen(cmdline), left = sizeof(cmdline) - have;

                if (snprintf(cmdline + have, left, "%s%s", have > 0 ? " " : "", w->word[i]) >= (int)left)
                        return -E2BIG;
        }
        return syscall(SYS_kexec_file_load, kernel, initrd, strlen(cmdline) + 1, cmdline, 0UL) < 0 ? -errno : 0;
}

static int run_reboot(Client *c, Words *w) {
        rings_mark(c);
        (void)syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, NULL);
        return -errno;
}

const Command session_commands[] = {
        { "bus-create", 1, run_bus_create },
        { "bus-recover", 1, run_bus_recover },
        { "create", 1, run_create },
        { "recover", 1, run_recover },
        { "preserve", 4, run_preserve },
        { "take", 4, run_take },
        { "finish", 1, run_finish },
        { "drop", 1, run_drop },
        { "load", 3, run_load },
        { "reboot", 0, run_reboot },
        { NULL, 0, NULL },
};
