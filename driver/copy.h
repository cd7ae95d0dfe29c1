/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_COPY_H
#define GNTDEV_COPY_H

#include <linux/types.h>

struct ioctl_gntdev_grant_copy_segment;

void gntdev_copy_exit(void);
long gntdev_copy(u32 count, struct ioctl_gntdev_grant_copy_segment __user *segments, bool compat);

#endif
