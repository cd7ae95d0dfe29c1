// SPDX-License-Identifier: GPL-2.0
/*
 * Xen's refusals, at will. "CMD STATUS AT" in the module's parameter "inject" makes operation AT from
 * now (the first is 0) of those of GNTTABOP number CMD be refused with STATUS, a GNTST_*, once. Xen
 * then gets a reference that cannot be, so that it does nothing for that operation. With STATUS 1
 * Xen is not asked at all, and the hypercall as a whole fails with -ENOSYS. Reading the parameter
 * tells how often that has happened.
 */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/spinlock.h>

#include "inject.h"

#undef HYPERVISOR_grant_table_op
#undef gnttab_map_refs

#define NO_REF		U32_MAX
#define FAIL_ALL	1

static DEFINE_SPINLOCK(lock);
static unsigned int wanted, at, hits;
static int answer;

/* Which of @count operations is the one, and what it gets; -1 if none. */
static int choose(unsigned int cmd, unsigned int count, int *status)
{
	unsigned long flags;
	int chosen = -1;

	spin_lock_irqsave(&lock, flags);
	if (answer && cmd == wanted) {
		if (at < count) {
			chosen = at;
			*status = answer;
			answer = 0;
			hits++;
		} else {
			at -= count;
		}
	}
	spin_unlock_irqrestore(&lock, flags);
	return chosen;
}

static int refuse_copy(struct gnttab_copy *ops, unsigned int count, int chosen, int status)
{
	struct gnttab_copy *op = &ops[chosen];
	struct gnttab_copy_ptr *side = op->flags & GNTCOPY_source_gref ? &op->source : &op->dest;
	grant_ref_t ref = side->u.ref;
	int err;

	side->u.ref = NO_REF;
	err = HYPERVISOR_grant_table_op(GNTTABOP_copy, ops, count);
	side->u.ref = ref;
	op->status = status;
	return err;
}

int inject_grant_table_op(unsigned int cmd, void *ops, unsigned int count)
{
	struct gnttab_map_grant_ref *map = ops;
	grant_ref_t ref;
	int chosen, status, err;

	chosen = choose(cmd, count, &status);
	if (chosen < 0)
		return HYPERVISOR_grant_table_op(cmd, ops, count);
	if (status == FAIL_ALL)
		return -ENOSYS;
	if (cmd == GNTTABOP_copy)
		return refuse_copy(ops, count, chosen, status);
	if (WARN_ON(cmd != GNTTABOP_map_grant_ref))
		return -ENOSYS;
	ref = map[chosen].ref;
	map[chosen].ref = NO_REF;
	err = HYPERVISOR_grant_table_op(cmd, ops, count);
	map[chosen].ref = ref;
	map[chosen].status = status;
	return err;
}

int inject_map_refs(struct gnttab_map_grant_ref *ops, struct gnttab_map_grant_ref *kernel_ops,
		    struct page **pages, unsigned int count)
{
	grant_ref_t ref;
	int chosen, status, err;

	chosen = choose(GNTTABOP_map_grant_ref, count, &status);
	if (chosen < 0)
		return gnttab_map_refs(ops, kernel_ops, pages, count);
	if (status == FAIL_ALL)
		return -ENOSYS;
	ref = ops[chosen].ref;
	ops[chosen].ref = NO_REF;
	err = gnttab_map_refs(ops, kernel_ops, pages, count);
	ops[chosen].ref = ref;
	ops[chosen].status = status;
	return err;
}

static int set_inject(const char *text, const struct kernel_param *param)
{
	unsigned int cmd, place;
	unsigned long flags;
	int status;

	if (sscanf(text, "%u %d %u", &cmd, &status, &place) != 3)
		return -EINVAL;
	spin_lock_irqsave(&lock, flags);
	wanted = cmd;
	answer = status;
	at = place;
	spin_unlock_irqrestore(&lock, flags);
	return 0;
}

static int get_inject(char *text, const struct kernel_param *param)
{
	return sysfs_emit(text, "%u\n", hits);
}

static const struct kernel_param_ops inject_ops = {
	.set = set_inject,
	.get = get_inject,
};

module_param_cb(inject, &inject_ops, NULL, 0600);
