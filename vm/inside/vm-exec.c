// SPDX-License-Identifier: GPL-2.0-or-later
/* Run a command in a guest, from dom0: see wire.h and vm-agent.c. */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <xenctrl.h> /* before the other headers of Xen, which it configures */

#include <libxenvchan.h>
#include <xenstore.h>

#include "wire.h"

#define GUESTS "/run/vm/guests"

enum { STATUS_TIMEOUT = 124, STATUS_LOST = 125 };

static struct {
	const char *name;
	unsigned int domid;
	xc_interface *xc;
	struct xs_handle *store;
	struct libxenvchan *vchan;
	char request[64], offer[64];
	time_t deadline;
	bool interactive, with_input, input_open;
} guest;

/* What was read of the input, and did not fit into the ring yet. */
static struct {
	struct packet head;
	char bytes[INPUT_RING / 2];
} input;
static bool input_waits;

static volatile sig_atomic_t stopped;

static struct termios terminal;
static bool terminal_changed;

static const char usage[] =
"usage: vm-exec [-i|-s] [-t SECONDS] [-p PREFIX] GUEST COMMAND [ARG...]\n"
"\n"
"Runs COMMAND in GUEST (a name of " GUESTS "), passes its output through and\n"
"exits with its status; 124 when it did not end in time, 125 when the guest died\n"
"or does not answer. COMMAND ends when vm-exec does.\n"
"\n"
"  -t SECONDS  how long it may take\n"
"  -p PREFIX   put this in front of every line\n"
"  -i          on a terminal, with vm-exec's input\n"
"  -s          with vm-exec's input, which else is not read\n";

static void clean_up(void)
{
	if (guest.vchan)
		libxenvchan_close(guest.vchan);
	if (guest.store) {
		xs_rm(guest.store, XBT_NULL, guest.request);
		xs_rm(guest.store, XBT_NULL, guest.offer);
	}
	if (terminal_changed)
		tcsetattr(0, TCSANOW, &terminal);
}

static void finish(int status, const char *why)
{
	fflush(stdout);
	if (why)
		warnx("guest %s %s", guest.name, why);
	exit(status);
}

static void stop(int signal)
{
	stopped = signal;
}

static void give_up_in_time(void)
{
	if (stopped)
		finish(128 + stopped, NULL);
	if (guest.deadline && time(NULL) >= guest.deadline)
		finish(STATUS_TIMEOUT, "did not end the command in time");
}

static bool find_guest(const char *name)
{
	FILE *file = fopen(GUESTS, "r");
	char line[128], found[64];
	bool ok = false;

	while (file && !ok && fgets(line, sizeof(line), file))
		ok = sscanf(line, "%63s %*s %u", found, &guest.domid) == 2 && !strcmp(found, name);
	if (file)
		fclose(file);
	guest.name = name;
	return ok;
}

static bool guest_lives(void)
{
	xc_domaininfo_t info;

	return xc_domain_getinfolist(guest.xc, guest.domid, 1, &info) == 1 && info.domain == guest.domid &&
	       !(info.flags & (XEN_DOMINF_dying | XEN_DOMINF_shutdown));
}

static void send_packet(uint32_t type, const char *bytes, uint32_t length)
{
	struct packet packet = { type, length };

	guest.vchan->blocking = 1;
	libxenvchan_send(guest.vchan, &packet, sizeof(packet));
	for (uint32_t sent = 0; sent < length;) {
		int n = libxenvchan_write(guest.vchan, bytes + sent, length - sent);

		if (n <= 0)
			break;
		sent += n;
	}
	guest.vchan->blocking = 0;
}

/*
 * Passes on what was read, if there is room for all of it: the agent takes no more while the command does not
 * read, and this process must go on reading its output. Room that comes makes an event.
 */
static void send_input(void)
{
	input_waits = libxenvchan_send(guest.vchan, &input, sizeof(input.head) + input.head.length) == 0;
}

static void pass_input(void)
{
	ssize_t n = read(0, input.bytes, sizeof(input.bytes));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0)
		guest.input_open = false;
	/* The end of a terminal's input is a character. */
	if (n <= 0 && guest.interactive)
		return;
	input.head = (struct packet){ PACKET_INPUT, n > 0 ? n : 0 };
	send_input();
}

