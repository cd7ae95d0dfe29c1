// SPDX-License-Identifier: GPL-2.0
/*
 * dma-bufs out of grants. The buffer is a range that is in no table, mapped from the start: the
 * dma-buf is its first user, and each place where a process maps it is a view like any other.
 */

#include <linux/dma-buf.h>
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/err.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/freezer.h>
#include <linux/iosys-map.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include <xen/page.h>
#include <xen/xen.h>

#include "../include/uapi/xen/gntdev.h"
#include "dmabuf_export.h"
#include "grants.h"
#include "instance.h"
#include "mapping.h"
#include "pages.h"
#include "range.h"
#include "stats.h"
#include "trace.h"
#include "vma.h"
#include "vmap.h"

/**
 * struct gntdev_export - a dma-buf made of grants
 * @ref:         held until the release, and by those who wait for it
 * @known:       among the instance's exports, until the release, with @file as its object; under
 *               the instance's lock
 * @instance:    where it was made
 * @range:       the references, and the grants that are mapped; the dma-buf is a user of it
 * @unmapped:    how the release is learnt of: Xen has everything back
 * @released:    set then
 * @waiting:     those who wait for that
 * @lock:        protects @attachments and @vmap
 * @attachments: the devices that have it mapped
 * @vmap:        the kernel's view of it, or NULL; the core of dma-buf serializes
 * @count:       its references, which count towards the instance's limit until the release
 * @file:        the dma-buf's, until that is released; to compare with only, under the instance's
 *               lock
 * @fd:          the number of the first descriptor
 */
struct gntdev_export {
	struct kref ref;
	struct gntdev_known known;
	struct gntdev_instance *instance;
	struct gntdev_range *range;
	struct gntdev_unmapped unmapped;
	bool released;
	wait_queue_head_t waiting;
	struct mutex lock;		/* sleeps in the DMA layer */
	struct list_head attachments;
	struct gntdev_vmap *vmap;
	unsigned int count;
	const struct file *file;
	int fd;
};

/* A device's mapping of a buffer. */
struct export_attachment {
	struct list_head link;
	struct device *dev;
	enum dma_data_direction direction;
	struct sg_table table;
};

static struct gntdev_export *to_export(struct gntdev_known *known)
{
	return container_of(known, struct gntdev_export, known);
}

static struct page **export_pages(const struct gntdev_export *export)
{
	return export->range->mapping->pages;
}

static unsigned int export_count(const struct gntdev_export *export)
{
	return export->range->slot.count;
}

static void export_free(struct kref *ref)
{
	struct gntdev_export *export = container_of(ref, struct gntdev_export, ref);

	gntdev_instance_put(export->instance);
	mutex_destroy(&export->lock);
	kfree(export);
}

#ifdef CONFIG_X86
/*
 * Does a device use the addresses of the bus? If it does not, but has an IOMMU or DMA operations of
 * its own, these see to it that it reaches every page.
 */
static bool uses_bus_addresses(struct device *dev)
{
	const struct dma_map_ops *ops = get_dma_ops(dev);

	return !device_iommu_mapped(dev) && (!ops || ops == dma_ops);
}

/* In a PV domain with devices the DMA operations of the kernel translate to machine addresses. */
static dma_addr_t bus_address(struct device *dev, struct page *page)
{
	if (gntdev_is_pv() && get_dma_ops(dev))
		return (dma_addr_t)xen_page_to_gfn(page) << PAGE_SHIFT;
	return page_to_phys(page);
}

static bool is_address_of(struct device *dev, dma_addr_t address, struct page *page)
{
	return address == bus_address(dev, page);
}
#else
/* Here no device can be told from others whose DMA operations are its own. */
static bool uses_bus_addresses(struct device *dev)
{
	return !device_iommu_mapped(dev);
}

/* Where the peer has the page, for a device of a domain whose memory is where it seems to be. */
static dma_addr_t machine_address(struct device *dev, struct page *page)
{
	unsigned long frame = __pfn_to_mfn(page_to_pfn(page));

	return phys_to_dma(dev, frame == INVALID_P2M_ENTRY ? page_to_phys(page) : PFN_PHYS(frame));
}

/* DMA operations are mostly those of Xen, which go by the kernel's record of foreign frames. */
static dma_addr_t bus_address(struct device *dev, struct page *page)
{
	return get_dma_ops(dev) ? machine_address(dev, page) :
				  phys_to_dma(dev, page_to_phys(page));
}

