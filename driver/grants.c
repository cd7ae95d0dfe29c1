// SPDX-License-Identifier: GPL-2.0
/*
 * The only file that asks Xen to map and unmap grants.
 *
 * Hypercalls go out in batches of up to BATCH operations. On x86 these stand in a page of the CPU
 * (argpage.c), with preemption off, so that no memory is needed and an MMU notifier may do it.
 * Where that may not be they stand on the stack: on Arm, as gnttab_unmap_refs() takes a lock and
 * frees memory there, which may sleep with PREEMPT_RT; with PREEMPT_RT anywhere, as nobody is to
 * wait for a batch; and where gnttab_map_refs() maps pages that were not mapped before, as it
 * sleeps for those that are paged out. (It is needed where the kernel has to note the foreign
 * frame: for the p2m of a PV domain, and of Arm.) "What may sleep where" in doc/design.md has the
 * whole of it.
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
#include <linux/percpu.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/stop_machine.h>

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
/* Where each takes more room on the stack than an operation, or nothing else may run. */
#define SMALL_BATCH	8
static_assert(SMALL_BATCH <= BATCH);

#ifdef CONFIG_XEN_PV
/*
 * What Linux wants in the bits of a page-table entry that Xen leaves to the guest. Special makes
 * the kernel ask vm_ops->find_special_page for the page. With soft-dirty the entry is what the
 * kernel itself makes of it after a write fault: it finds nothing to add, and so never edits it.
 */
#define GNTMAP_pte_bits \
	((((u32)(_PAGE_SPECIAL | _PAGE_SOFT_DIRTY)) >> _PAGE_BIT_SOFTW1) << _GNTMAP_guest_avail0)
#endif

union batch {
	struct gnttab_map_grant_ref map[BATCH];
	struct gnttab_unmap_grant_ref unmap[BATCH];
#ifdef CONFIG_XEN_PV
	struct gnttab_copy copy[BATCH];
#endif
};

#if defined(CONFIG_X86) && !defined(CONFIG_PREEMPT_RT)
/* Room for a batch on the stack, where it stands there. */
struct batch_room {};

static DEFINE_PER_CPU(union batch *, batches);

/* Where the next batch stands, until put_batch(): in a page of this CPU, with preemption off. */
static union batch *get_batch(struct batch_room *room)
{
	return get_cpu_var(batches);
}

static void put_batch(void)
{
	put_cpu_var(batches);
}

static void free_batches(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		gntdev_argpage_free(per_cpu(batches, cpu));
}

static int alloc_batches(void)
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
	return 0;
}
#else
struct batch_room {
	union batch batch;
};

static union batch *get_batch(struct batch_room *room)
{
	return &room->batch;
}

static void put_batch(void) {}

static void free_batches(void) {}

static int alloc_batches(void)
{
	return 0;
}
#endif

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

static void own_domid_init(void)
{
	if (gntdev_is_pv())
		return;
	own_domid = find_own_domid();
	if (own_domid == DOMID_INVALID)
		pr_warn("cannot tell this domain's number: grants to itself are not refused\n");
}

/**
 * gntdev_grants_new_life() - find out what may have changed when the domain was restored
 *
 * A domain that was saved and restored, or migrated, may come back under another number.
 */
void gntdev_grants_new_life(void)
{
	own_domid_init();
}
#else
static void own_domid_init(void) {}

void gntdev_grants_new_life(void) {}
#endif

/**
 * gntdev_grants_init() - make ready to map grants
 *
 * Return: 0 or -ENOMEM.
 */
int gntdev_grants_init(void)
{
	int err = alloc_batches();

	if (!err)
		own_domid_init();
	return err;
}

/**
 * gntdev_grants_exit() - undo gntdev_grants_init()
 */
