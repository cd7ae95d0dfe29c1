// SPDX-License-Identifier: GPL-2.0
/*
 * GRANT_COPY: Xen copies between granted pages and memory of the calling process.
 *
 * Local data goes through pages of ours, which are known to Xen and hot in the processor's cache.
 * The other way would be to look up and pin the page of the process: in a PV domain that takes more
 * instructions than copying a page once more, a buffer that crosses pages takes two operations, and
 * whatever is special about the memory (a file's, a stack that has to grow, a mapping of this
 * device) is a case of its own. So is nothing here. On Arm a look-up takes half of what it takes to
 * copy a page. There Xen is given the page of the process where it is a plain one and enough is
 * copied; all else goes the same way as on x86.
 *
 * Segments are worked off in batches: local memory is read, one hypercall does the copies, and
 * local memory is written. That is as good as one by one, except where local memory is itself the
 * page behind a reference of the same call: gntdev(4) says so.
 *
 * The underscore of _copy_from_user() and _copy_to_user() leaves out the check of hardened usercopy
 * that our side lies within one object. It does: all lengths are checked here.
 */

#include <linux/freezer.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include <asm/xen/hypercall.h>
#include <xen/grant_table.h>
#include <xen/page.h>

#include "../include/uapi/xen/gntdev.h"
#include "argpage.h"
#include "compat.h"
#include "copy.h"
#include "ports.h"
#include "stats.h"
#include "trace.h"

/* Segments looked at together. */
#define BATCH	48
/* Pages for their local data. A hypercall costs as much as a quarter of the copy of one page. */
#define PAGES	16

/**
 * struct copy_batch - what a call works with
 * @cpu:         on which CPU it rests, or -1 if it is of one call only
 * @life:        of the domain, when they were loaded
 * @n_segments:  segments that are loaded
 * @n_ops:       copies that are due
 * @n_deliver:   how many of them, the last ones, are to local memory
 * @used:        bytes of @pages that they use
 * @pages:       for local data
 * @looked:      how many of the segments were looked at for a page of the process to hold
 * @held:        a bit for each copy whose local side is such a page
 * @ops:         the copies
 * @local:       where in @pages what is for local memory comes; or the page that is held
 * @segment_of:  which segment each is
 * @status:      of each segment
 * @segments:    the segments
 */
struct copy_batch {
	int cpu;
	unsigned int life;
	unsigned int n_segments;
	unsigned int n_ops;
	unsigned int n_deliver;
	unsigned int used;
	unsigned int looked;
	struct page *pages[PAGES];
	u64 held;
	struct gnttab_copy ops[BATCH];
	void *local[BATCH];
	u8 segment_of[BATCH];
	s16 status[BATCH];
	struct ioctl_gntdev_grant_copy_segment segments[BATCH];
};

/*
 * One batch rests on each CPU, so that calls need no allocation and share nothing. It is made by
 * the first call there, and is nobody's memory. While one call has it, which may stand in a page
 * fault for as long as its process likes, others get batches of their own, and are charged for
 * them.
 */
static DEFINE_PER_CPU(struct copy_batch *, resting_batch);
static DEFINE_PER_CPU(int, has_batch);

static noinline void free_batch(struct copy_batch *batch)
{
	unsigned int i;

	for (i = 0; i < PAGES && batch->pages[i]; i++)
		__free_page(batch->pages[i]);
	gntdev_argpage_free(batch);
}

static struct copy_batch *fill_batch(struct copy_batch *batch, int cpu, gfp_t gfp)
{
	unsigned int i;

	BUILD_BUG_ON(sizeof(*batch) > PAGE_SIZE);
	if (!batch)
		return NULL;
	memset(batch, 0, sizeof(*batch));
	batch->cpu = cpu;
	for (i = 0; i < PAGES; i++) {
		batch->pages[i] = alloc_page(gfp);
		if (!batch->pages[i]) {
			free_batch(batch);
			return NULL;
		}
	}
	return batch;
}

