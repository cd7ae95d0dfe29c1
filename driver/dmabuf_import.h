/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_DMABUF_IMPORT_H
#define GNTDEV_DMABUF_IMPORT_H

#include <linux/types.h>

struct gntdev_instance;
struct ioctl_gntdev_dmabuf_imp_release;
struct ioctl_gntdev_dmabuf_imp_to_refs;

int gntdev_import_init(void);
void gntdev_import_exit(void);
long gntdev_import(struct gntdev_instance *instance,
		   struct ioctl_gntdev_dmabuf_imp_to_refs __user *arg, unsigned int limit);
long gntdev_import_release(struct gntdev_instance *instance,
			   struct ioctl_gntdev_dmabuf_imp_release __user *arg);
void gntdev_import_release_all(struct gntdev_instance *instance);

#endif
