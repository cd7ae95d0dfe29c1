// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the device costs, by a clock that counts instructions (vm/run --icount).
 *
 *	bench ROUNDS DRIVER[,DRIVER]... [GROUP...]
 *
 * makes each DRIVER (in-tree, ours) in turn the driver of this domain, so often, and measures what
 * GROUPs name, all without one. For each figure it prints a line "figure ROUND DRIVER CASE VALUE
 * UNITS": nanoseconds, that is instructions, of one page or call, the median of some samples; and
 * how many pages or calls there were. For memory it is bytes. The DRIVER "floor" stands for what no
 * driver can save. All are measured with the same pages.
 *
 * T_GRANTER says who grants them (tests/lib/grant.h). Modules are in /lib/vm/modules (vm/).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../tests/lib/grant.h"
#include "module/bench-floor.h"

/* Xen lets one reference be mapped 127 times; a PV range takes two of these. */
#define RANGES_OF_ONE 60
#define MOST_HELD 64000
#define SAMPLES 5
/* Ranges in one of them. */
#define SAMPLE 20
#define SAMPLED (SAMPLES * SAMPLE)
/* How often they are measured while many are held: where in the kernel's trees they land, varies. */
#define REPEATS 9
#define MANY 512
#define MOST_SEGMENTS 4096

static struct {
	unsigned int round;
	const char *driver;
	int fd;			/* the device, or the floor's */
	bool floor;
	struct grants *grants;
	int memfd;
} bench;

/* ---- the clock ---- */

static uint64_t clock_cost;

/*
 * Tells a plugin of the emulator (profile.c) where a case begins and ends: an instruction that does
 * nothing, in a way that no compiler chooses.
 */
#ifdef __aarch64__
/* movz xzr, #0x4701: what it is assembled to, as an assembler would call that an alias. */
#define MARK(n) asm volatile(".inst 0xd280001f | (0x4700 + " #n ") << 5" ::: "memory")
#else
/* nopl 0x474e5401(%rax) */
#define MARK(n) asm volatile(".byte 0x0f, 0x1f, 0x80; .long 0x474e5400 + " #n ::: "memory")
#endif
#define MARK_BEGIN() MARK(1)
#define MARK_END() MARK(2)
#define MARK_TELL() MARK(3)

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static uint64_t samples[SAMPLED], began;
static unsigned int n_samples;

static void begin(void)
{
	MARK_BEGIN();
	began = now();
}

static void add_sample(uint64_t spent)
{
	samples[n_samples++] = spent > clock_cost ? spent - clock_cost : 0;
}

static void end(void)
{
	add_sample(now() - began);
	MARK_END();
}

