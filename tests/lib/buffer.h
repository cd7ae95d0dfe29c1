/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dma-bufs of other exporters, and what a driver does with one (tests/module). */
#ifndef TESTS_LIB_BUFFER_H
#define TESTS_LIB_BUFFER_H

#include <stdint.h>

#include "../module/dmabuf-probe.h"

struct buffer {
	int fd;
	unsigned int n;		/* pages */
	char *memory;		/* its owner's view */
	int handle;		/* what else has to be closed */
};

/* Every exporter that makes ordinary buffers. */
enum buffer_kind { BUFFER_VGEM, BUFFER_UDMABUF, BUFFER_HEAP, BUFFER_LONG, BUFFER_OFFSET };
#define BUFFER_KINDS 5

const char *buffer_name(enum buffer_kind kind);
/* NULL if there is no such exporter here: not in this kernel, or not in a PV guest. */
struct buffer *buffer_make(enum buffer_kind kind, unsigned int n);
/* One of tests/module, PROBE_*. */
struct buffer *buffer_shaped(unsigned int shape, unsigned int n);
void buffer_close_fd(struct buffer *buffer);
void buffer_free(struct buffer *buffer);

/* tests/module: a new open of it, or -1. */
int probe_open(void);
/*
 * 0, or -1 and errno. @addresses: room for *@n, set to how many there are. @type is that of the
 * kernel's address of the first page.
 */
int probe_attach(int probe, int fd, unsigned int bits, uint64_t *addresses, unsigned int *n,
		 unsigned int *type);
int probe_detach(int probe);
int probe_touch(int probe, int fd, unsigned int offset, uint8_t value, struct probe_touch *found);
/* Where the kernel maps a buffer, until probe_detach(); 0, and errno, if it cannot. */
uint64_t probe_hold(int probe, int fd);
struct probe_entry probe_entry(int probe, const void *address);
/* Buffers of PROBE_EXPORT that exist. */
int probe_exports(int probe);

#endif
