/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * modules.builtin.modinfo is made with the kernel and holds what modinfo would say of
 * the built-in modules: "NAME.alias=pci:v0000…" and so on, each with a NUL behind it.
 * libkmod looks there last, and through an index that only depmod makes, so a device
 * that a module and a built-in driver both know would seem to be the module's. The
 * built-in aliases are therefore matched here, first; libkmod does the rest.
 *
 * Aliases are sorted by their head "pci:vVVVVVVVV", those that begin with a pattern
 * first. A lookup matches the latter and those of the vendor; and each modalias is
 * looked up once, however many functions share it.
 */
#include "modules.h"

#include "common/fd.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdarg.h>

#include <libkmod.h>

enum {
        MODINFO_MAX = 64 * 1024 * 1024,
        HEAD = sizeof("pci:v00008086") - 1,
};

typedef struct Alias {
        const char *pattern, *driver; /* in modinfo */
        size_t order;                 /* in the file, which is the order of linking */
        bool general;                 /* the head is a pattern */
} Alias;

typedef struct Known {
        char *modalias, *driver;
        Native native;
} Known;

struct ModulesIndex {
        struct kmod_ctx *kmod;
        char *modinfo;
        Alias *aliases;
        size_t n_aliases, n_general;
        bool knows_modules, knows_builtin;
        Known *known; /* hash table, linear probing, at most half full */
        size_t n_known, n_slots;
};

static int compare_aliases(const void *a, const void *b) {
        const Alias *x = a, *y = b;
        int r;

        if (x->general != y->general)
                return x->general ? -1 : 1;
        r = x->general ? 0 : strncmp(x->pattern, y->pattern, HEAD);
        return r != 0 ? r : x->order < y->order ? -1 : 1;
}

/* "NAME.alias=pci:…" into a NAME and a pattern. */
static bool split_alias(char *line, Alias *ret) {
        char *dot = strchr(line, '.');

        if (!dot || strncmp(dot + 1, "alias=pci:", strlen("alias=pci:")) != 0)
                return false;
        *dot = '\0';
        ret->driver = line;
        ret->pattern = dot + 1 + strlen("alias=");
        ret->general = strcspn(ret->pattern, "*?[\\") < HEAD;
        return true;
}

static int index_modinfo(ModulesIndex *m, size_t size) {
        size_t n_allocated = 0, step;
        Alias alias;

        for (size_t at = 0; at < size; at += step) {
                step = strlen(m->modinfo + at) + 1;
                if (!split_alias(m->modinfo + at, &alias))
                        continue;
                if (m->n_aliases == n_allocated) {
                        n_allocated = MAX_OF(2 * n_allocated, (size_t)256);
                        Alias *p = reallocarray(m->aliases, n_allocated, sizeof(*p));
                        if (!p)
                                return -ENOMEM;
                        m->aliases = p;
                }
                alias.order = m->n_aliases;
                m->n_general += alias.general;
                m->aliases[m->n_aliases++] = alias;
        }
        if (m->n_aliases > 0)
                qsort(m->aliases, m->n_aliases, sizeof(*m->aliases), compare_aliases);
        return 0;
}

/* Without the file, libkmod may have its own index of the same. */
static int read_builtin(ModulesIndex *m, int dir_fd) {
        size_t size;
        int r = file_read_at(dir_fd, "modules.builtin.modinfo", MODINFO_MAX, &m->modinfo, &size);

        if (r == -ENOMEM)
                return r;
        m->knows_builtin = r >= 0 || faccessat(dir_fd, "modules.builtin.alias.bin", R_OK, 0) == 0;
        return r < 0 ? 0 : index_modinfo(m, size);
}

static void on_log(void *data, int priority, const char *file, int line, const char *fn, const char *format,
                   va_list args) {
}