static void measure_clock(void)
{
	uint64_t start;

	now();
	start = now();
	for (int i = 0; i < 1000; i++)
		now();
	clock_cost = (now() - start) / 1001;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Tells what came of the samples, each of so many pages or calls. */
static void figure(const char *name, unsigned int units)
{
	MARK_TELL();
	qsort(samples, n_samples, sizeof(samples[0]), compare);
	printf("figure %u %s %s %.1f %u\n", bench.round, bench.driver, name,
	       (double)samples[n_samples / 2] / units, n_samples * units);
	n_samples = 0;
}

/* ---- the calls, without anything around them ---- */

static struct ioctl_gntdev_map_grant_ref *request(const struct ioctl_gntdev_grant_ref *refs,
						  unsigned int n)
{
	struct ioctl_gntdev_map_grant_ref *map = calloc(1, sizeof(*map) + n * sizeof(*refs));

	map->count = n;
	memcpy(map->refs, refs, n * sizeof(*refs));
	return map;
}

static uint64_t enter(struct ioctl_gntdev_map_grant_ref *map)
{
	if (ioctl(bench.fd, IOCTL_GNTDEV_MAP_GRANT_REF, map))
		t_bail("register %u: %s", map->count, strerror(errno));
	return map->index;
}

static void leave(uint64_t index, unsigned int n)
{
	if (dev_unmap(bench.fd, index, n))
		t_bail("unregister %u: %s", n, strerror(errno));
}

static volatile char *map_pages(uint64_t index, unsigned int n)
{
	volatile char *memory = dev_mmap(bench.fd, index, n, RW);

	if (memory == MAP_FAILED)
		t_bail("mmap %u: %s", n, strerror(errno));
	return memory;
}

static void touch(volatile char *memory, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		memory[i * PAGE] = i;
}

static void floor_run(const char *name, unsigned int what, unsigned int n, unsigned int bytes,
		      unsigned int rounds)
{
	uint32_t *refs = calloc(n, sizeof(*refs));
	struct floor_run run = {
		.what = what, .n = n, .bytes = bytes, .rounds = rounds,
		.domid = bench.grants->refs[0].domid, .refs = (uintptr_t)refs,
	};

	for (unsigned int i = 0; i < n; i++)
		refs[i] = bench.grants->refs[i % bench.grants->n].ref;
	for (int i = 0; i < SAMPLES; i++) {
		if (ioctl(bench.fd, FLOOR_RUN, &run))
			t_bail("floor %u of %u: %s", what, n, strerror(errno));
		add_sample(run.spent + clock_cost);
	}
	figure(name, n * rounds);
	free(refs);
}

/*
 * mmap and munmap of so many pages of memory that is there already. They are touched in between, so
 * that there is something to unmap, but that is not counted: it takes page faults.
 */
static void memfd_cycle(const char *name, unsigned int n, unsigned int rounds)
{
	for (unsigned int i = 0; i < rounds + 20; i++) {
		uint64_t start = now(), spent;
		char *memory;

		memory = mmap(NULL, n * PAGE, RW, MAP_SHARED, bench.memfd, 0);
		spent = now() - start - clock_cost;
		touch(memory, n);
		start = now();
		munmap(memory, n * PAGE);
		if (i >= 20)
			add_sample(now() - start + spent);
	}
	figure(name, n);
}

static void empty_ioctls(unsigned int rounds)
{
	for (int sample = 0; sample < SAMPLES; sample++) {
		begin();
		for (unsigned int i = 0; i < rounds; i++)
			ioctl(bench.fd, FLOOR_EMPTY);
		end();
	}
	figure("ioctl", rounds);
}

/* ---- one page, and many in one range ---- */

static void cycle_once(struct ioctl_gntdev_map_grant_ref *map, unsigned int n)
{
	volatile char *memory;

	enter(map);
	memory = map_pages(map->index, n);
	touch(memory, n);
	dev_munmap((void *)memory, n);
	leave(map->index, n);
}

static void cycle(const char *name, unsigned int n, unsigned int rounds)
{
	struct ioctl_gntdev_map_grant_ref *map = request(bench.grants->refs, n);

	/* The first ones leave behind what the next ones find. */
	for (int i = 0; i < 3; i++)
		cycle_once(map, n);
	for (int sample = 0; sample < SAMPLES; sample++) {
		begin();
		for (unsigned int i = 0; i < rounds; i++)
			cycle_once(map, n);
		end();
	}
	figure(name, rounds * n);
	free(map);
}

static void one_page(void)
{
	if (!bench.floor) {
		cycle("one", 1, 40);
		return;
	}
	memfd_cycle("one.memfd", 1, 100);
	floor_run("one.kernel", FLOOR_KERNEL, 1, 0, 100);
	if (t_pv())
		floor_run("one.entries", FLOOR_ENTRIES, 1, 0, 100);
	empty_ioctls(100);
	floor_run("null", FLOOR_NULL, 1, 0, 1000);
}

/* The steps of it. */
static void one_page_steps(void)
{
	static const char *const names[] = {
		"step.register", "step.mmap", "step.touch", "step.munmap", "step.unregister"
	};
	struct ioctl_gntdev_map_grant_ref *map = request(bench.grants->refs, 1);
	static uint64_t times[SAMPLED][6];
	volatile char *memory;

	if (bench.floor)
		return;
	for (int i = 0; i < SAMPLED; i++) {
		uint64_t *t = times[i];

		t[0] = now();
		enter(map);
		t[1] = now();
		memory = map_pages(map->index, 1);
		t[2] = now();
		touch(memory, 1);
		t[3] = now();
		dev_munmap((void *)memory, 1);
		t[4] = now();
		leave(map->index, 1);
		t[5] = now();
	}
	for (int step = 0; step < 5; step++) {
		for (int i = 0; i < SAMPLED; i++)
			add_sample(times[i][step + 1] - times[i][step]);
		figure(names[step], 1);
	}
	free(map);
}

static void many_pages(void)
{
	if (!bench.floor) {
		cycle("many", MANY, 4);
		return;
	}
	memfd_cycle("many.memfd", MANY, 10);
	floor_run("many.kernel", FLOOR_KERNEL, MANY, 0, 4);
	if (t_pv())
		floor_run("many.entries", FLOOR_ENTRIES, MANY, 0, 4);
}

/* ---- registered only ---- */

static void enter_all(struct ioctl_gntdev_map_grant_ref *map, uint64_t *indexes, unsigned int rounds)
{
	for (unsigned int i = 0; i < rounds; i++)
		indexes[i] = enter(map);
}

static void leave_all(const uint64_t *indexes, unsigned int n, unsigned int rounds)
{
	for (unsigned int i = 0; i < rounds; i++)
		leave(indexes[i], n);
}

static void registration_of(unsigned int n, unsigned int rounds)
{
	struct ioctl_gntdev_grant_ref *refs = calloc(n, sizeof(*refs));
	uint64_t *indexes = calloc(rounds, sizeof(*indexes)), left[SAMPLES];
	struct ioctl_gntdev_map_grant_ref *map;
	char name[64];

	for (unsigned int i = 0; i < n; i++)
		refs[i] = bench.grants->refs[i % bench.grants->n];
	map = request(refs, n);
	enter_all(map, indexes, rounds);
	leave_all(indexes, n, rounds);
	snprintf(name, sizeof(name), "register-%u", n);
	for (int sample = 0; sample < SAMPLES; sample++) {
		begin();
		enter_all(map, indexes, rounds);
		end();
		left[sample] = now();
		leave_all(indexes, n, rounds);
		left[sample] = now() - left[sample];
	}
	figure(name, rounds);
	snprintf(name, sizeof(name), "unregister-%u", n);
	for (int sample = 0; sample < SAMPLES; sample++)
		add_sample(left[sample]);
	figure(name, rounds);
	free(map);
	free(refs);
	free(indexes);
}

static void registration(void)
{
	if (bench.floor)
		return;
	registration_of(1, 100);
	registration_of(65536, 1);
}

/* ---- while many are held ---- */

struct held {
	uint64_t index;
	volatile char *memory;
};

static struct held held[MOST_HELD + SAMPLED];
static unsigned int n_held;

static void take(struct held *one)
{
	unsigned int which = one - held;
	struct {
		struct ioctl_gntdev_map_grant_ref map;
		struct ioctl_gntdev_grant_ref more;
	} request = { .map.count = 1 };

	if (bench.floor) {
		one->memory = mmap(NULL, PAGE, RW, MAP_SHARED, bench.memfd, 0);
		if (one->memory == MAP_FAILED)
			t_bail("mmap: %s", strerror(errno));
		return;
	}
	request.map.refs[0] = bench.grants->refs[which / RANGES_OF_ONE % bench.grants->n];
	one->index = enter(&request.map);
	one->memory = map_pages(one->index, 1);
}

static void give(struct held *one)
{
	dev_munmap((void *)one->memory, 1);
	if (!bench.floor)
		leave(one->index, 1);
}

static void touch_all(struct held **which)
{
	for (unsigned int i = 0; i < SAMPLED; i++)
		touch(which[i]->memory, 1);
}

static void take_some(struct held **which, bool measured)
{
	for (unsigned int i = 0; i < SAMPLED; i++) {
		if (measured && i % SAMPLE == 0)
			begin();
		take(which[i]);
		if (measured && i % SAMPLE == SAMPLE - 1)
			end();
	}
	touch_all(which);
}

static void give_some(struct held **which, bool measured)
{
	for (unsigned int i = 0; i < SAMPLED; i++) {
		if (measured && i % SAMPLE == 0)
			begin();
		give(which[i]);
		if (measured && i % SAMPLE == SAMPLE - 1)
			end();
	}
}

enum order { NEWEST, OLDEST, RANDOM };

static const char *const orders[] = { "newest", "oldest", "random" };

static void choose_random(struct held **which)
{
	static unsigned int seed = 1;

	for (unsigned int i = 0; i < SAMPLED; ) {
		struct held *pick;
		unsigned int k;

		seed = seed * 1103515245 + 12345;
		pick = &held[(seed >> 8) % n_held];
		for (k = 0; k < i && which[k] != pick; k++)
			;
		if (k == i)
			which[i++] = pick;
	}
}

/* Moves some about, so that what the kernel's caches are left with is not the same every time. */
static void churn(struct held **which)
{
	choose_random(which);
	give_some(which, false);
	take_some(which, false);
}

/* What to unmap next, in this order. */
static void choose(enum order order, unsigned int repeat, struct held **which)
{
	struct held *newest[SAMPLED];

	switch (order) {
	case OLDEST:
		for (unsigned int i = 0; i < SAMPLED; i++)
			which[i] = &held[repeat * SAMPLED + i];
		break;
	case NEWEST:
		churn(newest);
		for (unsigned int i = 0; i < SAMPLED; i++)
			which[i] = newest[SAMPLED - 1 - i];
		break;
	case RANDOM:
		choose_random(which);
		break;
	}
}

static void measure_unmap(enum order order, unsigned int n)
{
	struct held *which[SAMPLED];
	char name[64];

	for (unsigned int repeat = 0; repeat < REPEATS; repeat++) {
		choose(order, repeat, which);
		give_some(which, true);
		take_some(which, false);
	}
	snprintf(name, sizeof(name), "unmap-%s-%u", orders[order], n);
	figure(name, SAMPLE);
}

/* With @n held: one more, and one fewer by three orders. */
static void with_held(unsigned int n)
{
	struct held *which[SAMPLED], *more[SAMPLED];
	char name[64];

	for (; n_held < n; n_held++) {
		take(&held[n_held]);
		touch(held[n_held].memory, 1);
	}

	/* What is unmapped and mapped again counts as new. */
	measure_unmap(OLDEST, n);
	for (unsigned int i = 0; i < SAMPLED; i++)
		more[i] = &held[n + i];
	for (int repeat = 0; repeat < REPEATS; repeat++) {
		churn(which);
		take_some(more, true);
		give_some(more, false);
	}
	snprintf(name, sizeof(name), "map-%u", n);
	figure(name, SAMPLE);
	measure_unmap(NEWEST, n);
	measure_unmap(RANDOM, n);
}

static void hold(unsigned int most)
{
	for (unsigned int n = 1000; n <= most; n *= 4)
		with_held(n);
	/* Oldest first, which takes a list the least. */
	for (unsigned int i = 0; i < n_held; i++)
		give(&held[i]);
	n_held = 0;
}

/* More takes too long where each costs more than the one before it, or Xen much for each. */
static void holding(void)
{
	hold(t_pv() && strcmp(bench.driver, "in-tree") ? MOST_HELD : MOST_HELD / 4);
}

/* ---- copies ---- */

static void copy_often(segment_t *segments, unsigned int n, unsigned int rounds)
{
	for (unsigned int i = 0; i < rounds; i++)
		if (dev_copy(bench.fd, segments, n) || segments[n - 1].status)
			t_bail("copy: %s", strerror(errno));
}

static void copy_of(unsigned int n, unsigned int bytes, bool to, unsigned int rounds)
{
	segment_t *segments = calloc(n, sizeof(*segments));
	char *local = mmap(NULL, n * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	char name[64];

	snprintf(name, sizeof(name), "copy-%s-%u-%u", to ? "to" : "from", bytes, n);
	if (bench.floor) {
		floor_run(name, to ? FLOOR_COPY_TO : FLOOR_COPY_FROM, n, bytes, rounds);
		goto out;
	}
	for (unsigned int i = 0; i < n; i++) {
		struct ioctl_gntdev_grant_ref *ref = &bench.grants->refs[i % bench.grants->n];

		segments[i] = to ? seg_to(ref, 0, local + i * PAGE, bytes) :
				   seg_from(ref, 0, local + i * PAGE, bytes);
	}
	copy_often(segments, n, 2);
	for (int sample = 0; sample < SAMPLES; sample++) {
		begin();
		copy_often(segments, n, rounds);
		end();
	}
	figure(name, rounds * n);
out:
	munmap(local, n * PAGE);
	free(segments);
}

static void copying(void)
{
	for (int to = 0; to < 2; to++) {
		copy_of(1, PAGE, to, 50);
		copy_of(16, PAGE, to, 20);
		copy_of(256, PAGE, to, 2);
		copy_of(MOST_SEGMENTS, PAGE, to, 1);
		copy_of(256, 64, to, 4);
	}
}

/* ---- notifications ---- */

static void notify(uint64_t index, unsigned int action, unsigned int port)
{
	if (dev_notify(bench.fd, index, action, port))
		t_bail("notify: %s", strerror(errno));
}

/* With @n ranges registered. */
static void notify_with(unsigned int n)
{
	static const char *const names[] = { "notify-set", "notify-replace" };
	struct ioctl_gntdev_map_grant_ref *map = request(bench.grants->refs, 1);
	struct channel *channel = channel_make();
	uint64_t *indexes = calloc(n, sizeof(*indexes));
	char name[64];

	enter_all(map, indexes, n);
	for (int replace = 0; replace < 2; replace++) {
		for (unsigned int i = 0; i < SAMPLED; i++) {
			uint64_t index = indexes[n - 1 - i % n];

			if (replace)
				notify(index, UNMAP_NOTIFY_SEND_EVENT, channel->port);
			begin();
			notify(index, UNMAP_NOTIFY_SEND_EVENT, channel->port);
			end();
			notify(index, 0, 0);
		}
		snprintf(name, sizeof(name), "%s-%u", names[replace], n);
		figure(name, 1);
	}
	leave_all(indexes, 1, n);
	channel_free(channel);
	free(indexes);
	free(map);
}

static void notifying(void)
{
	if (bench.floor)
		return;
	notify_with(1);
	notify_with(16000);
}

/* ---- dma-bufs ---- */

static void export_often(unsigned int rounds)
{
	int buffer;

	for (unsigned int i = 0; i < rounds; i++) {
		if (dev_export(bench.fd, 0, bench.grants->refs, MANY, &buffer))
			t_bail("export: %s", strerror(errno));
		close(buffer);
	}
}

/* The in-tree driver has none. */
static void exporting(void)
{
	if (strcmp(bench.driver, "ours"))
		return;
	export_often(2);
	for (int sample = 0; sample < SAMPLES; sample++) {
		begin();
		export_often(4);
		end();
	}
	figure("export", 4 * MANY);
}

/* ---- memory ---- */

static long long kernel_memory(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	long long sum = 0, kib;
	char line[200];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "SUnreclaim: %lld", &kib) == 1 ||
		    sscanf(line, "VmallocUsed: %lld", &kib) == 1)
			sum += kib * 1024;
	if (file)
		fclose(file);
	return sum;
}

