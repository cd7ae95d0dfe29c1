// SPDX-License-Identifier: GPL-2.0-or-later
/* One reference, mapped as often as Xen allows: 128 times. The next is EINVAL, and none is lost. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/grant.h"

#define MOST 128

static struct grants *grants;
static uint64_t indexes[MOST + 1];
static char *mappings[MOST + 1];
static int fd;

/* How many of the ranges 0 to @n - 1 can be mapped, one after the other. */
static unsigned int map(unsigned int n, int prot)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		mappings[i] = dev_mmap(fd, indexes[i], 1, prot);
		if (mappings[i] == MAP_FAILED)
			break;
	}
	return i;
}

/* All of them show the page, and go. */
static unsigned int unmap(unsigned int n)
{
	unsigned int bad = 0;

	for (unsigned int i = 0; i < n; i++) {
		bad += *(const volatile uint64_t *)mappings[i] != pattern_word(1, 0, 0);
		bad += dev_munmap(mappings[i], 1) != 0;
	}
	return bad;
}

static void each_by_itself(int prot, const char *how)
{
	check_eq("V3", map(MOST, prot), MOST, "%s: one reference is mapped 128 times", how);
	check_errno("V3", dev_mmap(fd, indexes[MOST], 1, prot), EINVAL, "%s: and not once more", how);
	check_errno("V3", dev_mmap(fd, indexes[MOST], 1, prot), EINVAL, "%s: a second try says the same", how);
	check_eq("V3", xen_holds(grants), MOST, "%s: Xen has it mapped 128 times", how);
	check_ok("V3", dev_munmap(mappings[0], 1), "%s: when one goes", how);
	mappings[0] = dev_mmap(fd, indexes[MOST], 1, prot);
	check("V3", mappings[0] != MAP_FAILED, "%s: there is room for another", how);
	check_errno("V3", dev_mmap(fd, indexes[0], 1, prot), EINVAL, "%s: and for one only", how);
	check_eq("V3", unmap(MOST), 0, "%s: all show the page, and go", how);
	check_eq("V4", xen_holds(grants), 0, "%s: nothing stays mapped", how);
}

/* A range that names it several times is no other case; after a refusal none of it stays. */
static void in_one_range(void)
{
	struct ioctl_gntdev_grant_ref refs[MOST + 1];
	uint64_t index;
	char *memory;

	for (unsigned int n = MOST; n <= MOST + 1; n++) {
		for (unsigned int i = 0; i < n; i++)
			refs[i] = grants->refs[0];
		dev_map(fd, refs, n, &index);
		check_errno("V3", (memory = dev_mmap(fd, index, n, RW)), n == MOST ? 0 : EINVAL,
			    "a range that names it %u times", n);
		check_eq("V3", xen_holds(grants), n == MOST ? MOST : 0, "Xen has all of it mapped, or none");
		if (memory != MAP_FAILED)
			dev_munmap(memory, n);
		check_ok("V3", dev_unmap(fd, index, n), "and the range can go");
	}
}

/* In PV the kernel needs one more to get at the page. */
static void with_the_kernel(void)
{
	struct iovec page;
	int ends[2];

	if (!t_pv()) {
		t_skip("V8", "the kernel has the page by the first mapping of all", "the kernel's own mapping");
		return;
	}
	if (pipe(ends))
		t_bail("pipe: %m");
	map(MOST, RW);
	page = (struct iovec){ mappings[0], PAGE };
	check_errnos("V8", vmsplice(ends[1], &page, 1, 0), errnos(EFAULT, EEXIST),
		     "with 128 the kernel gets no mapping of its own");
	dev_munmap(mappings[MOST - 1], 1);
	check_eq("V8", vmsplice(ends[1], &page, 1, 0), PAGE, "with 127 it does");
	check_errno("V3", dev_mmap(fd, indexes[MOST], 1, RW), EINVAL, "which takes the place of the 128th");
	close(ends[0]);
	close(ends[1]);
	check_eq("V3", unmap(MOST - 1), 0, "all show the page, and go");
	check_eq("V4", xen_holds(grants), 0, "nothing stays mapped");
}

/* A range of an auto-translated domain is mapped by Xen once, however often a process maps it. */
static void same_range(void)
{
	unsigned int n = 0;

	if (t_pv()) {
		t_skip("V4", "PV has one mapping of a range at a time", "one range, more than 128 times");
		return;
	}
	for (; n <= MOST; n++) {
		mappings[n] = dev_mmap(fd, indexes[0], 1, RW);
		if (mappings[n] == MAP_FAILED)
			break;
	}
	check_eq("V4", n, MOST + 1, "one range, more than 128 times");
	check_eq("V4", xen_holds(grants), 1, "is mapped by Xen once");
	check_eq("V4", unmap(n), 0, "all show the page, and go");
}

int main(void)
{
	unsigned int stays = 0;

	t_start();
	fd = dev_open();
	grants = grants_make(1);
	grants_fill(grants, 1);
	for (unsigned int i = 0; i <= MOST; i++)
		if (dev_map(fd, grants->refs, 1, &indexes[i]))
			t_bail("MAP_GRANT_REF: %m");
	each_by_itself(RW, "for writing");
	each_by_itself(RO, "read-only");
	in_one_range();
	with_the_kernel();
	same_range();
	for (unsigned int i = 0; i <= MOST; i++)
		stays += dev_unmap(fd, indexes[i], 1) != 0;
	check_eq("M5", stays, 0, "all ranges are removed");
	close(fd);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
