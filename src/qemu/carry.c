/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One function for each kind of option, in a table; an option that is not in it goes
 * along as it is.
 */
#include <ctype.h>

#include "carry.h"
#include "keyval.h"
#include "options.h"

#define DEFAULT_RAM_ID "liveupdate-ram"
#define MIB (UINT64_C(1) << 20)

typedef struct Carry {
        const CarryInput *in;
        Spec spec;
        char *type;       /* machine type as given */
        char *properties; /* of the machine, without type and memory-backend */
        char *backend;    /* id that the user named */
        char *agent_chardev;
        bool backend_seen;
        uint64_t backend_size;
} Carry;

static int refuse_option(const QemuOption *o, Problem *p, const char *code, const char *why) {
        return problem(p, code, "-%s %s cannot be carried along: %s", o->name, o->value ?: "", why);
}

static int keep(Carry *c, const QemuOption *o) {
        int r = o->name ? strv_addf(&c->spec.args, "-%s", o->name) : 0;

        if (r >= 0 && o->value)
                r = strv_add(&c->spec.args, o->value);
        return r;
}

static bool has_prefix(const char *s, const char *prefix) {
        return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* *ret: the value or "". */
static int get(const char *text, const char *implied, const char *key, char **ret) {
        free(*ret);
        *ret = NULL;
        int r = keyval_get(text, implied, key, ret);
        if (r >= 0 && !*ret) {
                *ret = strdup("");
                r = *ret ? 0 : -ENOMEM;
        }
        return r;
}

/* Disks. */

static int add_disk(Carry *c, const char *path) {
        /* "nbd://…", "json:…", "rbd:…": not a path that could be looked at. */
        const char *colon = strchr(path, ':'), *slash = strchr(path, '/');

        if (!*path || (colon && (!slash || colon < slash)))
                return 0;
        return spec_add_disk(&c->spec, path, 0);
}

static int on_drive(Carry *c, const QemuOption *o, Problem *p) {
        static const char *const keys[] = { "file", "file.filename", "filename" };
        _cleanup_free_ char *value = NULL;

        int r = get(o->value, NULL, "snapshot", &value);
        if (r < 0)
                return r;
        if (keyval_bool(value) == 1)
                return refuse_option(o, p, "snapshot", "what a snapshot holds is lost with the process");
        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                r = get(o->value, NULL, keys[i], &value);
                if (r >= 0)
                        r = add_disk(c, value);
                if (r < 0)
                        return r;
        }
        return keep(c, o);
}

static int on_image(Carry *c, const QemuOption *o, Problem *p) {
        int r = add_disk(c, o->value);
        return r < 0 ? r : keep(c, o);
}

/* Memory and machine. */

static int on_memory(Carry *c, const QemuOption *o, Problem *p) {
        _cleanup_free_ char *value = NULL;

        int r = get(o->value, "size", "maxmem", &value);
        if (r < 0)
                return r;
        if (*value)
                return refuse_option(o, p, "memory-hotplug",
                                     "memory that is plugged in later is not carried; leave maxmem= and slots= out");
        r = get(o->value, "size", "size", &value);
        if (r < 0)
                return r;
        if (*value && (keyval_size(value, MIB, &c->spec.ram_size) < 0 || c->spec.ram_size == 0))
                return refuse_option(o, p, "memory-size", "write the size as a whole number, with M or G");
        return 0;
}

static int on_machine(Carry *c, const QemuOption *o, Problem *p) {
        _cleanup_free_ char *type = NULL, *backend = NULL, *rest = NULL, *more = NULL;

        int r = keyval_get(o->value, "type", "type", &type);
        if (r >= 0)
                r = keyval_get(o->value, "type", "memory-backend", &backend);
        if (r >= 0)
                r = keyval_without(o->value, "type", "type", &rest);
        if (r >= 0)
                r = keyval_without(rest, NULL, "memory-backend", &more);
        if (r < 0)
                return r;
        if (type) {
                free(c->type);
                c->type = TAKE_PTR(type);
        }
        if (backend) {
                free(c->backend);
                c->backend = TAKE_PTR(backend);
        }
        if (!*more)
                return 0;
        char *joined;
        if (asprintf(&joined, "%s,%s", c->properties ?: "", more) < 0)
                return -ENOMEM;
        free(c->properties);
        c->properties = joined;
        return 0;
}

/* The memory backend is replaced by ours of the same name; one for something else, such
 * as a share with another process, cannot be. */
