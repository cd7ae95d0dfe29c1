// SPDX-License-Identifier: GPL-2.0-or-later
/* What drivers do with a dma-buf of grants: attach a device, use the processor; and memory types. */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/buffer.h"
#include "lib/grant.h"
#include "lib/oracle.h"

#define N 6
#define MANY 600

static struct grants *grants;
static int fd, probe;

/* The machine frame of each page, as Xen knows it. */
static void ask_frames(const struct grants *of, uint64_t *frames)
{
	char *all = oracle_frames(granter_domid()), *next = all;
	unsigned long frame;
	unsigned int ref;
	int skip;

	if (!all)
		t_bail("Xen cannot be asked: %m");
	memset(frames, 0xff, of->n * sizeof(*frames));
	for (; sscanf(next, " %u:%lx%n", &ref, &frame, &skip) == 2; next += skip)
		for (unsigned int i = 0; i < of->n; i++)
			if (of->refs[i].ref == ref)
				frames[i] = frame;
	free(all);
}

static void attach(unsigned int n)
{
	struct grants *some = grants_make(n);
	uint64_t *frames = calloc(n, sizeof(*frames)), *addresses = calloc(n, sizeof(*addresses));
	unsigned int got = n, type, right = 0, high = 0;
	int buffer;

	grants_fill(some, 1);
	if (dev_export(fd, 0, some->refs, n, &buffer))
		t_bail("export: %m");
	check_ok("E3", probe_attach(probe, buffer, 64, addresses, &got, &type), "attach %u pages", n);
	check_eq("E3", got, n, "the device gets an address for each page");
	if (t_dom0() && t_pv()) {
		ask_frames(some, frames);
		for (unsigned int i = 0; i < n; i++)
			right += addresses[i] == frames[i] * PAGE;
		check_eq("E3", right, n, "which is the machine address that Xen knows");
	} else {
		t_skip("E3", "devices are dom0's here", "machine addresses");
	}
	for (unsigned int i = 0; i < got; i++)
		high += addresses[i] >> 32 > 0;
	t_note("%u of %u pages are above 4 GiB", high, n);
	check_ok("E3", probe_detach(probe), "detach");
	check_eq("E3", grants_bad(some, 1), 0, "nothing was copied over the pages");

	/* A device that does not reach the pages: refused, rather than given a copy. */
	if (high) {
		got = n;
		check_errno("E6", probe_attach(probe, buffer, 32, addresses, &got, &type), EIO,
			    "a device of 32 bits");
		check_eq("E6", grants_bad(some, 1), 0, "nothing was copied over the pages");
	} else {
		t_skip("E6", "no page is known to be above 4 GiB", "a device of 32 bits");
	}
	close(buffer);
	check_eq("E4", xen_holds(some), 0, "nothing stays mapped");
	grants_free(some);
	free(frames);
	free(addresses);
}

/* A device that has it mapped is a user, too. */
static void attached_alone(void)
{
	uint64_t addresses[N];
	unsigned int n = N, type;
	int buffer;

	dev_export(fd, 0, grants->refs, N, &buffer);
	probe_attach(probe, buffer, 64, addresses, &n, &type);
	close(buffer);
	check_errno("E5", dev_wait_released(fd, buffer, 0), ETIMEDOUT, "attached, it is not released");
	check("E3", xen_holds(grants) >= N, "Xen holds it");
	probe_detach(probe);
	check_errnos("E5", dev_wait_released(fd, buffer, T_PATIENCE_MS), errnos(0, ENOENT),
		     "detached, it is");
	check_eq("E4", xen_holds(grants), 0, "nothing stays mapped");
}

static void by_the_processor(unsigned int n)
{
	struct grants *some = grants_make(n);
	struct probe_touch found;
	unsigned int wrong = 0;
	int buffer;
	char *mapping;

	grants_fill(some, 2);
	dev_export(fd, 0, some->refs, n, &buffer);
	mapping = mmap(NULL, n * PAGE, RW, MAP_SHARED, buffer, 0);
	check_ok("E3", probe_touch(probe, buffer, 8, 0x11, &found), "vmap %u pages", n);
	for (unsigned int i = 0; i < n; i += n > 20 ? 61 : 1) {
		uint64_t word = pattern_word(2, i, 2);

		wrong += probe_touch(probe, buffer, i * PAGE + 16, 0xa0 + i, &found) != 0;
		wrong += found.old != (uint8_t)word;
		wrong += grants_peek(some, i, 16) != (uint8_t)(0xa0 + i);
		wrong += (uint8_t)mapping[i * PAGE + 16] != (uint8_t)(0xa0 + i);
	}
	check_eq("E3", wrong, 0, "the kernel reads and writes the granter's pages");
	check_eq("E2", found.type, PROBE_TYPE_WB, "through ordinary memory");
	munmap(mapping, n * PAGE);
	check_ok("E3", probe_touch(probe, buffer, 8, 0x12, &found), "again, with no process");
	check_eq("E3", found.old, 0x11, "what was there is still there");
	close(buffer);
	check_eq("E4", xen_holds(some), 0, "nothing stays mapped");
	check_eq("A2", grants_free(some), 0, "the pages are free");
}

/* The offset in /proc/kcore of an address of the kernel, or -1. */
static off_t kcore_offset(int kcore, uint64_t address)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;

	if (pread(kcore, &header, sizeof(header), 0) != sizeof(header))
		return -1;
	for (unsigned int i = 0; i < header.e_phnum; i++) {
		if (pread(kcore, &segment, sizeof(segment), header.e_phoff + i * sizeof(segment)) !=
		    sizeof(segment))
			return -1;
		if (segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
		    address - segment.p_vaddr < segment.p_memsz)
			return segment.p_offset + (address - segment.p_vaddr);
	}
	return -1;
}

