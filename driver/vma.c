// SPDX-License-Identifier: GPL-2.0
/*
 * mmap: what is the same whichever way a range is mapped.
 */

#include <linux/fs.h>
#include <linux/mm.h>

#include "compat.h"
#include "grants.h"
#include "instance.h"
#include "range.h"
#include "trace.h"
#include "views.h"
#include "vma.h"

static const struct vm_operations_struct *vm_ops(void)
{
	return gntdev_is_pv() ? &gntdev_pv_vm_ops : &gntdev_xlate_vm_ops;
}

/**
 * gntdev_vma_map() - make a new VMA a view of a range
 * @vma:   the VMA, all of whose pages the range has
 * @range: the range, of which the caller has made itself a user: for the VMA, or for nothing if
 *         this fails
 *
 * Return: as gntdev_mmap().
 */
int gntdev_vma_map(struct vm_area_struct *vma, struct gntdev_range *range)
{
	int err = -EINVAL;

	/* A private copy of a page would not be the peer's page any more. */
	if ((vma->vm_flags & VM_WRITE) && !(vma->vm_flags & VM_SHARED))
		goto err_unuse;

	/*
	 * VM_DONTEXPAND keeps neighbours from being merged, and khugepaged, KSM and the aging of
	 * page tables away. Without VM_MAYWRITE mprotect() cannot add write access.
	 */
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	if (!(vma->vm_flags & VM_WRITE))
		vm_flags_clear(vma, VM_MAYWRITE);

	gntdev_range_lock(range);
	err = gntdev_grants_check(range->refs, range->slot.count);
	if (!err)
		err = gntdev_is_pv() ? gntdev_pv_map(vma, range) : gntdev_xlate_map(vma, range);
	gntdev_range_unlock(range);
	if (err)
		goto err_unuse;

	trace_gntdev_map(range->refs, gntdev_range_index(range), range->slot.count, 0);
	/* Not before: from here on the VMA is closed whatever happens to it. */
	vma->vm_ops = vm_ops();
	return 0;

err_unuse:
	trace_gntdev_map(range->refs, gntdev_range_index(range), range->slot.count, err);
	gntdev_range_unuse(range);
	return err;
}

/**
 * gntdev_mmap() - map one whole range
 * @file: the open device
 * @vma:  the new mapping; its offset and length say which range
 *
 * Return: 0; -EINVAL if no range is just there, for write access without MAP_SHARED, or for none
 * where a byte is to be cleared; -EBUSY if the range is mapped with less access already; -ENOMEM;
 * -EINTR if killed; -ERESTARTNOINTR if a signal came first; or what Xen's refusal of a reference
 * means, see gntdev(4).
 */
int gntdev_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct gntdev_range *range;

	range = gntdev_range_use(file->private_data, vma->vm_pgoff, vma_pages(vma));
	return range ? gntdev_vma_map(vma, range) : -EINVAL;
}

/**
 * gntdev_vma_find() - find the range that is mapped at an address of this process
 * @instance: whose range
 * @address:  the first address of the mapping
 * @index:    set to the range's index, in bytes
 * @count:    set to the range's pages
 *
 * Return: 0, or -EINVAL if no mapping of this instance begins there.
 */
int gntdev_vma_find(struct gntdev_instance *instance, unsigned long address, u64 *index,
		    u32 *count)
{
	struct vm_area_struct *vma;
	int err = -EINVAL;

	mmap_read_lock(current->mm);
	vma = find_vma(current->mm, address);
	if (vma && vma->vm_start == address && vma->vm_ops == vm_ops() && vma->vm_private_data &&
	    vma->vm_file->private_data == instance) {
		*index = (u64)vma->vm_pgoff << PAGE_SHIFT;
		*count = vma_pages(vma);
		err = 0;
	}
	mmap_read_unlock(current->mm);
	return err;
}
