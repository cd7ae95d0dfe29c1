/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers that a seed makes, the same every time. */
#ifndef TESTS_LIB_CHANCE_H
#define TESTS_LIB_CHANCE_H

#include <stdint.h>

/**
 * chance_begin() - the state that a seed begins with
 * @seed: any number
 */
static inline uint64_t chance_begin(uint64_t seed)
{
	return seed * 0x9e3779b97f4a7c15ULL + 1;
}

/**
 * chance_word() - the next number
 * @state: changed
 *
 * Marsaglia's xorshift64 (13, 7, 17).
 */
static inline uint32_t chance_word(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state >> 16;
}

#endif
