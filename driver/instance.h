/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_INSTANCE_H
#define GNTDEV_INSTANCE_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>

#include "known.h"
#include "ports.h"
#include "table.h"

/**
 * struct gntdev_instance - one open of the device
 * @ref:        held by the open file, and by what outlives it: dma-bufs made of grants, pages whose
 *              unmapping waits
 * @lock:       protects all below, and of the ranges their users and notifications; never held over
 *              a hypercall or an access to user memory
 * @table:      the registered ranges
 * @ports:      the event channel ports that notifications name
 * @exports:    dma-bufs made of grants that are not released yet
 * @imports:    dma-bufs whose pages are granted
 * @space:      where processes have its ranges mapped, as long as the file is open
 * @link:       among all instances
 *
 * Lock order, for the whole driver: mmap_lock, a range's lock, the list of instances, @lock. While
 * the domain is suspended, and all processes are frozen, @lock is held over all that is done then:
 * hypercalls, and the locks of address spaces. A mapping's lock is taken
 * inside the MMU notifiers and inside a page table's lock; nothing is allocated under it, and no
 * other lock taken. An export's lock is taken inside the reservation lock of its dma-buf, and no
 * other lock of this driver inside it.
 */
struct gntdev_instance {
	struct kref ref;
	struct mutex lock;		/* table, notifications, dma-bufs */
	struct gntdev_table table;
	struct gntdev_ports ports;
	struct gntdev_known_set exports;
	struct gntdev_known_set imports;
	struct address_space *space;
	struct list_head link;
};

struct gntdev_instance *gntdev_instance_create(unsigned int limit);

void gntdev_instance_get(struct gntdev_instance *instance);
void gntdev_instance_put(struct gntdev_instance *instance);
void gntdev_instance_for_each(void (*call)(struct gntdev_instance *instance));
void gntdev_instance_zap(struct gntdev_instance *instance);

#endif
