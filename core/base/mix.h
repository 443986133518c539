/* SPDX-License-Identifier: MIT */
/* Numbers that look random and can be had again: for the conformance kit and tests, never for secrets. */
#ifndef BASE_MIX_H
#define BASE_MIX_H

#include <stdint.h>

#define MIX_STEP 0x9e3779b97f4a7c15u

/* The last step of splitmix64: close numbers become distant ones. */
static inline uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* The next of the sequence that *state is at. */
static inline uint32_t mix_next(uint64_t *state)
{
	*state += MIX_STEP;
	return (uint32_t)(mix(*state) >> 32);
}

#endif
