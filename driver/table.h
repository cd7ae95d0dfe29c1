/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_TABLE_H
#define GNTDEV_TABLE_H

#include <linux/rbtree.h>
#include <linux/types.h>

/**
 * struct gntdev_slot - a run of pages in the index space of a table
 * @node:    place in the tree, ordered by @first
 * @first:   first page of the run; the index that user space sees is this in bytes
 * @gap:     free pages between the slot before and this one
 * @max_gap: the largest @gap in the subtree under @node
 * @count:   pages in the run
 */
struct gntdev_slot {
	struct rb_node node;
	u32 first;
	u32 gap;
	u32 max_gap;
	u32 count;
};

/**
 * struct gntdev_table - the ranges that an instance holds
 * @slots:    the slots, which never overlap
 * @held:     pages in all of them
 * @reserved: pages that count, too, without a place in the table: those of dma-bufs
 * @limit:    how large the sum of both may become
 */
struct gntdev_table {
	struct rb_root slots;
	unsigned int held;
	unsigned int reserved;
	unsigned int limit;
};

void gntdev_table_init(struct gntdev_table *table, unsigned int limit);
bool gntdev_table_has_room(const struct gntdev_table *table, unsigned int count);
int gntdev_table_reserve(struct gntdev_table *table, unsigned int count);
void gntdev_table_unreserve(struct gntdev_table *table, unsigned int count);
int gntdev_table_insert(struct gntdev_table *table, struct gntdev_slot *slot);
void gntdev_table_erase(struct gntdev_table *table, struct gntdev_slot *slot);
struct gntdev_slot *gntdev_table_from(const struct gntdev_table *table, unsigned long page);

/**
 * gntdev_table_find() - find the slot that has a page
 * @table: the table
 * @page:  the page's index, in pages
 *
 * Return: the slot, or NULL if no slot has that page.
 */
static inline struct gntdev_slot *gntdev_table_find(const struct gntdev_table *table,
						    unsigned long page)
{
	struct rb_node *node = table->slots.rb_node;

	while (node) {
		struct gntdev_slot *slot = rb_entry(node, struct gntdev_slot, node);

		if (page < slot->first)
			node = node->rb_left;
		else if (page - slot->first >= slot->count)
			node = node->rb_right;
		else
			return slot;
	}
	return NULL;
}

#endif
