// SPDX-License-Identifier: MIT
/*
 * Polling: before a queue's thread sleeps, it looks for a while whether something comes. It saves
 * the wake-up of who waits for each request before sending the next, and costs CPU time only after
 * there was something to do: an idle queue sleeps.
 */
#include <time.h>

#include "queue/internal.h"

#define POLL_AUTO_MAX_US 100
#define POLL_AUTO_MIN_US 4
#define POLL_PAUSE_MAX 1024 /* rounds */
#define LOOKS_PER_CLOCK 32  /* the clock is read while there is nothing else to do */

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

/* Completions, or work of the kernel's for us that will make some (TASKRUN_FLAG). */
static inline bool ring_has_news(struct ublk_queue *q)
{
	return io_uring_cq_ready(&q->ring) ||
	       (IO_URING_READ_ONCE(*q->ring.sq.kflags) & IORING_SQ_TASKRUN) ||
	       atomic_load_explicit(&q->asked, memory_order_relaxed);
}

static bool look_for(struct ublk_queue *q, uint32_t us)
{
	uint64_t until = now_ns() + us * 1000ull;

	do {
		for (unsigned int i = 0; i < LOOKS_PER_CLOCK; i++) {
			if (ring_has_news(q))
				return true;
			relax();
		}
	} while (now_ns() < until);
	return false;
}

/* Auto: twice as long after a hit; half as long after a miss, and when that is next to nothing, not
 * at all for a while, and for twice the while if that was no use either. */
static void adapt(struct ublk_queue *q, bool hit)
{
	if (hit) {
		q->poll_now_us = min_of(q->poll_now_us * 2, (uint32_t)POLL_AUTO_MAX_US);
		q->poll_pause_next = 0;
		return;
	}
	q->poll_now_us /= 2;
	if (q->poll_now_us >= POLL_AUTO_MIN_US)
		return;
	q->poll_pause_next = min_of(q->poll_pause_next * 2 + 16, (uint32_t)POLL_PAUSE_MAX);
	q->poll_pause = q->poll_pause_next;
	q->poll_now_us = POLL_AUTO_MAX_US;
}

bool ring_poll(struct ublk_queue *q)
{
	bool is_auto = q->poll_us < 0, hit;

	if (is_auto && q->poll_pause) {
		q->poll_pause--;
		return false;
	}
	if (is_auto && !q->poll_now_us)
		q->poll_now_us = POLL_AUTO_MAX_US;
	/* One call submits, and runs what the kernel has for us. */
	if (io_uring_submit_and_get_events(&q->ring) < 0)
		return false;
	hit = io_uring_cq_ready(&q->ring) > 0;
	if (!hit) {
		hit = look_for(q, is_auto ? q->poll_now_us : (uint32_t)q->poll_us);
		if (is_auto)
			adapt(q, hit);
		if (hit && !io_uring_cq_ready(&q->ring)) {
			q->counters->enters++;
			io_uring_get_events(&q->ring);
		}
	}
	q->counters->polls += hit;
	return hit;
}
