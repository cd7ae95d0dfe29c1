// SPDX-License-Identifier: GPL-2.0
/*
 * A driver's side of dma-bufs, for the tests: attaches to a buffer and tells the addresses that a
 * device would get, has the kernel read and write one, tells the memory type of page-table
 * entries, and exports buffers whose scatter lists are as unusual as they may be.
 */

#include <linux/atomic.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/hmm.h>
#include <linux/iosys-map.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/version.h>

#ifdef CONFIG_X86
#include <asm/pgtable_types.h>
#else
#include <linux/pgtable.h>
#include <asm/sysreg.h>
#endif

#include "dmabuf-probe.h"

/* One open of the device. */
struct probe {
	struct platform_device *device;
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attachment;
	struct sg_table *table;
	struct iosys_map map;
};

#ifdef CONFIG_X86
static u8 memory_type(pte_t pte)
{
	static const struct {
		enum page_cache_mode mode;
		u8 type;
	} types[] = {
		{ _PAGE_CACHE_MODE_WB, 6 }, { _PAGE_CACHE_MODE_UC_MINUS, 7 },
		{ _PAGE_CACHE_MODE_UC, 0 }, { _PAGE_CACHE_MODE_WC, 1 },
		{ _PAGE_CACHE_MODE_WT, 4 }, { _PAGE_CACHE_MODE_WP, 5 },
	};
	unsigned int i;

	/*
	 * What the kernel has set up. A processor is not asked: in an emulated guest even the
	 * first one was seen to have the table of a reset.
	 */
	for (i = 0; i < ARRAY_SIZE(types); i++)
		if (cachemode2protval(types[i].mode) == (pte_val(pte) & _PAGE_CACHE_MASK))
			return types[i].type;
	return 0xff;
}

/* That of the entry for an address of the kernel; 0xff if it has none of its own. */
static u8 kernel_type(const void *address)
{
	unsigned int level;
	pte_t *pte = lookup_address((unsigned long)address, &level);

	return pte && level == PG_LEVEL_4K ? memory_type(*pte) : 0xff;
}
#else
/* Of arm64's memory attributes, what the interface has a name for. */
static u8 memory_type(pte_t pte)
{
	switch ((pte_val(pte) & PTE_ATTRINDX_MASK) >> 2) {
	case MT_NORMAL:
	case MT_NORMAL_TAGGED:
		return PROBE_TYPE_WB;
	case MT_NORMAL_NC:
		return PROBE_TYPE_WC;
	default:
		return 0xff;
	}
}

/* That of the entry for an address of the kernel, whose tables the processor names. */
static u8 kernel_type(const void *place)
{
	unsigned long address = (unsigned long)place;
	phys_addr_t table = read_sysreg(ttbr1_el1) & GENMASK_ULL(47, 12);
	pgd_t *pgd = pgd_offset_pgd((pgd_t *)phys_to_virt(table), address);
	p4d_t *p4d = p4d_offset(pgd, address);
	pud_t *pud;
	pmd_t *pmd;

	if (p4d_none(*p4d))
		return 0xff;
	pud = pud_offset(p4d, address);
	if (pud_none(*pud))
		return 0xff;
	if (pud_leaf(*pud))
		return memory_type(__pte(pud_val(*pud)));
	pmd = pmd_offset(pud, address);
	if (pmd_none(*pmd))
		return 0xff;
	if (pmd_leaf(*pmd))
		return memory_type(__pte(pmd_val(*pmd)));
	return memory_type(*pte_offset_kernel(pmd, address));
}
#endif

static int vmap_whole(struct dma_buf *dmabuf, struct iosys_map *map)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
	return dma_buf_vmap(dmabuf, map);
#else
	return dma_buf_vmap_unlocked(dmabuf, map);
#endif
}

static void vunmap_whole(struct dma_buf *dmabuf, struct iosys_map *map)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
	dma_buf_vunmap(dmabuf, map);
#else
	dma_buf_vunmap_unlocked(dmabuf, map);
#endif
}

