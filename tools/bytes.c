// SPDX-License-Identifier: GPL-2.0-or-later
/* Bytes in and out. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"

#define LINE	16

static void hex_line(size_t offset, const unsigned char *line, size_t length)
{
	printf("%08zx", offset);
	for (size_t i = 0; i < LINE; i++) {
		if (i % (LINE / 2) == 0)
			putchar(' ');
		if (i < length)
			printf(" %02x", line[i]);
		else
			printf("   ");
	}
	printf("  |");
	for (size_t i = 0; i < length; i++)
		putchar(line[i] >= ' ' && line[i] <= '~' ? line[i] : '.');
	printf("|\n");
}

void hex_dump(const void *bytes, size_t size)
{
	unsigned char before[LINE], line[LINE];
	bool folded = false;

	for (size_t offset = 0; offset < size; offset += LINE) {
		size_t length = size - offset < LINE ? size - offset : LINE;

		/* The other domain may write meanwhile: both columns show one value. */
		memcpy(line, (const char *)bytes + offset, length);
		if (offset && length == LINE && !memcmp(line, before, LINE)) {
			if (!folded)
				puts("*");
			folded = true;
			continue;
		}
		folded = false;
		hex_line(offset, line, length);
		memcpy(before, line, LINE);
	}
	printf("%08zx\n", size);
}

void raw_dump(const void *bytes, size_t size)
{
	if (fwrite(bytes, 1, size, stdout) != size)
		fail("what was to be printed cannot be written: %s", strerror(errno));
}

void *read_all(const char *file, size_t max, size_t *size)
{
	FILE *in = file ? fopen(file, "re") : stdin;
	const char *name = file ? file : "stdin";
	size_t have = 0, space = PAGE_BYTES;
	char *bytes = allocate(space, 1);

	if (!in)
		fail("%s: %s", name, strerror(errno));
	for (;;) {
		size_t got = fread(bytes + have, 1, space - have, in);

		have += got;
		if (ferror(in))
			fail("%s: %s", name, strerror(errno));
		if (have > max || (have == max && fgetc(in) != EOF))
			fail("%s has more than the %zu bytes that there is room for", name, max);
		if (!got || have < space)
			break;
		space *= 2;
		bytes = resize(bytes, space, 1);
	}
	if (file)
		fclose(in);
	*size = have;
	return bytes;
}
