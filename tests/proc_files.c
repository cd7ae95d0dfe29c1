// SPDX-License-Identifier: GPL-2.0-or-later
/* What /proc/PID says of a mapping can be read, by itself and by others, and harms nothing. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/grant.h"

#define N 4

static const char *const files[] = {
	"smaps", "smaps_rollup", "maps", "numa_maps", "status", "statm", "stat", "pagemap",
	"map_files", "wchan", "oom_score", "coredump_filter",
};

static struct grants *grants;
static char *mapping;

/* Reads all of it; false when it cannot. */
static bool read_all(pid_t pid, const char *name)
{
	char path[64], buffer[4096];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT;
	if (!strcmp(name, "pagemap")) {
		uint64_t entries[N];

		n = pread(fd, entries, sizeof(entries), (uintptr_t)mapping / PAGE * 8);
	} else if (!strcmp(name, "map_files")) {
		n = 0;
	} else {
		while ((n = read(fd, buffer, sizeof(buffer))) > 0)
			;
	}
	close(fd);
	return n >= 0;
}

static int read_parent(void *unused)
{
	(void)unused;
	for (unsigned int i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (!read_all(getppid(), files[i]))
			return i + 1;
	return 0;
}

static void look(const char *state, bool mapped)
{
	for (unsigned int i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		check("A1", read_all(getpid(), files[i]), "%s: /proc/self/%s", state, files[i]);
	check_eq("A1", t_wait(t_child(read_parent, NULL)), 0, "%s: another process reads them all",
		 state);
	if (mapped)
		check_eq("A1", mapping_bad(mapping, N, 1), 0, "%s: the pages are there", state);
}

/* A core dump of a process with a mapping must not stumble over it. */
static int dump(void *unused)
{
	uint64_t index;
	int fd = dev_open();
	char *own;

	(void)unused;
	dev_map(fd, grants->refs, N, &index);
	own = dev_mmap(fd, index, N, RW);
	if (own == MAP_FAILED || mapping_bad(own, N, 1))
		return 1;
	abort();
}

int main(void)
{
	uint64_t index;
	char old[256] = "";
	int fd;

	t_start();
	fd = dev_open();
	grants = grants_make(N);
	grants_fill(grants, 1);
	dev_map(fd, grants->refs, N, &index);
	mapping = dev_mmap(fd, index, N, RW);
	if (mapping == MAP_FAILED)
		t_bail("mmap: %m");
	look("writable", true);
	mlock(mapping, N * PAGE);
	look("locked", true);
	dev_munmap(mapping, N);
	mapping = dev_mmap(fd, index, N, RO);
	if (check("V4", mapping != MAP_FAILED, "map it again, read-only"))
		look("read-only", true);
	dev_munmap(mapping, N);
	look("unmapped", false);

	t_read_file("/proc/sys/kernel/core_pattern", old, sizeof(old));
	t_write_file("/proc/sys/kernel/core_pattern", "|/bin/cat");
	check_eq("A1", t_wait(t_child(dump, NULL)), -SIGABRT, "a process that dumps core");
	setrlimit(RLIMIT_CORE, &(struct rlimit){ RLIM_INFINITY, RLIM_INFINITY });
	t_write_file("/proc/sys/kernel/core_pattern", "core.tmp");
	check_eq("A1", t_wait(t_child(dump, NULL)), -SIGABRT, "into a file");
	unlink("core.tmp");
	t_write_file("/proc/sys/kernel/core_pattern", old);
	check_eq("A2", xen_holds(grants), 0, "leaves nothing mapped");
	check_ok("A1", dev_unmap(fd, index, N), "the range can go");
	close(fd);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
