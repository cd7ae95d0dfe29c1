// SPDX-License-Identifier: GPL-2.0
/*
 * Which dma-bufs an instance knows, and which one a request means. A request has the number of a
 * descriptor. What is open under it comes first; else the number stands for the newest that was
 * known by it. An instance may know as many as its limit allows, and others want its lock; so all
 * of it is O(log n).
 *
 * The caller holds the lock.
 */

#include <linux/limits.h>

#include "known.h"

/* Where something belongs, seen from one that is known: before it (negative), or behind. */
static int compare(const void *object, int fd, u64 serial, const struct gntdev_known *known,
		   bool by_object)
{
	if (by_object && object != known->object)
		return object < known->object ? -1 : 1;
	if (fd != known->fd)
		return fd < known->fd ? -1 : 1;
	return serial >= known->serial ? -1 : 1;
}

static struct gntdev_known *to_known(struct rb_node *node, bool by_object)
{
	return by_object ? rb_entry_safe(node, struct gntdev_known, by_object) :
			   rb_entry_safe(node, struct gntdev_known, by_fd);
}

static void insert(struct rb_root *root, struct gntdev_known *known, bool by_object)
{
	struct rb_node *node = by_object ? &known->by_object : &known->by_fd;
	struct rb_node **link = &root->rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = compare(known->object, known->fd, known->serial, to_known(parent, by_object),
			       by_object) < 0 ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(node, parent, link);
	rb_insert_color(node, root);
}

/* The first one that is not before an object and a number; or NULL. */
static struct gntdev_known *first_from(const struct rb_root *root, const void *object, int fd,
				       bool by_object)
{
	struct rb_node *node = root->rb_node;
	struct gntdev_known *found = NULL;

	while (node) {
		struct gntdev_known *known = to_known(node, by_object);

		if (compare(object, fd, U64_MAX, known, by_object) < 0) {
			found = known;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return found;
}

/**
 * gntdev_known_init() - make an empty set
 * @set: the set
 */
void gntdev_known_init(struct gntdev_known_set *set)
{
	set->by_object = RB_ROOT;
	set->by_fd = RB_ROOT;
	set->serial = 0;
	set->count = 0;
}

/**
 * gntdev_known_add() - add what is the newest then
 * @set:    the set
 * @known:  part of the dma-buf, in no set
 * @object: what is open when it is meant
 * @fd:     the number that it is known by
 */
void gntdev_known_add(struct gntdev_known_set *set, struct gntdev_known *known, const void *object,
		      int fd)
{
	known->object = object;
	known->fd = fd;
	known->serial = ++set->serial;
	insert(&set->by_object, known, true);
	insert(&set->by_fd, known, false);
	set->count++;
}

/**
 * gntdev_known_forget_object() - note that nobody has it open any more
 * @set:   the set
 * @known: what is in it
 */
void gntdev_known_forget_object(struct gntdev_known_set *set, struct gntdev_known *known)
{
	rb_erase(&known->by_object, &set->by_object);
	known->object = NULL;
}

/**
 * gntdev_known_remove() - undo gntdev_known_add()
 * @set:   the set
 * @known: what is in it; nothing happens if it is in none
 */
void gntdev_known_remove(struct gntdev_known_set *set, struct gntdev_known *known)
{
	if (!known->serial)
		return;
	if (known->object)
		gntdev_known_forget_object(set, known);
	rb_erase(&known->by_fd, &set->by_fd);
	known->serial = 0;
	set->count--;
}

/**
 * gntdev_known_find() - find what a number stands for
 * @set:    the set
 * @object: what the caller has open under it, or what is no object of any
 * @fd:     the number
 *
 * Return: of those with that object the newest with the number, or else one of them; without any,
 * the newest with the number; or NULL.
 */
struct gntdev_known *gntdev_known_find(const struct gntdev_known_set *set, const void *object,
				       int fd)
{
	struct gntdev_known *known;

	known = first_from(&set->by_object, object, fd, true);
	if (known && known->object == object && known->fd == fd)
		return known;
	known = first_from(&set->by_object, object, INT_MIN, true);
	if (known && known->object == object)
		return known;
	known = first_from(&set->by_fd, NULL, fd, false);
	return known && known->fd == fd ? known : NULL;
}

/**
 * gntdev_known_first() - begin to go through a set
 * @set: the set
 *
 * Return: one of it, or NULL if it is empty.
 */
struct gntdev_known *gntdev_known_first(const struct gntdev_known_set *set)
{
	return to_known(rb_first(&set->by_fd), false);
}

/**
 * gntdev_known_next() - go on through a set
 * @known: what is in it
 *
 * Return: the next one, or NULL if that was the last.
 */
struct gntdev_known *gntdev_known_next(const struct gntdev_known *known)
{
	return to_known(rb_next(&known->by_fd), false);
}
