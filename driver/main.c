// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/xen/gntdev: a user program's way to the pages that other domains grant to this one.
 *
 * The interface is described in gntdev(4), how the files of this driver hang together in
 * doc/design.md. This one is assembly: the module, the device node, and who does which ioctl.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <xen/page.h>
#include <xen/xen.h>

#include "../include/uapi/xen/gntdev.h"
#include "compat.h"
#include "copy.h"
#include "dmabuf_export.h"
#include "dmabuf_import.h"
#include "grants.h"
#include "instance.h"
#include "mapping.h"
#include "pages.h"
#include "range.h"
#include "stats.h"
#include "suspend.h"
#include "trace.h"
#include "vma.h"

static unsigned int limit = 65536;
module_param(limit, uint, 0644);
MODULE_PARM_DESC(limit, "grant references that one request may name (default 65536)");

static unsigned int max_grants = 1048576;
module_param(max_grants, uint, 0644);
MODULE_PARM_DESC(max_grants,
		 "grant references that one open of the device may have registered or made dma-bufs of (default 1048576)");

static int gntdev_open(struct inode *inode, struct file *file)
{
	struct gntdev_instance *instance = gntdev_instance_create(READ_ONCE(max_grants));

	if (!instance)
		return -ENOMEM;
	instance->space = file->f_mapping;
	file->private_data = instance;
	return 0;
}

static int gntdev_release(struct inode *inode, struct file *file)
{
	struct gntdev_instance *instance = file->private_data;

	mutex_lock(&instance->lock);
	instance->space = NULL;
	mutex_unlock(&instance->lock);
	/* Every VMA holds the file, so none of the ranges has one any more. */
	gntdev_range_remove_all(instance);
	gntdev_import_release_all(instance);
	gntdev_instance_put(instance);
	return 0;
}

/*
 * Reads the references of a request. That of the one page that most are for without
 * copy_from_user(), which makes sure in every place that memory from the heap has the room.
 */
static int read_refs(struct gntdev_range *range, const struct ioctl_gntdev_grant_ref __user *refs,
		     unsigned int count)
{
	if (count > 1)
		return copy_from_user(range->refs, refs, flex_array_size(range, refs, count)) ?
			       -EFAULT : 0;
	if (!user_read_access_begin(refs, sizeof(*refs)))
		return -EFAULT;
	unsafe_get_user(range->refs[0].domid, &refs->domid, err_fault);
	unsafe_get_user(range->refs[0].ref, &refs->ref, err_fault);
	user_read_access_end();
	return 0;

err_fault:
	user_read_access_end();
	return -EFAULT;
}

static noinline_for_stack long map_grant_ref(struct gntdev_instance *instance,
					     struct ioctl_gntdev_map_grant_ref __user *arg)
{
	struct gntdev_range *range;
	u32 count;
	long err;

	if (get_user(count, &arg->count))
		return -EFAULT;
	if (!count || count > READ_ONCE(limit))
		return -EINVAL;
	/* Only to be kind to the memory; gntdev_range_insert() asks again. */
	if (!gntdev_table_has_room(&instance->table, count))
		return -ENOSPC;

	range = gntdev_range_alloc(instance, count);
	if (!range)
		return -ENOMEM;
	err = read_refs(range, arg->refs, count);
	if (err)
		goto err_put;
	err = gntdev_grants_check(range->refs, count);
	if (!err)
		err = gntdev_range_insert(range);
	if (!err && put_user(gntdev_range_index(range), &arg->index)) {
		trace_gntdev_register(range->refs, gntdev_range_index(range), count, -EFAULT);
		gntdev_range_withdraw(range);
		return -EFAULT;
	}
	trace_gntdev_register(range->refs, gntdev_range_index(range), count, err);
	if (err)
		goto err_put;
	gntdev_count(registered, count);
	gntdev_range_publish(range);
	return 0;

err_put:
	gntdev_range_put(range);
	return err;
}

static noinline int remove_traced(struct gntdev_instance *instance, u64 index, u32 count)
{
	struct ioctl_gntdev_grant_ref ref;
	int err;

	gntdev_range_ref(instance, index, &ref);
	err = gntdev_range_remove(instance, index, count);
	trace_gntdev_unregister(&ref, index, count, err);
	return err;
}

static noinline_for_stack long unmap_grant_ref(struct gntdev_instance *instance,
					       struct ioctl_gntdev_unmap_grant_ref __user *arg)
{
	u64 index;
	u32 count;

