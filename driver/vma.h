/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_VMA_H
#define GNTDEV_VMA_H

#include <linux/mm_types.h>

struct file;
struct gntdev_instance;
struct gntdev_range;
struct ioctl_gntdev_grant_ref;

int gntdev_vma_map(struct vm_area_struct *vma, struct gntdev_range *range);
unsigned int gntdev_vma_first(const struct vm_area_struct *vma, const struct gntdev_range *range);
int gntdev_mmap(struct file *file, struct vm_area_struct *vma);
int gntdev_vma_find(struct gntdev_instance *instance, unsigned long address, u64 *index,
		    u32 *count);

/* The two ways: each gives its operations, makes a view of a range, and tells which it shows. */
extern const struct vm_operations_struct gntdev_pv_vm_ops;
extern const struct vm_operations_struct gntdev_xlate_vm_ops;
int gntdev_pv_map(struct vm_area_struct *vma, struct gntdev_range *range);
int gntdev_xlate_map(struct vm_area_struct *vma, struct gntdev_range *range);

int gntdev_vma_may_split(struct vm_area_struct *vma, unsigned long address);

#endif
