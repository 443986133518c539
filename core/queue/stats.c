// SPDX-License-Identifier: MIT
/* Shared statistics: their layout, what readers check before they believe it, and the arithmetic of
 * histograms. */
#include <string.h>

#include "config/config.h"
#include "queue/stats.h"

_Static_assert(sizeof(struct queue_stats) % STATS_ALIGN == 0, "blocks share no cache line");
_Static_assert(offsetof(struct stats, queue) % STATS_ALIGN == 0, "nor do they with the header");
_Static_assert(sizeof(struct queue_counters) % sizeof(uint64_t) == 0, "an array of counters");

size_t stats_size(uint32_t nr_queues)
{
	return sizeof(struct stats) + nr_queues * sizeof(struct queue_stats);
}

struct stats *stats_alloc(uint32_t nr_queues)
{
	size_t size = stats_size(nr_queues);
	struct stats *stats = aligned_alloc(STATS_ALIGN, size);

	if (!stats)
		return NULL;
	memset(stats, 0, size);
	stats->nr_queues = nr_queues;
	return stats;
}

void stats_init(struct stats *stats, uint32_t nr_queues, uint32_t id, int32_t pid,
		uint64_t pid_start)
{
	memcpy(stats->magic, STATS_MAGIC, sizeof(stats->magic));
	stats->version = STATS_VERSION;
	stats->header_size = sizeof(struct stats);
	stats->queue_size = sizeof(struct queue_stats);
	stats->nr_queues = nr_queues;
	stats->id = id;
	stats->pid = pid;
	stats->pid_start = pid_start;
}

const char *stats_problem(const struct stats *stats, size_t size, uint32_t id)
{
	if (size < sizeof(*stats) || memcmp(stats->magic, STATS_MAGIC, sizeof(stats->magic)))
		return "it is damaged";
	if (stats->version != STATS_VERSION || stats->header_size != sizeof(struct stats) ||
	    stats->queue_size != sizeof(struct queue_stats))
		return "its server is another version of ublk-host";
	if (stats->id != id || stats->pid <= 0 || !stats->nr_queues ||
	    stats->nr_queues > MAX_QUEUES || size != stats_size(stats->nr_queues))
		return "it is damaged";
	return NULL;
}

uint32_t stats_latency_switch(uint32_t word, bool on)
{
	if (!on)
		return word + (word & 1);
	return word + 1 + (word & 1);
}

void stats_copy(void *to, const void *from, size_t size)
{
	const uint64_t *source = from;
	uint64_t *target = to;

	for (size_t i = 0; i < size / sizeof(*source); i++)
		target[i] = __atomic_load_n(&source[i], __ATOMIC_RELAXED);
}

static void latency_sum(struct latency *sum, const struct latency *l)
{
	sum->sum += l->sum;
	sum->max = max_of(sum->max, l->max);
	for (unsigned int i = 0; i < LATENCY_BUCKETS; i++)
		sum->bucket[i] += l->bucket[i];
}

/* The value of the word while latencies were measured last. */
static uint32_t session_of(const struct stats *stats)
{
	return stats_latency_on(stats->latency) ? stats->latency : stats->latency - 1;
}

static void add_queue(const struct stats *stats, uint32_t qid, struct queue_stats *sum)
{
	const struct queue_stats *one = &stats->queue[qid];
	const uint64_t *from = (const uint64_t *)&one->counters;
	uint64_t *to = (uint64_t *)&sum->counters;

	for (size_t i = 0; i < sizeof(one->counters) / sizeof(*from); i++)
		to[i] += from[i];
	if (one->session != sum->session)
		return; /* a queue that has had nothing to do since */
	for (unsigned int op = 0; op < NR_OPS; op++)
		latency_sum(&sum->latency[op], &one->latency[op]);
}

void stats_of_queue(const struct stats *stats, uint32_t qid, struct queue_stats *one)
{
	*one = (struct queue_stats){ .session = session_of(stats) };
	add_queue(stats, qid, one);
}

void stats_sum(const struct stats *stats, struct queue_stats *sum)
{
	*sum = (struct queue_stats){ .session = session_of(stats) };
	for (uint32_t qid = 0; qid < stats->nr_queues; qid++)
		add_queue(stats, qid, sum);
}

