// SPDX-License-Identifier: GPL-2.0-only
/*
 * The DMA policy of a function: what the operator chose, whether it may be followed, and
 * what it means for Bus Master. `stop` is the default: Bus Master goes off in freeze, is
 * verified off, and is held off until the descriptor is back with its user. `continue`
 * holds it on for the function and for every bridge above it, through both kernels.
 *
 * Why not the cold-boot flow: that clears Bus Master at shutdown and when VFIO opens the
 * device, and packets are lost; or, for `stop`, anything may set it again before the
 * memory that the device would write to is mapped.
 *
 * While kernels change, nothing translates. A function behind a translating IOMMU would
 * use its IO virtual addresses as physical ones, so `continue` is refused there.
 */
#include <linux/iommu.h>
#include <linux/xarray.h>

#include "liveupdate_vfio.h"

static DEFINE_XARRAY(luv_policies); /* id to the value of enum luv_dma */
static unsigned int luv_policies_set;

static const char *const luv_policy_words[LUV_DMAS] = {
	[LUV_STOP] = "stop",
	[LUV_CONTINUE] = "continue",
	[LUV_IDENTITY] = "continue-identity",
};

enum luv_dma luv_policy_get(unsigned long id)
{
	void *entry = xa_load(&luv_policies, id);

	return entry ? xa_to_value(entry) : LUV_STOP;
}

/**
 * luv_policy_set - choose the policy of a function
 * @id: the function
 * @word: one of the words above, or "default"
 *
 * Return: 0, -EINVAL no such word, -EBUSY the function is preserved, -ENODEV there is no
 * such function, -ENOSPC as many policies as functions are set, -ENOMEM
 */
int luv_policy_set(unsigned long id, const char *word)
{
	int dma = match_string(luv_policy_words, LUV_DMAS, word);
	struct pci_dev *pdev;
	void *old;

	if (dma < 0 && strcmp(word, "default"))
		return -EINVAL;

	guard(mutex)(&luv_lock);
	if (luv_record_of(id))
		return -EBUSY;
	if (dma < 0) {
		if (xa_erase(&luv_policies, id))
			luv_policies_set--;
		return 0;
	}

	pdev = pci_get_domain_bus_and_slot(id >> 16, PCI_BUS_NUM(id), id & 0xff);
	if (!pdev)
		return -ENODEV;
	pci_dev_put(pdev);
	if (luv_policies_set >= luv_max_functions && !xa_load(&luv_policies, id))
		return -ENOSPC;
	old = xa_store(&luv_policies, id, xa_mk_value(dma), GFP_KERNEL);
	if (!xa_is_err(old) && !old)
		luv_policies_set++;
	return xa_err(old);
}

void luv_policy_exit(void)
{
	xa_destroy(&luv_policies);
}

void luv_policy_list(struct luv_window *w)
{
	unsigned long id;
	void *entry;

	xa_for_each(&luv_policies, id, entry)
		luv_list_line(w, false, id, "%s\n", luv_policy_words[xa_to_value(entry)]);
}

/**
 * luv_dma_check - whether a policy may be followed
 * @pdev: the function
 * @set: its VFIO device set, whose lock keeps the IOMMU domain
 * @dma: the policy
 *
 * Return: 0 or -EPERM, with a line in the log
 */
int luv_dma_check(struct pci_dev *pdev, struct vfio_device_set *set, enum luv_dma dma)
{
	struct iommu_domain *domain;

	if (dma == LUV_STOP)
		return 0;

	guard(mutex)(&set->lock);
	domain = iommu_get_domain_for_dev(&pdev->dev);
	if (!domain)
		return 0;
	/* VFIO's own domain cannot be looked through: the operator vouches for it. */
	if (dma == LUV_IDENTITY && iommu_default_passthrough()) {
		pci_notice(pdev, "DMA continues without isolation while kernels change\n");
		return 0;
	}
	pci_err(pdev, "DMA cannot continue: an IOMMU domain is in use\n");
	return -EPERM;
}

/* Whether Bus Master is to be on: that it is to be kept does not mean that it is set. */
bool luv_dma_runs(const struct luv_record *rec)
{
	return rec->dma != LUV_STOP && (rec->command & PCI_COMMAND_MASTER);
}

static void luv_dma_release_path(struct pci_dev *pdev, struct pci_dev *end)
{
	for (; pdev != end; pdev = pci_upstream_bridge(pdev))
		luv_filter_drop(pdev, PCI_COMMAND, PCI_COMMAND_MASTER, PCI_COMMAND_MASTER);
}

/**
 * luv_dma_hold - have the filter keep Bus Master as the record says
 * @pdev: the function
 * @rec: its record
 *
 * Return: 0; -EIO if a bridge above does not pass what is to continue; -ENOMEM
 */
int luv_dma_hold(struct pci_dev *pdev, const struct luv_record *rec)
{
	struct pci_dev *p;
	u16 command;
	int err;

	if (!luv_dma_runs(rec))
		return luv_filter_hold(pdev, PCI_COMMAND, PCI_COMMAND_MASTER, 0, "dma-stop");

	for (p = pdev; p; p = pci_upstream_bridge(p)) {
		pci_read_config_word(p, PCI_COMMAND, &command);
		err = command & PCI_COMMAND_MASTER ? 0 : -EIO;
		if (!err)
			err = luv_filter_hold(p, PCI_COMMAND, PCI_COMMAND_MASTER,
					      PCI_COMMAND_MASTER, "dma-continue");
		if (err) {
			pci_err(p, "Bus Master cannot be kept on (%d)\n", err);
			luv_dma_release_path(pdev, p);
			return err;
		}
	}
	return 0;
}

void luv_dma_release(struct pci_dev *pdev, const struct luv_record *rec)
{
	if (luv_dma_runs(rec))
		luv_dma_release_path(pdev, NULL);
	else
		luv_filter_drop(pdev, PCI_COMMAND, PCI_COMMAND_MASTER, 0);
}

/* Only where nothing needs the bits that are not in @mask to be written back as ones. */
void luv_write_bits(struct pci_dev *pdev, int where, u16 mask, u16 value)
{
	u16 old;

	pci_read_config_word(pdev, where, &old);
	if ((old ^ value) & mask)
		pci_write_config_word(pdev, where, (old & ~mask) | (value & mask));
}

/* Turns Bus Master off. The read also has writes of the device that were under way done. */
int luv_dma_stop(struct pci_dev *pdev)
{
	u16 command;

	luv_write_bits(pdev, PCI_COMMAND, PCI_COMMAND_MASTER, 0);
	pci_read_config_word(pdev, PCI_COMMAND, &command);
	if (!(command & PCI_COMMAND_MASTER))
		return 0;
	pci_err(pdev, "Bus Master does not go off\n");
	return -EIO;
}

/* A function of which nothing but the address is known, unless a driver has it. */
void luv_dma_quiet(unsigned long id)
{
	struct pci_dev *pdev = pci_get_domain_bus_and_slot(id >> 16, PCI_BUS_NUM(id), id & 0xff);

	u16 command;

	if (pdev && !READ_ONCE(pdev->dev.driver)) {
		pci_read_config_word(pdev, PCI_COMMAND, &command);
		if (command & PCI_COMMAND_MASTER)
			pci_warn(pdev, "without a valid record: Bus Master goes off\n");
		luv_dma_stop(pdev);
	}
	pci_dev_put(pdev);
}