#define HELD_FOR_MEMORY 16000

/* Bytes for a range, beyond what its VMA takes. */
static void memory(void)
{
	struct ioctl_gntdev_map_grant_ref *map = request(bench.grants->refs, 1);
	long long before, registered, mapped;

	for (int warm = 2; warm >= 0; warm--) {
		before = kernel_memory();
		for (unsigned int i = 0; i < HELD_FOR_MEMORY && !bench.floor; i++) {
			map->refs[0] = bench.grants->refs[i / RANGES_OF_ONE % bench.grants->n];
			held[i].index = enter(map);
		}
		registered = kernel_memory();
		for (unsigned int i = 0; i < HELD_FOR_MEMORY; i++) {
			if (!bench.floor) {
				held[i].memory = map_pages(held[i].index, 1);
				continue;
			}
			held[i].memory = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_POPULATE,
					      bench.memfd, 0);
		}
		mapped = kernel_memory();
		for (unsigned int i = 0; i < HELD_FOR_MEMORY; i++) {
			dev_munmap((void *)held[i].memory, 1);
			if (!bench.floor)
				leave(held[i].index, 1);
		}
	}
	add_sample(registered - before + clock_cost);
	figure("memory-registered", HELD_FOR_MEMORY);
	add_sample(mapped - before + clock_cost);
	figure("memory-mapped", HELD_FOR_MEMORY);
	free(map);
}

