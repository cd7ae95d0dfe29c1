// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random calls against a model of what the contract promises. A world is some pages of the granter, up
 * to four instances, and what the model knows of them: ranges, views, limits, notifications, bytes.
 * After every call its result, its errno and the bytes that it gave are compared with the model.
 *
 * A sequence of calls comes from a seed. One that fails is made shorter until every call in it
 * matters, and printed. Then worlds in threads and processes storm at the same time, each with pages
 * of its own.
 *
 * usage: storm [SEED [CALLS]]: the sequences of one seed only; or CALLS in all instead of 30 seconds.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/chance.h"
#include "lib/grant.h"

#define PAGES 12		/* of a world */
#define WORLDS 6		/* at the same time */
#define INSTANCES 4
#define RANGES 10
#define VIEWS 10
#define BUFFERS 3
#define LENGTH 200		/* of a sequence */
#define SPOTS 4			/* bytes of a page that the model knows */
#define MOST_GRANTS 65536	/* the module's parameter max_grants */

static const unsigned int spots[SPOTS] = { 0, 100, 2048, 4095 };

struct range {
	bool there;		/* registered, or kept by a view */
	bool registered;
	unsigned int instance, n, views;
	bool readonly;		/* how it is mapped */
	uint64_t index;
	unsigned int page[PAGES];
	unsigned int action[PAGES], spot[PAGES];
};

/* Of a range, or of a dma-buf. */
struct view {
	char *memory;
	struct range *range;
	unsigned int n, page[PAGES];
	bool readonly, forks;	/* whether a child has it, too (translated mode) */
};

struct buffer {
	int fd;
	unsigned int instance, n, page[PAGES];
};

struct world {
	const struct ioctl_gntdev_grant_ref *refs;
	unsigned int port;	/* for SEND_EVENT, or 0 */
	int shared;		/* an instance that other worlds use, too, or -1 */
	bool alone;		/* in its process: else a child would have what is others' */
	uint8_t bytes[PAGES][SPOTS];
	struct {
		int fd;		/* or -1 */
		unsigned int held, limit;
		/* Has exported: what counts then, and until when (L2), the kernel alone knows. */
		bool exported;
	} instances[INSTANCES];
	struct range ranges[RANGES];
	struct view views[VIEWS];
	struct buffer buffers[BUFFERS];
	unsigned long calls, refused;
	unsigned int sends;	/* events that must have come */
	char wrong[300];	/* what the device did that the model does not */
};

struct op {
	uint8_t code;
	uint32_t r[3];
};

/* ---- the model ---- */

static bool differs(struct world *world, const char *what, long got, long want)
{
	if (got == want)
		return false;
	snprintf(world->wrong, sizeof(world->wrong), "%s: got %ld, want %ld", what, got, want);
	return true;
}

/* The same of what a call has left in errno, 0 if it worked. */
static bool call_differs(struct world *world, const char *what, long got, long want)
{
	world->calls++;
	world->refused += want != 0;
	return differs(world, what, got, want);
}

#define must(what, call, want) call_differs(world, what, errno_of(call), want)

static struct range *some_range(struct world *world, uint32_t r)
{
	for (unsigned int i = 0; i < RANGES; i++) {
		struct range *range = &world->ranges[(r + i) % RANGES];

		if (range->registered)
			return range;
	}
	return NULL;
}

static struct view *some_view(struct world *world, uint32_t r)
{
	for (unsigned int i = 0; i < VIEWS; i++)
		if (world->views[(r + i) % VIEWS].memory)
			return &world->views[(r + i) % VIEWS];
	return NULL;
}

static int instance_fd(struct world *world, const struct range *range)
{
	return world->instances[range->instance].fd;
}

static bool clears(const struct range *range)
{
	for (unsigned int i = 0; i < range->n; i++)
		if (range->action[i] & UNMAP_NOTIFY_CLEAR_BYTE)
			return true;
	return false;
}

static void notify_all(struct world *world, struct range *range, bool mapped)
{
	for (unsigned int i = 0; i < range->n; i++) {
		if (mapped && range->action[i] & UNMAP_NOTIFY_CLEAR_BYTE)
			world->bytes[range->page[i]][range->spot[i]] = 0;
		if (range->action[i] & UNMAP_NOTIFY_SEND_EVENT)
			world->sends++;
		range->action[i] = 0;
	}
}

