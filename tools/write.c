// SPDX-License-Identifier: GPL-2.0-or-later
/* gnt write: bytes into pages that another domain shares. */
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "device.h"

static int run(int argc, char **argv)
{
	static const struct option options[] = { HELP_OPTION };
	struct refs refs = { 0 };
	xengnttab_handle *device;
	uint32_t offset = 0;
	unsigned int domid;
	size_t size, room;
	char *pages;
	void *bytes;

	while (next_option(argc, argv, ":h", options) != -1)
		;
	domid = domain(next_argument(argc, argv, "DOMID"));
	refs_add(&refs, next_argument(argc, argv, "REF"));
	room = (size_t)refs.n * PAGE_BYTES;
	if (optind < argc)
		offset = number("OFFSET", argv[optind++], 0,
				room > UINT32_MAX ? UINT32_MAX : room - 1);
	no_more_arguments(argc, argv);

	bytes = read_all(NULL, room - offset, &size);
	device = device_open();
	pages = map_refs(device, domid, refs.ref, refs.n, true);
	memcpy(pages + offset, bytes, size);
	unmap_refs(device, pages, refs.n);
	xengnttab_close(device);
	return 0;
}

const struct command write_command = {
	.name = "write",
	.summary = "write stdin into pages that another domain shares",
	.help =
"usage: gnt write DOMID REF [OFFSET]\n\n"
"Maps the pages of DOMID, several if REF is 8-15 or 8,10-12, and writes what\n"
"stdin has into them, from byte OFFSET (0) of the first one on. What does not\n"
"fit is refused before a byte is written.\n\n"
"      --help\n",
	.run = run,
};
