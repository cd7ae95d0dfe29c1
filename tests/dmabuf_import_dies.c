// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The domain that maps our pages dies, with a port of ours: an imported dma-buf comes back then, and
 * a notification to a port that nobody has any more does no harm. In dom0 only, which makes domains.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/brief.h"
#include "lib/buffer.h"
#include "lib/grant.h"

#define N 4

static struct grants *grants;
static int probe;

static bool all_written(const struct buffer *buffer)
{
	for (unsigned int i = 1; i <= N; i++)
		if (((volatile uint8_t *)buffer->memory)[i * PAGE - 1] != MAPPER_BYTE)
			return false;
	return true;
}

/* What went wrong, or 0. The import is given up @early: before the domain dies, or after. */
static unsigned int round_of(bool early, bool by_close)
{
	struct buffer *buffer = buffer_shaped(PROBE_LONG, N);
	struct ioctl_gntdev_grant_ref refs[N];
	unsigned int bad = 0, port;
	int fd = dev_open(), channel;
	uint32_t domid = mapper_next();
	uint64_t index;
	char *mapping;

	memset(buffer->memory, 0, N * PAGE);
	if (dev_import(fd, buffer->fd, N, domid, refs))
		t_bail("import: %s", strerror(errno));
	if (mapper_start(domid, refs, N))
		t_bail("domain %u does not start", domid);
	bad += !t_eventually(all_written(buffer));
	channel = mapper_channel(domid, &port);
	if (dev_map(fd, grants->refs, N, &index))
		t_bail("MAP_GRANT_REF: %s", strerror(errno));
	mapping = dev_mmap(fd, index, N, RW);
	bad += mapping == MAP_FAILED;
	bad += dev_notify(fd, index, UNMAP_NOTIFY_SEND_EVENT, port) != 0;
	bad += dev_notify(fd, index + 2 * PAGE, UNMAP_NOTIFY_SEND_EVENT, port) != 0;
	if (early) {
		bad += !by_close && dev_import_release(fd, buffer->fd) != 0;
		bad += probe_exports(probe) != 1;
	}
	mapper_kill();
	bad += dev_munmap(mapping, N) != 0;
	bad += dev_unmap(fd, index, N) != 0;
	close(channel);
	if (!early)
		bad += !by_close && dev_import_release(fd, buffer->fd) != 0;
	close(fd);
	buffer_free(buffer);
	bad += !t_eventually(probe_exports(probe) == 0);
	return bad + xen_holds_refs(refs, N);
}

int main(void)
{
	unsigned int n, bad = 0;

	t_start();
	if (!t_dom0() || !granter_is_self()) {
		t_skip("I3", "only dom0 makes domains, and once will do", "domains that die");
		return t_done();
	}
	n = t_rounds(4, 200);
	probe = probe_open();
	grants = grants_make(N);
	for (unsigned int i = 0; i < n; i++)
		bad += round_of(i % 2, i / 2 % 2);
	check_eq("I3", bad, 0, "%u domains die that map what was imported for them, and have a port", n);
	check_eq("A2", xen_holds(grants), 0, "nothing stays mapped");
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	close(probe);
	return t_done();
}