static void range_unregistered(struct world *world, struct range *range)
{
	range->registered = false;
	world->instances[range->instance].held -= range->n;
	if (!range->views) {
		notify_all(world, range, false);
		range->there = false;
	}
}

static void view_gone(struct world *world, struct view *view)
{
	struct range *range = view->range;

	view->memory = NULL;
	if (!range || --range->views)
		return;
	notify_all(world, range, true);
	if (!range->registered)
		range->there = false;
}

/* Every byte of a view that the model knows. */
static bool view_differs(struct world *world, struct view *view, const char *what)
{
	for (unsigned int i = 0; i < view->n; i++) {
		const volatile uint8_t *page = (uint8_t *)view->memory + i * PAGE;
		const uint8_t *bytes = world->bytes[view->page[i]];

		/* Where the first byte can be read, the others can, too. */
		if (differs(world, what, t_byte(page + spots[0]), bytes[0]))
			return true;
		for (unsigned int k = 1; k < SPOTS; k++)
			if (differs(world, what, page[spots[k]], bytes[k]))
				return true;
	}
	return false;
}

/* ---- the calls: true if the device does not as the model ---- */

static bool do_open(struct world *world, const uint32_t *r)
{
	unsigned int i = r[0] % INSTANCES;

	if (world->instances[i].fd >= 0)
		return false;
	/* Those of before must not be confused with the new one: a view may have kept some. */
	for (unsigned int k = 0; k < RANGES; k++)
		if (world->ranges[k].there && world->ranges[k].instance == i)
			return false;
	world->instances[i].fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	world->instances[i].held = 0;
	world->instances[i].limit = MOST_GRANTS;
	world->instances[i].exported = false;
	return call_differs(world, "open", world->instances[i].fd < 0, 0);
}

static bool do_close(struct world *world, const uint32_t *r)
{
	unsigned int i = r[0] % INSTANCES;

	if (world->instances[i].fd < 0 || world->instances[i].fd == world->shared)
		return false;
	if (must("close", close(world->instances[i].fd), 0))
		return true;
	world->instances[i].fd = -1;
	for (unsigned int k = 0; k < RANGES; k++)
		if (world->ranges[k].registered && world->ranges[k].instance == i)
			range_unregistered(world, &world->ranges[k]);
	return false;
}

/* The same instance by another descriptor: a duplicate, or one that came over a socket. */
static bool do_pass(struct world *world, const uint32_t *r)
{
	char byte = 0, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int *fd = &world->instances[r[0] % INSTANCES].fd, pair[2], fresh;

	if (*fd < 0 || *fd == world->shared)
		return false;
	if (r[1] % 2) {
		fresh = dup(*fd);
		close(*fd);
	} else {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
			return false;
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), fd, sizeof(int));
		if (sendmsg(pair[0], &message, 0) != 1)
			return differs(world, "sendmsg", errno, 0);
		/* For a moment only the message holds it. */
		close(*fd);
		if (recvmsg(pair[1], &message, MSG_CMSG_CLOEXEC) != 1)
			return differs(world, "recvmsg", errno, 0);
		memcpy(&fresh, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
		close(pair[0]);
		close(pair[1]);
	}
	*fd = fresh;
	return differs(world, "another descriptor", fresh < 0, 0);
}

static bool do_map(struct world *world, const uint32_t *r)
{
	struct ioctl_gntdev_grant_ref refs[PAGES];
	unsigned int i = r[0] % INSTANCES, n = 1 + r[1] % PAGES, k;
	struct range *range = NULL;
	uint64_t index;

	for (k = 0; k < RANGES && !range; k++)
		if (!world->ranges[k].there)
			range = &world->ranges[k];
	if (!range || world->instances[i].fd < 0)
		return false;
	for (k = 0; k < n; k++)
		refs[k] = world->refs[(r[2] + k) % PAGES];
	if (world->instances[i].fd != world->shared &&
	    world->instances[i].held + n > world->instances[i].limit)
		return must("MAP_GRANT_REF beyond the limit", dev_map(world->instances[i].fd, refs, n, &index),
			    ENOSPC);
	if (must("MAP_GRANT_REF", dev_map(world->instances[i].fd, refs, n, &index), 0))
		return true;
	memset(range, 0, sizeof(*range));
	range->there = range->registered = true;
	range->instance = i;
	range->n = n;
	range->index = index;
	world->instances[i].held += n;
	for (k = 0; k < n; k++)
		range->page[k] = (r[2] + k) % PAGES;
	/* M2: no two ranges of an instance overlap. */
	for (k = 0; k < RANGES; k++) {
		struct range *other = &world->ranges[k];

		if (other != range && other->registered && other->instance == i &&
		    index < other->index + other->n * PAGE && other->index < index + n * PAGE)
			return differs(world, "an index in use", index >> 12, -1);
	}
	return false;
}

