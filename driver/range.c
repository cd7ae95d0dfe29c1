// SPDX-License-Identifier: GPL-2.0
/*
 * Ranges: from the registration of grant references to their removal.
 *
 * A range is in the table from MAP_GRANT_REF to UNMAP_GRANT_REF or the release of the file; that
 * of a dma-buf is in no table. While it has users (a VMA, or an attempt to make one) it stays
 * there. The first user has the grants mapped; with the last one the mapping leaves the range, so
 * that the range is free at once for whatever comes next, even where the kernel is not yet done
 * with some of the mapping's pages.
 */

#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include <xen/events.h>

#include "grants.h"
#include "instance.h"
#include "mapping.h"
#include "notify.h"
#include "range.h"
#include "trace.h"

static struct lock_class_key range_lock_class;

/**
 * gntdev_range_lock() - take a range's lock
 * @range: the range
 *
 * Sleeps. Inside mmap_lock, outside the locks of the instance.
 */
void gntdev_range_lock(struct gntdev_range *range)
{
	lock_map_acquire(&range->dep_map);
	wait_on_bit_lock(&range->state, GNTDEV_RANGE_LOCKED, TASK_UNINTERRUPTIBLE);
}

/**
 * gntdev_range_unlock() - give a range's lock back
 * @range: the range
 */
void gntdev_range_unlock(struct gntdev_range *range)
{
	lock_map_release(&range->dep_map);
	clear_and_wake_up_bit(GNTDEV_RANGE_LOCKED, &range->state);
}

static struct gntdev_range *to_range(struct gntdev_slot *slot)
{
	return slot ? container_of(slot, struct gntdev_range, slot) : NULL;
}

/* The registered range that has a page, under the instance's lock; or NULL. */
static inline struct gntdev_range *find_registered(struct gntdev_instance *instance,
						   unsigned long page)
{
	struct gntdev_range *range = to_range(gntdev_table_find(&instance->table, page));

	return range && test_bit(GNTDEV_RANGE_REGISTERED, &range->state) ? range : NULL;
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
	range->state = 0;
	range->instance = instance;
	range->mapping = NULL;
	memset(&range->notify, 0, sizeof(range->notify));
	lockdep_init_map(&range->dep_map, "gntdev_range", &range_lock_class, 0);
	return range;
}

static void range_free(struct kref *ref)
{
	struct gntdev_range *range = container_of(ref, struct gntdev_range, ref);

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

	mutex_lock(&instance->lock);
	err = gntdev_table_insert(&instance->table, &range->slot);
	mutex_unlock(&instance->lock);
	return err;
}

/**
 * gntdev_range_publish() - let look-ups find a range
 * @range: a range that gntdev_range_insert() placed
 */
void gntdev_range_publish(struct gntdev_range *range)
{
	/* All else was written before the table got the range. Whoever sees this may free it. */
	set_bit(GNTDEV_RANGE_REGISTERED, &range->state);
}

/**
 * gntdev_range_withdraw() - undo gntdev_range_insert()
 * @range: a range that was not published; gone after this
 */
void gntdev_range_withdraw(struct gntdev_range *range)
{
	struct gntdev_instance *instance = range->instance;

	mutex_lock(&instance->lock);
	gntdev_table_erase(&instance->table, &range->slot);
	mutex_unlock(&instance->lock);
	gntdev_range_put(range);
}

/* What is left to do for a range that is out of the table and has no users: nobody can find it. */
static void range_gone(struct gntdev_range *range)
{
	if (!gntdev_notify_is_empty(&range->notify)) {
		gntdev_notify_send(&range->notify, range->instance, 0, range->slot.count);
		gntdev_notify_free(&range->notify);
	}
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

	mutex_lock(&instance->lock);
	range = find_registered(instance, first);
	if (!range || range->slot.first != first || range->slot.count != count)
		err = -ENOENT;
	else if (range->users)
		err = -EBUSY;
	else
		gntdev_table_erase(&instance->table, &range->slot);
	mutex_unlock(&instance->lock);

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

	/* Nobody but a suspend looks at them. */
	mutex_lock(&instance->lock);
	while ((slot = gntdev_table_from(&instance->table, 0))) {
		gntdev_table_erase(&instance->table, slot);
		mutex_unlock(&instance->lock);
		range_gone(to_range(slot));
		cond_resched();
		mutex_lock(&instance->lock);
	}
	mutex_unlock(&instance->lock);
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

	mutex_lock(&instance->lock);
	range = find_registered(instance, first);
	if (range && range->slot.first == first && range->slot.count == count) {
		range->users++;
		kref_get(&range->ref);
	} else {
		range = NULL;
	}
	mutex_unlock(&instance->lock);
	return range;
}

