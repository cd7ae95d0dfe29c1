// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The first process of a guest: runs the commands that vm-exec sends from dom0.
 *
 * A command's output goes over a vchan of its own, so that nothing mixes with what
 * the kernel says on the console, and it ends when vm-exec goes away.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libxenvchan.h>
#include <xenstore.h>

#include "wire.h"

#define WORKDIR "/work"
#define REQUESTS "vm/run"

/* The requests that are being served, by number: vm-exec's process id. */
static bool served[1 << 16];

static void send_packet(struct libxenvchan *vchan, uint32_t type, const void *bytes, uint32_t length)
{
	struct packet packet = { type, length };

	libxenvchan_send(vchan, &packet, sizeof(packet));
	/* A packet may be larger than the ring: write, which comes back early, in pieces. */
	for (uint32_t sent = 0; sent < length;) {
		int n = libxenvchan_write(vchan, (const char *)bytes + sent, length - sent);

		if (n <= 0)
			return;
		sent += n;
	}
}

static char *receive(struct libxenvchan *vchan, struct packet *packet)
{
	char *bytes;

	if (libxenvchan_recv(vchan, packet, sizeof(*packet)) < 0 || packet->length > PACKET_MAX)
		return NULL;
	bytes = malloc(packet->length + 1);
	for (uint32_t got = 0; bytes && got < packet->length;) {
		int n = libxenvchan_read(vchan, bytes + got, packet->length - got);

		if (n <= 0)
			return NULL;
		got += n;
	}
	if (bytes)
		bytes[packet->length] = '\0';
	return bytes;
}

/* What the command has not read yet of its input, which ends with a packet of no bytes. */
static struct {
	int fd;		/* -1: there is none, or no more */
	char *bytes;
	uint32_t length, written;
} input = { .fd = -1 };

/*
 * Starts the command; *output is where its output, and a terminal's input, go. input.fd is where a command
 * without a terminal reads, if it has anything to.
 */
