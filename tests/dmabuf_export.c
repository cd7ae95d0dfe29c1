// SPDX-License-Identifier: GPL-2.0-or-later
/* dma-bufs out of grants: what a process can do with one, and that nothing is left of it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/grant.h"
#include "lib/pass.h"

#define N 5

static struct grants *grants;
static int fd;

static void mapped_by_a_process(void)
{
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW };
	int buffer = -1;
	char *mapping;

	grants_fill(grants, 1);
	check_ok("E1", dev_export(fd, 0, grants->refs, N, &buffer), "export");
	check_eq("E1", fcntl(buffer, F_GETFD), FD_CLOEXEC, "the descriptor is close-on-exec");
	check_eq("E1", lseek(buffer, 0, SEEK_END), N * PAGE, "the size");
	mapping = mmap(NULL, N * PAGE, RW, MAP_SHARED, buffer, 0);
	check("E3", mapping != MAP_FAILED, "mmap");
	if (mapping == MAP_FAILED)
		return;
	check_eq("E3", mapping_bad(mapping, N, 1), 0, "shows the pages");
	check_ok("E3", ioctl(buffer, DMA_BUF_IOCTL_SYNC, &sync), "begin CPU access");
	mapping_fill(mapping, N, 2);
	sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW;
	check_ok("E3", ioctl(buffer, DMA_BUF_IOCTL_SYNC, &sync), "end CPU access");
	check_eq("E3", grants_bad(grants, 2), 0, "what is written there the granter sees");
	check_ok("E3", close(buffer), "close while it is mapped");
	check_eq("E3", mapping_bad(mapping, N, 2), 0, "it is still there");
	check("E4", xen_holds(grants) >= N, "Xen holds it");
	munmap(mapping, N * PAGE);
	check_eq("E4", xen_holds(grants), 0, "munmap, and Xen holds nothing");
}

static int receive_and_map(void *socket_end)
{
	int buffer = receive_fd(*(int *)socket_end);
	char *mapping = mmap(NULL, N * PAGE, RW, MAP_SHARED, buffer, 0);

	if (mapping == MAP_FAILED)
		return 2;
	if (mapping_bad(mapping, N, 3))
		return 3;
	mapping_fill(mapping, N, 4);
	return 0;
}

/* Over a socket to a process that never opened the device, after the exporter let go of all. */
static void passed_on(void)
{
	int buffer = -1, ends[2], mine = dev_open(), pid;

	socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
	grants_fill(grants, 3);
	pid = t_child(receive_and_map, &ends[1]);
	check_ok("E1", dev_export(mine, 0, grants->refs, N, &buffer), "export");
	close(mine);
	check_ok("E3", pass_fd(ends[0], buffer), "hand the descriptor on");
	close(buffer);
	check_eq("E3", t_wait(pid), 0, "another process maps it, reads and writes");
	check_eq("E3", grants_bad(grants, 4), 0, "the granter sees what it wrote");
	close(ends[0]);
	close(ends[1]);
	check_eq("E4", xen_holds(grants), 0, "and Xen holds nothing any more");
}

static void refused(void)
{
	struct ioctl_gntdev_grant_ref refs[N], nobody = { .domid = NO_DOMAIN, .ref = 9 };
	int buffer = -1;

	check_errno("E2", dev_export(fd, 3, grants->refs, N, &buffer), EINVAL, "both flags");
	check_errno("E2", dev_export(fd, 4, grants->refs, N, &buffer), EINVAL, "an unknown flag");
	check_errno("E1", dev_export(fd, 0, grants->refs, 0, &buffer), EINVAL, "no references");
	check_errno("E1", dev_export(fd, 0, &nobody, 1, &buffer), ESRCH, "no such domain");
	for (unsigned int bad = 0; bad < N; bad += 2) {
		memcpy(refs, grants->refs, sizeof(refs));
		refs[bad].ref = 4000000;
		check_errno("E1", dev_export(fd, 0, refs, N, &buffer), EINVAL, "reference %u bad", bad);
		check_eq("A2", xen_holds(grants), 0, "nothing stays mapped");
	}
	check_eq("E1", buffer, -1, "no descriptor was given");
	check_ok("E2", dev_export(fd, GNTDEV_DMA_FLAG_COHERENT, grants->refs, N, &buffer), "coherent");
	check_errno("E3", mmap(NULL, N * PAGE, RW, MAP_PRIVATE, buffer, 0), EINVAL, "private mmap");
	check_errno("E3", mmap(NULL, N * PAGE + PAGE, RW, MAP_SHARED, buffer, 0), EINVAL, "too much");
	close(buffer);
	check_eq("E4", xen_holds(grants), 0, "nothing stays mapped");
}

/* What is exported counts, until Xen has it back. */
static void limit(void)
{
	int instance = dev_open(), buffer, more;
	uint64_t index;

	check_ok("L2", dev_max(instance, N + 2), "an instance for %d references", N + 2);
	check_ok("L2", dev_export(instance, 0, grants->refs, N, &buffer), "export %d", N);
	check_errno("L2", dev_export(instance, 0, grants->refs, 3, &more), ENOSPC, "3 more are too many");
	check_errno("M2", dev_map_fake(instance, 3, &index), ENOSPC, "for a range, too");
	check_ok("M2", dev_map_fake(instance, 2, &index), "2 are not");
	check_errno("L2", dev_export(instance, 0, grants->refs, 1, &more), ENOSPC, "and they are all");
	check_eq("A2", xen_holds(grants) >= N, true, "the buffer is there");
	close(buffer);
	check_errnos("E5", dev_wait_released(instance, buffer, T_PATIENCE_MS), errnos(0, ENOENT),
		     "it goes");
	check_ok("L2", dev_export(instance, 0, grants->refs, N, &buffer), "then there is room again");
	check_ok("M5", dev_unmap(instance, index, 2), "remove the range");
	check_ok("M6", dev_max(instance, 1), "a limit below what is exported");
	check_errno("M2", dev_map_fake(instance, 1, &index), ENOSPC, "nothing fits then");
	close(buffer);
	close(instance);
	check_eq("E4", xen_holds(grants), 0, "nothing stays mapped");
}

