/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_RANGE_H
#define GNTDEV_RANGE_H

#include <linux/kref.h>
#include <linux/mutex.h>

#include "../include/uapi/xen/gntdev.h"
#include "notify.h"
#include "table.h"

struct gntdev_instance;
struct gntdev_mapping;
struct gntdev_unmapped;

/**
 * struct gntdev_range - grant references that were registered together
 * @ref:        held by the table and by each user
 * @users:      views of the range, attempts to make one, a dma-buf; under the instance's lock
 * @slot:       place in the instance's table, under the instance's lock; of a dma-buf's range, in
 *              no table, only the count is used, and the first page is 0
 * @registered: whether look-ups may find it; under the instance's lock
 * @gone:       whether it has left the table for good; under @lock
 * @instance:   whose it is
 * @lock:       protects @mapping, @notify and @gone
 * @mapping:    the grants, while they are mapped. A user may read it without the lock
 * @notify:     what to do when pages of it go
 * @refs:       the references, @slot.count of them, never changed
 */
struct gntdev_range {
	struct kref ref;
	unsigned int users;
	struct gntdev_slot slot;
	bool registered;
	bool gone;
	struct gntdev_instance *instance;
	struct mutex lock;		/* held while the range is being mapped */
	struct gntdev_mapping *mapping;
	struct gntdev_notify notify;
	struct ioctl_gntdev_grant_ref refs[];
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

struct gntdev_mapping *gntdev_range_prepare(struct gntdev_range *range, bool write, bool *fresh);

int gntdev_range_map(struct gntdev_range *range, bool write_combining,
		     struct gntdev_unmapped *unmapped);

int gntdev_range_set_notify(struct gntdev_instance *instance, u64 index, u32 action, u32 port);

#endif
