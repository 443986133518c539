/* SPDX-License-Identifier: MIT */
/* Small helpers that every floor may use: sizes of arrays, rounding, scope-bound clean-up. */
#ifndef BASE_UTIL_H
#define BASE_UTIL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define min_of(a, b)                                                                               \
	({                                                                                         \
		__typeof__(a) _min_a = (a);                                                        \
		__typeof__(b) _min_b = (b);                                                        \
		_min_a < _min_b ? _min_a : _min_b;                                                 \
	})
#define max_of(a, b)                                                                               \
	({                                                                                         \
		__typeof__(a) _max_a = (a);                                                        \
		__typeof__(b) _max_b = (b);                                                        \
		_max_a > _max_b ? _max_a : _max_b;                                                 \
	})

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static inline bool is_pow2(uint64_t v)
{
	return v && !(v & (v - 1));
}

/* align: a power of two */
static inline uint64_t round_up_to(uint64_t v, uint64_t align)
{
	return (v + align - 1) & ~(align - 1);
}

/* v: a power of two */
static inline unsigned int log2_of(uint64_t v)
{
	return 63 - __builtin_clzll(v);
}

static inline void cleanup_free_ptr(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* Freed, closed, when the variable goes out of scope; initialise to NULL, -1. */
#define __cleanup_free __attribute__((cleanup(cleanup_free_ptr)))
#define __cleanup_fd __attribute__((cleanup(cleanup_close_fd)))

#define __printf_like(f, a) __attribute__((format(printf, f, a)))

/* What may not reach a terminal as it is: C0 controls, DEL, and the C1 controls of UTF-8, of two bytes. */
static inline bool is_control(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	return *p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f);
}

#endif
