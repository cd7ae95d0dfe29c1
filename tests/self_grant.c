// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A grant of the domain to itself: refused at once in an x86 auto-translated domain, where
 * mapping it would take the page away from the kernel; a mapping like any other in PV and on Arm.
 */
#define _GNU_SOURCE
#include <string.h>
#include <unistd.h>

#include "lib/dev.h"
#include "lib/lot.h"
#include "lib/t.h"


/* Never maps what MAP_GRANT_REF should have refused: the domain would die of it. */
static void refused(int fd, const struct ioctl_gntdev_grant_ref *refs, unsigned int n,
		    const char *what)
{
	uint64_t index;

	check_errno("V9", dev_map(fd, refs, n, &index), EINVAL, "%s", what);
}

int main(void)
{
	struct ioctl_gntdev_grant_ref range[3];
	uint32_t refs[3];
	struct lot *lot;
	uint64_t index;
	void *mapping;
	int fd;

	t_start();
	fd = dev_open();
	lot = lot_make(3, true, t_domid(), refs);
	if (!lot)
		t_bail("cannot grant to this domain: %m");
	lot_fill(lot, 2);
	for (int i = 0; i < 3; i++)
		range[i] = (struct ioctl_gntdev_grant_ref){ t_domid(), refs[i] };
	if (t_self_grants()) {
		check_ok("V9", dev_map(fd, range, 3, &index), "PV, Arm: a grant to ourselves");
		mapping = dev_mmap(fd, index, 3, RW);
		check("V9", mapping != MAP_FAILED, "PV, Arm: is mapped");
		if (mapping != MAP_FAILED) {
			unsigned int bad = 0;

			for (int i = 0; i < 3; i++)
				bad += memcmp(mapping + i * PAGE, lot_page(lot, i), PAGE) != 0;
			check_eq("V9", bad, 0, "PV, Arm: and shows the pages");
			dev_munmap(mapping, 3);
		}
		check_ok("V9", dev_unmap(fd, index, 3), "PV, Arm: and removed");
		range[0].domid = DOMID_SELF;
		if (!dev_map(fd, range, 1, &index)) {
			mapping = dev_mmap(fd, index, 1, RW);
			check("V9", mapping == MAP_FAILED || t_byte(mapping) >= 0,
			      "PV, Arm: DOMID_SELF is refused by Xen, or is ourselves");
			if (mapping != MAP_FAILED)
				dev_munmap(mapping, 1);
			dev_unmap(fd, index, 1);
		} else {
			check("V9", true, "PV, Arm: DOMID_SELF is refused");
		}
	} else {
		refused(fd, range, 1, "our own domid");
		refused(fd, range, 3, "a range of three of our own pages");
		range[0].domid = NO_DOMAIN;
		range[1].domid = NO_DOMAIN;
		refused(fd, range, 3, "our own domid as the last of a range");
		range[0].domid = DOMID_SELF;
		refused(fd, range, 1, "DOMID_SELF");
		check_ok("V9", dev_max(fd, 3), "after all that the table is empty");
		check_ok("V9", dev_map_fake(fd, 3, &index), "and other domains are not concerned");
		check_eq("V9", lot_bad(lot, 2), 0, "and our pages are where they were");
	}
	close(fd);
	check_eq("A2", lot_free(lot), 0, "the pages are free");
	return t_done();
}
