/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_NOTIFY_H
#define GNTDEV_NOTIFY_H

#include <linux/types.h>
#include <linux/xarray.h>

struct gntdev_instance;
struct page;

/**
 * struct gntdev_notify - the unmap notifications of one range
 * @pages:  page number in the range to what is to be done; see notify.c for the encoding
 * @clears: how many of them clear a byte
 */
struct gntdev_notify {
	struct xarray pages;
	unsigned int clears;
};

struct gntdev_notify *gntdev_notify_alloc(void);
void gntdev_notify_free(struct gntdev_notify *notify);
int gntdev_notify_set(struct gntdev_instance *instance, struct gntdev_notify *notify,
		      unsigned int page, unsigned int byte, u32 action, u32 port);
void gntdev_notify_clear_bytes(struct gntdev_notify *notify, struct page **pages,
			       unsigned int first, unsigned int count);
void gntdev_notify_send(struct gntdev_instance *instance, struct gntdev_notify *notify,
			unsigned int first, unsigned int count);

#endif