void gntdev_grants_exit(void)
{
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

#ifdef CONFIG_XEN_PV
/*
 * Are pages paged out? A copy of no bytes to them tells, and has them paged in. All other refusals
 * are left to the one who maps them. Only a page that goes in the moment between the two still has
 * gnttab_map_refs() wait.
 */
static int ask_paged_out(const struct ioctl_gntdev_grant_ref *refs, unsigned int count)
{
	/* Nothing is copied from there: any page of this domain does. */
	xen_pfn_t frame = xen_page_to_gfn(ZERO_PAGE(0));
	struct batch_room room;
	struct gnttab_copy *ops = get_batch(&room)->copy;
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
#else
static int ask_paged_out(const struct ioctl_gntdev_grant_ref *refs, unsigned int count)
{
	return 0;
}
#endif

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
	/* For gnttab_map_refs(), which sleeps. */
	struct gnttab_map_grant_ref own[BATCH], *ops = own;
	unsigned int done = 0, n, i;
	struct batch_room room;
	int err = 0;

	while (done < count && !err) {
		if (fatal_signal_pending(current)) {
			err = -EINTR;
			break;
		}
		n = min_t(unsigned int, count - done, BATCH);
		if (gntdev_is_pv()) {
			err = ask_paged_out(refs + done, n);
			if (err)
				break;
		}
		if (!noted)
			ops = get_batch(&room)->map;
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

	if (err)
		gntdev_grants_warn(gntdev_grants_unmap(pages, handles, done));
	return err;
}

/* The length of the run of pages that @handles begins with, mapped ones or others. */
static unsigned int run_length(const grant_handle_t *handles, unsigned int count, bool mapped)
{
	unsigned int n;

	count = min_t(unsigned int, count, BATCH);
	for (n = 0; n < count && gntdev_is_mapped(handles[n]) == mapped; n++)
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
	struct batch_room room;
	int err = 0;

	while (done < count && !err) {
		struct gnttab_map_grant_ref *ops;

		done += run_length(handles + done, count - done, true);
		n = run_length(handles + done, count - done, false);
		if (!n)
			continue;
		if (refuse || handles[done] == GNTDEV_HANDLE_STAND_IN)
			return -ENOSPC;
		ops = get_batch(&room)->map;
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
 * gntdev_grants_unmap_batch() - unmap pages that are mapped; neither sleeps nor needs memory
 * @pages:   as gntdev_grants_unmap()
 * @handles: their handles, all valid; they become INVALID_GRANT_HANDLE
 * @count:   how many, up to GNTDEV_GRANTS_BATCH
 *
 * Also undoes gntdev_grants_hold() for pages that are mapped elsewhere (PV).
 *
 * Return: how many Xen refused, for gntdev_grants_warn().
 */
unsigned int gntdev_grants_unmap_batch(struct page **pages, grant_handle_t *handles,
				       unsigned int count)
{
	struct batch_room room;
	struct gnttab_unmap_grant_ref *ops = get_batch(&room)->unmap;
	unsigned int refused = 0, i;
	int err;

	for (i = 0; i < count; i++) {
		gnttab_set_unmap_op(&ops[i], (phys_addr_t)kernel_address(pages[i]),
				    GNTMAP_host_map, handles[i]);
		ops[i].status = 1;
	}
	err = gnttab_unmap_refs(ops, NULL, pages, count);
	for (i = 0; i < count; i++) {
		if (err || ops[i].status != GNTST_okay) {
			refused++;
			pages[i] = NULL;
		}
		handles[i] = INVALID_GRANT_HANDLE;
	}
	put_batch();
	return refused;
}

/**
 * gntdev_grants_warn() - warn of grants that Xen refused to unmap
 * @refused: how many; nothing is said if there are none
 *
 * A refusal is a bug of this driver or of Xen. Whoever unmaps adds them up, and calls this once,
 * when it holds no lock and preemption is on: a warning takes as long as a console does.
 */
void gntdev_grants_warn(unsigned int refused)
{
	WARN(refused, "Xen keeps %u grants mapped\n", refused);
}

/**
 * gntdev_grants_unmap() - undo gntdev_grants_map() or gntdev_grants_hold() for some pages
 * @pages:   the pages; one that Xen refuses to unmap is set to NULL, and must never be used again
 * @handles: their handles, which become INVALID_GRANT_HANDLE; pages that are not mapped are passed
 *           over
 * @count:   how many
 *
 * Needs no memory; gives way to other tasks between batches.
 *
 * Return: how many Xen refused, for gntdev_grants_warn().
 */
unsigned int gntdev_grants_unmap(struct page **pages, grant_handle_t *handles, unsigned int count)
{
	unsigned int refused = 0, n;

	for (; count; count -= n, pages += n, handles += n) {
		n = run_length(handles, count, false);
		if (n)
			continue;
		n = run_length(handles, count, true);
		refused += gntdev_grants_unmap_batch(pages, handles, n);
		cond_resched();
	}
	return refused;
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
 * Return: 0, or an errno as gntdev_grants_map(), after which some of the entries may be mapped: the
 * caller may hold a lock that is not to be held for as long as it takes to unmap them, too.
 */
int gntdev_grants_map_ptes(const struct ioctl_gntdev_grant_ref *refs, const u64 *ptes,
			   grant_handle_t *handles, unsigned int count, enum gntdev_ptes kind,
			   bool may_yield)
{
	u32 flags = GNTMAP_host_map | GNTMAP_contains_pte;
	unsigned int start, end, n;
	struct batch_room room;
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
		ops = get_batch(&room)->map;
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
	return err;
}

/**
 * gntdev_grants_unmap_ptes() - undo gntdev_grants_map_ptes()
 * @ptes:      machine addresses of the entries
 * @handles:   their handles; invalid ones are passed over, all become INVALID_GRANT_HANDLE
 * @count:     how many
 * @may_yield: whether to give way to other tasks between batches
 *
 * Needs no memory. Xen clears the entries and flushes the TLBs.
 *
 * Return: how many Xen refused, for gntdev_grants_warn().
 */
unsigned int gntdev_grants_unmap_ptes(const u64 *ptes, grant_handle_t *handles, unsigned int count,
				      bool may_yield)
{
	unsigned int next = 0, refused = 0, i, n;
	struct batch_room room;

	while (next < count) {
		struct gnttab_unmap_grant_ref *ops = get_batch(&room)->unmap;
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
			refused += err || ops[i].status != GNTST_okay;
		put_batch();
		if (may_yield)
			cond_resched();
	}
	return refused;
}

/* Memory that stood in for pages must not be used again, as Xen may still lead to it. */
static void warn_of_lost(unsigned int lost)
{
	WARN(lost, "%u pages that stood in for others are lost\n", lost);
}

/* The memory that stands in for a page. */
static struct page *stand_in_of(struct page *page)
{
	unsigned int level;
	pte_t *entry = lookup_address((unsigned long)kernel_address(page), &level);

	return pfn_to_page(pte_pfn(*entry));
}

/* Some pages, and for each the memory that is to stand in for it. */
struct stand_ins {
	struct page **pages;
	grant_handle_t *handles;
	unsigned int count;
	struct page *instead[SMALL_BATCH];
	unsigned int refused;
};

/* While nothing else runs. */
static int put_stand_ins(void *context)
{
	struct stand_ins *some = context;
	unsigned int i;

	some->refused = gntdev_grants_unmap_batch(some->pages, some->handles, some->count);
	for (i = 0; i < some->count; i++) {
		struct page *page = some->pages[i];

		if (!page || HYPERVISOR_update_va_mapping((unsigned long)kernel_address(page),
							  mfn_pte(xen_page_to_gfn(some->instead[i]),
								  PAGE_KERNEL), 0))
			continue;
		some->handles[i] = GNTDEV_HANDLE_STAND_IN;
		some->instead[i] = NULL;
	}
	return 0;
}

/**
 * gntdev_grants_stand_in() - unmap pages that the kernel still uses (PV)
 * @pages:   the pages
 * @handles: their handles; those of pages that are mapped become GNTDEV_HANDLE_STAND_IN
 * @count:   how many
 *
 * While the domain is suspended nothing of another domain can be mapped. But whoever has a page, as
 * a pipe or a socket, may access it then and later, and must find something at its address: memory
 * of this domain, a page for each, until the page is mapped again or is free. Sleeps.
 */
void gntdev_grants_stand_in(struct page **pages, grant_handle_t *handles, unsigned int count)
{
	unsigned int refused = 0, n, i;

	for (; count; count -= n, pages += n, handles += n) {
		struct stand_ins some = { .pages = pages, .handles = handles };

		n = run_length(handles, count, false);
		if (n)
			continue;
		n = min_t(unsigned int, run_length(handles, count, true), SMALL_BATCH);
		some.count = n;
		for (i = 0; i < n; i++)
			some.instead[i] = alloc_page(GFP_KERNEL | __GFP_ZERO | __GFP_NOFAIL);
		stop_machine(put_stand_ins, &some, NULL);
		for (i = 0; i < n; i++)
			if (some.instead[i])
				__free_page(some.instead[i]);
		refused += some.refused;
	}
	gntdev_grants_warn(refused);
}

/**
 * gntdev_grants_drop_stand_ins() - undo gntdev_grants_stand_in() for pages that are free now
 * @pages:   the pages; those that are NULL are passed over
 * @handles: GNTDEV_HANDLE_STAND_IN becomes INVALID_GRANT_HANDLE
 * @count:   how many
 */
void gntdev_grants_drop_stand_ins(struct page **pages, grant_handle_t *handles,
				  unsigned int count)
{
	unsigned int refused = 0, i;

	for (i = 0; i < count; i++) {
		struct page *instead;

		if (!pages[i] || handles[i] != GNTDEV_HANDLE_STAND_IN)
			continue;
		instead = stand_in_of(pages[i]);
		handles[i] = INVALID_GRANT_HANDLE;
		if (HYPERVISOR_update_va_mapping((unsigned long)kernel_address(pages[i]), __pte(0),
						 UVMF_INVLPG | UVMF_ALL))
			refused++;
		else
			__free_page(instead);
	}
	warn_of_lost(refused);
}

/* A grant was mapped over what stood in for the page. Returns whether that is free. */
static bool free_replaced(struct page *page, struct page *instead)
{
	struct mmuext_op op = {
		.cmd = MMUEXT_INVLPG_ALL,
		.arg1.linear_addr = (unsigned long)kernel_address(page),
	};

	if (HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF))
		return false;
	__free_page(instead);
	return true;
}
#else
static struct page *stand_in_of(struct page *page)
{
	return NULL;
}

void gntdev_grants_stand_in(struct page **pages, grant_handle_t *handles, unsigned int count) {}

void gntdev_grants_drop_stand_ins(struct page **pages, grant_handle_t *handles,
				  unsigned int count)
{
}

static bool free_replaced(struct page *page, struct page *instead)
{
	return true;
}

static void warn_of_lost(unsigned int lost) {}
#endif

/* Pages that are mapped again together, and where they stand. */
struct again {
	struct ioctl_gntdev_grant_ref refs[SMALL_BATCH];
	struct gnttab_map_grant_ref ops[SMALL_BATCH];
	struct page *pages[SMALL_BATCH];
	grant_handle_t handles[SMALL_BATCH];
	unsigned int at[SMALL_BATCH];
	unsigned int count;
};

/* The grant that a page had last: what xen_page_foreign() tells as long as it has one. */
static struct ioctl_gntdev_grant_ref last_ref(const struct page *page)
{
	const struct xen_page_foreign *foreign = (const void *)&page->private;
	struct ioctl_gntdev_grant_ref ref;

	ref.domid = foreign->domid;
	ref.ref = foreign->gref;
	return ref;
}

/* Maps what was gathered. Those that are refused have an invalid handle. */
static void map_gathered(struct again *again, bool readonly)
{
	u32 flags = GNTMAP_host_map | (readonly ? GNTMAP_readonly : 0);
	unsigned int i;

	for (i = 0; i < again->count; i++) {
		again->handles[i] = INVALID_GRANT_HANDLE;
		gnttab_set_map_op(&again->ops[i], (phys_addr_t)kernel_address(again->pages[i]),
				  flags, again->refs[i].ref, to_domid(again->refs[i].domid));
	}
	if (gntdev_is_pv() && ask_paged_out(again->refs, again->count))
		return;
	if (gntdev_is_pv() || !IS_ENABLED(CONFIG_X86))
		map_refs_noted(again->ops, again->pages, again->handles, again->count);
	else
		map_refs_plain(again->ops, again->pages, again->handles, again->count);
}

/**
 * gntdev_grants_map_again() - map what was unmapped while the domain was suspended
 * @refs:     the grants; NULL for those that the pages had before
 * @pages:    pages of gntdev_grants_map() or gntdev_grants_hold(); NULL ones are passed over
 * @handles:  their handles; pages that are mapped are passed over, those that Xen refuses stay as
 *            they are
 * @count:    how many
 * @readonly: map without write access
 *
 * Sleeps. All that is not refused is mapped.
 *
 * Return: how many Xen refused.
 */
unsigned int gntdev_grants_map_again(const struct ioctl_gntdev_grant_ref *refs,
				     struct page **pages, grant_handle_t *handles,
				     unsigned int count, bool readonly)
{
	/* One that is paged out, in a PV domain, is not to keep others from coming back. */
	unsigned int batch = gntdev_is_pv() ? 1 : SMALL_BATCH;
	unsigned int next = 0, refused = 0, lost = 0, i;

	while (next < count) {
		struct page *instead[SMALL_BATCH] = {};
		struct again again = { .count = 0 };

		for (; next < count && again.count < batch; next++) {
			if (!pages[next] || gntdev_is_mapped(handles[next]))
				continue;
			i = again.count++;
			again.refs[i] = refs ? refs[next] : last_ref(pages[next]);
			again.pages[i] = pages[next];
			again.at[i] = next;
		}
		for (i = 0; i < again.count; i++)
			if (handles[again.at[i]] == GNTDEV_HANDLE_STAND_IN)
				instead[i] = stand_in_of(again.pages[i]);
		map_gathered(&again, readonly);
		for (i = 0; i < again.count; i++) {
			if (!gntdev_is_mapped(again.handles[i])) {
				refused++;
				continue;
			}
			if (handles[again.at[i]] == GNTDEV_HANDLE_STAND_IN)
				lost += !free_replaced(again.pages[i], instead[i]);
			handles[again.at[i]] = again.handles[i];
		}
		cond_resched();
	}
	warn_of_lost(lost);
	return refused;
}
