// SPDX-License-Identifier: GPL-2.0-or-later
/* What a notification does: its byte, its event, once, page by page. */
#define _GNU_SOURCE
#include <string.h>
#include <unistd.h>

#include "lib/grant.h"

#define BYTE UNMAP_NOTIFY_CLEAR_BYTE
#define EVENT UNMAP_NOTIFY_SEND_EVENT
#define N 4

static struct grants *grants;
static struct channel *channel;
static uint64_t index_;
static unsigned int events;
static int fd;

static void *map(void)
{
	void *mapping = dev_mmap(fd, index_, N, RW);

	if (mapping == MAP_FAILED) {
		/* An instance that cannot map a range twice: a new one. */
		dev_unmap(fd, index_, N);
		dev_map(fd, grants->refs, N, &index_);
	}
	return mapping;
}

static unsigned int zeroes(unsigned int page)
{
	unsigned int found = 0;

	for (unsigned int i = 0; i < PAGE; i += 16)
		found += grants_peek(grants, page, i) == 0;
	return found;
}

static void a_byte(void)
{
	static const unsigned int offsets[] = { 0, 1, 1234, 4095 };
	void *mapping = map();

	memset(mapping, 0xff, N * PAGE);
	for (unsigned int i = 0; i < N; i++)
		check_ok("N2", dev_notify(fd, index_ + i * PAGE + offsets[i], BYTE, 0),
			 "CLEAR_BYTE at offset %u of page %u", offsets[i], i);
	for (unsigned int i = 0; i < N; i++)
		check_eq("N2", t_byte(mapping + i * PAGE + offsets[i]), 0xff,
			 "page %u: nothing happens while it is mapped", i);
	check_ok("N2", dev_munmap(mapping, N), "munmap");
	for (unsigned int i = 0; i < N; i++) {
		unsigned int at = offsets[i];

		check_eq("N2", grants_peek(grants, i, at), 0, "page %u: its byte is cleared", i);
		if (at)
			check_eq("N2", grants_peek(grants, i, at - 1), 0xff, "not the one before");
		if (at < 4095)
			check_eq("N2", grants_peek(grants, i, at + 1), 0xff, "not the one behind");
	}
	check_eq("N2", zeroes(0), 1, "nor any other of the page");

	mapping = map();
	if (mapping != MAP_FAILED) {
		memset(mapping, 0xff, N * PAGE);
		dev_munmap(mapping, N);
	}
	check_eq("N5", grants_peek(grants, 2, 1234), 0xff, "the next munmap clears nothing");
}

static void replacing(void)
{
	void *mapping = map();

	memset(mapping, 0xff, N * PAGE);
	dev_notify(fd, index_ + 100, BYTE, 0);
	check_ok("N1", dev_notify(fd, index_ + 200, BYTE, 0), "a later call for the same page");
	dev_notify(fd, index_ + PAGE + 100, BYTE, 0);
	check_ok("N1", dev_notify(fd, index_ + PAGE, 0, 0), "action 0 for the second page");
	dev_notify(fd, index_ + 2 * PAGE + 100, BYTE, 0);
	check_ok("N1", dev_notify(fd, index_ + 2 * PAGE + 100, EVENT, channel->port),
		 "an event instead of a byte for the third");
	dev_notify(fd, index_ + 3 * PAGE, EVENT, channel->port);
	check_ok("N1", dev_notify(fd, index_ + 3 * PAGE + 300, BYTE, 0),
		 "a byte instead of an event for the fourth");
	dev_munmap(mapping, N);
	check_eq("N1", grants_peek(grants, 0, 100), 0xff, "what was replaced does not happen");
	check_eq("N1", grants_peek(grants, 0, 200), 0, "what replaced it does");
	check_eq("N1", grants_peek(grants, 1, 100), 0xff, "what was cleared does not happen");
	check_eq("N1", grants_peek(grants, 2, 100), 0xff, "nor the byte that became an event");
	check("N1", channel_wait(channel, ++events), "but its event comes");
	check_eq("N1", grants_peek(grants, 3, 300), 0, "the byte that was an event is cleared");
	check_eq("N1", channel_events(channel), events, "and its event does not come");
}

