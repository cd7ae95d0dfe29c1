// SPDX-License-Identifier: GPL-2.0-or-later
/* UNMAP_GRANT_REF takes what MAP_GRANT_REF made, unmapped, and nothing else. */
#define _GNU_SOURCE
#include <unistd.h>

#include "lib/grant.h"

int main(void)
{
	uint64_t index, other;
	struct grants *grants;
	void *mapping;
	int fd, second;

	t_start();
	grants = grants_make(4);
	grants_fill(grants, 5);
	fd = dev_open();
	second = dev_open();
	check_errno("M5", dev_unmap(fd, 0, 1), ENOENT, "of an empty table");
	check_ok("M5", dev_map(fd, grants->refs, 4, &index), "a range of four pages");
	check_errno("M5", dev_unmap(fd, index + PAGE, 3), ENOENT, "its last three pages");
	check_errno("M5", dev_unmap(fd, index + PAGE, 4), ENOENT, "from its second page on");
	check_errno("M5", dev_unmap(fd, index, 3), ENOENT, "a count that is too small");
	check_errno("M5", dev_unmap(fd, index, 5), ENOENT, "a count that is too large");
	check_errno("M5", dev_unmap(fd, index, 0), ENOENT, "a count of 0");
	check_errno("M5", dev_unmap(fd, index, UINT32_MAX), ENOENT, "a count of 2^32-1");
	check_errno("M5", dev_unmap(fd, index + 1, 4), ENOENT, "an index one byte too high");
	check_errno("M5", dev_unmap(fd, index + PAGE - 1, 4), ENOENT, "an index a byte short");
	check_errno("M5", dev_unmap(fd, index + 4 * PAGE, 4), ENOENT, "the page behind it");
	check_errno("M5", dev_unmap(fd, -PAGE, 4), ENOENT, "index and count past 2^64");
	check_errno("M5", dev_unmap(fd, -4 * PAGE, 4), ENOENT, "index and count just to 2^64");
	check_errno("M5", dev_unmap(fd, index + (1ULL << 44), 4), ENOENT,
		    "an index that a 32-bit page number would cut to the right one");
	check_errno("M5", dev_unmap(fd, index | 1ULL << 63, 4), ENOENT, "an index with the top bit");
	check_errno("M5", dev_unmap(second, index, 4), ENOENT, "a range of another instance");

	mapping = dev_mmap(fd, index, 4, RW);
	check("M5", mapping != MAP_FAILED, "after all that it can be mapped");
	check_errno("M5", dev_unmap(fd, index, 4), EBUSY, "while it is mapped");
	check_errno("M5", dev_unmap(fd, index, 3), ENOENT, "while mapped, with a wrong count");
	check_eq("M5", mapping_bad(mapping, 4, 5), 0, "and the mapping is as before");
	check_ok("M5", dev_munmap(mapping, 4), "munmap");
	mapping = dev_mmap(fd, index, 4, RW);
	check("M5", mapping != MAP_FAILED, "it is in the table as before: it can be mapped");
	dev_munmap(mapping, 4);
	check_ok("M5", dev_unmap(fd, index, 4), "it goes when it is not mapped");
	check_errno("M5", dev_unmap(fd, index, 4), ENOENT, "once");
	check_errno("M5", dev_mmap(fd, index, 4, RW), EINVAL, "and cannot be mapped any more");
	check_ok("M5", dev_map(fd, grants->refs, 4, &other), "it can be registered anew");
	check_ok("M5", dev_unmap(fd, other, 4), "and removed");
	close(fd);
	close(second);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
