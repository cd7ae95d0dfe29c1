// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The first mmap of a process with many VMAs, while signals come. In a PV domain the kernel takes the
 * locks of all of them then, and gives up when a signal comes; that must not go on for ever.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "lib/grant.h"

static unsigned int vmas = 60000;

static volatile sig_atomic_t ticks;

static void tick(int signal __attribute__((unused)))
{
	ticks++;
}

/* Neighbours of different access stay VMAs of their own; each has pages, and so locks. */
static void many_vmas(void)
{
	char *pages = mmap(NULL, vmas * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (pages == MAP_FAILED)
		t_bail("mmap: %m");
	for (unsigned int i = 0; i < vmas; i += 2) {
		pages[i * PAGE] = 1;
		if (mprotect(pages + i * PAGE, PAGE, PROT_READ))
			t_bail("VMA %u: %m", i);
	}
}

int main(void)
{
	/* So often that no try without one ends, not even on a fast machine. */
	const struct itimerval often = { { 0, 2000 }, { 0, 2000 } }, never = {};
	struct sigaction action = { .sa_handler = tick, .sa_flags = SA_RESTART };
	struct grants *grants;
	uint64_t index;
	char *mapping;
	int fd, came;

	t_start();
	/* A kernel that looks for mistakes may look at all of them whenever there is one more. */
	if (!access("/proc/lockdep_stats", F_OK))
		vmas = 2000;
	t_write_file("/proc/sys/vm/max_map_count", "200000");
	grants = grants_make(1);
	grants_fill(grants, 1);
	fd = dev_open();
	if (dev_map(fd, grants->refs, 1, &index))
		t_bail("MAP_GRANT_REF: %m");
	many_vmas();
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	ticks = 0;
	mapping = dev_mmap(fd, index, 1, RW);
	came = ticks;
	setitimer(ITIMER_REAL, &never, NULL);
	if (check("V3", mapping != MAP_FAILED, "the first mmap, with %u VMAs: %m", vmas))
		check_eq("V3", *(uint64_t *)mapping, pattern_word(1, 0, 0), "it is right");
	/* Each of them was a new beginning, but for what came before and after. */
	check("V3", came < 10, "it began anew for no more than a few signals: %d", came);
	dev_munmap(mapping, 1);
	close(fd);
	check_eq("A2", grants_free(grants), 0, "the page is free");
	return t_done();
}
