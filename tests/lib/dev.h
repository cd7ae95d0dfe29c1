/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The calls of /dev/xen/gntdev, each as a function that returns -1 and sets errno. */
#ifndef TESTS_LIB_DEV_H
#define TESTS_LIB_DEV_H

#include <stdint.h>
#include <sys/mman.h>

#include <xen/xen.h>
#include <xen/grant_table.h> /* GNTST_*, GNTCOPY_* */

#include <xen/gntdev.h>

#define DEVICE "/dev/xen/gntdev"

#define RO PROT_READ
#define RW (PROT_READ | PROT_WRITE)

/* Nothing answers here: a domain that does not exist, below the reserved domids. */
#define NO_DOMAIN 31007

/* A new instance; ends the test if it cannot be had. */
int dev_open(void);
int dev_map(int fd, const struct ioctl_gntdev_grant_ref *refs, unsigned int count,
	    uint64_t *index);
/* The same for @count references that nobody granted. */
int dev_map_fake(int fd, unsigned int count, uint64_t *index);
int dev_unmap(int fd, uint64_t index, unsigned int count);
/* @index, @count: where to put the answer */
int dev_offset(int fd, const void *address, uint64_t *index, unsigned int *count);
int dev_max(int fd, unsigned int count);
int dev_notify(int fd, uint64_t index, unsigned int action, unsigned int port);
void *dev_mmap(int fd, uint64_t index, unsigned int count, int prot);
int dev_munmap(void *address, unsigned int count);

/* All of one domain. @buffer is set if it works. */
int dev_export(int fd, unsigned int flags, const struct ioctl_gntdev_grant_ref *refs,
	       unsigned int count, int *buffer);
int dev_wait_released(int fd, int buffer, unsigned int ms);
/* @refs is set if it works, to references of this domain. */
int dev_import(int fd, int buffer, unsigned int count, unsigned int domid,
	       struct ioctl_gntdev_grant_ref *refs);
int dev_import_release(int fd, int buffer);

typedef struct ioctl_gntdev_grant_copy_segment segment_t;

int dev_copy(int fd, segment_t *segments, unsigned int count);
/* Segments whose status is one that the driver never gives. */
segment_t seg_from(const struct ioctl_gntdev_grant_ref *ref, unsigned int offset, void *to,
		   unsigned int len);
segment_t seg_to(const struct ioctl_gntdev_grant_ref *ref, unsigned int offset, const void *from,
		 unsigned int len);
segment_t seg_between(const struct ioctl_gntdev_grant_ref *from, unsigned int from_offset,
		      const struct ioctl_gntdev_grant_ref *to, unsigned int to_offset,
		      unsigned int len);
#define SEG_UNTOUCHED 77

#endif
