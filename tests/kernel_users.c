// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whoever in the kernel comes to a page or an entry of a mapping (doc/kernel-users.md), as far as
 * Debian's kernels have it and no other test has. Afterwards the pages are there.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/grant.h"
#include "module/dmabuf-probe.h"

/* Newer than the headers of Debian 12. */
#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC (1 << 15)
#endif
#define NR_CACHESTAT 451
#define NR_MSEAL 462
#define MPOL_DEFAULT 0
#define MPOL_BIND 2
#define MPOL_MF_MOVE (1 << 1)
#define MPOL_MF_MOVE_ALL (1 << 2)

/* PAGEMAP_SCAN, since 6.7. */
struct scan {
	__u64 size, flags, start, end, walk_end, vec, vec_len, max_pages;
	__u64 inverted, mask, any_of, returned;
};

struct scan_region { __u64 start, end, categories; };

#define SCAN_IOCTL _IOWR('f', 16, struct scan)
#define SCAN_WRITE_PROTECT 1
#define SCAN_PRESENT (1 << 3)

#define N 4

static struct grants *grants, *strangers;
static char *mapping, *other_view, *stranger;
static int dev;
static uint64_t where;
static char plain[N * PAGE];

/* The pages are those granted, and what is written there is. */
static void intact(const char *after)
{
	check_eq("A1", mapping_bad(mapping, N, 1), 0, "after %s the pages are there", after);
	t_poke(mapping + 2 * PAGE, 0x3c);
	check_eq("A1", grants_peek(grants, 2, 0), 0x3c, "and a write reaches the granter");
	grants_fill(grants, 1);
}

/* ---- memory policies, and moving pages about ---- */

static void policies(void)
{
	unsigned long nodes = 1;
	int to = 0, status = 77;
	void *page = mapping;

	syscall(SYS_mbind, mapping, N * PAGE, MPOL_BIND, &nodes, 2UL,
		MPOL_MF_MOVE | MPOL_MF_MOVE_ALL);
	syscall(SYS_mbind, mapping, N * PAGE, MPOL_DEFAULT, NULL, 0UL, 0);
	syscall(SYS_migrate_pages, 0, 2UL, &nodes, &nodes);
	syscall(SYS_move_pages, 0, 1UL, &page, &to, &status, MPOL_MF_MOVE_ALL);
	t_note("move_pages: status %d", status);
	syscall(SYS_move_pages, 0, 1UL, &page, NULL, &status, 0);
	t_note("move_pages asks: status %d", status);
	intact("mbind, migrate_pages and move_pages");
	t_write_file("/proc/sys/vm/compact_memory", "1");
	intact("compaction");
}

/* ---- failing memory ---- */

static char *of_child(void)
{
	uint64_t index;
	char *view;
	int fd = dev_open();

	if (dev_map(fd, grants->refs, N, &index))
		_exit(20);
	view = dev_mmap(fd, index, N, RW);
	if (view == MAP_FAILED || mapping_bad(view, N, 1))
		_exit(21);
	return view;
}

/* The errno. */
static int failing(void *advice)
{
	char *view = of_child();

	return errno_of(madvise(view + PAGE, PAGE, *(int *)advice));
}

/*
 * A failed page of ordinary memory is taken out for ever, whoever uses it: that is done only where
 * these pages are none. In a PV domain they may be the end of the domain's memory.
 */
static void memory_fails(void)
{
	int soft = 101, hard = 100, found = t_wait(t_child(failing, &soft));

	/* As of a kernel that does not know it. */
	if (found == EINVAL) {
		t_skip("A1", "no memory failures", "MADV_SOFT_OFFLINE, MADV_HWPOISON");
		return;
	}
	/* The last one, of a page that is the kernel's own, since Linux 7. */
	check("A1", found == EIO || found == EBUSY || found == EOPNOTSUPP || found == ENOTRECOVERABLE,
	      "MADV_SOFT_OFFLINE fails (%d)", found);
	intact("MADV_SOFT_OFFLINE");
	if (t_pv() || !t_unpopulated()) {
		t_skip("A1", "root would lose a page", "MADV_HWPOISON");
		return;
	}
	check_eq("A1", t_wait(t_child(failing, &hard)), EBUSY, "MADV_HWPOISON fails");
	intact("MADV_HWPOISON");
}

/* ---- merging and aging ---- */

