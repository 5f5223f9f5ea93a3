// SPDX-License-Identifier: GPL-2.0-only
/*
 * What came in: each function of the early list from the moment it is seen until FINISH.
 * It is seen when the module loads or, a VF at its adoption or a device that is plugged
 * in later, when it is added to the bus; in any case before a driver can probe it. From
 * then on
 *
 * - only the driver that had it binds (driver_override), so no native driver probes it;
 * - nothing resets it: it has no reset methods, and PCI_DEV_FLAGS_NO_BUS_RESET keeps the
 *   bus or slot reset away that VFIO does when the last user of a bus closes;
 * - it stays in D0 (a runtime PM usage count), else its idle state may lose all;
 * - Bus Master stays as it was handed over (dma.c);
 * - nobody opens it before its descriptor was retrieved: the VFIO device's operations are
 *   replaced by copies that refuse, from the end of its driver's probe.
 *
 * The module cannot be removed while a function is not finished.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/pm_runtime.h>
#include <linux/reboot.h>
#include <linux/slab.h>
#include <linux/vfio_pci_core.h>
#include <linux/xarray.h>

#include "liveupdate_vfio.h"

struct luv_incoming {
	struct luv_record rec;
	enum luv_state state;
	bool held; /* by the filter */
	struct pci_dev *pdev; /* while it is there and is the right one */
	char driver[sizeof_field(struct luv_record, driver)];
	struct vfio_device *gated; /* its VFIO device, while that refuses */
	struct file *file; /* retrieved; the reference is LUO's */
	u8 reset_methods[PCI_NUM_RESET_METHODS];
	pci_dev_flags_t flags;
};

/* Operations of a VFIO driver, refusing. Kept: somebody may just be reading them. */
struct luv_gate {
	struct vfio_device_ops ops;
	const struct vfio_device_ops *orig;
	struct list_head node;
};

static DEFINE_XARRAY(luv_incoming);
static LIST_HEAD(luv_gates);

static int luv_gate_bind(struct vfio_device *vdev, struct iommufd_ctx *ictx, u32 *id)
{
	return -EBUSY;
}

static int luv_gate_open(struct vfio_device *vdev)
{
	return -EBUSY;
}

static struct luv_gate *luv_gate_for(const struct vfio_device_ops *orig)
{
	struct luv_gate *gate;

	list_for_each_entry(gate, &luv_gates, node)
		if (gate->orig == orig)
			return gate;
	gate = kzalloc_obj(*gate);
	if (!gate)
		return NULL;
	gate->ops = *orig;
	gate->ops.bind_iommufd = luv_gate_bind;
	gate->ops.open_device = luv_gate_open;
	gate->orig = orig;
	list_add(&gate->node, &luv_gates);
	return gate;
}

static int luv_gate_close(struct luv_incoming *in, struct vfio_device *vdev)
{
	struct luv_gate *gate = luv_gate_for(vdev->ops);

	if (!gate)
		return -ENOMEM;
	guard(mutex)(&vdev->dev_set->lock);
	if (vdev->open_count)
		return -EBUSY;
	WRITE_ONCE(vdev->ops, &gate->ops);
	in->gated = vdev;
	return 0;
}

static void luv_gate_lift(struct luv_incoming *in)
{
	struct vfio_device *vdev = in->gated;

	if (!vdev)
		return;
	guard(mutex)(&vdev->dev_set->lock);
	WRITE_ONCE(vdev->ops, container_of(vdev->ops, struct luv_gate, ops)->orig);
	in->gated = NULL;
}

static void luv_incoming_release(struct luv_incoming *in)
{
	if (in->held)
		luv_dma_release(in->pdev, &in->rec);
	in->held = false;
}

/* Bus Master off, unless a driver has the function that it was not meant for. */
static void luv_incoming_quiet(struct luv_incoming *in)
{
	if (!in->pdev)
		return;
	luv_incoming_release(in);
	if (in->gated || !in->driver[0])
		luv_dma_stop(in->pdev);
}

static int luv_is_vfio(struct device *dev, const void *data)
{
	return dev->class && !strcmp(dev->class->name, "vfio-dev");
}

/*
 * A driver has it. Unless that is a VFIO driver whose device nobody uses yet, the
 * function is lost for its descriptor and is left to that driver. The caller holds the
 * device's lock.
 */
