/* SPDX-License-Identifier: MIT */
/*
 * The counters of a device's queues, and histograms of their latencies, as they lie in memory that
 * the server shares with whoever looks: one header, then one block for each queue, on cache lines of
 * its own and written by the queue's thread alone. For the data plane and for readers.
 */
#ifndef QUEUE_STATS_H
#define QUEUE_STATS_H

#include "plugin/plugin.h"

/* Plain counters of one queue; readers see them a moment late. */
struct queue_counters {
	uint64_t ops[NR_OPS], bytes[NR_OPS], errors[NR_OPS];
	uint64_t enters;   /* io_uring_enter calls of the loop */
	uint64_t loops;	   /* rounds of the loop */
	uint64_t polls;	   /* rounds that got what they waited for without sleeping */
	uint64_t retries;  /* EAGAIN, EBUSY, ENOMEM and full rings that were tried again */
	uint64_t misuse;   /* broken rules of the contract, by the plugin */
	uint64_t timeouts; /* ios taken away from the plugin */
	uint64_t shared;   /* READs and WRITEs whose data was in memory shared with the program */
};

/* Buckets: [0, 128 ns), then 8 for each power of two, the last of which is [15, 16) x 2^30 ns, then
 * all that took longer. */
#define LATENCY_MIN_SHIFT 7
#define LATENCY_MAX_SHIFT 34
#define LATENCY_SUB_SHIFT 3
#define LATENCY_BUCKETS (((LATENCY_MAX_SHIFT - LATENCY_MIN_SHIFT) << LATENCY_SUB_SHIFT) + 2)

/* Nanoseconds from a request's arrival at the server to the hand-over of its result. */
struct latency {
	uint64_t sum, max;
	uint64_t bucket[LATENCY_BUCKETS];
};

#define STATS_ALIGN 128 /* two cache lines: processors fetch them in pairs */

struct queue_stats {
	struct queue_counters counters;
	uint64_t session; /* of the latencies: a value of struct stats.latency */
	struct latency latency[NR_OPS];
} __attribute__((aligned(STATS_ALIGN)));

#define STATS_MAGIC "ublkstat"
#define STATS_VERSION 2u

/* What a verb asks of the server, and its answer; device/requests.h. The verb writes size, then asked,
 * another number each time; the server err and text, then answered, the same number. */
#define STATS_TEXT_SIZE 232
#define STATS_SIZE_OPTION 1u  /* the size is the plugin's option `size` */
#define STATS_SIZE_CHANGES 2u /* the plugin and the driver can change it */
struct stats_request {
	uint32_t asked, answered;
	uint64_t size;		    /* bytes that the device is to have */
	int32_t err;		    /* 0 or -errno */
	uint32_t sizing;	    /* constant: STATS_SIZE_* */
	char text[STATS_TEXT_SIZE]; /* why not, one line */
};

/* Constant but for latency and request. */
struct stats {
	char magic[8]; /* no NUL */
	uint32_t version;
	uint32_t header_size, queue_size; /* sizeof in the writer's build */
	uint32_t nr_queues;
	uint32_t id; /* the device's */
	int32_t pid; /* the server's, and when it started: see state.h */
	uint64_t pid_start;
	/* Others than the server write this, and request. Odd: latencies are measured. Each time that
	 * they are switched on it is another odd number, and the histograms begin anew. */
	uint32_t latency;
	struct stats_request request;
	struct queue_stats queue[];
};

/* Of a whole region, in bytes. */
size_t stats_size(uint32_t nr_queues);
/* One in private memory, for free(); nothing is set but nr_queues. NULL: there is no memory. */
struct stats *stats_alloc(uint32_t nr_queues);
/* stats: zeroed memory of stats_size(), aligned to STATS_ALIGN. */
void stats_init(struct stats *stats, uint32_t nr_queues, uint32_t id, int32_t pid,
		uint64_t pid_start);
/* What is wrong with `size` bytes that claim to be the statistics of device id: in words, for a
 * message; NULL: nothing, every block of nr_queues is there. */
const char *stats_problem(const struct stats *stats, size_t size, uint32_t id);

static inline bool stats_latency_on(uint32_t word)
{
	return word & 1;
}
/* What the word becomes when latencies are switched. */
uint32_t stats_latency_switch(uint32_t word, bool on);

/* Copy a region of whole 8-byte words that its writer may be writing: none of them is seen half. */
void stats_copy(void *to, const void *from, size_t size);
/* Sum up the blocks of all queues; latencies of earlier sessions are left out. */
void stats_sum(const struct stats *stats, struct queue_stats *sum);
/* One queue's alone. */
void stats_of_queue(const struct stats *stats, uint32_t qid, struct queue_stats *one);
/* What happened since `before`, an earlier state of the same. */
void stats_subtract(struct queue_stats *now, const struct queue_stats *before);

unsigned int latency_bucket(uint64_t ns);
/* The first value of a bucket; that of LATENCY_BUCKETS is UINT64_MAX. */
uint64_t latency_bucket_start(unsigned int bucket);
/* One more. The queue's thread. */
void latency_add(struct latency *latency, uint64_t ns);

/* In nanoseconds; percentiles are an eighth off at most. All 0 where count is. */
struct latency_summary {
	uint64_t count;
	uint64_t mean, p50, p90, p99, p99_9, max;
};
void latency_summarise(const struct latency *latency, struct latency_summary *summary);

#endif
