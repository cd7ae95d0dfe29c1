// SPDX-License-Identifier: GPL-2.0
/*
 * What cannot be given back yet: a page that the kernel still uses, a grant that the peer still
 * maps. Neither tells anybody when that ends, so this has to be a poll; it starts at POLL_MIN and
 * slows down to POLL_MAX while nothing happens. Whatever waits here holds the module.
 */

#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/sched.h>

#include "retry.h"

#define POLL_MIN	msecs_to_jiffies(8)
#define POLL_MAX	msecs_to_jiffies(512)

static void look_again(struct work_struct *work)
{
	struct gntdev_retry_queue *queue =
		container_of(to_delayed_work(work), struct gntdev_retry_queue, work);
	struct llist_node *looked_at = llist_del_all(&queue->waiting);
	struct gntdev_retry *retry, *next;
	bool progress = false;

	llist_for_each_entry_safe(retry, next, looked_at, link) {
		switch (queue->attempt(retry)) {
		case GNTDEV_RETRY_DONE:
			module_put(THIS_MODULE);
			progress = true;
			break;
		case GNTDEV_RETRY_PROGRESS:
			progress = true;
			fallthrough;
		case GNTDEV_RETRY_STUCK:
			llist_add(&retry->link, &queue->waiting);
			break;
		}
		cond_resched();
	}

	spin_lock(&queue->lock);
	queue->interval = progress ? POLL_MIN : min(queue->interval * 2, POLL_MAX);
	if (!llist_empty(&queue->waiting))
		queue_delayed_work(queue->workqueue, &queue->work, queue->interval);
	spin_unlock(&queue->lock);
}

/**
 * gntdev_retry_init() - make a queue
 * @queue:   the queue
 * @name:    of its workqueue
 * @attempt: what is done to look at an object
 *
 * Return: 0 or -ENOMEM.
 */
int gntdev_retry_init(struct gntdev_retry_queue *queue, const char *name,
		      gntdev_retry_attempt *attempt)
{
	queue->attempt = attempt;
	init_llist_head(&queue->waiting);
	spin_lock_init(&queue->lock);
	queue->interval = POLL_MIN;
	INIT_DELAYED_WORK(&queue->work, look_again);
	queue->workqueue = alloc_workqueue("%s", WQ_UNBOUND | WQ_FREEZABLE, 1, name);
	return queue->workqueue ? 0 : -ENOMEM;
}

/**
 * gntdev_retry_exit() - undo gntdev_retry_init()
 * @queue: the queue
 *
 * Nothing waits any more, or the module would be held; but the work item that let go of the last
 * one may still be on its way out, or be set to look once more.
 */
void gntdev_retry_exit(struct gntdev_retry_queue *queue)
{
	cancel_delayed_work_sync(&queue->work);
	destroy_workqueue(queue->workqueue);
}

/**
 * gntdev_retry_later() - have an object looked at until it is done with
 * @queue: that of its kind
 * @retry: part of the object
 *
 * Needs no memory. The caller holds the module: by an open file, of the device or of a dma-buf.
 */
void gntdev_retry_later(struct gntdev_retry_queue *queue, struct gntdev_retry *retry)
{
	__module_get(THIS_MODULE);
	llist_add(&retry->link, &queue->waiting);
	spin_lock(&queue->lock);
	if (queue->interval > POLL_MIN)
		mod_delayed_work(queue->workqueue, &queue->work, POLL_MIN);
	else
		/* A look that is due soon is not put off, however many come here. */
		queue_delayed_work(queue->workqueue, &queue->work, POLL_MIN);
	queue->interval = POLL_MIN;
	spin_unlock(&queue->lock);
}

/**
 * gntdev_retry_for_each() - do something with all objects that wait
 * @queue: that of their kind; it is frozen, as before the domain is suspended
 * @call:  called for each
 */
void gntdev_retry_for_each(struct gntdev_retry_queue *queue,
			   void (*call)(struct gntdev_retry *retry))
{
	struct gntdev_retry *retry;

	llist_for_each_entry(retry, READ_ONCE(queue->waiting.first), link)
		call(retry);
}
