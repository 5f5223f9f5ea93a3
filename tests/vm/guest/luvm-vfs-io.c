/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VFIO, iommufd, LUO and sysfs for luvm-vfs. Debian's headers know neither the cdev
 * interface of VFIO nor iommufd: what is missing stands here as Linux 7.3 has it
 * (include/uapi/linux/vfio.h, iommufd.h).
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/types.h>
#include <linux/vfio.h>
#include <sys/mman.h>

#include "common/macro.h"
#include "luvm-vfs-io.h"
#include "sys/liveupdate-abi.h"

struct bind_iommufd {
        __u32 argsz, flags;
        __s32 iommufd;
        __u32 out_devid;
        __aligned_u64 token_uuid_ptr;
};

struct attach_pt {
        __u32 argsz, flags, pt_id, pasid;
};

struct ioas_alloc {
        __u32 size, flags, out_ioas_id;
};

struct ioas_map_file {
        __u32 size, flags, ioas_id;
        __s32 fd;
        __aligned_u64 start, length, iova;
};

struct ioas_get_pa {
        __u32 size, flags, ioas_id, reserved;
        __aligned_u64 iova, length, out_phys;
};

#define BIND_IOMMUFD _IO(VFIO_TYPE, VFIO_BASE + 18)
#define BIND_TOKEN 1U
#define ATTACH_PT _IO(VFIO_TYPE, VFIO_BASE + 19)
#define IOAS_ALLOC _IO(';', 0x81)
#define IOAS_MAP_FILE _IO(';', 0x8f)
#define IOAS_GET_PA _IO(';', 0x95)
#define MAP_FIXED_READ_WRITE 7U

static int result(int r) {
        return r < 0 ? -errno : r;
}

/* --- sysfs --------------------------------------------------------------------------- */

static int attribute(const char *address, const char *name, int flags) {
        char path[128];

        (void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", address, name);
        return result(open(path, flags | O_CLOEXEC));
}

uint32_t io_config(const char *address, unsigned offset) {
        _cleanup_close_ int fd = attribute(address, "config", O_RDONLY);
        uint32_t value;

        if (fd < 0 || pread(fd, &value, sizeof(value), (off_t)offset) != sizeof(value))
                return UINT32_MAX;
        return value;
}

unsigned io_capability(const char *address, uint8_t id) {
        unsigned at = io_config(address, 0x34) & 0xfc;

        for (unsigned n = 0; at >= 0x40 && n < 48; n++) {
                uint32_t header = io_config(address, at);

                if ((header & 0xff) == id)
                        return at;
                at = header >> 8 & 0xfc;
        }
        return 0;
}

unsigned io_extended_capability(const char *address, uint16_t id) {
        unsigned at = 0x100;

        for (unsigned n = 0; at >= 0x100 && n < 960; n++) {
                uint32_t header = io_config(address, at);

                if ((header & 0xffff) == id)
                        return at;
                at = header >> 20 & 0xffc;
        }
        return 0;
}

const char *io_bar0(const char *address) {
        static char line[80];
        _cleanup_close_ int fd = attribute(address, "resource", O_RDONLY);
        ssize_t n = fd < 0 ? 0 : read(fd, line, sizeof(line) - 1);

        line[n > 0 ? n : 0] = '\0';
        line[strcspn(line, "\n")] = '\0';
        return line;
}

int io_numvfs(const char *address, unsigned n) {
        _cleanup_close_ int fd = attribute(address, "sriov_numvfs", O_WRONLY);
        char text[16];
        int length = snprintf(text, sizeof(text), "%u", n);

        if (fd < 0)
                return fd;
        return write(fd, text, (size_t)length) < 0 ? -errno : 0;
}

int io_virtfn(const char *address, unsigned index, char ret[static 16]) {
        char path[128], target[128];
        ssize_t n;

        (void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/virtfn%u", address, index);
        n = readlink(path, target, sizeof(target) - 1);
        if (n < 0)
                return -errno;
        target[n] = '\0';
        (void)snprintf(ret, 16, "%.15s", strrchr(target, '/') + 1);
        return 0;
}

/* --- iommufd ------------------------------------------------------------------------- */

int io_iommu_open(void) {
        return result(open("/dev/iommu", O_RDWR | O_CLOEXEC));
}

int io_ioas(int iommu, uint32_t *ret_ioas) {
        struct ioas_alloc alloc = { .size = sizeof(alloc) };
        int r = result(ioctl(iommu, IOAS_ALLOC, &alloc));

        if (r >= 0)
                *ret_ioas = alloc.out_ioas_id;
        return r;
}

int io_map(int iommu, uint32_t ioas, int memory, size_t start, size_t size, uint64_t iova) {
        struct ioas_map_file map = {
                .size = sizeof(map),
                .flags = MAP_FIXED_READ_WRITE,
                .ioas_id = ioas,
                .fd = memory,
                .start = start,
                .length = size,
                .iova = iova,
        };

        return result(ioctl(iommu, IOAS_MAP_FILE, &map));
}

int io_phys(int iommu, uint32_t ioas, uint64_t iova, uint64_t *ret_phys) {
        struct ioas_get_pa get = { .size = sizeof(get), .ioas_id = ioas, .iova = iova, .length = 1 };
        int r = result(ioctl(iommu, IOAS_GET_PA, &get));

        if (r >= 0)
                *ret_phys = get.out_phys;
        return r;
}

/* --- VFIO ---------------------------------------------------------------------------- */

/* The cdev's name is that of the only directory below vfio-dev. udev is not asked:
 * devtmpfs has it as soon as sysfs. */
int io_open(const char *address) {
        char path[300];
        struct dirent *e;
        DIR *dir;
        int fd = -ENODEV;

        (void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev", address);
        dir = opendir(path);
        if (!dir)
                return -errno;
        while ((e = readdir(dir)) != NULL) {
                if (e->d_name[0] == '.')
                        continue;
                (void)snprintf(path, sizeof(path), "/dev/vfio/devices/%s", e->d_name);
                fd = result(open(path, O_RDWR | O_CLOEXEC));
                break;
        }
        (void)closedir(dir);
        return fd;
}

int io_bind(int fd, int iommu, const uint8_t token[16]) {
        struct bind_iommufd bind = {
                .argsz = sizeof(bind),
                .flags = token ? BIND_TOKEN : 0,
                .iommufd = iommu,
                .token_uuid_ptr = (uintptr_t)token,
        };

        return result(ioctl(fd, BIND_IOMMUFD, &bind));
}

int io_attach(int fd, uint32_t ioas) {
        struct attach_pt attach = { .argsz = sizeof(attach), .pt_id = ioas };

        return result(ioctl(fd, ATTACH_PT, &attach));
}

int io_reset(int fd) {
        return result(ioctl(fd, VFIO_DEVICE_RESET));
}

static int region(int fd, unsigned index, struct vfio_region_info *ret) {
        *ret = (struct vfio_region_info){ .argsz = sizeof(*ret), .index = index };
        return result(ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, ret));
}

int io_bus_master(int fd) {
        struct vfio_region_info config;
        uint16_t command;
        int r = region(fd, VFIO_PCI_CONFIG_REGION_INDEX, &config);

        if (r < 0)
                return r;
        if (pread(fd, &command, sizeof(command), (off_t)config.offset + 4) != sizeof(command))
                return -EIO;
        command |= 6;
        return pwrite(fd, &command, sizeof(command), (off_t)config.offset + 4) == sizeof(command) ? 0 : -EIO;
}

volatile uint8_t *io_map_bar0(int fd, size_t size) {
        struct vfio_region_info bar;
        void *p;

        if (region(fd, VFIO_PCI_BAR0_REGION_INDEX, &bar) < 0)
                return NULL;
        p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)bar.offset);
        return p == MAP_FAILED ? NULL : p;
}

