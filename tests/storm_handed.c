// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a process can do that was handed dma-bufs made of grants, and nothing else: as uid 65534, which
 * never opened the device, every system call that takes memory or a descriptor, with theirs. No model
 * says what each call returns; whatever it does, the kernel and Xen have nothing to complain of, the
 * pages are the granter's afterwards, and nothing is left.
 *
 * A sequence of calls comes from a seed, and is done by a process of its own. One after which the kernel
 * complained, or that cannot be killed, is made shorter until every call in it matters, and printed.
 * Then processes of several threads storm at the same time, and end in different ways.
 *
 * usage: storm_handed [SEED [CALLS]]
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/aio_abi.h>
#include <linux/dma-buf.h>
#include <linux/errqueue.h>
#include <linux/futex.h>
#include <linux/if_xdp.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/chance.h"
#include "lib/grant.h"
#include "lib/ring.h"

#define NOBODY 65534
#define LENGTH 200		/* of a sequence */
#define BUFFERS 4
#define THREADS 3		/* of a process */
#define PROCESSES 3		/* at the same time */
#define ARENA 512UL		/* pages; a huge page's worth, aligned like one */
#define DENSE 48		/* of these most calls use the first */
#define RECENT 12
#define FOLDER "/run/storm_handed"
#define DISK "/dev/ram0"

/* Younger than the headers of Debian 12. */
#ifndef IORING_SETUP_NO_MMAP
#define IORING_SETUP_NO_MMAP (1U << 14)
#endif
#define SETUP_NO_SQARRAY (1U << 16)
#define CALL_CACHESTAT 451
#define CALL_MSEAL 462
#define UFFD_MOVE _IOWR(UFFDIO, 0x05, struct uffdio_copy)
#define UFFD_POISON _IOWR(UFFDIO, 0x08, struct uffdio_zeropage)
#define PAGEMAP_SCAN_CALL _IOWR('f', 16, struct scan)

struct scan {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, inverted, mask, anyof, returned;
};

struct op {
	uint8_t code;
	uint32_t r[4];
};

/* What all processes have. */
static struct {
	int fd;
	unsigned int pages;
} buffers[BUFFERS];

#define MOST_KINDS 64

/* What they tell. */
static struct {
	atomic_ulong calls[MOST_KINDS], good[MOST_KINDS];
	int namespace;		/* the errno of unshare */
} *told;

struct range {
	char *at;
	size_t length;
};

/* Of this process: the memory that its calls are about, and what was mapped there of late. */
static char *arena;
static struct range recent[RECENT];

struct thread {
	pthread_t id;
	const struct op *ops;
	unsigned int n;
	unsigned long calls, good;	/* of the kind that runs */
	int pipe[2], tcp[2], udp[2], local[2];
	int memory, disk, fault, aio_ready;
	int ring;
	char *ring_in, *ring_out;
	struct io_uring_sqe *entries;
	struct io_uring_params params;
	char *scratch;		/* a page for a ring of AF_XDP */
	aio_context_t aio;
	char bytes[16 * 4096] __attribute__((aligned(4096)));
};

#define C(call) ({ \
	long result_ = (long)(call); \
	me->calls++; \
	me->good += result_ != -1; \
	result_; \
})

/* ---- where ---- */

/* Any pages of the arena. */
static struct range anywhere(uint32_t r)
{
	unsigned int first = r % DENSE, n = 1 + r / DENSE % 12;

	if (r >> 28 == 0)
		return (struct range){ arena, ARENA * PAGE };
	return (struct range){ arena + first * PAGE, n * PAGE };
}

/* Mostly a mapping, or some pages of one. */
static struct range aim(uint32_t r)
{
	struct range range = { 0 };
	unsigned int pages, first;

	for (unsigned int i = 0; i < RECENT && !range.length; i++)
		range = recent[(r + i) % RECENT];
	if (!range.length || r >> 30 == 0)
		return anywhere(r >> 4);
	if (r >> 30 < 3)
		return range;
	pages = range.length / PAGE;
	first = (r >> 8) % pages;
	range.at += first * PAGE;
	range.length = (1 + (r >> 16) % (pages - first)) * PAGE;
	return range;
}

/* The same, not at a page's beginning and end. */
static struct range odd(uint32_t r)
{
	struct range range = aim(r);

	if (r >> 5 & 1) {
		range.at += r >> 7 & 0xff8;
		range.length -= r >> 7 & 0xff8;
	}
	return range;
}

static struct iovec vector(uint32_t r)
{
	struct range range = odd(r);

	return (struct iovec){ range.at, range.length };
}

static void forget(char *at, size_t length)
{
	for (unsigned int i = 0; i < RECENT; i++)
		if (recent[i].at < at + length && at < recent[i].at + recent[i].length)
			recent[i].length = 0;
}

static void remember(char *at, size_t length, uint32_t r)
{
	forget(at, length);
	recent[r % RECENT] = (struct range){ at, length };
}

static int some_buffer(uint32_t r)
{
	return buffers[r % BUFFERS].fd;
}

static int some_fd(struct thread *me, uint32_t r)
{
	const int fds[] = { me->memory, me->disk, me->pipe[r / 8 % 2], me->tcp[r / 8 % 2], me->udp[0],
			    me->local[r / 8 % 2], some_buffer(r / 8), me->ring };

	return fds[r % 8];
}

/* ---- the calls ---- */

static void do_mmap(struct thread *me, const uint32_t *r)
{
	static const int prots[] = { RW, RW, RW, RO, RO, PROT_NONE, RW | PROT_EXEC, PROT_WRITE };
	static const int flags[] = { MAP_SHARED, MAP_SHARED, MAP_SHARED, MAP_SHARED_VALIDATE, MAP_PRIVATE,
				     MAP_SHARED | MAP_POPULATE, MAP_SHARED | MAP_LOCKED,
				     MAP_SHARED | MAP_NORESERVE, MAP_SHARED_VALIDATE | MAP_SYNC };
	unsigned int i = r[0] % BUFFERS, first = r[1] % buffers[i].pages;
	unsigned int n = 1 + r[1] / 64 % (buffers[i].pages - first);
	char *at = arena + r[2] % DENSE * PAGE;

	if (r[3] % 4) {
		first = 0;
		n = buffers[i].pages;
	}
	n += r[3] >> 24 == 0;	/* beyond its end */
	at = (char *)C(mmap(at, n * PAGE, prots[r[3] / 4 % 8], flags[r[3] / 32 % 9] | MAP_FIXED,
			    buffers[i].fd, first * PAGE));
	if (at != MAP_FAILED)
		remember(at, n * PAGE, r[2] >> 8);
}

