// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tests: a LUO file handler for descriptors of its own device, /dev/luvm-freeze, whose
 * freeze fails on demand: with -freeze_error of /sys/module/luvm_freeze/parameters, if that
 * is not 0. Beside devices and memfds in a session it shows what a rollback leaves behind.
 * `freezes` and `unfreezes` count. Nothing comes back in the next kernel, where the module
 * must be loaded, too.
 */
#include <linux/fs.h>
#include <linux/liveupdate.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

static int freeze_error;
module_param(freeze_error, int, 0644);
MODULE_PARM_DESC(freeze_error, "The error number that freeze fails with, or 0");

static int freezes;
module_param(freezes, int, 0444);
MODULE_PARM_DESC(freezes, "How often something was frozen, or failed to be");

static int unfreezes;
module_param(unfreezes, int, 0444);
MODULE_PARM_DESC(unfreezes, "How often something was unfrozen");

static const struct file_operations luvm_fops = {
	.owner = THIS_MODULE,
};

static struct miscdevice luvm_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "luvm-freeze",
	.fops = &luvm_fops,
};

static bool luvm_can_preserve(struct liveupdate_file_handler *handler, struct file *file)
{
	return file->f_op == &luvm_fops;
}

static int luvm_preserve(struct liveupdate_file_op_args *args)
{
	args->serialized_data = 1;
	return 0;
}

static void luvm_unpreserve(struct liveupdate_file_op_args *args)
{
}

static int luvm_freeze(struct liveupdate_file_op_args *args)
{
	freezes++;
	return -freeze_error;
}

static void luvm_unfreeze(struct liveupdate_file_op_args *args)
{
	unfreezes++;
}

static int luvm_retrieve(struct liveupdate_file_op_args *args)
{
	return -EOPNOTSUPP;
}

static void luvm_finish(struct liveupdate_file_op_args *args)
{
}

static const struct liveupdate_file_ops luvm_ops = {
	.can_preserve = luvm_can_preserve,
	.preserve = luvm_preserve,
	.unpreserve = luvm_unpreserve,
	.freeze = luvm_freeze,
	.unfreeze = luvm_unfreeze,
	.retrieve = luvm_retrieve,
	.finish = luvm_finish,
	.owner = THIS_MODULE,
};

static struct liveupdate_file_handler luvm_handler = {
	.ops = &luvm_ops,
	.compatible = "luvm-freeze-v1",
};

static int __init luvm_init(void)
{
	int err = misc_register(&luvm_device);

	if (err)
		return err;
	err = liveupdate_register_file_handler(&luvm_handler);
	if (err)
		misc_deregister(&luvm_device);
	return err;
}
module_init(luvm_init);

static void __exit luvm_exit(void)
{
	liveupdate_unregister_file_handler(&luvm_handler);
	misc_deregister(&luvm_device);
}
module_exit(luvm_exit);

MODULE_DESCRIPTION("A LUO file handler whose freeze fails on demand");
MODULE_LICENSE("GPL");
