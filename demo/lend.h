/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages of a dma-buf of the driver vgem, granted through /dev/xen/gntdev. */
#ifndef DEMO_LEND_H
#define DEMO_LEND_H

#include "common.h"

/* As grant_pages(): the grants are those of a buffer that is imported. */
char *lend_pages(unsigned int domid, unsigned int pages, struct offer *offer);
/* Ends the grants. */
void lend_end(void);

#endif