static void detach(struct probe *probe)
{
	if (!probe->dmabuf)
		return;
	if (iosys_map_is_set(&probe->map))
		vunmap_whole(probe->dmabuf, &probe->map);
	iosys_map_clear(&probe->map);
	if (!IS_ERR_OR_NULL(probe->table))
		dma_buf_unmap_attachment_unlocked(probe->attachment, probe->table,
						  DMA_BIDIRECTIONAL);
	if (!IS_ERR_OR_NULL(probe->attachment))
		dma_buf_detach(probe->dmabuf, probe->attachment);
	dma_buf_put(probe->dmabuf);
	probe->dmabuf = NULL;
	probe->attachment = NULL;
	probe->table = NULL;
}

static int tell_addresses(struct probe *probe, struct probe_attach *op)
{
	u64 __user *addresses = u64_to_user_ptr(op->addresses);
	struct scatterlist *sg;
	unsigned int i, n = 0;

	for_each_sgtable_dma_sg(probe->table, sg, i) {
		dma_addr_t address = sg_dma_address(sg), end = address + sg_dma_len(sg);

		for (; address < end; address += PAGE_SIZE, n++)
			if (n < op->count && put_user((u64)address, addresses + n))
				return -EFAULT;
	}
	op->count = n;
	op->type = kernel_type(page_address(sg_page(probe->table->sgl)));
	return 0;
}

static long attach(struct probe *probe, struct probe_attach *op)
{
	int err;

	if (probe->dmabuf)
		return -EBUSY;
	err = dma_coerce_mask_and_coherent(&probe->device->dev, DMA_BIT_MASK(op->dma_bits));
	if (err)
		return err;
	probe->dmabuf = dma_buf_get(op->fd);
	if (IS_ERR(probe->dmabuf)) {
		err = PTR_ERR(probe->dmabuf);
		probe->dmabuf = NULL;
		return err;
	}
	probe->attachment = dma_buf_attach(probe->dmabuf, &probe->device->dev);
	err = PTR_ERR_OR_ZERO(probe->attachment);
	if (err)
		goto err_detach;
	probe->table = dma_buf_map_attachment_unlocked(probe->attachment, DMA_BIDIRECTIONAL);
	err = PTR_ERR_OR_ZERO(probe->table);
	if (err)
		goto err_detach;
	err = tell_addresses(probe, op);
	if (err)
		goto err_detach;
	return 0;

err_detach:
	detach(probe);
	return err;
}

static long hold(struct probe *probe, struct probe_hold *op)
{
	int err;

	if (probe->dmabuf)
		return -EBUSY;
	probe->dmabuf = dma_buf_get(op->fd);
	if (IS_ERR(probe->dmabuf)) {
		err = PTR_ERR(probe->dmabuf);
		probe->dmabuf = NULL;
		return err;
	}
	err = vmap_whole(probe->dmabuf, &probe->map);
	if (err) {
		iosys_map_clear(&probe->map);
		detach(probe);
		return err;
	}
	op->address = (uintptr_t)probe->map.vaddr;
	return 0;
}

static long touch(struct probe_touch *op)
{
	struct dma_buf *dmabuf = dma_buf_get(op->fd);
	struct iosys_map map, again;
	u8 *byte;
	int err;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	if (op->offset >= dmabuf->size) {
		err = -EINVAL;
		goto out_put;
	}
	err = vmap_whole(dmabuf, &map);
	if (err)
		goto out_put;
	err = vmap_whole(dmabuf, &again);
	if (err)
		goto out_vunmap;
	dma_buf_begin_cpu_access(dmabuf, DMA_BIDIRECTIONAL);
	byte = (u8 *)map.vaddr + op->offset;
	op->old = *byte;
	*byte = op->value;
	op->type = kernel_type(byte);
	dma_buf_end_cpu_access(dmabuf, DMA_BIDIRECTIONAL);
	vunmap_whole(dmabuf, &again);
out_vunmap:
	vunmap_whole(dmabuf, &map);
out_put:
	dma_buf_put(dmabuf);
	return err;
}

static int read_entry(pte_t *pte, unsigned long address, void *context)
{
	*(pte_t *)context = *pte;
	return 0;
}

static long entry(struct probe_entry *op)
{
	pte_t pte;
	int err;

	mmap_read_lock(current->mm);
	err = apply_to_page_range(current->mm, op->address & PAGE_MASK, PAGE_SIZE, read_entry,
				  &pte);
	mmap_read_unlock(current->mm);
	if (err)
		return err;
	op->present = pte_present(pte);
	op->writable = pte_write(pte);
	op->type = memory_type(pte);
	return 0;
}

