// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "taken.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "dev.h"
#include "lot.h"
#include "t.h"

struct taken *taken_map(unsigned int domid, const uint32_t *refs, unsigned int n)
{
	struct ioctl_gntdev_grant_ref *grants = calloc(n, sizeof(*grants));
	struct taken *taken = calloc(1, sizeof(*taken));
	uint64_t index;
	int err;

	for (unsigned int i = 0; i < n; i++)
		grants[i] = (struct ioctl_gntdev_grant_ref){ domid, refs[i] };
	taken->fd = dev_open();
	taken->n = n;
	taken->memory = MAP_FAILED;
	if (!dev_map(taken->fd, grants, n, &index))
		taken->memory = dev_mmap(taken->fd, index, n, RW);
	free(grants);
	if (taken->memory != MAP_FAILED)
		return taken;
	err = errno;
	close(taken->fd);
	free(taken);
	errno = err;
	return NULL;
}

void taken_free(struct taken *taken)
{
	dev_munmap(taken->memory, taken->n);
	close(taken->fd);
	free(taken);
}

unsigned int mapping_bad(const void *mapping, unsigned int n, unsigned int seed)
{
	unsigned int bad = 0;

	for (unsigned int i = 0; i < n; i++) {
		const uint64_t *words = (const void *)((const char *)mapping + i * PAGE);
		unsigned int word = 0;

		if (t_byte(words) < 0) {
			bad++;
			continue;
		}
		while (word < PAGE / 8 && words[word] == pattern_word(seed, i, word))
			word++;
		bad += word != PAGE / 8;
	}
	return bad;
}

void mapping_fill(void *mapping, unsigned int n, unsigned int seed)
{
	for (unsigned int i = 0; i < n; i++)
		for (unsigned int word = 0; word < PAGE / 8; word++)
			((uint64_t *)((char *)mapping + i * PAGE))[word] =
				pattern_word(seed, i, word);
}

void runs_write(FILE *out, const uint32_t *refs, unsigned int n)
{
	for (unsigned int i = 0, length; i < n; i += length) {
		int step = i + 1 < n && refs[i + 1] == refs[i] - 1 ? -1 : 1;

		length = 1;
		while (i + length < n && refs[i + length] == refs[i] + step * length)
			length++;
		fprintf(out, "%s%u%c%u", i ? " " : "", refs[i], step < 0 ? '-' : '+', length);
	}
}

bool runs_read(const char *text, uint32_t *refs, unsigned int n)
{
	char *next = (char *)text;

	for (unsigned int i = 0; i < n;) {
		unsigned int first = strtoul(next, &next, 10), length;
		bool down = *next == '-';

		if (*next != '-' && *next != '+')
			return false;
		length = strtoul(next + 1, &next, 10);
		for (unsigned int k = 0; k < length && i < n; k++)
			refs[i++] = down ? first - k : first + k;
	}
	return true;
}