static pid_t start(char *args, uint32_t length, uint32_t type, int *output)
{
	int on_terminal = type == PACKET_TERMINAL, to_read[2] = { -1, -1 };
	char **argv = calloc(length + 1, sizeof(*argv));
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	int ends[2], argc = 0;
	sigset_t none;
	pid_t pid;

	for (char *arg = args; arg < args + length; arg += strlen(arg) + 1)
		argv[argc++] = arg;
	if (on_terminal) {
		pid = forkpty(output, NULL, NULL, &size);
	} else {
		if (pipe2(ends, O_CLOEXEC) || (type == PACKET_COMMAND_INPUT && pipe2(to_read, O_CLOEXEC)))
			err(1, "pipe");
		*output = ends[0];
		pid = fork();
	}
	if (pid < 0)
		err(1, "fork");
	if (pid) {
		if (!on_terminal)
			close(ends[1]);
		if (to_read[0] >= 0) {
			close(to_read[0]);
			input.fd = to_read[1];
			fcntl(input.fd, F_SETFL, O_NONBLOCK);
		}
		return pid;
	}
	if (!on_terminal) {
		int null = open("/dev/null", O_RDONLY);

		setsid();
		dup2(to_read[0] >= 0 ? to_read[0] : null, 0);
		dup2(ends[1], 1);
		dup2(ends[1], 2);
		close(null);
	}
	signal(SIGPIPE, SIG_DFL);
	/* Not every library of Xen marks its files to be closed. */
	close_range(3, ~0U, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* The root file system that the guest was given; what runs here stays in its initramfs. */
	if (getenv("VM_ROOT_AT")) {
		if (chroot(getenv("VM_ROOT_AT")))
			err(126, "chroot");
		setenv("PATH", "/work:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	}
	if (chdir(WORKDIR))
		err(126, WORKDIR);
	execvp(argv[0], argv);
	err(errno == ENOENT ? 127 : 126, "%s", argv[0]);
}

/* Passes on what is there to read; 0 when there will be no more. */
static int pass_output(struct libxenvchan *vchan, int output)
{
	static char bytes[PACKET_MAX];
	ssize_t n = read(output, bytes, sizeof(bytes));

	if (n > 0)
		send_packet(vchan, PACKET_OUTPUT, bytes, n);
	return n > 0 || (n < 0 && errno == EINTR);
}

static void drain_output(struct libxenvchan *vchan, int output)
{
	fcntl(output, F_SETFL, O_NONBLOCK);
	while (pass_output(vchan, output))
		;
}

/* Passes on input as far as the command takes it; it may have closed it. */
static void pass_input(void)
{
	ssize_t n = write(input.fd, input.bytes + input.written, input.length - input.written);

	if (n >= 0)
		input.written += n;
	else if (errno == EPIPE)
		input.written = input.length;
	if (input.written == input.length) {
		free(input.bytes);
		input.bytes = NULL;
	}
}

static void take_input(struct libxenvchan *vchan, int on_terminal, int output)
{
	struct packet packet;
	char *bytes = receive(vchan, &packet);

	if (!bytes || packet.type != PACKET_INPUT) {
		free(bytes);
	} else if (on_terminal) {
		if (write(output, bytes, packet.length) < 0)
			warn("input");
		free(bytes);
	} else if (packet.length == 0) {
		free(bytes);
		if (input.fd >= 0)
			close(input.fd);
		input.fd = -1;
	} else {
		input.bytes = bytes;
		input.length = packet.length;
		input.written = 0;
		if (input.fd >= 0)
			pass_input();
	}
}

/* Runs one command, whose process this is. */
static void serve(long id)
{
	struct libxenvchan *vchan;
	struct packet packet;
	struct pollfd fds[4];
	sigset_t child;
	char path[64], *args;
	int output, status = 0, on_terminal;
	unsigned char code;
	pid_t pid;

	snprintf(path, sizeof(path), "data/vm/%ld", id);
	vchan = libxenvchan_server_init(NULL, 0, path, INPUT_RING, 32768);
	if (!vchan)
		err(1, "vchan %s", path);
	vchan->blocking = 1;
	args = receive(vchan, &packet);
	if (!args)
		errx(1, "vchan %s: no command", path);

	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	on_terminal = packet.type == PACKET_TERMINAL;
	pid = start(args, packet.length, packet.type, &output);

	fds[0] = (struct pollfd){ .fd = signalfd(-1, &child, SFD_CLOEXEC), .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = libxenvchan_fd_for_select(vchan), .events = POLLIN };
	fds[2] = (struct pollfd){ .fd = output, .events = POLLIN };
	fds[3] = (struct pollfd){ .events = POLLOUT };
	while (waitpid(pid, &status, WNOHANG) != pid) {
		/* What came with the command made its event already. */
		int ready = !input.bytes && libxenvchan_data_ready(vchan) > 0;

		fds[3].fd = input.bytes ? input.fd : -1;
		if (poll(fds, 4, ready ? 0 : -1) < 0 && errno != EINTR)
			err(1, "poll");
		if (fds[0].revents) {
			struct signalfd_siginfo info;

			if (read(fds[0].fd, &info, sizeof(info)) < 0)
				err(1, "signalfd");
		}
		if (fds[1].revents)
			libxenvchan_wait(vchan);
		if (libxenvchan_is_open(vchan) != 1) {
			kill(-pid, SIGKILL);
			exit(0);
		}
		if (input.bytes && fds[3].revents)
			pass_input();
		if (!input.bytes && libxenvchan_data_ready(vchan) > 0)
			take_input(vchan, on_terminal, output);
		/* Closed output is no end: the command may go on without it. */
		if (fds[2].revents && !pass_output(vchan, output))
			fds[2].fd = -1;
	}
	drain_output(vchan, output);
	code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	send_packet(vchan, PACKET_EXIT, &code, 1);
	while (libxenvchan_is_open(vchan) == 1)
		libxenvchan_wait(vchan);
	libxenvchan_close(vchan);
	exit(0);
}

/* What commands find in their environment: after a restore the domain is another one. */
static void tell_domid(struct xs_handle *store)
{
	unsigned int length;
	char *domid = xs_read(store, XBT_NULL, "domid", &length);

	if (domid)
		setenv("VM_DOMID", domid, 1);
	free(domid);
}

/* Serves what is asked for and was not before; an event can come twice. */
static void look_for_requests(struct xs_handle *store)
{
	static bool asked[sizeof(served)];
	unsigned int count;
	char **requests = xs_directory(store, XBT_NULL, REQUESTS, &count);

	tell_domid(store);
	memset(asked, 0, sizeof(asked));
	for (unsigned int i = 0; requests && i < count; i++) {
		long id = atol(requests[i]);

		if (id <= 0 || id >= (long)sizeof(served))
			continue;
		asked[id] = true;
		if (!served[id] && !fork())
			serve(id);
	}
	memcpy(served, asked, sizeof(served));
	free(requests);
}

int main(void)
{
	struct xs_handle *store = xs_open(0);

	if (!store)
		err(1, "xenstore");
	if (!xs_watch(store, REQUESTS, ""))
		err(1, "watching " REQUESTS);
	/* Whose parent ends becomes a child of this process, and nobody waits for it. */
	signal(SIGCHLD, SIG_IGN);
	/* The watch makes a first event by itself. */
	for (;;) {
		unsigned int count;
		char **event = xs_read_watch(store, &count);

		if (!event)
			err(1, "xenstore");
		free(event);
		look_for_requests(store);
	}
}