	if (!user_read_access_begin(arg, sizeof(*arg)))
		return -EFAULT;
	unsafe_get_user(index, &arg->index, err_fault);
	unsafe_get_user(count, &arg->count, err_fault);
	user_read_access_end();
	if (trace_gntdev_unregister_enabled())
		return remove_traced(instance, index, count);
	return gntdev_range_remove(instance, index, count);

err_fault:
	user_read_access_end();
	return -EFAULT;
}

static noinline_for_stack long
get_offset_for_vaddr(struct gntdev_instance *instance,
		     struct ioctl_gntdev_get_offset_for_vaddr __user *arg)
{
	u64 address, index;
	u32 count;
	long err;

	if (get_user(address, &arg->vaddr))
		return -EFAULT;
	err = gntdev_vma_find(instance, address, &index, &count);
	if (err)
		return err;
	if (put_user(index, &arg->offset) || put_user(count, &arg->count))
		return -EFAULT;
	return 0;
}

static noinline_for_stack long set_max_grants(struct gntdev_instance *instance,
					      struct ioctl_gntdev_set_max_grants __user *arg)
{
	long err = 0;
	u32 count;

	if (get_user(count, &arg->count))
		return -EFAULT;
	if (!count || count > READ_ONCE(max_grants))
		return -EINVAL;

	mutex_lock(&instance->lock);
	if (instance->table.held)
		err = -EBUSY;
	else
		instance->table.limit = count;
	mutex_unlock(&instance->lock);
	return err;
}

/* So that it costs one instruction when nobody traces. */
static noinline int set_notify_traced(struct gntdev_instance *instance, u64 index, u32 action,
				      u32 port)
{
	int err = gntdev_range_set_notify(instance, index, action, port);
	struct ioctl_gntdev_grant_ref ref;

	gntdev_range_ref(instance, index, &ref);
	trace_gntdev_set_notify(&ref, index, action, port, err);
	return err;
}

static noinline_for_stack long set_unmap_notify(struct gntdev_instance *instance,
						struct ioctl_gntdev_unmap_notify __user *arg)
{
	u32 action, port;
	u64 index;

	if (!user_read_access_begin(arg, sizeof(*arg)))
		return -EFAULT;
	unsafe_get_user(index, &arg->index, err_fault);
	unsafe_get_user(action, &arg->action, err_fault);
	unsafe_get_user(port, &arg->event_channel_port, err_fault);
	user_read_access_end();
	if (trace_gntdev_set_notify_enabled())
		return set_notify_traced(instance, index, action, port);
	return gntdev_range_set_notify(instance, index, action, port);

err_fault:
	user_read_access_end();
	return -EFAULT;
}

static noinline_for_stack long grant_copy(struct ioctl_gntdev_grant_copy __user *arg)
{
	struct ioctl_gntdev_grant_copy_segment *segments;
	unsigned int count;

	if (get_user(count, &arg->count) || get_user(segments, &arg->segments))
		return -EFAULT;
	return gntdev_copy(count, (void __user *)segments, false);
}

static long gntdev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct gntdev_instance *instance = file->private_data;
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case IOCTL_GNTDEV_MAP_GRANT_REF:
		return map_grant_ref(instance, user);
	case IOCTL_GNTDEV_UNMAP_GRANT_REF:
		return unmap_grant_ref(instance, user);
	case IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR:
		return get_offset_for_vaddr(instance, user);
	case IOCTL_GNTDEV_SET_MAX_GRANTS:
		return set_max_grants(instance, user);
	case IOCTL_GNTDEV_SET_UNMAP_NOTIFY:
		return set_unmap_notify(instance, user);
	case IOCTL_GNTDEV_GRANT_COPY:
		return grant_copy(user);
	case IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS:
		return gntdev_export(instance, user, READ_ONCE(limit));
	case IOCTL_GNTDEV_DMABUF_EXP_WAIT_RELEASED:
		return gntdev_export_wait_released(instance, user);
	case IOCTL_GNTDEV_DMABUF_IMP_TO_REFS:
		return gntdev_import(instance, user, READ_ONCE(limit));
	case IOCTL_GNTDEV_DMABUF_IMP_RELEASE:
		return gntdev_import_release(instance, user);
	default:
		return -ENOTTY;
	}
}

#ifdef CONFIG_COMPAT
/* struct ioctl_gntdev_grant_copy of a 32-bit program. */
struct compat_grant_copy {
	compat_uint_t count;
	compat_uptr_t segments;
};

#define COMPAT_GRANT_COPY	_IOC(_IOC_NONE, 'G', 8, sizeof(struct compat_grant_copy))

