// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>

#include <xenctrl.h>

#include "oracle.h"
#include "t.h"

const char *const suspend_names[] = { "checkpoint", "restore", "migrate" };

static bool vm_guest(const char *verb, const char *guest)
{
	char command[128];

	snprintf(command, sizeof(command), "vm-guest %s %s </dev/null", verb, guest);
	return !system(command);
}

bool guest_suspend(const char *guest, enum suspend how, unsigned int granter, char **held)
{
	if (held)
		*held = NULL;
	if (how == MIGRATE)
		return vm_guest("migrate", guest);
	if (!vm_guest("suspend", guest))
		return false;
	if (held)
		*held = oracle_held(granter);
	return vm_guest(how == CHECKPOINT ? "resume" : "restore", guest);
}

bool guest_exists(unsigned int domid)
{
	static xc_interface *xc;
	xc_domaininfo_t info;

	if (!xc)
		xc = xc_interface_open(NULL, NULL, 0);
	if (!xc)
		t_bail("Xen cannot be asked: %m");
	return xc_domain_getinfolist(xc, domid, 1, &info) == 1 && info.domain == domid;
}
