/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In dom0: a guest of vm/run's goes through what a toolstack does with it. */
#ifndef TESTS_LIB_GUEST_H
#define TESTS_LIB_GUEST_H

#include <stdbool.h>

/* It is saved and goes on; goes on as another domain; is migrated to this host. */
enum suspend { CHECKPOINT, RESTORE, MIGRATE };

extern const char *const suspend_names[];

/*
 * False if it could not be done. If @held is not NULL it gets what oracle_held() says of @granter
 * while the guest is suspended, to be freed; NULL for a migration, where nobody can tell when that
 * is.
 */
bool guest_suspend(const char *guest, enum suspend how, unsigned int granter, char **held);
/* Is there a domain of this number, be it dead and kept by somebody's mapping of a page? */
bool guest_exists(unsigned int domid);

#endif
