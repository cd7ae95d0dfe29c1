/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_SUSPEND_H
#define GNTDEV_SUSPEND_H

int gntdev_suspend_init(void);
void gntdev_suspend_exit(void);

#endif
