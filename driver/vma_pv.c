// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings in a PV domain. Here Xen wants to be asked for every page-table entry that shows a
 * foreign page, and to be asked again before such an entry is changed: an entry that the kernel
 * just overwrites leaves the grant mapped until the domain dies. So a view has a grant mapping of
 * each of its entries, and gives those back from an MMU interval notifier, which the core kernel
 * calls before it touches an entry: for munmap and exit, but also for madvise, mremap,
 * /proc/PID/clear_refs and whatever else comes. An entry that was given back comes again when the
 * process touches the page.
 *
 * The kernel's own mapping of a page, which it needs for I/O, is made when it asks for the page
 * (->find_special_page); and when the entries go while the view stays, to keep the page.
 *
 * vm_ops->close would be too late for that. The entries are gone by then, and at exit the page
 * tables are no page tables for Xen any more.
 *
 * The VMA has neither VM_MIXEDMAP nor VM_PFNMAP. With either, a fork would copy the entries; with
 * VM_PFNMAP the kernel could not do I/O on the pages, either. The entries carry the special bit
 * instead, for which the core kernel asks ->find_special_page, whose name is find_normal_page since
 * Linux 6.18.
 */

#include <linux/err.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include <xen/page.h>

#include "compat.h"
#include "grants.h"
#include "mapping.h"
#include "range.h"
#include "stats.h"
#include "views.h"

static unsigned long view_start(const struct gntdev_pv_view *view)
{
	return view->notifier.interval_tree.start;
}

/* How many pages it shows. */
static unsigned int view_count(const struct gntdev_pv_view *view)
{
	return (view->notifier.interval_tree.last + 1 - view_start(view)) >> PAGE_SHIFT;
}

/* Xen's handle for each entry. */
static grant_handle_t *view_handles(struct gntdev_pv_view *view)
{
	return (grant_handle_t *)&view->ptes[view_count(view)];
}

static bool view_is_accessible(const struct vm_area_struct *vma)
{
	return vma->vm_flags & (VM_READ | VM_WRITE);
}

/* Under whose lock the handles are. */
static struct gntdev_mapping *view_mapping(const struct gntdev_pv_view *view)
{
	return view->range->mapping;
}

/* The kernel's own mapping of pages of a view. */
static int view_hold(const struct gntdev_pv_view *view, unsigned int first, unsigned int count,
		     bool may_yield)
{
	return gntdev_mapping_hold(view_mapping(view), view->range->refs, view->first + first,
				   count, may_yield);
}

/* Unmaps entries, which are still there. */
static void view_unmap(struct gntdev_pv_view *view, unsigned int first, unsigned int count,
		       bool may_yield)
{
	struct gntdev_mapping *mapping = view_mapping(view);
	unsigned int refused = 0;

	while (count) {
		unsigned int n = min_t(unsigned int, count, GNTDEV_GRANTS_BATCH);

		spin_lock(&mapping->lock);
		refused += gntdev_grants_unmap_ptes(view->ptes + first, view_handles(view) + first,
						    n, false);
		spin_unlock(&mapping->lock);
		first += n;
		count -= n;
		if (may_yield)
			cond_resched();
	}
	gntdev_grants_warn(refused);
}

static bool view_invalidate(struct mmu_interval_notifier *notifier,
			    const struct mmu_notifier_range *change, unsigned long seq)
{
	struct gntdev_pv_view *view = container_of(notifier, struct gntdev_pv_view, notifier);
	struct gntdev_mapping *mapping = view_mapping(view);
	unsigned long last_page = view_count(view) - 1;
	unsigned long start = view_start(view), first = 0;
	bool may_yield = mmu_notifier_range_blockable(change);

	if (change->start > start)
		first = (change->start - start) >> PAGE_SHIFT;
	last_page = min(last_page, (change->end - 1 - start) >> PAGE_SHIFT);
	/*
	 * The killer of processes that lack memory must not sleep, and gets none from here. It goes
	 * on with the next mapping, rather than keep the processor for all of a large one.
	 */
	if (!may_yield && last_page - first >= GNTDEV_GRANTS_BATCH)
		return false;

	spin_lock(&mapping->lock);
	mmu_interval_set_seq(notifier, seq);
	spin_unlock(&mapping->lock);

	/*
	 * At munmap and exit the view goes. It may stay after an mremap, for which pv_open() has
	 * held the pages, and when a killed process loses its memory early: none misses them.
	 */
	if (change->event == MMU_NOTIFY_UNMAP || change->event == MMU_NOTIFY_RELEASE)
		gntdev_mapping_leave(mapping, view);
	else if (view_hold(view, first, last_page - first + 1, may_yield))
		gntdev_mapping_weaken(mapping);
	view_unmap(view, first, last_page - first + 1, may_yield);
	return true;
}