static void an_event(void)
{
	struct channel *several = channel_make();
	void *mapping;

	/* Set before it is mapped. */
	check_ok("N3", dev_notify(fd, index_ + PAGE, EVENT, channel->port), "SEND_EVENT before mmap");
	mapping = map();
	check_eq("N3", channel_events(channel), events, "mmap sends no event");
	check_ok("N3", dev_munmap(mapping, N), "munmap");
	check("N3", channel_wait(channel, ++events), "the event comes after munmap");
	check_eq("N3", xen_holds(grants), 0, "when Xen holds nothing any more");
	check_eq("N3", channel_events(channel), events, "once");
	mapping = map();
	if (mapping != MAP_FAILED)
		dev_munmap(mapping, N);
	check_eq("N5", channel_events(channel), events, "the next munmap sends nothing");

	/* Set while it is mapped, on several pages with the same port. */
	mapping = map();
	memset(mapping, 0xff, N * PAGE);
	for (int i = 0; i < N; i++)
		dev_notify(fd, index_ + i * PAGE + i, BYTE | EVENT, several->port);
	dev_munmap(mapping, N);
	/* Four events that come at once may count as fewer, and the last may be seen late. */
	check("N3", channel_wait(several, 1), "with four pages for a port, events come");
	for (int i = 0; i < N; i++)
		check_eq("N2", grants_peek(grants, i, i), 0, "and the byte of page %d is cleared", i);
	channel_free(several);
}

/* The byte is there when the event comes, and the granter may take the page back at once. */
static void in_order(void)
{
	struct grants *lot;
	unsigned int late = 0;

	for (int round = 0; round < 10; round++) {
		uint64_t index;
		void *mapping;

		lot = grants_make(8);
		dev_map(fd, lot->refs, 8, &index);
		mapping = dev_mmap(fd, index, 8, RW);
		dev_notify(fd, index + 7 * PAGE + 5, BYTE | EVENT, channel->port);
		if (!channel_frees(channel, lot)) {
			dev_munmap(mapping, 8);
			dev_unmap(fd, index, 8);
			late += grants_free(lot);
			t_skip("N3", "the granter is this process",
			       "a granter that frees the pages on the event finds them unmapped");
			channel_wait(channel, ++events);
			return;
		}
		dev_munmap(mapping, 8);
		dev_unmap(fd, index, 8);
		channel_wait(channel, ++events);
		late += grants_free(lot);
	}
	check_eq("N3", late, 0, "a granter that frees the pages on the event finds them unmapped");
}

static void last_mapping(void)
{
	void *first = map(), *second;

	second = dev_mmap(fd, index_, N, RW);
	if (second == MAP_FAILED) {
		t_skip("N2", "one mapping of a range at a time", "only as the last mapping goes");
		dev_munmap(first, N);
		return;
	}
	t_poke(first + 50, 0xff);
	dev_notify(fd, index_ + 50, BYTE | EVENT, channel->port);
	dev_munmap(first, N);
	check_eq("N2", t_byte(second + 50), 0xff, "the byte stays while a second mapping is there");
	check_eq("N3", channel_events(channel), events, "and no event comes");
	dev_munmap(second, N);
	check_eq("N2", grants_peek(grants, 0, 50), 0, "it is cleared as the last mapping goes");
	check("N3", channel_wait(channel, ++events), "and the event comes");
	check_eq("N5", channel_events(channel), events, "once");
}

int main(void)
{
	t_start();
	fd = dev_open();
	grants = grants_make(N);
	channel = channel_make();
	dev_map(fd, grants->refs, N, &index_);
	a_byte();
	replacing();
	an_event();
	in_order();
	last_mapping();
	check_ok("N5", dev_unmap(fd, index_, N), "UNMAP_GRANT_REF");
	check_eq("N5", channel_events(channel), events, "sends nothing: all has been sent");
	close(fd);
	check_eq("N5", channel_events(channel), events, "nor does close");
	channel_free(channel);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
