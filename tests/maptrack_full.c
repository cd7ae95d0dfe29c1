// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A maptrack that is full: ENOSPC, and nothing stays mapped. For a boot with a small
 * gnttab_max_maptrack_frames; with Xen's default there is nothing to see.
 */
#define _GNU_SOURCE
#include <unistd.h>

#include "lib/grant.h"

/* In PV a page takes two entries of the maptrack, of which a frame has 256. */
#define N 600

static void *map(int fd, struct grants *grants, unsigned int first, unsigned int n, uint64_t *index)
{
	if (dev_map(fd, grants->refs + first, n, index))
		t_bail("MAP_GRANT_REF of %u: %m", n);
	return dev_mmap(fd, *index, n, RW);
}

int main(void)
{
	unsigned int most = 0, wrong = 0, held = 0;
	uint64_t indexes[N], index;
	struct grants *grants;
	void *mappings[N], *mapping;
	int fd;

	t_start();
	fd = dev_open();
	grants = grants_make(N);
	grants_fill(grants, 1);
	check_errno("V3", (mapping = map(fd, grants, 0, N, &index)), ENOSPC, "%u pages are too many", N);
	if (mapping != MAP_FAILED)
		t_bail("the maptrack has room for all: boot with gnttab_max_maptrack_frames=2");
	check_eq("V3", xen_holds(grants), 0, "and none stays mapped");
	check_errno("V3", dev_mmap(fd, index, N, RW), ENOSPC, "a second try says the same");
	check_ok("V3", dev_unmap(fd, index, N), "the range is registered still");

	/* Every size around the edge: the kernel's half may fit where the user's does not. */
	for (unsigned int n = 1; n < N; n += n < 100 ? 33 : n < 400 ? 7 : 50) {
		mapping = map(fd, grants, 0, n, &index);
		if (mapping != MAP_FAILED) {
			most = n;
			wrong += mapping_bad(mapping, n, 1);
			dev_munmap(mapping, n);
		} else if (errno != ENOSPC) {
			wrong++;
		}
		dev_unmap(fd, index, n);
	}
	check_eq("V3", wrong, 0, "sizes around the edge are mapped, or ENOSPC");
	check_eq("V3", xen_holds(grants), 0, "and none stays mapped");
	check("V3", most > 100, "%u pages is the most that goes", most);

	for (; held < N; held++) {
		mappings[held] = map(fd, grants, held, 1, &indexes[held]);
		if (mappings[held] == MAP_FAILED) {
			wrong += errno != ENOSPC;
			dev_unmap(fd, indexes[held], 1);
			break;
		}
	}
	check("V3", held < N && !wrong, "one page more and more, until ENOSPC after %u", held);
	check_ok("V3", dev_munmap(mappings[0], 1), "unmap one");
	mappings[0] = dev_mmap(fd, indexes[0], 1, RW);
	check("V3", mappings[0] != MAP_FAILED, "and there is room for one again");
	for (unsigned int i = 0; i < held; i++) {
		wrong += *(uint64_t *)mappings[i] != pattern_word(1, i, 0);
		dev_munmap(mappings[i], 1);
		dev_unmap(fd, indexes[i], 1);
	}
	check_eq("V3", wrong, 0, "all of them showed the page");
	check_eq("V3", xen_holds(grants), 0, "none stays mapped");
	mapping = map(fd, grants, 0, most, &index);
	check("V3", mapping != MAP_FAILED, "the most still goes: no entry was lost");
	if (mapping != MAP_FAILED)
		dev_munmap(mapping, most);
	close(fd);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
