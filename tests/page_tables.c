// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A mapping that fills a page table: its pages are used while all of them are taken away, at which
 * some kernels free the page table, too, and while it moves from place to place.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/grant.h"

/* Pages that one page table has entries for. */
#define N 512
#define TABLE (N * PAGE)
#define SEED 5

/* Each who writes has a byte of its own in every page. */
#define WRITERS 2
#define BYTE 64

static struct grants *grants;
static uint8_t *mapping, *places[2];
static uint8_t written[WRITERS][N];
static volatile bool over;

/* What users of the pages have seen; each has one of these. */
struct seen {
	unsigned int number;
	unsigned int uses;
	unsigned int faults;	/* signals, or errors of system calls */
	unsigned int wrong;	/* pages with other content */
};

/* The processor. */
static void *write_on(void *argument)
{
	struct seen *seen = argument;
	uint8_t *mine = written[seen->number], got;
	unsigned int seed = seen->number;

	for (; !over; seen->uses++) {
		unsigned int page = rand_r(&seed) % N;
		uint8_t *byte = mapping + page * PAGE + BYTE + seen->number;

		if (t_peek(byte, &got))
			seen->faults++;
		else
			seen->wrong += got != mine[page];
		if (t_poke(byte, mine[page] + 1))
			seen->faults++;
		else
			mine[page]++;
	}
	return NULL;
}

/* A pipe that @use has words of the pages go through. */
static void *through_pipe(struct seen *seen,
			  void (*use)(struct seen *seen, const int *ends, unsigned int page))
{
	unsigned int seed = seen->number;
	int ends[2];

	if (pipe(ends))
		t_bail("pipe: %m");
	for (; !over; seen->uses++)
		use(seen, ends, rand_r(&seed) % N);
	close(ends[0]);
	close(ends[1]);
	return NULL;
}

static uint64_t read_word(const int *ends)
{
	uint64_t got;

	if (read(ends[0], &got, sizeof(got)) != sizeof(got))
		t_bail("read from a pipe: %m");
	return got;
}

static void copy_word(struct seen *seen, const int *ends, unsigned int page)
{
	uint8_t *word = mapping + page * PAGE;

	if (write(ends[1], word, sizeof(uint64_t)) != sizeof(uint64_t)) {
		seen->faults++;
	} else if (read(ends[0], word, sizeof(uint64_t)) != sizeof(uint64_t)) {
		seen->faults++;
		read_word(ends);
	}
}

/* The kernel, as it copies from and to memory of a process. */
static void *copy_on(void *argument)
{
	return through_pipe(argument, copy_word);
}

static void hold_word(struct seen *seen, const int *ends, unsigned int page)
{
	struct iovec some = { mapping + page * PAGE, sizeof(uint64_t) };

	if (vmsplice(ends[1], &some, 1, 0) != sizeof(uint64_t))
		seen->faults++;
	else
		seen->wrong += read_word(ends) != pattern_word(SEED, page, 0);
}

/* The kernel, as it takes hold of pages. */
static void *hold_on(void *argument)
{
	return through_pipe(argument, hold_word);
}

/* All pages at once. */
static void *populate_on(void *argument)
{
	struct seen *seen = argument;

	for (; !over; seen->uses++)
		if (madvise(mapping, TABLE, MADV_POPULATE_WRITE))
			seen->faults++;
	return NULL;
}

static void in_place(void)
{
	static const struct {
		const char *rule, *what;
		void *(*run)(void *seen);
	} users[] = {
		{ "V5", "a thread that writes", write_on },
		{ "V5", "another one", write_on },
		{ "V8", "write(2) from the pages, and read(2) into them", copy_on },
		{ "V8", "vmsplice(2) of the pages", hold_on },
		{ "V5", "MADV_POPULATE_WRITE", populate_on },
	};
	enum { USERS = sizeof(users) / sizeof(users[0]) };
	unsigned int rounds = t_rounds(200, 5000), failed = 0;
	struct seen seen[USERS] = {};
	pthread_t threads[USERS];

	over = false;
	for (unsigned int i = 0; i < USERS; i++) {
		seen[i].number = i;
		if (pthread_create(&threads[i], NULL, users[i].run, &seen[i]))
			t_bail("no thread");
	}
	for (unsigned int round = 0; round < rounds; round++) {
		failed += !!madvise(mapping, TABLE, MADV_DONTNEED);
		sched_yield();
	}
	over = true;
	for (unsigned int i = 0; i < USERS; i++)
		pthread_join(threads[i], NULL);

	check_eq("V5", failed, 0, "MADV_DONTNEED of all pages, %u times", rounds);
	for (unsigned int i = 0; i < USERS; i++) {
		t_note("%s: %u times", users[i].what, seen[i].uses);
		check_eq(users[i].rule, seen[i].faults, 0, "%s meanwhile: no faults", users[i].what);
		check_eq(users[i].rule, seen[i].wrong, 0, "%s meanwhile: the right pages",
			 users[i].what);
	}
}

