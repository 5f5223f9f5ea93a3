/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "settings.h"

#include "common/fd.h"
#include "common/log.h"
#include "core/module-list.h"
#include "core/shim-text.h"
#include "given.h"
#include "libraries.h"
#include "sys/config-files.h"
#include "sys/expand.h"
#include "sys/modules.h"
#include "sys/pci-driver.h"

#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <sys/stat.h>

typedef struct Adding {
        Tree *tree;
        const char *release, *wanted;
        FILE *list;
} Adding;

int settings_add_files(Tree *t) {
        static const char *const patterns[] = {
                "/etc/liveupdated/liveupdated.conf",
                "/{etc,run,usr/lib}/liveupdated/liveupdated.conf.d/*.conf",
                "/{etc,run,usr/lib}/liveupdated/early.d/*.conf",
        };
        glob_t found = {};
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(patterns); i++) {
                int k = glob(patterns[i], GLOB_BRACE | (i > 0 ? GLOB_APPEND : 0), NULL, &found);
                if (k != 0 && k != GLOB_NOMATCH) {
                        r = problem(t->problem, -EIO, "The settings (%s) cannot be listed.", patterns[i]);
                        break;
                }
        }
        for (size_t i = 0; i < found.gl_pathc && r >= 0; i++)
                r = tree_add(t, found.gl_pathv[i]);
        globfree(&found);
        return r;
}

/* The next kernel's first process need not decompress it. */
static int read_module(const char *path, Buffer *ret) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

        return fd < 0 ? -errno : expand_file(fd, ret);
}

static int on_module(void *userdata, const char *module, const char *path, const char *options) {
        char name[MODULE_NAME_SIZE], place[PATH_MAX];
        _cleanup_buffer_ Buffer b = { .max = TREE_FILE_MAX };
        Adding *a = userdata;

        if (!module_name_normalize(module, name))
                return problem(a->tree->problem, -EINVAL, "'%s' is no name of a kernel module.", module);
        (void)snprintf(place, sizeof(place), GIVEN_KO_DIR_BEFORE "%s" GIVEN_KO_DIR_BEHIND "/%s.ko", a->release, name);
        int r = read_module(path, &b);
        if (r < 0)
                problem(a->tree->problem, r, "The kernel module %s cannot be read: %s.", path, strerror(-r));
        else
                r = tree_put(a->tree, place, S_IFREG | 0644, b.data, b.size);
        if (r >= 0)
                fprintf(a->list, "%s %s %s\n", a->wanted, name, options);
        return r;
}

static int add_module(Adding *a, const char *name) {
        const char *release = a->release;
        Tree *t = a->tree;

        a->wanted = name;
        *t->problem = '\0';
        int r = modules_resolve(t->root, release, name, on_module, a);
        if (r >= 0 || *t->problem)
                return r;
        if (r == -ENOENT)
                return problem(t->problem, r,
                               "There is no kernel module %s for the next kernel (%s). Build and install it for this "
                               "kernel, run depmod, or take it out of the settings (Shim=, Modules=).",
                               name, release);
        if (r == -EPERM)
                return problem(t->problem, r, "modprobe.d(5) forbids the kernel module %s.", name);
        if (r == -EOPNOTSUPP)
                return problem(t->problem, r,
                               "modprobe.d(5) has an install command for the kernel module %s or one that it needs; "
                               "a restore-only initrd cannot run it.",
                               name);
        return problem(t->problem, r, "What the kernel module %s of %s needs cannot be found out: %s.", name, release,
                       strerror(-r));
}

static int add_all(Adding *a, const Config *config) {
        _cleanup_free_ char *words = strdup(config->luo_modules ?: "");
        char *save = NULL;
        int r = 0;

        if (!words)
                return problem(a->tree->problem, -ENOMEM, "There is no memory left.");
        if (config->luo_shim) {
                r = add_module(a, SHIM_MODULE);
                if (r >= 0)
                        r = add_module(a, VFIO_DRIVER);
        }
        for (char *word = strtok_r(words, " \t", &save); word && r >= 0; word = strtok_r(NULL, " \t", &save))
                r = add_module(a, word);
        return r;
}

int settings_add_modules(Tree *t, const Config *config, const char *release) {
        _cleanup_free_ char *text = NULL;
        Adding a = { .tree = t, .release = release };
        size_t size;

        a.list = open_memstream(&text, &size);
        if (!a.list)
                return problem(t->problem, -ENOMEM, "There is no memory left.");
        int r = add_all(&a, config);
        if (fclose(a.list) == EOF && r >= 0)
                r = problem(t->problem, -ENOMEM, "There is no memory left.");
        return r < 0 ? r : tree_put(t, GIVEN_DIR "/" GIVEN_MODULES, S_IFREG | 0644, text, size);
}

static void warn(_unused_ void *userdata, const char *message) {
        log_warning("%s", message);
}

static int load_clients(Tree *t, EarlyClients *ret) {
        int r = early_files_load(t->root, ret, warn, NULL);
        return r < 0 ? problem(t->problem, r, "The clients of early.d cannot be read: %s.", strerror(-r)) : 0;
}

int settings_any_client(Tree *t) {
        EarlyClients clients = {};

        int r = load_clients(t, &clients);
        if (r >= 0)
                r = clients.n > 0;
        early_done(&clients);
        return r;
}

int settings_add_clients(Tree *t) {
        EarlyClients clients = {};

        int r = load_clients(t, &clients);
        for (size_t i = 0; i < clients.n && r >= 0; i++)
                r = libraries_add_program(t, clients.items[i].argv[0]);
        early_done(&clients);
        return r;
}
