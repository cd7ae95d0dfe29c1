// SPDX-License-Identifier: GPL-2.0-or-later
/* After munmap Xen holds nothing of a range, and it can be mapped again. */
#define _GNU_SOURCE
#include <unistd.h>

#include "lib/grant.h"

static void sizes(int fd)
{
	static const unsigned int sizes[] = { 1, 2, 33, 512, 700 };

	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct grants *grants = grants_make(sizes[i]);
		unsigned int n = sizes[i], bad = 0;
		uint64_t index;
		void *mapping;

		grants_fill(grants, i);
		dev_map(fd, grants->refs, n, &index);
		check_eq("V4", xen_holds(grants), 0, "%u pages: registering maps nothing", n);
		mapping = dev_mmap(fd, index, n, RW);
		if (!check("V4", mapping != MAP_FAILED, "%u pages: mmap", n))
			goto next;
		check_eq("V4", mapping_bad(mapping, n, i), 0, "%u pages: show what was granted", n);
		/* Xen's list goes over a serial line: not for hundreds of pages. */
		if (n < 100)
			check("V4", xen_holds(grants) >= n, "%u pages: Xen holds them while mapped", n);
		mapping_fill(mapping, n, i + 100);
		check_eq("V4", grants_bad(grants, i + 100), 0,
			 "%u pages: the granter sees what was written", n);
		check_ok("V4", dev_munmap(mapping, n), "%u pages: munmap", n);
		check_eq("V4", xen_holds(grants), 0,
			 "%u pages: Xen holds nothing, before UNMAP_GRANT_REF", n);
		for (int round = 0; round < 5; round++) {
			mapping = dev_mmap(fd, index, n, round % 2 ? RO : RW);
			if (mapping == MAP_FAILED) {
				bad = round + 1;
				break;
			}
			bad += mapping_bad(mapping, n, i + 100);
			dev_munmap(mapping, n);
		}
		check_eq("V4", bad, 0, "%u pages: the same index can be mapped again and again", n);
		check_eq("V4", xen_holds(grants), 0, "%u pages: and nothing stays", n);
next:
		check_ok("V4", dev_unmap(fd, index, n), "%u pages: UNMAP_GRANT_REF", n);
		check_eq("V4", grants_free(grants), 0, "%u pages: all are free", n);
	}
}

/* Many ranges at a time, unmapped in another order. */
static void many(int fd)
{
	enum { N = 100 };
	struct grants *grants = grants_make(N);
	uint64_t index[N];
	void *mapping[N];
	unsigned int bad = 0;

	for (int i = 0; i < N; i++) {
		dev_map(fd, grants->refs + i, 1, &index[i]);
		mapping[i] = dev_mmap(fd, index[i], 1, RW);
		bad += mapping[i] == MAP_FAILED || t_poke(mapping[i], i + 1);
	}
	check_eq("V4", bad, 0, "%u mappings of a page at once", N);
	for (int i = 0; i < N; i++)
		bad += grants_peek(grants, i, 0) != i + 1;
	check_eq("V4", bad, 0, "each is of its own page");
	for (int i = 0; i < N; i++)
		bad += dev_munmap(mapping[i * 37 % N], 1) != 0;
	check_eq("V4", bad, 0, "unmapped in another order");
	check_eq("V4", xen_holds(grants), 0, "Xen holds none");
	for (int i = 0; i < N; i++)
		bad += dev_unmap(fd, index[i], 1) != 0;
	check_eq("V4", bad, 0, "and all can be removed");
	check_eq("V4", grants_free(grants), 0, "the pages are free");
}

/* The same page in two ranges: each is mapped for itself. */
static void same_page(int fd)
{
	struct grants *grants = grants_make(1);
	uint64_t one, two;
	void *first, *second;

	dev_map(fd, grants->refs, 1, &one);
	dev_map(fd, grants->refs, 1, &two);
	first = dev_mmap(fd, one, 1, RW);
	second = dev_mmap(fd, two, 1, RW);
	check("V4", first != MAP_FAILED && second != MAP_FAILED, "two ranges of the same reference");
	if (first != MAP_FAILED && second != MAP_FAILED) {
		t_poke(first, 42);
		check_eq("V4", t_byte(second), 42, "show the same page");
		dev_munmap(first, 1);
		check_eq("V4", t_byte(second), 42, "and one outlives the other");
		dev_munmap(second, 1);
	}
	check_eq("V4", xen_holds(grants), 0, "Xen holds none after both");
	dev_unmap(fd, one, 1);
	dev_unmap(fd, two, 1);
	check_eq("V4", grants_free(grants), 0, "the page is free");
}

int main(void)
{
	int fd;

	t_start();
	fd = dev_open();
	sizes(fd);
	many(fd);
	same_page(fd);
	close(fd);
	return t_done();
}
