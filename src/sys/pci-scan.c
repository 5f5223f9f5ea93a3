/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libpci reports errors through a function that must not return (the default calls
 * exit(1), for a device that was just unplugged as well). Ours jumps back to where the
 * library was called: every call that can fail goes through guarded(), and nothing is
 * held across it that would be lost.
 *
 * The directory is read here, not by pci_scan_bus(), which gives up on all devices for
 * one entry that it does not understand, and keeps every device in memory twice.
 */
#include "pci-scan.h"

#include "pci-attributes.h"
#include "pci-config.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>

#include <pci/pci.h>

typedef struct Scanner {
        struct pci_access *access;
        int devices_fd;
        ModulesIndex *modules;
} Scanner;

typedef struct Device { /* a call into libpci, and what it gave */
        Scanner *scanner;
        Address address;
        struct pci_dev *dev;
        unsigned offset, size;
        void *buf;
        bool done;
} Device;

static _Thread_local jmp_buf *landing;

static void PCI_NONRET on_error(char *msg, ...) {
        if (!landing)
                abort();
        longjmp(*landing, 1);
}

static void on_warning(char *msg, ...) {
}

/* Whether call came back by itself. */
static bool guarded(void (*call)(void *userdata), void *userdata) {
        jmp_buf env;

        if (setjmp(env) != 0) {
                landing = NULL;
                return false;
        }
        landing = &env;
        call(userdata);
        landing = NULL;
        return true;
}

static void call_init(void *userdata) {
        Scanner *s = userdata;

        pci_init(s->access);
}

static void call_get(void *userdata) {
        Device *d = userdata;

        d->dev = pci_get_dev(d->scanner->access, (int)d->address.domain, d->address.bus, d->address.slot,
                             d->address.function);
}

static void call_fill(void *userdata) {
        Device *d = userdata;

        (void)pci_fill_info(d->dev, PCI_FILL_IDENT | PCI_FILL_CLASS | PCI_FILL_CLASS_EXT | PCI_FILL_SUBSYS);
}

static void call_read(void *userdata) {
        Device *d = userdata;

        d->done = pci_read_block(d->dev, (int)d->offset, d->buf, (int)d->size);
}

static bool device_read(void *userdata, unsigned offset, void *buf, unsigned size) {
        Device *d = userdata;

        d->offset = offset;
        d->buf = buf;
        d->size = size;
        d->done = false;
        return guarded(call_read, d) && d->done;
}

static void scanner_done(Scanner *s) {
        if (s->access)
                pci_cleanup(s->access);
        s->access = NULL;
        s->devices_fd = fd_close(s->devices_fd);
}

static int scanner_open(const char *root, ModulesIndex *modules, Scanner *ret) {
        _cleanup_(scanner_done) Scanner s = { .devices_fd = -1, .modules = modules };
        char path[PATH_MAX], name[] = "sysfs.path";

        if ((size_t)snprintf(path, sizeof(path), "%s/bus/pci/devices", root) >= sizeof(path))
                return -ENAMETOOLONG;
        s.devices_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (s.devices_fd < 0)
                return -errno;
        path[strlen(path) - strlen("/devices")] = '\0';
        s.access = pci_alloc();
        s.access->method = PCI_ACCESS_SYS_BUS_PCI;
        s.access->error = on_error;
        s.access->warning = on_warning;
        if (pci_set_param(s.access, name, path) < 0 || !guarded(call_init, &s))
                return -EOPNOTSUPP;
        *ret = s;
        s = (Scanner){ .devices_fd = -1 };
        return 0;
}

static int read_native(Scanner *s, int dir_fd, const ScanNotes *notes, Function *f) {
        _cleanup_free_ char *modalias = NULL;
        const char *driver;
        int r;

        if (!s->modules)
                return 0;
        r = attributes_read_modalias(dir_fd, notes, &modalias);
        if (r < 0 || !modalias)
                return r;
        r = modules_native(s->modules, modalias, &f->native, &driver);
        if (r < 0 || !driver)
                return r;
        f->native_driver = strdup(driver);
        return f->native_driver ? 0 : -ENOMEM;
}

static int read_config(Device *d, int dir_fd, const ScanNotes *notes, Function *f) {
        const char *problem = config_space_parse(&(ConfigReader){ device_read, d }, f);
        int r;

        if (!problem)
                return 0;
        r = scan_note(notes, "%s", problem);
        return r < 0 ? r : attributes_read_sriov(dir_fd, notes, f);
}

/* The kernel takes the attributes away with the device. */
static bool still_there(int dir_fd) {
        return faccessat(dir_fd, "vendor", F_OK, 0) == 0;
}

static int read_identity(Device *d, int dir_fd, const ScanNotes *notes, Function *f) {
        if (!guarded(call_fill, d)) {
                if (!still_there(dir_fd))
                        return -ENODEV;
                return scan_note(notes, "vendor, device or class cannot be read");
        }
        f->vendor = d->dev->vendor_id;
        f->device = d->dev->device_id;
        f->class_code = (uint32_t)d->dev->device_class << 8 | d->dev->prog_if;
        f->revision = d->dev->rev_id;
        f->subsystem_vendor = d->dev->subsys_vendor_id;
        f->subsystem_device = d->dev->subsys_id;
        if (f->vendor == 0 || f->vendor == 0xffff)
                return scan_note(notes, "its vendor is %04x, which is nobody's", f->vendor);
        return 0;
}

