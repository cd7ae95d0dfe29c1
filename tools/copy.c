// SPDX-License-Identifier: GPL-2.0-or-later
/* gnt copy: bytes of pages that another domain shares, without mapping these. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "device.h"

/* Bytes of pages: from one on in the first, and on from page to page. */
struct place {
	unsigned int domid;
	struct refs refs;
	uint32_t offset;
};

/* REF, or REF+OFFSET */
static void place_of(struct place *place, char *text)
{
	char *plus = strchr(text, '+');

	if (plus)
		*plus = 0;
	refs_add(&place->refs, text);
	if (plus)
		place->offset = number("OFFSET", plus + 1, 0, PAGE_BYTES - 1);
}

static size_t room_of(const struct place *place)
{
	return (size_t)place->refs.n * PAGE_BYTES - place->offset;
}

static void copy(const struct place *place, char *bytes, size_t size, bool write)
{
	unsigned int n = size ? (place->offset + size + PAGE_BYTES - 1) / PAGE_BYTES : 0;
	xengnttab_grant_copy_segment_t *segments = allocate(n, sizeof(*segments));
	xengnttab_handle *device = device_open();
	uint32_t offset = place->offset;

	for (unsigned int i = 0; i < n; i++) {
		union xengnttab_copy_ptr there = {
			.foreign = { place->refs.ref[i], offset, place->domid },
		};
		union xengnttab_copy_ptr here = { .virt = bytes };
		size_t length = PAGE_BYTES - offset < size ? PAGE_BYTES - offset : size;

		segments[i].source = write ? here : there;
		segments[i].dest = write ? there : here;
		segments[i].len = length;
		segments[i].flags = write ? GNTCOPY_dest_gref : GNTCOPY_source_gref;
		bytes += length;
		size -= length;
		offset = 0;
	}
	if (n && xengnttab_grant_copy(device, n, segments))
		fail("domain %u, references from %u on: %s", place->domid, place->refs.ref[0],
		     strerror(errno));
	for (unsigned int i = 0; i < n; i++)
		if (segments[i].status != GNTST_okay)
			fail("domain %u, reference %u: %s", place->domid, place->refs.ref[i],
			     xen_reason(segments[i].status));
	free(segments);
	xengnttab_close(device);
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "write", no_argument, NULL, 'w' },
		HELP_OPTION
	};
	struct place place = { 0 };
	size_t most, size;
	bool write = false;
	char *bytes;

	while (next_option(argc, argv, ":wh", options) != -1)
		write = true;
	place.domid = domain(next_argument(argc, argv, "DOMID"));
	place_of(&place, next_argument(argc, argv, "REF"));
	most = room_of(&place);
	if (optind < argc)
		most = number("LENGTH", argv[optind++], 1, most > UINT32_MAX ? UINT32_MAX : most);
	no_more_arguments(argc, argv);

	if (write) {
		bytes = read_all(NULL, most, &size);
		copy(&place, bytes, size, true);
	} else {
		bytes = allocate(most, 1);
		copy(&place, bytes, most, false);
		raw_dump(bytes, most);
	}
	free(bytes);
	return 0;
}

const struct command copy_command = {
	.name = "copy",
	.summary = "have Xen copy from or to shared pages, nothing being mapped",
	.help =
"usage: gnt copy [-w] DOMID REF[+OFFSET] [LENGTH]\n\n"
"Has Xen copy LENGTH bytes, from byte OFFSET (0) of the page on, to stdout;\n"
"without LENGTH to the end of the page. If REF is 8-15 or 8,10-12, the pages\n"
"follow one another. Nothing is mapped.\n\n"
"  -w, --write    copy stdin there instead; more than LENGTH bytes, or than\n"
"                 there is room for, are refused before a byte is written\n"
"      --help\n",
	.run = run,
};
