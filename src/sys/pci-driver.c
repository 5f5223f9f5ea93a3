/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pci-driver.h"

#include "common/fd.h"

#include <fcntl.h>

int driver_place(const char *root, Address address, PciPlace *ret) {
        ret->root = root;
        address_format(address, ret->address);
        if ((size_t)snprintf(ret->path, sizeof(ret->path), "%s/sys/bus/pci/devices/%s", root, ret->address) >=
            sizeof(ret->path))
                return -ENAMETOOLONG;
        return access(ret->path, F_OK) == 0 ? 0 : -ENODEV;
}

static int write_file(const char *dir, const char *name, const char *text) {
        char path[PATH_MAX];

        if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path))
                return -ENAMETOOLONG;
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        return fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
}

void driver_read(const PciPlace *p, char buf[static DRIVER_NAME_SIZE]) {
        char path[PATH_MAX + 8], target[PATH_MAX];

        (void)snprintf(path, sizeof(path), "%s/driver", p->path);
        ssize_t n = readlink(path, target, sizeof(target) - 1);
        target[MAX_OF(n, 0)] = '\0';
        const char *slash = strrchr(target, '/');
        const char *name = slash ? slash + 1 : target;
        size_t length = MIN_OF(strlen(name), (size_t)DRIVER_NAME_SIZE - 1);
        memcpy(buf, name, length);
        buf[length] = '\0';
}

void driver_read_override(const PciPlace *p, char buf[static DRIVER_NAME_SIZE]) {
        _cleanup_free_ char *text = NULL;
        char path[PATH_MAX + 20];

        (void)snprintf(path, sizeof(path), "%s/driver_override", p->path);
        *buf = '\0';
        if (file_read_at(AT_FDCWD, path, 4096, &text, NULL) < 0)
                return;
        text[strcspn(text, "\n")] = '\0';
        if (!streq(text, "(null)"))
                (void)snprintf(buf, DRIVER_NAME_SIZE, "%s", text);
}

bool driver_is_vfio(const char *name) {
        size_t n = strlen(name);

        return n >= 8 && (streq(name + n - 8, "vfio-pci") || streq(name + n - 8, "vfio_pci"));
}

int driver_set_override(const PciPlace *p, const char *driver) {
        char line[DRIVER_NAME_SIZE + 16];

        /* An empty line forgets it. */
        (void)snprintf(line, sizeof(line), "%s\n", driver);
        return write_file(p->path, "driver_override", line);
}

int driver_unbind(const PciPlace *p) {
        return write_file(p->path, "driver/unbind", p->address);
}

int driver_probe(const PciPlace *p) {
        char bus[PATH_MAX];

        if ((size_t)snprintf(bus, sizeof(bus), "%s/sys/bus/pci", p->root) >= sizeof(bus))
                return -ENAMETOOLONG;
        return write_file(bus, "drivers_probe", p->address);
}