static void do_anonymous(struct thread *me, const uint32_t *r)
{
	struct range range = anywhere(r[0]);
	int id;

	switch (r[1] % 6) {
	case 0:
		C(mmap(range.at, range.length, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE, -1, 0));
		break;
	case 1:
		C(mmap(range.at, range.length, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
		break;
	case 2:
		C(mmap(range.at, range.length, RW, MAP_SHARED | MAP_FIXED, me->memory, 0));
		break;
	case 3:
		C(mmap(range.at, range.length, RW, MAP_PRIVATE | MAP_FIXED, me->memory, 0));
		break;
	case 4:
		id = shmget(IPC_PRIVATE, range.length, 0600);
		C(shmat(id, range.at, SHM_REMAP));
		shmctl(id, IPC_RMID, NULL);
		break;
	case 5:
		C(mmap(range.at, range.length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
		break;
	}
}

static void do_munmap(struct thread *me, const uint32_t *r)
{
	struct range range = aim(r[0]);

	if (!C(munmap(range.at, range.length)))
		forget(range.at, range.length);
}

static void do_mremap(struct thread *me, const uint32_t *r)
{
	struct range from = aim(r[0]), to = anywhere(r[1]);
	size_t length = r[2] % 4 ? from.length : to.length;
	char *at;

	/* In place; to another; and what is there twice. */
	switch (r[3] % 8) {
	case 0:
		at = (char *)C(mremap(from.at, from.length, to.length, 0));
		break;
	case 1:
		at = (char *)C(mremap(from.at, from.length, length, MREMAP_MAYMOVE | MREMAP_FIXED |
				      MREMAP_DONTUNMAP, to.at));
		break;
	case 2:
		at = (char *)C(mremap(from.at, 0, length, MREMAP_MAYMOVE | MREMAP_FIXED, to.at));
		break;
	case 3:
		at = (char *)C(syscall(SYS_remap_file_pages, from.at, from.length, 0, r[2] % 16, 0));
		return;
	default:
		at = (char *)C(mremap(from.at, from.length, length, MREMAP_MAYMOVE | MREMAP_FIXED, to.at));
	}
	if (at != MAP_FAILED) {
		forget(from.at, from.length);
		remember(at, length, r[1] >> 8);
	}
}

static void do_mprotect(struct thread *me, const uint32_t *r)
{
	static const int prots[] = { PROT_NONE, RO, RW, RW | PROT_EXEC, PROT_EXEC, PROT_WRITE };
	struct range range = aim(r[0]);

	if (r[1] / 8 % 4)
		C(mprotect(range.at, range.length, prots[r[1] % 6]));
	else
		C(syscall(SYS_pkey_mprotect, range.at, range.length, prots[r[1] % 6], r[1] / 32 % 2 - 1));
}

static void do_madvise(struct thread *me, const uint32_t *r)
{
	struct range range = r[2] % 16 ? aim(r[0]) : (struct range){ arena, ARENA * PAGE };
	/* 0 to 25 and MADV_GUARD_*; MADV_HWPOISON and its like, which a user may not. */
	int advice = r[1] % 32 < 29 ? r[1] % 29 : 100 + r[1] % 5;
	struct iovec where = { range.at, range.length };
	int process;

	if (r[2] / 16 % 4) {
		C(madvise(range.at, range.length, advice));
	} else {
		process = syscall(SYS_pidfd_open, getpid(), 0);
		C(syscall(SYS_process_madvise, process, &where, 1UL, advice, 0));
		close(process);
	}
}

static void do_lock(struct thread *me, const uint32_t *r)
{
	struct range range = aim(r[0]);

	switch (r[1] % 8) {
	case 0:
	case 1:
		C(mlock(range.at, range.length));
		break;
	case 2:
		C(syscall(SYS_mlock2, range.at, range.length, 1));
		break;
	case 3:
	case 4:
		C(munlock(range.at, range.length));
		break;
	case 5:
		C(mlockall(1 + r[1] / 8 % 7));
		break;
	default:
		C(munlockall());
	}
}

static void do_memory(struct thread *me, const uint32_t *r)
{
	unsigned long nodes = 1 + r[1] % 3;
	struct range range = aim(r[0]);
	int status[4], where[4] = { 0 };
	void *pages[4];
	int mode;

	for (unsigned int i = 0; i < 4; i++)
		pages[i] = range.at + i * PAGE;
	switch (r[2] % 7) {
	case 0:
		C(msync(range.at, range.length, 1 + r[1] % 7));
		break;
	case 1:
		C(mincore(range.at, range.length > sizeof(me->bytes) ? PAGE : range.length, (void *)me->bytes));
		break;
	case 2:
		C(syscall(SYS_mbind, range.at, range.length, r[1] % 6, &nodes, 8UL, r[1] / 8 % 8));
		break;
	case 3:
		C(syscall(SYS_move_pages, 0, 4UL, pages, r[1] % 2 ? where : NULL, status, r[1] / 2 % 4));
		break;
	case 4:
		C(syscall(SYS_migrate_pages, 0, 8UL, &nodes, &nodes));
		break;
	case 5:
		C(syscall(SYS_get_mempolicy, &mode, NULL, 0, range.at, MPOL_F_ADDR | (r[1] % 2 ? MPOL_F_NODE : 0)));
		break;
	case 6:
		/* The arguments and answers of calls themselves. */
		C(uname((struct utsname *)range.at));
		C(syscall(SYS_getcwd, range.at + PAGE - 8, 4096));
		C(getrandom(range.at + 100, range.length > PAGE ? 5000 : 100, GRND_NONBLOCK));
		break;
	}
}

static void do_touch(struct thread *me, const uint32_t *r)
{
	struct range range = odd(r[0]);

	(void)me;
	for (size_t i = 0; i < range.length && i < 20 * PAGE; i += PAGE) {
		if (r[1] % 2)
			t_poke(range.at + i, r[2] + i);
		else
			t_byte(range.at + i);
	}
}

static void do_read_write(struct thread *me, const uint32_t *r)
{
	struct iovec vectors[2] = { vector(r[0]), vector(r[1]) };
	int fd = some_fd(me, r[2]);

	switch (r[3] % 8) {
	case 0:
		C(read(fd, vectors[0].iov_base, vectors[0].iov_len));
		break;
	case 1:
		C(write(fd, vectors[0].iov_base, vectors[0].iov_len));
		break;
	case 2:
		C(pread(fd, vectors[0].iov_base, vectors[0].iov_len, 0));
		break;
	case 3:
		C(pwrite(fd, vectors[0].iov_base, vectors[0].iov_len, 0));
		break;
	case 4:
		C(preadv2(fd, vectors, 2, r[3] / 8 % 2 * PAGE, r[3] / 16 % 2 ? RWF_NOWAIT : 0));
		break;
	case 5:
		C(pwritev2(fd, vectors, 2, r[3] / 8 % 2 * PAGE, r[3] / 16 % 2 ? RWF_DSYNC : 0));
		break;
	case 6:
		C(readv(fd, vectors, 2));
		break;
	case 7:
		C(writev(fd, vectors, 2));
		break;
	}
}

/* O_DIRECT, of whole sectors, at once and by io_submit(). */
static void do_direct(struct thread *me, const uint32_t *r)
{
	struct range range = aim(r[0]);
	off_t where = r[1] % 64 * PAGE;
	struct iocb block = {
		.aio_lio_opcode = r[2] & 1 ? IOCB_CMD_PREAD : IOCB_CMD_PWRITE,
		.aio_fildes = me->disk, .aio_buf = (uintptr_t)range.at, .aio_nbytes = range.length,
		.aio_offset = where,
	}, *blocks = &block;
	struct io_event events[4];
	struct timespec none = { 0 };

	if (r[2] >> 3 & 1)
		range.at += 512;
	switch (r[2] % 3) {
	case 0:
		C(pread(me->disk, range.at, range.length, where));
		break;
	case 1:
		C(pwrite(me->disk, range.at, range.length, where));
		break;
	case 2:
		C(syscall(SYS_io_submit, me->aio, 1L, &blocks));
		C(syscall(SYS_io_getevents, me->aio, 0L, 4L, events, &none));
		break;
	}
}

static void do_splice(struct thread *me, const uint32_t *r)
{
	static const unsigned int flags[] = { SPLICE_F_NONBLOCK, SPLICE_F_NONBLOCK | SPLICE_F_GIFT,
					      SPLICE_F_NONBLOCK | SPLICE_F_MOVE,
					      SPLICE_F_NONBLOCK | SPLICE_F_MORE };
	struct iovec vectors[2] = { vector(r[0]), vector(r[1]) };
	unsigned int flag = flags[r[2] % 4];
	int other[2];
	off_t at = 0;

	switch (r[3] % 12) {
	case 0:
	case 1:
	case 2:
		C(vmsplice(me->pipe[1], vectors, 1 + r[2] / 4 % 2, flag));
		break;
	case 3:
		C(vmsplice(me->pipe[0], vectors, 1 + r[2] / 4 % 2, flag));
		break;
	case 4:
		C(splice(me->pipe[0], NULL, me->tcp[0], NULL, 8 * PAGE, flag));
		break;
	case 5:
		C(splice(me->pipe[0], NULL, some_fd(me, r[2] / 4), NULL, PAGE + r[2] % PAGE, flag));
		break;
	case 6:
		C(splice(some_fd(me, r[2] / 4), NULL, me->pipe[1], NULL, 3 * PAGE, flag));
		break;
	case 7:
		if (pipe2(other, O_NONBLOCK | O_CLOEXEC))
			break;
		C(tee(me->pipe[0], other[1], 4 * PAGE, flag));
		C(splice(other[0], NULL, me->local[0], NULL, 4 * PAGE, flag));
		close(other[0]);
		close(other[1]);
		break;
	case 8:
		C(sendfile(some_fd(me, r[2] / 4), some_buffer(r[0]), &at, 4 * PAGE));
		C(sendfile(me->tcp[0], me->memory, &at, 4 * PAGE));
		break;
	case 9:
		C(copy_file_range(some_buffer(r[0]), NULL, me->memory, NULL, PAGE, 0));
		C(copy_file_range(me->memory, NULL, some_buffer(r[0]), NULL, PAGE, 0));
		break;
	case 10:
		C(fcntl(me->pipe[0], F_SETPIPE_SZ, (1 + r[2] / 4 % 32) * PAGE));
		break;
	case 11:
		C(read(me->pipe[0], me->bytes, sizeof(me->bytes)));
		break;
	}
}

static void do_send(struct thread *me, const uint32_t *r)
{
	static const int flags[] = { 0, MSG_ZEROCOPY, MSG_ZEROCOPY, MSG_MORE, MSG_OOB, MSG_ZEROCOPY | MSG_MORE };
	char control[512];
	struct iovec vectors[2] = { vector(r[0]), vector(r[1]) };
	struct msghdr message = { .msg_iov = vectors, .msg_iovlen = 1 + r[2] % 2 };
	int fd = r[2] / 2 % 4 == 0 ? me->udp[0] : r[2] / 2 % 4 == 1 ? me->local[0] : me->tcp[0];

	switch (r[3] % 8) {
	case 0:
	case 1:
	case 2:
	case 3:
		C(sendmsg(fd, &message, flags[r[2] / 8 % 6] | MSG_DONTWAIT | MSG_NOSIGNAL));
		break;
	case 4:
		fd = fd == me->udp[0] ? me->udp[1] : fd == me->local[0] ? me->local[1] : me->tcp[1];
		C(recvmsg(fd, &message, MSG_DONTWAIT | (r[2] / 8 % 4 == 0 ? MSG_PEEK :
							r[2] / 8 % 4 == 1 ? MSG_TRUNC : 0)));
		break;
	case 5:
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		C(recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT));
		break;
	case 6:
		C(recv(me->tcp[1], me->bytes, sizeof(me->bytes), MSG_DONTWAIT));
		C(recv(me->local[1], me->bytes, sizeof(me->bytes), MSG_DONTWAIT));
		break;
	case 7:
		C(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, vectors[0].iov_base, 16));
		C(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, vectors[0].iov_base, vectors[1].iov_base));
		break;
	}
}

/* linux/tcp.h and netinet/tcp.h exclude each other. */
struct zerocopy_receive {
	uint64_t address;
	uint32_t length, recv_skip_hint, inq;
	int32_t err;
	uint64_t copybuf_address;
	int32_t copybuf_len;
	uint32_t flags;
	uint64_t msg_control, msg_controllen;
	uint32_t msg_flags, reserved;
};
#define ZEROCOPY_RECEIVE 35

/* Pages of a mapping that are spliced to a socket, and a receiver who wants them, not a copy. */
static void do_zerocopy_receive(struct thread *me, const uint32_t *r)
{
	struct zerocopy_receive receive = { 0 };
	struct range range = aim(r[0]), to = anywhere(r[1]);
	struct iovec pages = { range.at, range.length };
	socklen_t size = sizeof(receive);

	if (r[2] % 4) {
		while (read(me->pipe[0], me->bytes, sizeof(me->bytes)) > 0)
			;
		while (recv(me->tcp[1], me->bytes, sizeof(me->bytes), MSG_DONTWAIT) > 0)
			;
	}
	C(vmsplice(me->pipe[1], &pages, 1, SPLICE_F_NONBLOCK));
	C(splice(me->pipe[0], NULL, me->tcp[0], NULL, 16 * PAGE, SPLICE_F_NONBLOCK));
	if (C(mmap(to.at, to.length, r[2] / 4 % 2 ? RO : RW, MAP_SHARED | MAP_FIXED, me->tcp[1], 0)) == -1)
		return;
	remember(to.at, to.length, r[1] >> 8);
	receive.address = (uintptr_t)to.at;
	receive.length = to.length;
	if (r[2] / 8 % 2) {
		/* What does not go by pages into a mapping, too. */
		receive.copybuf_address = (uintptr_t)aim(r[3]).at;
		receive.copybuf_len = PAGE;
	}
	if (!C(getsockopt(me->tcp[1], IPPROTO_TCP, ZEROCOPY_RECEIVE, &receive, &size)))
		t_byte(to.at);
	if (r[2] / 16 % 2)
		C(munmap(to.at, to.length));
}

static void do_other_process(struct thread *me, const uint32_t *r)
{
	struct iovec local = vector(r[0]), remote = vector(r[1]);
	pid_t who = r[2] % 4 == 0 ? getppid() : getpid();
	int fd;

	switch (r[3] % 5) {
	case 0:
		C(process_vm_readv(who, &local, 1, &remote, 1, 0));
		break;
	case 1:
		C(process_vm_writev(who, &local, 1, &remote, 1, 0));
		break;
	case 2:
	case 3:
		fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
		if (remote.iov_len > sizeof(me->bytes))
			remote.iov_len = PAGE;
		if (r[3] % 5 == 2)
			C(pread(fd, me->bytes, remote.iov_len, (uintptr_t)remote.iov_base));
		else
			C(pwrite(fd, me->bytes, remote.iov_len, (uintptr_t)remote.iov_base));
		close(fd);
		break;
	case 4:
		fd = syscall(SYS_pidfd_open, getppid(), 0);
		close(C(syscall(SYS_pidfd_getfd, fd, some_buffer(r[2]), 0)));
		close(fd);
		break;
	}
}

static void do_futex(struct thread *me, const uint32_t *r)
{
	static const int ops[] = { FUTEX_WAIT, FUTEX_WAKE, FUTEX_REQUEUE, FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP,
				   FUTEX_LOCK_PI, FUTEX_UNLOCK_PI, FUTEX_TRYLOCK_PI, FUTEX_WAIT_BITSET,
				   FUTEX_WAKE_BITSET, FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI, FUTEX_LOCK_PI2 };
	int op = ops[r[0] % 13];
	char *first = odd(r[1]).at, *second = odd(r[2]).at;
	struct timespec soon = { 0, 1 };
	bool waits = op == FUTEX_WAIT || op == FUTEX_WAIT_BITSET || op == FUTEX_LOCK_PI || op == FUTEX_LOCK_PI2 ||
		     op == FUTEX_WAIT_REQUEUE_PI;
	uint32_t value = t_byte(first);

	/* An absolute time that is over. */
	if (r[0] / 16 % 2)
		op |= FUTEX_PRIVATE_FLAG;
	C(syscall(SYS_futex, first, op, value, waits ? (void *)&soon : (void *)(uintptr_t)1, second, r[3]));
	if (r[0] / 32 % 4 == 0) {
		struct futex_waitv both[2] = {
			{ .val = value, .uaddr = (uintptr_t)first, .flags = 2 },
			{ .val = value, .uaddr = (uintptr_t)second, .flags = 2 | FUTEX_PRIVATE_FLAG },
		};

		C(syscall(SYS_futex_waitv, both, 2, 0, &soon, CLOCK_MONOTONIC));
	}
}

static void do_fault(struct thread *me, const uint32_t *r)
{
	struct range range = aim(r[0]), other = aim(r[1]);
	struct uffdio_register registered = {
		.range = { (uintptr_t)range.at, range.length }, .mode = 1 + r[2] % 7,
	};
	struct uffdio_copy copy = {
		.dst = (uintptr_t)range.at, .src = (uintptr_t)other.at, .len = range.length, .mode = r[2] / 8 % 4,
	};
	struct uffdio_zeropage zero = { .range = registered.range, .mode = r[2] / 8 % 2 };
	struct uffdio_continue minor = { .range = registered.range, .mode = r[2] / 8 % 2 };
	struct uffdio_writeprotect protect = { .range = registered.range, .mode = r[2] / 8 % 4 };

	switch (r[3] % 8) {
	case 0:
	case 1:
		C(ioctl(me->fault, UFFDIO_REGISTER, &registered));
		break;
	case 2:
		C(ioctl(me->fault, UFFDIO_COPY, &copy));
		break;
	case 3:
		C(ioctl(me->fault, UFFDIO_ZEROPAGE, &zero));
		break;
	case 4:
		C(ioctl(me->fault, UFFDIO_WRITEPROTECT, &protect));
		break;
	case 5:
		C(ioctl(me->fault, UFFDIO_CONTINUE, &minor));
		C(ioctl(me->fault, UFFD_POISON, &zero));
		break;
	case 6:
		C(ioctl(me->fault, UFFD_MOVE, &copy));
		break;
	case 7:
		C(ioctl(me->fault, UFFDIO_UNREGISTER, &registered.range));
		break;
	}
}

/* A ring in the memory of a mapping, which the kernel maps for itself. */
static void do_ring_there(struct thread *me, const uint32_t *r)
{
	struct io_uring_params params = { .flags = IORING_SETUP_NO_MMAP };
	struct range rings = aim(r[0]), entries = aim(r[1]);
	int fd;

	if (r[2] & 1)
		params.flags |= SETUP_NO_SQARRAY;
	if (r[2] & 2)
		params.flags |= IORING_SETUP_SQE128 | IORING_SETUP_CQE32;
	ring_use_memory(&params, rings.at, entries.at);
	fd = C(syscall(SYS_io_uring_setup, 1U << (r[2] / 4 % 8), &params));
	if (fd < 0)
		return;
	t_poke(rings.at + params.sq_off.tail, 1);
	t_poke(entries.at, r[3] % 50);
	C(syscall(SYS_io_uring_enter, fd, 1, 0, 0, NULL, 0));
	t_byte(rings.at + params.cq_off.tail);
	if (r[3] >> 8 & 1)
		C(munmap(rings.at, rings.length));
	C(syscall(SYS_io_uring_enter, fd, 1, 0, IORING_ENTER_GETEVENTS, NULL, 0));
	close(fd);
}

/*
 * Linux 6.12 maps a ring of buffers a second time, and leaves that mapping when it gives the page back
 * (io_uring/kbuf.c, read; 6.1 does not map it, 7.3 unmaps it). In a PV domain Xen then refuses the page as a page
 * table, whoever it was given to: nothing of the device's is needed for that.
 */
static bool leaves_buffer_rings(void)
{
	static int leaves = -1;
	unsigned int major, minor;
	struct utsname name;

	if (leaves < 0)
		leaves = t_pv() && !uname(&name) && sscanf(name.release, "%u.%u", &major, &minor) == 2 &&
			 major == 6 && minor == 12;
	return leaves;
}

static void do_register(struct thread *me, const uint32_t *r)
{
	struct iovec vectors[2] = { vector(r[0]), vector(r[1]) };
	struct io_uring_buf_reg provided = { .ring_addr = (uintptr_t)aim(r[0]).at, .ring_entries = 1 << r[2] / 8 % 9,
					     .bgid = r[2] / 128 % 4 };
	struct io_uring_rsrc_update2 update = { .data = (uintptr_t)vectors, .nr = 1 };
	struct io_uring_rsrc_register sparse = { .nr = 2, .data = (uintptr_t)vectors };

	switch (r[3] % 8) {
	case 0:
	case 1:
	case 2:
		C(syscall(SYS_io_uring_register, me->ring, IORING_REGISTER_BUFFERS, vectors, 1 + r[2] % 2));
		break;
	case 3:
	case 4:
		C(syscall(SYS_io_uring_register, me->ring, IORING_UNREGISTER_BUFFERS, NULL, 0));
		break;
	case 5:
		C(syscall(SYS_io_uring_register, me->ring, IORING_REGISTER_BUFFERS_UPDATE, &update, sizeof(update)));
		C(syscall(SYS_io_uring_register, me->ring, IORING_REGISTER_BUFFERS2, &sparse, sizeof(sparse)));
		break;
	case 6:
		if (leaves_buffer_rings())
			break;
		C(syscall(SYS_io_uring_register, me->ring, IORING_REGISTER_PBUF_RING, &provided, 1));
		break;
	case 7:
		C(syscall(SYS_io_uring_register, me->ring, IORING_UNREGISTER_PBUF_RING, &provided, 1));
		break;
	}
}

static void do_submit(struct thread *me, const uint32_t *r)
{
	static const uint8_t codes[] = {
		IORING_OP_READ_FIXED, IORING_OP_WRITE_FIXED, IORING_OP_READ_FIXED, IORING_OP_WRITE_FIXED,
		IORING_OP_READ, IORING_OP_WRITE, IORING_OP_SEND, IORING_OP_RECV, IORING_OP_MADVISE,
		IORING_OP_PROVIDE_BUFFERS, IORING_OP_REMOVE_BUFFERS, IORING_OP_SEND_ZC, IORING_OP_SEND_ZC,
		IORING_OP_FSYNC, IORING_OP_POLL_ADD, IORING_OP_TEE,
	};
	char *ring = me->ring_in, *done = me->ring_out;
	unsigned int *tail, *head, mask, n = 1 + r[3] % 3;

	if (me->ring < 0)
		return;
	tail = (unsigned int *)(ring + me->params.sq_off.tail);
	mask = *(unsigned int *)(ring + me->params.sq_off.ring_mask);
	for (unsigned int i = 0; i < n; i++) {
		struct range range = odd(r[i % 2] + i * 77);
		unsigned int slot = *tail & mask;
		struct io_uring_sqe *entry = &me->entries[slot];

		memset(entry, 0, sizeof(*entry));
		entry->opcode = codes[(r[2] >> 4 * i) % 16];
		entry->fd = some_fd(me, r[3] >> 4 * i);
		/*
		 * On Linux 6.1 a ring that reads itself with IOSQE_ASYNC keeps its process in the kernel for
		 * good, whatever the memory: it is ready, is tried, cannot be read, and is polled again.
		 */
		if (entry->fd == me->ring)
			entry->fd = me->memory;
		entry->addr = (uintptr_t)range.at;
		entry->len = range.length;
		if (entry->opcode == IORING_OP_MADVISE)
			entry->fadvise_advice = r[3] % 26;
		if (entry->opcode == IORING_OP_PROVIDE_BUFFERS)
			entry->fd = 1;
		if (entry->opcode == IORING_OP_SEND_ZC || entry->opcode == IORING_OP_SEND) {
			entry->fd = me->tcp[0];
			entry->msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL;
			entry->ioprio = entry->opcode == IORING_OP_SEND_ZC && r[3] >> 20 & 1 ?
				IORING_RECVSEND_FIXED_BUF : 0;
		}
		entry->flags = r[3] >> 24 & 1 ? IOSQE_ASYNC : 0;
		((unsigned int *)(ring + me->params.sq_off.array))[slot] = slot;
		__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	}
	C(syscall(SYS_io_uring_enter, me->ring, n, 0, IORING_ENTER_GETEVENTS, NULL, 0));
	head = (unsigned int *)(done + me->params.cq_off.head);
	__atomic_store_n(head, __atomic_load_n((unsigned int *)(done + me->params.cq_off.tail), __ATOMIC_ACQUIRE),
			 __ATOMIC_RELEASE);
}

/* A socket whose packets lie in a mapping, and one packet. */
static void do_xdp(struct thread *me, const uint32_t *r)
{
	struct range range = aim(r[0]);
	struct xdp_umem_reg umem = { .addr = (uintptr_t)range.at, .len = range.length,
				     .chunk_size = r[1] % 2 ? 2048 : 4096, .headroom = r[1] / 2 % 2 * 64 };
	struct sockaddr_xdp where = { .sxdp_family = AF_XDP, .sxdp_ifindex = 1, .sxdp_flags = XDP_COPY };
	struct xdp_mmap_offsets offsets;
	socklen_t size = sizeof(offsets);
	int fd = C(socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0)), entries = 8;
	char *ring;

	if (fd < 0)
		return;
	if (C(setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof(umem))))
		goto close;
	setsockopt(fd, SOL_XDP, XDP_UMEM_FILL_RING, &entries, sizeof(entries));
	setsockopt(fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, &entries, sizeof(entries));
	setsockopt(fd, SOL_XDP, XDP_TX_RING, &entries, sizeof(entries));
	if (C(bind(fd, (struct sockaddr *)&where, sizeof(where))) ||
	    getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &size))
		goto close;
	ring = mmap(me->scratch, PAGE, RW, MAP_SHARED | MAP_FIXED, fd, XDP_PGOFF_TX_RING);
	if (ring == MAP_FAILED)
		goto close;
	*(struct xdp_desc *)(ring + offsets.tx.desc) = (struct xdp_desc){ .addr = r[2] % 4 * umem.chunk_size,
									  .len = 60 + r[2] % 1000 };
	__atomic_store_n((uint32_t *)(ring + offsets.tx.producer), 1, __ATOMIC_RELEASE);
	if (r[3] & 1)
		C(munmap(range.at, range.length));
	C(sendto(fd, NULL, 0, MSG_DONTWAIT, NULL, 0));
	/* Its memory stays reserved. */
	mmap(ring, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
close:
	close(fd);
}

