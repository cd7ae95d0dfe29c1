// SPDX-License-Identifier: GPL-2.0-or-later
/* TAP, children, and memory that may fault: see t.h. */
#define _GNU_SOURCE
#include "t.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct {
	unsigned int checks, failures, skipped;
	pid_t pid;
} t;

/* A test that hangs is a test that fails. */
#define WATCHDOG_S 600

static void too_long(int signal)
{
	static const char said[] = "Bail out! the program did not end in time\n";

	(void)signal;
	if (getpid() == t.pid && write(STDOUT_FILENO, said, sizeof(said) - 1) < 0)
		_exit(98);
	_exit(98);
}

void t_start(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	t.pid = getpid();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, too_long);
	t_more_time();
}

void t_more_time(void)
{
	alarm(t_rounds(WATCHDOG_S, 24 * WATCHDOG_S));
}

int t_done(void)
{
	printf("1..%u\n", t.checks);
	fflush(stdout);
	return t.failures ? 1 : 0;
}

void t_bail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf("Bail out! ");
	vprintf(fmt, args);
	printf("\n");
	va_end(args);
	fflush(stdout);
	_exit(97);
}

void t_note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf("# ");
	vprintf(fmt, args);
	printf("\n");
	va_end(args);
}

static void say(const char *rule, bool good, const char *fmt, va_list args)
{
	printf("%sok %u - [%s] ", good ? "" : "not ", ++t.checks, rule);
	vprintf(fmt, args);
	printf("\n");
	if (!good)
		t.failures++;
}

void t_skip(const char *rule, const char *why, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf("ok %u - [%s] ", ++t.checks, rule);
	vprintf(fmt, args);
	printf(" # SKIP %s\n", why);
	va_end(args);
	t.skipped++;
}

bool t_check(const char *rule, bool good, const char *did, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(rule, good, fmt, args);
	va_end(args);
	if (!good)
		printf("#      did: %s\n# expected: true\n#      got: false\n", did);
	return good;
}

bool t_check_eq(const char *rule, const char *did, long long got, long long want,
		const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(rule, got == want, fmt, args);
	va_end(args);
	if (got != want)
		printf("#      did: %s\n# expected: %lld (0x%llx)\n#      got: %lld (0x%llx)\n",
		       did, want, want, got, got);
	return got == want;
}

static const char *errno_name(int number)
{
	const char *name = number ? strerrorname_np(number) : "success";

	return name ? name : "an unknown errno";
}

bool t_check_call(const char *rule, const char *did, int got, const int *wanted,
		  const char *fmt, ...)
{
	bool good = false;
	va_list args;

	for (const int *want = wanted; *want != -1; want++)
		good = good || got == *want;
	va_start(args, fmt);
	say(rule, good, fmt, args);
	va_end(args);
	if (!good) {
		printf("#      did: %s\n# expected:", did);
		for (const int *want = wanted; *want != -1; want++)
			printf("%s %s", want == wanted ? "" : " or", errno_name(*want));
		printf("\n#      got: %s (%d)\n", errno_name(got), got);
	}
	return good;
}

bool t_pv(void)
{
	char type[16] = "";

	if (!t_read_file("/sys/hypervisor/guest_type", type, sizeof(type)))
		t_bail("no /sys/hypervisor/guest_type: is this a Xen domain?");
	return !strncmp(type, "PV\n", 3);
}

bool t_unpopulated(void)
{
	return !system("grep -q ' xen_alloc_unpopulated_pages$' /proc/kallsyms");
}

bool t_self_grants(void)
{
	return IS_ARM || t_pv();
}

unsigned int t_domid(void)
{
	const char *domid = getenv("VM_DOMID");

	if (!domid)
		t_bail("VM_DOMID is not set: run this by tests/run-in-vm");
	return atoi(domid);
}

bool t_dom0(void)
{
	return t_domid() == 0;
}

int t_cpus(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN);
}

static __thread sigjmp_buf fault;
static __thread volatile bool touching;

/* A fault of anything else is as fatal as ever, when it comes again. */
static void faulted(int number)
{
	if (touching)
		siglongjmp(fault, number);
	signal(number, SIG_DFL);
}

static int touch(volatile uint8_t *byte, uint8_t *value, bool write)
{
	static const struct sigaction action = { .sa_handler = faulted, .sa_flags = SA_NODEFER };
	static volatile bool ready;
	int signal;

	if (!ready) {
		sigaction(SIGBUS, &action, NULL);
		sigaction(SIGSEGV, &action, NULL);
		ready = true;
	}
	touching = true;
	signal = sigsetjmp(fault, 0);
	if (!signal) {
		if (write)
			*byte = *value;
		else
			*value = *byte;
	}
	touching = false;
	return signal;
}

int t_peek(const volatile void *byte, uint8_t *value)
{
	return touch((volatile uint8_t *)byte, value, false);
}

int t_poke(volatile void *byte, uint8_t value)
{
	return touch(byte, &value, true);
}

int t_byte(const volatile void *byte)
{
	uint8_t value = 0;
	int signal = t_peek(byte, &value);

	return signal ? -signal : value;
}

pid_t t_child(int (*run)(void *argument), void *argument)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		t_bail("fork: %s", strerror(errno));
	if (!pid) {
		alarm(t_rounds(WATCHDOG_S, 24 * WATCHDOG_S));
		_exit(run(argument));
	}
	return pid;
}

int t_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			t_bail("waitpid: %s", strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

bool t_becomes_asleep(const pid_t *thread)
{
	long long until = t_now_ms() + T_PATIENCE_MS;
	char path[64], text[256];

	while (t_now_ms() < until) {
		pid_t number = __atomic_load_n(thread, __ATOMIC_ACQUIRE);
		const char *state;

		snprintf(path, sizeof(path), "/proc/self/task/%d/stat", number);
		if (!number || !t_read_file(path, text, sizeof(text)))
			continue;
		state = strrchr(text, ')');
		if (state && state[2] == 'S')
			return true;
	}
	return false;
}

void gate_make(struct gate *gate)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		t_bail("pipe: %s", strerror(errno));
	gate->in = ends[0];
	gate->out = ends[1];
}

void gate_open(struct gate *gate)
{
	if (write(gate->out, "", 1) != 1)
		_exit(96);
}

bool gate_wait(struct gate *gate)
{
	struct pollfd poll_in = { .fd = gate->in, .events = POLLIN };
	char byte;

	return poll(&poll_in, 1, T_PATIENCE_MS) == 1 && read(gate->in, &byte, 1) == 1;
}

void gate_free(struct gate *gate)
{
	close(gate->in);
	close(gate->out);
}

bool t_write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t length = strlen(text);
	bool good;

	if (fd < 0)
		return false;
	good = write(fd, text, length) == length;
	close(fd);
	return good;
}

bool t_read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t n = 0;

	if (fd < 0)
		return false;
	while (length < size - 1 && (n = read(fd, text + length, size - 1 - length)) > 0)
		length += n;
	close(fd);
	text[length] = '\0';
	return n >= 0;
}

long long t_read_number(const char *path)
{
	char text[64];

	return t_read_file(path, text, sizeof(text)) ? atoll(text) : -1;
}

bool t_full(void)
{
	return getenv("T_CHANCE");
}

unsigned int t_rounds(unsigned int usual, unsigned int often)
{
	const char *chance = getenv("T_CHANCE");

	return chance && !strcmp(chance, "often") ? often : usual;
}

long long t_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}
