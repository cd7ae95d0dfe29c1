// SPDX-License-Identifier: GPL-2.0-or-later
/* GRANT_COPY between pages of another domain and memory of every kind, at any alignment. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/grant.h"

#define N 4

static struct grants *grants;
static char want[N * PAGE];
static int fd;

static bool all_okay(const segment_t *segments, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (segments[i].status != GNTST_okay)
			return false;
	return true;
}

/* All pages to @memory and back again, in one call each. */
static void there_and_back(char *memory, unsigned int seed, const char *kind)
{
	segment_t segments[N];

	grants_fill(grants, seed);
	for (unsigned int i = 0; i < N; i++)
		segments[i] = seg_from(&grants->refs[i], 0, memory + i * PAGE, PAGE);
	check_ok("C1", dev_copy(fd, segments, N), "%s: from references", kind);
	check("C2", all_okay(segments, N), "%s: every status is okay", kind);
	mapping_fill(want, N, seed);
	check("C1", !memcmp(memory, want, sizeof(want)), "%s: all bytes are here", kind);

	mapping_fill(want, N, seed + 1);
	memcpy(memory, want, sizeof(want));
	for (unsigned int i = 0; i < N; i++)
		segments[i] = seg_to(&grants->refs[i], 0, memory + i * PAGE, PAGE);
	check_ok("C1", dev_copy(fd, segments, N), "%s: to references", kind);
	check("C2", all_okay(segments, N), "%s: every status is okay", kind);
	check_eq("C1", grants_bad(grants, seed + 1), 0, "%s: all bytes are there", kind);
}

