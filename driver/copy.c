// SPDX-License-Identifier: GPL-2.0
/*
 * GRANT_COPY: Xen copies between granted pages and memory of the calling process.
 *
 * The segments are worked off in order and in batches: the local pages are pinned, one hypercall
 * does up to BATCH copies, and the pages are let go. Neighbouring pages that the next segments of a
 * batch will want are pinned with the one that is wanted now.
 */

#include <linux/err.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/percpu.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <asm/xen/hypercall.h>
#include <xen/grant_table.h>
#include <xen/page.h>

#include "../include/uapi/xen/gntdev.h"
#include "copy.h"
#include "vma.h"

/*
 * Copies in a hypercall, segments looked at together, and local pages pinned for each direction: as
 * many as make struct copy_batch fit a page.
 */
#define BATCH	48

/**
 * struct pins - pages of the process that are pinned for one direction
 * @pages:  the pages
 * @count:  how many
 * @window: the first of the last @length pages, which are neighbours in the address space
 * @length: how many; 0 if @first tells nothing
 * @first:  the number of the page of the address space that pages[@window] is
 */
struct pins {
	struct page *pages[BATCH];
	unsigned int count;
	unsigned int window;
	unsigned int length;
	unsigned long first;
};

/* What a call works with. */
struct copy_batch {
	struct pins read, written;
	unsigned int n_ops;
	unsigned int n_segments;
	struct gnttab_copy ops[BATCH];
	u8 segment_of[BATCH];		/* which one an operation belongs to */
	s16 status[BATCH];		/* of each segment */
	struct ioctl_gntdev_grant_copy_segment segments[BATCH];
};

/* One batch rests on each CPU, so that calls need no allocation and share nothing. */
static DEFINE_PER_CPU(struct copy_batch *, resting_batch);

static struct copy_batch *take_batch(void)
{
	struct copy_batch *batch = this_cpu_xchg(resting_batch, NULL);

	BUILD_BUG_ON(sizeof(*batch) > PAGE_SIZE);
	if (batch)
		return batch;
	batch = kmalloc(sizeof(*batch), GFP_KERNEL);
	if (!batch)
		return NULL;
	batch->n_ops = 0;
	batch->read.count = 0;
	batch->read.length = 0;
	batch->written.count = 0;
	batch->written.length = 0;
	return batch;
}

/* Takes a batch that was flushed. */
static void rest_batch(struct copy_batch *batch)
{
	kfree(this_cpu_xchg(resting_batch, batch));
}

/**
 * gntdev_copy_exit() - free what calls have left for the next ones
 */
void gntdev_copy_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		kfree(per_cpu(resting_batch, cpu));
}

/* Does the copies that are due, notes what came of them, and lets go of the pages. */
static void flush(struct copy_batch *batch)
{
	unsigned int i;
	int err;

	if (batch->n_ops) {
		/*
		 * Not gnttab_batch_copy(), which waits for a page that its domain has paged out:
		 * the caller is told GNTST_eagain.
		 */
		err = HYPERVISOR_grant_table_op(GNTTABOP_copy, batch->ops, batch->n_ops);
		for (i = 0; i < batch->n_ops; i++) {
			s16 *status = &batch->status[batch->segment_of[i]];

			if (*status == GNTST_okay)
				*status = err ? GNTST_general_error : batch->ops[i].status;
		}
		batch->n_ops = 0;
	}

	unpin_user_pages(batch->read.pages, batch->read.count);
	batch->read.count = 0;
	batch->read.length = 0;
	unpin_user_pages_dirty_lock(batch->written.pages, batch->written.count, true);
	batch->written.count = 0;
	batch->written.length = 0;
}

static bool is_local(const struct ioctl_gntdev_grant_copy_segment *segment, bool write)
{
	return !(segment->flags & (write ? GNTCOPY_dest_gref : GNTCOPY_source_gref));
}

static unsigned long local_address(const struct ioctl_gntdev_grant_copy_segment *segment,
				   bool write)
{
	return (unsigned long)(write ? segment->dest.virt : segment->source.virt);
}

/*
 * How many pages, @first and its neighbours above, this segment and those behind it want in the
 * same direction. At least 1.
 */
static unsigned int pages_ahead(const struct copy_batch *batch, unsigned int segment, bool write,
				unsigned long first)
{
	unsigned long last = first;

	for (; segment < batch->n_segments && last - first < BATCH; segment++) {
		const struct ioctl_gntdev_grant_copy_segment *next = &batch->segments[segment];
		unsigned long begin, end;

		if (!next->len || !is_local(next, write))
			continue;
		begin = local_address(next, write);
		end = begin + next->len - 1;
		if (end < begin || end >> PAGE_SHIFT < first || begin >> PAGE_SHIFT > last + 1)
			break;
		last = max(last, end >> PAGE_SHIFT);
	}
	return last - first + 1;
}

/*
 * Pins pages of the process, @wanted if it can be, at least one. Returns how many or an errno.
 *
 * Pinning does not grow a stack, as an access of the process would; and it does nothing at all if
 * the last page is beyond all addresses. So the one page that must be had is tried by itself, too.
 */
static int pin_pages(unsigned long address, unsigned int wanted, bool write, struct page **pages)
{
	unsigned int flags = write ? FOLL_WRITE : 0;
	int pinned = pin_user_pages_fast(address, wanted, flags, pages);

	if (pinned <= 0 && !fault_in_readable((const char __user *)address, 1))
		pinned = pin_user_pages_fast(address, 1, flags, pages);
	if (pinned > 0)
		return pinned;
	if (fatal_signal_pending(current))
		return -EINTR;
	return pinned == -ENOMEM ? -ENOMEM : -EFAULT;
}