/* The identity comes last: if it can still be read, the function was there for all that
 * was read before. */
static int read_function(Device *d, int dir_fd, const ScanNotes *notes, Function *f) {
        int r = attributes_read(dir_fd, notes, f);

        if (r >= 0)
                r = read_native(d->scanner, dir_fd, notes, f);
        if (r >= 0)
                r = read_config(d, dir_fd, notes, f);
        if (r >= 0)
                r = read_identity(d, dir_fd, notes, f);
        return r;
}

static int refused_directory(const ScanNotes *notes, int error) {
        if (error == ENOENT || error == ENODEV)
                return -ENODEV;
        if (error == EMFILE || error == ENFILE || error == ENOMEM)
                return -error;
        return scan_note(notes, "its directory cannot be opened: %s", strerror(error));
}

/* Into the last function of t, which is new. -ENODEV if it is not, or no longer, there. */
static int scan_function(Scanner *s, Topology *t) {
        Function *f = &t->items[t->n - 1];
        Device d = { .scanner = s, .address = f->address };
        _cleanup_close_ int dir_fd = -1;
        ScanNotes notes = { .topology = t };
        int r;

        address_format(f->address, notes.address);
        dir_fd = openat(s->devices_fd, notes.address, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir_fd < 0)
                return refused_directory(&notes, errno);
        if (!guarded(call_get, &d))
                return -ENOMEM;
        r = read_function(&d, dir_fd, &notes, f);
        pci_free_dev(d.dev);
        return r;
}

static int scan_entry(Scanner *s, const char *name, Topology *t) {
        char canonical[ADDRESS_TEXT_SIZE];
        Address address;
        Function *f;
        int r;

        if (address_parse(name, &address) < 0)
                return topology_note(t, "\"%.64s\" is among the devices, but is no address.", name);
        address_format(address, canonical);
        if (!streq(canonical, name))
                return topology_note(t, "\"%.64s\" is among the devices, but not as the kernel would write it.", name);
        if (!topology_add(t, address))
                return -ENOMEM;
        r = scan_function(s, t);
        if (r != -ENODEV)
                return r;
        topology_remove(t, (uint32_t)(t->n - 1));
        f = topology_add(t, address);
        if (!f)
                return -ENOMEM;
        f->removed = true;
        return topology_note(t, "%s went away while it was looked at.", name);
}

int topology_scan(const char *sysfs_root, ModulesIndex *modules, Topology *ret) {
        _cleanup_(topology_done) Topology t = {};
        _cleanup_(scanner_done) Scanner s = { .devices_fd = -1 };
        struct dirent *e;
        DIR *dir;
        int fd, r;

        r = scanner_open(sysfs_root, modules, &s);
        if (r < 0)
                return r;
        fd = openat(s.devices_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        dir = fdopendir(fd);
        if (!dir) {
                fd_close(fd);
                return -ENOMEM;
        }
        for (errno = 0; r >= 0 && (e = readdir(dir)); errno = 0)
                if (e->d_name[0] != '.')
                        r = scan_entry(&s, e->d_name, &t);
        if (r >= 0)
                r = -errno;
        (void)closedir(dir);
        if (r >= 0)
                r = topology_link(&t);
        if (r < 0)
                return r;
        *ret = t;
        t = (Topology){};
        return 0;
}

int topology_scan_one(const char *sysfs_root, ModulesIndex *modules, Address address, Topology *t) {
        _cleanup_(scanner_done) Scanner s = { .devices_fd = -1 };
        uint32_t old = topology_find(t, address);
        int r;

        r = scanner_open(sysfs_root, modules, &s);
        if (r < 0)
                return r;
        if (!topology_add(t, address))
                return -ENOMEM;
        r = scan_function(&s, t);
        if (r < 0) /* the new one goes, and if the function is gone, the old one as well */
                topology_remove(t, (uint32_t)(t->n - 1));
        if (old != TOPOLOGY_NONE && (r >= 0 || r == -ENODEV))
                topology_remove(t, old);
        return MIN_OF(r, 0);
}

int config_read(const char *sysfs_root, Address address, uint8_t *buf, size_t size) {
        static const unsigned sizes[] = { CONFIG_SPACE_SIZE, CONFIG_SPACE_CONVENTIONAL, CONFIG_HEADER_SIZE };
        _cleanup_(scanner_done) Scanner s = { .devices_fd = -1 };
        Device d = { .scanner = &s, .address = address };
        char name[ADDRESS_TEXT_SIZE];
        int r;

        r = scanner_open(sysfs_root, NULL, &s);
        if (r < 0)
                return r;
        if (!guarded(call_get, &d))
                return -ENOMEM;
        r = -EIO;
        for (size_t i = 0; i < ELEMENTSOF(sizes) && r < 0; i++)
                if (sizes[i] <= size && device_read(&d, 0, buf, sizes[i]))
                        r = (int)sizes[i];
        pci_free_dev(d.dev);
        address_format(address, name);
        if (r < 0 && faccessat(s.devices_fd, name, F_OK, 0) < 0)
                return -ENODEV;
        return r;
}
