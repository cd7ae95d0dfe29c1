/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks that print TAP. A check names the rule of the contract that it is about,
 * and one that fails prints what was done, what was expected and what came.
 */
#ifndef TESTS_LIB_T_H
#define TESTS_LIB_T_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define PAGE 4096UL

/* Every wait for another process or domain ends after this long, and fails. */
#define T_PATIENCE_MS 60000

void t_start(void);
/* For what takes long: from now on it is as if the test had just begun. */
void t_more_time(void);
/* The plan; returns the exit status of the program. */
int t_done(void);
/* Ends the whole run: this test cannot say anything about the driver. */
void t_bail(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
void t_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void t_skip(const char *rule, const char *why, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

bool t_check(const char *rule, bool good, const char *did, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
bool t_check_eq(const char *rule, const char *did, long long got, long long want,
		const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* @wanted is a list of errnos that ends with -1; 0 in it stands for success. */
bool t_check_call(const char *rule, const char *did, int got, const int *wanted,
		  const char *fmt, ...) __attribute__((format(printf, 5, 6)));

#define check(rule, good, ...) t_check(rule, (good), #good, __VA_ARGS__)
#define check_eq(rule, got, want, ...) \
	t_check_eq(rule, #got, (long long)(got), (long long)(want), __VA_ARGS__)

/* What a call that returns -1 (or MAP_FAILED) on error left in errno, 0 if it succeeded. */
#define errno_of(call) ({ errno = 0; (long)(call) == -1L ? errno : 0; })
#define errnos(...) ((const int[]){ __VA_ARGS__, -1 })
#define check_errno(rule, call, want, ...) \
	t_check_call(rule, #call, errno_of(call), errnos(want), __VA_ARGS__)
#define check_errnos(rule, call, wants, ...) \
	t_check_call(rule, #call, errno_of(call), wants, __VA_ARGS__)
#define check_ok(rule, call, ...) check_errno(rule, call, 0, __VA_ARGS__)

#ifdef __aarch64__
#define IS_ARM true
#else
#define IS_ARM false
#endif

/* The mode of this domain, and where it is. */
bool t_pv(void);
/*
 * Does the kernel map grants at pages that have no memory? Where it does not, as Debian's 6.1 on Arm,
 * every page comes out of the domain's own memory.
 */
bool t_unpopulated(void);
/* Can this domain grant to itself? Not if it is auto-translated on x86 (V9). */
bool t_self_grants(void);
bool t_dom0(void);
unsigned int t_domid(void);
int t_cpus(void);

/*
 * Memory that may fault: 0, or the signal that the access got. The value goes through
 * @value.
 */
int t_peek(const volatile void *byte, uint8_t *value);
int t_poke(volatile void *byte, uint8_t value);
/* The byte, or -SIGBUS, -SIGSEGV. */
int t_byte(const volatile void *byte);

/*
 * Child processes. A child prints nothing that looks like a check: what it found is its
 * exit status. t_wait() gives that, or minus the signal that ended it.
 */
pid_t t_child(int (*run)(void *argument), void *argument);
int t_wait(pid_t pid);
/*
 * Waits until a thread of this process is asleep in the kernel. It tells its number there itself;
 * until then that is 0.
 */
bool t_becomes_asleep(const pid_t *thread);

/* A thing one process can wait for and another can do. Survives fork, not exec. */
struct gate {
	int in, out;
};

void gate_make(struct gate *gate);
void gate_open(struct gate *gate);
/* False when nobody opened it in time. */
bool gate_wait(struct gate *gate);
void gate_free(struct gate *gate);

/* Whether there is time for what takes long (T_CHANCE is "full" or "often"). */
bool t_full(void);
/* How often to do what is to hit by chance: less in every run than when all is at stake ("often"). */
unsigned int t_rounds(unsigned int usual, unsigned int often);

/* Small text files; false, and errno, when it cannot be done. */
bool t_write_file(const char *path, const char *text);
bool t_read_file(const char *path, char *text, size_t size);
long long t_read_number(const char *path);

/* Milliseconds of a clock that never jumps. */
long long t_now_ms(void);

/* Asks again and again, as nobody tells; false if it did not come to that in time. */
#define t_eventually(condition) ({ \
	long long until_ = t_now_ms() + T_PATIENCE_MS; \
	bool came_; \
	while (!(came_ = (condition)) && t_now_ms() < until_) \
		; \
	came_; \
})

#endif
