// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Try to map what was granted at earlier meetings: Xen has to refuse each reference.
 *
 *	gone MEETING...
 */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xengnttab.h>
#include <xentoollog.h>

#include "common.h"

/*
 * A domain uses a reference again that has become free, vm-exec's agent for one, which may be
 * about to end. No event tells when a grant ends, so ask for a few seconds.
 */
#define TRIES 50

static void expect_refusal(xengnttab_handle *gnttab, unsigned int domid, uint32_t ref)
{
	for (int i = 0; i < TRIES; i++) {
		void *page = xengnttab_map_grant_ref(gnttab, domid, ref, PROT_READ);

		if (!page)
			return;
		xengnttab_unmap(gnttab, page, 1);
		usleep(100000);
	}
	failx("reference %u of domain %u can still be mapped", ref, domid);
}

int main(int argc, char **argv)
{
	/* Here errors are what is wanted: the library need not print them. */
	xentoollog_logger *silent = (xentoollog_logger *)
		xtl_createlogger_stdiostream(stderr, XTL_CRITICAL, 0);
	xengnttab_handle *gnttab = xengnttab_open(silent, 0);
	unsigned int refused = 0;

	if (!gnttab)
		fail("cannot open /dev/xen/gntdev");
	for (int i = 1; i < argc; i++) {
		struct offer offer;

		meet(argv[i]);
		await_offer(&offer);
		for (unsigned int n = 0; n < offer.pages; n++)
			expect_refusal(gnttab, offer.domid, offer.refs[n]);
		publish("refs-refused", "%u", offer.pages);
		refused += offer.pages;
	}
	tell("tried all %u references once more: Xen refuses each", refused);
	return 0;
}
