// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "dev.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "t.h"

int dev_open(void)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		t_bail("%s: %s", DEVICE, strerror(errno));
	return fd;
}

int dev_map(int fd, const struct ioctl_gntdev_grant_ref *refs, unsigned int count,
	    uint64_t *index)
{
	struct ioctl_gntdev_map_grant_ref *map;
	int err;

	map = calloc(1, sizeof(*map) + count * sizeof(*refs));
	if (!map)
		t_bail("no memory for %u references", count);
	map->count = count;
	/* M4: the library leaves it as it is. */
	map->pad = 0xdeadbeef;
	map->index = 0x5555555555555555;
	memcpy(map->refs, refs, count * sizeof(*refs));
	err = ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, map) < 0 ? errno : 0;
	if (!err)
		*index = map->index;
	free(map);
	errno = err;
	return err ? -1 : 0;
}

int dev_map_fake(int fd, unsigned int count, uint64_t *index)
{
	struct ioctl_gntdev_grant_ref *refs = calloc(count + 1, sizeof(*refs));
	int err;

	if (!refs)
		t_bail("no memory for %u references", count);
	for (unsigned int i = 0; i < count; i++)
		refs[i] = (struct ioctl_gntdev_grant_ref){ NO_DOMAIN, i };
	err = dev_map(fd, refs, count, index) ? errno : 0;
	free(refs);
	errno = err;
	return err ? -1 : 0;
}

int dev_unmap(int fd, uint64_t index, unsigned int count)
{
	struct ioctl_gntdev_unmap_grant_ref unmap = {
		.index = index, .count = count, .pad = 0xdeadbeef,
	};

	return ioctl(fd, IOCTL_GNTDEV_UNMAP_GRANT_REF, &unmap);
}

int dev_offset(int fd, const void *address, uint64_t *index, unsigned int *count)
{
	struct ioctl_gntdev_get_offset_for_vaddr get = {
		.vaddr = (uintptr_t)address,
		.offset = 0x5555555555555555, .count = 0x55555555, .pad = 0xdeadbeef,
	};

	if (ioctl(fd, IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR, &get) < 0)
		return -1;
	*index = get.offset;
	*count = get.count;
	return 0;
}

int dev_max(int fd, unsigned int count)
{
	struct ioctl_gntdev_set_max_grants max = { .count = count };

	return ioctl(fd, IOCTL_GNTDEV_SET_MAX_GRANTS, &max);
}

int dev_notify(int fd, uint64_t index, unsigned int action, unsigned int port)
{
	struct ioctl_gntdev_unmap_notify notify = {
		.index = index, .action = action, .event_channel_port = port,
	};

	return ioctl(fd, IOCTL_GNTDEV_SET_UNMAP_NOTIFY, &notify);
}

void *dev_mmap(int fd, uint64_t index, unsigned int count, int prot)
{
	return mmap(NULL, count * PAGE, prot, MAP_SHARED, fd, index);
}

int dev_munmap(void *address, unsigned int count)
{
	return munmap(address, count * PAGE);
}

int dev_export(int fd, unsigned int flags, const struct ioctl_gntdev_grant_ref *refs,
	       unsigned int count, int *buffer)
{
	struct ioctl_gntdev_dmabuf_exp_from_refs *op = calloc(1, sizeof(*op) + count * 4);
	int err;

	op->flags = flags;
	op->count = count;
	op->domid = refs[0].domid;
	for (unsigned int i = 0; i < count; i++)
		op->refs[i] = refs[i].ref;
	err = ioctl(fd, IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS, op) < 0 ? errno : 0;
	if (!err)
		*buffer = op->fd;
	free(op);
	errno = err;
	return err ? -1 : 0;
}

int dev_wait_released(int fd, int buffer, unsigned int ms)
{
	struct ioctl_gntdev_dmabuf_exp_wait_released op = { .fd = buffer, .wait_to_ms = ms };

	return ioctl(fd, IOCTL_GNTDEV_DMABUF_EXP_WAIT_RELEASED, &op);
}

int dev_import(int fd, int buffer, unsigned int count, unsigned int domid,
	       struct ioctl_gntdev_grant_ref *refs)
{
	struct ioctl_gntdev_dmabuf_imp_to_refs *op = calloc(1, sizeof(*op) + count * 4);
	int err;

	op->fd = buffer;
	op->count = count;
	op->domid = domid;
	err = ioctl(fd, IOCTL_GNTDEV_DMABUF_IMP_TO_REFS, op) < 0 ? errno : 0;
	for (unsigned int i = 0; !err && i < count; i++)
		refs[i] = (struct ioctl_gntdev_grant_ref){ t_domid(), op->refs[i] };
	free(op);
	errno = err;
	return err ? -1 : 0;
}

int dev_import_release(int fd, int buffer)
{
	struct ioctl_gntdev_dmabuf_imp_release op = { .fd = buffer };

	return ioctl(fd, IOCTL_GNTDEV_DMABUF_IMP_RELEASE, &op);
}

int dev_copy(int fd, segment_t *segments, unsigned int count)
{
	struct ioctl_gntdev_grant_copy copy = { .count = count, .segments = segments };

	return ioctl(fd, IOCTL_GNTDEV_GRANT_COPY, &copy);
}

segment_t seg_from(const struct ioctl_gntdev_grant_ref *ref, unsigned int offset, void *to,
		   unsigned int len)
{
	return (segment_t){
		.source.foreign = { .ref = ref->ref, .offset = offset, .domid = ref->domid },
		.dest.virt = to, .len = len, .flags = GNTCOPY_source_gref,
		.status = SEG_UNTOUCHED,
	};
}

segment_t seg_to(const struct ioctl_gntdev_grant_ref *ref, unsigned int offset, const void *from,
		 unsigned int len)
{
	return (segment_t){
		.source.virt = (void *)from,
		.dest.foreign = { .ref = ref->ref, .offset = offset, .domid = ref->domid },
		.len = len, .flags = GNTCOPY_dest_gref, .status = SEG_UNTOUCHED,
	};
}

segment_t seg_between(const struct ioctl_gntdev_grant_ref *from, unsigned int from_offset,
		      const struct ioctl_gntdev_grant_ref *to, unsigned int to_offset,
		      unsigned int len)
{
	return (segment_t){
		.source.foreign = { .ref = from->ref, .offset = from_offset, .domid = from->domid },
		.dest.foreign = { .ref = to->ref, .offset = to_offset, .domid = to->domid },
		.len = len, .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref,
		.status = SEG_UNTOUCHED,
	};
}
