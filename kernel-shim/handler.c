// SPDX-License-Identifier: GPL-2.0-only
/*
 * The LUO file handler for VFIO PCI device descriptors (cdev). A descriptor is carried as
 * the id of its function; what else the next kernel has to know is in the function's
 * record (early.c). Everything here runs in process context under luv_lock.
 *
 * What can be refused is refused in preserve; freeze checks again what may have changed
 * since, because reboot(2) then still can return.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/file.h>
#include <linux/liveupdate.h>
#include <linux/module.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>

#include "liveupdate_vfio.h"

struct luv_outgoing {
	struct luv_record *rec;
	struct pci_dev *pdev;
	u16 msi; /* Message Control before freeze, as is */
	u16 msix;
};

static int luv_check(struct file *file, enum luv_dma dma)
{
	struct vfio_device *vdev = luv_file_device(file);
	struct pci_dev *pdev = to_pci_dev(vdev->dev);

	if (!luv_file_bound(file))
		return -EBADFD;
	if (!pci_device_is_present(pdev))
		return -ENODEV;
	if (pdev->current_state != PCI_D0)
		return -EHOSTDOWN;
	if (pdev->is_virtfn && !luv_record_of(luv_id(pci_physfn(pdev))))
		return -ENODEV;
	return luv_dma_check(pdev, vdev->dev_set, dma);
}

/* Takes and drops everything that a preserved function needs, or nothing. */
static int luv_outgoing_add(struct luv_outgoing *out, struct pci_dev *pdev, enum luv_dma dma)
{
	int err = luv_vf_preserve(pdev);

	if (err)
		return err;
	out->rec = luv_record_new(pdev, dma);
	if (IS_ERR(out->rec)) {
		err = PTR_ERR(out->rec);
		goto out_vf;
	}
	err = pm_runtime_resume_and_get(&pdev->dev);
	if (err)
		goto out_record;
	out->pdev = pci_dev_get(pdev);
	return 0;

out_record:
	luv_record_free(out->rec);
out_vf:
	luv_vf_unpreserve(pdev);
	return err;
}

static bool luv_can_preserve(struct liveupdate_file_handler *handler, struct file *file)
{
	return luv_file_device(file);
}

static unsigned long luv_get_id(struct file *file)
{
	return (unsigned long)luv_file_device(file);
}

static int luv_preserve(struct liveupdate_file_op_args *args)
{
	struct pci_dev *pdev = to_pci_dev(luv_file_device(args->file)->dev);
	struct luv_outgoing *out;
	enum luv_dma dma;
	int err;

	guard(mutex)(&luv_lock);
	dma = luv_policy_get(luv_id(pdev));
	err = luv_check(args->file, dma);
	if (!err)
		err = luv_incoming_forget(luv_id(pdev));
	if (err)
		return err;
	out = kzalloc_obj(*out);
	if (!out)
		return -ENOMEM;
	err = luv_outgoing_add(out, pdev, dma);
	if (err) {
		kfree(out);
		return err;
	}
	args->serialized_data = luv_id(pdev);
	args->private_data = out;
	return 0;
}

static void luv_unpreserve(struct liveupdate_file_op_args *args)
{
	struct luv_outgoing *out = args->private_data;

	guard(mutex)(&luv_lock);
	luv_record_free(out->rec);
	luv_vf_unpreserve(out->pdev);
	pm_runtime_put(&out->pdev->dev);
	pci_dev_put(out->pdev);
	kfree(out);
}

/*
 * No interrupt may reach the next kernel before it has a handler. What MSI-X holds back
 * stays pending; the others are made up for by the user of the device.
 */
