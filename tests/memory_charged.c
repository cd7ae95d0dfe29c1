// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a process makes the kernel hold through the device is charged to its memory cgroup: the
 * reading is that of the cgroup's own count of the kernel's memory.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/grant.h"

#define ROOT "/sys/fs/cgroup"
#define GROUP ROOT "/gntdev-test"

/* Many, since a count may be behind by a hundred pages: see kernel_bytes(). */
#define NOTIFIED 32000
#define MAPS 2
#define THREADS 200
/* Of what a copy works with: a page, and sixteen for data. */
#define COPY_PAGES 17

static struct grants *grants;
static int fd;

/*
 * Bytes that the kernel has for the group. It adds up what its processors have counted every two seconds,
 * or at a reading for which they have counted enough: 64 pages each, of one kind or another.
 */
static long long kernel_bytes(void)
{
	char text[8192], *line;

	if (!t_read_file(GROUP "/memory.stat", text, sizeof(text)))
		t_bail("memory.stat: %m");
	line = strstr(text, "\nkernel ");
	if (!line)
		t_bail("memory.stat does not tell the kernel's part");
	return atoll(line + strlen("\nkernel "));
}

/* grown() - does it come to that many more bytes? @bytes: how many it was */
static bool grown(long long before, long long wanted, long long *bytes)
{
	return t_eventually((*bytes = kernel_bytes() - before) >= wanted);
}

static bool make_group(void)
{
	mount("none", ROOT, "cgroup2", 0, NULL);
	return t_write_file(ROOT "/cgroup.subtree_control", "+memory") &&
	       (!mkdir(GROUP, 0755) || errno == EEXIST);
}

static bool enter(const char *group)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	return t_write_file(path, "0");
}

static uint64_t notified_page(const uint64_t *index, unsigned int i)
{
	return index[i / (NOTIFIED / MAPS)] + i % (NOTIFIED / MAPS) * PAGE;
}

/* One notification for each page: 8 bytes and more in an xarray. */
static void notifications(void)
{
	struct channel *channel = channel_make();
	long long before, bytes;
	unsigned int failed = 0;
	uint64_t index[MAPS];
	bool enough;

	for (unsigned int i = 0; i < MAPS; i++)
		if (dev_map_fake(fd, NOTIFIED / MAPS, &index[i]))
			t_bail("MAP_GRANT_REF: %m");
	before = kernel_bytes();
	for (unsigned int i = 0; i < NOTIFIED; i++)
		failed += dev_notify(fd, notified_page(index, i), UNMAP_NOTIFY_SEND_EVENT, channel->port) != 0;
	enough = grown(before, NOTIFIED * 8LL, &bytes);
	check_eq("N1", failed, 0, "%d notifications", NOTIFIED);
	t_note("%d notifications: %lld bytes", NOTIFIED, bytes);
	check("L1", enough, "they are charged: %lld bytes", bytes);
	for (unsigned int i = 0; i < NOTIFIED; i++)
		dev_notify(fd, notified_page(index, i), 0, 0);
	for (unsigned int i = 0; i < MAPS; i++)
		dev_unmap(fd, index[i], NOTIFIED / MAPS);
	channel_free(channel);
}

/* What has always been charged. */
static void registered(void)
{
	long long before = kernel_bytes(), bytes;
	uint64_t index;
	bool enough;

	for (unsigned int i = 0; i < 1000; i++)
		if (dev_map_fake(fd, 100, &index))
			t_bail("MAP_GRANT_REF: %m");
	enough = grown(before, 100000 * 8LL, &bytes);
	check("L1", enough, "100,000 references are charged: %lld bytes", bytes);
}

static char *missing;
static int faults;

static void *copy_to_missing(void *number)
{
	char *page = missing + (long)number * PAGE;
	segment_t segment = seg_to(&grants->refs[0], 0, page, 8);

	return (void *)(long)errno_of(dev_copy(fd, &segment, 1));
}

/* Pages that are missing until this process says so: who reads one stands in a page fault. */
static void make_missing(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	missing = mmap(NULL, THREADS * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	faults = syscall(SYS_userfaultfd, O_CLOEXEC);
	range.range.start = (uintptr_t)missing;
	range.range.len = THREADS * PAGE;
	if (faults < 0 || ioctl(faults, UFFDIO_API, &api) ||
	    ioctl(faults, UFFDIO_REGISTER, &range))
		t_bail("userfaultfd: %m");
}

static void copies_in_a_fault(void)
{
	long long before, standing, beyond = (long long)(THREADS - t_cpus()) * COPY_PAGES * PAGE;
	struct uffdio_zeropage zero = { .range.len = THREADS * PAGE };
	unsigned int failed = 0;
	pthread_t threads[THREADS];
	struct uffd_msg message;
	bool enough;
	pthread_attr_t small;
	void *result;

	make_missing();
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 65536);
	before = kernel_bytes();
	for (long i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], &small, copy_to_missing, (void *)i))
			t_bail("pthread_create: %m");
	for (unsigned int i = 0; i < THREADS; i++)
		if (read(faults, &message, sizeof(message)) != sizeof(message))
			t_bail("userfaultfd: %m");
	/* Their kernel stacks are charged, too: 16 KiB and a bit for each. */
	enough = grown(before, beyond, &standing);
	check("L1", enough, "%d copies that stand in a page fault are charged: %lld bytes",
	      THREADS, standing);
	zero.range.start = (uintptr_t)missing;
	if (ioctl(faults, UFFDIO_ZEROPAGE, &zero))
		t_bail("UFFDIO_ZEROPAGE: %m");
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &result);
		failed += result != NULL;
	}
	check_eq("C1", failed, 0, "they are all done in the end");
	close(faults);
	munmap(missing, THREADS * PAGE);
}

int main(void)
{
	t_start();
	if (!make_group() || access(GROUP "/memory.stat", R_OK)) {
		t_skip("L1", "this kernel has no memory cgroups", "what is charged");
		return t_done();
	}
	grants = grants_make(1);
	if (!enter(GROUP))
		t_bail("cgroup.procs: %m");
	fd = dev_open();
	notifications();
	registered();
	copies_in_a_fault();
	close(fd);
	enter(ROOT);
	check_eq("A2", grants_free(grants), 0, "the page is free");
	check_ok("L1", rmdir(GROUP), "the group can go");
	umount(ROOT);
	return t_done();
}
