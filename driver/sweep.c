// SPDX-License-Identifier: GPL-2.0
/*
 * What was made for somebody who asked is given back when nobody has asked for a while: the
 * kernel's own mappings of pages of a PV domain (mapping.c).
 *
 * Time goes by in rounds. Who uses an object does so where RCU's grace periods wait for it (under
 * the lock of a page table), and notes the round. When a round is over, and a grace period after
 * that, an object that was not used in the new round is one that nobody is about to take hold of.
 */

#include <linux/jiffies.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "sweep.h"

/* How long an object is left alone after it was used, at least. */
#define ROUND	(2 * HZ)

static bool (*attempt_one)(struct gntdev_sweep *sweep);
static LIST_HEAD(waiting);
static LIST_HEAD(due);
/* The object that is being looked at. */
static struct gntdev_sweep *current_one;
/* Protects all above, and the links of objects. Held for a few instructions, in any context. */
static DEFINE_SPINLOCK(lists_lock);
static DECLARE_WAIT_QUEUE_HEAD(looked_at);
static unsigned int round = 1;

static void end_round(struct work_struct *work);
static DECLARE_DELAYED_WORK(round_work, end_round);

/* The next object that is due, noted as the current one; or NULL. */
static struct gntdev_sweep *next_due(void)
{
	struct gntdev_sweep *sweep;

	spin_lock(&lists_lock);
	sweep = list_first_entry_or_null(&due, struct gntdev_sweep, link);
	if (sweep)
		list_del_init(&sweep->link);
	current_one = sweep;
	spin_unlock(&lists_lock);
	return sweep;
}

static void wait_again(struct gntdev_sweep *sweep)
{
	spin_lock(&lists_lock);
	if (list_empty(&sweep->link))
		list_add_tail(&sweep->link, &waiting);
	spin_unlock(&lists_lock);
}

static void end_round(struct work_struct *work)
{
	struct gntdev_sweep *sweep;

	spin_lock(&lists_lock);
	list_splice_init(&waiting, &due);
	spin_unlock(&lists_lock);
	/* 0 is for objects that were never used. */
	WRITE_ONCE(round, round + 1 ?: 1);
	synchronize_rcu();

	while ((sweep = next_due())) {
		if (attempt_one(sweep))
			wait_again(sweep);
		wake_up_all(&looked_at);
		cond_resched();
	}
	wake_up_all(&looked_at);

	spin_lock(&lists_lock);
	if (!list_empty(&waiting))
		queue_delayed_work(system_dfl_wq, &round_work, ROUND);
	spin_unlock(&lists_lock);
}

/**
 * gntdev_sweep_init() - make ready
 * @attempt: looks at an object that nobody has used for a while, and returns whether to look again
 *           later; called without any lock, may sleep
 */
void gntdev_sweep_init(bool (*attempt)(struct gntdev_sweep *sweep))
{
	attempt_one = attempt;
}

/**
 * gntdev_sweep_exit() - undo gntdev_sweep_init()
 *
 * There is no object any more.
 */
void gntdev_sweep_exit(void)
{
	cancel_delayed_work_sync(&round_work);
}

/**
 * gntdev_sweep_is_used() - was an object used in this round?
 * @sweep: part of the object, under the lock under which it is used
 *
 * Return: whether it was.
 */
bool gntdev_sweep_is_used(const struct gntdev_sweep *sweep)
{
	return sweep->asked == READ_ONCE(round);
}

/**
 * gntdev_sweep_use() - note that an object is used, and have it looked at later
 * @sweep: part of the object, under a lock of the caller's
 *
 * In any context; where RCU waits for the caller, and for what it goes on to do with the object.
 */
void gntdev_sweep_use(struct gntdev_sweep *sweep)
{
	unsigned int now = READ_ONCE(round);

	if (sweep->asked == now)
		return;
	sweep->asked = now;
	spin_lock(&lists_lock);
	if (list_empty(&sweep->link)) {
		list_add_tail(&sweep->link, &waiting);
		queue_delayed_work(system_dfl_wq, &round_work, ROUND);
	}
	spin_unlock(&lists_lock);
}

/* Takes an object from the lists. Returns false if it is being looked at. */
static bool take_off(struct gntdev_sweep *sweep)
{
	bool taken;

	spin_lock(&lists_lock);
	taken = current_one != sweep;
	if (taken)
		list_del_init(&sweep->link);
	spin_unlock(&lists_lock);
	return taken;
}

/**
 * gntdev_sweep_cancel() - have an object not looked at any more
 * @sweep: part of the object, which nobody uses any more
 *
 * Sleeps, as long as it is being looked at.
 */
void gntdev_sweep_cancel(struct gntdev_sweep *sweep)
{
	if (sweep->asked)
		wait_event(looked_at, take_off(sweep));
}
