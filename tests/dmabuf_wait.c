// SPDX-License-Identifier: GPL-2.0-or-later
/* DMABUF_EXP_WAIT_RELEASED: what is waited for, by whom, and what a number stands for. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/grant.h"

#define N 3
#define WAITERS 5
#define RACES 2000

static struct grants *grants;
static int fd;

static int export(unsigned int n)
{
	int buffer;

	if (dev_export(fd, 0, grants->refs, n, &buffer))
		t_bail("export: %m");
	return buffer;
}

static void asked(void)
{
	int buffer, other = dev_open();

	check_errno("E5", dev_wait_released(fd, 12345, 0), ENOENT, "a number that was never one");
	check_errno("E5", dev_wait_released(fd, -1, 0), ENOENT, "descriptor -1");
	check_errno("E5", dev_wait_released(fd, fd, 0), ENOENT, "a descriptor that is no dma-buf");
	buffer = export(N);
	check_errno("E5", dev_wait_released(fd, buffer, 0), ETIMEDOUT, "0 ms only asks");
	check_errno("E5", dev_wait_released(fd, buffer, 20), ETIMEDOUT, "20 ms");
	check_errno("E5", dev_wait_released(other, buffer, 0), ENOENT, "another instance");
	close(buffer);
	check_errno("E5", dev_wait_released(fd, buffer, 0), ENOENT, "released");
	close(other);
}

struct waiter {
	pthread_t thread;
	pid_t pid;
	int buffer;
	int error; /* 0 if the wait succeeded */
	bool done;
};

