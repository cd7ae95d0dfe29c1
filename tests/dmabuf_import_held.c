// SPDX-License-Identifier: GPL-2.0-or-later
/* An imported dma-buf that the peer still maps: it stays until the peer lets go, and then goes. */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "lib/buffer.h"
#include "lib/grant.h"

#define N 4

static struct ioctl_gntdev_grant_ref refs[N];
static int probe;

/* What is tried again in the background is asked for again here. */
static bool exports_become(int wanted)
{
	long long until = t_now_ms() + T_PATIENCE_MS;

	while (probe_exports(probe) != wanted)
		if (t_now_ms() > until)
			return false;
	return true;
}

static void by_release(int fd, struct buffer *buffer)
{
	check_ok("I3", dev_import_release(fd, buffer->fd), "release does not wait for the peer");
	check_errno("I2", dev_import_release(fd, buffer->fd), ENOENT, "it is released");
	buffer_free(buffer);
	close(fd);
}

static void by_close(int fd, struct buffer *buffer)
{
	check_ok("I3", close(fd), "nor does close");
	buffer_free(buffer);
}

/* The peer maps pages @first to @first + @n - 1 of one that is given up in that way. */
static void held(const char *what, void (*give_up)(int fd, struct buffer *buffer),
		 unsigned int first, unsigned int n)
{
	struct buffer *buffer = buffer_shaped(PROBE_LONG, N);
	int fd = dev_open();
	struct user *user;

	mapping_fill(buffer->memory, N, 1);
	if (dev_import(fd, buffer->fd, N, granter_domid(), refs))
		t_bail("import: %m");
	user = user_map(refs + first, n);
	if (!user)
		t_bail("the peer cannot map it: %m");
	t_note("%s, pages %u to %u", what, first, first + n - 1);
	give_up(fd, buffer);
	check_eq("I3", probe_exports(probe), 1, "nobody here has it any more, but it is not given back");
	check("I3", xen_holds_refs(refs, N) >= n, "Xen says that the peer maps it");
	user_fill(user, 2);
	check_eq("I3", user_bad(user, 2), 0, "and its pages are nobody else's");
	user_unmap(user);
	check("I3", exports_become(0), "when it has let go, the buffer is given back");
	check("I3", !user_map(refs, 1) && !user_map(refs + N - 1, 1), "and no grant is left");
}

static int import_and_wait(void *out)
{
	struct buffer *buffer = buffer_shaped(PROBE_LONG, N);
	struct ioctl_gntdev_grant_ref mine[N];

	if (dev_import(dev_open(), buffer->fd, N, granter_domid(), mine))
		return 1;
	if (write(*(int *)out, mine, sizeof(mine)) != sizeof(mine))
		return 2;
	pause();
	return 0;
}

static void killed(void)
{
	struct user *user;
	int ends[2];
	pid_t pid;

	if (pipe(ends))
		t_bail("pipe: %m");
	pid = t_child(import_and_wait, &ends[1]);
	if (read(ends[0], refs, sizeof(refs)) != sizeof(refs))
		t_bail("the child imports nothing");
	user = user_map(refs, N);
	kill(pid, SIGKILL);
	check_eq("A2", t_wait(pid), -SIGKILL, "the process that imported is killed");
	check("I3", user && probe_exports(probe) == 1, "the buffer stays while the peer maps it");
	user_unmap(user);
	check("I3", exports_become(0), "and goes when it does not");
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	t_start();
	probe = probe_open();
	if (probe < 0)
		t_bail("/dev/dmabuf-probe: %m");
	held("release", by_release, 0, N);
	held("release", by_release, 1, 1);
	held("close", by_close, 0, N);
	held("close", by_close, N - 1, 1);
	killed();
	close(probe);
	return t_done();
}