/* The page at a local address, pinned until the next flush(), which this may do first. */
static struct page *local_page(struct copy_batch *batch, unsigned int segment, bool write,
			       unsigned long address)
{
	struct pins *pins = write ? &batch->written : &batch->read, *read = &batch->read;
	unsigned long number = address >> PAGE_SHIFT;
	unsigned int wanted;
	int pinned;

	if (number - pins->first < pins->length)
		return pins->pages[pins->window + (number - pins->first)];

	if (pins->count == BATCH)
		flush(batch);
	wanted = min(pages_ahead(batch, segment, write, number), BATCH - pins->count);
	pinned = pin_pages(number << PAGE_SHIFT, wanted, write, &pins->pages[pins->count]);
	if (pinned < 0)
		return ERR_PTR(pinned);

	pins->first = number;
	pins->length = pinned;
	pins->window = pins->count;
	pins->count += pinned;
	/* A page to write to may be a fresh copy of the one that was pinned to read from. */
	if (write && number < read->first + read->length && read->first < number + pinned)
		read->length = 0;
	return pins->pages[pins->window];
}

/* A granted page as one side of a copy. */
static void set_grant(struct gnttab_copy_ptr *ptr, grant_ref_t ref, domid_t domid,
		      unsigned int offset)
{
	ptr->u.ref = ref;
	ptr->domid = domid;
	ptr->offset = offset;
}

/*
 * Says which frame a local page is, and returns 0. If it is the peer's, in a mapping of this
 * device, Xen wants the grant instead: that, and @gref is returned.
 */
static u16 set_local(struct gnttab_copy_ptr *ptr, struct page *page, unsigned long address,
		     u16 gref)
{
	struct ioctl_gntdev_grant_ref grant;

	/* Others use this flag for pages of files and of the swap cache, so it is only a hint. */
	if (!page->mapping && !PageCompound(page) && PageForeign(page) &&
	    gntdev_vma_grant(address, &grant)) {
		set_grant(ptr, grant.ref, grant.domid, offset_in_page(address));
		return gref;
	}
	ptr->u.gmfn = xen_page_to_gfn(page);
	ptr->domid = DOMID_SELF;
	ptr->offset = offset_in_page(address);
	return 0;
}

/* Adds the copies that a segment takes, one for each local page that it touches. */
static int add_segment(struct copy_batch *batch, unsigned int i)
{
	const struct ioctl_gntdev_grant_copy_segment *segment = &batch->segments[i];
	bool read = is_local(segment, false), write = is_local(segment, true);
	unsigned int done, len;

	for (done = 0; done < segment->len; done += len) {
		unsigned long address = local_address(segment, write) + done;
		struct page *page = NULL;
		struct gnttab_copy *op;

		len = segment->len - done;
		if (batch->n_ops == BATCH)
			flush(batch);
		if (read || write) {
			len = min_t(unsigned int, len, PAGE_SIZE - offset_in_page(address));
			page = local_page(batch, i, write, address);
			if (IS_ERR(page))
				return PTR_ERR(page);
		}

		batch->segment_of[batch->n_ops] = i;
		op = &batch->ops[batch->n_ops++];
		op->flags = segment->flags;
		op->len = len;
		if (read)
			op->flags |= set_local(&op->source, page, address, GNTCOPY_source_gref);
		else
			set_grant(&op->source, segment->source.foreign.ref,
				  segment->source.foreign.domid,
				  segment->source.foreign.offset + done);
		if (write)
			op->flags |= set_local(&op->dest, page, address, GNTCOPY_dest_gref);
		else
			set_grant(&op->dest, segment->dest.foreign.ref,
				  segment->dest.foreign.domid,
				  segment->dest.foreign.offset + done);
	}
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

/* Reads segments into the batch. Returns 0, -EINTR, -EFAULT, or -EINVAL if one makes no sense. */
static int load(struct copy_batch *batch,
		const struct ioctl_gntdev_grant_copy_segment __user *segments, unsigned int count,
		bool compat)
{
	unsigned int i;

	if (fatal_signal_pending(current))
		return -EINTR;
	if (copy_from_user(batch->segments, segments, count * sizeof(*segments)))
		return -EFAULT;
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
	unsigned int i, failed;
	int err = 0;

	for (i = 0; i < batch->n_segments; i++)
		batch->status[i] = GNTST_okay;
	for (i = 0; i < batch->n_segments; i++) {
		err = add_segment(batch, i);
		if (err)
			break;
	}
	flush(batch);
	for (failed = i; failed < batch->n_segments; failed++)
		batch->status[failed] = GNTST_general_error;
	return err;
}

/* Whether all segments make sense. If there are no more than BATCH, they are loaded then. */
static int check_all(struct copy_batch *batch,
		     const struct ioctl_gntdev_grant_copy_segment __user *segments, u32 count,
		     bool compat)
{
	u32 done, n;
	int err;

	for (done = 0; done < count; done += n) {
		n = min_t(u32, count - done, BATCH);
		err = load(batch, segments + done, n, compat);
		if (err)
			return err;
		cond_resched();
	}
	return 0;
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
			err = load(batch, segments + done, n, compat);
			if (err)
				break;
		}
		err = copy_loaded(batch);
		if (tell(batch, segments + done))
			err = -EFAULT;
		done += n;
		cond_resched();
	}
	if (err)
		tell_failure(segments + done, count - done);
	rest_batch(batch);
	return err;
}
