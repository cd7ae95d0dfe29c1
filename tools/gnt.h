/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gnt: what every command needs. */
#ifndef GNT_H
#define GNT_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES	4096u

/* The help fits a screen of 24 lines and 80 columns. */
struct command {
	const char *name;
	const char *summary;
	const char *help;
	int (*run)(int argc, char **argv);
};

extern const struct command share_command, map_command, write_command, copy_command, watch_command,
	dmabuf_command, list_command, stat_command;

/* The command that runs, as messages and --help name it. */
extern const struct command *command;

/* One line on stderr; status 2 for arguments that make no sense, 1 for what went wrong. */
void misuse(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* What was printed has to have got there. */
void flush_output(void);

/* Memory, or the end of the program. */
void *allocate(size_t n, size_t size);
void *resize(void *memory, size_t n, size_t size);

#endif
