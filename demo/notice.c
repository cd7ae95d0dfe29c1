// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Grant a page to another domain, and notice the end of the program that maps it there.
 *
 *	notice MEETING DOMID
 *
 * The other side is hold.c, which has no chance to say goodbye: what is noticed here is the work
 * of the driver in its domain.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include <xenevtchn.h>

#include "common.h"

int main(int argc, char **argv)
{
	struct offer offer = { 0 };
	struct pollfd event = { .events = POLLIN };
	xenevtchn_handle *evtchn;
	unsigned int domid;
	volatile char *alive;
	char *page;
	int port;

	if (argc != 3) {
		fprintf(stderr, "usage: notice MEETING DOMID\n");
		return 2;
	}
	meet(argv[1]);
	domid = atoi(argv[2]);

	evtchn = xenevtchn_open(NULL, 0);
	if (!evtchn)
		fail("cannot open /dev/xen/evtchn");
	port = xenevtchn_bind_unbound_port(evtchn, domid);
	if (port < 0)
		fail("cannot have an event channel for domain %u", domid);
	offer.port = port;
	event.fd = xenevtchn_fd(evtchn);

	page = grant_pages(domid, 1, &offer);
	alive = page + ALIVE_BYTE;
	write_page(page, "Whoever maps this page: byte %d says that you are alive", ALIVE_BYTE);
	*alive = 0;
	offer.checksum = checksum(page, PAGE_BYTES);
	tell("granted a page to domain %u, reference %u, and an event channel, port %d", domid,
	     offer.refs[0], port);
	publish_offer(&offer);

	free(await("held", "the other domain to map the page"));
	if (*alive != 1)
		failx("byte %d is %d, not 1", ALIVE_BYTE, *alive);
	if (poll(&event, 1, 0))
		failx("there is an event before its time");
	tell("byte %d is 1, and no event has come", ALIVE_BYTE);

	switch (poll(&event, 1, PATIENCE * 1000)) {
	case 0:
		failx("waited %d s in vain for the event; byte %d is %d", PATIENCE, ALIVE_BYTE,
		     *alive);
	case -1:
		fail("cannot wait for the event");
	}
	if (xenevtchn_pending(evtchn) != port)
		failx("the event is not one of port %d", port);
	tell("an event came through port %d", port);
	publish("events", "1");
	if (*alive)
		failx("byte %d is still %d", ALIVE_BYTE, *alive);
	/* Before it was mapped the byte was 0, too: so the page must be as it was then. */
	if (checksum(page, PAGE_BYTES) != offer.checksum)
		failx("the rest of the page has changed");
	tell("byte %d is 0, and the other %d bytes are as they were", ALIVE_BYTE, PAGE_BYTES - 1);
	publish("bytes-cleared", "1");
	return 0;
}