/* Parts of it, by offset and length, each a mapping of its own. */
static void in_parts(void)
{
	char *middle, *whole, *last;
	int buffer = -1;

	grants_fill(grants, 5);
	dev_export(fd, 0, grants->refs, N, &buffer);
	middle = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, buffer, PAGE);
	last = mmap(NULL, PAGE, RO, MAP_SHARED, buffer, (N - 1) * PAGE);
	whole = mmap(NULL, N * PAGE, RW, MAP_SHARED, buffer, 0);
	if (!check("E3", middle != MAP_FAILED && last != MAP_FAILED && whole != MAP_FAILED,
		   "three mappings at once"))
		return;
	check_eq("E3", *(uint64_t *)middle, pattern_word(5, 1, 0), "the second page");
	check_eq("E3", ((uint64_t *)(middle + PAGE))[9], pattern_word(5, 2, 9), "the third page");
	check_eq("E3", *(uint64_t *)last, pattern_word(5, N - 1, 0), "the last page");
	check_eq("E3", t_poke(last, 1), SIGSEGV, "which is mapped to read");
	check_errno("E3", mprotect(last, PAGE, RW), EACCES, "and cannot be made writable");
	middle[PAGE + 5] = 0x5a;
	check_eq("E3", (uint8_t)whole[2 * PAGE + 5], 0x5a, "all show the same page");
	check_eq("E3", grants_peek(grants, 2, 5), 0x5a, "the granter's");
	madvise(middle, 2 * PAGE, MADV_DONTNEED);
	check_eq("E3", t_byte(middle + PAGE + 5), 0x5a, "a page that went comes again");
	check_errno("E3", mmap(NULL, 2 * PAGE, RW, MAP_SHARED, buffer, (N - 1) * PAGE), EINVAL,
		    "a mapping that ends after the buffer");
	check_errno("M7", dev_offset(fd, whole, &(uint64_t){ 0 }, &(unsigned int){ 0 }), EINVAL,
		    "it is no mapping of the device");
	close(buffer);
	munmap(whole, N * PAGE);
	check_eq("E3", t_byte(middle + PAGE + 5), 0x5a, "the others stay");
	munmap(last, PAGE);
	munmap(middle, 2 * PAGE);
	check_eq("E4", xen_holds(grants), 0, "nothing stays mapped");
}

/* The kernel's I/O on what is mapped. */
static void used_by_the_kernel(void)
{
	char bytes[PAGE], *mapping;
	int buffer = -1, ends[2];
	segment_t segment;

	grants_fill(grants, 6);
	dev_export(fd, 0, grants->refs, N, &buffer);
	mapping = mmap(NULL, (N - 1) * PAGE, RW, MAP_SHARED, buffer, PAGE);
	close(buffer);
	if (pipe(ends) || write(ends[1], mapping + PAGE, PAGE) != PAGE ||
	    read(ends[0], bytes, PAGE) != PAGE)
		t_bail("pipe: %m");
	check_eq("V8", *(uint64_t *)bytes, pattern_word(6, 2, 0), "write() from a page of it");
	segment = seg_to(&grants->refs[0], 0, mapping + 2 * PAGE, PAGE);
	check_ok("C2", dev_copy(fd, &segment, 1), "GRANT_COPY from a page of it");
	check_eq("C2", segment.status, 0, "its status");
	check_eq("C2", grants_peek(grants, 0, 8), (uint8_t)pattern_word(6, 3, 1),
		 "what was copied is that page");
	munmap(mapping, (N - 1) * PAGE);
	close(ends[0]);
	close(ends[1]);
	check_eq("E4", xen_holds(grants), 0, "nothing stays mapped");
}

static int export_and_die(void *socket_end)
{
	int buffer;

	if (dev_export(dev_open(), 0, grants->refs, N, &buffer) || pass_fd(*(int *)socket_end, buffer))
		return 1;
	kill(getpid(), SIGKILL);
	return 2;
}

/* What one process exported lives on in another one. */
static void killed(void)
{
	int ends[2], buffer;
	char *mapping;

	socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
	grants_fill(grants, 7);
	check_eq("E3", t_wait(t_child(export_and_die, &ends[1])), -SIGKILL,
		 "a process exports, hands it on and is killed");
	buffer = receive_fd(ends[0]);
	mapping = mmap(NULL, N * PAGE, RW, MAP_SHARED, buffer, 0);
	check("E3", mapping != MAP_FAILED && !mapping_bad(mapping, N, 7), "it can be mapped still");
	munmap(mapping, N * PAGE);
	check("E3", xen_holds(grants) >= N, "Xen holds it, as long as it is open");
	close(buffer);
	check_eq("E4", xen_holds(grants), 0, "closed, Xen holds nothing");
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	t_start();
	fd = dev_open();
	grants = grants_make(N);
	mapped_by_a_process();
	passed_on();
	refused();
	limit();
	in_parts();
	used_by_the_kernel();
	killed();
	close(fd);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
