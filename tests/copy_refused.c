// SPDX-License-Identifier: GPL-2.0-or-later
/* GRANT_COPY: what it refuses as a whole, what fails by itself, and that every status is true. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/grant.h"

#define N 4

static struct grants *grants;
static char local[2 * PAGE] __attribute__((aligned(PAGE)));
static int fd;

/* A good segment, the one in question, and a good one: nothing may be copied. */
static void refused(segment_t bad, const char *why)
{
	segment_t segments[3] = {
		seg_from(&grants->refs[0], 0, local, 8), bad, seg_to(&grants->refs[1], 0, local, 8),
	};

	memset(local, 0x77, 8);
	check_errno("C1", dev_copy(fd, segments, 3), EINVAL, "%s", why);
	check_eq("C1", local[0], 0x77, "%s: what came before is not copied", why);
	check_eq("C1", grants_bad(grants, 1), 0, "%s: nor what comes after", why);
	check("C2", segments[0].status != GNTST_okay && segments[1].status != GNTST_okay &&
	      segments[2].status != GNTST_okay, "%s: and none says okay", why);
}

static void senseless(void)
{
	segment_t bad;

	grants_fill(grants, 1);
	bad = seg_from(&grants->refs[0], 0, local, 8);
	bad.flags = 0;
	refused(bad, "no reference at all");
	bad = seg_from(&grants->refs[0], 0, local, 8);
	bad.flags |= 4;
	refused(bad, "an unknown flag");
	bad.flags = 0x8001;
	refused(bad, "another");
	refused(seg_from(&grants->refs[0], 1, local, PAGE), "a source that crosses its page");
	refused(seg_from(&grants->refs[0], 4096, local, 1), "a source behind its page");
	refused(seg_from(&grants->refs[0], 65535, local, 65535), "a source far behind it");
	refused(seg_from(&grants->refs[0], 0, local, 4097), "more than a page");
	refused(seg_to(&grants->refs[0], 4095, local, 2), "a target that crosses its page");
	refused(seg_between(&grants->refs[0], 0, &grants->refs[2], 10, 4090),
		"a target of two that crosses its page");
	refused(seg_between(&grants->refs[0], 10, &grants->refs[2], 0, 4090),
		"a source of two that crosses its page");
	refused(seg_from(&grants->refs[0], 4097, local, 0), "an empty one behind its page");
}

/* The segments themselves cannot be read, or their status cannot be written. */
static void segments_unreachable(void)
{
	char *pages = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	segment_t *segments = (segment_t *)(pages + PAGE) - 2;
	struct ioctl_gntdev_grant_copy *argument = (void *)(pages + PAGE - 8);

	munmap(pages + PAGE, PAGE);
	memset(local, 0x77, 8);
	segments[0] = segments[1] = seg_from(&grants->refs[0], 0, local, 8);
	check_errno("C3", dev_copy(fd, segments, 3), EFAULT, "segments that end in nothing");
	check_eq("C3", local[0], 0x77, "nothing is copied");
	check_errno("C3", dev_copy(fd, segments, 1000000), EFAULT, "many of them");
	check_errno("C3", dev_copy(fd, segments, UINT32_MAX), EFAULT, "as many as can be said");
	check_eq("C3", local[0], 0x77, "nothing is copied");
	check_errno("C3", dev_copy(fd, NULL, 1), EFAULT, "no segments");
	check_errno("C3", dev_copy(fd, (void *)-24L, 1), EFAULT, "segments of the kernel");
	check_errno("C3", ioctl(fd, IOCTL_GNTDEV_GRANT_COPY, argument), EFAULT,
		    "an argument that ends in nothing");
	check_errno("C3", ioctl(fd, IOCTL_GNTDEV_GRANT_COPY, NULL), EFAULT, "none");
	mprotect(pages, PAGE, PROT_READ);
	check_errno("C3", dev_copy(fd, segments, 2), EFAULT, "a status that cannot be written");
	munmap(pages, PAGE);
}

/*
 * A count that is a mistake by one bit: what is behind the segments is the caller's own memory, in
 * which no status is written.
 */
static void behind_the_segments(void)
{
	struct {
		segment_t segments[2];
		unsigned char behind[200 * sizeof(segment_t)];
	} stack;
	unsigned int wrong = 0, changed = 0, behind = 0;

	for (unsigned int bit = 2; bit < 128; bit *= 2) {
		stack.segments[0] = seg_from(&grants->refs[0], 0, local, 8);
		stack.segments[1] = seg_from(&grants->refs[1], 0, local, 8);
		memset(stack.behind, 0xaa, sizeof(stack.behind));
		memset(local, 0x77, 8);
		wrong += errno_of(dev_copy(fd, stack.segments, 2 | bit | 1)) != EINVAL;
		changed += local[0] != 0x77;
		wrong += stack.segments[0].status != GNTST_general_error;
		wrong += stack.segments[1].status != GNTST_general_error;
		for (unsigned int i = 0; i < sizeof(stack.behind); i++)
			behind += stack.behind[i] != 0xaa;
	}
	check_eq("C2", wrong, 0, "too large a count: the segments that are there say no");
	check_eq("C1", changed, 0, "and nothing is copied");
	check_eq("C2", behind, 0, "nothing is written behind them");
}

