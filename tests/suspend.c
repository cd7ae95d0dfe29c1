// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A guest that is suspended, with whatever it can have of the device: by a checkpoint the same
 * domain goes on, and has its mappings again; after a restore or a migration it is another domain,
 * to which nobody granted anything, so that the mappings are void.
 *
 * suspend [checkpoint|restore|migrate ROUNDS]: the latter alone, again and again
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/buffer.h"
#include "lib/grant.h"

typedef uint16_t domid_t; /* which evtchn.h expects to be there */
#include <xen/evtchn.h>

#define BOTH (UNMAP_NOTIFY_CLEAR_BYTE | UNMAP_NOTIFY_SEND_EVENT)
#define N 5

/* What is done in this round, and whether it is the same domain that goes on. */
static const char *name;
static bool back;

/* A range with its pages. */
struct range {
	int fd;
	uint64_t index;
	char *memory;
	struct grants *grants;
	unsigned int seed;
};

static void range_register(struct range *range, struct grants *grants)
{
	static unsigned int seed;

	range->fd = dev_open();
	range->grants = grants;
	range->seed = ++seed;
	grants_fill(grants, range->seed);
	if (dev_map(range->fd, grants->refs, N, &range->index))
		t_bail("cannot register %u references: %m", N);
}

static void range_map(struct range *range, struct grants *grants, int prot)
{
	range_register(range, grants);
	range->memory = dev_mmap(range->fd, range->index, N, prot);
	if (range->memory == MAP_FAILED)
		t_bail("cannot map %u references: %m", N);
}

/* How many pages give SIGBUS. */
static unsigned int bus_errors(const char *memory)
{
	unsigned int found = 0;

	for (int i = 0; i < N; i++)
		found += t_byte(memory + i * PAGE) == -SIGBUS;
	return found;
}

/* Shows @range what it should, at @memory? */
static void shown(const struct range *range, const char *memory, const char *what)
{
	if (back)
		check_eq("S2", mapping_bad(memory, N, range->seed), 0,
			 "%s: %s: the granter's pages",
			 name, what);
	else
		check_eq("S2", bus_errors(memory), N, "%s: %s: each page gives SIGBUS", name, what);
}

static void written(const struct range *range, char *memory, const char *what)
{
	if (back) {
		check_eq("S2", t_poke(memory + 3 * PAGE + 9, 0x5d), 0, "%s: %s: a byte is written",
			 name, what);
		check_eq("S2", grants_peek(range->grants, 3, 9), 0x5d, "%s: %s: the granter has it",
			 name, what);
		grants_poke(range->grants, 2, 1, 0x6e);
		check_eq("S2", t_byte(memory + 2 * PAGE + 1), 0x6e,
			 "%s: %s: and the other way round",
			 name, what);
	} else {
		check_eq("S2", t_poke(memory + 3 * PAGE + 9, 0x5d), SIGBUS,
			 "%s: %s: nor can it be changed",
			 name, what);
		check_eq("S2", grants_bad(range->grants, range->seed), 0,
			 "%s: %s: the granter has its own bytes", name, what);
	}
}

/* Nobody has the pages any more, which are freed. */
static void range_end(struct range *range, const char *what)
{
	check_eq("S4", xen_holds(range->grants), 0, "%s: %s: Xen holds nothing", name, what);
	check_eq("S4", grants_free(range->grants), 0, "%s: %s: the granter has its pages back",
		 name, what);
}

/* ---- mapped ---- */

static struct range plain, readonly, unused, descriptor_gone;
static char byte_of[1];

static void mapped(void)
{
	int ends[2];

	range_map(&plain, grants_make(N), RW);
	/* The kernel uses one, so that in PV it has that page at its own address. */
	if (pipe(ends) || write(ends[1], plain.memory + PAGE, 1) != 1 ||
	    read(ends[0], byte_of, 1) != 1)
		t_bail("no write(2) from a mapping: %m");
	close(ends[0]);
	close(ends[1]);
	range_map(&readonly, grants_make_readonly(N), RO);
	range_register(&unused, grants_make(N));
	range_map(&descriptor_gone, grants_make(N), RW);
	close(descriptor_gone.fd);
}