static bool do_unmap(struct world *world, const uint32_t *r)
{
	struct range *range = some_range(world, r[0]);

	if (!range)
		return false;
	if (r[1] % 8 == 0)
		return must("UNMAP_GRANT_REF of another count",
			    dev_unmap(instance_fd(world, range), range->index, range->n + 1), ENOENT);
	if (r[1] % 8 == 1)
		return must("UNMAP_GRANT_REF inside a page",
			    dev_unmap(instance_fd(world, range), range->index + 1, range->n), ENOENT);
	if (must("UNMAP_GRANT_REF", dev_unmap(instance_fd(world, range), range->index, range->n),
		 range->views ? EBUSY : 0))
		return true;
	if (!range->views)
		range_unregistered(world, range);
	return false;
}

static bool do_mmap(struct world *world, const uint32_t *r)
{
	struct range *range = some_range(world, r[0]);
	bool readonly = r[1] % 4 == 0;
	struct view *view = NULL;
	int want = 0;
	char *memory;

	for (unsigned int k = 0; k < VIEWS && !view; k++)
		if (!world->views[k].memory)
			view = &world->views[k];
	if (!range || !view)
		return false;
	if (r[2] % 16 == 0)
		return must("mmap of another length",
			    dev_mmap(instance_fd(world, range), range->index, range->n + 1, RW), EINVAL);
	if (r[2] % 16 == 1 && range->n > 1)
		return must("mmap of a part",
			    dev_mmap(instance_fd(world, range), range->index + PAGE, range->n - 1, RW), EINVAL);
	if (r[2] % 16 == 2)
		return must("a private mmap for writing",
			    mmap(NULL, range->n * PAGE, RW, MAP_PRIVATE, instance_fd(world, range), range->index),
			    EINVAL);
	if (range->views && range->readonly && !readonly)
		want = EBUSY;
	else if (!range->views && readonly && clears(range))
		want = EINVAL;
	errno = 0;
	memory = dev_mmap(instance_fd(world, range), range->index, range->n, readonly ? RO : RW);
	if (call_differs(world, readonly ? "mmap read-only" : "mmap", memory == MAP_FAILED ? errno : 0, want))
		return true;
	if (want)
		return false;
	if (!range->views)
		range->readonly = readonly;
	range->views++;
	view->memory = memory;
	view->range = range;
	view->n = range->n;
	view->readonly = readonly;
	view->forks = true;
	memcpy(view->page, range->page, sizeof(view->page));
	return view_differs(world, view, "a byte of a new mapping");
}

static bool do_munmap(struct world *world, const uint32_t *r)
{
	struct view *view = some_view(world, r[0]);
	unsigned int n;

	if (!view)
		return false;
	n = view->n;
	/* V5: a dma-buf's may be split. */
	if (view->range && n > 1 && r[1] % 4 == 0)
		return call_differs(world, "munmap of a part",
				    munmap(view->memory + (r[2] % n) * PAGE, PAGE), -1) ||
		       view_differs(world, view, "a byte after munmap of a part");
	if (view->range && n > 1 && r[1] % 4 == 1)
		return call_differs(world, "MAP_FIXED over a part",
				    (long)mmap(view->memory, PAGE, RW,
					       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), -1) ||
		       view_differs(world, view, "a byte after MAP_FIXED over a part");
	if (r[1] % 4 == 2 &&
	    must("MAP_FIXED over all",
		 mmap(view->memory, n * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), 0))
		return true;
	if (must("munmap", munmap(view->memory, n * PAGE), 0))
		return true;
	view_gone(world, view);
	return false;
}

