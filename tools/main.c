// SPDX-License-Identifier: GPL-2.0-or-later
/* gnt: grants of Xen domains, from the command line. See gnt(1). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gnt.h"

static const struct command *const commands[] = {
	&share_command, &map_command, &write_command, &copy_command, &watch_command,
	&dmabuf_command, &list_command, &stat_command,
};

#define COMMANDS	(sizeof(commands) / sizeof(*commands))

static void help(void)
{
	printf("usage: gnt COMMAND [OPTION]... [ARGUMENT]...\n"
	       "       gnt COMMAND --help\n\n"
	       "Shares pages with other Xen domains, and looks at those that they share.\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %-8s %s\n", commands[i]->name, commands[i]->summary);
	printf("\n"
	       "DOMID is a domain's number, its name, or self. REF is a grant reference, 8, or\n"
	       "several: 8-15 or 8,10-12. Numbers may be hexadecimal: 0x10.\n"
	       "Exit status: 0; 1 when something went wrong; 2 for arguments without sense.\n"
	       "gnt --version tells the version; gnt(1) has examples.\n");
}

/*
 * Whoever closes stdin, stdout or stderr gets what that means, EBADF, and not that the device gets its
 * number, and what is printed with it.
 */
static void keep_closed(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			fail("descriptor %d is closed, and /dev/null cannot be opened for it: %s", fd,
			     strerror(errno));
	}
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;

	keep_closed();
	if (!name)
		misuse("COMMAND is missing");
	if (!strcmp(name, "--help") || !strcmp(name, "-h")) {
		help();
		flush_output();
		return 0;
	}
	if (!strcmp(name, "--version")) {
		puts("gnt " GNT_VERSION);
		flush_output();
		return 0;
	}
	for (size_t i = 0; i < COMMANDS; i++) {
		int status;

		if (strcmp(name, commands[i]->name))
			continue;
		command = commands[i];
		status = command->run(argc - 1, argv + 1);
		flush_output();
		return status;
	}
	misuse("there is no command '%s'", name);
}