static const struct group {
	const char *name;
	void (*run)(void);
} groups[] = {
	{ "one", one_page }, { "steps", one_page_steps }, { "many", many_pages },
	{ "registration", registration }, { "holding", holding }, { "copy", copying },
	{ "notify", notifying }, { "export", exporting }, { "memory", memory },
};

/* The kernel's caches of objects without what earlier cases left in them. */
static void tidy_caches(void)
{
	if (system("for file in /sys/kernel/slab/*/shrink; do echo 1 >$file; done"))
		t_bail("the slab caches do not shrink");
}

static void use_driver(void)
{
	char command[200];

	tidy_caches();
	bench.floor = !strcmp(bench.driver, "floor");
	if (bench.floor) {
		bench.fd = open("/dev/bench-floor", O_RDWR | O_CLOEXEC);
		if (bench.fd < 0)
			t_bail("/dev/bench-floor: %s", strerror(errno));
		return;
	}
	snprintf(command, sizeof(command),
		 "rmmod xen-gntdev && insmod /lib/vm/modules/%s/xen-gntdev.ko", bench.driver);
	if (system(command))
		t_bail("%s is not what can be loaded", bench.driver);
	bench.fd = dev_open();
}

/* Whether a group was asked for; all are if none was. */
static bool is_wanted(const char *name, int count, char **names)
{
	for (int i = 0; i < count; i++)
		if (!strcmp(names[i], name))
			return true;
	return !count;
}

