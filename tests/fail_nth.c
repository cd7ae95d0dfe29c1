// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every allocation inside a call fails once: the first, the second, ... until the call needs no
 * more (Documentation/fault-injection/fault-injection.rst, fail-nth). After each failure the same
 * call works, so that nothing has changed by it. Wants a kernel with CONFIG_FAULT_INJECTION.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/buffer.h"
#include "lib/grant.h"

/* More than one batch of hypercalls. */
#define MANY 140
/* More than any call needs. */
#define MOST 2000

static struct {
	int fd, nth, buffer;
	struct grants *grants;
	struct channel *channel;
	struct buffer *foreign;
	struct ioctl_gntdev_grant_ref refs[MANY];
	unsigned int n, page;
	uint64_t index;
	char *mapping, *second;
	pid_t child;
	char *local;
	segment_t segments[MANY];
} test;

static void fail(int nth)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", nth);
	if (pwrite(test.nth, text, strlen(text), 0) < 0)
		t_bail("fail-nth: %s", strerror(errno));
}

/* What fail() said, less the allocations since; 0 if one was failed. */
static int failing(void)
{
	char text[16] = "";

	if (pread(test.nth, text, sizeof(text) - 1, 0) < 0)
		t_bail("fail-nth: %s", strerror(errno));
	if (atoi(text))
		fail(0);
	return atoi(text);
}

/* Pages, too, or only what comes out of a slab cache? */
static void pages_fail(bool they_do)
{
	if (!t_write_file("/sys/kernel/debug/fail_page_alloc/min-order", they_do ? "0" : "20"))
		t_bail("fail_page_alloc: %s", strerror(errno));
}

/* ---- what is called, with what it needs and how to undo it ---- */

static int none(void)
{
	return 0;
}

static int open_device(void)
{
	test.buffer = open(DEVICE, O_RDWR | O_CLOEXEC);
	return test.buffer < 0 ? -1 : 0;
}

static int close_device(void)
{
	return close(test.buffer);
}

/* An instance with something of everything but mappings. */
static int fill_device(void)
{
	if (open_device() || dev_map(test.buffer, test.grants->refs, test.n, &test.index))
		return -1;
	dev_notify(test.buffer, test.index, UNMAP_NOTIFY_SEND_EVENT, test.channel->port);
	return 0;
}

static int enter(void)
{
	return dev_map(test.fd, test.grants->refs, test.n, &test.index);
}

static int leave(void)
{
	return dev_unmap(test.fd, test.index, test.n);
}

static int map_range(void)
{
	test.mapping = dev_mmap(test.fd, test.index, test.n, RW);
	return test.mapping == MAP_FAILED ? -1 : 0;
}

static int unmap_range(void)
{
	return dev_munmap(test.mapping, test.n);
}

static int have_mapping(void)
{
	return enter() || map_range() ? -1 : 0;
}

static int drop_mapping(void)
{
	return unmap_range() || leave() ? -1 : 0;
}

static int map_again(void)
{
	test.second = dev_mmap(test.fd, test.index, test.n, RW);
	return test.second == MAP_FAILED ? -1 : 0;
}

static int unmap_second(void)
{
	return dev_munmap(test.second, test.n);
}

