// SPDX-License-Identifier: GPL-2.0
/*
 * The pages that grants are mapped at, and their memory attribute: write-back, or, where a dma-buf
 * is asked for with a flag, one that no cache keeps. Those need other pages than the usual ones.
 *
 * While a page is ours it has marks by which the core kernel sees that it must not be inserted into
 * a VMA that is not ours, as TCP_ZEROCOPY_RECEIVE does with the page of a fragment that a process
 * spliced into a socket. Everywhere page->mapping is set, which TCP asks for; and with it the index
 * in there, one for each page, by which the core kernel knows one shared futex from another. In a
 * PV domain, where an ordinary entry for the page is refused by Xen or, for a page of the domain's
 * own, is an entry too many, the page also has a type, for which vm_insert_page() and its kin
 * refuse it. (A type takes the place of the count of entries, which is not used there: the entries
 * are special.)
 *
 * Each processor keeps some of the pages that were put back, with their marks, for who wants pages
 * next. For each that the kernel is asked for it walks to the page's entry in the p2m of a PV
 * domain, and all share its list.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/anon_inodes.h>
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/platform_device.h>
#include <linux/sched/signal.h>
#include <linux/set_memory.h>

#include <xen/balloon.h>
#include <xen/grant_table.h>
#include <xen/mem-reservation.h>
#include <xen/page.h>
#ifdef CONFIG_X86
#include <asm/memtype.h>
#endif

#include "compat.h"
#include "mode.h"
#include "pages.h"

struct address_space *gntdev_pages_mapping;

/*
 * The address space of the kernel's anonymous inode: it has no pages of its own, never writes any
 * back, and lets them be marked dirty, as pages without an address space can be. A file of it is
 * the way to the inode, which is always there. (The file goes later than this module may: nothing
 * of it is ours.)
 */
static int init_marks(void)
{
	struct file *file = anon_inode_getfile("[" KBUILD_MODNAME "]", &generic_ro_fops, NULL,
					       O_RDONLY);

	if (IS_ERR(file))
		return PTR_ERR(file);
	gntdev_pages_mapping = file->f_mapping;
	fput(file);
	return 0;
}

/*
 * A bit of the index that no other file of that inode has, such as one of perf's, whose pages have
 * this address space, too.
 */
#define MARK_INDEX	BIT(50)

static void set_marks(unsigned int count, struct page **pages)
{
	bool typed = gntdev_is_pv();
	unsigned int i;

	for (i = 0; i < count; i++) {
		pages[i]->mapping = gntdev_pages_mapping;
		gntdev_page_set_index(pages[i], page_to_pfn(pages[i]) | MARK_INDEX);
		if (typed)
			__SetPageOffline(pages[i]);
	}
}

static void clear_marks(unsigned int count, struct page **pages)
{
	bool typed = gntdev_is_pv();
	unsigned int i;

	for (i = 0; i < count; i++) {
		pages[i]->mapping = NULL;
		if (typed)
			__ClearPageOffline(pages[i]);
	}
}

/**
 * gntdev_pages_warn() - tell that memory is lost
 * @lost: pages that gntdev_pages_put() could not give back, of one call or several; nothing is said
 *        if there are none
 */
void gntdev_pages_warn(unsigned int lost)
{
	if (lost)
		pr_warn("Xen does not give %u pages back: they are lost\n", lost);
}

/* Pages that a processor keeps: unpopulated ones, which take no memory but their struct page. */
#define SPARE_MOST	512

/* A list by way of page->zone_device_data, which is the driver's whose page it is. */
struct spare_pages {
	struct page *first;
	unsigned int count;
};

static DEFINE_PER_CPU(struct spare_pages, spare_pages);

/* Takes up to so many of a processor's. Returns how many there were. */
static unsigned int take_from(struct spare_pages *spare, unsigned int count, struct page **pages)
{
	struct page *page = spare->first;
	unsigned int i;

	count = min(count, spare->count);
	for (i = 0; i < count; i++) {
		pages[i] = page;
		page = page->zone_device_data;
	}
	spare->first = page;
	spare->count -= count;
	return count;
}

static unsigned int take_spare(unsigned int count, struct page **pages)
{
	unsigned int taken = take_from(get_cpu_ptr(&spare_pages), count, pages);

	put_cpu_ptr(&spare_pages);
	return taken;
}

/*
 * Is a page of gnttab_alloc_pages() unpopulated? On Arm it may be a ballooned one: memory, which
 * the domain is to have back. On x86 they can be of any zone.
 */
static bool is_unpopulated(const struct page *page)
{
	return IS_ENABLED(CONFIG_XEN_UNPOPULATED_ALLOC) &&
	       (IS_ENABLED(CONFIG_X86) || is_zone_device_page(page));
}

/* Keeps the first of the pages, as many as it may. Returns how many. */
static unsigned int keep_spare(unsigned int count, struct page **pages)
{
	struct spare_pages *spare;
	unsigned int i;

	spare = get_cpu_ptr(&spare_pages);
	count = min(count, SPARE_MOST - spare->count);
	for (i = 0; i < count && is_unpopulated(pages[i]); i++) {
		pages[i]->zone_device_data = spare->first;
		spare->first = pages[i];
	}
	spare->count += i;
	put_cpu_ptr(&spare_pages);
	return i;
}