static bool is_address_of(struct device *dev, dma_addr_t address, struct page *page)
{
	return address == machine_address(dev, page) ||
	       address == phys_to_dma(dev, page_to_phys(page));
}
#endif

/*
 * A device that does not reach a page would be given a bounce buffer. Then the peer's page would
 * not be what the device works on, and old data might be copied over it.
 */
static bool is_reached(struct device *dev, const struct gntdev_export *export)
{
	u64 limit = min_not_zero(dma_get_mask(dev), dev->bus_dma_limit);
	unsigned int i;

	if (!uses_bus_addresses(dev))
		return true;
	for (i = 0; i < export_count(export); i++)
		if (bus_address(dev, export_pages(export)[i]) + PAGE_SIZE - 1 > limit)
			return false;
	return true;
}

/* Bounced all the same: the kernel may be told to do that always (swiotlb=force). */
static bool is_bounced(const struct export_attachment *attachment)
{
	struct scatterlist *sg;
	unsigned int i;

	if (!uses_bus_addresses(attachment->dev))
		return false;
	for_each_sgtable_sg(&attachment->table, sg, i)
		if (!is_address_of(attachment->dev, sg_dma_address(sg), sg_page(sg)))
			return true;
	return false;
}

static struct sg_table *export_map(struct dma_buf_attachment *attach,
				   enum dma_data_direction direction)
{
	struct gntdev_export *export = attach->dmabuf->priv;
	struct export_attachment *attachment;
	struct scatterlist *sg;
	unsigned int i;
	int err;

	if (!gntdev_mapping_is_whole(export->range->mapping) || !is_reached(attach->dev, export))
		return ERR_PTR(-EIO);
	attachment = kzalloc(sizeof(*attachment), GFP_KERNEL_ACCOUNT);
	if (!attachment)
		return ERR_PTR(-ENOMEM);
	attachment->dev = attach->dev;
	attachment->direction = direction;

	/* An entry for each page: neighbours here need not be neighbours in the machine. */
	err = sg_alloc_table(&attachment->table, export_count(export), GFP_KERNEL_ACCOUNT);
	if (err)
		goto err_free;
	for_each_sgtable_sg(&attachment->table, sg, i)
		sg_set_page(sg, export_pages(export)[i], PAGE_SIZE, 0);
	err = dma_map_sgtable(attach->dev, &attachment->table, direction, 0);
	if (err)
		goto err_table;
	if (is_bounced(attachment)) {
		err = -EIO;
		goto err_unmap;
	}

	mutex_lock(&export->lock);
	list_add(&attachment->link, &export->attachments);
	mutex_unlock(&export->lock);
	return &attachment->table;

err_unmap:
	dma_unmap_sgtable(attach->dev, &attachment->table, direction, DMA_ATTR_SKIP_CPU_SYNC);
err_table:
	sg_free_table(&attachment->table);
err_free:
	kfree(attachment);
	return ERR_PTR(err);
}

static void export_unmap(struct dma_buf_attachment *attach, struct sg_table *table,
			 enum dma_data_direction direction)
{
	struct export_attachment *attachment =
		container_of(table, struct export_attachment, table);
	struct gntdev_export *export = attach->dmabuf->priv;

	mutex_lock(&export->lock);
	list_del(&attachment->link);
	mutex_unlock(&export->lock);
	dma_unmap_sgtable(attach->dev, table, direction, 0);
	sg_free_table(table);
	kfree(attachment);
}

static int export_begin_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction direction)
{
	struct gntdev_export *export = dmabuf->priv;
	struct export_attachment *attachment;

	mutex_lock(&export->lock);
	list_for_each_entry(attachment, &export->attachments, link)
		dma_sync_sgtable_for_cpu(attachment->dev, &attachment->table,
					 attachment->direction);
	mutex_unlock(&export->lock);
	return 0;
}

static int export_end_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction direction)
{
	struct gntdev_export *export = dmabuf->priv;
	struct export_attachment *attachment;

	mutex_lock(&export->lock);
	list_for_each_entry(attachment, &export->attachments, link)
		dma_sync_sgtable_for_device(attachment->dev, &attachment->table,
					    attachment->direction);
	mutex_unlock(&export->lock);
	return 0;
}

static int export_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct gntdev_export *export = dmabuf->priv;

	if (vma_pages(vma) > export_count(export) ||
	    vma->vm_pgoff > export_count(export) - vma_pages(vma))
		return -EINVAL;
	gntdev_range_use_again(export->range);
	return gntdev_vma_map(vma, export->range);
}

