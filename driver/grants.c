// SPDX-License-Identifier: GPL-2.0
/*
 * The only file that asks Xen to map and unmap grants.
 *
 * Hypercalls go out in batches of up to BATCH operations. For unmapping, and for all that is done
 * to page-table entries of our choice, the operations stand in a page of the CPU (argpage.c), with
 * preemption off, so that no memory is needed and an MMU notifier may do it. Mapping into the
 * kernel goes through gnttab_map_refs() where the kernel has to note the foreign frame (the p2m of
 * a PV domain and of Arm). That one can sleep, and so its operations stand elsewhere.
 *
 * GNTST_eagain (the granting domain has the page paged out) is answered at once with -EAGAIN.
 * gnttab_map_refs() would instead sleep for up to 32 s for each such page. In a PV domain mmap()
 * maps the entries of the process only, by a hypercall of this file. A page that is mapped once
 * cannot be paged out, so the kernel's mapping of it, if it comes to that, does not meet
 * GNTST_eagain. A dma-buf has no such entries; before its pages are mapped, Xen is asked whether
 * they are there. Xen on Arm has no paging.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mm.h>
#include <linux/notifier.h>
#include <linux/percpu.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include <asm/xen/hypercall.h>
#include <asm/xen/hypervisor.h>
#ifdef CONFIG_X86
#include <asm/xen/cpuid.h>
#endif
#include <xen/interface/event_channel.h>
#include <xen/page.h>
#include <xen/xen-ops.h>

#include "argpage.h"
#include "grants.h"

#define BATCH		GNTDEV_GRANTS_BATCH
/* Up to this many operations of gnttab_map_refs() need no allocated buffer. */
#define SMALL_BATCH	8

#ifdef CONFIG_XEN_PV
/*
 * What Linux wants in the bits of a page-table entry that Xen leaves to the guest. Special makes
 * the kernel ask vm_ops->find_special_page for the page. With soft-dirty the entry is what the
 * kernel itself makes of it after a write fault: it finds nothing to add, and so never edits it.
 */
#define GNTMAP_pte_bits \
	((((u32)(_PAGE_SPECIAL | _PAGE_SOFT_DIRTY)) >> _PAGE_BIT_SOFTW1) << _GNTMAP_guest_avail0)
#endif

/* Operations of gnttab_map_refs() at a time where that sleeps for a page that is paged out. */
#define SLEEPING_BATCH	32

union batch {
	struct gnttab_map_grant_ref map[BATCH];
	struct gnttab_unmap_grant_ref unmap[BATCH];
	struct gnttab_copy copy[SLEEPING_BATCH];
};

static DEFINE_PER_CPU(union batch *, batches);

/* The buffer of this CPU, until put_batch(); with preemption off. */
static union batch *get_batch(void)
{
	return get_cpu_var(batches);
}

static void put_batch(void)
{
	put_cpu_var(batches);
}

/* This domain, where grants to itself must be refused; otherwise DOMID_INVALID. */
static domid_t own_domid = DOMID_INVALID;

/* The errno that tells most of what Xen's status says: SPEC V3, and the table in gntdev(4). */
static int gntst_to_errno(s16 status)
{
	switch (status) {
	case GNTST_okay:
		return 0;
	case GNTST_eagain:
		return -EAGAIN;
	case GNTST_no_space:
	case GNTST_no_device_space:
		return -ENOSPC;
	case GNTST_bad_domain:
		return -ESRCH;
	case GNTST_permission_denied:
		return -EACCES;
	default:
		return -EINVAL;
	}
}

/* The interface has 32 bits for a domain, Xen 16: never let a large number name another domain. */
static domid_t to_domid(u32 domid)
{
	return domid > U16_MAX ? DOMID_INVALID : domid;
}

#ifdef CONFIG_X86
/*
 * In an auto-translated x86 domain Xen moves a page that the domain maps from itself: it vanishes
 * from its old place in the physmap, and the kernel crashes later. So our own domid must be known.
 * It is not asked from xenstore, whose daemon may be a client of this driver.
 */
