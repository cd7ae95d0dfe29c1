// SPDX-License-Identifier: GPL-2.0-or-later
/* SET_UNMAP_NOTIFY: what it refuses, and that a refusal leaves the notification as it was. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/grant.h"
#include "lib/store.h"

#define BYTE UNMAP_NOTIFY_CLEAR_BYTE
#define EVENT UNMAP_NOTIFY_SEND_EVENT

static struct grants *grants;
static struct channel *channel;
static int fd;

static void pages_and_actions(void)
{
	uint64_t index;
	int other = dev_open();

	check_errno("N1", dev_notify(fd, 0, EVENT, channel->port), ENOENT, "an empty instance");
	check_errno("N1", dev_notify(fd, 0, 0, 0), ENOENT, "clearing in an empty instance");
	dev_map(fd, grants->refs, 2, &index);
	check_errno("N1", dev_notify(fd, index + 2 * PAGE, EVENT, channel->port), ENOENT,
		    "the page behind the range");
	check_errno("N1", dev_notify(fd, index + 2 * PAGE, 0, 0), ENOENT, "clearing there");
	check_errno("N1", dev_notify(fd, index + 1000 * PAGE, BYTE, 0), ENOENT, "far behind it");
	check_errno("N1", dev_notify(fd, -PAGE, BYTE, 0), ENOENT, "the highest page there is");
	check_errno("N1", dev_notify(fd, UINT64_MAX, BYTE, 0), ENOENT, "the highest byte there is");
	check_errno("N1", dev_notify(fd, index + (1ULL << 44), BYTE, 0), ENOENT,
		    "an index that a 32-bit page number would cut to the right one");
	check_errno("N1", dev_notify(other, index, BYTE, 0), ENOENT, "another instance's page");
	check_errno("N1", dev_notify(fd, index, 4, 0), EINVAL, "an unknown action");
	check_errno("N1", dev_notify(fd, index, BYTE | 0x80000000, 0), EINVAL, "one more");
	check_errno("N1", dev_notify(fd, index, UINT32_MAX, channel->port), EINVAL, "all actions");
	check_ok("N1", dev_notify(fd, index, BYTE, 0), "the first byte");
	check_ok("N1", dev_notify(fd, index + 2 * PAGE - 1, BYTE, 0), "the last byte");
	check_ok("N1", dev_notify(fd, index, BYTE, 0xffffffff), "the port of no event is ignored");
	check_ok("N1", dev_notify(fd, index, EVENT, channel->port), "an event");
	check_ok("N1", dev_notify(fd, index + 77, BYTE | EVENT, channel->port), "both");
	check_ok("N1", dev_notify(fd, index + 1, 0, 0xffffffff), "none: clear it, whatever the port");
	check_ok("N1", dev_notify(fd, index, 0, 0), "clear it again");
	check_ok("N1", dev_unmap(fd, index, 2), "UNMAP_GRANT_REF");
	check_errno("N1", dev_notify(fd, index, BYTE, 0), ENOENT, "a range that was removed");
	check_eq("N1", channel_events(channel), 0, "no event came of what was cleared");
	close(other);
}

/* Binds a port, tells its number, and keeps it until told to let go. */
static struct gate ready, go;
static unsigned int *shared_port;

static int hold_port(void *offered)
{
	struct channel *held = offered;

	if (channel_bind(held))
		return 1;
	*shared_port = held->port;
	gate_open(&ready);
	return gate_wait(&go) ? 0 : 2;
}

/* A port that the kernel uses itself. */
static unsigned int kernel_port(void)
{
	unsigned int port = 0;
	char *said;

	if (t_dom0())
		return 1; /* the timer's, or whatever dom0 bound first */
	if (store_open())
		return 0;
	said = store_read("store/port");
	if (said)
		port = atoi(said);
	free(said);
	return port;
}

