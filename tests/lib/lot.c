// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "lot.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xen/gntalloc.h>

typedef uint16_t domid_t; /* which evtchn.h expects to be there */
#include <xen/evtchn.h>

#include "t.h"

/*
 * Each lot has a descriptor of gntalloc of its own: closing it frees what is left. gntalloc gives
 * up a page when no mapping of the whole VMA is left, so small lots map each page by itself.
 */
struct lot {
	int fd;
	unsigned int n;
	uint64_t index;
	uint32_t *refs;
	uint8_t **pages;
};

static int kmsg = -1;

/* gnttab says "deferring g.e. 0x10" of a grant that ends while Xen still holds it. */
static void listen_for_deferring(void)
{
	static const char on[] = "func gnttab_add_deferred +p\n";
	int control;

	if (kmsg >= 0)
		return;
	control = open("/proc/dynamic_debug/control", O_WRONLY | O_CLOEXEC);
	if (control < 0 || write(control, on, sizeof(on) - 1) < 0)
		fprintf(stderr, "# no dynamic debug: cannot see which grants end late\n");
	close(control);
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

static unsigned int count_deferred(const struct lot *lot, unsigned int first, unsigned int n)
{
	unsigned int deferred = 0, ref;
	char line[1024], *said;
	ssize_t length;

	while ((length = read(kmsg, line, sizeof(line) - 1)) >= 0 || errno == EPIPE) {
		if (length < 0)
			continue;
		line[length] = '\0';
		said = strstr(line, "ing g.e. ");
		if (!said || sscanf(said, "ing g.e. %x", &ref) != 1)
			continue;
		if (!strstr(line, "deferring") && !strstr(line, "leaking"))
			continue;
		for (unsigned int i = first; i < first + n; i++)
			deferred += lot->refs[i] == ref;
	}
	return deferred;
}

struct lot *lot_make(unsigned int n, bool writable, unsigned int domid, uint32_t *refs)
{
	struct ioctl_gntalloc_alloc_gref *alloc;
	struct lot *lot = calloc(1, sizeof(*lot));
	int err;

	listen_for_deferring();
	alloc = calloc(1, sizeof(*alloc) + n * sizeof(alloc->gref_ids[0]));
	lot->pages = calloc(n, sizeof(*lot->pages));
	lot->refs = calloc(n, sizeof(*lot->refs));
	lot->n = n;
	lot->fd = open("/dev/xen/gntalloc", O_RDWR | O_CLOEXEC);
	alloc->domid = domid;
	alloc->flags = writable ? GNTALLOC_FLAG_WRITABLE : 0;
	alloc->count = n;
	if (lot->fd < 0 || ioctl(lot->fd, IOCTL_GNTALLOC_ALLOC_GREF, alloc) < 0)
		goto fail;
	lot->index = alloc->index;
	memcpy(lot->refs, alloc->gref_ids, n * sizeof(*refs));
	memcpy(refs, alloc->gref_ids, n * sizeof(*refs));
	if (n > LOT_SINGLE) {
		lot->pages[0] = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
				     lot->fd, lot->index);
		if (lot->pages[0] == MAP_FAILED)
			goto fail;
		/* A child must not keep them from being freed. */
		madvise(lot->pages[0], n * PAGE, MADV_DONTFORK);
	}
	for (unsigned int i = 0; i < n; i++) {
		if (n > LOT_SINGLE) {
			lot->pages[i] = lot->pages[0] + i * PAGE;
			continue;
		}
		lot->pages[i] = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, lot->fd,
				     lot->index + i * PAGE);
		if (lot->pages[i] == MAP_FAILED)
			goto fail;
		madvise(lot->pages[i], PAGE, MADV_DONTFORK);
	}
	free(alloc);
	return lot;
fail:
	err = errno;
	close(lot->fd);
	free(lot->refs);
	free(lot->pages);
	free(lot);
	free(alloc);
	errno = err;
	return NULL;
}

uint8_t *lot_page(struct lot *lot, unsigned int page)
{
	return page < lot->n ? lot->pages[page] : NULL;
}