static bool do_write(struct world *world, const uint32_t *r)
{
	struct view *view = some_view(world, r[0]);
	unsigned int i, k = r[1] % SPOTS;

	if (!view)
		return false;
	i = r[1] / SPOTS % view->n;
	if (view->readonly)
		return differs(world, "a write to what is read-only",
			       t_poke(view->memory + i * PAGE + spots[k], r[2]), SIGSEGV) ||
		       view_differs(world, view, "a byte after a write that was refused");
	if (differs(world, "a write", t_poke(view->memory + i * PAGE + spots[k], r[2]), 0))
		return true;
	world->bytes[view->page[i]][k] = r[2];
	return false;
}

static bool do_read(struct world *world, const uint32_t *r)
{
	struct view *view = some_view(world, r[0]);

	return view && view_differs(world, view, "a byte");
}

static bool do_advise(struct world *world, const uint32_t *r)
{
	static const int advice[] = { MADV_DONTNEED, MADV_DOFORK, MADV_DONTFORK, MADV_WILLNEED, MADV_COLD };
	struct view *view = some_view(world, r[0]);

	if (!view)
		return false;
	/* Whether it is taken depends on the kernel; nothing is lost by it. */
	madvise(view->memory, view->n * PAGE, advice[r[1] % 5]);
	world->calls++;
	if (advice[r[1] % 5] == MADV_DOFORK)
		view->forks = true;
	if (advice[r[1] % 5] == MADV_DONTFORK)
		view->forks = false;
	return view_differs(world, view, "a byte after madvise");
}