static noinline struct copy_batch *alloc_batch(void)
{
	int cpu = raw_smp_processor_id();
	struct copy_batch *batch;

	if (xchg(per_cpu_ptr(&has_batch, cpu), true))
		return fill_batch((void *)__get_free_page(GFP_KERNEL_ACCOUNT), -1,
				  GFP_KERNEL_ACCOUNT);
	batch = fill_batch(gntdev_argpage_alloc(cpu_to_node(cpu)), cpu, GFP_KERNEL);
	if (!batch)
		xchg(per_cpu_ptr(&has_batch, cpu), false);
	return batch;
}

/* Not this_cpu_xchg(): another CPU may be giving this one's back. */
static struct copy_batch *take_batch(void)
{
	return xchg(raw_cpu_ptr(&resting_batch), NULL) ?: alloc_batch();
}

/* Takes a batch that was flushed. */
static void rest_batch(struct copy_batch *batch)
{
	if (batch->cpu < 0)
		free_batch(batch);
	else
		xchg(per_cpu_ptr(&resting_batch, batch->cpu), batch);
}

/**
 * gntdev_copy_exit() - free what calls have left for the next ones
 */
void gntdev_copy_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		if (per_cpu(resting_batch, cpu))
			free_batch(per_cpu(resting_batch, cpu));
}

static bool is_local(const struct ioctl_gntdev_grant_copy_segment *segment, bool write)
{
	return !(segment->flags & (write ? GNTCOPY_dest_gref : GNTCOPY_source_gref));
}

static void fail_from(struct copy_batch *batch, unsigned int segment)
{
	for (; segment < batch->n_segments; segment++)
		batch->status[segment] = GNTST_general_error;
}

static void __user *local_address(const struct ioctl_gntdev_grant_copy_segment *segment, bool write)
{
	return (void __user *)(write ? segment->dest.virt : segment->source.virt);
}

#ifdef CONFIG_X86
static inline bool is_worth_finding(const struct ioctl_gntdev_grant_copy_segment *segment,
				    bool write)
{
	return false;
}

static inline void hold_pages(struct copy_batch *batch, unsigned int i, bool write) {}

static inline bool is_held(const struct copy_batch *batch, unsigned int op)
{
	return false;
}

static inline void release_held(struct copy_batch *batch) {}
#else
/* Would it cost more to copy the local side of a segment than to find its page? */
static bool is_worth_finding(const struct ioctl_gntdev_grant_copy_segment *segment, bool write)
{
	return segment->len >= 1024 &&
	       offset_in_page(local_address(segment, write)) + segment->len <= PAGE_SIZE;
}

static void put_local_pages(unsigned int count, struct page **pages, bool write, bool dirty)
{
	unsigned int i;

	if (write)
		unpin_user_pages_dirty_lock(pages, count, dirty);
	else
		for (i = 0; i < count; i++)
			put_page(pages[i]);
}

/*
 * Looks for the page that is the local side of segment @i, and with it for those of the segments
 * behind it, if they go on from page to page; these are the next copies that are added. Memory that
 * is no file's is also no other domain's and no device's, and its pages are clean only where swap
 * has them. All other memory is left to be copied.
 *
 * A fork must not take from the process what is written to, so that is pinned; by then the process
 * was seen to read it, as pinning grows no stack. What is read has only to stay.
 */
static void hold_pages(struct copy_batch *batch, unsigned int i, bool write)
{
	const struct ioctl_gntdev_grant_copy_segment *segment = &batch->segments[i];
	const struct ioctl_gntdev_grant_copy_segment *end = &batch->segments[batch->n_segments];
	const struct ioctl_gntdev_grant_copy_segment *next = segment;
	unsigned long start = (unsigned long)local_address(segment, write) & PAGE_MASK;
	struct page **pages = (struct page **)&batch->local[batch->n_ops];
	int found, good = 0;
	u8 byte;

	do {
		next++;
	} while (next < end && is_local(next, write) && is_worth_finding(next, write) &&
		 ((unsigned long)local_address(next, write) & PAGE_MASK) ==
		 start + ((next - segment) << PAGE_SHIFT));
	batch->looked = next - batch->segments;

	if (!write)
		found = get_user_pages_fast_only(start, next - segment, 0, pages);
	else if (!get_user(byte, (u8 __user *)local_address(segment, true)))
		found = pin_user_pages_fast(start, next - segment, FOLL_WRITE, pages);
	else
		found = 0;
	if (found <= 0)
		return;

	while (good < found && PageAnon(pages[good]))
		good++;
	if (good < found)
		put_local_pages(found - good, pages + good, write, false);
	if (good)
		batch->held |= GENMASK_ULL(batch->n_ops + good - 1, batch->n_ops);
}

