// SPDX-License-Identifier: GPL-2.0-or-later
/* What a reference costs in kernel memory, registered and mapped, and that a mapping has no faults. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/grant.h"

#define REGISTERED 65536
#define MAPPED 4096
/* What else the kernel may allocate meanwhile. */
#define SLACK (96 * 1024)
/*
 * On Arm the kernel, not the driver, notes each foreign frame (struct xen_p2m_entry of
 * arch/arm/xen/p2m.c), and its smallest allocation may be of 128 bytes.
 */
#define P2M_RECORD (IS_ARM ? 128LL : 0)

/* Bytes of kernel memory that is not page tables or page cache. */
static long long kernel_memory(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	long long sum = 0, kib;
	char line[200];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "SUnreclaim: %lld", &kib) == 1 ||
		    sscanf(line, "VmallocUsed: %lld", &kib) == 1)
			sum += kib * 1024;
	if (file)
		fclose(file);
	return sum;
}

/* Writes to the first pages of a mapping. Returns the page faults that took. */
static long write_faults(volatile char *mapping, unsigned int pages)
{
	struct rusage before, after;

	getrusage(RUSAGE_SELF, &before);
	for (unsigned int i = 0; i < pages; i++)
		mapping[i * PAGE] = 1;
	getrusage(RUSAGE_SELF, &after);
	return after.ru_minflt - before.ru_minflt;
}

int main(void)
{
	long long before, after;
	long faults;
	struct grants *grants;
	uint64_t index;
	void *mapping;
	int fd;

	t_start();
	fd = dev_open();

	/* Once for what is allocated on first use and kept. */
	dev_map_fake(fd, REGISTERED, &index);
	dev_unmap(fd, index, REGISTERED);
	before = kernel_memory();
	check_ok("M1", dev_map_fake(fd, REGISTERED, &index), "%d references", REGISTERED);
	after = kernel_memory();
	t_note("%lld bytes for each registered reference", (after - before) / REGISTERED);
	t_check("M1", after - before <= 16LL * REGISTERED + SLACK, "MAP_GRANT_REF",
		"a registered reference costs at most 16 bytes (%lld bytes for %d)", after - before,
		REGISTERED);
	check_ok("M5", dev_unmap(fd, index, REGISTERED), "and is removed");

	grants = grants_make(MAPPED);
	for (int round = 0; round < 2; round++) {
		check_ok("M1", dev_map(fd, grants->refs, MAPPED, &index), "%d references",
			   MAPPED);
		before = kernel_memory();
		mapping = dev_mmap(fd, index, MAPPED, RW);
		after = kernel_memory();
		t_check("V1", mapping != MAP_FAILED, "mmap", "map them");
		/* The first time the kernel makes pages to map them at. */
		if (round) {
			t_note("%lld bytes more for each mapped one", (after - before) / MAPPED);
			t_check("V1", after - before <= (48LL + P2M_RECORD) * MAPPED + SLACK, "mmap",
				"a mapped one costs at most 48 bytes more%s (%lld bytes for %d)",
				IS_ARM ? ", beside Arm's own record of it" : "", after - before,
				MAPPED);
		}
		faults = mapping == MAP_FAILED ? -1 : write_faults(mapping, MAPPED);
		/* The first time, there may be some of the program's own. */
		if (round)
			check_eq("V1", faults, 0, "page faults of the first write to each page");
		check_ok("V4", dev_munmap(mapping, MAPPED), "munmap");
		check_ok("M5", dev_unmap(fd, index, MAPPED), "unmap");
	}
	check_eq("A2", grants_free(grants), 0, "the granter gets all pages back");
	return t_done();
}