static char *map_memory(int flags, int file, size_t size)
{
	char *memory = mmap(NULL, size, RW, flags, file, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static void of_every_kind(void)
{
	static char data[N * PAGE + 100];
	char stack[N * PAGE + 100], *memory;
	int file = open("copy.tmp", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	memory = map_memory(MAP_PRIVATE | MAP_ANONYMOUS, -1, N * PAGE);
	there_and_back(memory, 1, "fresh anonymous memory");
	munmap(memory, N * PAGE);
	there_and_back(data + 33, 3, "static data, unaligned");
	there_and_back(stack + 7, 5, "the stack, unaligned");

	if (ftruncate(file, N * PAGE))
		t_bail("copy.tmp: %m");
	memory = map_memory(MAP_SHARED, file, N * PAGE);
	there_and_back(memory, 7, "a shared file");
	check_eq("C4", pread(file, data, N * PAGE, 0), N * PAGE, "read(2) of that file");
	check("C4", !memcmp(data, want, N * PAGE), "gives what was copied");
	munmap(memory, N * PAGE);
	memory = map_memory(MAP_PRIVATE, file, N * PAGE);
	there_and_back(memory, 9, "a private file");
	check_eq("C1", pread(file, data, N * PAGE, 0), N * PAGE, "read(2) of that file");
	mapping_fill(want, N, 8);
	check("C1", !memcmp(data, want, N * PAGE), "which is as it was");
	munmap(memory, N * PAGE);
	close(file);
	unlink("copy.tmp");

	memory = map_memory(MAP_SHARED | MAP_ANONYMOUS, -1, N * PAGE);
	there_and_back(memory, 11, "shared anonymous memory");
	munmap(memory, N * PAGE);

	memory = aligned_alloc(2 << 20, 4 << 20);
	madvise(memory, 4 << 20, MADV_HUGEPAGE);
	there_and_back(memory + (2 << 20) - 2 * PAGE + 5, 13, "across transparent huge pages");
	free(memory);

	t_write_file("/proc/sys/vm/nr_hugepages", "1");
	memory = map_memory(MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 2 << 20);
	if (memory) {
		there_and_back(memory + 65536, 15, "a huge page");
		munmap(memory, 2 << 20);
	} else {
		t_skip("C1", "none can be had (a PV kernel has none)", "a huge page");
	}
	t_write_file("/proc/sys/vm/nr_hugepages", "0");
}

/* Where [stack] begins in the address space. */
static uintptr_t stack_start(void)
{
	uintptr_t start = 0;
	char line[256];
	FILE *maps = fopen("/proc/self/maps", "r");

	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "[stack]"))
			start = strtoul(line, NULL, 16);
	if (maps)
		fclose(maps);
	return start;
}

/* Below all that the stack has grown to yet: an access there would make it grow. */
static int into_new_stack(void *write)
{
	char *below = (char *)stack_start() - (512 << 10);
	segment_t segment = write ? seg_from(&grants->refs[0], 0, below, PAGE) :
				    seg_to(&grants->refs[0], 0, below, PAGE);

	if (dev_copy(fd, &segment, 1) || segment.status)
		return 1;
	if (stack_start() > (uintptr_t)below)
		return 2;
	mapping_fill(want, 1, 17);
	return write && memcmp(below, want, PAGE) ? 3 : 0;
}

static void new_stack(void)
{
	grants_fill(grants, 17);
	check_eq("C1", t_wait(t_child(into_new_stack, "write")), 0,
		 "to the stack, where it has not grown to yet");
	check_eq("C1", t_wait(t_child(into_new_stack, NULL)), 0, "from there");
	check_eq("C1", grants_peek(grants, 0, 100), 0, "which reads as zeroes");
}

/* Reading memory that nobody has written to yet, and memory shared after a fork. */
static int copies_from(void *shared)
{
	segment_t segment = seg_to(&grants->refs[0], 0, shared, PAGE);

	return dev_copy(fd, &segment, 1) || segment.status ? 1 : 0;
}

static void copy_on_write(void)
{
	char *memory = map_memory(MAP_PRIVATE | MAP_ANONYMOUS, -1, 2 * PAGE), *copy = memory + PAGE;
	segment_t segments[3];

	grants_fill(grants, 1);
	segments[0] = seg_to(&grants->refs[0], 0, memory, PAGE);
	check_ok("C1", dev_copy(fd, segments, 1), "memory that was never touched");
	check_eq("C1", grants_peek(grants, 0, 100), 0, "reads as zeroes");

	/* One call reads a page, writes it, and reads it again. */
	grants_fill(grants, 2);
	segments[0] = seg_to(&grants->refs[0], 0, copy, PAGE);
	segments[1] = seg_from(&grants->refs[1], 0, copy, PAGE);
	segments[2] = seg_to(&grants->refs[2], 0, copy, PAGE);
	check_ok("C1", dev_copy(fd, segments, 3), "read, write and read one fresh page in a call");
	check("C2", all_okay(segments, 3), "every status is okay");
	check_eq("C1", grants_peek(grants, 0, 100), 0, "the first read saw zeroes");
	check_eq("C1", grants_peek(grants, 2, 100), grants_peek(grants, 1, 100),
		 "the second what was written");
	check_eq("C1", (uint8_t)copy[100], grants_peek(grants, 1, 100), "and so does the process");

	memset(memory, 0x11, PAGE);
	check_eq("C1", t_wait(t_child(copies_from, memory)), 0,
		 "a child reads memory that it shares with its parent");
	check_eq("C1", grants_peek(grants, 0, 5), 0x11, "which is its parent's");
	munmap(memory, 2 * PAGE);
}

static void lengths_and_offsets(void)
{
	static const unsigned int lens[] = { 0, 1, 7, 8, 64, 511, 2048, 4095, 4096 };
	static char local[3 * PAGE], before[3 * PAGE];
	unsigned int wrong_from = 0, wrong_to = 0, refused = 0, cases = 0;
	char page[PAGE];

	grants_fill(grants, 20);
	mapping_fill(want, N, 20);
	memset(before, 0xa5, sizeof(before));
	for (unsigned int l = 0; l < sizeof(lens) / sizeof(*lens); l++) {
		unsigned int len = lens[l];

		for (unsigned int at = 0; at <= PAGE + 1; at += at < 16 || at > 4080 ? 5 : 509) {
			unsigned int foreign = (PAGE - len) / 3;
			segment_t segment = seg_from(&grants->refs[1], foreign, local + at, len);

			memset(local, 0xa5, sizeof(local));
			refused += dev_copy(fd, &segment, 1) || segment.status;
			memcpy(before + at, want + PAGE + foreign, len);
			wrong_from += !!memcmp(local, before, sizeof(local));
			memset(before + at, 0xa5, len);
			cases++;
		}
	}
	check_eq("C1", refused, 0, "%u lengths and alignments, from a reference: no error", cases);
	check_eq("C1", wrong_from, 0, "just those bytes are copied");

	refused = cases = 0;
	mapping_fill(local, 3, 21);
	for (unsigned int l = 0; l < sizeof(lens) / sizeof(*lens); l++) {
		unsigned int len = lens[l];

		for (unsigned int at = 3; at <= PAGE; at += 1361) {
			unsigned int foreign = PAGE - len;
			segment_t whole = seg_from(&grants->refs[2], 0, page, PAGE);
			segment_t segment = seg_to(&grants->refs[2], foreign, local + at, len);

			refused += dev_copy(fd, &segment, 1) || segment.status;
			memcpy(want + 2 * PAGE + foreign, local + at, len);
			refused += dev_copy(fd, &whole, 1) || whole.status;
			wrong_to += !!memcmp(page, want + 2 * PAGE, PAGE);
			cases++;
		}
	}
	check_eq("C1", refused, 0, "%u of them to a reference: no error", cases);
	check_eq("C1", wrong_to, 0, "just those bytes are copied");
}

static void between_references(void)
{
	segment_t segments[3];
	char expect[PAGE], got[PAGE];

	grants_fill(grants, 30);
	mapping_fill(want, N, 30);
	segments[0] = seg_between(&grants->refs[0], 100, &grants->refs[1], 200, 3000);
	segments[1] = seg_between(&grants->refs[1], 0, &grants->refs[2], 0, PAGE);
	segments[2] = seg_from(&grants->refs[2], 0, got, PAGE);
	memcpy(expect, want + PAGE, PAGE);
	memcpy(expect + 200, want + 100, 3000);
	check_ok("C1", dev_copy(fd, segments, 3), "from one reference to the next, in a row");
	check("C2", all_okay(segments, 3), "every status is okay");
	check("C1", !memcmp(got, expect, PAGE), "in the order of the segments");
}

/* What one segment brings to local memory a later one takes on. */
static void through_local_memory(void)
{
	static char local[2 * PAGE];
	segment_t segments[] = {
		seg_from(&grants->refs[0], 0, local, PAGE),
		seg_to(&grants->refs[1], 0, local, PAGE),
		seg_from(&grants->refs[1], 0, local + PAGE, PAGE),
		seg_between(&grants->refs[2], 0, &grants->refs[3], 0, PAGE),
		seg_to(&grants->refs[2], 0, local + PAGE, PAGE),
	};
	char expect[N * PAGE];

	grants_fill(grants, 45);
	mapping_fill(expect, N, 45);
	check_ok("C1", dev_copy(fd, segments, 5), "from a page through local memory to others");
	check("C1", !memcmp(local, expect, PAGE) && !memcmp(local + PAGE, expect, PAGE),
	      "each segment sees what the one before it did");
	segments[0] = seg_from(&grants->refs[2], 0, local, PAGE);
	segments[1] = seg_from(&grants->refs[3], 0, local + PAGE, PAGE);
	check_ok("C1", dev_copy(fd, segments, 2), "the others");
	check("C1", !memcmp(local, expect, PAGE), "have it");
	check("C1", !memcmp(local + PAGE, expect + 2 * PAGE, PAGE), "or what was there before");
}

/* Local memory that is itself a mapping of granted pages. */
static void through_a_mapping(int prot)
{
	const char *kind = prot == RW ? "a mapping" : "a read-only mapping";
	segment_t segments[3];
	uint64_t index;
	char *mapping, plain[2 * PAGE];

	grants_fill(grants, 40);
	mapping_fill(want, N, 40);
	dev_map(fd, grants->refs, N, &index);
	mapping = dev_mmap(fd, index, N, prot);
	segments[0] = seg_to(&grants->refs[3], 16, mapping + PAGE + 1000, 4000);
	check_ok("C1", dev_copy(fd, segments, 1), "%s is read, across pages", kind);
	check_eq("C2", segments[0].status, GNTST_okay, "%s: the status is okay", kind);
	check("C1", !memcmp(mapping + 3 * PAGE + 16, want + PAGE + 1000, 4000), "%s: so are the bytes",
	      kind);

	segments[0] = seg_from(&grants->refs[0], 0, mapping + 2 * PAGE - 100, 300);
	segments[1] = seg_from(&grants->refs[0], 5, plain + PAGE - 100, 300);
	if (prot == RW) {
		check_ok("C1", dev_copy(fd, segments, 2), "%s is written, across pages", kind);
		check("C2", all_okay(segments, 2), "%s: every status is okay", kind);
		check("C1", !memcmp(mapping + 2 * PAGE - 100, want, 300), "%s: the bytes are there", kind);
		check("C1", !memcmp(plain + PAGE - 100, want + 5, 300), "and in plain memory");
	} else {
		check_errno("C3", dev_copy(fd, segments, 2), EFAULT, "%s is not written", kind);
		check_eq("C3", segments[0].status, GNTST_general_error, "%s: and says so", kind);
		check_eq("C3", segments[1].status, GNTST_general_error, "%s: nor what comes after", kind);
	}
	check_ok("V8", dev_munmap(mapping, N), "munmap");
	check_eq("A2", xen_holds(grants), 0, "nothing stays mapped");
	dev_unmap(fd, index, N);
}

/* ---- segments of all kinds, one after the other ---- */

#define LOCAL	6
#define SHARED	3
#define CALLS	60
#define MANY	100

static char local_model[LOCAL * PAGE], grants_model[N * PAGE];

/* Repeats itself, so that a failure does. */
static unsigned int random_below(unsigned int n)
{
	static uint64_t state = 1;

	state = state * 6364136223846793005 + 1442695040888963407;
	return (state >> 33) % n;
}

/* A segment that moves some bytes, in the model, too. The local ones are at @local. */
static segment_t random_segment(char *local)
{
	static const unsigned int lens[] = { 3, 600, 1023, 1024, 3000, PAGE, PAGE, PAGE };
	unsigned int len = lens[random_below(sizeof(lens) / sizeof(*lens))];
	unsigned int page = random_below(N), other = (page + 1 + random_below(N - 1)) % N;
	unsigned int offset = random_below(PAGE - len + 1), there = random_below(PAGE - len + 1);
	/* Half of them from the beginning of a page. */
	unsigned int at = random_below(2) ? random_below(LOCAL * PAGE - len + 1) :
					    random_below(LOCAL) * PAGE;
	char *foreign = grants_model + page * PAGE + offset;

	switch (random_below(5)) {
	case 0:
		memmove(grants_model + other * PAGE + there, foreign, len);
		return seg_between(&grants->refs[page], offset, &grants->refs[other], there, len);
	case 1:
	case 2:
		memcpy(local_model + at, foreign, len);
		return seg_from(&grants->refs[page], offset, local + at, len);
	default:
		memcpy(foreign, local_model + at, len);
		return seg_to(&grants->refs[page], offset, local + at, len);
	}
}

struct sharer {
	const char *local;
	int pipe[2];
};

/* Has the pages of its parent as they are now, and sees whether they stay so, the shared one apart. */
static int sees_no_change(void *argument)
{
	struct sharer *sharer = argument;
	char byte;

	close(sharer->pipe[1]);
	if (read(sharer->pipe[0], &byte, 1))
		return 1;
	return memcmp(sharer->local, local_model, SHARED * PAGE) ||
	       memcmp(sharer->local + (SHARED + 1) * PAGE, local_model + (SHARED + 1) * PAGE,
		      (LOCAL - SHARED - 1) * PAGE);
}

static void any_order(void)
{
	unsigned int errors = 0, refused = 0, wrong_local = 0, wrong_there = 0, wrong_child = 0;
	char *local = map_memory(MAP_PRIVATE | MAP_ANONYMOUS, -1, LOCAL * PAGE);
	int file = memfd_create("local", MFD_CLOEXEC);
	static segment_t segments[MANY + N];
	static char there[N * PAGE];

	/* One page is of a file, so that memory goes on where its kind does not. */
	ftruncate(file, PAGE);
	mmap(local + SHARED * PAGE, PAGE, RW, MAP_SHARED | MAP_FIXED, file, 0);
	mapping_fill(local, LOCAL, 60);
	memcpy(local_model, local, sizeof(local_model));
	grants_fill(grants, 61);
	mapping_fill(grants_model, N, 61);
	for (unsigned int call = 0; call < CALLS; call++) {
		unsigned int n = 1 + random_below(MANY);
		struct sharer sharer = { .local = local };
		pid_t child;

		/* Memory shared with a child is written to elsewhere, by whoever writes first. */
		if (pipe(sharer.pipe))
			t_bail("pipe: %m");
		child = t_child(sees_no_change, &sharer);
		close(sharer.pipe[0]);
		for (unsigned int i = 0; i < n; i++)
			segments[i] = random_segment(local);
		for (unsigned int i = 0; i < N; i++)
			segments[n + i] = seg_from(&grants->refs[i], 0, there + i * PAGE, PAGE);
		errors += !!dev_copy(fd, segments, n + N);
		refused += !all_okay(segments, n + N);
		wrong_local += !!memcmp(local, local_model, sizeof(local_model));
		wrong_there += !!memcmp(there, grants_model, sizeof(there));
		close(sharer.pipe[1]);
		wrong_child += t_wait(child) != 0;
	}
	check_eq("C1", errors, 0, "%u calls of up to %u segments of all kinds: no error", CALLS, MANY);
	check_eq("C2", refused, 0, "every status is okay");
	check_eq("C1", wrong_local, 0, "local memory is as if they were done one by one");
	check_eq("C1", wrong_there, 0, "so are the pages");
	check_eq("C1", wrong_child, 0, "a child that shared the memory has what was there before");
	munmap(local, LOCAL * PAGE);
	close(file);
}

int main(void)
{
	t_start();
	fd = dev_open();
	grants = grants_make(N);
	check_ok("C1", dev_copy(fd, NULL, 0), "no segments at all");
	of_every_kind();
	new_stack();
	copy_on_write();
	lengths_and_offsets();
	between_references();
	through_local_memory();
	through_a_mapping(RW);
	through_a_mapping(RO);
	any_order();
	close(fd);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
