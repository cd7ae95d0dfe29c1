// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings: the pages behind a range that is mapped, and how they are given back.
 *
 * A page may still be in use by the kernel when the last view of it goes: direct I/O in flight, a
 * pipe that it was spliced into, a socket's send queue. Unmapping it then would send the kernel's
 * access to a stray frame. Nothing waits for such a page; its mapping goes on a list instead, which
 * a work item looks through until the page's only reference is the one it was allocated with.
 * Unpopulated pages tell nobody when they are free, so this has to be a poll; it starts at POLL_MIN
 * and slows down to POLL_MAX while nothing happens.
 */

#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "grants.h"
#include "instance.h"
#include "mapping.h"
#include "notify.h"

#define POLL_MIN	msecs_to_jiffies(8)
#define POLL_MAX	msecs_to_jiffies(512)

static void poll_deferred(struct work_struct *work);

static LIST_HEAD(deferred_list);
static DEFINE_SPINLOCK(deferred_lock);
static DECLARE_DELAYED_WORK(deferred_work, poll_deferred);
static unsigned long poll_interval;
static struct workqueue_struct *deferred_queue;

/**
 * gntdev_mapping_init() - make ready to map, and to defer what is busy
 *
 * Return: 0 or -ENOMEM.
 */
int gntdev_mapping_init(void)
{
	struct page *page;

	deferred_queue = alloc_workqueue("gntdev", WQ_UNBOUND | WQ_MEM_RECLAIM, 1);
	if (!deferred_queue)
		return -ENOMEM;

	/*
	 * Unpopulated pages are made by the section, 32768 on x86, under the locks of memory and
	 * CPU hotplug. mmap() takes them under mmap_lock, which some take the other way round. So
	 * have the first section, mostly the only one, made here.
	 */
	if (IS_ENABLED(CONFIG_XEN_UNPOPULATED_ALLOC) && !gnttab_alloc_pages(1, &page))
		gnttab_free_pages(1, &page);
	return 0;
}

/**
 * gntdev_mapping_exit() - undo gntdev_mapping_init()
 *
 * Each deferred mapping holds the module, so none is left; but the work item that let go of the
 * last one may still be on its way out, or be set to look once more.
 */
void gntdev_mapping_exit(void)
{
	cancel_delayed_work_sync(&deferred_work);
	destroy_workqueue(deferred_queue);
}

/**
 * gntdev_mapping_alloc() - make a mapping and its pages, nothing mapped yet
 * @count:    pages
 * @readonly: map without write access
 *
 * Return: the mapping, or NULL.
 */
struct gntdev_mapping *gntdev_mapping_alloc(unsigned int count, bool readonly)
{
	size_t size = size_add(struct_size_t(struct gntdev_mapping, pages, count),
			       array_size(count, sizeof(grant_handle_t)));
	struct gntdev_mapping *mapping = kvmalloc(size, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);

	if (!mapping)
		return NULL;
	mapping->handles = (grant_handle_t *)&mapping->pages[count];
	mapping->count = count;
	mapping->busy = 0;
	mapping->readonly = readonly;
	mapping->notify = NULL;
	mapping->instance = NULL;

	if (gnttab_alloc_pages(count, mapping->pages)) {
		kvfree(mapping);
		return NULL;
	}
	return mapping;
}

/**
 * gntdev_mapping_map() - map the grants
 * @mapping: the mapping, fresh from gntdev_mapping_alloc()
 * @refs:    a grant for each of its pages
 *
 * Return: as gntdev_grants_map(); after an error the mapping is as it was.
 */
int gntdev_mapping_map(struct gntdev_mapping *mapping, const struct ioctl_gntdev_grant_ref *refs)
{
	int err = gntdev_grants_map(refs, mapping->pages, mapping->handles, mapping->count,
				    mapping->readonly);

	if (!err)
		mapping->busy = mapping->count;
	return err;
}

