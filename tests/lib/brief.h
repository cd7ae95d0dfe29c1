/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain that never runs and dies when it is told to: its pages, grants and event channel are made
 * by its toolstack, which is this process. In dom0 only.
 */
#ifndef TESTS_LIB_BRIEF_H
#define TESTS_LIB_BRIEF_H

#include <stdbool.h>
#include <stdint.h>

#include "dev.h"

#define BRIEF_PAGES 40

struct brief {
	uint32_t domid;
	/* All its pages, granted to dom0 for writing; word 0 of each is brief_word(). */
	struct ioctl_gntdev_grant_ref refs[BRIEF_PAGES];
	int channel;		/* evtchn descriptor, bound to a port of the domain */
	unsigned int port;
	void *table;		/* its grant table, and the handle of that */
	void *resource;
};

/* Ends the test if it cannot be had. */
void brief_make(struct brief *brief);
uint64_t brief_word(const struct brief *brief, unsigned int page);
/* Ends a grant as a domain can that does not ask whether it is in use. */
void brief_revoke(struct brief *brief, unsigned int page);
/* From now on the domain is dying. Another thread may do this. */
void brief_kill(struct brief *brief);
/* Is nothing left of it? It is not gone as long as somebody has one of its pages. */
bool brief_gone(const struct brief *brief);
/* What is left here of one that was killed. */
void brief_free(struct brief *brief);

/* A domain that has all the memory that Xen had, until it is freed. */
struct hog {
	uint32_t domid;
};

void hog_make(struct hog *hog);
/* Pages that Xen has left. */
unsigned long hog_left(void);
void hog_free(struct hog *hog);

/*
 * A domain that maps pages granted to it, writes MAPPER_BYTE into the last byte of each, and from
 * then on waits for its end (mapper/mapper.c).
 */
#define MAPPER_MOST 16
#define MAPPER_BYTE 0x5a

/* The domain that mapper_start() will make, if nobody else makes one before. */
uint32_t mapper_next(void);
/* 0, or -1 if that was not so. */
int mapper_start(uint32_t domid, const struct ioctl_gntdev_grant_ref *refs, unsigned int n);
/* A port of ours that is bound to one of the domain, and the descriptor that has it. */
int mapper_channel(uint32_t domid, unsigned int *port);
void mapper_kill(void);

#endif
