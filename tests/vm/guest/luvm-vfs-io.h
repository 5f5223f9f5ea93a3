/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's side of luvm-vfs: VFIO, iommufd, LUO and sysfs, a call each. All return a
 * negative errno on failure. PCI functions are given by address.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- sysfs --- */

/* A word of 32 bits of configuration space as the device has it; all ones if there is
 * none. */
uint32_t io_config(const char *address, unsigned offset);
unsigned io_capability(const char *address, uint8_t id);
unsigned io_extended_capability(const char *address, uint16_t id);

/* The first line of its resources: where BAR 0 lies. */
const char *io_bar0(const char *address);

/* Writes the PF's sriov_numvfs. */
int io_numvfs(const char *address, unsigned n);

/* The address of a PF's VF; -ENOENT if there is no such device. */
int io_virtfn(const char *address, unsigned index, char ret[static 16]);

/* --- VFIO and iommufd --- */

int io_iommu_open(void);
int io_ioas(int iommu, uint32_t *ret_ioas);
int io_map(int iommu, uint32_t ioas, int memory, size_t start, size_t size, uint64_t iova);

/* Without an IOMMU: where a page of a mapping lies in memory. */
int io_phys(int iommu, uint32_t ioas, uint64_t iova, uint64_t *ret_phys);

int io_open(const char *address);
int io_bind(int fd, int iommu, const uint8_t token[16]); /* token may be NULL */
int io_attach(int fd, uint32_t ioas);
int io_reset(int fd);
int io_bus_master(int fd); /* Memory and Bus Master on */
volatile uint8_t *io_map_bar0(int fd, size_t size);
int io_msix(int fd, int event); /* vector 0 */
void io_msix_entry(int fd, const char *address, uint32_t *ret, size_t size);

/* --- LUO --- */

int io_session(const char *name, bool create);
int io_preserve(int session, uint64_t token, int fd);
int io_retrieve(int session, uint64_t token);
int io_finish(int session);
