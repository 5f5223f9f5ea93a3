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

/* What is done with the text of a file: config_parse() or rules_parse(). */
typedef int (*parse_t)(void *into, const char *path, const char *text, size_t size, config_warn_t warn,
                       void *userdata);

static int parse_config(void *into, const char *path, const char *text, size_t size, config_warn_t warn,
                        void *userdata) {
        return config_parse(into, path, text, size, warn, userdata);
}

static int parse_rules(void *into, const char *path, const char *text, size_t size, config_warn_t warn,
                       void *userdata) {
        return rules_parse(into, path, text, size, warn, userdata);
}

static int load_one(const char *path, parse_t parse, void *into, config_warn_t warn, void *userdata) {
        _cleanup_free_ char *text = NULL;
        size_t size;

        int r = file_read_at(AT_FDCWD, path, FILE_SIZE_MAX, &text, &size);
        if (r == -ENOENT)
                return 0;
        if (r < 0) {
                _cleanup_free_ char *message = NULL;
                if (asprintf(&message, "%s: cannot be read: %s", path, strerror(-r)) < 0)
                        return -ENOMEM;
                if (warn)
                        warn(userdata, message);
                return r == -ENOMEM ? r : 0;
        }
        return parse(into, path, text, size, warn, userdata);
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

static int load_in_order(DropIns *d, const char *root, parse_t parse, void *into, config_warn_t warn, void *userdata) {
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
                r = load_one(path, parse, into, warn, userdata);
        }
        return r;
}

/* All drop-ins of a directory's name in /etc, /run and /usr/lib. */
static int load_drop_ins(const char *root, const char *name, parse_t parse, void *into, config_warn_t warn,
                         void *userdata) {
        static const char *const bases[] = { "/etc/liveupdated", "/run/liveupdated", "/usr/lib/liveupdated" };
        char dirs[ELEMENTSOF(bases)][128];
        DropIns d = {};
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(bases) && r >= 0; i++) {
                (void)snprintf(dirs[i], sizeof(dirs[i]), "%s/%s", bases[i], name);
                r = collect(&d, root, dirs[i]);
        }
        if (r >= 0)
                r = load_in_order(&d, root, parse, into, warn, userdata);
        for (size_t i = 0; i < d.n; i++)
                free(d.names[i]);
        return r;
}

int config_files_load(const char *root, Config *c, config_warn_t warn, void *userdata) {
        char path[1024];

        (void)snprintf(path, sizeof(path), "%s/etc/liveupdated/liveupdated.conf", root);
        int r = load_one(path, parse_config, c, warn, userdata);
        if (r < 0)
                return r;
        return load_drop_ins(root, "liveupdated.conf.d", parse_config, c, warn, userdata);
}

int rules_files_load(const char *root, Rules *rules, config_warn_t warn, void *userdata) {
        return load_drop_ins(root, "rules.d", parse_rules, rules, warn, userdata);
}

static int parse_early(void *into, const char *path, const char *text, size_t size, config_warn_t warn,
                       void *userdata) {
        return early_parse(into, path, text, size, warn, userdata);
}

int early_files_load(const char *root, EarlyClients *clients, config_warn_t warn, void *userdata) {
        return load_drop_ins(root, "early.d", parse_early, clients, warn, userdata);
}
