// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel reads and writes a mapping like other memory: read, write, O_DIRECT, other processes. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/grant.h"

#define N 8

static struct grants *grants;
static char *mapping;
static char *plain;

static bool same(const char *from, unsigned int seed)
{
	return mapping_bad(from, N, seed) == 0;
}

static void files(void)
{
	int fd = open("kernel_io.tmp", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	grants_fill(grants, 1);
	check_eq("V8", write(fd, mapping, N * PAGE), N * PAGE, "write(2) from a mapping");
	memset(plain, 0, N * PAGE);
	check_eq("V8", pread(fd, plain, N * PAGE, 0), N * PAGE, "and what it wrote");
	check("V8", same(plain, 1), "is what was granted");
	mapping_fill(plain, N, 2);
	check_eq("V8", pwrite(fd, plain, N * PAGE, 0), N * PAGE, "a file");
	check_eq("V8", pread(fd, mapping, N * PAGE, 0), N * PAGE, "read(2) into a mapping");
	check_eq("V8", grants_bad(grants, 2), 0, "gives it to the granter");
	check_eq("V8", pread(fd, mapping + 3 * PAGE + 100, 5000, 100), 5000, "across pages, unaligned");
	check("V8", !memcmp(mapping + 3 * PAGE + 100, plain + 100, 5000), "is right, too");
	close(fd);
	unlink("kernel_io.tmp");
}

/* A RAM disk: tests/run-in-vm has loaded the module for it. */
static void direct(void)
{
	int fd = open("/dev/ram0", O_RDWR | O_DIRECT | O_CLOEXEC);
	char *middle = mapping + PAGE;

	if (fd < 0) {
		t_skip("V8", "no /dev/ram0", "O_DIRECT from a mapping");
		t_skip("V8", "no /dev/ram0", "O_DIRECT into a mapping");
		return;
	}
	grants_fill(grants, 3);
	check_eq("V8", pwrite(fd, mapping, N * PAGE, 0), N * PAGE, "O_DIRECT from a mapping");
	memset(plain, 0, N * PAGE);
	check_eq("V8", pread(fd, plain, N * PAGE, 0), N * PAGE, "and what it wrote");
	check("V8", same(plain, 3), "is what was granted");
	mapping_fill(plain, N, 4);
	check_eq("V8", pwrite(fd, plain, N * PAGE, 8 * N * PAGE), N * PAGE, "a disk");
	check_eq("V8", pread(fd, mapping, N * PAGE, 8 * N * PAGE), N * PAGE, "O_DIRECT into a mapping");
	check_eq("V8", grants_bad(grants, 4), 0, "gives it to the granter");
	check_eq("V8", pread(fd, middle + 512, 3 * PAGE, 8 * N * PAGE + PAGE + 512), 3 * PAGE,
		 "O_DIRECT of sectors across pages");
	check_eq("V8", grants_bad(grants, 4), 0, "is right, too");
	check_eq("V8", xen_holds(grants) >= N, 1, "Xen still holds the pages");
	close(fd);
}

/* Another process reads and writes our mapping, by process_vm_*, /proc/PID/mem and ptrace. */
static int from_outside(void *unused)
{
	struct iovec local = { plain, N * PAGE }, remote = { mapping, N * PAGE };
	pid_t parent = getppid();
	char path[64];
	int fd;

	(void)unused;
	memset(plain, 0, N * PAGE);
	if (process_vm_readv(parent, &local, 1, &remote, 1, 0) != (ssize_t)(N * PAGE))
		return 1;
	if (!same(plain, 5))
		return 2;
	mapping_fill(plain, N, 6);
	if (process_vm_writev(parent, &local, 1, &remote, 1, 0) != (ssize_t)(N * PAGE))
		return 3;
	snprintf(path, sizeof(path), "/proc/%d/mem", parent);
	fd = open(path, O_RDWR | O_CLOEXEC);
	memset(plain, 0, N * PAGE);
	if (pread(fd, plain, N * PAGE, (uintptr_t)mapping) != (ssize_t)(N * PAGE))
		return 4;
	if (!same(plain, 6))
		return 5;
	mapping_fill(plain, N, 7);
	if (pwrite(fd, plain, N * PAGE, (uintptr_t)mapping) != (ssize_t)(N * PAGE))
		return 6;
	close(fd);
	return 0;
}

/* A child that has a mapping of its own, and is traced. */
static int traced(void *argument)
{
	char **where = argument;
	uint64_t index;
	int fd = dev_open();

	if (dev_map(fd, grants->refs, N, &index))
		return 1;
	*where = dev_mmap(fd, index, N, RW);
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	return 0;
}

static void others(void)
{
	char **where = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int pid, status;
	long word;

	grants_fill(grants, 5);
	check_eq("V8", t_wait(t_child(from_outside, NULL)), 0,
		 "process_vm_readv, process_vm_writev and /proc/PID/mem from another process");
	check_eq("V8", grants_bad(grants, 7), 0, "the granter sees what was written last");

	grants_fill(grants, 8);
	pid = t_child(traced, where);
	waitpid(pid, &status, 0);
	errno = 0;
	word = ptrace(PTRACE_PEEKDATA, pid, *where + PAGE, NULL);
	check("V8", !errno && (uint64_t)word == pattern_word(8, 1, 0), "PTRACE_PEEKDATA of a mapping");
	check_ok("V8", ptrace(PTRACE_POKEDATA, pid, *where + PAGE, 0x4242424242424242),
		 "PTRACE_POKEDATA");
	check_eq("V8", grants_peek(grants, 1, 3), 0x42, "reaches the granter");
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	check_eq("V8", t_wait(pid), 0, "and the child ends");
	munmap(where, PAGE);
}

/* Things that may or may not work on such a page, but must do no harm. */
static void odds(void)
{
	struct timespec nothing = { 0, 0 };
	int fd;

	grants_fill(grants, 9);
	syscall(SYS_futex, mapping, FUTEX_WAKE, 1, NULL, NULL, 0);
	syscall(SYS_futex, mapping, FUTEX_WAIT, 1, &nothing, NULL, 0);
	syscall(SYS_futex, mapping, FUTEX_WAIT_PRIVATE, 1, &nothing, NULL, 0);
	syscall(SYS_mincore, mapping, N * PAGE, plain);
	syscall(SYS_move_pages, 0, 1UL, (void *[]){ mapping }, (int[]){ 0 }, (int[]){ 0 }, 0);
	syscall(SYS_mbind, mapping, N * PAGE, 1, (unsigned long[]){ 1 }, 2UL, 2);
	syscall(SYS_pkey_mprotect, mapping, N * PAGE, RW, -1);
	check_eq("A1", mapping_bad(mapping, N, 9), 0,
		 "after futex, mincore, move_pages and mbind the pages are there");
	fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	check_eq("V8", pread(fd, plain, N * PAGE, (uintptr_t)mapping), N * PAGE, "/proc/self/mem");
	check("V8", same(plain, 9), "shows the pages");
	close(fd);
}

/* A debugger may write to private read-only memory, and gets a copy: not of this. */
static void forced(int dev, uint64_t index)
{
	char *ro, byte = 0x77;
	int fd;

	static const int flags[] = { MAP_PRIVATE, MAP_SHARED };

	dev_munmap(mapping, N);
	grants_fill(grants, 10);
	for (int i = 0; i < 2; i++) {
		ro = mmap(NULL, N * PAGE, PROT_READ, flags[i], dev, index);
		if (ro == MAP_FAILED) {
			check("V2", false, "a read-only mapping");
			continue;
		}
		fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
		check("V2", pwrite(fd, &byte, 1, (uintptr_t)ro + PAGE) != 1,
		      "a forced write to a %s read-only mapping is refused",
		      i ? "shared" : "private");
		check_eq("V2", mapping_bad(ro, N, 10), 0, "and its pages are those granted");
		close(fd);
		dev_munmap(ro, N);
	}
	check_eq("V2", grants_bad(grants, 10), 0, "and the granter's are as they were");
}

int main(void)
{
	uint64_t index;
	int fd;

	t_start();
	fd = dev_open();
	grants = grants_make(N);
	plain = aligned_alloc(PAGE, N * PAGE);
	dev_map(fd, grants->refs, N, &index);
	mapping = dev_mmap(fd, index, N, RW);
	if (mapping == MAP_FAILED)
		t_bail("mmap: %m");
	files();
	direct();
	others();
	odds();
	forced(fd, index);
	check_eq("V8", xen_holds(grants), 0, "after munmap Xen holds nothing");
	check_ok("V8", dev_unmap(fd, index, N), "and the range can go");
	close(fd);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
