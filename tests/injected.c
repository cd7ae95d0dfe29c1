// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every refusal that Xen has, at every place, also those that this Xen never gives: by the driver
 * with tests/inject between it and Xen. Where nobody else uses the module.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/grant.h"

/* Batches of hypercalls have 128 operations. */
#define N 300
#define INJECT "/sys/module/xen_gntdev/parameters/inject"
#define HYPERCALL_FAILS 1

static const struct refusal {
	int status, err;
	const char *name;
} refusals[] = {
	{ GNTST_eagain, EAGAIN, "GNTST_eagain" },
	{ GNTST_permission_denied, EACCES, "GNTST_permission_denied" },
	{ GNTST_no_space, ENOSPC, "GNTST_no_space" },
	{ GNTST_no_device_space, ENOSPC, "GNTST_no_device_space" },
	{ GNTST_bad_domain, ESRCH, "GNTST_bad_domain" },
	{ GNTST_bad_gntref, EINVAL, "GNTST_bad_gntref" },
	{ GNTST_general_error, EINVAL, "GNTST_general_error" },
	{ GNTST_bad_handle, EINVAL, "GNTST_bad_handle" },
	{ GNTST_bad_virt_addr, EINVAL, "GNTST_bad_virt_addr" },
	{ GNTST_bad_dev_addr, EINVAL, "GNTST_bad_dev_addr" },
	{ GNTST_bad_page, EINVAL, "GNTST_bad_page" },
	{ GNTST_bad_copy_arg, EINVAL, "GNTST_bad_copy_arg" },
	{ GNTST_address_too_big, EINVAL, "GNTST_address_too_big" },
	{ HYPERCALL_FAILS, EINVAL, "a hypercall that fails" },
};

#define REFUSALS (sizeof(refusals) / sizeof(refusals[0]))

static struct grants *grants;
static int fd;

static void inject(unsigned int cmd, int status, unsigned int at)
{
	char text[40];

	snprintf(text, sizeof(text), "%u %d %u", cmd, status, at);
	if (!t_write_file(INJECT, text))
		t_bail("%s: %s", INJECT, strerror(errno));
}

static void load(const char *file)
{
	int module = open(file, O_RDONLY | O_CLOEXEC);

	if (syscall(SYS_delete_module, "xen_gntdev", O_NONBLOCK) ||
	    syscall(SYS_finit_module, module, "", 0))
		t_bail("%s: %s", file, strerror(errno));
	close(module);
}

/* The places in a range of @n that are tried: all of a short one, of a long one what is at edges. */
static bool worth_trying(unsigned int place, unsigned int n)
{
	return n < 50 || place % 127 < 4 || place % 128 > 125 || place == n - 1;
}

static void mmap_refused(const struct refusal *refusal, unsigned int n, int prot)
{
	unsigned int tried = 0, wrong = 0, after = 0;
	uint64_t index;
	char *mapping;

	if (dev_map(fd, grants->refs, n, &index))
		t_bail("MAP_GRANT_REF: %s", strerror(errno));
	for (unsigned int place = 0; place < n; place++) {
		if (!worth_trying(place, n))
			continue;
		tried++;
		inject(GNTTABOP_map_grant_ref, refusal->status, place);
		wrong += errno_of(dev_mmap(fd, index, n, prot)) != refusal->err;
		/* A second try finds everything as it was. */
		mapping = dev_mmap(fd, index, n, prot);
		if (mapping == MAP_FAILED) {
			after++;
			continue;
		}
		after += mapping_bad(mapping, n, 1) != 0;
		dev_munmap(mapping, n);
	}
	check_eq("V3", wrong, 0, "mmap of %u pages %s: %s at %u places", n,
		 prot == RO ? "read-only" : "for writing", refusal->name, tried);
	check_eq("V3", after, 0, "%u pages, %s: mapped by a second try", n, refusal->name);
	check_eq("V3", xen_holds(grants), 0, "%u pages, %s: nothing stays mapped", n, refusal->name);
	check_ok("V3", dev_unmap(fd, index, n), "%u pages, %s: the range was there", n, refusal->name);
}

static void export_refused(const struct refusal *refusal, unsigned int n)
{
	/*
	 * In PV the kernel would wait for the page, for 32 s, so that it is asked about before, by a
	 * copy of nothing.
	 */
	unsigned int cmd = t_pv() && refusal->status == GNTST_eagain ? GNTTABOP_copy :
								       GNTTABOP_map_grant_ref;
	unsigned int tried = 0, wrong = 0, after = 0;
	int buffer;

	for (unsigned int place = 0; place < n; place++) {
		if (!worth_trying(place, n))
			continue;
		tried++;
		inject(cmd, refusal->status, place);
		wrong += errno_of(dev_export(fd, 0, grants->refs, n, &buffer)) != refusal->err;
		if (dev_export(fd, 0, grants->refs, n, &buffer)) {
			after++;
			continue;
		}
		close(buffer);
		after += dev_wait_released(fd, buffer, 60000) && errno != ENOENT;
	}
	check_eq("E1", wrong, 0, "export of %u pages: %s at %u places", n, refusal->name, tried);
	check_eq("E1", after, 0, "%u pages, %s: exported by a second try", n, refusal->name);
	check_eq("E4", xen_holds(grants), 0, "%u pages, %s: nothing stays mapped", n, refusal->name);
}

