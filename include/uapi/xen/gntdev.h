/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * gntdev.h - the interface of /dev/xen/gntdev
 *
 * Names, numbers and layouts are those of Xen's public gntdev interface:
 *
 * Copyright (c) 2007, D G Murray
 * Copyright (c) 2018, Oleksandr Andrushchenko, EPAM Systems Inc.
 *
 * A grant reference names one page that another domain shares. A program opens the device, which
 * makes an instance; registers grant references with it; and maps them with mmap(2). Everything
 * that is said here in one sentence is said in full in gntdev(4).
 *
 * The types are the kernel's fixed-width ones, so that C and C++ programs of any word size agree
 * on the layout. Arrays declared with one element are of variable length: the ioctl's number holds
 * the size of the structure with one.
 */

#ifndef _UAPI_XEN_GNTDEV_H
#define _UAPI_XEN_GNTDEV_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * struct ioctl_gntdev_grant_ref - one page of another domain
 * @domid: the domain that granted the page
 * @ref:   the grant reference, an index into that domain's grant table
 */
struct ioctl_gntdev_grant_ref {
	__u32 domid;
	__u32 ref;
};

/**
 * struct ioctl_gntdev_map_grant_ref - register grant references
 * @count: how many references follow
 * @pad:   ignored
 * @index: set by the driver: the file offset, in bytes, at which mmap(2) finds the range
 * @refs:  @count references, each of any domain
 *
 * Xen is asked for nothing before the mmap(2).
 */
struct ioctl_gntdev_map_grant_ref {
	__u32 count;
	__u32 pad;
	__u64 index;
	struct ioctl_gntdev_grant_ref refs[1];
};

#define IOCTL_GNTDEV_MAP_GRANT_REF \
	_IOC(_IOC_NONE, 'G', 0, sizeof(struct ioctl_gntdev_map_grant_ref))

/**
 * struct ioctl_gntdev_unmap_grant_ref - forget a range of registered references
 * @index: what IOCTL_GNTDEV_MAP_GRANT_REF answered
 * @count: the count that was given to it
 * @pad:   ignored
 *
 * The range must not be mapped any more: munmap(2) comes first.
 */
struct ioctl_gntdev_unmap_grant_ref {
	__u64 index;
	__u32 count;
	__u32 pad;
};

#define IOCTL_GNTDEV_UNMAP_GRANT_REF \
	_IOC(_IOC_NONE, 'G', 1, sizeof(struct ioctl_gntdev_unmap_grant_ref))

/**
 * struct ioctl_gntdev_get_offset_for_vaddr - ask which range is mapped at an address
 * @vaddr:  the first address of a mapping of this instance
 * @offset: set by the driver: the index of the range
 * @count:  set by the driver: the pages of the range
 * @pad:    ignored
 *
 * For a program that did not keep the index and needs it for IOCTL_GNTDEV_UNMAP_GRANT_REF.
 */
struct ioctl_gntdev_get_offset_for_vaddr {
	__u64 vaddr;
	__u64 offset;
	__u32 count;
	__u32 pad;
};

#define IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR \
	_IOC(_IOC_NONE, 'G', 2, sizeof(struct ioctl_gntdev_get_offset_for_vaddr))

/**
 * struct ioctl_gntdev_set_max_grants - limit what an instance may hold
 * @count: how many references may be registered with this instance at a time
 *
 * To be called while the instance holds no range.
 */
struct ioctl_gntdev_set_max_grants {
	__u32 count;
};

#define IOCTL_GNTDEV_SET_MAX_GRANTS \
	_IOC(_IOC_NONE, 'G', 3, sizeof(struct ioctl_gntdev_set_max_grants))

/**
 * struct ioctl_gntdev_unmap_notify - be missed when a page is unmapped
 * @index:              file offset, in bytes, of a byte in the page (the range's index, plus
 *                      4096 for each page before it, plus the byte's offset in it)
 * @action:             UNMAP_NOTIFY_* bits, or 0 to clear what was set for the page
 * @event_channel_port: the local port to notify, with UNMAP_NOTIFY_SEND_EVENT
 *
 * Each page has one notification; a later call replaces it. It is carried out however the mapping
 * ends, death of the process included, and only once.
 */
struct ioctl_gntdev_unmap_notify {
	__u64 index;
	__u32 action;
	__u32 event_channel_port;
};

#define IOCTL_GNTDEV_SET_UNMAP_NOTIFY \
	_IOC(_IOC_NONE, 'G', 7, sizeof(struct ioctl_gntdev_unmap_notify))

