/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the demo's programs share: telling, meeting through xenstore, and pages to grant. */
#ifndef DEMO_COMMON_H
#define DEMO_COMMON_H

#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES 4096
#define MAX_PAGES 64

/* The byte of the page by which notice.c sees that hold.c is alive: 1, or cleared to 0. */
#define ALIVE_BYTE 100

/* No wait for the other domain takes longer than this many seconds. */
#define PATIENCE 60

/* Prints a line with this domain's name before it. */
void tell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same to stderr, and the end of the program, with status 1; fail() adds what errno says. */
void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
void failx(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* "dom0", or "pv guest (domain 1)" */
const char *my_name(void);

/*
 * Two programs that were given the same meeting's name write what the other has to know under
 * $VM_MEET/demo/NAME. A node is written once.
 */
void meet(const char *name);
void publish(const char *node, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Waits until somebody published @node; fails, naming @what it waited for, after PATIENCE. */
char *await(const char *node, const char *what);

/* What a granting program publishes as "offer". */
struct offer {
	unsigned int domid;		/* who grants */
	unsigned int pages;
	unsigned int port;		/* of an event channel that waits for its other end, or 0 */
	uint64_t checksum;		/* of all bytes of the pages */
	uint32_t refs[MAX_PAGES];
};

void publish_offer(const struct offer *offer);
void await_offer(struct offer *offer);

/*
 * Grants new pages to domain @domid, writable, for as long as this process lives. Fills in
 * @offer->domid, pages and refs; returns the pages.
 */
char *grant_pages(unsigned int domid, unsigned int pages, struct offer *offer);
/* "8, 9, 10"; good until the next call */
const char *refs_text(const struct offer *offer);

/* Fills a page with a line of text, as often as it fits. */
void write_page(char *page, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The first line of a page, cut to @size with its end. Nothing in the page is trusted. */
void read_page(const char *page, char *text, size_t size);
uint64_t checksum(const char *bytes, size_t size);
/*
 * Tells what each of the offered pages says, @memory having their bytes, and publishes "bytes-read";
 * ends the program if they are not what the granter wrote.
 */
void show_pages(const char *memory, const struct offer *offer);

#endif
