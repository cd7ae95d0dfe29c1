// SPDX-License-Identifier: GPL-2.0-or-later
/* Only a whole mapping goes away: a part of one cannot be unmapped, changed, moved or covered. */
#define _GNU_SOURCE
#include <unistd.h>

#include "lib/grant.h"

#define N 6

static struct grants *grants;
static char *mapping;

/* The core kernel's errno for such a thing, whichever it is. */
static const int refused[] = { EINVAL, EACCES, EFAULT, ENOMEM, -1 };

static bool whole(void)
{
	return mapping_bad(mapping, N, 8) == 0 && t_poke(mapping, t_byte(mapping)) == 0;
}

#define try(what, call) do { \
	check_errnos("V5", call, refused, "%s", what); \
	check("V5", whole(), "%s: nothing changed", what); \
} while (0)

int main(void)
{
	char *free_room;
	uint64_t index;
	int fd;

	t_start();
	fd = dev_open();
	grants = grants_make(N);
	grants_fill(grants, 8);
	dev_map(fd, grants->refs, N, &index);
	free_room = mmap(NULL, 4 * N * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mapping = dev_mmap(fd, index, N, RW);
	if (mapping == MAP_FAILED)
		t_bail("mmap: %m");

	try("munmap of the first page", munmap(mapping, PAGE));
	try("munmap of the last page", munmap(mapping + (N - 1) * PAGE, PAGE));
	try("munmap in the middle", munmap(mapping + 2 * PAGE, 2 * PAGE));
	try("mprotect of the first page", mprotect(mapping, PAGE, PROT_READ));
	try("mprotect of the last page", mprotect(mapping + (N - 1) * PAGE, PAGE, PROT_READ));
	try("mprotect in the middle", mprotect(mapping + 2 * PAGE, PAGE, PROT_NONE));
	try("mremap of the first pages to elsewhere",
	    mremap(mapping, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, free_room));
	try("mremap of the last pages to elsewhere",
	    mremap(mapping + 4 * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		   free_room));
	try("mremap that shrinks it", mremap(mapping, N * PAGE, 3 * PAGE, 0));
	try("mremap that grows it", mremap(mapping, N * PAGE, (N + 1) * PAGE, MREMAP_MAYMOVE));
	try("mremap of a part that grows", mremap(mapping, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
	try("mremap that copies (old size 0)", mremap(mapping, 0, N * PAGE, MREMAP_MAYMOVE));
	try("MAP_FIXED over the first page",
	    mmap(mapping, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	try("MAP_FIXED over the last page",
	    mmap(mapping + (N - 1) * PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0));
	try("MAP_FIXED in the middle",
	    mmap(mapping + 2 * PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	try("mremap of other memory onto the middle",
	    mremap(free_room, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, mapping + 2 * PAGE));
	try("remap_file_pages of a part", remap_file_pages(mapping, PAGE, 0, index / PAGE + 1, 0));
	check_errnos("V5", madvise(mapping + PAGE, PAGE, MADV_DONTFORK), errnos(EINVAL, 0),
		     "madvise that would split it, where it would");
	check("V5", whole(), "madvise that would split it: nothing changed");

	check_ok("V5", munmap(mapping, N * PAGE), "munmap of the whole");
	check_eq("V5", xen_holds(grants), 0, "and Xen holds nothing");

	mapping = dev_mmap(fd, index, N, RW);
	check("V5", mapping != MAP_FAILED && whole(), "and it can be mapped again");
	check_ok("V5", (long)mmap(mapping, N * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
				  -1, 0), "MAP_FIXED over the whole");
	check_eq("V5", xen_holds(grants), 0, "unmaps it");
	check_eq("V5", t_byte(mapping), 0, "and there is the new memory");
	check_eq("V5", grants_bad(grants, 8), 0, "which is not the granter's");
	check_ok("V5", dev_unmap(fd, index, N), "the range can go");
	munmap(mapping, N * PAGE);

	/* The same range again over its own mapping: first the old one goes, then the new comes. */
	dev_map(fd, grants->refs, N, &index);
	mapping = dev_mmap(fd, index, N, RW);
	check_ok("V5", (long)mmap(mapping, N * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, index),
		 "MAP_FIXED of the range over its own mapping");
	check("V5", whole(), "shows the pages");
	check_ok("V5", munmap(mapping, N * PAGE), "munmap");
	check_eq("V5", xen_holds(grants), 0, "and Xen holds nothing");
	check_ok("V5", dev_unmap(fd, index, N), "the range can go");

	/*
	 * munmap of more than the mapping. A refused mremap() has unmapped where it would have gone
	 * to, and somebody else may be there now: so in other memory.
	 */
	dev_map(fd, grants->refs, N, &index);
	free_room = mmap(NULL, 4 * N * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mapping = mmap(free_room + N * PAGE, N * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, index);
	check("V5", mapping != MAP_FAILED && whole(), "a mapping between other memory");
	check_ok("V5", munmap(free_room, 3 * N * PAGE), "munmap of all three");
	check_eq("V5", xen_holds(grants), 0, "and Xen holds nothing");
	check_ok("V5", dev_unmap(fd, index, N), "the range can go");
	munmap(free_room + 3 * N * PAGE, N * PAGE);
	close(fd);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
