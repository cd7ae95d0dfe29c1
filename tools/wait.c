// SPDX-License-Identifier: GPL-2.0-or-later
/* Waiting for the end, and for what happens meanwhile. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "wait.h"

static int signals = -1;

void wait_prepare(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (signals < 0)
		fail("signals cannot be waited for: %s", strerror(errno));
}

long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* What is typed is of no interest. */
static bool input_ended(void)
{
	char unread[256];

	return read(STDIN_FILENO, unread, sizeof(unread)) <= 0;
}

enum woken wait_for(bool input, int fd, int ms)
{
	struct pollfd polled[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = fd, .events = POLLIN },
		{ .fd = input ? STDIN_FILENO : -1, .events = POLLIN },
	};
	long long end = now_ms() + ms;

	for (;;) {
		long long left = ms < 0 ? -1 : end - now_ms();

		if (ms >= 0 && left < 0)
			left = 0;
		if (poll(polled, 3, left) < 0 && errno != EINTR)
			fail("poll: %s", strerror(errno));
		if (polled[0].revents)
			return WOKEN_STOP;
		if (polled[1].revents)
			return WOKEN_EVENT;
		if (polled[2].revents && input_ended())
			return WOKEN_INPUT;
		if (!left)
			return WOKEN_TIME;
	}
}

void wait_for_signal(void)
{
	wait_for(false, -1, -1);
}