/* Ordinary memory beside the mapping, since without any KSM has nothing to look at. */
static void merged(void)
{
	char *same = mmap(NULL, N * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long long scans = t_read_number("/sys/kernel/mm/ksm/full_scans");

	if (scans < 0) {
		t_skip("A1", "no KSM", "merging of pages");
		return;
	}
	memset(same, 0x6b, N * PAGE);
	prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0);
	madvise(same, N * PAGE, MADV_MERGEABLE);
	madvise(mapping, N * PAGE, MADV_MERGEABLE);
	t_write_file("/sys/kernel/mm/ksm/sleep_millisecs", "0");
	t_write_file("/sys/kernel/mm/ksm/pages_to_scan", "10000");
	t_write_file("/sys/kernel/mm/ksm/run", "1");
	check("A1", t_eventually(t_read_number("/sys/kernel/mm/ksm/full_scans") > scans + 2),
	      "KSM has looked at everything twice");
	prctl(PR_SET_MEMORY_MERGE, 0, 0, 0, 0);
	madvise(mapping, N * PAGE, MADV_UNMERGEABLE);
	munmap(same, N * PAGE);
	t_write_file("/sys/kernel/mm/ksm/run", "2");
	t_write_file("/sys/kernel/mm/ksm/run", "0");
	intact("KSM");
}

/* One line of what debugfs has of the generations of pages. */
static void age(unsigned int group, unsigned int node, unsigned long newest)
{
	char order[64];

	snprintf(order, sizeof(order), "+ %u %u %lu 1 1", group, node, newest);
	if (!t_write_file("/sys/kernel/debug/lru_gen", order))
		t_note("lru_gen: %s: %m", order);
}

static void aged(void)
{
	unsigned int group = 0, node = 0, groups[64], nodes[64], n = 0;
	unsigned long generation, newest[64];
	char line[256];
	FILE *file;

	if (!t_write_file("/sys/kernel/mm/lru_gen/enabled", "y")) {
		t_skip("A1", "no multi-generational LRU", "aging of pages");
		return;
	}
	file = fopen("/sys/kernel/debug/lru_gen", "r");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "memcg %u", &group) == 1)
			continue;
		if (sscanf(line, " node %u", &node) == 1) {
			if (n < 64) {
				groups[n] = group;
				nodes[n] = node;
				newest[n++] = 0;
			}
		} else if (n && sscanf(line, " %lu", &generation) == 1) {
			newest[n - 1] = generation;
		}
	}
	if (file)
		fclose(file);
	check("A1", n > 0, "the kernel tells of generations of pages");
	for (unsigned int i = 0; i < n; i++)
		age(groups[i], nodes[i], newest[i]);
	intact("aging by generations");
}

#define DAMON "/sys/kernel/mm/damon/admin/kdamonds/"
#define DAMON_0 DAMON "0/contexts/0/"

static void watched(void)
{
	char pid[16];

	/* Newer kernels have it watch all memory from the start, and nobody else may then. */
	t_write_file("/sys/module/damon_stat/parameters/enabled", "N");
	if (!t_write_file(DAMON "nr_kdamonds", "1")) {
		t_skip("A1", "no DAMON", "watching of accesses");
		return;
	}
	snprintf(pid, sizeof(pid), "%d", getpid());
	check("A1", t_write_file(DAMON "0/contexts/nr_contexts", "1") &&
	      t_write_file(DAMON_0 "operations", "vaddr") &&
	      t_write_file(DAMON_0 "monitoring_attrs/intervals/sample_us", "1000") &&
	      t_write_file(DAMON_0 "monitoring_attrs/intervals/aggr_us", "5000") &&
	      t_write_file(DAMON_0 "monitoring_attrs/intervals/update_us", "20000") &&
	      t_write_file(DAMON_0 "targets/nr_targets", "1") &&
	      t_write_file(DAMON_0 "targets/0/pid_target", pid) &&
	      t_write_file(DAMON_0 "schemes/nr_schemes", "1") &&
	      t_write_file(DAMON_0 "schemes/0/action", "stat") &&
	      t_write_file(DAMON_0 "schemes/0/access_pattern/sz/max", "18446744073709551615") &&
	      t_write_file(DAMON_0 "schemes/0/access_pattern/nr_accesses/max", "1000") &&
	      t_write_file(DAMON_0 "schemes/0/access_pattern/age/max", "1000000") &&
	      t_write_file(DAMON "0/state", "on"), "DAMON watches this process");
	check("A1", t_eventually(t_write_file(DAMON "0/state", "update_schemes_stats") &&
				 t_read_number(DAMON_0 "schemes/0/stats/nr_tried") > 100),
	      "and has seen something");
	intact("DAMON, while it runs,");
	t_write_file(DAMON "0/state", "off");
	t_write_file(DAMON "nr_kdamonds", "0");
}

