// SPDX-License-Identifier: GPL-2.0-only
/*
 * SR-IOV virtual functions. They exist only while VF Enable of their PF is set, and
 * enumeration clears it long before this module is there; a kernel with patch 0002
 * spares the PFs that the previous kernel named in a KHO subtree (include/linux/pci.h:
 * pci_iov_keeps_vfs, its name and the sign of such a kernel). This file keeps that list:
 * a PF is in it while at least one of its VFs is preserved, the list exists while a PF
 * is in it, and the PF itself has to be preserved before its VFs and with them at
 * freeze. The bound is the same as the module's: no more PFs than functions.
 *
 * In the new kernel VFs are live but have no pci_dev until somebody writes their number
 * to the PF's sriov_numvfs. What is finished before that is quieted here: one VF by its
 * COMMAND register, which is there without a pci_dev, and all of a PF's by VF Enable.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "liveupdate_vfio.h"

static DEFINE_MUTEX(vf_lock);
static u64 *vf_pfs; /* what the next kernel reads: preserved, 0 is a free place */
static unsigned int *vf_users; /* preserved VFs of the PF at the same index */
static unsigned int vf_used; /* places in use */

/*
 * The name of the subtree, or NULL on a kernel without the patch. Looked up by name: a
 * reference that is not resolved cannot be relocated everywhere. It is in the kernel
 * proper, so nothing has to be held.
 */
static const char *luv_vf_subtree(void)
{
	const char *const *name = symbol_get(pci_iov_keeps_vfs);

	if (!name)
		return NULL;
	symbol_put(pci_iov_keeps_vfs);
	return *name;
}

bool luv_vf_supported(void)
{
	return luv_vf_subtree();
}

/* The index of an id, or of the first free place for 0; the bound if there is none. */
static unsigned int luv_vf_find(u64 id)
{
	unsigned int i;

	for (i = 0; i < luv_max_functions; i++)
		if (vf_pfs[i] == id)
			break;
	return i;
}

static void luv_vf_free_list(void)
{
	kfree(vf_users);
	vf_users = NULL;
	if (vf_pfs)
		luv_list_free(vf_pfs);
	vf_pfs = NULL;
}

static int luv_vf_make_list(void)
{
	void *list;

	vf_users = kcalloc(luv_max_functions, sizeof(*vf_users), GFP_KERNEL);
	if (!vf_users)
		return -ENOMEM;
	list = luv_list_new(luv_vf_subtree(), array_size(luv_max_functions, sizeof(*vf_pfs)));
	if (!IS_ERR(list)) {
		vf_pfs = list;
		return 0;
	}
	luv_vf_free_list();
	return PTR_ERR(list);
}

/**
 * luv_vf_preserve - have the next kernel keep a VF
 * @vf: any function; what is not a VF is none of our business
 *
 * Return: 0, -EOPNOTSUPP on a kernel that cannot, -ENOSPC if the list is full
 */
int luv_vf_preserve(struct pci_dev *vf)
{
	unsigned int i;
	int err;
	u64 id;

	if (!vf->is_virtfn)
		return 0;
	if (!luv_vf_supported())
		return -EOPNOTSUPP;

	guard(mutex)(&vf_lock);
	if (!vf_pfs) {
		err = luv_vf_make_list();
		if (err)
			return err;
	}

	id = luv_id(pci_physfn(vf));
	i = luv_vf_find(id);
	if (i == luv_max_functions)
		i = luv_vf_find(0);
	if (i == luv_max_functions)
		return -ENOSPC; /* the list is in use, so it stays */
	if (!vf_users[i]++)
		vf_used++;
	vf_pfs[i] = id;
	return 0;
}

/**
 * luv_vf_unpreserve - take luv_vf_preserve() back
 * @vf: the same function
 */
void luv_vf_unpreserve(struct pci_dev *vf)
{
	unsigned int i;

	if (!vf->is_virtfn)
		return;

	guard(mutex)(&vf_lock);
	if (WARN_ON_ONCE(!vf_pfs))
		return;
	i = luv_vf_find(luv_id(pci_physfn(vf)));
	if (WARN_ON_ONCE(i == luv_max_functions) || --vf_users[i])
		return;

	vf_pfs[i] = 0;
	if (--vf_used)
		return;
	luv_vf_free_list();
}

/*
 * The SR-IOV capability of a PF whose VFs were kept and have no devices yet, or 0. Only
 * under the rescan lock, under which they are made, is it more than a snapshot.
 */
static int luv_vf_unadopted(struct pci_dev *pf)
{
	int pos;
	u16 ctrl;

	if (!pf->is_physfn || pci_num_vf(pf))
		return 0;
	pos = pci_find_ext_capability(pf, PCI_EXT_CAP_ID_SRIOV);
	if (!pos)
		return 0;
	if (pci_read_config_word(pf, pos + PCI_SRIOV_CTRL, &ctrl) || PCI_POSSIBLE_ERROR(ctrl))
		return 0;
	return ctrl & PCI_SRIOV_CTRL_VFE ? pos : 0;
}

