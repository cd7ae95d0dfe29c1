/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_PAGES_H
#define GNTDEV_PAGES_H

#include <linux/types.h>

struct page;

int gntdev_pages_init(void);
void gntdev_pages_exit(void);
bool gntdev_pages_can_be_uncached(void);

int gntdev_pages_get(unsigned int count, struct page **pages, bool uncached);
void gntdev_pages_put(unsigned int count, struct page **pages, bool uncached);
int gntdev_pages_uncache(unsigned int count, struct page **pages);
void gntdev_pages_cache(unsigned int count, struct page **pages);

#endif
