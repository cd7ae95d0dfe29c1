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
#include "views.h"

/*
 * On Arm the kernel's own entries for pages that are not cached stay as they are. So nobody is to
 * find the page behind a view, to work on it through those: such a view is one of a device's
 * memory. The pages stay as long as it has the range.
 */
static bool is_without_pages(const struct gntdev_mapping *mapping)
{
	return mapping->uncached && !IS_ENABLED(CONFIG_X86);
}

/* One page of such a view. */
static vm_fault_t insert_frame(struct vm_area_struct *vma, unsigned long address, struct page *page)
{
	return vmf_insert_mixed(vma, address, page_to_pfn(page));
}

/* Pages inserted before other tasks have their turn. */
#define AT_ONCE	512

static int insert_frames(struct vm_area_struct *vma, struct page **pages)
{
	unsigned long i;
	vm_fault_t ret;

	vm_flags_set(vma, VM_IO | VM_MIXEDMAP);
	for (i = 0; i < vma_pages(vma); i++) {
		ret = insert_frame(vma, vma->vm_start + i * PAGE_SIZE, pages[i]);
		if (ret & VM_FAULT_ERROR)
			return vm_fault_to_errno(ret, 0);
		if (i % AT_ONCE == AT_ONCE - 1)
			cond_resched();
	}
	return 0;
}

static int insert_ordinary(struct vm_area_struct *vma, struct page **pages)
{
	unsigned long count = vma_pages(vma), done, n, left;
	int err = 0;

	for (done = 0; done < count && !err; done += n) {
		n = min_t(unsigned long, count - done, AT_ONCE);
		left = n;
		err = vm_insert_pages(vma, vma->vm_start + done * PAGE_SIZE, pages + done, &left);
		cond_resched();
	}
	return err;
}

/*
 * Inserts the pages of a view, dirty if they can be written: else, on Arm, where not all
 * hardware notes that a page was written to, the first write to each would be a page fault. Nothing
 * asks which of the pages are dirty, as they are written back nowhere.
 */
static int insert_pages(struct vm_area_struct *vma, const struct gntdev_mapping *mapping,
			struct page **pages)
{
	const pgprot_t prot = vma->vm_page_prot;
	int err;

	if (vma->vm_flags & VM_WRITE)
		vma->vm_page_prot = pte_pgprot(pte_mkdirty(pfn_pte(0, prot)));
	if (is_without_pages(mapping))
		err = insert_frames(vma, pages);
	else
		err = insert_ordinary(vma, pages);
	/* The core kernel goes on with this one, and mprotect() may take what it has from it. */
	vma->vm_page_prot = prot;
	return err;
}

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
	err = insert_pages(vma, mapping, mapping->pages + gntdev_view_first(vma, range));
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

/*
 * An entry was dropped, by madvise(MADV_DONTNEED) for one: the page is still there. Unless the
 * domain was suspended since.
 */
static vm_fault_t xlate_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct gntdev_range *range = vma->vm_private_data;
	unsigned long page = vmf->pgoff - range->slot.first;

	/* Only kernel threads come here while the domain is suspended. */
	if (page >= range->mapping->count || !gntdev_mapping_has(range->mapping, page) ||
	    READ_ONCE(gntdev_mapping_suspended))
		return VM_FAULT_SIGBUS;
	if (is_without_pages(range->mapping))
		return insert_frame(vma, vmf->address, range->mapping->pages[page]);
	vmf->page = range->mapping->pages[page];
	get_page(vmf->page);
	return 0;
}

const struct vm_operations_struct gntdev_xlate_vm_ops = {
	.open = xlate_open,
	.close = xlate_close,
	.may_split = gntdev_view_may_split,
	.fault = xlate_fault,
};
