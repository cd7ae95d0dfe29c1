// SPDX-License-Identifier: GPL-2.0-or-later
/* GET_OFFSET_FOR_VADDR answers for the start of a mapping of this instance only. */
#define _GNU_SOURCE
#include <unistd.h>

#include "lib/grant.h"

static void *mapping;
static int fd;
static struct gate gate;

/* In the child: 0 when the answer is right for its mode. */
static int ask_as_child(void *wanted)
{
	unsigned int count = 0;
	uint64_t index = 0;
	int err = errno_of(dev_offset(fd, mapping, &index, &count));

	gate_open(&gate);
	if (t_pv())
		return err == EINVAL ? 0 : 1;
	return !err && index == *(uint64_t *)wanted && count == 3 ? 0 : 1;
}

int main(void)
{
	char *area, *anonymous, *hint;
	uint64_t index, single, got = 0;
	struct grants *grants;
	unsigned int count = 0;
	void *one;
	int second, pid;

	t_start();
	gate_make(&gate);
	grants = grants_make(3);
	fd = dev_open();
	second = dev_open();
	dev_map_fake(fd, 5, &single);	/* so that the index is not 0 */
	check_ok("M7", dev_map(fd, grants->refs, 3, &index), "a range of three pages");

	/* Room that is ours, with a gap below and above. */
	area = mmap(NULL, 16 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(area, 16 * PAGE);
	hint = area + 4 * PAGE;
	mapping = mmap(hint, 3 * PAGE, RW, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, index);
	if (mapping == MAP_FAILED)
		t_bail("cannot map the range: %m");
	check_ok("M7", dev_offset(fd, mapping, &got, &count), "the start of the mapping");
	check_eq("M7", got, index, "gives the index");
	check_eq("M7", count, 3, "and the number of pages");
	check_errno("M7", dev_offset(fd, mapping + PAGE, &got, &count), EINVAL, "its second page");
	check_errno("M7", dev_offset(fd, mapping + 2 * PAGE, &got, &count), EINVAL, "its last page");
	check_errno("M7", dev_offset(fd, mapping + 1, &got, &count), EINVAL, "its second byte");
	check_errno("M7", dev_offset(fd, mapping + PAGE - 1, &got, &count), EINVAL,
		    "the last byte of its first page");
	check_errno("M7", dev_offset(fd, mapping + 3 * PAGE, &got, &count), EINVAL, "its end");
	check_errno("M7", dev_offset(fd, mapping - PAGE, &got, &count), EINVAL, "the gap below it");
	check_errno("M7", dev_offset(fd, mapping - 1, &got, &count), EINVAL, "the byte below it");
	check_errno("M7", dev_offset(second, mapping, &got, &count), EINVAL, "another instance");
	check_errno("M7", dev_offset(fd, NULL, &got, &count), EINVAL, "address 0");
	check_errno("M7", dev_offset(fd, (void *)-PAGE, &got, &count), EINVAL, "the highest page");
	check_errno("M7", dev_offset(fd, (void *)0xffff888000000000, &got, &count), EINVAL,
		    "an address of the kernel");
	anonymous = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check_errno("M7", dev_offset(fd, anonymous, &got, &count), EINVAL, "anonymous memory");
	check_errno("M7", dev_offset(fd, main, &got, &count), EINVAL, "a program's text");

	pid = t_child(ask_as_child, &index);
	gate_wait(&gate);
	check_eq("M7", t_wait(pid), 0, t_pv() ? "a child in PV, which does not have the mapping" :
		 "a child in translated mode, which shares the mapping");

	check_ok("M7", dev_munmap(mapping, 3), "munmap");
	check_errno("M7", dev_offset(fd, mapping, &got, &count), EINVAL, "the address after munmap");

	/* The last page of the address space below the stack's limit, and a single page. */
	one = dev_mmap(fd, index, 3, RO);
	check_ok("M7", dev_offset(fd, one, &got, &count), "a read-only mapping");
	check_eq("M7", got, index, "gives the index, too");
	dev_munmap(one, 3);
	close(second);
	close(fd);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