static void free_spare(void)
{
	struct page *page;
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		while (take_from(per_cpu_ptr(&spare_pages, cpu), 1, &page)) {
			clear_marks(1, &page);
			gnttab_free_pages(1, &page);
		}
	}
}

#ifdef CONFIG_X86
static unsigned int put_uncached(unsigned int count, struct page **pages)
{
	gnttab_pages_clear_private(count, pages);
	xen_free_ballooned_pages(count, pages);
	return 0;
}

/*
 * Of unpopulated pages the kernel has noted, for the whole section, that they are write-back, and
 * it refuses to change that. Ballooned ones are memory whose frames were given back to Xen. The
 * balloon driver gets new frames for them afterwards, and lets nobody have a page without one.
 */
static int get_uncached(unsigned int count, struct page **pages)
{
	int err = xen_alloc_ballooned_pages(count, pages);

	if (err)
		return err;
	err = gnttab_pages_set_private(count, pages);
	if (err)
		put_uncached(count, pages);
	return err;
}

static int init_uncached(void)
{
	return 0;
}

static void exit_uncached(void) {}

/**
 * gntdev_pages_can_be_uncached() - is there memory here that caches do not keep?
 *
 * Return: whether gntdev_pages_get() can be asked for it, in an auto-translated domain.
 */
bool gntdev_pages_can_be_uncached(void)
{
	return pat_enabled();
}

/**
 * gntdev_pages_uncache() - make ready for views that caches do not keep
 * @count: pages
 * @pages: pages of gntdev_pages_get(), uncached, at which grants are mapped
 *
 * The views have pgprot_writecombine() from now on, on x86 those of the kernel, too. What the
 * caches have of the pages goes to where such views look.
 *
 * Return: 0, -ENOMEM, or -EOPNOTSUPP.
 */
int gntdev_pages_uncache(unsigned int count, struct page **pages)
{
	if (!set_pages_array_wc(pages, count))
		return 0;
	/* Some may have changed before there was no memory to split a larger page. */
	set_pages_array_wb(pages, count);
	return -ENOMEM;
}

/**
 * gntdev_pages_cache() - undo gntdev_pages_uncache()
 * @count: pages
 * @pages: the pages
 */
void gntdev_pages_cache(unsigned int count, struct page **pages)
{
	WARN_ON(set_pages_array_wb(pages, count));
}
#else
/* Frames that go to Xen, or come back, with one hypercall. */
#define FRAMES 32

/*
 * Whose memory it is for the DMA API: a device that reaches all of it, and that no bus and no
 * firmware has told to be coherent with the caches.
 */
static struct platform_device *dma_device;

static int init_uncached(void)
{
	const struct platform_device_info info = {
		.name = KBUILD_MODNAME "-memory",
		.id = PLATFORM_DEVID_NONE,
		.dma_mask = DMA_BIT_MASK(64),
	};

	dma_device = platform_device_register_full(&info);
	return PTR_ERR_OR_ZERO(dma_device);
}

static void exit_uncached(void)
{
	platform_device_unregister(dma_device);
}

bool gntdev_pages_can_be_uncached(void)
{
	return true;
}

/*
 * One page from the DMA API, without a mapping of the kernel's: all views are made by us. What it
 * returns then is not an address, but what dma_free_attrs() wants to have back: the page itself, as
 * dma_direct_alloc_no_mapping() of kernel/dma/direct.c has it.
 */
static struct page *alloc_uncached(void)
{
	struct device *dev = &dma_device->dev;
	dma_addr_t address;

	/* It is for Xen, as the balloon's: not worth a process's life. */
	return dma_alloc_attrs(dev, PAGE_SIZE, &address,
			       GFP_KERNEL | __GFP_NORETRY | __GFP_NOMEMALLOC | __GFP_NOWARN,
			       DMA_ATTR_NO_KERNEL_MAPPING);
}

static void free_uncached(struct page *page)
{
	struct device *dev = &dma_device->dev;

	dma_free_attrs(dev, PAGE_SIZE, page, phys_to_dma(dev, page_to_phys(page)),
		       DMA_ATTR_NO_KERNEL_MAPPING);
}

/* Has Xen take or give the frames behind the pages. Returns for how many it did. */
static unsigned int exchange(unsigned int count, struct page **pages,
			     int (*op)(int count, xen_pfn_t *frames))
{
	xen_pfn_t frames[FRAMES];
	unsigned int done = 0, n, i;
	int did;

	while (done < count) {
		n = min_t(unsigned int, count - done, FRAMES);
		for (i = 0; i < n; i++)
			frames[i] = xen_page_to_gfn(pages[done + i]);
		did = op(n, frames);
		if (did > 0)
			done += did;
		if (did != n)
			break;
		cond_resched();
	}
	return done;
}

