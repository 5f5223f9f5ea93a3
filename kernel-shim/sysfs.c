// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/liveupdate_vfio: what the module is and does, and the DMA policies. The
 * lists are binary attributes, because an ordinary one ends at a page.
 */
#include <linux/kobject.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "liveupdate_vfio.h"

static struct kobject *luv_kobj;

static ssize_t luv_read(struct file *file, struct kobject *kobj, const struct bin_attribute *attr,
			char *buf, loff_t off, size_t count)
{
	struct luv_window w = { .buf = buf, .start = off, .end = off + count };
	void (*list)(struct luv_window *) = attr->private;

	scoped_guard(mutex, &luv_lock)
		list(&w);
	return clamp(w.at - w.start, 0, (loff_t)count);
}

static ssize_t luv_policy_write(struct file *file, struct kobject *kobj,
				const struct bin_attribute *attr, char *buf, loff_t off,
				size_t count)
{
	unsigned int domain, bus, slot, func;
	char line[64], word[20];
	int end = 0, err;

	if (off || count >= sizeof(line))
		return -EINVAL;
	memcpy(line, buf, count);
	line[count] = '\0';
	if (sscanf(line, "%8x:%2x:%2x.%1x %19s %n", &domain, &bus, &slot, &func, word, &end) != 5 ||
	    end != count || slot > 0x1f || func > 7)
		return -EINVAL;
	err = luv_policy_set((unsigned long)domain << 16 | PCI_DEVID(bus, PCI_DEVFN(slot, func)),
			     word);
	return err ?: count;
}

#define LUV_LIST(_name, _mode, _write, _list)                            \
	static const struct bin_attribute bin_attr_##_name = {           \
		.attr = { .name = __stringify(_name), .mode = (_mode) }, \
		.read = luv_read,                                        \
		.write = (_write),                                       \
		.private = (_list),                                      \
	}

LUV_LIST(policy, 0600, luv_policy_write, luv_policy_list);
LUV_LIST(outgoing, 0400, NULL, luv_record_list);
LUV_LIST(incoming, 0400, NULL, luv_incoming_list);
LUV_LIST(held, 0400, NULL, luv_filter_list);

static ssize_t compatible_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, LUV_ABI "\n");
}

static ssize_t features_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "vfio dma-continue%s\n", luv_vf_supported() ? " vf" : "");
}

static struct kobj_attribute compatible_attr = __ATTR_RO_MODE(compatible, 0400);
static struct kobj_attribute features_attr = __ATTR_RO_MODE(features, 0400);

static const struct attribute *const luv_attrs[] = {
	&compatible_attr.attr,
	&features_attr.attr,
	NULL,
};

static const struct bin_attribute *const luv_bin_attrs[] = {
	&bin_attr_policy, &bin_attr_outgoing, &bin_attr_incoming, &bin_attr_held, NULL,
};

static const struct attribute_group luv_group = {
	.attrs_const = luv_attrs,
	.bin_attrs = luv_bin_attrs,
};

int luv_sysfs_init(void)
{
	int err;

	luv_kobj = kobject_create_and_add("liveupdate_vfio", kernel_kobj);
	if (!luv_kobj)
		return -ENOMEM;
	err = sysfs_create_group(luv_kobj, &luv_group);
	if (err)
		kobject_put(luv_kobj);
	return err;
}

void luv_sysfs_exit(void)
{
	sysfs_remove_group(luv_kobj, &luv_group);
	kobject_put(luv_kobj);
}
