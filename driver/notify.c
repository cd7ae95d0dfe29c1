// SPDX-License-Identifier: GPL-2.0
/*
 * Unmap notifications: what is done for the other side when a page goes.
 *
 * Each is one xarray value. That of a range's first page, mostly the only one, stands in the range;
 * those of other pages are in an xarray, by page. The ports that they name are counted in ports.c.
 */

#include <linux/bitfield.h>
#include <linux/errno.h>
#include <linux/highmem.h>
#include <linux/lockdep.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include <xen/events.h>
#include <xen/interface/event_channel.h>

#include "../include/uapi/xen/gntdev.h"
#include "grants.h"
#include "instance.h"
#include "notify.h"
#include "ports.h"
#include "stats.h"
#include "trace.h"

/**
 * struct gntdev_notify_others - notifications of pages other than the first
 * @pages:  page number in the range to what is to be done
 * @count:  how many there are
 * @clears: how many of them clear a byte
 */
struct gntdev_notify_others {
	struct xarray pages;
	unsigned int count;
	unsigned int clears;
};

/* No action for NULL. */
static u32 entry_action(void *entry)
{
	return FIELD_GET(NOTIFY_ACTION, (u64)xa_to_value(entry));
}

static u32 entry_byte(void *entry)
{
	return FIELD_GET(NOTIFY_BYTE, (u64)xa_to_value(entry));
}

static u32 entry_port(void *entry)
{
	return FIELD_GET(NOTIFY_PORT, (u64)xa_to_value(entry));
}

static bool clears(void *entry)
{
	return entry_action(entry) & UNMAP_NOTIFY_CLEAR_BYTE;
}

/* In another life of this domain the port was another. */
static bool sends(void *entry)
{
	return (entry_action(entry) & UNMAP_NOTIFY_SEND_EVENT) &&
	       FIELD_GET(NOTIFY_LIFE, (u64)xa_to_value(entry)) == gntdev_notify_life();
}

/**
 * gntdev_notify_free() - free a set whose notifications were all sent or cleared
 * @notify: the set
 */
void gntdev_notify_free(struct gntdev_notify *notify)
{
	if (!notify->others)
		return;
	xa_destroy(&notify->others->pages);
	kfree(notify->others);
}

/**
 * gntdev_notify_count() - count a range's notifications
 * @notify: the range's set, under the instance's lock
 *
 * Return: how many pages have one.
 */
unsigned int gntdev_notify_count(const struct gntdev_notify *notify)
{
	return (notify->first ? 1 : 0) + (notify->others ? notify->others->count : 0);
}

/**
 * gntdev_notify_clears() - is there a byte to be cleared?
 * @notify: the set
 *
 * Return: whether there is.
 */
bool gntdev_notify_clears(const struct gntdev_notify *notify)
{
	return clears(notify->first) || (notify->others && notify->others->clears);
}

/* As exchange(), of a page that is not the first. */
static noinline void *exchange_other(struct gntdev_notify *notify, unsigned long page, void *entry)
{
	struct gntdev_notify_others *others = notify->others;
	void *old;

	if (!others) {
		if (!entry)
			return NULL;
		others = kmalloc(sizeof(*others), GFP_KERNEL_ACCOUNT);
		if (!others)
			return XA_ERROR(-ENOMEM);
		xa_init_flags(&others->pages, XA_FLAGS_ACCOUNT);
		others->count = 0;
		others->clears = 0;
		notify->others = others;
	}
	old = entry ? xa_store(&others->pages, page, entry, GFP_KERNEL_ACCOUNT) :
		      xa_erase(&others->pages, page);
	if (!xa_is_err(old)) {
		others->count += !!entry - !!old;
		others->clears += clears(entry) - clears(old);
	}
	return old;
}

/* Puts an entry, or NULL, in the place of a page. Returns what was there, or an xa_err(). */
static void *exchange(struct gntdev_notify *notify, unsigned long page, void *entry)
{
	void *old = notify->first;

	if (page)
		return exchange_other(notify, page, entry);
	notify->first = entry;
	return old;
}

