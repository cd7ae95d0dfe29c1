// SPDX-License-Identifier: GPL-2.0
/*
 * Ranges: from the registration of grant references to their removal.
 *
 * A range is in the table from MAP_GRANT_REF to UNMAP_GRANT_REF or the release of the file; that of
 * a dma-buf is in no table. While
 * it has users (a VMA, or an attempt to make one) it stays there. The first user has the grants
 * mapped; with the last one the mapping leaves the range, so that the range is free at once for
 * whatever comes next, even where the kernel is not yet done with some of the mapping's pages.
 */

#include <linux/mm.h>
#include <linux/slab.h>

#include "instance.h"
#include "mapping.h"
#include "notify.h"
#include "range.h"

static struct gntdev_range *to_range(struct gntdev_slot *slot)
{
	return slot ? container_of(slot, struct gntdev_range, slot) : NULL;
}

/* The registered range that has a page, under the instance's lock; or NULL. */
static struct gntdev_range *find_registered(struct gntdev_instance *instance, unsigned long page)
{
	struct gntdev_range *range = to_range(gntdev_table_find(&instance->table, page));

	return range && range->registered ? range : NULL;
}

/**
 * gntdev_range_alloc() - make a range that is not in the table yet
 * @instance: whose it will be
 * @count:    how many references it has room for
 *
 * Return: the range, or NULL.
 */
struct gntdev_range *gntdev_range_alloc(struct gntdev_instance *instance, unsigned int count)
{
	struct gntdev_range *range = kvmalloc(struct_size(range, refs, count),
					      GFP_KERNEL_ACCOUNT | __GFP_NOWARN);

	if (!range)
		return NULL;
	kref_init(&range->ref);
	range->users = 0;
	range->slot.first = 0;
	range->slot.count = count;
	range->registered = false;
	range->gone = false;
	range->instance = instance;
	mutex_init(&range->lock);
	range->mapping = NULL;
	memset(&range->notify, 0, sizeof(range->notify));
	return range;
}

static void range_free(struct kref *ref)
{
	struct gntdev_range *range = container_of(ref, struct gntdev_range, ref);

	gntdev_notify_free(&range->notify);
	mutex_destroy(&range->lock);
	kvfree(range);
}

/**
 * gntdev_range_put() - drop a reference to a range
 * @range: the range
 */
void gntdev_range_put(struct gntdev_range *range)
{
	kref_put(&range->ref, range_free);
}

/**
 * gntdev_range_insert() - place a range in the table, still hidden from look-ups
 * @range: the range, of which the table takes over the caller's reference
 *
 * Return: 0, or -ENOSPC if the instance's limit would be passed.
 */
int gntdev_range_insert(struct gntdev_range *range)
{
	struct gntdev_instance *instance = range->instance;
	int err;

	spin_lock(&instance->lock);
	err = gntdev_table_insert(&instance->table, &range->slot);
	spin_unlock(&instance->lock);
	return err;
}

/**
 * gntdev_range_publish() - let look-ups find a range
 * @range: a range that gntdev_range_insert() placed
 */
void gntdev_range_publish(struct gntdev_range *range)
{
	struct gntdev_instance *instance = range->instance;

	spin_lock(&instance->lock);
	range->registered = true;
	spin_unlock(&instance->lock);
}

/**
 * gntdev_range_withdraw() - undo gntdev_range_insert()
 * @range: a range that was not published; gone after this
 */
void gntdev_range_withdraw(struct gntdev_range *range)
{
	struct gntdev_instance *instance = range->instance;

	spin_lock(&instance->lock);
	gntdev_table_erase(&instance->table, &range->slot);
	spin_unlock(&instance->lock);
	gntdev_range_put(range);
}

/* What is left to do for a range that is out of the table and has no users. */
static void range_gone(struct gntdev_range *range)
{
	mutex_lock(&range->lock);
	range->gone = true;
	/* Nobody will map it any more: what waits for that to end need not wait longer. */
	gntdev_notify_send(&range->notify, range->instance, 0, range->slot.count);
	mutex_unlock(&range->lock);
	gntdev_range_put(range);
}

/**
 * gntdev_range_remove() - take a range out of the table
 * @instance: whose table
 * @index:    the range's index, in bytes
 * @count:    the range's pages
 *
 * Return: 0; -ENOENT if there is no such range; -EBUSY while it has users.
 */
int gntdev_range_remove(struct gntdev_instance *instance, u64 index, unsigned int count)
{
	unsigned long first = index >> PAGE_SHIFT;
	struct gntdev_range *range;
	int err = 0;

	if (index & ~PAGE_MASK)
		return -ENOENT;

	spin_lock(&instance->lock);
	range = find_registered(instance, first);
	if (!range || range->slot.first != first || range->slot.count != count)
		err = -ENOENT;
	else if (range->users)
		err = -EBUSY;
	else
		gntdev_table_erase(&instance->table, &range->slot);
	spin_unlock(&instance->lock);

	if (!err)
		range_gone(range);
	return err;
}

/**
 * gntdev_range_remove_all() - empty the table of an instance that nobody can use any more
 * @instance: the instance; none of its ranges has users
 */
void gntdev_range_remove_all(struct gntdev_instance *instance)
{
	struct gntdev_slot *slot;

	while ((slot = gntdev_table_first(&instance->table))) {
		gntdev_table_erase(&instance->table, slot);
		range_gone(to_range(slot));
		cond_resched();
	}
}

/**
 * gntdev_range_use() - become a user of exactly one whole range
 * @instance: whose range
 * @first:    first page of the range
 * @count:    pages of the range
 *
 * Return: the range, to be given back with gntdev_range_unuse(); or NULL if no range is just there.
 */