/* What the descriptor answers to. */
static void do_descriptor(struct thread *me, const uint32_t *r)
{
	struct pollfd polled = { .events = POLLIN | POLLOUT | POLLPRI };
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT };
	uint64_t pages[2] = { 0, ~0ULL }, found[8];
	struct stat status;
	int fd = some_buffer(r[0]), other;
	char path[40];

	switch (r[1] % 16) {
	case 0:
		C(lseek(fd, (int)r[2], r[3] % 6));
		break;
	case 1:
		polled.fd = fd;
		C(poll(&polled, 1, 0));
		break;
	case 2:
		other = epoll_create1(EPOLL_CLOEXEC);
		C(epoll_ctl(other, EPOLL_CTL_ADD, fd, &event));
		C(epoll_wait(other, &event, 1, 0));
		close(other);
		break;
	case 3:
		C(fcntl(fd, r[2] % 20, r[3] % 3 ? (long)(r[3] % 4096) : (long)aim(r[3]).at));
		break;
	case 4:
		C(fcntl(fd, F_SETFL, r[2] & (O_NONBLOCK | O_ASYNC | O_APPEND | O_DIRECT | O_NOATIME)));
		C(fcntl(fd, F_SETOWN, getpid()));
		C(fcntl(fd, F_SETFL, 0));
		break;
	case 5:
		C(fcntl(fd, F_ADD_SEALS, r[2] % 32));
		C(fcntl(fd, F_SETLEASE, r[2] % 3));
		C(fcntl(fd, F_NOTIFY, DN_MODIFY));
		C(flock(fd, LOCK_EX | LOCK_NB));
		C(flock(fd, LOCK_UN));
		break;
	case 6:
		other = C(fcntl(fd, F_DUPFD_CLOEXEC, 3));
		C(fstat(other, &status));
		close(other);
		break;
	case 7:
		C(ftruncate(fd, r[2] % 8 * PAGE));
		C(fallocate(fd, r[2] % 128, 0, PAGE));
		C(fsync(fd));
		C(sync_file_range(fd, 0, PAGE, 7));
		break;
	case 8:
		C(posix_fadvise(fd, 0, PAGE, r[2] % 6));
		C(readahead(fd, 0, PAGE));
		C(syscall(CALL_CACHESTAT, fd, pages, found, 0));
		break;
	case 9:
		C(fchmod(fd, r[2] & 0777));
		C(fchown(fd, NOBODY, NOBODY));
		C(futimens(fd, NULL));
		break;
	case 10:
		C(fsetxattr(fd, "user.storm", "x", 1, 0));
		C(fgetxattr(fd, "user.storm", me->bytes, 16));
		C(flistxattr(fd, me->bytes, sizeof(me->bytes)));
		break;
	case 11:
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		other = C(open(path, (r[2] % 2 ? O_RDWR : O_PATH) | O_CLOEXEC | O_NONBLOCK));
		C(truncate(path, PAGE));
		close(other);
		break;
	case 12:
		C(ioctl(fd, r[2], aim(r[3]).at));
		C(ioctl(fd, FIONBIO, &(int){ 0 }));
		C(ioctl(fd, FIONREAD, aim(r[3]).at));
		break;
	default:
		C(read(fd, me->bytes, PAGE));
		C(write(fd, me->bytes, PAGE));
		C(pread(fd, me->bytes, PAGE, 0));
	}
}