/* No configuration: what modprobe.d(5) says is the running system's, not the kernel's. */
static int open_kmod(ModulesIndex *m, const char *dir) {
        static const char *const no_config[] = { NULL };

        m->kmod = kmod_new(dir, no_config);
        if (!m->kmod)
                return -ENOMEM;
        kmod_set_log_fn(m->kmod, on_log, NULL);
        m->knows_modules = kmod_load_resources(m->kmod) >= 0;
        return 0;
}

/* The directory of a release's modules. */
static int find_release(const char *root, const char *release, char path[static PATH_MAX], int *ret_fd) {
        static const char *const places[] = { "lib/modules", "usr/lib/modules" };

        if (str_empty(release) || strchr(release, '/') || *release == '.')
                return -EINVAL;
        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                if (snprintf(path, PATH_MAX, "%s/%s/%s", root, places[i], release) >= PATH_MAX)
                        return -ENAMETOOLONG;
                *ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (*ret_fd >= 0 || errno != ENOENT)
                        return *ret_fd < 0 ? -errno : 0;
        }
        return -ENOENT;
}

int modules_open(const char *root, const char *release, ModulesIndex **ret) {
        _cleanup_(modules_freep) ModulesIndex *m = NULL;
        _cleanup_close_ int dir_fd = -1;
        char path[PATH_MAX];

        int r = find_release(root, release, path, &dir_fd);
        if (r < 0)
                return r;
        m = calloc(1, sizeof(*m));
        if (!m)
                return -ENOMEM;
        r = read_builtin(m, dir_fd);
        if (r >= 0)
                r = open_kmod(m, path);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

ModulesIndex *modules_free(ModulesIndex *m) {
        if (!m)
                return NULL;
        for (size_t i = 0; i < m->n_slots; i++) {
                free(m->known[i].modalias);
                free(m->known[i].driver);
        }
        free(m->known);
        free(m->aliases);
        free(m->modinfo);
        if (m->kmod)
                (void)kmod_unref(m->kmod);
        free(m);
        return NULL;
}

/* First of the aliases that are no general ones whose head is not before this one's. */
static size_t vendor_start(const ModulesIndex *m, const char *modalias) {
        size_t low = m->n_general, high = m->n_aliases;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (strncmp(m->aliases[middle].pattern, modalias, HEAD) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

/* The first by the order of linking, which is the order in which drivers register. */
static const char *find_builtin(const ModulesIndex *m, const char *modalias) {
        const Alias *best = NULL;

        for (size_t i = 0; i < m->n_general && !best; i++)
                if (fnmatch(m->aliases[i].pattern, modalias, 0) == 0)
                        best = &m->aliases[i];
        for (size_t i = vendor_start(m, modalias); i < m->n_aliases; i++) {
                const Alias *a = &m->aliases[i];

                if (strncmp(a->pattern, modalias, HEAD) != 0 || (best && best->order < a->order))
                        break;
                if (fnmatch(a->pattern, modalias, 0) == 0) {
                        best = a;
                        break;
                }
        }
        return best ? best->driver : NULL;
}

static int find_module(ModulesIndex *m, const char *modalias, Native *ret, char **ret_driver) {
        struct kmod_list *found = NULL, *modules = NULL, *first;
        int r = kmod_module_new_from_lookup(m->kmod, modalias, &found);

        if (r == -ENOMEM)
                return r;
        if (r < 0 || !found) /* also for what is no alias at all */
                return 0;
        r = kmod_module_apply_filter(m->kmod, KMOD_FILTER_BUILTIN, found, &modules);
        if (r >= 0) {
                struct kmod_module *module;

                *ret = modules ? NATIVE_MODULE : NATIVE_BUILTIN;
                first = modules ? modules : found;
                module = kmod_module_get_module(first);
                *ret_driver = strdup(kmod_module_get_name(module));
                r = *ret_driver ? 0 : -ENOMEM;
                (void)kmod_module_unref(module);
                (void)kmod_module_unref_list(modules);
        }
        (void)kmod_module_unref_list(found);
        return r;
}

static int look_up(ModulesIndex *m, const char *modalias, Known *k) {
        const char *builtin = find_builtin(m, modalias);

        k->native = m->knows_modules && m->knows_builtin ? NATIVE_NONE : NATIVE_UNKNOWN;
        if (!builtin)
                return find_module(m, modalias, &k->native, &k->driver);
        k->native = NATIVE_BUILTIN;
        k->driver = strdup(builtin);
        return k->driver ? 0 : -ENOMEM;
}

/* FNV-1a, 64 bits. */
static uint64_t hash_text(const char *s) {
        uint64_t h = UINT64_C(0xcbf29ce484222325);

        for (; *s; s++)
                h = (h ^ (uint8_t)*s) * UINT64_C(0x100000001b3);
        return h;
}

/* Where modalias is, or belongs. */
static Known *slot_of(Known *known, size_t n_slots, const char *modalias) {
        size_t i = hash_text(modalias) & (n_slots - 1);

        while (known[i].modalias && !streq(known[i].modalias, modalias))
                i = (i + 1) & (n_slots - 1);
        return &known[i];
}

static int make_room(ModulesIndex *m) {
        size_t n = MAX_OF(2 * m->n_slots, (size_t)64);
        Known *bigger;

        if (2 * (m->n_known + 1) <= m->n_slots)
                return 0;
        bigger = calloc(n, sizeof(*bigger));
        if (!bigger)
                return -ENOMEM;
        for (size_t i = 0; i < m->n_slots; i++)
                if (m->known[i].modalias)
                        *slot_of(bigger, n, m->known[i].modalias) = m->known[i];
        free(m->known);
        m->known = bigger;
        m->n_slots = n;
        return 0;
}

int modules_native(ModulesIndex *m, const char *modalias, Native *ret, const char **ret_driver) {
        Known *k;
        int r = make_room(m);

        if (r < 0)
                return r;
        k = slot_of(m->known, m->n_slots, modalias);
        if (!k->modalias) {
                Known fresh = { .modalias = strdup(modalias) };

                r = fresh.modalias ? look_up(m, modalias, &fresh) : -ENOMEM;
                if (r < 0) {
                        free(fresh.modalias);
                        free(fresh.driver);
                        return r;
                }
                *k = fresh;
                m->n_known++;
        }
        *ret = k->native;
        *ret_driver = k->driver;
        return 0;
}

/* ---- one module by its name ---- */

static void kmod_freep(struct kmod_ctx **kmod) {
        if (*kmod)
                (void)kmod_unref(*kmod);
}

/* *ret NULL: there is none. */
static int find_by_name(struct kmod_ctx *kmod, const char *name, struct kmod_module **ret) {
        struct kmod_list *found = NULL;

        int r = kmod_module_new_from_lookup(kmod, name, &found);
        if (r < 0 && r != -ENOENT && r != -ENOSYS)
                return r;
        *ret = found ? kmod_module_get_module(found) : NULL;
        (void)kmod_module_unref_list(found);
        return *ret ? 0 : -ENOENT;
}

int modules_load(const char *name) {
        _cleanup_(kmod_freep) struct kmod_ctx *kmod = kmod_new(NULL, NULL);
        struct kmod_module *module;

        if (!kmod)
                return -ENOMEM;
        kmod_set_log_fn(kmod, on_log, NULL);
        int r = find_by_name(kmod, name, &module);
        if (r == -ENOENT) /* perhaps somebody loaded it from elsewhere */
                r = kmod_module_new_from_name(kmod, name, &module) < 0 ? -ENOENT : 0;
        if (r < 0)
                return r;
        int state = kmod_module_get_initstate(module);
        if (state == KMOD_MODULE_LIVE || state == KMOD_MODULE_BUILTIN)
                r = 0;
        else if (!kmod_module_get_path(module))
                r = -ENOENT;
        else {
                r = kmod_module_probe_insert_module(module, KMOD_PROBE_APPLY_BLACKLIST, NULL, NULL, NULL, NULL);
                r = r == KMOD_PROBE_APPLY_BLACKLIST ? -ENOENT : r < 0 ? r : 1;
        }
        (void)kmod_module_unref(module);
        return r;
}

static int find_key(struct kmod_module *module, const char *key, char *ret, size_t size) {
        struct kmod_list *info = NULL, *item;

        int r = kmod_module_get_info(module, &info);
        if (r < 0)
                return r;
        r = -ENODATA;
        kmod_list_foreach(item, info) {
                const char *value = kmod_module_info_get_value(item);

                if (!streq(kmod_module_info_get_key(item), key))
                        continue;
                r = strlen(value) < size ? 0 : -EBADMSG;
                if (r >= 0)
                        memcpy(ret, value, strlen(value) + 1);
                break;
        }
        kmod_module_info_free_list(info);
        return r;
}

/* One of a release, without its configuration. */
static int open_one(const char *root, const char *release, const char *name, struct kmod_ctx **kmod,
                    struct kmod_module **ret) {
        static const char *const no_config[] = { NULL };
        _cleanup_close_ int dir_fd = -1;
        char path[PATH_MAX];

        int r = find_release(root, release, path, &dir_fd);
        if (r < 0)
                return r;
        *kmod = kmod_new(path, no_config);
        if (!*kmod)
                return -ENOMEM;
        kmod_set_log_fn(*kmod, on_log, NULL);
        return find_by_name(*kmod, name, ret);
}

int modules_info(const char *root, const char *release, const char *name, const char *key, char *ret, size_t size) {
        _cleanup_(kmod_freep) struct kmod_ctx *kmod = NULL;
        struct kmod_module *module;

        int r = open_one(root, release, name, &kmod, &module);
        if (r < 0)
                return r;
        r = find_key(module, key, ret, size);
        (void)kmod_module_unref(module);
        return r;
}

/* What is built in has no file (modules.builtin). */
int modules_where(const char *root, const char *release, const char *name) {
        _cleanup_(kmod_freep) struct kmod_ctx *kmod = NULL;
        struct kmod_module *module;

        int r = open_one(root, release, name, &kmod, &module);
        if (r < 0)
                return r;
        r = kmod_module_get_path(module) ? 1 : 2;
        (void)kmod_module_unref(module);
        return r;
}

/* ---- what a module needs ---- */

/* print_action() of libkmod has no argument of its own. */
static _Thread_local struct {
        modules_found_t found;
        void *userdata;
        int result;
} resolving;

static void on_action(struct kmod_module *module, bool install, const char *options) {
        const char *path = kmod_module_get_path(module);

        if (resolving.result < 0)
                return;
        if (install)
                resolving.result = -EOPNOTSUPP;
        else if (path) /* else it is built in */
                resolving.result =
                        resolving.found(resolving.userdata, kmod_module_get_name(module), path, options ?: "");
}

int modules_resolve(const char *root, const char *release, const char *name, modules_found_t found, void *userdata) {
        static const char *const no_config[] = { NULL };
        _cleanup_(kmod_freep) struct kmod_ctx *kmod = NULL;
        _cleanup_close_ int dir_fd = -1;
        struct kmod_module *module;
        char path[PATH_MAX];

        int r = find_release(root, release, path, &dir_fd);
        if (r < 0)
                return r;
        kmod = kmod_new(path, *root && !streq(root, "/") ? no_config : NULL);
        if (!kmod)
                return -ENOMEM;
        kmod_set_log_fn(kmod, on_log, NULL);
        r = find_by_name(kmod, name, &module);
        if (r < 0)
                return r;
        resolving.found = found;
        resolving.userdata = userdata;
        resolving.result = 0;
        r = kmod_module_probe_insert_module(module,
                                            KMOD_PROBE_DRY_RUN | KMOD_PROBE_IGNORE_LOADED | KMOD_PROBE_APPLY_BLACKLIST,
                                            NULL, NULL, NULL, on_action);
        (void)kmod_module_unref(module);
        if (r == KMOD_PROBE_APPLY_BLACKLIST)
                return -EPERM;
        return r < 0 ? r : resolving.result;
}
