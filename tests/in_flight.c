// SPDX-License-Identifier: GPL-2.0-or-later
/* Pages that the kernel still uses after munmap: nothing waits for them, and none is lost. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/errqueue.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/grant.h"
#include "lib/socket.h"

#define N 4
#define OTHERS 16

static struct grants *grants;
static char bytes[N * PAGE];

/*
 * What the driver unmaps when the kernel's use ends it may unmap a moment later. Which pages
 * are held is Xen's to say, so it is asked again.
 */
static bool soon_nothing_held(void)
{
	return t_eventually(!xen_holds(grants));
}

static void drain(int fd, size_t length)
{
	size_t got = 0;

	while (got < length) {
		ssize_t n = read(fd, bytes + got, length - got);

		if (n <= 0)
			t_bail("drain: %zd of %zu: %m", got, length);
		got += n;
	}
}

/* @length bytes of @mapping into a new pipe, by reference. */
static int pipe_of(void *mapping, size_t length, int *out)
{
	struct iovec pages = { mapping, length };
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		t_bail("pipe: %m");
	check_eq("V8", vmsplice(ends[1], &pages, 1, 0), length, "vmsplice of a mapping");
	*out = ends[1];
	return ends[0];
}

static void in_a_pipe(void)
{
	uint64_t index, again;
	int fd = dev_open(), in, out;
	char *mapping, *second;

	grants_fill(grants, 1);
	dev_map(fd, grants->refs, N, &index);
	mapping = dev_mmap(fd, index, N, RW);
	in = pipe_of(mapping + PAGE, PAGE, &out);
	check_ok("V8", dev_munmap(mapping, N), "munmap while a page is in a pipe");
	check_eq("V8", xen_holds(grants), 1, "Xen holds that page, once, and no other");
	check_ok("V8", dev_unmap(fd, index, N), "UNMAP_GRANT_REF does not wait for it");
	check_ok("V8", dev_map(fd, grants->refs, N, &again), "register the same pages");
	second = dev_mmap(fd, again, N, RW);
	check("V8", second != MAP_FAILED, "and map them, at once");
	if (second != MAP_FAILED) {
		check_eq("V8", mapping_bad(second, N, 1), 0, "with their contents");
		t_poke(second + PAGE + 8, 0x66);
	}
	drain(in, PAGE);
	check_eq("V8", (uint8_t)bytes[8], 0x66, "what comes out of the pipe is the granter's page");
	check("V8", ((uint64_t *)bytes)[100] == pattern_word(1, 1, 100), "all of it");
	if (second != MAP_FAILED)
		dev_munmap(second, N);
	check("V8", soon_nothing_held(), "drained, Xen holds nothing any more");
	dev_unmap(fd, again, N);
	close(in);
	close(out);
	close(fd);
}

/* The same index, mapped again while pages of its former mapping are in flight. */
static void same_index(void)
{
	int fd = dev_open(), in[3], out[3];
	uint64_t index;
	char *mapping;

	grants_fill(grants, 2);
	dev_map(fd, grants->refs, N, &index);
	for (int i = 0; i < 3; i++) {
		mapping = dev_mmap(fd, index, N, RW);
		if (!check("V8", mapping != MAP_FAILED, "mmap number %d of one index", i + 1)) {
			dev_unmap(fd, index, N);
			close(fd);
			return;
		}
		check_eq("V8", mapping_bad(mapping, N, 2), 0, "shows the pages");
		in[i] = pipe_of(mapping, N * PAGE, &out[i]);
		dev_munmap(mapping, N);
	}
	check_eq("V8", xen_holds(grants), 3 * N, "each holds its pages by itself");
	for (int i = 2; i >= 0; i--) {
		drain(in[i], N * PAGE);
		check_eq("V8", mapping_bad(bytes, N, 2), 0, "pipe %d has the pages", i + 1);
		close(in[i]);
		close(out[i]);
	}
	check("V8", soon_nothing_held(), "drained, Xen holds nothing any more");
	check_ok("V8", dev_unmap(fd, index, N), "and the range goes");
	close(fd);
}

