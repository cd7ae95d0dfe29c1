/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_SWEEP_H
#define GNTDEV_SWEEP_H

#include <linux/list.h>
#include <linux/types.h>

/**
 * struct gntdev_sweep - the part of an object that is looked at some time after it was used
 * @link:  place among those that wait, or empty
 * @asked: when it was used last, by gntdev_sweep_round(); 0 if never
 */
struct gntdev_sweep {
	struct list_head link;
	unsigned int asked;
};

static inline void gntdev_sweep_prepare(struct gntdev_sweep *sweep)
{
	INIT_LIST_HEAD(&sweep->link);
	sweep->asked = 0;
}

void gntdev_sweep_init(bool (*attempt)(struct gntdev_sweep *sweep));
void gntdev_sweep_exit(void);
bool gntdev_sweep_is_used(const struct gntdev_sweep *sweep);
void gntdev_sweep_use(struct gntdev_sweep *sweep);
void gntdev_sweep_cancel(struct gntdev_sweep *sweep);

#endif
