// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The domain that grants dies, at any moment of what is done with its pages; or revokes what is
 * mapped. Xen keeps a dead domain for as long as one of its pages is mapped: so it tells of a leak.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/brief.h"
#include "lib/grant.h"

#define N BRIEF_PAGES

static struct brief brief;
static volatile bool dead;
static int fd;

/* ---- what goes on meanwhile: how often something came that should not have ---- */

static bool right(char *memory)
{
	unsigned int bad = 0;

	for (unsigned int i = 0; i < N; i++)
		bad += *(volatile uint64_t *)(memory + i * PAGE) != brief_word(&brief, i);
	return !bad;
}

/* What Xen's answers become, of a domain that dies or is not there. */
static bool refused(void)
{
	return errno == ESRCH || errno == EINVAL;
}

static unsigned int map_once(void)
{
	unsigned int bad = 0;
	uint64_t index;
	char *mapping;

	if (dev_map(fd, brief.refs, N, &index))
		return 1;
	mapping = dev_mmap(fd, index, N, RW);
	if (mapping != MAP_FAILED) {
		bad += !right(mapping);
		/* The byte that goes to 0 is not one that is looked at. */
		bad += dev_notify(fd, index + 100, UNMAP_NOTIFY_SEND_EVENT | UNMAP_NOTIFY_CLEAR_BYTE,
				  brief.port) != 0;
		bad += dev_munmap(mapping, N) != 0;
	} else {
		bad += !refused();
	}
	return bad + (dev_unmap(fd, index, N) != 0);
}

static unsigned int copy_once(void)
{
	static uint64_t words[N];
	segment_t segments[N];
	unsigned int bad = 0;

	memset(words, 0, sizeof(words));
	for (unsigned int i = 0; i < N; i++)
		segments[i] = seg_from(&brief.refs[i], 0, &words[i], sizeof(words[i]));
	bad += dev_copy(fd, segments, N) != 0;
	for (unsigned int i = 0; i < N; i++)
		bad += segments[i].status == GNTST_okay ? words[i] != brief_word(&brief, i) :
							  segments[i].status > 0;
	return bad;
}

static unsigned int export_once(void)
{
	unsigned int bad = 0;
	char *mapping;
	int buffer;

	if (dev_export(fd, 0, brief.refs, N, &buffer))
		return !refused();
	mapping = mmap(NULL, N * PAGE, RW, MAP_SHARED, buffer, 0);
	if (mapping == MAP_FAILED || !right(mapping))
		bad++;
	/* Some are held until the domain is dead. */
	if (random() % 2)
		while (!dead)
			;
	bad += mapping == MAP_FAILED || !right(mapping);
	munmap(mapping, N * PAGE);
	close(buffer);
	return bad;
}

static unsigned int hold_once(void)
{
	unsigned int bad = 0;
	uint64_t index;
	char *mapping;

	if (dev_map(fd, brief.refs, N, &index))
		return 1;
	mapping = dev_mmap(fd, index, N, RW);
	if (mapping != MAP_FAILED) {
		for (unsigned int i = 0; i < N; i++)
			bad += dev_notify(fd, index + i * PAGE, UNMAP_NOTIFY_SEND_EVENT, brief.port) != 0;
		while (!dead)
			;
		bad += !right(mapping);
		bad += dev_munmap(mapping, N) != 0;
	} else {
		bad += !refused();
	}
	return bad + (dev_unmap(fd, index, N) != 0);
}

static unsigned int revoke_once(void)
{
	unsigned int bad = 0;
	uint64_t index;
	char *mapping;

	if (dead || dev_map(fd, brief.refs, N, &index))
		return !dead;
	mapping = dev_mmap(fd, index, N, RW);
	if (mapping != MAP_FAILED) {
		for (unsigned int i = 0; i < N; i++)
			if (random() % 2)
				brief_revoke(&brief, i);
		bad += !right(mapping);
		bad += dev_munmap(mapping, N) != 0;
	} else {
		bad += !refused();
	}
	return bad + (dev_unmap(fd, index, N) != 0);
}

/* ---- and the end ---- */

static void *kill_it(void *unused)
{
	(void)unused;
	for (volatile int spin = random() % 300000; spin > 0; spin--)
		;
	brief_kill(&brief);
	dead = true;
	return NULL;
}

static void rounds(const char *rule, const char *what, unsigned int (*once)(void), bool alive)
{
	unsigned int n = t_rounds(20, 200), bad = 0, stay = 0, times = 0;

	for (unsigned int i = 0; i < n; i++) {
		pthread_t killer;

		brief_make(&brief);
		dead = false;
		if (alive) {
			bad += once();
			times++;
			kill_it(NULL);
		} else {
			pthread_create(&killer, NULL, kill_it, NULL);
			while (!dead) {
				bad += once();
				times++;
			}
			pthread_join(killer, NULL);
		}
		stay += !t_eventually(brief_gone(&brief));
		brief_free(&brief);
	}
	check_eq(rule, bad, 0, "%u domains die while we %s, %u times", n, what, times);
	check_eq("A2", stay, 0, "nothing is left of them");
}

int main(void)
{
	t_start();
	if (!t_dom0() || !granter_is_self()) {
		t_skip("A2", "only dom0 makes domains, and once will do", "domains that die");
		return t_done();
	}
	srandom(11);
	fd = dev_open();
	rounds("A2", "map their pages", map_once, false);
	rounds("C2", "copy from them", copy_once, false);
	rounds("E4", "have a dma-buf of them", export_once, false);
	rounds("N4", "hold them, with a port of theirs to notify", hold_once, false);
	rounds("V3", "have mapped what they revoke", revoke_once, true);
	close(fd);
	return t_done();
}
