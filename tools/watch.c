// SPDX-License-Identifier: GPL-2.0-or-later
/* gnt watch: a byte of a page that another domain shares, as it changes. */
#include <stdio.h>

#include "device.h"
#include "wait.h"
#include "watching.h"

static int run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "byte", required_argument, NULL, 'b' },
		{ "event", required_argument, NULL, 'E' },
		{ "interval", required_argument, NULL, 'i' },
		{ "count", required_argument, NULL, 'c' },
		{ "timeout", required_argument, NULL, 't' },
		HELP_OPTION
	};
	struct watching watching = { .poll_ms = 10 };
	xengnttab_handle *device;
	unsigned int domid, event = 0;
	uint32_t ref;
	void *page;
	bool came;
	int letter;

	while ((letter = next_option(argc, argv, ":b:i:c:t:h", options)) != -1) {
		switch (letter) {
		case 'b':
			watching.byte = number("OFFSET", optarg, 0, PAGE_BYTES - 1);
			break;
		case 'E':
			event = number("PORT", optarg, 1, INT32_MAX);
			break;
		case 'i':
			watching.poll_ms = seconds("SECONDS", optarg);
			break;
		case 'c':
			watching.count = number("COUNT", optarg, 1, UINT32_MAX);
			break;
		case 't':
			watching.ms = seconds("SECONDS", optarg);
			break;
		}
	}
	domid = domain(next_argument(argc, argv, "DOMID"));
	ref = number("REF", next_argument(argc, argv, "REF"), 0, UINT32_MAX);
	no_more_arguments(argc, argv);

	device = device_open();
	wait_prepare();
	page = map_refs(device, domid, &ref, 1, false);
	if (event)
		watching.channel = channel_bind(domid, event);
	watching.pages = page;
	came = watch(&watching);
	unmap_refs(device, page, 1);
	xengnttab_close(device);
	if (!came)
		fail("domain %u, reference %u: what was waited for did not come in %u.%03u s",
		     domid, ref, watching.ms / 1000, watching.ms % 1000);
	return 0;
}

const struct command watch_command = {
	.name = "watch",
	.summary = "print a byte of a shared page whenever it changes, and events",
	.help =
"usage: gnt watch [OPTION]... DOMID REF\n\n"
"Maps the page read-only, prints a byte of it, and a line whenever that changes,\n"
"until Ctrl-C (SIGINT), SIGTERM or SIGHUP: for instance the byte by which the\n"
"other side tells that it is alive, cleared by its notification.\n\n"
"  -b, --byte OFFSET         which byte of the page (0)\n"
"      --event PORT          of the event channel that DOMID offers: print its\n"
"                            events, too\n"
"  -i, --interval SECONDS    how often to look, as 0.5 (0.01)\n"
"  -c, --count COUNT         end after so many changes and events\n"
"  -t, --timeout SECONDS     end after this time; with -c with status 1\n"
"      --help\n\n"
"What changes between two looks and back is not seen.\n"
"The other side: gnt share --clear OFFSET --offer.\n",
	.run = run,
};
