/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the module share. A function is known by its id, which also is the
 * handle that LUO carries for us: domain << 16 | bus << 8 | devfn.
 *
 * Lock order: the PCI rescan lock, a device's lock, luv_lock, a VFIO device set's lock.
 */
#ifndef LIVEUPDATE_VFIO_H
#define LIVEUPDATE_VFIO_H

#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/types.h>
#include <linux/vfio.h>

/* Version of all that one kernel hands to the next: records, list, handle */
#define LUV_ABI "liveupdated-vfio-pci-v1"

enum luv_kind { LUV_FUNCTION, LUV_PF, LUV_VF, LUV_KINDS };
enum luv_dma { LUV_STOP, LUV_CONTINUE, LUV_IDENTITY, LUV_DMAS };
enum luv_stage { LUV_FREE, LUV_PRESERVED, LUV_FROZEN };
enum luv_state {
	LUV_WAITING,
	LUV_MISSING,
	LUV_MISMATCH,
	LUV_RETRIEVED,
	LUV_BOUND,
	LUV_FAILED,
	LUV_FINISHED,
};

/* One function, as it is handed over. A free record is all zero. */
struct luv_record {
	u32 domain;
	u16 rid; /* bus << 8 | devfn */
	u8 stage;
	u8 kind;
	u16 vendor;
	u16 device;
	u32 class;
	u64 serial; /* Device Serial Number, 0 if it has none */
	u8 hdr_type;
	u8 dma;
	u16 command; /* COMMAND before anything was changed */
	u16 vfs[3]; /* NumVFs, First VF Offset, VF Stride of a PF */
	char driver[26];
	u32 sum;
};

static_assert(sizeof(struct luv_record) == 64 && offsetof(struct luv_record, sum) == 60);

/* The part of a text that a reader asked for */
struct luv_window {
	char *buf;
	loff_t start;
	loff_t end;
	loff_t at; /* where the next line begins */
};

extern struct mutex luv_lock; /* all that follows, but the filter's write path */
extern unsigned int luv_max_functions;

static inline unsigned long luv_id(struct pci_dev *pdev)
{
	return (unsigned long)pci_domain_nr(pdev->bus) << 16 | pci_dev_id(pdev);
}

static inline unsigned long luv_record_id(const struct luv_record *rec)
{
	return (unsigned long)rec->domain << 16 | rec->rid;
}

/* handler.c */
int luv_handler_register(void);
void luv_handler_unregister(void);

/* file.c */
struct vfio_device *luv_file_device(struct file *file);
bool luv_file_bound(struct file *file);
struct file *luv_file_open(struct vfio_device *vdev);

/* early.c */
void *luv_list_new(const char *name, size_t size);
void luv_list_free(void *list);
struct luv_record *luv_record_new(struct pci_dev *pdev, enum luv_dma dma);
void luv_record_seal(struct luv_record *rec, struct pci_dev *pdev, enum luv_stage stage);
void luv_record_free(struct luv_record *rec);
struct luv_record *luv_record_of(unsigned long id);
void luv_record_list(struct luv_window *w);
bool luv_record_matches(const struct luv_record *rec, struct pci_dev *pdev);
bool luv_record_vfs_kept(const struct luv_record *rec, struct pci_dev *pdev);
void luv_early_read(int (*add)(const struct luv_record *rec));
void luv_early_wipe(void);

/* incoming.c */
int luv_incoming_init(void);
void luv_incoming_exit(void);
struct file *luv_incoming_retrieve(unsigned long id);
void luv_incoming_finish(unsigned long id, bool retrieved);
int luv_incoming_forget(unsigned long id);
void luv_incoming_list(struct luv_window *w);

/* dma.c */
enum luv_dma luv_policy_get(unsigned long id);
int luv_policy_set(unsigned long id, const char *word);
void luv_policy_list(struct luv_window *w);
void luv_policy_exit(void);
int luv_dma_check(struct pci_dev *pdev, struct vfio_device_set *set, enum luv_dma dma);
bool luv_dma_runs(const struct luv_record *rec);
int luv_dma_hold(struct pci_dev *pdev, const struct luv_record *rec);
void luv_dma_release(struct pci_dev *pdev, const struct luv_record *rec);
int luv_dma_stop(struct pci_dev *pdev);
void luv_dma_quiet(unsigned long id);
void luv_write_bits(struct pci_dev *pdev, int where, u16 mask, u16 value);

/* filter.c */
int luv_filter_hold(struct pci_dev *pdev, int where, u16 mask, u16 value, const char *reason);
void luv_filter_drop(struct pci_dev *pdev, int where, u16 mask, u16 value);
void luv_filter_list(struct luv_window *w);
void luv_filter_exit(void);

/* sysfs.c */
int luv_sysfs_init(void);
void luv_sysfs_exit(void);

/* list.c */
extern const char *const luv_dma_names[];
extern const char *const luv_kind_names[];
__printf(4, 5) void luv_list_line(struct luv_window *w, bool pad, unsigned long id, const char *fmt,
				  ...);

/* vf.c */
extern const char *const pci_iov_keeps_vfs; /* of patch 0002: looked up by name, may be absent */
bool luv_vf_supported(void);
int luv_vf_preserve(struct pci_dev *vf);
void luv_vf_unpreserve(struct pci_dev *vf);
void luv_vf_quiet_pf(struct pci_dev *pf, void (*lost)(unsigned long id));
bool luv_vf_kept(unsigned long id);
void luv_vf_quiet(unsigned long id, void (*lost)(unsigned long id));

#endif
