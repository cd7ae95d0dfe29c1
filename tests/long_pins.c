// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who pins pages for long may have the kernel map them again, by ordinary entries, which in a PV
 * domain Xen refuses: there nobody gets the pages. In auto-translated domains all of it works.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if_xdp.h>
#include <linux/videodev2.h>
#include <net/if.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/grant.h"
#include "lib/ring.h"
#include "lib/socket.h"

/* In linux/io_uring.h since 6.5; user_addr is what was resv2. */
#ifndef IORING_SETUP_NO_MMAP
#define IORING_SETUP_NO_MMAP (1U << 14)
#endif

#define N 32
#define NOBODY 65534

static struct grants *grants;

/* Since 6.6 whoever wants to write gets EFAULT; else, and before, the core kernel has EEXIST. */
static const int *refusals(void)
{
	static const int now[] = { EFAULT, -1 }, before[] = { EFAULT, EEXIST, -1 };
	struct utsname name;
	unsigned int major = 0, minor = 0;

	if (uname(&name) || sscanf(name.release, "%u.%u", &major, &minor) != 2)
		t_bail("which kernel is this?");
	return major > 6 || (major == 6 && minor >= 6) ? now : before;
}

static int ring_setup(unsigned int entries, struct io_uring_params *params)
{
	return syscall(SYS_io_uring_setup, entries, params);
}

/*
 * io_uring's rings, and its submissions, in two pages each of @mapping. -1, and errno, or a
 * descriptor. One submission is made, and its completion is read in the mapping.
 */
static int rings_in(char *mapping, bool *worked)
{
	struct io_uring_params params = { .flags = IORING_SETUP_NO_MMAP };
	struct io_uring_sqe *sqe = (void *)(mapping + 2 * PAGE);
	int fd;

	*worked = false;
	/* As new memory is; where it is refused, it is compared with what it was. */
	if (!t_pv())
		memset(mapping, 0, 4 * PAGE);
	ring_use_memory(&params, mapping, mapping + 2 * PAGE);
	fd = ring_setup(128, &params);
	if (fd < 0)
		return -1;
	*sqe = (struct io_uring_sqe){ .opcode = IORING_OP_NOP, .user_data = 0x5151 };
	((unsigned int *)(mapping + params.sq_off.array))[0] = 0;
	__atomic_fetch_add((unsigned int *)(mapping + params.sq_off.tail), 1, __ATOMIC_RELEASE);
	*worked = syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 1 &&
		  ((struct io_uring_cqe *)(mapping + params.cq_off.cqes))->user_data == 0x5151;
	return fd;
}

