/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io_uring with memory of the caller's, for kernel headers old and new. */
#ifndef TESTS_LIB_RING_H
#define TESTS_LIB_RING_H

#include <linux/io_uring.h>
#include <stdint.h>
#include <string.h>

/**
 * ring_use_memory() - for IORING_SETUP_NO_MMAP
 * @params:  what io_uring_setup() gets
 * @rings:   where both rings are to be
 * @entries: where the submissions are to be
 *
 * The last members of the two structs are called user_addr since Linux 6.5, and resv2 before.
 */
static inline void ring_use_memory(struct io_uring_params *params, void *rings, void *entries)
{
	uint64_t at[] = { (uintptr_t)rings, (uintptr_t)entries };

	memcpy((char *)(&params->cq_off + 1) - sizeof(at[0]), &at[0], sizeof(at[0]));
	memcpy((char *)(&params->sq_off + 1) - sizeof(at[1]), &at[1], sizeof(at[1]));
}

#endif