static const struct mmu_interval_notifier_ops view_notifier_ops = {
	.invalidate = view_invalidate,
};

/* Where the entries of some pages of a view are, one page after the other. */
struct pte_finder {
	u64 *ptes;
	u64 last;	/* the last that was found, or 0 */
};

static int find_pte(pte_t *pte, unsigned long address, void *context)
{
	struct pte_finder *finder = context;

	/* The next one of a page table is just behind. Looking it up in the p2m costs more. */
	if (finder->last && offset_in_page(pte))
		finder->last += sizeof(*pte);
	else
		finder->last = arbitrary_virt_to_machine(pte).maddr;
	/* Others may be at work on an entry that is mapped. For that nothing changes here. */
	WRITE_ONCE(*finder->ptes++, finder->last);
	return 0;
}

/* Finds where the entries of some pages are, and makes what is missing of the page tables. */
static int find_ptes(struct gntdev_pv_view *view, struct mm_struct *mm, unsigned int first,
		     unsigned int count)
{
	struct pte_finder finder = { .ptes = view->ptes + first };

	return apply_to_page_range(mm, view_start(view) + ((unsigned long)first << PAGE_SHIFT),
				   (unsigned long)count << PAGE_SHIFT, find_pte, &finder);
}

/* Entries that are looked for at a time: on one way down the page tables. */
#define FIND_AT_ONCE	128

/*
 * Maps entries that were found, those that are not mapped yet: as many as fit in a batch, of the
 * @count from the number @first on. @seq is from before they were looked for, @err of the look-up
 * if that failed: what goes at once looks like -ENOMEM.
 *
 * Return: how many; 0 if where they are may have changed since; or an errno.
 */
static int view_map_found(struct gntdev_pv_view *view, unsigned int first, unsigned int count,
			  unsigned long seq, int err)
{
	struct gntdev_mapping *mapping = view_mapping(view);
	int ret;

	count = min_t(unsigned int, count, GNTDEV_GRANTS_BATCH);
	spin_lock(&mapping->lock);
	if (READ_ONCE(gntdev_mapping_suspended))
		ret = -ERESTARTNOINTR;
	else if (mmu_interval_read_retry(&view->notifier, seq))
		ret = 0;
	else if (err < 0)
		ret = err;
	else
		ret = gntdev_grants_map_ptes(view->range->refs + view->first + first,
					     view->ptes + first, view_handles(view) + first, count,
					     view->readonly ?
					     GNTDEV_PTES_USER_READONLY : GNTDEV_PTES_USER,
					     false) ?: count;
	spin_unlock(&mapping->lock);
	return ret;
}

/*
 * Maps the entries of some pages of a view, those that are not mapped yet. The caller holds
 * mmap_lock.
 *
 * That does not keep a page table that has no entry: since Linux 6.14 madvise() frees it, with the
 * lock of the VMA only (CONFIG_PT_RECLAIM). But it calls the notifier before. So the entries are
 * looked for again whenever that may have been: see "Page tables that go" in doc/design.md.
 *
 * The hypercalls wait until apply_to_page_range() is through: in its callback the kernel may be
 * collecting page-table changes, and Xen must see the tables as they are.
 */
