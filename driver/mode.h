/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_MODE_H
#define GNTDEV_MODE_H

#include <linux/types.h>

#include <xen/features.h>
#include <xen/xen.h>

/**
 * gntdev_is_pv() - whether this domain manages its own page tables
 *
 * Return: true in a PV domain (dom0 or guest), false in an auto-translated one (PVH, HVM, Arm).
 */
static inline bool gntdev_is_pv(void)
{
	return IS_ENABLED(CONFIG_XEN_PV) && !xen_feature(XENFEAT_auto_translated_physmap);
}

#endif