/* Does this kernel take rings of the caller's at all? */
static bool has_own_rings(void)
{
	char *plain = mmap(NULL, N * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool worked;
	int fd = rings_in(plain, &worked);

	if (fd >= 0)
		close(fd);
	munmap(plain, N * PAGE);
	return fd >= 0;
}

static void rings(const char *what, char *mapping)
{
	bool worked;
	int fd;

	if (!has_own_rings()) {
		t_skip("V10", "this kernel has no IORING_SETUP_NO_MMAP", "%s: rings of io_uring",
		       what);
		return;
	}
	if (t_pv()) {
		check_errnos("V10", rings_in(mapping, &worked), refusals(), "%s: rings of io_uring",
			     what);
		return;
	}
	fd = rings_in(mapping, &worked);
	check("V8", fd >= 0 && worked, "%s: rings of io_uring", what);
	close(fd);
}

/* A buffer that is registered with io_uring: a file is read into it. */
static void registered(const char *what, char *mapping)
{
	struct io_uring_params params = { 0 };
	struct iovec buffer = { mapping, N * PAGE };
	int fd = ring_setup(8, &params), err;

	if (fd < 0) {
		t_skip("V10", "no io_uring", "%s: a registered buffer", what);
		return;
	}
	err = errno_of(syscall(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS, &buffer, 1));
	if (t_pv())
		t_check_call("V10", "IORING_REGISTER_BUFFERS", err, refusals(),
			     "%s: a registered buffer", what);
	else	/* Until 6.4 no buffer may be of a file. */
		t_check_call("V8", "IORING_REGISTER_BUFFERS", err, errnos(0, EOPNOTSUPP),
			     "%s: a registered buffer", what);
	t_note("%s: %u mappings held by io_uring", what, xen_holds(grants));
	close(fd);
}

/* A packet is sent from @mapping, which has become the memory of an AF_XDP socket. */
static int send_packet(int fd, char *mapping)
{
	struct sockaddr_xdp address = { .sxdp_family = AF_XDP, .sxdp_flags = XDP_COPY };
	struct xdp_mmap_offsets offsets;
	socklen_t size = sizeof(offsets);
	struct xdp_desc *descriptors;
	int entries = 8, err = -1;
	char *ring;

	address.sxdp_ifindex = if_nametoindex("lo");
	if (setsockopt(fd, SOL_XDP, XDP_UMEM_FILL_RING, &entries, sizeof(entries)) ||
	    setsockopt(fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, &entries, sizeof(entries)) ||
	    setsockopt(fd, SOL_XDP, XDP_TX_RING, &entries, sizeof(entries)) ||
	    getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &size))
		return -1;
	ring = mmap(NULL, PAGE, RW, MAP_SHARED, fd, XDP_PGOFF_TX_RING);
	if (ring == MAP_FAILED)
		return -1;
	if (!bind(fd, (void *)&address, sizeof(address))) {
		descriptors = (void *)(ring + offsets.tx.desc);
		memset(mapping + PAGE, 0, 64);
		mapping[PAGE + 12] = (char)0x88;	/* a packet type of nobody's */
		mapping[PAGE + 13] = (char)0xb5;
		descriptors[0] = (struct xdp_desc){ .addr = PAGE, .len = 64 };
		__atomic_fetch_add((unsigned int *)(ring + offsets.tx.producer), 1,
				   __ATOMIC_RELEASE);
		err = sendto(fd, NULL, 0, MSG_DONTWAIT, NULL, 0);
	}
	munmap(ring, PAGE);
	return err;
}

static void packets(const char *what, char *mapping)
{
	struct { __u64 addr, len; __u32 chunk_size, headroom, flags, reserved; } memory = {
		.addr = (uintptr_t)mapping, .len = N * PAGE, .chunk_size = PAGE,
	};
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0), err;

	if (fd < 0) {
		t_skip("V10", "no AF_XDP", "%s: memory of a packet socket", what);
		return;
	}
	err = errno_of(setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &memory, sizeof(memory)));
	if (t_pv()) {
		t_check_call("V10", "XDP_UMEM_REG", err, refusals(),
			     "%s: memory of a packet socket", what);
	} else {
		check_eq("V8", err, 0, "%s: memory of a packet socket", what);
		check_ok("V8", send_packet(fd, mapping), "%s: and a packet out of it", what);
	}
	close(fd);
}

/* A video device captures into @mapping. */
static void video(const char *what, char *mapping)
{
	struct v4l2_format format = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE };
	struct v4l2_requestbuffers request = {
		.count = 1, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_USERPTR,
	};
	struct v4l2_buffer buffer = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_USERPTR,
		.m.userptr = (uintptr_t)mapping, .length = N * PAGE,
	};
	int fd = open("/dev/video0", O_RDWR | O_CLOEXEC), err;

	if (fd < 0) {
		t_skip("V10", "no /dev/video0", "%s: a video buffer", what);
		return;
	}
	ioctl(fd, VIDIOC_G_FMT, &format);
	format.fmt.pix.width = 16;
	format.fmt.pix.height = 16;
	ioctl(fd, VIDIOC_S_FMT, &format);
	if (ioctl(fd, VIDIOC_REQBUFS, &request) || format.fmt.pix.sizeimage > N * PAGE) {
		t_skip("V10", "no buffers of the user's, or too large ones", "%s: a video buffer",
		       what);
		close(fd);
		return;
	}
	err = errno_of(ioctl(fd, VIDIOC_QBUF, &buffer));
	if (t_pv())
		t_check_call("V10", "VIDIOC_QBUF", err, refusals(), "%s: a video buffer", what);
	else
		check_eq("V8", err, 0, "%s: a video buffer", what);
	close(fd);
}