struct gntdev_range *gntdev_range_use(struct gntdev_instance *instance, unsigned long first,
				      unsigned long count)
{
	struct gntdev_range *range;

	spin_lock(&instance->lock);
	range = find_registered(instance, first);
	if (range && range->slot.first == first && range->slot.count == count) {
		range->users++;
		kref_get(&range->ref);
	} else {
		range = NULL;
	}
	spin_unlock(&instance->lock);
	return range;
}

/**
 * gntdev_range_use_again() - become a further user of a range
 * @range: a range that the caller knows to have a user
 */
void gntdev_range_use_again(struct gntdev_range *range)
{
	spin_lock(&range->instance->lock);
	range->users++;
	kref_get(&range->ref);
	spin_unlock(&range->instance->lock);
}

/**
 * gntdev_range_unuse() - stop being a user of a range
 * @range: the range
 *
 * The last user takes the mapping away, if there is one. Sleeps; the caller holds no lock but
 * mmap_lock.
 */
void gntdev_range_unuse(struct gntdev_range *range)
{
	struct gntdev_instance *instance = range->instance;
	struct gntdev_mapping *mapping = NULL;
	struct gntdev_notify notify;
	bool last;

	mutex_lock(&range->lock);
	spin_lock(&instance->lock);
	last = --range->users == 0;
	spin_unlock(&instance->lock);
	if (last && range->mapping) {
		mapping = range->mapping;
		notify = range->notify;
		range->mapping = NULL;
		memset(&range->notify, 0, sizeof(range->notify));
	}
	mutex_unlock(&range->lock);

	if (mapping)
		gntdev_mapping_release(mapping, &notify, instance);
	gntdev_range_put(range);
}

/**
 * gntdev_range_prepare() - get the mapping for a new view
 * @range: the range, which the caller uses and whose lock it holds
 * @write: whether the view can write
 * @fresh: set to whether the mapping is new; its maker then maps it and sets @range->mapping, or
 *         frees it
 *
 * Return: the mapping; -EBUSY if the range is mapped with less access than asked for; -EINVAL if
 * a byte is to be cleared in what would be mapped read-only, or if the domain now may not map a
 * reference; -ENOMEM.
 */
struct gntdev_mapping *gntdev_range_prepare(struct gntdev_range *range, bool write, bool *fresh)
{
	struct gntdev_mapping *mapping = range->mapping;

	lockdep_assert_held(&range->lock);

	*fresh = !mapping;
	if (mapping) {
		/*
		 * More access cannot be had later: where translation is Xen's, the page itself is
		 * read-only, and what is written to it is lost.
		 */
		if (write && mapping->readonly)
			return ERR_PTR(-EBUSY);
		return mapping;
	}

	if (!write && gntdev_notify_clears(&range->notify))
		return ERR_PTR(-EINVAL);
	mapping = gntdev_mapping_alloc(range->slot.count, !write, false);
	return mapping ?: ERR_PTR(-ENOMEM);
}

/**
 * gntdev_range_map() - map a range that nobody else knows yet
 * @range:           a range that is in no table
 * @write_combining: as gntdev_mapping_alloc()
 * @unmapped:        is told when the mapping is gone
 *
 * Return: 0, and the caller is a user, with what reference it had; or an errno as
 * gntdev_mapping_map(), and the range is as before.
 */
int gntdev_range_map(struct gntdev_range *range, bool write_combining,
		     struct gntdev_unmapped *unmapped)
{
	struct gntdev_mapping *mapping;
	int err;

	mapping = gntdev_mapping_alloc(range->slot.count, false, write_combining);
	if (!mapping)
		return -ENOMEM;
	err = gntdev_mapping_map(mapping, range->refs);
	if (err) {
		gntdev_mapping_free(mapping);
		return err;
	}
	mapping->unmapped = unmapped;
	range->mapping = mapping;
	range->users = 1;
	return 0;
}

/**
 * gntdev_range_set_notify() - set, replace or clear a page's notification
 * @instance: whose table
 * @index:    offset of a byte, in bytes
 * @action:   UNMAP_NOTIFY_* bits, or 0 to clear
 * @port:     event channel port, for UNMAP_NOTIFY_SEND_EVENT
 *
 * Return: 0; -EINVAL for unknown bits, a port that is not open, or a byte to clear in what is
 * mapped read-only; -ENOENT if no range has the page; -ENOMEM; or an errno as
 * gntdev_mapping_hold().
 */
int gntdev_range_set_notify(struct gntdev_instance *instance, u64 index, u32 action, u32 port)
{
	unsigned long page = index >> PAGE_SHIFT;
	struct gntdev_range *range;
	int err;

	if (action & ~(UNMAP_NOTIFY_CLEAR_BYTE | UNMAP_NOTIFY_SEND_EVENT))
		return -EINVAL;

	spin_lock(&instance->lock);
	range = find_registered(instance, page);
	if (range)
		kref_get(&range->ref);
	spin_unlock(&instance->lock);
	if (!range)
		return -ENOENT;

	mutex_lock(&range->lock);
	if (range->gone) {
		err = -ENOENT;
		goto out;
	}
	if ((action & UNMAP_NOTIFY_CLEAR_BYTE) && range->mapping) {
		err = -EINVAL;
		if (range->mapping->readonly)
			goto out;
		err = gntdev_mapping_hold(range->mapping, range->refs, page - range->slot.first, 1,
					  true);
		if (err)
			goto out;
	}
	err = gntdev_notify_set(&range->notify, instance, page - range->slot.first,
				offset_in_page(index), action, port);
out:
	mutex_unlock(&range->lock);
	gntdev_range_put(range);
	return err;
}