#ifdef CONFIG_HMM_MIRROR
static DEFINE_SPINLOCK(hmm_lock);

static bool hmm_invalidate(struct mmu_interval_notifier *notifier,
			   const struct mmu_notifier_range *range, unsigned long seq)
{
	spin_lock(&hmm_lock);
	mmu_interval_set_seq(notifier, seq);
	spin_unlock(&hmm_lock);
	return true;
}

static const struct mmu_interval_notifier_ops hmm_ops = {
	.invalidate = hmm_invalidate,
};

static long look_by_hmm(struct probe_hmm *op)
{
	unsigned long start = op->address & PAGE_MASK, frame = 0;
	struct mmu_interval_notifier notifier = {};
	struct hmm_range range = {
		.notifier = &notifier, .start = start, .end = start + PAGE_SIZE,
		.hmm_pfns = &frame, .default_flags = HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE,
	};
	bool done = false;
	int err;

	err = mmu_interval_notifier_insert(&notifier, current->mm, start, PAGE_SIZE, &hmm_ops);
	if (err)
		return err;
	while (!done) {
		range.notifier_seq = mmu_interval_read_begin(&notifier);
		mmap_read_lock(current->mm);
		err = hmm_range_fault(&range);
		mmap_read_unlock(current->mm);
		if (err == -EBUSY)
			continue;
		if (err)
			break;
		spin_lock(&hmm_lock);
		done = !mmu_interval_read_retry(&notifier, range.notifier_seq);
		if (done) {
			struct page *page = hmm_pfn_to_page(frame);
			const u8 *bytes = kmap_local_page(page);

			op->frame = page_to_pfn(page);
			op->byte = bytes[offset_in_page(op->address)];
			kunmap_local(bytes);
		}
		spin_unlock(&hmm_lock);
	}
	mmu_interval_notifier_remove(&notifier);
	return err;
}
#else
static long look_by_hmm(struct probe_hmm *op)
{
	return -EOPNOTSUPP;
}
#endif

/* A buffer of the module's own. */
struct own {
	struct page *pages;
	unsigned int order;
	unsigned int count;
	unsigned int shape;
};

static atomic_t owned;

/* The page that the buffer begins with: the second, for some shapes. */
static struct page *own_first(const struct own *own)
{
	return own->pages + (own->shape == PROBE_OFFSET || own->shape == PROBE_BEYOND);
}

static struct sg_table *own_map(struct dma_buf_attachment *attach,
				enum dma_data_direction direction)
{
	struct own *own = attach->dmabuf->priv;
	unsigned int length = own->count << PAGE_SHIFT;
	struct sg_table *table;
	int err;

	if (own->shape == PROBE_BUSY)
		return ERR_PTR(-EBUSY);
	table = kzalloc(sizeof(*table), GFP_KERNEL);
	if (!table)
		return ERR_PTR(-ENOMEM);
	err = sg_alloc_table(table, 1, GFP_KERNEL);
	if (err)
		goto err_free;
	switch (own->shape) {
	case PROBE_OFFSET:
		sg_set_page(table->sgl, own->pages, length, PAGE_SIZE);
		break;
	case PROBE_UNALIGNED:
		sg_set_page(table->sgl, own->pages, length, 512);
		break;
	case PROBE_SHORT:
		sg_set_page(table->sgl, own->pages, length - PAGE_SIZE, 0);
		break;
	case PROBE_BEYOND:
		sg_set_page(table->sgl, own->pages, length + PAGE_SIZE, 0);
		break;
	default:
		sg_set_page(table->sgl, own->pages, length, 0);
	}
	err = dma_map_sgtable(attach->dev, table, direction, 0);
	if (err)
		goto err_table;
	return table;

err_table:
	sg_free_table(table);
err_free:
	kfree(table);
	return ERR_PTR(err);
}

static void own_unmap(struct dma_buf_attachment *attach, struct sg_table *table,
		      enum dma_data_direction direction)
{
	dma_unmap_sgtable(attach->dev, table, direction, 0);
	sg_free_table(table);
	kfree(table);
}

