// SPDX-License-Identifier: GPL-2.0-or-later
/* gnt map: what another domain shares. */
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "channel.h"
#include "device.h"
#include "wait.h"

enum release { TOGETHER, FORWARD, BACKWARD, LISTED };

struct map {
	xengnttab_handle *device;
	unsigned int domid;
	struct refs refs;
	bool writable;
	enum release release;
	struct refs listed;
	/* All pages; or each page on its own, if they are not released together. */
	void *pages;
	void **page;
	long clear;
	long event;
};

static void *page_of(const struct map *map, unsigned int i)
{
	return map->pages ? (char *)map->pages + (size_t)i * PAGE_BYTES : map->page[i];
}

static void map_all(struct map *map)
{
	if (map->release == TOGETHER) {
		map->pages = map_refs(map->device, map->domid, map->refs.ref, map->refs.n,
				      map->writable);
		return;
	}
	map->page = allocate(map->refs.n, sizeof(*map->page));
	for (unsigned int i = 0; i < map->refs.n; i++)
		map->page[i] = map_refs(map->device, map->domid, map->refs.ref + i, 1,
					map->writable);
}

/* The notification belongs to the page of the byte; without one to the first page. */
static void be_missed(const struct map *map)
{
	long byte = map->clear < 0 ? 0 : map->clear;
	uint8_t *there = (uint8_t *)page_of(map, byte / PAGE_BYTES) + byte % PAGE_BYTES;
	void *mapping = map->pages ? map->pages : page_of(map, byte / PAGE_BYTES);
	int port = -1;

	if (map->clear >= 0 && !*there)
		*there = 1;
	if (map->event >= 0)
		port = channel_bind(map->domid, map->event)->port;
	notify_at_unmap(map->device, mapping,
			map->clear < 0 ? -1 : map->pages ? byte : byte % PAGE_BYTES, port);
}

static void show(const struct map *map, bool raw)
{
	char *together;

	if (map->pages || raw) {
		size_t once = map->pages ? map->refs.n : 1;

		for (unsigned int i = 0; i < map->refs.n; i += once)
			(raw ? raw_dump : hex_dump)(page_of(map, i), once * PAGE_BYTES);
		return;
	}
	together = allocate(map->refs.n, PAGE_BYTES);
	for (unsigned int i = 0; i < map->refs.n; i++)
		memcpy(together + (size_t)i * PAGE_BYTES, map->page[i], PAGE_BYTES);
	hex_dump(together, (size_t)map->refs.n * PAGE_BYTES);
}

static void release_page(const struct map *map, unsigned int i, bool tell)
{
	if (!map->page[i])
		return;
	unmap_refs(map->device, map->page[i], 1);
	map->page[i] = NULL;
	if (tell)
		printf("released %u\n", map->refs.ref[i]);
}

static void release_all(const struct map *map, bool tell)
{
	unsigned int n = map->refs.n;

	if (map->release == TOGETHER) {
		unmap_refs(map->device, map->pages, n);
		return;
	}
	for (unsigned int i = 0; i < map->listed.n; i++)
		release_page(map, refs_find(&map->refs, map->listed.ref[i]), tell);
	for (unsigned int i = 0; i < n; i++)
		release_page(map, map->release == BACKWARD ? n - 1 - i : i, tell);
}

static void release_option(struct map *map, const char *text)
{
	map->listed.n = 0;
	if (!strcmp(text, "forward")) {
		map->release = FORWARD;
	} else if (!strcmp(text, "backward")) {
		map->release = BACKWARD;
	} else {
		map->release = LISTED;
		refs_add(&map->listed, text);
	}
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "raw", no_argument, NULL, 'o' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "write", no_argument, NULL, 'w' },
		{ "hold", no_argument, NULL, 'H' },
		{ "release", required_argument, NULL, 'R' },
		{ "clear", required_argument, NULL, 'C' },
		{ "event", required_argument, NULL, 'E' },
		HELP_OPTION
	};
	struct map map = { .clear = -1, .event = -1 };
	bool raw = false, quiet = false, hold = false;
	int letter;

	while ((letter = next_option(argc, argv, ":oqwHh", options)) != -1) {
		switch (letter) {
		case 'o':
			raw = true;
			break;
		case 'q':
			quiet = true;
			break;
		case 'w':
			map.writable = true;
			break;
		case 'H':
			hold = true;
			break;
		case 'R':
			release_option(&map, optarg);
			break;
		case 'C':
			map.clear = number("OFFSET", optarg, 0, UINT32_MAX);
			map.writable = true;
			break;
		case 'E':
			map.event = number("PORT", optarg, 1, INT32_MAX);
			break;
		}
	}
	map.domid = domain(next_argument(argc, argv, "DOMID"));
	refs_of_rest(&map.refs, argc, argv);
	for (unsigned int i = 0; i < map.listed.n; i++)
		if (refs_find(&map.refs, map.listed.ref[i]) < 0)
			misuse("--release names %u, which is not to be mapped", map.listed.ref[i]);
	if (map.clear >= (long)map.refs.n * PAGE_BYTES)
		misuse("OFFSET %ld is behind the %zu bytes of the pages", map.clear,
		       (size_t)map.refs.n * PAGE_BYTES);
	if (raw && quiet)
		misuse("--raw and --quiet exclude each other");

	map.device = device_open();
	if (hold)
		wait_prepare();
	map_all(&map);
	if (map.clear >= 0 || map.event >= 0)
		be_missed(&map);
	if (!quiet)
		show(&map, raw);
	flush_output();
	if (hold)
		wait_for_signal();
	release_all(&map, !raw);
	xengnttab_close(map.device);
	return 0;
}

const struct command map_command = {
	.name = "map",
	.summary = "show pages that another domain shares, or hold them",
	.help =
"usage: gnt map [OPTION]... DOMID REF...\n\n"
"Maps the pages of DOMID and shows what they have, as hexdump -C does: lines\n"
"that repeat the one before are folded to *.\n\n"
"  -o, --raw             write the bytes to stdout instead\n"
"  -q, --quiet           show nothing\n"
"  -w, --write           map for writing (a page shared read-only refuses)\n"
"  -H, --hold            hold them until Ctrl-C (SIGINT), SIGTERM or SIGHUP\n"
"      --release ORDER   map each reference by itself; release and tell of each\n"
"                        in this order: forward, backward, or REF,REF... (what\n"
"                        is not named goes last)\n"
"to be missed, however the mapping ends\n"
"      --clear OFFSET    clear the byte there; 0 is made 1 first (maps for\n"
"                        writing)\n"
"      --event PORT      notify the event channel that DOMID offers\n"
"      --help\n\n"
"The other side of the last two: gnt share -b OFFSET --offer.\n",
	.run = run,
};