/**
 * gntdev_range_use_again() - become a further user of a range
 * @range: a range that the caller knows to have a user
 */
void gntdev_range_use_again(struct gntdev_range *range)
{
	mutex_lock(&range->instance->lock);
	range->users++;
	kref_get(&range->ref);
	mutex_unlock(&range->instance->lock);
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
	int releasing = gntdev_mapping_release_begin();
	struct gntdev_notify notify;
	bool last;

	gntdev_range_lock(range);
	mutex_lock(&instance->lock);
	last = --range->users == 0;
	if (last && range->mapping) {
		notify = range->notify;
		memset(&range->notify, 0, sizeof(range->notify));
	}
	mutex_unlock(&instance->lock);
	if (last) {
		mapping = range->mapping;
		range->mapping = NULL;
	}
	gntdev_range_unlock(range);

	if (mapping) {
		gntdev_mapping_release(mapping, &notify, instance);
		trace_gntdev_unmap(range->refs, gntdev_range_index(range), range->slot.count, 0);
	}
	gntdev_mapping_release_end(releasing);
	gntdev_range_put(range);
}

/**
 * gntdev_range_clears() - does a notification of a range clear a byte?
 * @range: the range, whose lock the caller holds, so that none is set meanwhile
 *
 * Return: whether one does.
 */
bool gntdev_range_clears(struct gntdev_range *range)
{
	bool clears;

	lockdep_assert_held(range);

	/* Where there is none at all, none that clears can come meanwhile. */
	if (gntdev_notify_is_empty(&range->notify))
		return false;
	mutex_lock(&range->instance->lock);
	clears = gntdev_notify_clears(&range->notify);
	mutex_unlock(&range->instance->lock);
	return clears;
}

/**
 * gntdev_range_prepare() - get the mapping for a new view
 * @range: the range, which the caller uses and whose lock it holds
 * @write: whether the view can write
 * @fresh: set to whether the mapping is new; its maker then maps it and sets @range->mapping, or
 *         frees it
 *
 * Return: the mapping; -EBUSY if the range is mapped with less access than asked for, or has a
 * mapping of which pages are gone since the domain was suspended; -EINVAL if
 * a byte is to be cleared in what would be mapped read-only, or if the domain now may not map a
 * reference; -ENOMEM.
 */
struct gntdev_mapping *gntdev_range_prepare(struct gntdev_range *range, bool write, bool *fresh)
{
	struct gntdev_mapping *mapping = range->mapping;

	lockdep_assert_held(range);

	*fresh = !mapping;
	if (mapping) {
		/*
		 * More access cannot be had later: where translation is Xen's, the page itself is
		 * read-only, and what is written to it is lost.
		 */
		if (write && mapping->readonly)
			return ERR_PTR(-EBUSY);
		if (mapping->ended || (mapping->weak && !gntdev_is_pv()))
			return ERR_PTR(-EBUSY);
		return mapping;
	}

	if (!write && gntdev_range_clears(range))
		return ERR_PTR(-EINVAL);
	mapping = gntdev_mapping_alloc(range->slot.count,
				       (write ? 0 : GNTDEV_MAPPING_READONLY) |
				       (gntdev_is_pv() ? GNTDEV_MAPPING_VIEW : 0));
	return mapping ?: ERR_PTR(-ENOMEM);
}