static void mapped_after(void)
{
	unsigned int count = 0;
	uint64_t index = 0;
	int ends[2];
	void *again;

	shown(&plain, plain.memory, "mapped");
	written(&plain, plain.memory, "mapped");
	check_ok("S2", dev_offset(plain.fd, plain.memory, &index, &count),
		 "%s: mapped: GET_OFFSET_FOR_VADDR", name);
	check("S2", index == plain.index && count == N, "%s: mapped: and it is right", name);
	check_errno("S2", dev_unmap(plain.fd, plain.index, N), EBUSY,
		    "%s: mapped: UNMAP_GRANT_REF before munmap", name);
	if (!back) {
		if (pipe(ends))
			t_bail("pipe: %m");
		check_errno("S2", write(ends[1], plain.memory + PAGE, 1), EFAULT,
			    "%s: mapped: write(2) from it", name);
		check_errno("S2", write(ends[1], plain.memory + 2 * PAGE, 1), EFAULT,
			    "%s: mapped: also from a page that the kernel had not used", name);
		close(ends[0]);
		close(ends[1]);
		again = dev_mmap(plain.fd, plain.index, N, RW);
		check("S2", again == MAP_FAILED && errno == EBUSY,
		      "%s: mapped: no second mmap beside it",
		      name);
		if (again != MAP_FAILED)
			dev_munmap(again, N);
	}
	check_ok("S2", dev_munmap(plain.memory, N), "%s: mapped: munmap", name);
	again = dev_mmap(plain.fd, plain.index, N, RW);
	if (back)
		check("S2", again != MAP_FAILED, "%s: mapped: mmap again", name);
	else
		check_eq("S2", again == MAP_FAILED ? errno : 0, EINVAL,
			 "%s: mapped: mmap again asks Xen, who knows no such grant", name);
	if (again != MAP_FAILED)
		dev_munmap(again, N);
	check_ok("S2", dev_unmap(plain.fd, plain.index, N), "%s: mapped: UNMAP_GRANT_REF", name);
	check_ok("S2", close(plain.fd), "%s: mapped: close", name);
	range_end(&plain, "mapped");

	shown(&readonly, readonly.memory, "read-only");
	check_eq("S2", t_poke(readonly.memory, 1), SIGSEGV, "%s: read-only: a write", name);
	check_ok("S2", dev_munmap(readonly.memory, N), "%s: read-only: munmap", name);
	check_ok("S2", close(readonly.fd), "%s: read-only: close", name);
	range_end(&readonly, "read-only");

	unused.memory = dev_mmap(unused.fd, unused.index, N, RW);
	if (back && check("S2", unused.memory != MAP_FAILED, "%s: registered: mmap", name))
		shown(&unused, unused.memory, "registered");
	else if (!back)
		check("S2", unused.memory == MAP_FAILED && errno == EINVAL, "%s: registered: mmap",
		      name);
	if (unused.memory != MAP_FAILED)
		dev_munmap(unused.memory, N);
	check_ok("S2", dev_unmap(unused.fd, unused.index, N), "%s: registered: UNMAP_GRANT_REF",
		 name);
	close(unused.fd);
	range_end(&unused, "registered");

	shown(&descriptor_gone, descriptor_gone.memory, "the descriptor gone");
	check_ok("S2", dev_munmap(descriptor_gone.memory, N), "%s: the descriptor gone: munmap",
		 name);
	range_end(&descriptor_gone, "the descriptor gone");
}

/* ---- another process, which ends with its mapping ---- */

static struct range others;
static struct gate ready, go;
static pid_t other;

/* Of its own: only the parent can talk to the granter. */
static int hold(void *unused_argument)
{
	int fd = dev_open();
	uint64_t index;
	char *memory, is_back;

	(void)unused_argument;
	if (dev_map(fd, others.grants->refs, N, &index))
		return 101;
	memory = dev_mmap(fd, index, N, RW);
	if (memory == MAP_FAILED)
		return 102;
	gate_open(&ready);
	/* However long a suspend takes. */
	if (read(go.in, &is_back, 1) != 1)
		return 103;
	return is_back ? mapping_bad(memory, N, others.seed) : N - bus_errors(memory);
}

static void process(void)
{
	others.grants = grants_make(N);
	gate_make(&ready);
	gate_make(&go);
	others.seed = 41;
	grants_fill(others.grants, others.seed);
	other = t_child(hold, NULL);
	gate_wait(&ready);
}