/* Gives pages back to the kernel that have their frame. */
static void free_populated(unsigned int count, struct page **pages)
{
	unsigned int i;

	gnttab_pages_clear_private(count, pages);
	for (i = 0; i < count; i++)
		free_uncached(pages[i]);
}

/*
 * The frames are given to Xen: those that the grants have come in their place. Here the kernel
 * hands out memory of its own, and so it has to be there again before it is freed. Returns how many
 * are not.
 */
static unsigned int put_uncached(unsigned int count, struct page **pages)
{
	unsigned int back = exchange(count, pages, xenmem_reservation_increase);

	free_populated(back, pages);
	return count - back;
}

static int get_uncached(unsigned int count, struct page **pages)
{
	unsigned int n, gone;
	int err = -ENOMEM;

	for (n = 0; n < count; n++) {
		pages[n] = fatal_signal_pending(current) ? NULL : alloc_uncached();
		if (!pages[n])
			goto err_free;
		if (n % FRAMES == FRAMES - 1)
			cond_resched();
	}
	err = gnttab_pages_set_private(count, pages);
	if (err)
		goto err_free;
	/* Who gets the frames is not to see what was in them. */
	for (n = 0; n < count; n++)
		clear_highpage(pages[n]);
	gone = exchange(count, pages, xenmem_reservation_decrease);
	if (gone == count)
		return 0;
	gntdev_pages_warn(put_uncached(gone, pages));
	free_populated(count - gone, pages + gone);
	return -ENOMEM;

err_free:
	gnttab_pages_clear_private(n, pages);
	while (n)
		free_uncached(pages[--n]);
	return err;
}

int gntdev_pages_uncache(unsigned int count, struct page **pages)
{
	struct device *dev = &dma_device->dev;
	unsigned int i;

	for (i = 0; i < count; i++) {
		dma_addr_t address = dma_map_page(dev, pages[i], 0, PAGE_SIZE, DMA_TO_DEVICE);

		if (dma_mapping_error(dev, address))
			return -ENOMEM;
		dma_unmap_page_attrs(dev, address, PAGE_SIZE, DMA_TO_DEVICE,
				     DMA_ATTR_SKIP_CPU_SYNC);
		/* If all is bounced (swiotlb=force), this has cleaned something else. */
		if (address != phys_to_dma(dev, page_to_phys(pages[i])))
			return -EOPNOTSUPP;
		cond_resched();
	}
	return 0;
}

void gntdev_pages_cache(unsigned int count, struct page **pages) {}
#endif

/*
 * Pages that are got, or given back, at a time. The kernel's stock of them has one lock for all, a
 * mutex, and nobody is to wait long for it because somebody else maps a large range. Memory of the
 * domain's own that is to be given to Xen first goes there by hypercalls, for more pages each.
 */
static unsigned int at_once(unsigned int count, bool uncached)
{
	return min(count, uncached || !IS_ENABLED(CONFIG_XEN_UNPOPULATED_ALLOC) ? 512U : 32U);
}

/**
 * gntdev_pages_init() - make ready to get pages
 *
 * Return: 0 or an errno.
 */
int gntdev_pages_init(void)
{
	return init_marks() ?: init_uncached();
}

/**
 * gntdev_pages_exit() - undo gntdev_pages_init()
 */
void gntdev_pages_exit(void)
{
	free_spare();
	exit_uncached();
}

/**
 * gntdev_pages_get() - get pages to map grants at
 * @count:    how many
 * @pages:    set to the pages, which have no memory
 * @uncached: for gntdev_pages_uncache(); only if gntdev_pages_can_be_uncached()
 *
 * Return: 0 or an errno.
 */
int gntdev_pages_get(unsigned int count, struct page **pages, bool uncached)
{
	unsigned int done = uncached ? 0 : take_spare(count, pages), n;
	int err;

	for (; done < count; done += n) {
		n = at_once(count - done, uncached);
		err = uncached ? get_uncached(n, pages + done) :
				 gnttab_alloc_pages(n, pages + done);
		if (err) {
			gntdev_pages_warn(gntdev_pages_put(done, pages, uncached));
			return err;
		}
		set_marks(n, pages + done);
		cond_resched();
	}
	return 0;
}

/**
 * gntdev_pages_put() - undo gntdev_pages_get()
 * @count:    how many, of one call or several
 * @pages:    the pages, at which nothing is mapped
 * @uncached: as they were got
 *
 * A page whose memory Xen does not give back is nobody's from then on.
 *
 * Return: how many these are, for gntdev_pages_warn().
 */
unsigned int gntdev_pages_put(unsigned int count, struct page **pages, bool uncached)
{
	unsigned int done = uncached ? 0 : keep_spare(count, pages), lost = 0, n;

	for (; done < count; done += n) {
		n = at_once(count - done, uncached);
		clear_marks(n, pages + done);
		if (uncached)
			lost += put_uncached(n, pages + done);
		else
			gnttab_free_pages(n, pages + done);
		cond_resched();
	}
	return lost;
}
