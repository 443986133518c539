// SPDX-License-Identifier: MIT
/*
 * Polling: before a queue's thread sleeps, it looks for a while whether something comes. It saves
 * the wake-up of who waits for each request before sending the next, and costs CPU time only after
 * there was something to do: an idle queue sleeps. "auto" looks as long as waits have been lately, as
 * the kernel's own governor of idle virtual processors (haltpoll) does, and has its limits.
 */
#include <time.h>

#include "queue/internal.h"

#define POLL_AUTO_MAX_US 200u
#define POLL_AUTO_MIN_US 25u
#define LOOKS_PER_CLOCK 32 /* the clock is read while there is nothing else to do */

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static inline bool ring_asks(struct ublk_queue *q)
{
	return IO_URING_READ_ONCE(*q->ring.sq.kflags) & IORING_SQ_TASKRUN;
}

/* Have the kernel do what it has for us, which may make completions. */
static bool ring_run(struct ublk_queue *q)
{
	q->counters->enters++;
	io_uring_get_events(&q->ring);
	return io_uring_cq_ready(&q->ring);
}

/* Until there are completions, or something is asked of us. */
static bool look_for(struct ublk_queue *q, uint32_t us)
{
	uint64_t until = now_ns() + us * 1000ull;
	bool stale = false;

	do {
		for (unsigned int i = 0; i < LOOKS_PER_CLOCK; i++) {
			if (io_uring_cq_ready(&q->ring) ||
			    atomic_load_explicit(&q->asked, memory_order_relaxed))
				return true;
			if (ring_asks(q) && !stale) {
				if (ring_run(q))
					return true;
				/* The kernel adds work first, and sets the flag then. Where the work
				 * was done in between, the flag stays, and nothing can be seen in it
				 * before more work is done: this one may cost a call, not all. */
				stale = ring_asks(q);
			}
			relax();
		}
		if (stale) {
			if (ring_run(q))
				return true;
			stale = ring_asks(q);
		}
	} while (now_ns() < until);
	return false;
}

void poll_slept(struct ublk_queue *q)
{
	uint64_t us = (now_ns() - q->poll_since) / 1000;

	q->poll_since = 0;
	if (us > POLL_AUTO_MAX_US)
		q->poll_now_us /= 2;
	else if (us > q->poll_now_us)
		q->poll_now_us =
			min_of(max_of(q->poll_now_us * 2, POLL_AUTO_MIN_US), POLL_AUTO_MAX_US);
	if (q->poll_now_us < POLL_AUTO_MIN_US)
		q->poll_now_us = 0;
}

bool ring_poll(struct ublk_queue *q)
{
	uint32_t us = q->poll_us < 0 ? q->poll_now_us : (uint32_t)q->poll_us;
	bool hit;

	if (q->poll_us < 0)
		q->poll_since = now_ns();
	if (!us)
		return false;
	/* One call submits, and runs what the kernel has for us. */
	q->counters->enters++;
	if (io_uring_submit_and_get_events(&q->ring) < 0)
		return false;
	hit = io_uring_cq_ready(&q->ring) || look_for(q, us);
	q->counters->polls += hit;
	if (hit)
		q->poll_since = 0;
	return hit;
}
