/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_MAPPING_H
#define GNTDEV_MAPPING_H

#include <linux/spinlock.h>
#include <linux/types.h>

#include <xen/grant_table.h>

#include "notify.h"
#include "retry.h"

struct gntdev_instance;
struct ioctl_gntdev_grant_ref;

/**
 * struct gntdev_unmapped - what is to be told that a mapping is gone
 * @call: called once Xen has back what the mapping had, without any lock; may sleep
 */
struct gntdev_unmapped {
	void (*call)(struct gntdev_unmapped *unmapped);
};

/**
 * struct gntdev_mapping - the grants of one range, mapped at pages of the kernel
 * @notify:   the range's notifications, once the last user of the mapping has gone
 * @instance: whose ports they name
 * @unmapped: told when the mapping is gone, or NULL
 * @retry:    used once it has no view, while the kernel still uses one of its pages
 * @lock:     protects the handles and @weak while there are views; the last of all locks
 * @count:    pages
 * @readonly: mapped without write access
 * @weak:     a page may be neither held nor shown by an entry
 * @write_combining: the attribute of all its views, write-back otherwise
 * @pages:    the pages, NULL once unmapped; behind them their handles (gntdev_mapping_handles())
 *
 * Views (a VMA, a dma-buf) share a mapping. When the last of them goes, the mapping leaves its
 * range and unmaps itself, except pages that the kernel still uses; those follow one by one.
 */
struct gntdev_mapping {
	struct gntdev_notify notify;
	struct gntdev_instance *instance;
	struct gntdev_unmapped *unmapped;
	struct gntdev_retry retry;
	spinlock_t lock;		/* taken under page-table locks and in MMU notifiers */
	unsigned int count : 29;
	unsigned int readonly : 1;
	unsigned int write_combining : 1;
	unsigned int weak : 1;		/* the only one of these that changes */
	struct page *pages[];
};

/**
 * gntdev_mapping_handles() - the handles of a mapping's pages
 * @mapping: the mapping
 *
 * Return: an array: Xen's handle for each page that is mapped at the kernel's address,
 * INVALID_GRANT_HANDLE for the others (gntdev_mapping_hold()).
 */
static inline grant_handle_t *gntdev_mapping_handles(struct gntdev_mapping *mapping)
{
	return (grant_handle_t *)&mapping->pages[mapping->count];
}

int gntdev_mapping_init(void);
void gntdev_mapping_exit(void);
bool gntdev_mapping_can_combine_writes(void);

struct gntdev_mapping *gntdev_mapping_alloc(unsigned int count, bool readonly,
					    bool write_combining);
void gntdev_mapping_free(struct gntdev_mapping *mapping);
int gntdev_mapping_map(struct gntdev_mapping *mapping, const struct ioctl_gntdev_grant_ref *refs);
int gntdev_mapping_hold(struct gntdev_mapping *mapping, const struct ioctl_gntdev_grant_ref *refs,
			unsigned int first, unsigned int count, bool may_yield);
void gntdev_mapping_weaken(struct gntdev_mapping *mapping);
void gntdev_mapping_release(struct gntdev_mapping *mapping, const struct gntdev_notify *notify,
			    struct gntdev_instance *instance);

#endif
