/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vfio-hold.h"

#include "common/fd.h"
#include "modules.h"
#include "vfio-abi.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>

#define VFIO_DRIVER "vfio-pci"

typedef struct Place {
        char path[PATH_MAX]; /* of the function's directory */
        char address[ADDRESS_TEXT_SIZE];
} Place;

static int place_of(const HoldReal *h, Address address, Place *ret, Refusal *refusal) {
        address_format(address, ret->address);
        int n = snprintf(ret->path, sizeof(ret->path), "%s/sys/bus/pci/devices/%s", h->root, ret->address);
        if (n < 0 || (size_t)n >= sizeof(ret->path))
                return refuse_errno(refusal, -ENAMETOOLONG, ret->address, NULL);
        return access(ret->path, F_OK) == 0 ? 0 : refuse(refusal, REASON_NO_SUCH_DEVICE, ret->address, NULL);
}

static int write_file(const char *dir, const char *name, const char *text) {
        char path[PATH_MAX];

        if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path))
                return -ENAMETOOLONG;
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        return fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
}

/* "" where there is none. */
static void read_driver(const Place *p, char *buf, size_t size) {
        char path[PATH_MAX + 8], target[PATH_MAX];

        (void)snprintf(path, sizeof(path), "%s/driver", p->path);
        ssize_t n = readlink(path, target, sizeof(target) - 1);
        target[MAX_OF(n, 0)] = '\0';
        const char *slash = strrchr(target, '/');
        const char *name = slash ? slash + 1 : target;
        size_t length = MIN_OF(strlen(name), size - 1);
        memcpy(buf, name, length);
        buf[length] = '\0';
}

static void read_override(const Place *p, char *buf, size_t size) {
        _cleanup_free_ char *text = NULL;
        char path[PATH_MAX + 20];

        (void)snprintf(path, sizeof(path), "%s/driver_override", p->path);
        *buf = '\0';
        if (file_read_at(AT_FDCWD, path, 4096, &text, NULL) < 0)
                return;
        text[strcspn(text, "\n")] = '\0';
        if (!streq(text, "(null)"))
                (void)snprintf(buf, size, "%s", text);
}

static bool is_vfio(const char *driver) {
        size_t n = strlen(driver);

        return n >= 8 && (streq(driver + n - 8, "vfio-pci") || streq(driver + n - 8, "vfio_pci"));
}

/* Any driver that may take it does. */
static int probe(const HoldReal *h, const Place *p) {
        char bus[PATH_MAX];

        if ((size_t)snprintf(bus, sizeof(bus), "%s/sys/bus/pci", h->root) >= sizeof(bus))
                return -ENAMETOOLONG;
        return write_file(bus, "drivers_probe", p->address);
}

static int set_override(const Place *p, const char *driver) {
        char line[80];

        /* An empty line forgets it. */
        (void)snprintf(line, sizeof(line), "%s\n", driver);
        return write_file(p->path, "driver_override", line);
}

static void put_back(const HoldReal *h, const Place *p, const HoldDriver *before) {
        char now[64];

        read_driver(p, now, sizeof(now));
        if (*now && !streq(now, before->driver))
                (void)write_file(p->path, "driver/unbind", p->address);
        (void)set_override(p, before->override);
        if (*before->driver)
                (void)probe(h, p);
}

static int take(const HoldReal *h, const Place *p, const HoldDriver *before) {
        char now[64];

        int r = set_override(p, VFIO_DRIVER);
        if (r >= 0 && *before->driver)
                r = write_file(p->path, "driver/unbind", p->address);
        if (r >= 0)
                r = probe(h, p);
        if (r < 0)
                return r;
        read_driver(p, now, sizeof(now));
        return streq(now, VFIO_DRIVER) ? 0 : -ENXIO;
}

static int real_bind(void *self, Address address, bool rebind, HoldDriver *ret, Refusal *refusal) {
        const HoldReal *h = self;
        HoldDriver before = {};
        Place p;

        int r = place_of(h, address, &p, refusal);
        if (r < 0)
                return r;
        read_driver(&p, before.driver, sizeof(before.driver));
        if (is_vfio(before.driver)) {
                *ret = before;
                return 0;
        }
        if (*before.driver && !rebind)
                return refuse(refusal, REASON_DRIVER_IN_USE, p.address, "%s", before.driver);
        read_override(&p, before.override, sizeof(before.override));
        if (!*h->root)
                (void)modules_load(VFIO_DRIVER); /* if it is not there, the probe says so */
        before.changed = true;
        r = take(h, &p, &before);
        if (r < 0) {
                put_back(h, &p, &before);
                return refuse(refusal, REASON_NOT_VFIO_DRIVER, p.address, "binding it to " VFIO_DRIVER ": %s",
                              strerror(-r));
        }
        *ret = before;
        return 0;
}

