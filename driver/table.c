// SPDX-License-Identifier: GPL-2.0
/*
 * An instance's table: which page indexes are taken, and by whom.
 *
 * The slots stand in a red-black tree by index. Each node also knows the free pages in front of it
 * and the largest such gap below it, so that the lowest gap that is wide enough is found on one way
 * down. Everything is O(log n), and nothing here allocates: a slot is part of the object it places,
 * so taking one out of the table cannot fail, not even in a process that dies for want of memory.
 *
 * No Xen and no memory management in this file; the caller holds the lock.
 */

#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/rbtree_augmented.h>

#include "table.h"

/* Indexes are file offsets in bytes: 16 TiB is more than any table holds, and fits a loff_t. */
#define TABLE_END	U32_MAX

static inline u32 slot_gap(struct gntdev_slot *slot)
{
	return slot->gap;
}

RB_DECLARE_CALLBACKS_MAX(static, gap_callbacks, struct gntdev_slot, node, u32, max_gap,
			 slot_gap);

static struct gntdev_slot *to_slot(struct rb_node *node)
{
	return rb_entry_safe(node, struct gntdev_slot, node);
}

static u32 slot_end(const struct gntdev_slot *slot)
{
	return slot->first + slot->count;
}

/**
 * gntdev_table_init() - make an empty table
 * @table: the table
 * @limit: how many pages it may hold
 */
void gntdev_table_init(struct gntdev_table *table, unsigned int limit)
{
	table->slots = RB_ROOT;
	table->held = 0;
	table->reserved = 0;
	table->limit = limit;
}

/**
 * gntdev_table_has_room() - whether the limit allows more
 * @table: the table
 * @count: pages to be added
 *
 * Return: true if they fit.
 */
bool gntdev_table_has_room(const struct gntdev_table *table, unsigned int count)
{
	/* In 64 bits; a limit may have been set below what is reserved. */
	return (u64)table->held + table->reserved + count <= table->limit;
}

/**
 * gntdev_table_reserve() - have pages count that get no place in the table
 * @table: the table
 * @count: pages
 *
 * Return: 0, or -ENOSPC if the limit does not allow it.
 */
int gntdev_table_reserve(struct gntdev_table *table, unsigned int count)
{
	if (!gntdev_table_has_room(table, count))
		return -ENOSPC;
	table->reserved += count;
	return 0;
}

/**
 * gntdev_table_unreserve() - undo gntdev_table_reserve()
 * @table: the table
 * @count: pages
 */
void gntdev_table_unreserve(struct gntdev_table *table, unsigned int count)
{
	table->reserved -= count;
}

/* The lowest slot with @count free pages in front of it, or NULL. */
static struct gntdev_slot *lowest_gap(const struct gntdev_table *table, unsigned int count)
{
	struct gntdev_slot *slot = to_slot(table->slots.rb_node);

	if (!slot || slot->max_gap < count)
		return NULL;

	for (;;) {
		struct gntdev_slot *left = to_slot(slot->node.rb_left);

		if (left && left->max_gap >= count) {
			slot = left;
			continue;
		}
		if (slot->gap >= count)
			return slot;
		slot = to_slot(slot->node.rb_right);
	}
}

/**
 * gntdev_table_insert() - give a slot the lowest free index
 * @table: the table
 * @slot:  the slot, with its @slot->count, not 0; @slot->first is set here
 *
 * Return: 0, or -ENOSPC if the limit or the index space does not allow it.
 */
int gntdev_table_insert(struct gntdev_table *table, struct gntdev_slot *slot)
{
	unsigned int count = slot->count;
	struct gntdev_slot *next, *prev;
	struct rb_node **link, *parent;

	if (!gntdev_table_has_room(table, count))
		return -ENOSPC;

	next = lowest_gap(table, count);
	if (next) {
		slot->first = next->first - next->gap;
		slot->gap = 0;
		next->gap -= count;

		/* The place right in front of @next: left of it, or right of all that is there. */
		parent = &next->node;
		link = &next->node.rb_left;
		while (*link) {
			parent = *link;
			link = &parent->rb_right;
		}
		gap_callbacks_propagate(&next->node, NULL);
	} else {
		prev = to_slot(rb_last(&table->slots));
		slot->first = prev ? slot_end(prev) : 0;
		slot->gap = 0;
		if (count > TABLE_END - slot->first)
			return -ENOSPC;
		parent = prev ? &prev->node : NULL;
		link = prev ? &prev->node.rb_right : &table->slots.rb_node;
	}

	slot->max_gap = 0;
	rb_link_node(&slot->node, parent, link);
	rb_insert_augmented(&slot->node, &table->slots, &gap_callbacks);
	table->held += count;
	return 0;
}

/**
 * gntdev_table_erase() - free a slot's indexes
 * @table: the table
 * @slot:  a slot that is in it
 */
void gntdev_table_erase(struct gntdev_table *table, struct gntdev_slot *slot)
{
	struct gntdev_slot *next = to_slot(rb_next(&slot->node));

	if (next) {
		next->gap += slot->gap + slot->count;
		gap_callbacks_propagate(&next->node, NULL);
	}
	rb_erase_augmented(&slot->node, &table->slots, &gap_callbacks);
	table->held -= slot->count;
}

/**
 * gntdev_table_from() - the slot that has a page, or else the next one
 * @table: the table
 * @page:  the page's index, in pages
 *
 * Return: the slot, or NULL if neither that page nor any behind it is taken.
 */
struct gntdev_slot *gntdev_table_from(const struct gntdev_table *table, unsigned long page)
{
	struct gntdev_slot *slot = to_slot(table->slots.rb_node), *found = NULL;

	while (slot) {
		if (page < slot_end(slot)) {
			found = slot;
			slot = to_slot(slot->node.rb_left);
		} else {
			slot = to_slot(slot->node.rb_right);
		}
	}
	return found;
}
