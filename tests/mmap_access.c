// SPDX-License-Identifier: GPL-2.0-or-later
/* Private, read-only and writable mappings of writable and read-only grants. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>

#include "lib/grant.h"

static int fd;

static void writable_grant(void)
{
	struct grants *grants = grants_make(2);
	uint64_t index;
	char *mapping;

	grants_fill(grants, 3);
	dev_map(fd, grants->refs, 2, &index);
	check_errno("V2", mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, fd, index), EINVAL,
		    "private and writable");
	check_eq("V2", xen_holds(grants), 0, "and nothing is mapped then");
	mapping = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, index);
	if (check("V2", mapping != MAP_FAILED, "private and read-only")) {
		check_eq("V2", mapping_bad(mapping, 2, 3), 0, "shows the pages");
		grants_poke(grants, 1, 77, 0xa5);
		check_eq("V2", t_byte(mapping + PAGE + 77), 0xa5, "and what is written to them later");
		check_errno("V2", mprotect(mapping, 2 * PAGE, RW), EACCES,
			    "write access cannot be added to it");
		check("V2", t_poke(mapping, 1) != 0, "a write to it faults");
		dev_munmap(mapping, 2);
	}
	grants_fill(grants, 3);

	mapping = dev_mmap(fd, index, 2, RO);
	check("V2", mapping != MAP_FAILED, "a read-only mapping of writable pages");
	check_eq("V2", mapping_bad(mapping, 2, 3), 0, "shows the pages");
	check_errno("V2", mprotect(mapping, 2 * PAGE, RW), EACCES, "mprotect cannot make it writable");
	check("V2", t_poke(mapping, 1) != 0, "a write to it faults");
	check_eq("V2", grants_bad(grants, 3), 0, "and changes nothing");
	if (t_pv())
		check_errno("V2", mprotect(mapping, 2 * PAGE, PROT_NONE), EACCES,
			    "PV: no mprotect changes the access of a mapping");
	else
		t_skip("V2", "auto-translated", "PV: no mprotect changes the access of a mapping");
	check_eq("V2", mapping_bad(mapping, 2, 3), 0, "the mapping is as before");
	dev_munmap(mapping, 2);

	mapping = dev_mmap(fd, index, 2, RW);
	check("V2", mapping != MAP_FAILED, "a writable mapping");
	mapping_fill(mapping, 2, 4);
	check_eq("V2", grants_bad(grants, 4), 0, "the granter sees what is written to it");
	if (t_pv()) {
		check_errno("V2", mprotect(mapping, 2 * PAGE, PROT_READ), EACCES,
			    "PV: write access cannot be taken away");
		check_errno("V2", mprotect(mapping, 2 * PAGE, PROT_NONE), EACCES,
			    "PV: nor all access");
		check_errno("V2", mprotect(mapping, 2 * PAGE, RW | PROT_EXEC), EACCES,
			    "PV: nor execution be added");
		check_ok("V2", mprotect(mapping, 2 * PAGE, RW), "PV: the access it has is no change");
		check_eq("V2", t_poke(mapping + PAGE, 1), 0, "PV: and it is writable as before");
	} else {
		check_ok("V2", mprotect(mapping, 2 * PAGE, PROT_READ), "take write access away");
		check("V2", t_poke(mapping, 1) != 0, "and a write faults");
		check_eq("V2", mapping_bad(mapping, 2, 4), 0, "and reading does not");
		check_ok("V2", mprotect(mapping, 2 * PAGE, RW), "give it back");
		check_eq("V2", t_poke(mapping + PAGE, 1), 0, "and it is writable again");
	}
	check_eq("V2", grants_peek(grants, 1, 0), 1, "the granter sees the byte");
	dev_munmap(mapping, 2);
	mapping = dev_mmap(fd, index, 2, PROT_NONE);
	if (mapping != MAP_FAILED) {
		check("A1", t_byte(mapping) < 0, "a mapping without access faults");
		dev_munmap(mapping, 2);
	} else {
		t_skip("A1", "mmap refuses it", "a mapping without access faults");
	}
	check_eq("V4", xen_holds(grants), 0, "nothing stays mapped");
	dev_unmap(fd, index, 2);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
}

static void read_only_grant(void)
{
	struct grants *grants = grants_make_readonly(2);
	uint64_t index;
	char *mapping;

	grants_fill(grants, 6);
	dev_map(fd, grants->refs, 2, &index);
	check_errno("V3", dev_mmap(fd, index, 2, RW), EINVAL, "read-only pages mapped for writing");
	check_eq("V3", xen_holds(grants), 0, "and nothing is mapped then");
	mapping = dev_mmap(fd, index, 2, RO);
	if (check("V2", mapping != MAP_FAILED, "read-only pages mapped read-only")) {
		check_eq("V2", mapping_bad(mapping, 2, 6), 0, "show what is there");
		check_errno("V2", mprotect(mapping, 2 * PAGE, RW), EACCES, "and never get writable");
		check("V2", t_poke(mapping, 1) != 0, "a write faults");
		dev_munmap(mapping, 2);
	}
	check_eq("V4", xen_holds(grants), 0, "nothing stays mapped");
	dev_unmap(fd, index, 2);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
}

/* The descriptor's own access is the core kernel's matter: no write access, none in mmap. */
static void read_only_descriptor(void)
{
	struct grants *grants = grants_make(1);
	int ro = open(DEVICE, O_RDONLY | O_CLOEXEC);
	uint64_t index;
	char *mapping;

	dev_map(ro, grants->refs, 1, &index);
	check_errno("V2", dev_mmap(ro, index, 1, RW), EACCES, "a writable mapping of a read-only open");
	mapping = dev_mmap(ro, index, 1, RO);
	if (check("V2", mapping != MAP_FAILED, "a read-only mapping of it")) {
		check_errno("V2", mprotect(mapping, PAGE, RW), EACCES, "which never gets writable");
		dev_munmap(mapping, 1);
	}
	close(ro);
	check_eq("A2", grants_free(grants), 0, "the page is free");
}

int main(void)
{
	t_start();
	fd = dev_open();
	writable_grant();
	read_only_grant();
	read_only_descriptor();
	close(fd);
	return t_done();
}
