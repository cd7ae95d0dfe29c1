/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What Xen takes for itself, for the benchmark: /dev/bench-floor does bare hypercalls, and nothing
 * that a driver would have to do around them.
 */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include <linux/ioctl.h>
#include <linux/types.h>

/*
 * @what is done @rounds times, each time for all @n references at @refs, which domain @domid has
 * granted, and by one hypercall. @spent is set to the nanoseconds that it took.
 */
struct floor_run {
	__u32 what;
	__u32 n;
	__u32 rounds;
	__u32 domid;
	__u32 bytes;		/* of each page, for copies */
	__u32 reserved;
	__u64 refs;		/* an array of __u32 */
	__u64 spent;		/* answer */
};

#define FLOOR_RUN	_IOWR('b', 1, struct floor_run)

#define FLOOR_NULL	0	/* xen_version: what any hypercall takes; @n is not used */
#define FLOOR_KERNEL	1	/* map at kernel addresses of pages of ours, and unmap */
#define FLOOR_ENTRIES	2	/* PV: the same by page-table entries, as of a process */
#define FLOOR_COPY_FROM	3	/* copy @bytes from each reference to a page of ours */
#define FLOOR_COPY_TO	4	/* the other way round */

/* An ioctl that does nothing. */
#define FLOOR_EMPTY	_IO('b', 2)

#endif
