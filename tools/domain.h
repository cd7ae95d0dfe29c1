/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Domains and their names. */
#ifndef GNT_DOMAIN_H
#define GNT_DOMAIN_H

/* Of this domain; -1 if nobody tells. */
int own_domid(void);

#endif