/* Somebody reads all of the kernel's memory, a debugger for one. */
static void under_the_eyes_of_a_debugger(void)
{
	int kcore = open("/proc/kcore", O_RDONLY | O_CLOEXEC), buffer;
	uint64_t address;
	off_t offset;
	char page[PAGE];

	if (kcore < 0) {
		t_skip("A1", "there is no /proc/kcore", "reading the kernel's view of a buffer");
		return;
	}
	dev_export(fd, 0, grants->refs, N, &buffer);
	address = probe_hold(probe, buffer);
	check("E3", address, "the kernel maps a buffer");
	offset = kcore_offset(kcore, address);
	check("A1", offset > 0, "its address is in /proc/kcore");
	for (unsigned int i = 0; i < N; i++)
		check("A1", pread(kcore, page, PAGE, offset + i * PAGE) >= 0 || errno == EFAULT,
		      "page %u of it can be asked for", i);
	probe_detach(probe);
	close(buffer);
	close(kcore);
	check_eq("E4", xen_holds(grants), 0, "nothing stays mapped");
}

static unsigned int types_other_than(const char *mapping, unsigned int n, unsigned int type)
{
	unsigned int others = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct probe_entry entry;

		(void)*(volatile const char *)(mapping + i * PAGE);
		entry = probe_entry(probe, mapping + i * PAGE);
		others += !entry.present || entry.type != type;
	}
	return others;
}

/* That of the kernel's own addresses, as a driver that attaches finds it. */
static unsigned int linear_type(int buffer)
{
	uint64_t addresses[N];
	unsigned int n = N, type = 0;

	if (probe_attach(probe, buffer, 64, addresses, &n, &type))
		t_bail("attach: %m");
	probe_detach(probe);
	return type;
}

/* Has the kernel read memory by the pages behind it. */
static int read_by_the_kernel(void *memory)
{
	char byte;
	struct iovec here = { &byte, 1 }, there = { memory, 1 };

	return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == 1 ? 0 : -1;
}

static void memory_type(unsigned int flags, unsigned int type, const char *name)
{
	struct probe_touch found;
	int buffer, again;
	char *mapping;

	grants_fill(grants, 3);
	if (!check_ok("E2", dev_export(fd, flags, grants->refs, N, &buffer), "export: %s", name))
		return;
	mapping = mmap(NULL, N * PAGE, RW, MAP_SHARED, buffer, 0);
	check_eq("E2", types_other_than(mapping, N, type), 0, "%s: the user's entries", name);
	check_eq("E3", mapping_bad(mapping, N, 3), 0, "%s: shows the pages", name);
	madvise(mapping, N * PAGE, MADV_DONTNEED);
	check_eq("E2", types_other_than(mapping, N, type), 0, "%s: when they come back", name);
	if (!t_pv()) {
		mprotect(mapping, N * PAGE, RO);
		mprotect(mapping, N * PAGE, RW);
		check_eq("E2", types_other_than(mapping, N, type), 0, "%s: after mprotect", name);
	}
	mapping_fill(mapping, N, 4);
	check_eq("E3", grants_bad(grants, 4), 0, "%s: the granter sees what is written", name);
	check_ok("E2", probe_touch(probe, buffer, 4 * PAGE, 1, &found), "%s: vmap", name);
	check_eq("E2", found.type, type, "%s: the entry that it makes", name);
	/* Arm's DMA API leaves that one as it is; so nobody may use it. */
	if (type != PROBE_TYPE_WB && !IS_ARM)
		check_eq("E2", linear_type(buffer), type, "%s: the kernel's own entry", name);
	else if (type != PROBE_TYPE_WB)
		check_errno("E2", read_by_the_kernel(mapping), EFAULT,
			    "%s: the kernel does not look for the pages behind it", name);
	munmap(mapping, N * PAGE);
	close(buffer);
	check_eq("E4", xen_holds(grants), 0, "%s: nothing stays mapped", name);

	/* The same frames of this domain, for something else. */
	dev_export(fd, 0, grants->refs, N, &again);
	mapping = mmap(NULL, N * PAGE, RW, MAP_SHARED, again, 0);
	check_eq("E2", types_other_than(mapping, N, PROBE_TYPE_WB), 0, "afterwards: ordinary memory");
	check_ok("E2", probe_touch(probe, again, 0, 1, &found), "afterwards: vmap");
	check_eq("E2", found.type, PROBE_TYPE_WB, "afterwards: the entry that it makes");
	munmap(mapping, N * PAGE);
	close(again);
}

int main(void)
{
	t_start();
	probe = probe_open();
	if (probe < 0)
		t_bail("/dev/dmabuf-probe: %m");
	fd = dev_open();
	grants = grants_make(N);
	attach(N);
	attach(MANY);
	attached_alone();
	by_the_processor(N);
	by_the_processor(MANY);
	under_the_eyes_of_a_debugger();
	memory_type(0, PROBE_TYPE_WB, "no flags");
	if (IS_ARM)
		memory_type(GNTDEV_DMA_FLAG_COHERENT, PROBE_TYPE_WC, "Arm: coherent, not cached");
	else
		memory_type(GNTDEV_DMA_FLAG_COHERENT, PROBE_TYPE_WB, "x86: coherent, ordinary");
	if (t_pv())
		memory_type(GNTDEV_DMA_FLAG_WC, PROBE_TYPE_WB, "PV: what dma_alloc_wc() gives, ordinary");
	else
		memory_type(GNTDEV_DMA_FLAG_WC, PROBE_TYPE_WC, "write-combining");
	close(fd);
	close(probe);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
