// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A maptrack that is full: ENOSPC, and nothing stays mapped. For a boot with a small
 * gnttab_max_maptrack_frames; with Xen's default there is nothing to see.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/grant.h"

/* A page takes an entry of the maptrack, of which a frame has 256; in PV another for the kernel. */
#define N 600

static void *map(int fd, struct grants *grants, unsigned int first, unsigned int n, uint64_t *index)
{
	if (dev_map(fd, grants->refs + first, n, index))
		t_bail("MAP_GRANT_REF of %u: %m", n);
	return dev_mmap(fd, *index, n, RW);
}

/* PV: what wants the kernel's own mapping of a page, with @mapping, @index and no room for any. */
static void kernel_has_no_room(struct grants *grants, int fd, char *mapping, uint64_t index)
{
	struct iovec page = { mapping, PAGE };
	int ends[2];

	if (pipe(ends))
		t_bail("pipe: %m");
	check_errnos("V8", vmsplice(ends[1], &page, 1, 0), errnos(EFAULT, EEXIST),
		     "the kernel cannot get a page");
	check_errno("N1", dev_notify(fd, index, UNMAP_NOTIFY_CLEAR_BYTE, 0), ENOSPC,
		    "nor promise to clear a byte");
	check_eq("V8", *(uint64_t *)mapping, pattern_word(1, 0, 0), "the page is there");
	/* The entry of the page itself makes room for it again. */
	check_ok("V5", madvise(mapping, PAGE, MADV_DONTNEED), "MADV_DONTNEED");
	check_eq("V5", *(uint64_t *)mapping, pattern_word(1, 0, 0), "the page comes back");
	check_errnos("V8", vmsplice(ends[1], &page, 1, 0), errnos(EFAULT, EEXIST),
		     "the kernel cannot get it still");
	close(ends[0]);
	close(ends[1]);
	check("V8", xen_holds(grants) > 0, "nothing else is lost");
}

/* With room again the kernel gets pages that it did not get before. */
static void kernel_has_room(char *mapping)
{
	struct iovec page = { mapping, PAGE };
	uint64_t word;
	int ends[2];

	if (pipe(ends))
		t_bail("pipe: %m");
	check_eq("V8", vmsplice(ends[1], &page, 1, 0), PAGE, "with room, the kernel gets a page");
	check_eq("V8", read(ends[0], &word, sizeof(word)), sizeof(word), "and reads it");
	check_eq("V8", word, pattern_word(1, 1, 0), "rightly");
	close(ends[0]);
	close(ends[1]);
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
	if (t_pv())
		kernel_has_no_room(grants, fd, mappings[0], indexes[0]);
	check_ok("V3", dev_munmap(mappings[0], 1), "unmap one");
	mappings[0] = dev_mmap(fd, indexes[0], 1, RW);
	check("V3", mappings[0] != MAP_FAILED, "and there is room for one again");
	if (t_pv()) {
		dev_munmap(mappings[0], 1);
		kernel_has_room(mappings[1]);
		dev_munmap(mappings[1], 1);
		mappings[0] = dev_mmap(fd, indexes[0], 1, RW);
		mappings[1] = dev_mmap(fd, indexes[1], 1, RW);
		check("V3", mappings[0] != MAP_FAILED && mappings[1] != MAP_FAILED,
		      "and for two when both are gone");
	}
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
