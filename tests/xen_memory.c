// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Xen itself has no memory left, so that the maptrack cannot grow: ENOSPC, and nothing stays mapped.
 * A domain that never runs has taken all of it. In dom0 only.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/brief.h"
#include "lib/grant.h"

#define GRANTS 1000
/* Xen lets one reference be mapped 127 times. */
#define EACH 20
#define N (GRANTS * EACH)
/* More entries of the maptrack than other tests have made Xen keep, and fewer than its limit. */
#define MOST 6

int main(void)
{
	struct ioctl_gntdev_grant_ref *refs = calloc(N, sizeof(*refs));
	struct grants *grants;
	unsigned int held = 0;
	char *mappings[MOST];
	struct hog hog;
	uint64_t index;
	int fd, more;

	t_start();
	if (!t_dom0() || !granter_is_self()) {
		t_skip("V3", "only dom0 makes domains, and once will do", "Xen without memory");
		return t_done();
	}
	if (!t_unpopulated()) {
		t_skip("V3", "the kernel's balloon stops the kernel when Xen has no memory",
		       "Xen without memory");
		return t_done();
	}
	fd = dev_open();
	grants = grants_make(GRANTS);
	grants_fill(grants, 1);
	for (unsigned int i = 0; i < N; i++)
		refs[i] = grants->refs[i % GRANTS];
	if (dev_map(fd, refs, N, &index))
		t_bail("MAP_GRANT_REF: %m");
	hog_make(&hog);
	t_note("Xen has %lu pages left", hog_left());
	while (held < MOST && (mappings[held] = dev_mmap(fd, index, N, RW)) != MAP_FAILED)
		held++;
	more = held < MOST ? errno : 0;
	/* What Xen had of entries was enough for some. */
	check_eq("V3", more, ENOSPC, "mapping %u pages more, with %u mapped", N, held * N);
	check_eq("V3", xen_holds(grants), held * N, "of the last none is mapped");
	hog_free(&hog);
	mappings[held] = dev_mmap(fd, index, N, RW);
	check("V3", mappings[held] != MAP_FAILED, "when Xen has memory, they are");
	if (mappings[held] != MAP_FAILED)
		held++;
	while (held)
		dev_munmap(mappings[--held], N);
	check_eq("V4", xen_holds(grants), 0, "nothing stays mapped");
	close(fd);
	free(refs);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