unsigned int lot_revoke(struct lot *lot, unsigned int page)
{
	struct ioctl_gntalloc_dealloc_gref dealloc = {
		.index = lot->index + page * PAGE, .count = 1,
	};

	if (lot->n > LOT_SINGLE || page >= lot->n || !lot->pages[page])
		return 0;
	count_deferred(lot, 0, 0);
	munmap(lot->pages[page], PAGE);
	lot->pages[page] = NULL;
	ioctl(lot->fd, IOCTL_GNTALLOC_DEALLOC_GREF, &dealloc);
	return count_deferred(lot, page, 1);
}

unsigned int lot_free(struct lot *lot)
{
	unsigned int deferred;

	count_deferred(lot, 0, 0);
	if (lot->n > LOT_SINGLE)
		munmap(lot->pages[0], lot->n * PAGE);
	for (unsigned int i = 0; i < lot->n && lot->n <= LOT_SINGLE; i++)
		if (lot->pages[i])
			munmap(lot->pages[i], PAGE);
	close(lot->fd);
	deferred = count_deferred(lot, 0, lot->n);
	free(lot->refs);
	free(lot->pages);
	free(lot);
	return deferred;
}

uint64_t pattern_word(unsigned int seed, unsigned int page, unsigned int word)
{
	return (seed * 0x9e3779b97f4a7c15ULL) ^ ((uint64_t)page << 32 | word) * 0xff51afd7ed558ccdULL;
}

void lot_fill(struct lot *lot, unsigned int seed)
{
	for (unsigned int i = 0; i < lot->n; i++)
		for (unsigned int word = 0; lot->pages[i] && word < PAGE / 8; word++)
			((uint64_t *)lot->pages[i])[word] = pattern_word(seed, i, word);
}

unsigned int lot_bad(struct lot *lot, unsigned int seed)
{
	unsigned int bad = 0;

	for (unsigned int i = 0; i < lot->n; i++) {
		unsigned int word = 0;

		while (lot->pages[i] && word < PAGE / 8 &&
		       ((uint64_t *)lot->pages[i])[word] == pattern_word(seed, i, word))
			word++;
		bad += word != PAGE / 8;
	}
	return bad;
}

int far_open(struct far_end *end, unsigned int domid)
{
	struct ioctl_evtchn_bind_unbound_port bind = { .remote_domain = domid };
	int port;

	end->events = 0;
	end->fd = open("/dev/xen/evtchn", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (end->fd < 0)
		return -1;
	port = ioctl(end->fd, IOCTL_EVTCHN_BIND_UNBOUND_PORT, &bind);
	if (port < 0) {
		close(end->fd);
		return -1;
	}
	end->port = port;
	return 0;
}

/* An event masks its port until the port is written back. */
unsigned int far_events(struct far_end *end)
{
	uint32_t ports[64];
	ssize_t length;

	while ((length = read(end->fd, ports, sizeof(ports))) > 0) {
		end->events += length / sizeof(ports[0]);
		if (write(end->fd, ports, length) != length)
			break;
	}
	return end->events;
}

bool far_wait(struct far_end *end, unsigned int n, int ms)
{
	struct pollfd poll_in = { .fd = end->fd, .events = POLLIN };
	long long until = t_now_ms() + ms;

	while (far_events(end) < n) {
		long long left = until - t_now_ms();

		if (left < 0)
			return false;
		poll(&poll_in, 1, left);
	}
	return true;
}

void far_close(struct far_end *end)
{
	close(end->fd);
	end->fd = -1;
}

int near_open(unsigned int domid, unsigned int port, unsigned int *local)
{
	struct ioctl_evtchn_bind_interdomain bind = {
		.remote_domain = domid, .remote_port = port,
	};
	int fd = open("/dev/xen/evtchn", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int bound;

	if (fd < 0)
		return -1;
	bound = ioctl(fd, IOCTL_EVTCHN_BIND_INTERDOMAIN, &bind);
	if (bound < 0) {
		close(fd);
		return -1;
	}
	*local = bound;
	return fd;
}