/* What linux/dma-buf.h of 6.1 has. */
static void do_dmabuf(struct thread *me, const uint32_t *r)
{
	struct dma_buf_sync sync = { .flags = r[2] % 8 };
	struct dma_buf_export_sync_file out = { .flags = 1 + r[2] % 3, .fd = -1 };
	struct dma_buf_import_sync_file in = { .flags = 1 + r[2] % 3 };
	int fd = some_buffer(r[0]);

	switch (r[1] % 4) {
	case 0:
	case 1:
		C(ioctl(fd, DMA_BUF_IOCTL_SYNC, r[3] % 8 ? (void *)&sync : aim(r[3]).at));
		break;
	case 2:
		C(ioctl(fd, DMA_BUF_SET_NAME, r[2] % 2 ? (void *)"storm" : aim(r[3]).at));
		break;
	case 3:
		if (!C(ioctl(fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &out))) {
			in.fd = out.fd;
			C(ioctl(fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &in));
			close(out.fd);
		}
		break;
	}
}

/* A descriptor on its way over a socket, and one that never arrives. */
static void do_pass(struct thread *me, const uint32_t *r)
{
	char byte = 0, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int fd = some_buffer(r[0]);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(int));
	C(sendmsg(me->local[0], &message, MSG_DONTWAIT));
	if (r[1] % 2)
		return;
	message.msg_controllen = sizeof(control);
	if (C(recvmsg(me->local[1], &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) == 1 &&
	    CMSG_FIRSTHDR(&message)) {
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
		close(fd);
	}
}

