/* SPDX-License-Identifier: MIT */
/* The clock that deadlines are measured by. Not for the data plane: reading it per io costs. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* A time of now_ms() that does not come. */
#define NEVER UINT64_MAX

/* Milliseconds since the boot; never goes back. Any thread. */
static inline uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

#endif
