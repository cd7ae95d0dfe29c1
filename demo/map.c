// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Map the pages that another domain grants, show what they say, and write an answer.
 *
 *	map MEETING
 *
 * The other side is share.c. Mapping is the business of /dev/xen/gntdev, which libxengnttab opens.
 */
#include <stdio.h>
#include <sys/mman.h>

#include <xengnttab.h>

#include "common.h"

int main(int argc, char **argv)
{
	xengnttab_handle *gnttab;
	struct offer offer;
	unsigned long long sum;
	size_t bytes;
	char *memory;

	if (argc != 2) {
		fprintf(stderr, "usage: map MEETING\n");
		return 2;
	}
	meet(argv[1]);
	await_offer(&offer);
	bytes = offer.pages * PAGE_BYTES;

	gnttab = xengnttab_open(NULL, 0);
	if (!gnttab)
		fail("cannot open /dev/xen/gntdev");
	memory = xengnttab_map_domain_grant_refs(gnttab, offer.pages, offer.domid, offer.refs,
						 PROT_READ | PROT_WRITE);
	if (!memory)
		fail("cannot map the %u pages of domain %u", offer.pages, offer.domid);
	tell("mapped %u pages of domain %u through /dev/xen/gntdev at %p", offer.pages,
	     offer.domid, (void *)memory);
	publish("pages-mapped", "%u", offer.pages);

	show_pages(memory, &offer);

	for (unsigned int i = 0; i < offer.pages; i++) {
		char *page = memory + i * PAGE_BYTES, text[128];

		read_page(page, text, sizeof(text));
		write_page(page, "%s has read: %s", my_name(), text);
	}
	sum = checksum(memory, bytes);
	if (xengnttab_unmap(gnttab, memory, offer.pages))
		fail("cannot unmap the pages");
	xengnttab_close(gnttab);
	tell("wrote an answer into each page and unmapped them");
	publish("answer", "%llx", sum);
	return 0;
}
