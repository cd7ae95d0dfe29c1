// SPDX-License-Identifier: GPL-2.0
/*
 * Counters of the whole driver, each a file in /sys/class/misc/xen!gntdev/stats: see gntdev(4).
 */

#include <linux/device.h>
#include <linux/sysfs.h>

#include "stats.h"

DEFINE_PER_CPU(struct gntdev_stats, gntdev_stats);

static ssize_t show_sum(char *page, u64 __percpu *counter)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(counter, cpu));
	return sysfs_emit(page, "%llu\n", sum);
}

#define COUNTER(name)									\
static ssize_t name##_show(struct device *dev, struct device_attribute *attr, char *page)	\
{											\
	return show_sum(page, &gntdev_stats.name);					\
}											\
static DEVICE_ATTR_RO(name)

COUNTER(registered);
COUNTER(mapped);
COUNTER(unmapped);
COUNTER(copied);
COUNTER(refused);
COUNTER(events);
COUNTER(exported);
COUNTER(imported);

static struct attribute *counters[] = {
	&dev_attr_registered.attr,
	&dev_attr_mapped.attr,
	&dev_attr_unmapped.attr,
	&dev_attr_copied.attr,
	&dev_attr_refused.attr,
	&dev_attr_events.attr,
	&dev_attr_exported.attr,
	&dev_attr_imported.attr,
	NULL
};

static const struct attribute_group stats_group = {
	.name = "stats",
	.attrs = counters,
};

const struct attribute_group *gntdev_stats_groups[] = {
	&stats_group,
	NULL
};
