// SPDX-License-Identifier: GPL-2.0
/*
 * Pages for the arguments of hypercalls.
 *
 * In an x86 auto-translated domain Xen reads and writes arguments by walking the domain's page
 * tables in software, twice for each operation of a batch: to read it, and to write its status.
 * That is most of what such a hypercall costs. Where the kernel maps memory by large entries the
 * walk has one level less. Single pages are often from where it does not: changing the protection
 * of any page, as for the text of a module, splits the large entry around it, and what is left over
 * of such an area is what the allocator prefers to hand out.
 */

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/topology.h>

#ifdef CONFIG_X86
#include <asm/pgtable.h>
#endif

#include "argpage.h"
#include "mode.h"

/* Blocks of pages to take one from, and the rest to give back. The last one is a large entry's. */
static const unsigned int orders[] = { 0, 3, 6, 9 };

/* Can nothing better be had than this page? */
static bool is_good(struct page *page)
{
#ifdef CONFIG_X86
	unsigned int level;

	return gntdev_is_pv() || !lookup_address((unsigned long)page_address(page), &level) ||
	       level != PG_LEVEL_4K;
#else
	return true;
#endif
}

/* The first page of a new block, of which the others are free again; or NULL. */
static struct page *first_of(unsigned int order, int node)
{
	/* A better page is worth a look, but no search. */
	gfp_t gfp = order ? GFP_NOWAIT : GFP_KERNEL;
	struct page *page = alloc_pages_node(node, gfp | __GFP_NOWARN, order);
	unsigned int i;

	if (!page || !order)
		return page;
	split_page(page, order);
	for (i = 1; i < 1U << order; i++)
		__free_page(page + i);
	return page;
}

/**
 * gntdev_argpage_alloc() - get a page for the arguments of hypercalls
 * @node: the NUMA node where it is used
 *
 * Sleeps.
 *
 * Return: the page's address, or NULL.
 */
void *gntdev_argpage_alloc(int node)
{
	struct page *best = NULL, *page;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		page = first_of(orders[i], node);
		if (!page)
			break;
		if (best)
			__free_page(best);
		best = page;
		if (is_good(page))
			break;
	}
	return best ? page_address(best) : NULL;
}

/**
 * gntdev_argpage_free() - give a page back
 * @page: what gntdev_argpage_alloc() gave, or NULL
 */
void gntdev_argpage_free(void *page)
{
	free_page((unsigned long)page);
}