/* The same where the memory ends: a part of a segment can be read, and gets no status. */
static void segments_that_end(void)
{
	char *pages = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	segment_t *segments = (segment_t *)(pages + PAGE - sizeof(segment_t) / 2) - 3;

	munmap(pages + PAGE, PAGE);
	for (unsigned int i = 0; i < 3; i++)
		segments[i] = seg_from(&grants->refs[0], 0, local, 8);
	memset(&segments[3], 0x55, sizeof(segment_t) / 2);
	memset(local, 0x77, 8);
	check_errno("C3", dev_copy(fd, segments, 4), EFAULT, "the fourth segment ends in nothing");
	check("C2", segments[0].status == GNTST_general_error &&
	      segments[1].status == GNTST_general_error &&
	      segments[2].status == GNTST_general_error, "the three in front of it say no");
	check_eq("C3", local[0], 0x77, "nothing is copied");
	segments[1].flags = 0;
	segments[0].status = segments[1].status = segments[2].status = SEG_UNTOUCHED;
	check_errno("C1", dev_copy(fd, segments, 4), EINVAL, "the second makes no sense");
	check_eq("C2", segments[0].status, GNTST_general_error, "the one in front of it says no");
	check("C2", segments[1].status == SEG_UNTOUCHED && segments[2].status == SEG_UNTOUCHED,
	      "it, and what is behind it, are left alone");
	munmap(pages, PAGE);
}

/* What a call that fails leaves behind on its processor, the next ones there may find. */
static void unreadable_again_and_again(void)
{
	segment_t bad = seg_to(&grants->refs[0], 0, (void *)PAGE, PAGE), good;
	unsigned int wrong = 0;
	cpu_set_t one, all;

	sched_getaffinity(0, sizeof(all), &all);
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	for (int i = 0; i < 100; i++)
		wrong += errno_of(dev_copy(fd, &bad, 1)) != EFAULT || bad.status != GNTST_general_error;
	check_eq("C3", wrong, 0, "100 copies of local memory that is not there, on one processor");
	grants_fill(grants, 1);
	good = seg_from(&grants->refs[1], 0, local, PAGE);
	check_ok("C1", dev_copy(fd, &good, 1), "then a good one");
	check_eq("C1", *(uint64_t *)local, pattern_word(1, 1, 0), "which is right");
	sched_setaffinity(0, sizeof(all), &all);
}

/* A reference that Xen refuses, between two good ones. */
static void one_bad(segment_t bad, int status, const char *what)
{
	segment_t segments[3] = {
		seg_from(&grants->refs[0], 0, local, 64), bad,
		seg_from(&grants->refs[1], 0, local + 64, 64),
	};
	char want[2 * PAGE];

	grants_fill(grants, 2);
	mapping_fill(want, 2, 2);
	memset(local, 0, sizeof(local));
	check_ok("C2", dev_copy(fd, segments, 3), "%s between two good ones", what);
	check_eq("C2", segments[0].status, GNTST_okay, "%s: the one before says okay", what);
	check_eq("C2", segments[1].status, status, "%s: it says what Xen says", what);
	check_eq("C2", segments[2].status, GNTST_okay, "%s: the one after says okay", what);
	check("C2", !memcmp(local, want, 64) && !memcmp(local + 64, want + PAGE, 64),
	      "%s: and both are copied", what);
	check_ok("C2", dev_copy(fd, segments + 1, 1), "%s alone", what);
	check_eq("C2", segments[1].status, status, "%s alone: it says so", what);
}

