// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Map a page of another domain, with a notification for when that ends, and wait to be killed.
 *
 *	hold MEETING
 *
 * The other side is notice.c.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#include "common.h"

int main(int argc, char **argv)
{
	xengnttab_handle *gnttab;
	xenevtchn_handle *evtchn;
	struct offer offer;
	int port;
	char *page;

	if (argc != 2) {
		fprintf(stderr, "usage: hold MEETING\n");
		return 2;
	}
	meet(argv[1]);
	await_offer(&offer);

	evtchn = xenevtchn_open(NULL, 0);
	if (!evtchn)
		fail("cannot open /dev/xen/evtchn");
	port = xenevtchn_bind_interdomain(evtchn, offer.domid, offer.port);
	if (port < 0)
		fail("cannot bind to event channel port %u of domain %u", offer.port, offer.domid);

	gnttab = xengnttab_open(NULL, 0);
	if (!gnttab)
		fail("cannot open /dev/xen/gntdev");
	/* From here on the driver knows what to do, should this process not live to do it. */
	page = xengnttab_map_grant_ref_notify(gnttab, offer.domid, offer.refs[0],
					      PROT_READ | PROT_WRITE, ALIVE_BYTE, port);
	if (!page)
		fail("cannot map reference %u of domain %u", offer.refs[0], offer.domid);
	page[ALIVE_BYTE] = 1;
	tell("process %d mapped the page at %p and set byte %d to 1", getpid(), (void *)page,
	     ALIVE_BYTE);
	tell("it asked the driver to clear that byte and send an event when the mapping ends");
	publish("held", "%d", getpid());

	/* Should nobody kill this process, it ends of another signal, which tells. */
	alarm(PATIENCE);
	for (;;)
		pause();
}
