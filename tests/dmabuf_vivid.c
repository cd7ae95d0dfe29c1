// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vivid, a camera and a screen of no hardware, with dma-bufs in both directions: it draws into
 * buffers that were made of grants and shows such buffers, and its own buffers are granted.
 * What goes to its screen (an HDMI output) comes back from its camera (an HDMI input), to the
 * last byte.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/grant.h"

/* Pixels of one byte, which are whole pages. */
#define WIDTH 320
#define HEIGHT 256
#define N (WIDTH * HEIGHT / PAGE)
#define FRAMES 4

/* What vivid has as a queue of buffers: the camera's, or the screen's. */
struct node {
	int fd;
	unsigned int type, memory;
};

static struct node camera = { -1, V4L2_BUF_TYPE_VIDEO_CAPTURE, 0 };
static struct node screen = { -1, V4L2_BUF_TYPE_VIDEO_OUTPUT, 0 };
static struct grants *seen, *shown;
static int dev;

/* ---- V4L2 ---- */

static int find_vivid(unsigned int capability)
{
	for (unsigned int i = 0; i < 8; i++) {
		struct v4l2_capability has;
		char path[32];
		int fd;

		snprintf(path, sizeof(path), "/dev/video%u", i);
		fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!ioctl(fd, VIDIOC_QUERYCAP, &has) && !strcmp((char *)has.driver, "vivid") &&
		    has.device_caps & capability)
			return fd;
		close(fd);
	}
	return -1;
}

/* The control whose name ends with @name, set to @value, or to its largest. */
static bool set_control(int fd, const char *name, int value)
{
	struct v4l2_queryctrl query = { .id = V4L2_CTRL_FLAG_NEXT_CTRL };
	size_t length = strlen(name);

	for (; !ioctl(fd, VIDIOC_QUERYCTRL, &query); query.id |= V4L2_CTRL_FLAG_NEXT_CTRL) {
		struct v4l2_control control = { query.id, value < 0 ? query.maximum : value };
		size_t has = strlen((char *)query.name);

		if (has >= length && !strcmp((char *)query.name + has - length, name))
			return !ioctl(fd, VIDIOC_S_CTRL, &control);
	}
	return false;
}

/*
 * From the screen to the camera: a switch in 6.1, a cable since 6.11. A work of vivid's then tells the other cameras
 * that this screen is taken; if it runs before the call has ended it takes this one for another, and undoes what was
 * asked for (update_hdmi_ctrls_work_handler() looks at the control's value without its lock). It runs on the processor
 * of the call: so that is to be one, and the work comes after it.
 */
static bool connect_them(bool connected)
{
	cpu_set_t before, one;
	bool done;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (sched_getaffinity(0, sizeof(before), &before) || sched_setaffinity(0, sizeof(one), &one))
		t_bail("sched_setaffinity: %m");
	done = set_control(camera.fd, "Loop Video", connected) ||
	       set_control(camera.fd, "Is Connected To", connected ? -1 : 0);
	sched_setaffinity(0, sizeof(before), &before);
	return done;
}

/*
 * The slowest signal that vivid takes (CVT, reduced blanking: 5 pictures in 3 seconds), of
 * which the picture is a corner. The first picture comes at once. Then vivid sleeps until the
 * next one is due, and where it is held up for so long before it does, as in an emulated
 * machine it may, the kernel complains of it ("wrong timeout value").
 */
static const struct v4l2_dv_timings slow = {
	.type = V4L2_DV_BT_656_1120,
	.bt = { .width = 3840, .height = 2160, .pixelclock = 14112000,
		.polarities = V4L2_DV_HSYNC_POS_POL, .standards = V4L2_DV_BT_STD_CVT,
		.hfrontporch = 8, .hsync = 32, .hbackporch = 40,
		.vfrontporch = 1, .vsync = 8, .vbackporch = 6 },
};

static void set_size(const struct node *node)
{
	struct v4l2_dv_timings timings = slow;
	struct v4l2_format format = {
		.type = node->type,
		.fmt.pix = { .width = WIDTH, .height = HEIGHT, .pixelformat = V4L2_PIX_FMT_GREY,
			     .field = V4L2_FIELD_NONE },
	};

	if (ioctl(node->fd, VIDIOC_S_DV_TIMINGS, &timings) ||
	    ioctl(node->fd, VIDIOC_S_FMT, &format))
		t_bail("vivid has no such picture: %m");
	if (format.fmt.pix.sizeimage != N * PAGE)
		t_bail("a picture has %u bytes", format.fmt.pix.sizeimage);
}

