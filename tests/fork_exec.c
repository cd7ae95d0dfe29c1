// SPDX-License-Identifier: GPL-2.0-or-later
/* fork: shared in translated mode, absent in PV. exec and exit: all is gone. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lib/grant.h"

#define N 3

static struct grants *grants;
static char *mapping;
static uint64_t index_;
static int fd;
static struct gate ready, go;

/* What a child sees: 0 the pages (which it then marks), 1 a fault, 2 something else. */
static int look(void *unused)
{
	int byte = t_byte(mapping);

	(void)unused;
	if (byte < 0)
		return 1;
	if (mapping_bad(mapping, N, 12))
		return 2;
	return t_poke(mapping + 100, 200) ? 3 : 0;
}

static void children(const char *state)
{
	int found = t_wait(t_child(look, NULL));

	if (t_pv()) {
		check_eq("V6", found, 1, "%s: PV: a child does not have the mapping", state);
	} else {
		check_eq("V6", found, 0, "%s: a child shares the mapping", state);
		check_eq("V6", t_byte(mapping + 100), 200, "%s: its writes are seen", state);
	}
	t_poke(mapping + 100, ((uint8_t *)(uint64_t[]){ pattern_word(12, 0, 12) })[4]);
	check_eq("V6", mapping_bad(mapping, N, 12), 0, "%s: the parent is undisturbed", state);
	check("V6", xen_holds(grants) >= N, "%s: and Xen still holds the pages", state);
}

static int look_later(void *unused)
{
	gate_open(&ready);
	return gate_wait(&go) ? look(unused) : 9;
}

/* The parent unmaps while a child lives. */
static void parent_unmaps(void)
{
	int pid = t_child(look_later, NULL), found;

	gate_wait(&ready);
	check_ok("V6", dev_munmap(mapping, N), "the parent unmaps while a child lives");
	if (t_pv()) {
		check_eq("V6", xen_holds(grants), 0, "PV: Xen holds nothing then");
		check_ok("V6", dev_unmap(fd, index_, N), "PV: and the range can go");
		dev_map(fd, grants->refs, N, &index_);
	} else {
		check("V6", xen_holds(grants) >= N, "the child's mapping keeps the pages");
		check_errno("V6", dev_unmap(fd, index_, N), EBUSY, "and the range");
	}
	gate_open(&go);
	found = t_wait(pid);
	check_eq("V6", found, t_pv() ? 1 : 0, "the child sees what it saw");
	check_eq("V6", xen_holds(grants), 0, "when it is gone Xen holds nothing");
	grants_fill(grants, 12);
	mapping = dev_mmap(fd, index_, N, RW);
	check("V6", mapping != MAP_FAILED, "and the range can be mapped again");
}

static int exec_now(void *unused)
{
	char *own;

	(void)unused;
	own = dev_mmap(fd, index_, N, RW);
	if (own == MAP_FAILED || mapping_bad(own, N, 12))
		return 7;
	/* A program that is sure to be there, with a status that is sure to be its own. */
	execlp("sh", "sh", "-c", "exit 42", NULL);
	return 8;
}

static void execs(void)
{
	dev_munmap(mapping, N);
	check_eq("A2", t_wait(t_child(exec_now, NULL)), 42, "exec with a mapping");
	check_eq("A2", xen_holds(grants), 0, "ends the mapping");
	check_ok("A2", dev_unmap(fd, index_, N), "and the range can go");
	dev_map(fd, grants->refs, N, &index_);
	mapping = dev_mmap(fd, index_, N, RW);
	check("A2", mapping != MAP_FAILED, "or be mapped again");
	children("after that");
}

/* A child maps, has a child of its own, and exits before it. */
static int grandchild_stays(void *unused)
{
	mapping = dev_mmap(fd, index_, N, RW);
	if (mapping == MAP_FAILED)
		return 7;
	if (!fork()) {
		gate_open(&ready);
		_exit(gate_wait(&go) && look(unused) == (t_pv() ? 1 : 0) ? 0 : 1);
	}
	return 0;
}

static void parent_exits(void)
{
	dev_munmap(mapping, N);
	check_eq("V6", t_wait(t_child(grandchild_stays, NULL)), 0, "a parent that exits before its child");
	check("V6", gate_wait(&ready), "whose child lives on");
	if (t_pv())
		check_eq("V6", xen_holds(grants), 0, "PV: Xen holds nothing");
	else
		check("V6", xen_holds(grants) >= N, "keeps the pages mapped");
	gate_open(&go);
	/* The grandchild is the subreaper's, that is, ours. */
	check_eq("V6", t_wait(-1), 0, "and sees the pages, or in PV a fault");
	check_eq("V6", xen_holds(grants), 0, "and with the last of them all is unmapped");
	mapping = dev_mmap(fd, index_, N, RW);
}

/*
 * After MADV_DONTFORK. Newer kernels refuse MADV_DOFORK for every mapping that cannot be expanded.
 * The vDSO is one of those, too.
 */
static void forks_again(void)
{
	void *vdso = (void *)getauxval(AT_SYSINFO_EHDR);
	int err = errno_of(madvise(vdso, PAGE, MADV_DOFORK));

	check_errno("V6", madvise(mapping, N * PAGE, MADV_DOFORK), err,
		    "MADV_DOFORK, which this kernel %s", err ? "refuses" : "has for such mappings");
	if (!err) {
		children("fork after MADV_DOFORK");
		return;
	}
	check_eq("V6", t_wait(t_child(look, NULL)), 1, "without it no child has the mapping");
	check_eq("V6", mapping_bad(mapping, N, 12), 0, "and the parent is undisturbed");
	dev_munmap(mapping, N);
	mapping = dev_mmap(fd, index_, N, RW);
	check("V6", mapping != MAP_FAILED, "mapped once more, it is as at first");
	children("fork after a new mmap");
}

int main(void)
{
	t_start();
	gate_make(&ready);
	gate_make(&go);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	fd = dev_open();
	grants = grants_make(N);
	grants_fill(grants, 12);
	dev_map(fd, grants->refs, N, &index_);
	mapping = dev_mmap(fd, index_, N, RW);
	if (mapping == MAP_FAILED)
		t_bail("mmap: %m");
	children("fork");
	madvise(mapping, N * PAGE, MADV_DONTFORK);
	check_eq("V6", t_wait(t_child(look, NULL)), 1, "after MADV_DONTFORK no child has it");
	check_eq("V6", mapping_bad(mapping, N, 12), 0, "and the parent is undisturbed");
	forks_again();
	madvise(mapping, N * PAGE, MADV_WIPEONFORK);
	children("fork after MADV_WIPEONFORK");
	parent_unmaps();
	execs();
	parent_exits();

	dev_munmap(mapping, N);
	check_eq("V6", xen_holds(grants), 0, "after munmap Xen holds nothing");
	check_ok("V6", dev_unmap(fd, index_, N), "and the range can go");
	close(fd);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
