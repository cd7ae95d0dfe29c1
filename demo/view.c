// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Get a dma-buf with a picture in it from another process, and write it into a file. This needs
 * neither /dev/xen/gntdev nor anything else of Xen.
 *
 *	view MEETING SOCKET FILE
 *
 * The other side is export.c.
 */
#include <errno.h>
#include <linux/dma-buf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common.h"

/* The other process may not have got that far. */
static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	time_t deadline = time(NULL) + PATIENCE;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	while (connect(connection, (struct sockaddr *)&address, sizeof(address))) {
		if ((errno != ENOENT && errno != ECONNREFUSED) || time(NULL) >= deadline)
			fail("cannot connect to %s", path);
		usleep(20000);
	}
	return connection;
}

static int receive(int connection, size_t *size)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec data = { size, sizeof(*size) };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	int dmabuf;

	if (recvmsg(connection, &message, MSG_CMSG_CLOEXEC) != sizeof(*size) ||
	    !CMSG_FIRSTHDR(&message))
		fail("no dma-buf came");
	memcpy(&dmabuf, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
	return dmabuf;
}

int main(int argc, char **argv)
{
	struct dma_buf_sync begin = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ };
	struct dma_buf_sync end = { .flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ };
	size_t size, room;
	char *picture;
	FILE *file;
	int dmabuf;

	if (argc != 4) {
		fprintf(stderr, "usage: view MEETING SOCKET FILE\n");
		return 2;
	}
	meet(argv[1]);
	dmabuf = receive(connect_to(argv[2]), &size);
	room = lseek(dmabuf, 0, SEEK_END);
	if (size > room)
		failx("the dma-buf has %zu bytes, the picture is said to have %zu", room, size);
	picture = mmap(NULL, room, PROT_READ, MAP_SHARED, dmabuf, 0);
	if (picture == MAP_FAILED)
		fail("cannot map the dma-buf");
	tell("process %d got a dma-buf of %zu bytes as descriptor %d, and mapped it", getpid(),
	     room, dmabuf);

	file = fopen(argv[3], "w");
	ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &begin);
	if (!file || fwrite(picture, size, 1, file) != 1 || fclose(file))
		fail("cannot write %s", argv[3]);
	ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &end);
	publish("bytes-read", "%zu", size);
	munmap(picture, room);
	close(dmabuf);
	tell("process %d wrote the picture, %zu bytes, to %s", getpid(), size, argv[3]);
	return 0;
}
