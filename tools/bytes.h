/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes in and out. */
#ifndef GNT_BYTES_H
#define GNT_BYTES_H

#include "gnt.h"

/* Prints bytes as hexdump -C does. */
void hex_dump(const void *bytes, size_t size);
/* Writes bytes to stdout as they are. */
void raw_dump(const void *bytes, size_t size);
/* All @size bytes that @file (stdin: NULL) has. More than @max end the program. */
void *read_all(const char *file, size_t max, size_t *size);

#endif
