// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * As tapdisk does: the ring is mapped through one descriptor, and the data copied through
 * another, which was opened to read only, without blocking. And what the access mode of a
 * descriptor decides: mmap(2), and nothing else.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/buffer.h"
#include "lib/grant.h"

#define RING 4
#define SEGMENTS 11 /* of a request */
#define SECTOR 512
#define REQUESTS 12

static struct grants *grants;

/* Where in its page the data of a segment begins, and how long it is. */
static unsigned int first_byte(unsigned int request, unsigned int i)
{
	return (request + i) % 8 * SECTOR;
}

static unsigned int bytes(unsigned int request, unsigned int i)
{
	return (8 - (request + i) % 8) * SECTOR;
}

/* A request's segments, between the granter's pages and a buffer that has a page for each. */
static bool copy(int fd, unsigned int request, char *buffer, bool writes)
{
	segment_t segments[SEGMENTS];
	bool good;

	for (unsigned int i = 0; i < SEGMENTS; i++) {
		unsigned int from = first_byte(request, i), length = bytes(request, i);

		segments[i] = writes ?
			seg_from(&grants->refs[i], from, buffer + i * PAGE + from, length) :
			seg_to(&grants->refs[i], from, buffer + i * PAGE + from, length);
	}
	good = !dev_copy(fd, segments, SEGMENTS);
	for (unsigned int i = 0; i < SEGMENTS; i++)
		good = good && segments[i].status == GNTST_okay;
	return good;
}

/* How many segments of @buffer are not as the granter filled its pages. */
static unsigned int differ(unsigned int request, const char *buffer, unsigned int seed)
{
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < SEGMENTS; i++) {
		unsigned int word = first_byte(request, i) / 8;
		const uint64_t *words = (const uint64_t *)(buffer + i * PAGE);

		while (word < PAGE / 8 && words[word] == pattern_word(seed, i, word))
			word++;
		wrong += word != PAGE / 8;
	}
	return wrong;
}

