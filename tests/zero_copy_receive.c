// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * TCP_ZEROCOPY_RECEIVE has the core kernel insert what was received into a mapping of the socket.
 * Pages of ours that somebody spliced into the other end are not to come there.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/grant.h"
#include "lib/socket.h"

#define N 8

static struct grants *grants;
static char bytes[N * PAGE];

/* What is received once more in the ordinary way. */
static bool receive(int fd, size_t have)
{
	while (have < sizeof(bytes)) {
		ssize_t n = read(fd, bytes + have, sizeof(bytes) - have);

		if (n <= 0)
			return false;
		have += n;
	}
	return true;
}

/* @pages go through a pipe and a socket to @window, a mapping of its other end. */
static void into_a_window(const char *what, void *pages)
{
	struct iovec vector = { pages, N * PAGE };
	struct tcp_zerocopy_receive ask = { .length = N * PAGE };
	socklen_t size = sizeof(ask);
	int pipe_ends[2], ends[2], err;
	char *window;

	if (pipe2(pipe_ends, O_CLOEXEC))
		t_bail("pipe: %m");
	if (!socket_connection(ends)) {
		t_skip("V11", "no TCP here", "%s: what a socket received", what);
		return;
	}
	window = mmap(NULL, N * PAGE, PROT_READ, MAP_SHARED, ends[1], 0);
	check("V11", window != MAP_FAILED, "%s: mmap of a socket", what);
	ask.address = (uintptr_t)window;
	if (!check_eq("V8", vmsplice(pipe_ends[1], &vector, 1, 0), N * PAGE, "%s: vmsplice", what))
		goto out;
	check_eq("V8", splice(pipe_ends[0], NULL, ends[0], NULL, N * PAGE, 0), N * PAGE,
		 "%s: splice into a socket", what);
	err = errno_of(getsockopt(ends[1], IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &ask, &size));
	t_note("%s: TCP_ZEROCOPY_RECEIVE: errno %d, %u bytes mapped, %u to be read, error %d", what, err,
	       ask.length, ask.recv_skip_hint, ask.err);
	check_eq("V11", err ? 0 : ask.length, 0, "%s: nothing is mapped by TCP_ZEROCOPY_RECEIVE", what);
	for (int i = 0; i < N; i += N - 1)
		check_eq("V11", t_byte(window + i * PAGE), -SIGBUS, "%s: page %d is not there", what, i);
	check("V11", receive(ends[1], err ? 0 : ask.length), "%s: it is read instead", what);
	check_eq("V11", mapping_bad(bytes, N, 1), 0, "%s: all of it", what);
out:
	munmap(window, N * PAGE);
	close(ends[0]);
	close(ends[1]);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

static void all_back(const char *what)
{
	check("V11", t_eventually(!xen_holds(grants)), "%s: Xen holds nothing any more", what);
}

int main(void)
{
	int fd, buffer = -1;
	uint64_t index;
	char *mapping;

	t_start();
	fd = dev_open();
	grants = grants_make(N);
	grants_fill(grants, 1);
	dev_map(fd, grants->refs, N, &index);
	mapping = dev_mmap(fd, index, N, RW);
	if (mapping == MAP_FAILED)
		t_bail("mmap: %m");
	into_a_window("mapping", mapping);
	check_eq("A1", mapping_bad(mapping, N, 1), 0, "the mapping is as it was");
	dev_munmap(mapping, N);
	all_back("mapping");
	dev_unmap(fd, index, N);

	if (dev_export(fd, 0, grants->refs, N, &buffer)) {
		t_skip("V11", "no dma-buf export", "the same with a dma-buf");
	} else {
		mapping = mmap(NULL, N * PAGE, RW, MAP_SHARED, buffer, 0);
		close(buffer);
		into_a_window("dma-buf", mapping);
		check_eq("A1", mapping_bad(mapping, N, 1), 0, "the dma-buf is as it was");
		munmap(mapping, N * PAGE);
		all_back("dma-buf");
	}
	close(fd);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
