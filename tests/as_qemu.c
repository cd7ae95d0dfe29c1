// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * As QEMU 10 does: each backend has an instance, whose limit is as many references as its ring
 * has pages, set anew whenever a frontend connects; and one more, without a limit, has the
 * memory that virtio devices were granted, page by page, read-only and writable beside each
 * other.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/grant.h"

#define RING 4
#define PAGES 64
#define CONNECTIONS 20

static struct grants *grants;

/* libxengnttab unmaps by address alone. */
static int unmap(int fd, void *mapping, unsigned int pages)
{
	unsigned int count;
	uint64_t index;

	if (dev_offset(fd, mapping, &index, &count) || dev_munmap(mapping, pages))
		return -1;
	return dev_unmap(fd, index, count);
}

static void *map(int fd, unsigned int first, unsigned int pages, int prot)
{
	uint64_t index;

	if (dev_map(fd, grants->refs + first, pages, &index))
		return MAP_FAILED;
	return dev_mmap(fd, index, pages, prot);
}

/* A frontend that connects with a ring of one page, as a console has it. */
static void console(void)
{
	int fd = dev_open();
	uint64_t index;
	char *ring;

	check_ok("P7", dev_max(fd, 1), "a limit of 1");
	ring = map(fd, 0, 1, RW);
	if (!check("P7", ring != MAP_FAILED, "and one reference is mapped"))
		goto out;
	check_eq("P7", *(uint64_t *)ring, pattern_word(1, 0, 0), "it is the granter's page");
	check_errno("P7", dev_map(fd, grants->refs + 1, 1, &index), ENOSPC,
		    "a second one is too many");
	check_errno("P7", dev_max(fd, 2), EBUSY, "the limit stays as long as the ring is mapped");
	check_ok("P7", unmap(fd, ring, 1), "the frontend disconnects");
	check_eq("P7", xen_holds(grants), 0, "Xen holds nothing");
	check_ok("P7", dev_max(fd, 1), "it connects again: a limit of 1");
	ring = map(fd, 1, 1, RW);
	check("P7", ring != MAP_FAILED && *(uint64_t *)ring == pattern_word(1, 1, 0),
	      "and another reference is mapped");
	check_ok("P7", unmap(fd, ring, 1), "it disconnects");
out:
	close(fd);
}

/* A disk: the ring's size may change with each connection, and the data is copied. */
static void disk(void)
{
	unsigned int wrong = 0;
	int fd = dev_open();
	uint64_t index;

	for (unsigned int i = 0; i < CONNECTIONS; i++) {
		unsigned int pages = 1 << i % 3;
		char bytes[PAGE], *ring;
		segment_t segments[2] = {
			seg_from(&grants->refs[RING + 1], 0, bytes, PAGE),
			seg_to(&grants->refs[RING + 2], 0, bytes, PAGE),
		};

		wrong += dev_max(fd, pages) != 0;
		ring = map(fd, 0, pages, RW);
		if (ring == MAP_FAILED) {
			wrong++;
			break;
		}
		wrong += mapping_bad(ring, pages, 1);
		wrong += !dev_map(fd, grants->refs + RING, 1, &index) || errno != ENOSPC;
		/* What is copied is not what is mapped, and has no part in the limit. */
		wrong += dev_copy(fd, segments, 2) || segments[0].status || segments[1].status;
		wrong += *(uint64_t *)bytes != pattern_word(1, RING + 1, 0);
		wrong += unmap(fd, ring, pages) != 0;
	}
	check_eq("P7", wrong, 0,
		 "a disk's frontend connects %u times, with rings of 1, 2 and 4 pages",
		 CONNECTIONS);
	check_eq("P7", grants_peek(grants, RING + 2, 0), (uint8_t)pattern_word(1, RING + 1, 0),
		 "what was copied is there");
	check_eq("P7", xen_holds(grants), 0, "Xen holds nothing");
	close(fd);
}

/*
 * The cache of mappings: single pages, in any order, which stay for long. The same reference
 * may be in the cache of what is only read and in that of what is written.
 */
static void cache(void)
{
	char *readable[PAGES], *writable[PAGES];
	unsigned int wrong = 0;
	int fd = dev_open();

	for (unsigned int i = 0; i < PAGES; i++) {
		readable[i] = map(fd, i * 7 % PAGES, 1, RO);
		writable[i] = map(fd, i * 7 % PAGES, 1, RW);
		wrong += readable[i] == MAP_FAILED || writable[i] == MAP_FAILED;
	}
	check_eq("P7", wrong, 0, "without a limit set, %u pages, each read-only and writable",
		 PAGES);
	for (unsigned int i = 0; !wrong && i < PAGES; i++) {
		writable[i][100] = i;
		wrong += readable[i][100] != (char)i;
		wrong += t_poke(readable[i], 1) == 0;
	}
	check_eq("P7", wrong, 0, "what is written through one is read through the other");
	check_eq("P7", grants_peek(grants, 7, 100), 1, "it is the granter's page");
	/* As an entry is given up, or replaced by one of another page. */
	for (unsigned int i = 0; !wrong && i < PAGES; i += 2) {
		wrong += unmap(fd, readable[i], 1) != 0;
		wrong += unmap(fd, writable[i], 1) != 0;
		writable[i] = map(fd, i, 1, RW);
		wrong += writable[i] == MAP_FAILED || t_byte(writable[i]) < 0;
	}
	check_eq("P7", wrong, 0, "half of them are given up for others");
	for (unsigned int i = 0; !wrong && i < PAGES; i++) {
		if (i % 2)
			wrong += unmap(fd, readable[i], 1) != 0;
		wrong += unmap(fd, writable[i], 1) != 0;
	}
	check_eq("P7", wrong, 0, "all are given up");
	check_eq("P7", xen_holds(grants), 0, "Xen holds nothing");
	close(fd);
}

int main(void)
{
	t_start();
	grants = grants_make(PAGES);
	grants_fill(grants, 1);
	console();
	disk();
	cache();
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
