/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_MAPPING_H
#define GNTDEV_MAPPING_H

#include <linux/bits.h>
#include <linux/kref.h>
#include <linux/mmu_notifier.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include <xen/grant_table.h>

#include "grants.h"
#include "notify.h"
#include "retry.h"
#include "sweep.h"

struct gntdev_instance;
struct gntdev_range;
struct ioctl_gntdev_grant_ref;

/**
 * struct gntdev_unmapped - what is to be told that a mapping is gone
 * @call: called once Xen has back what the mapping had, without any lock; may sleep
 */
struct gntdev_unmapped {
	void (*call)(struct gntdev_unmapped *unmapped);
};

/**
 * struct gntdev_pv_view - one place in one address space where a range is mapped (vma_pv.c)
 * @notifier: calls back before entries of the view change
 * @range:    the range, of which the view is a user
 * @ptes:     machine address of each entry, as long as it is mapped: nobody frees the page table
 *            then. Behind them Xen's handle for each, INVALID_GRANT_HANDLE while it is not mapped
 * @vmas:     VMAs that refer to it: one, or two in the course of an mremap()
 * @first:    the first page of the range that it shows
 * @readonly: what the entries allow
 * @leaving:  its entries go or went, as the VMA does
 *
 * The handles and @leaving are under the lock of the mapping.
 */
struct gntdev_pv_view {
	struct mmu_interval_notifier notifier;
	struct gntdev_range *range;
	u64 *ptes;
	struct kref vmas;
	unsigned int first : 30;
	unsigned int readonly : 1;
	unsigned int leaving : 1;
};

/**
 * struct gntdev_mapping - the grants of one range, mapped at pages of the kernel
 * @view:     the first view, if it is one of a PV domain and the mapping was made with room for it
 * @notify:   the range's notifications, once the last user of the mapping has gone
 * @instance: whose ports they name
 * @retry:    used once it has no view, while the kernel still uses one of its pages
 * @views:    how many views it has that are not leaving, if it was made with room for one
 * @unmapped: told when the mapping is gone, or NULL, if it was not
 * @sweep:    looks for pages that need not be held any more
 * @lock:     protects the handles of the mapping and of its views, @views and what changes below,
 *            while there are views; over hypercalls of one batch; the last of all locks, but for
 *            that of sweep.c
 * @count:    pages
 * @readonly: mapped without write access
 * @uncached: all its views have pgprot_writecombine(), and are write-back otherwise
 * @has_view: whether there is room for the first view
 * @weak:     a page may be neither held nor shown by an entry, that is, not be mapped at all
 * @ended:    the domain was restored since: what was granted to it then is no more
 * @first_view: @view is a view, and shows all pages
 * @kept:     pages were held for good: to clear a byte, or because no entry shows them
 * @pages:    the pages, NULL once unmapped; behind them what gntdev_mapping_ptes() and
 *            gntdev_mapping_handles() give
 *
 * Views (a VMA, a dma-buf) share a mapping. When the last of them goes, the mapping leaves its
 * range and unmaps itself, except pages that the kernel still uses; those follow one by one.
 */
struct gntdev_mapping {
	union {
		struct gntdev_pv_view view;
		struct {
			struct gntdev_notify notify;
			struct gntdev_instance *instance;
			struct gntdev_retry retry;
		};
	};
	union {
		unsigned int views;
		struct gntdev_unmapped *unmapped;
	};
	struct gntdev_sweep sweep;
	spinlock_t lock;		/* taken under page-table locks and in MMU notifiers */
	unsigned int count : 25;	/* GNTDEV_MAPPING_MOST */
	unsigned int readonly : 1;
	unsigned int uncached : 1;
	unsigned int has_view : 1;
	unsigned int weak : 1;		/* these change */
	unsigned int ended : 1;
	unsigned int first_view : 1;
	unsigned int kept : 1;
	struct page *pages[];
};

#define GNTDEV_MAPPING_MOST	(BIT(25) - 1)

