/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vfio-hold.h"

#include "common/fd.h"
#include "modules.h"
#include "pci-driver.h"
#include "vfio-abi.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>

static int place_of(const HoldReal *h, Address address, PciPlace *ret, Refusal *refusal) {
        int r = driver_place(h->root, address, ret);

        return r == -ENODEV ? refuse(refusal, REASON_NO_SUCH_DEVICE, ret->address, NULL)
               : r < 0      ? refuse_errno(refusal, r, ret->address, NULL)
                            : 0;
}

static void put_back(const PciPlace *p, const HoldDriver *before) {
        char now[DRIVER_NAME_SIZE];

        driver_read(p, now);
        if (*now && !streq(now, before->driver))
                (void)driver_unbind(p);
        (void)driver_set_override(p, before->override);
        if (*before->driver)
                (void)driver_probe(p);
}

static int take(const PciPlace *p, const HoldDriver *before) {
        char now[DRIVER_NAME_SIZE];

        int r = driver_set_override(p, VFIO_DRIVER);
        if (r >= 0 && *before->driver)
                r = driver_unbind(p);
        if (r >= 0)
                r = driver_probe(p);
        if (r < 0)
                return r;
        driver_read(p, now);
        return streq(now, VFIO_DRIVER) ? 0 : -ENXIO;
}

static int real_bind(void *self, Address address, bool rebind, HoldDriver *ret, Refusal *refusal) {
        const HoldReal *h = self;
        HoldDriver before = {};
        PciPlace p;

        int r = place_of(h, address, &p, refusal);
        if (r < 0)
                return r;
        driver_read(&p, before.driver);
        if (driver_is_vfio(before.driver)) {
                *ret = before;
                return 0;
        }
        if (*before.driver && !rebind)
                return refuse(refusal, REASON_DRIVER_IN_USE, p.address, "%s", before.driver);
        driver_read_override(&p, before.override);
        if (!*h->root)
                (void)modules_load(VFIO_DRIVER); /* if it is not there, the probe says so */
        before.changed = true;
        r = take(&p, &before);
        if (r < 0) {
                put_back(&p, &before);
                return refuse(refusal, REASON_NOT_VFIO_DRIVER, p.address, "binding it to " VFIO_DRIVER ": %s",
                              strerror(-r));
        }
        *ret = before;
        return 0;
}

static void real_unbind(void *self, Address address, const HoldDriver *before) {
        PciPlace p;

        if (before->changed && place_of(self, address, &p, NULL) >= 0)
                put_back(&p, before);
}

/* "vfioN", or "noiommu-vfioN": the entry of vfio-dev that has a node. */
static int find_cdev(const PciPlace *p, char *buf, size_t size) {
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
        PciPlace p;

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
        PciPlace p;

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
