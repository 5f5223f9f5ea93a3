// SPDX-License-Identifier: GPL-2.0-only
/*
 * The early list: records of all preserved functions in one block of memory that KHO
 * hands over under our name, which is its version. LUO tells a handler nothing before a
 * descriptor is asked for, and by then native drivers have probed; this list can be read
 * when the module loads.
 *
 * The outgoing list is made with the first preserved function and freed with the last;
 * it has room for max_functions records. The incoming list is not trusted: each record
 * carries a sum, every field has its range, and a record that is wrong is not used. The
 * list stays where it is, wiped when the module goes, as KHO has no way to say that it
 * was consumed.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ctype.h>
#include <linux/idr.h>
#include <linux/kexec_handover.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/xarray.h>

#include "liveupdate_vfio.h"

static DEFINE_XARRAY(luv_records); /* records in use, by id */
static struct luv_record *luv_out; /* where they lie */
static DEFINE_IDA(luv_used); /* which of its places are */
static struct luv_record *luv_in;
static size_t luv_in_size;

/* FNV-1a: against damage, not against malice, and the same in every kernel. */
static u32 luv_sum(const void *p, size_t size)
{
	const u8 *byte = p;
	u32 sum = 0x811c9dc5;

	while (size--)
		sum = (sum ^ *byte++) * 0x01000193;
	return sum;
}

/**
 * luv_list_new - memory that the next kernel finds by its name
 * @name: of the subtree
 * @size: in bytes
 *
 * Return: the memory, all zero, preserved, to be given to luv_list_free(); or an error
 */
void *luv_list_new(const char *name, size_t size)
{
	void *list = kho_alloc_preserve(size);
	int err;

	if (IS_ERR(list))
		return list;
	err = kho_add_subtree(name, list, size);
	if (!err)
		return list;
	kho_unpreserve_free(list);
	return ERR_PTR(err);
}

void luv_list_free(void *list)
{
	kho_remove_subtree(list);
	kho_unpreserve_free(list);
}

static int luv_out_make(void)
{
	void *list;

	if (luv_out)
		return 0;
	list = luv_list_new(LUV_ABI, array_size(luv_max_functions, sizeof(*luv_out)));
	if (IS_ERR(list))
		return PTR_ERR(list);
	luv_out = list;
	return 0;
}

/* NumVFs, First VF Offset and VF Stride; zeros for what is not a PF. */
static void luv_read_vfs(struct pci_dev *pdev, u16 *vfs)
{
	int pos = pdev->is_physfn ? pci_find_ext_capability(pdev, PCI_EXT_CAP_ID_SRIOV) : 0;

	memset(vfs, 0, sizeof_field(struct luv_record, vfs));
	if (!pos)
		return;
	pci_read_config_word(pdev, pos + PCI_SRIOV_NUM_VF, &vfs[0]);
	pci_read_config_word(pdev, pos + PCI_SRIOV_VF_OFFSET, &vfs[1]);
	pci_read_config_word(pdev, pos + PCI_SRIOV_VF_STRIDE, &vfs[2]);
}

/* Gives a place in the list back, and with the last one the list. */
static void luv_record_drop(unsigned int i)
{
	ida_free(&luv_used, i);
	if (!ida_is_empty(&luv_used) || !luv_out)
		return;
	luv_list_free(luv_out);
	luv_out = NULL;
}

/**
 * luv_record_new - take a record of the outgoing list
 * @pdev: the function, bound to a VFIO driver that cannot go away meanwhile
 * @dma: its DMA policy
 *
 * Return: the record, preserved; -EBUSY it has one, -ENOSPC, -ENOMEM, -ENAMETOOLONG (the
 * driver's name)
 */
struct luv_record *luv_record_new(struct pci_dev *pdev, enum luv_dma dma)
{
	struct luv_record *rec;
	int i, err;

	lockdep_assert_held(&luv_lock);
	if (strlen(pdev->dev.driver->name) >= sizeof(rec->driver))
		return ERR_PTR(-ENAMETOOLONG);
	i = ida_alloc_max(&luv_used, luv_max_functions - 1, GFP_KERNEL);
	if (i < 0)
		return ERR_PTR(i);
	err = luv_out_make();
	rec = &luv_out[i];
	if (!err)
		err = xa_insert(&luv_records, luv_id(pdev), rec, GFP_KERNEL);
	if (err) {
		luv_record_drop(i);
		return ERR_PTR(err);
	}

