// SPDX-License-Identifier: GPL-2.0-only
/*
 * liveupdate_vfio: VFIO PCI devices through a live update. See README.md. This file is
 * the ladder of what is set up and taken down; it goes up as far as it can before the
 * handler is registered, because from then on descriptors may be asked for.
 */
#include <linux/init.h>
#include <linux/module.h>

#include "liveupdate_vfio.h"

#define LUV_MOST_FUNCTIONS 16384

unsigned int luv_max_functions = 1024;
module_param_named(max_functions, luv_max_functions, uint, 0444);
MODULE_PARM_DESC(max_functions,
		 "How many functions can be preserved at a time (1024; at most 16384)");

DEFINE_MUTEX(luv_lock); /* the lists, the policies and the rules of the filter */

static int __init luv_init(void)
{
	int err;

	if (!luv_max_functions || luv_max_functions > LUV_MOST_FUNCTIONS)
		return -EINVAL;

	err = luv_incoming_init();
	if (err)
		goto out_incoming;
	err = luv_sysfs_init();
	if (err)
		goto out_incoming;
	err = luv_handler_register();
	if (err)
		goto out_sysfs;
	return 0;

out_sysfs:
	luv_sysfs_exit();
out_incoming:
	luv_incoming_exit();
	luv_filter_exit();
	luv_policy_exit();
	return err;
}
module_init(luv_init);

static void __exit luv_exit(void)
{
	luv_handler_unregister();
	luv_sysfs_exit();
	luv_early_wipe();
	luv_incoming_exit();
	luv_filter_exit();
	luv_policy_exit();
}
module_exit(luv_exit);

MODULE_DESCRIPTION("VFIO PCI devices through a live update");
MODULE_AUTHOR("The liveupdated project");
MODULE_LICENSE("GPL");
/* The next kernel's module can be asked for its ABI without being loaded. */
MODULE_INFO(liveupdate_compatible, LUV_ABI);
/* Also: a handler of the kernel's own registers first, and then is asked first. */
MODULE_SOFTDEP("pre: vfio-pci");