/**
 * gntdev_range_map() - map a range that nobody else knows yet
 * @range:    a range that is in no table
 * @uncached: as GNTDEV_MAPPING_UNCACHED
 * @unmapped: is told when the mapping is gone
 *
 * Return: 0, and the caller is a user, with what reference it had; or an errno as
 * gntdev_mapping_map(), and the range is as before.
 */
int gntdev_range_map(struct gntdev_range *range, bool uncached,
		     struct gntdev_unmapped *unmapped)
{
	struct gntdev_mapping *mapping;
	int err;

	mapping = gntdev_mapping_alloc(range->slot.count,
				       uncached ? GNTDEV_MAPPING_UNCACHED : 0);
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

/*
 * Finds the range of a page, locks it, and has the page ready for a byte to be cleared. After an
 * error there is nothing to undo.
 */
static struct gntdev_range *prepare_clearing(struct gntdev_instance *instance, unsigned long page)
{
	struct gntdev_range *range;
	int err = 0;

	mutex_lock(&instance->lock);
	range = find_registered(instance, page);
	if (range)
		kref_get(&range->ref);
	mutex_unlock(&instance->lock);
	if (!range)
		return ERR_PTR(-ENOENT);

	gntdev_range_lock(range);
	if (range->mapping && range->mapping->readonly) {
		err = -EINVAL;
	} else if (range->mapping) {
		gntdev_mapping_keep(range->mapping);
		err = gntdev_mapping_hold(range->mapping, range->refs, page - range->slot.first, 1,
					  true);
	}
	if (!err)
		return range;
	gntdev_range_unlock(range);
	gntdev_range_put(range);
	return ERR_PTR(err);
}

/* As gntdev_range_set_notify(); in this range only, if one is named. */
static inline int set_notify(struct gntdev_instance *instance, unsigned long page, void *entry,
			     const struct gntdev_range *only)
{
	struct gntdev_range *range;
	int result = -ENOENT;

	mutex_lock(&instance->lock);
	range = find_registered(instance, page);
	if (range && (!only || range == only))
		result = gntdev_notify_set(&range->notify, instance, page - range->slot.first,
					   entry);
	mutex_unlock(&instance->lock);

	if (result <= 0)
		return result;
	evtchn_put(result);
	return 0;
}

/* As gntdev_range_set_notify(), if a byte is to be cleared. */
static noinline int set_clearing_notify(struct gntdev_instance *instance, unsigned long page,
					void *entry)
{
	struct gntdev_range *range = prepare_clearing(instance, page);
	int err;

	if (IS_ERR(range))
		return PTR_ERR(range);
	err = set_notify(instance, page, entry, range);
	gntdev_range_unlock(range);
	gntdev_range_put(range);
	return err;
}

/**
 * gntdev_range_ref() - tell the reference behind an index, to whoever traces
 * @instance: whose table
 * @index:    offset of a byte, in bytes
 * @ref:      set to the reference of that page; to zeroes if no range has it
 */
void gntdev_range_ref(struct gntdev_instance *instance, u64 index,
		      struct ioctl_gntdev_grant_ref *ref)
{
	unsigned long page = index >> PAGE_SHIFT;
	struct gntdev_range *range;

	memset(ref, 0, sizeof(*ref));
	mutex_lock(&instance->lock);
	range = find_registered(instance, page);
	if (range)
		*ref = range->refs[page - range->slot.first];
	mutex_unlock(&instance->lock);
}

static struct gntdev_tally_domain *tally_domain(struct gntdev_tally *tally, u32 domid)
{
	struct gntdev_tally_domain *domain = tally->domains;

