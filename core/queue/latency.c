// SPDX-License-Identifier: MIT
/*
 * Latencies, while somebody has switched them on: a clock read when a round begins, another when it
 * has ended some requests. A request lasts from the wait that brought it to the end of the round that
 * committed it, as its result leaves with the next io_uring_enter.
 */
#include <time.h>

#include "queue/internal.h"

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + now.tv_nsec;
}

static struct queue_stats *block_of(struct ublk_queue *q)
{
	return container_of(q->counters, struct queue_stats, counters);
}

/* Readers take the histograms for what they are only once the block says that it is theirs. */
static void session_begin(struct queue_stats *block, uint32_t session)
{
	memset(block->latency, 0, sizeof(block->latency));
	__atomic_store_n(&block->session, session, __ATOMIC_RELEASE);
}

void latency_begin(struct ublk_queue *q, uint32_t session)
{
	if (block_of(q)->session != session)
		session_begin(block_of(q), session);
	q->round_ns = clock_ns();
	q->timing = true;
	fast_update(q);
}

static void account(struct ublk_queue *q)
{
	struct queue_stats *block = block_of(q);
	uint64_t now = clock_ns();

	for (unsigned int i = 0; i < q->nr_timed; i++)
		latency_add(&block->latency[q->timed[i].op], now - q->timed[i].since);
	q->nr_timed = 0;
}

/* Without q->timing, latencies were switched off while it was on its way. */
void latency_request_done(struct ublk_queue *q, struct request *r)
{
	if (q->timing)
		q->timed[q->nr_timed++] = (struct timed){ .since = r->since, .op = r->op };
	r->since = 0;
	if (q->nr_timed == q->depth)
		account(q); /* a tag may come twice in a round, where completions are not deferred */
}

void latency_end(struct ublk_queue *q)
{
	q->timing = false;
	fast_update(q);
	if (q->nr_timed)
		account(q);
}
