// SPDX-License-Identifier: GPL-2.0
/*
 * Grants out of dma-bufs: any exporter's buffer is attached to a device that exists for this only,
 * and its pages are granted. The peer may map them for longer than anybody here cares, and until
 * then the buffer is not given back (retry.c).
 */

#include <linux/dma-buf.h>
#include <linux/dma-map-ops.h>
#include <linux/err.h>
#include <linux/memremap.h>
#include <linux/platform_device.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <xen/grant_table.h>
#include <xen/page.h>

#include "../include/uapi/xen/gntdev.h"
#include "compat.h"
#include "dmabuf_export.h"
#include "dmabuf_import.h"
#include "grants.h"
#include "instance.h"
#include "pages.h"
#include "retry.h"
#include "stats.h"
#include "trace.h"

/**
 * struct gntdev_import - a dma-buf whose pages are granted
 * @known:      among the instance's imports, with the buffer as its object; under the instance's
 *              lock
 * @retry:      used once it is released, while the peer still maps a page
 * @dmabuf:     the buffer
 * @attachment: our device's
 * @table:      where its pages are
 * @count:      pages
 * @refs:       the grants; 0 once ended
 */
struct gntdev_import {
	struct gntdev_known known;
	struct gntdev_retry retry;
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attachment;
	struct sg_table *table;
	unsigned int count;
	grant_ref_t refs[];
};

static struct platform_device *import_device;
static struct gntdev_retry_queue held_imports;
static gntdev_retry_attempt retry_end;

/*
 * What exporters see of the device: it reaches all memory, and its addresses are the physical ones
 * of this domain. Nothing is copied to a place that it can reach, nor back.
 */
static dma_addr_t import_map_phys(struct device *dev, GNTDEV_PHYS_ARGS, size_t size,
				  enum dma_data_direction direction, unsigned long attrs)
{
	/* What is no memory cannot be granted. */
	return attrs & DMA_ATTR_MMIO ? DMA_MAPPING_ERROR : GNTDEV_PHYS;
}

static void import_unmap_phys(struct device *dev, dma_addr_t address, size_t size,
			      enum dma_data_direction direction, unsigned long attrs)
{
}

static int import_map_sg(struct device *dev, struct scatterlist *list, int n,
			 enum dma_data_direction direction, unsigned long attrs)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(list, sg, n, i) {
		sg_dma_address(sg) = sg_phys(sg);
		sg_dma_len(sg) = sg->length;
	}
	return n;
}

static void import_unmap_sg(struct device *dev, struct scatterlist *list, int n,
			    enum dma_data_direction direction, unsigned long attrs)
{
}

static const struct dma_map_ops import_dma_ops = {
	.GNTDEV_MAP_PHYS = import_map_phys,
	.GNTDEV_UNMAP_PHYS = import_unmap_phys,
	.map_sg = import_map_sg,
	.unmap_sg = import_unmap_sg,
};

/**
 * gntdev_import_init() - make ready to import
 *
 * Return: 0 or an errno.
 */
int gntdev_import_init(void)
{
	int err = gntdev_retry_init(&held_imports, "gntdev-imports", retry_end);

	if (err)
		return err;
	import_device = platform_device_register_simple("xen-gntdev-import", PLATFORM_DEVID_NONE,
							NULL, 0);
	if (IS_ERR(import_device)) {
		gntdev_retry_exit(&held_imports);
		return PTR_ERR(import_device);
	}
	set_dma_ops(&import_device->dev, &import_dma_ops);
	dma_set_max_seg_size(&import_device->dev, UINT_MAX);
	err = dma_coerce_mask_and_coherent(&import_device->dev, DMA_BIT_MASK(64));
	if (err)
		gntdev_import_exit();
	return err;
}

/**
 * gntdev_import_exit() - undo gntdev_import_init()
 */
void gntdev_import_exit(void)
{
	gntdev_retry_exit(&held_imports);
	set_dma_ops(&import_device->dev, NULL);
	platform_device_unregister(import_device);
}

static void import_free(struct gntdev_import *import)
{
	if (!IS_ERR_OR_NULL(import->table))
		dma_buf_unmap_attachment_unlocked(import->attachment, import->table,
						  DMA_BIDIRECTIONAL);
	if (!IS_ERR_OR_NULL(import->attachment))
		dma_buf_detach(import->dmabuf, import->attachment);
	dma_buf_put(import->dmabuf);
	kvfree(import);
}

/* Ends the grants that the peer does not use, and gives the buffer back with the last of them. */
static enum gntdev_retry_result end_grants(struct gntdev_import *import)
{
	bool all = true, any = false;
	unsigned int i;

	for (i = 0; i < import->count; i++) {
		if (!import->refs[i])
			continue;
		if (gnttab_try_end_foreign_access(import->refs[i])) {
			import->refs[i] = 0;
			any = true;
		} else {
			all = false;
		}
		if (i % 64 == 63)
			cond_resched();
	}
	if (!all)
		return any ? GNTDEV_RETRY_PROGRESS : GNTDEV_RETRY_STUCK;
	import_free(import);
	return GNTDEV_RETRY_DONE;
}

static enum gntdev_retry_result retry_end(struct gntdev_retry *retry)
{
	return end_grants(container_of(retry, struct gntdev_import, retry));
}

/* Gives an import up: at once, or when the peer lets go. Needs no memory. */
static void import_release(struct gntdev_import *import)
{
	if (end_grants(import) == GNTDEV_RETRY_DONE)
		return;
	gntdev_retry_later(&held_imports, &import->retry);
}

