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
#define LOTS 100
#define LOT 50

int main(void)
{
	struct ioctl_gntdev_grant_ref refs[N];
	struct buffer *large, *small;
	unsigned int lots = 0, numbers[LOT], freed = 0;
	struct lot *lot[LOTS];
	int fd;

	t_start();
	large = buffer_make(BUFFER_LONG, N);
	small = buffer_make(BUFFER_LONG, 3);
	if (!large || !small)
		t_bail("no dma-bufs: %m");
	fd = dev_open();
	while (lots < LOTS && (lot[lots] = lot_make(LOT, true, granter_domid(), numbers)))
		lots++;
	if (lots == LOTS)
		t_bail("there are references left: boot with gnttab_max_frames=8");
	if (!lots)
		t_bail("there is no reference: %s", strerror(errno));
	/* Between LOT and twice as many references are left then. */
	freed += lot_free(lot[--lots]);
	check_errno("I1", dev_import(fd, large->fd, N, granter_domid(), refs), ENOSPC,
		    "import %u pages with fewer references left", N);
	check_errno("I2", dev_import_release(fd, large->fd), ENOENT, "it is not there");
	check_errno("I1", dev_import(fd, large->fd, N, granter_domid(), refs), ENOSPC,
		    "a second try says the same");
	check_ok("I1", dev_import(fd, small->fd, 3, granter_domid(), refs), "what there is can be had");
	check_ok("I2", dev_import_release(fd, small->fd), "and given back");
	while (lots)
		freed += lot_free(lot[--lots]);
	check_eq("A2", freed, 0, "nobody has what was granted");
	check_ok("I1", dev_import(fd, large->fd, N, granter_domid(), refs), "with references, all are imported");
	check_ok("I2", dev_import_release(fd, large->fd), "release");
	check_errno("I2", dev_import_release(fd, large->fd), ENOENT, "it is released");
	buffer_free(large);
	buffer_free(small);
	close(fd);
	return t_done();
}