/* ---- who watches page faults ---- */

static void faults_are_told(void)
{
	static const __u64 features[] = { 0, UFFD_FEATURE_PAGEFAULT_FLAG_WP,
					  UFFD_FEATURE_WP_ASYNC };
	static const __u64 modes[] = { UFFDIO_REGISTER_MODE_MISSING, UFFDIO_REGISTER_MODE_WP,
				       UFFDIO_REGISTER_MODE_WP };

	for (int i = 0; i < 3; i++) {
		struct uffdio_api api = { .api = UFFD_API, .features = features[i] };
		struct uffdio_register range = { .range = { (uintptr_t)mapping, N * PAGE },
						 .mode = modes[i] };
		int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

		if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
			t_skip("A1", "no such userfaultfd", "userfaultfd, mode %llu", modes[i]);
		else
			check_errno("A1", ioctl(fd, UFFDIO_REGISTER, &range), EINVAL,
				    "userfaultfd does not take a mapping, mode %llu", modes[i]);
		if (fd >= 0)
			close(fd);
	}
	intact("userfaultfd");
}

/* ---- who reads page tables ---- */

static void scanned(void)
{
	struct scan_region regions[4];
	struct scan scan = {
		.size = sizeof(scan), .start = (uintptr_t)mapping,
		.end = (uintptr_t)mapping + N * PAGE, .vec = (uintptr_t)regions, .vec_len = 4,
		.mask = SCAN_PRESENT, .returned = SCAN_PRESENT,
	};
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC), found;

	mapping_bad(mapping, N, 1);
	found = ioctl(fd, SCAN_IOCTL, &scan);
	if (found < 0 && (errno == ENOTTY || errno == EINVAL)) {
		t_skip("A1", "no PAGEMAP_SCAN", "a scan of a mapping");
		close(fd);
		return;
	}
	check_eq("A1", found, 1, "PAGEMAP_SCAN finds one region");
	check_eq("A1", found == 1 ? regions[0].end - regions[0].start : 0, N * PAGE,
		 "all pages of it");
	scan.flags = SCAN_WRITE_PROTECT;
	found = ioctl(fd, SCAN_IOCTL, &scan);
	t_note("PAGEMAP_SCAN that write-protects: %d, errno %d", found, errno);
	close(fd);
	intact("PAGEMAP_SCAN");
}

/* A driver that shares the process's memory with its device: no frame but the page's own. */
static void by_hmm(void)
{
	struct probe_hmm look = { .address = (uintptr_t)mapping + PAGE };
	int fd = open("/dev/dmabuf-probe", O_RDWR | O_CLOEXEC), err;

	grants_fill(grants, 1);
	err = fd < 0 ? ENOENT : errno_of(ioctl(fd, PROBE_HMM, &look));
	if (err == EOPNOTSUPP || fd < 0) {
		t_skip("V10", "no hmm_range_fault()", "pages for a device that shares memory");
		return;
	}
	if (t_pv()) {
		check_eq("V10", err, EFAULT, "hmm_range_fault() has no page (frame %llu)",
			 look.frame);
	} else {
		check_eq("V8", err, 0, "hmm_range_fault() has a page");
		check_eq("V8", look.byte, (uint8_t)pattern_word(1, 1, 0), "the right one");
	}
	look.address = (uintptr_t)plain;
	plain[0] = 0x61;
	check_ok("V10", ioctl(fd, PROBE_HMM, &look), "and one of ordinary memory");
	check_eq("V10", look.byte, 0x61, "which is the right one");
	close(fd);
	intact("hmm_range_fault()");
}

/* ---- locks ---- */

static int futex(void *word, int op, uint32_t value, const struct timespec *timeout)
{
	return syscall(SYS_futex, word, op, value, timeout, NULL, 0);
}

struct sleeper {
	char *word;
	int op, err;
	bool woken;
};

