/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_ARGPAGE_H
#define GNTDEV_ARGPAGE_H

void *gntdev_argpage_alloc(int node);
void gntdev_argpage_free(void *page);

#endif
