/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unpack.h"

#include "common/fd.h"
#include "core/newc.h"
#include "sys/zstd-stream.h"

#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* The first of the names of a file that has several. */
typedef struct Link {
        uint32_t major, minor, ino;
        char name[];
} Link;

typedef struct Unpacking {
        int root_fd, file_fd;
        Unpacked *result;
        NewcReader *reader;
        void *links; /* tsearch(3) */
        unsigned n_aside;
        NewcEntry e;
        char name[NEWC_NAME_MAX];
        size_t target_size;
        char target[PATH_MAX];
} Unpacking;

static int compare_links(const void *a, const void *b) {
        const Link *x = a, *y = b;

        if (x->ino != y->ino)
                return x->ino < y->ino ? -1 : 1;
        if (x->major != y->major)
                return x->major < y->major ? -1 : 1;
        return (x->minor > y->minor) - (x->minor < y->minor);
}

/* 1: it was made as another name of a file that is there; 0: it is a new one. */
static int maybe_link(Unpacking *u, const NewcEntry *e) {
        size_t n = strlen(u->name) + 1;

        if (e->n_links < 2 || S_ISDIR(e->mode))
                return 0;
        Link *link = malloc(sizeof(*link) + n);
        if (!link)
                return -ENOMEM;
        *link = (Link){ .major = e->major, .minor = e->minor, .ino = e->ino };
        memcpy(link->name, u->name, n);
        Link **found = tsearch(link, &u->links, compare_links);
        if (!found) {
                free(link);
                return -ENOMEM;
        }
        if (*found == link)
                return 0;
        free(link);
        return linkat(u->root_fd, (*found)->name, u->root_fd, u->name, 0) < 0 ? -errno : 1;
}

/* What is in the way goes; a directory with something in it, which is only ours, aside. */
static void clear_place(Unpacking *u, mode_t mode) {
        struct stat st;
        char aside[64];

        if (fstatat(u->root_fd, u->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return;
        if (S_ISDIR(st.st_mode)) {
                if (S_ISDIR(mode) || unlinkat(u->root_fd, u->name, AT_REMOVEDIR) >= 0)
                        return;
                (void)snprintf(aside, sizeof(aside), ".liveupdate-aside-%u", u->n_aside++);
                (void)renameat(u->root_fd, u->name, u->root_fd, aside);
        } else if ((st.st_mode & S_IFMT) != (mode & S_IFMT) || S_ISREG(mode) || S_ISLNK(mode))
                (void)unlinkat(u->root_fd, u->name, 0);
}

static int own(Unpacking *u, const NewcEntry *e) {
        /* Who is not root cannot give files away: a test. */
        if (fchownat(u->root_fd, u->name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != EPERM)
                return -errno;
        if (!S_ISLNK(e->mode) && fchmodat(u->root_fd, u->name, e->mode & 07777, 0) < 0 && errno != EPERM)
                return -errno;
        return 0;
}

static int make_regular(Unpacking *u, const NewcEntry *e) {
        int r = maybe_link(u, e);

        if (r < 0)
                return r;
        if (r > 0 && e->size == 0) /* in this format the last of the names has the data */
                return 0;
        u->file_fd = openat(u->root_fd, u->name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        return u->file_fd < 0 ? -errno : own(u, e);
}

static int make_node(Unpacking *u, const NewcEntry *e) {
        int r = maybe_link(u, e);

        if (r != 0)
                return MIN_OF(r, 0);
        if (mknodat(u->root_fd, u->name, e->mode, makedev(e->rdev_major, e->rdev_minor)) < 0)
                return errno == EEXIST ? 0 : -errno;
        return own(u, e);
}

static int make(Unpacking *u, const NewcEntry *e) {
        u->target_size = 0;
        clear_place(u, e->mode);
        switch (e->mode & S_IFMT) {
        case S_IFREG:
                return make_regular(u, e);
        case S_IFDIR:
                if (mkdirat(u->root_fd, u->name, 0700) < 0 && errno != EEXIST)
                        return -errno;
                return own(u, e);
        case S_IFLNK: /* once it is known where to */
                return e->size < sizeof(u->target) ? 0 : -ENAMETOOLONG;
        case S_IFCHR:
        case S_IFBLK:
        case S_IFIFO:
        case S_IFSOCK:
                return make_node(u, e);
        default:
                return -EINVAL;
        }
}

/* Only a lack of room ends it. */
static int note(Unpacking *u, int r) {
        Unpacked *n = u->result;

        if (r >= 0)
                return 0;
        u->file_fd = fd_close(u->file_fd);
        if (n->n_failed++ == 0) {
                n->first_errno = -r;
                (void)snprintf(n->first_failed, sizeof(n->first_failed), "%.127s", u->name);
        }
        return r == -ENOSPC || r == -ENOMEM ? r : 0;
}

static int on_entry(void *userdata, const NewcEntry *e) {
        Unpacking *u = userdata;
        const char *name = e->name + strspn(e->name, "/");

        u->e = *e;
        if (e->trailer) {
                tdestroy(u->links, free);
                u->links = NULL;
                return 0;
        }
        u->result->n_files++;
        (void)snprintf(u->name, sizeof(u->name), "%s", *name ? name : ".");
        return note(u, make(u, e));
}

static int on_data(void *userdata, const void *data, size_t size) {
        Unpacking *u = userdata;

        if (S_ISLNK(u->e.mode) && u->e.size < sizeof(u->target)) {
                memcpy(u->target + u->target_size, data, size);
                u->target_size += size;
        }
        return u->file_fd < 0 ? 0 : note(u, fd_write_all(u->file_fd, data, size));
}

static int on_end(void *userdata) {
        Unpacking *u = userdata;

        if (u->file_fd >= 0) {
                struct timespec times[2] = { { .tv_sec = u->e.mtime }, { .tv_sec = u->e.mtime } };

                (void)futimens(u->file_fd, times);
                u->file_fd = fd_close(u->file_fd);
        }
        if (!S_ISLNK(u->e.mode) || u->e.trailer || u->e.size >= sizeof(u->target))
                return 0;
        u->target[u->target_size] = '\0';
        return note(u, symlinkat(u->target, u->root_fd, u->name) < 0 ? -errno : own(u, &u->e));
}

static int feed(void *userdata, const void *data, size_t size) {
        Unpacking *u = userdata;
        ssize_t n = newc_feed(u->reader, data, size);

        u->result->n_bytes += size;
        return n < 0 ? (int)n : (size_t)n < size ? -EBADMSG : 0;
}

int unpack(int root_fd, const void *data, size_t size, Unpacked *ret) {
        _cleanup_free_ NewcReader *reader = calloc(1, sizeof(*reader));
        _cleanup_free_ Unpacking *u = calloc(1, sizeof(*u));
        size_t used;
        int r = 0;

        *ret = (Unpacked){};
        if (!reader || !u)
                return -ENOMEM;
        NewcSink sink = { .entry = on_entry, .data = on_data, .end = on_end, .userdata = u };
        *u = (Unpacking){ .root_fd = root_fd, .file_fd = -1, .result = ret, .reader = reader };
        reader->sink = &sink;
        for (size_t at = 0; at < size && r >= 0; at += used)
                r = zstd_expand((const char *)data + at, size - at, feed, u, &used);
        fd_close(u->file_fd);
        tdestroy(u->links, free);
        return r < 0 ? r : newc_end(reader);
}
