/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints, /sys/kernel/tracing/events/gntdev: what programs ask for and what comes of it. The
 * reference and the domain are those of the first page where an event is about several. gntdev(4)
 * lists them.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM gntdev

#if !defined(GNTDEV_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define GNTDEV_TRACE_H

#include <linux/tracepoint.h>

#include <xen/interface/grant_table.h>

#include "../include/uapi/xen/gntdev.h"

/* @ref is the first of the range, @index where it is. */
DECLARE_EVENT_CLASS(gntdev_range_class,
	TP_PROTO(const struct ioctl_gntdev_grant_ref *ref, u64 index, u32 count, int result),
	TP_ARGS(ref, index, count, result),
	TP_STRUCT__entry(
		__field(u64, index)
		__field(u32, count)
		__field(u32, domid)
		__field(u32, ref)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->index = index;
		__entry->count = count;
		__entry->domid = ref->domid;
		__entry->ref = ref->ref;
		__entry->result = result;
	),
	TP_printk("domid=%u ref=%u index=%#llx count=%u result=%d", __entry->domid, __entry->ref,
		  __entry->index, __entry->count, __entry->result)
);

/* MAP_GRANT_REF; without an index if that failed. */
DEFINE_EVENT(gntdev_range_class, gntdev_register,
	TP_PROTO(const struct ioctl_gntdev_grant_ref *ref, u64 index, u32 count, int result),
	TP_ARGS(ref, index, count, result)
);

/* mmap, of the device or of a dma-buf. */
DEFINE_EVENT(gntdev_range_class, gntdev_map,
	TP_PROTO(const struct ioctl_gntdev_grant_ref *ref, u64 index, u32 count, int result),
	TP_ARGS(ref, index, count, result)
);

/* The last user of the range is gone, and so is its mapping, busy pages apart. */
DEFINE_EVENT(gntdev_range_class, gntdev_unmap,
	TP_PROTO(const struct ioctl_gntdev_grant_ref *ref, u64 index, u32 count, int result),
	TP_ARGS(ref, index, count, result)
);

/* UNMAP_GRANT_REF. */
DEFINE_EVENT(gntdev_range_class, gntdev_unregister,
	TP_PROTO(const struct ioctl_gntdev_grant_ref *ref, u64 index, u32 count, int result),
	TP_ARGS(ref, index, count, result)
);

/* Pages that the kernel still uses are unmapped later: at most so many. */
TRACE_EVENT(gntdev_unmap_later,
	TP_PROTO(u32 count),
	TP_ARGS(count),
	TP_STRUCT__entry(
		__field(u32, count)
	),
	TP_fast_assign(
		__entry->count = count;
	),
	TP_printk("count=%u", __entry->count)
);

/* SET_UNMAP_NOTIFY. */
TRACE_EVENT(gntdev_set_notify,
	TP_PROTO(const struct ioctl_gntdev_grant_ref *ref, u64 index, u32 action, u32 port,
		 int result),
	TP_ARGS(ref, index, action, port, result),
	TP_STRUCT__entry(
		__field(u64, index)
		__field(u32, domid)
		__field(u32, ref)
		__field(u32, action)
		__field(u32, port)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->index = index;
		__entry->domid = ref->domid;
		__entry->ref = ref->ref;
		__entry->action = action;
		__entry->port = port;
		__entry->result = result;
	),
	TP_printk("domid=%u ref=%u index=%#llx action=%#x port=%u result=%d", __entry->domid,
		  __entry->ref, __entry->index, __entry->action, __entry->port, __entry->result)
);

/* An unmap notification's event goes out. */
TRACE_EVENT(gntdev_send_event,
	TP_PROTO(u32 port, u32 page),
	TP_ARGS(port, page),
	TP_STRUCT__entry(
		__field(u32, port)
		__field(u32, page)
	),
	TP_fast_assign(
		__entry->port = port;
		__entry->page = page;
	),
	TP_printk("port=%u page=%u", __entry->port, __entry->page)
);

/* One segment of a GRANT_COPY; a side in local memory has domid 32752 (DOMID_SELF) and a frame. */
TRACE_EVENT(gntdev_copy,
	TP_PROTO(const struct gnttab_copy *op, int status),
	TP_ARGS(op, status),
	TP_STRUCT__entry(
		__field(u64, from)
		__field(u64, to)
		__field(u16, from_domid)
		__field(u16, to_domid)
		__field(u16, from_offset)
		__field(u16, to_offset)
		__field(u16, len)
		__field(s16, status)
	),
	TP_fast_assign(
		__entry->from = op->flags & GNTCOPY_source_gref ? op->source.u.ref :
								  op->source.u.gmfn;
		__entry->to = op->flags & GNTCOPY_dest_gref ? op->dest.u.ref : op->dest.u.gmfn;
		__entry->from_domid = op->source.domid;
		__entry->to_domid = op->dest.domid;
		__entry->from_offset = op->source.offset;
		__entry->to_offset = op->dest.offset;
		__entry->len = op->len;
		__entry->status = status;
	),
	TP_printk("from domid=%u ref=%llu offset=%u to domid=%u ref=%llu offset=%u len=%u status=%d",
		  __entry->from_domid, __entry->from, __entry->from_offset, __entry->to_domid,
		  __entry->to, __entry->to_offset, __entry->len, __entry->status)
);

DECLARE_EVENT_CLASS(gntdev_dmabuf_class,
	TP_PROTO(u32 domid, u32 ref, u32 count, int fd, int result),
	TP_ARGS(domid, ref, count, fd, result),
	TP_STRUCT__entry(
		__field(u32, domid)
		__field(u32, ref)
		__field(u32, count)
		__field(int, fd)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->domid = domid;
		__entry->ref = ref;
		__entry->count = count;
		__entry->fd = fd;
		__entry->result = result;
	),
	TP_printk("domid=%u ref=%u count=%u fd=%d result=%d", __entry->domid, __entry->ref,
		  __entry->count, __entry->fd, __entry->result)
);

/* DMABUF_EXP_FROM_REFS. */
DEFINE_EVENT(gntdev_dmabuf_class, gntdev_export,
	TP_PROTO(u32 domid, u32 ref, u32 count, int fd, int result),
	TP_ARGS(domid, ref, count, fd, result)
);

/* DMABUF_IMP_TO_REFS. */
DEFINE_EVENT(gntdev_dmabuf_class, gntdev_import,
	TP_PROTO(u32 domid, u32 ref, u32 count, int fd, int result),
	TP_ARGS(domid, ref, count, fd, result)
);

DECLARE_EVENT_CLASS(gntdev_fd_class,
	TP_PROTO(int fd, int result),
	TP_ARGS(fd, result),
	TP_STRUCT__entry(
		__field(int, fd)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->fd = fd;
		__entry->result = result;
	),
	TP_printk("fd=%d result=%d", __entry->fd, __entry->result)
);

/* A dma-buf made of grants is gone, and Xen has everything back. */
DEFINE_EVENT(gntdev_fd_class, gntdev_export_released,
	TP_PROTO(int fd, int result),
	TP_ARGS(fd, result)
);

/* DMABUF_IMP_RELEASE. */
DEFINE_EVENT(gntdev_fd_class, gntdev_import_release,
	TP_PROTO(int fd, int result),
	TP_ARGS(fd, result)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
