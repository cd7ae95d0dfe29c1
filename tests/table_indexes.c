// SPDX-License-Identifier: GPL-2.0-or-later
/* Indexes: page-aligned, never overlapping, used again, and as quick with 20,000 ranges, or 100,000. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/dev.h"
#include "lib/t.h"

struct range {
	uint64_t index;
	unsigned int count;
};

static int by_index(const void *a, const void *b)
{
	uint64_t one = ((const struct range *)a)->index, other = ((const struct range *)b)->index;

	return one < other ? -1 : one > other;
}

static unsigned int overlaps(const struct range *ranges, unsigned int n)
{
	struct range *sorted = malloc(n * sizeof(*sorted));
	unsigned int found = 0;

	memcpy(sorted, ranges, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_index);
	for (unsigned int i = 1; i < n; i++)
		found += sorted[i - 1].index + sorted[i - 1].count * PAGE > sorted[i].index;
	free(sorted);
	return found;
}

static void shuffle(struct range *ranges, unsigned int n)
{
	for (unsigned int i = n - 1; i > 0; i--) {
		unsigned int k = random() % (i + 1);
		struct range swap = ranges[i];

		ranges[i] = ranges[k];
		ranges[k] = swap;
	}
}

static void few(void)
{
	static const unsigned int counts[] = { 1, 3, 1, 16, 2, 512, 1, 7 };
	enum { N = sizeof(counts) / sizeof(counts[0]) };
	struct range ranges[N + 1];
	uint64_t end = 0, index;
	bool aligned = true;
	int fd = dev_open();

	for (int i = 0; i < N; i++) {
		ranges[i].count = counts[i];
		if (dev_map_fake(fd, counts[i], &ranges[i].index))
			t_bail("MAP_GRANT_REF of %u: %s", counts[i], strerror(errno));
		aligned = aligned && ranges[i].index % PAGE == 0;
		if (ranges[i].index + counts[i] * PAGE > end)
			end = ranges[i].index + counts[i] * PAGE;
	}
	check("M1", aligned, "an index is page-aligned");
	check_eq("M1", overlaps(ranges, N), 0, "ranges of many sizes do not overlap");

	check_ok("M1", dev_unmap(fd, ranges[3].index, 16), "remove a range in the middle");
	check_ok("M1", dev_map_fake(fd, 16, &index), "a range of the same size");
	check("M1", index + 16 * PAGE <= end, "goes where it was: a freed offset is used again");
	ranges[3].index = index;
	check_eq("M1", overlaps(ranges, N), 0, "and overlaps nothing");

	check_ok("M1", dev_unmap(fd, ranges[5].index, 512), "remove a large range");
	ranges[5].count = 500;
	check_ok("M1", dev_map_fake(fd, 500, &ranges[5].index), "a smaller one after it");
	ranges[N].count = 12;
	check_ok("M1", dev_map_fake(fd, 12, &ranges[N].index), "and one of the rest");
	check_eq("M1", overlaps(ranges, N + 1), 0, "overlap nothing");
	close(fd);

	fd = dev_open();
	check_ok("M1", dev_map_fake(fd, 4, &index), "Xen is not asked yet: refs of no domain");
	check_ok("M1", dev_unmap(fd, index, 4), "and they can be removed");
	end = 0;
	for (int i = 0; i < 5000; i++) {
		if (dev_map_fake(fd, 1 + i % 3, &index) || dev_unmap(fd, index, 1 + i % 3))
			t_bail("round %d: %s", i, strerror(errno));
		if (index > end)
			end = index;
	}
	check("M1", end < 64 * PAGE, "5,000 rounds of add and remove use the same few offsets");
	close(fd);
}

/* Milliseconds for 2,000 times adding and removing one range beside those that are held. */
static long long rounds(int fd)
{
	long long began = t_now_ms();
	uint64_t index;

	for (int i = 0; i < 2000; i++)
		if (dev_map_fake(fd, 1, &index) || dev_unmap(fd, index, 1))
			t_bail("one range beside many: %s", strerror(errno));
	return t_now_ms() - began;
}

static void many(void)
{
	const unsigned int N = t_full() ? 100000 : 20000, KEEP = N / 2;
	struct range *ranges = calloc(N, sizeof(*ranges));
	unsigned int failed = 0, n = 0;
	long long alone, beside;
	uint64_t index;
	int fd = dev_open();

	alone = rounds(fd);
	for (; n < N; n++) {
		ranges[n].count = 1;
		if (dev_map_fake(fd, 1, &ranges[n].index))
			break;
		/* A list would take hours: that is a hang, and not waited for. */
		if (n % 1000 == 999 && t_now_ms() > 0 && n < N - 1) {
			static long long began;

			began = began ? began : t_now_ms();
			if (t_now_ms() - began > 5 * T_PATIENCE_MS) {
				n++;
				break;
			}
		}
	}
	check_eq("M1", n, N, "register %u ranges of one page", N);
	check_eq("M1", overlaps(ranges, n), 0, "none overlaps another");
	if (n == N) {
		beside = rounds(fd);
		t_note("2,000 rounds take %lld ms alone, %lld ms beside %u ranges", alone, beside, n);
	}

	srandom(1);
	shuffle(ranges, n);
	if (n < N) {
		t_skip("M1", "not that many ranges", "remove half of them in random order");
		t_skip("M1", "not that many ranges", "a removed one is gone, a kept one is not");
		t_skip("M1", "not that many ranges", "their offsets are used again");
		close(fd);
		free(ranges);
		return;
	}
	for (unsigned int i = KEEP; i < N; i++)
		failed += dev_unmap(fd, ranges[i].index, 1) != 0;
	check_eq("M1", failed, 0, "remove half of them in random order");
	failed = 0;
	for (unsigned int i = KEEP; i < N; i += 97)
		failed += errno_of(dev_unmap(fd, ranges[i].index, 1)) != ENOENT;
	for (unsigned int i = 0; i < KEEP; i += 97)
		failed += errno_of(dev_unmap(fd, ranges[i].index, 2)) != ENOENT;
	check_eq("M1", failed, 0, "a removed one is gone, a kept one is not");
	failed = 0;
	for (unsigned int i = KEEP; i < N; i++)
		failed += dev_map_fake(fd, 1, &ranges[i].index) != 0 ||
			  ranges[i].index >= (uint64_t)N * PAGE;
	check_eq("M1", failed, 0, "their offsets are used again");
	check_eq("M1", overlaps(ranges, N), 0, "and again nothing overlaps");
	failed = 0;
	for (unsigned int i = 0; i < N; i++)
		failed += dev_unmap(fd, ranges[i].index, 1) != 0;
	check_eq("M1", failed, 0, "every one of them can be removed");
	check_ok("M1", dev_map_fake(fd, 1000, &index), "the table is as good as new");
	close(fd);
	free(ranges);
}

int main(void)
{
	t_start();
	few();
	many();
	return t_done();
}
