// SPDX-License-Identifier: GPL-2.0
/*
 * GRANT_COPY: Xen copies between granted pages and memory of the calling process.
 *
 * Local data goes through pages of ours, which are known to Xen and hot in the processor's cache.
 * The other way would be to look up and pin the page of the process: in a PV domain that takes more
 * instructions than copying a page once more, a buffer that crosses pages takes two operations, and
 * whatever is special about the memory (a file's, a stack that has to grow, a mapping of this
 * device) is a case of its own. So is nothing here.
 *
 * Segments are worked off in batches: local memory is read, one hypercall does the copies, and
 * local memory is written. That is as good as one by one, except where local memory is itself the
 * page behind a reference of the same call: gntdev(4) says so.
 *
 * The underscore of _copy_from_user() and _copy_to_user() leaves out the check of hardened usercopy
 * that our side lies within one object. It does: all lengths are checked here.
 */

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
#include "stats.h"
#include "trace.h"

/* Segments looked at together. */
#define BATCH	48
/* Pages for their local data. A hypercall costs as much as a quarter of the copy of one page. */
#define PAGES	16

/**
 * struct copy_batch - what a call works with
 * @n_segments:  segments that are loaded
 * @n_ops:       copies that are due
 * @n_deliver:   how many of them, the last ones, are to local memory
 * @used:        bytes of @pages that they use
 * @pages:       for local data
 * @ops:         the copies
 * @local:       where in @pages the local side of each is
 * @segment_of:  which segment each is
 * @status:      of each segment
 * @segments:    the segments
 */
struct copy_batch {
	unsigned int n_segments;
	unsigned int n_ops;
	unsigned int n_deliver;
	unsigned int used;
	struct page *pages[PAGES];
	struct gnttab_copy ops[BATCH];
	void *local[BATCH];
	u8 segment_of[BATCH];
	s16 status[BATCH];
	struct ioctl_gntdev_grant_copy_segment segments[BATCH];
};

/* One batch rests on each CPU, so that calls need no allocation and share nothing. */
static DEFINE_PER_CPU(struct copy_batch *, resting_batch);

static noinline void free_batch(struct copy_batch *batch)
{
	unsigned int i;

	for (i = 0; i < PAGES && batch->pages[i]; i++)
		__free_page(batch->pages[i]);
	gntdev_argpage_free(batch);
}

static noinline struct copy_batch *alloc_batch(void)
{
	struct copy_batch *batch = gntdev_argpage_alloc(numa_node_id());
	unsigned int i;

	BUILD_BUG_ON(sizeof(*batch) > PAGE_SIZE);
	if (!batch)
		return NULL;
	memset(batch, 0, sizeof(*batch));
	for (i = 0; i < PAGES; i++) {
		batch->pages[i] = alloc_page(GFP_KERNEL);
		if (!batch->pages[i]) {
			free_batch(batch);
			return NULL;
		}
	}
	return batch;
}

static struct copy_batch *take_batch(void)
{
	return this_cpu_xchg(resting_batch, NULL) ?: alloc_batch();
}

