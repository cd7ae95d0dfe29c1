// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * CLEAR_BYTE clears its byte once: what the granter writes there in answer stays. For a granter that
 * sees its pages as fast as they change, which is one in this domain.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <unistd.h>

#include "lib/grant.h"

/* So many that all of them take longer than an answer. */
#define N 512
#define ROUNDS 30

static struct grants *grants;
static volatile bool over;
static volatile unsigned int answers;

/* Answers the byte of the first page as soon as it is 0. */
static void *granter(void *unused)
{
	while (!over)
		if (grants_peek(grants, 0, 0) == 0) {
			grants_poke(grants, 0, 0, 0x77);
			answers++;
		}
	return unused;
}

int main(void)
{
	unsigned int lost = 0, twice = 0;
	pthread_t thread;
	uint64_t index;
	void *mapping;
	int fd;

	t_start();
	if (!granter_is_self()) {
		t_skip("N2", "the granter is far away", "what it answers stays");
		return t_done();
	}
	fd = dev_open();
	grants = grants_make(N);
	dev_map(fd, grants->refs, N, &index);
	grants_poke(grants, 0, 0, 0xff);
	pthread_create(&thread, NULL, granter, NULL);
	for (int i = 0; i < ROUNDS; i++) {
		unsigned int before = answers;

		mapping = dev_mmap(fd, index, N, RW);
		if (mapping == MAP_FAILED)
			t_bail("mmap: %m");
		for (int k = 0; k < N; k++)
			if (dev_notify(fd, index + k * PAGE, UNMAP_NOTIFY_CLEAR_BYTE, 0))
				t_bail("SET_UNMAP_NOTIFY: %m");
		dev_munmap(mapping, N);
		lost += !t_eventually(answers > before);
		twice += answers > before + 1;
	}
	over = true;
	pthread_join(thread, NULL);
	check_eq("N2", lost, 0, "%u times a byte is cleared, and answered", ROUNDS);
	check_eq("N2", twice, 0, "and once only each time");
	check_eq("N2", grants_peek(grants, 0, 0), 0x77, "so that the answer stays");
	check_ok("N5", dev_unmap(fd, index, N), "UNMAP_GRANT_REF");
	check_eq("N5", grants_peek(grants, 0, 0), 0x77, "clears nothing");
	close(fd);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
