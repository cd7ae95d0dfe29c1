// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory of the kernel that many rounds use up, of things that work and of things that fail. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <glob.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/grant.h"

#define N 16
/* Xen lets one reference be mapped 127 times. */
#define LARGE (N * 50)

static struct grants *grants;
static struct channel *channel;

/* In KiB: what the kernel has for itself for good, and what is free. */
static long meminfo(const char *name)
{
	char text[4096], *line;

	t_read_file("/proc/meminfo", text, sizeof(text));
	line = strstr(text, name);
	return line ? atol(line + strlen(name)) : 0;
}

static void registered(void)
{
	uint64_t index;
	int fd = dev_open();

	for (int i = 0; i < 3000; i++) {
		dev_map_fake(fd, 20, &index);
		dev_notify(fd, index, UNMAP_NOTIFY_SEND_EVENT, channel->port);
		/* Some are left for the close. */
		if (i % 8)
			dev_unmap(fd, index, 20);
	}
	close(fd);
}

static void mapped(void)
{
	uint64_t index;
	void *mapping;
	int fd = dev_open();

	for (int i = 0; i < 120; i++) {
		dev_map(fd, grants->refs, N, &index);
		dev_notify(fd, index, UNMAP_NOTIFY_CLEAR_BYTE, 0);
		mapping = dev_mmap(fd, index, N, RW);
		if (mapping != MAP_FAILED)
			dev_munmap(mapping, N);
		mapping = dev_mmap(fd, index, N, RO);
		if (mapping != MAP_FAILED)
			dev_munmap(mapping, N);
		if (i % 8)
			dev_unmap(fd, index, N);
	}
	close(fd);
}

/*
 * More pages than the kernel makes at a time (32,768 unpopulated ones): if they were not given back
 * it would have to make more, which takes 2 MiB for what it has to know of them.
 */
static void mapped_large(void)
{
	struct ioctl_gntdev_grant_ref refs[LARGE];
	uint64_t index;
	void *mapping;
	int fd = dev_open();

	for (int i = 0; i < LARGE; i++)
		refs[i] = grants->refs[i % N];
	dev_map(fd, refs, LARGE, &index);
	for (int i = 0; i < 33000 / LARGE; i++) {
		mapping = dev_mmap(fd, index, LARGE, RW);
		if (mapping != MAP_FAILED)
			dev_munmap(mapping, LARGE);
	}
	close(fd);
}

static void refused(void)
{
	struct ioctl_gntdev_grant_ref refs[N];
	struct ioctl_gntdev_map_grant_ref *map;
	void *mapping, *page;
	uint64_t index;
	int fd = dev_open();

	page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	map = page;
	memcpy(refs, grants->refs, sizeof(refs));
	refs[N - 1].ref = 0x7fffffff;
	for (int i = 0; i < 100; i++) {
		mapping = MAP_FAILED;
		if (!dev_map(fd, refs, N, &index)) {
			mapping = dev_mmap(fd, index, N, RW);
			dev_unmap(fd, index, N);
		}
		if (mapping != MAP_FAILED)
			dev_munmap(mapping, N);
		dev_map_fake(fd, 4000, &index);
		dev_mmap(fd, index, 1, RW);
		dev_unmap(fd, index, 1);
		dev_unmap(fd, index, 4000);
	}
	mprotect(page, PAGE, RW);
	map->count = 500;
	mprotect(page, PAGE, PROT_READ);
	for (int i = 0; i < 1500; i++) {
		/* No index can be written; no array is there. */
		ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, map);
		ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, (char *)page + PAGE - 16);
		dev_notify(fd, i * PAGE, UNMAP_NOTIFY_SEND_EVENT, channel->port);
		dev_notify(fd, 0, UNMAP_NOTIFY_SEND_EVENT, 77777);
	}
	munmap(page, PAGE);
	close(fd);
}

static void opened(void)
{
	uint64_t index;

	for (int i = 0; i < 1000; i++) {
		int fd = dev_open();

		if (i % 2)
			dev_map_fake(fd, 3, &index);
		close(fd);
	}
}

/*
 * What the kernel has freed it may still hold: files until a grace period has passed, empty slabs
 * for the next object, and KASAN all that was freed lately, in its quarantine. Writing to a cache's
 * "shrink" ends all of that for this cache (kmem_cache_shrink() of mm/slub.c, which first calls
 * kasan_cache_shrink()).
 */
static void settle(void)
{
	glob_t caches;
	int fd;

	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	if (glob("/sys/kernel/slab/*/shrink", 0, NULL, &caches))
		return;
	for (size_t i = 0; i < caches.gl_pathc; i++) {
		fd = open(caches.gl_pathv[i], O_WRONLY);
		if (fd < 0)
			continue;
		if (write(fd, "1", 1) != 1)
			t_note("%s: cannot be shrunk", caches.gl_pathv[i]);
		close(fd);
	}
	globfree(&caches);
}

/* A leak shows every time; what else happens in the kernel does not. */
static void leaks(void (*work)(void), const char *what)
{
	long slab = 0, free_memory = 0;

	work();
	for (int i = 0; i < 5; i++) {
		settle();
		slab = meminfo("SUnreclaim:");
		free_memory = meminfo("MemFree:");
		work();
		settle();
		slab = meminfo("SUnreclaim:") - slab;
		free_memory -= meminfo("MemFree:");
		if (slab < 100 && free_memory < 450)
			break;
	}
	check("A1", slab < 100, "%s: the kernel's objects are given back (%ld KiB more)", what, slab);
	check("A1", free_memory < 450, "%s: and its memory (%ld KiB less free)", what, free_memory);
}

int main(void)
{
	t_start();
	grants = grants_make(N);
	channel = channel_make();
	leaks(registered, "3,000 ranges registered and removed");
	leaks(mapped, "240 mappings");
	leaks(mapped_large, "33,000 pages mapped");
	leaks(refused, "calls that are refused");
	leaks(opened, "1,000 instances");
	check_eq("A2", xen_holds(grants), 0, "nothing stays mapped");
	channel_free(channel);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
