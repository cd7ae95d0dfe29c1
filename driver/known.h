/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_KNOWN_H
#define GNTDEV_KNOWN_H

#include <linux/rbtree.h>
#include <linux/types.h>

/**
 * struct gntdev_known - what a set knows of a dma-buf; part of that
 * @by_object: place among those with an object
 * @by_fd:     place among all
 * @object:    what the caller has open if it is this one, to compare with only; or NULL
 * @serial:    higher than that of all which are older; 0 if it is in no set
 * @fd:        the number of a descriptor, which may mean something else by now
 */
struct gntdev_known {
	struct rb_node by_object;
	struct rb_node by_fd;
	const void *object;
	u64 serial;
	int fd;
};

/**
 * struct gntdev_known_set - dma-bufs, found by what is open, or by number
 * @by_object: those with an object, by that; then by number, then the newest first
 * @by_fd:     all, by number, then the newest first
 * @serial:    the last that was given out
 * @count:     how many there are
 */
struct gntdev_known_set {
	struct rb_root by_object;
	struct rb_root by_fd;
	u64 serial;
	unsigned int count;
};

void gntdev_known_init(struct gntdev_known_set *set);
void gntdev_known_add(struct gntdev_known_set *set, struct gntdev_known *known, const void *object,
		      int fd);
void gntdev_known_forget_object(struct gntdev_known_set *set, struct gntdev_known *known);
void gntdev_known_remove(struct gntdev_known_set *set, struct gntdev_known *known);
struct gntdev_known *gntdev_known_find(const struct gntdev_known_set *set, const void *object,
				       int fd);
struct gntdev_known *gntdev_known_first(const struct gntdev_known_set *set);
struct gntdev_known *gntdev_known_next(const struct gntdev_known *known);

#define gntdev_known_for_each(set, known) \
	for ((known) = gntdev_known_first(set); (known); (known) = gntdev_known_next(known))

#endif
