// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How long a process that uses the device keeps others waiting, by a clock that counts instructions
 * (vm/run --icount).
 *
 *	latency DRIVER[,DRIVER]... [GROUP...]
 *
 * makes each DRIVER (in-tree, ours) in turn the driver of this domain, and measures what GROUPs
 * name, all without one. It prints
 *
 *	stretch DRIVER CASE PAGES KIND NANOSECONDS HOW-MANY WHERE
 *
 * the longest stretch of a kind (module/latency-probe.h) while a process did CASE with so many
 * pages, and who began it: a symbol; and
 *
 *	wait DRIVER CASE PAGES WHERE NANOSECONDS HOW-OFTEN DURING
 *
 * the longest that a more important thread took for a page of its own in an instance of its own, in
 * the same instance or in another process, while that was done, more than it takes else; and during
 * which call it began. Without the probe there are no stretches.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../bench/module/bench-floor.h"
#include "../tests/lib/grant.h"
#include "module/latency-probe.h"

/* Xen lets one reference be mapped 127 times; a page takes two of these. */
#define MAPPED_OFTEN 60
#define MOST 65536
#define RANGES 64000
#define SEGMENTS 4096
#define NOTIFICATIONS 16000
/* What an instance may register, unless it asks for more (max_grants). */
#define REGISTERED 1048576

static const char *driver;
static bool is_ours;
static int fd, probe;
static struct grants *grants;
static struct ioctl_gntdev_grant_ref *refs;
static struct channel *channel;
static uint64_t text, text_end;

/* ---- the probe ---- */

static void find_driver(void)
{
	unsigned long long size, address;
	char line[512], name[64];
	FILE *file = fopen("/proc/modules", "r");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%63s %llu %*s %*s %*s %llx", name, &size, &address) == 3 &&
		    !strcmp(name, "xen_gntdev")) {
			text = address;
			text_end = address + size;
		}
	if (file)
		fclose(file);
	if (!text)
		t_bail("the driver is not in /proc/modules");
}

/* The symbol that an address is in. */
static const char *symbol_of(uint64_t address)
{
	static char found[128];
	unsigned long long start, best = 0;
	char line[512], name[128];
	FILE *file;

	strcpy(found, "-");
	if (!address)
		return found;
	file = fopen("/proc/kallsyms", "r");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%llx %*c %127s", &start, name) == 2 && start <= address &&
		    start >= best) {
			best = start;
			strcpy(found, name);
		}
	if (file)
		fclose(file);
	return found;
}

static void watch(pid_t process)
{
	struct probe_start start = { .text = text, .end = text_end, .tgid = process };

	if (ioctl(probe, PROBE_START, &start))
		t_bail("the probe: %s", strerror(errno));
}

static void tell(const char *name, unsigned int pages)
{
	static const char *const kinds[] = {
		"preempt", "preempt-ours", "irqs", "mutex", "mmap"
	};
	struct probe_result result;

	if (ioctl(probe, PROBE_STOP, &result))
		t_bail("the probe: %s", strerror(errno));
	for (unsigned int kind = 0; kind < PROBE_KINDS; kind++)
		printf("stretch %s %s %u %s %llu %llu %s\n", driver, name, pages, kinds[kind],
		       (unsigned long long)result.longest[kind],
		       (unsigned long long)result.count[kind], symbol_of(result.where[kind]));
	fflush(stdout);
}

/* ---- the calls ---- */

static uint64_t enter(int instance, unsigned int n)
{
	uint64_t index;

	if (dev_map(instance, refs, n, &index))
		t_bail("register %u: %s", n, strerror(errno));
	return index;
}

static void leave(int instance, uint64_t index, unsigned int n)
{
	if (dev_unmap(instance, index, n))
		t_bail("unregister %u: %s", n, strerror(errno));
}

static char *map_pages(int instance, uint64_t index, unsigned int n)
{
	char *memory = dev_mmap(instance, index, n, RW);

	if (memory == MAP_FAILED)
		t_bail("mmap %u: %s", n, strerror(errno));
	return memory;
}