static int export_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct gntdev_export *export = dmabuf->priv;
	struct gntdev_vmap *vmap = ERR_PTR(-EIO);

	/* Not the core's lock alone: a suspend looks for the view, too. */
	mutex_lock(&export->lock);
	if (gntdev_mapping_is_whole(export->range->mapping))
		vmap = gntdev_vmap(export->range);
	if (!IS_ERR(vmap)) {
		export->vmap = vmap;
		iosys_map_set_vaddr(map, gntdev_vmap_address(vmap));
	}
	mutex_unlock(&export->lock);
	return PTR_ERR_OR_ZERO(vmap);
}

static void export_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct gntdev_export *export = dmabuf->priv;

	mutex_lock(&export->lock);
	gntdev_vunmap(export->vmap);
	export->vmap = NULL;
	mutex_unlock(&export->lock);
}

/* Called by the last user of the dma-buf. What the kernel is still busy with may take longer. */
static void export_release(struct dma_buf *dmabuf)
{
	struct gntdev_export *export = dmabuf->priv;
	struct gntdev_instance *instance = export->instance;
	int releasing = gntdev_mapping_release_begin();

	mutex_lock(&instance->lock);
	export->file = NULL;
	gntdev_known_forget_object(&instance->exports, &export->known);
	mutex_unlock(&instance->lock);
	gntdev_range_unuse(export->range);
	gntdev_mapping_release_end(releasing);
}

static void export_unmapped(struct gntdev_unmapped *unmapped)
{
	struct gntdev_export *export = container_of(unmapped, struct gntdev_export, unmapped);
	struct gntdev_instance *instance = export->instance;

	mutex_lock(&instance->lock);
	gntdev_known_remove(&instance->exports, &export->known);
	gntdev_table_unreserve(&instance->table, export->count);
	mutex_unlock(&instance->lock);
	trace_gntdev_export_released(export->fd, 0);
	/* Whoever sees it set finds nothing mapped any more. */
	smp_store_release(&export->released, true);
	wake_up_all(&export->waiting);
	kref_put(&export->ref, export_free);
}

static const struct dma_buf_ops export_ops = {
	.map_dma_buf = export_map,
	.unmap_dma_buf = export_unmap,
	.release = export_release,
	.begin_cpu_access = export_begin_cpu_access,
	.end_cpu_access = export_end_cpu_access,
	.mmap = export_mmap,
	.vmap = export_vmap,
	.vunmap = export_vunmap,
};

/* A range with the references that the caller names. */
static struct gntdev_range *read_refs(struct gntdev_instance *instance, u32 domid,
				      const u32 __user *refs, unsigned int count)
{
	struct gntdev_range *range = gntdev_range_alloc(instance, count);
	unsigned int i;
	u32 *numbers;
	int err;

	if (!range)
		return ERR_PTR(-ENOMEM);
	/*
	 * They are read to the end of where they belong, and spread from there: what is written
	 * never passes what is still to be read.
	 */
	numbers = (u32 *)&range->refs[count] - count;
	err = copy_from_user(numbers, refs, array_size(count, sizeof(*refs))) ? -EFAULT : 0;
	for (i = 0; !err && i < count; i++) {
		u32 ref = numbers[i];

		range->refs[i].domid = domid;
		range->refs[i].ref = ref;
	}
	err = err ?: gntdev_grants_check(range->refs, count);
	if (err) {
		gntdev_range_put(range);
		return ERR_PTR(err);
	}
	return range;
}

static struct gntdev_export *export_alloc(struct gntdev_instance *instance,
					  struct gntdev_range *range)
{
	struct gntdev_export *export = kzalloc(sizeof(*export), GFP_KERNEL_ACCOUNT);

	if (!export)
		return NULL;
	kref_init(&export->ref);
	gntdev_instance_get(instance);
	export->instance = instance;
	export->range = range;
	export->count = range->slot.count;
	export->unmapped.call = export_unmapped;
	init_waitqueue_head(&export->waiting);
	mutex_init(&export->lock);
	INIT_LIST_HEAD(&export->attachments);
	return export;
}

static struct dma_buf *make_dmabuf(struct gntdev_export *export)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct gntdev_instance *instance = export->instance;
	struct dma_buf *dmabuf;

	info.exp_name = KBUILD_MODNAME;
	info.ops = &export_ops;
	info.size = (size_t)export_count(export) << PAGE_SHIFT;
	info.flags = O_RDWR;
	info.priv = export;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf))
		return dmabuf;

	mutex_lock(&instance->lock);
	export->file = dmabuf->file;
	gntdev_known_add(&instance->exports, &export->known, export->file, export->fd);
	mutex_unlock(&instance->lock);
	return dmabuf;
}