/* Wherever the mapping is. The other place has nothing, or is a hole for a moment. */
static void *drop_on(void *unused)
{
	(void)unused;
	for (unsigned int i = 0; !over; i++)
		madvise(places[i % 2], TABLE, MADV_DONTNEED);
	return NULL;
}

/* The same of reading. The pages cannot be had at a place where they are not. */
static void *look_on(void *argument)
{
	struct seen *seen = argument;
	unsigned int seed = 7;

	while (!over) {
		unsigned int page = rand_r(&seed) % N;
		uint64_t got;
		struct iovec here = { &got, sizeof(got) };
		struct iovec there = { places[page % 2] + page * PAGE, sizeof(got) };

		if (process_vm_readv(getpid(), &here, 1, &there, 1, 0) != sizeof(got))
			continue;
		seen->uses++;
		seen->wrong += got != pattern_word(SEED, page, 0);
	}
	return NULL;
}

static void moved(void)
{
	unsigned int rounds = t_rounds(60, 1500), faults = 0, wrong = 0, seed = 9, round;
	pthread_t dropping, looking;
	struct seen seen = {};

	over = false;
	if (pthread_create(&dropping, NULL, drop_on, NULL) ||
	    pthread_create(&looking, NULL, look_on, &seen))
		t_bail("no thread");
	for (round = 0; round < rounds; round++) {
		uint8_t *from = mapping, *to = places[from == places[0]];

		if (mremap(from, TABLE, TABLE, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
			break;
		mapping = to;
		if (mmap(from, TABLE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
		    from)
			t_bail("mmap: %m");
		sched_yield();
		for (unsigned int i = 0; i < 8; i++) {
			unsigned int page = rand_r(&seed) % N;

			if (t_byte(mapping + page * PAGE) < 0)
				faults++;
			else
				wrong += *(uint64_t *)(mapping + page * PAGE) !=
					 pattern_word(SEED, page, 0);
		}
	}
	over = true;
	pthread_join(dropping, NULL);
	pthread_join(looking, NULL);

	check_eq("V5", round, rounds, "mremap to another page table, and back, while pages are dropped");
	check_eq("V5", faults, 0, "no faults at the new place");
	check_eq("V5", wrong, 0, "and the right pages");
	t_note("process_vm_readv(2): %u times", seen.uses);
	check_eq("V8", seen.wrong, 0, "who reads meanwhile reads the right pages, or none");
}

int main(void)
{
	uint64_t index;
	uint8_t *room;
	int fd;

	t_start();
	fd = dev_open();
	grants = grants_make(N);
	grants_fill(grants, SEED);
	check_ok("M1", dev_map(fd, grants->refs, N, &index), "%d pages", N);
	room = mmap(NULL, 3 * TABLE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED)
		t_bail("mmap: %m");
	places[0] = (uint8_t *)(((uintptr_t)room + TABLE - 1) / TABLE * TABLE);
	places[1] = places[0] + TABLE;
	mapping = mmap(places[0], TABLE, RW, MAP_SHARED | MAP_FIXED, fd, index);
	if (mapping != places[0])
		t_bail("cannot map: %m");
	for (unsigned int i = 0; i < WRITERS; i++)
		for (unsigned int page = 0; page < N; page++)
			written[i][page] = mapping[page * PAGE + BYTE + i];

	in_place();
	moved();

	/* As they were, for who looks at whole pages. */
	for (unsigned int i = 0; i < WRITERS; i++)
		for (unsigned int page = 0; page < N; page++)
			mapping[page * PAGE + BYTE + i] =
				((uint8_t *)(uint64_t[]){ pattern_word(SEED, page, BYTE / 8) })[i];
	check_eq("V5", mapping_bad(mapping, N, SEED), 0, "all pages are right in the end");
	check_eq("V5", grants_bad(grants, SEED), 0, "the granter sees the same");
	check("V5", xen_holds(grants) >= N, "Xen maps each page");
	check_ok("V4", dev_munmap(mapping, N), "munmap");
	check_eq("A2", xen_holds(grants), 0, "Xen holds nothing");
	check_ok("M5", dev_unmap(fd, index, N), "and the range can be removed");
	close(fd);
	check_eq("A2", grants_free(grants), 0, "the granter gets all pages back");
	return t_done();
}
