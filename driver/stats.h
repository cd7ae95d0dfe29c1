/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_STATS_H
#define GNTDEV_STATS_H

#include <linux/percpu.h>
#include <linux/types.h>

struct attribute_group;

/**
 * struct gntdev_stats - what one processor has done, all instances together, since the module was
 *                       loaded
 * @registered: references registered
 * @mapped:     pages mapped, or about to be
 * @unmapped:   pages unmapped, or not mapped in the end
 * @copied:     segments of GRANT_COPY that Xen has copied
 * @refused:    segments that it has not
 * @events:     unmap notifications sent
 * @exported:   dma-bufs made of grants
 * @imported:   dma-bufs whose pages were granted
 */
struct gntdev_stats {
	u64 registered;
	u64 mapped;
	u64 unmapped;
	u64 copied;
	u64 refused;
	u64 events;
	u64 exported;
	u64 imported;
};

DECLARE_PER_CPU(struct gntdev_stats, gntdev_stats);

/* One instruction on x86. */
#define gntdev_count(member, n)	this_cpu_add(gntdev_stats.member, (u64)(n))

extern const struct attribute_group *gntdev_stats_groups[];

#endif
