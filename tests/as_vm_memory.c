// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * As rust-vmm's vm-memory does: a page is mapped for one access, with MAP_NORESERVE, PROT_READ
 * alone or PROT_WRITE alone, and unmapped after it, by all threads of a backend through one
 * descriptor; files are read and written straight into and from such a mapping. An error of an
 * unmap ends the backend.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/grant.h"

#define THREADS 4
#define EACH 4 /* pages, two for accesses and two for files */
#define N (THREADS * EACH)

static struct grants *grants;
static unsigned int rounds;
static int fd;

struct slice {
	char *memory;
	uint64_t index;
	unsigned int pages;
};

/* The pages that have @length bytes from @offset of page @first on. */
static bool slice_map(struct slice *slice, unsigned int first, unsigned int offset, size_t length,
		      int prot)
{
	slice->pages = (offset + length + PAGE - 1) / PAGE;
	if (dev_map(fd, grants->refs + first, slice->pages, &slice->index))
		return false;
	slice->memory = mmap(NULL, slice->pages * PAGE, prot, MAP_NORESERVE | MAP_SHARED, fd,
			     slice->index);
	return slice->memory != MAP_FAILED;
}

static bool slice_unmap(struct slice *slice)
{
	return !munmap(slice->memory, slice->pages * PAGE) &&
	       !dev_unmap(fd, slice->index, slice->pages);
}

/* One access: a word that this thread alone writes. */
static bool access_word(unsigned int first, unsigned int round)
{
	unsigned int offset = round * 8 % PAGE;
	struct slice slice;
	uint64_t *word;
	bool good;

	if (!slice_map(&slice, first, offset, 8, PROT_WRITE))
		return false;
	*(volatile uint64_t *)(slice.memory + offset) = pattern_word(round, first, 0);
	good = slice_unmap(&slice);
	if (!slice_map(&slice, first, offset, 8, PROT_READ))
		return false;
	word = (uint64_t *)(slice.memory + offset);
	good = good && *word == pattern_word(round, first, 0);
	return slice_unmap(&slice) && good;
}

/* A disk's request: a file's bytes into guest memory that crosses a page, and back to the file. */
static bool access_file(int file, unsigned int first, unsigned int round)
{
	unsigned int offset = round * 24 % PAGE, length = PAGE + 100 - offset % 100;
	char bytes[2 * PAGE], back[2 * PAGE];
	struct slice slice;
	bool good;

	if (offset + length > 2 * PAGE)
		length = 2 * PAGE - offset;
	memset(bytes, round, length);
	if (pwrite(file, bytes, length, 0) != length ||
	    !slice_map(&slice, first, offset, length, PROT_WRITE))
		return false;
	good = pread(file, slice.memory + offset, length, 0) == length;
	good = slice_unmap(&slice) && good;
	if (!slice_map(&slice, first, offset, length, PROT_READ))
		return false;
	good = pwrite(file, slice.memory + offset, length, 2 * PAGE) == length && good;
	good = slice_unmap(&slice) && good;
	return good && pread(file, back, length, 2 * PAGE) == length &&
	       !memcmp(bytes, back, length);
}

static void *backend_thread(void *number)
{
	unsigned int first = (uintptr_t)number * EACH;
	uintptr_t wrong = 0;
	char name[32];
	int file;

	snprintf(name, sizeof(name), "as_vm_memory.%u", first);
	file = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	for (unsigned int round = 0; round < rounds && !wrong; round++) {
		wrong += !access_word(first + round % 2, round);
		if (round % 4 == 0)
			wrong += !access_file(file, first + 2, round);
	}
	close(file);
	unlink(name);
	return (void *)wrong;
}

static void accesses(void)
{
	/* That of the last access to page 0, by the first thread. */
	unsigned int last = rounds - 2;
	pthread_t threads[THREADS];
	uint64_t index;
	void *wrong;

	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, backend_thread, (void *)i);
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &wrong);
		check_eq("P4", (uintptr_t)wrong, 0,
			 "thread %u: %u accesses, each a map and an unmap, %u of them by a file", i,
			 2 * rounds + rounds / 2, rounds / 2);
	}
	check_eq("P4", xen_holds(grants), 0, "Xen holds nothing");
	check_eq("P4", grants_peek(grants, 0, last * 8 % PAGE), (uint8_t)pattern_word(last, 0, 0),
		 "the granter has what was written");
	check_ok("P4", dev_map(fd, grants->refs, N, &index), "the table takes a range");
	check_eq("P4", index, 0, "and is empty before it");
	check_ok("P4", dev_unmap(fd, index, N), "the range goes");
}

/* A whole region, mapped in advance. */
static void in_advance(void)
{
	int file = open("as_vm_memory.tmp", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct slice slice;

	grants_fill(grants, 1);
	if (!check("P4", slice_map(&slice, 0, 0, N * PAGE, RW), "a region, mapped in advance"))
		return;
	check_eq("P4", write(file, slice.memory, N * PAGE), N * PAGE, "write(2) from it");
	grants_fill(grants, 2);
	check_eq("P4", pread(file, slice.memory, N * PAGE, 0), N * PAGE, "read(2) into it");
	check_eq("P4", grants_bad(grants, 1), 0, "the granter sees the file");
	check("P4", slice_unmap(&slice), "unmap");
	check_eq("P4", xen_holds(grants), 0, "Xen holds nothing");
	close(file);
	unlink("as_vm_memory.tmp");
}

int main(void)
{
	t_start();
	rounds = t_rounds(160, 4000);
	fd = dev_open();
	grants = grants_make(N);
	in_advance();
	accesses();
	close(fd);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
