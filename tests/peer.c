// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The other domain: grants pages, and has event channels, for a test that runs elsewhere.
 *
 * A test writes its question to VM_MEET/peer-DOMID/question, the answer comes at .../answer:
 *
 *   hello                     forget all that was before
 *   make N WRITABLE DOMID     LOT and the references, as FIRST+LENGTH or FIRST-LENGTH
 *   free LOT                  how many Xen still held
 *   revoke LOT PAGE           the same, of one page
 *   peek LOT PAGE OFFSET      the byte
 *   poke LOT PAGE OFFSET BYTE
 *   fill LOT SEED             a pattern into every page
 *   bad LOT SEED              how many pages do not have that pattern
 *   offer DOMID               CHANNEL and its port, which DOMID may bind to
 *   events CHANNEL            how many came by now
 *   await CHANNEL N MS        1 when N came, 0 when they did not in time
 *   withdraw CHANNEL
 *   arm CHANNEL LOT           free LOT as soon as the next event comes
 *   take DOMID N RUNS         maps pages of DOMID, references as above: TAKEN, or "refused ERRNO"
 *   takefill TAKEN SEED       a pattern into every one of them
 *   takebad TAKEN SEED        how many do not have that pattern
 *   drop TAKEN
 *   held DOMID                in dom0: its grants that Xen says are mapped, REF:MAPPINGS
 *   mapped                    in dom0: those of every domain, as lines dDOMID REF MAPPINGS
 *   suspend GUEST HOW         in dom0: a checkpoint, or restore or migrate; the answer is that of
 *                             "held 0" while the guest was suspended, or "failed WHAT"
 *   quit
 *
 * "error TEXT" is the answer of one that cannot be done. Only one test at a time.
 *
 * peer --ask DOMID QUESTION asks the peer in another domain and prints its answer.
 * peer --mapped, in dom0, prints the same as the question.
 * peer --held [SLAB] prints all that a test might leave behind: see lib/left.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/left.h"
#include "lib/lot.h"
#include "lib/oracle.h"
#include "lib/store.h"
#include "lib/taken.h"
#include "lib/t.h"

#define LOTS 64
#define CHANNELS 64
#define TAKEN 16

static struct {
	struct lot *lot;
	/* What the early end that "arm" asked for found. */
	bool ended;
	unsigned int deferred;
} lots[LOTS];

static struct {
	bool open;
	struct far_end far;
	unsigned int armed_lot; /* + 1 */
} channels[CHANNELS];

static struct taken *taken[TAKEN];

static char *text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static char *text(const char *fmt, ...)
{
	va_list args;
	char *made;

	va_start(args, fmt);
	if (vasprintf(&made, fmt, args) < 0)
		made = NULL;
	va_end(args);
	return made;
}

static void forget(void)
{
	for (unsigned int i = 0; i < LOTS; i++) {
		if (lots[i].lot)
			lot_free(lots[i].lot);
		memset(&lots[i], 0, sizeof(lots[i]));
	}
	for (unsigned int i = 0; i < CHANNELS; i++) {
		if (channels[i].open)
			far_close(&channels[i].far);
		memset(&channels[i], 0, sizeof(channels[i]));
	}
	for (unsigned int i = 0; i < TAKEN; i++) {
		if (taken[i])
			taken_free(taken[i]);
		taken[i] = NULL;
	}
}

static char *make(unsigned int n, bool writable, unsigned int domid)
{
	uint32_t *refs = calloc(n, sizeof(*refs));
	unsigned int slot = 0;
	char *answer;
	size_t size;
	FILE *out;

	while (slot < LOTS && (lots[slot].lot || lots[slot].ended))
		slot++;
	if (slot == LOTS)
		return text("error too many lots");
	lots[slot].lot = lot_make(n, writable, domid, refs);
	if (!lots[slot].lot)
		return text("error cannot grant %u pages: %s", n, strerror(errno));
	out = open_memstream(&answer, &size);
	fprintf(out, "%u ", slot);
	runs_write(out, refs, n);
	fclose(out);
	free(refs);
	return answer;
}

