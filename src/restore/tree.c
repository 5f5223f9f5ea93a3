/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tree.h"

#include "common/fd.h"
#include "core/newc.h"

#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <stdarg.h>
#include <sys/stat.h>

enum { LINKS_MAX = 40 }; /* MAXSYMLINKS, include/linux/namei.h */

int problem(char buf[static PROBLEM_SIZE], int r, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(buf, PROBLEM_SIZE, format, ap);
        va_end(ap);
        return r;
}

static int compare(const void *a, const void *b) {
        return strcmp(a, b);
}

void tree_done(Tree *t) {
        tdestroy(t->seen, free);
        t->seen = NULL;
}

/* 1: it was not there yet. */
static int enter(Tree *t, const char *path) {
        char *copy = strdup(path);
        char **found = copy ? tsearch(copy, &t->seen, compare) : NULL;

        if (!found) {
                free(copy);
                return problem(t->problem, -ENOMEM, "There is no memory left.");
        }
        if (*found == copy)
                return 1;
        free(copy);
        return 0;
}

static int write_out(Tree *t, const void *data, size_t size) {
        static const char zeros[4];
        int r = fd_write_all(t->out_fd, data, size);

        if (r >= 0)
                r = fd_write_all(t->out_fd, zeros, newc_padding(size));
        return r < 0 ? problem(t->problem, r, "The initrd cannot be written: %s.", strerror(-r)) : 0;
}

static int write_entry(Tree *t, const char *path, mode_t mode, const void *data, size_t size) {
        NewcEntry e = {
                .ino = t->n++,
                .mode = mode,
                .n_links = S_ISDIR(mode) ? 2 : 1,
                .size = (uint32_t)size,
                .name = *path == '/' ? path + 1 : path,
        };
        char head[NEWC_HEAD_SIZE + 1 + PATH_MAX];

        newc_write_head(head, &e);
        (void)snprintf(head + NEWC_HEAD_SIZE, PATH_MAX, "%s", e.name);
        int r = write_out(t, head, NEWC_HEAD_SIZE + strlen(e.name) + 1);
        return r < 0 ? r : write_out(t, data, size);
}

int tree_directory(Tree *t, const char *path) {
        char part[PATH_MAX];
        int r = 0;

        for (const char *end = path; *end && r >= 0;) {
                end += strspn(end, "/");
                end += strcspn(end, "/");
                (void)snprintf(part, sizeof(part), "%.*s", (int)(end - path), path);
                r = enter(t, part);
                if (r > 0)
                        r = write_entry(t, part, S_IFDIR | 0755, NULL, 0);
        }
        return MIN_OF(r, 0);
}

int tree_put(Tree *t, const char *path, mode_t mode, const void *data, size_t size) {
        const char *slash = strrchr(path, '/');
        char parent[PATH_MAX];

        if (strlen(path) >= sizeof(parent))
                return problem(t->problem, -ENAMETOOLONG, "The path %s is too long.", path);
        (void)snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(slash - path) : 0, path);
        int r = tree_directory(t, parent);
        if (r >= 0)
                r = enter(t, path);
        return r > 0 ? write_entry(t, path, mode, data, size) : r;
}

static int add_file(Tree *t, const char *path, const struct stat *st) {
        _cleanup_free_ char *data = NULL;
        char real[PATH_MAX];
        size_t size;

        if (!S_ISREG(st->st_mode))
                return problem(t->problem, -EINVAL, "%s is not a file.", path);
        if (snprintf(real, sizeof(real), "%s%s", t->root, path) >= (int)sizeof(real))
                return problem(t->problem, -ENAMETOOLONG, "The path %s is too long.", path);
        int r = file_read_at(AT_FDCWD, real, TREE_FILE_MAX, &data, &size);
        if (r < 0)
                return problem(t->problem, r, "%s cannot be read: %s.", path, strerror(-r));
        return tree_put(t, path, S_IFREG | (st->st_mode & 0777), data, size);
}

/* Where a path leads: what is done already, and what is to be gone yet. */
typedef struct Way {
        char done[PATH_MAX], rest[PATH_MAX];
        unsigned n_links;
} Way;

static int follow(Tree *t, Way *w, const char *link) {
        char real[PATH_MAX], target[PATH_MAX], rest[2 * PATH_MAX];

        (void)snprintf(real, sizeof(real), "%s%s", t->root, link);
        ssize_t n = readlink(real, target, sizeof(target) - 1);
        if (n < 0)
                return problem(t->problem, -errno, "%s cannot be read: %s.", link, strerror(errno));
        target[n] = '\0';
        if (++w->n_links > LINKS_MAX)
                return problem(t->problem, -ELOOP, "%s leads round and round.", link);
        int r = tree_put(t, link, S_IFLNK | 0777, target, (size_t)n);
        if (r < 0)
                return r;
        if (*target == '/')
                *w->done = '\0';
        if (snprintf(rest, sizeof(rest), "%s/%s", target, w->rest) >= PATH_MAX)
                return problem(t->problem, -ENAMETOOLONG, "%s leads to a path that is too long.", link);
        memcpy(w->rest, rest, strlen(rest) + 1);
        return 0;
}

/* 1: that was the last one. */
static int go_on(Tree *t, Way *w) {
        char here[PATH_MAX], real[PATH_MAX], *rest = w->rest + strspn(w->rest, "/");
        size_t n = strcspn(rest, "/");
        struct stat st;

        if (n == 0)
                return problem(t->problem, -EISDIR, "%s is a directory.", w->done);
        int size = snprintf(here, sizeof(here), "%s/%.*s", w->done, (int)n, rest);
        if (size >= (int)sizeof(here) || snprintf(real, sizeof(real), "%s%s", t->root, here) >= (int)sizeof(real))
                return problem(t->problem, -ENAMETOOLONG, "The path %s/%s is too long.", w->done, rest);
        memmove(w->rest, rest + n, strlen(rest + n) + 1);
        if (strncmp(here + size - n, ".", n) == 0)
                return 0;
        if (n == 2 && strncmp(here + size - n, "..", n) == 0) {
                char *slash = strrchr(w->done, '/');
                *(slash ?: w->done) = '\0';
                return 0;
        }
        if (lstat(real, &st) < 0)
                return problem(t->problem, -errno, "%s cannot be read: %s.", here, strerror(errno));
        if (S_ISLNK(st.st_mode))
                return follow(t, w, here);
        if (!S_ISDIR(st.st_mode)) {
                int r = w->rest[strspn(w->rest, "/")] ? problem(t->problem, -ENOTDIR, "%s is not a directory.", here)
                                                      : add_file(t, here, &st);
                return r < 0 ? r : 1;
        }
        memcpy(w->done, here, (size_t)size + 1);
        return 0;
}

int tree_add(Tree *t, const char *path) {
        _cleanup_free_ Way *w = calloc(1, sizeof(*w));
        int r = 0;

        if (!w)
                return problem(t->problem, -ENOMEM, "There is no memory left.");
        if (*path != '/' || strlen(path) >= sizeof(w->rest))
                return problem(t->problem, -EINVAL, "%s is not an absolute path.", path);
        memcpy(w->rest, path, strlen(path) + 1);
        while (r == 0)
                r = go_on(t, w);
        return MIN_OF(r, 0);
}

int tree_finish(Tree *t) {
        return write_entry(t, NEWC_TRAILER, 0, NULL, 0);
}