/* All others have one layout for 32- and 64-bit programs. */
static long gntdev_compat_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct compat_grant_copy op;

	if (cmd == IOCTL_GNTDEV_GRANT_COPY)
		return -ENOTTY;
	if (cmd != COMPAT_GRANT_COPY)
		return gntdev_ioctl(file, cmd, (unsigned long)compat_ptr(arg));
	if (copy_from_user(&op, compat_ptr(arg), sizeof(op)))
		return -EFAULT;
	return gntdev_copy(op.count, compat_ptr(op.segments), true);
}
#endif

/* What an open of the device has, for who reads /proc/PID/fdinfo/FD: see gntdev(4). */
static void gntdev_show_fdinfo(struct seq_file *seq, struct file *file)
{
	struct gntdev_instance *instance = file->private_data;
	const struct gntdev_tally_domain *domain;
	unsigned int limit, references, exported, exports, imports;
	struct gntdev_tally tally;

	mutex_lock(&instance->lock);
	limit = instance->table.limit;
	references = instance->table.held;
	exported = instance->table.reserved;
	exports = instance->exports.count;
	imports = instance->imports.count;
	mutex_unlock(&instance->lock);
	gntdev_range_tally(instance, &tally);

	seq_printf(seq, "limit:\t%u\nreferences:\t%u\nranges:\t%u\n", limit, references,
		   tally.ranges);
	seq_printf(seq, "mapped:\t%u\nnotifications:\t%u\n", tally.mapped, tally.notifications);
	seq_printf(seq, "exports:\t%u\nimports:\t%u\nexported:\t%u\n", exports, imports,
		   exported);
	for (domain = tally.domains; domain < tally.domains + tally.count; domain++)
		seq_printf(seq, "domain:\t%u\t%u\t%u\n", domain->domid, domain->references,
			   domain->mapped);
	if (domain->references)
		seq_printf(seq, "domain:\tothers\t%u\t%u\n", domain->references, domain->mapped);
}

static const struct file_operations gntdev_fops = {
	.owner = THIS_MODULE,
	.open = gntdev_open,
	.release = gntdev_release,
	.mmap = gntdev_mmap,
	.show_fdinfo = gntdev_show_fdinfo,
	.unlocked_ioctl = gntdev_ioctl,
#ifdef CONFIG_COMPAT
	.compat_ioctl = gntdev_compat_ioctl,
#endif
};

static struct miscdevice gntdev_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "xen/gntdev",
	.groups = gntdev_stats_groups,
	.fops = &gntdev_fops,
	.mode = 0600,
};

static int __init gntdev_init(void)
{
	int err;

	if (!xen_domain())
		return -ENODEV;
	if (PAGE_SIZE != XEN_PAGE_SIZE) {
		pr_err("pages of %lu bytes are not supported: a grant is %lu bytes\n", PAGE_SIZE,
		       XEN_PAGE_SIZE);
		return -EOPNOTSUPP;
	}
	if (gntdev_is_pv() && !GNTDEV_FINDS_PAGES) {
		pr_err("a kernel without CONFIG_FIND_NORMAL_PAGE is not supported in a PV domain\n");
		return -EOPNOTSUPP;
	}

	err = gntdev_grants_init();
	if (err)
		return err;
	err = gntdev_pages_init();
	if (err)
		goto err_grants;
	err = gntdev_mapping_init();
	if (err)
		goto err_pages;
	err = gntdev_import_init();
	if (err)
		goto err_mapping;
	err = gntdev_suspend_init();
	if (err)
		goto err_import;
	err = misc_register(&gntdev_device);
	if (err)
		goto err_suspend;
	return 0;

err_suspend:
	gntdev_suspend_exit();
err_import:
	gntdev_import_exit();
err_mapping:
	gntdev_mapping_exit();
err_pages:
	gntdev_pages_exit();
err_grants:
	gntdev_grants_exit();
	return err;
}

static void __exit gntdev_exit(void)
{
	misc_deregister(&gntdev_device);
	gntdev_suspend_exit();
	gntdev_copy_exit();
	gntdev_import_exit();
	gntdev_mapping_exit();
	gntdev_pages_exit();
	gntdev_grants_exit();
}

module_init(gntdev_init);
module_exit(gntdev_exit);

/* What MODULE_IMPORT_NS() makes of a name, which is a string in some kernels. */
MODULE_INFO(import_ns, "DMA_BUF");
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("User-space access to grants of other Xen domains");
