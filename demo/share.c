// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Grant pages with a text in them to another domain, and show what it answers.
 *
 *	share MEETING DOMID PAGES [dmabuf]
 *
 * With "dmabuf" the pages are those of a dma-buf, instead of this program's memory.
 * The other side is map.c.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "common.h"
#include "lend.h"

static void write_message(char *page, unsigned int number, unsigned int pages)
{
	struct utsname system;
	char clock[64];
	time_t now = time(NULL);

	switch (number) {
	case 0:
		write_page(page, "Hello from %s, process %d", my_name(), getpid());
		break;
	case 1:
		uname(&system);
		write_page(page, "My kernel is %s %s", system.sysname, system.release);
		break;
	case 2:
		strftime(clock, sizeof(clock), "%Y-%m-%d %H:%M:%S UTC", gmtime(&now));
		write_page(page, "My clock says %s", clock);
		break;
	default:
		write_page(page, "This is page %u of %u", number, pages);
	}
}

int main(int argc, char **argv)
{
	unsigned int domid, pages;
	unsigned long long sum;
	struct offer offer = { 0 };
	char *memory, *answer;
	bool lend = argc == 5 && !strcmp(argv[4], "dmabuf");

	if (argc != 4 && !lend) {
		fprintf(stderr, "usage: share MEETING DOMID PAGES [dmabuf]\n");
		return 2;
	}
	meet(argv[1]);
	domid = atoi(argv[2]);
	pages = atoi(argv[3]);

	memory = (lend ? lend_pages : grant_pages)(domid, pages, &offer);
	for (unsigned int i = 0; i < pages; i++)
		write_message(memory + i * PAGE_BYTES, i, pages);
	offer.checksum = checksum(memory, pages * PAGE_BYTES);
	tell("wrote a text into %u pages%s and granted them to domain %u, references %s", pages,
	     lend ? " of a vgem buffer" : "", domid, refs_text(&offer));
	publish_offer(&offer);

	answer = await("answer", "the other domain to answer");
	for (unsigned int i = 0; i < pages; i++) {
		char text[128];

		read_page(memory + i * PAGE_BYTES, text, sizeof(text));
		tell("now page %u says: \"%s\"", i, text);
	}
	sum = checksum(memory, pages * PAGE_BYTES);
	if (sum != strtoull(answer, NULL, 16))
		failx("the pages have checksum %llx, but domain %u wrote %s", sum, domid, answer);
	tell("checksum %llx over all %u bytes: just what domain %u wrote", sum, pages * PAGE_BYTES,
	     domid);
	publish("bytes-answered", "%u", pages * PAGE_BYTES);
	if (lend)
		lend_end();
	return 0;
}
