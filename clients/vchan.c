// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One end of a vchan, as any program has it: libxenvchan only, no word about grants.
 *
 *   vchan listen|connect DOMID PATH MIB stay|leave|hang
 *
 * Sends MIB of numbers that depend on its role, meanwhile receives the other end's and compares each
 * with what it has to be, and prints the sums of both. Then it stays until the other end is gone,
 * leaves by libxenvchan_close, or hangs until it is killed. A line on stdout tells each step.
 */
#define _GNU_SOURCE
#include <err.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libxenvchan.h>

/* The largest ring that libxenvchan has. */
#define RING_BYTES (1U << 20)
#define PATIENCE_S 300

struct stream {
	uint64_t state;	/* of xorshift64 */
	uint64_t left;	/* bytes */
	uint64_t sum, sums;
};

static uint64_t next(struct stream *stream)
{
	stream->state ^= stream->state << 13;
	stream->state ^= stream->state >> 7;
	stream->state ^= stream->state << 17;
	stream->sum += stream->state;
	stream->sums += stream->sum;
	return stream->state;
}

/* How much of @ready may go at once: whole numbers. */
static size_t portion(const struct stream *stream, int ready, size_t room)
{
	size_t bytes = ready > 0 ? ready : 0;

	if (bytes > room)
		bytes = room;
	if (bytes > stream->left)
		bytes = stream->left;
	return bytes & ~7UL;
}

static size_t send_some(struct libxenvchan *vchan, struct stream *stream)
{
	static uint64_t buffer[RING_BYTES / 8];
	size_t bytes = portion(stream, libxenvchan_buffer_space(vchan), sizeof(buffer));

	if (!bytes)
		return 0;
	for (size_t i = 0; i < bytes / 8; i++)
		buffer[i] = next(stream);
	if (libxenvchan_send(vchan, buffer, bytes) != (int)bytes)
		errx(1, "libxenvchan_send with %zu bytes left to send", (size_t)stream->left);
	stream->left -= bytes;
	return bytes;
}

static size_t receive_some(struct libxenvchan *vchan, struct stream *stream)
{
	static uint64_t buffer[RING_BYTES / 8];
	size_t bytes = portion(stream, libxenvchan_data_ready(vchan), sizeof(buffer));

	if (!bytes)
		return 0;
	if (libxenvchan_recv(vchan, buffer, bytes) != (int)bytes)
		errx(1, "libxenvchan_recv with %zu bytes left to come", (size_t)stream->left);
	for (size_t i = 0; i < bytes / 8; i++)
		if (buffer[i] != next(stream))
			errx(1, "a wrong number, %zu bytes before the end",
			     (size_t)stream->left - i * 8);
	stream->left -= bytes;
	return bytes;
}

static void exchange(struct libxenvchan *vchan, bool server, uint64_t bytes)
{
	struct stream out = { .state = server ? 0x5eed : 0xcafe, .left = bytes };
	struct stream in = { .state = server ? 0xcafe : 0x5eed, .left = bytes };

	while (out.left || in.left) {
		size_t moved = send_some(vchan, &out) + receive_some(vchan, &in);

		if (moved)
			continue;
		if (!libxenvchan_is_open(vchan))
			errx(1, "the other end is gone, %zu bytes early",
			     (size_t)(out.left + in.left));
		if (libxenvchan_wait(vchan) < 0)
			err(1, "libxenvchan_wait");
	}
	/* What was sent has been received when the ring is empty. */
	while (libxenvchan_is_open(vchan) && libxenvchan_buffer_space(vchan) < (int)RING_BYTES)
		libxenvchan_wait(vchan);
	printf("sent %016" PRIx64 " received %016" PRIx64 "\n", out.sums, in.sums);
}

static _Noreturn void usage(void)
{
	fputs("usage: vchan listen|connect DOMID PATH MIB stay|leave|hang\n", stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	struct libxenvchan *vchan;
	bool server;
	int domid;

	if (argc != 6)
		usage();
	server = !strcmp(argv[1], "listen");
	domid = atoi(argv[2]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	/* Whatever hangs ends as a failure. */
	alarm(PATIENCE_S);

	if (server)
		vchan = libxenvchan_server_init(NULL, domid, argv[3], RING_BYTES, RING_BYTES);
	else
		vchan = libxenvchan_client_init(NULL, domid, argv[3]);
	if (!vchan)
		err(1, "the vchan of domain %d at %s", domid, argv[3]);
	vchan->blocking = 1;
	puts("open");
	exchange(vchan, server, strtoull(argv[4], NULL, 0) << 20);

	if (!strcmp(argv[5], "hang")) {
		puts("hanging");
		for (;;)
			pause();
	}
	if (!strcmp(argv[5], "stay")) {
		while (libxenvchan_is_open(vchan))
			if (libxenvchan_wait(vchan) < 0)
				err(1, "libxenvchan_wait");
		puts("the other end is gone");
	}
	libxenvchan_close(vchan);
	puts("closed");
	return 0;
}