/* What a mapping is made for. */
enum {
	GNTDEV_MAPPING_READONLY = BIT(0),	/* map without write access */
	GNTDEV_MAPPING_UNCACHED = BIT(1),	/* have pages of gntdev_pages_uncache() */
	GNTDEV_MAPPING_VIEW = BIT(2),		/* have room for a PV view of all of it */
};

/**
 * gntdev_mapping_ptes() - room for what the first view has for each of its entries
 * @mapping: a mapping with room for it
 *
 * Return: struct gntdev_pv_view's @ptes.
 */
static inline u64 *gntdev_mapping_ptes(struct gntdev_mapping *mapping)
{
	return (u64 *)&mapping->pages[mapping->count];
}

/**
 * gntdev_mapping_handles() - the handles of a mapping's pages
 * @mapping: the mapping
 *
 * Return: an array: Xen's handle for each page that is mapped at the kernel's address,
 * INVALID_GRANT_HANDLE for the others (gntdev_mapping_hold()).
 */
static inline grant_handle_t *gntdev_mapping_handles(struct gntdev_mapping *mapping)
{
	grant_handle_t *behind = (grant_handle_t *)&mapping->pages[mapping->count];
	/* An entry's address and handle. */
	const size_t entry = sizeof(u64) / sizeof(*behind) + 1;

	return mapping->has_view ? behind + entry * mapping->count : behind;
}

/**
 * gntdev_mapping_has() - is a page of a mapping mapped at the kernel's address?
 * @mapping: the mapping
 * @page:    the page's number in it
 *
 * Return: whether it is. In an auto-translated domain it always is, except after a suspend.
 */
static inline bool gntdev_mapping_has(struct gntdev_mapping *mapping, unsigned int page)
{
	return gntdev_is_mapped(gntdev_mapping_handles(mapping)[page]);
}

/*
 * Is the domain being suspended? Then nothing is mapped. Set and cleared while all processes are
 * frozen.
 */
extern bool gntdev_mapping_suspended;

/**
 * gntdev_mapping_is_whole() - are all pages mapped of a mapping of gntdev_mapping_map()?
 * @mapping: the mapping
 *
 * Return: whether they are. They are not while the domain is suspended, and may not be after that.
 */
static inline bool gntdev_mapping_is_whole(const struct gntdev_mapping *mapping)
{
	return !READ_ONCE(gntdev_mapping_suspended) && !mapping->weak && !mapping->ended;
}

int gntdev_mapping_release_begin(void);
void gntdev_mapping_release_end(int begun);
void gntdev_mapping_suspend_begin(void);
void gntdev_mapping_suspend(struct gntdev_mapping *mapping);
void gntdev_mapping_suspend_busy(void);
unsigned int gntdev_mapping_resume(struct gntdev_mapping *mapping,
				   const struct ioctl_gntdev_grant_ref *refs, bool restored);
void gntdev_mapping_resume_busy(bool restored);
void gntdev_mapping_resume_end(void);

int gntdev_mapping_init(void);
void gntdev_mapping_exit(void);

struct gntdev_mapping *gntdev_mapping_alloc(unsigned int count, unsigned int flags);
void gntdev_mapping_free(struct gntdev_mapping *mapping);
int gntdev_mapping_map(struct gntdev_mapping *mapping, const struct ioctl_gntdev_grant_ref *refs);
int gntdev_mapping_hold(struct gntdev_mapping *mapping, const struct ioctl_gntdev_grant_ref *refs,
			unsigned int first, unsigned int count, bool may_yield);
int gntdev_mapping_ask(struct gntdev_mapping *mapping, const struct ioctl_gntdev_grant_ref *refs,
		       unsigned int page);
void gntdev_mapping_keep(struct gntdev_mapping *mapping);
void gntdev_mapping_weaken(struct gntdev_mapping *mapping);
void gntdev_mapping_add_view(struct gntdev_mapping *mapping, struct gntdev_pv_view *view);
void gntdev_mapping_shown(struct gntdev_mapping *mapping);
void gntdev_mapping_leave(struct gntdev_mapping *mapping, struct gntdev_pv_view *view);
void gntdev_mapping_release(struct gntdev_mapping *mapping, const struct gntdev_notify *notify,
			    struct gntdev_instance *instance);

#endif
