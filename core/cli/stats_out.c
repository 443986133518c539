// SPDX-License-Identifier: MIT
/* Statistics for people and for programs. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/json_out.h"
#include "cli/stats_out.h"
#include "cli/table.h"
#include "config/size.h"

#define ALL_QUEUES UINT32_MAX

/* What is to be told of one queue, or of all. */
static void part_of(const struct stats_view *view, uint32_t qid, struct queue_stats *part)
{
	struct queue_stats before;

	if (qid == ALL_QUEUES)
		stats_sum(view->now, part);
	else
		stats_of_queue(view->now, qid, part);
	if (!view->before)
		return;
	if (qid == ALL_QUEUES)
		stats_sum(view->before, &before);
	else
		stats_of_queue(view->before, qid, &before);
	stats_subtract(part, &before);
}

static json_t *latency_to_json(const struct latency *latency)
{
	struct latency_summary s;

	latency_summarise(latency, &s);
	if (!s.count)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "requests", (json_int_t)s.count,
			 "mean", (json_int_t)s.mean, "p50", (json_int_t)s.p50, "p90",
			 (json_int_t)s.p90, "p99", (json_int_t)s.p99, "p99_9", (json_int_t)s.p99_9,
			 "max", (json_int_t)s.max);
}

static json_t *rate_to_json(const struct stats_view *view, uint64_t number)
{
	return view->before ? json_real((double)number / view->seconds) : json_null();
}

static json_t *op_to_json(const struct stats_view *view, const struct queue_stats *part,
			  unsigned int op)
{
	const struct queue_counters *c = &part->counters;

	return json_pack("{s:I, s:I, s:I, s:o, s:o, s:o}", "requests", (json_int_t)c->ops[op],
			 "bytes", (json_int_t)c->bytes[op], "errors", (json_int_t)c->errors[op],
			 "requests_per_second", rate_to_json(view, c->ops[op]), "bytes_per_second",
			 rate_to_json(view, c->bytes[op]), "latency",
			 latency_to_json(&part->latency[op]));
}

static json_t *part_to_json(const struct stats_view *view, uint32_t qid)
{
	struct queue_stats part;
	json_t *json = json_object();

	part_of(view, qid, &part);
	for (unsigned int op = 0; json && op < NR_OPS; op++)
		if (json_object_set_new(json, op_name(op), op_to_json(view, &part, op)) < 0) {
			json_decref(json);
			return NULL;
		}
	if (json && json_object_update_new(
			    json, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "system_calls",
					    (json_int_t)part.counters.enters, "rounds",
					    (json_int_t)part.counters.loops, "polls",
					    (json_int_t)part.counters.polls, "retries",
					    (json_int_t)part.counters.retries, "misuse",
					    (json_int_t)part.counters.misuse, "timeouts",
					    (json_int_t)part.counters.timeouts, "shared_memory",
					    (json_int_t)part.counters.shared)) < 0) {
		json_decref(json);
		return NULL;
	}
	return json;
}

