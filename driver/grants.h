/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_GRANTS_H
#define GNTDEV_GRANTS_H

#include <linux/types.h>

#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/xen.h>

#include "../include/uapi/xen/gntdev.h"

struct page;

/**
 * gntdev_is_pv() - whether this domain manages its own page tables
 *
 * Return: true in a PV domain (dom0 or guest), false in an auto-translated one (PVH, HVM, Arm).
 */
static inline bool gntdev_is_pv(void)
{
	return IS_ENABLED(CONFIG_XEN_PV) && !xen_feature(XENFEAT_auto_translated_physmap);
}

/* Operations that go out in one hypercall. */
#define GNTDEV_GRANTS_BATCH	128

int gntdev_grants_init(void);
void gntdev_grants_exit(void);

int gntdev_grants_check(const struct ioctl_gntdev_grant_ref *refs, unsigned int count);

int gntdev_grants_map(const struct ioctl_gntdev_grant_ref *refs, struct page **pages,
		      grant_handle_t *handles, unsigned int count, bool readonly);
int gntdev_grants_hold(const struct ioctl_gntdev_grant_ref *refs, struct page **pages,
		       grant_handle_t *handles, unsigned int count, bool readonly, bool refuse);
void gntdev_grants_unmap(struct page **pages, grant_handle_t *handles, unsigned int count);

/* What kind of page-table entries: a process's or the kernel's, and what they allow. */
enum gntdev_ptes {
	GNTDEV_PTES_USER,
	GNTDEV_PTES_USER_READONLY,
	GNTDEV_PTES_KERNEL,
};

int gntdev_grants_map_ptes(const struct ioctl_gntdev_grant_ref *refs, const u64 *ptes,
			   grant_handle_t *handles, unsigned int count, enum gntdev_ptes kind,
			   bool may_yield);
void gntdev_grants_unmap_ptes(const u64 *ptes, grant_handle_t *handles, unsigned int count,
			      bool may_yield);

#endif