/* Is the local side of the copy a page of the process? */
static inline bool is_held(const struct copy_batch *batch, unsigned int op)
{
	return batch->held & BIT_ULL(op);
}

/* Gives back the pages of the process; those that were written to are the last ones. */
static void release_held(struct copy_batch *batch)
{
	unsigned int first = batch->n_ops - batch->n_deliver, i;
	struct page **pages = (struct page **)batch->local;

	if (!batch->held)
		return;
	for (i = 0; i < first; i++)
		if (is_held(batch, i))
			put_local_pages(1, pages + i, false, false);
	for (i = first; i < batch->n_ops && is_held(batch, i); i++)
		;
	if (first < i)
		put_local_pages(i - first, pages + first, true, true);
	batch->held = 0;
}
#endif

/* Writes to local memory what has come for it. */
static int deliver(struct copy_batch *batch)
{
	unsigned int i;

	for (i = batch->n_ops - batch->n_deliver; i < batch->n_ops; i++) {
		const struct ioctl_gntdev_grant_copy_segment *segment;
		unsigned int n = batch->segment_of[i];

		segment = &batch->segments[n];
		if (batch->status[n] == GNTST_okay && !is_held(batch, i) &&
		    _copy_to_user(local_address(segment, true), batch->local[i], segment->len)) {
			fail_from(batch, n);
			return -EFAULT;
		}
	}
	return 0;
}

/*
 * Does the copies that are due, and notes what came of them. Returns 0, or -EFAULT if local memory
 * could not be written: that segment failed, and with it all behind it.
 */
static int flush(struct copy_batch *batch)
{
	unsigned int i, refused = 0;
	int err;

	if (!batch->n_ops) {
		/* Local memory that could not be read took its room, too. */
		batch->used = 0;
		return 0;
	}
	/* A page fault may take long, too. In another life frames and references are others'. */
	if (unlikely(batch->life != gntdev_ports_life)) {
		fail_from(batch, batch->segment_of[0]);
		release_held(batch);
		batch->n_ops = 0;
		batch->n_deliver = 0;
		batch->used = 0;
		return -EINTR;
	}
	/*
	 * Not gnttab_batch_copy(), which waits for a page that its domain has paged out: the caller
	 * is told GNTST_eagain.
	 */
	err = HYPERVISOR_grant_table_op(GNTTABOP_copy, batch->ops, batch->n_ops);
	for (i = 0; i < batch->n_ops; i++) {
		s16 status = err ? GNTST_general_error : batch->ops[i].status;

		batch->status[batch->segment_of[i]] = status;
		refused += status != GNTST_okay;
		trace_gntdev_copy(&batch->ops[i], status);
	}
	gntdev_count(copied, batch->n_ops - refused);
	if (refused)
		gntdev_count(refused, refused);
	err = batch->n_deliver ? deliver(batch) : 0;
	release_held(batch);
	batch->n_ops = 0;
	batch->n_deliver = 0;
	batch->used = 0;
	return err;
}

/* A granted page as one side of a copy. */
static void set_grant(struct gnttab_copy_ptr *ptr, grant_ref_t ref, domid_t domid,
		      unsigned int offset)
{
	ptr->u.ref = ref;
	ptr->domid = domid;
	ptr->offset = offset;
}

/* The same for so much room in pages of ours, at @batch->used. Returns its address. */
static inline void *set_local(struct copy_batch *batch, struct gnttab_copy_ptr *ptr,
			      unsigned int len)
{
	struct page *page = batch->pages[batch->used >> PAGE_SHIFT];

	ptr->u.gmfn = xen_page_to_gfn(page);
	ptr->domid = DOMID_SELF;
	ptr->offset = offset_in_page(batch->used);
	batch->used += len;
	return page_address(page) + ptr->offset;
}