/*
 * On x86 all memory is coherent. On Arm what the DMA API calls coherent has the same attribute as
 * its write-combining memory: Normal, but in no cache. In a PV domain Xen decides what attribute
 * the entry of a grant has, and write-combining memory is what dma_alloc_wc() gives there for
 * devices that are coherent, as they are on x86: ordinary memory.
 */
static bool wants_uncached(u32 flags)
{
	return (flags == GNTDEV_DMA_FLAG_WC && !gntdev_is_pv()) ||
	       (flags == GNTDEV_DMA_FLAG_COHERENT && !IS_ENABLED(CONFIG_X86));
}

/*
 * Makes a dma-buf of a range, which it takes over, and gives the caller a descriptor, noted in @op.
 */
static int export_range(struct gntdev_instance *instance, struct gntdev_range *range,
			struct ioctl_gntdev_dmabuf_exp_from_refs *op,
			struct ioctl_gntdev_dmabuf_exp_from_refs __user *arg)
{
	struct gntdev_export *export;
	struct dma_buf *dmabuf;
	int err, fd;

	export = export_alloc(instance, range);
	if (!export) {
		err = -ENOMEM;
		goto err_range;
	}
	mutex_lock(&instance->lock);
	err = gntdev_table_reserve(&instance->table, export->count);
	mutex_unlock(&instance->lock);
	if (err)
		goto err_export;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		err = fd;
		goto err_reserved;
	}
	op->fd = fd;
	export->fd = fd;
	err = gntdev_range_map(range, wants_uncached(op->flags), &export->unmapped);
	if (err)
		goto err_fd;

	/* From here on the export goes with its mapping. */
	dmabuf = make_dmabuf(export);
	if (IS_ERR(dmabuf)) {
		put_unused_fd(fd);
		gntdev_range_unuse(range);
		return PTR_ERR(dmabuf);
	}
	if (put_user(fd, &arg->fd)) {
		put_unused_fd(fd);
		dma_buf_put(dmabuf);
		return -EFAULT;
	}
	gntdev_count(exported, 1);
	fd_install(fd, dmabuf->file);
	return 0;

err_fd:
	put_unused_fd(fd);
err_reserved:
	mutex_lock(&instance->lock);
	gntdev_table_unreserve(&instance->table, export->count);
	mutex_unlock(&instance->lock);
err_export:
	kref_put(&export->ref, export_free);
err_range:
	gntdev_range_put(range);
	return err;
}

/**
 * gntdev_export() - DMABUF_EXP_FROM_REFS
 * @instance: where it is asked for
 * @arg:      the request, and where the descriptor goes
 * @limit:    references that one request may name
 *
 * Return: 0, or an errno as in gntdev(4).
 */
long gntdev_export(struct gntdev_instance *instance,
		   struct ioctl_gntdev_dmabuf_exp_from_refs __user *arg, unsigned int limit)
{
	struct ioctl_gntdev_dmabuf_exp_from_refs op;
	struct gntdev_range *range;
	u32 first;
	int err;

	if (copy_from_user(&op, arg, offsetof(typeof(op), refs)))
		return -EFAULT;
	if ((op.flags & ~(GNTDEV_DMA_FLAG_WC | GNTDEV_DMA_FLAG_COHERENT)) ||
	    op.flags == (GNTDEV_DMA_FLAG_WC | GNTDEV_DMA_FLAG_COHERENT) ||
	    !op.count || op.count > limit)
		return -EINVAL;
	if (wants_uncached(op.flags) && !gntdev_pages_can_be_uncached())
		return -EOPNOTSUPP;

	range = read_refs(instance, op.domid, arg->refs, op.count);
	if (IS_ERR(range))
		return PTR_ERR(range);
	first = range->refs[0].ref;
	op.fd = -1;
	err = export_range(instance, range, &op, arg);
	trace_gntdev_export(op.domid, first, op.count, op.fd, err);
	return err;
}

/**
 * gntdev_is_export() - is a dma-buf made of grants?
 * @dmabuf: any dma-buf
 *
 * Return: whether it was exported by this driver, whatever the instance.
 */
bool gntdev_is_export(const struct dma_buf *dmabuf)
{
	return dmabuf->ops == &export_ops;
}