static void ports(void)
{
	struct channel *offered = channel_offer(), *dead = channel_make();
	unsigned int dead_port, kernel = kernel_port();
	uint64_t index;
	void *mapping;
	int pid;

	dev_map(fd, grants->refs, 2, &index);
	check_errno("N1", dev_notify(fd, index, EVENT, 0), EINVAL, "port 0");
	check_errno("N1", dev_notify(fd, index, EVENT, UINT32_MAX), EINVAL, "port 2^32-1");
	check_errno("N1", dev_notify(fd, index, EVENT, 0x10000 + channel->port), EINVAL,
		    "a port that 16 bits would cut to a live one");
	check_errno("N1", dev_notify(fd, index, EVENT, 131071), EINVAL, "a port beyond all of Xen's");
	check_errno("N1", dev_notify(fd, index, EVENT, 1000), EINVAL, "a port that nobody has");
	if (kernel)
		check_errno("N1", dev_notify(fd, index, EVENT, kernel), EINVAL,
			    "a port that the kernel uses itself (%u)", kernel);
	else
		t_skip("N1", "none is known", "a port that the kernel uses itself");
	dead_port = dead->port;
	channel_free(dead);
	check_errno("N1", dev_notify(fd, index, EVENT, dead_port), EINVAL, "a dead port");
	check_errno("N1", dev_notify(fd, index, BYTE | EVENT, dead_port), EINVAL,
		    "a dead port beside CLEAR_BYTE");

	/* Refused calls leave what was there. */
	check_ok("N1", dev_notify(fd, index + 10, BYTE | EVENT, channel->port), "a good one");
	check_errno("N1", dev_notify(fd, index + 20, BYTE | EVENT, dead_port), EINVAL,
		    "then a bad one");
	check_errno("N1", dev_notify(fd, index + 20, 8, 0), EINVAL, "and another");
	grants_poke(grants, 0, 10, 0xff);
	grants_poke(grants, 0, 20, 0xff);
	mapping = dev_mmap(fd, index, 2, RW);
	dev_munmap(mapping, 2);
	check("N1", channel_wait(channel, 1), "the good one's event comes");
	check_eq("N1", grants_peek(grants, 0, 10), 0, "its byte is cleared");
	check_eq("N1", grants_peek(grants, 0, 20), 0xff, "that of the bad ones is not");

	/* A port of another process is a live one. */
	shared_port = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid = t_child(hold_port, offered);
	if (!gate_wait(&ready))
		t_bail("the child cannot bind a port");
	check_ok("N1", dev_notify(fd, index, EVENT, *shared_port), "a port of another process");
	mapping = dev_mmap(fd, index, 2, RW);
	dev_munmap(mapping, 2);
	check("N3", channel_wait(offered, 1), "its event comes");
	gate_open(&go);
	check_eq("N1", t_wait(pid), 0, "and the process ends");
	check_errno("N1", dev_notify(fd, index, EVENT, *shared_port), EINVAL, "and its port with it");
	dev_unmap(fd, index, 2);
	channel_free(offered);
}

static void read_only(void)
{
	uint64_t index;
	void *mapping;

	dev_map(fd, grants->refs, 2, &index);
	mapping = dev_mmap(fd, index, 2, RO);
	check_errno("N1", dev_notify(fd, index, BYTE, 0), EINVAL, "CLEAR_BYTE on a read-only mapping");
	check_errno("N1", dev_notify(fd, index, BYTE | EVENT, channel->port), EINVAL, "with an event");
	check_ok("N1", dev_notify(fd, index, EVENT, channel->port), "an event alone is fine there");
	check_ok("N1", dev_notify(fd, index, 0, 0), "and can be cleared");
	dev_munmap(mapping, 2);
	check_ok("N1", dev_notify(fd, index + PAGE, BYTE, 0), "CLEAR_BYTE on one that is not mapped");
	check_errno("N1", dev_mmap(fd, index, 2, RO), EINVAL, "then it is not mapped read-only");
	mapping = dev_mmap(fd, index, 2, RW);
	check("N1", mapping != MAP_FAILED, "but writable");
	if (mapping != MAP_FAILED)
		dev_munmap(mapping, 2);
	mapping = dev_mmap(fd, index, 2, RO);
	check("N5", mapping != MAP_FAILED, "and read-only, now that the notification is gone");
	if (mapping != MAP_FAILED)
		dev_munmap(mapping, 2);
	dev_notify(fd, index + PAGE, BYTE, 0);
	check_ok("N1", dev_notify(fd, index + PAGE + 9, 0, 0), "a CLEAR_BYTE that is cleared");
	mapping = dev_mmap(fd, index, 2, RO);
	check("N1", mapping != MAP_FAILED, "is no obstacle");
	if (mapping != MAP_FAILED)
		dev_munmap(mapping, 2);
	check_eq("N1", xen_holds(grants), 0, "nothing stays mapped");
	dev_unmap(fd, index, 2);
}

int main(void)
{
	t_start();
	gate_make(&ready);
	gate_make(&go);
	fd = dev_open();
	grants = grants_make(2);
	channel = channel_make();
	pages_and_actions();
	ports();
	read_only();
	close(fd);
	channel_free(channel);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