/* One pixel of the screen is one of the camera. */
static bool no_scaling(void)
{
	return set_control(camera.fd, "Enable Capture Composing", 0) &&
	       set_control(camera.fd, "Enable Capture Scaler", 0) &&
	       set_control(screen.fd, "Enable Output Cropping", 0) &&
	       set_control(screen.fd, "Enable Output Scaler", 0);
}

static int request(struct node *node, unsigned int memory, unsigned int count)
{
	struct v4l2_requestbuffers request = {
		.count = count, .type = node->type, .memory = memory,
	};

	node->memory = memory;
	return ioctl(node->fd, VIDIOC_REQBUFS, &request);
}

/* @where: a descriptor or an address, as the kind of memory wants it */
static int queue(const struct node *node, unsigned int index, uintptr_t where)
{
	struct v4l2_buffer buffer = {
		.index = index, .type = node->type, .memory = node->memory,
		.length = N * PAGE, .bytesused = N * PAGE, .field = V4L2_FIELD_NONE,
	};

	if (node->memory == V4L2_MEMORY_DMABUF)
		buffer.m.fd = where;
	else if (node->memory == V4L2_MEMORY_USERPTR)
		buffer.m.userptr = where;
	return ioctl(node->fd, VIDIOC_QBUF, &buffer);
}

/* Waits for a buffer that is done: its index, or -1. */
static int take(const struct node *node)
{
	struct v4l2_buffer buffer = { .type = node->type, .memory = node->memory };
	struct pollfd done = {
		.fd = node->fd, .events = node == &camera ? POLLIN : POLLOUT,
	};

	if (poll(&done, 1, T_PATIENCE_MS) != 1 || ioctl(node->fd, VIDIOC_DQBUF, &buffer) ||
	    buffer.flags & V4L2_BUF_FLAG_ERROR)
		return -1;
	return buffer.index;
}

static int start(const struct node *node)
{
	return ioctl(node->fd, VIDIOC_STREAMON, &node->type);
}

static int stop(const struct node *node)
{
	return ioctl(node->fd, VIDIOC_STREAMOFF, &node->type);
}

/* The camera's queued picture is made, of what is queued for the screen, if anything is. */
static bool take_picture(bool of_the_screen)
{
	bool good = (!of_the_screen || !start(&screen)) && !start(&camera) && take(&camera) == 0;

	return !stop(&camera) && (!of_the_screen || !stop(&screen)) && good;
}

static int export(const struct grants *grants)
{
	int buffer;

	if (dev_export(dev, 0, grants->refs, N, &buffer))
		t_bail("export: %m");
	return buffer;
}

/* ---- vivid as an importer ---- */

/* A picture of vivid's own, in a buffer of its own. */
static char *own_picture(void)
{
	struct v4l2_buffer buffer = { .type = camera.type, .memory = V4L2_MEMORY_MMAP };
	char *memory, *picture = malloc(N * PAGE);

	if (request(&camera, V4L2_MEMORY_MMAP, 2) || ioctl(camera.fd, VIDIOC_QUERYBUF, &buffer))
		t_bail("vivid has no buffers: %m");
	memory = mmap(NULL, N * PAGE, RO, MAP_SHARED, camera.fd, buffer.m.offset);
	if (memory == MAP_FAILED || queue(&camera, 0, 0) || !take_picture(false))
		t_bail("vivid takes no picture: %m");
	memcpy(picture, memory, N * PAGE);
	munmap(memory, N * PAGE);
	request(&camera, V4L2_MEMORY_MMAP, 0);
	return picture;
}

/* Without a screen the camera sees bars of colour. */
static void drawn_into_grants(void)
{
	char *picture = own_picture(), *mapping;
	unsigned int wrong = 0;
	int buffer;

	grants_fill(seen, 1);
	buffer = export(seen);
	mapping = mmap(NULL, N * PAGE, RO, MAP_SHARED, buffer, 0);
	check_ok("E3", request(&camera, V4L2_MEMORY_DMABUF, 2), "a camera takes dma-bufs");
	check_ok("E3", queue(&camera, 0, buffer), "one that is made of grants");
	check("E3", take_picture(false), "a picture is taken");
	check("E3", !memcmp(mapping, picture, N * PAGE), "it is the one that vivid draws");
	for (unsigned int i = 0; i < N; i += 5)
		wrong += grants_peek(seen, i, i) != (uint8_t)picture[i * PAGE + i];
	check_eq("E3", wrong, 0, "the granter has it in its pages");
	munmap(mapping, N * PAGE);
	close(buffer);
	check_errno("E5", dev_wait_released(dev, buffer, 0), ETIMEDOUT,
		    "closed, the camera has it");
	check_ok("E3", request(&camera, V4L2_MEMORY_DMABUF, 0), "the camera lets go");
	check_errnos("E5", dev_wait_released(dev, buffer, T_PATIENCE_MS), errnos(0, ENOENT),
		     "it is released");
	check_eq("E4", xen_holds(seen), 0, "Xen holds nothing");
	free(picture);
}

