/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes in and out. */
#ifndef GNT_BYTES_H
#define GNT_BYTES_H

#include "gnt.h"

/* Prints bytes as hexdump -C does. */
void hex_dump(const void *bytes, size_t size);
/* Writes bytes to stdout as they are. */
void raw_dump(const void *bytes, size_t size);
/*
 * All that @file (stdin: NULL) has, in memory of at least @room bytes of which the rest is zero;
 * how much that is goes to @size. More than @max ends the program.
 */
void *read_all(const char *file, size_t room, size_t max, size_t *size);

#endif
