// SPDX-License-Identifier: GPL-2.0-or-later
/* MAP_GRANT_REF: how many, from where, and that an error leaves the table as it was. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/dev.h"
#include "lib/t.h"

#define LIMIT "/sys/module/xen_gntdev/parameters/limit"

/* The instance holds nothing: only then may its limit change. */
static bool empty(int fd)
{
	return dev_max(fd, 1000) == 0;
}

static int map_count(int fd, uint32_t count)
{
	struct ioctl_gntdev_map_grant_ref map = { .count = count };

	return ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, &map);
}

static void counts(void)
{
	long long limit = t_read_number(LIMIT);
	char text[32], old[32];
	uint64_t index;
	int fd = dev_open();

	check_errno("M2", map_count(fd, 0), EINVAL, "no reference at all");
	check_errno("M2", map_count(fd, UINT32_MAX), EINVAL, "2^32-1 references");
	check_errno("M2", map_count(fd, 0x80000000), EINVAL, "2^31 references");
	check_errno("M2", map_count(fd, 0x20000001), EINVAL, "so many that their size wraps");
	check_eq("M2", limit, 65536, "the module parameter limit is 65536 by default");
	if (limit < 0)
		limit = 65536;
	check_errno("M2", dev_map_fake(fd, limit + 1, &index), EINVAL, "one more than limit");
	check("M2", empty(fd), "after that the table is empty as before");
	check_ok("M2", dev_max(fd, limit), "an instance of that size");
	check_ok("M2", dev_map_fake(fd, limit, &index), "takes limit references in one call");
	check_ok("M2", dev_unmap(fd, index, limit), "and gives them up");
	check_ok("M2", dev_map_fake(fd, 1, &index), "one reference");
	check_ok("M2", dev_unmap(fd, index, 1), "and its removal");

	snprintf(old, sizeof(old), "%lld", limit);
	check("M2", t_write_file(LIMIT, "10"), "limit can be changed at run time");
	check_errno("M2", dev_map_fake(fd, 11, &index), EINVAL, "then 11 references are too many");
	check_ok("M2", dev_map_fake(fd, 10, &index), "and 10 are not");
	check_ok("M2", dev_map_fake(fd, 10, &index), "and 10 more: it is a limit for one request");
	t_write_file(LIMIT, old);
	t_read_file(LIMIT, text, sizeof(text));
	check_eq("M2", atoll(text), limit, "limit is back");
	close(fd);
}

static void instance_limit(void)
{
	uint64_t first, index, second;
	int fd = dev_open();

	check_ok("M2", dev_max(fd, 100), "an instance of 100 references");
	check_errno("M2", dev_map_fake(fd, 101, &index), ENOSPC, "101 at once do not fit");
	check("M2", empty(fd), "and leave nothing behind");
	check_ok("M2", dev_max(fd, 100), "again 100");
	check_ok("M2", dev_map_fake(fd, 60, &first), "60 fit");
	check_errno("M2", dev_map_fake(fd, 41, &index), ENOSPC, "41 more do not");
	check_ok("M2", dev_map_fake(fd, 40, &second), "40 more do");
	check_errno("M2", dev_map_fake(fd, 1, &index), ENOSPC, "and then it is full");
	check_ok("M2", dev_unmap(fd, first, 60), "60 less");
	check_ok("M2", dev_map_fake(fd, 60, &first), "and there is room again");
	check_ok("M2", dev_unmap(fd, first, 60), "remove the first");
	check_ok("M2", dev_unmap(fd, second, 40), "and the second");
	check("M2", empty(fd), "and the table is empty");
	close(fd);
}

/* The instance's own limit, when nobody set one, is that of the module. */
static void default_limit(void)
{
	long long max = t_read_number("/sys/module/xen_gntdev/parameters/max_grants");
	long long held = 0;
	uint64_t index;
	int fd = dev_open();

	check_eq("M6", max, 1048576, "the module parameter max_grants is 1048576 by default");
	if (max < 0)
		max = 1048576;
	for (; held + 65536 <= max && !dev_map_fake(fd, 65536, &index); held += 65536)
		;
	check_eq("M2", held, max, "an instance holds max_grants references when nobody says less");
	check_errno("M2", dev_map_fake(fd, 1, &index), ENOSPC, "and not one more");
	close(fd);
}

static void addresses(void)
{
	const unsigned int count = 600;
	size_t size = sizeof(struct ioctl_gntdev_map_grant_ref) +
		      (count - 1) * sizeof(struct ioctl_gntdev_grant_ref);
	size_t pages = (size + PAGE - 1) / PAGE;
	struct ioctl_gntdev_map_grant_ref *map;
	char *memory = mmap(NULL, (pages + 1) * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = dev_open();

	munmap(memory + pages * PAGE, PAGE);
	map = (void *)(memory + pages * PAGE - size);
	map->count = count;
	for (unsigned int i = 0; i < count; i++)
		map->refs[i] = (struct ioctl_gntdev_grant_ref){ NO_DOMAIN, i };
	check_ok("M2", ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, map), "an array up to a page's end");
	check_ok("M2", dev_unmap(fd, map->index, count), "which is removed");
	map->count = count + 1;
	check_errno("M2", ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, map), EFAULT,
		    "an array that ends on an unmapped page");
	check("M2", empty(fd), "leaves nothing registered");
	dev_max(fd, 1000);

	map = (void *)memory;
	map->count = 1;
	map->refs[0] = (struct ioctl_gntdev_grant_ref){ NO_DOMAIN, 1 };
	mprotect(memory, pages * PAGE, PROT_READ);
	check_errno("M2", ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, map), EFAULT,
		    "a struct whose index cannot be written");
	check("M2", empty(fd), "leaves nothing registered");
	check_errno("M2", ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, memory + pages * PAGE), EFAULT,
		    "a struct that is not there");
	check_errno("M2", ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, NULL), EFAULT, "a null pointer");
	check_errno("M2", ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, 0xffff800000000000), EFAULT,
		    "a pointer into the kernel");
	check_errno("M5", ioctl(fd, IOCTL_GNTDEV_UNMAP_GRANT_REF, memory + pages * PAGE), EFAULT,
		    "UNMAP_GRANT_REF of a struct that is not there");
	check_errno("M6", ioctl(fd, IOCTL_GNTDEV_SET_MAX_GRANTS, memory + pages * PAGE), EFAULT,
		    "SET_MAX_GRANTS of a struct that is not there");
	check_errno("M7", ioctl(fd, IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR, memory + pages * PAGE),
		    EFAULT, "GET_OFFSET_FOR_VADDR of a struct that is not there");
	check_errno("N1", ioctl(fd, IOCTL_GNTDEV_SET_UNMAP_NOTIFY, memory + pages * PAGE), EFAULT,
		    "SET_UNMAP_NOTIFY of a struct that is not there");
	check("M2", empty(fd), "and nothing came of all that");
	close(fd);
	munmap(memory, pages * PAGE);
}

int main(void)
{
	t_start();
	counts();
	instance_limit();
	default_limit();
	addresses();
	return t_done();
}
