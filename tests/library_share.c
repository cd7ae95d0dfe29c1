// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libxengnttab's sharing half, as Debian has it, with this driver at the other end: pages that are
 * shared here are mapped there. Linked with -lxengnttab.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>

#include <xengnttab.h>

#include "lib/grant.h"

#define N 5

/* As user_map() wants them. */
static void in_grants_way(const uint32_t *refs, unsigned int n,
			  struct ioctl_gntdev_grant_ref *shared)
{
	for (unsigned int i = 0; i < n; i++)
		shared[i] = (struct ioctl_gntdev_grant_ref){ t_domid(), refs[i] };
}

int main(void)
{
	struct ioctl_gntdev_grant_ref shared[N];
	struct channel *channel;
	xengntshr_handle *handle;
	unsigned int offset;
	uint32_t refs[N];
	struct user *user;
	char *pages;

	t_start();
	channel = channel_make();
	handle = xengntshr_open(NULL, 0);
	if (!handle)
		t_bail("xengntshr_open: %m");
	check("A3", fcntl(xengntshr_fd(handle), F_GETFD) >= 0, "xengntshr_fd");

	pages = xengntshr_share_pages(handle, granter_domid(), N, refs, 1);
	check("A3", pages, "xengntshr_share_pages");
	in_grants_way(refs, N, shared);
	mapping_fill(pages, N, 1);
	user = user_map(shared, N);
	check("A3", user && !user_bad(user, 1), "the other end sees them");
	if (!user)
		t_bail("nothing to go on with");
	user_fill(user, 2);
	check_eq("A3", mapping_bad(pages, N, 2), 0, "and writes into them");
	user_unmap(user);
	check_ok("A3", xengntshr_unshare(handle, pages, N), "xengntshr_unshare");
	check("A2", !user_map(shared, N), "and they are no one's");

	pages = xengntshr_share_pages(handle, granter_domid(), 1, refs, 0);
	check("A3", pages, "xengntshr_share_pages, to be read only");
	in_grants_way(refs, 1, shared);
	check("A3", !user_map(shared, 1), "cannot be mapped to be written");
	check_ok("A3", xengntshr_unshare(handle, pages, 1), "xengntshr_unshare of it");

	pages = xengntshr_share_page_notify(handle, granter_domid(), refs, 1, 0, channel->port);
	check_ok("A3", pages ? xengntshr_unshare(handle, pages, 1) : -1,
		 "xengntshr_share_page_notify and xengntshr_unshare");
	check("A3", channel_wait(channel, 1), "its event comes");

	for (offset = 0; offset < PAGE - 1; offset++)
		if ((pattern_word(3, 0, offset / 8) >> offset % 8 * 8) & 0xff)
			break;
	pages = xengntshr_share_page_notify(handle, granter_domid(), refs, 1, offset,
					    channel->port);
	check("A3", pages, "xengntshr_share_page_notify, with a byte to clear");
	in_grants_way(refs, 1, shared);
	mapping_fill(pages, 1, 3);
	user = user_map(shared, 1);
	check("A3", user && !user_bad(user, 3), "the other end sees it");
	munmap(pages, PAGE);
	check_ok("A3", xengntshr_close(handle), "xengntshr_close");
	check("A3", channel_wait(channel, 2), "its event comes");
	check("A3", user && user_bad(user, 3) == 1, "the other end sees the byte cleared");
	user_unmap(user);
	channel_free(channel);
	return t_done();
}
