// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * As libxenbe and its display backend do: one instance for the whole process, whose threads
 * map rings and buffers, copy, make dma-bufs of grants and grants of dma-bufs, all at the same
 * time. Dma-bufs are always asked for with GNTDEV_DMA_FLAG_WC; and one is closed first and
 * then waited for by its number.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/buffer.h"
#include "lib/grant.h"
#include "lib/pass.h"

#define N 6
#define DISPLAYS 5

static struct grants *grants;
static int fd;

/* ---- one dma-buf at a time ---- */

/* Makes one of @some, and maps it; its number. */
static int export(const struct grants *some, char **mapping)
{
	int buffer;

	if (dev_export(fd, GNTDEV_DMA_FLAG_WC, some->refs, some->n, &buffer))
		return -1;
	*mapping = mmap(NULL, some->n * PAGE, RW, MAP_SHARED, buffer, 0);
	if (*mapping != MAP_FAILED)
		return buffer;
	close(buffer);
	return -1;
}

/* What is asked for is the memory of dma_alloc_wc(): in a PV domain that is ordinary memory. */
static void memory_type(const char *mapping)
{
	int probe = probe_open();

	if (probe < 0)
		t_bail("/dev/dmabuf-probe: %m");
	(void)*(volatile const char *)mapping;
	check_eq("P5", probe_entry(probe, mapping).type, t_pv() ? PROBE_TYPE_WB : PROBE_TYPE_WC,
		 "its memory is %s", t_pv() ? "ordinary, in a PV domain" : "write-combining");
	close(probe);
}

static bool one_buffer(void)
{
	int buffer = -1, other = -1;
	char *mapping;

	grants_fill(grants, 1);
	if (!check_ok("P5", dev_export(fd, GNTDEV_DMA_FLAG_WC, grants->refs, N, &other),
		      "a dma-buf with GNTDEV_DMA_FLAG_WC"))
		return false;
	close(other);
	buffer = export(grants, &mapping);
	if (!check("P5", buffer >= 0, "and one that is mapped"))
		return false;
	memory_type(mapping);
	check_eq("P5", mapping_bad(mapping, N, 1), 0, "it shows the pages");
	mapping_fill(mapping, N, 2);
	check_eq("P5", grants_bad(grants, 2), 0, "the granter sees what is drawn");
	munmap(mapping, N * PAGE);
	close(buffer);
	check_errnos("P6", dev_wait_released(fd, buffer, T_PATIENCE_MS), errnos(0, ENOENT),
		     "closed, and then waited for by its number: it is gone");
	check_errno("P6", dev_wait_released(fd, buffer, T_PATIENCE_MS), ENOENT, "asked again");
	check_eq("E4", xen_holds(grants), 0, "Xen holds nothing");
	return true;
}

static struct {
	pid_t pid;
	int number, error;
} waiter;

static void *wait_for_it(void *unused)
{
	__atomic_store_n(&waiter.pid, gettid(), __ATOMIC_RELEASE);
	waiter.error = dev_wait_released(fd, waiter.number, T_PATIENCE_MS) ? errno : 0;
	return unused;
}

static struct gate shown, enough;

/* The compositor: has the buffer on the screen until it is told. */
static int compositor(void *socket)
{
	int buffer = receive_fd(*(int *)socket);
	char *mapping = mmap(NULL, N * PAGE, RO, MAP_SHARED, buffer, 0);

	close(buffer);
	if (mapping == MAP_FAILED || mapping_bad(mapping, N, 3))
		return 1;
	gate_open(&shown);
	if (!gate_wait(&enough) || mapping_bad(mapping, N, 4))
		return 2;
	return 0;
}

/* Somebody else has the buffer still, when this process has closed it. */
static void with_a_compositor(void)
{
	int ends[2], pid, buffer;
	pthread_t thread;
	char *mapping;

	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
	gate_make(&shown);
	gate_make(&enough);
	pid = t_child(compositor, &ends[1]);
	grants_fill(grants, 3);
	buffer = export(grants, &mapping);
	munmap(mapping, N * PAGE);
	check_ok("P6", pass_fd(ends[0], buffer), "a dma-buf goes to a compositor");
	close(buffer);
	check("P6", gate_wait(&shown), "which shows it");
	waiter.number = buffer;
	check_errno("P6", dev_wait_released(fd, buffer, 0), ETIMEDOUT,
		    "closed here, it is not gone");
	check_errno("P6", dev_wait_released(fd, buffer, 50), ETIMEDOUT, "nor after a while");
	pthread_create(&thread, NULL, wait_for_it, NULL);
	check("P6", t_becomes_asleep(&waiter.pid), "a thread waits for it by its number");
	grants_fill(grants, 4);
	gate_open(&enough);
	check_eq("P6", t_wait(pid), 0, "the compositor saw all that the granter drew");
	pthread_join(thread, NULL);
	check_eq("P6", waiter.error, 0, "when it has gone, the wait is over");
	check_eq("P6", xen_holds(grants), 0, "Xen holds nothing then");
	check_errno("P6", dev_wait_released(fd, buffer, 0), ENOENT, "who asks later finds nothing");
	gate_free(&shown);
	gate_free(&enough);
	close(ends[0]);
	close(ends[1]);
}

/* ---- everything at once ---- */

