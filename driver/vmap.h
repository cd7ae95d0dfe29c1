/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_VMAP_H
#define GNTDEV_VMAP_H

struct gntdev_range;
struct gntdev_vmap;

struct gntdev_vmap *gntdev_vmap(const struct gntdev_range *range);
void *gntdev_vmap_address(const struct gntdev_vmap *view);
void gntdev_vunmap(struct gntdev_vmap *view);
void gntdev_vmap_suspend(struct gntdev_vmap *view);
void gntdev_vmap_resume(struct gntdev_vmap *view, const struct gntdev_range *range);

#endif