static void process_after(void)
{
	char byte = back;

	if (write(go.out, &byte, 1) != 1)
		t_bail("gate: %m");
	check_eq("S2", t_wait(other), 0, "%s: another process: %s", name,
		 back ? "the granter's pages" : "each page gives SIGBUS");
	gate_free(&ready);
	gate_free(&go);
	range_end(&others, "another process, gone");
}

/* ---- notified ---- */

#define AT (2 * PAGE + 77)

static struct range armed, armed_unmapped;
static struct channel *channel;

static void notified(void)
{
	channel = channel_make();
	range_map(&armed, grants_make(N), RW);
	range_register(&armed_unmapped, grants_make(N));
	grants_poke(armed.grants, 2, 77, 0xff);
	if (dev_notify(armed.fd, armed.index + AT, BOTH, channel->port) ||
	    dev_notify(armed_unmapped.fd, armed_unmapped.index, UNMAP_NOTIFY_SEND_EVENT,
		       channel->port))
		t_bail("SET_UNMAP_NOTIFY: %m");
	/* From now on it is the driver's alone: the kernel does not survive it otherwise. */
	close(channel->fd);
	channel->fd = -1;
}

/* Somebody who has the number @port now; with luck, the next one to ask. */
static struct channel *innocent_with(unsigned int port)
{
	struct channel *tried[64], *found = NULL;
	unsigned int n = 0;

	while (!found && n < 64) {
		tried[n] = channel_make();
		if (tried[n]->port == port)
			found = tried[n];
		else if (tried[n++]->port > port)
			break;
	}
	while (n)
		channel_free(tried[--n]);
	return found;
}

static void notified_after(void)
{
	struct channel *innocent = NULL;

	if (!back) {
		innocent = innocent_with(channel->port);
		check("S3", innocent, "%s: notified: somebody else has that port now", name);
	} else {
		check_eq("S3", channel_events(channel), 0, "%s: notified: nothing yet", name);
	}
	check_eq("S3", grants_peek(armed.grants, 2, 77), 0xff, "%s: notified: the byte stands",
		 name);
	check_ok("S3", dev_munmap(armed.memory, N), "%s: notified: munmap", name);
	if (back) {
		check("S3", channel_wait(channel, 1), "%s: notified: the event", name);
		check_eq("S3", grants_peek(armed.grants, 2, 77), 0,
			 "%s: notified: the byte is cleared",
			 name);
	} else {
		check_eq("S3", grants_peek(armed.grants, 2, 77), 0xff,
			 "%s: notified: no byte of the granter's is touched", name);
	}
	check_ok("S3", dev_unmap(armed.fd, armed.index, N), "%s: notified: UNMAP_GRANT_REF", name);
	check_ok("S3", close(armed.fd), "%s: notified: close", name);
	check_ok("S3", close(armed_unmapped.fd), "%s: notified, never mapped: close", name);
	if (back)
		check("S3", channel_wait(channel, 2), "%s: notified, never mapped: the event",
		      name);
	if (innocent) {
		struct ioctl_evtchn_notify notify = { .port = innocent->port };

		check_eq("S3", channel_events(innocent), 0,
			 "%s: notified: whose port it is, was not told",
			 name);
		check_ok("S3", ioctl(innocent->fd, IOCTL_EVTCHN_NOTIFY, &notify),
			 "%s: notified: and still has it", name);
		check("S3", channel_wait(innocent, 1), "%s: notified: it leads where it did", name);
		channel_free(innocent);
	}
	channel_free(channel);
	range_end(&armed, "notified");
	range_end(&armed_unmapped, "notified, never mapped");
}

/* ---- exported ---- */

static struct range exports;
static int export_buffer;

static void exported(void)
{
	static unsigned int seed = 1000;

	exports.grants = grants_make(N);
	exports.seed = ++seed;
	grants_fill(exports.grants, exports.seed);
	exports.fd = dev_open();
	exports.memory = NULL;
	if (dev_export(exports.fd, 0, exports.grants->refs, N, &export_buffer)) {
		t_skip("S2", "this driver has no dma-bufs", "%s: exported", name);
		return;
	}
	exports.memory = mmap(NULL, N * PAGE, RW, MAP_SHARED, export_buffer, 0);
	if (exports.memory == MAP_FAILED)
		t_bail("cannot map a dma-buf: %m");
}