static int on_backend(Carry *c, const QemuOption *o, const char *kind, Problem *p) {
        _cleanup_free_ char *id = NULL, *value = NULL;

        int r = get(o->value, "qom-type", "id", &id);
        if (r < 0)
                return r;
        if (!streq(kind, "memory-backend-ram") && !streq(kind, "memory-backend-memfd"))
                return refuse_option(o, p, "memory-backend",
                                     "the memory has to be in a memfd of its own; use memory-backend-memfd, or none");
        r = get(o->value, "qom-type", "hugetlb", &value);
        if (r < 0)
                return r;
        if (keyval_bool(value) == 1)
                return refuse_option(o, p, "memory-hugepages", "the kernel does not preserve memfds on huge pages");
        if (c->backend_seen)
                return refuse_option(o, p, "memory-several", "one memory backend can be carried, not several");
        r = get(o->value, "qom-type", "size", &value);
        if (r < 0)
                return r;
        if (keyval_size(value, 1, &c->backend_size) < 0)
                return refuse_option(o, p, "memory-size", "write the size as a whole number, with M or G");
        c->backend_seen = true;
        free(c->spec.ram_id);
        c->spec.ram_id = TAKE_PTR(id);
        return 0;
}

static int on_object(Carry *c, const QemuOption *o, Problem *p) {
        static const char *const secret[] = { "sev-guest", "sev-snp-guest", "tdx-guest", "s390-pv-guest",
                                              "pef-guest" };
        _cleanup_free_ char *kind = NULL;

        if (o->value[0] == '{')
                return strstr(o->value, "memory-backend-")
                               ? refuse_option(o, p, "memory-backend", "write the memory backend as key=value")
                               : keep(c, o);
        int r = get(o->value, "qom-type", "qom-type", &kind);
        if (r < 0)
                return r;
        if (has_prefix(kind, "memory-backend-"))
                return on_backend(c, o, kind, p);
        for (size_t i = 0; i < ELEMENTSOF(secret); i++)
                if (streq(kind, secret[i]))
                        return refuse_option(o, p, "confidential",
                                             "QEMU cannot save the state of a confidential guest");
        return keep(c, o);
}

static int on_numa(Carry *c, const QemuOption *o, Problem *p) {
        _cleanup_free_ char *memdev = NULL;

        int r = get(o->value, "type", "memdev", &memdev);
        if (r < 0)
                return r;
        if (*memdev)
                return refuse_option(o, p, "memory-several",
                                     "memory is carried in one backend, not one for each node");
        return keep(c, o);
}

/* Backends. */

static int on_network(Carry *c, const QemuOption *o, Problem *p) {
        static const char *const outside[] = {
                "tap", "bridge", "vhost-user", "vhost-vdpa", "l2tpv3", "netmap", "vde"
        };
        _cleanup_free_ char *kind = NULL;

        int r = get(o->value, "type", "type", &kind);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(outside); i++)
                if (streq(kind, outside[i]) && !c->in->hook)
                        return refuse_option(
                                o, p, "network",
                                "it has to be made again in the new kernel; name a program that does (--hook)");
        return keep(c, o);
}

static int on_device(Carry *c, const QemuOption *o, Problem *p) {
        _cleanup_free_ char *driver = NULL, *name = NULL;

        if (o->value[0] == '{')
                return strstr(o->value, "vfio-") ? refuse_option(o, p, "vfio", "QEMU cannot save it yet") : keep(c, o);
        int r = get(o->value, "driver", "driver", &driver);
        if (r < 0)
                return r;
        if (has_prefix(driver, "vfio-"))
                return refuse_option(o, p, "vfio", "QEMU cannot save it yet; take it out before");
        if (has_prefix(driver, "vhost-"))
                return refuse_option(o, p, "vhost", "its state is in another process or in the kernel that ends");
        if (streq(driver, "ivshmem-plain") || streq(driver, "ivshmem-doorbell"))
                return refuse_option(o, p, "memory-backend", "shared memory of others is not carried");
        if (streq(driver, "pc-dimm") || streq(driver, "nvdimm") || has_prefix(driver, "virtio-mem") ||
            has_prefix(driver, "virtio-pmem"))
                return refuse_option(o, p, "memory-several", "memory is carried in one backend");
        r = get(o->value, "driver", "name", &name);
        if (r >= 0 && streq(name, "org.qemu.guest_agent.0"))
                r = get(o->value, "driver", "chardev", &c->agent_chardev);
        return r < 0 ? r : keep(c, o);
}

