// SPDX-License-Identifier: GPL-2.0-or-later
/* A second mapping of a range while there is one: it works, or EBUSY. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/grant.h"

#define N 3

static struct grants *grants;
static uint64_t index_;
static int fd;

/* Another process: bit 0 says that it got a mapping, bit 1 that this shows the pages. */
static int map_in_child(void *unused)
{
	void *mapping = dev_mmap(fd, index_, N, RW);
	int found = 0;

	(void)unused;
	if (mapping == MAP_FAILED)
		return errno == EBUSY ? 0 : 64;
	found = 1 | (mapping_bad(mapping, N, 2) ? 0 : 2);
	dev_munmap(mapping, N);
	return found;
}

/* How many pages of @memory are not those of the other range. */
static unsigned int others_bad(const char *memory)
{
	unsigned int bad = 0;

	for (unsigned int i = 0; i < N; i++)
		bad += *(const volatile uint64_t *)(memory + i * PAGE) != pattern_word(2, N + i, 0);
	return bad;
}

/* A mapping in the place of a live one, which goes by that. */
static void laid_over(void)
{
	uint64_t other;
	char *memory;

	dev_map(fd, grants->refs + N, N, &other);
	memory = dev_mmap(fd, index_, N, RW);
	check("V5", mmap(memory, N * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, other) == memory,
	      "another range with MAP_FIXED over all of a mapping");
	check_eq("V5", others_bad(memory), 0, "shows the other's pages");
	check_eq("V5", xen_holds_refs(grants->refs, N), 0, "Xen holds nothing of the one below");
	check("V5", mmap(memory, N * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, other) == memory,
	      "the same range over itself");
	check_eq("V5", others_bad(memory), 0, "shows the same pages");
	check("V5", mmap(memory, N * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, index_) == memory,
	      "the first range over that");
	check_eq("V5", mapping_bad(memory, N, 2), 0, "shows its pages");
	check_errno("V5", mmap(memory, N * PAGE, RW, MAP_PRIVATE | MAP_FIXED, fd, other), EINVAL,
		    "one that is refused, over that");
	check_eq("V5", xen_holds(grants), 0, "has taken away what was there, and nothing else stays");
	munmap(memory, N * PAGE);
	check_ok("V5", dev_unmap(fd, other, N), "and the other range can go");
}

int main(void)
{
	char *first, *second;
	int found;

	t_start();
	fd = dev_open();
	grants = grants_make(2 * N);
	grants_fill(grants, 2);
	dev_map(fd, grants->refs, N, &index_);

	first = dev_mmap(fd, index_, N, RW);
	check("V4", first != MAP_FAILED, "a first mapping");
	check_errnos("V4", (second = dev_mmap(fd, index_, N, RW)), errnos(0, EBUSY),
		     "a second one works, or is EBUSY");
	if (second != MAP_FAILED) {
		check_eq("V4", mapping_bad(second, N, 2), 0, "it shows the pages");
		t_poke(second + 5, 17);
		check_eq("V4", t_byte(first + 5), 17, "and what is written there is in the first");
		mapping_fill(first, N, 2);
		check_ok("V4", dev_munmap(first, N), "unmap the first");
		check_eq("V4", mapping_bad(second, N, 2), 0, "the second stays");
		check_errno("V4", dev_unmap(fd, index_, N), EBUSY, "and keeps the range");
		dev_munmap(second, N);
	} else {
		t_note("this mode has one mapping of a range at a time");
		check_eq("V4", mapping_bad(first, N, 2), 0, "the first is as before");
		dev_munmap(first, N);
	}
	check_eq("V4", xen_holds(grants), 0, "nothing stays mapped");

	first = dev_mmap(fd, index_, N, RO);
	check("V4", first != MAP_FAILED, "a read-only mapping");
	check_errno("V4", dev_mmap(fd, index_, N, RW), EBUSY,
		    "one that asks for more access than the first");
	check_errnos("V4", (second = dev_mmap(fd, index_, N, RO)), errnos(0, EBUSY),
		     "one that asks for the same works, or is EBUSY");
	if (second != MAP_FAILED)
		dev_munmap(second, N);
	check_eq("V4", mapping_bad(first, N, 2), 0, "the first is as before");
	dev_munmap(first, N);

	first = dev_mmap(fd, index_, N, RW);
	check_errnos("V4", (second = dev_mmap(fd, index_, N, RO)), errnos(0, EBUSY),
		     "a read-only one beside a writable one works, or is EBUSY");
	if (second != MAP_FAILED) {
		check_eq("V4", mapping_bad(second, N, 2), 0, "it shows the pages");
		check("V2", t_poke(second, 1) != 0, "and cannot be written");
		check_errno("V2", mprotect(second, N * PAGE, RW), EACCES,
			    "nor be made writable: it was mapped read-only");
		dev_munmap(second, N);
	}
	check_eq("V4", t_poke(first, t_byte(first)), 0, "the first is writable as before");

	/* What another process does with the same instance. */
	found = t_wait(t_child(map_in_child, NULL));
	check("V4", found == 0 || found == 3, "another process with the descriptor (it got %d)", found);
	check_eq("V4", mapping_bad(first, N, 2), 0, "and the first is as before");
	check_errno("V4", dev_unmap(fd, index_, N), EBUSY, "and keeps the range");
	dev_munmap(first, N);
	found = t_wait(t_child(map_in_child, NULL));
	check_eq("V4", found, 3, "when the first is gone the other process can map it");
	check_eq("V4", xen_holds(grants), 0, "nothing stays mapped");
	laid_over();
	check_ok("V4", dev_unmap(fd, index_, N), "and the range can go");
	close(fd);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