static void *wait_for_it(void *argument)
{
	struct waiter *waiter = argument;

	__atomic_store_n(&waiter->pid, gettid(), __ATOMIC_RELEASE);
	waiter->error = dev_wait_released(fd, waiter->buffer, T_PATIENCE_MS) ? errno : 0;
	__atomic_store_n(&waiter->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* Half of the time that it may take: then it has not just run out. */
static bool becomes_released(struct waiter *waiter)
{
	long long until = t_now_ms() + T_PATIENCE_MS / 2;

	while (!__atomic_load_n(&waiter->done, __ATOMIC_ACQUIRE))
		if (t_now_ms() > until)
			return false;
	return true;
}

static void several(void)
{
	struct waiter waiters[WAITERS] = { 0 };
	int buffer = export(N), copy = dup(buffer);
	char *mapping = mmap(NULL, PAGE, RW, MAP_SHARED, buffer, PAGE);

	for (unsigned int i = 0; i < WAITERS; i++) {
		waiters[i].buffer = i % 2 ? buffer : copy;
		pthread_create(&waiters[i].thread, NULL, wait_for_it, &waiters[i]);
		check("E5", t_becomes_asleep(&waiters[i].pid), "waiter %u waits", i);
	}
	close(buffer);
	close(copy);
	check_errno("E5", dev_wait_released(fd, buffer, 0), ETIMEDOUT,
		    "no descriptor is open, but it is mapped");
	check_errno("E5", dev_wait_released(fd, copy, 0), ENOENT,
		    "a number that was only a copy stands for nothing then");
	munmap(mapping, PAGE);
	for (unsigned int i = 0; i < WAITERS; i++) {
		pthread_join(waiters[i].thread, NULL);
		check_eq("E5", waiters[i].error, 0, "waiter %u learns of the release", i);
	}
	check_eq("E4", xen_holds(grants), 0, "Xen holds nothing then");
	check_errno("E5", dev_wait_released(fd, buffer, 0), ENOENT, "who asks later finds nothing");
}

static void no_action(int signal)
{
	(void)signal;
}

static void interrupted(void)
{
	struct sigaction action = { .sa_handler = no_action, .sa_flags = SA_RESTART };
	struct waiter waiter = { .buffer = export(N) };

	sigaction(SIGUSR1, &action, NULL);
	pthread_create(&waiter.thread, NULL, wait_for_it, &waiter);
	check("E5", t_becomes_asleep(&waiter.pid), "a thread waits");
	pthread_kill(waiter.thread, SIGUSR1);
	pthread_join(waiter.thread, NULL);
	check_eq("E5", waiter.error, EINTR, "a signal ends the wait");
	check_errno("E5", dev_wait_released(fd, waiter.buffer, 0), ETIMEDOUT, "the buffer is there");
	close(waiter.buffer);
}

static void number_used_again(void)
{
	int first = export(N), copy = fcntl(first, F_DUPFD_CLOEXEC, 100), second, file;
	struct waiter waiter = { 0 };

	close(first);
	second = export(1);
	check_eq("E5", second, first, "a number is used again");
	check_errno("E5", dev_wait_released(fd, second, 0), ETIMEDOUT, "for what is open");
	close(second);
	check_errno("E5", dev_wait_released(fd, first, 0), ETIMEDOUT,
		    "that released, the number stands for the first one again");
	check_errno("E5", dev_wait_released(fd, copy, 0), ETIMEDOUT, "as the other descriptor does");
	file = open("/dev/null", O_RDONLY | O_CLOEXEC);
	check_eq("E5", file, first, "the number is a file's now");
	check_errno("E5", dev_wait_released(fd, first, 0), ETIMEDOUT, "it stands for the export still");
	close(copy);
	check_errno("E5", dev_wait_released(fd, first, 0), ENOENT, "until that is released");
	close(file);

	/* Two exports that had it, none open under it: the newest. */
	waiter.buffer = first = export(N);
	copy = fcntl(first, F_DUPFD_CLOEXEC, 100);
	close(first);
	second = export(1);
	file = fcntl(second, F_DUPFD_CLOEXEC, 101);
	close(second);
	check_eq("E5", second, first, "two exports had one number");
	pthread_create(&waiter.thread, NULL, wait_for_it, &waiter);
	check("E5", t_becomes_asleep(&waiter.pid), "a thread waits by it");
	close(file);
	check("E5", becomes_released(&waiter), "the newest is released, which it waited for");
	check_errno("E5", dev_wait_released(fd, first, 0), ETIMEDOUT, "the older one is there");
	close(copy);
	pthread_join(waiter.thread, NULL);
	check_eq("E5", waiter.error, 0, "the thread had its release");
	check_errno("E5", dev_wait_released(fd, first, 0), ENOENT, "and now neither is there");
}

/* The kernel may use a page for longer than anybody has the buffer. */
static void busy(void)
{
	struct waiter waiter = { .buffer = export(N) };
	char *mapping = mmap(NULL, N * PAGE, RW, MAP_SHARED, waiter.buffer, 0), bytes[PAGE];
	struct iovec page = { mapping + PAGE, PAGE };
	int ends[2];

	grants_fill(grants, 2);
	if (pipe(ends) || vmsplice(ends[1], &page, 1, 0) != PAGE)
		t_bail("vmsplice: %m");
	munmap(mapping, N * PAGE);
	close(waiter.buffer);
	check_eq("E5", xen_holds(grants), 1, "a page is in a pipe");
	check_errno("E5", dev_wait_released(fd, waiter.buffer, 0), ETIMEDOUT, "it is not released");
	pthread_create(&waiter.thread, NULL, wait_for_it, &waiter);
	check("E5", t_becomes_asleep(&waiter.pid), "a thread waits");
	check_eq("E5", read(ends[0], bytes, PAGE), PAGE, "the pipe is read");
	check_eq("E5", *(uint64_t *)bytes, pattern_word(2, 1, 0), "and has the page");
	pthread_join(waiter.thread, NULL);
	check_eq("E5", waiter.error, 0, "the thread learns of the release");
	check_eq("E4", xen_holds(grants), 0, "Xen holds nothing then");
	close(ends[0]);
	close(ends[1]);
}

static struct {
	int buffer;
	unsigned int wrong;
	bool over, done;
} race;

static void *wait_again_and_again(void *unused)
{
	while (!__atomic_load_n(&race.over, __ATOMIC_ACQUIRE))
		if (dev_wait_released(fd, race.buffer, T_PATIENCE_MS) && errno != ENOENT)
			race.wrong++;
	__atomic_store_n(&race.done, true, __ATOMIC_RELEASE);
	return unused;
}

/*
 * The descriptor is closed at the moment when somebody begins to wait by it: he must not be the one
 * who keeps the buffer.
 */
static void closed_meanwhile(void)
{
	long long until;
	pthread_t waiter;

	race.buffer = export(1);
	close(race.buffer);
	pthread_create(&waiter, NULL, wait_again_and_again, NULL);
	for (unsigned int i = 0; i < RACES; i++)
		close(export(1));
	__atomic_store_n(&race.over, true, __ATOMIC_RELEASE);
	until = t_now_ms() + T_PATIENCE_MS / 2;
	while (!__atomic_load_n(&race.done, __ATOMIC_ACQUIRE) && t_now_ms() < until)
		;
	check("E5", race.done, "%u buffers are closed under a waiting thread's eyes", RACES);
	pthread_join(waiter, NULL);
	check_eq("E5", race.wrong, 0, "each wait ends with the release");
	check_eq("E4", xen_holds(grants), 0, "nothing stays mapped");
}

int main(void)
{
	t_start();
	fd = dev_open();
	grants = grants_make(N);
	asked();
	several();
	interrupted();
	number_used_again();
	busy();
	closed_meanwhile();
	close(fd);
	check_eq("A2", grants_free(grants), 0, "the pages are free");
	return t_done();
}
