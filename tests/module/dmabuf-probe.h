/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What only a driver can do with a dma-buf, for the tests: /dev/dmabuf-probe. An open of it has at
 * most one buffer attached.
 */
#ifndef DMABUF_PROBE_H
#define DMABUF_PROBE_H

#include <linux/ioctl.h>
#include <linux/types.h>

/*
 * Attaches a device that reaches @dma_bits of address to buffer @fd, has it mapped, and stores the
 * device's address of each page at @addresses (room for @count; set to how many there are).
 * @type is set to the memory type (below) of the kernel's own address of the first page.
 */
struct probe_attach {
	__s32 fd;
	__u32 dma_bits;
	__u32 count;
	__u32 type;
	__u64 addresses;
};

#define PROBE_ATTACH	_IOWR('p', 1, struct probe_attach)
#define PROBE_DETACH	_IO('p', 2)

/* Has the kernel look at buffer @fd at once: byte @offset is read to @old, and becomes @value. */
struct probe_touch {
	__s32 fd;
	__u32 offset;
	__u8 value;
	__u8 old;
	__u8 type;		/* see PROBE_TYPE_*: of the kernel's entry for that byte */
	__u8 reserved;
};

#define PROBE_TOUCH	_IOWR('p', 3, struct probe_touch)

/* Has the kernel map buffer @fd until PROBE_DETACH; @address is set to where. */
struct probe_hold {
	__s32 fd;
	__u32 reserved;
	__u64 address;
};

#define PROBE_HOLD	_IOWR('p', 7, struct probe_hold)

/* What the page-table entry of the caller at @address really has. */
struct probe_entry {
	__u64 address;
	__u8 present;
	__u8 writable;
	__u8 type;
	__u8 reserved[5];
};

#define PROBE_ENTRY	_IOWR('p', 4, struct probe_entry)

/* Memory types as x86's PAT has them. On Arm WC is Normal memory that is not cached. */
#define PROBE_TYPE_WC	1
#define PROBE_TYPE_WB	6

/* A buffer of the module's own: @count pages, told to importers in an unusual way. */
struct probe_export {
	__u32 count;
	__u32 shape;
	__s32 fd;		/* answer */
	__u32 reserved;
};

#define PROBE_EXPORT	_IOWR('p', 5, struct probe_export)

#define PROBE_LONG	0	/* one entry for all pages */
#define PROBE_OFFSET	1	/* one entry, whose page is the one before the first: offset 4096 */
#define PROBE_UNALIGNED	2	/* one entry, that begins in the middle of a page */
#define PROBE_SHORT	3	/* one page less than the buffer's size */
#define PROBE_BEYOND	4	/* one page more */
#define PROBE_BUSY	5	/* no importer may map it: -EBUSY */

/* Buffers of PROBE_EXPORT that are not released yet. */
#define PROBE_EXPORTS	_IO('p', 6)

/*
 * Looks up the caller's page at @address as a driver does that shares a process's memory with a
 * device (hmm_range_fault()), for writing. @byte is what is in the page that it is told of, at the
 * offset of @address.
 */
struct probe_hmm {
	__u64 address;
	__u64 frame;
	__u8 byte;
	__u8 reserved[7];
};

#define PROBE_HMM	_IOWR('p', 8, struct probe_hmm)

#endif
