// SPDX-License-Identifier: GPL-2.0
/*
 * Bare hypercalls, and what they take: see bench-floor.h. The operations are laid out before the
 * clock starts, except for the handles, which a driver could not know beforehand, either.
 */

#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include <asm/xen/hypercall.h>
#include <xen/grant_table.h>
#include <xen/interface/version.h>
#include <xen/page.h>

#include "bench-floor.h"

#define MOST 4096

struct work {
	struct floor_run run;
	u32 *refs;
	struct page **pages;
	/*
	 * Each an array without gaps, of whatever the hypercall wants; in a block that the kernel
	 * may map by one large entry, which makes the way to them shorter for Xen in a PVH guest.
	 */
	struct gnttab_map_grant_ref *map;
	struct gnttab_unmap_grant_ref *unmap;
	struct gnttab_copy *copy;
	void *entries;		/* where FLOOR_ENTRIES has page-table entries */
};

static int do_null(struct work *work)
{
	return HYPERVISOR_xen_version(XENVER_version, NULL) < 0 ? -EIO : 0;
}

static int do_map(struct work *work)
{
	unsigned int i, n = work->run.n;

	if (HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, work->map, n))
		return -EIO;
	for (i = 0; i < n; i++) {
		if (work->map[i].status != GNTST_okay)
			return -EIO;
		work->unmap[i].handle = work->map[i].handle;
	}
	if (HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, work->unmap, n))
		return -EIO;
	for (i = 0; i < n; i++)
		if (work->unmap[i].status != GNTST_okay)
			return -EIO;
	return 0;
}

static int do_copy(struct work *work)
{
	unsigned int i, n = work->run.n;

	if (HYPERVISOR_grant_table_op(GNTTABOP_copy, work->copy, n))
		return -EIO;
	for (i = 0; i < n; i++)
		if (work->copy[i].status != GNTST_okay)
			return -EIO;
	return 0;
}

static void lay_out_map(struct work *work, unsigned int i, u64 address, u32 flags)
{
	gnttab_set_map_op(&work->map[i], address, flags, work->refs[i], work->run.domid);
	gnttab_set_unmap_op(&work->unmap[i], address, flags, INVALID_GRANT_HANDLE);
}

#ifdef CONFIG_X86
/* vmap() of entries that are not present gives addresses with page tables. */
static int lay_out_entries(struct work *work)
{
	unsigned int i, level;
	pte_t *pte;

	work->entries = vmap(work->pages, work->run.n, VM_IOREMAP, __pgprot(0));
	if (!work->entries)
		return -ENOMEM;
	for (i = 0; i < work->run.n; i++) {
		pte = lookup_address((unsigned long)work->entries + i * PAGE_SIZE, &level);
		lay_out_map(work, i, arbitrary_virt_to_machine(pte).maddr,
			    GNTMAP_host_map | GNTMAP_application_map | GNTMAP_contains_pte);
	}
	return 0;
}
#else
static int lay_out_entries(struct work *work)
{
	return -EOPNOTSUPP;
}
#endif

static void lay_out_copy(struct work *work, unsigned int i)
{
	struct gnttab_copy *op = &work->copy[i];
	struct gnttab_copy_ptr grant = { .u.ref = work->refs[i], .domid = work->run.domid };
	struct gnttab_copy_ptr local = { .u.gmfn = xen_page_to_gfn(work->pages[i]),
					 .domid = DOMID_SELF };

	op->len = work->run.bytes;
	if (work->run.what == FLOOR_COPY_FROM) {
		op->source = grant;
		op->dest = local;
		op->flags = GNTCOPY_source_gref;
	} else {
		op->source = local;
		op->dest = grant;
		op->flags = GNTCOPY_dest_gref;
	}
}

static int lay_out(struct work *work)
{
	unsigned int i;

	switch (work->run.what) {
	case FLOOR_NULL:
		return 0;
	case FLOOR_KERNEL:
		for (i = 0; i < work->run.n; i++)
			lay_out_map(work, i, (unsigned long)page_address(work->pages[i]),
				    GNTMAP_host_map);
		return 0;
	case FLOOR_ENTRIES:
		return lay_out_entries(work);
	case FLOOR_COPY_FROM:
	case FLOOR_COPY_TO:
		for (i = 0; i < work->run.n; i++)
			lay_out_copy(work, i);
		return 0;
	default:
		return -EINVAL;
	}
}

static int run(struct work *work)
{
	static int (*const what[])(struct work *work) = {
		do_null, do_map, do_map, do_copy, do_copy
	};
	unsigned int i;
	u64 begin;
	int err;

	/* Once for what is only done the first time. */
	err = what[work->run.what](work);
	begin = ktime_get_ns();
	for (i = 0; i < work->run.rounds && !err; i++)
		err = what[work->run.what](work);
	work->run.spent = ktime_get_ns() - begin;
	return err;
}

/* Pages to map at, or pages with memory to copy from and to. */
static int get_pages(struct work *work)
{
	unsigned int i;

	if (work->run.what <= FLOOR_ENTRIES)
		return gnttab_alloc_pages(work->run.n, work->pages);
	for (i = 0; i < work->run.n; i++) {
		work->pages[i] = alloc_page(GFP_KERNEL);
		if (!work->pages[i]) {
			while (i--)
				__free_page(work->pages[i]);
			return -ENOMEM;
		}
	}
	return 0;
}

static void put_pages(struct work *work)
{
	unsigned int i;

	if (work->run.what <= FLOOR_ENTRIES) {
		gnttab_free_pages(work->run.n, work->pages);
		return;
	}
	for (i = 0; i < work->run.n; i++)
		__free_page(work->pages[i]);
}

static int work_on(struct work *work)
{
	unsigned int n = work->run.n;
	int err = -ENOMEM;

	work->refs = kvmalloc_array(n, sizeof(*work->refs), GFP_KERNEL);
	work->pages = kvmalloc_array(n, sizeof(*work->pages), GFP_KERNEL);
	work->map = kmalloc(SZ_2M, GFP_KERNEL);
	if (!work->refs || !work->pages || !work->map)
		goto out;
	BUILD_BUG_ON(MOST * (sizeof(*work->map) + sizeof(*work->unmap) + sizeof(*work->copy)) >
		     SZ_2M);
	work->unmap = (void *)&work->map[MOST];
	work->copy = (void *)&work->unmap[MOST];
	err = -EFAULT;
	if (copy_from_user(work->refs, u64_to_user_ptr(work->run.refs), n * sizeof(*work->refs)))
		goto out;
	err = get_pages(work);
	if (err)
		goto out;
	err = lay_out(work) ?: run(work);
	if (work->entries)
		vunmap(work->entries);
	put_pages(work);
out:
	kfree(work->map);
	kvfree(work->pages);
	kvfree(work->refs);
	return err;
}

static long floor_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct floor_run __user *user = (void __user *)arg;
	struct work work = {};
	int err;

	if (cmd == FLOOR_EMPTY)
		return 0;
	if (cmd != FLOOR_RUN)
		return -ENOTTY;
	if (copy_from_user(&work.run, user, sizeof(work.run)))
		return -EFAULT;
	if (work.run.what > FLOOR_COPY_TO || !work.run.n || work.run.n > MOST)
		return -EINVAL;
	err = work_on(&work);
	return err ?: put_user(work.run.spent, &user->spent);
}

static const struct file_operations floor_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = floor_ioctl,
};

static struct miscdevice floor_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "bench-floor",
	.fops = &floor_fops,
	.mode = 0600,
};
module_misc_device(floor_device);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Bare grant hypercalls, to be measured");