static void take_dmabufs(void)
{
	check_ok("E3", request(&screen, V4L2_MEMORY_DMABUF, 2), "a screen takes dma-bufs");
	check_ok("E3", request(&camera, V4L2_MEMORY_DMABUF, 2), "a camera, too");
}

static void let_go(void)
{
	check_ok("E3", request(&screen, screen.memory, 0), "the screen lets go");
	check_ok("E3", request(&camera, camera.memory, 0), "the camera lets go");
	check_eq("E4", xen_holds(seen) + xen_holds(shown), 0, "Xen holds nothing");
}

/* From the granter's pages through vivid to the granter's pages. */
static void shown_from_grants(void)
{
	int from = export(shown), to = export(seen);

	take_dmabufs();
	for (unsigned int i = 0; i < FRAMES; i++) {
		grants_fill(shown, 10 + i);
		check_ok("E3", queue(&screen, 0, from), "frame %u: one is to be shown", i);
		check_ok("E3", queue(&camera, 0, to), "frame %u: another one is to be drawn in", i);
		/* From then on nobody else keeps them. */
		if (i == FRAMES - 1) {
			close(from);
			close(to);
		}
		check("E3", take_picture(true), "frame %u: a picture is taken", i);
		check_eq("E3", grants_bad(seen, 10 + i), 0,
			 "frame %u: what the granter drew, the granter sees", i);
	}
	let_go();
}

/* A second buffer takes the first one's place: the screen gives back the first. */
static void changed_for_another(void)
{
	int first = export(shown), second = export(seen);

	take_dmabufs();
	check_ok("E3", queue(&screen, 0, first), "a buffer is to be shown");
	check_ok("E3", queue(&screen, 1, second), "then another one");
	check_ok("E3", start(&screen), "the screen runs");
	check_eq("E3", take(&screen), 0, "it gives back the first");
	check_ok("E3", stop(&screen), "it stops");
	close(first);
	close(second);
	let_go();
}

/* ---- vivid as an exporter ---- */

static int own_buffer(struct node *node)
{
	struct v4l2_exportbuffer export = { .type = node->type, .flags = O_RDWR | O_CLOEXEC };

	if (request(node, V4L2_MEMORY_MMAP, 2) || ioctl(node->fd, VIDIOC_EXPBUF, &export))
		t_bail("vivid exports no buffer: %m");
	return export.fd;
}

/* The other domain draws into the screen's own buffer, and sees what the camera has in its own. */
static void granted(void)
{
	struct ioctl_gntdev_grant_ref to_show[N], to_see[N];
	struct user *drawer, *watcher;
	int from, to;

	from = own_buffer(&screen);
	to = own_buffer(&camera);
	check_ok("I1", dev_import(dev, from, N, granter_domid(), to_show),
		 "the screen's buffer is granted");
	check_ok("I1", dev_import(dev, to, N, granter_domid(), to_see), "the camera's, too");
	drawer = user_map(to_show, N);
	watcher = user_map(to_see, N);
	if (!check("I1", drawer && watcher, "the peer maps them"))
		goto out;
	for (unsigned int i = 0; i < FRAMES; i++) {
		user_fill(drawer, 20 + i);
		check("I1", !queue(&screen, 0, 0) && !queue(&camera, 0, 0) && take_picture(true),
		      "frame %u: a picture is taken", i);
		check_eq("I1", user_bad(watcher, 20 + i), 0,
			 "frame %u: what the peer drew, the peer sees", i);
	}
out:
	if (drawer)
		user_unmap(drawer);
	if (watcher)
		user_unmap(watcher);
	check_ok("I2", dev_import_release(dev, from), "release the screen's buffer");
	check_ok("I2", dev_import_release(dev, to), "release the camera's");
	check("I2", !user_map(to_show, N) && !user_map(to_see, N), "the grants have ended");
	close(from);
	close(to);
	check_ok("I2", request(&camera, V4L2_MEMORY_MMAP, 0), "the camera gives up its buffers");
	check_ok("I2", request(&screen, V4L2_MEMORY_MMAP, 0), "the screen, too");
}

