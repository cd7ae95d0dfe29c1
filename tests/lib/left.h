/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LIB_LEFT_H
#define LIB_LEFT_H

#include <stdbool.h>

/*
 * Prints what a test may leave behind, a line each, sorted:
 *
 *   GUEST REF MAPPINGS     a grant that Xen says is mapped; dom0 calls guests by name, as their numbers
 *                          change, and a guest itself "self"; other domains are dN
 *   event channels: N      that this domain's programs have open
 *   process PID: NAME      whose program is in this folder
 *   dma-bufs: N
 *   mappings: N            of our driver, where the kernel's slabs count exactly (slab)
 *
 * "grants" is what Xen has, as oracle_all() has it. Not 0 where something cannot be read that must be there.
 */
int left_print(const char *grants, bool in_dom0, bool slab);

#endif