static void one_by_one(unsigned int n)
{
	uint64_t index;
	char *memory;

	watch(getpid());
	index = enter(fd, n);
	tell("register", n);
	watch(getpid());
	memory = map_pages(fd, index, n);
	tell("map", n);
	watch(getpid());
	dev_munmap(memory, n);
	tell("munmap", n);
	watch(getpid());
	leave(fd, index, n);
	tell("unregister", n);
}

/* The kernel takes hold of the pages: here, to write them to a pipe. */
static void held(unsigned int n)
{
	uint64_t index = enter(fd, n);
	char *memory = map_pages(fd, index, n);
	int sink = open("/dev/null", O_WRONLY | O_CLOEXEC), pipes[2];

	if (pipe2(pipes, O_CLOEXEC))
		t_bail("pipe: %s", strerror(errno));
	watch(getpid());
	for (unsigned int i = 0; i < n; i++) {
		struct iovec io = { memory + (size_t)i * PAGE, PAGE };

		if (vmsplice(pipes[1], &io, 1, 0) != PAGE ||
		    splice(pipes[0], NULL, sink, NULL, PAGE, 0) != PAGE)
			break; /* the in-tree driver may have no page for it */
	}
	tell("hold", n);
	watch(getpid());
	dev_munmap(memory, n);
	tell("munmap-held", n);
	leave(fd, index, n);
	close(pipes[0]);
	close(pipes[1]);
	close(sink);
}

/* What a process may have at most: ranges, one of them mapped, and notifications on that one. */
static void take_all(int instance)
{
	uint64_t index = enter(instance, MOST);

	for (unsigned int i = 0; i < NOTIFICATIONS; i++)
		if (dev_notify(instance, index + i * PAGE, UNMAP_NOTIFY_SEND_EVENT, channel->port))
			t_bail("notification: %s", strerror(errno));
	map_pages(instance, index, MOST);
	for (unsigned int i = MOST; i < REGISTERED; i += MOST)
		enter(instance, MOST);
}

