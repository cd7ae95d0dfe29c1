// SPDX-License-Identifier: GPL-2.0-or-later
/* Moving a whole mapping: it works, or gives SIGBUS; nothing stays mapped that is not reachable. */
#define _GNU_SOURCE
#include <signal.h>
#include <unistd.h>

#include "lib/grant.h"

#define N 5

static struct grants *grants;

/* Every page as it should be, or every page SIGBUS. */
static void content(const char *mapping, const char *what)
{
	unsigned int good = 0, bus = 0;

	for (int i = 0; i < N; i++) {
		int byte = t_byte(mapping + i * PAGE);

		if (byte == -SIGBUS)
			bus++;
		else if (byte >= 0 && *(uint64_t *)(mapping + i * PAGE) == pattern_word(4, i, 0))
			good++;
	}
	if (!t_pv())
		check_eq("V5", good, N, "%s: the pages are there", what);
	else
		check("V5", good == N || bus == N, "%s: the pages are there, or all SIGBUS (%u, %u)",
		      what, good, bus);
	if (bus == N)
		check_eq("V5", xen_holds(grants), 0, "%s: SIGBUS means that Xen holds nothing", what);
	else
		check("V5", xen_holds(grants) >= N, "%s: Xen maps what can be reached", what);
}

int main(void)
{
	char *room, *mapping, *moved;
	unsigned int count;
	uint64_t index, got;
	int fd;

	t_start();
	fd = dev_open();
	grants = grants_make(N);
	grants_fill(grants, 4);
	dev_map(fd, grants->refs, N, &index);
	room = mmap(NULL, 64 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mapping = dev_mmap(fd, index, N, RW);

	moved = mremap(mapping, N * PAGE, N * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room + 2 * PAGE);
	if (!t_pv())
		check("V5", moved != MAP_FAILED, "move the whole mapping");
	else if (moved == MAP_FAILED)
		t_note("mremap: %m");
	if (moved != MAP_FAILED) {
		check("V5", t_byte(mapping) < 0, "it is no longer at its old place");
		content(moved, "moved");
		if (!dev_offset(fd, moved, &got, &count))
			check_eq("M7", got, index, "GET_OFFSET_FOR_VADDR knows its new place");
		else if (!t_pv())
			check("M7", false, "GET_OFFSET_FOR_VADDR knows its new place");
		check_errno("M7", dev_offset(fd, mapping, &got, &count), EINVAL,
			    "and no longer its old one");
		check_errno("M5", dev_unmap(fd, index, N), EBUSY, "it keeps the range busy");
		mapping = moved;
		for (int i = 1; i <= 8; i++) {
			moved = mremap(mapping, N * PAGE, N * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				       room + (2 + 6 * i) * PAGE);
			if (moved == MAP_FAILED)
				break;
			mapping = moved;
		}
		content(mapping, "moved again and again");
		errno = 0;
		moved = mremap(mapping, N * PAGE, N * PAGE,
			       MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
		check("V5", moved == MAP_FAILED, "a copy that leaves the old mapping is refused");
		if (moved != MAP_FAILED)
			munmap(moved, N * PAGE);
		content(mapping, "and that changes nothing");
	}
	check_ok("V5", dev_munmap(mapping, N), "munmap at the new place");
	check_eq("V5", xen_holds(grants), 0, "leaves nothing mapped");
	mapping = dev_mmap(fd, index, N, RW);
	check("V5", mapping != MAP_FAILED, "the range can be mapped again");
	check_eq("V5", mapping_bad(mapping, N, 4), 0, "with its pages");
	/* Moved, then gone with its process: see exits.c. */
	dev_munmap(mapping, N);
	check_ok("V5", dev_unmap(fd, index, N), "and removed");
	close(fd);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
