/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Watching a byte of a page, and an event channel. */
#ifndef GNT_WATCHING_H
#define GNT_WATCHING_H

#include "channel.h"
#include "gnt.h"

struct watching {
	const void *pages;
	long byte;		/* its offset in the pages; or -1 */
	struct channel *channel;	/* or NULL */
	unsigned int poll_ms;
	bool input;		/* stdin's end is the end */
	unsigned int count;	/* after so many lines, too; 0: never */
	unsigned int ms;	/* after so long, too; 0: never */
};

/*
 * A line for each change of the byte and for each event, until the end. False if time ran out
 * before the count was reached.
 */
bool watch(const struct watching *watching);

#endif