/* With 0 for @n, one that has all that it may have. */
static void killed(unsigned int n)
{
	int ready[2], go[2], status;
	pid_t child;
	char byte;

	if (pipe2(ready, O_CLOEXEC) || pipe2(go, O_CLOEXEC))
		t_bail("pipe: %s", strerror(errno));
	child = fork();
	if (!child) {
		int instance = dev_open();

		if (n)
			map_pages(instance, enter(instance, n), n);
		else
			take_all(instance);
		if (write(ready[1], "", 1) != 1 || read(go[0], &byte, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		t_bail("a process to be killed died before");
	watch(child);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	tell(n ? "kill" : "kill-all", n ? n : REGISTERED);
	close(ready[0]);
	close(go[0]);
	close(go[1]);
}

static void copied(unsigned int n)
{
	segment_t *segments = calloc(n, sizeof(*segments));
	char *local = mmap(NULL, n * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	for (unsigned int i = 0; i < n; i++)
		segments[i] = seg_from(&refs[i], 0, local + i * PAGE, PAGE);
	watch(getpid());
	if (dev_copy(fd, segments, n))
		t_bail("copy: %s", strerror(errno));
	tell("copy", n);
	munmap(local, n * PAGE);
	free(segments);
}

static void notified(unsigned int n)
{
	uint64_t index = enter(fd, n);
	char *memory = map_pages(fd, index, n);

	watch(getpid());
	for (unsigned int i = 0; i < n; i++)
		if (dev_notify(fd, index + i * PAGE, UNMAP_NOTIFY_SEND_EVENT, channel->port))
			t_bail("notification: %s", strerror(errno));
	tell("notify", n);
	watch(getpid());
	dev_munmap(memory, n);
	leave(fd, index, n);
	tell("munmap-notify", n);
}

static void exported(unsigned int n)
{
	int buffer;

	watch(getpid());
	if (dev_export(fd, 0, refs, n, &buffer)) {
		tell("export-refused", n);
		return;
	}
	tell("export", n);
	watch(getpid());
	close(buffer);
	if (dev_wait_released(fd, buffer, 60000) && errno != ENOENT)
		t_bail("a buffer is not released: %s", strerror(errno));
	tell("release", n);
}

static void told(unsigned int n)
{
	uint64_t *indexes = calloc(n, sizeof(*indexes));
	char path[64], text_of[4096];
	int info;

	for (unsigned int i = 0; i < n; i++)
		indexes[i] = enter(fd, 1);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	watch(getpid());
	if (read(info, text_of, sizeof(text_of)) < 0)
		t_bail("fdinfo: %s", strerror(errno));
	tell("fdinfo", n);
	close(info);
	for (unsigned int i = 0; i < n; i++)
		leave(fd, indexes[i], 1);
	free(indexes);
}

/* ---- what Xen takes ---- */

static void operations(void)
{
	uint32_t numbers[32];
	struct floor_run run = {
		.what = FLOOR_ENTRIES, .n = 32, .rounds = 100, .domid = refs[0].domid,
		.refs = (uintptr_t)numbers,
	};
	int floor = open("/dev/bench-floor", O_RDWR | O_CLOEXEC);

	for (unsigned int i = 0; i < 32; i++)
		numbers[i] = refs[i].ref;
	if (floor < 0 || ioctl(floor, FLOOR_RUN, &run))
		t_bail("/dev/bench-floor: %s", strerror(errno));
	/* 32 to map and 32 to unmap, with two hypercalls. */
	printf("operations %s 32 %llu\n", driver, (unsigned long long)run.spent / run.rounds / 2);
	close(floor);
}

/* ---- others ---- */


static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

/* What another one does: a page of its own comes and goes. */
static void a_page(int instance)
{
	uint64_t index = enter(instance, 1);

	dev_munmap(map_pages(instance, index, 1), 1);
	leave(instance, index, 1);
}

static void be_important(int priority)
{
	struct sched_param param = { .sched_priority = priority };

	if (sched_setscheduler(0, SCHED_FIFO, &param))
		t_bail("sched_setscheduler: %s", strerror(errno));
}

struct waits {
	uint64_t longest, least, often;
	unsigned int during;
};

enum { REGISTER, MAP, MUNMAP, UNREGISTER };

/* In shared memory. */
static struct shared {
	volatile bool over;
	volatile unsigned int call;
	struct waits waits;
	int instance, ready;
} *shared;

/* Every millisecond, from when it was to wake up until it is done, as long as somebody is at work. */
static void measure_waits(int instance, struct waits *waits, int ready)
{
	struct timespec when;
	uint64_t due;

	a_page(instance);
	if (write(ready, "", 1) != 1)
		t_bail("a pipe: %s", strerror(errno));
	due = now();
	waits->least = UINT64_MAX;
	while (!shared->over) {
		unsigned int during;
		uint64_t spent;

		due += 1000000;
		when.tv_sec = due / 1000000000;
		when.tv_nsec = due % 1000000000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL);
		during = shared->call;
		a_page(instance);
		spent = now() - due;
		if (spent > waits->longest) {
			waits->longest = spent;
			waits->during = during;
		}
		if (spent < waits->least)
			waits->least = spent;
		waits->often++;
		/* If it took longer than a period, the next ones are not to pay for it. */
		if (now() > due)
			due = now();
	}
}

static void *wait_in_thread(void *context)
{
	(void)context;
	be_important(20);
	measure_waits(shared->instance, &shared->waits, shared->ready);
	return NULL;
}

static void busy_with(const char *name, unsigned int n)
{
	unsigned int rounds = 2 * MOST / n;

	/* For as long, however many pages it is at a time; but single ones take longer. */
	for (unsigned int i = 0; i < (rounds > 2000 ? 2000 : rounds); i++) {
		uint64_t index;
		char *memory;

		shared->call = REGISTER;
		index = enter(fd, n);
		if (strcmp(name, "register")) {
			shared->call = MAP;
			memory = map_pages(fd, index, n);
			shared->call = MUNMAP;
			dev_munmap(memory, n);
		}
		shared->call = UNREGISTER;
		leave(fd, index, n);
	}
}

static void wait_beside(const char *name, unsigned int n, const char *where)
{
	static const char *const calls[] = { "register", "mmap", "munmap", "unregister" };
	pthread_t thread;
	pid_t child = 0;
	int pipes[2];
	char byte;

	memset(shared, 0, sizeof(*shared));
	if (pipe2(pipes, O_CLOEXEC))
		t_bail("pipe: %s", strerror(errno));
	shared->ready = pipes[1];
	if (!strcmp(where, "process")) {
		child = fork();
		if (!child) {
			int instance = dev_open();

			be_important(20);
			measure_waits(instance, &shared->waits, pipes[1]);
			_exit(0);
		}
	} else {
		shared->instance = strcmp(where, "instance") ? fd : dev_open();
		if (pthread_create(&thread, NULL, wait_in_thread, NULL))
			t_bail("pthread_create");
	}
	/* It does not get the processor to begin with, unless this one waits. */
	if (read(pipes[0], &byte, 1) != 1)
		t_bail("nobody is there to wait");
	busy_with(name, n);
	shared->over = true;
	if (child)
		waitpid(child, NULL, 0);
	else
		pthread_join(thread, NULL);
	close(pipes[0]);
	close(pipes[1]);
	if (!child && shared->instance != fd)
		close(shared->instance);
	printf("wait %s %s %u %s %llu %llu %s\n", driver, name, n, where,
	       (unsigned long long)(shared->waits.often ?
				    shared->waits.longest - shared->waits.least : 0),
	       (unsigned long long)shared->waits.often, calls[shared->waits.during]);
	fflush(stdout);
}

/* ---- all of it ---- */

static void stretches(void)
{
	static const unsigned int sizes[] = { 1, 512, MOST };

	if (probe < 0)
		return;
	for (int i = 0; i < 3; i++) {
		one_by_one(1);
		one_by_one(512);
	}
	for (unsigned int i = 0; i < 3; i++)
		one_by_one(sizes[i]);
	for (unsigned int i = 0; i < 3; i++)
		killed(sizes[i]);
	for (unsigned int i = 0; i < 2; i++)
		held(sizes[i]);
	copied(1);
	copied(512);
	copied(SEGMENTS);
}

static void others_of_ours(void)
{
	static const unsigned int sizes[] = { 1, 512, MOST };

	if (probe < 0 || !is_ours)
		return; /* it has one notification for a range, and no dma-bufs here */
	notified(1);
	notified(512);
	notified(NOTIFICATIONS);
	for (unsigned int i = 0; i < 3; i++)
		exported(sizes[i]);
	told(RANGES);
	killed(0);
}

static void waits(void)
{
	static const char *const places[] = { "process", "instance", "same" };
	static const unsigned int sizes[] = { 1, 16, 512, 8192, MOST };

	for (unsigned int i = 0; i < 5; i++)
		for (unsigned int place = 0; place < 3; place++)
			if (sizes[i] == 512 || sizes[i] == MOST || !place)
				wait_beside("map+munmap", sizes[i], places[place]);
	for (unsigned int place = 0; place < 3; place++)
		wait_beside("register", MOST, places[place]);
}

static const struct group {
	const char *name;
	void (*run)(void);
} groups[] = {
	{ "operations", operations }, { "stretches", stretches }, { "ours", others_of_ours },
	{ "waits", waits },
};

static bool is_wanted(const char *name, int count, char **names)
{
	for (int i = 0; i < count; i++)
		if (!strcmp(names[i], name))
			return true;
	return !count;
}

static void use_driver(void)
{
	char command[200];

	snprintf(command, sizeof(command),
		 "rmmod xen-gntdev && insmod /lib/vm/modules/%s/xen-gntdev.ko", driver);
	if (system(command))
		t_bail("%s is not what can be loaded", driver);
	is_ours = !strcmp(driver, "ours");
	fd = dev_open();
	find_driver();
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: latency DRIVER[,DRIVER]... [GROUP...]\n");
		return 2;
	}
	t_start();
	alarm(0);
	grants = grants_make(MOST / MAPPED_OFTEN + 1);
	refs = calloc(MOST, sizeof(*refs));
	for (unsigned int i = 0; i < MOST; i++)
		refs[i] = grants->refs[i % grants->n];
	channel = channel_make();
	shared = mmap(NULL, sizeof(*shared), RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	probe = open("/dev/latency-probe", O_RDWR | O_CLOEXEC);
	for (driver = strtok(argv[1], ","); driver; driver = strtok(NULL, ",")) {
		use_driver();
		/* Nobody is to take the processor away in a stretch. */
		be_important(10);
		for (unsigned int i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
			if (is_wanted(groups[i].name, argc - 2, argv + 2))
				groups[i].run();
		close(fd);
	}
	return 0;
}
