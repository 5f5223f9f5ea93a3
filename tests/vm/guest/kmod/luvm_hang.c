// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tests: a module whose loading takes `seconds`, in which nothing can stop it, and then
 * fails.
 */
#include <linux/delay.h>
#include <linux/module.h>

static unsigned int seconds = 20;
module_param(seconds, uint, 0444);
MODULE_PARM_DESC(seconds, "How long it takes (20)");

static int __init luvm_hang_init(void)
{
	msleep(seconds * 1000);
	return -ENODEV;
}
module_init(luvm_hang_init);

MODULE_DESCRIPTION("A module that hangs, for tests");
MODULE_AUTHOR("The liveupdated project");
MODULE_LICENSE("GPL");