static void measure(int n_groups, char **names)
{
	use_driver();
	measure_clock();
	for (unsigned int i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (!is_wanted(groups[i].name, n_groups, names))
			continue;
		printf("measuring %u %s %s\n", bench.round, bench.driver, groups[i].name);
		groups[i].run();
	}
	close(bench.fd);
}

int main(int argc, char **argv)
{
	unsigned int rounds;

	if (argc < 3) {
		fprintf(stderr, "usage: bench ROUNDS DRIVER[,DRIVER]... [GROUP...]\n");
		return 2;
	}
	rounds = atoi(argv[1]);
	t_start();
	alarm(0);
	bench.grants = grants_make((MOST_HELD + SAMPLE) / RANGES_OF_ONE + 1);
	bench.memfd = memfd_create("bench", 0);
	if (bench.memfd < 0 || ftruncate(bench.memfd, MANY * PAGE))
		t_bail("memfd: %s", strerror(errno));
	touch(mmap(NULL, MANY * PAGE, RW, MAP_SHARED, bench.memfd, 0), MANY);
	for (bench.round = 1; bench.round <= rounds; bench.round++) {
		char *drivers = strdup(argv[2]);

		for (bench.driver = strtok(drivers, ","); bench.driver;
		     bench.driver = strtok(NULL, ","))
			measure(argc - 3, argv + 3);
		free(drivers);
	}
	return 0;
}