/* Counters only grow; what does not is no counter of ours, and must not become a huge number. */
static void subtract(uint64_t *now, uint64_t before)
{
	*now = *now > before ? *now - before : 0;
}

/* The longest of the difference is known only if it is the longest of all; otherwise it is less
 * than the end of its bucket. */
static void latency_subtract(struct latency *now, const struct latency *before)
{
	bool is_new = now->max > before->max;
	unsigned int end = 0; /* after the last bucket with something in it */

	subtract(&now->sum, before->sum);
	for (unsigned int i = 0; i < LATENCY_BUCKETS; i++) {
		subtract(&now->bucket[i], before->bucket[i]);
		if (now->bucket[i])
			end = i + 1;
	}
	if (!is_new)
		now->max = min_of(now->max, latency_bucket_start(end));
}

void stats_subtract(struct queue_stats *now, const struct queue_stats *before)
{
	const uint64_t *from = (const uint64_t *)&before->counters;
	uint64_t *to = (uint64_t *)&now->counters;

	for (size_t i = 0; i < sizeof(now->counters) / sizeof(*to); i++)
		subtract(&to[i], from[i]);
	if (now->session != before->session)
		return; /* its histograms began in between */
	for (unsigned int op = 0; op < NR_OPS; op++)
		latency_subtract(&now->latency[op], &before->latency[op]);
}

unsigned int latency_bucket(uint64_t ns)
{
	unsigned int shift;

	if (ns < 1u << LATENCY_MIN_SHIFT)
		return 0;
	shift = log2_of(ns);
	if (shift >= LATENCY_MAX_SHIFT)
		return LATENCY_BUCKETS - 1;
	/* The bits below the highest say which part of the power of two. */
	return 1 + ((shift - LATENCY_MIN_SHIFT) << LATENCY_SUB_SHIFT) +
	       (ns >> (shift - LATENCY_SUB_SHIFT)) - (1u << LATENCY_SUB_SHIFT);
}

uint64_t latency_bucket_start(unsigned int bucket)
{
	unsigned int shift;
	uint64_t part;

	if (!bucket)
		return 0;
	if (bucket >= LATENCY_BUCKETS)
		return UINT64_MAX;
	shift = ((bucket - 1) >> LATENCY_SUB_SHIFT) + LATENCY_MIN_SHIFT;
	part = (bucket - 1) & ((1u << LATENCY_SUB_SHIFT) - 1);
	return ((1u << LATENCY_SUB_SHIFT) + part) << (shift - LATENCY_SUB_SHIFT);
}

void latency_add(struct latency *latency, uint64_t ns)
{
	latency->bucket[latency_bucket(ns)]++;
	latency->sum += ns;
	if (ns > latency->max)
		latency->max = ns;
}

/* As if the values of a bucket were spread evenly over it. */
static uint64_t percentile(const struct latency *l, uint64_t count, unsigned int permille)
{
	uint64_t rank = count / 1000 * permille + (count % 1000 * permille + 999) / 1000;
	uint64_t start, end, before = 0;
	unsigned int i = 0;

	while (i < LATENCY_BUCKETS - 1 && before + l->bucket[i] < rank)
		before += l->bucket[i++];
	start = latency_bucket_start(i);
	end = min_of(latency_bucket_start(i + 1), l->max);
	if (end <= start || !l->bucket[i])
		return min_of(start, l->max);
	return start +
	       (uint64_t)((double)(end - start) * (double)(rank - before) / (double)l->bucket[i]);
}

void latency_summarise(const struct latency *latency, struct latency_summary *summary)
{
	uint64_t count = 0;

	*summary = (struct latency_summary){ 0 };
	/* A sum that overflows is not of our making. */
	for (unsigned int i = 0; i < LATENCY_BUCKETS; i++)
		if (__builtin_add_overflow(count, latency->bucket[i], &count))
			return;
	if (!count)
		return;
	summary->count = count;
	summary->mean = latency->sum / count;
	summary->p50 = percentile(latency, count, 500);
	summary->p90 = percentile(latency, count, 900);
	summary->p99 = percentile(latency, count, 990);
	summary->p99_9 = percentile(latency, count, 999);
	summary->max = latency->max;
}
