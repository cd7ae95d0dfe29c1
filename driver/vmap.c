// SPDX-License-Identifier: GPL-2.0
/*
 * The third kind of view: all pages of a range one after another in the kernel's addresses, for
 * drivers that work on a dma-buf with the processor.
 */

#include <linux/err.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/stop_machine.h>
#include <linux/vmalloc.h>

#include <asm/xen/hypercall.h>
#include <xen/page.h>

#include "grants.h"
#include "mapping.h"
#include "range.h"
#include "vmap.h"

/**
 * struct gntdev_vmap - where the kernel sees a range in one piece
 * @address: the first page
 * @count:   pages
 * @handles: in a PV domain, Xen's handle for each entry
 * @ptes:    and the machine address of each
 * @instead: the page that entries lead to since the domain was suspended, if they have no handle
 */
struct gntdev_vmap {
	void *address;
	unsigned int count;
	grant_handle_t *handles;
	struct page *instead;
	u64 ptes[];
};

#ifdef CONFIG_XEN_PV
static pte_t *entry_of(const struct gntdev_vmap *view, unsigned int page)
{
	unsigned int level;

	return lookup_address((unsigned long)view->address + ((unsigned long)page << PAGE_SHIFT),
			      &level);
}

/*
 * Ordinary entries cannot show a foreign page. vmap() makes some that are not present, which is
 * how a module comes by addresses with page tables; then Xen puts a grant into each. VM_IOREMAP
 * keeps those who read all of the kernel's memory away: they would look for the page behind an
 * entry, and there is none. If vmap() itself lacks memory half-way, it complains of such entries.
 */
static int vmap_pv(struct gntdev_vmap *view, const struct gntdev_range *range)
{
	unsigned int i;
	int err;

	view->address = vmap((struct page **)range->mapping->pages, view->count, VM_IOREMAP,
			     __pgprot(0));
	if (!view->address)
		return -ENOMEM;
	for (i = 0; i < view->count; i++) {
		view->ptes[i] = arbitrary_virt_to_machine(entry_of(view, i)).maddr;
		view->handles[i] = INVALID_GRANT_HANDLE;
	}
	err = gntdev_grants_map_ptes(range->refs, view->ptes, view->handles, view->count,
				     GNTDEV_PTES_KERNEL, true);
	if (err) {
		gntdev_grants_warn(gntdev_grants_unmap_ptes(view->ptes, view->handles, view->count,
							    true));
		/* vunmap() wants to find what is present or empty. */
		for (i = 0; i < view->count; i++)
			set_pte(entry_of(view, i), __pte(0));
		vunmap(view->address);
	}
	return err;
}

static void vunmap_pv(struct gntdev_vmap *view)
{
	gntdev_grants_warn(gntdev_grants_unmap_ptes(view->ptes, view->handles, view->count, true));
}

/* Some entries of a view. */
struct entries {
	struct gntdev_vmap *view;
	unsigned int first;
	unsigned int count;
	unsigned int refused;
};

/* How many at a time while nothing else runs. */
#define STOPPED_BATCH	8

static void lead_instead(struct gntdev_vmap *view, unsigned int first, unsigned int count)
{
	unsigned int i;

	for (i = first; i < first + count; i++)
		if (!gntdev_is_mapped(view->handles[i]))
			set_pte(entry_of(view, i), mk_pte(view->instead, PAGE_KERNEL));
}

/* While nothing else runs. */
static int unmap_entries(void *context)
{
	struct entries *some = context;
	struct gntdev_vmap *view = some->view;

	some->refused += gntdev_grants_unmap_ptes(view->ptes + some->first,
						  view->handles + some->first, some->count, false);
	lead_instead(view, some->first, some->count);
	return 0;
}

static void suspend_pv(struct gntdev_vmap *view)
{
	struct entries some = { .view = view };

	if (!view->instead)
		view->instead = alloc_page(GFP_KERNEL | __GFP_ZERO | __GFP_NOFAIL);
	for (; some.first < view->count; some.first += some.count) {
		some.count = min_t(unsigned int, view->count - some.first, STOPPED_BATCH);
		stop_machine(unmap_entries, &some, NULL);
		cond_resched();
	}
	gntdev_grants_warn(some.refused);
}

