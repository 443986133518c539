/* SPDX-License-Identifier: MIT */
/* What the verb stats prints of a device: as text, and as JSON. */
#ifndef CLI_STATS_OUT_H
#define CLI_STATS_OUT_H

#include <jansson.h>

#include "queue/stats.h"

/* A device's statistics at one moment, or between two. */
struct stats_view {
	uint32_t id;
	const char *name;
	bool server_alive;
	const struct stats *now;    /* NULL: its server could not share them */
	const struct stats *before; /* NULL: show all since the device's start */
	double seconds;		    /* from before to now */
	bool per_queue;		    /* tell of each queue, too */
};

/*
 * One object. Members, in this order; null where it is not known or not asked for: id, name,
 * server_alive, latency (measured now), seconds (of the interval), total (null: there are no
 * statistics), queues (an array of what total is). total is an object: read, write, flush, discard,
 * write_zeroes (each with: requests, bytes, errors, requests_per_second, bytes_per_second, latency),
 * system_calls, rounds, retries, misuse, timeouts, shared_memory. latency, in nanoseconds: requests,
 * mean, p50, p90, p99, p99_9, max. NULL: out of memory.
 */
json_t *stats_to_json(const struct stats_view *view);

/* 0 or -ENOMEM. */
int stats_print(const struct stats_view *view);

#endif
