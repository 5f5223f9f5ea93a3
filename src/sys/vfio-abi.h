/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The few calls on VFIO devices and iommufds that the daemon makes, as they are in Linux
 * 7.3 (include/uapi/linux/vfio.h, include/uapi/linux/iommufd.h): distributions whose
 * headers are older than these calls can build the daemon, too.
 */
#pragma once

#include <stdint.h>
#include <sys/ioctl.h>

struct vfio_abi_bind {
        uint32_t argsz;
        uint32_t flags;
        int32_t iommufd;
        uint32_t out_devid;
        uint64_t token_uuid_ptr __attribute__((aligned(8)));
};
#define VFIO_ABI_BIND_IOMMUFD _IO(';', 100 + 18)

struct vfio_abi_attach {
        uint32_t argsz;
        uint32_t flags;
        uint32_t pt_id;
        uint32_t pasid;
};
#define VFIO_ABI_ATTACH _IO(';', 100 + 19)

struct iommu_abi_ioas_alloc {
        uint32_t size;
        uint32_t flags;
        uint32_t out_ioas_id;
};
#define IOMMU_ABI_IOAS_ALLOC _IO(';', 0x81)
