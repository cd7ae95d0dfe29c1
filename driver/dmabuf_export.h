/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_DMABUF_EXPORT_H
#define GNTDEV_DMABUF_EXPORT_H

#include <linux/types.h>

struct dma_buf;
struct gntdev_instance;
struct ioctl_gntdev_dmabuf_exp_from_refs;
struct ioctl_gntdev_dmabuf_exp_wait_released;

long gntdev_export(struct gntdev_instance *instance,
		   struct ioctl_gntdev_dmabuf_exp_from_refs __user *arg, unsigned int limit);
long gntdev_export_wait_released(struct gntdev_instance *instance,
				 struct ioctl_gntdev_dmabuf_exp_wait_released __user *arg);
bool gntdev_is_export(const struct dma_buf *dmabuf);
void gntdev_export_zap_all(struct gntdev_instance *instance);
void gntdev_export_suspend_all(struct gntdev_instance *instance);
unsigned int gntdev_export_resume_all(struct gntdev_instance *instance, bool restored);

#endif