static int refuse_process(Carry *c, const QemuOption *o, Problem *p) {
        return refuse_option(o, p, "process",
                             "the process is started and kept by liveupdate-qemu; leave the option out");
}

static int refuse_snapshot(Carry *c, const QemuOption *o, Problem *p) {
        return refuse_option(o, p, "snapshot", "what a snapshot holds is lost with the process");
}

static int refuse_memory_path(Carry *c, const QemuOption *o, Problem *p) {
        return refuse_option(o, p, "memory-hugepages", "the memory has to be in a memfd of ordinary pages");
}

static int refuse_xen(Carry *c, const QemuOption *o, Problem *p) {
        return refuse_option(o, p, "xen", "Xen guests are not carried");
}

static int refuse_question(Carry *c, const QemuOption *o, Problem *p) {
        return problem(p, "process", "-%s runs no machine", o->name);
}

static int on_paused(Carry *c, const QemuOption *o, Problem *p) {
        c->spec.paused = true;
        return 0;
}

typedef struct Handler {
        const char *name;
        int (*handle)(Carry *c, const QemuOption *o, Problem *p);
} Handler;

static const Handler handlers[] = {
        { "M", on_machine },
        { "S", on_paused },
        { "blockdev", on_drive },
        { "cdrom", on_image },
        { "chroot", refuse_process },
        { "daemonize", refuse_process },
        { "device", on_device },
        { "drive", on_drive },
        { "h", refuse_question },
        { "hda", on_image },
        { "hdb", on_image },
        { "hdc", on_image },
        { "hdd", on_image },
        { "help", refuse_question },
        { "incoming", refuse_process },
        { "loadvm", refuse_snapshot },
        { "m", on_memory },
        { "machine", on_machine },
        { "mem-path", refuse_memory_path },
        { "mem-prealloc", refuse_memory_path },
        { "net", on_network },
        { "netdev", on_network },
        { "nic", on_network },
        { "numa", on_numa },
        { "object", on_object },
        { "preconfig", refuse_process },
        { "snapshot", refuse_snapshot },
        { "version", refuse_question },
        { "xen-attach", refuse_xen },
        { "xen-domid", refuse_xen },
};

static int on_option(Carry *c, const QemuOption *o, Problem *p) {
        if (!o->name)
                return on_image(c, o, p);
        for (size_t i = 0; i < ELEMENTSOF(handlers); i++)
                if (streq(handlers[i].name, o->name))
                        return handlers[i].handle(c, o, p);
        return keep(c, o);
}

static int walk(Carry *c, Problem *p) {
        QemuOption o;
        size_t at = 0;
        int r;

        while ((r = qemu_option_next(c->in->args, &at, &o)) > 0) {
                r = on_option(c, &o, p);
                if (r < 0)
                        return r;
        }
        return r < 0 ? problem(p, "command-line", "-%s wants a value", o.name) : 0;
}

/* What the whole line says. */

static int settle_memory(Carry *c, Problem *p) {
        Spec *s = &c->spec;

        if (c->backend && !c->backend_seen)
                return problem(p, "memory-backend",
                               "the machine's memory-backend=%s is not an object of this command line", c->backend);
        if (c->backend_seen && (!c->backend || !streq(c->backend, s->ram_id)))
                return problem(p, "memory-several", "the memory backend %s is not the machine's memory", s->ram_id);
        if (s->ram_size == 0)
                s->ram_size = c->backend_seen ? c->backend_size : 128 * MIB; /* QEMU's default */
        if (c->backend_seen && c->backend_size != s->ram_size)
                return problem(p, "memory-size", "the memory backend has %lu bytes, -m says %lu",
                               (unsigned long)c->backend_size, (unsigned long)s->ram_size);
        if (!s->ram_id)
                s->ram_id = strdup(DEFAULT_RAM_ID);
        return s->ram_id ? 0 : -ENOMEM;
}

static int settle_machine(Carry *c, Problem *p) {
        _cleanup_free_ char *pinned = NULL;

        int r = carry_pin_machine(c->in->machines, c->type, &pinned);
        if (r < 0)
                return r;
        if (!pinned)
                return problem(p, "machine-type", "%s has no versioned machine type '%s'", c->in->program,
                               c->type ?: "default");
        return asprintf(&c->spec.machine, "%s%s", pinned, c->properties ?: "") < 0 ? -ENOMEM : 0;
}

