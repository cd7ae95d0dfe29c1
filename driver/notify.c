// SPDX-License-Identifier: GPL-2.0
/*
 * Unmap notifications: what is done for the other side when a page goes.
 *
 * A range has a set of them, keyed by page. Each is one xarray value, so that the usual set, one
 * notification for the first page, needs no memory beyond the set itself.
 *
 * An event channel port is kept open as long as a notification names it. The event channel driver
 * counts its users in a short, so an instance takes one reference to a port and counts the rest
 * itself.
 */

#include <linux/bits.h>
#include <linux/bitfield.h>
#include <linux/errno.h>
#include <linux/highmem.h>
#include <linux/slab.h>

#include <xen/events.h>
#include <xen/interface/event_channel.h>

#include "../include/uapi/xen/gntdev.h"
#include "instance.h"
#include "notify.h"

#define NOTIFY_ACTION	GENMASK_ULL(1, 0)
#define NOTIFY_BYTE	GENMASK_ULL(13, 2)
#define NOTIFY_PORT	GENMASK_ULL(45, 14)

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

/* One more notification names @port. */
static int port_get(struct gntdev_instance *instance, u32 port)
{
	void *users;
	int err;

	mutex_lock(&instance->ports_lock);
	users = xa_load(&instance->ports, port);
	if (users) {
		/* Replacing an entry needs no memory. */
		xa_store(&instance->ports, port, xa_mk_value(xa_to_value(users) + 1), GFP_KERNEL);
		err = 0;
		goto out;
	}

	err = xa_err(xa_store(&instance->ports, port, xa_mk_value(1), GFP_KERNEL));
	if (err)
		goto out;
	/* Only ports opened through /dev/xen/evtchn are counted; any other answer is an error. */
	if (evtchn_get(port)) {
		xa_erase(&instance->ports, port);
		err = -EINVAL;
	}
out:
	mutex_unlock(&instance->ports_lock);
	return err;
}

/* One notification fewer names @port. */
static void port_put(struct gntdev_instance *instance, u32 port)
{
	unsigned long users;

	mutex_lock(&instance->ports_lock);
	users = xa_to_value(xa_load(&instance->ports, port));
	if (users > 1) {
		xa_store(&instance->ports, port, xa_mk_value(users - 1), GFP_KERNEL);
	} else {
		xa_erase(&instance->ports, port);
		evtchn_put(port);
	}
	mutex_unlock(&instance->ports_lock);
}

/**
 * gntdev_notify_alloc() - make an empty set of notifications
 *
 * Return: the set, or NULL.
 */
struct gntdev_notify *gntdev_notify_alloc(void)
{
	struct gntdev_notify *notify = kmalloc(sizeof(*notify), GFP_KERNEL_ACCOUNT);

	if (notify) {
		xa_init(&notify->pages);
		notify->clears = 0;
	}
	return notify;
}

/**
 * gntdev_notify_free() - free a set whose notifications were all sent or cleared
 * @notify: the set, or NULL
 */
void gntdev_notify_free(struct gntdev_notify *notify)
{
	if (!notify)
		return;
	xa_destroy(&notify->pages);
	kfree(notify);
}

/* Accounts for an entry that left the set, one way or another. */
static void entry_gone(struct gntdev_instance *instance, struct gntdev_notify *notify, void *entry)
{
	if (!entry)
		return;
	if (entry_action(entry) & UNMAP_NOTIFY_CLEAR_BYTE)
		notify->clears--;
	if (entry_action(entry) & UNMAP_NOTIFY_SEND_EVENT)
		port_put(instance, entry_port(entry));
}

/**
 * gntdev_notify_set() - set, replace or clear the notification of one page
 * @instance: whose ports are counted
 * @notify:   the set
 * @page:     the page's number in the range
 * @byte:     the byte's offset in the page, for UNMAP_NOTIFY_CLEAR_BYTE
 * @action:   UNMAP_NOTIFY_* bits, known ones only; 0 clears
 * @port:     event channel port, for UNMAP_NOTIFY_SEND_EVENT
 *
 * Sleeps. The caller holds the range's lock.
 *
 * Return: 0; -EINVAL for a port that is not open; -ENOMEM. After an error all is as before.
 */
int gntdev_notify_set(struct gntdev_instance *instance, struct gntdev_notify *notify,
		      unsigned int page, unsigned int byte, u32 action, u32 port)
{
	bool sends = action & UNMAP_NOTIFY_SEND_EVENT;
	void *entry, *old;
	int err;

	if (!action) {
		entry_gone(instance, notify, xa_erase(&notify->pages, page));
		return 0;
	}

	if (sends) {
		err = port_get(instance, port);
		if (err)
			return err;
	}

	entry = xa_mk_value(FIELD_PREP(NOTIFY_ACTION, action) | FIELD_PREP(NOTIFY_BYTE, byte) |
			    FIELD_PREP(NOTIFY_PORT, (u64)(sends ? port : 0)));
	old = xa_store(&notify->pages, page, entry, GFP_KERNEL_ACCOUNT);
	err = xa_err(old);
	if (err) {
		if (sends)
			port_put(instance, port);
		return err;
	}

	if (action & UNMAP_NOTIFY_CLEAR_BYTE)
		notify->clears++;
	entry_gone(instance, notify, old);
	return 0;
}

/**
 * gntdev_notify_clear_bytes() - do what is to be done while the pages are still mapped
 * @notify: the set, or NULL
 * @pages:  the pages of the range, mapped writable
 * @first:  number of the first page to look at
 * @count:  how many pages
 */
void gntdev_notify_clear_bytes(struct gntdev_notify *notify, struct page **pages,
			       unsigned int first, unsigned int count)
{
	unsigned long page;
	void *entry;

	if (!notify || !notify->clears)
		return;

	xa_for_each_range(&notify->pages, page, entry, first, first + count - 1) {
		u8 *address;

		if (!(entry_action(entry) & UNMAP_NOTIFY_CLEAR_BYTE))
			continue;
		address = kmap_local_page(pages[page]);
		WRITE_ONCE(address[entry_byte(entry)], 0);
		kunmap_local(address);
	}
}

/**
 * gntdev_notify_send() - notify the event channels of pages that are unmapped now
 * @instance: whose ports are counted
 * @notify:   the set, or NULL
 * @first:    number of the first of these pages in the range
 * @count:    how many pages
 *
 * Their notifications leave the set. Sleeps.
 */
void gntdev_notify_send(struct gntdev_instance *instance, struct gntdev_notify *notify,
			unsigned int first, unsigned int count)
{
	unsigned long page;
	void *entry;

	if (!notify || xa_empty(&notify->pages))
		return;

	xa_for_each_range(&notify->pages, page, entry, first, first + count - 1) {
		xa_erase(&notify->pages, page);
		if (entry_action(entry) & UNMAP_NOTIFY_SEND_EVENT)
			notify_remote_via_evtchn(entry_port(entry));
		entry_gone(instance, notify, entry);
	}
}
