/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The opens of /dev/xen/gntdev, from /proc: see gntdev(4), FILES. */
#ifndef GNT_OPENS_H
#define GNT_OPENS_H

#include <sys/types.h>

#include "gnt.h"

/* What the driver counts. */
enum count {
	LIMIT, REFERENCES, RANGES, MAPPED, NOTIFICATIONS, EXPORTS, IMPORTS, COUNTS
};

/* Their names in fdinfo, in the order above. */
extern const char *const count_names[COUNTS];

/* More domains than the driver tells apart. */
#define OPEN_DOMAINS	32

struct open_domain {
	long domid;	/* -1: all others */
	unsigned long references;
	unsigned long mapped;
};

struct open_device {
	pid_t pid;
	char command[32];
	int fd;
	bool told;	/* by the driver; not the one in Linux */
	/* The same instance as an entry before: dup(2), fork(2) or a passed descriptor. */
	bool again;
	unsigned long count[COUNTS];
	unsigned int domains;
	struct open_domain domain[OPEN_DOMAINS];
};

struct opens {
	unsigned int n;
	struct open_device *open;
};

/* All that this process may see, in the order of process and descriptor. */
void opens_find(struct opens *opens);
void opens_free(struct opens *opens);

#endif
