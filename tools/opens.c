// SPDX-License-Identifier: GPL-2.0-or-later
/* The opens of /dev/xen/gntdev, from /proc: see gntdev(4), FILES. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "device.h"
#include "opens.h"

const char *const count_names[COUNTS] = {
	"limit", "references", "ranges", "mapped", "notifications", "exports", "imports",
};

static void read_line(struct open_device *open, const char *line)
{
	struct open_domain *domain = open->domain + open->domains;

	for (int i = 0; i < COUNTS; i++) {
		size_t length = strlen(count_names[i]);

		if (!strncmp(line, count_names[i], length) && line[length] == ':') {
			open->count[i] = strtoul(line + length + 1, NULL, 10);
			open->told = true;
		}
	}
	if (open->domains == OPEN_DOMAINS)
		return;
	domain->domid = -1;
	if (sscanf(line, "domain: %ld %lu %lu", &domain->domid, &domain->references,
		   &domain->mapped) == 3 ||
	    sscanf(line, "domain: others %lu %lu", &domain->references, &domain->mapped) == 2)
		open->domains++;
}

/* False if it is gone, or not ours to read. */
static bool read_fdinfo(struct open_device *open)
{
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", open->pid, open->fd);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file))
		read_line(open, line);
	fclose(file);
	return true;
}

static void read_command(struct open_device *open)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", open->pid);
	file = fopen(path, "re");
	if (!file)
		return;
	if (fgets(open->command, sizeof(open->command), file))
		open->command[strcspn(open->command, "\n")] = 0;
	fclose(file);
	/* Any process may call itself anything. */
	for (char *letter = open->command; *letter; letter++)
		if (!isascii(*letter) || !isprint(*letter))
			*letter = '?';
}

/* No instance has a name, but the kernel tells whether two descriptors are one open file. */
static bool seen_before(const struct opens *opens, const struct open_device *open)
{
	for (unsigned int i = 0; i < opens->n; i++)
		if (!syscall(SYS_kcmp, opens->open[i].pid, open->pid, KCMP_FILE,
			     opens->open[i].fd, open->fd))
			return true;
	return false;
}

static void add(struct opens *opens, pid_t pid, int fd)
{
	struct open_device open = { .pid = pid, .fd = fd };

	if (!read_fdinfo(&open))
		return;
	read_command(&open);
	open.again = seen_before(opens, &open);
	opens->open = resize(opens->open, opens->n + 1, sizeof(open));
	opens->open[opens->n++] = open;
}

static void look_at_process(struct opens *opens, pid_t pid, dev_t device)
{
	char path[64];
	struct dirent *entry;
	struct stat stat;
	DIR *files;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	files = opendir(path);
	if (!files)
		return;
	while ((entry = readdir(files))) {
		if (!isdigit(entry->d_name[0]) || fstatat(dirfd(files), entry->d_name, &stat, 0))
			continue;
		if (S_ISCHR(stat.st_mode) && stat.st_rdev == device)
			add(opens, pid, atoi(entry->d_name));
	}
	closedir(files);
}

void opens_find(struct opens *opens)
{
	struct dirent *entry;
	struct stat stat_;
	DIR *processes;

	opens->n = 0;
	opens->open = NULL;
	if (stat(GNTDEV_PATH, &stat_))
		open_failed(GNTDEV_PATH, "xen-gntdev");
	processes = opendir("/proc");
	if (!processes)
		fail("/proc: %s", strerror(errno));
	while ((entry = readdir(processes)))
		if (isdigit(entry->d_name[0]))
			look_at_process(opens, atoi(entry->d_name), stat_.st_rdev);
	closedir(processes);
}

void opens_free(struct opens *opens)
{
	free(opens->open);
	opens->open = NULL;
	opens->n = 0;
}
