// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Read the pages that another domain grants, and write an answer, by copies that Xen makes.
 *
 *	copy MEETING
 *
 * The other side is share.c. Nothing is mapped: GRANT_COPY of /dev/xen/gntdev, which libxengnttab
 * opens, has Xen copy between those pages and memory of this process.
 */
#include <stdio.h>
#include <stdlib.h>

#include <xengnttab.h>

#include "common.h"

/* One call for all pages: to @memory, or from there. */
static void copy_pages(xengnttab_handle *gnttab, const struct offer *offer, char *memory,
		       int to_pages)
{
	xengnttab_grant_copy_segment_t segments[MAX_PAGES] = { 0 };

	for (unsigned int i = 0; i < offer->pages; i++) {
		xengnttab_grant_copy_segment_t *segment = &segments[i];
		union xengnttab_copy_ptr *there, *here;

		there = to_pages ? &segment->dest : &segment->source;
		here = to_pages ? &segment->source : &segment->dest;
		there->foreign.ref = offer->refs[i];
		there->foreign.domid = offer->domid;
		here->virt = memory + i * PAGE_BYTES;
		segment->len = PAGE_BYTES;
		segment->flags = to_pages ? GNTCOPY_dest_gref : GNTCOPY_source_gref;
	}
	if (xengnttab_grant_copy(gnttab, offer->pages, segments))
		fail("cannot copy %u pages of domain %u", offer->pages, offer->domid);
	for (unsigned int i = 0; i < offer->pages; i++)
		if (segments[i].status != GNTST_okay)
			failx("page %u was not copied: status %d", i, segments[i].status);
}

int main(int argc, char **argv)
{
	xengnttab_handle *gnttab;
	struct offer offer;
	unsigned long long sum;
	size_t bytes;
	char *memory;

	if (argc != 2) {
		fprintf(stderr, "usage: copy MEETING\n");
		return 2;
	}
	meet(argv[1]);
	await_offer(&offer);
	bytes = offer.pages * PAGE_BYTES;
	memory = malloc(bytes);
	gnttab = xengnttab_open(NULL, 0);
	if (!memory || !gnttab)
		fail("cannot open /dev/xen/gntdev");

	copy_pages(gnttab, &offer, memory, 0);
	tell("had Xen copy %u pages of domain %u to memory of its own", offer.pages, offer.domid);
	show_pages(memory, &offer);

	for (unsigned int i = 0; i < offer.pages; i++)
		write_page(memory + i * PAGE_BYTES, "%s has copied page %u", my_name(), i);
	copy_pages(gnttab, &offer, memory, 1);
	sum = checksum(memory, bytes);
	xengnttab_close(gnttab);
	tell("wrote an answer for each page and had Xen copy it there");
	publish("answer", "%llx", sum);
	free(memory);
	return 0;
}