static domid_t find_own_domid(void)
{
	struct evtchn_alloc_unbound alloc = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
	struct evtchn_status status = { .dom = DOMID_SELF };
	struct evtchn_close close;
	u32 base = xen_cpuid_base();
	domid_t domid = DOMID_INVALID;

	if (base) {
		u32 eax, ebx, ecx, edx;

		cpuid(base + 4, &eax, &ebx, &ecx, &edx);
		if (eax & XEN_HVM_CPUID_DOMID_PRESENT)
			return ecx;
	}

	/* An event channel to ourselves names us as its remote end. */
	if (HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &alloc))
		return DOMID_INVALID;
	status.port = alloc.port;
	if (!HYPERVISOR_event_channel_op(EVTCHNOP_status, &status) &&
	    status.status == EVTCHNSTAT_unbound)
		domid = status.u.unbound.dom;
	close.port = alloc.port;
	HYPERVISOR_event_channel_op(EVTCHNOP_close, &close);
	return domid;
}

/* A domain that was saved and restored, or migrated, may come back under another number. */
static int own_domid_resume(struct notifier_block *nb, unsigned long event, void *unused)
{
	own_domid = find_own_domid();
	return NOTIFY_OK;
}

static struct notifier_block own_domid_notifier = {
	.notifier_call = own_domid_resume,
};

static void own_domid_init(void)
{
	if (gntdev_is_pv())
		return;
	own_domid = find_own_domid();
	if (own_domid == DOMID_INVALID)
		pr_warn("cannot tell this domain's number: grants to itself are not refused\n");
	xen_resume_notifier_register(&own_domid_notifier);
}

static void own_domid_exit(void)
{
	if (!gntdev_is_pv())
		xen_resume_notifier_unregister(&own_domid_notifier);
}
#else
static void own_domid_init(void) {}
static void own_domid_exit(void) {}
#endif

static void free_batches(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		gntdev_argpage_free(per_cpu(batches, cpu));
}

/**
 * gntdev_grants_init() - make ready to map grants
 *
 * Return: 0 or -ENOMEM.
 */
int gntdev_grants_init(void)
{
	unsigned int cpu;

	BUILD_BUG_ON(sizeof(union batch) > PAGE_SIZE);
	for_each_possible_cpu(cpu) {
		union batch *batch = gntdev_argpage_alloc(cpu_to_node(cpu));

		if (!batch) {
			free_batches();
			return -ENOMEM;
		}
		per_cpu(batches, cpu) = batch;
	}
	own_domid_init();
	return 0;
}

/**
 * gntdev_grants_exit() - undo gntdev_grants_init()
 */
void gntdev_grants_exit(void)
{
	own_domid_exit();
	free_batches();
}

/**
 * gntdev_grants_check() - refuse what must not even be tried
 * @refs:  the references
 * @count: how many
 *
 * Return: -EINVAL if, in an x86 auto-translated domain, one of them is a grant of the domain to
 * itself; 0 otherwise.
 */
int gntdev_grants_check(const struct ioctl_gntdev_grant_ref *refs, unsigned int count)
{
	unsigned int i;

	if (own_domid == DOMID_INVALID)
		return 0;

	for (i = 0; i < count; i++)
		if (refs[i].domid == own_domid || refs[i].domid == DOMID_SELF)
			return -EINVAL;
	return 0;
}

static void *kernel_address(struct page *page)
{
	return pfn_to_kaddr(page_to_pfn(page));
}

/* Sets @handles from what Xen answered to a batch. Returns the first refusal as an errno. */
static int take_handles(const struct gnttab_map_grant_ref *ops, grant_handle_t *handles,
			unsigned int count)
{
	int err = 0;
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (ops[i].status == GNTST_okay) {
			handles[i] = ops[i].handle;
		} else {
			handles[i] = INVALID_GRANT_HANDLE;
			if (!err)
				err = gntst_to_errno(ops[i].status);
		}
	}
	return err;
}

