/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GNTDEV_GRANTS_H
#define GNTDEV_GRANTS_H

#include <linux/types.h>

#include <xen/grant_table.h>

#include "../include/uapi/xen/gntdev.h"
#include "mode.h"

struct page;

/*
 * In the place of a page's handle: the page is not mapped since the domain was suspended, but the
 * kernel, which still uses it, finds memory at its address (gntdev_grants_stand_in()).
 */
#define GNTDEV_HANDLE_STAND_IN	(INVALID_GRANT_HANDLE - 1)

/**
 * gntdev_is_mapped() - is a grant mapped?
 * @handle: its handle, or what stands in the place of one
 *
 * Return: whether Xen has it mapped.
 */
static inline bool gntdev_is_mapped(grant_handle_t handle)
{
	return handle < GNTDEV_HANDLE_STAND_IN;
}

/*
 * Operations that go out in one hypercall: preemption may be off, or a lock held, for so many. They
 * may stand on the stack. With PREEMPT_RT, what the processor is not to be kept from others for.
 */
#define GNTDEV_GRANTS_BATCH	(IS_ENABLED(CONFIG_PREEMPT_RT) ? 8 : 26)

int gntdev_grants_init(void);
void gntdev_grants_exit(void);

int gntdev_grants_check(const struct ioctl_gntdev_grant_ref *refs, unsigned int count);

int gntdev_grants_map(const struct ioctl_gntdev_grant_ref *refs, struct page **pages,
		      grant_handle_t *handles, unsigned int count, bool readonly);
int gntdev_grants_hold(const struct ioctl_gntdev_grant_ref *refs, struct page **pages,
		       grant_handle_t *handles, unsigned int count, bool readonly, bool refuse);
unsigned int __must_check gntdev_grants_unmap(struct page **pages, grant_handle_t *handles,
					      unsigned int count);
unsigned int __must_check gntdev_grants_unmap_batch(struct page **pages, grant_handle_t *handles,
						    unsigned int count);
void gntdev_grants_warn(unsigned int refused);
unsigned int gntdev_grants_map_again(const struct ioctl_gntdev_grant_ref *refs,
				     struct page **pages, grant_handle_t *handles,
				     unsigned int count, bool readonly);
void gntdev_grants_stand_in(struct page **pages, grant_handle_t *handles, unsigned int count);
void gntdev_grants_drop_stand_ins(struct page **pages, grant_handle_t *handles,
				  unsigned int count);
void gntdev_grants_new_life(void);

/* What kind of page-table entries: a process's or the kernel's, and what they allow. */
enum gntdev_ptes {
	GNTDEV_PTES_USER,
	GNTDEV_PTES_USER_READONLY,
	GNTDEV_PTES_KERNEL,
};

int gntdev_grants_map_ptes(const struct ioctl_gntdev_grant_ref *refs, const u64 *ptes,
			   grant_handle_t *handles, unsigned int count, enum gntdev_ptes kind,
			   bool may_yield);
unsigned int __must_check gntdev_grants_unmap_ptes(const u64 *ptes, grant_handle_t *handles,
						   unsigned int count, bool may_yield);

#endif
