// SPDX-License-Identifier: GPL-2.0-or-later
/* The module cannot go while anything of it is left, and can when nothing is. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/grant.h"

#define N 3
#define ROUNDS 50
#define MODULE "./xen-gntdev.ko"

static int unload(void)
{
	return syscall(SYS_delete_module, "xen_gntdev", O_NONBLOCK);
}

static int load(void)
{
	int fd = open(MODULE, O_RDONLY | O_CLOEXEC), result;

	if (fd < 0)
		return -1;
	result = syscall(SYS_finit_module, fd, "", 0);
	close(fd);
	return result;
}

/* Pages that were in flight are unmapped a moment after their last use. */
static int unload_soon(void)
{
	long long until = t_now_ms() + T_PATIENCE_MS;

	while (unload())
		if ((errno != EAGAIN && errno != EBUSY) || t_now_ms() > until)
			return -1;
	return 0;
}

/* Unloads and loads it, right after the last I/O on pages of a mapping that has gone before. */
static bool again(struct grants *grants)
{
	char bytes[N * PAGE];
	struct iovec pages = { NULL, N * PAGE };
	bool right = true;
	uint64_t index;
	int fd = dev_open(), ends[2];

	if (pipe2(ends, O_CLOEXEC) || dev_map(fd, grants->refs, N, &index))
		return false;
	pages.iov_base = dev_mmap(fd, index, N, RW);
	right &= pages.iov_base != MAP_FAILED;
	close(fd);
	right &= vmsplice(ends[1], &pages, 1, 0) == N * PAGE;
	dev_munmap(pages.iov_base, N);
	right &= read(ends[0], bytes, sizeof(bytes)) == sizeof(bytes) && !mapping_bad(bytes, N, 1);
	close(ends[0]);
	close(ends[1]);
	return right && !unload_soon() && !load();
}

int main(void)
{
	unsigned int rounds = 0;
	struct grants *grants;
	struct iovec pages;
	char bytes[N * PAGE];
	uint64_t index;
	char *mapping;
	int fd, ends[2];

	t_start();
	if (access(MODULE, F_OK) || t_read_number("/sys/module/xen_gntdev/refcnt") != 0) {
		t_skip("A2", "others use the module here", "the module goes when nothing of it is left");
		return t_done();
	}
	grants = grants_make(N);
	grants_fill(grants, 1);
	fd = dev_open();
	check_errno("A2", unload(), EAGAIN, "unload it while it is open");
	dev_map(fd, grants->refs, N, &index);
	mapping = dev_mmap(fd, index, N, RW);
	close(fd);
	check_errno("A2", unload(), EAGAIN, "while there is a mapping");
	if (pipe2(ends, O_CLOEXEC))
		t_bail("pipe: %m");
	pages.iov_base = mapping;
	pages.iov_len = N * PAGE;
	check_eq("V8", vmsplice(ends[1], &pages, 1, 0), N * PAGE, "vmsplice");
	dev_munmap(mapping, N);
	check_errno("A2", unload(), EAGAIN, "while pages of it are in a pipe");
	check_eq("V8", read(ends[0], bytes, sizeof(bytes)), sizeof(bytes), "drain the pipe");
	check_eq("V8", mapping_bad(bytes, N, 1), 0, "which has the pages");
	check_ok("A2", unload_soon(), "then it can be unloaded");
	check_eq("A2", xen_holds(grants), 0, "and Xen holds nothing");
	check_errno("A2", access(DEVICE, F_OK), ENOENT, "the node is gone");
	check_ok("A2", load(), "load it again");
	fd = dev_open();
	check_ok("A2", dev_map_fake(fd, 3, &index), "and it works");
	close(fd);
	close(ends[0]);
	close(ends[1]);
	while (rounds < ROUNDS && again(grants))
		rounds++;
	check_eq("A2", rounds, ROUNDS, "unload and load it, with I/O just stopped");
	check_eq("A2", xen_holds(grants), 0, "Xen holds nothing");
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