	rec->domain = pci_domain_nr(pdev->bus);
	rec->rid = pci_dev_id(pdev);
	rec->kind = pdev->is_virtfn ? LUV_VF : pdev->is_physfn ? LUV_PF : LUV_FUNCTION;
	rec->vendor = pdev->vendor;
	rec->device = pdev->device;
	rec->class = pdev->class;
	rec->serial = pci_get_dsn(pdev);
	rec->hdr_type = pdev->hdr_type;
	rec->dma = dma;
	strscpy(rec->driver, pdev->dev.driver->name);
	luv_record_seal(rec, pdev, LUV_PRESERVED);
	return rec;
}

/**
 * luv_record_seal - note what can change, and make the record valid
 * @rec: a record of the outgoing list
 * @pdev: its function
 * @stage: whether it is frozen
 */
void luv_record_seal(struct luv_record *rec, struct pci_dev *pdev, enum luv_stage stage)
{
	luv_read_vfs(pdev, rec->vfs);
	rec->stage = stage;
	rec->sum = luv_sum(rec, offsetof(struct luv_record, sum));
}

void luv_record_free(struct luv_record *rec)
{
	xa_erase(&luv_records, luv_record_id(rec));
	memset(rec, 0, sizeof(*rec));
	luv_record_drop(rec - luv_out);
}

/* The record of a function that is preserved, or NULL. */
struct luv_record *luv_record_of(unsigned long id)
{
	return xa_load(&luv_records, id);
}

/* Whether this is the function that was handed over. */
bool luv_record_matches(const struct luv_record *rec, struct pci_dev *pdev)
{
	return rec->vendor == pdev->vendor && rec->device == pdev->device &&
	       rec->class == pdev->class && rec->hdr_type == pdev->hdr_type &&
	       (rec->kind == LUV_VF) == pdev->is_virtfn &&
	       (!rec->serial || rec->serial == pci_get_dsn(pdev));
}

/* Whether a PF's VFs are as many and where they were. */
bool luv_record_vfs_kept(const struct luv_record *rec, struct pci_dev *pdev)
{
	u16 vfs[3];

	luv_read_vfs(pdev, vfs);
	return !rec->vfs[0] || !memcmp(vfs, rec->vfs, sizeof(vfs));
}

static bool luv_record_valid(const struct luv_record *rec)
{
	const char *c = rec->driver;

	if (rec->sum != luv_sum(rec, offsetof(struct luv_record, sum)) ||
	    rec->stage != LUV_FROZEN || rec->kind >= LUV_KINDS || rec->dma >= LUV_DMAS ||
	    rec->hdr_type != PCI_HEADER_TYPE_NORMAL || !*c ||
	    strnlen(c, sizeof(rec->driver)) == sizeof(rec->driver))
		return false;
	while (isgraph(*c))
		c++;
	return !*c;
}

/* Never more is looked at than what is there. */
static int luv_in_find(void)
{
	phys_addr_t phys;
	size_t size;
	int err = kho_retrieve_subtree(LUV_ABI, &phys, &size);

	if (err)
		return err;
	if (!PAGE_ALIGNED(phys) || !size || size > SZ_1M || size % sizeof(*luv_in) ||
	    !pfn_valid(PHYS_PFN(phys)) || !pfn_valid(PHYS_PFN(phys + size - 1)))
		return -EINVAL;
	luv_in = phys_to_virt(phys);
	luv_in_size = size;
	return 0;
}

/**
 * luv_early_read - read the list that the previous kernel handed over
 * @add: called for each valid record; says no to a second one for the same function
 */
void luv_early_read(int (*add)(const struct luv_record *rec))
{
	struct luv_record *rec;
	unsigned int bad = 0;
	int err;

	err = luv_in_find();
	if (err && err != -ENOENT)
		pr_err("the list of preserved functions is damaged, taken as empty (%d)\n", err);
	if (err)
		return;

	for (rec = luv_in; rec < luv_in + luv_in_size / sizeof(*rec); rec++)
		if (memchr_inv(rec, 0, sizeof(*rec)) && (!luv_record_valid(rec) || add(rec)))
			bad++;
	if (bad)
		pr_err("%u records of preserved functions are damaged, not used\n", bad);
}

/* Nothing of the list is to be done again if the module is loaded a second time. */
void luv_early_wipe(void)
{
	if (luv_in)
		memset(luv_in, 0, luv_in_size);
}

void luv_record_list(struct luv_window *w)
{
	struct luv_record *rec;
	unsigned long id;

	xa_for_each(&luv_records, id, rec)
		luv_list_line(w, true, id, "%04x:%04x %06x %s %s %s", rec->vendor, rec->device,
			      rec->class, luv_kind_names[rec->kind], luv_dma_names[rec->dma],
			      rec->stage == LUV_FROZEN ? "frozen" : "preserved");
}
