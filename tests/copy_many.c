// SPDX-License-Identifier: GPL-2.0-or-later
/* GRANT_COPY of many segments: every count, several threads on one instance, signals, SIGKILL. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/grant.h"

#define N 16
#define THREADS 4

static struct grants *grants;
static int fd;

/* Where in its page segment @i of @len bytes is. */
static unsigned int offset_of(unsigned int i, unsigned int len)
{
	return i * 13 % (PAGE - len + 1);
}

/*
 * @count segments of @len bytes from the pages, each page in turn, to a buffer of their own;
 * returns how many of them are not okay, or have wrong bytes.
 */
static unsigned int copied_wrong(unsigned int count, unsigned int len, unsigned int seed)
{
	segment_t *segments = calloc(count, sizeof(*segments));
	char *local = calloc(count, len), *want = malloc(N * PAGE);
	unsigned int wrong = 0;

	mapping_fill(want, N, seed);
	for (unsigned int i = 0; i < count; i++)
		segments[i] = seg_from(&grants->refs[i % N], offset_of(i, len), local + i * len,
				       len);
	if (dev_copy(fd, segments, count))
		wrong = count;
	for (unsigned int i = 0; i < count; i++)
		wrong += segments[i].status ||
			 memcmp(local + i * len, want + i % N * PAGE + offset_of(i, len), len);
	free(want);
	free(local);
	free(segments);
	return wrong;
}

static void counts(void)
{
	static const unsigned int some[] = { 1, 2, 15, 16, 17, 47, 48, 49, 95, 96, 97, 256, 1000 };

	grants_fill(grants, 1);
	for (unsigned int i = 0; i < sizeof(some) / sizeof(*some); i++) {
		check_eq("C1", copied_wrong(some[i], PAGE, 1), 0, "%u segments of a page", some[i]);
		check_eq("C1", copied_wrong(some[i], 100, 1), 0, "%u of 100 bytes", some[i]);
	}
	check_eq("C1", copied_wrong(100000, 64, 1), 0, "100,000 of 64 bytes");
}

/* Far behind the first batch; a senseless one there keeps all others from being copied. */
static void late_failures(void)
{
	enum { COUNT = 5000, BAD = 4321 };
	segment_t *segments = calloc(COUNT, sizeof(*segments));
	char *local = calloc(COUNT, 8);
	unsigned int okay = 0, failed = 0;
	void *hole = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (unsigned int i = 0; i < COUNT; i++)
		segments[i] = seg_from(&grants->refs[i % N], 8, local + i * 8, 8);
	segments[BAD].flags = 8;
	check_errno("C1", dev_copy(fd, segments, COUNT), EINVAL, "number 4321 of 5000 makes no sense");
	for (unsigned int i = 0; i < COUNT; i++)
		okay += !segments[i].status || *(uint64_t *)(local + i * 8);
	check_eq("C1", okay, 0, "none is copied, and none says so");

	okay = 0;
	segments[BAD] = seg_from(&grants->refs[0], 8, hole, 8);
	check_errno("C3", dev_copy(fd, segments, COUNT), EFAULT, "number 4321 has no memory");
	for (unsigned int i = 0; i < BAD; i++)
		okay += !segments[i].status && *(uint64_t *)(local + i * 8);
	for (unsigned int i = BAD; i < COUNT; i++)
		failed += segments[i].status == GNTST_general_error;
	check_eq("C3", okay, BAD, "those before are copied, and say so");
	check_eq("C3", failed, COUNT - BAD, "it and those after say that they failed");

	segments[BAD] = seg_from(&grants->refs[0], 8, local + BAD * 8, 8);
	segments[BAD].source.foreign.ref = 4000000;
	okay = 0;
	check_ok("C2", dev_copy(fd, segments, COUNT), "number 4321 is a bad reference");
	for (unsigned int i = 0; i < COUNT; i++)
		okay += !segments[i].status;
	check_eq("C2", okay, COUNT - 1, "all others are okay");
	check_eq("C2", segments[BAD].status, GNTST_bad_gntref, "it is not");
	free(segments);
	free(local);
	munmap(hole, PAGE);
}

