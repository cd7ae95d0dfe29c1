/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_RETRY_H
#define GNTDEV_RETRY_H

#include <linux/llist.h>
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
 * @link: place among those that wait
 */
struct gntdev_retry {
	struct llist_node link;
};

typedef enum gntdev_retry_result gntdev_retry_attempt(struct gntdev_retry *retry);

/**
 * struct gntdev_retry_queue - objects of one kind that wait
 * @attempt:   looks at one again, and does what can be done now; may sleep
 * @waiting:   the objects
 * @lock:      protects @interval
 * @interval:  until the next look, in jiffies
 * @work:      looks
 * @workqueue: runs it
 */
struct gntdev_retry_queue {
	gntdev_retry_attempt *attempt;
	struct llist_head waiting;
	spinlock_t lock;		/* held for a few instructions */
	unsigned long interval;
	struct delayed_work work;
	struct workqueue_struct *workqueue;
};

int gntdev_retry_init(struct gntdev_retry_queue *queue, const char *name,
		      gntdev_retry_attempt *attempt);
void gntdev_retry_exit(struct gntdev_retry_queue *queue);
void gntdev_retry_later(struct gntdev_retry_queue *queue, struct gntdev_retry *retry);
void gntdev_retry_for_each(struct gntdev_retry_queue *queue,
			   void (*call)(struct gntdev_retry *retry));

#endif
