/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the granting domain does: pages granted through /dev/xen/gntalloc, and the
 * far end of event channels. A test that grants to its own domain calls this itself,
 * peer.c does it for one in another domain.
 */
#ifndef TESTS_LIB_LOT_H
#define TESTS_LIB_LOT_H

#include <stdbool.h>
#include <stdint.h>

struct lot;

/*
 * Grants @n pages of zeroes to @domid; their references go to @refs. NULL, and errno.
 * Lots of up to LOT_SINGLE pages can be revoked page by page.
 */
#define LOT_SINGLE 1024
struct lot *lot_make(unsigned int n, bool writable, unsigned int domid, uint32_t *refs);
/* A page as the granter sees it; NULL when it is revoked. */
uint8_t *lot_page(struct lot *lot, unsigned int page);
/*
 * Ends the grant of one page, or of all that is left and the lot itself. Returns how many of
 * the pages Xen still held then: the kernel defers the end of those.
 */
unsigned int lot_revoke(struct lot *lot, unsigned int page);
unsigned int lot_free(struct lot *lot);

/* Every page different, and different for every @seed. */
void lot_fill(struct lot *lot, unsigned int seed);
/* How many pages are not as lot_fill() made them. */
unsigned int lot_bad(struct lot *lot, unsigned int seed);
uint64_t pattern_word(unsigned int seed, unsigned int page, unsigned int word);

/* The far end: an event channel that @domid may bind to. */
struct far_end {
	int fd;
	unsigned int port;
	unsigned int events;
};

/* 0, or -1 and errno. */
int far_open(struct far_end *end, unsigned int domid);
/* How many events have come by now, without waiting. */
unsigned int far_events(struct far_end *end);
/* Waits until @n events came in all; false when they did not in @ms. */
bool far_wait(struct far_end *end, unsigned int n, int ms);
void far_close(struct far_end *end);

/* The near end, bound to @port of @domid: an evtchn descriptor, or -1; the port. */
int near_open(unsigned int domid, unsigned int port, unsigned int *local);

#endif
