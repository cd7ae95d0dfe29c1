// SPDX-License-Identifier: GPL-2.0-or-later
/* A reference that Xen refuses: no page of the range stays mapped, and it can be tried again. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/grant.h"

#define N 40

static struct grants *good;
static int fd;

/* One bad reference at @place of a range of good ones. */
static void one_bad(const struct ioctl_gntdev_grant_ref *bad, unsigned int place, int err,
		    const char *what)
{
	struct ioctl_gntdev_grant_ref refs[N];
	uint64_t index;
	char *mapping;

	memcpy(refs, good->refs, sizeof(refs));
	refs[place] = *bad;
	if (dev_map(fd, refs, N, &index))
		t_bail("MAP_GRANT_REF with %s: %m", what);
	check_errno("V3", dev_mmap(fd, index, N, RW), err, "%s, as page %u of %u", what, place, N);
	check_errno("V3", dev_mmap(fd, index, N, RW), err, "%s: a second try says the same", what);
	check_eq("V3", xen_holds(good), 0, "%s: no page stays mapped", what);
	check_ok("V3", dev_unmap(fd, index, N), "%s: the range was registered still", what);

	/* The good ones are as good as before. */
	dev_map(fd, good->refs, N, &index);
	mapping = dev_mmap(fd, index, N, RW);
	if (mapping == MAP_FAILED || mapping_bad(mapping, N, 9))
		check("V3", false, "%s: the other pages can be mapped without it", what);
	if (mapping != MAP_FAILED)
		dev_munmap(mapping, N);
	dev_unmap(fd, index, N);
}

static void every_place(const struct ioctl_gntdev_grant_ref *bad, int err, const char *what)
{
	one_bad(bad, 0, err, what);
	one_bad(bad, N / 2, err, what);
	one_bad(bad, N - 1, err, what);
}

static void refusals(void)
{
	struct ioctl_gntdev_grant_ref bad = { granter_domid(), 0 };
	struct grants *grants;

	bad.ref = 0x7fffffff;
	every_place(&bad, EINVAL, "a reference beyond the grant table");
	bad.ref = 16000;
	every_place(&bad, EINVAL, "a reference never granted");
	bad.ref = UINT32_MAX;
	one_bad(&bad, 1, EINVAL, "reference 2^32-1");

	grants = grants_make_for(1, true, NO_DOMAIN);
	every_place(grants->refs, EINVAL, "a page granted to somebody else");
	grants_free(grants);

	grants = grants_make_readonly(1);
	every_place(grants->refs, EINVAL, "a page granted read-only");
	grants_free(grants);

	grants = grants_make(1);
	bad = grants->refs[0];
	grants_revoke(grants, 0);
	every_place(&bad, EINVAL, "a revoked grant");
	grants_free(grants);

	bad = (struct ioctl_gntdev_grant_ref){ NO_DOMAIN, 8 };
	every_place(&bad, ESRCH, "a domain that does not exist");
	bad.domid = 0x7ff4; /* DOMID_INVALID */
	one_bad(&bad, 3, ESRCH, "the invalid domain");
}

/* No domain has a number that needs more than 16 bits: do not cut it to one that is there. */
static void wide_domid(void)
{
	struct ioctl_gntdev_grant_ref ref = { granter_domid() + 0x10000, good->refs[0].ref };
	void *mapping = MAP_FAILED;
	uint64_t index;
	int failed = dev_map(fd, &ref, 1, &index);

	if (!failed)
		mapping = dev_mmap(fd, index, 1, RW);
	check("A1", mapping == MAP_FAILED, "a domid of 17 bits reaches nobody");
	if (mapping != MAP_FAILED)
		dev_munmap(mapping, 1);
	if (!failed)
		dev_unmap(fd, index, 1);
}

/* A later mmap of a range that was refused works when the granter has made it right. */
static void again(void)
{
	struct grants *parts[3] = { grants_make(1), grants_make(1), grants_make(1) }, *tries[64];
	struct ioctl_gntdev_grant_ref refs[3];
	unsigned int wanted, n = 0;
	char *mapping = MAP_FAILED;
	uint64_t index;

	for (int i = 0; i < 3; i++) {
		refs[i] = parts[i]->refs[0];
		grants_poke(parts[i], 0, 5, 50 + i);
	}
	wanted = refs[1].ref;
	grants_free(parts[1]);
	dev_map(fd, refs, 3, &index);
	check_errno("V3", dev_mmap(fd, index, 3, RW), EINVAL, "a range with a revoked page");
	/* The kernel of the granter gives out the reference that was freed last. */
	do {
		tries[n] = grants_make(1);
		n++;
	} while (tries[n - 1]->refs[0].ref != wanted && n < 64);
	if (tries[n - 1]->refs[0].ref == wanted) {
		grants_poke(tries[n - 1], 0, 5, 99);
		mapping = dev_mmap(fd, index, 3, RW);
		check("V3", mapping != MAP_FAILED, "the same range, granted anew, can be mapped");
		check("V3", mapping != MAP_FAILED && t_byte(mapping + 5) == 50 &&
		      t_byte(mapping + PAGE + 5) == 99 && t_byte(mapping + 2 * PAGE + 5) == 52,
		      "and shows the pages that are granted now");
	} else {
		t_skip("V3", "the granter's kernel gave other references", "a range granted anew");
	}
	if (mapping != MAP_FAILED)
		dev_munmap(mapping, 3);
	dev_unmap(fd, index, 3);
	while (n-- > 0)
		check_eq("A2", grants_free(tries[n]), 0, "a page is free");
	check_eq("A2", grants_free(parts[0]) + grants_free(parts[2]), 0, "the others are, too");
}

int main(void)
{
	t_start();
	fd = dev_open();
	good = grants_make(N);
	grants_fill(good, 9);
	refusals();
	wide_domid();
	again();
	close(fd);
	check_eq("A2", grants_free(good), 0, "the pages are free");
	return t_done();
}