static void receive(void *bytes, uint32_t length)
{
	uint32_t got = 0;

	while (got < length) {
		struct pollfd fds[2] = {
			{ .fd = libxenvchan_fd_for_select(guest.vchan), .events = POLLIN },
			{ .fd = guest.input_open && !input_waits ? 0 : -1, .events = POLLIN },
		};
		int n = libxenvchan_read(guest.vchan, (char *)bytes + got, length - got);

		if (n < 0)
			finish(STATUS_LOST, "closed the connection");
		got += n;
		if (n > 0 || got == length)
			continue;
		fflush(stdout);
		n = poll(fds, 2, 500);
		give_up_in_time();
		if (n == 0 && !guest_lives())
			finish(STATUS_LOST, "died");
		if (n > 0 && fds[0].revents)
			libxenvchan_wait(guest.vchan);
		if (input_waits)
			send_input();
		else if (n > 0 && fds[1].revents)
			pass_input();
	}
}

static void connect_to_agent(void)
{
	char path[96];
	unsigned int length;
	char *value = NULL;

	snprintf(path, sizeof(path), "%s/event-channel", guest.offer);
	if (!xs_watch(guest.store, path, "offer") ||
	    !xs_write(guest.store, XBT_NULL, guest.request, "1", 1))
		err(STATUS_LOST, "xenstore");
	while (!value) {
		struct pollfd event = { .fd = xs_fileno(guest.store), .events = POLLIN };
		int n = poll(&event, 1, 500);

		give_up_in_time();
		if (n > 0)
			free(xs_check_watch(guest.store));
		else if (n == 0 && !guest_lives())
			finish(STATUS_LOST, "died");
		value = xs_read(guest.store, XBT_NULL, path, &length);
	}
	free(value);
	guest.vchan = libxenvchan_client_init(NULL, guest.domid, guest.offer);
	if (!guest.vchan)
		err(STATUS_LOST, "cannot map what guest %s grants", guest.name);
}

static void send_command(char **argv)
{
	static char bytes[PACKET_MAX];
	uint32_t length = 0;

	for (; *argv; argv++) {
		size_t n = strlen(*argv) + 1;

		if (length + n > sizeof(bytes))
			errx(STATUS_LOST, "the command is too long");
		memcpy(bytes + length, *argv, n);
		length += n;
	}
	send_packet(guest.interactive ? PACKET_TERMINAL : guest.with_input ? PACKET_COMMAND_INPUT : PACKET_COMMAND,
		    bytes, length);
}

static void print(const char *bytes, uint32_t length, const char *prefix)
{
	static bool in_line;

	if (!*prefix) {
		fwrite(bytes, 1, length, stdout);
		return;
	}
	for (uint32_t i = 0; i < length; i++) {
		if (!in_line)
			fputs(prefix, stdout);
		putchar(bytes[i]);
		in_line = bytes[i] != '\n';
	}
}

static void raw_terminal(void)
{
	struct termios raw;

	if (tcgetattr(0, &terminal))
		return;
	raw = terminal;
	cfmakeraw(&raw);
	terminal_changed = !tcsetattr(0, TCSANOW, &raw);
}

int main(int argc, char **argv)
{
	static char bytes[PACKET_MAX];
	const char *prefix = "";
	int option;

	while ((option = getopt(argc, argv, "+hip:st:")) != -1) {
		switch (option) {
		case 'i':
			guest.interactive = guest.input_open = true;
			break;
		case 's':
			guest.with_input = guest.input_open = true;
			break;
		case 'p':
			prefix = optarg;
			break;
		case 't':
			guest.deadline = time(NULL) + atoi(optarg);
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (argc - optind < 2) {
		fputs(usage, stderr);
		return 2;
	}
	if (!find_guest(argv[optind]))
		errx(STATUS_LOST, "there is no guest %s", argv[optind]);
	snprintf(guest.request, sizeof(guest.request), "/local/domain/%u/vm/run/%d",
		 guest.domid, getpid());
	snprintf(guest.offer, sizeof(guest.offer), "/local/domain/%u/data/vm/%d",
		 guest.domid, getpid());
	guest.xc = xc_interface_open(NULL, NULL, 0);
	guest.store = xs_open(0);
	if (!guest.xc || !guest.store)
		err(STATUS_LOST, "cannot talk to Xen");
	atexit(clean_up);
	signal(SIGTERM, stop);
	signal(SIGINT, stop);
	connect_to_agent();
	send_command(argv + optind + 1);
	if (guest.interactive)
		raw_terminal();
	for (;;) {
		struct packet packet;

		receive(&packet, sizeof(packet));
		if (packet.length > sizeof(bytes))
			finish(STATUS_LOST, "sent nonsense");
		receive(bytes, packet.length);
		if (packet.type == PACKET_EXIT)
			finish((unsigned char)bytes[0], NULL);
		print(bytes, packet.length, prefix);
	}
}