/* Gives back pages that are unmapped; those that Xen kept are NULL, and lost. */
static void free_pages_not_kept(struct page **pages, unsigned int count)
{
	unsigned int i = 0, start;

	while (i < count) {
		if (!pages[i]) {
			i++;
			continue;
		}
		for (start = i; i < count && pages[i]; i++)
			;
		gnttab_free_pages(i - start, pages + start);
	}
}

/**
 * gntdev_mapping_free() - undo gntdev_mapping_alloc()
 * @mapping: a mapping of which nothing is mapped
 */
void gntdev_mapping_free(struct gntdev_mapping *mapping)
{
	free_pages_not_kept(mapping->pages, mapping->count);
	kvfree(mapping);
}

/*
 * Unmaps the pages of a mapping that nobody uses. No new user can appear: no page table of a
 * process leads to them any more, and those who hold mmap_lock to look one up were waited for by
 * whoever took the VMA away.
 *
 * Returns whether any page was unmapped.
 */
static bool unmap_idle(struct gntdev_mapping *mapping)
{
	unsigned int i = 0, start, n;
	bool progress = false;

	while (i < mapping->count) {
		if (!mapping->pages[i] || page_count(mapping->pages[i]) != 1) {
			i++;
			continue;
		}
		start = i;
		do {
			i++;
		} while (i < mapping->count && mapping->pages[i] &&
			 page_count(mapping->pages[i]) == 1);

		n = i - start;
		/* Once more: what was in flight may have written the byte after it was cleared. */
		gntdev_notify_clear_bytes(mapping->notify, mapping->pages, start, n);
		gntdev_grants_unmap(mapping->pages + start, mapping->handles + start, n);
		gntdev_notify_send(mapping->instance, mapping->notify, start, n);
		free_pages_not_kept(mapping->pages + start, n);
		memset(mapping->pages + start, 0, n * sizeof(*mapping->pages));
		mapping->busy -= n;
		progress = true;
		cond_resched();
	}
	return progress;
}

static void finish(struct gntdev_mapping *mapping)
{
	gntdev_notify_free(mapping->notify);
	kvfree(mapping);
}

static void poll_deferred(struct work_struct *work)
{
	struct gntdev_mapping *mapping, *next;
	bool progress = false;
	LIST_HEAD(list);

	spin_lock(&deferred_lock);
	list_splice_init(&deferred_list, &list);
	spin_unlock(&deferred_lock);

	list_for_each_entry_safe(mapping, next, &list, deferred) {
		struct gntdev_instance *instance = mapping->instance;

		progress |= unmap_idle(mapping);
		if (mapping->busy)
			continue;
		list_del(&mapping->deferred);
		finish(mapping);
		gntdev_instance_put(instance);
		module_put(THIS_MODULE);
	}

	spin_lock(&deferred_lock);
	poll_interval = progress ? POLL_MIN : min(poll_interval * 2, POLL_MAX);
	list_splice(&list, &deferred_list);
	if (!list_empty(&deferred_list))
		queue_delayed_work(deferred_queue, &deferred_work, poll_interval);
	spin_unlock(&deferred_lock);
}

/**
 * gntdev_mapping_release() - unmap a mapping that has no view any more
 * @mapping:  the mapping, mapped and no longer known to its range; gone after this
 * @instance: the instance, which the caller holds
 * @notify:   the range's notifications, taken over, or NULL
 *
 * Bytes are cleared now, events are sent when their page is unmapped. Needs no memory. Sleeps, but
 * does not wait for busy pages.
 */
void gntdev_mapping_release(struct gntdev_mapping *mapping, struct gntdev_instance *instance,
			    struct gntdev_notify *notify)
{
	mapping->instance = instance;
	mapping->notify = notify;

	gntdev_notify_clear_bytes(notify, mapping->pages, 0, mapping->count);
	unmap_idle(mapping);
	if (!mapping->busy) {
		finish(mapping);
		return;
	}

	gntdev_instance_get(instance);
	__module_get(THIS_MODULE);
	spin_lock(&deferred_lock);
	list_add(&mapping->deferred, &deferred_list);
	poll_interval = POLL_MIN;
	mod_delayed_work(deferred_queue, &deferred_work, POLL_MIN);
	spin_unlock(&deferred_lock);
}
