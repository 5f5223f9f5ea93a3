/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The judgement, and looking through an initrd. Files are known by their names: a module
 * is NAME.ko below lib/modules/RELEASE, however it is compressed, and systemd's version
 * is part of the name of its library (libsystemd-shared-262.so).
 */
#include "next-boot.h"

/* Of a mode (include/uapi/linux/stat.h). */
enum { MODE_TYPE = 0170000, MODE_FILE = 0100000, MODE_LINK = 0120000 };

/* '-' and '_' are the same in a module's name; its file may have either. */
static bool same_name(const char *a, const char *b, size_t n) {
        for (size_t i = 0; i < n; i++)
                if ((a[i] == '-' ? '_' : a[i]) != (b[i] == '-' ? '_' : b[i]))
                        return false;
        return true;
}

static NextModule *find(NextBoot *b, const char *name, size_t n) {
        for (size_t i = 0; i < b->n_modules; i++)
                if (strlen(b->modules[i].name) == n && same_name(b->modules[i].name, name, n))
                        return &b->modules[i];
        return NULL;
}

NextModule *next_boot_find(NextBoot *b, const char *name) {
        return find(b, name, strlen(name));
}

int next_boot_add(NextBoot *b, const char *name) {
        size_t n = strlen(name);

        if (find(b, name, n))
                return 0;
        if (n == 0 || n >= NEXT_MODULE_NAME_SIZE)
                return -ENAMETOOLONG;
        if (b->n_modules == NEXT_MODULES_MAX)
                return -ENOSPC;
        NextModule *m = &b->modules[b->n_modules++];
        *m = (NextModule){};
        for (size_t i = 0; i < n; i++)
                m->name[i] = name[i] == '-' ? '_' : name[i];
        return 0;
}

/* ---- the judgement ---- */

static bool opens(NextInit init) {
        return init.systemd && (init.version == 0 || init.version >= SYSTEMD_OPENS_LUO);
}

static bool certain(NextInit init) {
        return init.version > 0;
}

static void judge_in_initrd(const NextBoot *b, const NextModule *m, bool host_is_enough, Refusal *ret) {
        if (b->restore || host_is_enough)
                return;
        if (opens(b->initrd) && !*b->unread)
                refuse(ret, certain(b->initrd) ? REASON_INITRD_HANDLER_MISSING : REASON_INITRD_HANDLER_UNSURE,
                       "next kernel", "%s is in the initrd, but liveupdate-restore is not, and its systemd is first",
                       m->name);
        else /* what the initrd does by itself is not known */
                refuse(ret, REASON_INITRD_HANDLER_UNSURE, "next kernel",
                       "%s is in the initrd, but liveupdate-restore is not", m->name);
}

void next_boot_judge(const NextBoot *b, const NextModule *m, Refusal *ret) {
        bool early = opens(b->initrd) || opens(b->host);
        bool host_is_enough = m->in_host && !b->root_is_initrd && !early;

        *ret = (Refusal){};
        if (m->builtin)
                return;
        if (m->in_initrd)
                judge_in_initrd(b, m, host_is_enough, ret);
        else if (host_is_enough)
                return;
        else if (*b->unread)
                refuse(ret, REASON_INITRD_HANDLER_UNSURE, "next kernel", "%s; not all of the initrd was read: %s",
                       m->name, b->unread);
        else if (m->in_host && !b->root_is_initrd)
                refuse(ret,
                       (opens(b->initrd) && certain(b->initrd)) || (opens(b->host) && certain(b->host))
                               ? REASON_INITRD_HANDLER_MISSING
                               : REASON_INITRD_HANDLER_UNSURE,
                       "next kernel", "%s is among the host's modules, which systemd is too early for", m->name);
        else
                refuse(ret, REASON_INITRD_HANDLER_MISSING, "next kernel", "%s%s", m->name,
                       b->has_initrd ? "" : "; there is no initrd");
}

/* ---- the initrd ---- */

/* What comes after `prefix` in path, or NULL. */
static const char *after(const char *path, const char *prefix) {
        size_t n = strlen(prefix);

        return strncmp(path, prefix, n) == 0 ? path + n : NULL;
}