static void do_proc(struct thread *me, const uint32_t *r)
{
	static const char *const files[] = { "smaps", "smaps_rollup", "numa_maps", "maps", "status", "statm",
					     "stat", "map_files/0-0" };
	struct range range = aim(r[0]);
	struct scan scan = { .size = sizeof(scan), .start = (uintptr_t)range.at,
			     .end = (uintptr_t)(range.at + range.length), .vec = (uintptr_t)me->bytes,
			     .vec_len = 16, .flags = r[3] % 4, .mask = r[3] / 4 % 256, .returned = 255 };
	char path[64];
	int fd;

	switch (r[1] % 4) {
	case 0:
		snprintf(path, sizeof(path), "/proc/self/%s", files[r[2] % 8]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		while (C(read(fd, me->bytes, sizeof(me->bytes))) > 0)
			;
		close(fd);
		break;
	case 1:
		fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
		C(pread(fd, me->bytes, range.length / PAGE * 8, (uintptr_t)range.at / PAGE * 8));
		C(ioctl(fd, PAGEMAP_SCAN_CALL, &scan));
		close(fd);
		break;
	case 2:
		fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
		C(write(fd, &"12345"[r[2] % 5], 1));
		close(fd);
		break;
	case 3:
		C(prctl(67 /* PR_SET_MEMORY_MERGE */, r[2] % 2, 0, 0, 0));
		C(prctl(PR_SET_THP_DISABLE, r[2] / 2 % 2, 0, 0, 0));
		C(prctl(PR_SET_VMA, 0, range.at, range.length, "storm"));
		break;
	}
}

/* What a child does with what it has of its parent's; the last of it is its end. */
static void child(struct thread *me, const uint32_t *r)
{
	struct range range = aim(r[0]);
	struct iovec pages = { range.at, range.length };

	for (size_t i = 0; i < range.length; i += PAGE)
		t_byte(range.at + i);
	switch (r[1] % 12) {
	case 0:
		execl("/bin/true", "true", NULL);
		break;
	case 1:
		/* With a core. */
		abort();
	case 2:
		syscall(SYS_set_robust_list, range.at + 8 * (r[2] % 16), 24UL);
		break;
	case 3:
		syscall(SYS_set_tid_address, range.at + 4 * (r[2] % 16));
		break;
	case 4:
		mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
		mmap(arena, buffers[0].pages * PAGE, RW, MAP_SHARED | MAP_FIXED, buffers[0].fd, 0);
		mlockall(MCL_CURRENT);
		break;
	case 5:
		vmsplice(me->pipe[1], &pages, 1, SPLICE_F_NONBLOCK);
		break;
	case 6:
		syscall(CALL_MSEAL, range.at, range.length, 0);
		munmap(range.at, range.length);
		madvise(range.at, range.length, MADV_DONTNEED);
		break;
	case 7:
		/* To be killed in it, or at its end. */
		for (unsigned int i = 0; i < 40; i++) {
			mmap(arena, buffers[0].pages * PAGE, RW, MAP_SHARED | MAP_FIXED, buffers[0].fd, 0);
			t_byte(arena);
			munmap(arena, buffers[0].pages * PAGE);
		}
		break;
	case 8:
		/* Its stack and data are what they were, so it may have grandchildren. */
		madvise(arena, ARENA * PAGE, MADV_DOFORK);
		if (!fork())
			t_byte(range.at);
		break;
	case 9:
		syscall(SYS_rseq, range.at, 32, 0, 0x53053053);
		sched_yield();
		break;
	case 10:
		raise(SIGSTOP);
		break;
	default:
		t_poke(range.at, r[2]);
	}
}

static void do_fork(struct thread *me, const uint32_t *r)
{
	struct range range = aim(r[0]);
	bool traced = r[1] % 12 == 10;
	pid_t parent = getpid(), pid;
	int status;

	C(madvise(range.at, range.length, r[3] % 2 ? MADV_DOFORK : MADV_DONTFORK));
	pid = C(fork());
	if (pid < 0)
		return;
	if (!pid) {
		/* One that stops itself would be left when its parent is killed. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(0);
		if (traced)
			ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		child(me, r);
		_exit(0);
	}
	if (traced && waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status)) {
		C(ptrace(PTRACE_PEEKDATA, pid, range.at, NULL));
		C(ptrace(PTRACE_POKEDATA, pid, range.at + 8, r[2]));
		C(process_vm_readv(pid, &(struct iovec){ me->bytes, PAGE }, 1,
				   &(struct iovec){ range.at, PAGE }, 1, 0));
	}
	if (traced || r[3] / 2 % 4 == 0)
		C(kill(pid, SIGKILL));
	while (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status))
		kill(pid, SIGKILL);
}

static const struct kind {
	const char *name;
	void (*run)(struct thread *me, const uint32_t *r);
	unsigned int weight;
} kinds[] = {
	{ "mmap", do_mmap, 24 },	{ "anonymous", do_anonymous, 4 }, { "munmap", do_munmap, 8 },
	{ "mremap", do_mremap, 8 },	{ "mprotect", do_mprotect, 6 },	{ "madvise", do_madvise, 12 },
	{ "lock", do_lock, 5 },		{ "memory", do_memory, 8 },	{ "touch", do_touch, 12 },
	{ "read/write", do_read_write, 10 }, { "direct", do_direct, 8 }, { "splice", do_splice, 16 },
	{ "send", do_send, 12 },	{ "zerocopy receive", do_zerocopy_receive, 10 },
	{ "other process", do_other_process, 6 }, { "futex", do_futex, 8 }, { "userfaultfd", do_fault, 8 },
	{ "ring there", do_ring_there, 8 }, { "register", do_register, 10 }, { "submit", do_submit, 12 },
	{ "AF_XDP", do_xdp, 5 },	{ "descriptor", do_descriptor, 8 }, { "dma-buf", do_dmabuf, 6 },
	{ "pass", do_pass, 3 },		{ "proc", do_proc, 4 },		{ "fork", do_fork, 3 },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))
_Static_assert(KINDS <= MOST_KINDS, "too many kinds");

/* ---- a process of threads ---- */

static void make_sequence(uint64_t seed, struct op *ops)
{
	uint64_t state = chance_begin(seed);
	unsigned int all = 0;

	for (unsigned int k = 0; k < KINDS; k++)
		all += kinds[k].weight;
	for (unsigned int i = 0; i < LENGTH; i++) {
		unsigned int pick = chance_word(&state) % all, k = 0;

		while (pick >= kinds[k].weight)
			pick -= kinds[k++].weight;
		/* Before there is a mapping, the rest has nothing to do. */
		ops[i].code = i < 3 ? 0 : k;
		for (unsigned int j = 0; j < 4; j++)
			ops[i].r[j] = chance_word(&state);
	}
}

static void loopback_pair(int type, int *pair)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int waiting = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	pair[0] = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	bind(waiting, (struct sockaddr *)&address, sizeof(address));
	getsockname(waiting, (struct sockaddr *)&address, &size);
	if (type == SOCK_STREAM)
		listen(waiting, 1);
	connect(pair[0], (struct sockaddr *)&address, sizeof(address));
	if (type == SOCK_STREAM) {
		pair[1] = accept4(waiting, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		close(waiting);
	} else {
		pair[1] = waiting;
	}
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	setsockopt(pair[0], SOL_SOCKET, SO_ZEROCOPY, &(int){ 1 }, sizeof(int));
}

static void thread_begin(struct thread *me)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_SIGBUS };

	if (pipe2(me->pipe, O_NONBLOCK | O_CLOEXEC) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, me->local))
		_exit(9);
	loopback_pair(SOCK_STREAM, me->tcp);
	loopback_pair(SOCK_DGRAM, me->udp);
	me->memory = memfd_create("storm", MFD_CLOEXEC);
	if (ftruncate(me->memory, 64 * PAGE))
		_exit(9);
	me->disk = open(DISK, O_RDWR | O_DIRECT | O_CLOEXEC);
	/* Nothing waits for somebody to serve a fault: it is a SIGBUS. */
	me->fault = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	ioctl(me->fault, UFFDIO_API, &api);
	syscall(SYS_io_setup, 8, &me->aio);
	me->scratch = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(&me->params, 0, sizeof(me->params));
	me->ring = syscall(SYS_io_uring_setup, 8, &me->params);
	if (me->ring < 0)
		return;
	/* So small that each is a page. The kernel takes no address that is asked for. */
	me->ring_in = mmap(NULL, PAGE, RW, MAP_SHARED, me->ring, IORING_OFF_SQ_RING);
	me->ring_out = mmap(NULL, PAGE, RW, MAP_SHARED, me->ring, IORING_OFF_CQ_RING);
	me->entries = mmap(NULL, PAGE, RW, MAP_SHARED, me->ring, IORING_OFF_SQES);
	if (me->ring_in == MAP_FAILED || me->ring_out == MAP_FAILED || me->entries == MAP_FAILED) {
		close(me->ring);
		me->ring = -1;
	}
}

