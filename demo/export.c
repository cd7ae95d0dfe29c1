// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Make a dma-buf of the pages that another domain grants, hand it to another process, and tell the
 * granter when it is released.
 *
 *	export MEETING SOCKET
 *
 * The other sides are draw.c, in the granting domain, and view.c, at the Unix socket.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <xengnttab.h>

#include "common.h"

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, 1))
		fail("cannot listen at %s", path);
	return listener;
}

/* With the descriptor goes how long the picture in it is. */
static void hand_over(int connection, int dmabuf, size_t size)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec data = { &size, sizeof(size) };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &dmabuf, sizeof(int));
	if (sendmsg(connection, &message, 0) != sizeof(size))
		fail("cannot hand the dma-buf over");
}

int main(int argc, char **argv)
{
	xengnttab_handle *gnttab;
	struct offer offer;
	int listener, connection;
	uint32_t dmabuf;
	char *bytes;

	if (argc != 3) {
		fprintf(stderr, "usage: export MEETING SOCKET\n");
		return 2;
	}
	meet(argv[1]);
	await_offer(&offer);
	bytes = await("bytes", "the length of the picture");
	gnttab = xengnttab_open(NULL, 0);
	if (!gnttab)
		fail("cannot open /dev/xen/gntdev");
	if (xengnttab_dmabuf_exp_from_refs(gnttab, offer.domid, 0, offer.pages, offer.refs,
					   &dmabuf))
		fail("cannot make a dma-buf of %u pages of domain %u", offer.pages, offer.domid);
	tell("process %d made a dma-buf of %u pages of domain %u: descriptor %u", getpid(),
	     offer.pages, offer.domid, dmabuf);

	listener = listen_at(argv[2]);
	connection = accept(listener, NULL, NULL);
	if (connection < 0)
		fail("cannot accept at %s", argv[2]);
	hand_over(connection, dmabuf, atoi(bytes));
	close(dmabuf);
	tell("process %d handed it over through a Unix socket, and closed it", getpid());
	if (xengnttab_dmabuf_exp_wait_released(gnttab, dmabuf, PATIENCE * 1000))
		fail("the dma-buf is not released");
	xengnttab_close(gnttab);
	tell("process %d learnt that the dma-buf is released: Xen has everything back", getpid());
	publish("pages-exported", "%u", offer.pages);
	publish("answer", "released");
	return 0;
}