static void luv_vf_disable(struct pci_dev *pf, int pos, void (*lost)(unsigned long id))
{
	u16 ctrl, offset, stride, num, n;

	pci_read_config_word(pf, pos + PCI_SRIOV_VF_OFFSET, &offset);
	pci_read_config_word(pf, pos + PCI_SRIOV_VF_STRIDE, &stride);
	pci_read_config_word(pf, pos + PCI_SRIOV_NUM_VF, &num);
	for (n = 0; n < num; n++)
		lost(luv_id(pf) + offset + n * stride);

	pci_read_config_word(pf, pos + PCI_SRIOV_CTRL, &ctrl);
	pci_write_config_word(pf, pos + PCI_SRIOV_CTRL,
			      ctrl & ~(PCI_SRIOV_CTRL_VFE | PCI_SRIOV_CTRL_MSE));
	/* As long as sriov_disable() waits, before NumVFs may be written */
	ssleep(1);
	pci_write_config_word(pf, pos + PCI_SRIOV_NUM_VF, 0);
	pci_warn(pf, "VFs were kept and never adopted: turned off\n");
}

/**
 * luv_vf_quiet_pf - turn off VFs that nobody adopted
 * @pf: a function that is being finished, retrieved or not
 * @lost: told of each of them
 */
void luv_vf_quiet_pf(struct pci_dev *pf, void (*lost)(unsigned long id))
{
	int pos;

	/*
	 * A hot unplug holds the lock until the user of its device is gone, and that user
	 * may be waiting for this FINISH.
	 */
	if (!luv_vf_unadopted(pf))
		return;

	pci_lock_rescan_remove();
	pos = luv_vf_unadopted(pf);
	if (pos)
		luv_vf_disable(pf, pos, lost);
	pci_unlock_rescan_remove();
}

/* Whether a function is one of the PF's VFs: by its offset, stride and NumVFs. */
static bool luv_vf_is_of(struct pci_dev *pf, int pos, unsigned long id)
{
	u16 offset, stride, num, n;

	pci_read_config_word(pf, pos + PCI_SRIOV_VF_OFFSET, &offset);
	pci_read_config_word(pf, pos + PCI_SRIOV_VF_STRIDE, &stride);
	pci_read_config_word(pf, pos + PCI_SRIOV_NUM_VF, &num);
	for (n = 0; n < num; n++)
		if (luv_id(pf) + offset + n * stride == id)
			return true;
	return false;
}

/* The PF, with a reference, of a VF that was kept and has no device yet. */
static struct pci_dev *luv_vf_find_pf(unsigned long id, int *pos)
{
	struct pci_dev *pf = NULL;

	while ((pf = pci_get_device(PCI_ANY_ID, PCI_ANY_ID, pf))) {
		*pos = luv_vf_unadopted(pf);
		if (*pos && luv_vf_is_of(pf, *pos, id))
			break;
	}
	return pf;
}

/**
 * luv_vf_kept - whether a VF that came in is the one that was handed over
 * @id: the VF
 *
 * It is if it is live and has no device yet. A VF that has one, or that is made later,
 * may be one that was enabled anew at the same address, without the state. So this is
 * asked as soon as the list is read.
 */
bool luv_vf_kept(unsigned long id)
{
	struct pci_dev *pf;
	int pos;

	pci_lock_rescan_remove();
	pf = luv_vf_find_pf(id, &pos);
	pci_unlock_rescan_remove();
	pci_dev_put(pf);
	return pf;
}

/**
 * luv_vf_quiet - quiet a VF that has no pci_dev: it is finished before its adoption
 * @id: the VF
 * @lost: told of others that are turned off with it
 *
 * Its memory is freed next, so its Bus Master bit goes off first. If there is no bus to
 * reach it through (it is made at the adoption), all VFs of its PF are turned off.
 * What is not a live VF is not touched. Must not be called for a function with a
 * pci_dev.
 */
void luv_vf_quiet(unsigned long id, void (*lost)(unsigned long id))
{
	struct pci_bus *bus;
	struct pci_dev *pf;
	int pos;

	pci_lock_rescan_remove();
	pf = luv_vf_find_pf(id, &pos);
	bus = pf ? pci_find_bus(pci_domain_nr(pf->bus), PCI_BUS_NUM(id)) : NULL;
	if (bus) {
		pci_bus_write_config_word(bus, id & 0xff, PCI_COMMAND, 0);
		pci_warn(pf, "VF %02lx.%lx is finished but was never adopted: made quiet\n",
			 PCI_SLOT(id), PCI_FUNC(id));
	} else if (pf) {
		luv_vf_disable(pf, pos, lost);
	}
	pci_unlock_rescan_remove();
	pci_dev_put(pf);
}
