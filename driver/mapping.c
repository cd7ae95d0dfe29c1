// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings: the pages behind a range that is mapped, and how they are given back.
 *
 * A page may still be in use by the kernel when the last view of it goes: direct I/O in flight, a
 * pipe that it was spliced into, a socket's send queue. Unmapping it then would send the kernel's
 * access to a stray frame. Nothing waits for such a page; its mapping is looked at again instead
 * (retry.c), until the page's only reference is the one it was allocated with: unpopulated pages
 * tell nobody when they are free.
 */

#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/srcu.h>

#include "grants.h"
#include "instance.h"
#include "mapping.h"
#include "notify.h"
#include "pages.h"
#include "stats.h"
#include "trace.h"

/* Mappings of one page: most of them, and of a size that the general caches do not have. */
static struct kmem_cache *mapping_cache;
static struct gntdev_retry_queue busy_mappings;
static gntdev_retry_attempt retry_unmap;
static bool let_go_of_unused(struct gntdev_sweep *sweep);

bool gntdev_mapping_suspended;
/* Was it ever? Before that nothing stands in for a page. */
static bool was_suspended;
/* While somebody takes a mapping from its range, or a dma-buf, and has not released it yet. */
DEFINE_STATIC_SRCU(releasing);

/* Bytes of a mapping, its arrays included; SIZE_MAX for too many pages. */
static size_t mapping_size(unsigned int count, bool has_view)
{
	size_t each = sizeof(struct page *) + sizeof(grant_handle_t);

	if (has_view)
		each += sizeof(u64) + sizeof(grant_handle_t);
	return size_add(sizeof(struct gntdev_mapping), array_size(count, each));
}

/**
 * gntdev_mapping_init() - make ready to map
 *
 * Return: 0 or -ENOMEM.
 */