/* One batch, by gnttab_map_refs(), which tells the kernel's p2m about the foreign frames. */
static int map_refs_noted(struct gnttab_map_grant_ref *ops, struct page **pages,
			  grant_handle_t *handles, unsigned int count)
{
	int failed = gnttab_map_refs(ops, NULL, pages, count);

	/* A batch that Xen did not look at has mapped nothing: every status is still positive. */
	return take_handles(ops, handles, count) ?: failed;
}

/* One batch in an x86 auto-translated domain, where there is no p2m to keep. */
static int map_refs_plain(struct gnttab_map_grant_ref *ops, struct page **pages,
			  grant_handle_t *handles, unsigned int count)
{
	int failed = HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, ops, count);
	int err = take_handles(ops, handles, count);
	unsigned int i;

	for (i = 0; i < count; i++) {
		struct xen_page_foreign *foreign;

		if (handles[i] == INVALID_GRANT_HANDLE)
			continue;
		/* The network stack's and block layer's backends ask a page whose it is. */
		SetPageForeign(pages[i]);
		foreign = xen_page_foreign(pages[i]);
		foreign->domid = ops[i].dom;
		foreign->gref = ops[i].ref;
	}
	return err ?: failed;
}

/*
 * Are pages paged out? A copy of no bytes to them tells, and has them paged in. All other refusals
 * are left to the one who maps them. Only a page that goes in the moment between the two still has
 * gnttab_map_refs() wait.
 */
static int ask_paged_out(const struct ioctl_gntdev_grant_ref *refs, unsigned int count)
{
	struct gnttab_copy *ops = get_batch()->copy;
	xen_pfn_t frame = virt_to_gfn(ops);
	unsigned int i;
	int err;

	for (i = 0; i < count; i++)
		ops[i] = (struct gnttab_copy) {
			.source = { .u.gmfn = frame, .domid = DOMID_SELF },
			.dest = { .u.ref = refs[i].ref, .domid = to_domid(refs[i].domid) },
			.flags = GNTCOPY_dest_gref,
		};
	err = HYPERVISOR_grant_table_op(GNTTABOP_copy, ops, count);
	for (i = 0; !err && i < count; i++)
		if (ops[i].status == GNTST_eagain)
			err = -EAGAIN;
	put_batch();
	return err == -EAGAIN ? err : 0;
}

/**
 * gntdev_grants_map() - map grants at the kernel's addresses of unpopulated pages
 * @refs:     the grants
 * @pages:    pages of gnttab_alloc_pages(), one for each grant
 * @handles:  set to Xen's handles
 * @count:    how many
 * @readonly: map without write access
 *
 * Sleeps. In an auto-translated domain the pages themselves become the peer's; in a PV domain the
 * kernel's own mapping of them does, and user mappings are made with gntdev_grants_map_ptes().
 *
 * Return: 0, or an errno after which nothing is mapped: -EINTR (killed), or as in gntdev(4) for
 * the first reference that Xen refused.
 */