static bool do_move(struct world *world, const uint32_t *r)
{
	struct view *view = some_view(world, r[0]);
	char *to, *moved;

	if (!view || !view->range)
		return false;
	to = mmap(NULL, view->n * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	moved = mremap(view->memory, view->n * PAGE, view->n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	if (call_differs(world, "mremap", moved == MAP_FAILED ? errno : 0, 0))
		return true;
	view->memory = moved;
	return view_differs(world, view, "a byte after mremap");
}

static bool do_notify(struct world *world, const uint32_t *r)
{
	static const unsigned int actions[] = { 0, 1, 2, 3, 1, 2 };
	struct range *range = some_range(world, r[0]);
	unsigned int action = actions[r[1] % 6], i, k = r[2] % SPOTS;
	bool clear = action & UNMAP_NOTIFY_CLEAR_BYTE;
	uint64_t index;

	if (!range)
		return false;
	if (!world->port)
		action &= ~UNMAP_NOTIFY_SEND_EVENT;
	i = r[2] / SPOTS % range->n;
	index = range->index + i * PAGE + spots[k];
	if (r[1] % 32 == 31)
		return must("SET_UNMAP_NOTIFY with unknown bits",
			    dev_notify(instance_fd(world, range), index, 4, 0), EINVAL);
	if (r[1] % 32 == 30)
		return must("SET_UNMAP_NOTIFY of no port",
			    dev_notify(instance_fd(world, range), index, UNMAP_NOTIFY_SEND_EVENT, 0x7fffffff),
			    EINVAL);
	if (must("SET_UNMAP_NOTIFY", dev_notify(instance_fd(world, range), index, action, world->port),
		 clear && range->views && range->readonly ? EINVAL : 0))
		return true;
	if (clear && range->views && range->readonly)
		return false;
	range->action[i] = action;
	range->spot[i] = k;
	return false;
}

static bool do_offset(struct world *world, const uint32_t *r)
{
	struct view *view = some_view(world, r[0]);
	unsigned int count = 0;
	uint64_t index = 0;

	if (!view || !view->range || !view->range->registered)
		return false;
	if (r[1] % 2 && view->n > 1)
		return must("GET_OFFSET_FOR_VADDR inside",
			    dev_offset(instance_fd(world, view->range), view->memory + PAGE, &index, &count),
			    EINVAL);
	return must("GET_OFFSET_FOR_VADDR",
		    dev_offset(instance_fd(world, view->range), view->memory, &index, &count), 0) ||
	       differs(world, "its index", index == view->range->index, 1) ||
	       differs(world, "its count", count == view->n, 1);
}

static bool do_limit(struct world *world, const uint32_t *r)
{
	unsigned int i = r[0] % INSTANCES, limit = 1 + r[1] % 40;

	if (world->instances[i].fd < 0 || world->instances[i].fd == world->shared ||
	    world->instances[i].exported)
		return false;
	if (r[2] % 8 == 0)
		return must("SET_MAX_GRANTS 0", dev_max(world->instances[i].fd, 0), EINVAL);
	if (must("SET_MAX_GRANTS", dev_max(world->instances[i].fd, limit),
		 world->instances[i].held ? EBUSY : 0))
		return true;
	if (!world->instances[i].held)
		world->instances[i].limit = limit;
	return false;
}

static bool do_copy(struct world *world, const uint32_t *r)
{
	uint8_t local[8] = { 0 };
	unsigned int a = r[1] % PAGES, b = r[1] / PAGES % PAGES, k = r[2] % SPOTS, l = r[2] / 4 % SPOTS;
	struct ioctl_gntdev_grant_ref nobody = { NO_DOMAIN, 8 };
	unsigned int i = r[0] % INSTANCES;
	segment_t segments[4];

	if (world->instances[i].fd < 0)
		return false;
	local[1] = r[2] >> 8;
	/* Page a to here, a byte to page b, page b to page a, and one that fails. */
	segments[0] = seg_from(&world->refs[a], spots[k], &local[0], 1);
	segments[1] = seg_to(&world->refs[b], spots[l], &local[1], 1);
	segments[2] = seg_between(&world->refs[b], spots[l], &world->refs[a], spots[k], 1);
	segments[3] = seg_from(&nobody, 0, &local[2], 1);
	if (r[0] / 4 % 16 == 0) {
		segments[2].flags = 0;
		return must("GRANT_COPY without a reference", dev_copy(world->instances[i].fd, segments, 4),
			    EINVAL);
	}
	if (must("GRANT_COPY", dev_copy(world->instances[i].fd, segments, 4), 0) ||
	    differs(world, "a byte from a page", local[0], world->bytes[a][k]))
		return true;
	for (unsigned int s = 0; s < 4; s++)
		if (differs(world, "a status", segments[s].status, s < 3 ? GNTST_okay : GNTST_bad_domain))
			return true;
	world->bytes[b][l] = local[1];
	world->bytes[a][k] = local[1];
	return false;
}

static bool do_export(struct world *world, const uint32_t *r)
{
	struct ioctl_gntdev_grant_ref refs[PAGES];
	unsigned int i = r[0] % INSTANCES, n = 1 + r[1] % PAGES;
	struct buffer *buffer = &world->buffers[r[2] % BUFFERS];

	if (world->instances[i].fd < 0 || buffer->fd >= 0 ||
	    world->instances[i].limit != MOST_GRANTS)
		return false;
	world->instances[i].exported = true;
	for (unsigned int k = 0; k < n; k++)
		refs[k] = world->refs[(r[2] + k) % PAGES];
	if (r[1] % 64 == 63) {
		refs[n - 1].ref = 0x7fffffff;
		return must("export of a bad reference",
			    dev_export(world->instances[i].fd, 0, refs, n, &buffer->fd), EINVAL);
	}
	if (must("export", dev_export(world->instances[i].fd, 0, refs, n, &buffer->fd), 0)) {
		buffer->fd = -1;
		return true;
	}
	buffer->instance = i;
	buffer->n = n;
	for (unsigned int k = 0; k < n; k++)
		buffer->page[k] = (r[2] + k) % PAGES;
	return false;
}

static bool do_buffer(struct world *world, const uint32_t *r)
{
	struct buffer *buffer = &world->buffers[r[0] % BUFFERS];
	struct view *view = NULL;

	if (buffer->fd < 0)
		return false;
	if (r[1] % 3 == 0) {
		if (must("close of a dma-buf", close(buffer->fd), 0))
			return true;
		buffer->fd = -1;
		return false;
	}
	for (unsigned int k = 0; k < VIEWS && !view; k++)
		if (!world->views[k].memory)
			view = &world->views[k];
	if (!view)
		return false;
	view->memory = mmap(NULL, buffer->n * PAGE, RW, MAP_SHARED, buffer->fd, 0);
	if (call_differs(world, "mmap of a dma-buf", view->memory == MAP_FAILED ? errno : 0, 0)) {
		view->memory = NULL;
		return true;
	}
	view->range = NULL;
	view->n = buffer->n;
	view->readonly = false;
	memcpy(view->page, buffer->page, sizeof(view->page));
	return view_differs(world, view, "a byte of a dma-buf");
}

/* V6, and what an exec, an exit or a kill takes with it. */
static bool do_fork(struct world *world, const uint32_t *r)
{
	struct view *view = some_view(world, r[0]);
	uint64_t index;
	int status;
	pid_t pid;

	if (!world->alone)
		return false;
	pid = fork();
	if (!pid) {
		int fd;

		switch (r[1] % 4) {
		case 0:
			if (!view || !view->range)
				_exit(0);
			if (t_pv() || !view->forks)
				_exit(t_byte(view->memory) >= 0);
			_exit(t_byte(view->memory) != world->bytes[view->page[0]][0]);
		case 1:
			execl("/bin/true", "true", NULL);
			_exit(1);
		case 2:
			fd = open(DEVICE, O_RDWR | O_CLOEXEC);
			if (dev_map(fd, world->refs, PAGES, &index) ||
			    dev_mmap(fd, index, PAGES, RW) == MAP_FAILED)
				_exit(1);
			_exit(0);
		default:
			for (fd = open(DEVICE, O_RDWR | O_CLOEXEC);;) {
				char *memory;

				if (dev_map(fd, world->refs, PAGES, &index))
					_exit(1);
				memory = dev_mmap(fd, index, PAGES, RW);
				if (memory == MAP_FAILED)
					_exit(1);
				dev_munmap(memory, PAGES);
				dev_unmap(fd, index, PAGES);
			}
		}
	}
	if (r[1] % 4 == 3) {
		for (volatile int spin = r[2] % 20000; spin > 0; spin--)
			;
		kill(pid, SIGKILL);
	}
	if (waitpid(pid, &status, 0) != pid)
		return differs(world, "waitpid", errno, 0);
	if (r[1] % 4 == 3)
		return differs(world, "a child that is killed", WIFSIGNALED(status) ? WTERMSIG(status) : -1,
			       SIGKILL);
	return differs(world, "a child", WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
}

static bool do_nonsense(struct world *world, const uint32_t *r)
{
	struct ioctl_gntdev_map_grant_ref huge = { .count = UINT32_MAX };
	int fd = world->instances[r[0] % INSTANCES].fd;
	uint64_t index;

	if (fd < 0)
		return false;
	switch (r[1] % 6) {
	case 0:
		return must("MAP_GRANT_REF of none", dev_map(fd, world->refs, 0, &index), EINVAL);
	case 1:
		return must("MAP_GRANT_REF of 2^32-1", ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, &huge),
			    EINVAL);
	case 2:
		return must("UNMAP_GRANT_REF of nothing", dev_unmap(fd, 1ULL << 43, 1), ENOENT);
	case 3:
		return must("mmap of nothing", dev_mmap(fd, 1ULL << 43, 1, RW), EINVAL);
	case 4:
		return must("SET_UNMAP_NOTIFY of nothing", dev_notify(fd, 1ULL << 43, 0, 0), ENOENT);
	default:
		return must("WAIT_RELEASED of nothing", dev_wait_released(fd, 1 << 20, 0), ENOENT);
	}
}

static const struct kind {
	const char *name;
	bool (*run)(struct world *world, const uint32_t *r);
	unsigned int weight;
} kinds[] = {
	{ "open", do_open, 6 },		{ "close", do_close, 3 },	{ "pass", do_pass, 3 },
	{ "map", do_map, 16 },		{ "unmap", do_unmap, 10 },	{ "mmap", do_mmap, 20 },
	{ "munmap", do_munmap, 14 },	{ "write", do_write, 14 },	{ "read", do_read, 8 },
	{ "advise", do_advise, 4 },	{ "move", do_move, 4 },		{ "notify", do_notify, 12 },
	{ "offset", do_offset, 4 },	{ "limit", do_limit, 3 },	{ "copy", do_copy, 14 },
	{ "export", do_export, 5 },	{ "buffer", do_buffer, 8 },	{ "fork", do_fork, 1 },
	{ "nonsense", do_nonsense, 4 },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* ---- sequences ---- */

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
		ops[i].code = k;
		for (unsigned int j = 0; j < 3; j++)
			ops[i].r[j] = chance_word(&state);
	}
}

static void world_begin(struct world *world)
{
	memset(world->ranges, 0, sizeof(world->ranges));
	memset(world->views, 0, sizeof(world->views));
	for (unsigned int i = 0; i < INSTANCES; i++) {
		world->instances[i].fd = -1;
		world->instances[i].exported = false;
	}
	for (unsigned int i = 0; i < BUFFERS; i++)
		world->buffers[i].fd = -1;
	if (world->shared >= 0)
		world->instances[0].fd = world->shared;
	world->instances[0].held = 0;
	world->instances[0].limit = MOST_GRANTS;
	world->wrong[0] = '\0';
}

/* Everything is given back, in the order that the seed wants. */
static bool world_end(struct world *world, uint32_t r)
{
	bool bad = false;

	for (unsigned int i = 0; i < INSTANCES && r % 2; i++)
		bad |= do_close(world, (uint32_t[]){ i, 0, 0 });
	for (unsigned int i = 0; i < VIEWS; i++) {
		struct view *view = &world->views[i];

		if (!view->memory)
			continue;
		bad |= munmap(view->memory, view->n * PAGE) != 0;
		view_gone(world, view);
	}
	for (unsigned int i = 0; i < BUFFERS; i++)
		if (world->buffers[i].fd >= 0)
			close(world->buffers[i].fd);
	for (unsigned int i = 0; i < RANGES; i++)
		if (world->ranges[i].registered &&
		    world->instances[world->ranges[i].instance].fd == world->shared && world->shared >= 0)
			bad |= dev_unmap(world->shared, world->ranges[i].index, world->ranges[i].n) != 0;
	for (unsigned int i = 0; i < INSTANCES; i++)
		bad |= do_close(world, (uint32_t[]){ i, 0, 0 });
	return bad;
}

/* The number of the operation that went wrong, or -1. */
static int run_sequence(struct world *world, const struct op *ops, unsigned int n)
{
	int wrong = -1;

	world_begin(world);
	for (unsigned int i = 0; i < n && wrong < 0; i++)
		if (kinds[ops[i].code].run(world, ops[i].r))
			wrong = i;
	if (world_end(world, n ? ops[0].r[0] : 0) && wrong < 0) {
		wrong = n;
		if (!world->wrong[0])
			snprintf(world->wrong, sizeof(world->wrong), "giving all back");
	}
	return wrong;
}

/* The bytes are what they were found to be, after a sequence that went wrong. */
static void learn_bytes(struct world *world)
{
	int fd = dev_open();

	for (unsigned int i = 0; i < PAGES; i++)
		for (unsigned int k = 0; k < SPOTS; k++) {
			segment_t segment = seg_from(&world->refs[i], spots[k], &world->bytes[i][k], 1);

			dev_copy(fd, &segment, 1);
		}
	close(fd);
}

static void shrink(struct world *world, struct op *ops, unsigned int n)
{
	struct op fewer[LENGTH];
	unsigned int m;

	for (unsigned int piece = n / 2; piece; piece /= 2) {
		for (unsigned int at = 0; at + piece <= n; ) {
			memcpy(fewer, ops, at * sizeof(*ops));
			memcpy(fewer + at, ops + at + piece, (n - at - piece) * sizeof(*ops));
			m = n - piece;
			learn_bytes(world);
			if (run_sequence(world, fewer, m) >= 0) {
				memcpy(ops, fewer, m * sizeof(*ops));
				n = m;
			} else {
				at += piece;
			}
		}
	}
	learn_bytes(world);
	run_sequence(world, ops, n);
	t_note("the shortest sequence that still fails: %s", world->wrong);
	for (unsigned int i = 0; i < n; i++)
		t_note("  %s %u %u %u", kinds[ops[i].code].name, ops[i].r[0], ops[i].r[1], ops[i].r[2]);
	learn_bytes(world);
}

/* ---- storms ---- */

static uint64_t first_seed = 1;
static unsigned long wanted_calls;	/* or 0, for a time */

static bool enough(const struct world *world, long long until, unsigned long calls)
{
	return wanted_calls ? world->calls >= calls : t_now_ms() >= until;
}

/* Sequences until there were enough calls; the seed of one that failed, or 0. */
static uint64_t storm(struct world *world, uint64_t seed, int ms, unsigned long calls)
{
	long long until = t_now_ms() + ms;
	struct op ops[LENGTH];

	learn_bytes(world);
	for (; !enough(world, until, calls); seed += WORLDS + 1) {
		make_sequence(seed, ops);
		if (run_sequence(world, ops, LENGTH) >= 0)
			return seed;
	}
	return 0;
}

static struct world worlds[WORLDS + 1];
static struct grants *grants;

struct told {
	unsigned long calls, refused;
	uint64_t seed;
	char wrong[300];
};

static int told[2], storm_ms;

static void *storm_in_thread(void *argument)
{
	struct world *world = argument;
	struct told end = { 0 };

	end.seed = storm(world, first_seed + (world - worlds), storm_ms, wanted_calls / 2 / WORLDS);
	end.calls = world->calls;
	end.refused = world->refused;
	memcpy(end.wrong, world->wrong, sizeof(end.wrong));
	if (write(told[1], &end, sizeof(end)) != sizeof(end))
		t_bail("write: %s", strerror(errno));
	return NULL;
}

/* A process with two threads that share an instance; and another such one. */
static int storm_in_process(void *argument)
{
	struct world *world = argument;
	pthread_t threads[3];
	int shared = dev_open();

	for (int i = 0; i < 3; i++) {
		world[i].shared = i < 2 ? shared : -1;
		pthread_create(&threads[i], NULL, storm_in_thread, &world[i]);
	}
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long calls = 0, refused = 0;
	unsigned int failed = 0, events;
	struct channel *channel;
	struct op ops[LENGTH];
	pid_t processes[2];
	struct told end;
	uint64_t seed;

	t_start();
	storm_ms = 15000;
	/* Once in each mode. */
	if (granter_is_self() || !t_self_grants())
		wanted_calls = t_rounds(0, 1000000);
	if (argc > 1)
		first_seed = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		wanted_calls = strtoul(argv[2], NULL, 0);
	grants = grants_make(PAGES * (WORLDS + 1));
	channel = channel_make();
	for (int i = 0; i <= WORLDS; i++) {
		worlds[i].refs = grants->refs + i * PAGES;
		worlds[i].shared = -1;
	}

	/* One call after the other. */
	worlds[WORLDS].alone = true;
	worlds[WORLDS].port = channel->port;
	seed = storm(&worlds[WORLDS], first_seed + WORLDS, storm_ms, wanted_calls / 2);
	check("A1", !seed, "%lu calls by one thread, of which %lu are refused, as the model has it",
	      worlds[WORLDS].calls, worlds[WORLDS].refused);
	if (seed) {
		t_note("seed %llu: %s", (unsigned long long)seed, worlds[WORLDS].wrong);
		make_sequence(seed, ops);
		shrink(&worlds[WORLDS], ops, LENGTH);
	}
	events = channel_events(channel);
	check("N3", !!events == !!worlds[WORLDS].sends, "events come (%u, of %u that were asked for)", events,
	      worlds[WORLDS].sends);
	/* What the granter sees is what the device has shown. */
	learn_bytes(&worlds[WORLDS]);
	for (int i = 0; i < PAGES; i++)
		for (int k = 0; k < SPOTS; k++)
			failed += grants_peek(grants, WORLDS * PAGES + i, spots[k]) != worlds[WORLDS].bytes[i][k];
	check_eq("V1", failed, 0, "the granter sees the same bytes");
	check_eq("A2", xen_holds(grants), 0, "nothing stays mapped");

	/* All at once. */
	if (pipe(told))
		t_bail("pipe: %s", strerror(errno));
	for (int i = 0; i < 2; i++)
		processes[i] = t_child(storm_in_process, &worlds[i * 3]);
	failed = 0;
	seed = storm(&worlds[WORLDS], first_seed + WORLDS + 1000000, storm_ms, wanted_calls / 2 +
		     wanted_calls / 20);
	check("A1", !seed, "calls that are as the model has it, while others storm");
	if (seed)
		t_note("seed %llu: %s", (unsigned long long)seed, worlds[WORLDS].wrong);
	for (int i = 0; i < WORLDS; i++) {
		if (read(told[0], &end, sizeof(end)) != sizeof(end))
			t_bail("a storm has ended without a word");
		calls += end.calls;
		refused += end.refused;
		if (end.seed) {
			failed++;
			t_note("seed %llu: %s", (unsigned long long)end.seed, end.wrong);
		}
	}
	check_eq("A1", failed, 0, "%lu calls by six threads of two processes, of which %lu are refused", calls,
		 refused);
	for (int i = 0; i < 2; i++)
		check_eq("A1", t_wait(processes[i]), 0, "a process with three threads ends");
	check_eq("A2", xen_holds(grants), 0, "nothing stays mapped");
	channel_free(channel);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