static void exported_after(void)
{
	if (exports.memory) {
		shown(&exports, exports.memory, "exported");
		written(&exports, exports.memory, "exported");
		check_errno("S2", dev_wait_released(exports.fd, export_buffer, 0), ETIMEDOUT,
			    "%s: exported: WAIT_RELEASED before its end", name);
		check_ok("S2", dev_munmap(exports.memory, N), "%s: exported: munmap", name);
		check_ok("S2", close(export_buffer), "%s: exported: close", name);
		check_errnos("S2", dev_wait_released(exports.fd, export_buffer, T_PATIENCE_MS),
			     errnos(0, ENOENT), "%s: exported: WAIT_RELEASED", name);
	}
	close(exports.fd);
	range_end(&exports, "exported");
}

/* ---- imported ---- */

static struct buffer *buffer;
static struct user *user;
static int import_fd;

static void imported(void)
{
	struct ioctl_gntdev_grant_ref refs[N];

	import_fd = dev_open();
	buffer = buffer_make(BUFFER_LONG, N);
	mapping_fill(buffer->memory, N, 21);
	user = NULL;
	if (dev_import(import_fd, buffer->fd, N, granter_domid(), refs)) {
		t_skip("S2", "this driver has no dma-bufs", "%s: imported", name);
		return;
	}
	user = user_map(refs, N);
	if (!user)
		t_bail("the peer cannot map an import: %m");
}

static void imported_after(void)
{
	if (user) {
		if (back) {
			check_eq("S2", user_bad(user, 21), 0,
				 "%s: imported: the peer sees the buffer", name);
			user_fill(user, 22);
			check_eq("S2", mapping_bad(buffer->memory, N, 22), 0,
				 "%s: imported: its owner sees what the peer writes", name);
			user_unmap(user);
		}
		check_ok("S2", dev_import_release(import_fd, buffer->fd),
			 "%s: imported: IMP_RELEASE", name);
		check_errno("S2", dev_import_release(import_fd, buffer->fd), ENOENT,
			    "%s: imported: and it is gone", name);
		mapping_fill(buffer->memory, N, 23);
		if (!back) {
			/* It has the pages of the domain that was. */
			check_eq("S2", user_bad(user, 21), 0,
				 "%s: imported: the peer has what it had, and not this domain's",
				 name);
			user_unmap(user);
		}
		check_eq("S2", mapping_bad(buffer->memory, N, 23), 0,
			 "%s: imported: the owner's alone", name);
	}
	buffer_free(buffer);
	close(import_fd);
}

/* ---- in flight ---- */

static struct range flying, flying_alone;
static int pipes[2][2];

static void in_flight(void)
{
	struct range *const ranges[] = { &flying, &flying_alone };

	for (int i = 0; i < 2; i++) {
		struct iovec pages;

		range_map(ranges[i], grants_make(N), RW);
		pages = (struct iovec){ ranges[i]->memory + PAGE, PAGE };
		if (pipe(pipes[i]))
			t_bail("pipe: %m");
		if (vmsplice(pipes[i][1], &pages, 1, 0) != PAGE)
			t_bail("vmsplice: %m");
	}
	dev_munmap(flying_alone.memory, N);
}

static void drain(int i, struct range *range, const char *what)
{
	static char bytes[PAGE];
	ssize_t got;

	if (back)
		grants_poke(range->grants, 1, 8, 0x66);
	got = read(pipes[i][0], bytes, PAGE);
	if (back) {
		check_eq("S2", got, PAGE, "%s: %s: the page comes out of the pipe", name, what);
		check("S2", (uint8_t)bytes[8] == 0x66 &&
		      *(uint64_t *)(bytes + 800) == pattern_word(range->seed, 1, 100),
		      "%s: %s: it is the granter's", name, what);
	} else {
		t_note("%s: %s: read: %zd", name, what, got);
		check("S2", got != PAGE || *(uint64_t *)bytes != pattern_word(range->seed, 1, 0),
		      "%s: %s: what comes out of the pipe is nothing of the granter's", name, what);
	}
	close(pipes[i][0]);
	close(pipes[i][1]);
}

