// SPDX-License-Identifier: GPL-2.0-only
/*
 * Descriptors of VFIO devices: what a file is, whether it is in use, and how one is made
 * without anybody opening the device's node.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>

#include "liveupdate_vfio.h"

static const struct file_operations luv_no_fops = { .owner = THIS_MODULE };

/* The VFIO device of a descriptor that a device node, or our retrieve, gave; or NULL. */
struct vfio_device *luv_file_device(struct file *file)
{
	struct vfio_device *vdev;

	/* For VFIO's files alone i_cdev is what it says; a group's devices have none. */
	if (!vfio_file_is_valid(file) || vfio_file_is_group(file) || !file_inode(file)->i_cdev)
		return NULL;
	vdev = container_of(file_inode(file)->i_cdev, struct vfio_device, cdev);
	return dev_is_pci(vdev->dev) ? vdev : NULL;
}

/* Whether this very descriptor is bound: VFIO answers a read of nothing, or refuses. */
bool luv_file_bound(struct file *file)
{
	loff_t pos = 0;

	return !file->f_op->read(file, NULL, 0, &pos);
}

/*
 * A file of the device as if its node had been opened: with an inode that leads to its
 * cdev, so that it can be preserved again.
 */
struct file *luv_file_open(struct vfio_device *vdev)
{
	const struct file_operations *fops = vdev->cdev.ops;
	struct file *file;
	int err;

	file = anon_inode_create_getfile("[vfio-device]", fops, NULL, O_RDWR, NULL);
	if (IS_ERR(file))
		return file;
	file->f_mode |= FMODE_PREAD | FMODE_PWRITE;
	file_inode(file)->i_cdev = &vdev->cdev;
	err = fops->open(file_inode(file), file);
	if (!err)
		return file;

	/* There is nothing for its release to find. */
	replace_fops(file, fops_get(&luv_no_fops));
	fput(file);
	return ERR_PTR(err);
}
