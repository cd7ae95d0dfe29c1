// SPDX-License-Identifier: GPL-2.0-or-later
/* Domains and their names, as xenstore has them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenstore.h>

#include "arguments.h"
#include "domain.h"

/* DOMID_FIRST_RESERVED of <xen/xen.h>: no domain has this number, or one above. */
#define DOMID_END	0x7ff0

/* The number at @path, or -1. */
static int domid_at(struct xs_handle *store, const char *path)
{
	char *text = xs_read(store, XBT_NULL, path, NULL);
	int domid = text ? atoi(text) : -1;

	free(text);
	return domid;
}

int own_domid(void)
{
	struct xs_handle *store = xs_open(0);
	int domid = -1;

	if (store) {
		domid = domid_at(store, "domid");
		xs_close(store);
	}
	return domid;
}

/* -1 if there is none of that name, or it is not ours to know. */
static int domid_of_name(const char *name)
{
	struct xs_handle *store = xs_open(0);
	int found = -1;
	unsigned int n = 0;
	char **domids;

	if (!store)
		return -1;
	domids = xs_directory(store, XBT_NULL, "/local/domain", &n);
	for (unsigned int i = 0; domids && i < n && found < 0; i++) {
		char path[64], *its_name;

		snprintf(path, sizeof(path), "/local/domain/%s/name", domids[i]);
		its_name = xs_read(store, XBT_NULL, path, NULL);
		if (its_name && !strcmp(its_name, name))
			found = atoi(domids[i]);
		free(its_name);
	}
	free(domids);
	xs_close(store);
	return found;
}

unsigned int domain(const char *text)
{
	int domid;

	if (*text && (!strncmp(text, "0x", 2) || !text[strspn(text, "0123456789")]))
		return number("DOMID", text, 0, DOMID_END - 1);
	domid = strcmp(text, "self") ? domid_of_name(text) : own_domid();
	if (domid < 0)
		misuse("'%s' is no domain's number, and xenstore knows no domain of that name",
		       text);
	return domid;
}
