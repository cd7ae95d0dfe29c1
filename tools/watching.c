// SPDX-License-Identifier: GPL-2.0-or-later
/* Watching a byte of a page, and an event channel. */
#include <stdio.h>

#include "wait.h"
#include "watching.h"

static uint8_t value_of(const struct watching *watching)
{
	const volatile uint8_t *bytes = watching->pages;

	return watching->byte < 0 ? 0 : bytes[watching->byte];
}

/* The value now; prints a line, and counts it, if it is another one. */
static uint8_t look(const struct watching *watching, uint8_t old, unsigned int *lines)
{
	uint8_t value = value_of(watching);

	if (value != old) {
		printf("byte %ld: 0x%02x -> 0x%02x\n", watching->byte, old, value);
		(*lines)++;
	}
	return value;
}

/* Nobody tells of a write to a page, so that the byte is looked at again and again. */
bool watch(const struct watching *watching)
{
	int pause = watching->byte < 0 ? -1 : (int)watching->poll_ms;
	long long end = now_ms() + watching->ms;
	uint8_t value = value_of(watching);
	unsigned int lines = 0;

	if (watching->byte >= 0)
		printf("byte %ld: 0x%02x\n", watching->byte, value);
	for (;;) {
		long long left = end - now_ms();
		enum woken woken;
		int ms = pause;

		flush_output();
		if (watching->count && lines >= watching->count)
			return true;
		if (watching->ms && left <= 0)
			return !watching->count;
		if (watching->ms && (ms < 0 || left < ms))
			ms = left;
		woken = wait_for(watching->input, channel_fd(watching->channel), ms);
		/* Before the event: the byte was cleared first. */
		value = look(watching, value, &lines);
		if (woken == WOKEN_EVENT) {
			channel_take(watching->channel);
			puts("event");
			lines++;
		}
		if (woken == WOKEN_STOP || woken == WOKEN_INPUT) {
			flush_output();
			return true;
		}
	}
}