static void resume_pv(struct gntdev_vmap *view, const struct gntdev_range *range)
{
	struct mmuext_op flush = { .cmd = MMUEXT_TLB_FLUSH_ALL };
	bool all = true;
	unsigned int i;

	/* One by one: an entry whose grant is refused stays as it is. */
	for (i = 0; i < view->count; i++)
		if (gntdev_grants_map_ptes(range->refs + i, view->ptes + i, view->handles + i, 1,
					   GNTDEV_PTES_KERNEL, true))
			all = false;
	if (WARN_ON(HYPERVISOR_mmuext_op(&flush, 1, NULL, DOMID_SELF)) || !all)
		return;
	__free_page(view->instead);
	view->instead = NULL;
}
#else
static int vmap_pv(struct gntdev_vmap *view, const struct gntdev_range *range)
{
	return -EOPNOTSUPP;
}

static void vunmap_pv(struct gntdev_vmap *view) {}

static void suspend_pv(struct gntdev_vmap *view) {}

static void resume_pv(struct gntdev_vmap *view, const struct gntdev_range *range) {}
#endif

static int vmap_xlate(struct gntdev_vmap *view, const struct gntdev_range *range)
{
	const struct gntdev_mapping *mapping = range->mapping;
	pgprot_t prot = PAGE_KERNEL;

	if (mapping->uncached)
		prot = pgprot_writecombine(prot);
	view->address = vmap((struct page **)mapping->pages, view->count, VM_MAP, prot);
	return view->address ? 0 : -ENOMEM;
}

/**
 * gntdev_vmap() - make a view of a range in the kernel's addresses
 * @range: the range, mapped for writing, of which the caller is a user as long as the view
 *
 * Sleeps.
 *
 * Return: the view, or an errno as an ERR_PTR: -ENOMEM, or Xen's refusal. (The core of dma-buf
 * warns of any.)
 */
struct gntdev_vmap *gntdev_vmap(const struct gntdev_range *range)
{
	unsigned int count = range->slot.count, handles = gntdev_is_pv() ? count : 0;
	struct gntdev_vmap *view;
	int err;

	view = kvmalloc(size_add(struct_size(view, ptes, handles),
				 array_size(handles, sizeof(grant_handle_t))),
			GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!view)
		return ERR_PTR(-ENOMEM);
	view->count = count;
	view->instead = NULL;
	view->handles = (grant_handle_t *)&view->ptes[handles];
	err = gntdev_is_pv() ? vmap_pv(view, range) : vmap_xlate(view, range);
	if (err) {
		kvfree(view);
		return ERR_PTR(err);
	}
	return view;
}

/**
 * gntdev_vmap_address() - where a view is
 * @view: the view
 *
 * Return: the address of its first page.
 */
void *gntdev_vmap_address(const struct gntdev_vmap *view)
{
	return view->address;
}

/**
 * gntdev_vunmap() - undo gntdev_vmap()
 * @view: the view; gone after this
 */
void gntdev_vunmap(struct gntdev_vmap *view)
{
	if (gntdev_is_pv())
		vunmap_pv(view);
	vunmap(view->address);
	if (view->instead)
		__free_page(view->instead);
	kvfree(view);
}

/**
 * gntdev_vmap_suspend() - have Xen get back the entries of a view, before the domain is suspended
 * @view: the view
 *
 * Whoever has it finds other memory there (PV). In an auto-translated domain there is nothing to
 * do.
 */
void gntdev_vmap_suspend(struct gntdev_vmap *view)
{
	if (gntdev_is_pv())
		suspend_pv(view);
}

/**
 * gntdev_vmap_resume() - undo gntdev_vmap_suspend(), as far as Xen lets us
 * @view:  the view
 * @range: its range
 */
void gntdev_vmap_resume(struct gntdev_vmap *view, const struct gntdev_range *range)
{
	if (gntdev_is_pv())
		resume_pv(view, range);
}
