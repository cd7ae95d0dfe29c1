/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages of another domain, mapped; and patterns in what is mapped. */
#ifndef TESTS_LIB_TAKEN_H
#define TESTS_LIB_TAKEN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct taken {
	int fd;
	unsigned int n;
	char *memory;
};

/* NULL and errno. */
struct taken *taken_map(unsigned int domid, const uint32_t *refs, unsigned int n);
void taken_free(struct taken *taken);

/* How many pages of a mapping are not as lot_fill() makes them, or fault. */
unsigned int mapping_bad(const void *mapping, unsigned int n, unsigned int seed);
void mapping_fill(void *mapping, unsigned int n, unsigned int seed);

/* References as runs, FIRST+LENGTH or, downwards, FIRST-LENGTH. False if there are not @n. */
void runs_write(FILE *out, const uint32_t *refs, unsigned int n);
bool runs_read(const char *text, uint32_t *refs, unsigned int n);

#endif
