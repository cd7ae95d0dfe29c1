// SPDX-License-Identifier: GPL-2.0-or-later
/* A mapping outlives its descriptor; the last of both frees the instance. */
#define _GNU_SOURCE
#include <sys/socket.h>
#include <unistd.h>

#include "lib/grant.h"
#include "lib/pass.h"

#define N 3

static struct grants *grants;
static struct gate ready, go;
static int sockets[2];

static void close_first(void)
{
	uint64_t index;
	char *mapping;
	int fd = dev_open();

	dev_map(fd, grants->refs, N, &index);
	mapping = dev_mmap(fd, index, N, RW);
	close(fd);
	check_eq("V7", mapping_bad(mapping, N, 3), 0, "after close the mapping is as before");
	check_eq("V7", t_poke(mapping + 9, 9), 0, "and writable");
	check_eq("V7", grants_peek(grants, 0, 9), 9, "for the granter to see");
	grants_fill(grants, 3);
	check("V7", xen_holds(grants) >= N, "Xen holds the pages");
	check_ok("V7", dev_munmap(mapping, N), "munmap after close");
	check_eq("V7", xen_holds(grants), 0, "frees them");
}

static void duplicates(void)
{
	uint64_t index;
	char *mapping;
	int fd = dev_open(), copy = dup(fd);

	dev_map(fd, grants->refs, N, &index);
	close(fd);
	mapping = dev_mmap(copy, index, N, RW);
	check("V7", mapping != MAP_FAILED, "a dup of the descriptor is the same instance");
	dev_munmap(mapping, N);
	check_ok("V7", dev_unmap(copy, index, N), "and removes its ranges");
	dev_map(copy, grants->refs, N, &index);
	mapping = dev_mmap(copy, index, N, RW);
	close(copy);
	check_eq("V7", mapping_bad(mapping, N, 3), 0, "closing the last one leaves the mapping");
	dev_munmap(mapping, N);
	check_eq("V7", xen_holds(grants), 0, "munmap frees the pages");
}

static void registered_only(void)
{
	uint64_t index;
	int fd = dev_open();

	dev_map(fd, grants->refs, N, &index);
	dev_map_fake(fd, 1000, &index);
	check_ok("V7", close(fd), "close with ranges that are not mapped");
	check_eq("V7", xen_holds(grants), 0, "leaves nothing");
}

/* Maps through a descriptor that comes over a socket, and keeps the mapping until told. */
static int receiver(void *index)
{
	int fd = receive_fd(sockets[1]);
	char *mapping = dev_mmap(fd, *(uint64_t *)index, N, RW);

	if (mapping == MAP_FAILED)
		return 1;
	close(fd);
	if (mapping_bad(mapping, N, 3))
		return 2;
	gate_open(&ready);
	if (!gate_wait(&go) || mapping_bad(mapping, N, 3))
		return 3;
	return 0;
}

static void passed(void)
{
	uint64_t index;
	int fd, pid;

	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets);
	/* The child is there before the instance, and does not inherit it. */
	fd = -1;
	index = 0;
	{
		int early = dev_open();
		uint64_t *shared = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

		close(early);
		pid = t_child(receiver, shared);
		fd = dev_open();
		dev_map(fd, grants->refs, N, &index);
		*shared = index;
		pass_fd(sockets[0], fd);
	}
	check("V7", gate_wait(&ready), "another process gets the descriptor by a socket, and maps");
	check_errno("V7", dev_unmap(fd, index, N), EBUSY, "that keeps the range here busy");
	check_ok("V7", close(fd), "close the descriptor here");
	check("V7", xen_holds(grants) >= N, "Xen holds the pages for the other process");
	gate_open(&go);
	check_eq("V7", t_wait(pid), 0, "which sees them to its end");
	check_eq("V7", xen_holds(grants), 0, "and then Xen holds nothing");

	/* A descriptor in flight, which nobody ever receives. */
	fd = dev_open();
	dev_map(fd, grants->refs, N, &index);
	pass_fd(sockets[0], fd);
	close(fd);
	close(sockets[0]);
	close(sockets[1]);
	check_eq("V7", xen_holds(grants), 0, "a descriptor lost in a socket leaves nothing");
}

int main(void)
{
	t_start();
	gate_make(&ready);
	gate_make(&go);
	grants = grants_make(N);
	grants_fill(grants, 3);
	close_first();
	duplicates();
	registered_only();
	passed();
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