static void in_flight_after(void)
{
	shown(&flying, flying.memory, "in flight");
	drain(0, &flying, "in flight");
	check_ok("S2", dev_munmap(flying.memory, N), "%s: in flight: munmap", name);
	drain(1, &flying_alone, "in flight, unmapped");
	check_ok("S2", dev_unmap(flying.fd, flying.index, N), "%s: in flight: UNMAP_GRANT_REF",
		 name);
	close(flying.fd);
	close(flying_alone.fd);
	check("S4", t_eventually(!xen_holds(flying.grants) && !xen_holds(flying_alone.grants)),
	      "%s: in flight: it comes to an end", name);
	range_end(&flying, "in flight");
	range_end(&flying_alone, "in flight, unmapped");
}

/* ---- copying ---- */

#define SEGMENTS 100000

static struct grants *copied;
static struct {
	pthread_t thread;
	volatile bool stop, started;
	unsigned int calls, failed, refused, wrong;
} copier;

static void *copy_on(void *unused_argument)
{
	segment_t *segments = calloc(SEGMENTS, sizeof(*segments));
	static char bytes[64];
	int fd = dev_open();

	(void)unused_argument;
	while (!copier.stop) {
		for (int i = 0; i < SEGMENTS; i++)
			segments[i] = seg_from(&copied->refs[0], 0, bytes, sizeof(bytes));
		memset(bytes, 0, sizeof(bytes));
		copier.started = true;
		copier.calls++;
		if (dev_copy(fd, segments, SEGMENTS)) {
			/* What the references of the rest named was another domain's. */
			copier.failed += back || errno != EINTR;
			continue;
		}
		for (int i = 0; i < SEGMENTS; i++) {
			copier.refused += segments[i].status < 0;
			copier.wrong += segments[i].status > 0;
		}
		copier.wrong += segments[0].status == GNTST_okay &&
				*(uint64_t *)bytes != pattern_word(31, 0, 0);
	}
	close(fd);
	free(segments);
	return NULL;
}

static void copying(void)
{
	copied = grants_make(1);
	grants_fill(copied, 31);
	memset(&copier, 0, sizeof(copier));
	pthread_create(&copier.thread, NULL, copy_on, NULL);
	while (!copier.started)
		;
}

static void copying_after(void)
{
	copier.stop = true;
	pthread_join(copier.thread, NULL);
	check_eq("C2", copier.failed, 0, "%s: copying: %u calls return 0, or end with the domain",
		 name, copier.calls);
	check_eq("C2", copier.wrong, 0, "%s: copying: each status is true", name);
	if (back)
		check_eq("C2", copier.refused, 0, "%s: copying: every segment is copied", name);
	else
		t_note("%s: copying: %u segments refused", name, copier.refused);
	check_eq("S4", grants_free(copied), 0, "%s: copying: the granter has its page back", name);
}

/* ---- what comes later ---- */

static void as_ever(void)
{
	struct grants *grants = grants_make(N);
	struct range fresh;

	channel = channel_make();
	range_map(&fresh, grants, RW);
	check_eq("S2", mapping_bad(fresh.memory, N, fresh.seed), 0, "%s: later: a new mapping",
		 name);
	check_eq("S2", t_poke(fresh.memory + 7, 0x21), 0, "%s: later: is written to", name);
	check_eq("S2", grants_peek(grants, 0, 7), 0x21, "%s: later: and the granter has it", name);
	check_ok("S3", dev_notify(fresh.fd, fresh.index + 7, BOTH, channel->port),
		 "%s: later: a notification", name);
	check_ok("S2", dev_munmap(fresh.memory, N), "%s: later: munmap", name);
	check("S3", channel_wait(channel, 1), "%s: later: the event", name);
	check_eq("S3", grants_peek(grants, 0, 7), 0, "%s: later: the byte", name);
	check_ok("S2", dev_unmap(fresh.fd, fresh.index, N), "%s: later: UNMAP_GRANT_REF", name);
	close(fresh.fd);
	channel_free(channel);
	range_end(&fresh, "later");
}

static void once(enum suspend how)
{
	struct grants *const all[] = {
		plain.grants, readonly.grants, descriptor_gone.grants, others.grants, armed.grants,
		exports.grants, flying.grants, flying_alone.grants,
	};
	static const char *const what[] = {
		"mapped", "read-only", "the descriptor gone", "another process", "notified",
		"exported", "in flight", "in flight, unmapped",
	};

	if (!check("S1", domain_suspend(how), "%s: the domain is suspended", name))
		back = true; /* xl has it go on */
	else if (how != MIGRATE)
		for (unsigned int i = 0; i < sizeof(all) / sizeof(all[0]); i++)
			check_eq("S1", xen_held(all[i]), 0,
				 "%s: %s: Xen held nothing while suspended", name,
				 what[i]);
}

