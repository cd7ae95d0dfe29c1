// SPDX-License-Identifier: GPL-2.0-or-later
/* See grant.h. The questions to a peer are described in peer.c. */
#define _GNU_SOURCE
#include "grant.h"

#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oracle.h"
#include "store.h"

static struct {
	bool known, self;
	unsigned int domid;
} granter;

static struct {
	unsigned int domid;
	char question[96], answer[96], tag[STORE_TAG];
	bool greeted;
} peers[2]; /* who grants, and who can ask Xen */

static void find_granter(void)
{
	const char *who = getenv("T_GRANTER");

	if (granter.known)
		return;
	granter.known = true;
	if (!who || !*who || !strcmp(who, "self")) {
		if (!t_self_grants())
			t_bail("T_GRANTER is no domain, and this one cannot grant to itself");
		granter.self = true;
		granter.domid = t_domid();
	} else {
		granter.domid = atoi(who);
	}
}

unsigned int granter_domid(void)
{
	find_granter();
	return granter.domid;
}

bool granter_is_self(void)
{
	find_granter();
	return granter.self;
}

static void put_question(unsigned int slot, const char *text)
{
	static unsigned int asked;

	snprintf(peers[slot].tag, STORE_TAG, "%u.%d.%u", t_domid(), getpid(), ++asked);
	if (store_send(peers[slot].question, peers[slot].tag, text))
		t_bail("cannot write %s: %s", peers[slot].question, strerror(errno));
}

static char *await_answer(unsigned int slot, int ms)
{
	long long until = t_now_ms() + ms;
	char found[STORE_TAG] = "", *answer;

	for (;;) {
		answer = store_receive(peers[slot].answer, found, peers[slot].tag);
		if (answer)
			return answer;
		if (!store_wait(until - t_now_ms()) && t_now_ms() >= until)
			t_bail("the peer in domain %u does not answer", peers[slot].domid);
	}
}

static unsigned int greet(unsigned int domid)
{
	static bool opened;
	const char *meet = getenv("VM_MEET");
	unsigned int slot = 0;

	if (!meet)
		t_bail("VM_MEET is not set: run this by tests/run-in-vm");
	if (!opened && store_open())
		t_bail("cannot talk to xenstore: %s", strerror(errno));
	opened = true;
	while (peers[slot].greeted && peers[slot].domid != domid)
		slot++;
	if (peers[slot].greeted)
		return slot;
	peers[slot].greeted = true;
	peers[slot].domid = domid;
	snprintf(peers[slot].question, sizeof(peers[slot].question), "%s/peer-%u/question", meet,
		 domid);
	snprintf(peers[slot].answer, sizeof(peers[slot].answer), "%s/peer-%u/answer", meet, domid);
	store_watch(peers[slot].answer);
	put_question(slot, "hello");
	free(await_answer(slot, 2 * T_PATIENCE_MS));
	return slot;
}

static char *ask(unsigned int domid, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static char *ask(unsigned int domid, const char *fmt, ...)
{
	unsigned int slot = greet(domid);
	char *question, *answer;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&question, fmt, args) < 0)
		t_bail("no memory");
	va_end(args);
	put_question(slot, question);
	/* What takes its time is ended by who waits for the whole test. */
	answer = await_answer(slot, strncmp(question, "suspend", 7) ? 2 * T_PATIENCE_MS : INT_MAX);
	if (!strncmp(answer, "error ", 6))
		t_bail("the peer in domain %u, asked to %s: %s", domid, question, answer + 6);
	free(question);
	return answer;
}

static unsigned int ask_number(unsigned int domid, const char *question, unsigned int a,
			       unsigned int b, unsigned int c, unsigned int d)
{
	char *answer = ask(domid, "%s %u %u %u %u", question, a, b, c, d);
	unsigned int number = atoi(answer);

	free(answer);
	return number;
}

static struct grants *make(unsigned int n, bool writable, unsigned int domid)
{
	struct grants *grants = calloc(1, sizeof(*grants));
	uint32_t *refs = calloc(n, sizeof(*refs));
	char *answer, *next;

