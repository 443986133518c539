// SPDX-License-Identifier: MIT
/*
 * What checking tools need to know of io_uring: these stand before liburing's functions of the same
 * names, in the tests of the data plane only.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plane.h"

#if defined(__SANITIZE_THREAD__)
/* The sanitizer does not see the kernel, which orders memory by the ring. The fake transport releases
 * what it wrote before it posts; whoever comes back from a call that lets the kernel post completions
 * (all of those below do, with DEFER_TASKRUN only they do) acquires it. */
void __tsan_acquire(void *addr);
#define ring_acquire(ring) __tsan_acquire(ring)
#else
#define ring_acquire(ring) ((void)(ring))
#endif

static void *next_of(const char *name)
{
	void *next = dlsym(RTLD_NEXT, name);

	if (!next)
		abort();
	return next;
}

/* Valgrind runs one thread at a time, and up to 3.19 does not know that io_uring_enter() sleeps. */
bool plane_on_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

#define RING_CALL(name)                                                                            \
	int name(struct io_uring *ring)                                                            \
	{                                                                                          \
		static _Thread_local int (*next)(struct io_uring *);                               \
		int res;                                                                           \
                                                                                                   \
		if (!next)                                                                         \
			*(void **)&next = next_of(#name);                                          \
		res = next(ring);                                                                  \
		ring_acquire(ring);                                                                \
		return res;                                                                        \
	}
RING_CALL(io_uring_submit)
RING_CALL(io_uring_get_events)
RING_CALL(io_uring_submit_and_get_events)

static int wait_awake(struct io_uring *ring, unsigned int n)
{
	struct timespec moment = { .tv_nsec = 20000 };
	int res = io_uring_submit(ring);

	while (res >= 0 && io_uring_cq_ready(ring) < n && !io_uring_get_events(ring) &&
	       io_uring_cq_ready(ring) < n) {
		nanosleep(&moment, NULL);
		if (moment.tv_nsec < 1000000)
			moment.tv_nsec *=
				2; /* a queue without work must not keep all others from theirs */
	}
	return res;
}

int io_uring_submit_and_wait(struct io_uring *ring, unsigned int n)
{
	static _Thread_local int (*next)(struct io_uring *, unsigned int);
	int res;

	if (!next)
		*(void **)&next = next_of("io_uring_submit_and_wait");
	res = plane_on_valgrind() ? wait_awake(ring, n) : next(ring, n);
	ring_acquire(ring);
	return res;
}

int io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe,
				     unsigned int n, struct __kernel_timespec *ts, sigset_t *mask)
{
	static _Thread_local int (*next)(struct io_uring *, struct io_uring_cqe **, unsigned int,
					 struct __kernel_timespec *, sigset_t *);
	int res;

	if (!next)
		*(void **)&next = next_of("io_uring_submit_and_wait_timeout");
	res = next(ring, cqe, n, ts, mask);
	ring_acquire(ring);
	return res;
}
