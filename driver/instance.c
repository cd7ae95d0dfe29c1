// SPDX-License-Identifier: GPL-2.0
/*
 * The life of an instance, that is, of one open of the device; and who there are.
 */

#include <linux/list.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "instance.h"
#include "ports.h"

static LIST_HEAD(instances);
static DEFINE_MUTEX(instances_lock);	/* protects the list; outside of every instance's lock */

/**
 * gntdev_instance_create() - make an instance
 * @limit: how many references it may have
 *
 * Return: the instance, or NULL.
 */
struct gntdev_instance *gntdev_instance_create(unsigned int limit)
{
	struct gntdev_instance *instance = kmalloc(sizeof(*instance), GFP_KERNEL_ACCOUNT);

	if (!instance)
		return NULL;
	kref_init(&instance->ref);
	mutex_init(&instance->lock);
	gntdev_table_init(&instance->table, limit);
	gntdev_ports_init(&instance->ports);
	gntdev_known_init(&instance->exports);
	gntdev_known_init(&instance->imports);
	instance->space = NULL;

	mutex_lock(&instances_lock);
	list_add(&instance->link, &instances);
	mutex_unlock(&instances_lock);
	return instance;
}

/**
 * gntdev_instance_get() - hold an instance
 * @instance: the instance, which the caller knows to be held
 */
void gntdev_instance_get(struct gntdev_instance *instance)
{
	kref_get(&instance->ref);
}

static void instance_free(struct kref *ref)
{
	struct gntdev_instance *instance = container_of(ref, struct gntdev_instance, ref);

	mutex_lock(&instances_lock);
	list_del(&instance->link);
	mutex_unlock(&instances_lock);
	gntdev_ports_free(&instance->ports);
	mutex_destroy(&instance->lock);
	kfree(instance);
}

/**
 * gntdev_instance_put() - let go of an instance
 * @instance: the instance
 *
 * Sleeps. The caller holds no lock of the driver.
 */
void gntdev_instance_put(struct gntdev_instance *instance)
{
	kref_put(&instance->ref, instance_free);
}

/**
 * gntdev_instance_for_each() - do something for all instances there are
 * @call: called for each, under its lock; may sleep
 *
 * None comes or goes meanwhile.
 */
void gntdev_instance_for_each(void (*call)(struct gntdev_instance *instance))
{
	struct gntdev_instance *instance;

	mutex_lock(&instances_lock);
	list_for_each_entry(instance, &instances, link) {
		mutex_lock(&instance->lock);
		call(instance);
		mutex_unlock(&instance->lock);
	}
	mutex_unlock(&instances_lock);
}

/**
 * gntdev_instance_zap() - take the entries of all processes that have something of the device
 * mapped
 * @instance: one of the instances, under gntdev_instance_for_each()
 *
 * Instances of one device node have one address space, so that the first of them does it for all.
 */
void gntdev_instance_zap(struct gntdev_instance *instance)
{
	struct gntdev_instance *before = list_prev_entry(instance, link);

	if (!instance->space)
		return;
	if (!list_entry_is_head(before, &instances, link) && before->space == instance->space)
		return;
	unmap_mapping_range(instance->space, 0, 0, 1);
}