/*
 * What a number stands for: the buffer that the caller has open under it, else the newest export
 * that got it. NULL if it is released, or was never one of this instance's.
 *
 * No reference to the open file is taken. It might be the last one when it is dropped, and the file
 * would be released when this task returns to the user: that is, not while it waits for that.
 */
static struct gntdev_export *find_export(struct gntdev_instance *instance, int fd)
{
	struct gntdev_export *found = NULL;
	struct gntdev_known *known;
	struct files_struct *files = current->files;
	const struct file *file;

	/*
	 * With the instance's lock no export's file can go, so that an address is a file's also
	 * where the descriptor has changed meanwhile. The lock of descriptors is not for long.
	 */
	mutex_lock(&instance->lock);
	spin_lock(&files->file_lock);
	file = files_lookup_fd_locked(files, fd);
	spin_unlock(&files->file_lock);
	known = gntdev_known_find(&instance->exports, file, fd);
	if (known) {
		found = to_export(known);
		kref_get(&found->ref);
	}
	mutex_unlock(&instance->lock);
	return found;
}

static bool is_released(struct gntdev_export *export)
{
	/* Pairs with export_unmapped(). */
	return smp_load_acquire(&export->released);
}

/**
 * gntdev_export_wait_released() - DMABUF_EXP_WAIT_RELEASED
 * @instance: where the buffer was exported
 * @arg:      the request
 *
 * Return: 0, or an errno as in gntdev(4).
 */
long gntdev_export_wait_released(struct gntdev_instance *instance,
				 struct ioctl_gntdev_dmabuf_exp_wait_released __user *arg)
{
	struct ioctl_gntdev_dmabuf_exp_wait_released op;
	struct gntdev_export *export;
	long left;

	if (copy_from_user(&op, arg, sizeof(op)))
		return -EFAULT;
	export = find_export(instance, op.fd);
	if (!export)
		return -ENOENT;
	if (!op.wait_to_ms)
		left = is_released(export);
	else
		left = wait_event_freezable_timeout(export->waiting, is_released(export),
						    msecs_to_jiffies(op.wait_to_ms));
	kref_put(&export->ref, export_free);
	if (left < 0)
		return -EINTR;
	return left ? 0 : -ETIMEDOUT;
}

/**
 * gntdev_export_zap_all() - take the entries of all processes that have an instance's exports
 * mapped
 * @instance: the instance, whose lock the caller holds
 */
void gntdev_export_zap_all(struct gntdev_instance *instance)
{
	struct gntdev_known *known;

	/* With a VMA as a user, which is one under this lock, the file is there, and its inode. */
	gntdev_known_for_each(&instance->exports, known) {
		struct gntdev_export *export = to_export(known);

		if (export->file && export->range->users > 1)
			unmap_mapping_range(export->file->f_mapping, 0, 0, 1);
	}
}

/**
 * gntdev_export_suspend_all() - have Xen get back what an instance's exports have mapped
 * @instance: the instance, whose lock the caller holds, so that users of ranges stay
 *
 * All processes are frozen. Those whose dma-buf is released already wait for busy pages
 * (gntdev_mapping_suspend_busy()).
 */
void gntdev_export_suspend_all(struct gntdev_instance *instance)
{
	struct gntdev_known *known;

	gntdev_known_for_each(&instance->exports, known) {
		struct gntdev_export *export = to_export(known);

		if (!export->file)
			continue;
		mutex_lock(&export->lock);
		if (export->vmap)
			gntdev_vmap_suspend(export->vmap);
		mutex_unlock(&export->lock);
		gntdev_mapping_suspend(export->range->mapping);
	}
}

/**
 * gntdev_export_resume_all() - undo gntdev_export_suspend_all()
 * @instance: as there
 * @restored: as gntdev_mapping_resume()
 *
 * Return: how many pages did not come back.
 */
unsigned int gntdev_export_resume_all(struct gntdev_instance *instance, bool restored)
{
	unsigned int missing = 0;
	struct gntdev_known *known;

	gntdev_known_for_each(&instance->exports, known) {
		struct gntdev_export *export = to_export(known);

		if (!export->file)
			continue;
		missing += gntdev_mapping_resume(export->range->mapping, export->range->refs,
						 restored);
		mutex_lock(&export->lock);
		if (export->vmap && !export->range->mapping->ended)
			gntdev_vmap_resume(export->vmap, export->range);
		mutex_unlock(&export->lock);
	}
	return missing;
}