/* In PV the kernel has a mapping of its own made when it wants the page; that one is refused. */
static void kernel_refused(const struct refusal *refusal)
{
	struct iovec pages = { NULL, 3 * PAGE };
	uint64_t index, word = 0;
	int ends[2], spliced;

	if (dev_map(fd, grants->refs, 3, &index) || pipe(ends))
		t_bail("%s", strerror(errno));
	pages.iov_base = dev_mmap(fd, index, 3, RW);
	if (pages.iov_base == MAP_FAILED)
		t_bail("mmap: %s", strerror(errno));
	/* A page that is mapped already cannot be paged out: that one is never answered here. */
	if (refusal->status != GNTST_eagain) {
		inject(GNTTABOP_map_grant_ref, refusal->status, 0);
		spliced = vmsplice(ends[1], &pages, 1, 0);
		check("V8", spliced < (int)(3 * PAGE), "%s for the kernel: vmsplice says %d", refusal->name,
		      spliced);
		while (spliced > 0)
			spliced -= read(ends[0], &word, sizeof(word));
	}
	check_eq("V8", vmsplice(ends[1], &pages, 1, 0), 3 * PAGE, "%s: a second try", refusal->name);
	check_eq("V8", read(ends[0], &word, sizeof(word)), sizeof(word), "and it can be read");
	check_eq("V8", word, pattern_word(1, 0, 0), "rightly");
	close(ends[0]);
	close(ends[1]);
	dev_munmap(pages.iov_base, 3);
	dev_unmap(fd, index, 3);
	check_eq("V8", xen_holds(grants), 0, "%s for the kernel: nothing stays mapped", refusal->name);
}

static void copy_refused(const struct refusal *refusal)
{
	static char local[N * PAGE] __attribute__((aligned(PAGE)));
	static segment_t segments[N];
	unsigned int wrong = 0, others = 0, bytes = 0, tried = 0;
	int want = refusal->status == HYPERCALL_FAILS ? GNTST_general_error : refusal->status;

	for (unsigned int place = 0; place < N; place++) {
		if (!worth_trying(place, N))
			continue;
		tried++;
		memset(local, 0x55, sizeof(local));
		for (unsigned int i = 0; i < N; i++)
			segments[i] = seg_from(&grants->refs[i], 0, local + i * PAGE, PAGE);
		inject(GNTTABOP_copy, refusal->status, place);
		if (dev_copy(fd, segments, N)) {
			wrong++;
			continue;
		}
		wrong += segments[place].status != want;
		for (unsigned int i = 0; i < N; i++) {
			bool copied = *(uint64_t *)(local + i * PAGE) == pattern_word(1, i, 0);

			/* Those of the same hypercall. */
			if (refusal->status != HYPERCALL_FAILS && i != place)
				others += segments[i].status != GNTST_okay;
			bytes += segments[i].status == GNTST_okay && !copied;
		}
	}
	check_eq("C2", wrong, 0, "a copy of %u segments: %s at %u places", N, refusal->name, tried);
	check_eq("C2", others, 0, "%s: the others are copied", refusal->name);
	check_eq("C2", bytes, 0, "%s: what says okay was", refusal->name);
}

int main(void)
{
	t_start();
	if (access("./xen-gntdev-inject.ko", F_OK) ||
	    t_read_number("/sys/module/xen_gntdev/refcnt") != 0) {
		t_skip("V3", "others use the module here", "refusals of every kind");
		return t_done();
	}
	load("./xen-gntdev-inject.ko");
	grants = grants_make(N);
	grants_fill(grants, 1);
	fd = dev_open();
	for (unsigned int i = 0; i < REFUSALS; i++) {
		/* The same code sees them all, so a long range need not be tried with each. */
		unsigned int n = i % 4 == 1 ? N : 5;

		mmap_refused(&refusals[i], 5, RO);
		mmap_refused(&refusals[i], n, RW);
		export_refused(&refusals[i], n);
		if (t_pv())
			kernel_refused(&refusals[i]);
		copy_refused(&refusals[i]);
	}
	close(fd);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	load("./xen-gntdev.ko");
	return t_done();
}
