/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From nodes to files, as the kernel's drivers/pci/pci-sysfs.c and iov.c lay them out. */
#include "sysfs-internal.h"

#include "common/fd.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <sys/stat.h>

enum { PATH_SIZE = 1024 };

void make_directories(int fd, const char *path) {
        char buf[PATH_SIZE];

        MUST((size_t)snprintf(buf, sizeof(buf), "%s/", path) < sizeof(buf));
        for (char *p = strchr(buf, '/'); p; p = strchr(p + 1, '/')) {
                *p = '\0';
                MUST(mkdirat(fd, buf, 0700) == 0 || errno == EEXIST);
                *p = '/';
        }
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

void remove_tree(const char *path) {
        MUST(nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT);
}

/* FNV-1a, 64 bits. */
static uint64_t hash_bytes(const void *data, size_t size) {
        uint64_t h = UINT64_C(0xcbf29ce484222325) ^ size;

        for (size_t i = 0; i < size; i++)
                h = (h ^ ((const uint8_t *)data)[i]) * UINT64_C(0x100000001b3);
        return h;
}

static void create_file(int fd, const char *name, const void *data, size_t size) {
        _cleanup_close_ int file = openat(fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

        MUST(file >= 0 && fd_write_all(file, data, size) >= 0);
}

/* name does not exist. */
static void put_bytes(SysfsTree *t, int fd, const char *name, const void *data, size_t size) {
        char pooled[24];

        (void)snprintf(pooled, sizeof(pooled), "%016llx", (unsigned long long)hash_bytes(data, size));
        if (linkat(t->pool_fd, pooled, fd, name, 0) == 0)
                return;
        if (errno == ENOENT) {
                create_file(t->pool_fd, pooled, data, size);
                if (linkat(t->pool_fd, pooled, fd, name, 0) == 0)
                        return;
        }
        create_file(fd, name, data, size); /* too many names, or a file system without links */
}

static void _printf_(4, 5) put_text(SysfsTree *t, int fd, const char *name, const char *format, ...) {
        char text[2048];
        va_list ap;

        va_start(ap, format);
        MUST((size_t)vsnprintf(text, sizeof(text), format, ap) < sizeof(text));
        va_end(ap);
        put_bytes(t, fd, name, text, strlen(text));
}

static void _printf_(3, 4) put_link(int fd, const char *name, const char *format, ...) {
        char target[PATH_SIZE];
        va_list ap;

        va_start(ap, format);
        MUST((size_t)vsnprintf(target, sizeof(target), format, ap) < sizeof(target));
        va_end(ap);
        MUST(symlinkat(target, fd, name) == 0);
}

/* Below the root: "devices/pci0000:00/0000:00:01.0/…". */
static void node_path(const SysfsNode *n, char buf[static PATH_SIZE]) {
        char name[ADDRESS_TEXT_SIZE];
        size_t used;

        if (n->host) {
                (void)snprintf(buf, PATH_SIZE, "devices/pci%04x:%02x", n->address.domain, n->secondary);
                return;
        }
        node_path(n->parent, buf);
        address_format(n->address, name);
        used = strlen(buf);
        MUST((size_t)snprintf(buf + used, PATH_SIZE - used, "/%s", name) < PATH_SIZE - used);
}

/* From a node's directory up to the root. */
static const char *to_root(const SysfsNode *n, char buf[static PATH_SIZE]) {
        *buf = '\0';
        for (size_t used = 0; n; n = n->parent, used += 3)
                MUST((size_t)snprintf(buf + used, PATH_SIZE - used, "../") < PATH_SIZE - used);
        strcat(buf, ".."); /* devices/ */
        return buf;
}

static int open_node(const SysfsNode *n) {
        char path[PATH_SIZE];
        int fd;

        node_path(n, path);
        fd = openat(n->tree->root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        MUST(fd >= 0);
        return fd;
}

/* ---- one function ---- */

static void put_config(SysfsNode *n, int fd) {
        uint8_t config[4096];
        size_t size = sysfs_config(n, config);

        put_bytes(n->tree, fd, "config", config, size);
}

static void put_identity(SysfsNode *n, int fd) {
        SysfsTree *t = n->tree;

        put_text(t, fd, "vendor", "0x%04x\n", n->vendor);
        put_text(t, fd, "device", "0x%04x\n", n->device);
        put_text(t, fd, "subsystem_vendor", "0x%04x\n", n->subsystem_vendor);
        put_text(t, fd, "subsystem_device", "0x%04x\n", n->subsystem_device);
        put_text(t, fd, "class", "0x%06x\n", n->class_code);
        put_text(t, fd, "revision", "0x01\n");
        put_text(t, fd, "modalias", "pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X\n", n->vendor, n->device,
                 n->subsystem_vendor, n->subsystem_device, n->class_code >> 16, n->class_code >> 8 & 0xff,
                 n->class_code & 0xff);
}

/* Six BARs, the ROM, six for SR-IOV, and four windows of a bridge. */
static void put_resource(SysfsNode *n, int fd) {
        char text[2048] = "";
        unsigned lines = n->port != PORT_NONE ? 17 : 13;

        for (unsigned i = 0; i < lines; i++)
                (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "0x%016x 0x%016x 0x%016x\n",
                               i == 0 ? 0xfe000000 : 0, i == 0 ? 0xfe003fff : 0, i == 0 ? 0x40200 : 0);
        put_text(n->tree, fd, "resource", "%s", text);
}

static void put_state(SysfsNode *n, int fd) {
        SysfsTree *t = n->tree;

        put_text(t, fd, "irq", "%u\n", n->msi_on || n->msix_on ? 24 : 0);
        put_text(t, fd, "numa_node", "%d\n", n->numa_node);
        put_text(t, fd, "enable", "1\n");
        if (n->power_state)
                put_text(t, fd, "power_state", "%s\n", n->power_state);
        put_text(t, fd, "driver_override", "%s\n", n->driver_override ? n->driver_override : "(null)");
        if (n->reset_method)
                put_text(t, fd, "reset_method", "%s\n", n->reset_method);
        if (!n->sriov)
                return;
        put_text(t, fd, "sriov_totalvfs", "%u\n", n->total_vfs);
        put_text(t, fd, "sriov_numvfs", "%u\n", n->n_vfs);
        put_text(t, fd, "sriov_offset", "%u\n", n->vf_offset);
        put_text(t, fd, "sriov_stride", "%u\n", n->vf_stride);
}

static void put_driver(SysfsNode *n, int fd) {
        char up[PATH_SIZE], path[PATH_SIZE];

        if (!n->driver)
                return;
        (void)snprintf(path, sizeof(path), "bus/pci/drivers/%s", n->driver);
        MUST(mkdirat(n->tree->root_fd, path, 0700) == 0 || errno == EEXIST);
        put_link(fd, "driver", "%s/%s", to_root(n, up), path);
        if (!n->vfio)
                return;
        (void)snprintf(path, sizeof(path), "vfio-dev/%s", n->vfio);
        make_directories(fd, path);
        (void)snprintf(path, sizeof(path), "vfio-dev/%s/dev", n->vfio);
        put_text(n->tree, fd, path, "511:0\n");
}

static void put_group(SysfsNode *n, int fd, const char *name) {
        char up[PATH_SIZE], path[PATH_SIZE], device[PATH_SIZE];
        _cleanup_close_ int group = -1, devices = -1;

        if (n->group < 0)
                return;
        (void)snprintf(path, sizeof(path), "kernel/iommu_groups/%d", n->group);
        make_directories(n->tree->root_fd, path);
        put_link(fd, "iommu_group", "%s/%s", to_root(n, up), path);
        group = openat(n->tree->root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        MUST(group >= 0);
        if (faccessat(group, "type", F_OK, 0) < 0)
                put_text(n->tree, group, "type", "%s\n", n->group_type ? n->group_type : "DMA-FQ");
        MUST(mkdirat(group, "devices", 0700) == 0 || errno == EEXIST);
        devices = openat(group, "devices", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        MUST(devices >= 0);
        node_path(n, device);
        MUST(unlinkat(devices, name, 0) == 0 || errno == ENOENT);
        put_link(devices, name, "../../../../%s", device);
}

static void put_virtual(SysfsNode *n, int fd, const char *name) {
        char pf[ADDRESS_TEXT_SIZE], link[32];
        _cleanup_close_ int pf_fd = -1;

        if (!n->pf)
                return;
        address_format(n->pf->address, pf);
        put_link(fd, "physfn", "../%s", pf);
        pf_fd = open_node(n->pf);
        (void)snprintf(link, sizeof(link), "virtfn%u", n->vf_index);
        MUST(unlinkat(pf_fd, link, 0) == 0 || errno == ENOENT);
        put_link(pf_fd, link, "../%s", name);
}

void write_node(SysfsNode *n) {
        char path[PATH_SIZE], name[ADDRESS_TEXT_SIZE], up[PATH_SIZE];
        _cleanup_close_ int fd = -1, devices = -1;

        node_path(n, path);
        MUST(mkdirat(n->tree->root_fd, path, 0700) == 0);
        if (n->host)
                return;
        fd = open_node(n);
        address_format(n->address, name);
        put_link(fd, "subsystem", "%s/bus/pci", to_root(n, up));
        put_identity(n, fd);
        put_resource(n, fd);
        put_state(n, fd);
        put_config(n, fd);
        put_driver(n, fd);
        put_group(n, fd, name);
        put_virtual(n, fd, name);
        devices = openat(n->tree->root_fd, "bus/pci/devices", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        MUST(devices >= 0);
        MUST(unlinkat(devices, name, 0) == 0 || errno == ENOENT);
        put_link(devices, name, "../../../%s", path);
}

/* ---- changes ---- */

static void drop(int fd, const char *attribute) {
        MUST(unlinkat(fd, attribute, 0) == 0 || errno == ENOENT || errno == EISDIR);
        MUST(unlinkat(fd, attribute, AT_REMOVEDIR) == 0 || errno == ENOENT);
}

void sysfs_set_bytes(SysfsNode *n, const char *attribute, const void *data, size_t size) {
        _cleanup_close_ int fd = open_node(n);

        drop(fd, attribute);
        create_file(fd, attribute, data, size);
}

void sysfs_set(SysfsNode *n, const char *attribute, const char *value) {
        sysfs_set_bytes(n, attribute, value, strlen(value));
}

void sysfs_set_link(SysfsNode *n, const char *attribute, const char *target) {
        _cleanup_close_ int fd = open_node(n);

        drop(fd, attribute);
        put_link(fd, attribute, "%s", target);
}

void sysfs_set_group_type(SysfsNode *n, const void *data, size_t size) {
        char path[PATH_SIZE];

        (void)snprintf(path, sizeof(path), "kernel/iommu_groups/%d/type", n->group);
        drop(n->tree->root_fd, path);
        create_file(n->tree->root_fd, path, data, size);
}

/* A directory can be opened for reading, and read(2) says EISDIR. */
void sysfs_make_unreadable(SysfsNode *n, const char *attribute) {
        _cleanup_close_ int fd = open_node(n);

        drop(fd, attribute);
        MUST(mkdirat(fd, attribute, 0700) == 0);
}

void sysfs_unset(SysfsNode *n, const char *attribute) {
        _cleanup_close_ int fd = open_node(n);

        drop(fd, attribute);
}

void sysfs_write_config(SysfsNode *n) {
        _cleanup_close_ int fd = open_node(n);

        drop(fd, "config");
        put_config(n, fd);
}

static void unlink_bus(SysfsNode *n) {
        char path[PATH_SIZE], name[ADDRESS_TEXT_SIZE];

        address_format(n->address, name);
        (void)snprintf(path, sizeof(path), "bus/pci/devices/%s", name);
        MUST(unlinkat(n->tree->root_fd, path, 0) == 0 || errno == ENOENT);
        for (SysfsNode *child = n->children; child; child = child->next)
                unlink_bus(child);
}

void sysfs_unplug(SysfsNode *n, bool leave_link) {
        char path[PATH_SIZE], full[2 * PATH_SIZE];

        node_path(n, path);
        (void)snprintf(full, sizeof(full), "%s/%s", n->tree->root, path);
        remove_tree(full);
        if (!leave_link)
                unlink_bus(n);
}

void sysfs_plug(SysfsNode *n) {
        write_node(n);
        for (SysfsNode *child = n->children; child; child = child->next)
                sysfs_plug(child);
}

void sysfs_add_entry(SysfsTree *t, const char *name) {
        char path[PATH_SIZE];

        MUST((size_t)snprintf(path, sizeof(path), "bus/pci/devices/%s", name) < sizeof(path));
        create_file(t->root_fd, path, "", 0);
}
