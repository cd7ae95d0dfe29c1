// SPDX-License-Identifier: GPL-2.0-or-later
/* The driver holds a port while it may need it; any number of pages may name one. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <unistd.h>

#include "lib/grant.h"

#define EVENT UNMAP_NOTIFY_SEND_EVENT

/* The process closes its port while the driver holds it. */
static void owner_closes(void)
{
	struct grants *grants = grants_make(1);
	struct channel *channel = channel_make(), *others[8];
	bool reused = false;
	uint64_t index;
	void *mapping;
	int fd = dev_open();

	dev_map(fd, grants->refs, 1, &index);
	mapping = dev_mmap(fd, index, 1, RW);
	check_ok("N5", dev_notify(fd, index, EVENT, channel->port), "a notification");
	close(channel->fd);
	channel->fd = -1;
	for (int i = 0; i < 8; i++) {
		others[i] = channel_make();
		reused = reused || others[i]->port == channel->port;
	}
	check("N5", !reused, "its port, closed by its owner, is not given to others");
	dev_munmap(mapping, 1);
	check("N5", channel_wait(channel, 1), "and the event comes");
	for (int i = 0; i < 8; i++) {
		check_eq("N5", channel_events(others[i]), 0, "not to another port");
		channel_free(others[i]);
	}
	check_errno("N5", dev_notify(fd, index, EVENT, channel->port), EINVAL,
		    "after that the port is dead: the driver let it go");
	dev_unmap(fd, index, 1);
	channel_free(channel);

	/* Every way to let go of a port: replaced, cleared, removed. */
	for (int way = 0; way < 3; way++) {
		static const char *const ways[] = { "replaced", "cleared", "removed with its range" };
		struct channel *second = channel_make();

		channel = channel_make();
		dev_map(fd, grants->refs, 1, &index);
		dev_notify(fd, index, EVENT, channel->port);
		close(channel->fd);
		channel->fd = -1;
		if (way == 0)
			dev_notify(fd, index, EVENT, second->port);
		else if (way == 1)
			dev_notify(fd, index, 0, 0);
		else
			dev_unmap(fd, index, 1);
		if (way == 2) {
			check("N4", channel_wait(channel, 1), "%s: its event comes", ways[way]);
			dev_map(fd, grants->refs, 1, &index);
		} else {
			check_eq("N1", channel_events(channel), 0, "%s: no event comes", ways[way]);
		}
		check_errno("N5", dev_notify(fd, index, EVENT, channel->port), EINVAL,
			    "%s: the driver let go of the port", ways[way]);
		dev_unmap(fd, index, 1);
		channel_free(channel);
		channel_free(second);
	}
	close(fd);
	check_eq("A2", grants_free(grants), 0, "the page is free");
}

/* Thousands of mapped pages, and more references to a port than a short can count. */
static void many_pages(unsigned int n, bool mapped)
{
	struct channel *channel = channel_make();
	struct grants *grants = mapped ? grants_make(n) : NULL;
	unsigned int failed = 0, port = channel->port;
	void *mapping = MAP_FAILED;
	uint64_t index;
	int fd = dev_open();

	if (mapped ? dev_map(fd, grants->refs, n, &index) : dev_map_fake(fd, n, &index))
		t_bail("MAP_GRANT_REF of %u: %m", n);
	if (mapped)
		mapping = dev_mmap(fd, index, n, RW);
	for (unsigned int i = 0; i < n; i++)
		failed += dev_notify(fd, index + i * PAGE, EVENT, port) != 0;
	check_eq("N1", failed, 0, "%u pages name one port", n);
	for (unsigned int i = 0; i < n; i++)
		failed += dev_notify(fd, index + i * PAGE, EVENT, port) != 0;
	check_eq("N1", failed, 0, "and name it again");
	if (mapped)
		dev_munmap(mapping, n);
	check_ok("N1", dev_unmap(fd, index, n), "they are removed");
	check("N3", channel_wait(channel, 1), "and the event comes");
	close(channel->fd);
	channel->fd = -1;
	dev_map_fake(fd, 1, &index);
	check_errno("N5", dev_notify(fd, index, EVENT, port), EINVAL,
		    "the driver let go of the port as often as it took it");
	close(fd);
	channel_free(channel);
	if (grants)
		check_eq("A2", grants_free(grants), 0, "the pages are free");
}

/* Many ports on many pages of many ranges, and many instances with one port. */
static void many_ports(void)
{
	enum { N = 20 };
	struct channel *channels[N], *one = channel_make();
	unsigned int failed = 0;
	uint64_t index;
	int fd = dev_open(), fds[N];

	dev_map_fake(fd, N, &index);
	for (int i = 0; i < N; i++) {
		channels[i] = channel_make();
		failed += dev_notify(fd, index + i * PAGE, EVENT, channels[i]->port) != 0;
	}
	dev_unmap(fd, index, N);
	for (int i = 0; i < N; i++) {
		failed += !channel_wait(channels[i], 1) || channel_events(channels[i]) != 1;
		channel_free(channels[i]);
	}
	check_eq("N1", failed, 0, "%u pages with a port each: each gets one event", N);
	for (int i = 0; i < N; i++) {
		fds[i] = dev_open();
		dev_map_fake(fds[i], 3, &index);
		failed += dev_notify(fds[i], index + 2 * PAGE, EVENT, one->port) != 0;
	}
	check_eq("N1", failed, 0, "%u instances with one port", N);
	for (int i = 0; i < N; i++) {
		unsigned int before = channel_events(one);

		close(fds[i]);
		failed += !channel_wait(one, before + 1);
	}
	check_eq("N4", failed, 0, "each sends its event at its close");
	close(fd);
	channel_free(one);
}

int main(void)
{
	t_start();
	owner_closes();
	many_pages(3000, true);
	many_pages(40000, false);
	many_ports();
	return t_done();
}