int io_msix(int fd, int event) {
        char buffer[sizeof(struct vfio_irq_set) + sizeof(event)] = { 0 };
        struct vfio_irq_set *set = (struct vfio_irq_set *)buffer;

        set->argsz = sizeof(buffer);
        set->flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
        set->index = VFIO_PCI_MSIX_IRQ_INDEX;
        set->count = 1;
        memcpy(set->data, &event, sizeof(event));
        return result(ioctl(fd, VFIO_DEVICE_SET_IRQS, set));
}

/* The table is in BAR 0 of these controllers; its offset is in the capability. */
void io_msix_entry(int fd, const char *address, uint32_t *ret, size_t size) {
        unsigned at = io_config(address, io_capability(address, 0x11) + 4);
        struct vfio_region_info bar;

        memset(ret, 0, size);
        if ((at & 7) == 0 && region(fd, VFIO_PCI_BAR0_REGION_INDEX, &bar) >= 0)
                (void)!pread(fd, ret, size, (off_t)(bar.offset + (at & ~7U)));
}

/* --- LUO ----------------------------------------------------------------------------- */

int io_session(const char *name, bool create) {
        struct luo_abi_session session = { .size = sizeof(session), .fd = -1 };
        _cleanup_close_ int device = open(LUO_DEVICE_PATH, O_RDWR | O_CLOEXEC);

        if (device < 0)
                return -errno;
        (void)snprintf((char *)session.name, sizeof(session.name), "%s", name);
        if (ioctl(device, create ? LUO_IOC_CREATE_SESSION : LUO_IOC_RETRIEVE_SESSION, &session) < 0)
                return -errno;
        return session.fd;
}

int io_preserve(int session, uint64_t token, int fd) {
        struct luo_abi_fd preserve = { .size = sizeof(preserve), .fd = fd, .token = token };

        return result(ioctl(session, LUO_IOC_PRESERVE_FD, &preserve));
}

int io_retrieve(int session, uint64_t token) {
        struct luo_abi_fd retrieve = { .size = sizeof(retrieve), .fd = -1, .token = token };

        return ioctl(session, LUO_IOC_RETRIEVE_FD, &retrieve) < 0 ? -errno : retrieve.fd;
}

int io_finish(int session) {
        struct luo_abi_finish finish = { .size = sizeof(finish) };

        return result(ioctl(session, LUO_IOC_FINISH, &finish));
}
