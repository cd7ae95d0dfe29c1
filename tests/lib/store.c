// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "t.h"

/* xen/include/public/io/xs_wire.h */
enum { XS_READ = 2, XS_WATCH = 4, XS_WRITE = 11, XS_RM = 13, XS_WATCH_EVENT = 15, XS_ERROR = 16 };

struct message {
	uint32_t type, id, transaction, length;
};

/* A guest may store 2048 bytes in a node, its name, owner and children included. */
#define PIECE 1200

static int store = -1;
static unsigned int watches_fired;

int store_open(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (store >= 0)
		return 0; /* with the watches that were set */
	strcpy(address.sun_path, "/run/xenstored/socket");
	if (access(address.sun_path, F_OK))
		strcpy(address.sun_path, "/var/run/xenstored/socket");
	store = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (store >= 0 && !connect(store, (struct sockaddr *)&address, sizeof(address)))
		return 0;
	close(store);
	store = open("/dev/xen/xenbus", O_RDWR | O_CLOEXEC);
	return store < 0 ? -1 : 0;
}

static void transfer(bool writing, void *bytes, size_t length)
{
	while (length) {
		ssize_t n = writing ? write(store, bytes, length) : read(store, bytes, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			t_bail("xenstore: %s", n ? strerror(errno) : "it hung up");
		bytes = (char *)bytes + n;
		length -= n;
	}
}

static char *receive(struct message *message)
{
	char *body;

	transfer(false, message, sizeof(*message));
	body = malloc(message->length + 1);
	transfer(false, body, message->length);
	body[message->length] = '\0';
	return body;
}

static char *ask(uint32_t type, const char *path, const char *value, size_t length)
{
	/* Names end with a 0 byte, a value does not; a watch has two names. */
	size_t named = strlen(path) + 1;
	struct message message = { .type = type, .length = named + length };
	char *body = malloc(sizeof(message) + named + length);

	if (store < 0) {
		errno = ENOTCONN;
		return NULL;
	}
	memcpy(body, &message, sizeof(message));
	memcpy(body + sizeof(message), path, named);
	if (length)
		memcpy(body + sizeof(message) + named, value, length);
	transfer(true, body, sizeof(message) + named + length);
	free(body);
	for (;;) {
		body = receive(&message);
		if (message.type != XS_WATCH_EVENT)
			break;
		watches_fired++;
		free(body);
	}
	if (message.type == XS_ERROR) {
		errno = !strcmp(body, "ENOENT") ? ENOENT : EIO;
		if (errno == EIO)
			fprintf(stderr, "# xenstore: %s: %s\n", path, body);
		free(body);
		return NULL;
	}
	return body;
}

char *store_read(const char *path)
{
	return ask(XS_READ, path, NULL, 0);
}

static int done(char *answer)
{
	free(answer);
	return answer ? 0 : -1;
}

int store_write(const char *path, const char *value)
{
	return done(ask(XS_WRITE, path, value, strlen(value)));
}

int store_remove(const char *path)
{
	return done(ask(XS_RM, path, NULL, 0));
}

int store_watch(const char *path)
{
	return done(ask(XS_WATCH, path, "w", 2));
}

bool store_wait(int ms)
{
	struct pollfd poll_in = { .fd = store, .events = POLLIN };
	struct message message;

	if (!watches_fired && poll(&poll_in, 1, ms) == 1) {
		free(receive(&message));
		watches_fired += message.type == XS_WATCH_EVENT;
	}
	if (!watches_fired)
		return false;
	watches_fired = 0;
	return true;
}

int store_fd(void)
{
	return store;
}

int store_send(const char *path, const char *tag, const char *text)
{
	size_t length = strlen(text), pieces = (length + PIECE - 1) / PIECE;
	char node[256], piece[PIECE + 64];

	for (size_t i = 1; i < pieces; i++) {
		snprintf(node, sizeof(node), "%s/%zu", path, i);
		snprintf(piece, sizeof(piece), "%.*s", PIECE, text + i * PIECE);
		if (store_write(node, piece))
			return -1;
	}
	/* Last, because the reader waits for this one. */
	snprintf(piece, sizeof(piece), "%s %zu %.*s", tag, pieces, PIECE, text);
	return store_write(path, piece);
}

char *store_receive(const char *path, char *tag, const char *wanted)
{
	char *first = store_read(path), found[STORE_TAG], node[256], *text, *piece;
	int skip = 0;
	size_t pieces;

	if (!first)
		return NULL;
	if (sscanf(first, "%31s %zu%n", found, &pieces, &skip) != 2 || !first[skip] ||
	    (wanted ? strcmp(found, wanted) : !strcmp(found, tag))) {
		free(first);
		errno = EAGAIN;
		return NULL;
	}
	strcpy(tag, found);
	text = malloc((pieces + 1) * PIECE + 1);
	strcpy(text, first + skip + 1);
	free(first);
	for (size_t i = 1; i < pieces; i++) {
		snprintf(node, sizeof(node), "%s/%zu", path, i);
		piece = store_read(node);
		if (!piece)
			t_bail("xenstore: %s is missing", node);
		strcat(text, piece);
		free(piece);
	}
	return text;
}
