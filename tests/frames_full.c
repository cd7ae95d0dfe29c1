// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A domain that has no grant reference left: an import says ENOSPC, and nothing stays granted. For a
 * boot with a small gnttab_max_frames; with Xen's default it takes more memory than a guest has.
 */
#define _GNU_SOURCE
#include <string.h>
#include <unistd.h>

#include "lib/buffer.h"
#include "lib/grant.h"

#define N 120
/* A frame of the grant table has 512 references. */
#define MOST 60

int main(void)
{
	struct ioctl_gntdev_grant_ref refs[2 * N];
	struct buffer *large, *filler, *small;
	unsigned int full = 0;
	int fd, fds[MOST];

	t_start();
	large = buffer_make(BUFFER_LONG, 2 * N);
	filler = buffer_make(BUFFER_LONG, N);
	small = buffer_make(BUFFER_LONG, 3);
	if (!large || !filler || !small)
		t_bail("no dma-bufs: %m");
	fd = dev_open();
	/*
	 * Nothing is left to gntalloc here: it miscounts its pages after it did not get a reference, and
	 * serves nobody once all are freed.
	 */
	for (; full < MOST; full++) {
		fds[full] = dev_open();
		if (dev_import(fds[full], filler->fd, N, granter_domid(), refs))
			break;
	}
	if (full == MOST)
		t_bail("there are references left: boot with gnttab_max_frames=8");
	check_eq("I1", errno, ENOSPC, "import %u pages again and again, until ENOSPC", N);
	close(fds[full]);
	if (!full)
		t_bail("there is no reference");
	/* Between N and twice as many references are left then. */
	check_ok("I2", dev_import_release(fds[full - 1], filler->fd), "the last of them is released");
	check_errno("I1", dev_import(fd, large->fd, 2 * N, granter_domid(), refs), ENOSPC,
		    "import %u pages with fewer references left", 2 * N);
	check_errno("I2", dev_import_release(fd, large->fd), ENOENT, "it is not there");
	check_errno("I1", dev_import(fd, large->fd, 2 * N, granter_domid(), refs), ENOSPC,
		    "a second try says the same");
	check_ok("I1", dev_import(fd, small->fd, 3, granter_domid(), refs), "what there is can be had");
	check_ok("I2", dev_import_release(fd, small->fd), "and given back");
	check_ok("I1", dev_import(fd, filler->fd, N, granter_domid(), refs),
		 "as many as before: no reference was lost");
	check_ok("I2", dev_import_release(fd, filler->fd), "and given back");
	while (full)
		close(fds[--full]);
	check_ok("I1", dev_import(fd, large->fd, 2 * N, granter_domid(), refs),
		 "with references, all are imported");
	check_ok("I2", dev_import_release(fd, large->fd), "release");
	check_errno("I2", dev_import_release(fd, large->fd), ENOENT, "it is released");
	buffer_free(large);
	buffer_free(filler);
	buffer_free(small);
	close(fd);
	return t_done();
}
