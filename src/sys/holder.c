/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "holder.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>

#include "common/fd.h"

static inline void closedirp(DIR **d) {
        if (*d)
                (void)closedir(*d);
}

/* A directory below dirfd; NULL for whatever is not, or not for us. */
static DIR *open_dir(int dirfd, const char *path) {
        int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *d = fd < 0 ? NULL : fdopendir(fd);

        if (!d)
                fd_close(fd);
        return d;
}

static bool has_open(int proc_fd, const char *pid, const char *target) {
        char path[300], link[512];
        struct dirent *e;

        (void)snprintf(path, sizeof(path), "%s/fd", pid);
        _cleanup_(closedirp) DIR *d = open_dir(proc_fd, path);
        if (!d)
                return false;
        while ((e = readdir(d))) {
                ssize_t n = readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1);
                if (n < 0)
                        continue;
                link[n] = '\0';
                if (streq(link, target))
                        return true;
        }
        return false;
}

int holder_find(const char *root, const char *target, char *buf, size_t size) {
        _cleanup_free_ char *name = NULL;
        char path[512], self[32];
        struct dirent *e;

        (void)snprintf(path, sizeof(path), "%s/proc", root);
        _cleanup_(closedirp) DIR *proc = open_dir(AT_FDCWD, path);
        if (!proc)
                return -errno;
        (void)snprintf(self, sizeof(self), "%d", getpid());
        while ((e = readdir(proc))) {
                if (!isdigit((unsigned char)e->d_name[0]) || streq(e->d_name, self) ||
                    !has_open(dirfd(proc), e->d_name, target))
                        continue;
                (void)snprintf(path, sizeof(path), "%s/comm", e->d_name);
                if (file_read_at(dirfd(proc), path, 256, &name, NULL) >= 0)
                        name[strcspn(name, "\n")] = '\0';
                (void)snprintf(buf, size, "held by process %s (%s)", e->d_name, name ?: "?");
                return 0;
        }
        return -ENOENT;
}