static void bad_references(void)
{
	struct ioctl_gntdev_grant_ref nobody = { .domid = NO_DOMAIN, .ref = 8 };
	struct ioctl_gntdev_grant_ref no_ref = { .domid = granter_domid(), .ref = 4000000 };
	struct grants *readonly = grants_make_readonly(1), *others, *gone = grants_make(1);
	struct ioctl_gntdev_grant_ref gone_ref = gone->refs[0];
	char spare[PAGE];

	one_bad(seg_from(&nobody, 0, spare, 100), GNTST_bad_domain, "a domain that is not there");
	one_bad(seg_to(&nobody, 0, spare, 100), GNTST_bad_domain, "writing to one");
	one_bad(seg_from(&no_ref, 0, spare, 100), GNTST_bad_gntref, "a reference that is not there");
	one_bad(seg_between(&grants->refs[2], 0, &no_ref, 0, 100), GNTST_bad_gntref,
		"a target that is not there");
	one_bad(seg_to(&readonly->refs[0], 0, spare, 100), GNTST_general_error,
		"writing to a read-only grant");
	others = grants_make_for(1, true, NO_DOMAIN);
	one_bad(seg_from(&others->refs[0], 0, spare, 100), GNTST_general_error,
		"a grant for somebody else");
	grants_free(others);
	grants_free(gone);
	one_bad(seg_from(&gone_ref, 0, spare, 100), GNTST_general_error, "a grant that was ended");
	/* It crosses a page of ours, so it is two copies. */
	one_bad(seg_from(&no_ref, 0, local + PAGE - 45, 90), GNTST_bad_gntref, "one of two local pages");
	check_eq("A2", grants_free(readonly), 0, "the page is free");
}

/* Local memory that is not there, or not writable, in the middle of good segments. */
static void bad_memory(char *at, bool write, unsigned int len, const char *what)
{
	segment_t segments[5];
	char want[PAGE], spare[64];

	grants_fill(grants, 3);
	mapping_fill(want, 1, 3);
	memset(local, 0, sizeof(local));
	memset(spare, 0x77, sizeof(spare));
	segments[0] = seg_from(&grants->refs[0], 0, local, 64);
	segments[1] = seg_from(&grants->refs[0], 64, local + 64, 64);
	segments[2] = write ? seg_from(&grants->refs[1], 0, at, len) :
			      seg_to(&grants->refs[1], 0, at, len);
	segments[3] = seg_from(&grants->refs[0], 128, local + 128, 64);
	segments[4] = seg_to(&grants->refs[2], 0, spare, 64);
	check_errno("C3", dev_copy(fd, segments, 5), EFAULT, "%s", what);
	check("C3", segments[0].status == GNTST_okay && segments[1].status == GNTST_okay,
	      "%s: what was copied before says okay", what);
	check("C3", !memcmp(local, want, 128), "%s: and is", what);
	for (unsigned int i = 2; i < 5; i++)
		check_eq("C3", segments[i].status, GNTST_general_error, "%s: segment %u says no", what,
			 i);
	check("C3", !local[128] && grants_peek(grants, 2, 0) != 0x77,
	      "%s: and those not reached are not copied", what);
}

static void unreachable_memory(void)
{
	char *pages = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(pages + PAGE, PAGE, PROT_READ);
	mprotect(pages + 2 * PAGE, PAGE, PROT_NONE);
	munmap(pages + 3 * PAGE, PAGE);
	bad_memory(NULL, true, 8, "writing to NULL");
	bad_memory(NULL, false, 8, "reading NULL");
	bad_memory((char *)-4096L, true, 8, "writing to the kernel");
	bad_memory((char *)-8L, false, 4096, "reading around the end of all addresses");
	bad_memory((char *)0x800000000000, false, 8, "an address that is none");
	bad_memory(pages + PAGE, true, PAGE, "writing to a read-only page");
	bad_memory(pages + 2 * PAGE, false, 1, "reading a page without access");
	bad_memory(pages + 3 * PAGE, true, 1, "an unmapped page");
	bad_memory(pages + PAGE - 50, true, 100, "the second page read-only");
	bad_memory(pages + 2 * PAGE - 1, false, 2, "the second page without access");
	munmap(pages, 3 * PAGE);
}

/* The last page that a process can have, followed by one that it cannot. */
static void last_page(void)
{
	char *last = mmap((void *)0x7fffffffe000, PAGE, RW,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	segment_t segments[2];
	char want[PAGE];

	if (last == MAP_FAILED) {
		t_skip("C3", "something else is there", "the last page of all");
		return;
	}
	grants_fill(grants, 4);
	mapping_fill(want, 1, 4);
	segments[0] = seg_from(&grants->refs[0], 0, last, PAGE);
	segments[1] = seg_from(&grants->refs[0], 0, last + PAGE, 8);
	check_errno("C3", dev_copy(fd, segments, 2), EFAULT, "behind the last page of all");
	check_eq("C3", segments[0].status, GNTST_okay, "which says okay");
	check("C3", !memcmp(last, want, PAGE), "and was copied");
	check_eq("C3", segments[1].status, GNTST_general_error, "the one behind it says no");
	munmap(last, PAGE);
}

int main(void)
{
	t_start();
	fd = dev_open();
	grants = grants_make(N);
	senseless();
	segments_unreachable();
	behind_the_segments();
	segments_that_end();
	unreadable_again_and_again();
	bad_references();
	unreachable_memory();
	last_page();
	close(fd);
	check_eq("A2", xen_holds(grants), 0, "nothing is mapped");
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
