/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One end of an event channel. */
#ifndef GNT_CHANNEL_H
#define GNT_CHANNEL_H

#include <xenevtchn.h>

struct channel {
	xenevtchn_handle *device;
	int port;	/* of this domain */
};

/* An end that @domid may bind to: its port is for the other side to be told. */
struct channel *channel_offer(unsigned int domid);
/* The other end of the @port that @domid offers. */
struct channel *channel_bind(unsigned int domid, unsigned int port);
/* For poll(2): readable when there is an event. */
int channel_fd(const struct channel *channel);
/* Takes the event that there is. */
void channel_take(struct channel *channel);

#endif
