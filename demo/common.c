// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h> /* which gntalloc.h needs */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <xen/sys/gntalloc.h>
#include <xenstore.h>

#include "common.h"

static struct xs_handle *store;
static char meeting[128];

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	if (!value) {
		fprintf(stderr, "there is no $%s: this program runs inside vm/run\n", name);
		exit(2);
	}
	return value;
}

/* ---- telling ---- */

const char *my_name(void)
{
	static char name[64];
	const char *kind = environment("VM_KIND");

	if (!strcmp(kind, "dom0"))
		return kind;
	snprintf(name, sizeof(name), "%s guest (domain %s)", kind, environment("VM_DOMID"));
	return name;
}

static void print(FILE *out, const char *before, const char *fmt, va_list args, const char *after)
{
	fprintf(out, "%s: %s", my_name(), before);
	vfprintf(out, fmt, args);
	fprintf(out, "%s\n", after);
	/* Somebody reads along, through a pipe. */
	fflush(out);
}

void tell(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print(stdout, "", fmt, args, "");
	va_end(args);
}

void fail(const char *fmt, ...)
{
	char error[128];
	va_list args;

	snprintf(error, sizeof(error), ": %s", strerror(errno));
	va_start(args, fmt);
	print(stderr, "FAILED: ", fmt, args, error);
	va_end(args);
	exit(1);
}

void failx(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print(stderr, "FAILED: ", fmt, args, "");
	va_end(args);
	exit(1);
}

/* ---- meeting ---- */

static const char *path_of(const char *node)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", meeting, node);
	return path;
}

void meet(const char *name)
{
	snprintf(meeting, sizeof(meeting), "%s/demo/%s", environment("VM_MEET"), name);
	store = xs_open(0);
	if (!store)
		fail("cannot reach xenstore");
}

void publish(const char *node, const char *fmt, ...)
{
	char value[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(value, sizeof(value), fmt, args);
	va_end(args);
	if (!xs_write(store, XBT_NULL, path_of(node), value, strlen(value)))
		fail("cannot write %s to xenstore", path_of(node));
}

char *await(const char *node, const char *what)
{
	struct pollfd event = { .fd = xs_fileno(store), .events = POLLIN };
	const char *path = path_of(node);
	time_t deadline = time(NULL) + PATIENCE;
	char *value;

	/* A watch fires at once and then whenever the node changes. */
	if (!xs_watch(store, path, node))
		fail("cannot watch %s", path);
	while (!(value = xs_read(store, XBT_NULL, path, NULL))) {
		char **fired;

		if (errno != ENOENT)
			fail("cannot read %s", path);
		if (time(NULL) >= deadline)
			failx("waited %d s in vain for %s", PATIENCE, what);
		poll(&event, 1, 1000);
		while ((fired = xs_check_watch(store)))
			free(fired);
	}
	xs_unwatch(store, path, node);
	return value;
}

void publish_offer(const struct offer *offer)
{
	char refs[MAX_PAGES * 11 + 1] = "";
	size_t length = 0;

	for (unsigned int i = 0; i < offer->pages; i++)
		length += snprintf(refs + length, sizeof(refs) - length, " %u", offer->refs[i]);
	publish("offer", "%u %u %llx %u%s", offer->domid, offer->port,
		(unsigned long long)offer->checksum, offer->pages, refs);
}

void await_offer(struct offer *offer)
{
	char *text = await("offer", "the other domain to grant pages"), *next = text;

	offer->domid = strtoul(next, &next, 10);
	offer->port = strtoul(next, &next, 10);
	offer->checksum = strtoull(next, &next, 16);
	offer->pages = strtoul(next, &next, 10);
	if (!offer->pages || offer->pages > MAX_PAGES)
		failx("the offer in xenstore is nonsense: %s", text);
	for (unsigned int i = 0; i < offer->pages; i++)
		offer->refs[i] = strtoul(next, &next, 10);
	free(text);
}

/* ---- pages ---- */

char *grant_pages(unsigned int domid, unsigned int pages, struct offer *offer)
{
	struct ioctl_gntalloc_alloc_gref *alloc;
	char *memory;
	int fd;

	if (!pages || pages > MAX_PAGES)
		failx("%u pages cannot be granted, 1 to %d can", pages, MAX_PAGES);
	fd = open("/dev/xen/gntalloc", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail("cannot open /dev/xen/gntalloc");
	/* The structure has room for one reference; the others follow it. */
	alloc = calloc(1, sizeof(*alloc) + (pages - 1) * sizeof(alloc->gref_ids[0]));
	if (!alloc)
		fail("no memory");
	alloc->domid = domid;
	alloc->flags = GNTALLOC_FLAG_WRITABLE;
	alloc->count = pages;
	if (ioctl(fd, IOCTL_GNTALLOC_ALLOC_GREF, alloc))
		fail("cannot grant %u pages to domain %u", pages, domid);
	memory = mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		      alloc->index);
	if (memory == MAP_FAILED)
		fail("cannot map the pages that this domain grants");
	offer->domid = atoi(environment("VM_DOMID"));
	offer->pages = pages;
	memcpy(offer->refs, alloc->gref_ids, pages * sizeof(offer->refs[0]));
	free(alloc);
	/* fd stays open: its end is the end of the grants. */
	return memory;
}

const char *refs_text(const struct offer *offer)
{
	static char text[MAX_PAGES * 12 + 1];
	size_t length = 0;

	for (unsigned int i = 0; i < offer->pages; i++)
		length += snprintf(text + length, sizeof(text) - length, "%s%u", i ? ", " : "",
				   offer->refs[i]);
	return text;
}

void write_page(char *page, const char *fmt, ...)
{
	char line[256];
	size_t length;
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line) - 1, fmt, args);
	va_end(args);
	strcat(line, "\n");
	length = strlen(line);
	for (size_t i = 0; i < PAGE_BYTES; i++)
		page[i] = line[i % length];
}

void read_page(const char *page, char *text, size_t size)
{
	size_t i;

	for (i = 0; i < size - 1 && i < PAGE_BYTES && page[i] != '\n'; i++)
		text[i] = isprint((unsigned char)page[i]) ? page[i] : '?';
	text[i] = '\0';
}

/* FNV-1a: enough to tell a wrong page from the right one. */
uint64_t checksum(const char *bytes, size_t size)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3;
	return hash;
}

void show_pages(const char *memory, const struct offer *offer)
{
	size_t bytes = offer->pages * PAGE_BYTES;
	unsigned long long sum = checksum(memory, bytes);

	for (unsigned int i = 0; i < offer->pages; i++) {
		char text[128];

		read_page(memory + i * PAGE_BYTES, text, sizeof(text));
		tell("page %u says: \"%s\"", i, text);
	}
	if (sum != offer->checksum)
		failx("the pages have checksum %llx, but domain %u wrote %llx", sum, offer->domid,
		      (unsigned long long)offer->checksum);
	tell("checksum %llx over all %zu bytes: just what domain %u wrote", sum, bytes,
	     offer->domid);
	publish("bytes-read", "%zu", bytes);
}