static bool luv_incoming_bound(struct luv_incoming *in, struct pci_dev *pdev)
{
	struct device *child;
	int err = -ENODEV;

	strscpy(in->driver, pdev->dev.driver->name);
	child = device_find_child(&pdev->dev, NULL, luv_is_vfio);
	if (child) {
		err = luv_gate_close(in, container_of(child, struct vfio_device, device));
		put_device(child);
	}
	if (!err)
		return true;
	pci_err(pdev, "lost for its descriptor: bound to %s (%d)\n", in->driver, err);
	in->state = LUV_FAILED;
	return false;
}

static void luv_incoming_seen(struct luv_incoming *in, struct pci_dev *pdev)
{
	if (in->pdev || in->state != LUV_MISSING)
		return;
	if (!luv_record_matches(&in->rec, pdev)) {
		pci_err(pdev, "not the function that was handed over, left alone\n");
		in->state = LUV_MISMATCH;
		return;
	}
	if (pdev->dev.driver && !luv_incoming_bound(in, pdev))
		return;

	in->pdev = pci_dev_get(pdev);
	in->state = LUV_WAITING;
	pm_runtime_get_sync(&pdev->dev);
	memcpy(in->reset_methods, pdev->reset_methods, sizeof(in->reset_methods));
	memset(pdev->reset_methods, 0, sizeof(pdev->reset_methods));
	in->flags = pdev->dev_flags & PCI_DEV_FLAGS_NO_BUS_RESET;
	pdev->dev_flags |= PCI_DEV_FLAGS_NO_BUS_RESET;
	if (device_set_driver_override(&pdev->dev, in->rec.driver))
		pci_err(pdev, "any driver may bind: no memory\n");
	if (!luv_dma_runs(&in->rec))
		luv_dma_stop(pdev);
	in->held = !luv_dma_hold(pdev, &in->rec);
	if (!luv_record_vfs_kept(&in->rec, pdev))
		pci_warn(pdev, "its VFs were not kept\n");
}

/* Takes back what luv_incoming_seen() did, but for the override of the driver. */
static void luv_incoming_leave(struct luv_incoming *in)
{
	struct pci_dev *pdev = in->pdev;

	if (!pdev)
		return;
	luv_gate_lift(in);
	luv_incoming_release(in);
	if (!pdev->reset_methods[0])
		memcpy(pdev->reset_methods, in->reset_methods, sizeof(in->reset_methods));
	if (!in->flags)
		pdev->dev_flags &= ~PCI_DEV_FLAGS_NO_BUS_RESET;
	pm_runtime_put(&pdev->dev);
	in->pdev = NULL;
	pci_dev_put(pdev);
}

static struct luv_incoming *luv_incoming_unfinished(struct pci_dev *pdev)
{
	struct luv_incoming *in = xa_load(&luv_incoming, luv_id(pdev));

	return in && in->state != LUV_FINISHED ? in : NULL;
}

static int luv_incoming_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	struct pci_dev *pdev = to_pci_dev(data);
	struct luv_incoming *in;

	guard(mutex)(&luv_lock);
	in = luv_incoming_unfinished(pdev);
	if (!in)
		return NOTIFY_DONE;
	if (action == BUS_NOTIFY_ADD_DEVICE) {
		luv_incoming_seen(in, pdev);
	} else if (in->pdev != pdev) {
		return NOTIFY_DONE;
	} else if (action == BUS_NOTIFY_BOUND_DRIVER) {
		if (in->state == LUV_WAITING && !luv_incoming_bound(in, pdev))
			luv_incoming_leave(in);
	} else if (action == BUS_NOTIFY_UNBIND_DRIVER) {
		luv_gate_lift(in);
		in->driver[0] = '\0';
	} else if (action == BUS_NOTIFY_DEL_DEVICE) {
		/* Should it come back, then without its state. */
		luv_incoming_leave(in);
		in->state = LUV_FAILED;
	}
	return NOTIFY_DONE;
}

static struct notifier_block luv_bus_nb = { .notifier_call = luv_incoming_notify };

/*
 * A function that is not finished when the kernel changes again is not handed over: its
 * Bus Master goes off at shutdown like any other's.
 */
static int luv_incoming_reboot(struct notifier_block *nb, unsigned long action, void *data)
{
	struct luv_incoming *in;
	unsigned long id;

	guard(mutex)(&luv_lock);
	xa_for_each(&luv_incoming, id, in)
		luv_incoming_release(in);
	return NOTIFY_DONE;
}