static void *sleep_there(void *argument)
{
	const struct timespec patience = { T_PATIENCE_MS / 1000, 0 };
	struct sleeper *sleeper = argument;

	sleeper->err = errno_of(futex(sleeper->word, sleeper->op, 0, &patience));
	__atomic_store_n(&sleeper->woken, true, __ATOMIC_RELEASE);
	return NULL;
}

/* One waits at @sleep, another wakes who waits at @wake: do these two meet? */
static void meet(const char *what, char *sleep, int sleep_op, char *wake, int wake_op, bool want)
{
	struct sleeper sleeper = { .word = sleep, .op = sleep_op };
	pthread_t thread;
	int woke = 0;

	memset(sleep, 0, 4);
	pthread_create(&thread, NULL, sleep_there, &sleeper);
	/* It sleeps when somebody can be woken at the very place. */
	if (want) {
		t_eventually((woke = futex(wake, wake_op, 1, NULL)) != 0 ||
			     __atomic_load_n(&sleeper.woken, __ATOMIC_ACQUIRE));
		check_eq("A4", woke, 1, "%s: one is woken", what);
	} else {
		/* FUTEX_CMP_REQUEUE to the same place counts who waits there, and wakes nobody. */
		t_eventually(syscall(SYS_futex, sleep, FUTEX_CMP_REQUEUE, 0, 1UL, sleep, 0) == 1);
		check_eq("A4", futex(wake, wake_op, 1, NULL), 0, "%s: nobody is woken", what);
		check_eq("A4", futex(sleep, FUTEX_WAKE, 1, NULL), 1, "%s: who waits there can be",
			 what);
	}
	pthread_join(thread, NULL);
	check_eq("A4", sleeper.err, 0, "%s: and wakes up", what);
}

static pthread_mutex_t *mutex;

static int dies_with_lock(void *unused)
{
	(void)unused;
	/* In a PV domain a child has no mapping but one that it makes. */
	if (t_pv()) {
		char *view = dev_mmap(dev, where, N, RW);

		if (view == MAP_FAILED)
			return 1;
		mutex = (void *)(view + 512);
	}
	return pthread_mutex_lock(mutex) ? 2 : 0;
}

static void locks(void)
{
	pthread_mutexattr_t kind;
	int err;

	memset(mapping, 0, PAGE);
	meet("a private futex", mapping, FUTEX_WAIT_PRIVATE, mapping, FUTEX_WAKE_PRIVATE, true);
	meet("a shared futex", mapping, FUTEX_WAIT, mapping, FUTEX_WAKE, true);
	if (other_view != MAP_FAILED)
		meet("two views", mapping, FUTEX_WAIT, other_view, FUTEX_WAKE, true);
	meet("another page", mapping, FUTEX_WAIT, mapping + PAGE, FUTEX_WAKE, false);
	meet("a stranger's page", mapping, FUTEX_WAIT, stranger, FUTEX_WAKE, false);

	mutex = (void *)(mapping + 512);
	pthread_mutexattr_init(&kind);
	pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(mutex, &kind);
	check_eq("A1", t_wait(t_child(dies_with_lock, NULL)), 0,
		 "a process dies that has a robust mutex");
	mutex = (void *)(mapping + 512);
	err = pthread_mutex_trylock(mutex);
	check("A1", err == EOWNERDEAD, "the next one is told (%d)", err);
	if (err == EOWNERDEAD) {
		pthread_mutex_consistent(mutex);
		pthread_mutex_unlock(mutex);
	}
	grants_fill(grants, 1);
	intact("futexes");
}

/* ---- locked in memory ---- */

static void locked(void)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_MEMLOCK, &all);
	check_ok("V8", mlock(mapping, N * PAGE), "mlock");
	syscall(SYS_mlock2, mapping, N * PAGE, MLOCK_ONFAULT);
	munlock(mapping, N * PAGE);
	check_ok("V8", mlockall(MCL_CURRENT | MCL_FUTURE), "mlockall");
	munlockall();
	intact("mlock and mlockall");
}

/* ---- pipes ---- */