/* Write zero to the byte at @index, while the page is still mapped. */
#define UNMAP_NOTIFY_CLEAR_BYTE	0x1
/* Notify @event_channel_port, after the page was unmapped. */
#define UNMAP_NOTIFY_SEND_EVENT	0x2

/**
 * struct ioctl_gntdev_grant_copy_segment - one copy of up to a page
 * @source: where from: local memory, or a reference and the offset, in bytes, in its page
 * @dest:   where to, alike
 * @len:    how many bytes
 * @flags:  GNTCOPY_source_gref (1) and/or GNTCOPY_dest_gref (2) of <xen/grant_table.h>: which
 *          sides are references
 * @status: set by the driver: a GNTST_* value, GNTST_okay (0) if all bytes were copied
 */
struct ioctl_gntdev_grant_copy_segment {
	union {
		void *virt;
		struct {
			__u32 ref;
			__u16 offset;
			__u16 domid;
		} foreign;
	} source, dest;
	__u16 len;
	__u16 flags;
	__s16 status;
};

/**
 * struct ioctl_gntdev_grant_copy - copy to and from granted pages without mapping them
 * @count:    how many segments
 * @segments: the segments
 */
struct ioctl_gntdev_grant_copy {
	unsigned int count;
	struct ioctl_gntdev_grant_copy_segment *segments;
};

#define IOCTL_GNTDEV_GRANT_COPY \
	_IOC(_IOC_NONE, 'G', 8, sizeof(struct ioctl_gntdev_grant_copy))

/* The memory behind an exported dma-buf: write-combining, as dma_alloc_wc() gives it. */
#define GNTDEV_DMA_FLAG_WC		(1 << 0)
/* The memory behind an exported dma-buf: coherent, as dma_alloc_coherent() gives it. */
#define GNTDEV_DMA_FLAG_COHERENT	(1 << 1)

/**
 * struct ioctl_gntdev_dmabuf_exp_from_refs - make a dma-buf out of grant references
 * @flags: at most one of GNTDEV_DMA_FLAG_WC and GNTDEV_DMA_FLAG_COHERENT
 * @count: how many references follow, the buffer's size in pages
 * @fd:    set by the driver: a new descriptor of the dma-buf
 * @domid: the domain that granted the pages
 * @refs:  @count grant references
 */
struct ioctl_gntdev_dmabuf_exp_from_refs {
	__u32 flags;
	__u32 count;
	__u32 fd;
	__u32 domid;
	__u32 refs[1];
};

#define IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS \
	_IOC(_IOC_NONE, 'G', 9, sizeof(struct ioctl_gntdev_dmabuf_exp_from_refs))

/**
 * struct ioctl_gntdev_dmabuf_exp_wait_released - wait until an exported dma-buf is released
 * @fd:         the descriptor that IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS answered
 * @wait_to_ms: how long to wait, in milliseconds; 0 only asks
 */
struct ioctl_gntdev_dmabuf_exp_wait_released {
	__u32 fd;
	__u32 wait_to_ms;
};

#define IOCTL_GNTDEV_DMABUF_EXP_WAIT_RELEASED \
	_IOC(_IOC_NONE, 'G', 10, sizeof(struct ioctl_gntdev_dmabuf_exp_wait_released))

/**
 * struct ioctl_gntdev_dmabuf_imp_to_refs - grant the pages of a dma-buf to another domain
 * @fd:       a descriptor of any exporter's dma-buf
 * @count:    the buffer's size in pages
 * @domid:    the domain that may map the pages
 * @reserved: ignored; callers should pass 0
 * @refs:     set by the driver: @count grant references
 */
struct ioctl_gntdev_dmabuf_imp_to_refs {
	__u32 fd;
	__u32 count;
	__u32 domid;
	__u32 reserved;
	__u32 refs[1];
};

#define IOCTL_GNTDEV_DMABUF_IMP_TO_REFS \
	_IOC(_IOC_NONE, 'G', 11, sizeof(struct ioctl_gntdev_dmabuf_imp_to_refs))

/**
 * struct ioctl_gntdev_dmabuf_imp_release - end the grants of an imported dma-buf
 * @fd:       the descriptor that was given to IOCTL_GNTDEV_DMABUF_IMP_TO_REFS
 * @reserved: ignored; callers should pass 0
 */
struct ioctl_gntdev_dmabuf_imp_release {
	__u32 fd;
	__u32 reserved;
};

#define IOCTL_GNTDEV_DMABUF_IMP_RELEASE \
	_IOC(_IOC_NONE, 'G', 12, sizeof(struct ioctl_gntdev_dmabuf_imp_release))

#endif /* _UAPI_XEN_GNTDEV_H */
