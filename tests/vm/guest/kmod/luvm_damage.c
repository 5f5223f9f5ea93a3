// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tests: damages a record of the shim's early list on its way, in the new kernel and
 * before the shim is loaded. Loading it does it, and then fails on purpose (EAGAIN), so
 * that it can be done again: byte `offset` of the list becomes its exclusive or with
 * `flip`; with `seal` the sum of that record is made right again, so that what is wrong is
 * what it says. Records are as kernel-shim/README.md has them.
 */
#include <linux/io.h>
#include <linux/kexec_handover.h>
#include <linux/module.h>

#define RECORD_SIZE 64

static unsigned int offset;
module_param(offset, uint, 0);
static u8 flip;
module_param(flip, byte, 0);
static bool seal;
module_param(seal, bool, 0);

static void luvm_seal(u8 *record)
{
	u32 sum = 0x811c9dc5;
	int i;

	for (i = 0; i < RECORD_SIZE - 4; i++)
		sum = (sum ^ record[i]) * 0x01000193;
	memcpy(record + i, &sum, sizeof(sum));
}

static int __init luvm_init(void)
{
	phys_addr_t phys;
	size_t size;
	u8 *list;
	int err;

	err = kho_retrieve_subtree("liveupdated-vfio-pci-v1", &phys, &size);
	if (err)
		return err;
	if (offset >= size)
		return -ERANGE;
	list = phys_to_virt(phys);
	list[offset] ^= flip;
	if (seal)
		luvm_seal(list + offset / RECORD_SIZE * RECORD_SIZE);
	return -EAGAIN;
}
module_init(luvm_init);

MODULE_DESCRIPTION("Damages the list of preserved functions");
MODULE_LICENSE("GPL");