int gntdev_grants_map(const struct ioctl_gntdev_grant_ref *refs, struct page **pages,
		      grant_handle_t *handles, unsigned int count, bool readonly)
{
	bool noted = gntdev_is_pv() || !IS_ENABLED(CONFIG_X86);
	u32 flags = GNTMAP_host_map | (readonly ? GNTMAP_readonly : 0);
	struct gnttab_map_grant_ref small[SMALL_BATCH], *ops = small;
	unsigned int batch = noted ? SMALL_BATCH : BATCH, done = 0, n, i;
	int err = 0;

	if (noted && count > SMALL_BATCH) {
		n = min_t(unsigned int, count, gntdev_is_pv() ? SLEEPING_BATCH : BATCH);
		ops = kmalloc_array(n, sizeof(*ops), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
		if (ops)
			batch = n;
		else
			ops = small;
	}

	while (done < count && !err) {
		if (fatal_signal_pending(current)) {
			err = -EINTR;
			break;
		}
		n = min(count - done, batch);
		if (gntdev_is_pv()) {
			err = ask_paged_out(refs + done, n);
			if (err)
				break;
		}
		if (!noted)
			ops = get_batch()->map;
		for (i = 0; i < n; i++)
			gnttab_set_map_op(&ops[i], (phys_addr_t)kernel_address(pages[done + i]),
					  flags, refs[done + i].ref,
					  to_domid(refs[done + i].domid));
		if (noted) {
			err = map_refs_noted(ops, pages + done, handles + done, n);
		} else {
			err = map_refs_plain(ops, pages + done, handles + done, n);
			put_batch();
		}
		done += n;
		cond_resched();
	}

	if (noted && ops != small)
		kfree(ops);
	if (err)
		gntdev_grants_unmap(pages, handles, done);
	return err;
}

/* The length of the run of pages that @handles begins with, mapped ones or others. */
static unsigned int run_length(const grant_handle_t *handles, unsigned int count, bool mapped)
{
	unsigned int n;

	count = min_t(unsigned int, count, BATCH);
	for (n = 0; n < count && (handles[n] != INVALID_GRANT_HANDLE) == mapped; n++)
		;
	return n;
}

/**
 * gntdev_grants_hold() - map grants that are mapped elsewhere at the kernel's addresses, too (PV)
 * @refs:     the grants
 * @pages:    pages as of gntdev_grants_map()
 * @handles:  their handles; pages with a valid one are mapped already, and left alone
 * @count:    how many
 * @readonly: map without write access
 * @refuse:   map nothing
 *
 * Neither sleeps nor needs memory: Xen does not answer GNTST_eagain for what it has mapped for us,
 * and the p2m has had an entry for an unpopulated page since that was allocated.
 *
 * Return: 0; -ENOSPC if @refuse and something is not mapped; or an errno as gntdev_grants_map(),
 * after which some of them may be mapped.
 */
int gntdev_grants_hold(const struct ioctl_gntdev_grant_ref *refs, struct page **pages,
		       grant_handle_t *handles, unsigned int count, bool readonly, bool refuse)
{
	u32 flags = GNTMAP_host_map | (readonly ? GNTMAP_readonly : 0);
	unsigned int done = 0, n, i;
	int err = 0;

	while (done < count && !err) {
		struct gnttab_map_grant_ref *ops;

		done += run_length(handles + done, count - done, true);
		n = run_length(handles + done, count - done, false);
		if (!n)
			continue;
		if (refuse)
			return -ENOSPC;
		ops = get_batch()->map;
		for (i = 0; i < n; i++)
			gnttab_set_map_op(&ops[i], (phys_addr_t)kernel_address(pages[done + i]),
					  flags, refs[done + i].ref,
					  to_domid(refs[done + i].domid));
		err = map_refs_noted(ops, pages + done, handles + done, n);
		put_batch();
		done += n;
	}
	return err;
}

/**
 * gntdev_grants_unmap() - undo gntdev_grants_map() or gntdev_grants_hold() for some pages
 * @pages:   the pages; one that Xen refuses to unmap is set to NULL, and must never be used again
 * @handles: their handles; invalid ones are passed over, all become INVALID_GRANT_HANDLE
 * @count:   how many
 *
 * Needs no memory; may give way to other tasks between batches. A refusal is a bug of this driver
 * or of Xen, and warns.
 */
void gntdev_grants_unmap(struct page **pages, grant_handle_t *handles, unsigned int count)
{
	unsigned int n, i;

	for (; count; count -= n, pages += n, handles += n) {
		struct gnttab_unmap_grant_ref *ops;
		int err;

		n = run_length(handles, count, false);
		if (n)
			continue;
		n = run_length(handles, count, true);
		ops = get_batch()->unmap;
		for (i = 0; i < n; i++) {
			gnttab_set_unmap_op(&ops[i], (phys_addr_t)kernel_address(pages[i]),
					    GNTMAP_host_map, handles[i]);
			ops[i].status = 1;
		}
		err = gnttab_unmap_refs(ops, NULL, pages, n);
		for (i = 0; i < n; i++) {
			if (WARN(err || ops[i].status != GNTST_okay,
				 "Xen keeps a grant mapped: handle %u, status %d, error %d\n",
				 handles[i], ops[i].status, err))
				pages[i] = NULL;
			handles[i] = INVALID_GRANT_HANDLE;
		}
		put_batch();
		cond_resched();
	}
}

#ifdef CONFIG_XEN_PV
/**
 * gntdev_grants_map_ptes() - map grants by page-table entries of our choice (PV)
 * @refs:      the grants
 * @ptes:      machine addresses of the entries, which are empty
 * @handles:   set to Xen's handles; entries with a valid handle are mapped already and left alone
 * @count:     how many
 * @kind:      what the entries are for
 * @may_yield: whether to give way to other tasks between batches
 *
 * Allocates nothing.
 *
 * Return: 0, or an errno as gntdev_grants_map(), after which none of the entries is mapped.
 */
int gntdev_grants_map_ptes(const struct ioctl_gntdev_grant_ref *refs, const u64 *ptes,
			   grant_handle_t *handles, unsigned int count, enum gntdev_ptes kind,
			   bool may_yield)
{
	u32 flags = GNTMAP_host_map | GNTMAP_contains_pte;
	unsigned int start, end, n;
	int err = 0, failed;

	if (kind != GNTDEV_PTES_KERNEL)
		flags |= GNTMAP_application_map | GNTMAP_pte_bits;
	if (kind == GNTDEV_PTES_USER_READONLY)
		flags |= GNTMAP_readonly;

	for (end = 0; end < count && !err; ) {
		struct gnttab_map_grant_ref *ops;

		if (handles[end] != INVALID_GRANT_HANDLE) {
			end++;
			continue;
		}
		/* For the kernel's own entries a killed process is no reason to fail. */
		if (kind != GNTDEV_PTES_KERNEL && fatal_signal_pending(current)) {
			err = -EINTR;
			break;
		}
		start = end;
		ops = get_batch()->map;
		for (n = 0; n < BATCH && end < count; n++, end++) {
			if (handles[end] != INVALID_GRANT_HANDLE)
				break;
			gnttab_set_map_op(&ops[n], ptes[end], flags, refs[end].ref,
					  to_domid(refs[end].domid));
		}
		failed = HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, ops, n);
		err = take_handles(ops, handles + start, n) ?: failed;
		put_batch();
		if (may_yield)
			cond_resched();
	}

	if (err)
		gntdev_grants_unmap_ptes(ptes, handles, end, may_yield);
	return err;
}

