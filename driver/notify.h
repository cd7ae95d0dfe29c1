/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_NOTIFY_H
#define GNTDEV_NOTIFY_H

#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/types.h>
#include <linux/xarray.h>

#include <xen/grant_table.h>

#include "../include/uapi/xen/gntdev.h"
#include "ports.h"

struct gntdev_instance;
struct page;

struct gntdev_notify_others;

/**
 * struct gntdev_notify - the unmap notifications of one range
 * @first:  what is to be done for the first page, or NULL; see gntdev_notify_entry()
 * @others: the same for other pages, or NULL
 *
 * Mostly the first page is all there is, so that this needs no memory of its own.
 */
struct gntdev_notify {
	void *first;
	struct gntdev_notify_others *others;
};

#define NOTIFY_ACTION	GENMASK_ULL(1, 0)
#define NOTIFY_BYTE	GENMASK_ULL(13, 2)
#define NOTIFY_PORT	GENMASK_ULL(45, 14)
#define NOTIFY_LIFE	GENMASK_ULL(62, 46)

/* So that it is a value that an xarray can hold. */
static_assert(BITS_PER_LONG == 64);

/* The life of this domain, as far as a notification tells one from another. */
static inline u64 gntdev_notify_life(void)
{
	return gntdev_ports_life & FIELD_MAX(NOTIFY_LIFE);
}

/**
 * gntdev_notify_entry() - what is to be done for a page, in one word
 * @action: UNMAP_NOTIFY_* bits, known ones only
 * @byte:   the byte's offset in the page, for UNMAP_NOTIFY_CLEAR_BYTE
 * @port:   event channel port, for UNMAP_NOTIFY_SEND_EVENT
 *
 * Return: an xarray value, or NULL if nothing is to be done.
 */
static inline void *gntdev_notify_entry(u32 action, unsigned int byte, u32 port)
{
	return !action ? NULL : xa_mk_value(FIELD_PREP(NOTIFY_ACTION, action) |
					    FIELD_PREP(NOTIFY_BYTE, byte) |
					    FIELD_PREP(NOTIFY_PORT, (u64)port) |
				    FIELD_PREP(NOTIFY_LIFE, gntdev_notify_life()));
}

/**
 * gntdev_notify_is_empty() - is there no notification?
 * @notify: the set; without a lock, if it is enough that those are seen that were set before
 *
 * Return: true if there is none; it may be false also where there is none any more.
 */
static inline bool gntdev_notify_is_empty(const struct gntdev_notify *notify)
{
	return !READ_ONCE(notify->first) && !READ_ONCE(notify->others);
}

void gntdev_notify_free(struct gntdev_notify *notify);
unsigned int gntdev_notify_count(const struct gntdev_notify *notify);
bool gntdev_notify_clears(const struct gntdev_notify *notify);
int gntdev_notify_set(struct gntdev_notify *notify, struct gntdev_instance *instance,
		      unsigned int page, void *entry);
void gntdev_notify_clear_bytes(const struct gntdev_notify *notify, struct page **pages,
			       const grant_handle_t *handles, unsigned int first,
			       unsigned int count);
void gntdev_notify_send(struct gntdev_notify *notify, struct gntdev_instance *instance,
			unsigned int first, unsigned int count);

#endif
