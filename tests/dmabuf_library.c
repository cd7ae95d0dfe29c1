// SPDX-License-Identifier: GPL-2.0-or-later
/* libxengnttab's functions for dma-bufs, as Debian has them. Linked with -lxengnttab. */
#define _GNU_SOURCE
#include <unistd.h>

#include <xengnttab.h>

#include "lib/buffer.h"
#include "lib/grant.h"

#define N 5

int main(void)
{
	struct ioctl_gntdev_grant_ref imported[N];
	struct buffer *buffer;
	struct grants *grants;
	xengnttab_handle *handle;
	uint32_t refs[N], dmabuf;
	struct user *user;
	char *mapping;

	t_start();
	grants = grants_make(N);
	grants_fill(grants, 1);
	for (int i = 0; i < N; i++)
		refs[i] = grants->refs[i].ref;
	handle = xengnttab_open(NULL, 0);
	if (!handle)
		t_bail("xengnttab_open: %m");

	check_ok("A3", xengnttab_dmabuf_exp_from_refs(handle, granter_domid(), 0, N, refs, &dmabuf),
		 "xengnttab_dmabuf_exp_from_refs");
	mapping = mmap(NULL, N * PAGE, RW, MAP_SHARED, dmabuf, 0);
	check("A3", mapping != MAP_FAILED && !mapping_bad(mapping, N, 1), "shows the pages");
	check_errno("A3", xengnttab_dmabuf_exp_wait_released(handle, dmabuf, 0), ETIMEDOUT,
		    "xengnttab_dmabuf_exp_wait_released, while it is there");
	munmap(mapping, N * PAGE);
	close(dmabuf);
	check_errnos("A3", xengnttab_dmabuf_exp_wait_released(handle, dmabuf, T_PATIENCE_MS),
		     errnos(0, ENOENT), "and when it is closed");
	check_eq("A2", xen_holds(grants), 0, "nothing stays mapped");
	check_errno("A3", xengnttab_dmabuf_exp_from_refs(handle, NO_DOMAIN, 0, N, refs, &dmabuf),
		    ESRCH, "a domain that does not exist");

	buffer = buffer_make(BUFFER_LONG, N);
	if (!buffer)
		t_bail("/dev/dmabuf-probe: %m");
	mapping_fill(buffer->memory, N, 2);
	check_ok("A3", xengnttab_dmabuf_imp_to_refs(handle, granter_domid(), buffer->fd, N, refs),
		 "xengnttab_dmabuf_imp_to_refs");
	for (int i = 0; i < N; i++)
		imported[i] = (struct ioctl_gntdev_grant_ref){ t_domid(), refs[i] };
	user = user_map(imported, N);
	check("A3", user && !user_bad(user, 2), "the peer maps the buffer");
	if (user)
		user_unmap(user);
	check_ok("A3", xengnttab_dmabuf_imp_release(handle, buffer->fd),
		 "xengnttab_dmabuf_imp_release");
	check("A3", !user_map(imported, N), "and cannot any more");
	check_errno("A3", xengnttab_dmabuf_imp_release(handle, buffer->fd), ENOENT, "once more");
	buffer_free(buffer);
	xengnttab_close(handle);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