static char *answer_lot(const char *verb, unsigned int id, const unsigned int *args)
{
	struct lot *lot;
	uint8_t *page;
	unsigned int deferred;

	if (id >= LOTS || (!lots[id].lot && !lots[id].ended))
		return text("error no such lot");
	lot = lots[id].lot;
	if (!strcmp(verb, "free")) {
		deferred = lot ? lot_free(lot) : lots[id].deferred;
		memset(&lots[id], 0, sizeof(lots[id]));
		return text("%u", deferred);
	}
	if (!lot)
		return text("error the lot has ended");
	if (!strcmp(verb, "revoke"))
		return text("%u", lot_revoke(lot, args[0]));
	if (!strcmp(verb, "fill")) {
		lot_fill(lot, args[0]);
		return text("0");
	}
	if (!strcmp(verb, "bad"))
		return text("%u", lot_bad(lot, args[0]));
	page = lot_page(lot, args[0]);
	if (!page || args[1] >= PAGE)
		return text("error no such page");
	if (!strcmp(verb, "peek"))
		return text("%u", page[args[1]]);
	page[args[1]] = args[2];
	return text("0");
}

static char *offer(unsigned int domid)
{
	unsigned int slot = 0;

	while (slot < CHANNELS && channels[slot].open)
		slot++;
	if (slot == CHANNELS)
		return text("error too many channels");
	if (far_open(&channels[slot].far, domid))
		return text("error cannot make an event channel: %s", strerror(errno));
	channels[slot].open = true;
	channels[slot].armed_lot = 0;
	return text("%u %u", slot, channels[slot].far.port);
}

static char *answer_channel(const char *verb, unsigned int id, const unsigned int *args)
{
	struct far_end *far;

	if (id >= CHANNELS || !channels[id].open)
		return text("error no such channel");
	far = &channels[id].far;
	if (!strcmp(verb, "events"))
		return text("%u", far_events(far));
	if (!strcmp(verb, "withdraw")) {
		far_close(far);
		channels[id].open = false;
		return text("0");
	}
	if (!strcmp(verb, "arm")) {
		channels[id].armed_lot = args[0] + 1;
		return text("0");
	}
	return text("%u", far_wait(far, args[0], args[1]));
}

/* take DOMID N RUNS */
static char *take(const char *arguments)
{
	unsigned int domid, n, slot = 0;
	uint32_t *refs;
	int skip;

	while (slot < TAKEN && taken[slot])
		slot++;
	if (slot == TAKEN || sscanf(arguments, "%u %u %n", &domid, &n, &skip) != 2)
		return text("error cannot take that");
	refs = calloc(n, sizeof(*refs));
	if (!runs_read(arguments + skip, refs, n))
		return text("error there are no %u references", n);
	taken[slot] = taken_map(domid, refs, n);
	free(refs);
	return taken[slot] ? text("%u", slot) : text("refused %d", errno);
}

static char *answer_taken(const char *verb, unsigned int id, unsigned int seed)
{
	if (id >= TAKEN || !taken[id])
		return text("error nothing is taken");
	if (!strcmp(verb, "takefill"))
		mapping_fill(taken[id]->memory, taken[id]->n, seed);
	else if (!strcmp(verb, "takebad"))
		return text("%u", mapping_bad(taken[id]->memory, taken[id]->n, seed));
	else {
		taken_free(taken[id]);
		taken[id] = NULL;
	}
	return text("0");
}

/* suspend GUEST HOW */
static char *suspend(const char *arguments)
{
	char guest[32], name[32], *held = NULL;
	unsigned int how = CHECKPOINT;

	if (sscanf(arguments, "%31s %31s", guest, name) != 2)
		return text("error suspend what?");
	while (how < MIGRATE && strcmp(name, suspend_names[how]))
		how++;
	if (guest_suspend(guest, how, 0, &held))
		return held ? held : text(" ");
	free(held);
	return text("failed %s", name);
}

/* Waits for a question, and does what "arm" asked for when its event comes. */
static void wait_for_work(void)
{
	struct pollfd fds[CHANNELS + 1] = { { .fd = store_fd(), .events = POLLIN } };
	unsigned int who[CHANNELS + 1], n = 1;

	if (store_wait(0))
		return;
	for (unsigned int i = 0; i < CHANNELS; i++) {
		if (!channels[i].open || !channels[i].armed_lot)
			continue;
		who[n] = i;
		fds[n++] = (struct pollfd){ .fd = channels[i].far.fd, .events = POLLIN };
	}
	poll(fds, n, -1);
	for (unsigned int i = 1; i < n; i++) {
		unsigned int id = channels[who[i]].armed_lot - 1;

		if (!fds[i].revents || id >= LOTS || !lots[id].lot)
			continue;
		lots[id].deferred = lot_free(lots[id].lot);
		lots[id].lot = NULL;
		lots[id].ended = true;
		channels[who[i]].armed_lot = 0;
	}
	store_wait(0);
}