/**
 * gntdev_grants_unmap_ptes() - undo gntdev_grants_map_ptes()
 * @ptes:      machine addresses of the entries
 * @handles:   their handles; invalid ones are passed over, all become INVALID_GRANT_HANDLE
 * @count:     how many
 * @may_yield: whether to give way to other tasks between batches
 *
 * Needs no memory. Xen clears the entries and flushes the TLBs. A refusal is a bug of this driver
 * or of Xen, and warns.
 */
void gntdev_grants_unmap_ptes(const u64 *ptes, grant_handle_t *handles, unsigned int count,
			      bool may_yield)
{
	unsigned int next = 0, i, n;

	while (next < count) {
		struct gnttab_unmap_grant_ref *ops = get_batch()->unmap;
		int err = 0;

		for (n = 0; n < BATCH && next < count; next++) {
			if (handles[next] == INVALID_GRANT_HANDLE)
				continue;
			gnttab_set_unmap_op(&ops[n], ptes[next], GNTMAP_contains_pte,
					    handles[next]);
			ops[n++].status = 1;
			handles[next] = INVALID_GRANT_HANDLE;
		}
		if (n)
			err = HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, ops, n);
		for (i = 0; i < n; i++)
			WARN(err || ops[i].status != GNTST_okay,
			     "Xen keeps an entry mapped: handle %u, status %d, error %d\n",
			     ops[i].handle, ops[i].status, err);
		put_batch();
		if (may_yield)
			cond_resched();
	}
}
#endif
