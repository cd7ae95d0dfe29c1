// SPDX-License-Identifier: GPL-2.0-or-later
/* What /proc/PID/fdinfo/FD tells of an instance is what it has. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/grant.h"

#define N 5
/* What gntdev(4) says that fdinfo tells apart. */
#define DOMAINS 16
/* References of a range, and ranges of one: neither is counted in one piece. */
#define LARGE 5000
#define SINGLES 1000

/* What the line "@name:" says; ~0 without one. */
static unsigned int told_by(pid_t pid, int fd, const char *name)
{
	unsigned int value = ~0U;
	size_t length = strlen(name);
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	file = fopen(path, "re");
	if (!file)
		return value;
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, name, length) && line[length] == ':')
			value = strtoul(line + length + 1, NULL, 10);
	fclose(file);
	return value;
}

/* What the line "domain:" of @domid says, as one text; "" without one. */
static const char *domain_told(int fd, const char *domid)
{
	static char told[64];
	size_t length = strlen(domid);
	char path[64], line[256];
	FILE *file;

	told[0] = 0;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return told;
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, "domain:\t", 8) && !strncmp(line + 8, domid, length) &&
		    line[8 + length] == '\t')
			snprintf(told, sizeof(told), "%.*s", (int)strcspn(line + 9 + length, "\n"),
				 line + 9 + length);
	fclose(file);
	return told;
}

static void domain_tells(int fd, const char *when, unsigned int domid, const char *counts)
{
	char number[16];

	snprintf(number, sizeof(number), "%u", domid);
	check("M3", !strcmp(domain_told(fd, number), counts), "%s: domain %u: %s", when, domid,
	      domain_told(fd, number));
}

/* References of more domains than it tells apart; nobody needs to have granted them. */
static void many_domains(void)
{
	struct ioctl_gntdev_grant_ref refs[2 * (DOMAINS + 3)];
	char counts[16], number[16];
	int fd = dev_open(), right = 0;
	uint64_t index;

	for (unsigned int i = 0; i < DOMAINS + 3; i++)
		refs[2 * i] = refs[2 * i + 1] = (struct ioctl_gntdev_grant_ref){ NO_DOMAIN + i, 8 };
	check_ok("M3", dev_map(fd, refs, 2 * (DOMAINS + 3), &index), "references of many domains");
	for (unsigned int i = 0; i < DOMAINS; i++) {
		snprintf(number, sizeof(number), "%u", NO_DOMAIN + i);
		right += !strcmp(domain_told(fd, number), "2\t0");
	}
	check_eq("M3", right, DOMAINS, "domains that have a line");
	snprintf(counts, sizeof(counts), "%u\t0", 2 * 3);
	check("M3", !strcmp(domain_told(fd, "others"), counts), "the others: %s",
	      domain_told(fd, "others"));
	close(fd);
}

/*
 * A table that is counted in pieces: ranges of one reference, one of more than a piece has, and gaps.
 * Nobody needs to have granted any.
 */
static void large_table(void)
{
	static struct ioctl_gntdev_grant_ref refs[LARGE];
	int fd = dev_open(), made = 0, removed = 0;
	uint64_t index[SINGLES], large;
	char counts[32];

	for (unsigned int i = 0; i < LARGE; i++)
		refs[i] = (struct ioctl_gntdev_grant_ref){ NO_DOMAIN + (i >= LARGE / 2), 8 };
	for (unsigned int i = 0; i < SINGLES; i++) {
		made += !dev_map(fd, refs, 1, &index[i]);
		if (i == SINGLES / 2)
			check_ok("M1", dev_map(fd, refs, LARGE, &large), "a large range");
	}
	check_eq("M1", made, SINGLES, "ranges of one reference");
	for (unsigned int i = 0; i < SINGLES; i += 3)
		removed += !dev_unmap(fd, index[i], 1);
	check_eq("M5", removed, (SINGLES + 2) / 3, "every third is removed");
	check_eq("M1", told_by(getpid(), fd, "ranges"), SINGLES - removed + 1, "ranges of a large table");
	check_eq("M1", told_by(getpid(), fd, "references"), SINGLES - removed + LARGE,
		 "references of a large table");
	snprintf(counts, sizeof(counts), "%d\t0", SINGLES - removed + LARGE / 2);
	domain_tells(fd, "large table", NO_DOMAIN, counts);
	snprintf(counts, sizeof(counts), "%d\t0", LARGE / 2);
	domain_tells(fd, "large table", NO_DOMAIN + 1, counts);
	close(fd);
}

static void tells(int fd, const char *when, unsigned int references, unsigned int ranges,
		  unsigned int mapped, unsigned int notifications)
{
	check_eq("M6", told_by(getpid(), fd, "limit"), 32752, "%s: limit", when);
	check_eq("M1", told_by(getpid(), fd, "references"), references, "%s: references", when);
	check_eq("M1", told_by(getpid(), fd, "ranges"), ranges, "%s: ranges", when);
	check_eq("V1", told_by(getpid(), fd, "mapped"), mapped, "%s: mapped pages", when);
	check_eq("N1", told_by(getpid(), fd, "notifications"), notifications, "%s: notifications",
		 when);
}

int main(void)
{
	struct grants *grants;
	uint64_t first, second;
	void *mapping;
	int fd, buffer;

	t_start();
	grants = grants_make(N);
	fd = dev_open();
	check_ok("M6", dev_max(fd, 32752), "SET_MAX_GRANTS");
	tells(fd, "at first", 0, 0, 0, 0);
	domain_tells(fd, "at first", granter_domid(), "");
	check_ok("M1", dev_map(fd, grants->refs, N - 1, &first), "register some");
	check_ok("M1", dev_map(fd, grants->refs + N - 1, 1, &second), "and one more");
	tells(fd, "registered", N, 2, 0, 0);
	mapping = dev_mmap(fd, first, N - 1, RW);
	check("V1", mapping != MAP_FAILED, "mmap");
	check_ok("N1", dev_notify(fd, first, UNMAP_NOTIFY_CLEAR_BYTE, 0), "notification, first page");
	check_ok("N1", dev_notify(fd, first + 2 * PAGE, UNMAP_NOTIFY_CLEAR_BYTE, 0),
		 "notification, third page");
	tells(fd, "mapped", N, 2, N - 1, 2);
	domain_tells(fd, "mapped", granter_domid(), "5\t4");
	check("M3", !*domain_told(fd, "others"), "no others");
	check_ok("E1", dev_export(fd, 0, grants->refs, 2, &buffer), "export");
	check_eq("E1", told_by(getpid(), fd, "exports"), 1, "exports");
	check_eq("I1", told_by(getpid(), fd, "imports"), 0, "imports");
	close(buffer);
	dev_munmap(mapping, N - 1);
	tells(fd, "unmapped", N, 2, 0, 0);
	check_ok("M4", dev_unmap(fd, second, 1), "remove one range");
	tells(fd, "removed", N - 1, 1, 0, 0);
	domain_tells(fd, "removed", granter_domid(), "4\t0");
	close(fd);
	many_domains();
	large_table();
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
