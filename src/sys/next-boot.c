/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "next-boot.h"

#include "initrd.h"
#include "modules.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

static bool exists(const char *root, const char *directory, const char *name) {
        char path[PATH_MAX];

        return (size_t)snprintf(path, sizeof(path), "%s%s%s", root, directory, name) < sizeof(path) &&
               access(path, F_OK) >= 0;
}

/* Those that are loaded; of others no file can have been preserved. */
static void add_modules(const char *root, const Config *config, NextBoot *b) {
        _cleanup_free_ char *words = config->luo_modules ? strdup(config->luo_modules) : NULL;
        char *save = NULL;

        if (config->luo_shim)
                (void)next_boot_add(b, SHIM_MODULE);
        for (char *word = words ? strtok_r(words, " \t", &save) : NULL; word; word = strtok_r(NULL, " \t", &save))
                (void)next_boot_add(b, word);
        size_t n = 0;
        for (size_t i = 0; i < b->n_modules; i++)
                if (exists(root, "/sys/module/", b->modules[i].name))
                        b->modules[n++] = b->modules[i];
        b->n_modules = n;
}

static unsigned version_in(const char *root, const char *directory) {
        static const char prefix[] = "libsystemd-shared-";
        char path[PATH_MAX];
        struct dirent *d;
        unsigned best = 0;

        if ((size_t)snprintf(path, sizeof(path), "%s%s", root, directory) >= sizeof(path))
                return 0;
        DIR *dir = opendir(path);
        while (dir && (d = readdir(dir)))
                if (strncmp(d->d_name, prefix, strlen(prefix)) == 0) {
                        unsigned long v = strtoul(d->d_name + strlen(prefix), NULL, 10);
                        best = MAX_OF(best, (unsigned)MIN_OF(v, 99999ul));
                }
        if (dir)
                (void)closedir(dir);
        return best;
}

/* PID 1 of the next boot will be what it is in this one, of the version that is installed. */
static NextInit host_init(const char *root) {
        static const char *const places[] = { "/usr/lib/systemd", "/usr/lib64/systemd",
                                              "/usr/lib/x86_64-linux-gnu/systemd" };
        NextInit init = { .systemd = exists(root, "/run/systemd/", "system") };

        for (size_t i = 0; i < ELEMENTSOF(places) && init.systemd && init.version == 0; i++)
                init.version = version_in(root, places[i]);
        return init;
}

static bool root_is_initrd(const char *root) {
        struct statfs s;

        return !*root && statfs("/", &s) >= 0 && (s.f_type == RAMFS_MAGIC || s.f_type == TMPFS_MAGIC);
}

int next_boot_read(const char *root, const Config *config, const char *release, int initrd_fd, uint64_t initrd_size,
                   NextBoot *ret, Refusal *refusal) {
        NextBoot *b = calloc(1, sizeof(*b));

        if (!b)
                return refuse_errno(refusal, -ENOMEM, "initrd", NULL);
        add_modules(root, config, b);
        int r = 0;
        if (b->n_modules > 0) {
                b->host = host_init(root);
                b->root_is_initrd = root_is_initrd(root);
                for (size_t i = 0; i < b->n_modules; i++) {
                        int where = modules_where(root, release, b->modules[i].name);
                        b->modules[i].in_host = where == 1;
                        b->modules[i].builtin = where == 2;
                }
                if (initrd_fd >= 0)
                        r = initrd_look(initrd_fd, initrd_size, release, b, refusal);
        }
        if (r >= 0)
                *ret = *b;
        free(b);
        return r;
}
