/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /dev/xen/gntdev, by libxengnttab, and what its refusals mean. */
#ifndef GNT_DEVICE_H
#define GNT_DEVICE_H

#include <xengnttab.h>

#include "arguments.h"

#define GNTDEV_PATH	"/dev/xen/gntdev"

/* The library writes lines of its own to stderr, unless it is given this. */
extern struct xentoollog_logger silent;

xengnttab_handle *device_open(void);
/* @path could not be opened, for the reason in errno. */
void open_failed(const char *path, const char *module) __attribute__((noreturn));

/* The pages of @refs[0..n), which end the program if they cannot be had. */
void *map_refs(xengnttab_handle *device, unsigned int domid, const uint32_t *refs, unsigned int n,
	       bool writable);
void unmap_refs(xengnttab_handle *device, void *pages, unsigned int n);
/* What errno says after a mapping was refused; of references of @domid. */
const char *map_reason(int error, unsigned int domid);
/* The same for a GNTST_* value. */
const char *xen_reason(int status);
/* Which page of a mapping is refused tells nobody: asks for each alone, and ends the program. */
void map_failed(xengnttab_handle *device, unsigned int domid, const uint32_t *refs, unsigned int n,
		bool writable, int error) __attribute__((noreturn));

/*
 * Has the byte at @byte of the pages cleared and @port, if it is not negative, notified when they
 * are unmapped. No byte is cleared if @byte is negative.
 */
void notify_at_unmap(xengnttab_handle *device, void *pages, long byte, int port);

#endif
