// SPDX-License-Identifier: GPL-2.0-or-later
/* The ends of the program that are not good ones. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gnt.h"

const struct command *command;

/* "gnt", or "gnt map" */
static void name_command(void)
{
	fputs("gnt", stderr);
	if (command)
		fprintf(stderr, " %s", command->name);
}

static void say(const char *fmt, va_list arguments)
{
	char words[512];

	vsnprintf(words, sizeof(words), fmt, arguments);
	/* Arguments are quoted, and it stays one line, whatever they have. */
	for (char *letter = words; *letter; letter++)
		if (iscntrl((unsigned char)*letter))
			*letter = '?';
	/* What was printed comes first where both go to one place. */
	fflush(stdout);
	name_command();
	fprintf(stderr, ": %s", words);
}

void misuse(const char *fmt, ...)
{
	va_list arguments;

	va_start(arguments, fmt);
	say(fmt, arguments);
	va_end(arguments);
	fputs(" (see ", stderr);
	name_command();
	fputs(" --help)\n", stderr);
	exit(2);
}

void fail(const char *fmt, ...)
{
	va_list arguments;

	va_start(arguments, fmt);
	say(fmt, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

void flush_output(void)
{
	if (fflush(stdout) || ferror(stdout))
		fail("what was to be printed cannot be written: %s", strerror(errno));
}

void *resize(void *memory, size_t n, size_t size)
{
	/* Of nothing, too, there is one. */
	memory = reallocarray(memory, n ? n : 1, size);
	if (!memory)
		fail("there is not enough memory");
	return memory;
}

void *allocate(size_t n, size_t size)
{
	return memset(resize(NULL, n, size), 0, n * size);
}