static void pipes(void)
{
	const unsigned int flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
	struct iovec pages = { mapping, N * PAGE };
	int from[2], to[2], file;

	file = open("kernel_users.tmp", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (pipe2(from, O_CLOEXEC) || pipe2(to, O_CLOEXEC))
		t_bail("pipe: %m");
	check_eq("V8", vmsplice(from[1], &pages, 1, SPLICE_F_GIFT), N * PAGE, "vmsplice as a gift");
	check_eq("V8", tee(from[0], to[1], N * PAGE, SPLICE_F_NONBLOCK), N * PAGE, "tee");
	check_eq("V8", splice(from[0], NULL, file, NULL, N * PAGE, flags), N * PAGE,
		 "splice into a file, with SPLICE_F_MOVE");
	memset(plain, 0, sizeof(plain));
	check_eq("V8", pread(file, plain, N * PAGE, 0), N * PAGE, "which has");
	check_eq("V8", mapping_bad(plain, N, 1), 0, "what was granted");
	check_eq("V8", splice(to[0], NULL, file, NULL, N * PAGE, flags), N * PAGE,
		 "and the other pipe, too");
	close(file);
	unlink("kernel_users.tmp");
	for (int i = 0; i < 2; i++) {
		close(from[i]);
		close(to[i]);
	}
	intact("vmsplice, tee and splice");
}

/* ---- processes that end ---- */

static int dumps_core(void *unused)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	(void)unused;
	memset(plain, 0, sizeof(plain));
	of_child();
	setrlimit(RLIMIT_CORE, &all);
	prctl(PR_SET_DUMPABLE, 1);
	signal(SIGABRT, SIG_DFL);
	if (!t_write_file("/proc/self/coredump_filter", "0x1ff"))
		return 3;
	abort();
}

/* Does the file have a word of the granted pages? */
static int file_has(const char *path, uint64_t word)
{
	FILE *file = fopen(path, "r");
	uint64_t words[512];
	int has = 0;
	size_t n;

	if (!file)
		return -1;
	while ((n = fread(words, 8, 512, file)))
		for (size_t i = 0; i < n; i++)
			has |= words[i] == word;
	fclose(file);
	return has;
}

static void dumped(void)
{
	char before[256] = "core";

	t_read_file("/proc/sys/kernel/core_pattern", before, sizeof(before));
	t_write_file("/proc/sys/kernel/core_pattern", "kernel_users.core");
	grants_fill(grants, 1);
	check_eq("A1", t_wait(t_child(dumps_core, NULL)), -SIGABRT,
		 "a process with a mapping dumps core");
	if (granter_is_self())
		t_skip("A1", "the granter's own view may be in it", "the pages are not in it");
	else
		check_eq("A1", file_has("kernel_users.core", pattern_word(1, 1, 7)), 0,
			 "the pages are not in it");
	unlink("kernel_users.core");
	t_write_file("/proc/sys/kernel/core_pattern", before);
	intact("a core dump");
}

static int seals(void *unused)
{
	char *view = of_child();

	(void)unused;
	if (syscall(NR_MSEAL, view, N * PAGE, 0UL))
		return errno == ENOSYS ? 1 : 2;
	if (errno_of(munmap(view, N * PAGE)) != EPERM)
		return 3;
	return mapping_bad(view, N, 1) ? 4 : 0;
}

static struct gate ready;

static int waits(void *unused)
{
	(void)unused;
	of_child();
	gate_open(&ready);
	pause();
	return 0;
}

static void they_end(void)
{
	int found = t_wait(t_child(seals, NULL)), fd, pid;

	if (found == 1)
		t_skip("A2", "no mseal()", "a sealed mapping");
	else
		check_eq("A2", found, 0, "a process with a sealed mapping ends");

	gate_make(&ready);
	pid = t_child(waits, NULL);
	gate_wait(&ready);
	fd = syscall(SYS_pidfd_open, pid, 0);
	syscall(SYS_process_madvise, fd, &(struct iovec){ mapping, PAGE }, 1UL, MADV_PAGEOUT, 0);
	kill(pid, SIGKILL);
	syscall(SYS_process_mrelease, fd, 0);
	check_eq("A2", t_wait(pid), -SIGKILL, "a process is killed and reaped of its memory early");
	close(fd);
	gate_free(&ready);
	intact("other processes' ends");
}

/* ---- calls that are refused, or do nothing ---- */