static struct notifier_block luv_reboot_nb = { .notifier_call = luv_incoming_reboot };

static int luv_incoming_add(const struct luv_record *rec)
{
	struct luv_incoming *in = kzalloc_obj(*in);
	int err;

	if (!in)
		return -ENOMEM;
	in->rec = *rec;
	in->state = LUV_MISSING;
	err = xa_insert(&luv_incoming, luv_record_id(rec), in, GFP_KERNEL);
	if (err)
		kfree(in);
	else
		__module_get(THIS_MODULE);
	return err;
}

/* A VF without a device that does not exist any more: what comes at its address is new. */
static void luv_incoming_lost(unsigned long id)
{
	struct luv_incoming *in;

	guard(mutex)(&luv_lock);
	in = xa_load(&luv_incoming, id);
	if (in && in->state == LUV_MISSING)
		in->state = LUV_FAILED;
}

int luv_incoming_init(void)
{
	struct luv_incoming *in;
	struct pci_dev *pdev;
	unsigned long id;
	int err;

	luv_early_read(luv_incoming_add);
	register_reboot_notifier(&luv_reboot_nb);
	err = bus_register_notifier(&pci_bus_type, &luv_bus_nb);
	if (err)
		return err;

	xa_for_each(&luv_incoming, id, in) {
		if (in->rec.kind == LUV_VF && !luv_vf_kept(id)) {
			pr_err("VF %04lx:%02lx:%02lx.%lx was not kept, its state is lost\n",
			       id >> 16, PCI_BUS_NUM(id), PCI_SLOT(id), PCI_FUNC(id));
			luv_incoming_lost(id);
			continue;
		}
		pdev = pci_get_domain_bus_and_slot(id >> 16, PCI_BUS_NUM(id), id & 0xff);
		if (!pdev)
			continue;
		scoped_guard(device, &pdev->dev)
			scoped_guard(mutex, &luv_lock)
				luv_incoming_seen(in, pdev);
		/* Its driver may have been loaded before it was told to take it. */
		if (in->pdev && device_attach(&pdev->dev) < 0)
			pci_warn(pdev, "its driver does not bind\n");
		pci_dev_put(pdev);
	}
	return 0;
}

/* All are finished, or the module's init failed and they are left alone. */
void luv_incoming_exit(void)
{
	struct luv_gate *gate, *tmp;
	struct luv_incoming *in;
	unsigned long id;

	unregister_reboot_notifier(&luv_reboot_nb);
	bus_unregister_notifier(&pci_bus_type, &luv_bus_nb);
	scoped_guard(mutex, &luv_lock)
		xa_for_each(&luv_incoming, id, in) {
			luv_incoming_leave(in);
			kfree(in);
		}
	xa_destroy(&luv_incoming);

	/* A task may have read vdev->ops and be on its way into one of ours. */
	synchronize_rcu_tasks();
	list_for_each_entry_safe(gate, tmp, &luv_gates, node)
		kfree(gate);
}

static struct file *luv_incoming_open(struct luv_incoming *in, struct pci_dev *pdev)
{
	struct file *file;

	if (in->state == LUV_MISMATCH)
		return ERR_PTR(-ENXIO);
	if (in->state == LUV_FAILED && in->driver[0])
		return ERR_PTR(-EBUSY);
	if (in->pdev != pdev || !in->gated)
		return ERR_PTR(-ENODEV);

	file = luv_file_open(in->gated);
	if (IS_ERR(file))
		return file;
	luv_gate_lift(in);
	/* Behind an IOMMU nothing is mapped from BIND to ATTACH: then its user turns it on. */
	if (in->rec.dma != LUV_CONTINUE || !luv_dma_runs(&in->rec))
		luv_incoming_release(in);
	if (in->rec.dma == LUV_IDENTITY)
		luv_dma_stop(pdev);
	in->file = file;
	in->state = LUV_RETRIEVED;
	return file;
}

/**
 * luv_incoming_retrieve - the descriptor of a function that came in
 * @id: the function
 *
 * Return: the file, or an error after which the function is quiet: -EBADMSG no valid
 * record, -ENODEV it is not there or has no VFIO driver, -ENXIO it is another one,
 * -EBUSY somebody else has it
 */