/* Instance, descriptor and process are gone; the pipe is here. */
static int fill_and_die(void *argument)
{
	struct iovec pages = { NULL, N * PAGE };
	uint64_t index;
	int fd = dev_open();

	dev_map(fd, grants->refs, N, &index);
	pages.iov_base = dev_mmap(fd, index, N, RW);
	if (pages.iov_base == MAP_FAILED || mapping_bad(pages.iov_base, N, 3))
		return 1;
	return vmsplice(*(int *)argument, &pages, 1, 0) == N * PAGE ? 0 : 2;
}

static void process_gone(void)
{
	int ends[2];

	grants_fill(grants, 3);
	if (pipe2(ends, O_CLOEXEC))
		t_bail("pipe: %m");
	check_eq("V8", t_wait(t_child(fill_and_die, &ends[1])), 0, "a process fills a pipe and exits");
	check_eq("V8", xen_holds(grants), N, "Xen holds what is in the pipe");
	drain(ends[0], N * PAGE);
	check_eq("V8", mapping_bad(bytes, N, 3), 0, "which is what was granted");
	check("V8", soon_nothing_held(), "drained, Xen holds nothing any more");

	check_eq("V8", t_wait(t_child(fill_and_die, &ends[1])), 0, "once more");
	close(ends[0]);
	close(ends[1]);
	check("V8", soon_nothing_held(), "a pipe that is closed undrained lets go, too");
}

/* The notification belongs to the page: not before Xen has unmapped it. */
static void with_notification(void)
{
	struct channel *channel = channel_make();
	int fd = dev_open(), in, out;
	uint64_t index;
	char *mapping;

	grants_fill(grants, 4);
	dev_map(fd, grants->refs, N, &index);
	mapping = dev_mmap(fd, index, N, RW);
	grants_poke(grants, 2, 55, 0xff);
	dev_notify(fd, index + 2 * PAGE + 55, UNMAP_NOTIFY_CLEAR_BYTE | UNMAP_NOTIFY_SEND_EVENT,
		   channel->port);
	in = pipe_of(mapping, N * PAGE, &out);
	dev_munmap(mapping, N);
	dev_unmap(fd, index, N);
	close(fd);
	check_eq("N3", channel_events(channel), 0, "no event while Xen holds the page");
	drain(in, N * PAGE);
	check("N3", channel_wait(channel, 1), "it comes when the pipe is drained");
	check_eq("N2", grants_peek(grants, 2, 55), 0, "and the byte is cleared");
	check("V8", soon_nothing_held(), "Xen holds nothing any more");
	check_eq("N5", channel_events(channel), 1, "one event");
	close(in);
	close(out);
	channel_free(channel);
}

/* What is in flight does not wait for others that come and go without end. */
static void among_others(void)
{
	/* Xen lets one reference be mapped 63 times so; all of these last for a while. */
	struct grants *others = grants_make(OTHERS);
	struct channel *channel = channel_make();
	int fd = dev_open(), in, out, ends[2];
	struct iovec page = { NULL, PAGE };
	uint64_t index, other[OTHERS];
	unsigned int went = 0;
	char *mapping;
	int err = 0;

	dev_map(fd, grants->refs, N, &index);
	mapping = dev_mmap(fd, index, N, RW);
	dev_notify(fd, index, UNMAP_NOTIFY_SEND_EVENT, channel->port);
	in = pipe_of(mapping, N * PAGE, &out);
	for (int i = 0; i < OTHERS; i++)
		dev_map(fd, others->refs + i, 1, &other[i]);
	if (pipe2(ends, O_CLOEXEC))
		t_bail("pipe: %m");
	dev_munmap(mapping, N);
	dev_unmap(fd, index, N);
	drain(in, N * PAGE);
	/* A page goes, and comes back, after another, until there is no room for more that went. */
	while (!err && !channel_events(channel))
		for (int i = 0; i < 50 && !err; i++) {
			page.iov_base = dev_mmap(fd, other[went % OTHERS], 1, RW);
			if (page.iov_base == MAP_FAILED || vmsplice(ends[1], &page, 1, 0) != PAGE) {
				err = errno;
				break;
			}
			dev_munmap(page.iov_base, 1);
			drain(ends[0], PAGE);
			went++;
		}
	check_eq("V8", err, 0, "what a pipe had goes, while %u come into another after it", went);
	for (int i = 0; i < OTHERS; i++)
		dev_unmap(fd, other[i], 1);
	close(fd);
	close(in);
	close(out);
	close(ends[0]);
	close(ends[1]);
	check("V8", soon_nothing_held(), "Xen holds nothing of it any more");
	check("V8", t_eventually(!xen_holds(others)), "nor of the others");
	channel_free(channel);
	check_eq("A2", grants_free(others), 0, "and they are free");
}

