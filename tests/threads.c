// SPDX-License-Identifier: GPL-2.0-or-later
/* Every call from several threads of one instance, on the same indexes and addresses. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/grant.h"

#define N 4
#define RANGES 6
#define THREADS 4
#define ROUNDS 1500

static struct grants *grants;
static struct channel *channel;
static int fd;

/* What the threads share without a lock: the point is that the values may be stale. */
static volatile uint64_t indexes[RANGES];
static void *volatile places[RANGES];
static volatile unsigned int wrong;

static void *anything(void *number)
{
	unsigned int seed = (uintptr_t)number;

	for (int round = 0; round < ROUNDS; round++) {
		unsigned int slot = rand_r(&seed) % RANGES, count;
		uint64_t index = indexes[slot], got;
		void *mapping;

		switch (rand_r(&seed) % 12) {
		case 0:
		case 1:
			if (!dev_map(fd, grants->refs, N, &got))
				indexes[slot] = got;
			break;
		case 2:
			dev_unmap(fd, index, N);
			break;
		case 3:
		case 4:
		case 5:
			mapping = dev_mmap(fd, index, N, rand_r(&seed) % 4 ? RW : RO);
			if (mapping == MAP_FAILED)
				break;
			places[slot] = mapping;
			/* It is there while this thread has it. */
			if (*(uint64_t *)(mapping + PAGE + 64) != pattern_word(1, 1, 8))
				wrong++;
			mprotect(mapping, N * PAGE, RO);
			munmap(mapping + PAGE, PAGE);
			if (dev_munmap(mapping, N))
				wrong++;
			break;
		case 6:
		case 7:
			dev_offset(fd, places[slot], &got, &count);
			break;
		case 8:
			dev_notify(fd, index + rand_r(&seed) % (N * PAGE),
				   UNMAP_NOTIFY_SEND_EVENT, channel->port);
			break;
		case 9:
			dev_notify(fd, index, 0, 0);
			break;
		case 10:
			dev_max(fd, 100000);
			break;
		case 11:
			if (rand_r(&seed) % 8)
				break;
			if (!vfork())
				_exit(0);
			break;
		}
	}
	return NULL;
}

/* Threads, and another process that maps the same instance, and forks. */
static int also_anything(void *unused)
{
	pthread_t thread;

	(void)unused;
	pthread_create(&thread, NULL, anything, (void *)77L);
	for (int i = 0; i < 20; i++)
		if (!fork())
			_exit(0);
	while (wait(NULL) > 0)
		;
	pthread_join(thread, NULL);
	return wrong ? 1 : 0;
}

static void sum_up(const char *what)
{
	check_eq("A1", wrong, 0, "%s: no mapping showed wrong pages", what);
	check_eq("A1", xen_holds(grants), 0, "%s: Xen holds nothing", what);
	check_eq("A1", grants_bad(grants, 1), 0, "%s: the pages are as they were", what);
}

int main(void)
{
	pthread_t threads[THREADS];
	struct grants *fresh;
	uint64_t index;
	void *mapping;
	int pid;

	t_start();
	fd = dev_open();
	grants = grants_make(N);
	grants_fill(grants, 1);
	channel = channel_make();
	t_note("%d processors", t_cpus());
	for (long i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, anything, (void *)(i + 1));
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	sum_up("threads");

	pid = t_child(also_anything, NULL);
	for (long i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, anything, (void *)(i + 11));
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	check_eq("A1", t_wait(pid), 0, "a process beside, with the same instance");
	sum_up("threads and processes");

	/* After all that it is an instance like any other. */
	fresh = grants_make(2);
	check_ok("A1", dev_map(fd, fresh->refs, 2, &index), "the instance takes a range");
	mapping = dev_mmap(fd, index, 2, RW);
	check("A1", mapping != MAP_FAILED && t_byte(mapping) >= 0, "and maps it");
	if (mapping != MAP_FAILED)
		dev_munmap(mapping, 2);
	close(fd);
	channel_free(channel);
	check_eq("A2", grants_free(fresh), 0, "the pages are free");
	check_eq("A2", grants_free(grants), 0, "all of them");
	return t_done();
}