static void *thread_run(void *argument)
{
	struct thread *me = argument;

	for (unsigned int i = 0; i < me->n; i++) {
		const struct op *op = &me->ops[i];

		me->calls = me->good = 0;
		kinds[op->code].run(me, op->r);
		told->calls[op->code] += me->calls;
		told->good[op->code] += me->good;
	}
	return NULL;
}

static struct thread threads[THREADS];

/* In a process of its own, which ends as @end says; never returns. */
static void process(const struct op *ops, unsigned int n, unsigned int n_threads, unsigned int end)
{
	static struct op more[THREADS][LENGTH];

	arena = mmap(NULL, 2 * ARENA * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	arena = (char *)(((uintptr_t)arena + ARENA * PAGE - 1) & -(ARENA * PAGE));
	signal(SIGIO, SIG_IGN);
	for (unsigned int i = 0; i < n_threads; i++) {
		threads[i].ops = ops;
		threads[i].n = n;
		if (i) {
			make_sequence(end * 1000003ULL + i, more[i]);
			threads[i].ops = more[i];
			threads[i].n = LENGTH;
		}
		thread_begin(&threads[i]);
	}
	for (unsigned int i = 1; i < n_threads; i++)
		pthread_create(&threads[i].id, NULL, thread_run, &threads[i]);
	thread_run(&threads[0]);
	/* The others may be in the midst of it. */
	switch (end % 8) {
	case 0:
		abort();
	case 1:
		execl("/bin/true", "true", NULL);
		break;
	case 2:
		kill(getpid(), SIGKILL);
		break;
	case 3:
	case 4:
		_exit(0);
	}
	for (unsigned int i = 1; i < n_threads; i++)
		pthread_join(threads[i].id, NULL);
	for (unsigned int i = 0; i < ARENA; i++)
		munmap(arena + i * PAGE, PAGE);
	_exit(0);
}

/* ---- who has nothing but the buffers ---- */

static int ask[2], answer[2];

/* Is the kernel still content? Only root may ask it. */
static bool still_well(void)
{
	char well;

	return write(ask[1], "?", 1) == 1 && read(answer[0], &well, 1) == 1 && well;
}

/* Ends @pid if it has not; false if it cannot be. */
static bool reap(pid_t pid)
{
	struct pollfd ended = { .fd = syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };

	if (poll(&ended, 1, T_PATIENCE_MS) != 1) {
		kill(pid, SIGKILL);
		poll(&ended, 1, T_PATIENCE_MS);
	}
	close(ended.fd);
	return waitpid(pid, NULL, WNOHANG) == pid;
}

static bool run_sequence(const struct op *ops, unsigned int n, bool *stuck)
{
	pid_t pid = fork();

	if (!pid) {
		close(ask[1]);
		close(answer[0]);
		process(ops, n, 1, ops[0].r[0]);
	}
	*stuck = pid < 0 || !reap(pid);
	return !*stuck && still_well();
}

static void shrink(struct op *ops, unsigned int n)
{
	struct op fewer[LENGTH];
	bool stuck;

	for (unsigned int piece = n / 2; piece; piece /= 2) {
		for (unsigned int at = 0; at + piece <= n && n > piece; ) {
			memcpy(fewer, ops, at * sizeof(*ops));
			memcpy(fewer + at, ops + at + piece, (n - at - piece) * sizeof(*ops));
			if (!run_sequence(fewer, n - piece, &stuck)) {
				n -= piece;
				memcpy(ops, fewer, n * sizeof(*ops));
			} else {
				at += piece;
			}
		}
	}
	t_note("the shortest sequence that still does it:");
	for (unsigned int i = 0; i < n; i++)
		t_note("  %s %u %u %u %u", kinds[ops[i].code].name, ops[i].r[0], ops[i].r[1], ops[i].r[2],
		       ops[i].r[3]);
}

static unsigned long all_calls(void)
{
	unsigned long calls = 0;

	for (unsigned int k = 0; k < KINDS; k++)
		calls += told->calls[k];
	return calls;
}

static uint64_t first_seed = 1;
static unsigned long wanted_calls;

/* Bit 0: one process after the other was not well; bit 1: many at once. */
static int storm(void)
{
	unsigned long until = wanted_calls / 2;
	struct op ops[LENGTH];
	pid_t pids[PROCESSES];
	bool stuck = false;
	uint64_t seed;
	int wrong = 0;

	for (seed = first_seed; all_calls() < until && !wrong; seed++) {
		make_sequence(seed, ops);
		if (run_sequence(ops, LENGTH, &stuck))
			continue;
		wrong |= 1;
		t_note("seed %llu%s", (unsigned long long)seed, stuck ? ": a process that cannot be killed" : "");
		if (!stuck)
			shrink(ops, LENGTH);
	}
	for (seed = first_seed + 1000000; all_calls() < wanted_calls && !wrong; seed += PROCESSES) {
		for (unsigned int i = 0; i < PROCESSES; i++) {
			pids[i] = fork();
			if (!pids[i]) {
				close(ask[1]);
				close(answer[0]);
				make_sequence(seed + i, ops);
				process(ops, LENGTH, THREADS, (seed + i) * 5 + i);
			}
		}
		/* Some in the midst of it. */
		if (seed % 2) {
			for (volatile unsigned int spin = seed * 7919 % 3000000; spin; spin--)
				;
			kill(pids[0], SIGKILL);
		}
		for (unsigned int i = 0; i < PROCESSES; i++)
			stuck |= !reap(pids[i]);
		if (stuck || !still_well()) {
			wrong |= 2;
			t_note("seed %llu and the %d behind it%s", (unsigned long long)seed, PROCESSES - 1,
			       stuck ? ": a process that cannot be killed" : "");
		}
	}
	return wrong;
}

/* A user, in a network of its own, where a user may bind AF_XDP, and nothing open but the buffers. */
static int as_nobody(void *unused)
{
	struct ifreq loopback = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	(void)unused;
	for (fd = 3; fd < 256; fd++) {
		bool keep = fd == ask[1] || fd == answer[0];

		for (unsigned int i = 0; i < BUFFERS; i++)
			keep |= fd == buffers[i].fd;
		if (!keep)
			close(fd);
	}
	setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ 64 << 20, 64 << 20 });
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 16 << 20, 16 << 20 });
	if (chdir(FOLDER) || setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		return 8;
	if (open(DEVICE, O_RDWR) >= 0)
		return 7;
	/* A change of the uid makes /proc/self root's. */
	prctl(PR_SET_DUMPABLE, 1);
	if (!unshare(CLONE_NEWUSER | CLONE_NEWNET)) {
		fd = socket(AF_INET, SOCK_DGRAM, 0);
		ioctl(fd, SIOCSIFFLAGS, &loopback);
		close(fd);
	} else {
		told->namespace = errno;
	}
	return storm();
}

