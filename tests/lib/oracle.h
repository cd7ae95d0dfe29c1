/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What Xen says of its grant tables, asked in dom0 with vm's xen-grants. */
#ifndef TESTS_LIB_ORACLE_H
#define TESTS_LIB_ORACLE_H

/*
 * The grants of @domid that are mapped: "REF:MAPPINGS REF:MAPPINGS ...", to be freed by the
 * caller; NULL if Xen cannot be asked.
 */
char *oracle_held(unsigned int domid);

#endif