static json_t *queues_to_json(const struct stats_view *view)
{
	json_t *array;

	if (!view->per_queue || !view->now)
		return json_null();
	array = json_array();
	for (uint32_t qid = 0; array && qid < view->now->nr_queues; qid++)
		if (json_array_append_new(array, part_to_json(view, qid)) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

json_t *stats_to_json(const struct stats_view *view)
{
	return json_pack("{s:I, s:o, s:b, s:o, s:o, s:o, s:o}", "id", (json_int_t)view->id, "name",
			 json_from_text(view->name), "server_alive", view->server_alive, "latency",
			 view->now ? json_boolean(stats_latency_on(view->now->latency))
				   : json_null(),
			 "seconds", view->before ? json_real(view->seconds) : json_null(), "total",
			 view->now ? part_to_json(view, ALL_QUEUES) : json_null(), "queues",
			 queues_to_json(view));
}

static void add_time(struct table *table, uint64_t ns)
{
	if (ns < 1000)
		table_add(table, "%" PRIu64 "ns", ns);
	else if (ns < 1000000)
		table_add(table, "%.1fus", (double)ns / 1e3);
	else if (ns < 1000000000)
		table_add(table, "%.2fms", (double)ns / 1e6);
	else
		table_add(table, "%.2fs", (double)ns / 1e9);
}

static void add_latency(struct table *table, const struct latency *latency)
{
	struct latency_summary s;

	latency_summarise(latency, &s);
	if (!s.count) {
		for (int i = 0; i < 6; i++)
			table_add(table, "-");
		return;
	}
	add_time(table, s.mean);
	add_time(table, s.p50);
	add_time(table, s.p90);
	add_time(table, s.p99);
	add_time(table, s.p99_9);
	add_time(table, s.max);
}

static void add_counts(struct table *table, const struct stats_view *view,
		       const struct queue_counters *c, unsigned int op)
{
	uint64_t good = c->ops[op] - c->errors[op];
	char size[SIZE_TEXT_MAX];

	if (!view->before) {
		table_add(table, "%" PRIu64, c->ops[op]);
		table_add(table, "%" PRIu64, c->bytes[op]);
	} else {
		table_add(table, "%.0f", (double)c->ops[op] / view->seconds);
		table_add(table, "%.1f", (double)c->bytes[op] / view->seconds / 1e6);
		table_add(table, "%s", good ? size_format(c->bytes[op] / good, size) : "-");
	}
	table_add(table, "%" PRIu64, c->errors[op]);
}

/* Reads and writes always, the rest if there were any. */
static void add_rows(struct table *table, const struct stats_view *view, uint32_t qid,
		     bool latencies)
{
	struct queue_stats part;

	part_of(view, qid, &part);
	for (unsigned int op = 0; op < NR_OPS; op++) {
		if (op > UBLK_OP_WRITE && !part.counters.ops[op])
			continue;
		if (view->per_queue && qid == ALL_QUEUES)
			table_add(table, "all");
		else if (view->per_queue)
			table_add(table, "%" PRIu32, qid);
		table_add(table, "%s", op_name(op));
		add_counts(table, view, &part.counters, op);
		if (latencies)
			add_latency(table, &part.latency[op]);
	}
}

static void add_heads(struct table *table, const struct stats_view *view, bool latencies)
{
	static const char *const counts[] = { "REQUESTS", "BYTES", "ERRORS" };
	static const char *const rates[] = { "IOPS", "MB/S", "AVERAGE", "ERRORS" };
	static const char *const times[] = { "MEAN", "P50", "P90", "P99", "P99.9", "MAX" };
	const char *const *heads = view->before ? rates : counts;
	unsigned int i, nr = view->before ? ARRAY_SIZE(rates) : ARRAY_SIZE(counts);

	table_begin(table, 1 + view->per_queue + nr + (latencies ? ARRAY_SIZE(times) : 0));
	if (view->per_queue)
		table_add(table, "QUEUE");
	table_add(table, "OPERATION");
	for (i = 0; i < nr; i++)
		table_add(table, "%s", heads[i]);
	for (i = 0; latencies && i < ARRAY_SIZE(times); i++)
		table_add(table, "%s", times[i]);
}

static void print_head(const struct stats_view *view, const struct queue_stats *sum)
{
	const struct queue_counters *c = &sum->counters;
	uint64_t requests = 0;

	for (unsigned int op = 0; op < NR_OPS; op++)
		requests += c->ops[op];
	printf("%s: %" PRIu64 " requests", view->name, requests);
	if (view->before)
		printf(" in %.1f s", view->seconds);
	if (requests)
		printf(", %.3f system calls per request", (double)c->enters / (double)requests);
	printf(", %" PRIu64 " retries", c->retries);
	if (c->shared)
		printf(", %" PRIu64 " requests in shared memory", c->shared);
	if (c->misuse)
		printf(", the plugin broke the contract %" PRIu64 " times", c->misuse);
	if (c->timeouts)
		printf(", %" PRIu64 " requests were taken away from it", c->timeouts);
	printf("%s\n", view->server_alive ? "" : "; its server has ended");
}

int stats_print(const struct stats_view *view)
{
	struct queue_stats sum;
	struct table table;
	bool latencies;
	int err;

	if (!view->now) {
		printf("%s: none, its server could not share them\n", view->name);
		return 0;
	}
	part_of(view, ALL_QUEUES, &sum);
	print_head(view, &sum);
	latencies = stats_latency_on(view->now->latency);
	for (unsigned int op = 0; op < NR_OPS && !latencies; op++)
		latencies = sum.latency[op].max;
	add_heads(&table, view, latencies);
	add_rows(&table, view, ALL_QUEUES, latencies);
	for (uint32_t qid = 0; view->per_queue && qid < view->now->nr_queues; qid++)
		add_rows(&table, view, qid, latencies);
	err = table_print(&table, stdout);
	table_free(&table);
	return err;
}