	for (; domain < tally->domains + tally->count; domain++)
		if (domain->domid == domid)
			return domain;
	if (tally->count < GNTDEV_TALLY_DOMAINS) {
		tally->count++;
		domain->domid = domid;
	}
	return domain;
}

/*
 * How much is counted before others have their turn with the instance's lock: references, and as
 * many as a range costs besides.
 */
#define TALLY_AT_ONCE	1024
#define TALLY_OF_RANGE	16

/*
 * Counts references of a range, no more than @most from the number @first on: neighbours are mostly
 * of one domain, so that this costs little even for a full table. Returns how many.
 */
static unsigned int tally_references(struct gntdev_tally *tally, const struct gntdev_range *range,
				     unsigned int first, unsigned int most, bool mapped)
{
	unsigned int begin = first, last = first + min(most, range->slot.count - first), end;

	for (; first < last; first = end) {
		u32 domid = range->refs[first].domid;
		struct gntdev_tally_domain *domain = tally_domain(tally, domid);

		for (end = first + 1; end < last; end++)
			if (range->refs[end].domid != domid)
				break;
		domain->references += end - first;
		if (mapped)
			domain->mapped += end - first;
	}
	return last - begin;
}

/*
 * Counts from a page on, as much as is done in one go. Returns the page that comes next, or
 * ULONG_MAX if there is none.
 */
static unsigned long tally_some(struct gntdev_instance *instance, struct gntdev_tally *tally,
				unsigned long page)
{
	struct gntdev_slot *slot = gntdev_table_from(&instance->table, page);
	unsigned int left = TALLY_AT_ONCE, first, n;

	for (; slot; slot = gntdev_table_from(&instance->table, page)) {
		const struct gntdev_range *range = to_range(slot);
		bool mapped = READ_ONCE(range->mapping);

		first = 0;
		if (page > slot->first)
			first = page - slot->first;
		if (!first) {
			tally->ranges++;
			if (mapped)
				tally->mapped += slot->count;
			tally->notifications += gntdev_notify_count(&range->notify);
		}
		n = tally_references(tally, range, first, left, mapped);
		page = (unsigned long)slot->first + first + n;
		if (left <= n + TALLY_OF_RANGE)
			return page;
		left -= n + TALLY_OF_RANGE;
	}
	return ULONG_MAX;
}

/**
 * gntdev_range_tally() - count what the ranges of an instance are
 * @instance: the instance
 * @tally:    filled in
 *
 * In pieces, so that nobody who wants the instance's lock waits for a full table. What is
 * registered or removed meanwhile may be counted or not.
 */
void gntdev_range_tally(struct gntdev_instance *instance, struct gntdev_tally *tally)
{
	unsigned long page = 0;

	memset(tally, 0, sizeof(*tally));
	do {
		mutex_lock(&instance->lock);
		page = tally_some(instance, tally, page);
		mutex_unlock(&instance->lock);
		cond_resched();
	} while (page != ULONG_MAX);
}

/**
 * gntdev_range_suspend_all() - have Xen get back what the ranges of an instance have mapped
 * @instance: the instance, whose lock the caller holds, so that users of ranges stay
 *
 * All processes are frozen.
 */
void gntdev_range_suspend_all(struct gntdev_instance *instance)
{
	struct rb_node *node;

	for (node = rb_first(&instance->table.slots); node; node = rb_next(node)) {
		struct gntdev_range *range = to_range(rb_entry(node, struct gntdev_slot, node));

		if (range->users && range->mapping)
			gntdev_mapping_suspend(range->mapping);
		cond_resched();
	}
}

/**
 * gntdev_range_resume_all() - undo gntdev_range_suspend_all()
 * @instance: as there
 * @restored: as gntdev_mapping_resume()
 *
 * Return: how many pages did not come back.
 */
unsigned int gntdev_range_resume_all(struct gntdev_instance *instance, bool restored)
{
	unsigned int missing = 0;
	struct rb_node *node;

	for (node = rb_first(&instance->table.slots); node; node = rb_next(node)) {
		struct gntdev_range *range = to_range(rb_entry(node, struct gntdev_slot, node));

		if (range->users && range->mapping)
			missing += gntdev_mapping_resume(range->mapping, range->refs, restored);
		cond_resched();
	}
	return missing;
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
	void *entry = gntdev_notify_entry(action, offset_in_page(index), port);
	unsigned long page = index >> PAGE_SHIFT;

	if (action & ~(UNMAP_NOTIFY_CLEAR_BYTE | UNMAP_NOTIFY_SEND_EVENT))
		return -EINVAL;
	if (action & UNMAP_NOTIFY_CLEAR_BYTE)
		return set_clearing_notify(instance, page, entry);
	return set_notify(instance, page, entry, NULL);
}
