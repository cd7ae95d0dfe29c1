/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stands on the command line. All of these end the program where it makes no sense. */
#ifndef GNT_ARGUMENTS_H
#define GNT_ARGUMENTS_H

#include "gnt.h"

/* More than any instance of the device takes by default. */
#define REFS_MAX	1048576u

struct refs {
	unsigned int n;
	uint32_t *ref;
};

/* getopt_long(), but for --help and for what is no option. @options ends with HELP_OPTION. */
int next_option(int argc, char **argv, const char *letters, const struct option *options);

#define HELP_OPTION	{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 }

/* The next argument, which is called @what; ends the program if there is none. */
char *next_argument(int argc, char **argv, const char *what);
void no_more_arguments(int argc, char **argv);

/* Decimal, or hexadecimal behind 0x. */
uint32_t number(const char *what, const char *text, uint32_t min, uint32_t max);
/* Seconds, with a fraction if need be, as milliseconds. */
unsigned int seconds(const char *what, const char *text);
/* A number, "self", or the name of a domain. */
unsigned int domain(const char *text);
/* Adds "8", "8-15", "15-8" or several of these with commas between. */
void refs_add(struct refs *refs, const char *text);
/* The same of all arguments that are left. */
void refs_of_rest(struct refs *refs, int argc, char **argv);
/* Which of @refs has the value, or -1. */
int refs_find(const struct refs *refs, uint32_t ref);
/* As refs_add() takes them. */
void refs_print(const struct refs *refs);

#endif
