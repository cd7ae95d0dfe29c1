// SPDX-License-Identifier: GPL-2.0-or-later
/* SIGKILL at any moment of mapping and unmapping, from one thread and from several. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/grant.h"

#define N 16

static struct grants *grants;
static struct channel *channel;
static struct gate ready;
static int fd;

/* Until it is killed; the one thread that says so tells when it has been round once. */
static void *busy(void *tells)
{
	unsigned int rounds = 0;

	for (;;) {
		uint64_t index;
		char *mapping;

		if (dev_map(fd, grants->refs, N, &index))
			continue;
		dev_notify(fd, index + (rounds % N) * PAGE + 7,
			   UNMAP_NOTIFY_CLEAR_BYTE | UNMAP_NOTIFY_SEND_EVENT, channel->port);
		mapping = dev_mmap(fd, index, N, RW);
		if (mapping != MAP_FAILED) {
			mapping[PAGE] = 1;
			dev_munmap(mapping, N);
		}
		dev_unmap(fd, index, N);
		if (tells && !rounds)
			gate_open(&ready);
		rounds++;
	}
	return NULL;
}

static int alone(void *unused)
{
	(void)unused;
	fd = dev_open();
	busy(&ready);
	return 0;
}

static int with_threads(void *unused)
{
	pthread_t threads[2];

	(void)unused;
	fd = dev_open();
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, busy, NULL);
	busy(&ready);
	return 0;
}

/* Each child is killed after another while, so that the blow falls somewhere else. */
static unsigned int rounds(int (*victim)(void *), unsigned int n)
{
	unsigned int survived = 0;

	for (unsigned int i = 0; i < n; i++) {
		int pid = t_child(victim, NULL);

		survived += !gate_wait(&ready);
		for (volatile int spin = random() % 200000; spin > 0; spin--)
			;
		kill(pid, SIGKILL);
		survived += t_wait(pid) != -SIGKILL;
	}
	return survived;
}

int main(void)
{
	unsigned int n;

	t_start();
	n = t_rounds(200, 1000);
	gate_make(&ready);
	srandom(7);
	grants = grants_make(N);
	channel = channel_make();
	check_eq("A2", rounds(alone, n), 0, "%u processes, each killed while it maps and unmaps", n);
	check_eq("A2", xen_holds(grants), 0, "Xen holds nothing of them");
	check("N4", channel_wait(channel, 1), "their events came");
	check_eq("A2", rounds(with_threads, n / 10), 0, "%u processes with three threads each",
		 n / 10);
	check_eq("A2", xen_holds(grants), 0, "Xen holds nothing of them");
	channel_free(channel);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