static void luv_mask_interrupts(struct luv_outgoing *out)
{
	struct pci_dev *pdev = out->pdev;

	if (pdev->msix_cap)
		pci_read_config_word(pdev, pdev->msix_cap + PCI_MSIX_FLAGS, &out->msix);
	if (pdev->msi_cap)
		pci_read_config_word(pdev, pdev->msi_cap + PCI_MSI_FLAGS, &out->msi);
	if (out->msix & PCI_MSIX_FLAGS_ENABLE)
		luv_write_bits(pdev, pdev->msix_cap + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_MASKALL,
			       PCI_MSIX_FLAGS_MASKALL);
	if (out->msi & PCI_MSI_FLAGS_ENABLE)
		luv_write_bits(pdev, pdev->msi_cap + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE, 0);
	luv_write_bits(pdev, PCI_COMMAND, PCI_COMMAND_INTX_DISABLE, PCI_COMMAND_INTX_DISABLE);
}

/* Every bit that freeze changes becomes what it was. */
static void luv_thaw(struct luv_outgoing *out)
{
	struct pci_dev *pdev = out->pdev;

	luv_write_bits(pdev, PCI_COMMAND, PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE,
		       out->rec->command);
	if (pdev->msi_cap)
		luv_write_bits(pdev, pdev->msi_cap + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE, out->msi);
	if (pdev->msix_cap)
		luv_write_bits(pdev, pdev->msix_cap + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_MASKALL,
			       out->msix);
}

static int luv_freeze(struct liveupdate_file_op_args *args)
{
	struct luv_outgoing *out = args->private_data;
	struct luv_record *rec = out->rec;
	int err;

	guard(mutex)(&luv_lock);
	err = luv_check(args->file, rec->dma);
	if (err)
		return err;

	pci_read_config_word(out->pdev, PCI_COMMAND, &rec->command);
	err = luv_dma_hold(out->pdev, rec);
	if (err)
		return err;
	luv_mask_interrupts(out);
	err = luv_dma_runs(rec) ? 0 : luv_dma_stop(out->pdev);
	if (err) {
		luv_dma_release(out->pdev, rec);
		luv_thaw(out);
		return err;
	}
	luv_record_seal(rec, out->pdev, LUV_FROZEN);
	return 0;
}

static void luv_unfreeze(struct liveupdate_file_op_args *args)
{
	struct luv_outgoing *out = args->private_data;

	guard(mutex)(&luv_lock);
	luv_dma_release(out->pdev, out->rec);
	luv_thaw(out);
	luv_record_seal(out->rec, out->pdev, LUV_PRESERVED);
}

static int luv_retrieve(struct liveupdate_file_op_args *args)
{
	unsigned long id = args->serialized_data;
	struct file *file = luv_incoming_retrieve(id);

	if (IS_ERR(file)) {
		pr_err("%04lx:%02lx:%02lx.%lx: no descriptor can be had (%pe)\n", id >> 16,
		       PCI_BUS_NUM(id), PCI_SLOT(id), PCI_FUNC(id), file);
		return PTR_ERR(file);
	}
	args->file = file;
	return 0;
}

/* A device in use has to be attached to its memory before that memory is let go. */
static bool luv_can_finish(struct liveupdate_file_op_args *args)
{
	return args->retrieve_status <= 0 || luv_file_bound(args->file);
}

static void luv_finish(struct liveupdate_file_op_args *args)
{
	luv_incoming_finish(args->serialized_data, args->retrieve_status > 0);
}

static const struct liveupdate_file_ops luv_file_ops = {
	.can_preserve = luv_can_preserve,
	.preserve = luv_preserve,
	.unpreserve = luv_unpreserve,
	.freeze = luv_freeze,
	.unfreeze = luv_unfreeze,
	.retrieve = luv_retrieve,
	.can_finish = luv_can_finish,
	.finish = luv_finish,
	.get_id = luv_get_id,
	.owner = THIS_MODULE,
};

static struct liveupdate_file_handler luv_handler = {
	.ops = &luv_file_ops,
	.compatible = LUV_ABI,
};

int luv_handler_register(void)
{
	return liveupdate_register_file_handler(&luv_handler);
}

void luv_handler_unregister(void)
{
	liveupdate_unregister_file_handler(&luv_handler);
}
