/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config-files.h"

#include <dirent.h>
#include <fcntl.h>

#include "common/fd.h"

enum { FILE_SIZE_MAX = 1024 * 1024, DROP_INS_MAX = 1024 };

typedef struct DropIns {
        char *names[DROP_INS_MAX];
        const char *dirs[DROP_INS_MAX];
        size_t n;
} DropIns;

static int load_one(const char *path, Config *c, config_warn_t warn, void *userdata) {
        _cleanup_free_ char *text = NULL;
        size_t size;

        int r = file_read_at(AT_FDCWD, path, FILE_SIZE_MAX, &text, &size);
        if (r == -ENOENT)
                return 0;
        if (r < 0) {
                char message[1024];
                snprintf(message, sizeof(message), "%s: cannot be read: %s", path, strerror(-r));
                if (warn)
                        warn(userdata, message);
                return r == -ENOMEM ? r : 0;
        }
        return config_parse(c, path, text, size, warn, userdata);
}

static bool is_drop_in(const char *name) {
        size_t n = strlen(name);

        return name[0] != '.' && n > 5 && streq(name + n - 5, ".conf");
}

static bool hidden(const DropIns *d, const char *name) {
        for (size_t i = 0; i < d->n; i++)
                if (streq(d->names[i], name))
                        return true;
        return false;
}

static int collect(DropIns *d, const char *root, const char *dir) {
        char path[1024];
        struct dirent *e;

        snprintf(path, sizeof(path), "%s%s", root, dir);
        DIR *handle = opendir(path);
        if (!handle)
                return 0;
        int r = 0;
        while (r >= 0 && d->n < DROP_INS_MAX && (e = readdir(handle))) {
                if (!is_drop_in(e->d_name) || hidden(d, e->d_name))
                        continue;
                d->names[d->n] = strdup(e->d_name);
                if (!d->names[d->n])
                        r = -ENOMEM;
                else
                        d->dirs[d->n++] = dir;
        }
        (void)closedir(handle);
        return r;
}

static int load_in_order(DropIns *d, const char *root, Config *c, config_warn_t warn, void *userdata) {
        char path[2048];
        int r = 0;

        for (size_t done = 0; done < d->n && r >= 0; done++) { /* few: a selection sort does */
                size_t first = done;
                for (size_t i = done + 1; i < d->n; i++)
                        if (strcmp(d->names[i], d->names[first]) < 0)
                                first = i;
                char *name = d->names[first];
                const char *dir = d->dirs[first];
                d->names[first] = d->names[done];
                d->dirs[first] = d->dirs[done];
                d->names[done] = name;
                d->dirs[done] = dir;
                snprintf(path, sizeof(path), "%s%s/%s", root, dir, name);
                r = load_one(path, c, warn, userdata);
        }
        return r;
}

int config_files_load(const char *root, Config *c, config_warn_t warn, void *userdata) {
        static const char *const dirs[] = {
                "/etc/liveupdated/liveupdated.conf.d",
                "/run/liveupdated/liveupdated.conf.d",
                "/usr/lib/liveupdated/liveupdated.conf.d",
        };
        char path[1024];
        DropIns d = {};

        snprintf(path, sizeof(path), "%s/etc/liveupdated/liveupdated.conf", root);
        int r = load_one(path, c, warn, userdata);
        for (size_t i = 0; i < ELEMENTSOF(dirs) && r >= 0; i++)
                r = collect(&d, root, dirs[i]);
        if (r >= 0)
                r = load_in_order(&d, root, c, warn, userdata);
        for (size_t i = 0; i < d.n; i++)
                free(d.names[i]);
        return r;
}
