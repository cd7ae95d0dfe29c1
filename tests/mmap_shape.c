// SPDX-License-Identifier: GPL-2.0-or-later
/* mmap's offset and length must be those of one range exactly. */
#define _GNU_SOURCE
#include <unistd.h>

#include "lib/grant.h"

int main(void)
{
	uint64_t first, second, foreign;
	struct grants *grants;
	char *mapping;
	int fd, other;

	t_start();
	grants = grants_make(6);
	grants_fill(grants, 1);
	fd = dev_open();
	other = dev_open();
	check_errno("V1", dev_mmap(fd, 0, 1, RW), EINVAL, "an empty instance");
	check_ok("V1", dev_map(fd, grants->refs, 4, &first), "a range of four pages");
	check_ok("V1", dev_map(fd, grants->refs + 4, 2, &second), "a range of two pages");
	check_errno("V1", dev_mmap(fd, first, 5, RW), EINVAL, "a page too long");
	check_errno("V1", dev_mmap(fd, first, 6, RW), EINVAL, "two neighbours at once");
	check_errno("V1", dev_mmap(fd, first, 3, RW), EINVAL, "a page too short");
	check_errno("V1", dev_mmap(fd, first, 1, RW), EINVAL, "only the first page");
	check_errno("V1", dev_mmap(fd, first + PAGE, 3, RW), EINVAL, "the rest from page two on");
	check_errno("V1", dev_mmap(fd, first + PAGE, 4, RW), EINVAL, "four pages from page two on");
	check_errno("V1", dev_mmap(fd, second + 2 * PAGE, 2, RW), EINVAL, "behind the last range");
	check_errno("V1", dev_mmap(fd, second + 1000 * PAGE, 4, RW), EINVAL, "far behind it");
	check_errno("V1", dev_mmap(fd, first + (1ULL << 44), 4, RW), EINVAL,
		    "an offset that a 32-bit page number would cut to the right one");
	check_errno("V1", dev_mmap(other, first, 4, RW), EINVAL, "another instance's offset");
	check_ok("V1", dev_map(other, grants->refs, 4, &foreign), "the same pages in that instance");
	check_ok("V1", dev_unmap(other, foreign, 4), "and out of it again");
	check_eq("V1", xen_holds(grants), 0, "nothing of this was mapped");

	mapping = dev_mmap(fd, first, 4, RW);
	check("V1", mapping != MAP_FAILED, "exactly the first range");
	check_eq("V1", mapping_bad(mapping, 4, 1), 0, "shows its pages");
	dev_munmap(mapping, 4);
	mapping = dev_mmap(fd, second, 2, RW);
	check("V1", mapping != MAP_FAILED, "exactly the second range");
	for (int i = 0; i < 2; i++)
		check_eq("V1", ((uint64_t *)(mapping + i * PAGE))[7], pattern_word(1, 4 + i, 7),
			 "shows its page %d", i);
	/* mmap takes a length in bytes, and rounds it up. */
	dev_munmap(mapping, 2);
	mapping = mmap(NULL, PAGE + 1, RW, MAP_SHARED, fd, second);
	check("V1", mapping != MAP_FAILED, "a length that rounds up to the range's");
	munmap(mapping, PAGE + 1);
	close(fd);
	close(other);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
