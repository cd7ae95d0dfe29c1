/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How long a process keeps a processor, or a lock, from others: /dev/latency-probe notes the
 * longest stretch of each kind between START and STOP. For a machine of one processor.
 */
#ifndef LATENCY_PROBE_H
#define LATENCY_PROBE_H

#include <linux/ioctl.h>
#include <linux/types.h>

enum {
	PROBE_PREEMPT,		/* preemption off */
	PROBE_PREEMPT_OURS,	/* the same, by the driver: a buffer of a CPU, a spinlock */
	PROBE_IRQS,		/* interrupts off */
	PROBE_MUTEX,		/* a mutex that the driver takes */
	PROBE_MMAP,		/* mmap_lock of the process, held to write */
	PROBE_KINDS
};

/* The processes of group @tgid, and the driver, whose code is between @text and @end. */
struct probe_start {
	__u64 text;
	__u64 end;
	__u32 tgid;
	__u32 reserved;
};

/*
 * @longest is in nanoseconds, without interrupts in between; 0 if there was none. @where is who
 * began the longest, and @count how many there were.
 */
struct probe_result {
	__u64 longest[PROBE_KINDS];
	__u64 where[PROBE_KINDS];
	__u64 count[PROBE_KINDS];
};

#define PROBE_START	_IOW('l', 1, struct probe_start)
#define PROBE_STOP	_IOR('l', 2, struct probe_result)

#endif
