// SPDX-License-Identifier: GPL-2.0-or-later
/* Grants out of dma-bufs of every exporter there is: whose pages the peer gets, and what is refused. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/buffer.h"
#include "lib/grant.h"
#include "lib/oracle.h"

#define N 7
#define MANY 600

static struct ioctl_gntdev_grant_ref refs[MANY];
static int fd, probe;

/* Can the peer map these? */
static bool mappable(const struct ioctl_gntdev_grant_ref *some, unsigned int n)
{
	struct user *user = user_map(some, n);

	if (user)
		user_unmap(user);
	return user;
}

static void both_ways(enum buffer_kind kind, unsigned int n)
{
	struct buffer *buffer = buffer_make(kind, n);
	const char *name = buffer_name(kind);
	struct user *user;

	if (!buffer) {
		t_skip("I1", "there is no such exporter here", "%s", name);
		return;
	}
	mapping_fill(buffer->memory, n, 1);
	check_ok("I1", dev_import(fd, buffer->fd, n, granter_domid(), refs), "%s, %u pages", name,
		 n);
	user = user_map(refs, n);
	if (!check("I1", user, "%s: the peer maps it", name))
		goto out;
	check_eq("I1", user_bad(user, 1), 0, "%s: and sees what is there", name);
	user_fill(user, 2);
	check_eq("I1", mapping_bad(buffer->memory, n, 2), 0, "%s: the owner sees what it wrote",
		 name);
	mapping_fill(buffer->memory, n, 3);
	check_eq("I1", user_bad(user, 3), 0, "%s: it sees what the owner writes now", name);
	user_fill(user, 4);
	user_unmap(user);
	check_ok("I2", dev_import_release(fd, buffer->fd), "%s: release", name);
	check_eq("I1", mapping_bad(buffer->memory, n, 4), 0,
		 "%s: nothing was copied over what the peer wrote last", name);
	check("I2", !mappable(refs, n), "%s: the grants have ended", name);
	check_errno("I2", dev_import_release(fd, buffer->fd), ENOENT, "%s: release it again", name);
out:
	dev_import_release(fd, buffer->fd);
	buffer_free(buffer);
}

/*
 * Where bouncing would happen, if at all: pages above 4 GiB, whose neighbours in the buffer are not
 * their neighbours in the machine.
 */
static void far_and_scattered(void)
{
	struct buffer *buffer = buffer_make(BUFFER_VGEM, MANY);
	unsigned long frames[MANY] = { 0 }, frame;
	unsigned int ref, high = 0, apart = 0;
	char *all, *next;
	struct user *user;
	int skip;

	if (!buffer || !t_dom0() || !t_pv()) {
		t_skip("I1", "only a PV dom0 has vgem and Xen's list", "pages far away and scattered");
		goto out;
	}
	dev_import(fd, buffer->fd, MANY, granter_domid(), refs);
	user = user_map(refs, MANY);
	next = all = oracle_frames(t_domid());
	for (; next && sscanf(next, " %u:%lx%n", &ref, &frame, &skip) == 2; next += skip)
		for (unsigned int i = 0; i < MANY; i++)
			if (refs[i].ref == ref)
				frames[i] = frame;
	free(all);
	for (unsigned int i = 0; i < MANY; i++) {
		high += frames[i] >> 20 > 0;
		apart += i && frames[i] != frames[i - 1] + 1;
	}
	t_note("%u of %u pages are above 4 GiB, %u do not follow the one before", high, MANY, apart);
	user_fill(user, 5);
	user_unmap(user);
	dev_import_release(fd, buffer->fd);
	if (high && apart)
		check_eq("I1", mapping_bad(buffer->memory, MANY, 5), 0,
			 "pages far away and scattered have what the peer wrote, after the release");
	else
		t_skip("I1", "the machine's memory is not like that", "pages far away and scattered");
out:
	if (buffer)
		buffer_free(buffer);
}

static void wrong_numbers(void)
{
	struct buffer *buffer = buffer_make(BUFFER_LONG, N);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	unsigned int to = granter_domid();

	check_errno("I1", dev_import(fd, buffer->fd, N - 1, to, refs), EINVAL, "a page too few");
	check_errno("I1", dev_import(fd, buffer->fd, N + 1, to, refs), EINVAL, "a page too many");
	check_errno("I1", dev_import(fd, buffer->fd, 0, to, refs), EINVAL, "no pages");
	check_errno("I1", dev_import(fd, buffer->fd, N, 65536 + to, refs), EINVAL,
		    "a domid of more than 16 bits");
	check_errno("I1", dev_import(fd, null, N, to, refs), EINVAL, "/dev/null");
	check_errno("I1", dev_import(fd, 12345, N, to, refs), EBADF, "a number that is not open");
	check_errno("I1", dev_import(fd, -1, N, to, refs), EBADF, "descriptor -1");
	check_errno("I2", dev_import_release(fd, buffer->fd), ENOENT, "release what was not imported");
	check_errno("I2", dev_import_release(fd, -1), ENOENT, "release descriptor -1");
	close(null);
	buffer_free(buffer);
}

