// SPDX-License-Identifier: GPL-2.0-or-later
/* libxengnttab, as Debian has it, on this driver. Linked with -lxengnttab. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>

#include <xengnttab.h>

#include "lib/grant.h"

#define N 5

int main(void)
{
	uint32_t domids[N], refs[N];
	uint64_t words[2] = { 0 };
	xengnttab_grant_copy_segment_t copy = {
		.len = sizeof(words),
		.flags = GNTCOPY_source_gref,
		.status = 77,
	};
	struct channel *channel;
	struct grants *grants;
	xengnttab_handle *handle;
	char *mapping;

	t_start();
	grants = grants_make(N);
	grants_fill(grants, 1);
	channel = channel_make();
	for (int i = 0; i < N; i++) {
		domids[i] = granter_domid();
		refs[i] = grants->refs[i].ref;
	}
	handle = xengnttab_open(NULL, 0);
	if (!handle)
		t_bail("xengnttab_open: %m");
	check("A3", fcntl(xengnttab_fd(handle), F_GETFD) >= 0, "xengnttab_fd");
	check_ok("A3", xengnttab_set_max_grants(handle, 64), "xengnttab_set_max_grants");

	mapping = xengnttab_map_grant_ref(handle, domids[0], refs[0], RW);
	check("A3", mapping, "xengnttab_map_grant_ref");
	check_eq("A3", mapping && *(uint64_t *)mapping == pattern_word(1, 0, 0), 1, "shows the page");
	check_ok("A3", xengnttab_unmap(handle, mapping, 1), "xengnttab_unmap");
	check_eq("A3", xen_holds(grants), 0, "leaves nothing");

	mapping = xengnttab_map_grant_refs(handle, N, domids, refs, RW);
	check("A3", mapping && !mapping_bad(mapping, N, 1), "xengnttab_map_grant_refs");
	check_ok("A3", xengnttab_unmap(handle, mapping, N), "xengnttab_unmap of them");

	mapping = xengnttab_map_domain_grant_refs(handle, N, granter_domid(), refs, RO);
	check("A3", mapping && !mapping_bad(mapping, N, 1), "xengnttab_map_domain_grant_refs");
	check_ok("A3", xengnttab_unmap(handle, mapping, N), "xengnttab_unmap of them");

	copy.source.foreign.domid = domids[1];
	copy.source.foreign.ref = refs[1];
	copy.dest.virt = words;
	check_ok("A3", xengnttab_grant_copy(handle, 1, &copy), "xengnttab_grant_copy");
	check_eq("A3", copy.status, GNTST_okay, "says okay");
	check("A3", words[0] == pattern_word(1, 1, 0) && words[1] == pattern_word(1, 1, 1),
	      "brings the bytes");

	grants_poke(grants, 0, 99, 0xff);
	mapping = xengnttab_map_grant_ref_notify(handle, domids[0], refs[0], RW, 99, channel->port);
	check("A3", mapping, "xengnttab_map_grant_ref_notify");
	check_ok("A3", xengnttab_unmap(handle, mapping, 1), "xengnttab_unmap");
	check("A3", channel_wait(channel, 1), "its event comes");
	check_eq("A3", grants_peek(grants, 0, 99), 0, "its byte is cleared");

	mapping = xengnttab_map_grant_ref_notify(handle, domids[0], refs[0], RW, 4000,
						 channel->port);
	check("A3", mapping, "the same, once more");
	grants_poke(grants, 0, 4000, 0xff);
	check_ok("A3", xengnttab_close(handle), "xengnttab_close with that mapped");
	check_eq("A3", mapping && t_byte(mapping + 4000) == 0xff, 1, "the mapping outlives it");
	dev_munmap(mapping, 1);
	check("A3", channel_wait(channel, 2), "its event comes after munmap");
	check_eq("A3", grants_peek(grants, 0, 4000), 0, "its byte is cleared");

	handle = xengnttab_open(NULL, 0);
	errno = 0;
	check("A3", !xengnttab_map_grant_ref(handle, NO_DOMAIN, 8, RW) && errno == ESRCH,
	      "a domain that does not exist");
	xengnttab_close(handle);
	check_eq("A2", xen_holds(grants), 0, "nothing stays mapped");
	channel_free(channel);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
