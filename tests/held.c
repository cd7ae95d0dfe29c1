// SPDX-License-Identifier: GPL-2.0-or-later
/* What Xen is asked to map for a mapping, and that a page stays held while its mapping does. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/grant.h"

#define N 8
/* Xen lets a reference be mapped 127 times. */
#define TIMES 120

static struct grants *grants;
static int fd;

/* One mapping of Xen's for each page; in PV one more where the kernel accesses it. */
static void what_is_mapped(void)
{
	struct iovec page;
	char bytes[PAGE], *mapping;
	uint64_t index;
	int ends[2];

	grants_fill(grants, 1);
	dev_map(fd, grants->refs, N, &index);
	mapping = dev_mmap(fd, index, N, RW);
	if (!check("V1", mapping != MAP_FAILED, "map %d pages", N))
		return;
	check_eq("V1", xen_holds(grants), N, "Xen maps each page once");

	page = (struct iovec){ mapping + 2 * PAGE, PAGE };
	if (pipe(ends) || vmsplice(ends[1], &page, 1, 0) != PAGE)
		t_bail("vmsplice: %m");
	check_eq("V8", xen_holds(grants), N + t_pv(), "a page in a pipe, PV: the kernel has mapped it");

	check_ok("V5", madvise(mapping, N * PAGE, MADV_DONTNEED), "MADV_DONTNEED");
	check_eq("V5", xen_holds(grants), N, "Xen maps each page still");
	check_eq("V5", mapping_bad(mapping, N, 1), 0, "and they can be reached");
	mapping = mremap(mapping, N * PAGE, N * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			 mmap(NULL, N * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	check("V5", mapping != MAP_FAILED, "mremap");
	check("V5", xen_holds(grants) >= N, "Xen maps each page still");
	check_eq("V5", mapping_bad(mapping, N, 1), 0, "and they can be reached");

	check_ok("V4", dev_munmap(mapping, N), "munmap");
	check_eq("V8", xen_holds(grants), 1, "Xen holds the page in the pipe, and no other");
	check_eq("V8", read(ends[0], bytes, PAGE), PAGE, "the pipe is read");
	check_eq("V8", *(uint64_t *)bytes, pattern_word(1, 2, 0), "and has the page");
	check("V8", t_eventually(!xen_holds(grants)), "then Xen holds nothing");
	close(ends[0]);
	close(ends[1]);
	check_ok("M5", dev_unmap(fd, index, N), "the range goes");
}

/*
 * Who only counts pages, as a monitor of memory does, has the kernel map all of them in PV. They are
 * let go of when nobody uses them any more.
 */
static void counted(void)
{
	static char smaps[1 << 20];
	struct iovec page;
	char bytes[PAGE], *mapping;
	uint64_t index;
	int ends[2];

	grants_fill(grants, 3);
	dev_map(fd, grants->refs, N, &index);
	mapping = dev_mmap(fd, index, N, RW);
	if (!check("V1", mapping != MAP_FAILED, "map %d pages", N))
		return;
	page = (struct iovec){ mapping + 2 * PAGE, PAGE };
	if (pipe(ends) || vmsplice(ends[1], &page, 1, 0) != PAGE)
		t_bail("vmsplice: %m");
	check("A1", t_read_file("/proc/self/smaps", smaps, sizeof(smaps)), "smaps is read");
	check("A1", t_eventually(xen_holds(grants) == (unsigned int)(N + t_pv())),
	      "PV: the kernel's mappings go, but for that of a page in a pipe");
	check_eq("A1", mapping_bad(mapping, N, 3), 0, "the mapping is as before");
	check_eq("V8", read(ends[0], bytes, PAGE), PAGE, "the pipe is read");
	check_eq("V8", *(uint64_t *)bytes, pattern_word(3, 2, 0), "and has the page");
	check("A1", t_eventually(xen_holds(grants) == N), "then that one goes, too");
	check_eq("V8", vmsplice(ends[1], &page, 1, 0), PAGE, "the page is wanted again");
	check_eq("V8", read(ends[0], bytes, PAGE), PAGE, "the pipe is read");
	check_eq("V8", *(uint64_t *)bytes, pattern_word(3, 2, 0), "and has the page");
	check_ok("V4", dev_munmap(mapping, N), "munmap");
	check("V4", t_eventually(!xen_holds(grants)), "then Xen holds nothing");
	close(ends[0]);
	close(ends[1]);
	check_ok("M5", dev_unmap(fd, index, N), "the range goes");
}

/* A page whose entries went, in a mapping that stays, cannot be taken back by its domain. */
static void taken_back(bool moved)
{
	const char *what = moved ? "mremap" : "MADV_DONTNEED";
	struct grants *some = grants_make(N);
	uint64_t index;
	char *mapping;

	dev_map(fd, some->refs, N, &index);
	mapping = dev_mmap(fd, index, N, RW);
	if (!check("V1", mapping != MAP_FAILED, "map %d pages", N))
		return;
	if (moved)
		mapping = mremap(mapping, N * PAGE, N * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				 mmap(NULL, N * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	else
		check_ok("V5", madvise(mapping, N * PAGE, MADV_DONTNEED), "%s", what);
	check("V5", mapping != MAP_FAILED, "%s", what);
	check_eq("V5", xen_holds(some), N, "%s: Xen maps each page", what);
	check_eq("V5", grants_revoke(some, 3), 1, "%s: its domain cannot end a grant now", what);
	check("V5", t_byte(mapping + 3 * PAGE) >= 0, "%s: the page can be reached", what);
	check_ok("V4", dev_munmap(mapping, N), "%s: munmap", what);
	check_eq("V4", xen_holds(some), 0, "%s: Xen holds nothing", what);
	dev_unmap(fd, index, N);
	grants_free(some);
}

static void one_reference_often(void)
{
	unsigned int mapped = 0, wrong = 0;
	uint64_t indexes[TIMES];
	char *mappings[TIMES];

	grants_fill(grants, 2);
	for (; mapped < TIMES; mapped++) {
		dev_map(fd, grants->refs, 1, &indexes[mapped]);
		mappings[mapped] = dev_mmap(fd, indexes[mapped], 1, RW);
		if (mappings[mapped] == MAP_FAILED)
			break;
	}
	check_eq("V1", mapped, TIMES, "one reference is mapped %d times", TIMES);
	for (unsigned int i = 0; i < mapped; i++) {
		wrong += mapping_bad(mappings[i], 1, 2);
		dev_munmap(mappings[i], 1);
	}
	check_eq("V1", wrong, 0, "each shows the page");
	check_eq("V4", xen_holds(grants), 0, "unmapped, Xen holds nothing");
}

int main(void)
{
	t_start();
	fd = dev_open();
	grants = grants_make(N);
	one_reference_often();
	what_is_mapped();
	counted();
	taken_back(false);
	taken_back(true);
	close(fd);
	check_eq("A2", grants_free(grants), 0, "the granter gets all pages back");
	return t_done();
}
