// SPDX-License-Identifier: GPL-2.0-or-later
/* One end of an event channel. It is closed with the program. */
#include <errno.h>
#include <string.h>

#include "channel.h"
#include "device.h"

static struct channel *channel_new(void)
{
	struct channel *channel = allocate(1, sizeof(*channel));

	channel->device = xenevtchn_open(&silent, 0);
	if (!channel->device)
		open_failed("/dev/xen/evtchn", "xen-evtchn");
	return channel;
}

struct channel *channel_offer(unsigned int domid)
{
	struct channel *channel = channel_new();

	channel->port = xenevtchn_bind_unbound_port(channel->device, domid);
	if (channel->port < 0)
		fail("domain %u cannot be offered an event channel: %s", domid,
		     errno == ESRCH ? "there is no such domain" : strerror(errno));
	return channel;
}

struct channel *channel_bind(unsigned int domid, unsigned int port)
{
	struct channel *channel = channel_new();

	channel->port = xenevtchn_bind_interdomain(channel->device, domid, port);
	if (channel->port < 0)
		fail("domain %u, event channel port %u: %s", domid, port,
		     errno == ESRCH ? "there is no such domain" :
		     errno == EINVAL ? "it is not offered to this domain" : strerror(errno));
	return channel;
}

int channel_fd(const struct channel *channel)
{
	return channel ? xenevtchn_fd(channel->device) : -1;
}

void channel_take(struct channel *channel)
{
	int port = xenevtchn_pending(channel->device);

	if (port >= 0)
		xenevtchn_unmask(channel->device, port);
}