/* Makes room for @len bytes in one page, which is what one copy can do. */
static bool has_room(struct copy_batch *batch, unsigned int len)
{
	unsigned int begin = ALIGN(batch->used, sizeof(u64));

	if (offset_in_page(begin) + len > PAGE_SIZE)
		begin = PAGE_ALIGN(begin);
	batch->used = begin;
	return begin < PAGES * PAGE_SIZE;
}

/* The same for the page of the process that the next copy has. */
static inline void set_held(struct copy_batch *batch, struct gnttab_copy_ptr *ptr,
			    void __user *address)
{
	ptr->u.gmfn = xen_page_to_gfn((struct page *)batch->local[batch->n_ops]);
	ptr->domid = DOMID_SELF;
	ptr->offset = offset_in_page(address);
}

/*
 * Adds the copy that a segment is. What waits to be written to local memory is written before local
 * memory is read, or a granted page is written to: a later segment may read it, and must not
 * be done if that fails. It is also written before Xen writes to local memory.
 */
static int add_segment(struct copy_batch *batch, unsigned int i)
{
	const struct ioctl_gntdev_grant_copy_segment *segment = &batch->segments[i];
	bool read = is_local(segment, false), write = is_local(segment, true), find, held;
	void __user *address = local_address(segment, write);
	struct gnttab_copy *op;
	int err;

	if (!segment->len) {
		batch->status[i] = GNTST_okay;
		return 0;
	}
	find = (read || write) && i >= batch->looked && is_worth_finding(segment, write);
	if (batch->n_deliver && (!write || (find && !is_held(batch, batch->n_ops - 1)))) {
		err = flush(batch);
		if (err)
			return err;
	}
	/* Not before: if a page is written to, another one can come in its place. */
	if (find)
		hold_pages(batch, i, write);
	held = is_held(batch, batch->n_ops);
	if (!held && !has_room(batch, segment->len)) {
		err = flush(batch);
		if (err)
			return err;
	}

	op = &batch->ops[batch->n_ops];
	op->flags = segment->flags;
	op->len = segment->len;
	if (!read) {
		set_grant(&op->source, segment->source.foreign.ref, segment->source.foreign.domid,
			  segment->source.foreign.offset);
	} else if (held) {
		set_held(batch, &op->source, address);
	} else if (_copy_from_user(set_local(batch, &op->source, segment->len), address,
				   segment->len)) {
		err = flush(batch);
		fail_from(batch, i);
		return err ?: -EFAULT;
	}
	if (!write) {
		set_grant(&op->dest, segment->dest.foreign.ref, segment->dest.foreign.domid,
			  segment->dest.foreign.offset);
	} else if (held) {
		set_held(batch, &op->dest, address);
	} else {
		batch->local[batch->n_ops] = set_local(batch, &op->dest, segment->len);
	}
	batch->n_deliver += write;
	batch->segment_of[batch->n_ops++] = i;
	return 0;
}

static bool is_valid(const struct ioctl_gntdev_grant_copy_segment *segment)
{
	if (!(segment->flags & (GNTCOPY_source_gref | GNTCOPY_dest_gref)) ||
	    (segment->flags & ~(GNTCOPY_source_gref | GNTCOPY_dest_gref)))
		return false;
	if (!is_local(segment, false) &&
	    segment->source.foreign.offset + segment->len > XEN_PAGE_SIZE)
		return false;
	return is_local(segment, true) ||
	       segment->dest.foreign.offset + segment->len <= XEN_PAGE_SIZE;
}

static void *low_half(const void *pointer)
{
	return (void *)((uintptr_t)pointer & U32_MAX);
}

/*
 * Reads segments into the batch. Returns 0, -EFAULT, or -EINVAL if one makes no sense; after an
 * error the batch has those in front of the first that could not be read or makes no sense.
 */
static int load(struct copy_batch *batch,
		const struct ioctl_gntdev_grant_copy_segment __user *segments, unsigned int count,
		bool compat)
{
	unsigned long missing = _copy_from_user(batch->segments, segments,
						count * sizeof(*segments));
	unsigned int i;

	count -= DIV_ROUND_UP(missing, sizeof(*segments));
	batch->life = gntdev_ports_life;
	batch->looked = 0;
	for (i = 0; i < count; i++) {
		struct ioctl_gntdev_grant_copy_segment *segment = &batch->segments[i];

		if (!is_valid(segment))
			break;
		if (!compat)
			continue;
		/* The layout is the same, but a pointer fills only half of its place. */
		if (is_local(segment, false))
			segment->source.virt = low_half(segment->source.virt);
		if (is_local(segment, true))
			segment->dest.virt = low_half(segment->dest.virt);
	}
	batch->n_segments = i;
	if (i < count)
		return -EINVAL;
	return missing ? -EFAULT : 0;
}

