/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_RETRY_H
#define GNTDEV_RETRY_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

/* What an attempt came to. */
enum gntdev_retry_result {
	GNTDEV_RETRY_STUCK,	/* nothing could be done */
	GNTDEV_RETRY_PROGRESS,	/* something, not all */
	GNTDEV_RETRY_DONE,	/* all; the object is gone */
};

/**
 * struct gntdev_retry - the part of an object that waits for what nobody announces
 * @link:    place among those that wait
 * @attempt: looks again, and does what can be done now; may sleep
 */
struct gntdev_retry {
	struct list_head link;
	enum gntdev_retry_result (*attempt)(struct gntdev_retry *retry);
};

/**
 * struct gntdev_retry_queue - objects of one kind that wait
 * @waiting:   the objects
 * @lock:      protects @waiting and @interval
 * @interval:  until the next look, in jiffies
 * @work:      looks
 * @workqueue: runs it
 */
struct gntdev_retry_queue {
	struct list_head waiting;
	spinlock_t lock;		/* held for changes of the list only */
	unsigned long interval;
	struct delayed_work work;
	struct workqueue_struct *workqueue;
};

int gntdev_retry_init(struct gntdev_retry_queue *queue, const char *name);
void gntdev_retry_exit(struct gntdev_retry_queue *queue);
void gntdev_retry_later(struct gntdev_retry_queue *queue, struct gntdev_retry *retry);

#endif
