// SPDX-License-Identifier: GPL-2.0-or-later
/* Built for 32 bits, static, and run by compat.c: DOMID REF REF PORT. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xen/gntdev.h>

#define PAGE 4096

static void say(int failed, const char *what)
{
	printf("%d %s\n", failed ? (errno ? errno : 255) : 0, what);
	fflush(stdout);
	errno = 0;
}

/* One copy in each direction; what the pointers do not fill of their place has any value. */
static void copy(int fd, const struct ioctl_gntdev_grant_ref *ref)
{
	struct ioctl_gntdev_grant_copy_segment segments[2];
	struct ioctl_gntdev_grant_copy op = { .count = 2, .segments = segments };
	static char text[] = "thirty-two bits", back[sizeof(text)];

	memset(segments, 0xff, sizeof(segments));
	segments[0].source.virt = text;
	segments[1].dest.virt = back;
	segments[0].dest.foreign.ref = segments[1].source.foreign.ref = ref->ref;
	segments[0].dest.foreign.domid = segments[1].source.foreign.domid = ref->domid;
	segments[0].dest.foreign.offset = segments[1].source.foreign.offset = 2000;
	segments[0].len = segments[1].len = sizeof(text);
	segments[0].flags = 2; /* GNTCOPY_dest_gref */
	segments[1].flags = 1;
	say(ioctl(fd, IOCTL_GNTDEV_GRANT_COPY, &op), "GRANT_COPY");
	say(segments[0].status || segments[1].status, "its statuses");
	say(memcmp(text, back, sizeof(text)), "what it copied there and back");
	op.segments = (void *)16;
	say(!(ioctl(fd, IOCTL_GNTDEV_GRANT_COPY, &op) && errno == EFAULT),
	    "GRANT_COPY without segments is EFAULT");
	errno = 0;
}

int main(int argc, char **argv)
{
	struct {
		struct ioctl_gntdev_map_grant_ref map;
		struct ioctl_gntdev_grant_ref second;
	} two = { .map.count = 2, .map.pad = 0xdeadbeef };
	struct ioctl_gntdev_set_max_grants max = { .count = 10 };
	struct ioctl_gntdev_unmap_grant_ref unmap = { .count = 2 };
	struct ioctl_gntdev_get_offset_for_vaddr get = { .vaddr = 0 };
	struct ioctl_gntdev_unmap_notify notify = { .action = 3 };
	uint8_t *mapping;
	int fd;

	if (argc != 5 || sizeof(void *) != 4)
		return 2;
	two.map.refs[0].domid = two.second.domid = atoi(argv[1]);
	two.map.refs[0].ref = atoi(argv[2]);
	two.second.ref = atoi(argv[3]);
	errno = 0;
	fd = open("/dev/xen/gntdev", O_RDWR | O_CLOEXEC);
	say(fd < 0, "open");
	say(ioctl(fd, IOCTL_GNTDEV_SET_MAX_GRANTS, &max), "SET_MAX_GRANTS");
	two.map.count = 11;
	say(!(ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, &two) && (errno == ENOSPC || errno == EFAULT)),
	    "MAP_GRANT_REF above that limit");
	errno = 0;
	two.map.count = 2;
	say(ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, &two), "MAP_GRANT_REF");
	mapping = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, two.map.index);
	say(mapping == MAP_FAILED, "mmap");
	if (mapping == MAP_FAILED)
		return 1;
	mapping[40] = 0x5a;
	say(mapping[PAGE + 77] != 0xff, "the page has what the granter wrote");
	get.vaddr = (uintptr_t)mapping;
	say(ioctl(fd, IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR, &get), "GET_OFFSET_FOR_VADDR");
	say(get.offset != two.map.index || get.count != 2, "its answer");
	notify.index = two.map.index + PAGE + 77;
	notify.event_channel_port = atoi(argv[4]);
	say(ioctl(fd, IOCTL_GNTDEV_SET_UNMAP_NOTIFY, &notify), "SET_UNMAP_NOTIFY");
	unmap.index = two.map.index;
	say(!(ioctl(fd, IOCTL_GNTDEV_UNMAP_GRANT_REF, &unmap) && errno == EBUSY),
	    "UNMAP_GRANT_REF while it is mapped is EBUSY");
	errno = 0;
	copy(fd, two.map.refs);
	say(munmap(mapping, 2 * PAGE), "munmap");
	say(ioctl(fd, IOCTL_GNTDEV_UNMAP_GRANT_REF, &unmap), "UNMAP_GRANT_REF");
	say(!(ioctl(fd, _IO('G', 99), 0) && errno == ENOTTY), "an unknown ioctl is ENOTTY");
	errno = 0;
	say(close(fd), "close");
	return 0;
}