struct work {
	const char *name;
	bool (*round)(struct work *work);
	unsigned int rounds, pages, wrong;
	struct grants *grants;
	struct buffer *buffer;
	pthread_t thread;
};

/* The order of libxengnttab: it unmaps by the address. */
static bool map_and_unmap(struct work *work)
{
	unsigned int count;
	uint64_t index;
	char *mapping;
	bool good;

	if (dev_map(fd, work->grants->refs, work->pages, &index))
		return false;
	mapping = dev_mmap(fd, index, work->pages, RW);
	if (mapping == MAP_FAILED)
		return false;
	good = !mapping_bad(mapping, work->pages, 5);
	return !dev_offset(fd, mapping, &index, &count) && count == work->pages &&
	       !dev_munmap(mapping, count) && !dev_unmap(fd, index, count) && good;
}

static bool copy_there_and_back(struct work *work)
{
	struct ioctl_gntdev_grant_ref *refs = work->grants->refs;
	uint64_t words[PAGE / 8], back[PAGE / 8];
	segment_t segments[3] = {
		seg_from(&refs[0], 0, words, PAGE), seg_to(&refs[1], 0, words, PAGE),
		seg_from(&refs[1], 0, back, PAGE),
	};

	return !dev_copy(fd, segments, 3) && !segments[0].status && !segments[1].status &&
	       !segments[2].status && words[7] == pattern_word(5, 0, 7) &&
	       !memcmp(words, back, PAGE);
}

static bool export_and_release(struct work *work)
{
	char *mapping;
	int number = export(work->grants, &mapping);
	bool good;

	if (number < 0)
		return false;
	good = !mapping_bad(mapping, work->pages, 5);
	munmap(mapping, work->pages * PAGE);
	close(number);
	return (!dev_wait_released(fd, number, T_PATIENCE_MS) || errno == ENOENT) && good;
}

static bool import_and_release(struct work *work)
{
	struct ioctl_gntdev_grant_ref refs[N];

	return !dev_import(fd, work->buffer->fd, work->pages, granter_domid(), refs) &&
	       !dev_import_release(fd, work->buffer->fd);
}

static void *work_thread(void *argument)
{
	struct work *work = argument;

	for (unsigned int i = 0; i < work->rounds && !work->wrong; i++)
		work->wrong += !work->round(work);
	return NULL;
}

/*
 * A frontend's buffers that the backend allocates: the exporter's pages are granted, and the
 * frontend draws in them. Meanwhile the threads go on.
 */
static void displays(void)
{
	struct ioctl_gntdev_grant_ref refs[N];

	for (unsigned int i = 0; i < DISPLAYS; i++) {
		struct buffer *buffer = buffer_make(BUFFER_VGEM, N);
		struct user *user;

		/* A PV guest has none of those. */
		if (!buffer)
			buffer = buffer_make(BUFFER_LONG, N);
		mapping_fill(buffer->memory, N, 20);
		check_ok("P5", dev_import(fd, buffer->fd, N, granter_domid(), refs),
			 "display %u: a buffer's pages are granted", i);
		user = user_map(refs, N);
		if (check("P5", user && !user_bad(user, 20), "display %u: the frontend has them",
			  i)) {
			user_fill(user, 21 + i);
			check_eq("P5", mapping_bad(buffer->memory, N, 21 + i), 0,
				 "display %u: what it draws is there", i);
		}
		if (user)
			user_unmap(user);
		check_ok("P5", dev_import_release(fd, buffer->fd), "display %u: the grants end", i);
		buffer_free(buffer);
	}
}

static void at_once(void)
{
	struct work works[] = {
		{ .name = "ring", .round = map_and_unmap, .rounds = 400, .pages = 1 },
		{ .name = "buffer", .round = map_and_unmap, .rounds = 300, .pages = N },
		{ .name = "copies", .round = copy_there_and_back, .rounds = 300, .pages = 2 },
		{ .name = "exports", .round = export_and_release, .rounds = 40, .pages = N },
		{ .name = "imports", .round = import_and_release, .rounds = 200, .pages = N },
	};
	unsigned int n = sizeof(works) / sizeof(works[0]), held = 0;
	uint64_t index;

	for (struct work *work = works; work < works + n; work++) {
		work->grants = grants_make(work->pages);
		grants_fill(work->grants, 5);
		work->buffer = buffer_make(BUFFER_LONG, work->pages);
	}
	for (struct work *work = works; work < works + n; work++)
		pthread_create(&work->thread, NULL, work_thread, work);
	displays();
	for (struct work *work = works; work < works + n; work++) {
		pthread_join(work->thread, NULL);
		check_eq("P5", work->wrong, 0, "%s: %u rounds beside all others", work->name,
			 work->rounds);
	}
	for (struct work *work = works; work < works + n; work++) {
		buffer_free(work->buffer);
		held += xen_holds(work->grants) + grants_free(work->grants);
	}
	check_eq("P5", held, 0, "Xen holds nothing, and the pages are free");
	check_ok("P5", dev_map(fd, grants->refs, N, &index), "the instance takes a range");
	check_eq("P5", index, 0, "and had none before");
	check_ok("P5", dev_unmap(fd, index, N), "the range goes");
}

int main(void)
{
	t_start();
	fd = dev_open();
	grants = grants_make(N);
	if (one_buffer()) {
		with_a_compositor();
		at_once();
	}
	close(fd);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
