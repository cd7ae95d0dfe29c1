/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_PAGES_H
#define GNTDEV_PAGES_H

#include <linux/mm_types.h>

/* What a page of gntdev_pages_get() has as page->mapping, and no other page has. */
extern struct address_space *gntdev_pages_mapping;

/**
 * gntdev_page_is_ours() - is a page one of gntdev_pages_get()?
 * @page: any page of the kernel
 *
 * Return: whether it is, and was not put back.
 */
static inline bool gntdev_page_is_ours(const struct page *page)
{
	return page->mapping == gntdev_pages_mapping;
}

int gntdev_pages_init(void);
void gntdev_pages_exit(void);
bool gntdev_pages_can_be_uncached(void);

int gntdev_pages_get(unsigned int count, struct page **pages, bool uncached);
unsigned int __must_check gntdev_pages_put(unsigned int count, struct page **pages, bool uncached);
void gntdev_pages_warn(unsigned int lost);
int gntdev_pages_uncache(unsigned int count, struct page **pages);
void gntdev_pages_cache(unsigned int count, struct page **pages);

#endif
