// SPDX-License-Identifier: GPL-2.0
/*
 * What happens when the domain is saved, checkpointed or migrated.
 *
 * A domain that is suspended must not have anything of another one mapped: what goes on afterwards
 * may be a new domain, for which Xen knows of no mapping. So all grants are given back before. The
 * kernel (do_suspend() in drivers/xen/manage.c) freezes all processes, and has all devices freeze;
 * we have one for that. What it calls afterwards tells what goes on:
 *
 * - thaw: the same domain, as after a checkpoint, or if nothing came of it. All is mapped again.
 * - restore: another domain, or this one on another host. What the references named is no more:
 * they
 *   are numbers that other domains gave to another one. All mappings have ended; who accesses one
 *   gets SIGBUS, and nothing is asked of Xen for them any more. Event channel ports are not those
 *   of before, either (ports.c).
 *
 * A suspend of the machine (S3) has other callbacks. Xen keeps the grants over that.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/platform_device.h>
#include <linux/pm.h>
#include <linux/sched/mm.h>

#include "dmabuf_export.h"
#include "grants.h"
#include "instance.h"
#include "mapping.h"
#include "ports.h"
#include "range.h"
#include "suspend.h"

static struct platform_device *suspend_device;

/* Pages that did not come back; of one resume at a time. */
static unsigned int missing;

static void zap(struct gntdev_instance *instance)
{
	gntdev_instance_zap(instance);
	gntdev_export_zap_all(instance);
}

static void suspend(struct gntdev_instance *instance)
{
	gntdev_range_suspend_all(instance);
	gntdev_export_suspend_all(instance);
}

static void map_again(struct gntdev_instance *instance)
{
	missing += gntdev_range_resume_all(instance, false);
	missing += gntdev_export_resume_all(instance, false);
}

/* An entry that a kernel thread's page fault has made in the meantime must not stay. */
static void end(struct gntdev_instance *instance)
{
	zap(instance);
	missing += gntdev_range_resume_all(instance, true);
	missing += gntdev_export_resume_all(instance, true);
}

static int freeze(struct device *dev)
{
	/* Devices that memory would be written to may be frozen already. */
	unsigned int noio = memalloc_noio_save();

	gntdev_mapping_suspend_begin();
	gntdev_instance_for_each(zap);
	gntdev_instance_for_each(suspend);
	gntdev_mapping_suspend_busy();
	memalloc_noio_restore(noio);
	return 0;
}

static int thaw(struct device *dev)
{
	unsigned int noio = memalloc_noio_save();

	missing = 0;
	gntdev_instance_for_each(map_again);
	gntdev_mapping_resume_busy(false);
	if (missing)
		gntdev_instance_for_each(zap);
	gntdev_mapping_resume_end();
	memalloc_noio_restore(noio);
	if (missing)
		pr_warn("%u pages are no longer granted: they are gone from their mappings\n",
			missing);
	return 0;
}

static int restore(struct device *dev)
{
	unsigned int noio = memalloc_noio_save();

	missing = 0;
	gntdev_ports_life++;
	gntdev_grants_new_life();
	gntdev_instance_for_each(end);
	gntdev_mapping_resume_busy(true);
	gntdev_mapping_resume_end();
	memalloc_noio_restore(noio);
	if (missing)
		pr_notice("this domain was restored: %u pages are gone from their mappings\n",
			  missing);
	return 0;
}

static const struct dev_pm_ops suspend_ops = {
	.freeze = freeze,
	.thaw = thaw,
	.restore = restore,
};

static int suspend_probe(struct platform_device *device)
{
	return 0;
}

static struct platform_driver suspend_driver = {
	.probe = suspend_probe,
	.driver = {
		.name = "xen-gntdev-suspend",
		.pm = &suspend_ops,
		.suppress_bind_attrs = true,
	},
};

/**
 * gntdev_suspend_init() - make ready for the domain to be suspended
 *
 * Return: 0 or an errno.
 */
int gntdev_suspend_init(void)
{
	int err = platform_driver_register(&suspend_driver);

	if (err)
		return err;
	suspend_device = platform_device_register_simple(suspend_driver.driver.name,
							 PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(suspend_device)) {
		platform_driver_unregister(&suspend_driver);
		return PTR_ERR(suspend_device);
	}
	return 0;
}

/**
 * gntdev_suspend_exit() - undo gntdev_suspend_init()
 */
void gntdev_suspend_exit(void)
{
	platform_device_unregister(suspend_device);
	platform_driver_unregister(&suspend_driver);
}