/* The path of the agent's chardev, if it is a socket that QEMU listens on. */
static int settle_agent(Carry *c) {
        _cleanup_free_ char *id = NULL, *server = NULL, *path = NULL;
        QemuOption o;
        size_t at = 0;

        while (!str_empty(c->agent_chardev) && qemu_option_next(c->in->args, &at, &o) > 0) {
                if (!o.name || !streq(o.name, "chardev"))
                        continue;
                int r = get(o.value, "backend", "id", &id);
                if (r >= 0)
                        r = get(o.value, "backend", "server", &server);
                if (r >= 0)
                        r = get(o.value, "backend", "path", &path);
                if (r < 0)
                        return r;
                if (streq(id, c->agent_chardev) && keyval_bool(server) == 1 && *path) {
                        c->spec.agent = TAKE_PTR(path);
                        return 0;
                }
        }
        return 0;
}

static int take_input(Carry *c) {
        Spec *s = &c->spec;

        s->name = strdup(c->in->name);
        s->program = strdup(c->in->program);
        s->version = strdup(c->in->version);
        s->directory = strdup(c->in->directory);
        if (c->in->hook)
                s->hook = strdup(c->in->hook);
        return s->name && s->program && s->version && s->directory && (!c->in->hook || s->hook) ? 0 : -ENOMEM;
}

int carry(const CarryInput *in, Spec *ret, Problem *p) {
        Carry c = { .in = in };

        int r = take_input(&c);
        if (r >= 0)
                r = walk(&c, p);
        if (r >= 0)
                r = settle_memory(&c, p);
        if (r >= 0)
                r = settle_machine(&c, p);
        if (r >= 0)
                r = settle_agent(&c);
        free(c.type);
        free(c.properties);
        free(c.backend);
        free(c.agent_chardev);
        if (r < 0) {
                spec_done(&c.spec);
                return r;
        }
        *ret = c.spec;
        return 0;
}

/* Machine types. Each line of the help is "NAME  description (alias of VERSIONED)" or
 * "VERSIONED  description (default)". */

static bool is_versioned(const char *name, size_t n) {
        /* "…-7.2": digits after the last dot and before it, after a dash. */
        while (n > 0 && isdigit((unsigned char)name[n - 1]))
                n--;
        if (n == 0 || name[n - 1] != '.')
                return false;
        size_t major = --n;
        while (n > 0 && isdigit((unsigned char)name[n - 1]))
                n--;
        return n < major && n > 0 && name[n - 1] == '-';
}

static char *alias_target(const char *line, size_t n) {
        static const char marker[] = "(alias of ";
        const char *at = memmem(line, n, marker, strlen(marker));

        if (!at)
                return NULL;
        at += strlen(marker);
        const char *end = memchr(at, ')', n - (size_t)(at - line));
        return end ? strndup(at, (size_t)(end - at)) : NULL;
}

int carry_pin_machine(const char *machines, const char *type, char **ret) {
        char *found = NULL;

        for (const char *line = machines, *end; *line && !found; line = *end ? end + 1 : end) {
                end = strchrnul(line, '\n');
                size_t n = (size_t)(end - line), name_n = strcspn(line, " \n");
                bool is_default = memmem(line, n, "(default)", 9);

                if (type ? strlen(type) != name_n || memcmp(line, type, name_n) != 0 : !is_default)
                        continue;
                found = is_versioned(line, name_n) ? strndup(line, name_n) : alias_target(line, n);
        }
        *ret = found;
        return 0;
}

static int version_parts(const char *s, unsigned long parts[3]) {
        for (size_t i = 0; i < 3; i++) {
                char *end;
                parts[i] = 0;
                if (i > 0 && *s != '.')
                        continue;
                s += i > 0;
                if (!isdigit((unsigned char)*s))
                        return -EINVAL;
                parts[i] = strtoul(s, &end, 10);
                s = end;
        }
        return *s ? -EINVAL : 0;
}

int carry_version_may_follow(const char *from, const char *to) {
        unsigned long a[3], b[3];

        if (version_parts(from, a) < 0 || version_parts(to, b) < 0)
                return -EINVAL;
        for (size_t i = 0; i < 3; i++)
                if (a[i] != b[i])
                        return b[i] > a[i];
        return 1;
}