static int move(void)
{
	char *to = mmap(NULL, test.n * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *moved;

	if (to == MAP_FAILED)
		return -1;
	moved = mremap(test.mapping, test.n * PAGE, test.n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	if (moved == MAP_FAILED) {
		int err = errno;

		munmap(to, test.n * PAGE);
		errno = err;
		return -1;
	}
	/* Where it was it may be still, if the kernel had no memory to take it away there. */
	munmap(test.mapping, test.n * PAGE);
	test.mapping = moved;
	return 0;
}

/* The kernel's own access to a mapping, which in PV it first maps for itself. */
static int access_by_kernel(void)
{
	struct iovec here = { test.local, PAGE }, there = { test.mapping, PAGE };

	return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == (ssize_t)PAGE ? 0 : -1;
}

static int fork_child(void)
{
	test.child = fork();
	if (!test.child)
		_exit(0);
	return test.child < 0 ? -1 : 0;
}

static int wait_child(void)
{
	return t_wait(test.child);
}

static int notify(void)
{
	return dev_notify(test.fd, test.index + test.page * PAGE,
			  UNMAP_NOTIFY_SEND_EVENT | UNMAP_NOTIFY_CLEAR_BYTE, test.channel->port);
}

static int notify_not(void)
{
	return dev_notify(test.fd, test.index + test.page * PAGE, 0, 0);
}

static int get_offset(void)
{
	unsigned int count;
	uint64_t index;

	return dev_offset(test.fd, test.mapping, &index, &count);
}

static int copy(void)
{
	for (unsigned int i = 0; i < test.n; i++)
		test.segments[i] = seg_from(&test.grants->refs[i], 0, test.local + i * PAGE, PAGE);
	return dev_copy(test.fd, test.segments, test.n);
}

static int export(void)
{
	return dev_export(test.fd, 0, test.grants->refs, test.n, &test.buffer);
}

static int close_export(void)
{
	if (close(test.buffer))
		return -1;
	/* Mostly that was the end of it already. */
	return dev_wait_released(test.fd, test.buffer, 10000) && errno != ENOENT ? -1 : 0;
}

static int release_export(void)
{
	int copy = dup(test.buffer), result = close(test.buffer);

	/* The last reference, so that it is all done when the call returns. */
	return result | close(copy);
}

static int map_export(void)
{
	test.mapping = mmap(NULL, test.n * PAGE, RW, MAP_SHARED, test.buffer, 0);
	return test.mapping == MAP_FAILED ? -1 : 0;
}

static int unmap_export(void)
{
	return munmap(test.mapping, test.n * PAGE);
}

static int import(void)
{
	return dev_import(test.fd, test.foreign->fd, test.foreign->n, granter_domid(), test.refs);
}

static int release_import(void)
{
	return dev_import_release(test.fd, test.foreign->fd);
}

static const struct trial {
	const char *name;
	int (*prepare)(void), (*call)(void), (*undo)(void), (*clean)(void);
} trials[] = {
	{ "open", none, open_device, close_device, none },
	{ "MAP_GRANT_REF", none, enter, leave, none },
	{ "mmap", enter, map_range, unmap_range, leave },
	{ "mmap of a mapped range", have_mapping, map_again, unmap_second, drop_mapping },
	{ "munmap", have_mapping, unmap_range, map_range, drop_mapping },
	{ "mremap", have_mapping, move, none, drop_mapping },
	{ "process_vm_readv", have_mapping, access_by_kernel, none, drop_mapping },
	{ "fork", have_mapping, fork_child, wait_child, drop_mapping },
	{ "SET_UNMAP_NOTIFY", have_mapping, notify, notify_not, drop_mapping },
	{ "GET_OFFSET_FOR_VADDR", have_mapping, get_offset, none, drop_mapping },
	{ "UNMAP_GRANT_REF", enter, leave, enter, leave },
	{ "GRANT_COPY", none, copy, none, none },
	{ "close", fill_device, close_device, fill_device, close_device },
	{ "DMABUF_EXP_FROM_REFS", none, export, close_export, none },
	{ "mmap of a dma-buf", export, map_export, unmap_export, close_export },
	{ "the last close of a dma-buf", export, release_export, export, close_export },
	{ "DMABUF_IMP_TO_REFS", none, import, release_import, none },
	{ "DMABUF_IMP_RELEASE", import, release_import, import, release_import },
};

/* One failure after another. */
static void try(const struct trial *trial)
{
	unsigned int failed = 0, survived = 0;
	int nth, left, result, err;

	/* A PV kernel does not survive it when a process's top page table cannot be allocated. */
	pages_fail(!(t_pv() && trial->call == fork_child));
	for (nth = 1; nth <= MOST; nth++) {
		if (trial->prepare()) {
			check("A1", false, "%s, %u pages: preparing attempt %d: %s", trial->name, test.n,
			      nth, strerror(errno));
			return;
		}
		fail(nth);
		result = trial->call();
		err = errno;
		left = failing();
		if (result && !left && (err == ENOMEM || (err == EFAULT && trial->call == access_by_kernel))) {
			failed++;
			result = trial->call();
			err = errno;
		} else if (!result && !left) {
			survived++;
		}
		if (result || trial->undo() || trial->clean()) {
			check("A1", false, "%s, %u pages: allocation %d fails: %s, then %s", trial->name,
			      test.n, nth, strerror(err), strerror(errno));
			return;
		}
		if (left)
			break;
	}
	check("A1", nth <= MOST, "%s, %u pages: %u allocations failed and it said so, %u it did without",
	      trial->name, test.n, failed, survived);
}

/* A process ends that has something of everything, and allocations of its end fail. */
static int exits(void *argument)
{
	int *nth = argument;

	test.fd = dev_open();
	if (have_mapping() || dev_notify(test.fd, test.index, UNMAP_NOTIFY_SEND_EVENT, test.channel->port))
		return 1;
	test.nth = open("/proc/thread-self/fail-nth", O_RDWR);
	fail(*nth);
	return 0;
}

static void ends(void)
{
	unsigned int before = channel_events(test.channel);
	int nth, bad = 0;

	for (nth = 1; nth <= 40 && !bad; nth++) {
		bad = t_wait(t_child(exits, &nth));
		bad |= !channel_wait(test.channel, before + nth);
	}
	check("A2", !bad, "exit, %u pages: with allocation 1 to %d failing, events come", test.n, nth - 1);
}

static const char *const settings[][2] = {
	{ "failslab/ignore-gfp-wait", "N" },	{ "failslab/verbose", "0" },
	{ "fail_page_alloc/ignore-gfp-wait", "N" }, { "fail_page_alloc/ignore-gfp-highmem", "N" },
	{ "fail_page_alloc/min-order", "0" },	{ "fail_page_alloc/verbose", "0" },
};

static void set_up(void)
{
	char path[100];

	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	for (unsigned int i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s", settings[i][0]);
		if (!t_write_file(path, settings[i][1]))
			t_bail("%s: %s", path, strerror(errno));
	}
}

int main(void)
{
	static const unsigned int counts[] = { 1, 3, MANY };

	t_start();
	test.nth = open("/proc/thread-self/fail-nth", O_RDWR);
	if (test.nth < 0) {
		t_skip("A1", "this kernel has no fault injection", "allocations that fail");
		return t_done();
	}
	set_up();
	test.fd = dev_open();
	test.grants = grants_make(MANY);
	test.channel = channel_make();
	test.local = mmap(NULL, MANY * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	for (unsigned int i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		test.n = counts[i];
		test.page = test.n / 2;
		test.foreign = buffer_make(t_pv() && !t_dom0() ? BUFFER_LONG : BUFFER_VGEM, test.n);
		for (unsigned int k = 0; k < sizeof(trials) / sizeof(trials[0]); k++)
			if (test.foreign || (trials[k].call != import && trials[k].call != release_import))
				try(&trials[k]);
		ends();
		if (test.foreign)
			buffer_free(test.foreign);
		check_eq("A2", xen_holds(test.grants), 0, "%u pages: nothing stays mapped", test.n);
	}
	close(test.fd);
	channel_free(test.channel);
	check_eq("A2", grants_free(test.grants), 0, "the pages are free");
	return t_done();
}
