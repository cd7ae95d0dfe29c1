// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "left.h"

#include <dirent.h>
#include <glob.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store.h"
#include "t.h"

#define SLAB "/sys/kernel/slab/gntdev_mapping"

static struct {
	char **line;
	size_t n;
} lines;

static void add(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void add(const char *fmt, ...)
{
	va_list args;

	lines.line = realloc(lines.line, (lines.n + 1) * sizeof(*lines.line));
	va_start(args, fmt);
	if (!lines.line || vasprintf(&lines.line[lines.n++], fmt, args) < 0)
		abort();
	va_end(args);
}

/* The name of a domain in the guests' list, whose lines are NAME TYPE DOMID; or dDOMID. */
static const char *name_of(const char *guests, unsigned int domid)
{
	static char name[64];
	unsigned int number;
	int length;

	for (; sscanf(guests, "%63s %*s %u\n%n", name, &number, &length) == 2; guests += length)
		if (number == domid)
			return name;
	snprintf(name, sizeof(name), "d%u", domid);
	return name;
}

static int add_grants(const char *grants, bool in_dom0)
{
	char guests[1024] = "", *self = NULL;
	unsigned int owner, ref, mappings;
	int length;

	if (in_dom0 && !t_read_file("/run/vm/guests", guests, sizeof(guests)))
		return -1;
	/* It changes when the domain is restored. */
	if (!in_dom0 && !(self = store_read("domid")))
		return -1;
	for (; sscanf(grants, "d%u %u %u\n%n", &owner, &ref, &mappings, &length) == 3; grants += length)
		if (self && owner == strtoul(self, NULL, 10))
			add("self %u %u", ref, mappings);
		else
			add("%s %u %u", name_of(guests, owner), ref, mappings);
	free(self);
	return 0;
}

static int add_channels(void)
{
	unsigned int open = 0;
	char chip[64];
	glob_t irqs;

	if (glob("/sys/kernel/irq/*/chip_name", 0, NULL, &irqs))
		return -1;
	for (size_t i = 0; i < irqs.gl_pathc; i++)
		if (t_read_file(irqs.gl_pathv[i], chip, sizeof(chip)) && !strncmp(chip, "xen-dyn", 7))
			open++;
	globfree(&irqs);
	add("event channels: %u", open);
	return 0;
}

static int add_processes(void)
{
	char link[64], exe[PATH_MAX + 1], here[PATH_MAX];
	struct dirent *entry;
	size_t length;
	DIR *proc = opendir("/proc");
	ssize_t got;

	if (!proc || !getcwd(here, sizeof(here)))
		return -1;
	length = strlen(here);
	while ((entry = readdir(proc))) {
		pid_t pid = atoi(entry->d_name);

		if (pid <= 0 || pid == getpid())
			continue;
		snprintf(link, sizeof(link), "/proc/%d/exe", pid);
		got = readlink(link, exe, PATH_MAX);
		if (got < 0)
			continue; /* the kernel's own, and who has ended */
		exe[got] = '\0';
		if (!strncmp(exe, here, length) && exe[length] == '/')
			add("process %d: %s", pid, exe + length + 1);
	}
	closedir(proc);
	return 0;
}

static void add_buffers(void)
{
	FILE *file = fopen("/sys/kernel/debug/dma_buf/bufinfo", "r");
	unsigned int buffers;
	char line[512];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Total %u objects", &buffers) == 1)
			add("dma-bufs: %u", buffers);
	if (file)
		fclose(file);
}

static void add_mappings(void)
{
	char target[64];

	/* Where slabs are merged it is a link, and counts others', too. */
	if (!access(SLAB "/objects", R_OK) && readlink(SLAB, target, sizeof(target)) < 0)
		add("mappings: %lld", t_read_number(SLAB "/objects"));
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int left_print(const char *grants, bool in_dom0, bool slab)
{
	if (add_grants(grants, in_dom0) || add_channels() || add_processes()) {
		perror("peer: what is left cannot be seen");
		return -1;
	}
	add_buffers();
	if (slab)
		add_mappings();
	qsort(lines.line, lines.n, sizeof(*lines.line), compare);
	for (size_t i = 0; i < lines.n; i++)
		puts(lines.line[i]);
	return 0;
}
