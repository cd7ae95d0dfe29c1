// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The granting domain is suspended while dom0 has its pages. After a checkpoint it has them as
 * before. After a restore the granter is another domain: what dom0 has are the pages of the one
 * that was, which Xen keeps until dom0 gives them back.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/grant.h"
#include "lib/store.h"

#define N 5

static const char *guest;

static void suspended(enum suspend how)
{
	const char *name = suspend_names[how];
	struct grants *mapped = grants_make(N), *exported = grants_make(N);
	struct grants *flying = grants_make(N);
	struct iovec page = { .iov_len = PAGE };
	unsigned int domid = granter_domid();
	bool back = how == CHECKPOINT;
	struct channel *channel = NULL;
	uint64_t index, flying_index;
	int fd = dev_open(), buffer, ends[2];
	char *memory, *view, *in_pipe, bytes[PAGE];

	grants_fill(mapped, 1);
	grants_fill(exported, 2);
	grants_fill(flying, 3);
	dev_map(fd, mapped->refs, N, &index);
	memory = dev_mmap(fd, index, N, RW);
	dev_map(fd, flying->refs, N, &flying_index);
	in_pipe = dev_mmap(fd, flying_index, N, RW);
	if (memory == MAP_FAILED || in_pipe == MAP_FAILED)
		t_bail("%s: mmap: %m", name);
	page.iov_base = in_pipe + PAGE;
	if (pipe(ends) || vmsplice(ends[1], &page, 1, 0) != PAGE)
		t_bail("%s: vmsplice: %m", name);
	view = NULL;
	if (dev_export(fd, 0, exported->refs, N, &buffer))
		t_skip("S4", "this driver has no dma-bufs", "%s: exported", name);
	else
		view = mmap(NULL, N * PAGE, RW, MAP_SHARED, buffer, 0);
	/* A guest's kernel does not survive a port over a restore. */
	if (back)
		channel = channel_make();
	if (dev_notify(fd, index + PAGE + 33,
		       UNMAP_NOTIFY_CLEAR_BYTE | (back ? UNMAP_NOTIFY_SEND_EVENT : 0),
		       back ? channel->port : 0))
		t_bail("%s: SET_UNMAP_NOTIFY: %m", name);

	if (!check("S4", guest_suspend(guest, how, domid, NULL), "%s: the granter is suspended",
		   name))
		back = true;
	check_eq("S4", mapping_bad(memory, N, 1), 0, "%s: its pages are as they were", name);
	if (back) {
		grants_fill(mapped, 4);
		check_eq("S4", mapping_bad(memory, N, 4), 0, "%s: and still its own", name);
		mapping_fill(memory, N, 5);
		check_eq("S4", grants_bad(mapped, 5), 0, "%s: in both directions", name);
	} else {
		check("S4", guest_exists(domid), "%s: Xen keeps the domain that was", name);
		mapping_fill(memory, N, 5);
		check_eq("S4", grants_bad(mapped, 1), 0, "%s: the one that is has pages of its own",
			 name);
		check_eq("S4", mapping_bad(memory, N, 5), 0, "%s: and dom0 those that were", name);
	}
	check_ok("S4", dev_munmap(in_pipe, N), "%s: munmap with a page in a pipe", name);
	check_eq("S4", read(ends[0], bytes, PAGE), PAGE, "%s: which comes out", name);
	check("S4", ((uint64_t *)bytes)[9] == pattern_word(3, 1, 9), "%s: as it was", name);
	close(ends[0]);
	close(ends[1]);
	if (view) {
		check_eq("S4", mapping_bad(view, N, 2), 0, "%s: a dma-buf of it", name);
		dev_munmap(view, N);
		close(buffer);
	}
	check_ok("S4", dev_munmap(memory, N), "%s: munmap", name);
	if (back) {
		check_eq("S4", grants_peek(mapped, 1, 33), 0, "%s: the byte is cleared", name);
		if (channel)
			check("S4", channel_wait(channel, 1), "%s: the event comes", name);
	}
	check_ok("S4", dev_unmap(fd, index, N), "%s: UNMAP_GRANT_REF", name);
	close(fd);
	if (channel)
		channel_free(channel);
	if (!back)
		check("S4", t_eventually(!guest_exists(domid)), "%s: then nothing is left of it",
		      name);
	check("S4", t_eventually(!xen_holds(mapped) && !xen_holds(exported) && !xen_holds(flying)),
	      "%s: Xen holds nothing", name);
	check_eq("S4", grants_free(mapped) + grants_free(exported) + grants_free(flying), 0,
		 "%s: the granter has its pages back", name);
}

int main(void)
{
	char path[64];

	t_start();
	if (IS_ARM || !t_dom0() || granter_is_self()) {
		t_skip("S4", IS_ARM ? "Xen does not save on Arm" : "no guest grants to dom0",
		       "a granter that is suspended");
		return t_done();
	}
	grants_free(grants_make(1)); /* says hello, for the store */
	snprintf(path, sizeof(path), "/local/domain/%u/name", granter_domid());
	guest = store_read(path);
	if (!guest)
		t_bail("%s: %m", path);
	if (t_full())
		suspended(CHECKPOINT);
	suspended(RESTORE);
	return t_done();
}
