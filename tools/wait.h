/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waiting for the end, and for what happens meanwhile. */
#ifndef GNT_WAIT_H
#define GNT_WAIT_H

#include "gnt.h"

enum woken {
	WOKEN_STOP,	/* SIGINT, SIGTERM or SIGHUP */
	WOKEN_INPUT,	/* stdin has ended */
	WOKEN_EVENT,	/* the other descriptor can be read */
	WOKEN_TIME,
};

/* From now on signals end waits, and not the program. */
void wait_prepare(void);
/* @input: stdin counts, too. @fd: or -1. @ms: or -1 for no limit. */
enum woken wait_for(bool input, int fd, int ms);
/* Until a signal comes. */
void wait_for_signal(void);

/* Of a clock that never jumps. */
long long now_ms(void);

#endif
