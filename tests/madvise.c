// SPDX-License-Identifier: GPL-2.0-or-later
/* Every madvise on a mapping: the pages stay, or give SIGBUS; nothing leaks. */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/grant.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define N 4

static struct grants *grants;

static const struct {
	const char *name;
	int advice;
} advices[] = {
	{ "MADV_NORMAL", MADV_NORMAL },
	{ "MADV_RANDOM", MADV_RANDOM },
	{ "MADV_SEQUENTIAL", MADV_SEQUENTIAL },
	{ "MADV_WILLNEED", MADV_WILLNEED },
	{ "MADV_DONTNEED", MADV_DONTNEED },
	{ "MADV_DONTNEED_LOCKED", MADV_DONTNEED_LOCKED },
	{ "MADV_FREE", MADV_FREE },
	{ "MADV_REMOVE", MADV_REMOVE },
	{ "MADV_DONTFORK", MADV_DONTFORK },
	{ "MADV_DOFORK", MADV_DOFORK },
	{ "MADV_MERGEABLE", MADV_MERGEABLE },
	{ "MADV_UNMERGEABLE", MADV_UNMERGEABLE },
	{ "MADV_HUGEPAGE", MADV_HUGEPAGE },
	{ "MADV_NOHUGEPAGE", MADV_NOHUGEPAGE },
	{ "MADV_COLLAPSE", MADV_COLLAPSE },
	{ "MADV_DONTDUMP", MADV_DONTDUMP },
	{ "MADV_DODUMP", MADV_DODUMP },
	{ "MADV_WIPEONFORK", MADV_WIPEONFORK },
	{ "MADV_KEEPONFORK", MADV_KEEPONFORK },
	{ "MADV_COLD", MADV_COLD },
	{ "MADV_PAGEOUT", MADV_PAGEOUT },
	{ "MADV_POPULATE_READ", MADV_POPULATE_READ },
	{ "MADV_POPULATE_WRITE", MADV_POPULATE_WRITE },
	{ "MADV_HWPOISON's neighbour, which does not exist", 99 },
};

/* Pages that can be reached and pages that Xen maps must be the same. */
static void verdict(const char *mapping, const char *what, bool may_go)
{
	unsigned int good = 0, bus = 0, held;

	for (int i = 0; i < N; i++) {
		int byte = t_byte(mapping + i * PAGE);

		if (byte == -SIGBUS)
			bus++;
		else if (byte >= 0 && *(uint64_t *)(mapping + i * PAGE) == pattern_word(7, i, 0))
			good++;
	}
	if (may_go)
		check("V5", good == N || bus == N, "%s: the pages are there, or all SIGBUS (%u, %u)",
		      what, good, bus);
	else
		check_eq("V5", good, N, "%s: the pages are there", what);
	held = xen_holds(grants);
	if (bus == N)
		check_eq("V5", held, 0, "%s: SIGBUS means that Xen holds nothing", what);
	else
		check("V5", held >= N, "%s: Xen maps what can be reached (%u)", what, held);
}

int main(void)
{
	uint64_t index;
	char *mapping;
	int fd;

	t_start();
	fd = dev_open();
	grants = grants_make(N);
	grants_fill(grants, 7);
	dev_map(fd, grants->refs, N, &index);
	for (unsigned int i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
		const char *name = advices[i].name;
		int err;

		mapping = dev_mmap(fd, index, N, RW);
		if (mapping == MAP_FAILED) {
			check("V4", false, "%s: map the range (again)", name);
			/* An instance that cannot map twice: give it a new range. */
			dev_unmap(fd, index, N);
			dev_map(fd, grants->refs, N, &index);
			mapping = dev_mmap(fd, index, N, RW);
			if (mapping == MAP_FAILED)
				continue;
		}
		err = errno_of(madvise(mapping, N * PAGE, advices[i].advice));
		t_note("%s: %s", name, err ? strerrorname_np(err) : "success");
		verdict(mapping, name, t_pv() && (advices[i].advice == MADV_DONTNEED ||
						  advices[i].advice == MADV_DONTNEED_LOCKED));
		errno_of(madvise(mapping, PAGE, advices[i].advice));
		if (advices[i].advice == MADV_DONTNEED)
			verdict(mapping, "MADV_DONTNEED of a part", t_pv());
		check_ok("V5", dev_munmap(mapping, N), "%s: munmap", name);
	}
	check_eq("V5", xen_holds(grants), 0, "nothing stays mapped");

	/* Locked memory. */
	mapping = dev_mmap(fd, index, N, RW);
	if (mapping != MAP_FAILED) {
		int err = errno_of(mlock(mapping, N * PAGE));

		t_note("mlock: %s", err ? strerrorname_np(err) : "success");
		verdict(mapping, "mlock", false);
		munlock(mapping, N * PAGE);
		verdict(mapping, "munlock", false);
		mlock2(mapping, N * PAGE, MLOCK_ONFAULT);
		check_ok("V5", dev_munmap(mapping, N), "munmap of a locked mapping");
	}
	mapping = mmap(NULL, N * PAGE, RW, MAP_SHARED | MAP_POPULATE | MAP_LOCKED, fd, index);
	check("V5", mapping != MAP_FAILED, "mmap with MAP_POPULATE and MAP_LOCKED");
	if (mapping != MAP_FAILED) {
		verdict(mapping, "populated", false);
		msync(mapping, N * PAGE, MS_SYNC | MS_INVALIDATE);
		verdict(mapping, "msync", false);
		dev_munmap(mapping, N);
	}
	check_eq("V5", xen_holds(grants), 0, "nothing stays mapped");
	check_eq("V5", grants_bad(grants, 7), 0, "and the pages are as they were");
	check_ok("V5", dev_unmap(fd, index, N), "the range can go");
	close(fd);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
