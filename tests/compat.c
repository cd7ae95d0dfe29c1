// SPDX-License-Identifier: GPL-2.0-or-later
/* A 32-bit program on this 64-bit kernel: ./compat32, with pages that this program has granted. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/grant.h"

int main(void)
{
	struct channel *channel;
	struct grants *grants;
	char command[128], line[256];
	unsigned int n = 0;
	FILE *output;
	int status;

	t_start();
	if (access("./compat32", X_OK)) {
		t_skip("A3", "it could not be built here", "a 32-bit program");
		return t_done();
	}
	grants = grants_make(2);
	grants_fill(grants, 1);
	grants_poke(grants, 1, 77, 0xff);
	channel = channel_make();
	snprintf(command, sizeof(command), "./compat32 %u %u %u %u", granter_domid(),
		 grants->refs[0].ref, grants->refs[1].ref, channel->port);
	/* One line for each thing it tried: "0 what" when it went well, else "errno what". */
	output = popen(command, "r");
	while (output && fgets(line, sizeof(line), output)) {
		char *what = strchr(line, ' ');

		line[strcspn(line, "\n")] = '\0';
		check_eq("A3", atoi(line), 0, "32 bits: %s", what ? what + 1 : line);
		n++;
	}
	status = output ? pclose(output) : -1;
	check_eq("A3", status, 0, "32 bits: ended well after %u steps", n);
	check_eq("A3", grants_peek(grants, 0, 40), 0x5a, "32 bits: its write is here");
	check("A3", channel_wait(channel, 1), "32 bits: its notification comes");
	check_eq("A3", grants_peek(grants, 1, 77), 0, "32 bits: and cleared its byte");
	check_eq("A2", xen_holds(grants), 0, "nothing stays mapped");
	channel_free(channel);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
