// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * As Qubes's GUI does: its daemon registers the pages of a window with a fresh instance,
 * passes the descriptor to the X server, and closes it; the server knows the device by
 * fstat(2), maps index 0 to read, and closes it, too.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/grant.h"
#include "lib/pass.h"

/* A window of 640 by 480 pixels takes 300 pages. */
#define N 300
#define WINDOWS 8

/* What the daemon asks of the server: orders go over the socket, answers come back over it. */
enum order { ATTACH, LOOK, FORCE, DETACH };
struct request {
	enum order order;
	unsigned int window, pages, seed;
};

static int sockets[2];

static int attach(char **window, unsigned int pages)
{
	struct stat device, got;
	int fd = receive_fd(sockets[1]);

	if (stat(DEVICE, &device) || fstat(fd, &got))
		return 1;
	if (!S_ISCHR(got.st_mode) || got.st_dev != device.st_dev || got.st_ino != device.st_ino ||
	    got.st_rdev != device.st_rdev)
		return 2;
	*window = mmap(NULL, pages * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	return *window == MAP_FAILED ? 3 : 0;
}

/* The X server. It never opens the device, and its answers are 0 if all is well. */
static int server(void *unused)
{
	char *windows[WINDOWS] = { 0 };
	struct request request;
	int answer;

	(void)unused;
	close(sockets[0]);
	while (read(sockets[1], &request, sizeof(request)) == sizeof(request)) {
		char **window = &windows[request.window];

		switch (request.order) {
		case ATTACH:
			answer = attach(window, request.pages);
			break;
		case LOOK:
			answer = mapping_bad(*window, request.pages, request.seed);
			break;
		case FORCE:
			answer = t_poke(*window, 1) != SIGSEGV ||
				 !mprotect(*window, request.pages * PAGE, RW) || errno != EACCES;
			break;
		default:
			answer = munmap(*window, request.pages * PAGE);
			break;
		}
		if (write(sockets[1], &answer, sizeof(answer)) != sizeof(answer))
			return 1;
	}
	return 0;
}

static int answer_to(enum order order, unsigned int window, unsigned int pages, unsigned int seed)
{
	struct request request = { order, window, pages, seed };
	int answer;

	if (write(sockets[0], &request, sizeof(request)) != sizeof(request) ||
	    read(sockets[0], &answer, sizeof(answer)) != sizeof(answer))
		return -1;
	return answer;
}

static int start_server(void)
{
	int pid;

	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets);
	pid = t_child(server, NULL);
	close(sockets[1]);
	return pid;
}

/* A fresh instance with one range, whose index was set to what no index is. */
static int register_window(const struct grants *grants, uint64_t *index)
{
	struct ioctl_gntdev_map_grant_ref *map;
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC | O_NOCTTY);

	map = calloc(1, sizeof(*map) + grants->n * sizeof(map->refs[0]));
	map->count = grants->n;
	map->index = UINT64_MAX;
	memcpy(map->refs, grants->refs, grants->n * sizeof(map->refs[0]));
	if (fd < 0 || ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, map))
		t_bail("a window of %u pages: %m", grants->n);
	*index = map->index;
	free(map);
	return fd;
}

/* The descriptor is closed here before the server has looked at it. */
static int attach_window(unsigned int window, const struct grants *grants)
{
	struct request request = { ATTACH, window, grants->n, 0 };
	uint64_t index;
	int fd = register_window(grants, &index), answer;

	if (index || write(sockets[0], &request, sizeof(request)) != sizeof(request) ||
	    pass_fd(sockets[0], fd))
		return -1;
	close(fd);
	return read(sockets[0], &answer, sizeof(answer)) == sizeof(answer) ? answer : -1;
}

