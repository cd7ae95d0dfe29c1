// SPDX-License-Identifier: GPL-2.0-or-later
/* GRANT_COPY into pages of a file: what was copied reaches the disk, whatever else the call did. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/grant.h"

#define N 16
#define DISK "/dev/ram0"

static struct grants *grants;
static char *disk;	/* a shared mapping of its first pages */
static char *direct;	/* a buffer for what O_DIRECT reads */
static char want[N * PAGE];
static int fd, cached, uncached;

/* What the disk has, once the page cache is gone. */
static bool on_disk(const char *what, unsigned int pages)
{
	if (fsync(cached) || ioctl(cached, BLKFLSBUF))
		t_bail(DISK ": %m");
	return pread(uncached, direct, pages * PAGE, 0) == (ssize_t)(pages * PAGE) &&
	       !memcmp(direct, what, pages * PAGE);
}

/* One call that writes pages of the file and reads others, the last of them a read. */
static void mixed(void)
{
	segment_t segments[N];

	memset(want, 0, sizeof(want));
	if (pwrite(cached, want, sizeof(want), 0) != sizeof(want))
		t_bail(DISK ": %m");
	check("C4", on_disk(want, N), "a disk with zeroes");
	disk = mmap(NULL, N * PAGE, RW, MAP_SHARED, cached, 0);
	grants_fill(grants, 1);
	mapping_fill(want, N, 1);
	for (unsigned int i = 0; i < N; i++) {
		if (i % 2) {
			segments[i] = seg_to(&grants->refs[i], 0, disk + i * PAGE, PAGE);
			memset(want + i * PAGE, 0, PAGE);
		} else {
			segments[i] = seg_from(&grants->refs[i], 0, disk + i * PAGE, PAGE);
		}
	}
	check_ok("C4", dev_copy(fd, segments, N), "every other page of a file written, the rest read");
	munmap(disk, N * PAGE);
	check("C4", on_disk(want, N), "what was written is on the disk when the cache is gone");
	check_eq("C1", grants_peek(grants, 1, 50), 0, "what was read is with the granter");
}

/* A call that stops half-way. */
static void half_way(void)
{
	segment_t segments[N + 1];

	disk = mmap(NULL, N * PAGE, RW, MAP_SHARED, cached, 0);
	grants_fill(grants, 2);
	mapping_fill(want, N, 2);
	for (unsigned int i = 0; i < N; i++)
		segments[i] = seg_from(&grants->refs[i], 0, disk + i * PAGE, PAGE);
	segments[N] = seg_to(&grants->refs[0], 0, NULL, 8);
	check_errno("C3", dev_copy(fd, segments, N + 1), EFAULT, "the last segment has no memory");
	munmap(disk, N * PAGE);
	check("C4", on_disk(want, N), "what was copied before is on the disk");
}

static volatile bool stop;

static void *write_back(void *unused)
{
	while (!stop)
		fsync(cached);
	return unused;
}

/*
 * The page cache is written back all the time, which makes pages clean again, before and while
 * Xen writes to them.
 */
static void while_written_back(void)
{
	unsigned int lost = 0, wrong = 0;
	pthread_t thread;

	for (unsigned int round = 0; round < 150; round++) {
		segment_t segments[2 * N];

		disk = mmap(NULL, N * PAGE, RW, MAP_SHARED, cached, 0);
		stop = false;
		pthread_create(&thread, NULL, write_back, NULL);
		for (unsigned int seed = 0; seed < 4; seed++) {
			mapping_fill(want, N, round * 4 + seed);
			for (unsigned int i = 0; i < N; i++) {
				segments[2 * i] = seg_to(&grants->refs[i], 0, want + i * PAGE, PAGE);
				segments[2 * i + 1] = seg_from(&grants->refs[i], 0, disk + i * PAGE,
							       PAGE);
			}
			wrong += dev_copy(fd, segments, 2 * N) != 0;
		}
		stop = true;
		pthread_join(thread, NULL);
		wrong += !!memcmp(disk, want, N * PAGE);
		munmap(disk, N * PAGE);
		lost += !on_disk(want, N);
	}
	check_eq("C4", wrong, 0, "copies to pages that are being written back");
	check_eq("C4", lost, 0, "none is lost, in 150 rounds");
}

int main(void)
{
	t_start();
	cached = open(DISK, O_RDWR | O_CLOEXEC);
	uncached = open(DISK, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (cached < 0 || uncached < 0) {
		t_skip("C4", "no " DISK, "copies to pages of a file on a disk");
		return t_done();
	}
	direct = aligned_alloc(PAGE, N * PAGE);
	fd = dev_open();
	grants = grants_make(N);
	mixed();
	half_way();
	while_written_back();
	close(fd);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
