// SPDX-License-Identifier: GPL-2.0-or-later
/* The driver's tracepoints tell what happened, and its counters count it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "lib/grant.h"

#define TRACING "/sys/kernel/tracing/"
#define STATS "/sys/class/misc/xen!gntdev/stats/"
#define N 3

static char told[1 << 16];

static bool put(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_TRUNC | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return good;
}

/* All that was traced since the last call. */
static void collect(void)
{
	int fd = open(TRACING "trace", O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t n;

	while (fd >= 0 && length < sizeof(told) - 1) {
		n = read(fd, told + length, sizeof(told) - 1 - length);
		if (n <= 0)
			break;
		length += n;
	}
	told[length] = '\0';
	if (fd >= 0)
		close(fd);
	put(TRACING "trace", "");
}

/* Is there a line "gntdev_EVENT: TEXT"? */
static bool is_told(const char *event, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static bool is_told(const char *event, const char *fmt, ...)
{
	char text[256], line[320];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	snprintf(line, sizeof(line), "gntdev_%s: %s", event, text);
	if (strstr(told, line))
		return true;
	t_note("no \"%s\" in:", line);
	for (const char *each = told, *end; *each; each = end + !!*end) {
		end = strchrnul(each, '\n');
		if (*each != '#')
			t_note("%.*s", (int)(end - each), each);
	}
	return false;
}

static unsigned long counted(const char *name)
{
	char path[128], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), STATS "%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		t_bail("%s: %m", path);
	close(fd);
	return strtoul(text, NULL, 10);
}

/* MAP_GRANT_REF of a reference, with a structure that the index cannot be written to. */
static int map_unwritable(int fd, const struct ioctl_gntdev_grant_ref *ref)
{
	struct ioctl_gntdev_map_grant_ref *arg = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1,
						      0);
	int err;

	if (arg == MAP_FAILED)
		t_bail("mmap: %m");
	arg->count = 1;
	arg->refs[0] = *ref;
	mprotect(arg, PAGE, RO);
	err = ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, arg) ? errno : 0;
	munmap(arg, PAGE);
	return err;
}

int main(void)
{
	unsigned long registered, mapped, unmapped, copied, refused, events, exported;
	struct channel *channel;
	struct grants *grants;
	segment_t segments[2];
	unsigned int domid, ref;
	char bytes[8];
	bool tracing;
	uint64_t index;
	void *mapping;
	int fd, buffer;

	t_start();
	grants = grants_make(N);
	channel = channel_make();
	domid = granter_domid();
	ref = grants->refs[0].ref;
	mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
	tracing = put(TRACING "events/gntdev/enable", "1");
	registered = counted("registered");
	mapped = counted("mapped");
	unmapped = counted("unmapped");
	copied = counted("copied");
	refused = counted("refused");
	events = counted("events");
	exported = counted("exported");

	fd = dev_open();
	put(TRACING "trace", "");
	check_ok("M1", dev_map(fd, grants->refs, N, &index), "MAP_GRANT_REF");
	check_ok("N1", dev_notify(fd, index, UNMAP_NOTIFY_SEND_EVENT, channel->port),
		 "SET_UNMAP_NOTIFY");
	check("V1", mmap(NULL, N * PAGE, RW, MAP_PRIVATE, fd, index) == MAP_FAILED, "a private mmap");
	mapping = dev_mmap(fd, index, N, RW);
	check("V1", mapping != MAP_FAILED, "mmap");
	dev_munmap(mapping, N);
	check_ok("M4", dev_unmap(fd, index, N), "UNMAP_GRANT_REF");
	check_eq("M1", map_unwritable(fd, &grants->refs[1]), EFAULT, "MAP_GRANT_REF, unwritable");
	segments[0] = seg_from(&grants->refs[0], 16, bytes, sizeof(bytes));
	segments[1] = segments[0];
	segments[1].source.foreign.domid = NO_DOMAIN;
	check_ok("C1", dev_copy(fd, segments, 2), "GRANT_COPY, the second of nobody");
	check_ok("E1", dev_export(fd, 0, grants->refs, N, &buffer), "EXP_FROM_REFS");
	close(buffer);
	/* It may have gone before. */
	check_errnos("E4", dev_wait_released(fd, buffer, T_PATIENCE_MS), errnos(0, ENOENT),
		     "EXP_WAIT_RELEASED");

	check_eq("M1", counted("registered") - registered, N, "references registered");
	check_eq("V1", counted("mapped") - mapped, 2 * N, "pages mapped");
	check_eq("V4", counted("unmapped") - unmapped, 2 * N, "pages unmapped");
	check_eq("C1", counted("copied") - copied, 1, "segments copied");
	check_eq("C3", counted("refused") - refused, 1, "segments refused");
	check_eq("N4", counted("events") - events, 1, "events sent");
	check_eq("E1", counted("exported") - exported, 1, "dma-bufs exported");

	collect();
	put(TRACING "events/gntdev/enable", "0");
	if (!tracing) {
		t_skip("M1", "a kernel without tracing", "the tracepoints");
	} else {
		check("M1", is_told("register", "domid=%u ref=%u index=0x%llx count=%u result=0",
				    domid, ref, (unsigned long long)index, N), "register");
		check("V1", is_told("map", "domid=%u ref=%u index=0x%llx count=%u result=0", domid,
				    ref, (unsigned long long)index, N), "map");
		check("V1", is_told("map", "domid=%u ref=%u index=0x%llx count=%u result=-22", domid,
				    ref, (unsigned long long)index, N), "map, refused");
		check("M1", is_told("register", "domid=%u ref=%u index=0x0 count=1 result=-14", domid,
				    grants->refs[1].ref), "register, without an index");
		check("M1", !strstr(told, "count=1 result=0"), "it is no success");
		check("V4", is_told("unmap", "domid=%u ref=%u index=0x%llx count=%u result=0", domid,
				    ref, (unsigned long long)index, N), "unmap");
		check("N1", is_told("set_notify",
				    "domid=%u ref=%u index=0x%llx action=0x2 port=%u result=0",
				    domid, ref, (unsigned long long)index, channel->port),
		      "set_notify");
		check("N4", is_told("send_event", "port=%u page=0", channel->port), "send_event");
		check("M4", is_told("unregister", "domid=%u ref=%u index=0x%llx count=%u result=0",
				    domid, ref, (unsigned long long)index, N), "unregister");
		check("C1", is_told("copy", "from domid=%u ref=%u offset=16 to domid=32752", domid,
				    ref), "copy");
		check("C3", strstr(told, "len=8 status=-"), "the other segment, refused");
		check("E1", is_told("export", "domid=%u ref=%u count=%u fd=%d result=0", domid, ref,
				    N, buffer), "export");
		check("E4", is_told("export_released", "fd=%d result=0", buffer),
		      "export_released");
	}
	close(fd);
	channel_free(channel);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
