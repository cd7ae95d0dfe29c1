/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_VMA_H
#define GNTDEV_VMA_H

#include <linux/mm_types.h>

struct file;
struct gntdev_instance;
struct gntdev_range;
struct ioctl_gntdev_grant_ref;

int gntdev_vma_map(struct vm_area_struct *vma, struct gntdev_range *range);
int gntdev_mmap(struct file *file, struct vm_area_struct *vma);
int gntdev_vma_find(struct gntdev_instance *instance, unsigned long address, u64 *index,
		    u32 *count);

#endif
