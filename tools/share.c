// SPDX-License-Identifier: GPL-2.0-or-later
/* gnt share: pages for another domain. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "device.h"
#include "wait.h"
#include "watching.h"

struct sharing {
	unsigned int domid;
	unsigned int n;
	bool writable;
	long clear;
	struct channel *channel;
	struct refs refs;
	void *pages;
};

static void share_failed(const struct sharing *sharing)
{
	if (errno == ENOSPC)
		fail("domain %u, %u pages: no more pages may be shared (see gnt(1), FILES)",
		     sharing->domid, sharing->n);
	fail("domain %u, %u pages: %s", sharing->domid, sharing->n, strerror(errno));
}

static xengntshr_handle *share(struct sharing *sharing)
{
	xengntshr_handle *device = xengntshr_open(&silent, 0);
	int port = sharing->channel ? sharing->channel->port : -1;

	if (!device)
		open_failed("/dev/xen/gntalloc", "xen-gntalloc");
	sharing->refs.n = sharing->n;
	sharing->refs.ref = allocate(sharing->n, sizeof(*sharing->refs.ref));
	/* Notifications are for single pages there. */
	if (sharing->n > 1 || (sharing->clear < 0 && !sharing->channel))
		sharing->pages = xengntshr_share_pages(device, sharing->domid, sharing->n,
						       sharing->refs.ref, sharing->writable);
	else
		sharing->pages = xengntshr_share_page_notify(device, sharing->domid,
							     sharing->refs.ref, sharing->writable,
							     sharing->clear, port);
	if (!sharing->pages)
		share_failed(sharing);
	return device;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "domain", required_argument, NULL, 'd' },
		{ "pages", required_argument, NULL, 'n' },
		{ "read-only", no_argument, NULL, 'r' },
		{ "byte", required_argument, NULL, 'b' },
		{ "offer", no_argument, NULL, 'O' },
		{ "clear", required_argument, NULL, 'C' },
		HELP_OPTION
	};
	struct sharing sharing = { .writable = true, .clear = -1 };
	struct watching watching = { .byte = -1, .poll_ms = 10, .input = true };
	const char *file = NULL;
	xengntshr_handle *device;
	void *content = NULL;
	bool offer = false;
	uint32_t most = REFS_MAX;
	size_t size = 0;
	int letter;

	while ((letter = next_option(argc, argv, ":d:n:rb:h", options)) != -1) {
		switch (letter) {
		case 'd':
			sharing.domid = domain(optarg);
			break;
		case 'n':
			most = number("PAGES", optarg, 1, REFS_MAX);
			sharing.n = most;
			break;
		case 'r':
			sharing.writable = false;
			break;
		case 'b':
			watching.byte = number("OFFSET", optarg, 0, UINT32_MAX);
			break;
		case 'O':
			offer = true;
			break;
		case 'C':
			sharing.clear = number("OFFSET", optarg, 0, PAGE_BYTES - 1);
			break;
		}
	}
	if (optind < argc)
		file = argv[optind++];
	no_more_arguments(argc, argv);

	if (file) {
		/* What ends when it was read cannot tell the end once more. */
		watching.input = strcmp(file, "-");
		content = read_all(watching.input ? file : NULL, (size_t)most * PAGE_BYTES, &size);
	}
	if (!sharing.n)
		sharing.n = size ? (size + PAGE_BYTES - 1) / PAGE_BYTES : 1;
	if (watching.byte >= (long)sharing.n * PAGE_BYTES)
		misuse("OFFSET %ld is behind the %zu bytes that are shared", watching.byte,
		       (size_t)sharing.n * PAGE_BYTES);
	if (sharing.clear >= 0 && sharing.n > 1)
		misuse("--clear is for a single page");

	wait_prepare();
	if (offer)
		watching.channel = channel_offer(sharing.domid);
	sharing.channel = watching.channel;
	device = share(&sharing);
	if (size)
		memcpy(sharing.pages, content, size);
	if (sharing.clear >= 0 && !((uint8_t *)sharing.pages)[sharing.clear])
		((uint8_t *)sharing.pages)[sharing.clear] = 1;
	refs_print(&sharing.refs);
	if (offer)
		printf("port %d\n", watching.channel->port);
	watching.pages = sharing.pages;
	watch(&watching);
	xengntshr_unshare(device, sharing.pages, sharing.n);
	xengntshr_close(device);
	return 0;
}

const struct command share_command = {
	.name = "share",
	.summary = "share pages with another domain",
	.help =
"usage: gnt share [OPTION]... [FILE]\n\n"
"Shares pages that have the content of FILE (-: of stdin), or zeroes, with a\n"
"domain. Prints their references on one line, and waits until stdin ends or a\n"
"signal (SIGINT by Ctrl-C, SIGTERM, SIGHUP) comes. Then it ends the sharing.\n\n"
"  -d, --domain DOMID    the domain that may map them (0)\n"
"  -n, --pages PAGES     how many (as FILE needs; 1)\n"
"  -r, --read-only       for reading only\n"
"  -b, --byte OFFSET     print the byte there, and each change of it\n"
"      --offer           offer the domain an event channel, print its port, and\n"
"                        each event; of a single page it is notified at the end\n"
"      --clear OFFSET    clear the byte there at the end, however it comes; 0 is\n"
"                        made 1 first (one page only)\n"
"      --help\n\n"
"The other side of -b and --offer: gnt map --clear OFFSET --event PORT;\n"
"of --clear and --offer: gnt watch -b OFFSET --event PORT.\n",
	.run = run,
};
