/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_NOTIFY_H
#define GNTDEV_NOTIFY_H

#include <linux/types.h>

struct gntdev_instance;
struct page;

struct gntdev_notify_others;

/**
 * struct gntdev_notify - the unmap notifications of one range
 * @first:  what is to be done for the first page, or NULL; see notify.c for the encoding
 * @others: the same for other pages, or NULL
 *
 * Mostly the first page is all there is, so that this needs no memory of its own.
 */
struct gntdev_notify {
	void *first;
	struct gntdev_notify_others *others;
};

void gntdev_notify_free(struct gntdev_notify *notify);
bool gntdev_notify_clears(const struct gntdev_notify *notify);
int gntdev_notify_set(struct gntdev_notify *notify, struct gntdev_instance *instance,
		      unsigned int page, unsigned int byte, u32 action, u32 port);
void gntdev_notify_clear_bytes(const struct gntdev_notify *notify, struct page **pages,
			       unsigned int first, unsigned int count);
void gntdev_notify_send(struct gntdev_notify *notify, struct gntdev_instance *instance,
			unsigned int first, unsigned int count);

#endif
