// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "oracle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenctrl.h>

/* How much of Xen's console is read at a time. */
#define PIECE (256 * 1024)

/* From "first line" to "last line" of what debug key g prints. */
#define FIRST "gnttab_usage_print_all ["
#define LAST "gnttab_usage_print_all ] done"

/* What Xen's console has said since the last call, to be freed. */
static char *console(xc_interface *xc)
{
	static uint32_t position;
	char *text = NULL;
	size_t length = 0;
	unsigned int got;

	do {
		text = realloc(text, length + PIECE + 1);
		got = PIECE;
		if (!text || xc_readconsolering(xc, text + length, &got, 0, 1, &position)) {
			free(text);
			return NULL;
		}
		length += got;
	} while (got == PIECE);
	text[length] = '\0';
	return text;
}

/* Xen prints the list before the call returns. */
static char *print_grants(void)
{
	static xc_interface *xc;
	char *text, *first = NULL;
	char keys[] = "g";

	if (!xc)
		xc = xc_interface_open(NULL, NULL, 0);
	if (!xc)
		return NULL;
	free(console(xc));
	if (xc_send_debug_keys(xc, keys))
		return NULL;
	text = console(xc);
	if (text)
		first = strstr(text, FIRST);
	if (!first || !strstr(first, LAST)) {
		free(text);
		errno = ENODATA;
		return NULL;
	}
	return text;
}

/* What is listed of a grant. */
enum what { MAPPINGS, FRAME };

static char *list(int domid, enum what what)
{
	char *text = print_grants(), *answer = NULL, *said, *bracket, *rest = text;
	unsigned int owner = 0, ref, pin, mappings;
	unsigned long frame;
	size_t size;
	FILE *out;

	if (!text)
		return NULL;
	out = open_memstream(&answer, &size);
	for (char *line; (line = strsep(&rest, "\n"));) {
		said = strstr(line, "remote d");
		if (said)
			sscanf(said, "remote d%u", &owner);
		/* [0x008]  d0  0x02f1d4 0x00000001 ...: the machine frame, the pin count */
		bracket = strstr(line, "[0x");
		if (!bracket || sscanf(bracket, "[%x] %*s %lx %x", &ref, &frame, &pin) != 3)
			continue;
		/* Host mappings: for writing in the low byte, for reading in the next. */
		mappings = (pin & 0xff) + (pin >> 8 & 0xff);
		if (what == FRAME && owner == (unsigned int)domid)
			fprintf(out, "%u:%#lx ", ref, frame);
		else if (domid < 0)
			fprintf(out, "d%u %u %u\n", owner, ref, mappings);
		else if (what == MAPPINGS && owner == (unsigned int)domid)
			fprintf(out, "%u:%u ", ref, mappings);
	}
	fclose(out);
	free(text);
	return answer;
}

char *oracle_held(unsigned int domid)
{
	return list(domid, MAPPINGS);
}

char *oracle_all(void)
{
	return list(-1, MAPPINGS);
}

char *oracle_frames(unsigned int domid)
{
	return list(domid, FRAME);
}