/* Whether a frame is memory of this domain, which it can grant. */
static bool is_grantable(unsigned long pfn)
{
	struct page *page;

	if (!pfn_valid(pfn))
		return false;
#ifdef CONFIG_X86
	if (gntdev_is_pv())
		return !(__pfn_to_mfn(pfn) & (FOREIGN_FRAME_BIT | IDENTITY_FRAME_BIT));
#endif
	page = pfn_to_page(pfn);
	/* Foreign, if unpopulated or ours; or of a device. */
	if (is_zone_device_page(page) || gntdev_page_is_ours(page))
		return false;
#ifdef CONFIG_X86
	return page->mapping || PageCompound(page) || !PageForeign(page);
#else
	/* Here the kernel has a record of the frames that are mapped from others. */
	return __pfn_to_mfn(pfn) == INVALID_P2M_ENTRY;
#endif
}

/* Grants all pages to a domain. */
static int grant_pages(struct gntdev_import *import, domid_t domid)
{
	struct scatterlist *sg;
	unsigned int i, n = 0;

	for_each_sgtable_dma_sg(import->table, sg, i) {
		dma_addr_t address = sg_dma_address(sg), end = address + sg_dma_len(sg);

		if (!PAGE_ALIGNED(address) || !PAGE_ALIGNED(end))
			return -EINVAL;
		for (; address < end; address += PAGE_SIZE) {
			unsigned long pfn = PHYS_PFN(address);
			int ref;

			if (n == import->count || !is_grantable(pfn))
				return -EINVAL;
			ref = gnttab_grant_foreign_access(domid, pfn_to_gfn(pfn), 0);
			if (ref < 0)
				return ref;
			import->refs[n++] = ref;
			if (fatal_signal_pending(current))
				return -EINTR;
			cond_resched();
		}
	}
	return n == import->count ? 0 : -EINVAL;
}

/**
 * gntdev_import() - DMABUF_IMP_TO_REFS
 * @instance: where it is asked for
 * @arg:      the request, and where the references go
 * @limit:    references that one request may ask for
 *
 * Return: 0, or an errno as in gntdev(4).
 */
long gntdev_import(struct gntdev_instance *instance,
		   struct ioctl_gntdev_dmabuf_imp_to_refs __user *arg, unsigned int limit)
{
	struct ioctl_gntdev_dmabuf_imp_to_refs op;
	struct gntdev_import *import;
	struct dma_buf *dmabuf;
	int err;

	if (copy_from_user(&op, arg, offsetof(typeof(op), refs)))
		return -EFAULT;
	if (!op.count || op.count > limit || op.domid >= DOMID_FIRST_RESERVED)
		return -EINVAL;
	dmabuf = dma_buf_get(op.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	/* Pages that are granted to us are not ours to grant. */
	if (dmabuf->size != (size_t)op.count << PAGE_SHIFT || gntdev_is_export(dmabuf)) {
		dma_buf_put(dmabuf);
		return -EINVAL;
	}
	import = kvzalloc(struct_size(import, refs, op.count), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!import) {
		dma_buf_put(dmabuf);
		return -ENOMEM;
	}
	import->dmabuf = dmabuf;
	import->count = op.count;

	import->attachment = dma_buf_attach(dmabuf, &import_device->dev);
	err = PTR_ERR_OR_ZERO(import->attachment);
	if (err)
		goto err_release;
	import->table = dma_buf_map_attachment_unlocked(import->attachment, DMA_BIDIRECTIONAL);
	err = PTR_ERR_OR_ZERO(import->table);
	if (err)
		goto err_release;
	err = grant_pages(import, op.domid);
	if (err)
		goto err_release;
	if (copy_to_user(arg->refs, import->refs, array_size(op.count, sizeof(*import->refs)))) {
		err = -EFAULT;
		goto err_release;
	}

	gntdev_count(imported, 1);
	trace_gntdev_import(op.domid, import->refs[0], op.count, op.fd, 0);
	mutex_lock(&instance->lock);
	gntdev_known_add(&instance->imports, &import->known, dmabuf, op.fd);
	mutex_unlock(&instance->lock);
	return 0;

err_release:
	trace_gntdev_import(op.domid, import->refs[0], op.count, op.fd, err);
	import_release(import);
	return err;
}

/**
 * gntdev_import_release() - DMABUF_IMP_RELEASE
 * @instance: where the buffer was imported
 * @arg:      the request
 *
 * Return: 0, or an errno as in gntdev(4).
 */
long gntdev_import_release(struct gntdev_instance *instance,
			   struct ioctl_gntdev_dmabuf_imp_release __user *arg)
{
	struct ioctl_gntdev_dmabuf_imp_release op;
	struct gntdev_known *known;
	struct dma_buf *dmabuf;

	if (copy_from_user(&op, arg, sizeof(op)))
		return -EFAULT;
	/* The buffer that is open, by the number that it was imported by; else one of the two. */
	dmabuf = dma_buf_get(op.fd);
	mutex_lock(&instance->lock);
	known = gntdev_known_find(&instance->imports, dmabuf, op.fd);
	if (known)
		gntdev_known_remove(&instance->imports, known);
	mutex_unlock(&instance->lock);
	if (!IS_ERR(dmabuf))
		dma_buf_put(dmabuf);
	trace_gntdev_import_release(op.fd, known ? 0 : -ENOENT);
	if (!known)
		return -ENOENT;
	import_release(container_of(known, struct gntdev_import, known));
	return 0;
}

/**
 * gntdev_import_release_all() - give up all imports of an instance that nobody can use any more
 * @instance: the instance
 */
void gntdev_import_release_all(struct gntdev_instance *instance)
{
	struct gntdev_known *known;

	while ((known = gntdev_known_first(&instance->imports))) {
		gntdev_known_remove(&instance->imports, known);
		import_release(container_of(known, struct gntdev_import, known));
		cond_resched();
	}
}