static int view_populate(struct gntdev_pv_view *view, struct mm_struct *mm, unsigned int first,
			 unsigned int count)
{
	unsigned int end = first + count, found;
	unsigned long seq;
	int ret;

	/* mmap_assert_locked() is not for modules, where CONFIG_DEBUG_VM is set. */
	lockdep_assert_held(&mm->mmap_lock);

	while (first < end) {
		/* No entry may come while the core kernel believes that none is there. */
		seq = mmu_interval_read_begin(&view->notifier);
		found = first + min_t(unsigned int, end - first, FIND_AT_ONCE);
		ret = find_ptes(view, mm, first, found - first);
		do {
			/* What it is given is an errno in the first round only. */
			ret = view_map_found(view, first, found - first, seq, ret);
			cond_resched();
			if (ret < 0)
				return ret;
			first += ret;
		} while (ret && first < found);
	}
	return 0;
}

/* Memory for a view, which a fresh mapping may have. */
static struct gntdev_pv_view *view_alloc(struct gntdev_mapping *mapping, unsigned int count,
					 bool fresh)
{
	const size_t each = sizeof(u64) + sizeof(grant_handle_t);
	struct gntdev_pv_view *view;

	if (fresh && mapping->has_view) {
		view = &mapping->view;
		view->ptes = gntdev_mapping_ptes(mapping);
		return view;
	}
	view = kvmalloc(size_add(sizeof(*view), array_size(count, each)),
			GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (view)
		view->ptes = (u64 *)(view + 1);
	return view;
}

static void view_free(struct gntdev_pv_view *view)
{
	if (view != &view_mapping(view)->view)
		kvfree(view);
}

/*
 * The first notifier of a process takes the locks of all its VMAs, and gives up when a signal
 * comes. With many VMAs and a timer that would never end, so that the second try puts signals off.
 * What it still gives way to are SIGKILL and work that the task has to do before it returns to the
 * user.
 */
static int insert_notifier(struct gntdev_pv_view *view, struct vm_area_struct *vma)
{
	unsigned long length = vma->vm_end - vma->vm_start;
	sigset_t put_off, old;
	int err;

	err = mmu_interval_notifier_insert_locked(&view->notifier, vma->vm_mm, vma->vm_start,
						  length, &view_notifier_ops);
	if (err != -EINTR || fatal_signal_pending(current))
		return err;
	siginitsetinv(&put_off, sigmask(SIGKILL));
	sigprocmask(SIG_BLOCK, &put_off, &old);
	err = mmu_interval_notifier_insert_locked(&view->notifier, vma->vm_mm, vma->vm_start,
						  length, &view_notifier_ops);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return err;
}

/*
 * Makes a view at the place of @vma, nothing of it mapped; the first one of a mapping if that is
 * @fresh. The caller holds mmap_lock to write.
 */
static struct gntdev_pv_view *view_create(struct vm_area_struct *vma, struct gntdev_range *range,
					  bool fresh)
{
	unsigned int count = vma_pages(vma);
	struct gntdev_pv_view *view = view_alloc(range->mapping, count, fresh);
	int err;

	if (!view)
		return ERR_PTR(-ENOMEM);

	kref_init(&view->vmas);
	view->range = range;
	view->first = gntdev_view_first(vma, range);
	view->readonly = !(vma->vm_flags & VM_WRITE);
	view->leaving = false;
	memset32((grant_handle_t *)&view->ptes[count], INVALID_GRANT_HANDLE, count);

	err = insert_notifier(view, vma);
	if (err) {
		view_free(view);
		/* The system call does not give way to what is not for the process to see. */
		return ERR_PTR(err == -EINTR ? -ERESTARTNOINTR : err);
	}
	gntdev_mapping_add_view(range->mapping, view);
	return view;
}

static bool view_has_entries(struct gntdev_pv_view *view)
{
	const grant_handle_t *handles = view_handles(view);
	unsigned int i, count = view_count(view);

	for (i = 0; i < count; i++)
		if (handles[i] != INVALID_GRANT_HANDLE)
			return true;
	return false;
}

static void view_destroy(struct gntdev_pv_view *view)
{
	mmu_interval_notifier_remove(&view->notifier);
	/* Nobody else knows the view now: what the notifier has done to it stays as it is. */
	if (!view->leaving)
		gntdev_mapping_leave(view_mapping(view), view);
	/*
	 * The notifier has unmapped the entries before the core kernel dropped them. Except where a
	 * mapping fails half-way: then the entries, if any, are still there.
	 */
	if (view_has_entries(view))
		view_unmap(view, 0, view_count(view), true);
	view_free(view);
}

/**
 * gntdev_pv_map() - make a view of a range
 * @vma:   the new mapping of pages of the range
 * @range: the range, which the caller uses for the view, and whose lock it holds
 *
 * Return: as gntdev_mmap().
 */
int gntdev_pv_map(struct vm_area_struct *vma, struct gntdev_range *range)
{
	struct gntdev_mapping *mapping;
	struct gntdev_pv_view *view;
	bool fresh;
	int err;

	mapping = gntdev_range_prepare(range, vma->vm_flags & VM_WRITE, &fresh);
	if (IS_ERR(mapping))
		return PTR_ERR(mapping);

	range->mapping = mapping;
	if (fresh)
		gntdev_count(mapped, mapping->count);
	view = view_create(vma, range, fresh);
	if (IS_ERR(view)) {
		err = PTR_ERR(view);
		goto err_mapping;
	}

	err = view_populate(view, vma->vm_mm, 0, view_count(view));
	if (err)
		goto err_view;
	/* A view of a part, which only a dma-buf has, adds nothing: there all pages are held. */
	gntdev_mapping_shown(mapping);
	/* To clear bytes later; and a PROT_NONE mapping has no entries, as they can be read. */
	if (!view_is_accessible(vma) || gntdev_range_clears(range)) {
		gntdev_mapping_keep(mapping);
		err = view_hold(view, 0, view_count(view), true);
		if (err)
			goto err_view;
	}
	if (!view_is_accessible(vma))
		view_unmap(view, 0, view_count(view), true);

	/* Xen's entries do not allow execution. A forked child would have none at all. */
	vm_flags_set(vma, VM_DONTCOPY);
	vm_flags_clear(vma, VM_EXEC | VM_MAYEXEC);
	vma->vm_private_data = view;
	return 0;

err_view:
	view_destroy(view);
err_mapping:
	if (fresh) {
		range->mapping = NULL;
		gntdev_mapping_release(mapping, NULL, NULL);
	}
	return err;
}

static void view_release(struct kref *ref)
{
	struct gntdev_pv_view *view = container_of(ref, struct gntdev_pv_view, vmas);
	struct gntdev_range *range = view->range;

	view_destroy(view);
	gntdev_range_unuse(range);
}

/*
 * A VMA was copied. In a fork (possible after MADV_DOFORK) the child gets no view, and SIGBUS on
 * access. In an mremap() the two share the view until ->mremap, or until it fails; its entries will
 * go on the way.
 */
static void pv_open(struct vm_area_struct *vma)
{
	struct gntdev_pv_view *view = vma->vm_private_data;

	if (!view)
		return;
	if (vma->vm_mm != current->mm) {
		vma->vm_private_data = NULL;
		return;
	}
	kref_get(&view->vmas);
	if (view_hold(view, 0, view_count(view), true))
		gntdev_mapping_weaken(view_mapping(view));
}

/* The VMA is at its new place, its entries were given back: a view is made here, still empty. */
static int pv_mremap(struct vm_area_struct *vma)
{
	struct gntdev_pv_view *old = vma->vm_private_data, *view;

	if (!old)
		return 0;
	view = view_create(vma, old->range, false);
	if (IS_ERR(view))
		return PTR_ERR(view) == -ERESTARTNOINTR ? -EINTR : PTR_ERR(view);
	gntdev_range_use_again(old->range);
	vma->vm_private_data = view;
	kref_put(&old->vmas, view_release);
	return 0;
}

static void pv_close(struct vm_area_struct *vma)
{
	struct gntdev_pv_view *view = vma->vm_private_data;

	if (view)
		kref_put(&view->vmas, view_release);
}

/*
 * Does the core kernel look for pages to pin them for long (FOLL_LONGTERM)? Whoever does, io_uring,
 * AF_XDP or a driver, may have the kernel map them later at another address, by ordinary entries.
 * Xen refuses these for a foreign frame, the kernel ignores the refusal, and dies of the access.
 * get_user_pages() sets the flag around every such walk.
 */
static bool is_pinning_long_term(void)
{
	return current->flags & PF_MEMALLOC_PIN;
}

static vm_fault_t pv_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct gntdev_pv_view *view = vma->vm_private_data;
	unsigned long page = vmf->pgoff - vma->vm_pgoff;

	/*
	 * A forked child has no view; after an mremap() that failed, it is at the other place. A
	 * debugger may try to read what the process may not. A long-term pin would get no page.
	 */
	if (!view || view_start(view) != vma->vm_start || page >= view_count(view) ||
	    !view_is_accessible(vma) || is_pinning_long_term())
		return VM_FAULT_SIGBUS;
	if (view_mapping(view)->ended)
		return VM_FAULT_SIGBUS;

	switch (view_populate(view, vma->vm_mm, page, 1)) {
	case 0:
		return VM_FAULT_NOPAGE;
	case -ENOMEM:
		return VM_FAULT_OOM;
	default:
		return VM_FAULT_SIGBUS;
	}
}