/* A page whose entry was dropped is not brought back for such a pin, and not lost by it. */
static void dropped(char *mapping)
{
	struct io_uring_params params = { 0 };
	struct iovec buffer = { mapping, N * PAGE };
	int fd;

	if (!t_pv())
		return;
	fd = ring_setup(8, &params);
	if (fd < 0)
		return;
	madvise(mapping, N * PAGE, MADV_DONTNEED);
	check_errnos("V10", syscall(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS, &buffer, 1),
		     refusals(), "a registered buffer whose pages are not there just now");
	close(fd);
}

/* Somebody else, who got nothing but a dma-buf's descriptor. */
static int as_nobody(void *buffer)
{
	const int *want = refusals();
	bool worked;
	char *mapping;
	int fd, err;

	if (setgid(NOBODY) || setuid(NOBODY))
		return 9;
	mapping = mmap(NULL, N * PAGE, RW, MAP_SHARED, *(int *)buffer, 0);
	if (mapping == MAP_FAILED)
		return 8;
	fd = rings_in(mapping, &worked);
	if (fd >= 0)
		return t_pv() ? 1 : worked ? 0 : 2;
	if (!t_pv())
		return 3;
	for (err = errno; *want != -1; want++)
		if (*want == err)
			return 0;
	return 4;
}

static void all(const char *what, char *mapping)
{
	rings(what, mapping);
	registered(what, mapping);
	packets(what, mapping);
	video(what, mapping);
	if (t_pv())
		check_eq("A1", mapping_bad(mapping, N, 1), 0, "%s: it is as it was", what);
}

int main(void)
{
	struct rlimit locked = { RLIM_INFINITY, RLIM_INFINITY };
	int fd, buffer = -1, ends[2];
	uint64_t index;
	char *mapping;

	t_start();
	setrlimit(RLIMIT_MEMLOCK, &locked);
	if (socket_connection(ends)) {	/* for a loopback device that is up */
		close(ends[0]);
		close(ends[1]);
	}
	fd = dev_open();
	grants = grants_make(N);
	grants_fill(grants, 1);
	dev_map(fd, grants->refs, N, &index);
	mapping = dev_mmap(fd, index, N, RW);
	if (mapping == MAP_FAILED)
		t_bail("mmap: %m");
	all("mapping", mapping);
	dropped(mapping);
	dev_munmap(mapping, N);
	check("V10", t_eventually(!xen_holds(grants)), "mapping: Xen holds nothing any more");
	dev_unmap(fd, index, N);

	grants_fill(grants, 1);
	if (dev_export(fd, 0, grants->refs, N, &buffer)) {
		t_skip("V10", "no dma-buf export", "the same with a dma-buf");
	} else {
		mapping = mmap(NULL, N * PAGE, RW, MAP_SHARED, buffer, 0);
		all("dma-buf", mapping);
		if (has_own_rings())
			check_eq("A4", t_wait(t_child(as_nobody, &buffer)), 0,
				 "rings in a dma-buf that uid %d was handed", NOBODY);
		else
			t_skip("A4", "this kernel has no IORING_SETUP_NO_MMAP",
			       "rings in a dma-buf that uid %d was handed", NOBODY);
		munmap(mapping, N * PAGE);
		close(buffer);
		check("V10", t_eventually(!xen_holds(grants)),
		      "dma-buf: Xen holds nothing any more");
	}
	close(fd);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
