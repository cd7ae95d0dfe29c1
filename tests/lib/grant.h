/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages granted to this domain, and event channels to who granted them: by this process
 * itself (T_GRANTER=self, where it can) or by tests/peer in the domain of number $T_GRANTER.
 * Only the process that called t_start() may use these, not its children.
 */
#ifndef TESTS_LIB_GRANT_H
#define TESTS_LIB_GRANT_H

#include <stdbool.h>
#include <stdint.h>

#include "dev.h"
#include "guest.h"
#include "lot.h"
#include "t.h"
#include "taken.h"

struct grants {
	unsigned int n;
	/* For MAP_GRANT_REF. */
	struct ioctl_gntdev_grant_ref *refs;
	struct lot *lot;	/* with this process as the granter */
	unsigned int id;	/* with a peer */
};

/* The domain that grants. */
unsigned int granter_domid(void);
/* Does this domain grant to itself? */
bool granter_is_self(void);

struct grants *grants_make(unsigned int n);
struct grants *grants_make_readonly(unsigned int n);
/* Granted to somebody else. */
struct grants *grants_make_for(unsigned int n, bool writable, unsigned int domid);
/* How many of the pages Xen still held when they were given back: see lot_free(). */
unsigned int grants_free(struct grants *grants);
unsigned int grants_revoke(struct grants *grants, unsigned int page);

/* The granter's view of a page. */
uint8_t grants_peek(struct grants *grants, unsigned int page, unsigned int offset);
void grants_poke(struct grants *grants, unsigned int page, unsigned int offset, uint8_t value);
void grants_fill(struct grants *grants, unsigned int seed);
unsigned int grants_bad(struct grants *grants, unsigned int seed);

/*
 * What Xen says: by how many entries are pages of @grants mapped? With the kernel's own mapping
 * of a page a PV mapping counts two.
 */
unsigned int xen_holds(struct grants *grants);
/* The same of any references, all of one domain. */
unsigned int xen_holds_refs(const struct ioctl_gntdev_grant_ref *refs, unsigned int n);

/*
 * In a guest: has dom0 do that to this domain. False if dom0 could not. Unless it asks for a
 * checkpoint, the process that calls this has no event channel open, and is no child of vm-exec's.
 */
bool domain_suspend(enum suspend how);
/* xen_holds(), of dom0's pages, as it was while this domain was suspended last. */
unsigned int xen_held(struct grants *grants);

/*
 * The other way round: who grants in other tests maps pages of this domain, all the
 * references being of this one. NULL, and errno, when it cannot.
 */
struct user {
	struct taken *taken;	/* with this process as the granter */
	unsigned int id;	/* with a peer */
};

struct user *user_map(const struct ioctl_gntdev_grant_ref *refs, unsigned int n);
void user_fill(struct user *user, unsigned int seed);
unsigned int user_bad(struct user *user, unsigned int seed);
void user_unmap(struct user *user);

struct channel {
	unsigned int port;	/* for SET_UNMAP_NOTIFY */
	int fd;			/* the evtchn descriptor that has it */
	unsigned int far_port;
	struct far_end far;	/* with this process as the granter */
	unsigned int id;	/* with a peer */
};

struct channel *channel_make(void);
/* The same in two steps, so that another process can be the one that binds its port. */
struct channel *channel_offer(void);
int channel_bind(struct channel *channel);
/* How many events the granter got by now. */
unsigned int channel_events(struct channel *channel);
/* Waits until the granter got @n events in all. */
bool channel_wait(struct channel *channel, unsigned int n);
void channel_free(struct channel *channel);

/*
 * The granter frees @grants as soon as an event comes, so as to see whether Xen held a page at
 * that moment; grants_free() then tells. Only a peer can do that: false, otherwise.
 */
bool channel_frees(struct channel *channel, struct grants *grants);

#endif
