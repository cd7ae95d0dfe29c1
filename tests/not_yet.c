// SPDX-License-Identifier: GPL-2.0-or-later
/* The calls that are still to come answer ENOTTY. To be removed with the last of them. */
#define _GNU_SOURCE
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/dev.h"
#include "lib/t.h"

int main(void)
{
	char argument[64] = { 0 };
	int fd;

	t_start();
	fd = dev_open();
	check_errno("A3", ioctl(fd, IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS, argument), ENOTTY,
		    "DMABUF_EXP_FROM_REFS");
	check_errno("A3", ioctl(fd, IOCTL_GNTDEV_DMABUF_EXP_WAIT_RELEASED, argument), ENOTTY,
		    "DMABUF_EXP_WAIT_RELEASED");
	check_errno("A3", ioctl(fd, IOCTL_GNTDEV_DMABUF_IMP_TO_REFS, argument), ENOTTY,
		    "DMABUF_IMP_TO_REFS");
	check_errno("A3", ioctl(fd, IOCTL_GNTDEV_DMABUF_IMP_RELEASE, argument), ENOTTY,
		    "DMABUF_IMP_RELEASE");
	close(fd);
	return t_done();
}
