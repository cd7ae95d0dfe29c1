// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#include "t.h"

const char *buffer_name(enum buffer_kind kind)
{
	static const char *const names[] = {
		[BUFFER_VGEM] = "vgem", [BUFFER_UDMABUF] = "udmabuf", [BUFFER_HEAP] = "system heap",
		[BUFFER_LONG] = "one long entry", [BUFFER_OFFSET] = "an entry with an offset",
	};

	return names[kind];
}

/* The card of the module vgem, or -1. */
static int open_vgem(void)
{
	char path[32];

	for (unsigned int i = 0; i < 8; i++) {
		drmVersion *version;
		bool found;
		int fd;

		snprintf(path, sizeof(path), "/dev/dri/card%u", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		version = drmGetVersion(fd);
		found = version && !strcmp(version->name, "vgem");
		drmFreeVersion(version);
		if (found)
			return fd;
		close(fd);
	}
	return -1;
}

static bool make_vgem(struct buffer *buffer)
{
	uint32_t handle, pitch;
	uint64_t size;

	/* Its user mappings are write-combining, which Xen refuses, and the kernel tries for ever. */
	if (t_pv() && !t_dom0())
		return false;
	buffer->handle = open_vgem();
	if (buffer->handle < 0)
		return false;
	if (drmModeCreateDumbBuffer(buffer->handle, PAGE / 4, buffer->n, 32, 0, &handle, &pitch,
				    &size) ||
	    drmPrimeHandleToFD(buffer->handle, handle, DRM_CLOEXEC | DRM_RDWR, &buffer->fd))
		t_bail("vgem makes no buffer: %m");
	/* Nothing but the descriptor keeps it. */
	drmModeDestroyDumbBuffer(buffer->handle, handle);
	return true;
}

static bool make_udmabuf(struct buffer *buffer)
{
	struct udmabuf_create create = { .flags = UDMABUF_FLAGS_CLOEXEC,
					 .size = buffer->n * PAGE };
	int device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);

	if (device < 0)
		return false;
	buffer->handle = memfd_create("udmabuf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (ftruncate(buffer->handle, create.size) ||
	    fcntl(buffer->handle, F_ADD_SEALS, F_SEAL_SHRINK))
		t_bail("memfd: %m");
	create.memfd = buffer->handle;
	buffer->fd = ioctl(device, UDMABUF_CREATE, &create);
	if (buffer->fd < 0)
		t_bail("udmabuf makes no buffer: %m");
	close(device);
	return true;
}

static bool make_heap(struct buffer *buffer)
{
	struct dma_heap_allocation_data data = { .len = buffer->n * PAGE,
						 .fd_flags = O_RDWR | O_CLOEXEC };
	int device = open("/dev/dma_heap/system", O_RDWR | O_CLOEXEC);

	if (device < 0)
		return false;
	if (ioctl(device, DMA_HEAP_IOCTL_ALLOC, &data))
		t_bail("the system heap makes no buffer: %m");
	close(device);
	buffer->fd = data.fd;
	return true;
}

static bool make_shaped(struct buffer *buffer, unsigned int shape)
{
	struct probe_export op = { .count = buffer->n, .shape = shape };
	int probe = probe_open();

	if (probe < 0)
		return false;
	if (ioctl(probe, PROBE_EXPORT, &op))
		t_bail("dmabuf-probe makes no buffer: %m");
	close(probe);
	buffer->fd = op.fd;
	return true;
}

/* Takes its owner's view of a new buffer. */
static struct buffer *made(struct buffer *buffer, bool good)
{
	if (!good) {
		free(buffer);
		return NULL;
	}
	buffer->memory = mmap(NULL, buffer->n * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			      buffer->fd, 0);
	if (buffer->memory == MAP_FAILED)
		t_bail("mmap of a buffer: %m");
	return buffer;
}

static struct buffer *new_buffer(unsigned int n)
{
	struct buffer *buffer = calloc(1, sizeof(*buffer));

	buffer->n = n;
	buffer->handle = -1;
	return buffer;
}

struct buffer *buffer_make(enum buffer_kind kind, unsigned int n)
{
	struct buffer *buffer = new_buffer(n);

	switch (kind) {
	case BUFFER_VGEM:
		return made(buffer, make_vgem(buffer));
	case BUFFER_UDMABUF:
		return made(buffer, make_udmabuf(buffer));
	case BUFFER_HEAP:
		return made(buffer, make_heap(buffer));
	case BUFFER_LONG:
		return made(buffer, make_shaped(buffer, PROBE_LONG));
	default:
		return made(buffer, make_shaped(buffer, PROBE_OFFSET));
	}
}

struct buffer *buffer_shaped(unsigned int shape, unsigned int n)
{
	struct buffer *buffer = new_buffer(n);

	return made(buffer, make_shaped(buffer, shape));
}

void buffer_close_fd(struct buffer *buffer)
{
	close(buffer->fd);
	buffer->fd = -1;
}

void buffer_free(struct buffer *buffer)
{
	munmap(buffer->memory, buffer->n * PAGE);
	if (buffer->fd >= 0)
		close(buffer->fd);
	if (buffer->handle >= 0)
		close(buffer->handle);
	free(buffer);
}

int probe_open(void)
{
	return open("/dev/dmabuf-probe", O_RDWR | O_CLOEXEC);
}

int probe_attach(int probe, int fd, unsigned int bits, uint64_t *addresses, unsigned int *n,
		 unsigned int *type)
{
	struct probe_attach op = { .fd = fd, .dma_bits = bits, .count = *n,
				   .addresses = (uintptr_t)addresses };
	int err = ioctl(probe, PROBE_ATTACH, &op);

	*n = op.count;
	*type = op.type;
	return err;
}

int probe_detach(int probe)
{
	return ioctl(probe, PROBE_DETACH);
}

int probe_touch(int probe, int fd, unsigned int offset, uint8_t value, struct probe_touch *found)
{
	*found = (struct probe_touch){ .fd = fd, .offset = offset, .value = value };
	return ioctl(probe, PROBE_TOUCH, found);
}

uint64_t probe_hold(int probe, int fd)
{
	struct probe_hold op = { .fd = fd };

	return ioctl(probe, PROBE_HOLD, &op) ? 0 : op.address;
}

struct probe_entry probe_entry(int probe, const void *address)
{
	struct probe_entry entry = { .address = (uintptr_t)address };

	if (ioctl(probe, PROBE_ENTRY, &entry))
		t_bail("dmabuf-probe finds no entry: %m");
	return entry;
}

int probe_exports(int probe)
{
	return ioctl(probe, PROBE_EXPORTS);
}
