/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_COMPAT_H
#define GNTDEV_COMPAT_H

/* Every difference between the kernels that this driver is built for, and nothing else. */

#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/uaccess.h>
#include <linux/version.h>
#include <linux/workqueue.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
/*
 * Since 6.2 exporters are called with the buffer's reservation locked, which these do. Before, none
 * expects that of a static importer; only late releases of 6.1 have the functions.
 */
#define dma_buf_map_attachment_unlocked dma_buf_map_attachment
#define dma_buf_unmap_attachment_unlocked dma_buf_unmap_attachment
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
/* Since 6.3 vm_flags may only be changed through these. */
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
/* Where these are inline (arm64), they are not exported any more, and have another name. */
#ifdef INLINE_COPY_FROM_USER
#define _copy_from_user _inline_copy_from_user
#endif
#ifdef INLINE_COPY_TO_USER
#define _copy_to_user _inline_copy_to_user
#endif
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
#define gntdev_page_set_index(page, value)	((page)->__folio_index = (value))
#else
#define gntdev_page_set_index(page, value)	((page)->index = (value))
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
/* Since 6.17 a frame number has no flags with it here. */
#include <linux/pfn_t.h>
#define vmf_insert_mixed(vma, address, pfn)	vmf_insert_mixed(vma, address, pfn_to_pfn_t(pfn))
#endif

/*
 * The member of struct vm_operations_struct by which the core kernel asks for the page behind a
 * special entry. Its name is another one since 6.18, and it is there only if a driver wants it that
 * is built with the kernel: Linux's own gntdev does. Without it nothing works in a PV domain.
 */
#ifdef CONFIG_FIND_NORMAL_PAGE
#define GNTDEV_FIND_PAGE	find_normal_page
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
#define GNTDEV_FIND_PAGE	find_special_page
#endif
#ifdef GNTDEV_FIND_PAGE
#define GNTDEV_FINDS_PAGES	true
#else
#define GNTDEV_FINDS_PAGES	false
#endif

/* Members of struct dma_map_ops: since 6.19 memory is a physical address there, not a page. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
#define GNTDEV_MAP_PHYS		map_page
#define GNTDEV_UNMAP_PHYS	unmap_page
#define GNTDEV_PHYS_ARGS	struct page *page, unsigned long offset
#define GNTDEV_PHYS		(page_to_phys(page) + offset)
#else
#define GNTDEV_MAP_PHYS		map_phys
#define GNTDEV_UNMAP_PHYS	unmap_phys
#define GNTDEV_PHYS_ARGS	phys_addr_t phys
#define GNTDEV_PHYS		phys
#endif
/* Since 6.19 they are also asked for what is no memory, and this tells that (6.18). */
#ifndef DMA_ATTR_MMIO
#define DMA_ATTR_MMIO	0
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
/* The old name is there still, but 7.3 writes to the log when it is used. */
#define system_dfl_wq	system_unbound_wq
#endif

#ifdef CONFIG_PREEMPT_RT
/* rw_base_is_write_locked(), which is there since 6.9. Not tried on such a kernel. */
#define gntdev_rwsem_is_write_locked(sem)	\
	(atomic_read(&(sem)->rwbase.readers) == WRITER_BIAS)
#else
/* RWSEM_WRITER_LOCKED: in linux/rwsem.h since 6.9, private to the lock with this value before. */
#define gntdev_rwsem_is_write_locked(sem)	(atomic_long_read(&(sem)->count) & 1UL)
#endif

#endif