static bool is_compression(const char *suffix) {
        return streq(suffix, "") || streq(suffix, ".gz") || streq(suffix, ".xz") || streq(suffix, ".zst");
}

static NextModule *module_at(InitrdScan *s, const char *path) {
        const char *below = after(path, "lib/modules/"), *base = strrchr(path, '/');

        if (!below)
                return NULL;
        size_t n = strlen(s->release);
        if (n > 0 && (strncmp(below, s->release, n) != 0 || below[n] != '/'))
                return NULL;
        const char *end = strstr(base + 1, ".ko");
        return end && is_compression(end + 3) ? find(s->boot, base + 1, (size_t)(end - base - 1)) : NULL;
}

static void look_for_systemd(NextBoot *b, const char *path, const char *base) {
        const char *version = after(base, "libsystemd-shared-");
        unsigned v = 0;

        if (streq(path, "lib/systemd/systemd"))
                b->initrd.systemd = true;
        for (; version && *version >= '0' && *version <= '9' && v < 100000; version++)
                v = 10 * v + (unsigned)(*version - '0');
        if (v > 0)
                b->initrd.version = v;
}

static int keep_module(InitrdScan *s, uint64_t size) {
        if (size == 0 || size > MODULE_FILE_MAX)
                return 0;
        free(s->module);
        s->n_module = 0;
        s->module_size = (size_t)size;
        s->module = malloc(s->module_size);
        s->in_module = s->module;
        return s->module ? 0 : -ENOMEM;
}

static int on_entry(void *userdata, const NewcEntry *e) {
        InitrdScan *s = userdata;
        const char *path = e->name;
        uint32_t type = e->mode & MODE_TYPE;

        s->in_module = false;
        if (e->trailer || (type != MODE_FILE && type != MODE_LINK))
                return 0;
        while (*path == '/' || (path[0] == '.' && path[1] == '/'))
                path++;
        path = after(path, "usr/") ?: path;
        const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
        if (streq(base, "liveupdate-restore"))
                s->boot->restore = true;
        look_for_systemd(s->boot, path, base);
        NextModule *m = module_at(s, path);
        if (!m)
                return 0;
        m->in_initrd = true;
        return type == MODE_FILE && streq(m->name, SHIM_MODULE) ? keep_module(s, e->size) : 0;
}

static int on_data(void *userdata, const void *data, size_t size) {
        InitrdScan *s = userdata;

        if (!s->in_module || size > s->module_size - s->n_module)
                return 0;
        memcpy(s->module + s->n_module, data, size);
        s->n_module += size;
        return 0;
}

InitrdScan initrd_scan_start(NextBoot *boot, const char *release) {
        return (InitrdScan){ .boot = boot, .release = release };
}

NewcSink initrd_scan_sink(InitrdScan *s) {
        return (NewcSink){ .entry = on_entry, .data = on_data, .userdata = s };
}

void initrd_scan_done(InitrdScan *s) {
        free(s->module);
        s->module = NULL;
}

bool initrd_scan_enough(const InitrdScan *s) {
        for (size_t i = 0; i < s->boot->n_modules; i++)
                if (!s->boot->modules[i].in_initrd)
                        return false;
        /* With the restore step in it, it does not matter what opens the device after that. */
        return s->boot->restore && (!s->module || s->n_module == s->module_size);
}

bool module_compatible(const void *data, size_t size, char ret[static SHIM_COMPATIBLE_SIZE]) {
        static const char key[] = SHIM_MODULE_INFO "=";
        const size_t n = sizeof(key) - 1;

        for (const char *p = data, *end = p + size; (p = memmem(p, (size_t)(end - p), key, n)); p++) {
                const char *value = p + n, *nul = memchr(value, '\0', (size_t)(end - value));

                if (p != data && p[-1] != '\0')
                        continue;
                if (!nul || nul == value || nul - value >= SHIM_COMPATIBLE_SIZE)
                        return false;
                memcpy(ret, value, (size_t)(nul - value) + 1);
                return true;
        }
        return false;
}