	grants->n = n;
	grants->refs = calloc(n, sizeof(*grants->refs));
	if (granter_is_self()) {
		grants->lot = lot_make(n, writable, domid, refs);
		if (!grants->lot)
			t_bail("cannot grant %u pages to domain %u: %s", n, domid, strerror(errno));
	} else {
		answer = ask(granter.domid, "make %u %u %u", n, writable, domid);
		grants->id = strtoul(answer, &next, 10);
		if (!runs_read(next, refs, n))
			t_bail("the peer gave fewer than %u references: %s", n, answer);
		free(answer);
	}
	for (unsigned int i = 0; i < n; i++)
		grants->refs[i] = (struct ioctl_gntdev_grant_ref){ granter.domid, refs[i] };
	free(refs);
	return grants;
}

struct grants *grants_make(unsigned int n)
{
	return make(n, true, t_domid());
}

struct grants *grants_make_readonly(unsigned int n)
{
	return make(n, false, t_domid());
}

struct grants *grants_make_for(unsigned int n, bool writable, unsigned int domid)
{
	return make(n, writable, domid);
}

unsigned int grants_free(struct grants *grants)
{
	unsigned int deferred = grants->lot ? lot_free(grants->lot) :
				ask_number(granter.domid, "free", grants->id, 0, 0, 0);

	free(grants->refs);
	free(grants);
	return deferred;
}

unsigned int grants_revoke(struct grants *grants, unsigned int page)
{
	if (grants->lot)
		return lot_revoke(grants->lot, page);
	return ask_number(granter.domid, "revoke", grants->id, page, 0, 0);
}

uint8_t grants_peek(struct grants *grants, unsigned int page, unsigned int offset)
{
	if (grants->lot)
		return lot_page(grants->lot, page)[offset];
	return ask_number(granter.domid, "peek", grants->id, page, offset, 0);
}

void grants_poke(struct grants *grants, unsigned int page, unsigned int offset, uint8_t value)
{
	if (grants->lot)
		lot_page(grants->lot, page)[offset] = value;
	else
		ask_number(granter.domid, "poke", grants->id, page, offset, value);
}

void grants_fill(struct grants *grants, unsigned int seed)
{
	if (grants->lot)
		lot_fill(grants->lot, seed);
	else
		ask_number(granter.domid, "fill", grants->id, seed, 0, 0);
}

unsigned int grants_bad(struct grants *grants, unsigned int seed)
{
	if (grants->lot)
		return lot_bad(grants->lot, seed);
	return ask_number(granter.domid, "bad", grants->id, seed, 0, 0);
}

/* Counts, in "REF:COUNT REF:COUNT ...", what belongs to @refs. */
static unsigned int count_held(const char *held, const struct ioctl_gntdev_grant_ref *refs,
			       unsigned int n)
{
	unsigned int total = 0, ref, count;
	int skip;

	while (sscanf(held, " %u:%u%n", &ref, &count, &skip) == 2) {
		held += skip;
		for (unsigned int i = 0; i < n; i++)
			if (refs[i].ref == ref)
				total += count;
	}
	return total;
}

unsigned int xen_holds_refs(const struct ioctl_gntdev_grant_ref *refs, unsigned int n)
{
	unsigned int total;
	char *held;

	if (t_dom0())
		held = oracle_held(refs[0].domid);
	else
		held = ask(0, "held %u", refs[0].domid);
	if (!held)
		t_bail("Xen cannot be asked: %s", strerror(errno));
	total = count_held(held, refs, n);
	free(held);
	return total;
}

unsigned int xen_holds(struct grants *grants)
{
	return xen_holds_refs(grants->refs, grants->n);
}

static char *held_then;

bool domain_suspend(enum suspend how)
{
	char *domid;

	free(held_then);
	held_then = ask(0, "suspend %s %s", getenv("VM_NAME"), suspend_names[how]);
	domid = store_read("domid");
	if (!domid)
		t_bail("a domain without a number");
	setenv("VM_DOMID", domid, 1);
	free(domid);
	if (strncmp(held_then, "failed", 6))
		return true;
	t_note("%s", held_then);
	*held_then = '\0';
	return false;
}