struct file *luv_incoming_retrieve(unsigned long id)
{
	struct luv_incoming *in;
	struct pci_dev *pdev;
	struct file *file;

	pdev = pci_get_domain_bus_and_slot(id >> 16, PCI_BUS_NUM(id), id & 0xff);
	if (pdev)
		device_lock(&pdev->dev);
	mutex_lock(&luv_lock);
	in = xa_load(&luv_incoming, id);
	file = ERR_PTR(-EBADMSG);
	if (in && in->state != LUV_FINISHED)
		file = pdev ? luv_incoming_open(in, pdev) : ERR_PTR(-ENODEV);
	if (IS_ERR(file) && in) {
		if (in->state == LUV_WAITING)
			in->state = LUV_FAILED;
		luv_incoming_quiet(in);
	}
	mutex_unlock(&luv_lock);
	if (pdev)
		device_unlock(&pdev->dev);
	pci_dev_put(pdev);
	if (!in)
		luv_dma_quiet(id);
	return file;
}

/*
 * VFIO opened the device without a reset and with Bus Master perhaps held on. When it is
 * closed at last it must be reset again where that is possible, and the configuration
 * that is written back then must not turn Bus Master on.
 */
static void luv_incoming_settle(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = dev_get_drvdata(&pdev->dev);

	guard(mutex)(&core->vdev.dev_set->lock);
	guard(rwsem_write)(&core->memory_lock);
	core->reset_works = pdev->reset_methods[0];
	if (!core->pci_saved_state || pci_load_and_free_saved_state(pdev, &core->pci_saved_state))
		return;
	pdev->saved_config_space[PCI_COMMAND / 4] &= ~PCI_COMMAND_MASTER;
	core->pci_saved_state = pci_store_saved_state(pdev);
	pdev->state_saved = false;
}

/**
 * luv_incoming_finish - a function is the kernel's again, like any other
 * @id: the function
 * @retrieved: its descriptor is with a user; else Bus Master goes off, because the memory
 *	       that it uses is freed next
 */
void luv_incoming_finish(unsigned long id, bool retrieved)
{
	struct luv_incoming *in;
	struct pci_dev *pdev;
	bool locked;

	mutex_lock(&luv_lock);
	in = xa_load(&luv_incoming, id);
	if (!in || in->state == LUV_FINISHED) {
		mutex_unlock(&luv_lock);
		luv_dma_quiet(id);
		return;
	}

	pdev = in->pdev ? pci_dev_get(in->pdev) : NULL;
	if (!retrieved)
		luv_incoming_quiet(in);
	/* If it is being unbound just now, that waits for us, and VFIO's state is to go. */
	locked = retrieved && pdev && device_trylock(&pdev->dev);
	luv_incoming_leave(in);
	if (locked) {
		luv_incoming_settle(pdev);
		device_unlock(&pdev->dev);
	}
	in->file = NULL;
	in->state = LUV_FINISHED;
	mutex_unlock(&luv_lock);

	if (pdev)
		luv_vf_quiet_pf(pdev, luv_incoming_lost);
	else if (in->rec.kind == LUV_VF)
		luv_vf_quiet(id, luv_incoming_lost);
	pci_dev_put(pdev);
	module_put(THIS_MODULE);
}

/* The function is to be preserved again: -EBUSY if it is not finished. */
int luv_incoming_forget(unsigned long id)
{
	struct luv_incoming *in = xa_load(&luv_incoming, id);

	lockdep_assert_held(&luv_lock);
	if (in && in->state != LUV_FINISHED)
		return -EBUSY;
	kfree(xa_erase(&luv_incoming, id));
	return 0;
}

void luv_incoming_list(struct luv_window *w)
{
	static const char *const states[] = { "waiting", "missing", "mismatch", "retrieved",
					      "bound",	 "failed",  "finished" };
	struct luv_incoming *in;
	enum luv_state state;
	unsigned long id;

	xa_for_each(&luv_incoming, id, in) {
		state = in->state;
		if (state == LUV_RETRIEVED && luv_file_bound(in->file))
			state = LUV_BOUND;
		luv_list_line(w, true, id, "%04x:%04x %06x %s %s %s %s", in->rec.vendor,
			      in->rec.device, in->rec.class, luv_kind_names[in->rec.kind],
			      luv_dma_names[in->rec.dma], states[state],
			      in->driver[0] ? in->driver : "-");
	}
}