/* ---- root ---- */

/* What run-in-vm looks for, as it comes. */
static bool complained(int log)
{
	static const char *const words[] = { "WARNING", "BUG", "Oops", "general protection", "Call Trace",
					     "Bad page", "Bad rss", "bad page", "INFO: ", "inconsistent", "ODEBUG",
					     "UBSAN", "refcount_t" };
	char line[2048];
	bool bad = false;
	ssize_t n;

	/* EPIPE: lines were lost, which is no end. */
	while ((n = read(log, line, sizeof(line) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		if (n < 0)
			continue;
		line[n] = '\0';
		for (unsigned int i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			bad |= strstr(line, words[i]) != NULL;
	}
	return bad;
}

static struct grants *grants;

/* Pages that are not what the granter has, as Xen copies them. */
static unsigned int pages_bad(void)
{
	unsigned int bad = 0, page = 0;
	int fd = dev_open();

	for (unsigned int i = 0; i < BUFFERS; i++) {
		size_t length = buffers[i].pages * PAGE;
		char *memory = mmap(NULL, length, RW, MAP_SHARED, buffers[i].fd, 0);

		if (memory == MAP_FAILED) {
			bad += buffers[i].pages;
			page += buffers[i].pages;
			continue;
		}
		for (unsigned int k = 0; k < buffers[i].pages; k++) {
			static char copy[4096];
			segment_t segment = seg_from(&grants->refs[page], 0, copy, PAGE);

			/* Something of this page alone, and the same by both. */
			memory[k * PAGE + 123] = page++;
			bad += dev_copy(fd, &segment, 1) || segment.status != GNTST_okay ||
			       memcmp(copy, memory + k * PAGE, PAGE);
		}
		munmap(memory, length);
	}
	close(fd);
	return bad;
}

/* Answers the question of still_well() until nobody can ask any more. */
static unsigned int serve(int log)
{
	unsigned int complaints = 0;
	char byte;

	while (read(ask[0], &byte, 1) == 1) {
		bool bad = complained(log);

		complaints += bad;
		/* What warns once has to warn again for who makes the sequence shorter. */
		if (bad)
			t_write_file("/sys/kernel/debug/clear_warn_once", "1");
		if (write(answer[1], bad ? "\0" : "\1", 1) != 1)
			break;
	}
	return complaints;
}

static void tell_calls(void)
{
	char line[800];
	size_t at = 0;

	for (unsigned int k = 0; k < KINDS; k++)
		at += snprintf(line + at, sizeof(line) - at, ", %s %lu of %lu", kinds[k].name,
			       (unsigned long)told->good[k], (unsigned long)told->calls[k]);
	t_note("%lu calls, of which so many did not fail%s", all_calls(), line);
}

int main(int argc, char **argv)
{
	static const struct {
		unsigned int pages, flags;
	} wanted[BUFFERS] = { { 16, 0 }, { 8, 0 }, { 1, 0 }, { 4, GNTDEV_DMA_FLAG_WC } };
	unsigned int pages = 0, holds, complaints;
	bool disk;
	int fd, log, wrong;
	pid_t pid;

	t_start();
	/* A kernel that looks for mistakes takes many times as long for each. */
	wanted_calls = t_rounds(access("/proc/lockdep_stats", F_OK) ? 3000 : 500, 200000);
	if (argc > 1)
		first_seed = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		wanted_calls = strtoul(argv[2], NULL, 0);
	told = mmap(NULL, sizeof(*told), RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	lseek(log, 0, SEEK_END);
	if (log < 0 || pipe2(ask, O_CLOEXEC) || pipe2(answer, O_CLOEXEC))
		t_bail("/dev/kmsg, or pipes: %m");

	grants = grants_make(16 + 8 + 1 + 4);
	fd = dev_open();
	for (unsigned int i = 0; i < BUFFERS; i++) {
		if (dev_export(fd, wanted[i].flags, grants->refs + pages, wanted[i].pages, &buffers[i].fd))
			t_bail("a dma-buf: %m");
		buffers[i].pages = wanted[i].pages;
		pages += wanted[i].pages;
	}
	close(fd);
	holds = xen_holds(grants);
	disk = !chmod(DISK, 0666);
	if ((mkdir(FOLDER, 0700) && errno != EEXIST) || chown(FOLDER, NOBODY, NOBODY))
		t_bail("%s: %m", FOLDER);

	pid = t_child(as_nobody, NULL);
	close(ask[1]);
	close(answer[0]);
	complaints = serve(log);
	wrong = t_wait(pid);
	if (told->namespace)
		t_note("no network of its own: %s; no AF_XDP", strerrorname_np(told->namespace));
	if (!disk)
		t_note("no " DISK ": no O_DIRECT");
	tell_calls();
	if (leaves_buffer_rings())
		t_note("no rings of provided buffers: this kernel leaves a mapping of each");
	check_eq("A4", wrong & ~2, 0, "one process after the other");
	check_eq("A4", wrong & ~1, 0, "many at once");
	complaints += complained(log);
	check_eq("A4", complaints, 0, "the kernel has nothing to complain of");
	check_eq("A4", pages_bad(), 0, "the pages are those that are granted");
	/* A network that is gone takes its sockets with it a moment later. */
	check("A2", t_eventually(xen_holds(grants) == holds), "Xen holds what the buffers need (%u)", holds);
	for (unsigned int i = 0; i < BUFFERS; i++)
		close(buffers[i].fd);
	check("A2", t_eventually(!xen_holds(grants)), "and without them nothing");
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	if (system("rm -rf " FOLDER))
		t_note("%s stays", FOLDER);
	if (disk)
		chmod(DISK, 0600);
	close(log);
	return t_done();
}
