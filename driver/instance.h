/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_INSTANCE_H
#define GNTDEV_INSTANCE_H

#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/xarray.h>

#include "table.h"

/**
 * struct gntdev_instance - one open of the device
 * @ref:        held by the open file, and by what outlives it: dma-bufs made of grants, pages whose
 *              unmapping waits
 * @lock:       protects all below, and of the ranges their users and notifications; never held over
 *              a hypercall or an access to user memory
 * @table:      the registered ranges
 * @port:       the event channel port that notifications name, as long as it is one only
 * @port_users: how many name it
 * @ports:      further ports, each with how many name it
 * @exports:    dma-bufs made of grants that are not released yet
 * @imports:    dma-bufs whose pages are granted
 *
 * Lock order, for the whole driver: mmap_lock, a range's lock, @lock. A mapping's lock is taken
 * inside the MMU notifiers and inside a page table's lock; nothing is allocated under it, and no
 * other lock taken. An export's lock is taken inside the reservation lock of its dma-buf, and no
 * other lock of this driver inside it.
 */
struct gntdev_instance {
	struct kref ref;
	struct mutex lock;		/* table, notifications, dma-bufs */
	struct gntdev_table table;
	u32 port;
	unsigned int port_users;
	struct xarray ports;
	struct list_head exports;
	struct list_head imports;
};

void gntdev_instance_get(struct gntdev_instance *instance);
void gntdev_instance_put(struct gntdev_instance *instance);

#endif