static char *answer(const char *question)
{
	unsigned int args[4] = { 0 };
	char verb[16];
	char *held;

	if (sscanf(question, "%15s %u %u %u %u", verb, &args[0], &args[1], &args[2], &args[3]) < 1)
		return text("error what?");
	if (!strcmp(verb, "hello")) {
		forget();
		return text("hello");
	}
	if (!strcmp(verb, "quit"))
		return text("bye");
	if (!strcmp(verb, "make"))
		return make(args[0], args[1], args[2]);
	if (!strcmp(verb, "offer"))
		return offer(args[0]);
	if (!strcmp(verb, "suspend"))
		return suspend(question + strlen("suspend"));
	if (!strcmp(verb, "take"))
		return take(question + strlen("take"));
	if (!strcmp(verb, "takefill") || !strcmp(verb, "takebad") || !strcmp(verb, "drop"))
		return answer_taken(verb, args[0], args[1]);
	if (!strcmp(verb, "held")) {
		held = oracle_held(args[0]);
		return held ? held : text("error Xen cannot be asked");
	}
	if (!strcmp(verb, "mapped")) {
		held = oracle_all();
		return held ? held : text("error Xen cannot be asked");
	}
	if (strstr("free revoke peek poke fill bad", verb))
		return answer_lot(verb, args[0], args + 1);
	if (strstr("events await withdraw arm", verb))
		return answer_channel(verb, args[0], args + 1);
	return text("error what is %s?", verb);
}

/* What the peer in a domain, a number in decimal, answers; or NULL. */
static char *ask(const char *domid, const char *what)
{
	char question[128], reply[128], tag[STORE_TAG], found[STORE_TAG] = "", *said;

	snprintf(question, sizeof(question), "%s/peer-%s/question", getenv("VM_MEET"), domid);
	snprintf(reply, sizeof(reply), "%s/peer-%s/answer", getenv("VM_MEET"), domid);
	snprintf(tag, sizeof(tag), "ask.%s.%d", getenv("VM_DOMID"), getpid());
	t_start();
	store_watch(reply);
	if (store_send(question, tag, what))
		return NULL;
	while (!(said = store_receive(reply, found, tag)))
		if (!store_wait(2 * T_PATIENCE_MS))
			t_bail("the peer in domain %s does not answer", domid);
	return said;
}

/* The grants of every domain; what Xen cannot be asked for is told, and NULL. */
static char *mapped(bool in_dom0)
{
	char *all = in_dom0 ? oracle_all() : ask("0", "mapped");

	if (in_dom0 && !all)
		perror("peer: Xen cannot be asked");
	if (all && !strncmp(all, "error ", 6)) {
		fprintf(stderr, "peer: %s\n", all);
		free(all);
		all = NULL;
	}
	return all;
}

int main(int argc, char **argv)
{
	const char *meet = getenv("VM_MEET"), *domid = getenv("VM_DOMID"), *kind = getenv("VM_KIND");
	bool in_dom0 = kind && !strcmp(kind, "dom0"), quit = false;
	char question[128], reply[128], tag[STORE_TAG] = "", *said;

	if (argc == 2 && !strcmp(argv[1], "--mapped")) {
		said = mapped(true);
		printf("%s", said ? said : "");
		return !said;
	}
	if (!meet || !domid || store_open()) {
		fprintf(stderr, "peer: needs VM_MEET, VM_DOMID and xenstore\n");
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	if (argc == 4 && !strcmp(argv[1], "--ask")) {
		said = ask(argv[2], argv[3]);
		printf("%s", said ? said : "");
		return !said || !strncmp(said, "error ", 6);
	}
	if (argc >= 2 && !strcmp(argv[1], "--held")) {
		said = mapped(in_dom0);
		return !said || left_print(said, in_dom0, argc > 2);
	}
	snprintf(question, sizeof(question), "%s/peer-%s/question", meet, domid);
	snprintf(reply, sizeof(reply), "%s/peer-%s/answer", meet, domid);
	store_watch(question);
	while (!quit) {
		char *asked = store_receive(question, tag, NULL);

		if (!asked) {
			wait_for_work();
			continue;
		}
		quit = !strcmp(asked, "quit");
		said = answer(asked);
		if (store_send(reply, tag, said))
			fprintf(stderr, "peer: cannot answer %s\n", asked);
		free(said);
		free(asked);
	}
	store_remove(question);
	forget();
	return 0;
}
