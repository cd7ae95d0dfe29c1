// SPDX-License-Identifier: GPL-2.0-or-later
/* The node, who may open it, and what is no call of it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/dev.h"
#include "lib/t.h"

static int open_as_nobody(void *unused)
{
	(void)unused;
	if (setgid(65534) || setuid(65534))
		return 1;
	return open(DEVICE, O_RDWR) < 0 && errno == EACCES ? 0 : 2;
}

int main(void)
{
	char modules[8192] = "", buffer[16] = "";
	struct stat node;
	int fd, fds[100];
	bool good = true;

	t_start();
	check_ok("A3", stat(DEVICE, &node), "there is " DEVICE);
	check("A3", S_ISCHR(node.st_mode), "it is a character device");
	check_eq("A3", node.st_mode & 07777, 0600, "its mode is 0600");
	check("A3", node.st_uid == 0 && node.st_gid == 0, "it is root's");
	check_eq("A3", t_wait(t_child(open_as_nobody, NULL)), 0, "nobody else can open it");
	t_read_file("/proc/modules", modules, sizeof(modules));
	check("A3", strstr(modules, "xen_gntdev "), "the module has the name of the one it replaces");
	check_eq("A3", access("/sys/class/misc/xen!gntdev", F_OK), 0, "and so has the device");

	fd = dev_open();
	check_errno("A3", ioctl(fd, _IO('G', 99), 0), ENOTTY, "an unknown ioctl");
	check_errno("A3", ioctl(fd, _IO('G', 0), 0), ENOTTY, "MAP_GRANT_REF of another size");
	check_errno("A3", ioctl(fd, _IOW('G', 1, struct ioctl_gntdev_unmap_grant_ref), buffer), ENOTTY,
		    "UNMAP_GRANT_REF of another direction");
	check_errno("A3", ioctl(fd, 0x5401 /* TCGETS */, buffer), ENOTTY, "a terminal's ioctl");
	check_errno("A3", ioctl(fd, 0xffffffff, buffer), ENOTTY, "an ioctl of all ones");
	check_errno("A1", read(fd, buffer, 1), EINVAL, "read(2)");
	check_errno("A1", write(fd, buffer, 1), EINVAL, "write(2)");
	check_errno("A1", fallocate(fd, 0, 0, PAGE), ENODEV, "fallocate");
	for (int i = 0; i < 100; i++)
		good = (fds[i] = open(DEVICE, O_RDWR | O_CLOEXEC)) >= 0 && good;
	check("A3", good, "100 instances at once");
	for (int i = 0; i < 100; i++)
		close(fds[i]);
	close(fd);
	return t_done();
}