int gntdev_mapping_init(void)
{
	struct page *page;
	int err;

	mapping_cache = kmem_cache_create("gntdev_mapping", mapping_size(1, gntdev_is_pv()), 0,
					  SLAB_ACCOUNT, NULL);
	if (!mapping_cache)
		return -ENOMEM;
	err = gntdev_retry_init(&busy_mappings, "gntdev-mappings", retry_unmap);
	if (err) {
		kmem_cache_destroy(mapping_cache);
		return err;
	}
	gntdev_sweep_init(let_go_of_unused);

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
 */
void gntdev_mapping_exit(void)
{
	gntdev_sweep_exit();
	gntdev_retry_exit(&busy_mappings);
	kmem_cache_destroy(mapping_cache);
}

static void free_memory(struct gntdev_mapping *mapping)
{
	if (mapping->count == 1)
		kmem_cache_free(mapping_cache, mapping);
	else
		kvfree(mapping);
}

/**
 * gntdev_mapping_alloc() - make a mapping and its pages, nothing mapped yet
 * @count: pages
 * @flags: GNTDEV_MAPPING_*; _UNCACHED only if gntdev_pages_can_be_uncached(), _VIEW only in a PV
 *         domain
 *
 * Return: the mapping, or NULL.
 */
struct gntdev_mapping *gntdev_mapping_alloc(unsigned int count, unsigned int flags)
{
	const gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_NOWARN;
	struct gntdev_mapping *mapping;

	if (count > GNTDEV_MAPPING_MOST)
		return NULL;
	if (count == 1)
		mapping = kmem_cache_alloc(mapping_cache, gfp);
	else
		mapping = kvmalloc(mapping_size(count, flags & GNTDEV_MAPPING_VIEW), gfp);
	if (!mapping)
		return NULL;

	mapping->count = count;
	mapping->readonly = !!(flags & GNTDEV_MAPPING_READONLY);
	mapping->uncached = !!(flags & GNTDEV_MAPPING_UNCACHED);
	mapping->has_view = !!(flags & GNTDEV_MAPPING_VIEW);
	mapping->weak = false;
	mapping->ended = false;
	mapping->first_view = false;
	mapping->kept = false;
	gntdev_sweep_prepare(&mapping->sweep);
	mapping->unmapped = NULL;	/* and views is 0 */
	spin_lock_init(&mapping->lock);
	memset32(gntdev_mapping_handles(mapping), INVALID_GRANT_HANDLE, count);

	if (gntdev_pages_get(count, mapping->pages, mapping->uncached)) {
		free_memory(mapping);
		return NULL;
	}
	return mapping;
}

/**
 * gntdev_mapping_map() - map the grants at the kernel's addresses
 * @mapping: the mapping, fresh from gntdev_mapping_alloc()
 * @refs:    a grant for each of its pages
 *
 * Return: as gntdev_grants_map() or gntdev_pages_uncache(); after an error the mapping is as it
 * was.
 */
int gntdev_mapping_map(struct gntdev_mapping *mapping, const struct ioctl_gntdev_grant_ref *refs)
{
	grant_handle_t *handles = gntdev_mapping_handles(mapping);
	int err = gntdev_grants_map(refs, mapping->pages, handles, mapping->count,
				    mapping->readonly);

	if (!err && mapping->uncached) {
		err = gntdev_pages_uncache(mapping->count, mapping->pages);
		if (err)
			gntdev_grants_warn(gntdev_grants_unmap(mapping->pages, handles,
							       mapping->count));
	}
	if (!err)
		gntdev_count(mapped, mapping->count);
	return err;
}

/**
 * gntdev_mapping_hold() - have pages mapped at the kernel's addresses, too (PV)
 * @mapping:   a mapping with a view
 * @refs:      a grant for each of its pages
 * @first:     the first page that is wanted
 * @count:     how many
 * @may_yield: whether to give way to other tasks now and then
 *
 * In a PV domain the entries of processes are enough to keep a page, and the kernel never wants
 * most of them. So its own mapping of a page is made when it does: for I/O, for a byte to be
 * cleared, or before the entries go while the view stays.
 *
 * A page with a view is held, or shown by an entry of each view that has it. Therefore its domain
 * cannot have it paged out, and Xen does not answer GNTST_eagain, for which gnttab_map_refs() would
 * sleep. Where that is no longer so, because Xen had no room or because the last view is leaving,
 * the mapping is weak, and no further page of it is held.
 *
 * Needs no memory of the kernel. In an auto-translated domain, and for a mapping of
 * gntdev_mapping_map(), there is nothing to do.
 *
 * Return: 0; -ENOSPC if Xen has no room for one more mapping; or an errno as gntdev_grants_map().
 */
int gntdev_mapping_hold(struct gntdev_mapping *mapping, const struct ioctl_gntdev_grant_ref *refs,
			unsigned int first, unsigned int count, bool may_yield)
{
	grant_handle_t *handles = gntdev_mapping_handles(mapping);
	int err = 0;

	while (count && !err) {
		unsigned int n = min_t(unsigned int, count, GNTDEV_GRANTS_BATCH);

		spin_lock(&mapping->lock);
		err = gntdev_grants_hold(refs + first, mapping->pages + first, handles + first, n,
					 mapping->readonly,
					 mapping->weak || READ_ONCE(gntdev_mapping_suspended));
		spin_unlock(&mapping->lock);
		first += n;
		count -= n;
		if (may_yield)
			cond_resched();
	}
	return err;
}

/**
 * gntdev_mapping_ask() - have a page held for somebody who is about to take hold of it (PV)
 * @mapping: a mapping with a view
 * @refs:    a grant for each of its pages
 * @page:    the page
 *
 * The caller is in a section that RCU waits for, as the lock of a page table makes one, until it
 * has taken a reference to the page or does not want it. It may only have counted it, as readers of
 * /proc/PID/smaps do, which cannot be told from those who use it. So the page is let go of some
 * seconds after the last of them, if it is not in use then.
 *
 * Return: as gntdev_mapping_hold().
 */
int gntdev_mapping_ask(struct gntdev_mapping *mapping, const struct ioctl_gntdev_grant_ref *refs,
		       unsigned int page)
{
	int err;

	spin_lock(&mapping->lock);
	err = gntdev_grants_hold(refs + page, mapping->pages + page,
				 gntdev_mapping_handles(mapping) + page, 1, mapping->readonly,
				 mapping->weak || READ_ONCE(gntdev_mapping_suspended));
	if (!err && mapping->has_view)
		gntdev_sweep_use(&mapping->sweep);
	spin_unlock(&mapping->lock);
	return err;
}

/**
 * gntdev_mapping_keep() - have no page let go of that is held, as long as the mapping lives
 * @mapping: the mapping
 */
void gntdev_mapping_keep(struct gntdev_mapping *mapping)
{
	spin_lock(&mapping->lock);
	mapping->kept = true;
	spin_unlock(&mapping->lock);
}

static bool is_idle(const struct gntdev_mapping *mapping, unsigned int page)
{
	return page_count(mapping->pages[page]) == 1;
}

/* Can pages be let go of that the first view shows? Not if another view may lack an entry. */
static bool may_let_go(const struct gntdev_mapping *mapping)
{
	return mapping->first_view && mapping->views == 1 && !mapping->view.leaving &&
	       !mapping->weak && !mapping->kept && !READ_ONCE(gntdev_mapping_suspended);
}

/*
 * Lets go of some pages, of those that are held, shown by an entry, and not in use: nobody was told
 * of them in this round, and who was told before has them in its hands. Returns whether there are
 * others that are held. Adds to @refused how many Xen refused to unmap.
 */
static bool let_go(struct gntdev_mapping *mapping, unsigned int first, unsigned int count,
		   unsigned int *refused)
{
	const grant_handle_t *entries =
		(grant_handle_t *)&gntdev_mapping_ptes(mapping)[mapping->count];
	grant_handle_t *handles = gntdev_mapping_handles(mapping);
	unsigned int i, start, end = first + count;
	bool others = false;

	for (i = first; i < end; ) {
		start = i;
		while (i < end && gntdev_is_mapped(handles[i]) && gntdev_is_mapped(entries[i]) &&
		       is_idle(mapping, i))
			i++;
		if (i > start)
			*refused += gntdev_grants_unmap_batch(mapping->pages + start,
							      handles + start, i - start);
		else
			others |= gntdev_is_mapped(handles[i++]);
	}
	return others;
}

static bool let_go_of_unused(struct gntdev_sweep *sweep)
{
	struct gntdev_mapping *mapping = container_of(sweep, struct gntdev_mapping, sweep);
	unsigned int first = 0, refused = 0, n;
	bool again = false;

	for (; first < mapping->count; first += n) {
		n = min_t(unsigned int, mapping->count - first, GNTDEV_GRANTS_BATCH);
		spin_lock(&mapping->lock);
		if (gntdev_sweep_is_used(sweep) || !may_let_go(mapping)) {
			spin_unlock(&mapping->lock);
			again = gntdev_sweep_is_used(sweep);
			break;
		}
		again |= let_go(mapping, first, n, &refused);
		spin_unlock(&mapping->lock);
		cond_resched();
	}
	gntdev_grants_warn(refused);
	return again;
}

/**
 * gntdev_mapping_weaken() - note that pages lose their entries without being held
 * @mapping: the mapping
 */
void gntdev_mapping_weaken(struct gntdev_mapping *mapping)
{
	spin_lock(&mapping->lock);
	mapping->weak = true;
	spin_unlock(&mapping->lock);
}

/**
 * gntdev_mapping_add_view() - note that a view was made
 * @mapping: the mapping
 * @view:    the view
 */
void gntdev_mapping_add_view(struct gntdev_mapping *mapping, struct gntdev_pv_view *view)
{
	if (!mapping->has_view)
		return;
	spin_lock(&mapping->lock);
	mapping->views++;
	if (view == &mapping->view)
		mapping->first_view = true;
	spin_unlock(&mapping->lock);
}

/**
 * gntdev_mapping_leave() - note that the entries of a view go, and it with them
 * @mapping: the mapping
 * @view:    the view; nothing happens if that was noted before
 */
void gntdev_mapping_leave(struct gntdev_mapping *mapping, struct gntdev_pv_view *view)
{
	/* A dma-buf's pages are all held. */
	if (!mapping->has_view)
		return;
	spin_lock(&mapping->lock);
	if (!view->leaving) {
		view->leaving = true;
		if (view == &mapping->view)
			mapping->first_view = false;
		if (!--mapping->views)
			mapping->weak = true;
	}
	spin_unlock(&mapping->lock);
}

/**
 * gntdev_mapping_shown() - note that a view has all its entries
 * @mapping: the mapping; the view was just made, and cannot go yet
 *
 * If it is the only one, the mapping is not weak any more. With another, which may lack an entry of
 * a page that is not held either, it would be again when this one goes.
 */
void gntdev_mapping_shown(struct gntdev_mapping *mapping)
{
	if (!mapping->has_view)
		return;
	spin_lock(&mapping->lock);
	if (mapping->views == 1)
		mapping->weak = false;
	spin_unlock(&mapping->lock);
}

/*
 * Gives back @count of its pages, unmapped; those that Xen kept are NULL, and lost. Returns how
 * many more are lost.
 */
static unsigned int free_pages_not_kept(struct gntdev_mapping *mapping, struct page **pages,
					unsigned int count)
{
	unsigned int lost = 0, i = 0, start;

	while (i < count) {
		if (!pages[i]) {
			i++;
			continue;
		}
		for (start = i; i < count && pages[i]; i++)
			;
		lost += gntdev_pages_put(i - start, pages + start, mapping->uncached);
	}
	return lost;
}

/**
 * gntdev_mapping_free() - undo gntdev_mapping_alloc()
 * @mapping: a mapping of which nothing is mapped
 */
void gntdev_mapping_free(struct gntdev_mapping *mapping)
{
	gntdev_pages_warn(free_pages_not_kept(mapping, mapping->pages, mapping->count));
	free_memory(mapping);
}

/* What did not come back. */
struct not_given {
	unsigned int refused;	/* grants that Xen keeps */
	unsigned int lost;	/* pages */
};

/* Unmaps some pages, which nobody uses, and gives them back. */
static void give_back(struct gntdev_mapping *mapping, unsigned int first, unsigned int count,
		      struct not_given *not_given)
{
	grant_handle_t *handles = gntdev_mapping_handles(mapping);
	struct page **pages = mapping->pages + first;
	bool notifies = !gntdev_notify_is_empty(&mapping->notify);

	if (notifies)
		gntdev_notify_clear_bytes(&mapping->notify, mapping->pages, handles, first, count);
	if (READ_ONCE(was_suspended))
		gntdev_grants_drop_stand_ins(pages, handles + first, count);
	not_given->refused += gntdev_grants_unmap(pages, handles + first, count);
	gntdev_count(unmapped, count);
	if (notifies)
		gntdev_notify_send(&mapping->notify, mapping->instance, first, count);
	not_given->lost += free_pages_not_kept(mapping, pages, count);
	memset(pages, 0, count * sizeof(*pages));
}

/*
 * Unmaps the pages of a mapping that nobody uses. No new user can appear: no page table of a
 * process leads to them any more, and those who hold mmap_lock to look one up were waited for by
 * whoever took the VMA away.
 */
static enum gntdev_retry_result unmap_idle(struct gntdev_mapping *mapping)
{
	bool progress = false, stuck = false;
	struct not_given not_given = {};
	unsigned int i = 0, start;

	while (i < mapping->count) {
		for (start = i; i < mapping->count && mapping->pages[i] && is_idle(mapping, i); i++)
			;
		if (i > start) {
			give_back(mapping, start, i - start, &not_given);
			progress = true;
			cond_resched();
		} else {
			stuck |= !!mapping->pages[i++];
		}
	}
	gntdev_grants_warn(not_given.refused);
	gntdev_pages_warn(not_given.lost);
	if (!stuck)
		return GNTDEV_RETRY_DONE;
	return progress ? GNTDEV_RETRY_PROGRESS : GNTDEV_RETRY_STUCK;
}

static void finish(struct gntdev_mapping *mapping)
{
	struct gntdev_unmapped *unmapped = mapping->has_view ? NULL : mapping->unmapped;

	gntdev_notify_free(&mapping->notify);
	free_memory(mapping);
	if (unmapped)
		unmapped->call(unmapped);
}

static enum gntdev_retry_result retry_unmap(struct gntdev_retry *retry)
{
	struct gntdev_mapping *mapping = container_of(retry, struct gntdev_mapping, retry);
	struct gntdev_instance *instance = mapping->instance;
	enum gntdev_retry_result result = unmap_idle(mapping);

	if (result == GNTDEV_RETRY_DONE) {
		finish(mapping);
		if (instance)
			gntdev_instance_put(instance);
	}
	return result;
}

/**
 * gntdev_mapping_release() - unmap a mapping that has no view any more
 * @mapping:  the mapping, mapped and no longer known to its range; gone after this
 * @notify:   the range's notifications, taken over, or NULL
 * @instance: whose ports they name; the caller holds it
 *
 * Bytes are cleared now, events are sent when their page is unmapped. Needs no memory. Sleeps, but
 * does not wait for busy pages.
 */
void gntdev_mapping_release(struct gntdev_mapping *mapping, const struct gntdev_notify *notify,
			    struct gntdev_instance *instance)
{
	gntdev_sweep_cancel(&mapping->sweep);
	mapping->notify = notify ? *notify : (struct gntdev_notify){};
	mapping->instance = instance;

	if (mapping->uncached)
		gntdev_pages_cache(mapping->count, mapping->pages);
	if (unmap_idle(mapping) == GNTDEV_RETRY_DONE) {
		finish(mapping);
		return;
	}

	/*
	 * Busy pages are unmapped later, and their bytes cleared again then: what is in flight may
	 * write over them. But the peer is not to wait for that.
	 */
	gntdev_notify_clear_bytes(&mapping->notify, mapping->pages,
				  gntdev_mapping_handles(mapping), 0, mapping->count);
	trace_gntdev_unmap_later(mapping->count);
	if (instance)
		gntdev_instance_get(instance);
	gntdev_retry_later(&busy_mappings, &mapping->retry);
}

/**
 * gntdev_mapping_release_begin() - begin to take a mapping from where a suspend finds it
 *
 * Who does that may be a kernel thread, which nobody freezes. Until it has called
 * gntdev_mapping_release(), and gntdev_mapping_release_end(), the suspend waits for it.
 *
 * Return: for gntdev_mapping_release_end().
 */
int gntdev_mapping_release_begin(void)
	__acquires(&releasing)
{
	return srcu_read_lock(&releasing);
}

/**
 * gntdev_mapping_release_end() - end what gntdev_mapping_release_begin() began
 * @begun: what that returned
 */
void gntdev_mapping_release_end(int begun) __releases(&releasing)
{
	srcu_read_unlock(&releasing, begun);
}

/**
 * gntdev_mapping_suspend_begin() - have nothing mapped from now on
 *
 * All processes are frozen, and so is what waits in retry.c.
 */
void gntdev_mapping_suspend_begin(void)
{
	WRITE_ONCE(gntdev_mapping_suspended, true);
	WRITE_ONCE(was_suspended, true);
	/* Who got a page from under a page table's lock has it in its hands after this. */
	synchronize_rcu();
}

/**
 * gntdev_mapping_suspend() - give Xen back what the domain must not have while it is suspended
 * @mapping: a mapping, of which no process has an entry
 *
 * Where the kernel still uses a page, it finds other memory at its address in a PV domain; in an
 * auto-translated one what it reads there is undefined, and what it writes is lost.
 */
void gntdev_mapping_suspend(struct gntdev_mapping *mapping)
{
	grant_handle_t *handles = gntdev_mapping_handles(mapping);
	unsigned int i, next;

	/* Pages may just be let go of. */
	spin_lock(&mapping->lock);
	mapping->weak = true;
	spin_unlock(&mapping->lock);
	for (i = 0; gntdev_is_pv() && i < mapping->count; i = next) {
		next = i;
		while (next < mapping->count && mapping->pages[next] &&
		       gntdev_is_mapped(handles[next]) && !is_idle(mapping, next))
			next++;
		gntdev_grants_stand_in(mapping->pages + i, handles + i, next - i);
		next = max(next, i + 1);
	}
	gntdev_grants_warn(gntdev_grants_unmap(mapping->pages, handles, mapping->count));
}

/**
 * gntdev_mapping_resume() - map again what gntdev_mapping_suspend() has unmapped
 * @mapping:  the mapping
 * @refs:     a grant for each of its pages; NULL for those that they had before
 * @restored: the domain was restored, so that its references are nobody's, or others'
 *
 * In a PV domain all pages are held then, as none has an entry, until they are let go of again.
 *
 * Return: how many pages did not come back.
 */
unsigned int gntdev_mapping_resume(struct gntdev_mapping *mapping,
				   const struct ioctl_gntdev_grant_ref *refs, bool restored)
{
	unsigned int missing = mapping->count;

	if (mapping->ended)
		return 0;
	if (!restored)
		missing = gntdev_grants_map_again(refs, mapping->pages,
						  gntdev_mapping_handles(mapping), mapping->count,
						  mapping->readonly);
	spin_lock(&mapping->lock);
	mapping->ended = restored;
	mapping->weak = missing > 0;
	if (refs && mapping->has_view)
		gntdev_sweep_use(&mapping->sweep);
	spin_unlock(&mapping->lock);
	return missing;
}

static void suspend_one(struct gntdev_retry *retry)
{
	gntdev_mapping_suspend(container_of(retry, struct gntdev_mapping, retry));
}

/**
 * gntdev_mapping_suspend_busy() - gntdev_mapping_suspend() for those that wait for busy pages
 */
void gntdev_mapping_suspend_busy(void)
{
	/* Some may have been on their way to them. */
	synchronize_srcu(&releasing);
	gntdev_retry_for_each(&busy_mappings, suspend_one);
}

static void resume_one(struct gntdev_retry *retry)
{
	gntdev_mapping_resume(container_of(retry, struct gntdev_mapping, retry), NULL, false);
}

static void end_one(struct gntdev_retry *retry)
{
	gntdev_mapping_resume(container_of(retry, struct gntdev_mapping, retry), NULL, true);
}

/**
 * gntdev_mapping_resume_busy() - gntdev_mapping_resume() for those that wait for busy pages
 * @restored: as there
 */
void gntdev_mapping_resume_busy(bool restored)
{
	gntdev_retry_for_each(&busy_mappings, restored ? end_one : resume_one);
}

/**
 * gntdev_mapping_resume_end() - undo gntdev_mapping_suspend_begin()
 */
void gntdev_mapping_resume_end(void)
{
	WRITE_ONCE(gntdev_mapping_suspended, false);
}
