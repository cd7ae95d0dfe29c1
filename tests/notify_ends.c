// SPDX-License-Identifier: GPL-2.0-or-later
/* Byte and event happen however a mapping or a range ends. */
#define _GNU_SOURCE
#include <signal.h>
#include <unistd.h>

#include "lib/grant.h"

#define BOTH (UNMAP_NOTIFY_CLEAR_BYTE | UNMAP_NOTIFY_SEND_EVENT)
#define N 3

static struct grants *grants;
static struct channel *channel;
static struct gate ready;
static unsigned int events;

enum end { RETURN, KILLED, SEGV, EXEC, CLOSE, MUNMAP, UNMAP_IOCTL, STRAY_DESCRIPTOR };

/* A process with an instance of its own that ends in this way. */
static int end_like(void *how)
{
	uint64_t index;
	char *mapping;
	int fd = dev_open();

	if (dev_map(fd, grants->refs, N, &index))
		return 1;
	mapping = dev_mmap(fd, index, N, RW);
	if (mapping == MAP_FAILED)
		return 2;
	if (dev_notify(fd, index + PAGE + 33, BOTH, channel->port))
		return 3;
	switch (*(enum end *)how) {
	case RETURN:
		return 0;
	case CLOSE:
		close(fd);
		return dev_munmap(mapping, N) ? 4 : 0;
	case MUNMAP:
		return dev_munmap(mapping, N) ? 4 : 0;
	case UNMAP_IOCTL:
		return dev_munmap(mapping, N) || dev_unmap(fd, index, N) ? 4 : 0;
	case STRAY_DESCRIPTOR:
		/* Open across exec, and closed by nobody. */
		fd = dup(fd);
		/* fallthrough */
	case EXEC:
		execlp("sh", "sh", "-c", "exit 0", NULL);
		return 5;
	case SEGV:
		signal(SIGSEGV, SIG_DFL);
		raise(SIGSEGV);
		return 6;
	case KILLED:
		gate_open(&ready);
		pause();
	}
	return 7;
}

static void ending(enum end how, int status, const char *what)
{
	int pid;

	grants_poke(grants, 1, 33, 0xff);
	pid = t_child(end_like, &how);
	if (how == KILLED) {
		gate_wait(&ready);
		kill(pid, SIGKILL);
	}
	check_eq("N4", t_wait(pid), status, "%s", what);
	check("N4", channel_wait(channel, events + 1), "%s: the event comes", what);
	check_eq("N4", grants_peek(grants, 1, 33), 0, "%s: the byte is cleared", what);
	check_eq("N4", xen_holds(grants), 0, "%s: Xen holds nothing", what);
	check_eq("N5", channel_events(channel), events + 1, "%s: one event", what);
	events = channel_events(channel);
}

static void never_mapped(void)
{
	uint64_t index;
	int fd = dev_open();

	grants_poke(grants, 1, 33, 0xff);
	dev_map(fd, grants->refs, N, &index);
	dev_notify(fd, index + PAGE + 33, BOTH, channel->port);
	check_eq("N4", channel_events(channel), events, "never mapped: nothing happens before its end");
	check_ok("N4", dev_unmap(fd, index, N), "never mapped: UNMAP_GRANT_REF");
	check("N4", channel_wait(channel, ++events), "never mapped: sends the event");
	check_eq("N4", grants_peek(grants, 1, 33), 0xff, "never mapped: and touches no byte");
	dev_map(fd, grants->refs, N, &index);
	dev_notify(fd, index + PAGE + 33, BOTH, channel->port);
	check_ok("N4", close(fd), "never mapped: close");
	check("N4", channel_wait(channel, ++events), "never mapped: sends the event, too");
	check_eq("N4", grants_peek(grants, 1, 33), 0xff, "never mapped: and touches no byte");
	check_eq("N5", channel_events(channel), events, "never mapped: one event each");
}

/* Set after the mapping went: it fires when the range does. */
static void set_after_munmap(void)
{
	uint64_t index;
	void *mapping;
	int fd = dev_open();

	dev_map(fd, grants->refs, N, &index);
	mapping = dev_mmap(fd, index, N, RW);
	dev_munmap(mapping, N);
	grants_poke(grants, 1, 33, 0xff);
	check_ok("N4", dev_notify(fd, index + PAGE + 33, BOTH, channel->port),
		 "set on a range that was mapped before");
	check_eq("N4", channel_events(channel), events, "nothing happens yet");
	check_ok("N4", dev_unmap(fd, index, N), "UNMAP_GRANT_REF");
	check("N4", channel_wait(channel, ++events), "sends the event");
	check_eq("N4", grants_peek(grants, 1, 33), 0xff, "and touches no byte");

	/* An mmap that fails is no mapping that ended. */
	dev_map(fd, (struct ioctl_gntdev_grant_ref[]){ { NO_DOMAIN, 9 } }, 1, &index);
	dev_notify(fd, index, UNMAP_NOTIFY_SEND_EVENT, channel->port);
	check_errno("N4", dev_mmap(fd, index, 1, RW), ESRCH, "an mmap that Xen refuses");
	check_eq("N4", channel_events(channel), events, "sends no event");
	dev_unmap(fd, index, 1);
	check("N4", channel_wait(channel, ++events), "but the end of the range does");
	check_eq("N5", channel_events(channel), events, "once");
	close(fd);
}

/* In translated mode a child's mapping is one, too. */
static int wait_then_end(void *gate)
{
	gate_open(&ready);
	return gate_wait(gate) ? 0 : 1;
}

static void child_keeps(void)
{
	struct gate go;
	uint64_t index;
	void *mapping;
	int fd = dev_open(), pid;

	if (t_pv()) {
		t_skip("N4", "PV: a child has no mapping", "a child's mapping keeps it from happening");
		close(fd);
		return;
	}
	gate_make(&go);
	dev_map(fd, grants->refs, N, &index);
	mapping = dev_mmap(fd, index, N, RW);
	grants_poke(grants, 1, 33, 0xff);
	dev_notify(fd, index + PAGE + 33, BOTH, channel->port);
	pid = t_child(wait_then_end, &go);
	gate_wait(&ready);
	dev_munmap(mapping, N);
	close(fd);
	check_eq("N4", channel_events(channel), events, "a child's mapping keeps the event back");
	check_eq("N4", grants_peek(grants, 1, 33), 0xff, "and the byte");
	gate_open(&go);
	t_wait(pid);
	check("N4", channel_wait(channel, ++events), "its exit sends the event");
	check_eq("N4", grants_peek(grants, 1, 33), 0, "and clears the byte");
	gate_free(&go);
}

int main(void)
{
	t_start();
	gate_make(&ready);
	grants = grants_make(N);
	channel = channel_make();
	ending(RETURN, 0, "exit");
	ending(KILLED, -SIGKILL, "SIGKILL");
	ending(SEGV, -SIGSEGV, "a crash");
	ending(EXEC, 0, "exec");
	ending(STRAY_DESCRIPTOR, 0, "exec with a descriptor that stays open");
	ending(CLOSE, 0, "close, then munmap");
	ending(MUNMAP, 0, "munmap");
	ending(UNMAP_IOCTL, 0, "munmap, then UNMAP_GRANT_REF");
	never_mapped();
	set_after_munmap();
	child_keeps();
	channel_free(channel);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