/* A disk from the connection of its frontend to the end. */
static void disk(void)
{
	int copier = open(DEVICE, O_NONBLOCK), rings = dev_open();
	int file = open("as_tapdisk.tmp", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct grants *ring = grants_make(RING);
	char *buffer = aligned_alloc(PAGE, SEGMENTS * PAGE), *mapping;
	unsigned int wrong = 0, count;
	uint64_t index;

	check_eq("P3", fcntl(copier, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDONLY | O_NONBLOCK,
		 "a descriptor to read only, without blocking");
	grants_fill(ring, 1);
	dev_map(rings, ring->refs, RING, &index);
	mapping = dev_mmap(rings, index, RING, RW);
	check("P3", mapping != MAP_FAILED && !mapping_bad(mapping, RING, 1),
	      "the ring is mapped through another one");
	for (unsigned int i = 0; i < REQUESTS && !wrong; i++) {
		/* The guest writes to the disk, and reads from it. */
		grants_fill(grants, 10 + i);
		wrong += !copy(copier, i, buffer, true);
		wrong += differ(i, buffer, 10 + i);
		wrong += pwrite(file, buffer, SEGMENTS * PAGE, i * SEGMENTS * PAGE) !=
			 SEGMENTS * PAGE;
		/* So that it can be seen that the guest gets what it reads. */
		mapping_fill(buffer, SEGMENTS, 1000);
		wrong += !copy(copier, i, buffer, false);
		wrong += pread(file, buffer, SEGMENTS * PAGE, i * SEGMENTS * PAGE) !=
			 SEGMENTS * PAGE;
		wrong += !copy(copier, i, buffer, false);
		wrong += grants_bad(grants, 10 + i);
		mapping_fill(mapping, RING, 2 + i);
	}
	check_eq("P3", wrong, 0, "%u requests, each of %u segments, are copied through it",
		 REQUESTS, SEGMENTS);
	check_eq("P3", grants_bad(ring, 1 + REQUESTS), 0, "the frontend sees the responses");
	check_ok("P3", dev_offset(rings, mapping, &index, &count), "the ring's index");
	check_ok("P3", dev_munmap(mapping, RING), "its munmap");
	check_ok("P3", dev_unmap(rings, index, count), "its end");
	close(copier);
	close(rings);
	close(file);
	unlink("as_tapdisk.tmp");
	free(buffer);
	check_eq("A2", xen_holds(ring) + xen_holds(grants), 0, "Xen holds nothing");
	check_eq("A2", grants_free(ring), 0, "the ring is free");
}

/* The calls that map, and what the mode allows of them. */
static void mmaps(int fd, uint64_t index, bool reads, bool writes, const char *mode)
{
	unsigned int count = 0;
	uint64_t found = 1;
	char *mapping;

	check_errno("P3", mapping = dev_mmap(fd, index, SEGMENTS, RO),
		    reads ? 0 : EACCES, "%s: mmap to read", mode);
	if (mapping != MAP_FAILED) {
		check_eq("P3", mapping_bad(mapping, SEGMENTS, 3), 0, "%s: shows the pages", mode);
		check_errno("P3", mprotect(mapping, SEGMENTS * PAGE, RW), EACCES,
			    "%s: which stays read-only", mode);
		check_ok("P3", dev_offset(fd, mapping, &found, &count), "%s: GET_OFFSET_FOR_VADDR",
			 mode);
		check("P3", found == index && count == SEGMENTS, "%s: tells the range", mode);
		dev_munmap(mapping, SEGMENTS);
	} else {
		check_errno("P3", dev_offset(fd, grants, &found, &count), EINVAL,
			    "%s: GET_OFFSET_FOR_VADDR, where nothing is mapped", mode);
	}
	check_errno("P3", mapping = dev_mmap(fd, index, SEGMENTS, RW),
		    reads && writes ? 0 : EACCES, "%s: mmap to read and write", mode);
	if (mapping != MAP_FAILED)
		dev_munmap(mapping, SEGMENTS);
	check_errno("P3", mapping = dev_mmap(fd, index, SEGMENTS, PROT_WRITE),
		    reads && writes ? 0 : EACCES, "%s: mmap to write", mode);
	if (mapping != MAP_FAILED)
		dev_munmap(mapping, SEGMENTS);
}

/* The buffer that is made has nothing to do with the mode of the descriptor that it is made by. */
static void exports(int fd, const char *mode)
{
	int buffer = -1;
	char *mapping;

	check_ok("P3", dev_export(fd, 0, grants->refs, SEGMENTS, &buffer), "%s: EXP_FROM_REFS",
		 mode);
	mapping = mmap(NULL, SEGMENTS * PAGE, RW, MAP_SHARED, buffer, 0);
	if (check("P3", mapping != MAP_FAILED, "%s: the dma-buf can be mapped to write", mode)) {
		mapping_fill(mapping, SEGMENTS, 3);
		munmap(mapping, SEGMENTS * PAGE);
	}
	check_errno("P3", dev_wait_released(fd, buffer, 0), ETIMEDOUT, "%s: EXP_WAIT_RELEASED",
		    mode);
	close(buffer);
	check_errnos("P3", dev_wait_released(fd, buffer, T_PATIENCE_MS), errnos(0, ENOENT),
		     "%s: EXP_WAIT_RELEASED of what is closed", mode);
}

static void imports(int fd, const char *mode)
{
	struct buffer *buffer = buffer_make(BUFFER_LONG, SEGMENTS);
	struct ioctl_gntdev_grant_ref refs[SEGMENTS];

	if (!buffer)
		t_bail("/dev/dmabuf-probe: %m");
	check_ok("P3", dev_import(fd, buffer->fd, SEGMENTS, granter_domid(), refs),
		 "%s: IMP_TO_REFS", mode);
	check_ok("P3", dev_import_release(fd, buffer->fd), "%s: IMP_RELEASE", mode);
	buffer_free(buffer);
}

static void each_call(int mode, const char *name, struct channel *channel)
{
	int fd = open(DEVICE, mode | O_CLOEXEC), access = mode & O_ACCMODE;
	char page[PAGE];
	segment_t segments[2] = {
		seg_from(&grants->refs[0], 0, page, PAGE), seg_to(&grants->refs[1], 0, page, PAGE),
	};
	uint64_t index;

	grants_fill(grants, 3);
	if (!check("P3", fd >= 0, "%s: open", name))
		return;
	check_ok("P3", dev_max(fd, SEGMENTS), "%s: SET_MAX_GRANTS", name);
	check_ok("P3", dev_map(fd, grants->refs, SEGMENTS, &index), "%s: MAP_GRANT_REF", name);
	mmaps(fd, index, access == O_RDONLY || access == O_RDWR, access == O_RDWR, name);
	check_ok("P3", dev_notify(fd, index + PAGE, UNMAP_NOTIFY_SEND_EVENT, channel->port),
		 "%s: SET_UNMAP_NOTIFY", name);
	check_ok("P3", dev_notify(fd, index + PAGE, 0, 0), "%s: and its end", name);
	check_ok("P3", dev_unmap(fd, index, SEGMENTS), "%s: UNMAP_GRANT_REF", name);
	check_ok("P3", dev_copy(fd, segments, 2), "%s: GRANT_COPY", name);
	check("P3", !segments[0].status && !segments[1].status &&
	      grants_peek(grants, 1, 9) == grants_peek(grants, 0, 9), "%s: from there and to there",
	      name);
	exports(fd, name);
	check_eq("P3", grants_bad(grants, 3), 0, "%s: the granter sees what was written", name);
	imports(fd, name);
	close(fd);
	check_eq("A2", xen_holds(grants), 0, "%s: Xen holds nothing", name);
}

int main(void)
{
	struct channel *channel;

	t_start();
	grants = grants_make(SEGMENTS);
	channel = channel_make();
	disk();
	each_call(O_RDONLY | O_NONBLOCK, "O_RDONLY | O_NONBLOCK", channel);
	each_call(O_RDONLY, "O_RDONLY", channel);
	each_call(O_WRONLY, "O_WRONLY", channel);
	each_call(O_WRONLY | O_NONBLOCK, "O_WRONLY | O_NONBLOCK", channel);
	each_call(O_RDWR | O_NONBLOCK, "O_RDWR | O_NONBLOCK", channel);
	/* Linux's fourth mode: neither to read nor to write. */
	each_call(O_ACCMODE, "for ioctls alone", channel);
	channel_free(channel);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