static void odds(void)
{
	struct { uint64_t offset, length; } range = { 0, 0 };
	uint64_t counts[5];
	int self = syscall(SYS_pidfd_open, getpid(), 0);
	struct iovec all = { mapping, N * PAGE };
	static const int advices[] = { MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED, 25, 102, 103 };

	for (unsigned int i = 0; i < sizeof(advices) / sizeof(*advices); i++)
		syscall(SYS_process_madvise, self, &all, 1UL, advices[i], 0);
	close(self);
	intact("process_madvise");
	syscall(SYS_remap_file_pages, mapping + PAGE, PAGE, 0UL, 1UL, 0);
	syscall(SYS_remap_file_pages, mapping, N * PAGE, 0UL, where / PAGE, 0);
	mremap(mapping, N * PAGE, N * PAGE, MREMAP_MAYMOVE | 4 /* DONTUNMAP */);
	mremap(mapping, 0, N * PAGE, MREMAP_MAYMOVE);
	msync(mapping, N * PAGE, MS_SYNC | MS_INVALIDATE);
	syscall(NR_CACHESTAT, dev, &range, counts, 0);
	readahead(dev, 0, N * PAGE);
	posix_fadvise(dev, 0, 0, POSIX_FADV_DONTNEED);
	t_write_file("/proc/sys/vm/drop_caches", "3");
	intact("remap_file_pages, mremap, msync, cachestat, readahead, drop_caches");
}

/* What reads a page's state by its number, which pagemap tells. */
static void by_number(void)
{
	static const char * const files[] = { "/proc/kpageflags", "/proc/kpagecount",
					      "/proc/kpagecgroup",
					      "/sys/kernel/mm/page_idle/bitmap" };
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0, word;

	check_eq("A1", pread(fd, &entry, 8, (uintptr_t)mapping / PAGE * 8), 8,
		 "/proc/self/pagemap");
	close(fd);
	entry &= (1ULL << 55) - 1;
	for (unsigned int i = 0; i < 4; i++) {
		bool bits = i == 3;

		fd = open(files[i], (bits ? O_RDWR : O_RDONLY) | O_CLOEXEC);
		if (fd < 0)
			continue;
		word = ~0ULL;
		if (bits && pwrite(fd, &word, 8, entry / 64 * 8) != 8)
			t_note("%s: %m", files[i]);
		word = 0;
		if (pread(fd, &word, 8, bits ? entry / 64 * 8 : entry * 8) == 8)
			t_note("%s: page %#llx: %#llx", files[i], (long long)entry,
			       (long long)word);
		close(fd);
	}
	intact("kpageflags, kpagecount and the like");
}

/* At last: ordinary I/O still works on pages that went through all this. */
static void direct(void)
{
	int fd = open("/dev/ram0", O_RDWR | O_DIRECT | O_CLOEXEC);

	if (fd < 0) {
		t_skip("V8", "no /dev/ram0", "O_DIRECT after all that");
		return;
	}
	grants_fill(grants, 2);
	check_eq("V8", pwrite(fd, mapping, N * PAGE, 0), N * PAGE, "O_DIRECT from a mapping");
	grants_fill(grants, 3);
	check_eq("V8", pread(fd, mapping, N * PAGE, 0), N * PAGE, "and into it");
	check_eq("V8", grants_bad(grants, 2), 0, "is right");
	close(fd);
}

int main(void)
{
	uint64_t index;

	t_start();
	dev = dev_open();
	grants = grants_make(N);
	strangers = grants_make(1);
	grants_fill(grants, 1);
	dev_map(dev, grants->refs, N, &where);
	dev_map(dev, strangers->refs, 1, &index);
	mapping = dev_mmap(dev, where, N, RW);
	other_view = dev_mmap(dev, where, N, RW);
	stranger = dev_mmap(dev, index, 1, RW);
	if (mapping == MAP_FAILED || stranger == MAP_FAILED)
		t_bail("mmap: %m");
	intact("nothing");
	policies();
	merged();
	aged();
	watched();
	faults_are_told();
	scanned();
	by_hmm();
	locks();
	locked();
	pipes();
	dumped();
	they_end();
	odds();
	by_number();
	memory_fails();
	direct();

	dev_munmap(mapping, N);
	if (other_view != MAP_FAILED)
		dev_munmap(other_view, N);
	dev_munmap(stranger, 1);
	check("A2", t_eventually(!xen_holds(grants) && !xen_holds(strangers)),
	      "Xen holds nothing any more");
	dev_unmap(dev, where, N);
	dev_unmap(dev, index, 1);
	close(dev);
	check_eq("A2", grants_free(grants) + grants_free(strangers), 0, "the pages are free");
	return t_done();
}
