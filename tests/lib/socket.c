// SPDX-License-Identifier: GPL-2.0-or-later
/* A TCP connection of this machine with itself. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "socket.h"
#include "t.h"

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ioctl(fd, SIOCGIFFLAGS, &request);
	request.ifr_flags |= IFF_UP;
	ioctl(fd, SIOCSIFFLAGS, &request);
	close(fd);
}

/*
 * What one processor reads and another sent the network gives back on the latter, when that
 * receives again, which may be never (skb_attempt_defer_free()). Not here.
 */
static void free_at_once(void)
{
	if (!t_write_file("/proc/sys/net/core/skb_defer_max", "0") && errno != ENOENT)
		t_bail("skb_defer_max: %m");
}

bool socket_connection(int ends[2])
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	loopback_up();
	free_at_once();
	ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || bind(listener, (void *)&address, sizeof(address)) ||
	    listen(listener, 1) || getsockname(listener, (void *)&address, &length) ||
	    connect(ends[0], (void *)&address, sizeof(address)))
		return false;
	ends[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	return ends[1] >= 0;
}
