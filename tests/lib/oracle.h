/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What Xen says of its grant tables (debug key g), asked in dom0. */
#ifndef TESTS_LIB_ORACLE_H
#define TESTS_LIB_ORACLE_H

/*
 * The grants of @domid that are mapped: "REF:MAPPINGS REF:MAPPINGS ...", to be freed by the
 * caller; NULL and errno if Xen cannot be asked.
 */
char *oracle_held(unsigned int domid);
/* The same of every domain, a line for each: "dDOMID REF MAPPINGS". */
char *oracle_all(void);
/* The machine frames that they are: "REF:0xFRAME REF:0xFRAME ...", as oracle_held(). */
char *oracle_frames(unsigned int domid);

#endif