/* Tells the caller the status of the segments in the batch. */
static int tell(const struct copy_batch *batch,
		struct ioctl_gntdev_grant_copy_segment __user *segments)
{
	const s16 *status = batch->status, *end = status + batch->n_segments;

	if (!user_write_access_begin(segments, batch->n_segments * sizeof(*segments)))
		return -EFAULT;
	/* Without an index, which a kernel may check (UBSAN_BOUNDS) by calling a function. */
	for (; status < end; status++, segments++)
		unsafe_put_user(*status, &segments->status, fault);
	user_write_access_end();
	return 0;

fault:
	user_write_access_end();
	return -EFAULT;
}

/* Tells the caller that nothing came of segments; nobody is left to care if it was killed. */
static void tell_failure(struct ioctl_gntdev_grant_copy_segment __user *segments, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++) {
		if (put_user((s16)GNTST_general_error, &segments[i].status))
			return;
		if (i % BATCH == 0) {
			if (fatal_signal_pending(current))
				return;
			cond_resched();
		}
	}
}

/* Copies the segments that are in the batch. Their status is true afterwards. */
static int copy_loaded(struct copy_batch *batch)
{
	unsigned int i;
	int err;

	for (i = 0; i < batch->n_segments; i++) {
		err = add_segment(batch, i);
		if (err)
			return err;
	}
	return flush(batch);
}

/*
 * Between two batches. Returns 0, or -EINTR if there is no point in going on: the process was
 * killed, or the domain restored, so that references are those of others.
 */
static int give_way(void)
{
	unsigned int life = gntdev_ports_life;

	cond_resched();
	/* A call may take long, and the domain is not to wait for it when it is suspended. */
	try_to_freeze();
	return fatal_signal_pending(current) || life != gntdev_ports_life ? -EINTR : 0;
}

/*
 * Whether all segments make sense. If there are no more than BATCH, they are loaded then. @good is
 * set to how many, from the first one on, were read and do.
 */
static int check_all(struct copy_batch *batch,
		     const struct ioctl_gntdev_grant_copy_segment __user *segments, u32 count,
		     bool compat, u32 *good)
{
	int err;

	for (*good = 0;;) {
		err = load(batch, segments + *good, min_t(u32, count - *good, BATCH), compat);
		*good += batch->n_segments;
		if (err || *good == count)
			return err;
		err = give_way();
		if (err)
			return err;
	}
}

/**
 * gntdev_copy() - do what GRANT_COPY asks for
 * @count:    how many segments
 * @segments: the segments; their status is set
 * @compat:   whether pointers in them are 32 bits wide
 *
 * Return: 0 if all segments were tried; -EINVAL or -EFAULT with nothing copied, if they cannot be
 * read or one makes no sense: then a status is written only in front of that one, as @count may be
 * a mistake, and what is behind them no segments; -EFAULT from where on a local address cannot be
 * accessed; -ENOMEM, with no status written; -EINTR if killed, or if the domain was restored.
 */
long gntdev_copy(u32 count, struct ioctl_gntdev_grant_copy_segment __user *segments, bool compat)
{
	struct copy_batch *batch;
	u32 done = 0, good, n;
	int err;

	if (!count)
		return 0;
	batch = take_batch();
	if (!batch)
		return -ENOMEM;

	err = check_all(batch, segments, count, compat, &good);
	while (!err && done < count) {
		n = min_t(u32, count - done, BATCH);
		/* A call of one batch has it loaded. */
		if (count > BATCH) {
			err = give_way() ?: load(batch, segments + done, n, compat);
			if (err)
				break;
		}
		err = copy_loaded(batch);
		if (tell(batch, segments + done))
			err = -EFAULT;
		done += n;
	}
	if (err)
		tell_failure(segments + done, good - done);
	rest_batch(batch);
	return err;
}