static bool is_possible(enum suspend how)
{
	if (how != MIGRATE || !t_pv())
		return true;
	t_skip("S1", "this Xen cannot migrate PV guests", "migrate");
	return false;
}

static void suspend(enum suspend how)
{
	if (!is_possible(how))
		return;
	name = suspend_names[how];
	back = how == CHECKPOINT;
	t_more_time();
	process(); /* first: in translated mode a child has what its parent has mapped */
	mapped();
	notified();
	exported();
	imported();
	in_flight();
	copying();
	once(how);
	copying_after();
	mapped_after();
	process_after();
	notified_after();
	exported_after();
	imported_after();
	in_flight_after();
	as_ever();
}

/* Event channels of this domain, as its kernel counts them. */
static long long ports(void)
{
	long long found = -1;
	FILE *out = popen("cat /sys/kernel/irq/*/chip_name | grep -c ^xen-dyn", "re");

	if (!out || fscanf(out, "%lld", &found) != 1)
		t_bail("the kernel does not tell its event channels");
	pclose(out);
	return found;
}

/* The same @n times: whether something is lost that would be noticed the second time only. */
static void again(enum suspend how, unsigned int n)
{
	unsigned int failed = 0, held = 0, wrong = 0, left = 0;
	long long before = ports();

	if (!n || !is_possible(how))
		return;
	name = suspend_names[how];
	back = how == CHECKPOINT;
	for (unsigned int i = 0; i < n; i++) {
		struct iovec page;
		struct range range;
		int ends[2];

		t_more_time();
		range_map(&range, grants_make(N), RW);
		channel = channel_make();
		wrong += dev_notify(range.fd, range.index, UNMAP_NOTIFY_SEND_EVENT,
				    channel->port) != 0;
		close(channel->fd);
		channel->fd = -1;
		page = (struct iovec){ range.memory + PAGE, PAGE };
		if (pipe(ends) || vmsplice(ends[1], &page, 1, 0) != PAGE)
			t_bail("vmsplice: %m");
		exported();

		failed += !domain_suspend(how);
		held += xen_held(range.grants) + xen_held(exports.grants);
		wrong += back ? mapping_bad(range.memory, N, range.seed) :
				N - bus_errors(range.memory);
		wrong += back ? mapping_bad(exports.memory, N, exports.seed) :
				N - bus_errors(exports.memory);
		wrong += dev_munmap(range.memory, N) != 0;
		wrong += dev_munmap(exports.memory, N) != 0;
		wrong += back && !channel_wait(channel, 1);
		close(export_buffer);
		close(exports.fd);
		close(ends[0]);
		close(ends[1]);
		wrong += dev_unmap(range.fd, range.index, N) != 0;
		close(range.fd);
		left += !t_eventually(!xen_holds(range.grants) && !xen_holds(exports.grants));
		left += grants_free(range.grants) + grants_free(exports.grants);
		channel_free(channel);
		t_note("%s: round %u: %u, %u, %u, %u", name, i + 1, failed, held, wrong, left);
	}
	check_eq("S4", failed, 0, "%s: %u rounds", name, n);
	check_eq("S1", held, 0, "%s: Xen held nothing while suspended", name);
	check_eq("S2", wrong, 0, "%s: what was mapped is what it should be", name);
	check_eq("S4", left, 0, "%s: the granter has its pages back", name);
	check_eq("S4", ports(), before, "%s: no event channel is lost", name);
}

int main(int argc, char **argv)
{
	unsigned int rounds = t_rounds(0, 20);

	t_start();
	if (t_dom0() || IS_ARM) {
		t_skip("S1", IS_ARM ? "Xen does not save on Arm" : "dom0 is not suspended",
		       "a domain that is suspended");
		return t_done();
	}
	/* To be restored as another domain and to be migrated is the same to the driver. */
	for (int how = CHECKPOINT; argc == 1 && how <= (t_full() ? MIGRATE : RESTORE); how++)
		suspend(how);
	for (int how = CHECKPOINT; how <= MIGRATE; how++)
		if (argc == 1)
			again(how, rounds);
		else if (argc == 3 && !strcmp(argv[1], suspend_names[how]))
			again(how, atoi(argv[2]));
	return t_done();
}