/* Takes a batch that was flushed. */
static void rest_batch(struct copy_batch *batch)
{
	batch = this_cpu_xchg(resting_batch, batch);
	if (batch)
		free_batch(batch);
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

/* Writes to local memory what has come for it. */
static int deliver(struct copy_batch *batch)
{
	unsigned int i;

	for (i = batch->n_ops - batch->n_deliver; i < batch->n_ops; i++) {
		const struct ioctl_gntdev_grant_copy_segment *segment;
		unsigned int n = batch->segment_of[i];

		segment = &batch->segments[n];
		if (batch->status[n] == GNTST_okay &&
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
	gntdev_count(refused, refused);
	err = batch->n_deliver ? deliver(batch) : 0;
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

/*
 * Adds the copy that a segment is. What waits to be written to local memory is written before local
 * memory is read, or a granted page is written to: a later segment may read it, and must not
 * be done if that fails.
 */
static int add_segment(struct copy_batch *batch, unsigned int i)
{
	const struct ioctl_gntdev_grant_copy_segment *segment = &batch->segments[i];
	bool read = is_local(segment, false), write = is_local(segment, true);
	struct gnttab_copy *op;
	int err;

	if (!segment->len) {
		batch->status[i] = GNTST_okay;
		return 0;
	}
	if ((batch->n_deliver && !write) || !has_room(batch, segment->len)) {
		err = flush(batch);
		if (err)
			return err;
	}

	op = &batch->ops[batch->n_ops];
	op->flags = segment->flags;
	op->len = segment->len;
	if (read) {
		void *local = set_local(batch, &op->source, segment->len);

		if (_copy_from_user(local, local_address(segment, false), segment->len)) {
			err = flush(batch);
			fail_from(batch, i);
			return err ?: -EFAULT;
		}
	} else {
		set_grant(&op->source, segment->source.foreign.ref, segment->source.foreign.domid,
			  segment->source.foreign.offset);
	}
	if (write) {
		batch->local[batch->n_ops] = set_local(batch, &op->dest, segment->len);
		batch->n_deliver++;
	} else {
		set_grant(&op->dest, segment->dest.foreign.ref, segment->dest.foreign.domid,
			  segment->dest.foreign.offset);
	}
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

/* Reads segments, 24 bytes each. */
static int read_segments(struct ioctl_gntdev_grant_copy_segment *to,
			 const struct ioctl_gntdev_grant_copy_segment __user *from,
			 unsigned int count)
{
	const u64 __user *from_word = (const u64 __user *)from;
	u64 *word = (u64 *)to, *end = (u64 *)(to + count);

	BUILD_BUG_ON(sizeof(*to) % sizeof(*word));
	if (!user_read_access_begin(from, count * sizeof(*from)))
		return -EFAULT;
	while (word < end)
		unsafe_get_user(*word++, from_word++, fault);
	user_read_access_end();
	return 0;

fault:
	user_read_access_end();
	return -EFAULT;
}

/* Reads segments into the batch. Returns 0, -EFAULT, or -EINVAL if one makes no sense. */
static int load(struct copy_batch *batch,
		const struct ioctl_gntdev_grant_copy_segment __user *segments, unsigned int count,
		bool compat)
{
	unsigned int i;
	int err;

	err = read_segments(batch->segments, segments, count);
	if (err)
		return err;
	batch->n_segments = count;
	for (i = 0; i < count; i++) {
		struct ioctl_gntdev_grant_copy_segment *segment = &batch->segments[i];

		if (!is_valid(segment))
			return -EINVAL;
		if (!compat)
			continue;
		/* The layout is the same, but a pointer fills only half of its place. */
		if (is_local(segment, false))
			segment->source.virt = low_half(segment->source.virt);
		if (is_local(segment, true))
			segment->dest.virt = low_half(segment->dest.virt);
	}
	return 0;
}

/* Tells the caller the status of the segments in the batch. */
static int tell(const struct copy_batch *batch,
		struct ioctl_gntdev_grant_copy_segment __user *segments)
{
	unsigned int i;

	if (!user_write_access_begin(segments, batch->n_segments * sizeof(*segments)))
		return -EFAULT;
	for (i = 0; i < batch->n_segments; i++)
		unsafe_put_user(batch->status[i], &segments[i].status, fault);
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

/* Between two batches. Returns 0, or -EINTR if there is no point in going on. */
static int give_way(void)
{
	cond_resched();
	return fatal_signal_pending(current) ? -EINTR : 0;
}

/* Whether all segments make sense. If there are no more than BATCH, they are loaded then. */
static int check_all(struct copy_batch *batch,
		     const struct ioctl_gntdev_grant_copy_segment __user *segments, u32 count,
		     bool compat)
{
	u32 done, n;
	int err;

	for (done = 0;;) {
		n = min_t(u32, count - done, BATCH);
		err = load(batch, segments + done, n, compat);
		done += n;
		if (err || done == count)
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
 * read or one makes no sense; -EFAULT from where on a local address cannot be accessed; -ENOMEM;
 * -EINTR if killed.
 */
long gntdev_copy(u32 count, struct ioctl_gntdev_grant_copy_segment __user *segments, bool compat)
{
	struct copy_batch *batch;
	u32 done = 0, n;
	int err;

	if (!count)
		return 0;
	batch = take_batch();
	if (!batch) {
		tell_failure(segments, count);
		return -ENOMEM;
	}

	err = check_all(batch, segments, count, compat);
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
		tell_failure(segments + done, count - done);
	rest_batch(batch);
	return err;
}