/* Returns the port if nothing names it any more, or 0, which is none. */
static inline int put_entry_port(struct gntdev_instance *instance, void *entry)
{
	if (!sends(entry) || !gntdev_port_put(&instance->ports, entry_port(entry)))
		return 0;
	return entry_port(entry);
}

/**
 * gntdev_notify_set() - set, replace or clear the notification of one page
 * @notify:   the set
 * @instance: whose ports are counted
 * @page:     the page's number in the range
 * @entry:    a gntdev_notify_entry(), or NULL to clear
 *
 * Sleeps. The caller holds the instance's lock.
 *
 * Return: 0, or a port that nothing names any more, for evtchn_put() without the lock; -EINVAL for
 * a port that is not open; -ENOMEM. After an error all is as before.
 */
int gntdev_notify_set(struct gntdev_notify *notify, struct gntdev_instance *instance,
		      unsigned int page, void *entry)
{
	void *old;
	int err;

	lockdep_assert_held(&instance->lock);
	old = exchange(notify, page, entry);
	if (page && xa_is_err(old))
		return xa_err(old);
	if (sends(entry)) {
		err = gntdev_port_get(&instance->ports, entry_port(entry));
		if (err) {
			/* Needs no memory. */
			exchange(notify, page, old);
			return err;
		}
	}
	return put_entry_port(instance, old);
}

static void clear_byte(struct page *page, grant_handle_t handle, void *entry)
{
	u8 *address;

	if (!page || !gntdev_is_mapped(handle) || !clears(entry))
		return;
	address = kmap_local_page(page);
	WRITE_ONCE(address[entry_byte(entry)], 0);
	kunmap_local(address);
}

/**
 * gntdev_notify_clear_bytes() - do what is to be done while the pages are still mapped
 * @notify:  the set
 * @pages:   the pages of the range, mapped for writing; NULL for those that are given back
 * @handles: Xen's handles; after a suspend some pages may not be mapped, and are left alone
 * @first:   number of the first page to look at
 * @count:   how many pages
 */
void gntdev_notify_clear_bytes(const struct gntdev_notify *notify, struct page **pages,
			       const grant_handle_t *handles, unsigned int first,
			       unsigned int count)
{
	unsigned long page;
	void *entry;

	if (!gntdev_notify_clears(notify))
		return;

	if (!first)
		clear_byte(pages[0], handles[0], notify->first);
	if (!notify->others)
		return;
	xa_for_each_range(&notify->others->pages, page, entry, first, first + count - 1) {
		clear_byte(pages[page], handles[page], entry);
		cond_resched();
	}
}

static void send_event(struct gntdev_notify *notify, struct gntdev_instance *instance,
		       unsigned long page)
{
	void *entry = exchange(notify, page, NULL);
	int unused;

	if (!sends(entry))
		return;
	notify_remote_via_evtchn(entry_port(entry));
	gntdev_count(events, 1);
	trace_gntdev_send_event(entry_port(entry), page);

	mutex_lock(&instance->lock);
	unused = put_entry_port(instance, entry);
	mutex_unlock(&instance->lock);
	if (unused)
		evtchn_put(unused);
}

/**
 * gntdev_notify_send() - notify the event channels of pages that are unmapped now
 * @notify:   the set, of a range that nobody can find any more
 * @instance: whose ports are counted
 * @first:    number of the first of these pages in the range
 * @count:    how many pages
 *
 * Their notifications leave the set. Sleeps. The caller does not hold the instance's lock.
 */
void gntdev_notify_send(struct gntdev_notify *notify, struct gntdev_instance *instance,
			unsigned int first, unsigned int count)
{
	unsigned long page;
	void *entry;

	if (!first && notify->first)
		send_event(notify, instance, 0);
	if (!notify->others)
		return;
	xa_for_each_range(&notify->others->pages, page, entry, first, first + count - 1) {
		send_event(notify, instance, page);
		cond_resched();
	}
}
