// SPDX-License-Identifier: GPL-2.0-or-later
/* gnt list: which process has which grants of which domain. */
#include <stdio.h>

#include "arguments.h"
#include "opens.h"

static void table_row(const struct open_device *open)
{
	static const int widths[COUNTS] = { 8, 8, 7, 7, 7, 7, 7 };

	printf("%7d %-15s %3d", open->pid, open->command, open->fd);
	for (int i = REFERENCES; i < COUNTS; i++) {
		if (open->told)
			printf("%*lu", widths[i], open->count[i]);
		else
			printf("%*s", widths[i], "-");
	}
	for (unsigned int i = 0; i < open->domains; i++) {
		const struct open_domain *domain = open->domain + i;

		if (domain->domid < 0)
			printf("%sothers", i ? " " : "  ");
		else
			printf("%s%ld", i ? " " : "  ", domain->domid);
		printf(":%lu/%lu", domain->references, domain->mapped);
	}
	puts(open->domains ? "" : "  -");
}

static void json_entry(const struct open_device *open)
{
	printf("\n  {\"pid\": %d, \"command\": \"", open->pid);
	for (const char *letter = open->command; *letter; letter++)
		printf("%s%c", *letter == '"' || *letter == '\\' ? "\\" : "", *letter);
	printf("\", \"fd\": %d, \"again\": %s", open->fd, open->again ? "true" : "false");
	for (int i = 0; i < COUNTS; i++) {
		printf(", \"%s\": ", count_names[i]);
		if (open->told)
			printf("%lu", open->count[i]);
		else
			printf("null");
	}
	printf(", \"domains\": [");
	for (unsigned int i = 0; i < open->domains; i++) {
		const struct open_domain *domain = open->domain + i;

		printf("%s{\"domid\": ", i ? ", " : "");
		if (domain->domid < 0)
			printf("null");
		else
			printf("%ld", domain->domid);
		printf(", \"references\": %lu, \"mapped\": %lu}", domain->references,
		       domain->mapped);
	}
	printf("]}");
}

/* An instance that does not tell all its domains may have grants of this one, too. */
static bool may_have(const struct open_device *open, int domid)
{
	for (unsigned int i = 0; i < open->domains; i++)
		if (open->domain[i].domid < 0 || open->domain[i].domid == domid)
			return true;
	return !open->told;
}

static const char heading[] =
	"    PID COMMAND          FD    REFS RANGES MAPPED NOTIFY EXPORT IMPORT  DOMAINS";

static int run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "domain", required_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		HELP_OPTION
	};
	unsigned int shown = 0;
	struct opens opens;
	bool json = false;
	int domid = -1;
	int letter;

	while ((letter = next_option(argc, argv, ":d:jh", options)) != -1) {
		if (letter == 'd')
			domid = domain(optarg);
		else
			json = true;
	}
	no_more_arguments(argc, argv);

	opens_find(&opens);
	if (json)
		printf("[");
	else
		puts(heading);
	for (unsigned int i = 0; i < opens.n; i++) {
		if (domid >= 0 && !may_have(opens.open + i, domid))
			continue;
		if (json && shown++)
			printf(",");
		(json ? json_entry : table_row)(opens.open + i);
	}
	if (json)
		puts(shown ? "\n]" : "]");
	opens_free(&opens);
	return 0;
}

const struct command list_command = {
	.name = "list",
	.summary = "which process has which grants of which domain",
	.help =
"usage: gnt list [OPTION]...\n\n"
"Lists the descriptors of /dev/xen/gntdev that processes have open, and what the\n"
"instance behind each one has. Root sees all processes.\n\n"
"  -d, --domain DOMID    only those that have references of this domain\n"
"  -j, --json            as an array of objects\n"
"      --help\n\n"
"  REFS     references that are registered\n"
"  RANGES   how many times some were registered together\n"
"  MAPPED   references that are mapped\n"
"  NOTIFY   pages with an unmap notification\n"
"  EXPORT   dma-bufs made of grants\n"
"  IMPORT   dma-bufs that are granted\n"
"  DOMAINS  for each domain DOMID:REFERENCES/MAPPED\n\n"
"The driver in Linux does not tell these: then there is a - (null).\n",
	.run = run,
};
