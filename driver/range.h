/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_RANGE_H
#define GNTDEV_RANGE_H

#include <linux/kref.h>
#include <linux/lockdep_types.h>
#include <linux/mm.h>

#include "../include/uapi/xen/gntdev.h"
#include "notify.h"
#include "table.h"

struct gntdev_instance;
struct gntdev_mapping;
struct gntdev_unmapped;

/**
 * struct gntdev_range - grant references that were registered together
 * @slot:       place in the instance's table, under the instance's lock; of a dma-buf's range, in
 *              no table, only the count is used, and the first page is 0
 * @ref:        held by the table and by each user
 * @users:      views of the range, attempts to make one, a dma-buf; under the instance's lock
 * @state:      bits GNTDEV_RANGE_*
 * @instance:   whose it is
 * @mapping:    the grants, while they are mapped; under the range's lock, but a user may read it
 *              without
 * @notify:     what to do when pages of it go; under the instance's lock
 * @dep_map:    the lock, as lockdep knows it
 * @refs:       the references, @slot.count of them, never changed
 *
 * Many are held at a time, mostly of one page. So the lock is a bit.
 */
struct gntdev_range {
	struct gntdev_slot slot;
	struct kref ref;
	unsigned int users;
	unsigned long state;
	struct gntdev_instance *instance;
	struct gntdev_mapping *mapping;
	struct gntdev_notify notify;
	struct lockdep_map dep_map;
	struct ioctl_gntdev_grant_ref refs[];
};

/* Where it is, in bytes. */
static inline u64 gntdev_range_index(const struct gntdev_range *range)
{
	return (u64)range->slot.first << PAGE_SHIFT;
}

/* How many domains a tally tells apart. */
#define GNTDEV_TALLY_DOMAINS	16

/**
 * struct gntdev_tally_domain - what of an instance's ranges is of one domain
 * @domid:      the domain
 * @references: how many of its references are registered
 * @mapped:     how many of these are mapped
 */
struct gntdev_tally_domain {
	u32 domid;
	unsigned int references;
	unsigned int mapped;
};

/**
 * struct gntdev_tally - the ranges of an instance, counted
 * @ranges:        how many there are
 * @mapped:        pages of those that are mapped
 * @notifications: pages with an unmap notification
 * @count:         domains in @domains
 * @domains:       the first domains that the ranges name, in no order; behind them what is of all
 *                 others, whose @domid says nothing
 */
struct gntdev_tally {
	unsigned int ranges;
	unsigned int mapped;
	unsigned int notifications;
	unsigned int count;
	struct gntdev_tally_domain domains[GNTDEV_TALLY_DOMAINS + 1];
};

/* Bits of a range's state. */
enum {
	GNTDEV_RANGE_LOCKED,		/* gntdev_range_lock(); held while it is being mapped */
	GNTDEV_RANGE_REGISTERED,	/* look-ups may find it; set once */
};

struct gntdev_range *gntdev_range_alloc(struct gntdev_instance *instance, unsigned int count);
int gntdev_range_insert(struct gntdev_range *range);
void gntdev_range_publish(struct gntdev_range *range);
void gntdev_range_withdraw(struct gntdev_range *range);
int gntdev_range_remove(struct gntdev_instance *instance, u64 index, unsigned int count);
void gntdev_range_remove_all(struct gntdev_instance *instance);
void gntdev_range_put(struct gntdev_range *range);

struct gntdev_range *gntdev_range_use(struct gntdev_instance *instance, unsigned long first,
				      unsigned long count);
void gntdev_range_use_again(struct gntdev_range *range);
void gntdev_range_unuse(struct gntdev_range *range);

void gntdev_range_lock(struct gntdev_range *range);
void gntdev_range_unlock(struct gntdev_range *range);

bool gntdev_range_clears(struct gntdev_range *range);
struct gntdev_mapping *gntdev_range_prepare(struct gntdev_range *range, bool write, bool *fresh);

int gntdev_range_map(struct gntdev_range *range, bool uncached,
		     struct gntdev_unmapped *unmapped);

void gntdev_range_ref(struct gntdev_instance *instance, u64 index,
		      struct ioctl_gntdev_grant_ref *ref);
void gntdev_range_tally(struct gntdev_instance *instance, struct gntdev_tally *tally);

void gntdev_range_suspend_all(struct gntdev_instance *instance);
unsigned int gntdev_range_resume_all(struct gntdev_instance *instance, bool restored);

int gntdev_range_set_notify(struct gntdev_instance *instance, u64 index, u32 action, u32 port);

#endif
