// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pages of a mapping that come and go: threads write to them while others take them away. A write
 * fault on an entry that is there already must not make the kernel edit it.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "lib/grant.h"

#define N 2
#define WRITERS 3
#define ROUNDS 600

static uint8_t *mapping;
static volatile int over;

static void *write_on(void *number)
{
	while (!over)
		for (unsigned int page = 0; page < N; page++)
			((volatile uint8_t *)mapping)[page * PAGE + 8 + (uintptr_t)number]++;
	return NULL;
}

int main(void)
{
	pthread_t writers[WRITERS];
	struct grants *grants;
	unsigned int failed = 0, wrong = 0;
	uint64_t index;
	int fd;

	t_start();
	fd = dev_open();
	grants = grants_make(N);
	check_ok("M1", dev_map(fd, grants->refs, N, &index), "two pages");
	mapping = dev_mmap(fd, index, N, RW);
	if (mapping == MAP_FAILED)
		t_bail("cannot map");

	for (uintptr_t i = 0; i < WRITERS; i++)
		pthread_create(&writers[i], NULL, write_on, (void *)i);
	for (int round = 0; round < ROUNDS; round++) {
		mapping[0] = round;
		failed += !!madvise(mapping, N * PAGE, MADV_DONTNEED);
		wrong += mapping[0] != (uint8_t)round;
	}
	over = 1;
	for (int i = 0; i < WRITERS; i++)
		pthread_join(writers[i], NULL);

	check_eq("V5", failed, 0, "madvise(MADV_DONTNEED), %d times", ROUNDS);
	check_eq("V5", wrong, 0, "what was written before is still there, each time");
	check_eq("V5", grants_peek(grants, 0, 0), (uint8_t)(ROUNDS - 1), "the granter sees it, too");
	check_ok("V4", dev_munmap(mapping, N), "munmap");
	check_eq("A2", xen_holds(grants), 0, "Xen holds nothing");
	check_ok("M5", dev_unmap(fd, index, N), "and the range can be removed");
	check_eq("A2", grants_free(grants), 0, "the granter gets all pages back");
	return t_done();
}