/* Xen does not let the kernel edit the entry of a grant: what a view allows stays as it is. */
static int pv_mprotect(struct vm_area_struct *vma, unsigned long start, unsigned long end,
		       unsigned long flags)
{
	return (flags ^ vma->vm_flags) & VM_ACCESS_FLAGS ? -EACCES : 0;
}

static __maybe_unused struct page *pv_find_page(struct vm_area_struct *vma, unsigned long address)
{
	struct gntdev_pv_view *view = vma->vm_private_data;
	unsigned long page = (address - vma->vm_start) >> PAGE_SHIFT;

	/*
	 * The caller holds the lock of the page table: nothing here may sleep. Except for
	 * hmm_range_fault(), which only asks whether there is a page, and then takes that of the
	 * entry's frame number, which is none of this domain's. (With PREEMPT_RT no lock tells.)
	 *
	 * Who asks while mmap_lock is held to write wants to edit the entry, and no notifier was
	 * called: /proc/PID/clear_refs clears the accessed bit of whatever has a page. Xen refuses
	 * that for a foreign frame, and the kernel would die of it. Readers, get_user_pages() among
	 * them, hold mmap_lock to read.
	 */
	if (!view || is_pinning_long_term() || (!IS_ENABLED(CONFIG_PREEMPT_RT) && preemptible()) ||
	    gntdev_rwsem_is_write_locked(&vma->vm_mm->mmap_lock) ||
	    page >= view_count(view) ||
	    gntdev_mapping_ask(view_mapping(view), view->range->refs, view->first + page))
		return NULL;
	return view_mapping(view)->pages[view->first + page];
}

/*
 * Never called, as no entry that allows writing is ever write-protected. But a VMA that has this is
 * taken for one whose pages must not be pinned for long and written to: since Linux 6.6 such a pin
 * fails with EFAULT before a page is looked at. Others, and all on older kernels, do not get a
 * page, for which the core kernel's error is EEXIST.
 */
static vm_fault_t pv_pfn_mkwrite(struct vm_fault *vmf)
{
	return VM_FAULT_SIGBUS;
}

const struct vm_operations_struct gntdev_pv_vm_ops = {
	.open = pv_open,
	.close = pv_close,
	.may_split = gntdev_view_may_split,
	.mremap = pv_mremap,
	.mprotect = pv_mprotect,
	.fault = pv_fault,
	.pfn_mkwrite = pv_pfn_mkwrite,
#ifdef GNTDEV_FIND_PAGE
	.GNTDEV_FIND_PAGE = pv_find_page,
#endif
};