static int own_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct own *own = dmabuf->priv;

	return remap_pfn_range(vma, vma->vm_start, page_to_pfn(own_first(own)) + vma->vm_pgoff,
			       vma->vm_end - vma->vm_start, vma->vm_page_prot);
}

static void own_free(struct own *own)
{
	__free_pages(own->pages, own->order);
	kfree(own);
	atomic_dec(&owned);
}

static void own_release(struct dma_buf *dmabuf)
{
	own_free(dmabuf->priv);
}

static const struct dma_buf_ops own_ops = {
	.map_dma_buf = own_map,
	.unmap_dma_buf = own_unmap,
	.mmap = own_mmap,
	.release = own_release,
};

static long export(struct probe_export *op)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;
	struct own *own;

	if (!op->count || op->count > 256)
		return -EINVAL;
	own = kzalloc(sizeof(*own), GFP_KERNEL);
	if (!own)
		return -ENOMEM;
	own->count = op->count;
	own->shape = op->shape;
	own->order = get_order((op->count + 1) << PAGE_SHIFT);
	own->pages = alloc_pages(GFP_KERNEL | __GFP_ZERO, own->order);
	if (!own->pages) {
		kfree(own);
		return -ENOMEM;
	}
	atomic_inc(&owned);
	info.ops = &own_ops;
	info.size = (size_t)op->count << PAGE_SHIFT;
	info.flags = O_RDWR | O_CLOEXEC;
	info.priv = own;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		own_free(own);
		return PTR_ERR(dmabuf);
	}
	op->fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	if (op->fd < 0) {
		dma_buf_put(dmabuf);
		return op->fd;
	}
	return 0;
}

static long probe_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	union {
		struct probe_attach attach;
		struct probe_touch touch;
		struct probe_hold hold;
		struct probe_entry entry;
		struct probe_export export;
		struct probe_hmm hmm;
	} op;
	long err;

	if (_IOC_SIZE(cmd) > sizeof(op) || copy_from_user(&op, (void __user *)arg, _IOC_SIZE(cmd)))
		return -EFAULT;
	switch (cmd) {
	case PROBE_ATTACH:
		err = attach(file->private_data, &op.attach);
		break;
	case PROBE_DETACH:
		detach(file->private_data);
		return 0;
	case PROBE_HOLD:
		err = hold(file->private_data, &op.hold);
		break;
	case PROBE_TOUCH:
		err = touch(&op.touch);
		break;
	case PROBE_ENTRY:
		err = entry(&op.entry);
		break;
	case PROBE_EXPORT:
		err = export(&op.export);
		break;
	case PROBE_HMM:
		err = look_by_hmm(&op.hmm);
		break;
	case PROBE_EXPORTS:
		return atomic_read(&owned);
	default:
		return -ENOTTY;
	}
	if (!err && copy_to_user((void __user *)arg, &op, _IOC_SIZE(cmd)))
		err = -EFAULT;
	return err;
}

static int probe_open(struct inode *inode, struct file *file)
{
	struct probe *probe = kzalloc(sizeof(*probe), GFP_KERNEL);

	if (!probe)
		return -ENOMEM;
	probe->device = platform_device_register_simple("dmabuf-probe", PLATFORM_DEVID_AUTO, NULL,
							0);
	if (IS_ERR(probe->device)) {
		long err = PTR_ERR(probe->device);

		kfree(probe);
		return err;
	}
	file->private_data = probe;
	return 0;
}

static int probe_release(struct inode *inode, struct file *file)
{
	struct probe *probe = file->private_data;

	detach(probe);
	platform_device_unregister(probe->device);
	kfree(probe);
	return 0;
}

static const struct file_operations probe_fops = {
	.owner = THIS_MODULE,
	.open = probe_open,
	.release = probe_release,
	.unlocked_ioctl = probe_ioctl,
};

static struct miscdevice probe_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "dmabuf-probe",
	.fops = &probe_fops,
	.mode = 0600,
};

module_misc_device(probe_device);

/* What MODULE_IMPORT_NS() makes of a name, which is a string in some kernels. */
MODULE_INFO(import_ns, "DMA_BUF");
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Tests of dma-bufs");