static void by_splice(void)
{
	int fd = dev_open(), in, out, ends[2];
	uint64_t index;
	char *mapping;

	if (!socket_connection(ends)) {
		t_skip("V8", "no TCP here", "pages on their way through a socket");
		close(fd);
		return;
	}
	grants_fill(grants, 5);
	dev_map(fd, grants->refs, N, &index);
	mapping = dev_mmap(fd, index, N, RW);
	in = pipe_of(mapping, N * PAGE, &out);
	check_eq("V8", splice(in, NULL, ends[0], NULL, N * PAGE, 0), N * PAGE,
		 "splice the pages into a socket");
	check_ok("V8", dev_munmap(mapping, N), "munmap while they are on their way");
	check_ok("V8", dev_unmap(fd, index, N), "and UNMAP_GRANT_REF");
	t_note("%u mappings held by the socket", xen_holds(grants));
	drain(ends[1], N * PAGE);
	check_eq("V8", mapping_bad(bytes, N, 5), 0, "the receiver gets what was granted");
	close(ends[0]);
	close(ends[1]);
	check("V8", soon_nothing_held(), "and Xen holds nothing any more");
	close(in);
	close(out);
	close(fd);
}

static void by_zero_copy(void)
{
	char control[256];
	struct msghdr completion = { .msg_control = control, .msg_controllen = sizeof(control) };
	struct pollfd errors = { 0 };
	int fd = dev_open(), ends[2], one = 1;
	uint64_t index;
	char *mapping;

	if (!socket_connection(ends) || setsockopt(ends[0], SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one))) {
		t_skip("V8", "no SO_ZEROCOPY here", "zero-copy send from a mapping");
		close(fd);
		return;
	}
	grants_fill(grants, 6);
	dev_map(fd, grants->refs, N, &index);
	mapping = dev_mmap(fd, index, N, RW);
	check_eq("V8", send(ends[0], mapping, N * PAGE, MSG_ZEROCOPY), N * PAGE,
		 "zero-copy send from a mapping");
	check_ok("V8", dev_munmap(mapping, N), "munmap at once");
	check_ok("V8", dev_unmap(fd, index, N), "and UNMAP_GRANT_REF");
	drain(ends[1], N * PAGE);
	check_eq("V8", mapping_bad(bytes, N, 6), 0, "the receiver gets what was granted");
	errors.fd = ends[0];
	check("V8", poll(&errors, 1, T_PATIENCE_MS) == 1 &&
	      recvmsg(ends[0], &completion, MSG_ERRQUEUE) >= 0, "the sender is told that it is done");
	close(ends[0]);
	close(ends[1]);
	check("V8", soon_nothing_held(), "and Xen holds nothing any more");
	close(fd);
}

int main(void)
{
	t_start();
	grants = grants_make(N);
	in_a_pipe();
	same_index();
	process_gone();
	with_notification();
	among_others();
	by_splice();
	by_zero_copy();
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
