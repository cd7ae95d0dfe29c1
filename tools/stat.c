// SPDX-License-Identifier: GPL-2.0-or-later
/* gnt stat: what is held in all, again and again. */
#include <stdio.h>

#include "arguments.h"
#include "opens.h"
#include "wait.h"

/* A page of a terminal between two headings. */
#define HEADING_EVERY	20

static void line(void)
{
	unsigned long sum[COUNTS] = { 0 };
	unsigned int instances = 0;
	bool told = true;
	struct opens opens;

	opens_find(&opens);
	for (unsigned int i = 0; i < opens.n; i++) {
		if (opens.open[i].again)
			continue;
		instances++;
		told = told && opens.open[i].told;
		for (int count = 0; count < COUNTS; count++)
			sum[count] += opens.open[i].count[count];
	}
	opens_free(&opens);
	printf("%5u", instances);
	for (int count = REFERENCES; count < COUNTS; count++) {
		if (told)
			printf("%9lu", sum[count]);
		else
			printf("%9s", "-");
	}
	putchar('\n');
	flush_output();
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "interval", required_argument, NULL, 'i' },
		{ "count", required_argument, NULL, 'c' },
		HELP_OPTION
	};
	unsigned int interval = 1000, count = 0;
	int letter;

	while ((letter = next_option(argc, argv, ":i:c:h", options)) != -1) {
		if (letter == 'i')
			interval = seconds("SECONDS", optarg);
		else
			count = number("COUNT", optarg, 1, UINT32_MAX);
	}
	no_more_arguments(argc, argv);

	wait_prepare();
	for (unsigned int lines = 0; !count || lines < count; lines++) {
		if (lines && wait_for(false, -1, interval) == WOKEN_STOP)
			break;
		if (lines % HEADING_EVERY == 0)
			puts("OPENS     REFS   RANGES   MAPPED   NOTIFY   EXPORT   IMPORT");
		line();
	}
	return 0;
}

const struct command stat_command = {
	.name = "stat",
	.summary = "how much is held in all, line by line",
	.help =
"usage: gnt stat [OPTION]...\n\n"
"Prints how many instances of /dev/xen/gntdev are open, and what they have all\n"
"together, a line each second until Ctrl-C. The columns are those of gnt list.\n"
"An instance that several processes have open counts once.\n\n"
"  -i, --interval SECONDS    the time between two lines, as 0.5 (1)\n"
"  -c, --count COUNT         end after so many lines\n"
"      --help\n",
	.run = run,
};
