// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings in an auto-translated domain (PVH, HVM, Arm): Xen has put the peer's pages behind page
 * frames of ours, and those are mapped like any other page of the kernel. The core kernel counts
 * who has them, so a fork shares them, and moving or zapping entries is nothing special.
 */

#include <linux/err.h>
#include <linux/mm.h>

#include "compat.h"
#include "mapping.h"
#include "range.h"
#include "vma.h"

/**
 * gntdev_xlate_map() - make a view of a range
 * @vma:   the new mapping of pages of the range
 * @range: the range, which the caller uses for the view, and whose lock it holds
 *
 * Return: as gntdev_mmap().
 */
int gntdev_xlate_map(struct vm_area_struct *vma, struct gntdev_range *range)
{
	struct gntdev_mapping *mapping;
	unsigned long pages;
	bool fresh;
	int err;

	mapping = gntdev_range_prepare(range, vma->vm_flags & VM_WRITE, &fresh);
	if (IS_ERR(mapping))
		return PTR_ERR(mapping);

	if (fresh) {
		err = gntdev_mapping_map(mapping, range->refs);
		if (err) {
			gntdev_mapping_free(mapping);
			return err;
		}
	}

	if (mapping->uncached)
		vma->vm_page_prot = pgprot_writecombine(vma->vm_page_prot);
	pages = vma_pages(vma);
	err = vm_insert_pages(vma, vma->vm_start, mapping->pages + gntdev_vma_first(vma, range),
			      &pages);
	if (err) {
		/*
		 * The core kernel zaps what was inserted, but only after this. So the pages may
		 * still look busy here, and are unmapped a moment later. The notifications stay.
		 */
		if (fresh)
			gntdev_mapping_release(mapping, NULL, NULL);
		return err;
	}

	range->mapping = mapping;
	vma->vm_private_data = range;
	return 0;
}

static void xlate_open(struct vm_area_struct *vma)
{
	gntdev_range_use_again(vma->vm_private_data);
}

static void xlate_close(struct vm_area_struct *vma)
{
	gntdev_range_unuse(vma->vm_private_data);
}

/* An entry was dropped, by madvise(MADV_DONTNEED) for one: the page is still there. */
static vm_fault_t xlate_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct gntdev_range *range = vma->vm_private_data;
	unsigned long page = vmf->pgoff - range->slot.first;

	if (page >= range->mapping->count)
		return VM_FAULT_SIGBUS;
	vmf->page = range->mapping->pages[page];
	get_page(vmf->page);
	return 0;
}

const struct vm_operations_struct gntdev_xlate_vm_ops = {
	.open = xlate_open,
	.close = xlate_close,
	.may_split = gntdev_vma_may_split,
	.fault = xlate_fault,
};
