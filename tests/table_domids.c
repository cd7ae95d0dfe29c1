// SPDX-License-Identifier: GPL-2.0-or-later
/* One range may name several domains; what `pad` holds does not matter. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/grant.h"

/* Pages of the peer and of this domain in one range, where there are both. */
static void two_domains(void)
{
	uint32_t own_refs[2];
	struct ioctl_gntdev_grant_ref refs[4];
	struct grants *theirs;
	struct lot *own;
	uint64_t index;
	void *mapping;
	int fd;

	if (!t_self_grants() || granter_is_self()) {
		t_skip("M3", "only one granting domain", "pages of two domains in one range");
		return;
	}
	fd = dev_open();
	theirs = grants_make(2);
	own = lot_make(2, true, t_domid(), own_refs);
	for (int i = 0; i < 2; i++) {
		refs[2 * i] = theirs->refs[i];
		refs[2 * i + 1] = (struct ioctl_gntdev_grant_ref){ t_domid(), own_refs[i] };
		grants_poke(theirs, i, 0, 10 + i);
		lot_page(own, i)[0] = 20 + i;
	}
	check_ok("M3", dev_map(fd, refs, 4, &index), "register pages of two domains as one range");
	mapping = dev_mmap(fd, index, 4, RW);
	if (check("M3", mapping != MAP_FAILED, "map it")) {
		check_eq("M3", t_byte(mapping), 10, "a page of the other domain");
		check_eq("M3", t_byte(mapping + PAGE), 20, "one of our own");
		check_eq("M3", t_byte(mapping + 2 * PAGE), 11, "the other's second");
		check_eq("M3", t_byte(mapping + 3 * PAGE), 21, "our second");
		dev_munmap(mapping, 4);
	}
	close(fd);
	check_eq("A2", lot_free(own), 0, "our pages are free");
	check_eq("A2", grants_free(theirs), 0, "theirs are, too");
}

static void unknown_domain(void)
{
	struct grants *grants = grants_make(2);
	struct ioctl_gntdev_grant_ref refs[3];
	uint64_t index;
	int fd = dev_open();

	refs[0] = grants->refs[0];
	refs[1] = (struct ioctl_gntdev_grant_ref){ NO_DOMAIN, 8 };
	refs[2] = grants->refs[1];
	check_ok("M3", dev_map(fd, refs, 3, &index), "a domain that does not exist can be named");
	check_errno("V3", dev_mmap(fd, index, 3, RW), ESRCH, "mmap says that there is no such one");
	check_eq("V3", xen_holds(grants), 0, "the others of the range are not mapped then");
	check_ok("M3", dev_unmap(fd, index, 3), "and the range can be removed");
	close(fd);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
}

static void pad(void)
{
	struct grants *grants = grants_make(1);
	struct ioctl_gntdev_map_grant_ref map = { .count = 1, .refs = { grants->refs[0] } };
	struct ioctl_gntdev_unmap_grant_ref unmap = { .count = 1 };
	struct ioctl_gntdev_get_offset_for_vaddr get = { .vaddr = 0 };
	static const uint32_t junk[] = { 0, 1, 0x80000000, UINT32_MAX };
	int fd = dev_open();

	for (unsigned int i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
		void *mapping;

		map.pad = unmap.pad = get.pad = junk[i];
		map.index = (uint64_t)junk[i] << 20;
		check_ok("M4", ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, &map),
			 "MAP_GRANT_REF with pad 0x%x", junk[i]);
		mapping = dev_mmap(fd, map.index, 1, RW);
		get.vaddr = (uintptr_t)mapping;
		check_ok("M4", ioctl(fd, IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR, &get),
			 "GET_OFFSET_FOR_VADDR with pad 0x%x", junk[i]);
		dev_munmap(mapping, 1);
		unmap.index = map.index;
		check_ok("M4", ioctl(fd, IOCTL_GNTDEV_UNMAP_GRANT_REF, &unmap),
			 "UNMAP_GRANT_REF with pad 0x%x", junk[i]);
	}
	close(fd);
	check_eq("A2", grants_free(grants), 0, "the page is free");
}

int main(void)
{
	t_start();
	two_domains();
	unknown_domain();
	pad();
	return t_done();
}