/* All or nothing: the references cannot be told, so there are none. */
static void nowhere_to_tell(void)
{
	struct ioctl_gntdev_dmabuf_imp_to_refs *op;
	struct buffer *buffer = buffer_make(BUFFER_LONG, N);
	char *two = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(two + PAGE, PAGE);
	/* Room for three references. */
	op = (void *)(two + PAGE - offsetof(struct ioctl_gntdev_dmabuf_imp_to_refs, refs) - 12);
	op->fd = buffer->fd;
	op->count = N;
	op->domid = granter_domid();
	check_errno("I1", ioctl(fd, IOCTL_GNTDEV_DMABUF_IMP_TO_REFS, op), EFAULT,
		    "no room for the references");
	check_errno("I2", dev_import_release(fd, buffer->fd), ENOENT, "nothing was imported");
	buffer_free(buffer);
	check_eq("I1", probe_exports(probe), 0, "the buffer is released");
	munmap(two, PAGE);
}

static void shape(unsigned int which, int error, const char *what)
{
	struct buffer *buffer = buffer_shaped(which, N);

	check_errno("I1", dev_import(fd, buffer->fd, N, granter_domid(), refs), error, "%s", what);
	buffer_free(buffer);
	check_eq("I1", probe_exports(probe), 0, "%s: the buffer is released", what);
}

static void not_ours_to_grant(void)
{
	struct grants *grants = grants_make(N);
	int other = dev_open(), buffer = -1;

	dev_export(fd, 0, grants->refs, N, &buffer);
	check_errno("I1", dev_import(fd, buffer, N, granter_domid(), refs), EINVAL,
		    "pages that are granted to us, in the same instance");
	check_errno("I1", dev_import(other, buffer, N, granter_domid(), refs), EINVAL,
		    "and in another one");
	close(buffer);
	close(other);
	check_eq("E4", xen_holds(grants), 0, "nothing stays mapped");
	check_eq("A2", grants_free(grants), 0, "the pages are free");
}

/* One buffer twice, and what a number stands for. */
static void twice(void)
{
	struct buffer *buffer = buffer_make(BUFFER_LONG, N);
	struct ioctl_gntdev_grant_ref again[N];
	int number = buffer->fd, other = dev_open();

	dev_import(fd, buffer->fd, N, granter_domid(), refs);
	check_ok("I1", dev_import(fd, buffer->fd, N, granter_domid(), again), "import it again");
	check_errno("I2", dev_import_release(other, buffer->fd), ENOENT, "another instance has it not");
	check_ok("I2", dev_import_release(fd, buffer->fd), "release");
	check("I2", mappable(refs, N), "the first import is still there");
	check("I2", !mappable(again, N), "the second is not");
	buffer_close_fd(buffer);
	check_eq("I2", probe_exports(probe), 1, "the import holds the buffer");
	check_ok("I2", dev_import_release(fd, number), "release by the number, when it is closed");
	check("I2", !mappable(refs, N), "the grants have ended");
	munmap(buffer->memory, N * PAGE);
	check_eq("I2", probe_exports(probe), 0, "the buffer is released");
	buffer->memory = NULL;
	buffer->n = 0;
	buffer_free(buffer);
	close(other);
}

/* One buffer by two numbers, as for two domains. */
static void by_two_numbers(void)
{
	struct buffer *buffer = buffer_make(BUFFER_LONG, N);
	struct ioctl_gntdev_grant_ref again[N];
	int number = dup(buffer->fd);

	dev_import(fd, buffer->fd, N, granter_domid(), refs);
	dev_import(fd, number, N, granter_domid(), again);
	check_ok("I2", dev_import_release(fd, buffer->fd), "release by the older one's number");
	check("I2", !mappable(refs, N) && mappable(again, N), "that one has ended, not the newer");
	check_ok("I2", dev_import_release(fd, number), "release by the other number");
	check("I2", !mappable(again, N), "that one, too");
	close(number);
	buffer_free(buffer);
	check_eq("I2", probe_exports(probe), 0, "the buffer is released");
}

static int import_and_die(void *unused)
{
	struct buffer *buffer = buffer_shaped(PROBE_LONG, N);

	(void)unused;
	return dev_import(dev_open(), buffer->fd, N, granter_domid(), refs) ? 1 : 0;
}

static void ends(void)
{
	struct buffer *buffer = buffer_make(BUFFER_LONG, N);
	int mine = dev_open();

	dev_import(mine, buffer->fd, N, granter_domid(), refs);
	check("I2", mappable(refs, N), "imported");
	close(mine);
	check("I3", !mappable(refs, N), "the close of the instance ends the grants");
	buffer_free(buffer);
	check_eq("I3", probe_exports(probe), 0, "and gives the buffer back");
	check_eq("A2", t_wait(t_child(import_and_die, NULL)), 0, "a process imports a buffer and exits");
	check_eq("A2", probe_exports(probe), 0, "the buffer is released");
}

int main(void)
{
	t_start();
	probe = probe_open();
	if (probe < 0)
		t_bail("/dev/dmabuf-probe: %m");
	fd = dev_open();
	for (unsigned int kind = 0; kind < BUFFER_KINDS; kind++)
		both_ways(kind, N);
	both_ways(BUFFER_VGEM, MANY);
	far_and_scattered();
	both_ways(BUFFER_LONG, 1);
	both_ways(BUFFER_LONG, 200);
	wrong_numbers();
	nowhere_to_tell();
	shape(PROBE_UNALIGNED, EINVAL, "an entry that begins inside a page");
	shape(PROBE_SHORT, EINVAL, "entries for less than the buffer");
	shape(PROBE_BEYOND, EINVAL, "entries for more than the buffer");
	shape(PROBE_BUSY, EBUSY, "an exporter that refuses");
	not_ours_to_grant();
	twice();
	by_two_numbers();
	ends();
	close(fd);
	close(probe);
	return t_done();
}
