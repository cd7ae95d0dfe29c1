// SPDX-License-Identifier: GPL-2.0-or-later
/* /proc/PID/clear_refs with 1 to 5, from itself and from another process. */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "lib/grant.h"

#define N 4

static struct grants *grants;
static char *mapping;
static struct gate ready, go;

static bool clear(pid_t pid, int value)
{
	char path[64], text[2] = { '0' + value };

	snprintf(path, sizeof(path), "/proc/%d/clear_refs", pid);
	return t_write_file(path, text);
}

struct task {
	int prot, value;
	bool by_itself;
};

/*
 * The victim: 0 when its mapping is as before, 1 when every page of it gives SIGBUS, which is
 * as good; anything else is wrong.
 */
static int victim(void *argument)
{
	const struct task *task = argument;
	unsigned int bus = 0, good = 0;
	int fd = dev_open();
	uint64_t index;

	dev_map(fd, grants->refs, N, &index);
	mapping = dev_mmap(fd, index, N, task->prot);
	if (mapping == MAP_FAILED || mapping_bad(mapping, N, 1))
		return 9;
	if (task->prot == RW)
		memset(mapping + PAGE + 80, 0x31, 8);
	if (task->by_itself) {
		clear(getpid(), task->value);
	} else {
		gate_open(&ready);
		if (!gate_wait(&go))
			return 8;
	}
	for (int i = 0; i < N; i++) {
		int byte = t_byte(mapping + i * PAGE);

		bus += byte == -SIGBUS;
		good += byte >= 0 && *(uint64_t *)(mapping + i * PAGE) == pattern_word(1, i, 0);
	}
	/* A write must reach the granter, not a copy. */
	if (good == N && task->prot == RW && t_poke(mapping + 2 * PAGE + 90, 0x32))
		return 7;
	if (good == N && task->prot == RO && !t_poke(mapping, 1))
		return 6;
	gate_open(&ready);
	if (!gate_wait(&go))
		return 8;
	if (dev_munmap(mapping, N) || dev_unmap(fd, index, N))
		return 5;
	if (good != N && bus != N)
		return 4;
	return good == N ? 0 : 1;
}

static void one(int value, int prot, bool by_itself)
{
	struct task task = { prot, value, by_itself };
	const char *what = prot == RW ? "writable" : "read-only";
	const char *who = by_itself ? "by itself" : "from outside";
	unsigned int held;
	int pid, status;

	grants_fill(grants, 1);
	pid = t_child(victim, &task);
	if (!by_itself) {
		gate_wait(&ready);
		check("A1", clear(pid, value), "%s: write %d to clear_refs %s", what, value, who);
		gate_open(&go);
	}
	if (!gate_wait(&ready)) {
		check("A1", false, "%s: %d %s: the process is alive", what, value, who);
		kill(pid, SIGKILL);
		t_wait(pid);
		return;
	}
	held = xen_holds(grants);
	if (prot == RW)
		check_eq("A1", grants_peek(grants, 1, 84), 0x31, "%s: %d %s: what was written before",
			 what, value, who);
	status = grants_peek(grants, 2, 90);
	gate_open(&go);
	if (prot == RW && status != 0x32)
		check("A1", held == 0, "%s: %d %s: a write reaches the granter, or SIGBUS", what, value,
		      who);
	status = t_wait(pid);
	check("A1", status == 0 || status == 1,
	      "%s: %d %s: the pages are there, or all SIGBUS (%d)", what, value, who, status);
	check("V5", status == 1 ? held == 0 : held >= N,
	      "%s: %d %s: Xen maps what can be reached (%u)", what, value, who, held);
	check_eq("A2", xen_holds(grants), 0, "%s: %d %s: nothing stays mapped", what, value, who);
}

int main(void)
{
	t_start();
	gate_make(&ready);
	gate_make(&go);
	grants = grants_make(N);
	for (int value = 1; value <= 5; value++) {
		one(value, RW, true);
		one(value, RW, false);
		one(value, RO, true);
		one(value, RO, false);
	}
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