static void real_unbind(void *self, Address address, const HoldDriver *before) {
        Place p;

        if (before->changed && place_of(self, address, &p, NULL) >= 0)
                put_back(self, &p, before);
}

/* "vfioN", or "noiommu-vfioN": the entry of vfio-dev that has a node. */
static int find_cdev(const Place *p, char *buf, size_t size) {
        char path[PATH_MAX + 300];
        struct dirent *e;
        int r = -ENOENT;

        (void)snprintf(path, sizeof(path), "%s/vfio-dev", p->path);
        DIR *dir = opendir(path);
        if (!dir)
                return -errno;
        while (r < 0 && (e = readdir(dir))) {
                if (e->d_name[0] == '.')
                        continue;
                (void)snprintf(path, sizeof(path), "%s/vfio-dev/%s/dev", p->path, e->d_name);
                if (access(path, F_OK) < 0)
                        continue;
                (void)snprintf(buf, size, "%s", e->d_name);
                r = 0;
        }
        (void)closedir(dir);
        return r;
}

static int real_open(void *self, Address address, int *ret_fd, Refusal *refusal) {
        const HoldReal *h = self;
        char name[256], path[PATH_MAX];
        Place p;

        int r = place_of(h, address, &p, refusal);
        if (r < 0)
                return r;
        if (find_cdev(&p, name, sizeof(name)) < 0)
                return refuse(refusal, REASON_NO_VFIO_CDEV, p.address, NULL);
        if ((size_t)snprintf(path, sizeof(path), "%s/dev/vfio/devices/%s", h->root, name) >= sizeof(path))
                return refuse_errno(refusal, -ENAMETOOLONG, p.address, NULL);
        int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return refuse_errno(refusal, -errno, p.address, path);
        *ret_fd = fd;
        return 0;
}

static int do_attach(int device_fd, int iommu_fd, bool translated, const char **ret_what) {
        struct vfio_abi_bind bind = { .argsz = sizeof(bind), .iommufd = iommu_fd };
        struct iommu_abi_ioas_alloc ioas = { .size = sizeof(ioas) };
        struct vfio_abi_attach attach = { .argsz = sizeof(attach) };

        *ret_what = "BIND_IOMMUFD";
        if (ioctl(device_fd, VFIO_ABI_BIND_IOMMUFD, &bind) < 0)
                return -errno;
        if (!translated)
                return 0;
        *ret_what = "IOAS_ALLOC";
        if (ioctl(iommu_fd, IOMMU_ABI_IOAS_ALLOC, &ioas) < 0)
                return -errno;
        attach.pt_id = ioas.out_ioas_id;
        *ret_what = "ATTACH_IOMMUFD_PT";
        return ioctl(device_fd, VFIO_ABI_ATTACH, &attach) < 0 ? -errno : 0;
}

static int real_attach(void *self, Address address, int device_fd, int *ret_iommu_fd, Refusal *refusal) {
        const HoldReal *h = self;
        _cleanup_close_ int fd = -1;
        char name[256] = "", path[PATH_MAX];
        const char *what;
        Place p;

        int r = place_of(h, address, &p, refusal);
        if (r < 0)
                return r;
        if ((size_t)snprintf(path, sizeof(path), "%s/dev/iommu", h->root) >= sizeof(path))
                return refuse_errno(refusal, -ENAMETOOLONG, p.address, NULL);
        fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return refuse_errno(refusal, -errno, p.address, path);
        /* VFIO's no-IOMMU mode says so in the name of the device. */
        (void)find_cdev(&p, name, sizeof(name));
        r = do_attach(device_fd, fd, strncmp(name, "noiommu-", strlen("noiommu-")) != 0, &what);
        if (r < 0)
                return refuse_errno(refusal, r, p.address, what);
        *ret_iommu_fd = TAKE_FD(fd);
        return 0;
}

static const HoldOps real_ops = {
        .bind = real_bind,
        .unbind = real_unbind,
        .open = real_open,
        .attach = real_attach,
};

HoldPort hold_real(HoldReal *h, const char *root) {
        *h = (HoldReal){ .root = root };
        return (HoldPort){ .ops = &real_ops, .self = h };
}
