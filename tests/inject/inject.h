/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Read before each file of the driver (gcc -include), so that what Xen answers to a hypercall can be
 * chosen: the parameter "inject" of the module, see inject.c.
 */
#ifndef TESTS_INJECT_H
#define TESTS_INJECT_H

/* As files of the driver have it, which come too late. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mm.h>
#include <asm/xen/hypercall.h>
#include <xen/grant_table.h>

int inject_grant_table_op(unsigned int cmd, void *ops, unsigned int count);
int inject_map_refs(struct gnttab_map_grant_ref *ops, struct gnttab_map_grant_ref *kernel_ops,
		    struct page **pages, unsigned int count);

#define HYPERVISOR_grant_table_op inject_grant_table_op
#define gnttab_map_refs inject_map_refs

#endif