/* Each thread has four pages to itself, and takes them through a chain of copies. */
static void *in_turn(void *number)
{
	unsigned int t = (uintptr_t)number, wrong = 0;
	const struct ioctl_gntdev_grant_ref *refs = &grants->refs[t * 4];
	char *out = malloc(PAGE), *in = malloc(PAGE);

	for (unsigned int round = 0; round < 500; round++) {
		segment_t segments[5];

		mapping_fill(out, 1, t * 1000 + round);
		segments[0] = seg_to(&refs[0], 0, out, PAGE);
		segments[1] = seg_between(&refs[0], 0, &refs[1], 0, PAGE);
		segments[2] = seg_between(&refs[1], 0, &refs[2], 0, PAGE);
		segments[3] = seg_between(&refs[2], 0, &refs[3], 0, PAGE);
		segments[4] = seg_from(&refs[3], 0, in, PAGE);
		wrong += dev_copy(fd, segments, 5) != 0;
		for (unsigned int i = 0; i < 5; i++)
			wrong += segments[i].status != GNTST_okay;
		wrong += memcmp(in, out, PAGE) != 0;
	}
	free(out);
	free(in);
	return (void *)(uintptr_t)wrong;
}

static void threads(void)
{
	pthread_t thread[THREADS];

	for (uintptr_t t = 0; t < THREADS; t++)
		pthread_create(&thread[t], NULL, in_turn, (void *)t);
	for (unsigned int t = 0; t < THREADS; t++) {
		void *wrong;

		pthread_join(thread[t], &wrong);
		check_eq("C5", (uintptr_t)wrong, 0, "thread %u of 4 gets its own bytes, each time", t);
	}
}

static volatile unsigned int ticks;

static void count_tick(int signal)
{
	(void)signal;
	ticks++;
}

static void signals_do_not_disturb(void)
{
	struct sigaction action = { .sa_handler = count_tick }; /* without SA_RESTART */
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec often = { { 0, 3000000 }, { 0, 3000000 } };
	long long until = t_now_ms() + T_PATIENCE_MS;
	unsigned int wrong = 0;
	timer_t timer;

	sigaction(SIGUSR1, &action, NULL);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &often, NULL))
		t_bail("timer: %m");
	do
		wrong += copied_wrong(2000, 64, 1);
	while (ticks < 10 && t_now_ms() < until);
	timer_delete(timer);
	check("C5", ticks >= 10, "signals come while copies run");
	check_eq("C5", wrong, 0, "a signal that is handled does not end a call");
}

/* One call that would take very long, and tells when it is under way. */
#define ENDLESS 1000000
static segment_t *endless_segments;
static volatile uint64_t *under_way;

static int endless(void *unused)
{
	for (unsigned int i = 0; i < ENDLESS; i++)
		endless_segments[i] = seg_from(&grants->refs[i % N], 0, (void *)under_way, PAGE);
	dev_copy(fd, endless_segments, ENDLESS);
	return unused ? 1 : 0;
}

static void killed(void)
{
	size_t size = ENDLESS * sizeof(*endless_segments);
	long long until = t_now_ms() + T_PATIENCE_MS;
	int pid;

	under_way = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	endless_segments = mmap(NULL, size, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (under_way == MAP_FAILED || endless_segments == MAP_FAILED)
		t_bail("mmap: %m");
	pid = t_child(endless, NULL);
	while (!*under_way && t_now_ms() < until)
		;
	check("C5", *under_way != 0, "a call of 1,000,000 segments is under way");
	kill(pid, SIGKILL);
	check_eq("C5", t_wait(pid), -SIGKILL, "SIGKILL ends the process");
	check_eq("C2", endless_segments[0].status, GNTST_okay, "the first segment was copied");
	check_eq("C5", endless_segments[ENDLESS - 1].status, SEG_UNTOUCHED,
		 "and the call did not go on to the last one");
	munmap((void *)under_way, PAGE);
	munmap(endless_segments, size);
}

int main(void)
{
	t_start();
	fd = dev_open();
	grants = grants_make(N);
	counts();
	late_failures();
	threads();
	grants_fill(grants, 1);
	signals_do_not_disturb();
	killed();
	close(fd);
	check_eq("A2", xen_holds(grants), 0, "nothing is mapped");
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