unsigned int xen_held(struct grants *grants)
{
	return count_held(held_then ? held_then : "", grants->refs, grants->n);
}

struct user *user_map(const struct ioctl_gntdev_grant_ref *refs, unsigned int n)
{
	struct user *user = calloc(1, sizeof(*user));
	uint32_t *numbers = calloc(n, sizeof(*numbers));
	char *runs, *answer;
	size_t size;
	FILE *out;
	int err = 0;

	for (unsigned int i = 0; i < n; i++)
		numbers[i] = refs[i].ref;
	if (granter_is_self()) {
		user->taken = taken_map(refs[0].domid, numbers, n);
		err = user->taken ? 0 : errno;
	} else {
		out = open_memstream(&runs, &size);
		runs_write(out, numbers, n);
		fclose(out);
		answer = ask(granter_domid(), "take %u %u %s", refs[0].domid, n, runs);
		if (sscanf(answer, "refused %d", &err) != 1)
			user->id = atoi(answer);
		free(answer);
		free(runs);
	}
	free(numbers);
	if (!err)
		return user;
	free(user);
	errno = err;
	return NULL;
}

void user_fill(struct user *user, unsigned int seed)
{
	if (user->taken)
		mapping_fill(user->taken->memory, user->taken->n, seed);
	else
		ask_number(granter_domid(), "takefill", user->id, seed, 0, 0);
}

unsigned int user_bad(struct user *user, unsigned int seed)
{
	if (user->taken)
		return mapping_bad(user->taken->memory, user->taken->n, seed);
	return ask_number(granter_domid(), "takebad", user->id, seed, 0, 0);
}

void user_unmap(struct user *user)
{
	if (user->taken)
		taken_free(user->taken);
	else
		ask_number(granter_domid(), "drop", user->id, 0, 0, 0);
	free(user);
}

struct channel *channel_offer(void)
{
	struct channel *channel = calloc(1, sizeof(*channel));

	channel->fd = -1;
	channel->far.fd = -1;
	if (granter_is_self()) {
		if (far_open(&channel->far, t_domid()))
			t_bail("no event channel to this domain: %s", strerror(errno));
		channel->far_port = channel->far.port;
	} else {
		char *answer = ask(granter.domid, "offer %u", t_domid());

		if (sscanf(answer, "%u %u", &channel->id, &channel->far_port) != 2)
			t_bail("the peer offers no event channel: %s", answer);
		free(answer);
	}
	return channel;
}

int channel_bind(struct channel *channel)
{
	channel->fd = near_open(granter_domid(), channel->far_port, &channel->port);
	return channel->fd < 0 ? -1 : 0;
}

struct channel *channel_make(void)
{
	struct channel *channel = channel_offer();

	if (channel_bind(channel))
		t_bail("cannot bind to port %u of domain %u: %s", channel->far_port,
		       granter_domid(), strerror(errno));
	return channel;
}

unsigned int channel_events(struct channel *channel)
{
	if (channel->far.fd >= 0)
		return far_events(&channel->far);
	return ask_number(granter.domid, "events", channel->id, 0, 0, 0);
}

bool channel_wait(struct channel *channel, unsigned int n)
{
	if (channel->far.fd >= 0)
		return far_wait(&channel->far, n, T_PATIENCE_MS);
	return ask_number(granter.domid, "await", channel->id, n, T_PATIENCE_MS, 0);
}

void channel_free(struct channel *channel)
{
	if (channel->fd >= 0)
		close(channel->fd);
	if (channel->far.fd >= 0)
		far_close(&channel->far);
	else
		ask_number(granter.domid, "withdraw", channel->id, 0, 0, 0);
	free(channel);
}

bool channel_frees(struct channel *channel, struct grants *grants)
{
	if (granter_is_self())
		return false;
	ask_number(granter.domid, "arm", channel->id, grants->id, 0, 0);
	return true;
}