static void one_window(struct grants *grants, const char *kind)
{
	uint64_t index;
	int fd;

	fd = register_window(grants, &index);
	check_eq("P2", index, 0, "%s: the first range of a fresh instance has index 0", kind);
	close(fd);
	check_eq("P1", xen_holds(grants), 0, "%s: closed without having been mapped", kind);

	grants_fill(grants, 1);
	check_eq("P1", attach_window(0, grants), 0,
		 "%s: another process gets the descriptor, maps it to read and closes it", kind);
	check_eq("P1", answer_to(LOOK, 0, N, 1), 0, "%s: it sees the window", kind);
	grants_fill(grants, 2);
	check_eq("P1", answer_to(LOOK, 0, N, 2), 0, "%s: and what is drawn now", kind);
	check_eq("P1", answer_to(FORCE, 0, N, 0), 0, "%s: it cannot write", kind);
	check("P1", xen_holds(grants) >= N, "%s: Xen holds the pages, with no descriptor open",
	      kind);
	check_eq("P1", answer_to(DETACH, 0, N, 0), 0, "%s: munmap", kind);
	check_eq("P1", xen_holds(grants), 0, "%s: and Xen holds nothing", kind);
}

/* Windows of one domain, of different sizes, all open at once; each has an instance of its own. */
static void many_windows(void)
{
	struct grants *windows[WINDOWS];
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < WINDOWS; i++) {
		windows[i] = grants_make(1 + 9 * i);
		grants_fill(windows[i], 10 + i);
		wrong += attach_window(i, windows[i]) != 0;
	}
	check_eq("P2", wrong, 0, "%u windows, each at index 0 of an instance of its own", WINDOWS);
	for (unsigned int i = 0; i < WINDOWS; i++)
		wrong += answer_to(LOOK, i, windows[i]->n, 10 + i) != 0;
	check_eq("P1", wrong, 0, "each shows its own pages");
	/* A window that changes its size is detached and attached anew. */
	wrong += answer_to(DETACH, 3, windows[3]->n, 0) != 0;
	check_eq("P1", xen_holds(windows[3]), 0, "a window is detached");
	wrong += attach_window(3, windows[3]) != 0;
	wrong += answer_to(LOOK, 3, windows[3]->n, 13) != 0;
	check_eq("P1", wrong, 0, "and attached anew, beside the others");
	for (unsigned int i = 0; i < WINDOWS; i++)
		wrong += answer_to(DETACH, i, windows[i]->n, 0) != 0;
	check_eq("P1", wrong, 0, "all are detached");
	for (unsigned int i = 0; i < WINDOWS; i++)
		wrong += xen_holds(windows[i]) + grants_free(windows[i]);
	check_eq("A2", wrong, 0, "the pages are free");
}

/* The server is killed with a window attached and a descriptor on its way. */
static void server_dies(struct grants *grants, int pid)
{
	uint64_t index;
	int fd, status;

	check_eq("P1", attach_window(0, grants), 0, "a window is attached");
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	fd = register_window(grants, &index);
	check_ok("P1", pass_fd(sockets[0], fd), "another one is on its way");
	close(fd);
	kill(pid, SIGKILL);
	check_eq("P1", t_wait(pid), -SIGKILL, "the server is killed");
	close(sockets[0]);
	check_eq("P1", xen_holds(grants), 0, "Xen holds nothing");
}

/* The daemon: attaches a window, and is gone. */
static int short_daemon(void *grants)
{
	return attach_window(1, grants);
}

static void daemon_dies(struct grants *grants)
{
	int pid = start_server();

	grants_fill(grants, 5);
	check_eq("P1", t_wait(t_child(short_daemon, grants)), 0,
		 "a daemon attaches a window and exits");
	check_eq("P1", answer_to(LOOK, 1, N, 5), 0, "the server still shows it");
	close(sockets[0]);
	check_eq("P1", t_wait(pid), 0, "the server exits");
	check_eq("P1", xen_holds(grants), 0, "and Xen holds nothing");
}

int main(void)
{
	struct grants *grants, *readonly;
	int pid;

	t_start();
	grants = grants_make(N);
	readonly = grants_make_readonly(N);
	pid = start_server();
	one_window(grants, "writable grants");
	one_window(readonly, "read-only grants");
	many_windows();
	server_dies(grants, pid);
	daemon_dies(grants);
	check_eq("A2", grants_free(readonly) + grants_free(grants), 0, "the pages are free");
	return t_done();
}