/* ---- mappings ---- */

/*
 * V4L2 pins what it is given by address for long, and makes a kernel mapping of the pages,
 * which Xen refuses in a PV domain. The core kernel's error is EEXIST where it looks for a
 * page in vain, as it does for who only reads, and before Linux 6.6 for all.
 */
static void by_address(char *mapping, const char *what)
{
	int from = export(shown);

	grants_fill(shown, 30);
	grants_fill(seen, 31);
	check_ok("V10", request(&screen, V4L2_MEMORY_DMABUF, 2), "a screen takes dma-bufs");
	check_ok("V10", request(&camera, V4L2_MEMORY_USERPTR, 2), "a camera takes addresses");
	check_ok("V10", queue(&screen, 0, from), "a buffer is to be shown");
	close(from);
	if (t_pv()) {
		check_errnos("V10", queue(&camera, 0, (uintptr_t)mapping), errnos(EFAULT, EEXIST),
			     "%s: PV: its pages cannot be had", what);
		check_eq("V10", mapping_bad(mapping, N, 31), 0, "%s: PV: it is as it was", what);
	} else {
		check_ok("V10", queue(&camera, 0, (uintptr_t)mapping), "%s: to be drawn in", what);
		check("V10", take_picture(true), "%s: a picture is taken", what);
		check_eq("V10", grants_bad(seen, 30), 0, "%s: the granter sees it", what);
	}
	check_ok("V10", request(&screen, V4L2_MEMORY_DMABUF, 0), "%s: the screen lets go", what);
	check_ok("V10", request(&camera, V4L2_MEMORY_USERPTR, 0), "%s: the camera lets go", what);

	/* The screen only reads. */
	check_ok("V10", request(&screen, V4L2_MEMORY_USERPTR, 2), "a screen takes addresses");
	check_errnos("V10", queue(&screen, 0, (uintptr_t)mapping),
		     t_pv() ? errnos(EFAULT, EEXIST) : errnos(0), "%s: to be shown", what);
	check_eq("V10", grants_bad(seen, t_pv() ? 31 : 30), 0, "%s: it is as it was", what);
	check_ok("V10", request(&screen, V4L2_MEMORY_USERPTR, 0), "%s: the screen lets go", what);
}

static void mappings(void)
{
	uint64_t index;
	char *mapping;
	int buffer;

	dev_map(dev, seen->refs, N, &index);
	mapping = dev_mmap(dev, index, N, RW);
	if (mapping == MAP_FAILED)
		t_bail("mmap: %m");
	by_address(mapping, "a mapping");
	dev_munmap(mapping, N);
	check_ok("V10", dev_unmap(dev, index, N), "the range goes");
	check_eq("V4", xen_holds(seen), 0, "Xen holds nothing");

	buffer = export(seen);
	mapping = mmap(NULL, N * PAGE, RW, MAP_SHARED, buffer, 0);
	close(buffer);
	by_address(mapping, "a dma-buf's");
	munmap(mapping, N * PAGE);
	check_eq("E4", xen_holds(seen), 0, "Xen holds nothing");
}

int main(void)
{
	t_start();
	camera.fd = find_vivid(V4L2_CAP_VIDEO_CAPTURE);
	screen.fd = find_vivid(V4L2_CAP_VIDEO_OUTPUT);
	if (camera.fd < 0 || screen.fd < 0) {
		t_skip("E3", "this kernel has no vivid", "a camera and a screen");
		t_skip("I1", "this kernel has no vivid", "a camera's buffers are granted");
		t_skip("V10", "this kernel has no vivid", "a camera is given addresses");
		return t_done();
	}
	if (!connect_them(false) || !no_scaling() || !set_control(camera.fd, "OSD Text Mode", -1))
		t_bail("vivid has not the controls that are wanted: %m");
	set_size(&screen);
	set_size(&camera);
	dev = dev_open();
	seen = grants_make(N);
	shown = grants_make(N);
	drawn_into_grants();
	if (!connect_them(true))
		t_bail("vivid's screen cannot be connected to its camera: %m");
	set_size(&camera);
	shown_from_grants();
	changed_for_another();
	granted();
	mappings();
	connect_them(false);
	close(dev);
	close(camera.fd);
	close(screen.fd);
	check_eq("A2", grants_free(seen) + grants_free(shown), 0, "the pages are free");
	return t_done();
}
