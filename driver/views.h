/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_VIEWS_H
#define GNTDEV_VIEWS_H

#include <linux/mm.h>

#include "range.h"

/* The two ways: each gives its operations, makes a view of a range, and tells which it shows. */
extern const struct vm_operations_struct gntdev_pv_vm_ops;
extern const struct vm_operations_struct gntdev_xlate_vm_ops;
int gntdev_pv_map(struct vm_area_struct *vma, struct gntdev_range *range);
int gntdev_xlate_map(struct vm_area_struct *vma, struct gntdev_range *range);

/**
 * gntdev_view_first() - which page of a range a VMA begins with
 * @vma:   a VMA that shows pages of the range, or is to
 * @range: the range, which has a user, so that its place in the table stays
 *
 * Return: the page; 0 for all mappings of the device, which show whole ranges.
 */
static inline unsigned int gntdev_view_first(const struct vm_area_struct *vma,
					     const struct gntdev_range *range)
{
	return vma->vm_pgoff - range->slot.first;
}

/**
 * gntdev_view_may_split() - vm_ops->may_split: no part of a mapping goes away or changes by itself
 * @vma:     the mapping
 * @address: where it would be cut
 *
 * Return: -EINVAL.
 */
static inline int gntdev_view_may_split(struct vm_area_struct *vma, unsigned long address)
{
	return -EINVAL;
}

#endif
