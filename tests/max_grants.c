// SPDX-License-Identifier: GPL-2.0-or-later
/* SET_MAX_GRANTS: an instance's limit, changed only while it holds nothing. */
#define _GNU_SOURCE
#include <unistd.h>

#include "lib/grant.h"

#define MAX "/sys/module/xen_gntdev/parameters/max_grants"

int main(void)
{
	long long max = t_read_number(MAX);
	struct grants *grants;
	uint64_t index, more;
	void *mapping;
	int fd;

	t_start();
	if (max < 0)
		max = 1048576;
	grants = grants_make(2);
	fd = dev_open();
	check_errno("M6", dev_max(fd, 0), EINVAL, "0");
	check_errno("M6", dev_max(fd, max + 1), EINVAL, "more than max_grants");
	check_errno("M6", dev_max(fd, UINT32_MAX), EINVAL, "2^32-1");
	check_ok("M6", dev_max(fd, max), "max_grants itself");
	check_ok("M6", dev_max(fd, 32752), "what xenstored asks for");
	check_ok("M6", dev_map_fake(fd, 32752, &index), "32752 references fit then");
	check_errno("M6", dev_map_fake(fd, 1, &more), ENOSPC, "and not one more");
	check_errno("M6", dev_max(fd, 100), EBUSY, "below what is held");
	check_errno("M6", dev_max(fd, 40000), EBUSY, "above what is held");
	check_errno("M6", dev_max(fd, 0), EINVAL, "0 while something is held");
	check_errno("M6", dev_map_fake(fd, 1, &more), ENOSPC, "the limit is as before");
	check_ok("M6", dev_unmap(fd, index, 32752), "remove them");
	check_ok("M6", dev_max(fd, 2), "on an instance that is empty again");
	check_ok("M6", dev_map(fd, grants->refs, 2, &index), "two references");
	check_errno("M6", dev_map_fake(fd, 1, &more), ENOSPC, "are all");
	mapping = dev_mmap(fd, index, 2, RW);
	check_errno("M6", dev_max(fd, 100), EBUSY, "while something is mapped");
	dev_munmap(mapping, 2);
	check_errno("M6", dev_max(fd, 100), EBUSY, "while something was mapped and is registered");
	check_ok("M6", dev_unmap(fd, index, 2), "remove it");
	check_ok("M6", dev_max(fd, 100), "as QEMU does when a frontend comes back");
	check_ok("M6", dev_map_fake(fd, 100, &index), "and the new limit holds");
	check_errno("M6", dev_map_fake(fd, 1, &more), ENOSPC, "exactly");
	close(fd);

	if (check("M6", t_write_file(MAX, "500"), "max_grants can be changed at run time")) {
		char text[32];

		fd = dev_open();
		check_errno("M6", dev_max(fd, 501), EINVAL, "501 is too large with max_grants 500");
		check_ok("M6", dev_max(fd, 500), "500 is not");
		close(fd);
		snprintf(text, sizeof(text), "%lld", max);
		t_write_file(MAX, text);
	}
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
