// SPDX-License-Identifier: GPL-2.0-or-later
/* What stands on the command line: options, numbers, lists of grant references. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"

int next_option(int argc, char **argv, const char *letters, const struct option *options)
{
	int letter;

	opterr = 0;
	letter = getopt_long(argc, argv, letters, options, NULL);
	switch (letter) {
	case 'h':
		fputs(command->help, stdout);
		flush_output();
		exit(0);
	case ':':
		misuse("%s wants a value", argv[optind - 1]);
	case '?':
		/* optopt is 0 for a long one that is unknown; set for one that takes no value. */
		if (optopt && optopt < 128 && strncmp(argv[optind - 1], "--", 2))
			misuse("there is no option -%c", optopt);
		if (optopt)
			misuse("%s takes no value", argv[optind - 1]);
		misuse("there is no option %s", argv[optind - 1]);
	}
	return letter;
}

char *next_argument(int argc, char **argv, const char *what)
{
	if (optind >= argc)
		misuse("%s is missing", what);
	return argv[optind++];
}

void no_more_arguments(int argc, char **argv)
{
	if (optind < argc)
		misuse("'%s' is one argument too many", argv[optind]);
}

/* The number that @text begins with, and what is behind it in @end; false without one. */
static bool leading_number(const char *text, uint32_t *value, const char **end)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;
	const char *allowed = hex ? "0123456789abcdefABCDEF" : "0123456789";
	unsigned long long wide;
	char *behind;

	if (!*digits || !strchr(allowed, *digits))
		return false;
	errno = 0;
	wide = strtoull(digits, &behind, hex ? 16 : 10);
	if (errno || wide > UINT32_MAX)
		return false;
	*value = wide;
	*end = behind;
	return true;
}

uint32_t number(const char *what, const char *text, uint32_t min, uint32_t max)
{
	const char *end;
	uint32_t value;

	if (!leading_number(text, &value, &end) || *end || value < min || value > max)
		misuse("%s is a number from %u to %u, not '%s'", what, min, max, text);
	return value;
}

unsigned int seconds(const char *what, const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= 0.001) || value > 86400)
		misuse("%s is a number of seconds, from 0.001 to 86400, not '%s'", what, text);
	return value * 1000 + 0.5;
}

static void add_run(struct refs *refs, uint32_t first, uint32_t last)
{
	uint32_t n = (first < last ? last - first : first - last);

	if (n >= REFS_MAX - refs->n)
		misuse("these are more than %u references", REFS_MAX);
	refs->ref = resize(refs->ref, refs->n + n + 1, sizeof(*refs->ref));
	for (uint32_t i = 0; i <= n; i++)
		refs->ref[refs->n++] = first < last ? first + i : first - i;
}

void refs_add(struct refs *refs, const char *text)
{
	const char *rest = text;
	uint32_t first, last;

	for (;;) {
		if (!leading_number(rest, &first, &rest))
			break;
		last = first;
		if (*rest == '-' && !leading_number(rest + 1, &last, &rest))
			break;
		if (*rest && *rest != ',')
			break;
		add_run(refs, first, last);
		if (!*rest)
			return;
		rest++;
	}
	misuse("'%s' is no list of grant references, as 8 or 8-15 or 8,10-12 is", text);
}

void refs_of_rest(struct refs *refs, int argc, char **argv)
{
	refs_add(refs, next_argument(argc, argv, "REF"));
	while (optind < argc)
		refs_add(refs, argv[optind++]);
}

int refs_find(const struct refs *refs, uint32_t ref)
{
	for (unsigned int i = 0; i < refs->n; i++)
		if (refs->ref[i] == ref)
			return i;
	return -1;
}

void refs_print(const struct refs *refs)
{
	unsigned int first, last;

	for (first = 0; first < refs->n; first = last + 1) {
		/* Unsigned, so that -1 is one down. */
		uint32_t step = 0;

		last = first;
		if (first + 1 < refs->n)
			step = refs->ref[first + 1] - refs->ref[first];
		if (step == 1 || step == (uint32_t)-1)
			while (last + 1 < refs->n && refs->ref[last + 1] - refs->ref[last] == step)
				last++;
		printf("%s%u", first ? " " : "", refs->ref[first]);
		if (last > first)
			printf("-%u", refs->ref[last]);
	}
	putchar('\n');
}
